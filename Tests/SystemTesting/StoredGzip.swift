// Gzip made byte by byte, so that tests do not lean on the code they test.

/// CRC-32 bit by bit.
package func slowChecksum(_ bytes: some Sequence<UInt8>) -> UInt32 {
    var sum = UInt32.max
    for byte in bytes {
        sum ^= UInt32(byte)
        for _ in 0..<8 { sum = sum & 1 == 0 ? sum >> 1 : (sum >> 1) ^ 0xEDB8_8320 }
    }
    return ~sum
}

/// A gzip member that is not compressed, with the header that the checkpoint writes.
package func storedGzip(_ bytes: [UInt8]) -> [UInt8] {
    let count = UInt16(bytes.count)
    func little(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) } }
    return [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF, 1, UInt8(count & 255), UInt8(count >> 8), UInt8(~count & 255)]
        + [UInt8(~count >> 8)] + bytes + little(slowChecksum(bytes)) + little(UInt32(bytes.count))
}
