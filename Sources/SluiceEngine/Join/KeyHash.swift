// The hash that picks a row's shard and its index entry. Our own and seedless, because shards and output order must be
// the same in every run and on every machine. Folded 128-bit multiplication, as in wyhash (Wang Yi, 2019).

internal import SluicePlan
internal import SluiceSpec

@inline(__always)
private func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
    let product = a.multipliedFullWidth(by: b)
    return product.high ^ product.low
}

/// How a column's values are copied, and as a key hashed and compared.
enum KeyKind: UInt8 {
    /// The slot's bits say all: int, long, timestamp, date, boolean.
    case bits
    /// As bits, but -0.0 equals 0.0 and all NaN are one.
    case double
    /// The bytes the slot points at: string, decimal of one scale.
    case bytes
    /// Numbers of unlike types, by the type in which they meet.
    case widened

    init(_ type: DataType) {
        switch type {
        case .string, .json, .decimal: self = .bytes
        case .double: self = .double
        default: self = .bits
        }
    }
}

/// How numbers of unlike types are brought to the one type in which they meet. Source: Spark's type coercion.
struct KeyWidening {
    /// What a side's column holds.
    struct Column {
        var kind: ValueKind
        var scale: Int

        init(_ type: DataType) {
            kind = ValueKind(type)
            scale = Int(type.scale)
        }
    }

    let ownColumn: Int
    let otherColumn: Int
    let own: Column
    let other: Column
    /// The common type: a double, or a decimal of so many digits and so many behind the point.
    let isDouble: Bool
    let precision: UInt8
    let scale: Int

    /// nil for types that are compared as they are.
    init?(_ column: KeyColumn, own: DataType, other: DataType) {
        let integers: Set<DataType> = [.int, .long]
        guard own != other, own.isNumeric, other.isNumeric, !integers.isSuperset(of: [own, other]),
            let common = Coercion.commonType(own, other)
        else { return nil }
        ownColumn = column.own
        otherColumn = column.other
        self.own = Column(own)
        self.other = Column(other)
        isDouble = common == .double
        precision = common.precision
        scale = Int(common.scale)
    }

    /// The bits of a number in the common type; equal numbers have equal ones. nil for a decimal that does not fit.
    @inline(never)
    func widened(_ row: PackedRow, _ index: Int, _ column: Column) -> UInt128? {
        if isDouble {
            let number =
                switch column.kind {
                case .double: row.double(index)
                case .decimal: doubleFromDecimal(row.decimal(index), exponent: -column.scale)
                default: Double(row.integer(index))
                }
            return UInt128(canonical(number).bitPattern)
        }
        let number = column.kind == .decimal ? row.decimal(index) : Int128(row.integer(index))
        return DecimalArithmetic.rescaled(number, from: column.scale, to: scale, precision: precision)
            .map(UInt128.init(truncatingIfNeeded:))
    }
}

/// One pair of key columns, from the side that probes to the side that is probed.
struct KeyColumn {
    var own: Int
    var other: Int
    var kind: KeyKind
    var isNullSafe: Bool
}

/// The key columns of a join as one side sees them.
struct JoinKeyColumns {
    let columns: [KeyColumn]
    private let widenings: [KeyWidening]
    /// True when a pair of columns are numbers of unlike types.
    let hasWidenings: Bool

    /// - Parameters:
    ///   - side: 0 for the left side, 1 for the right.
    ///   - types: those of the columns of each side.
    init(_ keys: [JoinKey], side: Int, types: [[DataType]]) {
        var widenings: [KeyWidening] = []
        columns = keys.map { key in
            let (own, other) = side == 0 ? (key.left, key.right) : (key.right, key.left)
            let ownType = types[side][own]
            var column = KeyColumn(own: own, other: other, kind: KeyKind(ownType), isNullSafe: key.isNullSafe)
            if let widening = KeyWidening(column, own: ownType, other: types[1 - side][other]) {
                column.kind = .widened
                widenings.append(widening)
            }
            return column
        }
        self.widenings = widenings
        hasWidenings = !widenings.isEmpty
    }

