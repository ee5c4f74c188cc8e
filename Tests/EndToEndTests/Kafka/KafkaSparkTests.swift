// The built binary against recorded runs of Spark 4.1.1 over a real broker: each case of Spark/kafka-source.json says
// what is done to a topic, step by step, and what Spark then read: the offsets of every batch, and its rows. Here the
// same is done to a topic, and compared. Spark/kafka-seed.json does so for the seed scenario, whose join has state.

import Foundation
import KafkaTesting
import Testing

struct SparkSourceCase: Decodable, CustomTestStringConvertible {
    struct Step: Decodable {
        var `do`: String
        /// Of `run`.
        var trigger: String?
        var batches: [Batch]?
        /// What Spark said when it failed.
        var fails: String?
        /// Of `produce` and `transaction`: by partition.
        var records: [String: Records]?
        /// Of `transaction`.
        var end: String?
        /// Of `delete`: by partition, the first offset that stays.
        var before: [String: Int]?
        /// Of `partitions` and `recreate`.
        var count: Int?
        var partitions: Int?
    }

    /// A number of records whose values name partition and offset, or the values.
    enum Records: Decodable {
        case count(Int)
        case values([String?])

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let count = try? container.decode(Int.self) {
                self = .count(count)
            } else {
                self = .values(try container.decode([String?].self))
            }
        }
    }

    struct Batch: Decodable, Equatable {
        var batch: Int
        var start: [String: Int]?
        var end: [String: Int]
        var rows: Int
        var values: [Row]
    }

    struct Row: Decodable, Equatable {
        var partition: Int
        var offset: Int
        var value: String?

        init(from decoder: any Decoder) throws {
            var container = try decoder.unkeyedContainer()
            partition = try container.decode(Int.self)
            offset = try container.decode(Int.self)
            value = try container.decodeIfPresent(String.self)
        }

        init?(_ row: [String: Any]) {
            guard let partition = row["partition"] as? Int, let offset = row["offset"] as? Int else { return nil }
            (self.partition, self.offset, value) = (partition, offset, row["value"] as? String)
        }
    }

    /// An offset, `earliest` or `latest`.
    enum Place: Decodable, CustomStringConvertible {
        case offset(Int)
        case word(String)

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let offset = try? container.decode(Int.self) {
                self = .offset(offset)
            } else {
                self = .word(try container.decode(String.self))
            }
        }

        var description: String {
            switch self {
            case .offset(let offset): "\(offset)"
            case .word(let word): word
            }
        }
    }

    /// For all partitions or by partition.
    enum Start: Decodable, CustomStringConvertible {
        case all(String)
        case each([String: Place])

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let word = try? container.decode(String.self) {
                self = .all(word)
            } else {
                self = .each(try container.decode([String: Place].self))
            }
        }

        var description: String {
            switch self {
            case .all(let word): word
            case .each(let places): "{ \(places.map { "\($0.key): \($0.value)" }.sorted().joined(separator: ", ")) }"
            }
        }
    }

    var name: String
    var claim: String
    var partitions: Int
    var start: Start?
    var max: Int?
    var min: Int?
    var delay: String?
    var onDataLoss: String?
    var isolation: String?
    var steps: [Step]
    /// What Sluice does instead.
    var sluiceDiffers: String?

    var testDescription: String { "\(name) (\(claim))" }

    static let all: [SparkSourceCase] = recordedCases("kafka-source.json")

    var connector: String {
        var fields = ["start: \(start?.description ?? "latest")"]
        if let max { fields.append("max_offsets_per_trigger: \(max)") }
        if let min { fields.append("min_offsets_per_trigger: \(min)") }
        if let delay { fields.append("max_trigger_delay: \(delay)") }
        if let onDataLoss { fields.append("on_data_loss: \(onDataLoss)") }
        if let isolation { fields.append("isolation: \(isolation)") }
        return fields.joined(separator: ", ")
    }
}

struct SparkSeedCase: Decodable, CustomTestStringConvertible {
    /// Lines to write, or a run.
    struct Step: Decodable {
        var visits: [String]?
        var ads: [String]?
        var trigger: String?
        var batches: [Batch]?
    }

    /// Of both sources, visits first.
    struct Batch: Decodable {
        var batch: Int
        var starts: [[String: Int]?]
        var ends: [[String: Int]?]
        var rows: [Int]
        var watermark: String
        var stateRows: Int
        var late: Int
        var output: [String]
    }

    var name: String
    var start: String
    var max: Int?
    var steps: [Step]

    var testDescription: String { name }

    static let all: [SparkSeedCase] = recordedCases("kafka-seed.json")
}

private struct Recording<Case: Decodable>: Decodable { var cases: [Case] }

private func recordedCases<Case: Decodable>(_ file: String) -> [Case] {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    let data = try? Data(contentsOf: folder.appending(path: "Spark/" + file))
    return data.flatMap { try? JSONDecoder().decode(Recording<Case>.self, from: $0) }?.cases ?? []
}

