// A join of a topic whose schema changes while it is read with a topic of nested JSON, into a topic of Avro, all behind
// a registry, killed with SIGKILL again and again. Shared by the tests of Avro and Protobuf.
//
// What a row has depends on two schemas: the one it is written by, and the newest of its subject at the start of the
// run that planned its batch. Which run planned what is told by how far the offset log was at the end of each run, and
// which schema was the newest by the order in which the test registers them. The rows that must come out then follow
// from what was written, by a loop over all pairs.

import Foundation
import KafkaTesting
import RegistryTesting
import Testing

/// A row of the left topic.
struct EvolvingRow: Sendable {
    var id: String
    var key: String?
    /// Milliseconds since 1970.
    var time: Int
    /// Which schema it is written by.
    var version: Int
    /// What its other fields follow from.
    var number: Int
}

/// A topic's schemas, what is written by them, and what a reader has to make of it.
struct EvolvingSource: Sendable {
    /// As a spec calls it.
    var format: String
    /// As a registry calls it.
    var language: String
    /// In the order in which they come, from 1.
    var schemas: [String]
    /// Of a spec, without `id`, `k` and `at`.
    var columns: [String: String]
    /// The bytes of values behind the number of their schema.
    var encoded: @Sendable ([EvolvingRow]) throws -> [[UInt8]]
    /// The columns of a row as the newest of so many schemas reads it.
    var read: @Sendable (EvolvingRow, Int) -> [String: Any]
}

final class EvolutionRun {
    let kafka: KafkaCluster
    let registry: TestRegistry
    let folder: TemporaryFolder
    let source: EvolvingSource
    let left: String
    let right: String
    let output: String
    private let query: String
    private let seed: UInt64
    private var random: SeededRandom

    /// The numbers of the schemas that are registered, in their order.
    private(set) var ids: [Int] = []
    /// Everything that stands in the left topic, by its offset.
    private var rows: [EvolvingRow] = []
    private var clicks: [Click] = []
    /// How far runs have planned the left topic, and how many schemas there were at their starts.
    private var plans: [(end: Int, reader: Int)] = []
    private var clock = 0
    private(set) var killCount = 0
    private(set) var interruptedCount = 0
    private var readerCounts: [Int: Int] = [:]

    private static let boundMillis = 10_000
    private static let start = 1_700_000_000_000

    private struct Click {
        var id: String
        var key: String
        var time: Int
        var tag: String?
    }

    init(_ source: EvolvingSource, seed: UInt64) throws {
        (self.source, self.seed) = (source, seed)
        random = SeededRandom(seed: seed)
        kafka = try KafkaCluster.shared()
        registry = try TestRegistry()
        folder = try TemporaryFolder()
        left = try kafka.makeTopic("orders")
        right = try kafka.makeTopic("clicks")
        output = try kafka.makeTopic("joined", partitions: 2)
        query = kafka.uniqueName("evolving")
        try folder.write("spec.yaml", spec)
    }

    private var spec: String {
        let columns = source.columns.sorted { $0.key < $1.key }
        return """
            sluice: 1
            sources:
              orders:
                kafka: { brokers: "\(kafka.plain)", topic: \(left), start: earliest }
                format: { \(source.format): { registry: "\(registry.url)" } }
                columns:
                  id: string
                  k: { type: string, from: key }
                  at: timestamp
            \(columns.map { "      \($0.key): \($0.value)" }.joined(separator: "\n"))
                watermark: { column: at, delay: 30s }
              clicks:
                kafka: { brokers: "\(kafka.plain)", topic: \(right), start: earliest }
                format: json
                columns:
                  id: { type: string, from: meta.id }
                  k: { type: string, from: order.key }
                  at: { type: timestamp, from: meta.ts, unit: ms }
                  tag: { type: string, from: "tags[0].name" }
                watermark: { column: at, delay: 30s }
            queries:
              \(query):
                from: orders
                join:
                  - with: clicks
                    type: left outer
                    keys: k
                    within: clicks.at between orders.at - 10s and orders.at + 10s
                select:
                  id: orders.id
            \(columns.map { "      \($0.key): orders.\($0.key)" }.joined(separator: "\n"))
                  click: { id: clicks.id, tag: clicks.tag }
                trigger: as_fast_as_possible
                to: out
            sinks:
              out:
                kafka: { brokers: "\(kafka.plain)", topic: \(output) }
                format: { avro: { registry: "\(registry.url)" } }
            """
    }

