// What `sluice tune` says of an interval, against what happens when the query is really run at it. Rows come at a fixed
// rate into two followed files; the query runs for a while at a trigger of a second, is asked for advice, gets the
// interval that was recommended by a command while it runs, and is measured there from outside:
//
//     1 s ──tune──▶ shortest stable interval ──tune --latency 300ms──▶ cheapest that meets it      (then --replay)
//
// A batch's time is the product's own; a row's latency is from the append of its pair to the moment the file with the
// joined row gets its name. The replay comes last and has seen those batches, so that its figures are no forecast.

import Glibc

func measureAdvice(_ bench: Bench) -> [Figure] {
    let rates = bench.size([200, 5000, 50_000], quick: [2000])
    let types = bench.size([JoinType.inner, .leftOuter, .fullOuter], quick: [.leftOuter])
    let seconds = bench.size(12.0, quick: 6.5)
    var trials: [AdviceTrial] = []
    for rate in rates {
        for type in types {
            trials += AdviceRun(bench, rate: rate, type: type, seconds: seconds).measure()
        }
    }
    return trials.flatMap(\.figures) + summary(trials)
}

private func summary(_ trials: [AdviceTrial]) -> [Figure] {
    func errors(_ of: (AdviceTrial) -> Double?) -> [Double] { trials.compactMap(of).map { abs($0) } }
    func figure(_ name: String, _ errors: [Double]) -> Figure? {
        guard let longest = errors.max() else { return nil }
        return Figure(name, .percent, median(errors), note: "the largest of \(errors.count): \(Int(longest)) %")
    }
    let lost = trials.count { !$0.isKeptUp }
    return [
        figure("model, batch time: median error", errors(\.batchError)),
        figure("model, p50: median error", errors(\.p50Error)),
        figure("model, p99: median error", errors(\.p99Error)),
        figure("replay, batch time: median error", errors(\.replayBatchError)),
        figure("replay, p99: median error", errors(\.replayP99Error)),
        Figure("recommended, and did not keep up", .number, Double(lost), note: "of \(trials.count)"),
    ].compactMap { $0 }
}

/// One interval: what was said of it, and what was measured.
private struct AdviceTrial {
    var name: String
    var trigger: String
    var model: Prediction
    var replay: Prediction?
    var batchMillis: [Double]
    var latencyMillis: [Double]
    var utilisation: Double

    /// What is called stable leaves room: a query that falls behind is busy all the time.
    var isKeptUp: Bool { utilisation < 0.8 }

    /// Percent that the prediction is above what was measured.
    var batchError: Double { batchError(model.batch) }
    var p50Error: Double { Self.error(model.p50, median(latencyMillis)) }
    var p99Error: Double { Self.error(model.p99, percentile(latencyMillis, 0.99)) }
    var replayBatchError: Double? { replay.map { batchError($0.batch) } }
    var replayP99Error: Double? { replay.map { Self.error($0.p99, percentile(latencyMillis, 0.99)) } }

    /// Progress has whole milliseconds, rounded down: whatever lies between is right.
    private func batchError(_ said: Double) -> Double {
        let measured = median(batchMillis)
        return Self.error(said, min(max(said, measured), measured + 1))
    }

    private static func error(_ said: Double, _ measured: Double) -> Double { (said / measured - 1) * 100 }

    var figures: [Figure] {
        func said(_ value: KeyPath<Prediction, Double>) -> String {
            let more = replay.map { ", replay \(decimal($0[keyPath: value], digits: 1))" } ?? ""
            return "said \(decimal(model[keyPath: value], digits: 1))\(more)"
        }
        return [
            Figure(
                "\(name), \(trigger): batch", .millis, [median(batchMillis)],
                note: "\(said(\.batch)); \(batchMillis.count) batches, \(Int(utilisation * 100)) % busy"),
            Figure("\(name), \(trigger): p50", .millis, [median(latencyMillis)], note: said(\.p50)),
            Figure("\(name), \(trigger): p99", .millis, [percentile(latencyMillis, 0.99)], note: said(\.p99)),
        ]
    }
}

