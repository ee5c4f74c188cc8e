// Sluice against recorded runs of real Spark 4.1.1: each file in Spark/ is a query, its input batch by batch, and what
// Spark did in each batch (rows, watermark, rows in state, late rows), no-data batches included. The query goes through
// the spec reader, the planner and the runner, over a simulated disk. Every file names the claim of the semantics it
// shows; where Sluice differs on purpose, the file says so and the difference has a test of its own.

import Foundation
import QueryTesting
import SluiceConnectors
import SluiceEngine
import SluicePlan
import SluiceRuntime
import SluiceSimulation
import SluiceSpec
import SluiceSystem
import Testing

struct SparkRun: Decodable, CustomTestStringConvertible {
    struct Side: Decodable {
        struct Watermark: Decodable {
            var column: String
            var delay: String
        }
        var columns: [String: String]
        var eventTime: String?
        var watermark: Watermark?
        var `where`: String?
    }

    struct Join: Decodable {
        var type: String
        var keys: [String: String]
        var nullSafe: NullSafe
        var within: String?
        var window: String?
        var `where`: String?
    }

    /// `true`, `false` or the names of keys.
    enum NullSafe: Decodable {
        case all(Bool)
        case some([String])

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let all = try? container.decode(Bool.self) {
                self = .all(all)
            } else {
                self = .some(try container.decode([String].self))
            }
        }
    }

    struct Batch: Decodable {
        var left: [String]
        var right: [String]
    }

    struct Expected: Decodable {
        var batch: Int
        var noData: Bool
        var watermark: String?
        var stateRows: Int
        var late: Int
        var output: [String]
    }

    var name: String
    var claim: String
    var sessionTimeZone: String
    var mode: String
    var left: Side
    var right: Side
    var join: Join
    var watermarkPolicy: String
    var noDataBatches: Bool
    var select: [String: String]
    var batches: [Batch]
    var expected: [Expected]
    var sluiceDiffers: String?

    var testDescription: String { "\(name) (\(claim))" }

    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Spark")

    static let all: [SparkRun] = {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.filter { $0.hasSuffix(".json") && $0 != "rejected.json" }.sorted().compactMap { name in
            try? JSONDecoder().decode(SparkRun.self, from: Data(contentsOf: folder.appending(path: name)))
        }
    }()
}

extension SparkRun {
    /// The query in Sluice's words, over whole files, one of each side a batch.
    var spec: String {
        var lines = ["sluice: 1", "sources:"]
        for (name, side) in [("l", left), ("r", right)] {
            lines += ["  \(name):", "    file: { path: /in/\(name), max_files_per_trigger: 1 }", "    format: json"]
            lines += ["    columns:"] + side.columns.sorted { $0.key < $1.key }.map { "      \($0.key): \($0.value)" }
            if let watermark = side.watermark {
                lines.append("    watermark: { column: \(watermark.column), delay: \(watermark.delay) }")
            } else if let eventTime = side.eventTime {
                lines.append("    event_time: \(eventTime)")
            }
            if let filter = side.where { lines.append("    where: \(quoted(filter))") }
            lines += ["    time_zone: \(sessionTimeZone)", "    bad_rows: permissive"]
        }
        lines += ["queries:", "  q:", "    from: l", "    join:", "      - with: r", "        type: \(join.type)"]
        if !join.keys.isEmpty {
            let keys = join.keys.sorted { $0.key < $1.key }.map { "l.\($0.key): r.\($0.value)" }
            lines.append("        keys: { \(keys.joined(separator: ", ")) }")
        }
        switch join.nullSafe {
        case .all(let all): if all { lines.append("        null_safe: true") }
        case .some(let names): lines.append("        null_safe: [\(names.joined(separator: ", "))]")
        }
        if let within = join.within { lines.append("        within: \(quoted(within))") }
        if let window = join.window { lines.append("        window: \(window)") }
        if let filter = join.where { lines.append("        where: \(quoted(filter))") }
        lines.append("    select:")
        lines += select.map { "      \($0.key): \($0.value)" }.sorted()
        lines += ["    trigger: available_now", "    watermark_policy: \(watermarkPolicy)", "    checkpoint: /check"]
        lines += ["    to: out", "sinks:", "  out:", "    file: { path: /out }"]
        lines.append("    format: { json: { time_zone: \(sessionTimeZone) } }")
        return lines.joined(separator: "\n") + "\n"
    }

