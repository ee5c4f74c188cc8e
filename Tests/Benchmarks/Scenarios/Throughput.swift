// The design's workload through the join, and what the machine could do at most with the same files.

/// Rounds of the product and of the limit program in turn, so that both see the same machine.
func measureThroughput(_ bench: Bench) -> [Figure] {
    let input = Input(bench, bench.workload)
    defer { input.remove() }
    let truth = Truth(input.workload).answer(.leftOuter)
    var runs: [JoinRun] = []
    var limits: [(one: ProcessCost, two: ProcessCost)] = []
    for _ in 0..<bench.rounds {
        runs.append(JoinRun(bench, input, input.spec, truth: truth))
        limits.append(
            (ParseLimit.measure(bench, input, threads: 1), ParseLimit.measure(bench, input, threads: 2)))
    }
    let rows = Double(input.workload.rows * 2)
    let oneThread = limits.map { rows / $0.one.seconds }
    let twoThreads = limits.map { rows / $0.two.seconds }
    let batches = runs.flatMap { $0.batches.withInput }
    var figures = [
        Figure(
            .rate, runs.map(\.rowsPerSecond),
            note: "\(grouped(input.byteCount / 1_000_000)) MB in, answer right each time: \(truth)"),
        Figure(.cpu, runs.map(\.cpuMicrosPerRow)),
        Figure(.memory, runs.map(\.peakMegabytes)),
        Figure(.checkpoint, runs.map(\.checkpointBytesPerRow)),
        Figure("batch time", .millis, batches.millis, note: batches.timesText),
        Figure(
            "rows/s of the limit program, 1 thread", .number, oneThread,
            note: "reads the files and finds three fields of every row, nothing else"),
        Figure("rows/s of the limit program, 2 threads", .number, twoThreads),
        Figure("CPU per row of the limit program", .micros, limits.map { $0.one.cpuSeconds * 1e6 / rows }),
        Figure("rate against the limit on 2 threads", .times, zip(runs, twoThreads).map { $0.rowsPerSecond / $1 }),
    ]
    if bench.withSpark { figures += SparkComparison.measure(bench, input, truth: truth, runs) }
    return figures
}
