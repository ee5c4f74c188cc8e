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
