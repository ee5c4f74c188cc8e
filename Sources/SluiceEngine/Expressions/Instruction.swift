// The machine that expressions compile to. Instructions stand in one flat block, values are registers of one
// shape, so that evaluating a row touches no heap, no class and no closure.

internal import SluicePlan
internal import SluiceSpec

/// A value of any type, or null.
///
///     int, long, date, timestamp, duration    `low` is an Int64
///     boolean                                 `low` is 0 or 1
///     double                                  `low` is its bits
///     decimal                                 `low` and `high` are an Int128
///     string                                  `low` is an address, `high` a byte count; UTF-8
///
/// A string points into a row, a program's constants or a scratch: it lives until the next evaluation with that scratch
/// and no longer than the row.
@safe struct Register: Hashable {
    var low: UInt64
    var high: UInt64
    var isNull: Bool

    @inline(__always)
    private init(low: UInt64, high: UInt64, isNull: Bool) {
        self.low = low
        self.high = high
        self.isNull = isNull
    }

    static var null: Register { Register(low: 0, high: 0, isNull: true) }

    @inline(__always)
    init(bits: UInt64) { self.init(low: bits, high: 0, isNull: false) }

    @inline(__always)
    init(_ integer: Int64) { self.init(low: UInt64(bitPattern: integer), high: 0, isNull: false) }

    @inline(__always)
    init(_ boolean: Bool) { self.init(low: boolean ? 1 : 0, high: 0, isNull: false) }

    @inline(__always)
    init(_ double: Double) { self.init(low: double.bitPattern, high: 0, isNull: false) }

    @inline(__always)
    init(decimal: Int128) {
        self.init(
            low: UInt64(truncatingIfNeeded: decimal), high: UInt64(truncatingIfNeeded: decimal &>> 64), isNull: false)
    }

    @inline(__always)
    init(bytes: UnsafeRawBufferPointer) {
        let address = UInt64(UInt(bitPattern: bytes.baseAddress))
        self.init(low: address, high: UInt64(bytes.count), isNull: false)
    }

    @inline(__always)
    init(_ integer: Int64?) {
        if let integer { self.init(integer) } else { self = .null }
    }

    @inline(__always)
    init(_ double: Double?) {
        if let double { self.init(double) } else { self = .null }
    }

    @inline(__always)
    init(decimal: Int128?) {
        if let decimal { self.init(decimal: decimal) } else { self = .null }
    }

    @inline(__always)
    var integer: Int64 { Int64(bitPattern: low) }

    @inline(__always)
    var double: Double { Double(bitPattern: low) }

    @inline(__always)
    var decimal: Int128 { Int128(truncatingIfNeeded: Int64(bitPattern: high)) &<< 64 | Int128(low) }

    @inline(__always)
    var isTrue: Bool { !isNull && low != 0 }

    @inline(__always)
    var isFalse: Bool { !isNull && low == 0 }

    @inline(__always)
    var bytes: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(
            start: UnsafeRawPointer(bitPattern: UInt(low)), count: Int(truncatingIfNeeded: high))
    }
}

/// The rows an expression reads: one of each input, nil where a side is absent (all its slots then read as null).
/// Whoever makes one proves that the arenas behind it stay as they are while it lives.
@safe struct RowPair {
    let left: UnsafeRawPointer?
    let right: UnsafeRawPointer?

    @inline(__always)
    init(left: UnsafeRawPointer?, right: UnsafeRawPointer?) {
        unsafe self.left = left
        unsafe self.right = right
    }

    /// A row of input `input`, nothing on the other side.
    @inline(__always)
    init(_ row: UnsafeRawPointer, ofInput input: Int) {
        unsafe self.init(left: input == 0 ? row : nil, right: input == 0 ? nil : row)
    }
}

/// Where a column stands in a packed row, worked out once from the row's layout.
struct SlotAddress: Hashable {
    /// Byte offset of the slot.
    let offset: UInt32
    /// Byte offset of the word with the null bit.
    let nullWordOffset: UInt16
    let nullBit: UInt8
    /// 0 is the left row, 1 the right.
    let input: UInt8

    static var none: SlotAddress { SlotAddress(offset: 0, nullWordOffset: 0, nullBit: 0, input: 0) }

    private init(offset: UInt32, nullWordOffset: UInt16, nullBit: UInt8, input: UInt8) {
        self.offset = offset
        self.nullWordOffset = nullWordOffset
        self.nullBit = nullBit
        self.input = input
    }

    init(_ slot: ColumnSlot, layout: RowLayout) {
        precondition(slot.index >= 0 && slot.index < layout.columnCount && (slot.input == 0 || slot.input == 1))
        self.init(
            offset: UInt32(layout.slotsOffset + slot.index * 8), nullWordOffset: UInt16(slot.index / 64 * 8),
            nullBit: UInt8(slot.index % 64), input: UInt8(slot.input))
    }

    /// The row this slot is in, unless its side is absent or the column null.
    @inline(__always)
    func row(in rows: RowPair) -> UnsafeRawPointer? {
        guard let row = unsafe input == 0 ? rows.left : rows.right else { return nil }
        let word = unsafe row.load(fromByteOffset: Int(nullWordOffset), as: UInt64.self)
        return unsafe (word &>> UInt64(nullBit)) & 1 == 0 ? row : nil
    }

