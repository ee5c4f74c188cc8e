// The columns a decoder fills, in the form the hot path wants them: plain numbers in raw memory, names with the quotes
// and the colon they stand in, to compare eight bytes at a time, and a small hash table for names that come in an
// unexpected order.

internal import Glibc
internal import SluicePlan
internal import SluiceSpec

/// What the decoder must know of one column. The column's place in `DecodedColumns` is its slot.
@safe struct DecodedColumn {
    enum Kind: UInt8 {
        case string, int, long, double, boolean, timestamp, date, decimal
        /// Not a type that a record can hold: the column is always null.
        case none
    }

    var kind = Kind.none
    var precision: UInt8 = 0
    var scale: UInt8 = 0
    /// `"name":`, the usual text between a field's opening quote and its value, without blanks.
    var pattern = unsafe UnsafeRawPointer(bitPattern: 16)!
    var patternByteCount = 0
    /// The first and the last eight bytes of the pattern, or twice what it has.
    var head: UInt64 = 0
    var tail: UInt64 = 0
    /// The bits of `head` and `tail` that count.
    var mask: UInt64 = 0
    /// The next column that is read from the same field, or -1.
    var sameField: Int32 = -1
    /// The column that followed this one in the last record that was walked, or -1.
    var successor: Int32 = -1
}

/// Columns and field names of one input; fixed at plan time but for what the walk learns about the order of fields.
@safe struct DecodedColumns: ~Copyable {
    let count: Int
    /// `count` columns.
    let table: UnsafeMutablePointer<DecodedColumn>
    /// True when each field feeds one column and no name needs an escape in JSON.
    private(set) var isWalkable = true
    private var names = ByteBuffer()
    /// Open addressing over column numbers; -1 is free. The size is a power of two at least twice `count`.
    private let buckets: UnsafeMutablePointer<Int32>
    private let bucketMask: UInt64

    init(_ columns: [InputColumn]) {
        count = columns.count
        unsafe table = .allocate(capacity: max(1, columns.count))
        unsafe table.initialize(repeating: DecodedColumn(), count: max(1, columns.count))
        var bucketCount = 4
        while bucketCount < columns.count * 2 { bucketCount *= 2 }
        unsafe buckets = .allocate(capacity: bucketCount)
        unsafe buckets.initialize(repeating: -1, count: bucketCount)
        bucketMask = UInt64(bucketCount - 1)
        var names = ByteBuffer()
        for (index, column) in columns.enumerated() {
            guard case .field(let name) = column.origin else { continue }
            unsafe table[index] = DecodedColumn(column.type)
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
        for index in columns.indices {
            unsafe table[index].setPattern(start)
            unsafe start += table[index].patternByteCount
        }
        for index in columns.indices {
            guard case .field(let name) = columns[index].origin else { continue }
            let isFirst = unsafe Array(name.utf8).withUnsafeBytes { unsafe enter(index, $0) }
            isWalkable = isWalkable && isFirst
        }
    }

    deinit {
        unsafe table.deallocate()
        unsafe buckets.deallocate()
    }

    /// The first column with this field name, or -1. O(1).
    func column(named name: UnsafeRawBufferPointer) -> Int {
        var bucket = unsafe DecodedColumns.hash(name) & bucketMask
        while true {
            let column = unsafe Int(buckets[Int(bucket)])
            if column < 0 { return -1 }
            if unsafe isName(name, of: column) { return column }
            bucket = (bucket &+ 1) & bucketMask
        }
    }

    private func isName(_ name: UnsafeRawBufferPointer, of column: Int) -> Bool {
        guard unsafe name.count + 3 == table[column].patternByteCount else { return false }
        let expected = unsafe table[column].pattern + 1
        return name.indices.allSatisfy { unsafe name[$0] == expected.load(fromByteOffset: $0, as: UInt8.self) }
    }

    /// Puts a column into the table; false when its field feeds another column already.
    private func enter(_ column: Int, _ name: UnsafeRawBufferPointer) -> Bool {
        var bucket = unsafe DecodedColumns.hash(name) & bucketMask
        while unsafe buckets[Int(bucket)] >= 0 {
            var other = unsafe Int(buckets[Int(bucket)])
            if unsafe isName(name, of: other) {
                while unsafe table[other].sameField >= 0 { other = unsafe Int(table[other].sameField) }
                unsafe table[other].sameField = Int32(column)
                return false
            }
            bucket = (bucket &+ 1) & bucketMask
        }
        unsafe buckets[Int(bucket)] = Int32(column)
        return true
    }

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

    init(_ type: DataType) {
        switch type {
        case .string: kind = .string
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