    /// The key's hash, and whether a null in it keeps the row from ever matching.
    @inline(__always)
    func hash(_ row: PackedRow) -> (hash: UInt64, neverMatches: Bool) {
        var hash: UInt64 = 0x9E37_79B9_7F4A_7C15
        var neverMatches = false
        for column in columns {
            if row.isNull(column.own) {
                neverMatches = neverMatches || !column.isNullSafe
                hash = fold(hash ^ 0x2545_F491_4F6C_DD1D, 0xD6E8_FEB8_6659_FD93)
                continue
            }
            switch column.kind {
            case .bits: hash = fold(hash ^ row.slot(column.own), 0xD6E8_FEB8_6659_FD93)
            case .double:
                hash = fold(hash ^ canonical(row.double(column.own)).bitPattern, 0xD6E8_FEB8_6659_FD93)
            case .bytes: hash = unsafe hashBytes(row.bytes(column.own), seed: hash)
            case .widened: break
            }
        }
        if hasWidenings { hashWidened(row, &hash, &neverMatches) }
        return (fold(hash, 0xA076_1D64_78BD_642F), neverMatches)
    }

    /// True when the keys of a row of this side and of one of the other side are equal. Nulls are equal only in
    /// null-safe columns; a row with another null never gets here as the probing side. `hasWidenings` is this value's
    /// own, as a constant of the loop that asks.
    @inline(__always)
    func areEqual(_ own: PackedRow, _ other: PackedRow, hasWidenings: Bool) -> Bool {
        for column in columns {
            let ownIsNull = own.isNull(column.own)
            if ownIsNull || other.isNull(column.other) {
                guard column.isNullSafe, ownIsNull, other.isNull(column.other) else { return false }
                continue
            }
            let isEqual =
                switch column.kind {
                case .bits: own.slot(column.own) == other.slot(column.other)
                case .double:
                    canonical(own.double(column.own)).bitPattern == canonical(other.double(column.other)).bitPattern
                case .bytes: unsafe bytesAreEqual(own.bytes(column.own), other.bytes(column.other))
                case .widened: true
                }
            guard isEqual else { return false }
        }
        return !hasWidenings || widenedAreEqual(own, other)
    }
}

// Numbers of unlike types, after all other keys: the loops above are those of every join.
extension JoinKeyColumns {
    @inline(never)
    private func hashWidened(_ row: PackedRow, _ hash: inout UInt64, _ neverMatches: inout Bool) {
        for widening in widenings where !row.isNull(widening.ownColumn) {
            guard let bits = widening.widened(row, widening.ownColumn, widening.own) else {
                neverMatches = true
                continue
            }
            hash = fold(hash ^ UInt64(truncatingIfNeeded: bits), 0xD6E8_FEB8_6659_FD93)
            hash = fold(hash ^ UInt64(truncatingIfNeeded: bits >> 64), 0xE703_7ED1_A0B4_28DB)
        }
    }

    /// Of rows whose keys are null in the same places.
    @inline(never)
    private func widenedAreEqual(_ own: PackedRow, _ other: PackedRow) -> Bool {
        widenings.allSatisfy { widening in
            if own.isNull(widening.ownColumn) { return true }
            guard let bits = widening.widened(own, widening.ownColumn, widening.own) else { return false }
            return bits == widening.widened(other, widening.otherColumn, widening.other)
        }
    }
}

@inline(__always)
private func canonical(_ value: Double) -> Double {
    value == 0 ? 0 : value.isNaN ? .nan : value
}

/// Compares 8 bytes at a time; rows are padded, but neighbours in an arena are not ours to read.
@inline(__always)
func bytesAreEqual(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
    guard a.count == b.count else { return false }
    var offset = 0
    while offset &+ 8 <= a.count {
        let left = unsafe a.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
        let right = unsafe b.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
        if left != right { return false }
        offset &+= 8
    }
    while offset < a.count {
        if unsafe a[offset] != b[offset] { return false }
        offset &+= 1
    }
    return true
}

@inline(__always)
func hashBytes(_ bytes: UnsafeRawBufferPointer, seed: UInt64) -> UInt64 {
    var hash = seed ^ UInt64(truncatingIfNeeded: bytes.count)
    var offset = 0
    while offset &+ 8 <= bytes.count {
        let word = unsafe bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
        hash = fold(hash ^ word, 0xE703_7ED1_A0B4_28DB)
        offset &+= 8
    }
    var tail: UInt64 = 0
    while offset < bytes.count {
        tail = tail &<< 8 | UInt64(unsafe bytes[offset])
        offset &+= 1
    }
    return fold(hash ^ tail, 0x8EBC_6AF0_9C88_C6E3)
}
