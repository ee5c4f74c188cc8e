// A table's rows by the columns that a join names: a hash over an array of entries, built once for a version of the
// table and then only read.

package import SluicePlan
package import SluiceSpec

/// One table by one set of keys.
package final class TableIndex: @unchecked Sendable {
    // @unchecked: written by `init` alone.
    package let rows: TableRows
    /// The first entry for a hash, plus one; 0 for none.
    private let heads: [UInt32]
    private let entries: [Entry]
    private let mask: UInt64

    struct Entry {
        var hash: UInt64
        /// Of the row in the table.
        var row: UInt32
        /// The next entry in the same place, plus one; 0 for none.
        var next: UInt32
    }

    /// Two rows with the same keys in a table that says it has none.
    package struct Duplicate: Error, Sendable {
        /// The keys' names and the first row's values, such as `id = 'd1'`.
        package var values: String
        /// Of both rows among the table's, from 1.
        package var numbers: [Int]
    }

    /// - Parameters:
    ///   - stage: the lookup; its keys are names of slots of the table's rows.
    ///   - isUnique: whether no two rows may have the same keys.
    package init(_ rows: TableRows, _ lookup: LookupPlan, leftTypes: [DataType], isUnique: Bool) throws(Duplicate) {
        self.rows = rows
        let layout = RowLayout(rows.columns)
        let types = [leftTypes, rows.columns.map(\.type)]
        let keys = JoinKeyColumns(lookup.keys, side: 1, types: types)
        var size = 16
        while size < rows.rowCount * 2 { size *= 2 }
        mask = UInt64(size - 1)
        var heads = [UInt32](repeating: 0, count: size)
        var entries: [Entry] = []
        entries.reserveCapacity(rows.rowCount)
        // From the last row on, so that partners come out in the order of the table.
        for number in stride(from: rows.rowCount - 1, through: 0, by: -1) {
            let row = unsafe PackedRow(base: rows.row(number), layout: layout)
            let (hash, neverMatches) = keys.hash(row)
            if neverMatches { continue }
            let place = Int(hash & mask)
            entries.append(Entry(hash: hash, row: UInt32(number), next: heads[place]))
            heads[place] = UInt32(entries.count)
        }
        self.heads = heads
        self.entries = entries
        if isUnique, !lookup.keys.isEmpty { try checkUnique(lookup, layout) }
    }

    /// The first entry that may have the hash, for `entry`; nil when there is none.
    @inline(__always)
    func first(_ hash: UInt64) -> UInt32 { heads[Int(hash & mask)] }

    @inline(__always)
    func entry(_ place: UInt32) -> Entry { entries[Int(place) - 1] }

    private func checkUnique(_ lookup: LookupPlan, _ layout: RowLayout) throws(Duplicate) {
        let own = lookup.keys.map { JoinKey(left: $0.right, right: $0.right, isNullSafe: $0.isNullSafe) }
        let types = rows.columns.map(\.type)
        let same = JoinKeyColumns(own, side: 0, types: [types, types])
        for entry in entries {
            let row = unsafe PackedRow(base: rows.row(Int(entry.row)), layout: layout)
            var next = entry.next
            while next != 0 {
                let other = self.entry(next)
                next = other.next
                let second = unsafe PackedRow(base: rows.row(Int(other.row)), layout: layout)
                guard other.hash == entry.hash, same.areEqual(row, second, hasWidenings: false) else { continue }
                let values = own.map { key in
                    "\(rows.columns[key.left].name.column) = \(text(row, key.left, types[key.left]))"
                }
                throw Duplicate(
                    values: values.joined(separator: ", "),
                    numbers: [Int(entry.row) + 1, Int(other.row) + 1].sorted())
            }
        }
    }

    private func text(_ row: PackedRow, _ column: Int, _ type: DataType) -> String {
        if row.isNull(column) { return "null" }
        switch type {
        case .string, .json: return unsafe "'\(String(decoding: row.bytes(column), as: UTF8.self))'"
        case .double: return "\(row.double(column))"
        case .decimal: return "\(row.decimal(column))"
        default: return "\(row.integer(column))"
        }
    }
}

/// Where the engine finds a lookup's table; set between batches.
final class TableSlot: @unchecked Sendable {
    // @unchecked: changed by the query's thread while no worker runs.
    var index: TableIndex?
}
