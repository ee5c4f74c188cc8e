// Step by step: feed both sides, run what is due, say in one line per batch what came of it.
//
//     1 no data @10 [4]: a1+b2 a3 +b4      batch 1 had no data, ran at watermark 10 s, left 4 rows in state, put out
//                                          the pair a1, b2, and a3 and b4 alone

import Foundation
import QueryTesting
import SluiceRuntime
import SluiceSimulation
import SluiceSystem
import Testing

final class Scenario {
    let spec: JoinSpecText
    let clock: SimulatedClock
    private(set) var disk = SimulatedFileSystem()
    private(set) var harness: RunnerHarness
    private var stepCount = 0
    private var told = 0
    /// Of the last step that ran anything.
    private(set) var last: QueryProgress?

    init(_ spec: JoinSpecText, clock: SimulatedClock = SimulatedClock(), workers: Int = 1) throws {
        self.spec = spec
        self.clock = clock
        for folder in ["/in/l", "/in/r"] { try disk.makeFolders(folder) }
        harness = try RunnerHarness(spec: spec.text, disk: disk, clock: clock, workers: workers)
    }

    /// Puts files there and runs nothing.
    func feed(left: [String] = [], right: [String] = []) {
        disk.feed(Step(left: left, right: right), number: stepCount, isFollowed: spec.isFollowed)
        stepCount += 1
    }

    /// Feeds, runs all batches that are due, and tells them.
    @discardableResult func step(left: [String] = [], right: [String] = []) throws -> [String] {
        feed(left: left, right: right)
        return try run()
    }

    /// Runs all batches that are due, and tells them.
    @discardableResult func run() throws -> [String] {
        try harness.runPending()
        return try tell()
    }

    /// The end of the process and the start of the next, perhaps with another spec.
    func restart(_ changed: JoinSpecText? = nil) throws {
        harness.stop()
        disk = disk.restartProcess()
        harness = try RunnerHarness(spec: (changed ?? spec).text, disk: disk, clock: clock)
        told = 0
        try harness.restart()
    }

    /// The sink's files after steps with many rows.
    /// - Parameter restarts: whether there is a new process behind each.
    static func output(
        _ spec: JoinSpecText, workers: Int, restarts: Bool, of steps: [Step]
    ) throws -> [String: String] {
        let scenario = try Scenario(spec, workers: workers)
        for step in steps {
            try scenario.step(left: step.left, right: step.right)
            if restarts { try scenario.restart() }
        }
        return scenario.disk.sinkFiles
    }

    private func tell() throws -> [String] {
        let new = harness.reports.all.dropFirst(told)
        told += new.count
        last = new.last ?? last
        return try new.map { tellBatch($0, rows: try harness.rows(batch: $0.batchID)) }
    }
}

/// Many rows a side, 25 s of event time that begin 20 s after those of the step before.
/// - Parameter gridMillis: what times are multiples of.
func crowd(_ step: Int, rows count: Int, keys: Int, gridMillis: Int = 1) -> Step {
    var random = SplitMix64(seed: UInt64(step))
    func rows(_ side: String) -> [String] {
        (0..<count).map { index in
            let millis = Int.random(in: 0..<25_000 / gridMillis, using: &random) * gridMillis
            return row(
                "\(side)\(step)-\(index)", "k\(Int.random(in: 0..<keys, using: &random))",
                Double(step * 20) + Double(millis) / 1000)
        }
    }
    return Step(left: rows("a"), right: rows("b"))
}

/// One line on a batch, as at the top of this file.
func tellBatch(_ progress: QueryProgress, rows: [String]) -> String {
    var text = "\(progress.batchID)"
    if progress.inputRows == 0 { text += " no data" }
    if let watermark = progress.eventTime?.watermarkMillis {
        text += watermark == 0 ? " @-" : " @\(shortNumber(Double(watermark - baseMillis) / 1000))"
    }
    if let state = progress.stages.first {
        text += " [\(state.rowsTotal)]"
        if state.rowsDroppedByWatermark > 0 { text += " late \(state.rowsDroppedByWatermark)" }
    }
    let pairs = rows.map(pair).sorted()
    return pairs.isEmpty ? text : "\(text): \(pairs.joined(separator: " "))"
}

private func shortNumber(_ number: Double) -> String {
    number == number.rounded() ? String(Int(number)) : String(number)
}

/// `a1+b2` of a joined row, `a1` and `+b2` of unmatched ones, `-` of a row with neither id.
func pair(_ json: String) -> String {
    let object = (try? JSONSerialization.jsonObject(with: Data(json.utf8))) as? [String: Any] ?? [:]
    let (left, right) = (object["lid"] as? String, object["rid"] as? String)
    if left == nil && right == nil { return "-" }
    return (left ?? "") + (right.map { "+\($0)" } ?? "")
}
