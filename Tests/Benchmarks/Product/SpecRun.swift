// One run of any spec of one query over files, from an empty checkpoint to the end of its input.

import Glibc

struct SpecRun {
    let cost: ProcessCost
    /// The median over batches in the middle of the run of what state takes in memory, all stages together.
    let stateBytes: Double
    /// The same of its rows.
    let stateRows: Double

    /// - Parameters:
    ///   - spec: with a sink that writes to the folder `out`.
    ///   - check: ends the program unless the right rows are in the folder.
    init(_ bench: Bench, _ spec: String, check: (_ output: String) -> Void) {
        let folder = "\(bench.folder)/run"
        makeFolder(folder)
        writeFile("\(folder)/spec.yaml", Array(spec.utf8))
        let progress = "\(folder)/progress.jsonl"
        cost = run(
            [
                bench.binary, "run", "\(folder)/spec.yaml", "--trigger", "available_now", "--progress", progress,
                "--log-level", "warning",
            ], output: "\(folder)/log.txt")
        check("\(folder)/out")
        let lines = readText(progress).split(separator: "\n")
        let middle = lines.dropFirst(lines.count / 2).prefix(max(1, lines.count / 4))
        stateBytes = median(middle.map { Self.sum("memoryUsedBytes", in: $0) })
        stateRows = median(middle.map { Self.sum("numRowsTotal", in: $0) })
        removeFolder(folder)
    }

    /// Of a member of each stage's.
    private static func sum(_ member: String, in line: Substring) -> Double {
        var total = 0.0
        var rest = line
        while let place = rest.firstRange(of: "\"\(member)\":") {
            rest = rest[place.upperBound...]
            total += Double(rest.prefix { $0.isNumber }) ?? 0
        }
        return total
    }
}
