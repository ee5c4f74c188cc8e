// Several topics in one source: which rows come in, what the checkpoint calls partitions, and which changes of the spec
// it goes on with.

import Foundation
import KafkaTesting
import Testing

/// A query from topics to a topic, each row with where it came from.
final class TopicsQuery {
    let kafka: KafkaCluster
    let folder: TemporaryFolder
    let name: String
    let output: String
    /// Of the topics that the query may read: no other test's topics match.
    let prefix: String

    init(_ kafka: KafkaCluster) throws {
        self.kafka = kafka
        folder = try TemporaryFolder()
        name = kafka.uniqueName("several")
        prefix = kafka.uniqueName("in")
        output = try kafka.makeTopic("output")
    }

    func makeTopic(_ suffix: String, partitions: Int = 1) throws -> String {
        let topic = "\(prefix)-\(suffix)"
        try kafka.createTopic(topic, partitions: partitions)
        return topic
    }

    /// - Parameter source: what the source's connector says beside the brokers.
    func writeSpec(_ source: String, sink: String = "", select: String = "", trigger: String = "as_fast_as_possible")
        throws
    {
        try folder.write(
            "spec.yaml",
            """
            sluice: 1
            sources:
              s:
                kafka: { brokers: "\(kafka.plain)", \(source) }
                columns:
                  n: long
                  topic: { type: string, from: kafka.topic }
                  partition: { type: int, from: kafka.partition }
            queries:
              \(name): { from: s, to: out, trigger: \(trigger), on_failure: stop, \(select) }
            sinks:
              out: { kafka: { brokers: "\(kafka.plain)", topic: \(output), \(sink) } }
            """)
    }

    func write(_ numbers: some Sequence<Int>, to topic: String, partition: Int? = nil) throws {
        try kafka.kcat.produce(numbers.map(KafkaQuery.line), to: topic, partition: partition)
    }

    func start(_ more: [String] = []) throws -> SluiceProcess {
        try SluiceProcess(KafkaQuery.arguments + more, in: folder)
    }

    func runAvailable() throws -> RunOutcome { try start(["--trigger", "available_now"]).wait() }

    /// What a reader of committed records sees: `TOPIC/PARTITION NUMBER`, sorted; topics without the prefix.
    func rows() throws -> [String] {
        try kafka.kcat.values(output).map { value in
            let row = try #require(jsonObject(value))
            let topic = (row["topic"] as? String ?? "").replacing("\(prefix)-", with: "")
            return "\(topic)/\(row["partition"] as? Int ?? -1) \(row["n"] as? Int ?? -1)"
        }.sorted()
    }

    func waitForRows(_ count: Int, _ sluice: SluiceProcess) throws {
        try sluice.waitUntil("fewer than \(count) rows came out") {
            ((try? self.kafka.kcat.consume(self.output).count) ?? 0) >= count
        }
    }

    var records: [[String: Any]] { progressRecords(folder) }

    func source(_ record: [String: Any]?) -> [String: Any] {
        (record?["sources"] as? [[String: Any]])?.first ?? [:]
    }

    /// The newest file of the offset log.
    func newestOffsets() throws -> String {
        let log = "checkpoints/\(name)/offsets"
        let newest = try #require(folder.names(in: log).compactMap { Int($0) }.max())
        return try #require(folder.read("\(log)/\(newest)"))
    }

    /// What a crash in the middle of the last batch leaves, as far as files go.
    func uncommit() throws {
        let log = "checkpoints/\(name)/commits"
        let newest = try #require(folder.names(in: log).compactMap { Int($0) }.max())
        try folder.remove("\(log)/\(newest)")
    }
}

extension KafkaEndToEndTests {
    @Suite struct Topics {
        @Test func `Rows of two topics come out once, however often the query is killed`() throws {
            let query = try TopicsQuery(.shared())
            let eu = try query.makeTopic("eu", partitions: 2)
            let us = try query.makeTopic("us")
            try query.writeSpec("topics: [\(eu), \(us)], start: earliest")
            var written = 0
            for _ in 0..<6 {
                let before = try query.kafka.kcat.endOffset(query.output)
                let sluice = try query.start()
                try sluice.waitUntil("no output") {
                    try? query.write([written], to: eu, partition: 0)
                    try? query.write([written], to: eu, partition: 1)
                    try? query.write([written], to: us)
                    written += 1
                    return ((try? query.kafka.kcat.endOffset(query.output)) ?? 0) > before
                }
                sluice.kill()
            }
            let last = try query.runAvailable()
            #expect(last.exitCode == 0, "\(last.standardError)")
            let expected = (0..<written).flatMap { ["eu/0 \($0)", "eu/1 \($0)", "us/0 \($0)"] }
            #expect(try query.rows() == expected.sorted())
        }

