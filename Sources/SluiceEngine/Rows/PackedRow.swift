// A row is bytes in an arena:
//
//     0                8 * nullWords        8 * (nullWords + columns)                 byteCount (multiple of 8)
//     | null bits ...  | slot 0 | slot 1 …  | text of strings, 16-byte decimals …  pad |
//
// Bit i of the null words (bit i % 64 of word i / 64) is set when column i is null; its slot is then 0. A slot is
// 8 bytes:
//     int, long, date        Int64 (a date is days since the epoch)
//     timestamp, duration    Int64 microseconds
//     double                 its bits
//     boolean                0 or 1
//     string                 offset from the row's first byte in the low 32 bits, byte count in the high 32; UTF-8
//     decimal                as a string: offset and 16, the bytes are an Int128 (not aligned)
//
// Rows start at multiples of 8. What stands in the padding is 0, so equal rows have equal bytes.

internal import SluicePlan
internal import SluiceSpec

/// Where things are in the packed rows of one input.
struct RowLayout: Hashable, Sendable {
    let types: [DataType]
    let nullWordCount: Int

    init(types: [DataType]) {
        self.types = types
        nullWordCount = max(1, (types.count + 63) / 64)
    }

    init(columns: some Sequence<InputColumn>) {
        self.init(types: columns.map(\.type))
    }

    var columnCount: Int { types.count }
    /// Byte offset of the first slot.
    var slotsOffset: Int { nullWordCount &* 8 }
    /// Bytes of a row whose variable part is empty.
    var fixedByteCount: Int { (nullWordCount &+ types.count) &* 8 }
}

/// A view of one packed row. Whoever makes one (the `unsafe` place) proves that the arena it points into is neither
/// grown nor freed while the view lives.
@safe struct PackedRow {
    let base: UnsafeRawPointer
    /// `RowLayout.slotsOffset` of the row's layout.
    let slotsOffset: Int

    @inline(__always)
    init(base: UnsafeRawPointer, layout: borrowing RowLayout) {
        unsafe self.base = base
        slotsOffset = layout.slotsOffset
    }

    @inline(__always)
    init(base: UnsafeRawPointer, slotsOffset: Int) {
        unsafe self.base = base
        self.slotsOffset = slotsOffset
    }

    @inline(__always)
    func isNull(_ column: Int) -> Bool {
        let word = unsafe base.load(fromByteOffset: (column &>> 6) &* 8, as: UInt64.self)
        return (word &>> UInt64(column & 63)) & 1 != 0
    }

    /// The slot's bits; 0 when the column is null.
    @inline(__always)
    func slot(_ column: Int) -> UInt64 {
        unsafe base.load(fromByteOffset: slotsOffset &+ column &* 8, as: UInt64.self)
    }

    @inline(__always)
    func integer(_ column: Int) -> Int64 { Int64(bitPattern: slot(column)) }

    @inline(__always)
    func double(_ column: Int) -> Double { Double(bitPattern: slot(column)) }

    /// The bytes of a string column (or the 16 of a decimal).
    @inline(__always)
    func bytes(_ column: Int) -> UnsafeRawBufferPointer {
        let slot = slot(column)
        return unsafe UnsafeRawBufferPointer(
            start: base + Int(truncatingIfNeeded: slot & 0xFFFF_FFFF), count: Int(truncatingIfNeeded: slot &>> 32))
    }

    @inline(__always)
    func decimal(_ column: Int) -> Int128 {
        unsafe bytes(column).loadUnaligned(as: Int128.self)
    }
}

/// Writes one packed row at the end of an arena: `begin`, then one `set…` per column that is not null, then `finish`.
/// Columns may be set in any order and more than once (the last one wins).
struct RowBuilder {
    let layout: RowLayout
    private let slotsOffset: Int
    private let fixedByteCount: Int
    private let columnCount: Int
    /// The last null word of a row of nulls.
    private let lastNullBits: UInt64
    /// Where the row begins in the arena.
    private(set) var start = 0

    init(layout: RowLayout) {
        self.layout = layout
        slotsOffset = layout.slotsOffset
        fixedByteCount = layout.fixedByteCount
        columnCount = layout.columnCount
        let rest = layout.columnCount - (layout.nullWordCount - 1) * 64
        lastNullBits = rest == 64 ? .max : 1 << UInt64(rest) - 1
    }

