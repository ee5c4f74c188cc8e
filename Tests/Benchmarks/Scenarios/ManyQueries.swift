// Many queries in one process: what a heavy one does to light ones, and what a hundred that wait cost.
//
// Light queries follow a file of visits and one of ads each, 100 rows a second by query, with a trigger of a second.
// The heavy one joins the workload's files as fast as it can. Light batches count by their own account while the heavy
// query runs, and in the same span without it; the two take turns.

import Glibc

private let lightCount = 20

func measureManyQueries(_ bench: Bench) -> [Figure] {
    var heavy = bench.workload
    heavy.rows = bench.size(12_000_000, quick: 300_000)
    let input = Input(bench, heavy)
    defer { input.remove() }
    let seconds = bench.size(8.0, quick: 2.0)
    let batches = bench.inTurn(0..<2) { kind in
        LightQueries(bench, heavy: kind == 1 ? input : nil).run(seconds: seconds)
    }
    let p99 = batches.map { rounds in rounds.map { percentile($0.millis, 0.99) } }
    let names = ["alone", "beside one at full load"]
    var figures = zip(names, zip(p99, batches)).map { name, measured in
        Figure(
            "light batch, p99, \(name)", .millis, measured.0, note: measured.1.flatMap { $0 }.timesText)
    }
    figures.append(
        Figure(.fairness, zip(p99[0], p99[1]).map { $1 / max($0, 1) }, note: "p99 of under 1 ms counts as 1"))
    return figures + measureIdleQueries(bench, count: bench.size(100, quick: 20))
}

/// Light queries in one process, with or without a heavy one.
private struct LightQueries {
    private let bench: Bench
    private let heavy: Input?
    private let path: String

    init(_ bench: Bench, heavy: Input?) {
        self.bench = bench
        self.heavy = heavy
        path = "\(bench.folder)/run"
    }

    /// Appends rows for a while and returns the light batches that had any.
    func run(seconds: Double) -> [ProgressRecord] {
        let specs = writeSpecs(path, count: lightCount, trigger: "1 second")
        let command = command(bench.binary, specs + (heavy.map { [heavySpec($0)] } ?? []), path)
        let files = (0..<lightCount).map { number in
            ["visits", "ads"].map { open("\(path)/\(lightName(number)).\($0).jsonl", O_WRONLY | O_APPEND) }
        }
        let child = Child(command, output: "\(path)/log.txt")
        let start = monotonicSeconds()
        var tick = 0
        while monotonicSeconds() - start < seconds {
            for sides in files { append(tick, to: sides) }
            tick += 1
            usleep(useconds_t(max(0, (start + Double(tick) / 10 - monotonicSeconds()) * 1e6)))
        }
        let records = ProgressRecord.all(in: "\(path)/progress.jsonl")
        if heavy != nil, records.allSatisfy({ $0.inputRows < 10_000 }) { fail("the heavy query has not run") }
        let cost = child.stop()
        guard cost.exitCode == 0 else { fail("sluice failed:\n\(readText("\(path)/log.txt"))") }
        for descriptor in files.flatMap({ $0 }) { close(descriptor) }
        removeFolder(path)
        return records.withInput.filter { $0.inputRows < 10_000 }
    }

    private func heavySpec(_ input: Input) -> String {
        var spec = input.spec.named("heavy")
        spec.sink = "file: { path: heavy_out }"
        let file = "\(path)/heavy.yaml"
        writeFile(file, Array(spec.text(input.workload).utf8))
        return file
    }

    /// Five rows a side, a tenth of a second's share.
    private func append(_ tick: Int, to sides: [Int32]) {
        let forms = bench.workload.forms
        var lines: [[UInt8]] = [[], []]
        for row in tick * 5..<tick * 5 + 5 {
            let visit = Workload.Visit(page: row % 1000, timeMillis: Workload.startMillis + row * 20)
            var (own, other) = (RowValues(), RowValues())
            bench.workload.setVisit(row, visit, in: &own)
            bench.workload.setAd(campaign: Workload.campaign(ofAd: row), visit, in: &other)
            forms.visit.append(own, to: &lines[0])
            forms.ad.append(other, to: &lines[1])
            for side in 0..<2 { lines[side].append(UInt8(ascii: "\n")) }
        }
        for side in 0..<2 where write(sides[side], lines[side], lines[side].count) != lines[side].count {
            fail("cannot append rows")
        }
    }
}

/// What so many queries with nothing to do cost.
private func measureIdleQueries(_ bench: Bench, count: Int) -> [Figure] {
    let path = "\(bench.folder)/run"
    let specs = writeSpecs(path, count: count, trigger: "1 second")
    let child = Child(command(bench.binary, specs, path, logLevel: "info"), output: "\(path)/log.txt")
    child.wait(for: "all queries to start") {
        readText("\(path)/log.txt").split(separator: "\n").count { $0.contains("Query started") } == count
    }
    sleep(2)
    let (cpu, start) = (child.cpuSeconds, monotonicSeconds())
    sleep(bench.size(10, quick: 1))
    let share = (child.cpuSeconds - cpu) / (monotonicSeconds() - start) * 100
    let (bytes, threads, descriptors) = (child.residentBytes, child.threadCount, child.descriptorCount)
    guard child.stop().exitCode == 0 else { fail("sluice failed:\n\(readText("\(path)/log.txt"))") }
    removeFolder(path)
    let name = "\(count) idle queries, trigger 1 s"
    return [
        Figure("\(name): memory", .megabytes, [Double(bytes) / 1e6], note: "\(bytes / count / 1000) kB a query"),
        Figure("\(name): CPU", .percent, [share], note: "\(threads) threads, \(descriptors) descriptors"),
    ]
}

private func lightName(_ number: Int) -> String { "light_\(padded(number, 3))" }

/// Writes a spec for each of `count` light queries, and its empty files.
private func writeSpecs(_ path: String, count: Int, trigger: String) -> [String] {
    makeFolder(path)
    return (0..<count).map { number in
        let name = lightName(number)
        for side in ["visits", "ads"] { writeFile("\(path)/\(name).\(side).jsonl", []) }
        var spec = JoinSpec(
            visits: "file: { path: \(name).visits.jsonl, follow: true }",
            ads: "file: { path: \(name).ads.jsonl, follow: true }", sink: "file: { path: \(name)_out }")
        spec.trigger = trigger
        let file = "\(path)/\(name).yaml"
        writeFile(file, Array(spec.named(name).text(Workload()).utf8))
        return file
    }
}

private func command(_ binary: String, _ specs: [String], _ path: String, logLevel: String = "warning") -> [String] {
    [binary, "run"] + specs + ["--progress", "\(path)/progress.jsonl", "--log-level", logLevel]
}