    // MARK: The registry

    /// Registers the next schema of the topic; records may be written by it from then on.
    @discardableResult
    func registerNext() throws -> Int {
        let schema = source.schemas[ids.count]
        ids.append(try registry.register(schema, as: source.language, subject: "\(left)-value"))
        return ids[ids.count - 1]
    }

    // MARK: What is written

    /// Rows 2 s apart, at most 20 s out of order; the two sides are written in turns, so that no row is late however
    /// batches are cut.
    private func nextRows(_ count: Int, versions: [Int]) -> (rows: [EvolvingRow], clicks: [Click]) {
        func time(_ place: Int) -> Int { Self.start + place * 2000 - Int.random(in: 0...20_000, using: &random) }
        func key() -> String { "k\(Int.random(in: 1...12, using: &random))" }
        let places = clock..<clock + count
        clock += count
        let rows = places.map { place in
            EvolvingRow(
                id: "o\(place)", key: Int.random(in: 0...12, using: &random) == 0 ? nil : key(), time: time(place),
                version: versions.randomElement(using: &random) ?? 1, number: Int.random(in: 0..<1000, using: &random))
        }
        let clicks = places.map { place in
            Click(
                id: "c\(place)", key: key(), time: time(place),
                tag: Bool.random(using: &random) ? "t\(place % 7)" : nil)
        }
        return (rows, clicks)
    }

    private func line(_ click: Click) throws -> String {
        let tags: [[String: Any]] = click.tag.map { [["name": $0], ["name": "other"]] } ?? []
        return try jsonText([
            "meta": ["id": click.id, "ts": click.time, "app": ["v": 1]], "order": ["key": click.key], "tags": tags,
        ])
    }

    /// Pieces of input that are to be written, a topic each.
    private struct Piece {
        var rows: [EvolvingRow]
        var values: [[UInt8]]
        var clicks: [Click]
    }

    /// Every second row is by the newest schema, the others by any: old producers go on.
    private func pieces(_ count: Int) throws -> [Piece] {
        let versions = Array(1...ids.count) + Array(repeating: ids.count, count: ids.count)
        let parts = (0..<count).map { _ in nextRows(Int.random(in: 1...12, using: &random), versions: versions) }
        return try pieces(parts)
    }

    private func pieces(_ parts: [(rows: [EvolvingRow], clicks: [Click])]) throws -> [Piece] {
        var values = try source.encoded(parts.flatMap(\.rows))[...]
        return parts.flatMap { part in
            let bytes = zip(part.rows, values).map { row, value in registryHead(ids[row.version - 1]) + value }
            values = values.dropFirst(part.rows.count)
            return [
                Piece(rows: part.rows, values: bytes, clicks: []), Piece(rows: [], values: [], clicks: part.clicks),
            ]
        }
    }

    private func startWriting(_ piece: Piece) throws -> KcatProducer {
        rows += piece.rows
        clicks += piece.clicks
        if piece.rows.isEmpty { return try kafka.kcat.startProducing(try piece.clicks.map(line), to: right) }
        return try kafka.kcat.startProducing(bytes: piece.values, to: left)
    }

    /// Writes rows by any schema, or by one, and waits until they are there.
    func write(_ count: Int, version: Int? = nil) throws {
        let part = nextRows(count, versions: version.map { [$0] } ?? Array(1...ids.count))
        for piece in try pieces([part]) { try startWriting(piece).finish() }
    }

    // MARK: Runs

    private var arguments: [String] { ["run", "spec.yaml"] }

    func start() throws -> SluiceProcess { try SluiceProcess(arguments, in: folder) }

    private func newest(_ log: String) -> Int {
        folder.names(in: "checkpoints/\(query)/\(log)").compactMap { Int($0) }.max() ?? -1
    }

