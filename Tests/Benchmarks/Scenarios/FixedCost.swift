// What a batch costs whatever is in it: two hundred of them with one row a side, and with none.

/// Time is that of the whole process, start and end included, because batches take a few of the progress file's whole
/// milliseconds.
func measureFixedCost(_ bench: Bench) -> [Figure] {
    var figures: [Figure] = []
    for rowsPerBatch in [1, 0] {
        var workload = bench.workload
        workload.batches = bench.size(200, quick: 50)
        workload.rows = workload.batches * rowsPerBatch
        let input = Input(bench, workload)
        defer { input.remove() }
        let truth = Truth(workload).answer(.leftOuter)
        let runs = (0..<max(3, bench.rounds)).map { _ in JoinRun(bench, input, input.spec, truth: truth) }
        let each = runs.map { $0.cost.seconds * 1000 / Double($0.batches.count) }
        let note = "whole process, \(runs[0].batches.count) batches; by its own account \(runs[0].batches.timesText)"
        figures.append(
            rowsPerBatch == 1
                ? Figure(.fixedCost, each, note: note) : Figure("a batch with 0 rows", .millis, each, note: note))
    }
    return figures
}