    /// The slot's bits in `row`, which `row(in:)` has returned.
    @inline(__always)
    func bits(_ row: UnsafeRawPointer) -> UInt64 {
        unsafe row.load(fromByteOffset: Int(offset), as: UInt64.self)
    }

    /// The bytes that the slot of a string or decimal points at, in `row`, which `row(in:)` has returned.
    @inline(__always)
    func bytes(_ row: UnsafeRawPointer) -> UnsafeRawBufferPointer {
        let bits = unsafe bits(row)
        return unsafe UnsafeRawBufferPointer(
            start: row + Int(truncatingIfNeeded: bits & 0xFFFF_FFFF), count: Int(truncatingIfNeeded: bits &>> 32))
    }
}

/// Which outcomes of a comparison count: less is bit 0, equal bit 1, greater bit 2. Spark's orders are total (NaN
/// equals itself and is the greatest), so the complement of a comparison is a comparison.
struct Ordering: OptionSet, Hashable {
    let rawValue: UInt8

    static let less = Ordering(rawValue: 1)
    static let equal = Ordering(rawValue: 2)
    static let greater = Ordering(rawValue: 4)

    /// The outcomes for which `function` holds; nil unless it is a comparison.
    init?(_ function: Function) {
        switch function {
        case .equal, .nullSafeEqual: self = .equal
        case .notEqual: self = [.less, .greater]
        case .less: self = .less
        case .lessOrEqual: self = [.less, .equal]
        case .greater: self = .greater
        case .greaterOrEqual: self = [.greater, .equal]
        default: return nil
        }
    }

    init(rawValue: UInt8) { self.rawValue = rawValue }

    var complement: Ordering { Ordering(rawValue: ~rawValue & 7) }

    /// The same comparison with its operands exchanged.
    var mirrored: Ordering { Ordering(rawValue: (rawValue & 2) | (rawValue & 1) << 2 | (rawValue & 4) >> 2) }

    @inline(__always)
    func holds(_ a: Int64, _ b: Int64) -> Bool {
        let outcome: UInt8 = a < b ? 1 : (a == b ? 2 : 4)
        return rawValue & outcome != 0
    }

    /// `sign` is negative, zero or positive as the first operand is less than, equal to or greater than the second.
    @inline(__always)
    func holds(sign: Int) -> Bool { holds(Int64(sign), 0) }
}

/// What an instruction does. `a`, `b` and `c` are registers, results go to register `target`; branches jump to
/// instruction `target`.
enum Opcode: UInt8 {
    // Conditions. They are met when the comparison is known to hold: never by null.
    case branchIntegerConstant, branchIntegerSlots, branchStringConstant, branchStringSlots
    case branchNullSlot, branchTrue, branchFalse, branchNull
    case jump
    // Ends.
    case yes, no, result
    // Values.
    case loadInteger, loadString, loadDecimal, loadConstant
    case and, or, not, isNull, isNotNull
    case compareInteger, compareDouble, compareString, compareDecimal
    case like
    case addInteger, subtractInteger, multiplyInteger, divideInteger, remainderInteger
    case negateInteger, absInteger, roundInteger
    case addDouble, subtractDouble, multiplyDouble, divideDouble, remainderDouble
    case negateDouble, absDouble, roundDouble
    case addDecimal, subtractDecimal, multiplyDecimal, divideDecimal, remainderDecimal
    case negateDecimal, absDecimal, roundDecimal
    case concat, lower, upper, trim, length, substring
    case windowStart, windowEnd
    case cast
    /// What `routine` says, over registers `a`, `b` and `c`.
    case routine
}

/// The scales of a decimal operation: of its operands and of its result.
struct DecimalScales {
    var left: UInt8 = 0
    var right: UInt8 = 0
    var result: UInt8 = 0
    /// Digits the result may have.
    var precision: UInt8 = 38
}

/// The types `cast` converts between; the order of the cases is of no meaning.
enum ValueKind: UInt8 {
    case string, int, long, double, boolean, timestamp, date, decimal, duration, null, json

    init(_ type: DataType) {
        switch type {
        case .string, .json: self = .string
        case .int: self = .int
        case .long: self = .long
        case .double: self = .double
        case .boolean: self = .boolean
        case .timestamp: self = .timestamp
        case .date: self = .date
        case .decimal: self = .decimal
        case .duration: self = .duration
        case .null: self = .null
        }
    }
}

struct Instruction {
    var opcode: Opcode
    /// For comparisons.
    var ordering: Ordering = .equal
    /// Branches: jump when the condition is met, or when it is not. `compare…`: null-safe. Integers: 32 bits wide.
    var flag = false
    /// `cast`: from and to.
    var from = ValueKind.null
    var to = ValueKind.null
    var scales = DecimalScales()
    var routine = Routine.none
    var target: UInt32 = 0
    var a: UInt16 = 0
    var b: UInt16 = 0
    var c: UInt16 = 0
    var slot = SlotAddress.none
    /// An integer constant, the number of a constant, or the address of an object that the program keeps.
    var immediate: Int64 = 0
    var otherSlot = SlotAddress.none

    /// The object that a routine was compiled to; nil where its constant was null. Not counted: see `ExpressionRunner`.
    func resource<Resource: AnyObject>(as type: Resource.Type) -> Unmanaged<Resource>? {
        guard let address = unsafe UnsafeRawPointer(bitPattern: Int(immediate)) else { return nil }
        return unsafe Unmanaged<Resource>.fromOpaque(address)
    }
}
