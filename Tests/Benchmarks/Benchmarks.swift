// Measures the release binary on the `visits-ads` workload and checks its answers against the truth.
//
//     swift build -c release && .build/release/Benchmarks [--rows 1000000] [--batches 50] [--seed 1] [--keep]
//         [--folder DIR] [--kafka BROKERS [--rounds 3]]
//
// From files to files; with `--kafka localhost:9094` from Kafka to Kafka, beside a bare forwarder on the same broker.
// A kept run, and one that failed, leaves its folder and its topics.

import Glibc

@main
struct Benchmarks {
    static func main() {
        let arguments = Array(CommandLine.arguments.dropFirst())
        if arguments.first == Forwarder.option {
            Forwarder.main(Array(arguments.dropFirst()))
            return
        }
        let options = Options(arguments)
        if let brokers = options.kafkaBrokers {
            KafkaBenchmark.measure(options, brokers: brokers, binary: binary)
        } else {
            throughput(options.workload, folder: options.folder, binary: binary)
            fixedCost(rowsPerBatch: 0, folder: options.folder, binary: binary)
            fixedCost(rowsPerBatch: 1, folder: options.folder, binary: binary)
        }
        if !options.keeps { removeFolder(options.folder) }
    }

    struct Options {
        var workload = Workload()
        var folder = "/tmp/sluice-benchmark-\(getpid())"
        var keeps = false
        var kafkaBrokers: String?
        var rounds = 3

        init(_ given: [String]) {
            var arguments = given
            while let option = arguments.first {
                arguments.removeFirst()
                func value() -> String {
                    guard let value = arguments.first else { fail("\(option) needs a value") }
                    arguments.removeFirst()
                    return value
                }
                func number() -> Int {
                    guard let number = Int(value()), number > 0 else { fail("\(option) needs a positive number") }
                    return number
                }
                switch option {
                case "--rows": workload.rows = number()
                case "--batches": workload.batches = number()
                case "--seed": workload.seed = UInt64(number())
                case "--folder": folder = value()
                case "--keep": keeps = true
                case "--kafka": kafkaBrokers = value()
                case "--rounds": rounds = number()
                default:
                    fail(
                        "unknown option \(option): --rows N --batches N --seed N --folder DIR --keep"
                            + " --kafka BROKERS --rounds N")
                }
            }
        }
    }

    /// The product's binary stands beside this one.
    static var binary: String {
        let own = CommandLine.arguments[0]
        guard let slash = own.lastIndex(of: "/") else { fail("start this program by its path") }
        return "\(own[..<slash])/sluice"
    }

    static func throughput(_ workload: Workload, folder: String, binary: String) {
        let (visits, ads) = (workload.side(0), workload.side(1))
        let inputBytes = workload.write(visits: visits, ads: ads, to: "\(folder)/large")
        let truth = workload.truth(visits: visits, ads: ads)
        writeFileSpec("\(folder)/large")
        let cost = run(command(binary, "\(folder)/large"))
        guard cost.exitCode == 0 else { fail("sluice ended with \(cost.exitCode)") }
        let answer = workload.answer(in: "\(folder)/large/out")
        guard answer == truth else { fail("the answer is wrong: \(answer), the truth is \(truth)") }
        let rows = Double(workload.rows * 2)
        let outputBytes = list("\(folder)/large/out").reduce(0) { $0 + readFile("\(folder)/large/out/\($1)").count }
        print("visits-ads: \(workload.rows) rows a side, \(inputBytes / 1_000_000) MB, \(workload.batches) batches")
        print("  answer         right: \(truth.matched) pairs, \(truth.unmatched) visits without an ad")
        print("  rows/s         \(Int(rows / cost.seconds))")
        print("  CPU            \(rounded(cost.cpuSeconds)) s, \(rounded(cost.cpuSeconds / rows * 1e6)) µs a row")
        print("  peak memory    \(cost.peakBytes / 1_000_000) MB")
        print(
            "  bytes written  \(outputBytes) output, \(cost.writtenBytes - outputBytes) checkpoint and progress"
                + " (\(rounded(Double(cost.writtenBytes - outputBytes) / rows)) a row)")
        print("  batch time     \(batchTimes(batchMillis("\(folder)/large/progress.jsonl")))")
    }

    static func fixedCost(rowsPerBatch: Int, folder: String, binary: String) {
        let place = "\(folder)/small-\(rowsPerBatch)"
        var workload = Workload()
        workload.batches = 200
        workload.rows = workload.batches * rowsPerBatch
        _ = workload.write(visits: workload.side(0), ads: workload.side(1), to: place)
        writeFileSpec(place)
        let cost = run(command(binary, place))
        guard cost.exitCode == 0 else { fail("sluice ended with \(cost.exitCode)") }
        print("a batch with \(rowsPerBatch) rows a side, durable, \(workload.batches) times")
        print("  whole process  \(rounded(cost.seconds / Double(workload.batches) * 1000)) ms a batch")
        print("  batch time     \(batchTimes(batchMillis("\(place)/progress.jsonl")))")
    }

    private static func writeFileSpec(_ folder: String) {
        let visits = "file: { path: visits, max_files_per_trigger: 1 }"
        let ads = "file: { path: ads, max_files_per_trigger: 1 }"
        let text = spec(visits: visits, ads: ads, query: "visits_ads", sink: "file: { path: out }")
        writeFile("\(folder)/spec.yaml", Array(text.utf8))
    }
}

// MARK: What both kinds of measurement share

extension Benchmarks {
    static func command(_ binary: String, _ folder: String) -> [String] {
        [binary, "run", "\(folder)/spec.yaml", "--trigger", "available_now", "--progress", "\(folder)/progress.jsonl"]
    }

    /// The durations of a run's batches in milliseconds, ascending.
    static func batchMillis(_ progress: String) -> [Int] {
        let times = String(decoding: readFile(progress), as: UTF8.self).split(separator: "\n").compactMap { line in
            line.split(separator: ",").first { $0.hasPrefix("\"batchDuration\":") }.flatMap { Int($0.dropFirst(16)) }
        }.sorted()
        guard !times.isEmpty else { fail("no batch in \(progress)") }
        return times
    }

    /// - Parameter times: ascending.
    static func batchTimes(_ times: [Int]) -> String {
        "median \(times[times.count / 2]) ms, p99 \(times[times.count * 99 / 100]) ms"
    }

    static func rounded(_ value: Double) -> Double { (value * 1000).rounded() / 1000 }

    /// The workload's join between connectors of any kind.
    static func spec(visits: String, ads: String, query: String, sink: String) -> String {
        """
        sluice: 1
        sources:
          visits:
            \(visits)
            format: json
            columns: { visit_id: string, event_time: timestamp, page: string }
            watermark: { column: event_time, delay: 10 minutes }
          ads:
            \(ads)
            format: json
            columns: { page: string, display_time: timestamp, campaign_name: string }
            watermark: { column: display_time, delay: 10 minutes }
        queries:
          \(query):
            from: visits
            join:
              - with: ads
                type: left outer
                keys: { visits.page: ads.page }
                within: ads.display_time between visits.event_time and visits.event_time + 2 minutes
            select:
              visit_id: visits.visit_id
              event_time: visits.event_time
              visit_page: visits.page
              page: ads.page
              display_time: ads.display_time
              campaign_name: ads.campaign_name
            trigger: as_fast_as_possible
            to: enriched
        sinks:
          enriched:
            \(sink)
            format: json

        """
    }
}
