// A look at a source's first rows, for what is no error and still hardly meant: a column that never has a value because
// its path leads nowhere, times in another unit than was said. The rows are decoded for it once more, so that the loop
// that reads all of them does nothing for it.

internal import SluicePlan

/// What the first rows of a source hold, by the slots of its columns. Rows that its filters drop do not count.
package struct FirstLook: Hashable, Sendable {
    package var rowCount = 0
    /// How many rows have no value.
    package var nullCounts: [Int]
    /// How many rows are bad for this column's sake, each counted for the first that is at fault.
    package var badCounts: [Int]
    /// The values of timestamps, in microseconds; empty for other columns.
    package var times: [[Int64]]

    /// So many rows are looked at.
    package static let rowCountMax = 1000

    package init(columnCount: Int) {
        nullCounts = [Int](repeating: 0, count: columnCount)
        badCounts = nullCounts
        times = [[Int64]](repeating: [], count: columnCount)
    }

    /// Takes in what another worker, or another batch, has seen. Looks of the same columns only.
    package mutating func add(_ other: FirstLook) {
        if nullCounts.isEmpty { self = FirstLook(columnCount: other.nullCounts.count) }
        rowCount += other.rowCount
        for slot in other.nullCounts.indices {
            nullCounts[slot] += other.nullCounts[slot]
            badCounts[slot] += other.badCounts[slot]
            times[slot] += other.times[slot].prefix(Self.rowCountMax - min(Self.rowCountMax, times[slot].count))
        }
    }

    /// - Parameter badSlot: the column that makes the row bad, where one does.
    mutating func note(_ row: PackedRow, badSlot: Int?, _ timeSlots: [Int]) {
        rowCount += 1
        if let badSlot { badCounts[badSlot] += 1 }
        for slot in nullCounts.indices where row.isNull(slot) { nullCounts[slot] += 1 }
        for slot in timeSlots where !row.isNull(slot) { times[slot].append(row.integer(slot)) }
    }
}