/// One topic, and what a case has done to it.
private final class SparkTopic {
    let kafka: KafkaCluster
    let name: String
    /// By partition, the offset of the next record, where values name it.
    private var next: [Int: Int] = [:]
    private var open: [OpenTransaction] = []

    init(_ kafka: KafkaCluster, partitions: Int) throws {
        self.kafka = kafka
        name = try kafka.makeTopic("input", partitions: partitions)
    }

    func produce(_ records: [String: SparkSourceCase.Records]) throws {
        for (partition, records) in try sorted(records) {
            switch records {
            case .count(let count):
                try kafka.kcat.produce(values(partition, count), to: name, partition: partition)
            case .values(let values):
                try kafka.kcat.produce(keyed: values.map { ("k", $0) }, to: name, partition: partition)
                next[partition, default: 0] += values.count
            }
        }
    }

    /// - Parameters:
    ///   - end: `commit` or `abort`, which also end what was left `open` before.
    func transaction(_ records: [String: SparkSourceCase.Records], end: String) throws {
        if end != "open" {
            for transaction in open { try end == "commit" ? transaction.commit() : transaction.abort() }
            open = []
        }
        for (partition, records) in try sorted(records) {
            guard case .count(let count) = records else { continue }
            let values = values(partition, count)
            let id = kafka.uniqueName("transaction")
            if end == "commit" {
                try kafka.kcat.produce(values, to: name, partition: partition, transactionalID: id)
            } else {
                let transaction = try kafka.kcat.beginTransaction(
                    values, to: name, partition: partition, transactionalID: id)
                if end == "open" { open.append(transaction) } else { try transaction.abort() }
            }
            if end == "open" { continue }
            // A transaction is over before its marker is there, and what comes next must stand behind it.
            let behind = next[partition, default: 0] + 1
            next[partition] = behind
            while try kafka.endOffsets(name)[partition] ?? 0 < behind {}
        }
    }

    func recreate(partitions: Int) throws {
        try kafka.recreateTopic(name, partitions: partitions)
        next = [:]
    }

    private func values(_ partition: Int, _ count: Int) -> [String] {
        let first = next[partition, default: 0]
        next[partition] = first + count
        return (first..<first + count).map { "\(partition)-\($0)" }
    }

