// The source against mock brokers: planning, reading to the exact end, and what it does when brokers fail.

import CRdKafka
import Glibc
import SluicePlan
import SluiceSpec
import SluiceSystem
import SystemTesting
import Testing

@testable import SluiceConnectors
@testable import SluiceEngine

@Suite struct KafkaSourceTests {
    private let cluster = MockCluster()

    private func source(
        _ topic: String, in mock: MockEnvironment, patienceMillis: Int64? = 30_000,
        _ change: (inout KafkaSourceSpec) -> Void = { $0.start = .earliest }
    ) throws -> KafkaSource {
        var spec = mock.sourceSpec(topic)
        change(&spec)
        let input = InputPlan(source: "s", format: .json(), timeZone: "UTC", badRows: .null, fieldCount: 0, columns: [])
        return try KafkaSource(
            spec, wanted: RecordFields(input), environment: mock.environment(patienceMillis: patienceMillis))
    }

    /// What a batch of these ranges reads: values in order, partition after partition.
    private func values(_ source: KafkaSource, _ ranges: [OffsetRange]) throws -> [String] {
        let input = try source.open(ranges)
        var read: [(order: Int, values: [String])] = []
        var first = 0
        while case let ready = try input.readyChunks(from: first), !ready.isEmpty {
            for number in ready {
                var chunk = InputChunk()
                try input.read(chunk: number, into: &chunk)
                var start = 0
                var values: [String] = []
                for record in chunk.records {
                    values.append(String(decoding: chunk.text.array()[start..<Int(record.end)], as: UTF8.self))
                    start = Int(record.end) + 1
                }
                read.append((input.order(of: number), values))
            }
            first = ready.upperBound
        }
        return read.sorted { $0.order < $1.order }.flatMap(\.values)
    }

    private func plan(_ source: KafkaSource, _ position: inout SourceOffsets) throws -> [OffsetRange] {
        let latest = try source.latestOffsets(from: position, untilEnd: true)
        let ranges = source.planBatch(from: position, to: latest, limit: .spec)
        position.advance(by: ranges)
        return ranges
    }

    @Test func `Batches follow each other and each reads its range exactly`() throws {
        cluster.createTopic("t", partitions: 2)
        let source = try source("t", in: MockEnvironment(cluster))
        var position = SourceOffsets()
        var written: [String] = []
        var read: [String] = []
        for round in 0..<20 {
            let values = (0..<round * 37 % 101).map { "{\"round\":\(round),\"n\":\($0)}" }
            cluster.write("t", partition: Int32(round % 2), values)
            written += values
            let ranges = try plan(source, &position)
            let batch = try self.values(source, ranges)
            #expect(batch.count == Int(ranges.reduce(0) { $0 + $1.end - $1.start }))
            read += batch
            source.didCommit(position)
        }
        #expect(read == written)
    }

    @Test func `A batch is run again from its ranges by a new process, and the next goes on behind it`() throws {
        cluster.createTopic("t", partitions: 3)
        for partition in 0..<3 {
            cluster.write("t", partition: Int32(partition), (0..<500).map { "\(partition):\($0)" })
        }
        let mock = MockEnvironment(cluster)
        var position = SourceOffsets()
        let first = try source("t", in: mock) {
            $0.start = .earliest
            $0.maxOffsetsPerTrigger = 301
        }
        let ranges = try plan(first, &position)
        #expect(ranges.map(\.end) == [100, 100, 100])
        let batch = try values(first, ranges)
        let second = try source("t", in: mock)
        #expect(try values(second, ranges) == batch)
        let rest = try plan(second, &position)
        #expect(rest.map(\.start) == [100, 100, 100] && rest.map(\.end) == [500, 500, 500])
        #expect(try values(second, rest).count == 1200)
    }

