// Measures the release binary against the budgets of the design, and checks every answer against the truth.
//
//     swift build -c release && .build/release/Benchmarks [--quick] [--only NAME,NAME] [--json FILE] …
//
// `Benchmarks --help` lists the options, `--list` the scenarios; README.md beside this file says what they do. A run
// that failed leaves its files.

import Glibc

@main
struct Benchmarks {
    static func main() {
        let arguments = Array(CommandLine.arguments.dropFirst())
        let rest = Array(arguments.dropFirst())
        switch arguments.first {
        case "--help", "-h": print(Options.usage)
        case "--list": for scenario in Scenario.all { print("\(scenario.name): \(scenario.summary)") }
        case Forwarder.option: Forwarder.main(rest)
        case ParseLimit.option: ParseLimit.main(rest)
        case "thresholds": ThresholdCheck.main(rest, binary: binary)
        default: measure(Options(arguments, binary: binary))
        }
    }

    /// The product's binary stands beside this one.
    private static var binary: String {
        let own = CommandLine.arguments[0]
        guard let slash = own.lastIndex(of: "/") else { fail("start this program by its path") }
        return "\(own[..<slash])/sluice"
    }

    private static func measure(_ options: Options) {
        let bench = options.bench
        guard exists(bench.binary) else { fail("there is no \(bench.binary): swift build -c release") }
        if bench.withSpark { SparkComparison.require() }
        makeFolder(bench.folder)
        var report = Report()
        report.settings = settings(bench)
        print(
            "\(bench.workload.rows) rows a side, \(bench.workload.batches) batches, \(bench.rounds) rounds;"
                + " \(Processors.own.count) processors, load \(loadAverage)")
        for scenario in options.scenarios {
            let start = monotonicSeconds()
            print("\n\(scenario.name): \(scenario.summary)")
            fflush(nil)
            let figures = scenario.measure(bench)
            report.sections.append(
                Report.Section(scenario: scenario.name, figures: figures, seconds: monotonicSeconds() - start))
            print(Report.lines(report.sections[report.sections.count - 1]))
            fflush(nil)
        }
        print("\n\(report.table)\n")
        if bench.isQuick { print("Quick sizes: the answers are right; the budgets are meant for the full ones.") }
        report.settings.append(("load_at_end", "[\(loadAverage.split(separator: " ").joined(separator: ", "))]"))
        if let path = options.jsonPath { writeFile(path, Array(report.json.utf8)) }
        if !bench.keeps { removeFolder(bench.folder) }
    }

    private static func settings(_ bench: Bench) -> [(name: String, value: String)] {
        [
            ("processors", "\(Processors.own.count)"),
            ("load_at_start", "[\(loadAverage.split(separator: " ").joined(separator: ", "))]"),
            ("quick", "\(bench.isQuick)"), ("rows_a_side", "\(bench.workload.rows)"),
            ("batches", "\(bench.workload.batches)"), ("rounds", "\(bench.rounds)"), ("seed", "\(bench.workload.seed)"),
        ]
    }

    /// How many processes wanted a processor in the last 1, 5 and 15 minutes.
    private static var loadAverage: String {
        var loads = [Double](repeating: 0, count: 3)
        getloadavg(&loads, 3)
        return loads.map { decimal($0, digits: 2) }.joined(separator: " ")
    }
}

/// A name for a folder that nobody else has.
func temporaryFolder() -> String {
    let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    return "\(parent)/sluice-benchmark-\(getpid())"
}
