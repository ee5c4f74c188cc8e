// Keys that are not alike. About one match a row in each case, so that only the spread of keys differs: ads are made
// for their visits, and a key with half of all rows has so many that a bound's length holds one.

/// The design's workload 50 times slower, with delays and disorder as much longer: as many rows live, and the hot key's
/// ten rows a second have about one match within 0.1 s.
private func workload(_ bench: Bench, _ keys: Workload.Keys) -> Workload {
    var workload = bench.workload
    workload.rowsPerSecond = 20
    workload.boundMillis = 100
    workload.disorderMillis *= 50
    workload.delayMillis *= 50
    workload.keys = keys
    workload.matches = .constructed
    return workload
}

func measureHotKey(_ bench: Bench) -> [Figure] {
    let kinds: [(name: String, workload: Workload)] = [
        ("uniform keys", workload(bench, .uniform)),
        ("Zipf 1.2", workload(bench, Workload.zipf(exponent: 1.2, pages: bench.workload.pages))),
        ("one key with half of all rows", workload(bench, .oneHot)),
    ]
    let inputs = kinds.enumerated().map { Input(bench, $1.workload, name: "input-\($0)") }
    defer { for input in inputs { input.remove() } }
    let truths = inputs.map { Truth($0.workload).answer(.leftOuter) }
    let runs = bench.inTurn(kinds.indices) { JoinRun(bench, inputs[$0], inputs[$0].spec, truth: truths[$0]) }
    var figures: [Figure] = []
    for (index, kind) in kinds.enumerated() {
        let matches = Double(truths[index].pairs) / Double(kind.workload.rows)
        let note = "\(decimal(matches, digits: 2)) matches a visit, CPU \(cpuText(runs[index]))"
        figures.append(Figure("rows/s, \(kind.name)", .number, runs[index].map(\.rowsPerSecond), note: note))
    }
    func ratio(_ index: Int) -> [Double] { zip(runs[index], runs[0]).map { $0.rowsPerSecond / $1.rowsPerSecond } }
    figures.append(Figure("rate, Zipf 1.2 against uniform", .times, ratio(1)))
    figures.append(Figure(.hotKey, ratio(2), note: "of the uniform rate"))
    return figures
}

func cpuText(_ runs: [JoinRun]) -> String { "\(Unit.micros.text(median(runs.map(\.cpuMicrosPerRow)))) a row" }
