// The same rows through every type of join, round by round in turn.

func measureJoinTypes(_ bench: Bench) -> [Figure] {
    let input = Input(bench, bench.workload)
    let truth = Truth(input.workload)
    let truths = JoinType.allCases.map { truth.answer($0) }
    var runs = JoinType.allCases.map { _ in [JoinRun]() }
    for _ in 0..<bench.rounds {
        for (index, type) in JoinType.allCases.enumerated() {
            var spec = input.spec
            spec.type = type
            runs[index].append(JoinRun(bench, input, spec, truth: truths[index]))
        }
    }
    input.remove()
    var figures = zip(zip(JoinType.allCases, truths), runs).map { typed, runs in
        Figure("rows/s, \(typed.0.rawValue)", .number, runs.map(\.rowsPerSecond), note: "\(typed.1)")
    }
    let inner = runs[0], outer = runs[1]
    figures.append(
        Figure(
            .leftOuter, zip(inner, outer).map { $1.cost.seconds / $0.cost.seconds },
            note: "the same pairs; left outer also writes \(grouped(truths[1].visitsAlone)) visits alone"))
    return figures
}
