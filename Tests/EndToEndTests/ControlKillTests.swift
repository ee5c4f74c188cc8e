// Five queries of one process, fed while they run, and everything that control can do to them in random order: pause,
// resume, other triggers, reloads of specs with queries added, removed, changed and broken, and SIGKILLs in between. In
// the end each query's rows are those of an undisturbed run: no row lost, none doubled.
//
// As in KillTests the workload makes rows independent of how batches are cut.

import Foundation
import Testing

@Suite struct ControlKillTests {
    private static let operations = 150
    private static let joins = ["left outer", "full outer", "inner"]
    private static let queries = ["copy_a", "copy_b"] + joins.map { "join_" + $0.replacing(" ", with: "_") }

    /// What a spec file says; the rows do not depend on it.
    private struct Version {
        var names: Set<String>
        /// Milliseconds.
        var triggers: [String: Int] = [:]
        /// How many batches a query keeps: a change that makes it start again.
        var retained: [String: Int] = [:]
        var isBroken = false

        var text: String {
            var lines = ["sluice: 1", "sources:"]
            for side in ["left", "right"] {
                lines += [
                    "  \(side):", "    file: { path: \(side).jsonl, follow: true }", "    format: json",
                    "    columns: { id: string, k: string, t: timestamp }",
                    "    watermark: { column: t, delay: \(JoinWorkload.delaySeconds)s }",
                ]
            }
            lines.append("queries:")
            for name in names.sorted() { lines += query(name) }
            lines.append("sinks:")
            for name in names.sorted() { lines.append("  \(name)_out: { file: { path: out/\(name) }, format: json }") }
            if isBroken { lines.append("  broken: { fil: {} }") }
            return lines.joined(separator: "\n") + "\n"
        }

        private func query(_ name: String) -> [String] {
            var lines = ["  \(name):", "    from: left", "    to: \(name)_out"]
            lines.append("    trigger: \(triggers[name].map { "\($0)ms" } ?? "20ms")")
            lines.append("    state: { retain_batches: \(retained[name] ?? 100) }")
            guard name.hasPrefix("join_") else { return lines + ["    select: { l: left.id, lk: left.k, lt: left.t }"] }
            return lines + [
                "    join:", "      - with: right",
                "        type: \(name.dropFirst(5).replacing("_", with: " "))", "        keys: k",
                "        within: right.t between left.t - 10s and left.t + 10s",
                "    select: { l: left.id, lk: left.k, lt: left.t, r: right.id, rk: right.k, rt: right.t }",
            ]
        }
    }

    @Test(arguments: 0..<2)
    func `Whatever is asked in whatever order, and killed in between, rows are those of an undisturbed run`(
        index: Int
    ) throws {
        let seed = index == 0 ? UInt64.random(in: 0..<1_000_000) : 11
        print("ControlKillTests: seed \(seed)")
        var random = SeededRandom(seed: seed)
        let folder = try TemporaryFolder()
        var feed = Feed(folder: folder, workload: JoinWorkload(seed: seed))
        var version = Version(names: Set(Self.queries))
        try folder.write("spec.yaml", version.text)
        try feed.write(rows: 5)
        var served = try ServedProcess(["spec.yaml"], in: folder)
        var counts: [String: Int] = [:]
        for _ in 0..<Self.operations {
            try feed.write(rows: Int.random(in: 0...4, using: &random))
            let name = Self.queries[Int.random(in: 0..<Self.queries.count, using: &random)]
            let choice = Int.random(in: 0..<12, using: &random)
            switch choice {
            case 0, 1: try expect(served.send("POST", "/api/queries/\(name)/pause"), [200, 404], seed, &counts)
            case 2, 3: try expect(served.send("POST", "/api/queries/\(name)/resume"), [200, 404], seed, &counts)
            case 4, 5:
                let millis = Int.random(in: 1...300, using: &random)
                let body = "{\"trigger\": \"\(millis)ms\"}"
                try expect(
                    served.send("POST", "/api/queries/\(name)/trigger", body: body), [200, 404], seed, &counts)
            case 6...9:
                let next = change(version, name, &random)
                try folder.write("spec.yaml", next.text)
                if Bool.random(using: &random) {
                    try expect(
                        served.send("POST", "/api/reload"), [next.isBroken ? 400 : 200], seed, &counts)
                } else {
                    // Nobody waits for this one; the next request may come in the middle of it.
                    served.process.send(SIGHUP)
                }
                // A process that is started needs a spec without mistakes.
                if next.isBroken { try folder.write("spec.yaml", version.text) } else { version = next }
            default:
                usleep(UInt32.random(in: 0...20_000, using: &random))
                served.process.kill()
                counts["kill", default: 0] += 1
                served = try ServedProcess(["spec.yaml"], in: folder)
            }
        }
        #expect(served.process.isRunning, "seed \(seed): \(served.process.standardError.suffix(3000))")
        #expect(!served.process.standardError.contains("Query failed"), "seed \(seed)")
        #expect(served.process.stop().exitCode == 0)
        try compare(folder, feed, seed)
        print("ControlKillTests: \(counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" })")
        #expect(counts["kill", default: 0] > 5 && counts["200", default: 0] > 20)
    }

    private func expect(
        _ answer: ServedProcess.Answer?, _ statuses: Set<Int>, _ seed: UInt64, _ counts: inout [String: Int]
    ) throws {
        let answer = try #require(answer, "seed \(seed): no answer")
        #expect(statuses.contains(answer.status), "seed \(seed): \(answer)")
        counts["\(answer.status)", default: 0] += 1
    }

    private func change(_ version: Version, _ name: String, _ random: inout SeededRandom) -> Version {
        var next = version
        switch Int.random(in: 0..<5, using: &random) {
        case 0: if next.names.count > 1 { next.names.remove(name) }
        case 1: next.names.insert(name)
        case 2: next.triggers[name] = Int.random(in: 1...200, using: &random)
        case 3: next.retained[name] = Int.random(in: 20...100, using: &random)
        default: next.isBroken = true
        }
        return next
    }

    /// Runs what is left, and the whole input through untouched queries, and compares.
    private func compare(_ folder: TemporaryFolder, _ feed: Feed, _ seed: UInt64) throws {
        let whole = Version(names: Set(Self.queries))
        try folder.write("spec.yaml", whole.text)
        let last = try SluiceProcess.run(["run", "spec.yaml", "--trigger", "available_now"], in: folder)
        #expect(last.exitCode == 0, "seed \(seed): \(last.standardError)")
        let undisturbed = try TemporaryFolder()
        try undisturbed.write("spec.yaml", whole.text)
        for (side, text) in feed.all { try undisturbed.write("\(side).jsonl", text) }
        let run = try SluiceProcess.run(["run", "spec.yaml", "--trigger", "available_now"], in: undisturbed)
        #expect(run.exitCode == 0, "\(run.standardError)")
        for name in Self.queries {
            let (rows, expected) = (folder.rows(in: "out/\(name)"), undisturbed.rows(in: "out/\(name)"))
            #expect(
                rows.asMultiset == expected.asMultiset,
                "seed \(seed), \(name): \(rows.count) rows, not \(expected.count)")
            #expect(expected.count > 50)
        }
    }
}

/// Appends the workload's rows to the followed files.
private struct Feed {
    let folder: TemporaryFolder
    var workload: JoinWorkload
    private(set) var all = ["left": "", "right": ""]

    mutating func write(rows: Int) throws {
        for (side, text) in workload.next(rows) {
            all[side]? += text
            try folder.append("\(side).jsonl", text)
        }
    }
}