    private func quoted(_ text: String) -> String { "\"" + text.replacing("\"", with: "\\\"") + "\"" }
}

@Suite struct SparkTruthTests {
    @Test func `The recorded runs are there`() {
        #expect(SparkRun.all.count > 200)
    }

    /// What Spark runs and `check` refuses on purpose, with a word of the message.
    static let refused = [
        "bound-empty": "no pair of rows can match", "key-string-long": "string", "window-left-within": "`within`",
        "wm-semi-rightonly": "watermark",
    ]

    @Test(arguments: refused.keys.sorted())
    func `What could only mislead is refused before it runs`(name: String) throws {
        let run = try #require(SparkRun.all.first { $0.name == name })
        let disk = SimulatedFileSystem()
        try disk.makeFolders("/spec")
        disk.put("/spec/spec.yaml", run.spec)
        let loaded = try SpecLoader(fileSystem: disk, environment: { _ in nil }, zones: RunnerHarness.zones)
            .load(["/spec/spec.yaml"])
        let word = try #require(Self.refused[name])
        #expect(loaded.diagnostics.contains { $0.severity == .error && $0.message.contains(word) })
    }

    @Test(arguments: SparkRun.all.filter { $0.sluiceDiffers == nil && refused[$0.name] == nil })
    func `Sluice does in every batch what Spark did`(run: SparkRun) throws {
        let actual = try replay(run)
        // With no-data batches off Spark's run ends with the last data batch; Sluice adds the one that is due.
        #expect(actual.count == run.expected.count || (!run.noDataBatches && actual.count == run.expected.count + 1))
        for (batch, expected) in zip(actual, run.expected) {
            #expect(batch.rows == expected.output.map(sortedFields).sorted(), "rows of batch \(expected.batch)")
            #expect(batch.progress.batchID == Int64(expected.batch))
            #expect(batch.progress.stateRowsTotal == expected.stateRows, "state after batch \(expected.batch)")
            #expect(
                batch.progress.stages.first?.rowsDroppedByWatermark == expected.late,
                "late in batch \(expected.batch)")
            if let watermark = expected.watermark {
                let used = batch.progress.eventTime.map { utcText(millis: $0.watermarkMillis) }
                #expect(used == nil || used == watermark, "watermark of batch \(expected.batch)")
            }
        }
    }

    struct ReplayedBatch {
        var progress: QueryProgress
        /// Sorted; the fields of each row sorted too.
        var rows: [String]
    }

    /// Runs all batches of a recorded run; `stepped` ones go idle between batches, as Spark did.
    func replay(_ run: SparkRun) throws -> [ReplayedBatch] {
        let disk = SimulatedFileSystem()
        for folder in ["/in/l", "/in/r"] { try disk.makeFolders(folder) }
        let isStepped = run.mode == "stepped" && run.noDataBatches
        let harness = try RunnerHarness(spec: run.spec, disk: disk)
        for (number, batch) in run.batches.enumerated() {
            for (name, lines) in [("l", batch.left), ("r", batch.right)] {
                let digits = String(number)
                let file = "/in/\(name)/\(String(repeating: "0", count: 6 - digits.count))\(digits).jsonl"
                disk.put(file, lines.map { $0 + "\n" }.joined())
            }
            if isStepped { try harness.runPending() }
        }
        if !isStepped { try harness.runPending() }
        return try harness.reports.all.map { progress in
            ReplayedBatch(
                progress: progress, rows: try harness.rows(batch: progress.batchID).map(sortedFields).sorted())
        }
    }
}
