// The query and the broker killed with SIGKILL at random moments under load, and stopped and started in between, also
// behind a proxy that cuts connections, makes them slow and changes bytes in both directions; at the end a reader of
// committed records finds every row of the join once. What the join has to give is computed from what is in the input
// topics by a loop over all pairs of a key, and once more by the same query into files.
//
// Every piece of input goes to one partition and is there before the next is written, so that rows arrive as little out
// of order as the workload makes them: none is late, and the rows do not depend on how batches are cut.

import Foundation
import KafkaTesting
import Testing

/// `SLUICE_KILL_ROUNDS` and `SLUICE_KILL_SEED` of the environment.
func killSetting(_ name: String) -> UInt64? { ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) } }

extension KafkaEndToEndTests {
    @Suite struct ExactlyOnce {
        @Test func `Query and broker killed at random moments under load: every row is there once`() throws {
            let run = try play("") { try KillRun(seed: $0) }
            #expect(run.interruptedCount > 0, "no batch was cut short, seed \(run.seed)")
        }

        @Test func `A chain of three streams, query and broker killed at random moments: every row is there once`()
            throws
        {
            // Each round takes longer than with two.
            let run = try play(" with three streams", roundsDivisor: 2) {
                try KillRun(seed: $0, streams: ["left", "right", "third"])
            }
            #expect(run.interruptedCount > 0, "no batch was cut short, seed \(run.seed)")
        }

        @Test func `Behind a proxy that cuts, delays and changes bytes, with kills: every row is there once`() throws {
            let run = try play(" behind a proxy") { try KillRun(seed: $0, isBehindProxy: true) }
            #expect(run.damageCount > 0, "no byte was changed, seed \(run.seed)")
        }

        /// Plays as many rounds as the environment says, and looks at every row.
        private func play(
            _ what: String, roundsDivisor: Int = 1, _ make: (_ seed: UInt64) throws -> KillRun
        ) throws -> KillRun {
            let seed = killSetting("SLUICE_KILL_SEED") ?? UInt64.random(in: 0..<1_000_000)
            let rounds = Int(killSetting("SLUICE_KILL_ROUNDS") ?? 12) / roundsDivisor
            print("KafkaKillTests: \(rounds) rounds\(what), SLUICE_KILL_SEED=\(seed)")
            let run = try make(seed)
            for round in 0..<rounds { try run.play(round) }
            try run.finish()
            try run.expectEveryRowOnce()
            print("KafkaKillTests: \(run.summary)")
            return run
        }
    }
}

/// A left outer join of two topics or a chain of more, to another topic, on a broker of its own.
private final class KillRun {
    private let kafka: KafkaCluster
    private let folder: TemporaryFolder
    let seed: UInt64
    private var random: SeededRandom
    private let streams: [String]
    /// By stream.
    private let topics: [String]
    private let output: String
    private var load: Load
    private let proxy: KafkaProxy?
    private(set) var interruptedCount = 0
    private var longestWaitSeconds = 0.0
    private var counts: [String: Int] = [:]

    static let delaySeconds = 30
    /// An answer whose number was changed on its way is waited for so long.
    private static let options = "{ socket.timeout.ms: 10000 }"
    static let boundSeconds = 10

    init(seed: UInt64, streams: [String] = ["left", "right"], isBehindProxy: Bool = false) throws {
        self.seed = seed
        self.streams = streams
        random = SeededRandom(seed: seed)
        let kafka = try KafkaCluster()
        self.kafka = kafka
        proxy = isBehindProxy ? try KafkaProxy(kafka.brokers[0]) : nil
        folder = try TemporaryFolder()
        topics = try streams.map { try kafka.makeTopic($0, partitions: 2) }
        output = try kafka.makeTopic("joined", partitions: 2)
        load = Load(kafka.kcat, streams, topics: topics, seed: seed)
        let brokers = proxy?.address ?? kafka.plain
        try folder.write(
            "spec.yaml",
            spec(brokers, sink: "kafka: { brokers: \"\(brokers)\", topic: \(output), options: \(Self.options) }"))
        try folder.write("files/spec.yaml", spec(kafka.plain, sink: "file: { path: out }"))
    }

