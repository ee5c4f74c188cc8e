// Five queries of one process and more, fed while they run, and everything that control can do to them in random order:
// pause, resume, other triggers, reloads of specs with queries added, removed, changed and broken, and SIGKILLs in
// between. In the end each query's rows are those of an undisturbed run: no row lost, none doubled.
//
// As in KillTests the workload makes rows independent of how batches are cut.

import Foundation
import KafkaTesting
import Testing

@Suite struct ControlKillTests {
    @Test(arguments: 0..<2)
    func `Whatever is asked in whatever order, and killed in between, rows are those of an undisturbed run`(
        index: Int
    ) throws {
        let seed = index == 0 ? controlSeed() : 11
        var run = try ControlRun(ControlWorld(seed: seed), seed: seed)
        try run.play()
        try run.expectUndisturbedRows()
    }
}

extension KafkaEndToEndTests {
    @Suite struct Control {
        @Test func `Files and topics in one process: rows are those of an undisturbed run`() throws {
            let seed = controlSeed()
            var run = try ControlRun(ControlWorld(seed: seed, kafka: .shared()), seed: seed)
            try run.play()
            try run.expectUndisturbedRows()
        }
    }
}

/// `SLUICE_CONTROL_SEED` of the environment, or any.
private func controlSeed() -> UInt64 {
    ProcessInfo.processInfo.environment["SLUICE_CONTROL_SEED"].flatMap { UInt64($0) } ?? .random(in: 0..<1_000_000)
}

private struct ControlRun {
    private static let operations = 150

    private let world: ControlWorld
    private let seed: UInt64
    private var random: SeededRandom
    private var version: SpecVersion
    private var served: ServedProcess
    private var counts: [String: Int] = [:]

    /// Starts the process and waits until every query has a checkpoint.
    init(_ world: ControlWorld, seed: UInt64) throws {
        print("ControlKillTests: SLUICE_CONTROL_SEED=\(seed)")
        self.world = world
        self.seed = seed
        random = SeededRandom(seed: seed)
        version = SpecVersion(names: Set(world.names))
        try world.writeSpec(version)
        try world.write(rows: 5)
        served = try ServedProcess(["spec.yaml"], in: world.folder)
        for name in world.names {
            try served.waitUntil("no batch of \(name), seed \(seed)") {
                !world.folder.names(in: "checkpoints/\(name)/commits").isEmpty
            }
        }
    }

    mutating func play() throws {
        for _ in 0..<Self.operations {
            try world.write(rows: Int.random(in: 0...4, using: &random))
            let name = world.names[Int.random(in: 0..<world.names.count, using: &random)]
            switch Int.random(in: 0..<12, using: &random) {
            case 0, 1: try ask("/api/queries/\(name)/pause", [200, 404])
            case 2, 3: try ask("/api/queries/\(name)/resume", [200, 404])
            case 4, 5:
                let millis = Int.random(in: 1...300, using: &random)
                try ask("/api/queries/\(name)/trigger", body: "{\"trigger\": \"\(millis)ms\"}", [200, 404])
            case 6...9: try reload(changing: name)
            default: try kill()
            }
        }
        var broken = version
        broken.mistake = .unknownColumn
        try world.writeSpec(broken)
        try ask("/api/reload", [400])
        let text = served.process.standardError
        #expect(served.process.isRunning, "seed \(seed): \(text.suffix(3000))")
        #expect(!text.contains("Query failed"), "seed \(seed): \(text.suffix(3000))")
        let outcome = served.process.stop()
        #expect(outcome.exitCode == 0, "seed \(seed): \(outcome.standardError.suffix(3000))")
        print("ControlKillTests: \(counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" })")
        #expect(counts["kill", default: 0] > 5 && counts["200", default: 0] > 20 && counts["400", default: 0] > 0)
    }

    private mutating func ask(_ path: String, body: String = "", _ statuses: Set<Int>) throws {
        let answer = try #require(served.send("POST", path, body: body), "seed \(seed): no answer to \(path)")
        #expect(statuses.contains(answer.status), "seed \(seed): \(answer)")
        counts["\(answer.status)", default: 0] += 1
    }

    private mutating func reload(changing name: String) throws {
        let next = changed(name)
        try world.writeSpec(next)
        if Bool.random(using: &random) {
            try ask("/api/reload", [next.mistake == nil ? 200 : 400])
        } else {
            // Nobody waits for this one; the next request may come in the middle of it.
            served.process.send(SIGHUP)
            counts["SIGHUP", default: 0] += 1
        }
        // A process that is started needs a spec without mistakes.
        if next.mistake == nil { version = next } else { try world.writeSpec(version) }
    }

    private mutating func changed(_ name: String) -> SpecVersion {
        var next = version
        switch Int.random(in: 0..<5, using: &random) {
        case 0: if next.names.count > 1 { next.names.remove(name) }
        case 1: next.names.insert(name)
        case 2: next.triggers[name] = Int.random(in: 1...200, using: &random)
        case 3: next.retained[name] = Int.random(in: 20...100, using: &random)
        default:
            next.mistake = SpecVersion.Mistake.allCases.randomElement(using: &random)
            // Of a copy the checkpoint has no state of a join.
            let hasJoin = world.queries.contains { next.names.contains($0.name) && $0.joinType != nil }
            if next.mistake == .otherJoin, !hasJoin { next.mistake = .unknownColumn }
        }
        return next
    }

    private mutating func kill() throws {
        usleep(UInt32.random(in: 0...20_000, using: &random))
        served.process.kill()
        let text = served.process.standardError
        #expect(!text.contains("Query failed"), "seed \(seed): \(text.suffix(3000))")
        counts["kill", default: 0] += 1
        served = try ServedProcess(["spec.yaml"], in: world.folder)
    }

    /// Runs what is left, and the whole input through untouched queries, and compares.
    func expectUndisturbedRows() throws {
        let last = try world.finish()
        #expect(last.exitCode == 0, "seed \(seed): \(last.standardError)")
        let undisturbed = try world.undisturbed()
        #expect(undisturbed.outcome.exitCode == 0, "\(undisturbed.outcome.standardError)")
        for query in world.queries {
            let rows = try world.rows(of: query)
            let expected = undisturbed.rows[query.name] ?? []
            #expect(
                rows.asMultiset == expected.asMultiset,
                "seed \(seed), \(query.name): \(rows.count) rows, not \(expected.count)")
            #expect(expected.count > 50)
        }
    }
}
