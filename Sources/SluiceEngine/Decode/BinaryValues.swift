// Numbers and texts as binary formats write them.

internal import Glibc
internal import SluiceSpec

/// The number at a place, seven bits a byte, the lowest first, where the high bit says that another follows. nil for
/// more than ten bytes or 64 bits. Sixteen bytes from the place on are readable.
@inline(__always)
func readNumber(_ cursor: inout UnsafeRawPointer) -> UInt64? {
    let word = unsafe UInt64(littleEndian: cursor.loadUnaligned(as: UInt64.self))
    if word & 0x80 == 0 {
        unsafe cursor += 1
        return word & 0x7F
    }
    // The high bit of its last byte is not set. What is below is put together, two parts of seven bits at a time.
    let ends = ~word & 0x8080_8080_8080_8080
    guard ends != 0 else { return unsafe readLongNumber(&cursor) }
    unsafe cursor += ends.trailingZeroBitCount &>> 3 &+ 1
    var value = word & (ends ^ (ends &- 1)) & 0x7F7F_7F7F_7F7F_7F7F
    value = value & 0x007F_007F_007F_007F | (value & 0x7F00_7F00_7F00_7F00) &>> 1
    value = value & 0x0000_3FFF_0000_3FFF | (value & 0x3FFF_0000_3FFF_0000) &>> 2
    return value & 0x0FFF_FFFF | (value & 0x0FFF_FFFF_0000_0000) &>> 4
}

/// As `readNumber`, of more than eight bytes.
@inline(never)
private func readLongNumber(_ cursor: inout UnsafeRawPointer) -> UInt64? {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while true {
        let byte = unsafe cursor.load(as: UInt8.self)
        unsafe cursor += 1
        if shift == 63, byte > 1 { return nil }
        value |= UInt64(byte & 0x7F) &<< shift
        if byte < 0x80 { return value }
        shift &+= 7
    }
}

/// Whether bytes are UTF-8; eight bytes behind them are readable.
@inline(__always)
func isText(_ bytes: UnsafeRawPointer, _ count: Int) -> Bool {
    var all: UInt64 = 0
    var index = 0
    while index &+ 8 <= count {
        unsafe all |= bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
        index &+= 8
    }
    let last = unsafe UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self))
    all |= last & (1 &<< UInt64((count &- index) &* 8) &- 1)
    return unsafe all & 0x8080_8080_8080_8080 == 0 || isUTF8Block(bytes, count: count)
}