/// What advice says of one interval, in milliseconds.
private struct Prediction {
    var batch: Double
    var p50: Double
    var p99: Double

    /// - Parameter json: of `tune --format json`.
    init?(_ json: String, trigger: String) {
        guard let candidates = json.firstRange(of: "\"candidates\":"),
            let place = json[candidates.upperBound...].firstRange(of: "\"trigger\":\"\(trigger)\"")
        else { return nil }
        let rest = json[place.upperBound...]
        func number(_ name: String) -> Double? {
            guard let found = rest.firstRange(of: "\"\(name)\":") else { return nil }
            return Double(rest[found.upperBound...].prefix { $0.isNumber || $0 == "." || $0 == "e" || $0 == "-" })
        }
        guard let batch = number("batchMs"), let p50 = number("p50"), let p99 = number("p99") else { return nil }
        (self.batch, self.p50, self.p99) = (batch, p50, p99)
    }
}

/// A query at a rate, asked for advice and moved to what was recommended.
private struct AdviceRun {
    private let bench: Bench
    private let name: String
    private let rate: Int
    private let seconds: Double
    private let workload: Workload
    private let folder: RunFolder

    init(_ bench: Bench, rate: Int, type: JoinType, seconds: Double) {
        self.bench = bench
        self.rate = rate
        self.seconds = seconds
        var workload = bench.workload
        // Rows leave state while the run lasts.
        (workload.delayMillis, workload.boundMillis) = (2000, 1000)
        self.workload = workload
        name = "\(grouped(rate)) rows/s a side, \(type.rawValue)"
        let path = "\(bench.folder)/run"
        makeFolder(path)
        for name in ["visits", "ads"] { writeFile("\(path)/\(name).jsonl", []) }
        var spec = JoinSpec(
            visits: "file: { path: visits.jsonl, follow: true }", ads: "file: { path: ads.jsonl, follow: true }",
            sink: "file: { path: out }")
        spec.type = type
        spec.trigger = "1s"
        folder = RunFolder(path, spec, workload)
        makeFolder(folder.output)
    }

    func measure() -> [AdviceTrial] {
        var feed = PairFeed(workload, folder: folder, rate: rate)
        let address = "unix:\(folder.path)/socket"
        let child = Child(
            folder.command(bench.binary, onAndOn: true) + ["--listen", address], output: folder.log)
        child.wait(for: "the listener") { readText(folder.log).contains("listening on") }
        feed.run(seconds: seconds)
        var trials: [AdviceTrial] = []
        for question in [[], ["--latency", "300ms"]] {
            let json = tune(question)
            guard let trigger = text(after: "\"recommended\":\"", in: json),
                let model = Prediction(json, trigger: trigger)
            else { fail("no advice: \(json)") }
            _ = run([bench.binary, "trigger", "visits_ads", trigger, "--to", address], output: folder.log)
            trials.append(trial(trigger, model, &feed))
        }
        guard child.stop().exitCode == 0 else { fail("sluice failed:\n\(readText(folder.log))") }
        let triggers = trials.map(\.trigger).joined(separator: ",")
        let json = tune(["--replay", "--intervals", triggers])
        for index in trials.indices { trials[index].replay = Prediction(json, trigger: trials[index].trigger) }
        feed.close()
        removeFolder(folder.path)
        return trials
    }

    /// What happens at an interval once it is in force.
    private func trial(_ trigger: String, _ model: Prediction, _ feed: inout PairFeed) -> AdviceTrial {
        feed.run(seconds: seconds / 6)
        let before = ProgressRecord.all(in: folder.progress).count
        feed.latencies = []
        feed.run(seconds: seconds)
        let records = ProgressRecord.all(in: folder.progress).dropFirst(before)
        let busy = records.reduce(0) { $0 + $1.millis }
        return AdviceTrial(
            name: name, trigger: trigger, model: model, batchMillis: Array(records).withInput.millis,
            latencyMillis: feed.latencies, utilisation: Double(busy) / 1000 / seconds)
    }

