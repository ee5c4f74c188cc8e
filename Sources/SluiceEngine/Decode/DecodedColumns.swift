// The fields a decoder looks for, in the form the hot path wants them: plain numbers in raw memory, names with the
// quotes and the colon they stand in, to compare eight bytes at a time, and a small hash table for names that come in
// an unexpected order. A column's path makes it a tree: the columns are its leaves, the objects and arrays on the way
// to them its inner nodes, the record itself its root. Without paths the root has nothing but leaves.

internal import Glibc
internal import SluicePlan
internal import SluiceSpec

/// What the decoder must know of one field that is wanted. A column's place in `DecodedColumns` is its slot; inner
/// nodes stand behind the columns.
@safe struct DecodedColumn {
    enum Kind: UInt8 {
        case string, int, long, double, boolean, timestamp, date, decimal
        /// A timestamp that is a number in a unit of its own, or text in a form of its own; a date in such a form.
        case epoch, timestampPattern, datePattern
        /// Not a type that a record can hold: the column is always null.
        case none
        /// From here on what is read by the walk's slower part: text of JSON, and the inner nodes.
        case json, object, array
    }

    var kind = Kind.none
    var precision: UInt8 = 0
    var scale: UInt8 = 0
    /// What the number of an `epoch` column counts.
    var unit = EpochUnit.seconds
    /// `"name":`, the usual text between a field's opening quote and its value, without blanks.
    var pattern = unsafe UnsafeRawPointer(bitPattern: 16)!
    var patternByteCount = 0
    /// The first and the last eight bytes of the pattern, or twice what it has.
    var head: UInt64 = 0
    var tail: UInt64 = 0
    /// The bits of `head` and `tail` that count.
    var mask: UInt64 = 0
    /// The next entry that is read from the same field, or -1.
    var sameField: Int32 = -1
    /// The entry that followed this one in the last object that was walked, or -1. In an array the wanted element
    /// with the next higher place.
    var successor: Int32 = -1
    /// The inner node that it lies in.
    var parent: Int32 = -1
    /// Of an inner node: the first wanted entry in the last object that was walked, or -1; of an array the wanted
    /// element with the lowest place.
    var first: Int32 = -1
    /// The place in an array.
    var element: Int32 = -1
}

/// The wanted fields of one input; fixed at plan time but for what the walk learns about the order of fields.
@safe struct DecodedColumns: ~Copyable {
    let count: Int
    /// The entry of the record itself.
    let root: Int
    /// `count` columns, the inner nodes, the root.
    let table: UnsafeMutablePointer<DecodedColumn>
    /// True when each field feeds one column and no name needs an escape in JSON.
    private(set) var isWalkable = true
    /// For each inner node the columns below it.
    private let leaves: [Int: [Int]]
    private var names = ByteBuffer()
    /// Open addressing over entries; -1 is free. The size is a power of two at least twice their number.
    private let buckets: UnsafeMutablePointer<Int32>
    private let bucketMask: UInt64

