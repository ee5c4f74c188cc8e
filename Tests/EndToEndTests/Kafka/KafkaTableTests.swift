// Tables that are real topics: compaction, deletion, transactions, rights, and a query that is killed while all that
// happens.

import Foundation
import KafkaTesting
import Testing

/// A query from a topic to a topic that looks a table up, in a folder of its own.
private final class TableQuery {
    let kafka: KafkaCluster
    let folder: TemporaryFolder
    let name: String
    let input: String
    let output: String
    let table: String
    private var count = 0

    init(_ kafka: KafkaCluster, tablePartitions: Int = 1, isCompacted: Bool = false) throws {
        self.kafka = kafka
        folder = try TemporaryFolder()
        name = kafka.uniqueName("lookup")
        input = try kafka.makeTopic("input")
        output = try kafka.makeTopic("output")
        table =
            try isCompacted
            ? kafka.makeCompactedTopic("devices") : kafka.makeTopic("devices", partitions: tablePartitions)
    }

    func writeSpec(brokers: String? = nil, table: String? = nil, kafkaMore: String = "", tableMore: String = "") throws
    {
        try folder.write(
            "spec.yaml",
            """
            sluice: 1
            sources:
              rows:
                kafka: { brokers: "\(kafka.plain)", topic: \(input), start: earliest }
                columns: { n: long, k: string }
            tables:
              devices:
                kafka: { brokers: "\(brokers ?? kafka.plain)", topic: \(table ?? self.table)\(kafkaMore) }
                key: device
                columns: { device: string, site: string }
                \(tableMore)
            queries:
              \(name):
                from: rows
                join: [{ with: devices, type: left outer, keys: { rows.k: devices.device } }]
                select: { n: rows.n, site: devices.site }
                trigger: as_fast_as_possible
                to: out
            sinks:
              out: { kafka: { brokers: "\(kafka.plain)", topic: \(output) } }
            """)
    }

    static let arguments = ["run", "spec.yaml", "--progress", "progress.jsonl"]

    func start(_ more: [String] = []) throws -> SluiceProcess { try SluiceProcess(Self.arguments + more, in: folder) }

    func runAvailable() throws -> RunOutcome { try start(["--trigger", "available_now"]).wait() }

    func set(_ key: String, _ site: String?) throws {
        try kafka.kcat.produce(keyed: [(key, site.map { "{\"site\":\"\($0)\"}" })], to: table)
    }

    /// Writes a row a key, numbered from 0 on.
    func feed(_ keys: String...) throws {
        try kafka.kcat.produce(
            keys.map { key in
                defer { count += 1 }
                return "{\"n\":\(count),\"k\":\"\(key)\"}"
            }, to: input)
    }

    /// What has come out, by number: the site, or "none".
    func sites() throws -> [String] {
        try kafka.kcat.values(output).map { value in
            let row = try #require(jsonObject(value))
            return "\(try #require(row["n"] as? Int)):\(row["site"] as? String ?? "none")"
        }.sorted { (Int($0.prefix { $0 != ":" }) ?? 0) < (Int($1.prefix { $0 != ":" }) ?? 0) }
    }

    func waitForRows(_ count: Int, _ sluice: SluiceProcess) throws {
        try sluice.waitUntil("fewer than \(count) rows came out") {
            ((try? self.kafka.kcat.consume(self.output).count) ?? 0) >= count
        }
    }
}

extension KafkaEndToEndTests {
    @Suite struct Tables {
        @Test func `A table follows its topic while the query runs, batch by batch`() throws {
            let query = try TableQuery(try KafkaCluster.shared(), tablePartitions: 3)
            try query.writeSpec()
            try query.set("k1", "north")
            try query.set("k1", "south")
            try query.set("k2", "east")
            let sluice = try query.start()
            try query.feed("k1", "k2", "k3")
            try query.waitForRows(3, sluice)
            try query.set("k2", nil)
            try query.set("k3", "west")
            try query.feed("k1", "k2", "k3")
            try query.waitForRows(6, sluice)
            #expect(sluice.stop().exitCode == 0)
            #expect(try query.sites() == ["0:south", "1:east", "2:none", "3:south", "4:none", "5:west"])
            let tables = progressRecords(query.folder).compactMap { ($0["tables"] as? [[String: Any]])?.first }
            #expect(tables.last?["numRows"] as? Int == 2 && tables.last?["name"] as? String == "devices")
        }

