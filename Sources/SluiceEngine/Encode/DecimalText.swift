// Decimals as text, in the two forms Spark has: plain where a cast makes text, and as Java's BigDecimal prints itself
// in JSON and CSV, which is plain too unless the number is very small: 0E-18, 1.5E-10.

/// Bytes that may be written behind the start of a decimal's text.
let decimalTextRoom = 128

/// Writes a decimal plainly, all `scale` digits behind the point; `decimalTextRoom` bytes at `place` are writable.
/// Returns the byte count.
func writeDecimal(_ value: Int128, scale: Int, to place: UnsafeMutableRawPointer) -> Int {
    var start = 0
    if value < 0 {
        unsafe place.storeBytes(of: UInt8(ascii: "-"), as: UInt8.self)
        start = 1
    }
    // All digits, with zeros in front, well behind where they belong; then the two parts move into place.
    let digits = unsafe place + 64
    var rest = value.magnitude
    for chunk in stride(from: 4, through: 0, by: -1) {
        let (upper, lower) = rest.quotientAndRemainder(dividingBy: 100_000_000)
        unsafe writeEightDigits(UInt64(lower), to: digits + chunk * 8)
        rest = upper
    }
    var first = 0
    while first < 39 - scale, unsafe digits.load(fromByteOffset: first, as: UInt8.self) == UInt8(ascii: "0") {
        first += 1
    }
    let wholeCount = 40 - scale - first
    unsafe (place + start).copyMemory(from: digits + first, byteCount: wholeCount)
    var count = start + wholeCount
    if scale > 0 {
        unsafe place.storeBytes(of: UInt8(ascii: "."), toByteOffset: count, as: UInt8.self)
        unsafe (place + count + 1).copyMemory(from: digits + 40 - scale, byteCount: scale)
        count += 1 + scale
    }
    return count
}

/// Writes a decimal as Java's `BigDecimal.toString`: with an exponent when the first digit stands more than six places
/// behind the point. `decimalTextRoom` bytes at `place` are writable. Returns the byte count.
func writeJavaDecimal(_ value: Int128, scale: Int, to place: UnsafeMutableRawPointer) -> Int {
    // Seven places and more: then the digits are fewer than the scale.
    guard scale > 6, value.magnitude < UInt128(DecimalArithmetic.powerOfTen(scale - 6)) else {
        return unsafe writeDecimal(value, scale: scale, to: place)
    }
    var digits = unsafe writeDecimal(value, scale: 0, to: place)
    let signCount = value < 0 ? 1 : 0
    let digitCount = digits - signCount
    if digitCount > 1 {
        let fraction = unsafe place + signCount + 1
        unsafe (fraction + 1).copyMemory(from: fraction, byteCount: digitCount - 1)
        unsafe fraction.storeBytes(of: UInt8(ascii: "."), as: UInt8.self)
        digits += 1
    }
    unsafe place.storeBytes(of: UInt8(ascii: "E"), toByteOffset: digits, as: UInt8.self)
    return unsafe digits + 1 + writeInteger(Int64(digitCount - 1 - scale), to: place + digits + 1)
}
