// What becomes of single records under a plan, told by the very lanes that batches are read with: for whoever has to
// know how a spec reads a sample, record by record.

package import SluicePlan
internal import SluiceSpec

/// Reads records of the first input of a plan, one at a time. The plan has no join. Used by one thread.
package final class RecordProbe {
    /// What became of one record.
    package struct Outcome {
        /// Rows that came of it, bad ones included.
        package var rowCount = 0
        /// Why the record, or the first bad row of it, is bad; nil for a good one.
        package var reason: String?
        /// The column whose type does not read what is there; nil where something else is wrong.
        package var misfit: String?
        /// The newest event time of its rows, in microseconds since 1970.
        package var eventTimeMicros: Int64?
        /// True when an event time was further ahead than `max_ahead` allows.
        package var isAhead = false
    }

    private let lane: InputLane
    private let bounds: EventTimeBounds
    private let zones: TimeZones
    private let output = DecodedChunk()
    private var chunk = InputChunk()

    /// - Parameter batchTimeMillis: since 1970; what `max_ahead` counts from.
    package init(_ plan: PhysicalPlan, zones: TimeZones, batchTimeMillis: Int64) {
        precondition(plan.stages.isEmpty, "rows of a join do not come of one record")
        self.zones = zones
        let setup = LaneSetup(plan: plan, number: 0, zones: zones, resources: BatchResources(), laneCount: 1)
        lane = setup.input.format.lane(setup)
        let watermarks = BatchWatermarks(lateMillis: 0, evictionMillis: 0, batchTimeMillis: batchTimeMillis)
        bounds = EventTimeBounds(watermarks, lane.facts)
    }

    /// - Parameters:
    ///   - record: its text, without a line end.
    ///   - header: what its file says of its records: the first line where that names fields, the schema of Avro.
    ///   - schemas: that it may name by number.
    ///   - isFramed: whether it is a message or a block and not a line.
    package func read(
        _ record: [UInt8], header: [UInt8] = [], schemas: [RecordSchema] = [], isFramed: Bool
    ) -> Outcome {
        chunk.removeAll()
        chunk.schemas = schemas
        chunk.text.append(contentsOf: record)
        if isFramed {
            chunk.isFramed = true
            chunk.records = [
                InputRecord(
                    end: UInt32(record.count), isNull: false, offset: 0, timestampMillis: -1, attributesStart: 0)
            ]
        }
        chunk.text.append(UInt8(ascii: "\n"))
        chunk.text.reserve(inputPaddingByteCount)
        chunk.header = header
        output.begin(shardCount: lane.facts.shardCount)
        _ = unsafe chunk.records.withUnsafeBufferPointer { records in
            unsafe lane.decode(chunk, records, startsFile: false, bounds, into: output)
        }
        return outcome
    }

    private var outcome: Outcome {
        let counters = lane.counters
        var outcome = Outcome(rowCount: counters.inputRows)
        if counters.eventTimeCount > 0 { outcome.eventTimeMicros = counters.maxEventTimeMicros }
        guard counters.badRows > 0 else { return outcome }
        let plan = lane.facts.plan
        let fault = lane.firstBad.fault
        outcome.reason = fault.reason(plan)
        switch fault {
        case .field(let slot), .element(_, let slot): outcome.misfit = plan.columns[slot].name
        case .ahead: outcome.isAhead = true
        default: break
        }
        return outcome
    }
}

extension RecordProbe {
    /// The data of a block of a container file of Avro, each as a block of its own. What cannot be read, and what is
    /// behind it, stays in one. O(bytes).
    package func data(ofBlock block: [UInt8], schema: [UInt8], countMax: Int) -> [[UInt8]] {
        guard let writer = try? AvroSchema(text: schema),
            let program = AvroCompiler.program(AvroResolution(writer: writer), [], each: nil)
        else { return [block] }
        var row = RowWriter(lane.facts.plan, zones: zones)
        return AvroBlock(block).data(program, &row, countMax: countMax)
    }
}
