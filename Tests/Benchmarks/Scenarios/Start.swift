// A query that has just begun and then waits: how soon it is there, and what it costs to have it.

import Glibc

func measureStart(_ bench: Bench) -> [Figure] {
    var workload = bench.workload
    (workload.rows, workload.batches) = (1, 1)
    let input = Input(bench, workload)
    defer { input.remove() }
    var firstBatch: [Double] = []
    var idle: [String: [(bytes: Double, share: Double)]] = [:]
    for _ in 0..<max(5, bench.rounds) {
        let run = begin(bench, input, trigger: "as_fast_as_possible")
        firstBatch.append(run.millis)
        _ = run.child.stop()
    }
    let triggers = ["10 seconds", "10 ms"]
    for trigger in triggers { idle[trigger] = [rest(bench, input, trigger: trigger)] }
    var figures = [
        Figure(.start, firstBatch, note: "1 row a side, empty checkpoint"),
        Figure(.idleMemory, (idle[triggers[0]] ?? []).map(\.bytes), note: "resident, after the first batch"),
    ]
    for trigger in triggers {
        figures.append(Figure("idle CPU, trigger \(trigger)", .percent, (idle[trigger] ?? []).map(\.share)))
    }
    return figures
}

/// Starts the query and waits for its first batch.
private func begin(_ bench: Bench, _ input: Input, trigger: String) -> (child: Child, millis: Double) {
    removeFolder("\(bench.folder)/run")
    var spec = input.spec
    spec.trigger = trigger
    let folder = RunFolder("\(bench.folder)/run", spec, input.workload)
    let child = Child(folder.command(bench.binary, onAndOn: true), output: folder.log)
    child.wait(for: "the first batch", pauseMicros: 100) { fileSize(folder.progress) > 0 }
    return (child, (monotonicSeconds() - child.startSeconds) * 1000)
}

/// What a query with nothing to do takes: megabytes, and the share of a processor in per cent.
private func rest(_ bench: Bench, _ input: Input, trigger: String) -> (bytes: Double, share: Double) {
    let child = begin(bench, input, trigger: trigger).child
    // Whatever belongs to the first batch is over.
    sleep(1)
    let (cpu, start) = (child.cpuSeconds, monotonicSeconds())
    sleep(bench.size(10, quick: 1))
    let share = (child.cpuSeconds - cpu) / (monotonicSeconds() - start) * 100
    let bytes = Double(child.residentBytes) / 1e6
    guard child.stop().exitCode == 0 else { fail("sluice failed:\n\(readText("\(bench.folder)/run/log.txt"))") }
    removeFolder("\(bench.folder)/run")
    return (bytes, share)
}
