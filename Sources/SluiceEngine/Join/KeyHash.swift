// The hash that picks a row's shard and its index entry. Our own and seedless, because shards and output order must be
// the same in every run and on every machine. Folded 128-bit multiplication, as in wyhash (Wang Yi, 2019).

internal import SluicePlan
internal import SluiceSpec

@inline(__always)
private func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
    let product = a.multipliedFullWidth(by: b)
    return product.high ^ product.low
}

/// How a key column is hashed and compared.
enum KeyKind: UInt8 {
    /// The slot's bits say all: int, long, timestamp, date, boolean.
    case bits
    /// As bits, but -0.0 equals 0.0 and all NaN are one.
    case double
    /// The bytes the slot points at: string, decimal of one scale.
    case bytes

    init(_ type: DataType) {
        switch type {
        case .string, .decimal: self = .bytes
        case .double: self = .double
        default: self = .bits
        }
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

    /// - Parameter side: 0 for the left side, 1 for the right.
    init(_ keys: [JoinKey], side: Int, types: [DataType]) {
        columns = keys.map { key in
            let own = side == 0 ? key.left : key.right
            return KeyColumn(
                own: own, other: side == 0 ? key.right : key.left, kind: KeyKind(types[own]),
                isNullSafe: key.isNullSafe)
        }
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
            }
        }
        return (fold(hash, 0xA076_1D64_78BD_642F), neverMatches)
    }

    /// True when the keys of a row of this side and of one of the other side are equal. Nulls are equal only in
    /// null-safe columns; a row with another null never gets here as the probing side.
    @inline(__always)
    func areEqual(_ own: PackedRow, _ other: PackedRow) -> Bool {
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
                }
            guard isEqual else { return false }
        }
        return true
    }
}

@inline(__always)
private func canonical(_ value: Double) -> Double {
    value == 0 ? 0 : value.isNaN ? .nan : value
}

/// Compares 8 bytes at a time; rows are padded, but neighbours in an arena are not ours to read.
@inline(__always)
private func bytesAreEqual(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
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
private func hashBytes(_ bytes: UnsafeRawBufferPointer, seed: UInt64) -> UInt64 {
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
