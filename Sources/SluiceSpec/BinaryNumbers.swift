// Whole numbers as Avro and protobuf both write them: seven bits in each byte, the lowest first.

/// The bytes of a number without a sign; one to ten.
package func sevenBitBytes(_ value: UInt64) -> [UInt8] {
    var rest = value
    var bytes: [UInt8] = []
    while rest >= 0x80 {
        bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
        rest >>= 7
    }
    return bytes + [UInt8(rest)]
}

/// A number with its sign in the lowest bit, so that small ones have few bytes.
@inlinable
package func zigzag(_ value: Int64) -> UInt64 { UInt64(bitPattern: value &<< 1 ^ value &>> 63) }

/// A number among bytes: seven bits in each, the lowest first, and zigzag.
package enum BinaryNumber {
    case value(Int64, end: Int)
    /// The bytes end in it.
    case short
    /// It has more than ten bytes, or more than 64 bits.
    case tooLong

    @inlinable
    package init<Bytes: RandomAccessCollection<UInt8>>(_ bytes: Bytes, at start: Int) where Bytes.Index == Int {
        var value: UInt64 = 0
        for (index, shift) in zip(start..., stride(from: UInt64(0), to: 70, by: 7)) {
            guard index < bytes.endIndex else {
                self = .short
                return
            }
            let byte = bytes[index]
            if shift == 63, byte > 1 { break }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 {
                self = .value(Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1), end: index + 1)
                return
            }
        }
        self = .tooLong
    }
}
