// Integers as decimal digits, eight at a time and without a table: a value below 10^8 is split into halves, quarters
// and digits inside one 64-bit word.

/// Bytes that may be written behind the start of an integer's text (more than its digits).
let integerTextRoom = 32

/// The eight digits of a value below 10^8, as numbers, the first one in the low byte.
@inline(__always)
private func eightDigits(_ value: UInt64) -> UInt64 {
    let upper = value / 10_000
    let halves = upper | (value &- upper &* 10_000) &<< 32
    let hundreds = ((halves &* 10_486) &>> 20) & 0x7F_0000_007F
    let quarters = hundreds | (halves &- hundreds &* 100) &<< 16
    let tens = ((quarters &* 103) &>> 10) & 0x000F_000F_000F_000F
    return tens | (quarters &- tens &* 10) &<< 8
}

private let asciiZeros: UInt64 = 0x3030_3030_3030_3030

/// Writes all eight digits of a value below 10^8.
@inline(__always)
func writeEightDigits(_ value: UInt64, to place: UnsafeMutableRawPointer) {
    unsafe place.storeBytes(of: eightDigits(value) &+ asciiZeros, as: UInt64.self)
}

/// Writes a value below 10^8 without leading zeros; returns the byte count.
@inline(__always)
private func writeShort(_ value: UInt64, to place: UnsafeMutableRawPointer) -> Int {
    let digits = eightDigits(value)
    // Leading zero digits stand in the low bytes; the last digit always counts.
    let skipped = min(digits.trailingZeroBitCount &>> 3, 7)
    unsafe place.storeBytes(of: (digits &+ asciiZeros) &>> UInt64(skipped &* 8), as: UInt64.self)
    return 8 &- skipped
}

/// Writes `value` in decimal; `integerTextRoom` bytes at `place` are writable. Returns the byte count.
@inline(__always)
func writeInteger(_ value: UInt64, to place: UnsafeMutableRawPointer) -> Int {
    if value < 100_000_000 { return unsafe writeShort(value, to: place) }
    let upper = value / 100_000_000
    let count = unsafe upper < 100_000_000 ? writeShort(upper, to: place) : writeLong(upper, to: place)
    unsafe writeEightDigits(value &- upper &* 100_000_000, to: place + count)
    return count &+ 8
}

@inline(never)
private func writeLong(_ value: UInt64, to place: UnsafeMutableRawPointer) -> Int {
    let upper = value / 100_000_000
    let count = unsafe writeShort(upper, to: place)
    unsafe writeEightDigits(value &- upper &* 100_000_000, to: place + count)
    return count &+ 8
}

/// Writes `value` in decimal; `integerTextRoom` bytes at `place` are writable. Returns the byte count.
@inline(__always)
func writeInteger(_ value: Int64, to place: UnsafeMutableRawPointer) -> Int {
    if value >= 0 { return unsafe writeInteger(UInt64(value), to: place) }
    unsafe place.storeBytes(of: UInt8(ascii: "-"), as: UInt8.self)
    return unsafe 1 &+ writeInteger(value.magnitude, to: place + 1)
}

/// How many decimal digits `value` has; 1 for 0.
@inline(__always)
func decimalDigitCount(_ value: UInt64) -> Int {
    var count = 1
    var rest = value
    while rest >= 10_000 {
        rest /= 10_000
        count &+= 4
    }
    return count &+ (rest >= 1000 ? 3 : (rest >= 100 ? 2 : (rest >= 10 ? 1 : 0)))
}