    /// Whether a batch is planned and not committed.
    var isInterrupted: Bool { newest("offsets") != newest("commits") }

    /// The checkpoint forgets the schemas that it has met.
    func loseSchemas() throws { try folder.remove("checkpoints/\(query)/schemas") }

    /// How far the left topic is planned, as the newest whole entry of the offset log has it.
    private func plannedEnd() -> Int {
        for batch in stride(from: newest("offsets"), through: 0, by: -1) {
            let text = folder.read("checkpoints/\(query)/offsets/\(batch)") ?? ""
            guard text.hasSuffix("\n"), let entry = text.split(separator: "\n").first.flatMap({ jsonObject($0) }),
                let sources = entry["sources"] as? [[String: Any]],
                let next = sources.first(where: { $0["source"] as? String == "orders" })?["next"] as? [String: Any]
            else { continue }
            return next["0"] as? Int ?? 0
        }
        return 0
    }

    /// What a run has planned that is over.
    /// - Parameter reader: how many schemas it read by.
    func noteEnd(reader: Int) {
        let end = plannedEnd()
        if isInterrupted { interruptedCount += 1 }
        if end > plans.last?.end ?? 0 { plans.append((end, reader)) }
    }

    /// What the newest run that has planned something read by.
    var lastReader: Int { plans.last?.reader ?? 0 }

    /// Waits until a run has planned a batch: it has asked the registry then.
    func waitForPlan(_ sluice: SluiceProcess, after batch: Int? = nil) throws {
        let before = batch ?? newest("offsets")
        try sluice.waitUntil("no batch is planned, seed \(seed)") { self.newest("offsets") > before }
    }

    /// Writes rows until a run has planned a batch of them.
    func feedUntilPlan(_ sluice: SluiceProcess) throws {
        let before = newest("offsets")
        try write(5)
        try waitForPlan(sluice, after: before)
    }

    /// Waits until all that is written is joined and committed.
    func waitUntilDone(_ sluice: SluiceProcess) throws {
        try sluice.waitUntil("not all is planned, seed \(seed)") { self.plannedEnd() == self.rows.count }
        let batch = newest("offsets")
        try sluice.waitUntil("not all is committed, seed \(seed)") { self.newest("commits") >= batch }
    }

    /// A run that reads by the newest schema, is there for some rows, and is killed.
    func joinSome() throws {
        let sluice = try start()
        try write(8)
        try waitUntilDone(sluice)
        sluice.kill()
        killCount += 1
        noteEnd(reader: ids.count)
    }

    /// Runs it over what there is, to an end with an error.
    func expectRefusal(_ words: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let before = plannedEnd()
        let outcome = try start().wait()
        #expect(outcome.exitCode == 1, "seed \(seed)", sourceLocation: sourceLocation)
        #expect(outcome.standardError.contains(words), "\(outcome.standardError)", sourceLocation: sourceLocation)
        #expect(plannedEnd() == before, "seed \(seed)", sourceLocation: sourceLocation)
    }

    // MARK: Rounds

    /// How the registry is while a run starts.
    enum RegistryState: CaseIterable {
        case well
        /// Its process is gone until after the run.
        case away
        /// It answers 500 until after the run.
        case broken
        /// It answers a second late.
        case slow
    }

    /// Starts the query, writes until a random moment, and kills it.
    func play(_ state: RegistryState) throws {
        let reader = state == .well || state == .slow ? ids.count : lastReader
        switch state {
        case .well: break
        case .away: try registry.kill()
        case .broken: try registry.setMode("500")
        case .slow: try registry.setMode("hang")
        }
        let pieces = try pieces(12)
        let sluice = try start()
        try feed(sluice, pieces, releases: state == .slow)
        #expect(sluice.isRunning, "seed \(seed), \(state): \(sluice.standardError.suffix(2000))")
        sluice.kill()
        killCount += 1
        noteEnd(reader: reader)
        switch state {
        case .well: break
        case .away: try registry.resume()
        case .broken, .slow: try registry.setMode("ok")
        }
    }

    func playAny() throws { try play(RegistryState.allCases.randomElement(using: &random) ?? .well) }

