// Where batches are written down for advice: in the commit, and read from a checkpoint that may be in use.

import SluiceSimulation
import SluiceSpec
import SluiceSystem
import Testing

@testable import SluiceRuntime

@Suite struct BatchRecordTests {
    private static let commit = """
        {"format":2,"queryId":"q","life":"l","batch":7,"plan":"0a0b0c0d","nextWatermarkMs":5,\
        "sources":[{"source":"a","maximumMs":5},{"source":"b","maximumMs":null,"partitionMaximaMs":{"0":4}}],\
        "stages":[{"stage":"a+b","evictedThroughMicros":{"left":1,"right":2}}],"counters":{"inputRows":3},"cost":{"checkpointBytes":1,"connectorMicros":11,"durableMicros":2,"engineMicros":3,"intervalMicros":4,\
        "logMicros":5,"openMicros":6,"planMicros":7,"processorMicros":8,"tailMicros":9,"visibleMicros":10},\
        "retainedFrom":0,"stateFrom":-1,"stateTo":7,"stateChecksum":"00000001",\
        "marks":[{"cluster":"c","topic":"t","batch":6}]}
        """

    private static func record(_ text: String) throws -> CommitRecord {
        try CommitRecord(json: try JSONValue(text: Array(text.utf8)[...]), batch: 7)
    }

    @Test func `A commit keeps what its batch has cost, byte for byte`() throws {
        let record = try Self.record(Self.commit)
        let cost = try #require(record.entry.cost)
        #expect(cost.checkpointBytes == 1 && cost.intervalMicros == 4 && cost.processorMicros == 8)
        #expect(cost.resultMicros == 2 + 3 + 5 + 6 + 7 + 10 && cost.busyMicros == cost.resultMicros + 9)
        #expect(String(decoding: record.json.text(), as: UTF8.self) == Self.commit)
    }

    @Test func `Commits of earlier versions have no cost, and later ones may measure more or less`() throws {
        let cost = /"cost":\{[^}]*\},/
        let earlier = try Self.record(Self.commit.replacing(cost, with: ""))
        #expect(earlier.entry.cost == nil)
        #expect(String(decoding: earlier.json.text(), as: UTF8.self) == Self.commit.replacing(cost, with: ""))
        let later = try Self.record(Self.commit.replacing(cost, with: "\"cost\":{\"engineMicros\":3,\"newMicros\":4},"))
        var expected = BatchCost()
        expected.engineMicros = 3
        #expect(later.entry.cost == expected)
        #expect(throws: JSONError.self) {
            try Self.record(Self.commit.replacing("\"engineMicros\":3", with: "\"engineMicros\":\"3\""))
        }
    }

    @Test func `The checkpoint and the progress of a query tell of the same batches`() throws {
        let spec = JoinSpecText()
        let harness = try RunnerHarness(spec: spec.text, disk: SimulatedFileSystem())
        for number in 0..<6 {
            let second = Double(number) * 100
            harness.disk.feed(
                Step(left: [row("a\(number)", "k", second)], right: [row("b\(number)", "k", second)]), number: number,
                isFollowed: false)
            harness.clock.advance(byMillis: 1000)
            try harness.runPending()
        }
        let stored = try Checkpoint.batchRecords(folder: "/check", fileSystem: harness.disk)
        #expect(stored.count == harness.reports.all.count && stored.count > 6)
        for (var record, progress) in zip(stored, harness.reports.all) {
            #expect(record.cost?.checkpointBytes ?? 0 > 500)
            if progress.inputRows > 0 {
                #expect(record.advances["l"]?.partitions == 1 && record.advances["r"]?.partitions == 1)
            }
            record.advances = [:]
            #expect(record == BatchRecord(progress))
        }
        #expect(stored.map(\.removedRows).reduce(0, +) > 0)
    }

    @Test func `What is gone or not whole while it is read is passed over, what is damaged is not`() throws {
        let made = try OrdinaryCheckpoint()
        let files = made.copy()
        let all = try Checkpoint.batchRecords(folder: "/cp/q", fileSystem: files)
        #expect(all.map(\.batch).suffix(3) == [117, 118, 119] && all.allSatisfy { $0.cost == nil })
        try files.remove("/cp/q/offsets/117")
        let bytes = try files.readAll("/cp/q/commits/119")
        try files.edit("/cp/q/commits/119", Array(bytes.prefix(40)))
        let some = try Checkpoint.batchRecords(folder: "/cp/q", fileSystem: files)
        #expect(some == all.filter { $0.batch != 117 && $0.batch != 119 })
        try files.edit("/cp/q/commits/118", bytes.map { $0 == UInt8(ascii: "1") ? UInt8(ascii: "2") : $0 })
        #expect(throws: CheckpointError.self) {
            try Checkpoint.batchRecords(folder: "/cp/q", fileSystem: files)
        }
        #expect(try Checkpoint.batchRecords(folder: "/none", fileSystem: files).isEmpty)
    }
}
