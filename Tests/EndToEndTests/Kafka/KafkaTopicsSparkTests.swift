// The built binary against recorded runs of Spark 4.1.1 over several topics in one source: Spark/kafka-topics.json,
// made by Spark/kafka_topics.py. Each case says what is done to topics, step by step, and what Spark then read: the
// offsets of every batch, and the rows of every run. Here the same is done to topics, and compared.

import Foundation
import KafkaTesting
import Testing

struct SparkTopicsCase: Decodable, CustomTestStringConvertible {
    struct Step: Decodable {
        var `do`: String
        /// Of `make`, `partitions`, `produce` and `delete`; without the prefix.
        var topic: String?
        var partition: Int?
        var count: Int?
        /// Of `delete`: the first offset that stays.
        var before: Int?
        /// Of `source`: what the source says from now on.
        var source: String?
        /// Of `run`.
        var batches: [Batch]?
        var values: [Row]?
        /// What Spark said when it failed.
        var fails: String?
    }

    /// By topic and partition; nothing is the same as no topic.
    typealias Offsets = [String: [String: Int]]

    struct Batch: Decodable, Equatable {
        var start: Offsets?
        var end: Offsets?
        var rows: Int
    }

    struct Row: Decodable, Equatable, Comparable {
        var text: String

        init(_ row: [String: Any], without prefix: String) {
            let topic = (row["topic"] as? String ?? "").replacing(prefix, with: "")
            text = "\(topic)/\(row["partition"] ?? "")@\(row["offset"] ?? "") \(row["value"] ?? "")"
        }

        init(from decoder: any Decoder) throws {
            var container = try decoder.unkeyedContainer()
            text = "\(try container.decode(String.self))/\(try container.decode(Int.self))"
            text += "@\(try container.decode(Int.self)) \(try container.decode(String.self))"
        }

        static func < (left: Row, right: Row) -> Bool { left.text < right.text }
    }

    var name: String
    var claim: String
    var source: String
    var steps: [Step]

    var testDescription: String { "\(name) (\(claim))" }

    static let all: [SparkTopicsCase] = {
        struct Recording: Decodable { var cases: [SparkTopicsCase] }
        let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let data = try? Data(contentsOf: folder.appending(path: "Spark/kafka-topics.json"))
        return data.flatMap { try? JSONDecoder().decode(Recording.self, from: $0) }?.cases ?? []
    }()

    /// What Sluice does instead stands in Differences.md, and in a test of its own.
    static let differing: Set<String> = ["pattern-whole", "added-trimmed", "removed"]
}

/// Topics of a recorded case, under names of their own.
private struct CaseTopics {
    let kafka: KafkaCluster
    let prefix: String
    private var next: [String: Int] = [:]

    init(_ kafka: KafkaCluster) {
        self.kafka = kafka
        prefix = kafka.uniqueName("case") + "-"
    }

