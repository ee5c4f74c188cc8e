// The sink against mock brokers: transactions, what it does when they fail, and what it makes of a batch's mark.

import CRdKafka
import SluiceSpec
import SluiceSystem
import Testing

@testable import SluiceConnectors
@testable import SluiceEngine

@Suite struct KafkaSinkTests {
    private let cluster = MockCluster()

    private func sink(
        _ mock: MockEnvironment, isExactlyOnce: Bool = true, patienceMillis: Int64? = 30_000
    ) -> any Sink {
        let spec = SinkSpec(
            name: Located("out", at: SourcePosition(file: "test.yaml", line: 1, column: 1)),
            connector: mock.sinkSpec("t", isExactlyOnce: isExactlyOnce),
            format: .json(timeZone: "UTC", writesNulls: false))
        return makeSinks([(spec, [], nil)], sourceTopics: [], in: mock.environment(patienceMillis: patienceMillis))[0]
    }

    private func parts(_ rows: [String]) -> [OutputBytes] {
        let output = OutputBytes()
        for row in rows {
            output.buffer.append(contentsOf: Array("\(row)\n".utf8))
            let record = OutputRecord(
                end: output.buffer.count - 1, keyEnd: 0, keyByteCount: -1, timestampMillis: .min)
            withUnsafeBytes(of: record) { output.records.append($0) }
        }
        return [output]
    }

    private func batch(_ id: Int64) -> SinkBatch { SinkBatch(id: id, fingerprint: "f\(id)") }

    private func run(_ sink: any Sink, _ id: Int64, _ rows: [String]) throws {
        try sink.stage(batch(id), parts: parts(rows), rowCount: rows.count)
        try sink.commit(batch: id)
    }

    @Test(arguments: [true, false]) func `Batches are in the topic when they are committed`(isExactlyOnce: Bool) throws
    {
        cluster.createTopic("t", partitions: 1)
        let sink = sink(MockEnvironment(cluster), isExactlyOnce: isExactlyOnce)
        try sink.recover(lastCommitted: nil)
        try run(sink, 0, ["a", "b"])
        try run(sink, 1, [])
        try run(sink, 2, (0..<1000).map { "row \($0)" })
        #expect(cluster.read("t", partitions: 1) == ["a", "b"] + (0..<1000).map { "row \($0)" })
    }

    @Test func `More rows than librdkafka's queue takes go through`() throws {
        cluster.createTopic("t", partitions: 1)
        let sink = sink(MockEnvironment(cluster))
        try sink.recover(lastCommitted: nil)
        let rows = (0..<120_000).map { "\($0)" }
        try run(sink, 0, rows)
        // The mock keeps the newest 5 MB.
        #expect(cluster.read("t", partitions: 1).suffix(1000) == rows.suffix(1000))
    }

    @Test func `Errors that pass are ridden out`() throws {
        cluster.createTopic("t", partitions: 1)
        cluster.failNext(.initProducerID, [RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS])
        let sink = sink(MockEnvironment(cluster))
        try sink.recover(lastCommitted: nil)
        cluster.failNext(.addPartitionsToTransaction, [RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS])
        cluster.failNext(
            .produce, [RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS])
        cluster.failNext(.transactionOffsetCommit, [RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE])
        cluster.failNext(.endTransaction, [RD_KAFKA_RESP_ERR_NOT_COORDINATOR])
        try run(sink, 0, ["a"])
        #expect(cluster.read("t", partitions: 1) == ["a"])
    }

    @Test func `A client that is fenced ends the query for good`() throws {
        cluster.createTopic("t", partitions: 1)
        let sink = sink(MockEnvironment(cluster))
        try sink.recover(lastCommitted: nil)
        cluster.failNext(.endTransaction, [RD_KAFKA_RESP_ERR_PRODUCER_FENCED])
        let error = #expect(throws: ConnectorError.self) { try run(sink, 0, ["a"]) }
        #expect(error?.code == "kafka-fenced" && error?.isRetriable == false)
    }