        @Test func `Progress, lag and the group show every partition under its topic`() throws {
            let query = try TopicsQuery(.shared())
            let eu = try query.makeTopic("eu", partitions: 2)
            let us = try query.makeTopic("us")
            try query.writeSpec(
                "topics: [\(us), \(eu)], start: earliest, max_offsets_per_trigger: 60", trigger: "1h")
            try query.write(0..<80, to: eu, partition: 1)
            try query.write(0..<40, to: us)
            let sluice = try query.start()
            try query.waitForRows(60, sluice)
            try sluice.waitUntil("no progress") { !query.records.isEmpty }
            let source = query.source(query.records.first)
            let group = try query.kafka.describeGroup("sluice-\(query.name)")
            #expect(sluice.stop().exitCode == 0)
            #expect(source["description"] as? String == "KafkaSource[\(us), \(eu)]")
            #expect(source["endOffset"] as? [String: [String: Int]] == [eu: ["0": 0, "1": 40], us: ["0": 20]])
            #expect(source["latestOffset"] as? [String: [String: Int]] == [eu: ["0": 0, "1": 80], us: ["0": 40]])
            let lag = try #require(source["lag"] as? [String: [String: Any]])
            #expect(lag.compactMapValues { $0["rows"] as? Int } == ["\(eu)/0": 0, "\(eu)/1": 40, "\(us)/0": 20])
            let current = group.filter { ($0.currentOffset ?? 0) > 0 }.map { "\($0.topic)/\($0.partition)" }
            #expect(current == ["\(eu)/1", "\(us)/0"] && group.map(\.lag).compactMap(\.self).reduce(0, +) == 60)
            #expect(try query.newestOffsets().contains("\"partition\":\"\(eu)/1\""))
        }

        @Test func `A pattern waits for its first topic, and meets others while the query runs`() throws {
            let query = try TopicsQuery(.shared())
            try query.writeSpec("topic_pattern: \"\(query.prefix)-(eu|us)[0-9]*\"")
            let sluice = try query.start()
            try sluice.waitUntil("nothing said") { sluice.standardError.contains("No topic matches yet") }
            let eu = try query.makeTopic("eu")
            let other = try query.makeTopic("eu-not")
            try query.write(0..<3, to: eu)
            try query.write(100..<103, to: other)
            try query.waitForRows(3, sluice)
            let us = try query.makeTopic("us1", partitions: 2)
            try query.write(10..<12, to: us, partition: 1)
            try query.waitForRows(5, sluice)
            let outcome = sluice.stop()
            #expect(outcome.exitCode == 0)
            let found = outcome.standardError.split(separator: "\n").filter { $0.contains("new to the query") }
            #expect(found.count == 2 && found[0].contains(eu) && found[1].contains(us), "\(outcome.standardError)")
            let third = try query.makeTopic("us2")
            try query.write(20..<22, to: third)
            let again = try query.runAvailable()
            #expect(again.exitCode == 0, "\(again.standardError)")
            #expect(
                try query.rows() == [
                    "eu/0 0", "eu/0 1", "eu/0 2", "us1/1 10", "us1/1 11", "us2/0 20", "us2/0 21",
                ])
        }

        @Test func `A topic that was deleted is a loss of the pattern that has read it`() throws {
            let query = try TopicsQuery(.shared())
            let (eu, us) = (try query.makeTopic("eu"), try query.makeTopic("us"))
            try query.writeSpec("topic_pattern: \"\(query.prefix)-.*\", start: earliest")
            try query.write(0..<2, to: eu)
            try query.write(0..<2, to: us)
            #expect(try query.runAvailable().exitCode == 0)
            try query.kafka.deleteTopic(us)
            try query.write(2..<4, to: eu)
            let failed = try query.runAvailable()
            #expect(failed.exitCode == 1)
            let place = "partition 0 of the topic `\(us)`"
            #expect(failed.standardError.contains("\(place) is gone"), "\(failed.standardError)")
            try query.writeSpec("topic_pattern: \"\(query.prefix)-.*\", on_data_loss: continue")
            let outcome = try query.runAvailable()
            #expect(outcome.exitCode == 0, "\(outcome.standardError)")
            #expect(try query.rows() == ["eu/0 0", "eu/0 1", "eu/0 2", "eu/0 3", "us/0 0", "us/0 1"])
        }

