// What one worker needs to turn chunks into rows: decoders, filters, scratch memory. A lane is used by one thread at a
// time. Per record, in this order (Spark's plan order, which decides what moves the watermark):
//
//     decode ▸ bad-rows policy ▸ filter below the watermark ▸ watermark statistics ▸ filter above it ▸ late?
//            ▸ keep state columns ▸ join time, key hash ▸ the side's own predicate ▸ JoinRow
//
// Without a join the record is encoded at once instead of the last two steps, and nothing is late.
//
// The loop over records works on `inout` structs only: a class property would cost an exclusivity check per access.

internal import SluicePlan
internal import SluiceSpec

final class DecodeLane: @unchecked Sendable {
    // @unchecked: the executor hands each lane to one worker at a time.
    private let inputs: [InputLane]
    private var current = 0
    private var input = InputChunk()
    private var bounds = EventTimeBounds()
    private(set) var counters = SourceCounters()
    /// By the order of the chunk it happened in.
    private(set) var failure: (order: Int, error: BatchError)?

    private let resources: BatchResources
    private let shortage: MemoryShortage
    /// Output of this batch that this lane may keep in memory, and what it keeps.
    private let outputByteCountMax: Int
    private var outputByteCount = 0

    init(
        plan: PhysicalPlan, tables: [TableSlot] = [], zones: TimeZones, resources: BatchResources,
        shortage: MemoryShortage, laneCount: Int
    ) {
        self.resources = resources
        self.shortage = shortage
        outputByteCountMax = resources.outputByteCountMax / laneCount
        inputs = plan.inputs.indices.map {
            plan.inputs[$0].format.lane(
                LaneSetup(
                    plan: plan, number: $0, tables: tables, zones: zones, resources: resources,
                    laneCount: laneCount))
        }
    }

    /// Starts on one input of a batch.
    func begin(input number: Int, _ watermarks: BatchWatermarks) {
        current = number
        bounds = EventTimeBounds(watermarks, inputs[number].facts)
        counters = SourceCounters()
        failure = nil
        outputByteCount = 0
    }

    /// Reads and decodes one chunk. False after a failure, which is kept in `failure`.
    func decode(_ bytes: any InputBytes, chunk number: Int, into chunk: DecodedChunk) -> Bool {
        let lane = inputs[current]
        chunk.begin(shardCount: lane.facts.shardCount)
        chunk.order = bytes.order(of: number)
        input.removeAll()
        if shortage.isMet || resources.isMemoryShort() { return fail(chunk, .outOfMemory) }
        do {
            try bytes.read(chunk: number, into: &input)
        } catch {
            return fail(chunk, .input(source: lane.facts.source, error))
        }
        if lane.facts.keepsPlaces { input.origin = bytes.origin(of: number) }
        input.text.reserve(inputPaddingByteCount)
        let startsFile = bytes.startsFile(number)
        let isGood = unsafe input.records.withUnsafeBufferPointer { records in
            unsafe lane.decode(input, records, startsFile: startsFile, bounds, into: chunk)
        }
        counters.add(lane.counters)
        if let look = lane.takeFirstLook() { counters.add(look) }
        if isGood { sample(lane, bytes, number, order: chunk.order) }
        if let part = part(bytes, number, lane.facts.watermarkParts) { counters.add(lane.counters, part: part) }
        guard isGood else {
            let record = badRecord(lane, bytes, number, order: chunk.order)
            return fail(chunk, .badRow(source: lane.facts.source, record))
        }
        if shortage.isMet { return fail(chunk, .outOfMemory) }
        if let error = lane.spillFailure ?? keepOutputSmall(chunk) { return fail(chunk, .spill(error)) }
        return true
    }

    /// What of the source has a watermark of its own and all of a chunk's rows; nil without.
    private func part(_ bytes: any InputBytes, _ chunk: Int, _ parts: WatermarkParts) -> String? {
        switch parts {
        case .whole: nil
        case .topics: bytes.topic(of: chunk)
        case .partitions: bytes.partition(of: chunk)
        }
    }

    private func fail(_ chunk: DecodedChunk, _ error: BatchError) -> Bool {
        failure = (chunk.order, error)
        return false
    }

    /// Without a join the output of all chunks is kept to the end of the batch: what is too much is put away.
    private func keepOutputSmall(_ chunk: DecodedChunk) -> SpillError? {
        guard let spill = resources.spill else { return nil }
        let byteCount = chunk.outputByteCount
        outputByteCount += byteCount
        guard outputByteCount > outputByteCountMax else { return nil }
        outputByteCount -= byteCount
        do throws(SpillError) { try chunk.putAwayOutputs(in: spill) } catch { return error }
        return nil
    }

    /// Puts the chunk's first bad and first late row into words, if they come before those that were found so far.
    private func sample(_ lane: InputLane, _ bytes: any InputBytes, _ chunk: Int, order: Int) {
        if lane.counters.badRows > 0, order < counters.firstBad?.order ?? .max {
            counters.firstBad = badRecord(lane, bytes, chunk, order: order)
        }
        if lane.counters.lateRows > 0, order < counters.firstLate?.order ?? .max {
            let (facts, late) = (lane.facts, lane.firstLate)
            counters.firstLate = RecordSample(
                order: order, place: bytes.place(chunk: chunk, record: late.place), column: facts.timeName,
                reason: facts.lateness(late.timeMicros, lateMicros: bounds.lateMicros))
        }
        if lane.counters.leapingRows > 0, order < counters.firstLeap?.order ?? .max {
            counters.firstLeap = RecordSample(
                order: order, place: bytes.place(chunk: chunk, record: lane.firstLeap.place),
                column: lane.facts.timeName, reason: "it is more than a day ahead of all rows so far")
        }
    }

    private func badRecord(
        _ lane: InputLane, _ bytes: any InputBytes, _ chunk: Int, order: Int
    ) -> RecordSample {
        let bad = lane.firstBad
        let plan = lane.facts.plan
        return RecordSample(
            order: order, place: bytes.place(chunk: chunk, record: bad.place),
            column: bad.fault.slot.map { plan.columns[$0].name }, reason: bad.fault.reason(plan))
    }
}