    private func spec(_ brokers: String, sink: String) -> String {
        func source(_ name: String, _ topic: String) -> String {
            """
              \(name):
                kafka: { brokers: "\(brokers)", topic: \(topic), start: earliest, options: \(Self.options) }
                format: json
                columns: { id: string, k: string, t: timestamp }
                watermark: { column: t, delay: \(Self.delaySeconds)s }
            """
        }
        let joins = streams.dropFirst().map { stream in
            """
                  - with: \(stream)
                    type: left outer
                    keys: { left.k: \(stream).k }
                    within: \(stream).t between left.t - \(Self.boundSeconds)s and left.t + \(Self.boundSeconds)s
            """
        }
        return """
            sluice: 1
            sources:
            \(zip(streams, topics).map(source).joined(separator: "\n"))
            queries:
              killed:
                from: left
                join:
            \(joins.joined(separator: "\n"))
                select: { \(streams.map { "\($0): \($0).id" }.joined(separator: ", ")) }
                trigger: as_fast_as_possible
                to: out
            sinks:
              out:
                \(sink)
                format: json
            """
    }

    var summary: String {
        """
        \(counts), \(interruptedCount) batches cut short, \(load.rowCount) rows a stream, \
        a batch begun within \(Int(longestWaitSeconds.rounded(.up))) s at most, \(damageCount) pieces damaged
        """
    }

    // MARK: Rounds

    /// What happens at the random moment of a round.
    private enum Trouble: String, CaseIterable {
        case queryKilled, brokerKilled, bothKilled, queryStopped
    }

    var damageCount: Int { proxy?.damageCount ?? 0 }

    /// Brings trouble into the network, another one each round.
    private func trouble(_ proxy: KafkaProxy, _ round: Int) {
        proxy.delay(millis: round % 3 == 0 ? 5 : 0)
        let seed = UInt64.random(in: 0..<1_000_000, using: &random)
        // Rows of the input on their way to the query, and rows of the join on their way to the broker.
        proxy.damage(.toClient, KafkaProxy.damageAnywhere(behind: "\"id\":", rarity: 4, seed: seed))
        proxy.damage(.toBroker, KafkaProxy.damageAnywhere(behind: "\"l\":", rarity: 4, seed: seed + 1))
    }

