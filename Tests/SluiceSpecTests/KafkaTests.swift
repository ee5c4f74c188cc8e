// The `kafka` connector's settings as a spec gives them. What is wrong with one is in Golden/kafka.txt.

import SluiceSpec
import Testing

/// A job that reads one topic into a sink of another, with parts to change.
private func job(
    source: String = "", columns: String = "page: string", rest: String = "", sink: String = ""
) -> String {
    """
    sluice: 1
    sources:
      s:
        kafka: { brokers: "a:9092,b:9092", topic: pages, \(source) }
        columns: { \(columns) }
        \(rest)
    queries:
      q: { from: s, to: out }
    sinks:
      out:
        kafka: { brokers: "a:9092", topic: out, \(sink) }
    """
}

private func source(_ text: String) throws -> KafkaSourceSpec {
    let read = readSpec(job(source: text))
    let spec = try #require(read.spec, "\(read.rendered)")
    #expect(read.rendered == "")
    guard let kafka = spec.sources[0].connector as? KafkaSourceSpec else { throw NotKafka() }
    return kafka
}

private func sink(_ text: String) throws -> KafkaSinkSpec {
    let read = readSpec(job(sink: text))
    let spec = try #require(read.spec, "\(read.rendered)")
    #expect(read.rendered == "")
    guard let kafka = spec.sinks[0].connector as? KafkaSinkSpec else { throw NotKafka() }
    return kafka
}

/// A start at offsets of partitions of `pages`.
private func at(_ offsets: [Int32: KafkaSourceSpec.PartitionStart]) -> KafkaSourceSpec.Start {
    .offsets(
        Dictionary(uniqueKeysWithValues: offsets.map { (TopicPartition("pages", $0.key), $0.value) }))
}

private struct NotKafka: Error {}

@Suite struct KafkaTests {
    @Test func `a column can be every part of the record, and a header's name may have dots`() throws {
        let columns = """
            key: { type: long, from: kafka.key }, value: { type: string, from: kafka.value },
            topic: { type: string, from: kafka.topic }, partition: { type: int, from: kafka.partition },
            wide: { type: long, from: kafka.partition }, offset: { type: long, from: kafka.offset },
            at: { type: timestamp, from: kafka.timestamp }, trace: { type: "decimal(9,2)", from: kafka.headers.a.b-c },
            kafka: int, field: { type: int, from: kafka }
            """
        let read = readSpec(job(columns: columns.replacing("\n", with: " ")))
        #expect(read.rendered == "")
        let spec = try #require(read.spec)
        #expect(
            spec.sources[0].columns.map(\.origin) == [
                .kafka(.key), .kafka(.value), .kafka(.topic), .kafka(.partition), .kafka(.partition), .kafka(.offset),
                .kafka(.timestamp), .kafka(.header("a.b-c")), .field(FieldPath(name: "kafka")),
                .field(FieldPath(name: "kafka")),
            ])
    }

    @Test func `a part of the record prints as it is written`() {
        let fields: [KafkaField] = [.key, .value, .topic, .partition, .offset, .timestamp, .header("a.b")]
        #expect(
            fields.map(\.description) == [
                "kafka.key", "kafka.value", "kafka.topic", "kafka.partition", "kafka.offset", "kafka.timestamp",
                "kafka.headers.a.b",
            ])
    }

    @Test(
        arguments: [
            ("start: latest", .latest), ("start: earliest", .earliest),
            ("start: { timestamp: \"1970-01-01T00:00:01Z\" }", .timestamp(1_000_000)),
            ("start: { 0: 23, 1: 7 }", at([0: .offset(23), 1: .offset(7)])),
            ("start: { 0: earliest, 1: 7, 12: latest }", at([0: .earliest, 1: .offset(7), 12: .latest])),
            ("start: { 2147483647: 9223372036854775807 }", at([.max: .offset(.max)])),
        ] as [(String, KafkaSourceSpec.Start)])
    func `a source starts where the spec says`(text: String, start: KafkaSourceSpec.Start) throws {
        #expect(try source(text).start == start)
    }

    @Test func `a minimum of offsets needs no delay of its own`() throws {
        let kafka = try source("min_offsets_per_trigger: 10")
        #expect(kafka.minOffsetsPerTrigger == 10 && kafka.maxTriggerDelayMicros == nil)
    }

    @Test func `options keep their order and know where they stand`() throws {
        let kafka = try source(
            "options: { sasl.password: \"a b\", client.id: c, topic.metadata.refresh.interval.ms: 1 }")
        #expect(
            kafka.options.map(\.name.value) == ["sasl.password", "client.id", "topic.metadata.refresh.interval.ms"])
        #expect(kafka.options.map(\.value.revealed) == ["a b", "c", "1"])
        let line = "    kafka: { brokers: \"a:9092,b:9092\", topic: pages, options: { "
        let name = SourcePosition(file: "job.yaml", line: 4, column: line.count + 1)
        #expect(kafka.options[0].name.position == name)
        #expect(kafka.options[0].name.length == "sasl.password".count)
        #expect(kafka.options[0].valuePosition.column == name.column + "sasl.password: ".count)
        #expect("\(kafka.options)".contains("a b") == false)
        #expect(
            try sink("options: { linger.ms: 5, compression.type: zstd }").options.map(\.value.revealed) == [
                "5", "zstd",
            ])
    }

    @Test func `a sink has a key, a timestamp and a delivery`() throws {
        let kafka = try sink("key: page, timestamp: at, delivery: at_least_once")
        #expect(kafka.key != nil)
        #expect(kafka.timestamp?.value == "at")
        #expect(!kafka.isExactlyOnce)
    }

    @Test func `a mistake in a sink's key is shown in its text even when nobody writes there`() {
        let text = job() + "\n  other: { kafka: { brokers: b, topic: t, key: \"lower(page\" } }"
        let read = readSpec(text)
        #expect(read.codes == ["unused-sink", "expression-syntax"])
        #expect(read.diagnostics[1].position.column > "  other: { kafka: { brokers: b, topic: t, key: ".count)
    }

    @Test(arguments: [
        "a", "A.b_c-9", "...", ".a", String(repeating: "t", count: 249),
    ])
    func `names of topics that brokers take are taken`(topic: String) throws {
        let read = readSpec(job().replacing("topic: pages", with: "topic: \"\(topic)\""))
        #expect(read.rendered == "")
    }

    @Test(arguments: [".", "..", "a b", "é", "a/b", "a:b", String(repeating: "t", count: 250)])
    func `names of topics that brokers refuse are refused`(topic: String) throws {
        let read = readSpec(job().replacing("topic: pages", with: "topic: \"\(topic)\""))
        #expect(read.codes == ["bad-name"])
    }

    @Test func `a watermark per partition with an idle timeout is fine`() throws {
        let watermark = "watermark: { column: at, delay: 1m, per_partition: true, idle_timeout: 5m }"
        let read = readSpec(job(columns: "at: { type: timestamp, from: kafka.timestamp }", rest: watermark))
        #expect(read.rendered == "")
        #expect(read.spec?.sources[0].watermark?.parts == .partitions)
    }

    @Test func `CSV without a header line is a format of messages`() throws {
        #expect(readSpec(job(rest: "format: { csv: { header: false, separator: \";\" } }")).rendered == "")
    }
}