    @Test func `A right that is missing ends the query with one sentence`() throws {
        cluster.createTopic("t", partitions: 1)
        cluster.failNext(.initProducerID, [RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED])
        let sink = sink(MockEnvironment(cluster))
        let error = #expect(throws: ConnectorError.self) {
            try sink.recover(lastCommitted: nil)
        }
        #expect(error?.code == "kafka-not-authorized" && error?.isRetriable == false)
    }

    private func sinks(_ mock: MockEnvironment, _ topics: [String]) -> [any Sink] {
        let place = SourcePosition(file: "test.yaml", line: 1, column: 1)
        let specs = topics.map { topic in
            SinkSpec(
                name: Located("to_\(topic)", at: place), connector: mock.sinkSpec(topic),
                format: .json(timeZone: "UTC", writesNulls: false))
        }
        return makeSinks(specs.map { ($0, [], nil) }, sourceTopics: [], in: mock.environment())
    }

    @Test func `Sinks of one query share a transaction and its mark`() throws {
        for topic in ["t", "u"] { cluster.createTopic(topic, partitions: 1) }
        let sinks = sinks(MockEnvironment(cluster), ["t", "u"])
        for sink in sinks { try sink.recover(lastCommitted: nil) }
        for sink in sinks { try sink.stage(batch(0), parts: parts(["a"]), rowCount: 1) }
        try sinks[0].commit(batch: 0)
        #expect(cluster.read("t", partitions: 1) == ["a"] && cluster.read("u", partitions: 1) == ["a"])
        try sinks[1].commit(batch: 0)
        #expect(cluster.read("u", partitions: 1) == ["a"])
        let marks = sinks.compactMap(\.mark)
        #expect(marks.count == 2 && Set(marks).count == 1 && marks[0].topic == "t" && marks[0].batch == 0)
    }

    @Test func `A mark that should be there and is not is refused, unless a person accepts it`() throws {
        cluster.createTopic("t", partitions: 1)
        // The mock keeps no offsets of transactions: every mark is gone.
        let first = sink(MockEnvironment(cluster))
        try first.recover(lastCommitted: nil)
        try run(first, 0, ["a"])
        let mark = try #require(first.mark)
        let error = #expect(throws: ConnectorError.self) {
            try sink(MockEnvironment(cluster)).recover(lastCommitted: 0, marks: [mark])
        }
        #expect(error?.code == "kafka-mark-missing" && error?.isRetriable == false)
        #expect(error?.message.contains("--accept-missing-mark") == true)
        let accepted = sink(MockEnvironment(cluster))
        try accepted.recover(lastCommitted: 0, marks: [mark], acceptsMissingMark: true)
        #expect(accepted.mark?.batch == 0)
        try accepted.keepAlive()
        try run(accepted, 1, ["b"])
        #expect(cluster.read("t", partitions: 1) == ["a", "b"])
        // A mark of another cluster, or of a topic that is not written to any more, is not missed.
        let elsewhere = SinkMark(clusterID: "another", topic: "t", batch: 0)
        let before = SinkMark(clusterID: mark.clusterID, topic: "u", batch: 0)
        try sink(MockEnvironment(cluster)).recover(lastCommitted: 1, marks: [elsewhere, before])
    }

    @Test func `A stop ends the waiting for a broker that is away`() throws {
        cluster.createTopic("t", partitions: 1)
        let mock = MockEnvironment(cluster)
        let sink = sink(mock, patienceMillis: nil)
        try sink.recover(lastCommitted: nil)
        try run(sink, 0, ["a"])
        cluster.setBroker(isUp: false)
        mock.stop()
        let error = #expect(throws: ConnectorError.self) { try run(sink, 1, ["b"]) }
        #expect(error?.code == "stopped")
    }
}

@Suite struct CommittedBatchTests {
    private func mark(_ batch: Int64, _ fingerprint: String = "f", life: String = "a") -> CommittedBatch {
        CommittedBatch(queryID: "id", life: life, batch: batch, fingerprint: fingerprint)
    }