    /// Feeds a running query until a random moment, then brings trouble over it.
    func play(_ round: Int) throws {
        if let proxy { trouble(proxy, round) }
        // Most rounds kill the query: they are the ones that differ from each other, and the quick ones.
        let trouble: Trouble =
            Int.random(in: 0..<3, using: &random) > 0
            ? .queryKilled : Trouble.allCases.randomElement(using: &random) ?? .bothKilled
        counts[trouble.rawValue, default: 0] += 1
        let sluice = try SluiceProcess(["run", "spec.yaml"], in: folder)
        try feed(sluice)
        if hasClientGivenUp(sluice) { return }
        #expect(sluice.isRunning, "seed \(seed), round \(round): \(Self.said(sluice))")
        switch trouble {
        case .queryKilled: sluice.kill()
        case .brokerKilled:
            kafka.kill()
            try kafka.resume()
            // It goes on by itself; how far it comes before it is killed is left to chance.
            try feed(sluice)
            if hasClientGivenUp(sluice) { return }
            #expect(sluice.isRunning, "seed \(seed), round \(round): \(Self.said(sluice))")
            sluice.kill()
        case .bothKilled:
            kafka.kill()
            sluice.kill()
            try kafka.resume()
        case .queryStopped:
            let outcome = sluice.stop()
            // A signal that comes before the process listens to signals ends it as it is.
            let isTooEarly = outcome.exitCode == -SIGTERM && outcome.standardError.isEmpty
            #expect(
                outcome.exitCode == 0 || isTooEarly,
                "seed \(seed), round \(round): \(outcome.standardError.suffix(2000))")
        }
        if newest("offsets") != newest("commits") { interruptedCount += 1 }
    }

    /// Writes until a random moment: one time in two at any time from the start of the process on, else within what a
    /// batch takes after the process has planned one, which also brings the query on.
    private func feed(_ sluice: SluiceProcess) throws {
        let (before, rowsBefore) = (newest("offsets"), load.rowCount)
        let start = Date()
        var deadline: Date?
        // A network that breaks several times a second for good lets no transaction through, whoever writes it.
        var cutsLeft = 10
        if Bool.random(using: &random) { deadline = start + Double.random(in: 0...0.3, using: &random) }
        while deadline.map({ Date() < $0 }) ?? true {
            // A round that waits for a broken connection to be given up is not to fill the topics.
            if load.rowCount < rowsBefore + 3000 { try load.keepWriting(&random) }
            if cutsLeft > 0, Int.random(in: 0..<300, using: &random) == 0 {
                proxy?.cut()
                cutsLeft -= 1
            }
            usleep(500)
            if proxy != nil, !sluice.isRunning { break }
            if deadline == nil, newest("offsets") != before {
                deadline = Date() + Double.random(in: 0...0.05, using: &random)
            }
            try #require(
                Date() < start + 60, "seed \(seed): no batch in a minute: \(Self.said(sluice))")
        }
        longestWaitSeconds = max(longestWaitSeconds, Date().timeIntervalSince(start))
    }

    /// No check sum covers the sizes that frame records. Where one of them is changed on its way, librdkafka may read
    /// it as one of an older format, which it trusts, and end the process by an assertion: one more kill for the query.
    private func hasClientGivenUp(_ sluice: SluiceProcess) -> Bool {
        guard proxy != nil, !sluice.isRunning else { return false }
        let isAssertion = sluice.standardError.contains("rd_slice_narrow_copy: Assertion")
        if isAssertion { counts["clientGaveUp", default: 0] += 1 }
        return isAssertion
    }

    /// What a process has said, without the middle: an assertion of the Kafka client's stands before a long backtrace.
    private static func said(_ sluice: SluiceProcess) -> String {
        let text = sluice.standardError
        return text.count <= 6000 ? text : "\(text.prefix(2000))\n…\n\(text.suffix(4000))"
    }

    /// The newest batch of a log.
    private func newest(_ log: String) -> Int? {
        folder.names(in: "checkpoints/killed/\(log)").compactMap { Int($0) }.max()
    }

    // MARK: The end

    /// Lets everything in, and moves the watermark past all of it.
    func finish() throws {
        proxy?.damage(.toClient, nil)
        proxy?.damage(.toBroker, nil)
        try load.finish()
        for directory in [".", "files"] {
            let outcome = try SluiceProcess.run(
                ["run", "spec.yaml", "--trigger", "available_now"], in: folder, workingFolder: directory)
            #expect(outcome.exitCode == 0, "seed \(seed): \(outcome.standardError.suffix(2000))")
        }
    }

    func expectEveryRowOnce() throws {
        let rows = try kafka.kcat.values(output)
        let expected = joined(try topics.map(inputRows))
        let found = rows.compactMap { JoinedRow($0, streams) }
        #expect(found.count == rows.count)
        let difference = Self.difference(found, expected)
        #expect(difference.isEmpty, "seed \(seed): \(difference.prefix(20))")
        let files = folder.rows(in: "files/out")
        #expect(rows.asMultiset == files.asMultiset, "seed \(seed): \(rows.count) rows, in files \(files.count)")
        // What makes the test worth running.
        let matched = expected.count { !$0.ids.contains(nil) }
        #expect(matched > 20 && expected.count - matched > 10, "\(matched) of \(expected.count) rows are matches")
    }

    private struct InputRow: Decodable {
        var id: String
        var k: String?
        var t: Int
    }

    private struct JoinedRow: Hashable {
        /// By stream.
        var ids: [String?]

        init(ids: [String?]) { self.ids = ids }

        init?(_ text: String, _ streams: [String]) {
            guard let row = jsonObject(text) else { return nil }
            ids = streams.map { row[$0] as? String }
        }

        var description: String { ids.map { $0 ?? "nothing" }.joined(separator: "-") }
    }

    private func inputRows(_ topic: String) throws -> [InputRow] {
        let decoder = JSONDecoder()
        return try kafka.kcat.values(topic).map { try decoder.decode(InputRow.self, from: Data($0.utf8)) }
    }

    /// The left outer joins, pair by pair of a key; only the rows that moved the watermark at the end are not out.
    private func joined(_ inputs: [[InputRow]]) -> [JoinedRow] {
        let partnersByKey = inputs.dropFirst().map { Dictionary(grouping: $0.filter { $0.k != nil }, by: \.k) }
        return inputs[0].filter { !$0.id.hasPrefix(Load.lastPrefix) }.flatMap { row in
            partnersByKey.reduce([JoinedRow(ids: [row.id])]) { rows, byKey in
                let partners = (byKey[row.k] ?? []).filter { abs($0.t - row.t) <= Self.boundSeconds }.map(\.id)
                return rows.flatMap { row in
                    (partners.isEmpty ? [nil] : partners.map(Optional.some)).map { JoinedRow(ids: row.ids + [$0]) }
                }
            }
        }
    }

    private static func difference(_ found: [JoinedRow], _ expected: [JoinedRow]) -> [String] {
        var counts: [JoinedRow: Int] = [:]
        for row in found { counts[row, default: 0] += 1 }
        for row in expected { counts[row, default: 0] -= 1 }
        return counts.filter { $0.value != 0 }.map { row, count in
            "\(row.description): \(abs(count)) too \(count > 0 ? "many" : "few")"
        }.sorted()
    }
}

