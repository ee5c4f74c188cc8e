// Sluice against recorded runs of real Spark 4.1.1 over chains, tables, deduplication and unions (Spark/Chains): every
// batch, its rows, the watermark, and each operator's watermark, rows in state and late rows. What Sluice does
// otherwise on purpose is named here with its reason, and has a test of its own.

import Foundation
import QueryTesting
import SluiceRuntime
import SluiceSimulation
import SluiceSpec
import SluiceSystem
import Testing

@Suite struct ChainTruthTests {
    @Test func `The recorded runs are there`() {
        #expect(ChainRun.all.count > 140)
    }

    @Test(arguments: ChainRun.all.filter { differences[$0.name] == nil })
    func `Sluice does in every batch what Spark did`(run: ChainRun) throws {
        let spec = try #require(run.spec(), "the language cannot say it")
        let actual = try Self.replay(run, spec)
        // With no-data batches off Spark's run ends with the last data batch; Sluice adds the one that is due.
        #expect(actual.count == run.expected.count || !run.hasNoDataBatches, "\(actual.count) batches\n\(spec)")
        for (batch, expected) in zip(actual, run.expected) { compare(batch, expected) }
    }

    private func compare(_ batch: ReplayedBatch, _ expected: ChainRun.Expected) {
        let number = expected.batch
        #expect(batch.rows == expected.rows.map(sortedFields).sorted(), "rows of batch \(number)")
        #expect(batch.progress.batchID == Int64(number))
        let watermark = batch.progress.eventTime.map { utcText(millis: $0.watermarkMillis) }
        #expect(watermark == nil || expected.watermark == nil || watermark == expected.watermark, "batch \(number)")
        #expect(batch.progress.stages.count == expected.operators.count, "operators of batch \(number)")
        for (stage, expected) in zip(batch.progress.stages, expected.operators) {
            #expect(stage.rowsTotal == expected.stateRows, "state of \(stage.stage) after batch \(number)")
            #expect(stage.rowsDroppedByWatermark == expected.late, "late at \(stage.stage) in batch \(number)")
            let evictAt = stage.watermarkMillis.map { utcText(millis: $0) }
            #expect(evictAt == nil || evictAt == expected.evictAt, "watermark of \(stage.stage) in batch \(number)")
        }
    }

    struct ReplayedBatch {
        var progress: QueryProgress
        /// Sorted; the fields of each row sorted too.
        var rows: [String]
    }

    /// Runs all batches of a recorded run; `stepped` ones go idle between batches, as Spark did.
    static func replay(_ run: ChainRun, _ spec: String) throws -> [ReplayedBatch] {
        let disk = SimulatedFileSystem()
        for name in run.leaves { try disk.makeFolders("/in/\(name)") }
        for name in run.tables.keys { try disk.makeFolders("/tables/\(name)") }
        let harness = try RunnerHarness(spec: spec, disk: disk)
        for (number, batch) in run.batches.enumerated() {
            if batch.restartsBefore {
                harness.stop()
                try harness.restart()
            }
            for (table, files) in batch.tables {
                for (file, lines) in files { try put(lines, "/tables/\(table)/\(file)", on: disk) }
            }
            for (name, lines) in batch.rows {
                let digits = String(number)
                disk.put(
                    "/in/\(name)/\(String(repeating: "0", count: 6 - digits.count))\(digits).jsonl",
                    lines.map { $0 + "\n" }.joined())
            }
            if run.isStepped { try harness.runPending() }
        }
        if !run.isStepped { try harness.runPending() }
        return try harness.reports.all.map { progress in
            ReplayedBatch(
                progress: progress, rows: try harness.rows(batch: progress.batchID).map(sortedFields).sorted())
        }
    }

    /// Replaces all of a table's files at once where one is called so.
    private static func put(_ lines: [String]?, _ path: String, on disk: SimulatedFileSystem) throws {
        guard let lines else {
            try disk.remove(path)
            return
        }
        disk.put(path, lines.map { $0 + "\n" }.joined())
    }

    /// What Sluice does otherwise on purpose, or does not have, by the name of the run.
    static let differences: [String: String] = {
        let reasons: [(String, [String])] = [
            (
                "a row whose named time is null waits for nothing (ChainDifferencesTests)",
                [
                    "bad-full-full", "bad-left-left", "pair-fo-fo-a", "pair-fo-lo-a", "pair-lo-fo-b", "pair-lo-lo-b",
                    "pair-ro-fo-a", "random-04-fullouter-leftouter", "random-09-fullouter-fullouter",
                    "random-15-leftouter-leftouter-backlog", "random-16-fullouter-leftouter-backlog",
                    "random-21-fullouter-fullouter-backlog", "window-window-full",
                ]
            ),
            (
                "each join names its time, and any earlier source's will do (ChainDifferencesTests)",
                [
                    "mark-two-refused", "mark-two-refused-b", "conf-nocheck-left", "mark-wrong-left", "mark-none",
                    "mark-none-left", "window-two-marks", "window-time-marked", "window-dropped", "mode-update",
                ]
            ),
            (
                "a time without a limit is refused by `check` (ChainDifferencesTests)",
                ["late-second-halfopen", "late-second-left", "late-second-unbounded"]
            ),
            ("a restart changes nothing (DesignDifferencesTests)", ["restart-one-by-one"]),
            (
                "a changed spec is judged by name (ChainDifferencesTests)",
                ["restart-join-removed", "restart-type-changed"]
            ),
            (
                "not in the language: a window as a value, a chain on the right, a table on the left, marks",
                [
                    "window-then-within", "window-then-within-whole", "shape-bushy", "shape-right", "wm-after-join",
                    "wm-redefined", "full-coalesced", "static-flipped-anti", "static-flipped-full",
                    "static-flipped-inner", "static-flipped-right", "static-flipped-semi",
                ]
            ),
            (
                "a setting of Spark that loses rows in silence",
                ["conf-single-inner", "conf-single-left", "conf-single-nocheck-left"]
            ),
            ("deduplication stands on a source", ["dedup-after-join", "dedup-after-join-b", "dedup-after-unbounded"]),
            ("a table's new files are seen (TableTests)", ["static-new-file", "static-restart"]),
            ("a table's unmatched rows; Spark refuses it too (TableTests)", ["static-full", "static-right"]),
            ("late rows are dropped whatever is selected (ChainDifferencesTests)", ["dedup-key-only-pruned"]),
            ("a row without a time passes, and is not remembered (ChainDifferencesTests)", ["dedup-within-nulls"]),
            ("needs a watermark; Spark refuses it too (DeduplicateTests)", ["dedup-within-no-watermark"]),
            (
                "a union has one watermark by declaration: none on a part alone",
                ["union-second-marked", "union-second-marked-inner"]
            ),
        ]
        return Dictionary(
            reasons.flatMap { reason, names in names.map { ($0, reason) } }, uniquingKeysWith: { first, _ in first })
    }()

    @Test func `Every difference is of a run that is there`() {
        #expect(Set(Self.differences.keys).isSubset(of: Set(ChainRun.all.map(\.name))))
    }
}

/// A JSON row with its fields in the order of their names.
func sortedFields(_ row: String) -> String {
    guard let object = try? JSONSerialization.jsonObject(with: Data(row.utf8)) as? [String: Any] else { return row }
    return object.map { "\($0.key)=\($0.value)" }.sorted().joined(separator: " ")
}
