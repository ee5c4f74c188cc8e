// What a commit says of its batch, as bytes.

import SluiceSpec
import Testing

@testable import SluiceCheckpoint

@Suite struct CommitEntryTests {
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
}
