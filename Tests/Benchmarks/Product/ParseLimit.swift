// The limit that no program over JSON files can pass: reading them and finding three fields of every row, and nothing
// else. It runs as a process of its own, so that its CPU is its own.

import CParseLimit
import Glibc

struct ParseLimit {
    static let option = "--parse"

    /// What a run read.
    private struct Total: Equatable {
        var rows: UInt64 = 0
        var bytes: UInt64 = 0
    }

    /// Runs the program over an input and checks that it saw all of it.
    static func measure(_ bench: Bench, _ input: Input, threads: Int) -> ProcessCost {
        let log = "\(bench.folder)/parse-limit.txt"
        let cost = run(
            [CommandLine.arguments[0], option, String(threads), input.folder], processors: threads, output: log)
        let workload = input.workload
        let visitBytes = "\"visit-000000000\"\"/shop/page-000000.html\"\"2024-01-01T00:00:00.000Z\"".utf8.count
        let adBytes = "\"campaign-0000\"\"/shop/page-000000.html\"\"2024-01-01T00:00:00.000Z\"".utf8.count
        let expected = "\(workload.rows * 2) \(workload.rows * (visitBytes + adBytes))\n"
        guard readText(log) == expected else { fail("the limit program read \(readText(log)), there is \(expected)") }
        unlink(log)
        return cost
    }

    /// `--parse THREADS FOLDER`
    static func main(_ arguments: [String]) {
        guard arguments.count == 2, let threads = Int(arguments[0]), threads > 0 else {
            fail("\(option) THREADS FOLDER")
        }
        let files = ["visits", "ads"].flatMap { side in
            list("\(arguments[1])/\(side)").map { (path: "\(arguments[1])/\(side)/\($0)", isVisits: side == "visits") }
        }
        let totals = inParallel(threads) { thread in
            var total = Total()
            for index in stride(from: thread, to: files.count, by: threads) {
                parse(files[index].path, isVisits: files[index].isVisits, &total)
            }
            return total
        }
        print(totals.reduce(0) { $0 + $1.rows }, totals.reduce(0) { $0 + $1.bytes })
    }

    private static func parse(_ path: String, isVisits: Bool, _ total: inout Total) {
        let names = isVisits ? ["visit_id", "event_time", "page"] : ["page", "display_time", "campaign_name"]
        let copies = names.map { strdup($0) }
        defer { for copy in copies { free(copy) } }
        let fields = copies.map { UnsafePointer($0) }
        let error = parse_limit_file(path, fields, &total.rows, &total.bytes)
        guard error == 0 else { fail("simdjson's error \(error) in \(path)") }
    }
}