        @Test func `A checkpoint of one topic goes on with more topics, and not with fewer`() throws {
            let query = try TopicsQuery(.shared())
            let (eu, us) = (try query.makeTopic("eu", partitions: 2), try query.makeTopic("us"))
            try query.writeSpec("topic: \(eu), start: earliest")
            try query.write(0..<2, to: eu, partition: 0)
            try query.write(10..<12, to: eu, partition: 1)
            try query.write(0..<2, to: us)
            #expect(try query.runAvailable().exitCode == 0)
            #expect(try query.newestOffsets().contains("\"partition\":\"1\""))
            // The batch in hand has bare numbers, and is in the output already.
            try query.uncommit()
            try query.write(12..<13, to: eu, partition: 1)

            try query.writeSpec("topics: [\(us), \(eu)]")
            let grown = try query.runAvailable()
            #expect(grown.exitCode == 0, "\(grown.standardError)")
            #expect(grown.standardError.contains("from their first record on"), "\(grown.standardError)")
            let rows = ["eu/0 0", "eu/0 1", "eu/1 10", "eu/1 11", "eu/1 12", "us/0 0", "us/0 1"]
            #expect(try query.rows() == rows)
            #expect(try query.newestOffsets().contains("\"\(eu)/1\":3"))

            let refusals = [("topic: \(eu)", "several topics"), ("topics: [\(us)]", "`\(eu)` is no longer read")]
            for (source, word) in refusals {
                try query.writeSpec(source)
                let refused = try query.runAvailable()
                #expect(refused.exitCode == 1 && refused.standardError.contains(word), "\(refused.standardError)")
            }
            try query.writeSpec("topic_pattern: \"\(query.prefix)-e.*\"")
            let refused = try query.runAvailable()
            #expect(refused.exitCode == 1 && refused.standardError.contains("`\(us)` is no longer read"))
            try query.writeSpec("topic_pattern: \"\(query.prefix)-.*\"")
            #expect(try query.runAvailable().exitCode == 0)
            // From a pattern to another only what was read counts.
            try query.writeSpec("topic_pattern: \"\(query.prefix)-u.*\"")
            let left = try query.runAvailable()
            #expect(left.exitCode == 1 && left.standardError.contains("`\(eu)` is no longer read"))
            #expect(try query.rows() == rows)
        }

        @Test func `Only the partitions that are named are read, and more may be named later`() throws {
            let query = try TopicsQuery(.shared())
            let (eu, us) = (try query.makeTopic("eu", partitions: 3), try query.makeTopic("us"))
            for partition in 0..<3 { try query.write([partition], to: eu, partition: partition) }
            try query.write([7], to: us)
            try query.writeSpec("topics: [\(eu), \(us)], partitions: [2, 4], start: earliest")
            let missing = try query.runAvailable()
            #expect(missing.exitCode == 1 && missing.standardError.contains("`partitions` names partition 4"))
            try query.writeSpec("topics: [\(eu), \(us)], partitions: [2, 0], start: earliest")
            #expect(try query.runAvailable().exitCode == 0)
            #expect(try query.rows() == ["eu/0 0", "eu/2 2", "us/0 7"])
            try query.writeSpec("topics: [\(eu), \(us)], partitions: [2, 1, 0]")
            let more = try query.runAvailable()
            #expect(more.exitCode == 0, "\(more.standardError)")
            #expect(try query.rows() == ["eu/0 0", "eu/1 1", "eu/2 2", "us/0 7"])
            try query.writeSpec("topics: [\(eu), \(us)], partitions: [1, 0]")
            let fewer = try query.runAvailable()
            #expect(fewer.exitCode == 1 && fewer.standardError.contains("`\(eu)/2` is no longer read"))
        }

        @Test func `A start is written by topic and partition`() throws {
            let query = try TopicsQuery(.shared())
            let (eu, us) = (try query.makeTopic("eu", partitions: 2), try query.makeTopic("us"))
            for partition in 0..<2 { try query.write(0..<4, to: eu, partition: partition) }
            try query.write(0..<4, to: us)
            try query.writeSpec("topics: [\(eu), \(us)], start: { \(eu)/1: 3, \(us)/0: earliest }")
            let outcome = try query.runAvailable()
            #expect(outcome.exitCode == 0, "\(outcome.standardError)")
            #expect(try query.rows() == ["eu/1 3", "us/0 0", "us/0 1", "us/0 2", "us/0 3"])
        }

        @Test func `A topic of a list that is not there ends the query by its name`() throws {
            let query = try TopicsQuery(.shared())
            let eu = try query.makeTopic("eu")
            try query.writeSpec("topics: [\(eu), \(query.prefix)-none]")
            let outcome = try query.runAvailable()
            #expect(outcome.exitCode == 1)
            #expect(outcome.standardError.contains("has no topic `\(query.prefix)-none`"), "\(outcome.standardError)")
        }

        @Test(arguments: ["exactly_once", "at_least_once"])
        func `Headers come out as they are worked out, and null leaves one out`(delivery: String) throws {
            let query = try TopicsQuery(.shared())
            let eu = try query.makeTopic("eu")
            try query.writeSpec(
                "topic: \(eu), start: earliest",
                sink: "delivery: \(delivery), key: n, headers: { twice: n * 2, \"ce type\": \"'visit'\", half: "
                    + "\"nullif(topic, '\(eu)')\", empty: \"''\" }")
            try query.write(0..<3, to: eu)
            let outcome = try query.runAvailable()
            #expect(outcome.exitCode == 0, "\(outcome.standardError)")
            let records = try query.kafka.kcat.consume(query.output)
            #expect(records.map(\.key) == ["0", "1", "2"])
            for (number, record) in records.enumerated() {
                let own = record.headers.filter { !$0.name.hasPrefix("sluice-") }
                #expect(own == [.init("twice", "\(number * 2)"), .init("ce type", "visit"), .init("empty", "")])
                #expect(record.headers.count == 5)
            }
        }
    }
}