    init(_ columns: [InputColumn]) {
        let tree = FieldTree(columns)
        count = columns.count
        root = tree.entries.count - 1
        leaves = tree.leaves
        unsafe table = .allocate(capacity: tree.entries.count)
        unsafe table.initialize(repeating: DecodedColumn(), count: tree.entries.count)
        var bucketCount = 4
        while bucketCount < tree.entries.count * 2 { bucketCount *= 2 }
        unsafe buckets = .allocate(capacity: bucketCount)
        unsafe buckets.initialize(repeating: -1, count: bucketCount)
        bucketMask = UInt64(bucketCount - 1)
        var names = ByteBuffer()
        for (index, entry) in tree.entries.enumerated() {
            unsafe table[index] = entry.column
            guard case .name(let name)? = entry.step else { continue }
            unsafe table[index].patternByteCount = name.utf8.count + 3
            names.append(contentsOf: Array("\"\(name)\":".utf8))
            if name.utf8.contains(where: { $0 < 0x20 || $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "\\") }) {
                isWalkable = false
            }
        }
        // Patterns are compared in words of eight bytes. From here on the memory stays where it is.
        names.reserve(16)
        var start = unsafe UnsafeRawPointer(names.base)
        self.names = names
        for index in tree.entries.indices {
            unsafe table[index].setPattern(start)
            unsafe start += table[index].patternByteCount
        }
        for (index, entry) in tree.entries.enumerated() {
            switch entry.step {
            case .name(let name)?:
                let isFirst = unsafe Array(name.utf8).withUnsafeBytes { unsafe enter(index, $0) }
                isWalkable = isWalkable && isFirst
            case .element(let element)?: isWalkable = enter(index, element: Int32(element)) && isWalkable
            case nil: break
            }
        }
    }

    /// The columns below an inner node.
    func leaves(of node: Int) -> [Int] { leaves[node] ?? [] }

    deinit {
        unsafe table.deallocate()
        unsafe buckets.deallocate()
    }

    /// The first entry with this name in a node, or -1. O(1).
    func column(named name: UnsafeRawBufferPointer, in node: Int) -> Int {
        unsafe column(named: name, in: node, seed: seed(of: node))
    }

    /// As above, for a node whose seed is known.
    @inline(__always)
    func column(named name: UnsafeRawBufferPointer, in node: Int, seed: UInt64) -> Int {
        var bucket = unsafe (DecodedColumns.hash(name) &+ seed) & bucketMask
        while true {
            let column = unsafe Int(buckets[Int(bucket)])
            if column < 0 { return -1 }
            if unsafe Int(table[column].parent) == node && isName(name, of: column) { return column }
            bucket = (bucket &+ 1) & bucketMask
        }
    }

    private func isName(_ name: UnsafeRawBufferPointer, of column: Int) -> Bool {
        guard unsafe name.count + 3 == table[column].patternByteCount else { return false }
        let expected = unsafe table[column].pattern + 1
        return name.indices.allSatisfy { unsafe name[$0] == expected.load(fromByteOffset: $0, as: UInt8.self) }
    }

    /// The first entry of an element of an array, or -1. O(wanted elements).
    func column(element: Int, in node: Int) -> Int {
        var entry = unsafe Int(table[node].first)
        while entry >= 0, unsafe Int(table[entry].element) < element { entry = unsafe Int(table[entry].successor) }
        return unsafe entry >= 0 && Int(table[entry].element) == element ? entry : -1
    }

    /// Links an element into its array, by its place; false when the element feeds another entry already.
    private func enter(_ entry: Int, element: Int32) -> Bool {
        unsafe table[entry].element = element
        let parent = unsafe Int(table[entry].parent)
        var before = -1
        var next = unsafe Int(table[parent].first)
        while next >= 0, unsafe table[next].element < element {
            before = next
            next = unsafe Int(table[next].successor)
        }
        if next >= 0, unsafe table[next].element == element {
            chain(entry, behind: next)
            return false
        }
        unsafe table[entry].successor = Int32(next)
        if before < 0 {
            unsafe table[parent].first = Int32(entry)
        } else {
            unsafe table[before].successor = Int32(entry)
        }
        return true
    }

    private func chain(_ entry: Int, behind first: Int) {
        var last = first
        while unsafe table[last].sameField >= 0 { last = unsafe Int(table[last].sameField) }
        unsafe table[last].sameField = Int32(entry)
    }

    /// Puts an entry into the table; false when its field feeds another one already.
    private func enter(_ column: Int, _ name: UnsafeRawBufferPointer) -> Bool {
        let parent = unsafe Int(table[column].parent)
        var bucket = unsafe (DecodedColumns.hash(name) &+ seed(of: parent)) & bucketMask
        while unsafe buckets[Int(bucket)] >= 0 {
            let other = unsafe Int(buckets[Int(bucket)])
            if unsafe Int(table[other].parent) == parent && isName(name, of: other) {
                chain(column, behind: other)
                return false
            }
            bucket = (bucket &+ 1) & bucketMask
        }
        unsafe buckets[Int(bucket)] = Int32(column)
        return true
    }

    /// What the hashes of a node's names begin with, so that equal names of two nodes stand apart; 0 for the root.
    func seed(of node: Int) -> UInt64 { UInt64(truncatingIfNeeded: root &- node) &* 0xD6E8_FEB8_6659_FD93 }

    /// Length, first and last bytes: enough to tell a record's field names apart.
    @inline(__always)
    private static func hash(_ name: UnsafeRawBufferPointer) -> UInt64 {
        let count = name.count
        guard count > 0, let base = name.baseAddress else { return 0 }
        var first: UInt64
        var last: UInt64
        if count >= 8 {
            first = unsafe base.loadUnaligned(as: UInt64.self)
            last = unsafe base.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
        } else if count >= 4 {
            first = unsafe UInt64(base.loadUnaligned(as: UInt32.self))
            last = unsafe UInt64(base.loadUnaligned(fromByteOffset: count &- 4, as: UInt32.self))
        } else {
            first = unsafe UInt64(base.load(as: UInt8.self)) | UInt64(name[count &>> 1]) &<< 8
            last = unsafe UInt64(name[count &- 1])
        }
        first = (first ^ UInt64(count)) &* 0x9E37_79B9_7F4A_7C15
        last = (last ^ first &>> 32) &* 0xC2B2_AE3D_27D4_EB4F
        return last ^ last &>> 29
    }
}

