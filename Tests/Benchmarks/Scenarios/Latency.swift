// How soon a joined row can be read after the row that completes it was appended. Visits and ads come in pairs of one
// page each, an ad and then its visit or the other way round, 1,000 rows a second into two followed files:
//
//     append ad, note the time ─▶ append visit, note the time ─▶ … ─▶ batch-0000000123.jsonl appears, note the time
//
// Times are taken here, outside the product: before the second row of a pair is appended, and when the file that holds
// the joined row has got its name.

import Glibc

func measureLatency(_ bench: Bench) -> [Figure] {
    let seconds = bench.size(20, quick: 2)
    let rounds = (0..<bench.rounds).map { _ -> [Double] in
        var probe = LatencyProbe(bench)
        return probe.measure(rows: seconds * 1000)
    }
    let all = rounds.flatMap { $0 }
    let note =
        "median \(decimal(median(all), digits: 1)) ms, longest \(decimal(all.max() ?? 0, digits: 1)) ms,"
        + " \(grouped(all.count)) pairs"
    return [Figure(.latency, rounds.map { percentile($0, 0.99) }, note: note)]
}

private struct LatencyProbe {
    private let bench: Bench
    private let folder: RunFolder
    private let workload: Workload
    private let forms: Workload.Forms
    /// When the second row of a pair was appended, by the visit's number.
    private var appendedSeconds: [Double] = []
    private var joinedSeconds: [Double] = []
    private var joinedCount = 0

    init(_ bench: Bench) {
        self.bench = bench
        var workload = bench.workload
        workload.disorderMillis = 1
        self.workload = workload
        forms = workload.forms
        let path = "\(bench.folder)/run"
        for name in ["visits", "ads"] { writeEmpty("\(path)/\(name).jsonl", in: path) }
        var spec = JoinSpec(
            visits: "file: { path: visits.jsonl, follow: true }", ads: "file: { path: ads.jsonl, follow: true }",
            sink: "file: { path: out }")
        spec.trigger = "10 ms"
        folder = RunFolder(path, spec, workload)
        makeFolder(folder.output)
    }

    /// Appends rows at 1,000 a second and returns the latencies of all pairs in milliseconds.
    mutating func measure(rows: Int) -> [Double] {
        let watch = MovedFiles(in: folder.output)
        let sides = ["visits", "ads"].map { open("\(folder.path)/\($0).jsonl", O_WRONLY | O_APPEND) }
        let child = Child(folder.command(bench.binary, onAndOn: true), output: folder.log)
        (appendedSeconds, joinedSeconds) = ([], [Double](repeating: 0, count: rows / 2))
        // The first batch is measured elsewhere.
        usleep(300_000)
        let start = monotonicSeconds()
        for row in 0..<rows {
            while monotonicSeconds() < start + Double(row) / 1000 {
                read(watch, untilSeconds: start + Double(row) / 1000)
            }
            append(row, to: sides)
        }
        child.wait(for: "the last joined row", seconds: 30, pauseMicros: 0) {
            read(watch, untilSeconds: monotonicSeconds() + 0.01)
            return joinedCount == rows / 2
        }
        guard child.stop().exitCode == 0 else { fail("sluice failed:\n\(readText(folder.log))") }
        for descriptor in sides { close(descriptor) }
        watch.close()
        removeFolder(folder.path)
        return zip(appendedSeconds, joinedSeconds).map { ($1 - $0) * 1000 }
    }

    /// Every other pair begins with its visit.
    private mutating func append(_ row: Int, to sides: [Int32]) {
        let pair = row / 2
        let isVisit = (row % 2 == 0) == (pair % 2 == 0)
        var values = RowValues()
        let time = Workload.startMillis + pair * 2
        let visit = Workload.Visit(page: pair % workload.pages, timeMillis: time)
        var line: [UInt8] = []
        if isVisit {
            workload.setVisit(pair, visit, in: &values)
            forms.visit.append(values, to: &line)
        } else {
            workload.setAd(campaign: Workload.campaign(ofAd: pair), visit, in: &values)
            forms.ad.append(values, to: &line)
        }
        line.append(UInt8(ascii: "\n"))
        if row % 2 == 1 { appendedSeconds.append(monotonicSeconds()) }
        guard write(sides[isVisit ? 0 : 1], line, line.count) == line.count else { fail("cannot append a row") }
    }

    /// Waits for output files until a time, and notes when their rows were there.
    private mutating func read(_ watch: MovedFiles, untilSeconds: Double) {
        let names = watch.next(untilSeconds: untilSeconds)
        let now = monotonicSeconds()
        for name in names where name.hasSuffix(".jsonl") {
            let bytes = readFile("\(folder.output)/\(name)")
            bytes.withUnsafeBytes { note($0, at: now) }
        }
    }

    private mutating func note(_ text: UnsafeRawBufferPointer, at seconds: Double) {
        let width = forms.pair.byteCount + 1
        guard text.count % width == 0 else { fail("a file with rows that are no pairs") }
        for start in stride(from: 0, to: text.count, by: width) {
            let line = UnsafeRawBufferPointer(rebasing: text[start..<start + width - 1])
            guard let pair = forms.pair.read(line), pair[.visitPage] == pair[.adPage],
                joinedSeconds.indices.contains(pair[.visit]), joinedSeconds[pair[.visit]] == 0
            else { fail("a row that nobody expects: \(String(decoding: line, as: UTF8.self))") }
            joinedSeconds[pair[.visit]] = seconds
            joinedCount += 1
        }
    }
}

private func writeEmpty(_ path: String, in folder: String) {
    makeFolder(folder)
    writeFile(path, [])
}
