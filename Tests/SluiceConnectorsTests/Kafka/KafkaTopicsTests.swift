// Several topics in one source, against mock brokers: what partitions are called, and where they begin.

import SluicePlan
import SluiceSpec
import SystemTesting
import Testing

@testable import SluiceConnectors
@testable import SluiceEngine

@Suite struct KafkaTopicsTests {
    private let cluster = MockCluster()

    private func source(
        _ names: KafkaTopics.Names, in mock: MockEnvironment, _ change: (inout KafkaSourceSpec) -> Void = { _ in }
    ) throws -> KafkaSource {
        var spec = mock.sourceSpec("")
        spec.selection = KafkaTopics(names)
        change(&spec)
        let origin = ColumnSpec.Origin.kafka(.topic)
        let input = InputPlan(
            source: "s", format: .json(), timeZone: "UTC", badRows: .null, fieldCount: 0,
            columns: [InputColumn(name: "t", type: .string, origin: origin, declaredIndex: 0)])
        return try KafkaSource(spec, wanted: RecordFields(input), environment: mock.environment())
    }

    private func plan(_ source: KafkaSource, _ position: inout SourceOffsets) throws -> [OffsetRange] {
        let latest = try source.latestOffsets(from: position, untilEnd: true)
        let ranges = source.planBatch(from: position, to: latest, limit: .spec)
        position.advance(by: ranges)
        return ranges
    }

    /// The topic, partition and place of the first record of every chunk, in order.
    private func chunks(_ source: KafkaSource, _ ranges: [OffsetRange]) throws -> [String] {
        let input = try source.open(ranges)
        var found: [(order: Int, text: String)] = []
        var first = 0
        while case let ready = try input.readyChunks(from: first), !ready.isEmpty {
            for number in ready {
                var chunk = InputChunk()
                try input.read(chunk: number, into: &chunk)
                let record = RecordPlace(byteOffset: 0, offset: chunk.records[0].offset)
                let place = input.place(chunk: number, record: record)
                let topic = String(decoding: chunk.topic, as: UTF8.self)
                #expect(input.topic(of: number) == topic)
                found.append((input.order(of: number), "\(topic) \(input.partition(of: number) ?? "") \(place)"))
            }
            first = ready.upperBound
        }
        return found.sorted { $0.order < $1.order }.map(\.text)
    }

    @Test func `Partitions of several topics are planned and read under their topics`() throws {
        for topic in ["a", "b"] { cluster.createTopic(topic, partitions: 2) }
        cluster.write("a", partition: 1, ["1", "2"])
        cluster.write("b", partition: 0, ["3"])
        let source = try source(.list(["b", "a"]), in: MockEnvironment(cluster)) { $0.start = .earliest }
        var position = SourceOffsets()
        let ranges = try plan(source, &position)
        #expect(ranges.map(\.partition) == ["a/0", "a/1", "b/0", "b/1"] && ranges.map(\.end) == [0, 2, 1, 0])
        #expect(try chunks(source, ranges) == ["a a/1 a/1@0", "b b/0 b/0@0"])
        #expect(try source.readable(["a/1", "b/0", "c/0", "0"]) == ["a/1": 0..<2, "b/0": 0..<1])
        #expect(source.lag(at: position, latest: position)?.keys.sorted() == ["a/0", "a/1", "b/0", "b/1"])
    }

    @Test func `One topic keeps its numbers`() throws {
        cluster.createTopic("a", partitions: 2)
        cluster.write("a", partition: 1, ["1"])
        let source = try source(.one("a"), in: MockEnvironment(cluster)) { $0.start = .earliest }
        var position = SourceOffsets()
        let ranges = try plan(source, &position)
        #expect(ranges.map(\.partition) == ["0", "1"])
        #expect(try chunks(source, ranges) == ["a 1 a/1@0"])
    }

    @Test func `A pattern that matches nothing has begun, and what comes is read from its beginning`() throws {
        let mock = MockEnvironment(cluster)
        cluster.createTopic("other", partitions: 1)
        let pattern = KafkaTopics.Names.pattern(try TopicPattern("a.*"))
        var position = SourceOffsets()
        let first = try source(pattern, in: mock)
        #expect(try plan(first, &position).map { $0.end - $0.start } == [0])
        #expect(!position.next.isEmpty)
        #expect(try plan(first, &position).isEmpty)
        #expect(mock.lines.all.contains { $0.contains("No topic matches yet") })
        cluster.createTopic("a1", partitions: 1)
        cluster.write("a1", partition: 0, ["1", "2"])
        // After a start in between as well.
        let second = try source(pattern, in: mock)
        let ranges = try plan(second, &position)
        #expect(ranges.first == OffsetRange(partition: "a1/0", start: 0, end: 2) && position.next == ["a1/0": 2])
        #expect(try chunks(second, ranges) == ["a1 a1/0 a1/0@0"])
    }

    @Test func `Only named partitions are there`() throws {
        cluster.createTopic("a", partitions: 3)
        let source = try source(.one("a"), in: MockEnvironment(cluster)) { $0.selection.partitions = [2, 0] }
        #expect(try source.latestOffsets(from: SourceOffsets(), untilEnd: false).next == ["0": 0, "2": 0])
    }

    @Test func `Limits are shared over the partitions of all topics`() throws {
        for topic in ["a", "b"] { cluster.createTopic(topic, partitions: 1) }
        cluster.write("a", partition: 0, (0..<30).map { "\($0)" })
        cluster.write("b", partition: 0, (0..<10).map { "\($0)" })
        let source = try source(.list(["a", "b"]), in: MockEnvironment(cluster)) {
            $0.start = .earliest
            $0.maxOffsetsPerTrigger = 20
        }
        var position = SourceOffsets()
        #expect(try plan(source, &position).map(\.end) == [15, 5])
    }
}