/// Writes the workload to the topics, a piece after the other, as long as it is asked to. While no broker is there a
/// piece waits for it.
private struct Load {
    private let kcat: Kcat
    private let streams: [String]
    private let topics: [String]
    private var workload: JoinWorkload
    private var waiting: [(topic: String, lines: [String])] = []
    private var current: KcatProducer?
    private var pieceCount = 0
    private(set) var rowCount = 0

    /// Begins the id of rows that only move the watermark.
    static let lastPrefix = "last"

    init(_ kcat: Kcat, _ streams: [String], topics: [String], seed: UInt64) {
        (self.kcat, self.streams, self.topics) = (kcat, streams, topics)
        workload = JoinWorkload(seed: seed)
    }

    /// Starts the next piece if none is being written.
    mutating func keepWriting(_ random: inout SeededRandom) throws {
        if try current?.isWriting == true { return }
        if waiting.isEmpty {
            let rows = (0..<Int.random(in: 1...30, using: &random)).map { _ in workload.next(of: streams) }
            rowCount += rows.count
            waiting = topics.enumerated().map { stream, topic in
                (topic, rows.map { String($0[stream].dropLast()) })
            }
        }
        let (topic, lines) = waiting.removeFirst()
        pieceCount += 1
        current = try kcat.startProducing(lines, to: topic, partition: pieceCount / topics.count % 2)
    }

    /// Writes what is left, and a row a stream long after all others. They do not match each other; without a key those
    /// of the streams that are joined would not move the watermark.
    mutating func finish() throws {
        try current?.finish()
        for (topic, lines) in waiting { try kcat.produce(lines, to: topic, partition: 0) }
        for topic in topics {
            let row = "{\"id\":\"\(Self.lastPrefix)\",\"k\":\"\(topic)\",\"t\":1800000000}"
            try kcat.produce([row], to: topic, partition: 0)
        }
    }
}
