// Where Sluice answers otherwise than Spark 4.1.1 over chains, on purpose: the recorded run shows what Spark loses or
// dies of, and the test says what comes out here, batch by batch, or what `check` says. `a3+-+c3` is a row of the ids
// of a, b and c.

import Foundation
import QueryTesting
import SluiceCheckpoint
import SluiceRuntime
import SluiceSimulation
import SluiceSpec
import SluiceSystem
import Testing

@Suite struct ChainDifferencesTests {
    /// One line a batch: its number, `+` for a no-data batch, the seconds of the watermark, and the rows.
    private func tell(_ name: String, steps: [[String: Any]]? = nil) throws -> [String] {
        let run = try ChainRun.named(name)
        let spec = try #require(run.spec(steps))
        return try ChainTruthTests.replay(run, spec).map { batch in
            let millis = batch.progress.eventTime?.watermarkMillis ?? 0
            let watermark = millis == 0 ? "-" : "\((millis / 1000) % 3600)"
            let rows = batch.rows.map(ids).sorted().joined(separator: " ")
            return "\(batch.progress.batchID)\(batch.progress.inputRows == 0 ? "+" : "") @\(watermark): \(rows)"
        }
    }

    private func ids(_ row: String) -> String {
        let fields = Dictionary(
            row.split(separator: " ").map { $0.split(separator: "=") }.map { ($0[0], $0[1]) },
            uniquingKeysWith: { first, _ in first })
        return ["aid", "bid", "cid"].map { fields[Substring($0)].map(String.init) ?? "-" }.joined(separator: "+")
    }