    @Test func `A new query writes its start down before there is anything to read`() throws {
        cluster.createTopic("t", partitions: 2)
        cluster.write("t", partition: 0, ["old", "old"])
        let source = try source("t", in: MockEnvironment(cluster)) { $0.start = .latest }
        var position = SourceOffsets()
        let ranges = try plan(source, &position)
        #expect(
            ranges == [
                OffsetRange(partition: "0", start: 2, end: 2), OffsetRange(partition: "1", start: 0, end: 0),
            ])
        #expect(try values(source, ranges).isEmpty)
        source.didCommit(position)
        #expect(try plan(source, &position).isEmpty)
        cluster.write("t", partition: 1, ["new"])
        #expect(try values(source, plan(source, &position)) == ["new"])
    }

    @Test func `Offsets of the spec are where a new query begins`() throws {
        cluster.createTopic("t", partitions: 3)
        for partition in 0..<3 { cluster.write("t", partition: Int32(partition), (0..<10).map { "\($0)" }) }
        let mock = MockEnvironment(cluster)
        var position = SourceOffsets()
        let starts: [TopicPartition: KafkaSourceSpec.PartitionStart] = [
            TopicPartition("t", 0): .offset(7), TopicPartition("t", 1): .earliest,
        ]
        let named = try source("t", in: mock) { $0.start = .offsets(starts) }
        #expect(try plan(named, &position).map(\.start) == [7, 0, 10])
        let missing = try source("t", in: mock) { $0.start = .offsets([TopicPartition("t", 3): .offset(7)]) }
        let unknown = connectorError { _ = try missing.latestOffsets(from: SourceOffsets(), untilEnd: false) }
        #expect(unknown?.code == "kafka-unknown-partition" && unknown?.isRetriable == false)
        let behind = try source("t", in: mock) { $0.start = .offsets([TopicPartition("t", 0): .offset(11)]) }
        let lost = connectorError { _ = try behind.latestOffsets(from: SourceOffsets(), untilEnd: false) }
        #expect(lost?.code == "kafka-data-lost" && lost?.message.contains("ends at offset 10") == true)
    }

    @Test func `Too little is left for later, but not at the first look`() throws {
        cluster.createTopic("t", partitions: 1)
        cluster.write("t", partition: 0, ["a"])
        let source = try source("t", in: MockEnvironment(cluster)) {
            $0.start = .earliest
            $0.minOffsetsPerTrigger = 3
        }
        var position = SourceOffsets()
        #expect(try values(source, plan(source, &position)) == ["a"])
        cluster.write("t", partition: 0, ["b", "c"])
        #expect(try plan(source, &position).isEmpty)
        cluster.write("t", partition: 0, ["d"])
        #expect(try values(source, plan(source, &position)) == ["b", "c", "d"])
        cluster.write("t", partition: 0, ["e"])
        let latest = try source.latestOffsets(from: position, untilEnd: true)
        #expect(source.planBatch(from: position, to: latest, limit: .unlimited).map(\.end) == [5])
    }

    @Test func `An end that went back is loss, and where the query goes on it goes on from there`() throws {
        cluster.createTopic("t", partitions: 1)
        cluster.write("t", partition: 0, ["a", "b"])
        let mock = MockEnvironment(cluster)
        let lost = [OffsetRange(partition: "0", start: 5, end: 2)]
        let strict = try source("t", in: mock)
        var strictPosition = SourceOffsets(["0": 5])
        #expect(try plan(strict, &strictPosition) == lost)
        cluster.write("t", partition: 0, ["c"])
        let lenient = try source("t", in: mock) { $0.failsOnDataLoss = false }
        // The plan is in the offset log: another process finds it there, and judges it without a look.
        for source in [strict, try source("t", in: mock)] {
            let error = connectorError { _ = try source.open(lost) }
            #expect(error?.code == "kafka-data-lost" && error?.isRetriable == false)
            #expect(error?.message.contains("ended at offset 2 when the query was at 5") == true)
        }
        #expect(try values(lenient, lost).isEmpty)
        #expect(mock.lines.all.contains { $0.contains("level=warning") && $0.contains("offsets 0 to 1") })
        var position = SourceOffsets(["0": 5])
        position.advance(by: lost)
        #expect(try values(lenient, plan(lenient, &position)) == ["c"])
    }

    @Test func `A partition that is gone is forgotten, with a batch of its own where there is nothing to read`() throws
    {
        cluster.createTopic("t", partitions: 1)
        cluster.write("t", partition: 0, ["a"])
        let mock = MockEnvironment(cluster)
        let lenient = try source("t", in: mock) { $0.failsOnDataLoss = false }
        var position = SourceOffsets(["0": 1, "1": 7])
        let ranges = try plan(lenient, &position)
        #expect(ranges == [OffsetRange.gone(partition: "1", start: 7)])
        #expect(position == SourceOffsets(["0": 1]))
        #expect(try values(lenient, ranges).isEmpty)
        #expect(mock.lines.all.contains { $0.contains("level=warning") && $0.contains("from offset 7 on") })
        #expect(try plan(lenient, &position).isEmpty)
        let strict = try source("t", in: mock)
        #expect(connectorError { _ = try strict.open(ranges) }?.code == "kafka-data-lost")
    }

    @Test func `What a broker does not know for a moment is not lost`() throws {
        cluster.createTopic("t", partitions: 1)
        cluster.write("t", partition: 0, ["a"])
        let mock = MockEnvironment(cluster)
        let source = try source("t", in: mock)
        let cluster = cluster
        let late = SystemThread(name: "late") {
            usleep(500_000)
            cluster.write("t", partition: 0, ["b", "c"])
        }
        var position = SourceOffsets(["0": 2])
        #expect(try values(source, plan(source, &position)) == ["c"])
        late?.join()
    }

    @Test func `Answers that pass are waited for`() throws {
        cluster.createTopic("t", partitions: 1)
        cluster.write("t", partition: 0, ["a"])
        cluster.failNext(
            .listOffsets, [RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT])
        cluster.failNext(.fetch, [RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR])
        let source = try source("t", in: MockEnvironment(cluster))
        var position = SourceOffsets()
        #expect(try values(source, plan(source, &position)) == ["a"])
    }

    @Test func `A right that is missing ends the query with one sentence`() throws {
        cluster.createTopic("t", partitions: 1)
        cluster.failNext(
            .listOffsets, Array(repeating: RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, count: 4))
        let source = try source("t", in: MockEnvironment(cluster))
        let error = connectorError { _ = try source.latestOffsets(from: SourceOffsets(), untilEnd: false) }
        #expect(error?.code == "kafka-not-authorized" && error?.isRetriable == false)
        #expect(error?.message.contains("`t`") == true)
    }

    @Test func `A broker that is away is waited for, once said, and the batch goes on when it is back`() throws {
        cluster.createTopic("t", partitions: 1)
        cluster.write("t", partition: 0, ["a"])
        let mock = MockEnvironment(cluster)
        let source = try source("t", in: mock, patienceMillis: nil)
        cluster.setBroker(isUp: false)
        let cluster = cluster
        let back = SystemThread(name: "back") {
            // The query has said that it waits: only then does the broker come back.
            while !mock.lines.all.contains(where: { $0.contains("does not answer") }) { usleep(10_000) }
            cluster.setBroker(isUp: true)
        }
        var position = SourceOffsets()
        #expect(try values(source, plan(source, &position)) == ["a"])
        back?.join()
        let warnings = mock.lines.all.filter { $0.contains("level=warning") }
        #expect(warnings.count == 1 && warnings[0].contains("Kafka does not answer"))
        #expect(mock.lines.all.contains { $0.contains("Kafka answers again") })
    }

    @Test func `A stop ends the waiting, and patience does`() throws {
        cluster.createTopic("t", partitions: 1)
        cluster.setBroker(isUp: false)
        let stopped = MockEnvironment(cluster)
        stopped.stop()
        let waiting = try source("t", in: stopped, patienceMillis: nil)
        let error = connectorError { _ = try waiting.latestOffsets(from: SourceOffsets(), untilEnd: false) }
        #expect(error == ConnectorError.stopped)
        let hasty = try source("t", in: MockEnvironment(cluster), patienceMillis: 1)
        let gaveUp = connectorError { _ = try hasty.latestOffsets(from: SourceOffsets(), untilEnd: true) }
        #expect(gaveUp?.isRetriable == false && gaveUp?.message.contains("gave up") == true)
    }
}
