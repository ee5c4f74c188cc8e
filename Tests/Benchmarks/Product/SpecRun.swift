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
        let folder = RunFolder("\(bench.folder)/run", spec: spec)
        cost = run(folder.command(bench.binary), output: folder.log)
        check(folder.output)
        let lines = readText(folder.progress).split(separator: "\n")
        let middle = lines.dropFirst(lines.count / 2).prefix(max(1, lines.count / 4))
        stateBytes = median(middle.map { Self.sum("memoryUsedBytes", in: $0) })
        stateRows = median(middle.map { Self.sum("numRowsTotal", in: $0) })
        removeFolder(folder.path)
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