    @Test func `A row whose named time is null comes out at once where its side is preserved`() throws {
        // Spark loses a3, a4 and m: they wait in the second join for ever.
        let told = try tell("pair-lo-lo-b")
        #expect(
            told == [
                "0 @-: a1+b1+c1", "1+ @12: ", "2 @12: a1+b1x+c1 a2+b2+c2 a8+b8+c8", "3+ @20: a3+-+- a4+-+-",
                "4 @20: ", "5+ @22: ", "6 @22: ", "7+ @60: m+-+-",
            ])
    }

    @Test func `Behind a full outer join no side is lost`() throws {
        // Spark loses b5, b7 and m of b.
        let told = try tell("pair-fo-lo-a")
        #expect(told.contains("3+ @20: -+b5+- -+b7+- a3+-+c3"))
        #expect(told.last == "7+ @60: -+m+- a4+-+- m+-+m")
    }

    @Test func `A time with coalesce waits on for its partner`() throws {
        // Spark accepts it, and no unmatched row ever comes out.
        let steps: [[String: Any]] = [
            [
                "with": "b", "type": "full outer", "keys": ["a.k": "b.k"],
                "within": "b.t between a.t + interval -5 seconds and a.t + interval 5 seconds",
            ],
            [
                "with": "c", "type": "left outer", "keys": ["a.k": "c.k"],
                "within": "c.t between coalesce(a.t, b.t) - 5 seconds and coalesce(a.t, b.t) + 5 seconds",
            ],
        ]
        let told = try tell("pair-fo-lo-a", steps: steps)
        // As the pairs of a, but b5, b7 and m of b wait for a partner too, and come out.
        #expect(told.contains("3+ @20: a3+-+c3"))
        #expect(told.contains("5+ @22: -+b5+- -+b7+-"))
        #expect(told.last == "7+ @60: -+m+- a4+-+- m+-+m")
    }

    @Test(arguments: [
        "mark-two-refused", "mark-two-refused-b", "conf-nocheck-left", "mark-wrong-left", "mark-none-left",
    ])
    func `Any earlier time may be named, where Spark dies or loses rows`(name: String) throws {
        let told = try tell(name)
        #expect(told.prefix(3) == ["0 @-: a1+b1+c1", "1+ @12: ", "2 @12: a1+b1x+c1 a2+b2+c2 a8+b8+c8"])
        #expect(told.last?.hasPrefix("7+ @60") == true)
    }

    @Test(
        arguments: [
            "late-second-unbounded": "give the join below a bound on both sides",
            "late-second-left": "give the join below a bound on both sides",
            "late-second-halfopen": "compare with `b.t` instead",
        ])
    func `A time without a limit is refused, and one that has one is named`(name: String, fix: String) throws {
        let disk = SimulatedFileSystem()
        try disk.makeFolders("/spec")
        disk.put("/spec/spec.yaml", try #require(try ChainRun.named(name).spec()))
        let loaded = try SpecLoader(fileSystem: disk, environment: { _ in nil }, zones: RunnerHarness.zones)
            .load(["/spec/spec.yaml"])
        let errors = loaded.diagnostics.filter { $0.severity == .error }
        #expect(errors.map(\.code) == ["time-without-limit"])
        #expect(errors.first?.fix?.contains(fix) == true, "\(errors)")
    }

    @Test func `A join that is taken away is refused by name, and one that is added goes on`() throws {
        let run = try ChainRun.named("restart-join-removed")
        let one = Array(run.steps.prefix(1))
        let two = try #require(run.spec())
        let disk = SimulatedFileSystem()
        for name in run.leaves { try disk.makeFolders("/in/\(name)") }
        func feed(_ number: Int) {
            for (name, lines) in run.batches[number].rows {
                disk.put("/in/\(name)/\(number).jsonl", lines.map { $0 + "\n" }.joined())
            }
        }
        func harness(_ spec: String) throws -> RunnerHarness { try RunnerHarness(spec: spec, disk: disk) }
        let first = try harness(
            try #require(
                run.spec(one)?.replacing("cid: c.id", with: "cid: a.id")
                    .replacing("ck: c.k", with: "ck: a.k").replacing("ct: c.t", with: "ct: a.t")))
        feed(0)
        try first.runPending()
        let stored = try #require(first.reports.all.last?.stateRowsTotal)
        first.stop()
        // The join on top begins with nothing, and state below it stays.
        let second = try harness(two)
        feed(1)
        try second.runPending()
        let stages = try #require(second.reports.all.first?.stages)
        #expect(stages.map(\.stage) == ["a+b+c", "a+b"])
        #expect(stages[1].rowsTotal >= stored)
        second.stop()
        let third = try harness(
            try #require(
                run.spec(one)?.replacing("cid: c.id", with: "cid: a.id")
                    .replacing("ck: c.k", with: "ck: a.k").replacing("ct: c.t", with: "ct: a.t")))
        let error = #expect(throws: CheckpointError.self) { try third.restart() }
        #expect("\(error as Any)".contains("the stage `a+b+c` is gone"), "\(error as Any)")
    }

    @Test func `Late rows of a deduplicated source are dropped whatever is selected`() throws {
        // Spark emits `late`, as the time column is used by nobody above and pruned.
        let run = try ChainRun.named("dedup-key-only-pruned")
        let batches = try ChainTruthTests.replay(run, try #require(run.spec()))
        #expect(!batches.flatMap(\.rows).contains { $0.contains("aid=late") })
        #expect(batches.reduce(0) { $0 + $1.progress.sources[0].lateRows } == 1)
    }

    @Test func `A row without a time passes a deduplication, and is not remembered`() throws {
        // Spark remembers it until the end of the next batch that has a watermark.
        let run = try ChainRun.named("dedup-within-nulls")
        let batches = try ChainTruthTests.replay(run, try #require(run.spec()))
        let untimed = run.batches.flatMap { $0.rows["a"] ?? [] }.count { !$0.contains("2024-") }
        #expect(batches.flatMap(\.rows).count { !$0.contains("at=") } == untimed)
    }

    @Test func `A changed type is refused by name`() throws {
        let run = try ChainRun.named("restart-type-changed")
        let changed = try #require(run.batches.compactMap(\.changedSteps).first)
        let disk = SimulatedFileSystem()
        for name in run.leaves { try disk.makeFolders("/in/\(name)") }
        for (name, lines) in run.batches[0].rows {
            disk.put("/in/\(name)/0.jsonl", lines.map { $0 + "\n" }.joined())
        }
        let first = try RunnerHarness(spec: try #require(run.spec()), disk: disk)
        try first.runPending()
        first.stop()
        let second = try RunnerHarness(spec: try #require(run.spec(changed)), disk: disk)
        let error = #expect(throws: CheckpointError.self) { try second.restart() }
        #expect("\(error as Any)".contains("stage `a+b+c`: join type was `left outer`, is now `inner`"))
    }
}
