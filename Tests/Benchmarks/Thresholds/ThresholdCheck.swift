// What CI can hold without a clock: instructions a row and allocations a batch, counted by valgrind on small fixed
// inputs. Each number is the difference of two runs, so that start and end of the process cancel:
//
//     instructions a row     (I(24,000 rows a side) - I(12,000)) / 24,000        ten batches each
//     allocations a batch    (A(48 batches) - A(16)) / 32                        one row a side in each
//     … that rows add        (A(24,000 rows a side) - A(12,000)) / 10            buffers that double once more
//
// `thresholds` compares with the committed numbers of this compiler, `thresholds --update` rewrites them.

import Glibc

enum ThresholdCheck {
    private static let rows = (small: 12_000, large: 24_000)
    private static let batches = 10
    private static let oneRowBatches = (small: 16, large: 48)

    static func main(_ arguments: [String], binary: String) {
        guard arguments.isEmpty || arguments == ["--update"] else { fail("thresholds [--update]") }
        for tool in [valgrind, strip] where !exists(tool) { fail("there is no \(tool): docker/setup.sh installs it") }
        let folder = temporaryFolder()
        makeFolder(folder)
        let bench = Bench(binary: "\(folder)/sluice", folder: folder)
        // Valgrind does not read the debug information of newer compilers, and gives up on it.
        _ = run([strip, "--strip-debug", "-o", bench.binary, binary])
        let measured = measure(bench)
        removeFolder(bench.folder)
        if arguments.isEmpty {
            compare(measured)
        } else {
            writeFile(path, Array(Thresholds.text(measured).utf8))
            print("wrote \(path)")
        }
    }

    private static let valgrind = "/usr/bin/valgrind"
    private static let strip = "/usr/bin/strip"

    /// Beside this file in the repository, one a compiler.
    private static var path: String {
        let own = "\(#filePath)"
        return own[..<(own.lastIndex(of: "/") ?? own.endIndex)] + "/6.3.json"
    }

    private static func compare(_ measured: [Threshold]) {
        let committed = Thresholds.read(path)
        var failures = 0
        for new in measured {
            guard let old = committed.first(where: { $0.name == new.name }) else {
                fail("\(path) has no \(new.name): run `Benchmarks thresholds --update` and commit it")
            }
            let isAbove = new.value > old.value * (1 + new.tolerance)
            failures += isAbove ? 1 : 0
            let change = decimal((new.value / old.value - 1) * 100, digits: 1)
            print(
                "\(isAbove ? "ABOVE" : "ok   ") \(new.name): \(text(new)), committed \(text(old)): \(change) %,"
                    + " at most \(decimal(new.tolerance * 100, digits: 0)) %")
        }
        guard failures == 0 else {
            fail(
                "\(failures) of \(measured.count) numbers are above the committed ones. Find what has become slower,"
                    + " or, if it is worth it, commit the new numbers of `Benchmarks thresholds --update` and say why.")
        }
    }

    private static func text(_ threshold: Threshold) -> String { decimal(threshold.value, digits: 1) }
}

// MARK: Counting

extension ThresholdCheck {
    private static func measure(_ bench: Bench) -> [Threshold] {
        let counted = [rows.small, rows.large].map { count(bench, input(bench, rows: $0, batches: batches)) }
        let wide = [rows.small, rows.large].map {
            count(bench, input(bench, rows: $0, batches: batches, isWide: true), allocations: false)
        }
        let oneRow = [oneRowBatches.small, oneRowBatches.large].map {
            count(bench, input(bench, rows: $0, batches: $0))
        }
        let rowCount = Double(rows.large - rows.small) * 2
        let batchCount = Double(oneRowBatches.large - oneRowBatches.small)
        func instructions(_ counts: [Counts], _ divisor: Double) -> Double {
            Double(counts[1].instructions - counts[0].instructions) / divisor
        }
        func allocations(_ counts: [Counts], _ divisor: Double) -> Double {
            Double(counts[1].allocations - counts[0].allocations) / divisor
        }
        return [
            Threshold(name: "instructions per row", value: instructions(counted, rowCount)),
            Threshold(name: "instructions per wide row", value: instructions(wide, rowCount)),
            // How many rounds of merging fall into so few batches is a matter of timing.
            Threshold(
                name: "instructions per batch of 1 row a side", value: instructions(oneRow, batchCount), tolerance: 0.15
            ),
            Threshold(name: "allocations per batch of 1 row a side", value: allocations(oneRow, batchCount)),
            // So is which worker's buffers a chunk falls to.
            Threshold(
                name: "allocations per batch that twice the rows add",
                value: allocations(counted, Double(batches)), tolerance: 0.15),
        ]
    }

    private struct Counts {
        var instructions = 0
        var allocations = 0
    }

    /// 1,200 s of event time, whatever the rows: as many buckets of state, with more rows in each.
    private static func input(_ bench: Bench, rows: Int, batches: Int, isWide: Bool = false) -> Input {
        var workload = Workload()
        (workload.rows, workload.batches, workload.fillerCount) = (rows, batches, isWide ? 27 : 0)
        workload.rowsPerSecond = max(1, rows / 1200)
        workload.pages = workload.rowsPerSecond * 120
        return Input(bench, workload)
    }

    /// Runs the product over an input under valgrind, checks the answer and removes both.
    private static func count(_ bench: Bench, _ input: Input, allocations: Bool = true) -> Counts {
        defer { input.remove() }
        let truth = Truth(input.workload).answer(.leftOuter)
        var counts = Counts()
        counts.instructions = number(
            "Collected :", of: ["--tool=callgrind", "--callgrind-out-file=/dev/null"], bench, input, truth)
        if allocations {
            counts.allocations = number(
                "total heap usage:", of: ["--tool=memcheck", "--leak-check=no", "--undef-value-errors=no"], bench,
                input, truth)
        }
        return counts
    }

    /// The number behind a word in valgrind's closing lines.
    private static func number(
        _ name: String, of tool: [String], _ bench: Bench, _ input: Input, _ truth: Answer
    ) -> Int {
        let folder = RunFolder("\(bench.folder)/run", input.spec, input.workload)
        // One processor: the same threads on every machine.
        _ = run([valgrind] + tool + folder.command(bench.binary), processors: 1, output: folder.log)
        folder.check(input.workload, truth)
        let log = readText(folder.log)
        // "total heap usage: 1,234 allocs"
        let rest = log.firstRange(of: name).map { log[$0.upperBound...].drop { $0 == " " } } ?? ""
        let digits = rest.prefix { $0.isNumber || $0 == "," }.filter { $0 != "," }
        guard let number = Int(digits) else { fail("valgrind printed no \(name)\n\(log.suffix(2000))") }
        removeFolder(folder.path)
        return number
    }
}