    @Test func `A mark reads back as it was written`() {
        #expect(CommittedBatch(mark(7).text) == mark(7))
        for text in [
            "", "sluice/1", "sluice/3 query=a life=b batch=1 input=c", "sluice/1 query=a sink=b batch=x input=c",
            "sluice/1 query=a sink=b batch=-1 input=c", "sluice/1 sink=a query=b batch=1 input=c", mark(1).text + " x",
            "sluice/2 query=a sink=b batch=1 input=c",
        ] { #expect(CommittedBatch(text) == nil, "\(text)") }
    }

    @Test func `A mark of the version before reads back, with its sink`() {
        let old = CommittedBatch("sluice/1 query=a sink=b batch=1 input=c")
        #expect(old?.sink == "b" && old?.batch == 1 && old?.isOfThisFormat == false)
    }

    private func found(
        _ marks: [CommittedBatch], _ last: Int64?, _ inHand: SinkBatch?, expected: Int64? = nil,
        lives: [(String, Int64)] = [("a", 0)]
    ) -> RecoveredTransaction {
        let start = SinkStart(
            queryID: "id", lives: lives.map { CheckpointLife(id: $0.0, from: $0.1) }, lastCommitted: last,
            inHand: inHand)
        return RecoveredTransaction(marks, start, expected: expected)
    }

    private let inHand = SinkBatch(id: 5, fingerprint: "f")

    @Test func `A mark says whether the batch in hand is visible`() {
        #expect(found([], nil, nil) == .clean)
        #expect(found([mark(4), mark(3)], 4, inHand) == .clean)
        #expect(found([mark(5), mark(5)], 4, inHand, expected: 3) == .inHandIsVisible)
        #expect(found([mark(5, "other")], 4, inHand) == .ahead(mark(5, "other")))
        #expect(found([mark(6), mark(5)], 4, inHand) == .ahead(mark(6)))
        #expect(found([mark(5)], 4, nil) == .ahead(mark(5)))
        #expect(found([mark(0)], nil, nil) == .ahead(mark(0)))
    }

    @Test func `A mark that should be there, and is not, is missed`() {
        #expect(found([], 4, inHand, expected: 3) == .missing(3))
        #expect(found([mark(2)], 4, inHand, expected: 3) == .missing(3))
        #expect(found([mark(3)], 4, inHand, expected: 3) == .clean)
    }

    @Test func `A rollback that was asked for may repeat what is in the topics, another copy may not`() {
        let lives = [("a", Int64(0)), ("b", 3)]
        #expect(found([mark(9)], 2, nil, lives: lives) == .repeatsAfterRollback(mark(9)))
        #expect(found([mark(3, life: "b")], 2, SinkBatch(id: 3, fingerprint: "f"), lives: lives) == .inHandIsVisible)
        #expect(found([mark(9, life: "c")], 2, nil, lives: lives) == .ahead(mark(9, life: "c")))
        #expect(found([mark(2, life: "c")], 2, nil, lives: lives) == .ahead(mark(2, life: "c")))
    }
}

@Suite struct OffsetSharesTests {
    @Test func `A limit is shared in proportion to what is there`() {
        #expect(sharedEnds([0: 0..<100, 1: 0..<300], limit: 100) == [0: 25, 1: 75])
        #expect(sharedEnds([0: 0..<100, 1: 0..<300], limit: 1000) == [0: 100, 1: 300])
        // Parts below one are rounded up, others down.
        #expect(sharedEnds([0: 0..<1, 1: 0..<1000], limit: 10) == [0: 1, 1: 9])
        #expect(sharedEnds([0: 5..<5, 1: 7..<17], limit: 3) == [0: 5, 1: 10])
        #expect(sharedEnds([:], limit: 3) == [:])
    }

    @Test func `Nothing overflows`() {
        #expect(sharedEnds([0: 0..<Int64.max], limit: .max) == [0: .max])
        #expect(sharedEnds([0: Int64.max - 1..<Int64.max, 1: 0..<1], limit: .max) == [0: .max, 1: 1])
    }
}
