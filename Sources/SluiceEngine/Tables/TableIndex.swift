// A table's rows by the columns that a join names. Batches read an index that does not change; the rows of a topic
// change between batches, and then `TableKeys` makes another index of what it has kept.

package import SluicePlan
package import SluiceSpec

/// One table by one set of keys, as a batch looks it up.
@safe package final class TableIndex: @unchecked Sendable {
    // @unchecked: written by `init` alone; what it points to is kept by `owner`, and stays while the index is used.
    private let owner: AnyObject
    private let base: UnsafeRawPointer
    private let starts: [Int]
    private let chains: RowChains

    /// - Parameters:
    ///   - owner: keeps the memory behind `base`.
    ///   - starts: where each row begins behind `base`.
    fileprivate init(_ owner: AnyObject, _ base: UnsafeRawPointer, _ starts: [Int], _ chains: RowChains) {
        self.owner = owner
        unsafe self.base = unsafe base
        self.starts = starts
        self.chains = chains
    }

    /// The first entry that may have the hash, for `entry`; 0 when there is none.
    @inline(__always)
    func first(_ hash: UInt64) -> UInt32 { chains.first(hash) }

    @inline(__always)
    func entry(_ place: UInt32) -> RowChains.Entry { chains.entry(place) }

    /// The first byte of a row.
    @inline(__always)
    func row(_ number: Int) -> UnsafeRawPointer { unsafe base + starts[number] }
}

/// Two rows with the same keys in a table that says it has none.
package struct DuplicateRows: Error, Sendable {
    /// The keys' names and the first row's values, such as `id = 'd1'`.
    package var values: String
    /// Of both rows among the table's, from 0.
    package var numbers: [Int]
}

/// The rows of a table by the keys of one lookup, as they come and go.
package struct TableKeys {
    private let lookup: LookupPlan
    private let columns: [RowColumn]
    private let layout: RowLayout
    private let keys: JoinKeyColumns
    private let same: JoinKeyColumns
    private let isUnique: Bool
    private var chains: RowChains

    /// - Parameters:
    ///   - lookup: its keys are names of slots of the table's rows.
    ///   - leftTypes: of the rows that are looked up.
    ///   - isUnique: whether no two rows may have the same keys.
    ///   - capacity: how many rows to expect.
    package init(_ lookup: LookupPlan, columns: [RowColumn], leftTypes: [DataType], isUnique: Bool, capacity: Int) {
        self.lookup = lookup
        self.columns = columns
        let types = columns.map(\.type)
        layout = RowLayout(columns)
        keys = JoinKeyColumns(lookup.keys, side: 1, types: [leftTypes, types])
        let own = lookup.keys.map { JoinKey(left: $0.right, right: $0.right, isNullSafe: $0.isNullSafe) }
        same = JoinKeyColumns(own, side: 0, types: [types, types])
        self.isUnique = isUnique && !lookup.keys.isEmpty
        chains = RowChains(capacity: capacity)
    }

    /// Memory that it takes, in bytes.
    package var byteCount: Int { chains.byteCount }

    /// All rows of a table that does not change, so that partners come out in its order.
    /// - Throws: `DuplicateRows`, also of rows whose keys are equal as the left side compares them.
    package mutating func insertAll(of rows: TableRows) throws(DuplicateRows) {
        for number in stride(from: rows.rowCount - 1, through: 0, by: -1) {
            unsafe try insert(number) { unsafe rows.row($0) }
        }
    }

    /// - Parameter row: the first byte of a row by its number.
    mutating func insert(_ number: Int, _ row: (Int) -> UnsafeRawPointer) throws(DuplicateRows) {
        let packed = unsafe PackedRow(base: row(number), layout: layout)
        let (hash, neverMatches) = keys.hash(packed)
        if neverMatches { return }
        if isUnique {
            let other = chains.row(hash) { other in
                unsafe same.areEqual(packed, PackedRow(base: row(other), layout: layout), hasWidenings: false)
            }
            if let other {
                let first = unsafe PackedRow(base: row(min(number, other)), layout: layout)
                throw DuplicateRows(values: values(first), numbers: [number, other].sorted())
            }
        }
        chains.insert(hash, row: number)
    }

    mutating func remove(_ number: Int, _ row: UnsafeRawPointer) {
        let (hash, neverMatches) = keys.hash(unsafe PackedRow(base: row, layout: layout))
        if !neverMatches { chains.remove(hash, row: number) }
    }

    /// What a batch looks up. It must be given up before the rows change.
    package func index(of rows: TableRows) -> TableIndex { unsafe index(rows, rows.base, rows.starts) }

    func index(_ owner: AnyObject, _ base: UnsafeRawPointer, _ starts: [Int]) -> TableIndex {
        unsafe TableIndex(owner, base, starts, chains)
    }

    private func values(_ row: PackedRow) -> String {
        lookup.keys.map { "\(columns[$0.right].name.column) = \(text(row, $0.right))" }.joined(separator: ", ")
    }

    private func text(_ row: PackedRow, _ column: Int) -> String {
        if row.isNull(column) { return "null" }
        switch columns[column].type {
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