        @Test func `What a transaction has not committed is no row, but with read_uncommitted`() throws {
            let query = try TableQuery(try KafkaCluster.shared())
            try query.writeSpec()
            let id = query.kafka.uniqueName("transaction")
            try query.kafka.kcat.beginTransaction(
                ["{\"site\":\"aborted\"}"], to: query.table, transactionalID: id
            ).abort()
            try query.set("k1", "north")
            try query.feed("k1")
            let outcome = try query.runAvailable()
            #expect(outcome.exitCode == 0, "\(outcome.standardError)")
            #expect(try query.sites() == ["0:north"])
        }

        @Test func `A query killed while its topic is compacted or deleted joins what it had joined`() throws {
            let query = try TableQuery(try KafkaCluster.shared(), isCompacted: true)
            try query.writeSpec()
            try query.set("k1", "north")
            try query.set("k2", "east")
            try query.feed("k1", "k2")
            let first = try query.runAvailable()
            #expect(first.exitCode == 0, "\(first.standardError)")
            // Killed at any moment of the batch.
            for round in 0..<4 {
                try query.set("k1", "site-\(round)")
                // An entry that is not whole is of a batch that has not begun: it is planned anew, with a newer table.
                func newest() -> Int {
                    let log = "checkpoints/\(query.name)/offsets"
                    let numbers = query.folder.names(in: log).compactMap { Int($0) }
                    return numbers.filter { query.folder.read("\(log)/\($0)")?.contains("\ncrc32 ") ?? false }.max()
                        ?? -1
                }
                let before = newest()
                let sluice = try query.start()
                // One record, so that it is in the batch that begins.
                try query.feed("k1")
                try sluice.waitUntil("no batch began") { newest() > before }
                sluice.kill()
                try query.kafka.compact(query.table, with: ("other", "{\"site\":\"x\"}"))
                try query.set("k1", "changed meanwhile")
                let again = try query.runAvailable()
                #expect(again.exitCode == 0, "\(again.standardError)")
                let sites = try query.sites()
                #expect(sites.last == "\(round + 2):site-\(round)", "\(sites)")
            }
            try query.kafka.deleteTopic(query.table)
            try query.feed("k1")
            let gone = try query.runAvailable()
            #expect(gone.exitCode == 1)
            #expect(
                gone.standardError.contains("table `devices` cannot be read")
                    && gone.standardError.contains("no topic `\(query.table)`"), "\(gone.standardError)")
        }

        @Test func `No topic, no broker and no right are each one error with what to do`() throws {
            let kafka = try KafkaCluster.shared()
            let query = try TableQuery(kafka)
            try query.feed("k1")
            try query.writeSpec(table: "no-such-topic")
            let missing = try query.runAvailable()
            #expect(missing.exitCode == 1 && logLines(missing.standardError, level: "error").count == 1)
            #expect(missing.standardError.contains("no topic `no-such-topic`"), "\(missing.standardError)")

            let topic = try kafka.makeTopic("secret")
            try query.writeSpec(
                brokers: kafka.sasl, table: topic,
                kafkaMore: ", options: { security.protocol: SASL_PLAINTEXT, sasl.mechanism: PLAIN, "
                    + "sasl.username: guest, sasl.password: guest-secret }")
            let denied = try query.runAvailable()
            #expect(denied.exitCode == 1 && denied.standardError.contains("table `devices`"), "\(denied.standardError)")
            #expect(denied.standardError.contains(topic), "\(denied.standardError)")
            #expect(try query.sites().isEmpty)
        }

        @Test func `A broker that is away is waited for, and the query goes on by itself`() throws {
            let kafka = try KafkaCluster()
            let query = try TableQuery(kafka)
            try query.writeSpec()
            try query.set("k1", "north")
            try query.feed("k1")
            let sluice = try query.start()
            try query.waitForRows(1, sluice)
            try kafka.stop()
            try kafka.resume()
            try query.set("k1", "south")
            try query.feed("k1")
            try query.waitForRows(2, sluice)
            #expect(sluice.stop().exitCode == 0)
            #expect(try query.sites() == ["0:north", "1:south"])
        }
    }
}
