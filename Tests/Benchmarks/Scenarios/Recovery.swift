// A restart on a checkpoint with much state: from the start of the process to the end of its first batch.

import Glibc

func measureRecovery(_ bench: Bench) -> [Figure] {
    let sizes = StateSize.sizes(bench)
    return sizes.flatMap { size -> [Figure] in
        let restarts = max(3, bench.rounds)
        let workload = StateSize.workload(bench, fillFor: size, batches: restarts)
        let input = Input(bench, workload)
        defer { input.remove() }
        let state = StateSize(size, of: workload, bench)
        return [recover(bench, input, state, restarts: restarts)]
    }
}

private func recover(_ bench: Bench, _ input: Input, _ state: StateSize, restarts: Int) -> Figure {
    let workload = state.workload(input.workload)
    let waiting = "\(bench.folder)/waiting"
    let laterFiles = (workload.files.count - restarts..<workload.files.count).map(Workload.fileName)
    for side in ["visits", "ads"] {
        makeFolder("\(waiting)/\(side)")
        for name in laterFiles { rename("\(input.folder)/\(side)/\(name)", "\(waiting)/\(side)/\(name)") }
    }
    let folder = RunFolder("\(bench.folder)/run", input.spec, workload)
    _ = run(folder.command(bench.binary), output: folder.log)
    var stateRows = 0
    let seconds = laterFiles.map { name in
        for side in ["visits", "ads"] { rename("\(waiting)/\(side)/\(name)", "\(input.folder)/\(side)/\(name)") }
        let before = fileSize(folder.progress)
        let child = Child(folder.command(bench.binary), output: folder.log)
        child.wait(for: "a batch after the restart") { fileSize(folder.progress) > before }
        let seconds = monotonicSeconds() - child.startSeconds
        guard child.wait().exitCode == 0 else { fail("sluice failed:\n\(readText(folder.log))") }
        stateRows = ProgressRecord.all(in: folder.progress).last?.stateRows ?? 0
        return seconds
    }
    folder.check(workload, Truth(workload).answer(.leftOuter))
    removeFolder(folder.path)
    removeFolder(waiting)
    let note = "\(grouped(stateRows)) rows live, the answer is right after \(restarts) restarts"
    return state.rows == 1_000_000
        ? Figure(.restart, seconds, note: note)
        : Figure("restart with \(stateName(state.rows))", .seconds, seconds, note: note)
}