extension DecodedColumn {
    /// Takes the pattern, `patternByteCount` bytes with eight more readable behind them.
    mutating func setPattern(_ start: UnsafeRawPointer) {
        guard patternByteCount > 0 else { return }
        unsafe pattern = unsafe start
        mask = patternByteCount < 8 ? 1 << UInt64(patternByteCount * 8) - 1 : .max
        unsafe head = UInt64(littleEndian: start.loadUnaligned(as: UInt64.self)) & mask
        unsafe tail = UInt64(littleEndian: (start + tailOffset).loadUnaligned(as: UInt64.self)) & mask
    }

    @inline(__always)
    private var tailOffset: Int { max(0, patternByteCount &- 8) }

    /// True when the field that begins at `quote` and has its colon `colonOffset` bytes further on is this column's,
    /// written in the usual way. Eight bytes behind the colon must be readable.
    @inline(__always)
    func isField(at quote: UnsafeRawPointer, colonOffset: Int) -> Bool {
        guard colonOffset &+ 1 == patternByteCount else { return false }
        let first = unsafe UInt64(littleEndian: quote.loadUnaligned(as: UInt64.self))
        let last = unsafe UInt64(littleEndian: (quote + tailOffset).loadUnaligned(as: UInt64.self))
        guard ((first ^ head) | (last ^ tail)) & mask == 0 else { return false }
        return unsafe patternByteCount <= 16 || memcmp(quote + 8, pattern + 8, patternByteCount &- 16) == 0
    }

    init(_ column: InputColumn) {
        self.init(column.type)
        switch column.form {
        case .usual: break
        case .epoch(let unit):
            kind = .epoch
            self.unit = unit
        case .pattern: kind = column.type == .date ? .datePattern : .timestampPattern
        }
    }

    private init(_ type: DataType) {
        switch type {
        case .string: kind = .string
        case .json: kind = .json
        case .int: kind = .int
        case .long: kind = .long
        case .double: kind = .double
        case .boolean: kind = .boolean
        case .timestamp: kind = .timestamp
        case .date: kind = .date
        case .decimal(let precision, let scale):
            kind = .decimal
            self.precision = UInt8(clamping: precision)
            self.scale = UInt8(clamping: scale)
        case .duration, .null: kind = .none
        }
    }
}

/// The paths of columns as a tree, before it is laid out: columns first, then inner nodes, the root last.
private struct FieldTree {
    struct Entry {
        var column: DecodedColumn
        /// The last step to it; nil for the root and for columns that are no fields.
        var step: FieldPath.Step?
    }

    private struct Place: Hashable {
        /// -1 is the root, until all others are known.
        var parent: Int
        var step: FieldPath.Step
        var isArray: Bool
    }

    private(set) var entries: [Entry]
    private(set) var leaves: [Int: [Int]] = [:]
    private var nodes: [Place: Int] = [:]

    init(_ columns: [InputColumn]) {
        entries = columns.map { column in
            guard case .field = column.origin else { return Entry(column: DecodedColumn(), step: nil) }
            return Entry(column: DecodedColumn(column), step: nil)
        }
        for (slot, column) in columns.enumerated() {
            guard case .field(let path) = column.origin else { continue }
            var parent = -1
            for (step, next) in zip(path.steps, path.steps.dropFirst()) {
                parent = node(Place(parent: parent, step: step, isArray: next.isElement))
                leaves[parent, default: []].append(slot)
            }
            entries[slot].column.parent = Int32(parent)
            entries[slot].step = path.steps.last
        }
        let root = entries.count
        entries.append(Entry(column: DecodedColumn(), step: nil))
        entries[root].column.kind = .object
        for index in entries.indices where entries[index].step != nil && entries[index].column.parent < 0 {
            entries[index].column.parent = Int32(root)
        }
    }

    private mutating func node(_ place: Place) -> Int {
        if let known = nodes[place] { return known }
        var column = DecodedColumn()
        column.kind = place.isArray ? .array : .object
        column.parent = Int32(place.parent)
        entries.append(Entry(column: column, step: place.step))
        nodes[place] = entries.count - 1
        return entries.count - 1
    }
}

extension FieldPath.Step {
    fileprivate var isElement: Bool { if case .element = self { true } else { false } }
}
