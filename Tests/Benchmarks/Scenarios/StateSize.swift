// The same rows with a longer and longer watermark delay, so that state is 0.1, 1 and 10 million rows while input,
// matches and output of a batch stay the same:
//
//     files     |  fill: large files  |  50 steady batches  |
//     state     0 ──────────▶ size ───────────────── size ──|     only the steady part is measured
//
// Rows a second are the design's; bound and pages are a twelfth of its, so that the smallest state can be small and a
// row still has one match.

/// One state size: the same workload with the delay that makes it.
struct StateSize {
    let rows: Int
    let delayMillis: Int

    private static let steadyBatches = 50

    /// Rows a side and batch in the steady part.
    private static func batchRows(_ bench: Bench) -> Int { bench.size(20_000, quick: 5000) }

    init(_ rows: Int, of workload: Workload, _ bench: Bench) {
        self.rows = rows
        // At the end of a batch all its rows are there, visits of bound and delay before, and ads of the delay.
        let kept = rows / 2 - Self.batchRows(bench)
        delayMillis = kept * 1000 / workload.rowsPerSecond - workload.boundMillis / 2
    }

    static func sizes(_ bench: Bench) -> [Int] {
        bench.size([100_000, 1_000_000, 10_000_000], quick: [60_000, 200_000])
    }

    /// Rows enough to fill the largest state, then the steady batches.
    static func workload(_ bench: Bench, fillFor stateRows: Int, batches: Int = steadyBatches) -> Workload {
        var workload = bench.workload
        workload.boundMillis = 10_000
        workload.disorderMillis = 10_000
        workload.pages = 10 * workload.rowsPerSecond
        workload.batches = batches
        workload.fillRows = stateRows / 2 + stateRows / 20 + 2 * workload.rowsPerSecond * 10
        workload.rows = workload.fillRows + batches * batchRows(bench)
        return workload
    }

    func workload(_ workload: Workload) -> Workload {
        var sized = workload
        sized.delayMillis = delayMillis
        return sized
    }
}

/// What the steady part of a run cost.
private struct SteadyPart {
    var millis: [Double]
    var cpuMicrosPerRow: Double
    var bytesPerRow: Double
    var stateRows: Int
}

func measureStateSize(_ bench: Bench) -> [Figure] {
    let sizes = StateSize.sizes(bench)
    let workload = StateSize.workload(bench, fillFor: sizes[sizes.count - 1])
    let input = Input(bench, workload)
    defer { input.remove() }
    let truth = Truth(workload)
    let states = sizes.map { StateSize($0, of: workload, bench) }
    let truths = states.map { truth.answer(.leftOuter, delayMillis: $0.delayMillis) }
    let parts = bench.inTurn(states.indices) { steadyPart(bench, input, states[$0], truth: truths[$0]) }
    var figures: [Figure] = []
    for (state, parts) in zip(states, parts) {
        let name = stateName(state.rows)
        figures.append(
            Figure(
                "batch time, \(name)", .millis, parts.map { median($0.millis) },
                note: "\(grouped(parts[0].stateRows)) rows live, mean \(meanText(parts)) ms"))
        figures.append(Figure("CPU per row, \(name)", .micros, parts.map(\.cpuMicrosPerRow)))
        figures.append(Figure("checkpoint bytes per row, \(name)", .bytes, parts.map(\.bytesPerRow)))
    }
    let (small, large) = (parts[0], parts[parts.count - 1])
    figures.append(
        Figure(
            .stateTime, zip(small, large).map { median($1.millis) / median($0.millis) },
            note: "by means \(decimal(mean(large.flatMap(\.millis)) / mean(small.flatMap(\.millis)), digits: 2)), which"
                + " counts batches that evict whole buckets too; by CPU"
                + " \(decimal(median(zip(small, large).map { $1.cpuMicrosPerRow / $0.cpuMicrosPerRow }), digits: 2))"))
    figures.append(Figure(.stateBytes, zip(small, large).map { $1.bytesPerRow / $0.bytesPerRow }))
    return figures
}

func stateName(_ rows: Int) -> String {
    "\(decimal(Double(rows) / 1e6, digits: rows < 100_000 ? 2 : 1)) M rows of state"
}

private func meanText(_ parts: [SteadyPart]) -> String { decimal(mean(parts.flatMap(\.millis)), digits: 1) }

private func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }

private func steadyPart(_ bench: Bench, _ input: Input, _ state: StateSize, truth: Answer) -> SteadyPart {
    let workload = state.workload(input.workload)
    let folder = RunFolder("\(bench.folder)/run", input.spec, workload)
    let fillFiles = workload.files.count - workload.batches
    let child = Child(folder.command(bench.binary), output: folder.log)
    child.wait(for: "the state to fill", seconds: 600, pauseMicros: 2000) {
        lineCount(folder.progress) >= fillFiles
    }
    let (cpuBefore, writtenBefore) = (child.cpuSeconds, child.writtenBytes)
    let outputBefore = folderSize(folder.output)
    let progressBefore = fileSize(folder.progress)
    let cost = child.wait()
    guard cost.exitCode == 0 else { fail("sluice ended with \(cost.exitCode):\n\(readText(folder.log))") }
    folder.check(workload, truth)
    let all = ProgressRecord.all(in: folder.progress).withInput
    // The first ones may still be catching their breath.
    let steady = all.dropFirst(fillFiles + workload.batches / 5)
    let others = folderSize(folder.output) - outputBefore + fileSize(folder.progress) - progressBefore
    let steadyRows = 2 * (workload.rows - workload.fillRows)
    removeFolder(folder.path)
    return SteadyPart(
        millis: Array(steady).millis,
        cpuMicrosPerRow: (cost.cpuSeconds - cpuBefore) * 1e6 / Double(steadyRows),
        bytesPerRow: Double(cost.writtenBytes - writtenBefore - others) / Double(steadyRows),
        stateRows: Int(median(steady.map { Double($0.stateRows) })))
}

/// Lines of a file that grows, counted by reading it all.
func lineCount(_ path: String) -> Int { exists(path) ? readFile(path).reduce(0) { $0 + ($1 == 10 ? 1 : 0) } : 0 }