    /// Starts a row at the arena's end (a multiple of 8) with all columns null.
    @inline(__always)
    mutating func begin(_ arena: inout ByteBuffer) {
        arena.reserve(fixedByteCount &+ 8)
        start = arena.count
        let base = unsafe arena.base + start
        var offset = 8
        while offset < slotsOffset {
            unsafe base.storeBytes(of: .max, toByteOffset: offset &- 8, as: UInt64.self)
            offset &+= 8
        }
        unsafe base.storeBytes(of: lastNullBits, toByteOffset: offset &- 8, as: UInt64.self)
        // Two slots at a time; the odd one's neighbour is overwritten or cut off.
        while offset < fixedByteCount {
            unsafe (base + offset).storeBytes(of: .zero, as: SIMD2<UInt64>.self)
            offset &+= 16
        }
        arena.advance(by: fixedByteCount)
    }

    /// Goes on with a row that has been finished: the one that begins at `start` and ends with the arena.
    @inline(__always)
    mutating func reopen(at start: Int) { self.start = start }

    @inline(__always)
    func set(_ column: Int, bits: UInt64, in arena: inout ByteBuffer) {
        precondition(column >= 0 && column < columnCount)
        let row = unsafe arena.base + start
        let word = (column &>> 6) &* 8
        let nulls = unsafe row.load(fromByteOffset: word, as: UInt64.self)
        unsafe row.storeBytes(of: nulls & ~(1 &<< UInt64(column & 63)), toByteOffset: word, as: UInt64.self)
        unsafe row.storeBytes(of: bits, toByteOffset: slotsOffset &+ column &* 8, as: UInt64.self)
    }

    @inline(__always)
    func set(_ column: Int, integer: Int64, in arena: inout ByteBuffer) {
        set(column, bits: UInt64(bitPattern: integer), in: &arena)
    }

    @inline(__always)
    func setNull(_ column: Int, in arena: inout ByteBuffer) {
        set(column, bits: 0, in: &arena)
        let row = unsafe arena.base + start
        let word = (column &>> 6) &* 8
        let nulls = unsafe row.load(fromByteOffset: word, as: UInt64.self)
        unsafe row.storeBytes(of: nulls | (1 &<< UInt64(column & 63)), toByteOffset: word, as: UInt64.self)
    }

    /// Copies `bytes` behind the row and points the column at them.
    @inline(__always)
    func set(_ column: Int, bytes: UnsafeRawBufferPointer, in arena: inout ByteBuffer) {
        let offset = arena.count &- start
        unsafe arena.append(bytes)
        set(column, bits: UInt64(offset) | UInt64(bytes.count) &<< 32, in: &arena)
    }

    /// Copies `count` bytes behind the row, 16 at a time, and points the column at them. There must be 16 readable
    /// bytes behind the source.
    @inline(__always)
    func set(_ column: Int, padded source: UnsafeRawPointer, count: Int, in arena: inout ByteBuffer) {
        arena.reserve(count &+ 16)
        let target = unsafe arena.base + arena.count
        var copied = 0
        repeat {
            let word = unsafe source.loadUnaligned(fromByteOffset: copied, as: SIMD16<UInt8>.self)
            unsafe target.storeBytes(of: word, toByteOffset: copied, as: SIMD16<UInt8>.self)
            copied &+= 16
        } while copied < count
        let offset = arena.count &- start
        arena.advance(by: count)
        set(column, bits: UInt64(truncatingIfNeeded: offset | count &<< 32), in: &arena)
    }

    /// Points the column at bytes that the caller has appended to the arena since `begin`, from arena position `from`
    /// to the arena's end.
    @inline(__always)
    func setAppended(_ column: Int, from: Int, in arena: inout ByteBuffer) {
        let offset = from &- start
        set(column, bits: UInt64(offset) | UInt64(arena.count &- from) &<< 32, in: &arena)
    }

    func set(_ column: Int, decimal: Int128, in arena: inout ByteBuffer) {
        unsafe withUnsafeBytes(of: decimal) { unsafe set(column, bytes: $0, in: &arena) }
    }

    /// Pads the row to a multiple of 8 and returns its byte count.
    @inline(__always)
    func finish(_ arena: inout ByteBuffer) -> Int {
        let padding = (8 &- (arena.count & 7)) & 7
        arena.reserve(8)
        unsafe (arena.base + arena.count).storeBytes(of: 0, as: UInt64.self)
        arena.advance(by: padding)
        return arena.count &- start
    }

    /// Drops the row that was begun.
    @inline(__always)
    func abandon(_ arena: inout ByteBuffer) { arena.truncate(to: start) }
}