    /// The source's words with this run's names: the recording's are letters, perhaps with a digit.
    func named(_ source: String) -> String {
        source.replacing(/\b(a2|a|b)(\/\d+|\.\*)?(?=[,\]\s":]|$)/) { match in
            "\(prefix)\(match.output.1)\(match.output.2 ?? "")"
        }
    }

    mutating func apply(_ step: SparkTopicsCase.Step) throws {
        let name = try #require(step.topic)
        let topic = prefix + name
        switch step.do {
        case "make": try kafka.createTopic(topic, partitions: try #require(step.count))
        case "partitions": try kafka.addPartitions(topic, total: try #require(step.count))
        case "delete": try kafka.deleteRecords(topic, before: [try #require(step.partition): try #require(step.before)])
        case "produce":
            let (partition, count) = (try #require(step.partition), try #require(step.count))
            let first = next["\(name)/\(partition)", default: 0]
            next["\(name)/\(partition)"] = first + count
            let values = (first..<first + count).map { "\(name)-\(partition)-\($0)" }
            try kafka.kcat.produce(values, to: topic, partition: partition)
        default: Issue.record("unknown step \(step.do)")
        }
    }

    /// An offset of a progress record, under the recording's names.
    func offsets(_ value: Any?) -> SparkTopicsCase.Offsets? {
        guard let byTopic = value as? SparkTopicsCase.Offsets, !byTopic.isEmpty else { return nil }
        return Dictionary(uniqueKeysWithValues: byTopic.map { (String($0.key.dropFirst(prefix.count)), $0.value) })
    }
}

extension KafkaEndToEndTests {
    @Suite struct SparkTopics {
        @Test func `The recorded runs of several topics are there`() {
            #expect(SparkTopicsCase.all.count >= 14)
            #expect(SparkTopicsCase.differing.isSubset(of: SparkTopicsCase.all.map(\.name)))
        }

        @Test(arguments: SparkTopicsCase.all.filter { !SparkTopicsCase.differing.contains($0.name) })
        func `Several topics are read as Spark reads them, batch by batch`(recorded: SparkTopicsCase) throws {
            let folder = try TemporaryFolder()
            let topics = try play(recorded, folder) { step, outcome in
                #expect(outcome.exitCode == 0, "step \(step): \(outcome.standardError)")
            }
            var expected: [SparkTopicsCase.Batch] = []
            for step in recorded.steps { expected += step.batches ?? [] }
            #expect(batches(folder, topics) == expected)
            let rows = recorded.steps.flatMap { $0.values ?? [] }
            #expect(self.rows(folder, topics) == rows.sorted())
        }

        private func recorded(_ name: String) throws -> SparkTopicsCase {
            try #require(SparkTopicsCase.all.first { $0.name == name })
        }

        @Test func `Unlike in Spark a pattern matches whole names`() throws {
            let recorded = try recorded("pattern-whole")
            let folder = try TemporaryFolder()
            let topics = try play(recorded, folder) { _, outcome in
                #expect(outcome.exitCode == 0, "\(outcome.standardError)")
            }
            let spark = recorded.steps.flatMap { $0.values ?? [] }.map(\.text)
            #expect(spark == ["a/0@0 a-0-0", "a2/0@0 a2-0-0"])
            #expect(rows(folder, topics).map(\.text) == ["a/0@0 a-0-0"])
        }

        @Test func `Unlike in Spark a topic that is left out is refused before anything is read`() throws {
            let recorded = try recorded("removed")
            let folder = try TemporaryFolder()
            var outcomes: [RunOutcome] = []
            let topics = try play(recorded, folder) { outcomes.append($1) }
            #expect(recorded.steps.last?.fails != nil)
            #expect(outcomes.map(\.exitCode) == [0, 1])
            #expect(outcomes.last?.standardError.contains("`\(topics.prefix)b` is no longer read") == true)
        }

        @Test func `Unlike in Spark records that were gone before their topic was added are no loss`() throws {
            let recorded = try recorded("added-trimmed")
            let folder = try TemporaryFolder()
            let topics = try play(recorded, folder) { _, outcome in
                #expect(outcome.exitCode == 0, "\(outcome.standardError)")
            }
            #expect(recorded.steps.last?.fails != nil)
            let texts = rows(folder, topics).map(\.text)
            #expect(texts == ["a/0@0 a-0-0", "a/0@1 a-0-1", "a/0@2 a-0-2", "b/0@2 b-0-2"])
        }

        /// Does what the case says, with a run of the binary where it says so.
        private func play(
            _ recorded: SparkTopicsCase, _ folder: TemporaryFolder, _ check: (Int, RunOutcome) throws -> Void
        ) throws -> CaseTopics {
            var topics = CaseTopics(try .shared())
            var source = recorded.source
            for (number, step) in recorded.steps.enumerated() {
                switch step.do {
                case "source": source = try #require(step.source)
                case "run":
                    try folder.write("spec.yaml", spec(topics, source))
                    try check(
                        number,
                        try SluiceProcess.run(
                            ["run", "spec.yaml", "--progress", "progress.jsonl", "--trigger", "available_now"],
                            in: folder))
                default: try topics.apply(step)
                }
            }
            return topics
        }

        private func spec(_ topics: CaseTopics, _ source: String) -> String {
            """
            sluice: 1
            sources:
              s:
                kafka: { brokers: "\(topics.kafka.plain)", \(topics.named(source)) }
                columns:
                  topic: { type: string, from: kafka.topic }
                  partition: { type: int, from: kafka.partition }
                  offset: { type: long, from: kafka.offset }
                  value: { type: string, from: kafka.value }
            queries:
              q: { from: s, to: out, on_failure: stop }
            sinks:
              out: { file: { path: out } }
            """
        }

        private func rows(_ folder: TemporaryFolder, _ topics: CaseTopics) -> [SparkTopicsCase.Row] {
            folder.rows(in: "out").compactMap { jsonObject($0) }
                .map { SparkTopicsCase.Row($0, without: topics.prefix) }.sorted()
        }

        private func batches(_ folder: TemporaryFolder, _ topics: CaseTopics) -> [SparkTopicsCase.Batch] {
            progressRecords(folder).map { record in
                let source = (record["sources"] as? [[String: Any]])?.first ?? [:]
                return SparkTopicsCase.Batch(
                    start: topics.offsets(source["startOffset"]), end: topics.offsets(source["endOffset"]),
                    rows: source["numInputRows"] as? Int ?? -1)
            }
        }
    }
}