    /// `tune --format json` with more options.
    private func tune(_ options: [String]) -> String {
        let output = "\(folder.path)/advice.json"
        unlink(output)
        let command = [bench.binary, "tune", folder.specPath, "--query", "visits_ads", "--format", "json"]
        _ = run(command + options, output: output)
        return readText(output)
    }

    private func text(after mark: String, in json: String) -> String? {
        json.firstRange(of: mark).map { String(json[$0.upperBound...].prefix { $0 != "\"" }) }
    }
}

/// Appends pairs of a visit and an ad at a rate, and takes the time until each pair's joined row can be read.
private struct PairFeed {
    private let workload: Workload
    private let forms: Workload.Forms
    private let folder: RunFolder
    private let rate: Int
    private let files: [Int32]
    private var watch: MovedFiles
    private var pair = 0
    /// Pairs are appended in pieces: the first pair of each, and when it was appended.
    private var pieces: [(first: Int, seconds: Double)] = []
    /// Of pairs that have come out, in milliseconds.
    var latencies: [Double] = []

    init(_ workload: Workload, folder: RunFolder, rate: Int) {
        self.workload = workload
        self.folder = folder
        self.rate = rate
        forms = workload.forms
        files = ["visits", "ads"].map { open("\(folder.path)/\($0).jsonl", O_WRONLY | O_APPEND) }
        watch = MovedFiles(in: folder.output)
    }

    func close() {
        for file in files { Glibc.close(file) }
        watch.close()
    }

    /// A piece every five milliseconds.
    mutating func run(seconds: Double) {
        let start = monotonicSeconds()
        let first = pair
        while true {
            let now = monotonicSeconds()
            if now - start >= seconds { break }
            append(upTo: first + Int((now - start) * Double(rate)))
            readOutput(untilSeconds: now + 0.005)
        }
    }

    /// Every tenth visit has no ad.
    private mutating func append(upTo end: Int) {
        guard end > pair else { return }
        var texts: [[UInt8]] = [[], []]
        for index in pair..<end {
            var values = RowValues()
            let visit = Workload.Visit(
                page: index % workload.pages, timeMillis: Workload.startMillis + index * 1000 / rate)
            workload.setVisit(index, visit, in: &values)
            forms.visit.append(values, to: &texts[0])
            texts[0].append(UInt8(ascii: "\n"))
            if index % 10 == 0 { continue }
            workload.setAd(campaign: Workload.campaign(ofAd: index), visit, in: &values)
            forms.ad.append(values, to: &texts[1])
            texts[1].append(UInt8(ascii: "\n"))
        }
        pieces.append((pair, monotonicSeconds()))
        pair = end
        for (file, text) in zip(files, texts) where write(file, text, text.count) != text.count {
            fail("cannot append rows")
        }
    }

    /// Waits for output files until a time, and notes when their rows were there.
    private mutating func readOutput(untilSeconds: Double) {
        repeat {
            for name in watch.next(untilSeconds: untilSeconds) where name.hasSuffix(".jsonl") {
                let now = monotonicSeconds()
                let bytes = readFile("\(folder.output)/\(name)")
                unlink("\(folder.output)/\(name)")
                bytes.withUnsafeBytes { note($0, at: now) }
            }
        } while monotonicSeconds() < untilSeconds
    }

    /// Rows of a visit alone have no latency: they wait for the watermark.
    private mutating func note(_ text: UnsafeRawBufferPointer, at seconds: Double) {
        var start = 0
        while start < text.count {
            let end = text[start...].firstIndex(of: UInt8(ascii: "\n")) ?? text.count
            let line = UnsafeRawBufferPointer(rebasing: text[start..<end])
            if line.count == forms.pair.byteCount, let row = forms.pair.read(line) {
                latencies.append((seconds - appendedSeconds(row[.visit])) * 1000)
            }
            start = end + 1
        }
    }

    private func appendedSeconds(_ pair: Int) -> Double {
        var (low, high) = (0, pieces.count)
        while high - low > 1 {
            let middle = (low + high) / 2
            if pieces[middle].first <= pair { low = middle } else { high = middle }
        }
        return pieces[low].seconds
    }
}