    /// Until a random moment: one time in three at any time from the start of the process on, else within what a batch
    /// takes after the process has planned one.
    private func feed(_ sluice: SluiceProcess, _ pieces: [Piece], releases: Bool) throws {
        var (left, releases) = (pieces[...], releases)
        let before = newest("offsets")
        let start = Date()
        var current: KcatProducer?
        var deadline: Date?
        if Int.random(in: 0..<3, using: &random) == 0 { deadline = start + Double.random(in: 0...1.5, using: &random) }
        let release = start + Double.random(in: 0.2...1, using: &random)
        while deadline.map({ Date() < $0 }) ?? true {
            if try current?.isWriting != true, let piece = left.popFirst() { current = try startWriting(piece) }
            if releases, Date() > release {
                releases = false
                try registry.setMode("ok")
            }
            usleep(500)
            // Without its registry a query that meets a schema for the first time plans nothing more.
            if deadline == nil, newest("offsets") > before || sluice.standardError.contains("the query waits") {
                deadline = Date() + Double.random(in: 0...0.08, using: &random)
            }
            try #require(
                Date() < start + 60, "seed \(seed): no batch in a minute: \(sluice.standardError.suffix(2000))")
        }
        try current?.finish()
    }

    // MARK: The end

    /// Lets everything in, moves the watermark past all of it, and holds what came out against what had to.
    func finish() throws {
        let (before, beforeClicks) = (rows.count, clicks.count)
        clock += 1000
        // The two rows do not match each other.
        var last = nextRows(1, versions: [ids.count])
        last.rows[0].key = "orders"
        last.clicks[0].key = "clicks"
        for piece in try pieces([last]) { try startWriting(piece).finish() }
        let outcome = try SluiceProcess.run(arguments + ["--trigger", "available_now"], in: folder)
        #expect(outcome.exitCode == 0, "seed \(seed): \(outcome.standardError.suffix(2000))")
        noteEnd(reader: ids.count)
        #expect(try kafka.kcat.endOffset(left) == rows.count && plannedEnd() == rows.count)
        let expected = try joined(Array(rows[..<before]), Array(clicks[..<beforeClicks]))
        let found = try rowsByApache(output, kafka, registry).map { try jsonText(#require(jsonObject($0))) }
        let difference = Self.difference(found, expected)
        #expect(difference.isEmpty, "seed \(seed): \(difference.prefix(20))")
        // What makes the test worth running.
        let matched = expected.count { !$0.contains(#""click":{"id":null"#) }
        #expect(matched > 20 && expected.count - matched > 10, "\(matched) of \(expected.count) rows are matches")
    }

    var summary: String {
        """
        \(rows.count) rows a side, \(killCount) kills, \(interruptedCount) batches cut short, \
        rows by the schemas they were read with: \(readerCounts.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" })
        """
    }

    /// The left outer join, pair by pair.
    private func joined(_ rows: [EvolvingRow], _ clicks: [Click]) throws -> [String] {
        let byKey = Dictionary(grouping: clicks, by: \.key)
        var plan = 0
        return try rows.enumerated().flatMap { offset, row -> [String] in
            while plan < plans.count - 1, plans[plan].end <= offset { plan += 1 }
            readerCounts[plans[plan].reader, default: 0] += 1
            var columns = source.read(row, plans[plan].reader)
            columns["id"] = row.id
            let partners = (row.key.flatMap { byKey[$0] } ?? []).filter { abs($0.time - row.time) <= Self.boundMillis }
            let ends = partners.isEmpty ? [nil] : partners.map { Optional($0) }
            return try ends.map { click in
                columns["click"] = ["id": orNull(click?.id), "tag": orNull(click?.tag)]
                return try jsonText(columns)
            }
        }
    }

    private static func difference(_ found: [String], _ expected: [String]) -> [String] {
        let counts = found.asMultiset.merging(expected.asMultiset.mapValues { -$0 }, uniquingKeysWith: +)
        return counts.filter { $0.value != 0 }
            .map { "\($0.key): \(abs($0.value)) too \($0.value > 0 ? "many" : "few")" }.sorted()
    }
}
