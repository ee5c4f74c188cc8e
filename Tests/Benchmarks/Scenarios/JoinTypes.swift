// The same rows through every type of join, round by round in turn.

func measureJoinTypes(_ bench: Bench) -> [Figure] {
    let types = JoinType.allCases
    let (truths, runs) = run(bench, bench.workload, types)
    var figures = types.indices.map { index in
        Figure("rows/s, \(types[index].rawValue)", .number, runs[index].map(\.rowsPerSecond), note: "\(truths[index])")
    }
    figures.append(
        Figure(
            .leftOuter, timeRatios(runs[1], to: runs[0]),
            note: "by CPU \(cpuRatio(runs[1], to: runs[0])); the same pairs, and left outer also writes"
                + " \(grouped(truths[1].visitsAlone)) visits alone"))
    var matched = bench.workload
    matched.rows /= 5
    matched.matches = .constructed
    let matchedRuns = run(bench, matched, [.inner, .leftOuter]).runs
    figures.append(
        Figure(
            "time of left outer against inner, none alone", .times, timeRatios(matchedRuns[1], to: matchedRuns[0]),
            note: "by CPU \(cpuRatio(matchedRuns[1], to: matchedRuns[0])); every visit has an ad, so that both write"
                + " the same rows"))
    return figures
}

private func run(_ bench: Bench, _ workload: Workload, _ types: [JoinType]) -> (truths: [Answer], runs: [[JoinRun]]) {
    let input = Input(bench, workload)
    defer { input.remove() }
    let truth = Truth(workload)
    let truths = types.map { truth.answer($0) }
    let runs = bench.inTurn(types.indices) { index in
        var spec = input.spec
        spec.type = types[index]
        return JoinRun(bench, input, spec, truth: truths[index])
    }
    return (truths, runs)
}

/// Round by round.
private func timeRatios(_ runs: [JoinRun], to others: [JoinRun]) -> [Double] {
    zip(runs, others).map { $0.cost.seconds / $1.cost.seconds }
}

/// The same by CPU, which other processes on the machine disturb less.
private func cpuRatio(_ runs: [JoinRun], to others: [JoinRun]) -> String {
    decimal(median(zip(runs, others).map { $0.cost.cpuSeconds / $1.cost.cpuSeconds }), digits: 2)
}