    private func sorted(
        _ records: [String: SparkSourceCase.Records]
    ) throws -> [(key: Int, value: SparkSourceCase.Records)] {
        try records.map { (try #require(Int($0.key)), $0.value) }.sorted { $0.0 < $1.0 }
    }
}

extension KafkaEndToEndTests {
    @Suite struct Spark {
        @Test func `The recorded runs are there`() {
            #expect(SparkSourceCase.all.count >= 50)
            #expect(SparkSeedCase.all.count >= 3)
        }

        @Test(arguments: SparkSourceCase.all.filter { $0.sluiceDiffers == nil })
        func `A topic is read as Spark reads it, batch by batch`(recorded: SparkSourceCase) throws {
            let topic = try SparkTopic(.shared(), partitions: recorded.partitions)
            let folder = try TemporaryFolder()
            try folder.write(
                "spec.yaml",
                """
                sluice: 1
                sources:
                  s:
                    kafka: { brokers: "\(topic.kafka.plain)", topic: \(topic.name), \(recorded.connector) }
                    columns:
                      partition: { type: int, from: kafka.partition }
                      offset: { type: long, from: kafka.offset }
                      value: { type: string, from: kafka.value }
                    bad_rows: permissive
                queries:
                  q: { from: s, to: out, on_failure: stop, checkpoint: checkpoint }
                sinks:
                  out: { file: { path: out }, format: { json: { nulls: write } } }
                """)
            var seenCount = 0
            for (number, step) in recorded.steps.enumerated() {
                guard step.do == "run" else {
                    try apply(step, topic, folder)
                    continue
                }
                let outcome = try SluiceProcess.run(
                    ["run", "spec.yaml", "--progress", "progress.jsonl", "--trigger", try #require(step.trigger)],
                    in: folder)
                #expect(
                    outcome.exitCode == (step.fails == nil ? 0 : 1), "step \(number): \(outcome.standardError)")
                let batches = try batches(folder, topic.name)
                #expect(Array(batches.dropFirst(seenCount)) == step.batches, "step \(number)")
                seenCount = batches.count
            }
        }

        private func apply(_ step: SparkSourceCase.Step, _ topic: SparkTopic, _ folder: TemporaryFolder) throws {
            switch step.do {
            case "produce": try topic.produce(try #require(step.records))
            case "transaction": try topic.transaction(step.records ?? [:], end: try #require(step.end))
            case "delete":
                let before = try #require(step.before).map { (try #require(Int($0.key)), $0.value) }
                try topic.kafka.deleteRecords(topic.name, before: Dictionary(uniqueKeysWithValues: before))
            case "partitions": try topic.kafka.addPartitions(topic.name, total: try #require(step.count))
            case "recreate": try topic.recreate(partitions: try #require(step.partitions))
            case "uncommit":
                // What a crash in the middle of the last batch leaves.
                let commits = folder.names(in: "checkpoint/commits")
                try folder.remove("checkpoint/commits/\(try #require(commits.last))")
            default: Issue.record("unknown step \(step.do)")
            }
        }

        /// An offset of a progress record has the topic around it.
        private func offsets(_ value: Any?, _ topic: String) -> [String: Int]? {
            (value as? [String: [String: Int]])?[topic]
        }

        private func batches(_ folder: TemporaryFolder, _ topic: String) throws -> [SparkSourceCase.Batch] {
            try progressRecords(folder).map { record in
                let source = try #require((record["sources"] as? [[String: Any]])?.first)
                let batch = try #require(record["batchId"] as? Int)
                let file = "batch-\(String("000000000\(batch)".suffix(10))).jsonl"
                let rows = (folder.read("out/\(file)") ?? "").split(separator: "\n").compactMap { line in
                    jsonObject(line).flatMap(SparkSourceCase.Row.init)
                }
                return SparkSourceCase.Batch(
                    batch: batch, start: offsets(source["startOffset"], topic),
                    end: try #require(offsets(source["endOffset"], topic)),
                    rows: try #require(source["numInputRows"] as? Int),
                    values: rows.sorted { ($0.partition, $0.offset) < ($1.partition, $1.offset) })
            }
        }

        @Test(arguments: SparkSeedCase.all)
        func `The seed scenario goes through topics as in Spark, however it is cut into batches`(
            recorded: SparkSeedCase
        ) throws {
            let kafka = try KafkaCluster.shared()
            let topics = try ["visits", "ads"].map { try kafka.makeTopic($0) }
            let folder = try TemporaryFolder()
            let limit = recorded.max.map { ", max_offsets_per_trigger: \($0)" } ?? ""
            let start = "start: \(recorded.start)\(limit)"
            let spec = try SeedScenario.sample().replacing("checkpoints/visits_ads", with: "checkpoint")
                .replacing("topic: visits, start: latest", with: "topic: \(topics[0]), \(start)")
                .replacing("topic: ads, start: latest", with: "topic: \(topics[1]), \(start)")
                .replacing(/kafka: .* topic: visits-enriched \}/, with: "file: { path: out }")
            try folder.write("spec.yaml", spec)
            var expected: [SparkSeedCase.Batch] = []
            for step in recorded.steps {
                if let lines = step.visits, !lines.isEmpty { try kafka.kcat.produce(lines, to: topics[0]) }
                if let lines = step.ads, !lines.isEmpty { try kafka.kcat.produce(lines, to: topics[1]) }
                guard let trigger = step.trigger else { continue }
                let outcome = try SluiceProcess.run(
                    ["run", "spec.yaml", "--progress", "progress.jsonl", "--trigger", trigger], in: folder,
                    environment: ["KAFKA_BROKERS": kafka.plain])
                #expect(outcome.exitCode == 0, "\(outcome.standardError)")
                expected += step.batches ?? []
                try expectBatches(folder, topics, expected)
            }
        }

        private func expectBatches(
            _ folder: TemporaryFolder, _ topics: [String], _ expected: [SparkSeedCase.Batch]
        ) throws {
            let records = progressRecords(folder)
            #expect(records.count == expected.count)
            for (record, batch) in zip(records, expected) {
                let sources = try #require(record["sources"] as? [[String: Any]])
                let state = try #require((record["stateOperators"] as? [[String: Any]])?.first)
                let file = "out/batch-\(String("000000000\(batch.batch)".suffix(10))).jsonl"
                let rows = (folder.read(file) ?? "").split(separator: "\n").map(String.init)
                #expect(record["batchId"] as? Int == batch.batch)
                let starts = zip(sources, topics).map { offsets($0["startOffset"], $1) }
                #expect(starts == batch.starts, "batch \(batch.batch)")
                let ends = zip(sources, topics).map { offsets($0["endOffset"], $1) }
                #expect(ends == batch.ends, "batch \(batch.batch)")
                #expect(sources.map { $0["numInputRows"] as? Int } == batch.rows, "batch \(batch.batch)")
                let watermark = (record["eventTime"] as? [String: Any])?["watermark"] as? String
                #expect(watermark == batch.watermark, "batch \(batch.batch)")
                #expect(state["numRowsTotal"] as? Int == batch.stateRows, "batch \(batch.batch)")
                #expect(state["numRowsDroppedByWatermark"] as? Int == batch.late, "batch \(batch.batch)")
                #expect(rows.sorted() == batch.output, "batch \(batch.batch)")
            }
        }
    }
}
