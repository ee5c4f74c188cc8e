// Output that is put away while a batch runs comes back as if it had stayed in memory: the same bytes in the same
// order, whatever the sizes, the number of shards and of encodings.

import SluiceEngine
import SluicePlan
import SluiceSpec
import Synchronization
import Testing

/// Keeps segments in memory, and fails on request.
final class MemorySpill: OutputSpill {
    private let bytes = Mutex<[UInt8]>([])
    let segmentCount = Atomic<Int>(0)
    let fails = Atomic<Bool>(false)

    func append(_ segment: OutputBytes) throws(SpillError) -> SpilledSegment {
        if fails.load(ordering: .relaxed) { throw SpillError(description: "no room", isRetriable: true) }
        segmentCount.add(1, ordering: .relaxed)
        let parts = [segment.buffer.array(), segment.records.array(), segment.keys.array()]
        return bytes.withLock { bytes in
            let offset = Int64(bytes.count)
            for part in parts { bytes += part }
            return SpilledSegment(
                offset: offset, textByteCount: parts[0].count, recordsByteCount: parts[1].count,
                keysByteCount: parts[2].count)
        }
    }

    func read(_ segment: SpilledSegment, into output: OutputBytes) throws(SpillError) {
        let all = bytes.withLock { $0 }
        var offset = Int(segment.offset)
        func take(_ count: Int) -> [UInt8] {
            defer { offset += count }
            return Array(all[offset..<offset + count])
        }
        output.buffer.append(contentsOf: take(segment.textByteCount))
        output.records.append(contentsOf: take(segment.recordsByteCount))
        output.keys.append(contentsOf: take(segment.keysByteCount))
    }
}

@Suite struct OutputSpillTests {
    /// Lines of one key on both sides: each meets each.
    private func lines(_ prefix: String, _ count: Int) -> MemoryInput {
        MemoryInput((0..<count).map { #"{"k":"hot","id":"\#(prefix)\#($0)"}"# }, linesPerChunk: 7)
    }

    private func hotKeyPlan() -> PhysicalPlan {
        func slot(_ input: Int, _ index: Int) -> Expression<ColumnSlot> {
            Expression(
                .column(ColumnSlot(input: input, index: index)), type: .string, isNullable: true,
                at: SourcePosition(file: "test.yaml", line: 1, column: 1))
        }
        let columns = ["id", "k"].enumerated().map { index, name in
            InputColumn(name: name, type: .string, origin: .field(FieldPath(name: name)), declaredIndex: index)
        }
        let side = JoinSidePlan(
            joinTime: nil, windowMicros: nil, isPreserved: false, predicate: nil, eviction: nil, stateColumnCount: 2,
            bucketWidthMicros: nil, cellWidthMicros: nil)
        let headers = [("l", slot(0, 0)), ("r", slot(1, 0))].map { RecordHeaderPlan(name: $0, value: $1) }
        let encoding = RecordPlan(key: slot(0, 0), timestamp: nil, headers: headers)
        return PhysicalPlan(
            query: "q",
            inputs: ["l", "r"].map {
                InputPlan(source: $0, format: .json(), timeZone: "UTC", badRows: .null, fieldCount: 2, columns: columns)
            },
            stages: [
                StagePlan(
                    name: "l+r",
                    operation: .join(
                        JoinPlan(
                            type: .inner, keys: [JoinKey(left: 1, right: 1, isNullSafe: false)], bounds: nil,
                            left: side,
                            right: side, residual: nil, shards: 4)), inputs: [.sources([0]), .sources([1])])
            ],
            output: OutputPlan(
                filter: nil,
                columns: [
                    OutputColumn(name: "l", expression: slot(0, 0)), OutputColumn(name: "r", expression: slot(1, 0)),
                ],
                sinks: [
                    OutputSink(name: "lines", format: .json(timeZone: "UTC", writesNulls: false)),
                    OutputSink(name: "records", format: .json(timeZone: "UTC", writesNulls: false), record: encoding),
                ]),
            watermarkPolicy: .min)
    }

    /// The value of a header that begins at `place`, which is then behind it.
    private func headerValue(_ bytes: [UInt8], _ place: inout Int) -> ArraySlice<UInt8> {
        let count = bytes.withUnsafeBytes { Int($0.loadUnaligned(fromByteOffset: place, as: Int32.self)) }
        defer { place += 4 + count }
        return bytes[place + 4..<place + 4 + count]
    }

    private func run(_ plan: PhysicalPlan, _ resources: BatchResources, rows: Int) throws -> (text: String, rows: Int) {
        let executor = BatchExecutor(plan: plan, laneCount: 2, zones: TimeZones { _ in nil }, resources: resources) {
            count, body in
            for index in 0..<count { body(index) }
        }
        let result = try executor.run(
            [lines("l", rows), lines("r", rows)],
            watermarks: BatchWatermarks(lateMillis: 0, evictionMillis: 0))
        var text: [UInt8] = []
        for part in result.routes[0].encodings[0] {
            try part.forEachSegment(
                { segment throws(SpillError) in text += segment.buffer.array() }, unreadable: { $0 })
        }
        #expect(result.routes[0].encodings[0].reduce(0) { $0 + $1.byteCount } == text.count)
        var keys = 0
        for part in result.routes[0].encodings[1] {
            try part.forEachSegment(
                { segment throws(SpillError) in
                    let records = segment.outputRecords
                    #expect(records.last?.end == segment.buffer.count - 1)
                    let bytes = segment.keys.array()
                    var place = 0
                    for record in records {
                        place += record.keyByteCount
                        #expect(place == record.keyEnd)
                        // Behind the key, the values of the two headers: the first is the key again.
                        let key = bytes[record.keyEnd - record.keyByteCount..<record.keyEnd]
                        #expect(headerValue(bytes, &place).elementsEqual(key))
                        #expect(headerValue(bytes, &place).first == UInt8(ascii: "r"))
                    }
                    #expect(place == bytes.count)
                    keys += records.count
                }, unreadable: { $0 })
        }
        #expect(
            keys == result.outputRowCount && result.routes[0].encodings[1].reduce(0) { $0 + $1.recordCount } == keys)
        return (String(decoding: text, as: UTF8.self), result.outputRowCount)
    }

    @Test func `A hot key's pairs are put away, and come back whole and in order`() throws {
        let plan = hotKeyPlan()
        let kept = try run(plan, BatchResources(), rows: 300)
        #expect(kept.rows == 90_000)
        let spill = MemorySpill()
        var resources = BatchResources(spill: spill)
        resources.outputByteCountMax = 1
        let putAway = try run(plan, resources, rows: 300)
        #expect(spill.segmentCount.load(ordering: .relaxed) > 0)
        #expect(putAway.text == kept.text && putAway.rows == kept.rows)
    }

    @Test func `Room that runs out is an error of the batch`() throws {
        let spill = MemorySpill()
        spill.fails.store(true, ordering: .relaxed)
        var resources = BatchResources(spill: spill)
        resources.outputByteCountMax = 1
        #expect(throws: BatchError.self) { try run(hotKeyPlan(), resources, rows: 300) }
    }

    @Test func `A process that may take no more memory gives the batch up`() throws {
        var resources = BatchResources()
        resources.isMemoryShort = { true }
        let error = #expect(throws: BatchError.self) { try run(hotKeyPlan(), resources, rows: 3) }
        guard case .outOfMemory? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }
}
