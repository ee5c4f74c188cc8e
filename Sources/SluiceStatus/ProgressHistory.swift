// The last progress records of a query, as JSON. The newest are texts; older ones are kept in compressed blocks, since
// records of one query differ little: a thousand of them take about as much memory as fifty.

/// At least the last `recordsKept` records. A value; O(1) a record, amortized.
struct ProgressHistory: Sendable {
    static let recordsKept = 1000
    private static let blockRecords = 50

    private struct Block {
        var lines: DeflatedBytes
        var count: Int
    }

    /// Oldest first; every one has `blockRecords`.
    private var blocks: [Block] = []
    private var recent: [[UInt8]] = []

    var count: Int { blocks.count * Self.blockRecords + recent.count }

    /// - Parameter json: one line.
    mutating func append(_ json: [UInt8]) {
        recent.append(json)
        guard recent.count > Self.blockRecords else { return }
        let full = recent.prefix(Self.blockRecords)
        blocks.append(
            Block(lines: DeflatedBytes(Array(full.joined(separator: [UInt8(ascii: "\n")]))), count: full.count))
        recent.removeFirst(full.count)
        // Without the oldest block there still must be enough.
        if count - Self.blockRecords >= Self.recordsKept { blocks.removeFirst() }
    }

    /// Oldest first.
    func last(_ wanted: Int) -> [[UInt8]] {
        var records = Array(recent.suffix(wanted))
        for block in blocks.reversed() where records.count < wanted {
            let lines = block.lines.inflated.split(separator: UInt8(ascii: "\n"))
            records.insert(contentsOf: lines.suffix(wanted - records.count).map(Array.init), at: 0)
        }
        return records
    }
}
