// The built binary against a real broker. What goes in is written, and what came out is read, by kcat.
//
// Tests share one broker and keep apart by the names of topics and queries; those that stop, kill or pause a broker
// have one of their own.

import Foundation
import KafkaTesting
import Testing

/// All suites against a broker; where there is none, one line says so.
@Suite(.requiresKafka) enum KafkaEndToEndTests {}

/// One query from a topic to a topic, in a folder of its own.
final class KafkaQuery {
    let kafka: KafkaCluster
    let folder: TemporaryFolder
    /// The query's.
    let name: String
    let input: String
    let output: String

    /// Makes the topics.
    init(_ kafka: KafkaCluster, inputPartitions: Int = 1, outputPartitions: Int = 1) throws {
        self.kafka = kafka
        folder = try TemporaryFolder()
        name = kafka.uniqueName("copy")
        input = try kafka.makeTopic("input", partitions: inputPartitions)
        output = try kafka.makeTopic("output", partitions: outputPartitions)
    }

    /// What a spec says beside the topics.
    struct Settings {
        var start = "earliest"
        /// More of the source's connector, such as `on_data_loss: fail`; `brokers` too.
        var source: [String: String] = [:]
        /// More of the source.
        var sourceMore = ""
        var sink: [String: String] = [:]
        var columns = "{ n: long }"
        /// Of the source.
        var format = "json"
        var sinkFormat = "json"
        var select = ""
        var trigger = "as_fast_as_possible"
        var onFailure = "restart"
    }

    func writeSpec(_ settings: Settings = Settings()) throws {
        func flow(_ fields: [String: String]) -> String {
            fields.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: ", ")
        }
        let ours = ["brokers": "\"\(kafka.plain)\"", "topic": input, "start": settings.start]
        let source = ours.merging(settings.source) { $1 }
        let sink = ["brokers": "\"\(kafka.plain)\"", "topic": output].merging(settings.sink) { $1 }
        try folder.write(
            "spec.yaml",
            """
            sluice: 1
            sources:
              numbers:
                kafka: { \(flow(source)) }
                format: \(settings.format)
                columns: \(settings.columns)
                \(settings.sourceMore)
            queries:
              \(name):
                from: numbers
                \(settings.select.isEmpty ? "" : "select: \(settings.select)")
                trigger: \(settings.trigger)
                on_failure: \(settings.onFailure)
                to: out
            sinks:
              out:
                kafka: { \(flow(sink)) }
                format: \(settings.sinkFormat)
            """)
    }

    // MARK: Running it

    static let arguments = ["run", "spec.yaml", "--progress", "progress.jsonl"]

    func start(_ more: [String] = []) throws -> SluiceProcess { try SluiceProcess(Self.arguments + more, in: folder) }

    /// Runs it over what there is, to the end.
    func runAvailable(_ more: [String] = []) throws -> RunOutcome {
        try start(["--trigger", "available_now"] + more).wait()
    }

    /// Starts it and waits for its first batch, which fixes where it starts.
    func startAndWait() throws -> SluiceProcess {
        let sluice = try start()
        try sluice.waitUntil("no first batch") { !self.records.isEmpty }
        return sluice
    }

    var records: [[String: Any]] { progressRecords(folder) }

    /// Checkpoint files of one kind, by batch.
    func batches(_ log: String) -> [Int] {
        folder.names(in: "checkpoints/\(name)/\(log)").compactMap { Int($0) }.sorted()
    }

    // MARK: Its rows

    static func line(_ number: Int) -> String { "{\"n\":\(number)}" }

    func write(_ numbers: some Sequence<Int>, partition: Int? = nil) throws {
        try kafka.kcat.produce(numbers.map(Self.line), to: input, partition: partition)
    }

    /// The numbers that a reader of committed records sees, in order.
    func numbers() throws -> [Int] {
        try kafka.kcat.values(output).map { try #require(jsonObject($0)?["n"] as? Int, "\($0)") }.sorted()
    }

    /// Waits until so many rows are out, while the query runs.
    func waitForRows(_ count: Int, _ sluice: SluiceProcess) throws {
        try sluice.waitUntil("fewer than \(count) rows came out") {
            ((try? self.kafka.kcat.consume(self.output).count) ?? 0) >= count
        }
    }
}

/// Lines of the log at one level.
func logLines(_ standardError: String, level: String) -> [Substring] {
    standardError.split(separator: "\n").filter { $0.contains("level=\(level)") }
}
