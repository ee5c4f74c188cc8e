/// What the product says of one batch in its progress file.
struct ProgressRecord {
    let batch: Int
    let millis: Int
    let inputRows: Int
    let outputRows: Int
    let stateRows: Int

    /// All whole lines of a progress file.
    static func all(in path: String) -> [ProgressRecord] {
        guard exists(path) else { return [] }
        let lines = readText(path).split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        return lines.map { line in
            func number(_ name: String) -> Int {
                guard let place = line.firstRange(of: "\"\(name)\":"),
                    let number = Int(line[place.upperBound...].prefix { $0.isNumber || $0 == "-" })
                else { fail("no \(name) in \(path): \(line)") }
                return number
            }
            return ProgressRecord(
                batch: number("batchId"), millis: number("batchDuration"), inputRows: number("numInputRows"),
                outputRows: number("numOutputRows"), stateRows: number("numRowsTotal"))
        }
    }
}

extension [ProgressRecord] {
    var millis: [Double] { map { Double($0.millis) } }

    /// Batches that read something.
    var withInput: [ProgressRecord] { filter { $0.inputRows > 0 } }

    var timesText: String {
        "median \(Int(median(millis))) ms, p99 \(Int(percentile(millis, 0.99))) ms of \(count) batches"
    }
}
