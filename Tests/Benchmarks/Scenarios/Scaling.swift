// What more processors, more shards and wider rows change.

/// One processor and two, in turn.
func measureWorkers(_ bench: Bench) -> [Figure] {
    let input = Input(bench, bench.workload)
    defer { input.remove() }
    let truth = Truth(input.workload).answer(.leftOuter)
    let runs = bench.inTurn(0..<2) { JoinRun(bench, input, input.spec, truth: truth, processors: $0 + 1) }
    let (one, two) = (runs[0], runs[1])
    return [
        Figure("rows/s on 1 processor", .number, one.map(\.rowsPerSecond), note: "CPU \(cpuText(one))"),
        Figure("rows/s on 2 processors", .number, two.map(\.rowsPerSecond), note: "CPU \(cpuText(two))"),
        Figure("rate of 2 processors against 1", .times, zip(one, two).map { $1.rowsPerSecond / $0.rowsPerSecond }),
    ]
}

/// Numbers of shards, in turn.
func measureShards(_ bench: Bench) -> [Figure] {
    let counts = [1, 2, 4, 16, 64]
    let input = Input(bench, bench.workload)
    defer { input.remove() }
    let truth = Truth(input.workload).answer(.leftOuter)
    let runs = bench.inTurn(counts.indices) { index in
        var spec = input.spec
        spec.shards = counts[index]
        return JoinRun(bench, input, spec, truth: truth)
    }
    return zip(counts, runs).map { count, runs in
        let memory = Unit.megabytes.text(median(runs.map(\.peakMegabytes)))
        return Figure(
            "rows/s, \(count) shard\(count == 1 ? "" : "s")", .number, runs.map(\.rowsPerSecond),
            note: "CPU \(cpuText(runs)), \(memory)")
    }
}

/// Thirty columns a row, of which five are needed, beside three.
func measureWideRows(_ bench: Bench) -> [Figure] {
    var workload = bench.workload
    workload.rows /= 5
    var wideWorkload = workload
    wideWorkload.fillerCount = 27
    let narrow = Input(bench, workload, name: "input-narrow")
    let wide = Input(bench, wideWorkload, name: "input-wide")
    defer { for input in [narrow, wide] { input.remove() } }
    let inputs = [narrow, wide]
    let truths = inputs.map { Truth($0.workload).answer(.leftOuter) }
    let runs = bench.inTurn(inputs.indices) { JoinRun(bench, inputs[$0], inputs[$0].spec, truth: truths[$0]) }
    var figures: [Figure] = []
    for (index, name) in ["3 columns, 3 needed", "30 columns, 5 needed"].enumerated() {
        let bytes = Double(inputs[index].byteCount)
        let speed = median(runs[index].map { bytes / 1e6 / $0.cost.seconds })
        figures.append(
            Figure(
                "rows/s, \(name)", .number, runs[index].map(\.rowsPerSecond),
                note: "\(Int(bytes) / inputs[index].workload.rows / 2) bytes a row, \(Int(speed)) MB/s,"
                    + " CPU \(cpuText(runs[index]))"))
    }
    return figures
}
