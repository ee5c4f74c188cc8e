// Doubles as Java prints them (JDK 19 and later): the fewest digits that read back as the same number, plain between
// 10^-3 and 10^7, else with an exponent, and always one digit behind the point.

internal import CSimdJSON

/// The shortest decimal that reads back as a finite double's magnitude, nearest to it where there are several:
/// `significand * 10^exponent`. The significand has no trailing zero, but for 0 itself.
struct ShortestDecimal {
    private(set) var significand: UInt64
    private(set) var exponent: Int

    /// `value` is finite; its sign is dropped.
    init(_ value: Double) {
        significand = 0
        exponent = 0
        let magnitude = value.magnitude
        guard magnitude > 0 else { return }
        if !takeFifteenDigits(magnitude) { takeAnyDigits(magnitude) }
        dropTrailingZeros()
    }

    /// Most doubles in data were written with few digits. Two decimals of at most 15 digits never read as one double,
    /// so if the double divided out of a 15-digit integer is this very one, then that integer has its shortest digits.
    private mutating func takeFifteenDigits(_ magnitude: Double) -> Bool {
        guard magnitude >= 1e-7, magnitude < 1e15 else { return false }
        // log10 of the power of two below, rounded down or one less: 15 or 14 digits before the point.
        let shift = min(14 - (Int(magnitude.exponent) * 1233) >> 12, 22)
        let scaled = (magnitude * exactPowerOfTen(shift)).rounded()
        guard scaled < 1e15 else {
            guard shift > 0 else { return false }
            let fewer = (magnitude * exactPowerOfTen(shift - 1)).rounded()
            return take(fewer, shift: shift - 1, magnitude)
        }
        return take(scaled, shift: shift, magnitude)
    }

    private mutating func take(_ scaled: Double, shift: Int, _ magnitude: Double) -> Bool {
        guard scaled / exactPowerOfTen(shift) == magnitude else { return false }
        significand = UInt64(scaled)
        exponent = -shift
        return true
    }

    private mutating func takeAnyDigits(_ magnitude: Double) {
        var power: Int32 = 0
        significand = unsafe sluice_shortest_decimal(magnitude, &power)
        exponent = Int(power)
    }

    private mutating func dropTrailingZeros() {
        if significand % 100_000_000 == 0 {
            significand /= 100_000_000
            exponent += 8
        }
        while significand % 10 == 0 {
            significand /= 10
            exponent += 1
        }
    }
}

/// 10^0 … 10^22, all exact.
private let exactPowersOfTen: [Double] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
]

@inline(__always)
private func exactPowerOfTen(_ exponent: Int) -> Double { exactPowersOfTen[exponent] }

/// The double nearest to `value * 10^exponent`.
func doubleFromDecimal(_ value: Int128, exponent: Int) -> Double {
    // Both exact and one rounding: right.
    if value.magnitude <= 1 << 53, exponent >= -22, exponent <= 22 {
        let whole = Double(Int64(value))
        return exponent < 0 ? whole / exactPowerOfTen(-exponent) : whole * exactPowerOfTen(exponent)
    }
    var text = Array(String(value.magnitude).utf8)
    text.append(UInt8(ascii: "e"))
    text.append(contentsOf: String(exponent).utf8)
    let magnitude = unsafe text.withUnsafeBufferPointer { unsafe sluice_parse_double($0.baseAddress, $0.count) }
    return value < 0 ? -magnitude : magnitude
}

/// Bytes that may be written behind the start of a double's text.
let doubleTextRoom = 64

/// Writes a double as Java's `Double.toString`; `doubleTextRoom` bytes at `place` are writable. Returns the byte count.
func writeDouble(_ value: Double, to place: UnsafeMutableRawPointer) -> Int {
    guard value.isFinite else {
        return unsafe write(value.isNaN ? "NaN" : (value < 0 ? "-Infinity" : "Infinity"), to: place)
    }
    var start = 0
    if value.sign == .minus {
        unsafe place.storeBytes(of: UInt8(ascii: "-"), as: UInt8.self)
        start = 1
    }
    if value == 0 { return unsafe start + write("0.0", to: place + start) }
    let decimal = ShortestDecimal(value)
    let digitCount = decimalDigitCount(decimal.significand)
    // The power of ten of the first digit.
    let leading = digitCount + decimal.exponent - 1
    let text = unsafe place + start
    if leading >= -3, leading < 7 {
        return unsafe start + writePlain(decimal, digitCount, leading, to: text)
    }
    let digits = unsafe text + 1
    _ = unsafe writeInteger(decimal.significand, to: digits)
    unsafe text.storeBytes(of: digits.load(as: UInt8.self), as: UInt8.self)
    unsafe digits.storeBytes(of: UInt8(ascii: "."), as: UInt8.self)
    var count = digitCount + 1
    if digitCount == 1 {
        unsafe text.storeBytes(of: UInt8(ascii: "0"), toByteOffset: 2, as: UInt8.self)
        count = 3
    }
    unsafe text.storeBytes(of: UInt8(ascii: "E"), toByteOffset: count, as: UInt8.self)
    return unsafe start + count + 1 + writeInteger(Int64(leading), to: text + count + 1)
}

/// `leading` is the power of ten of the first of `digitCount` digits, -3 … 6.
private func writePlain(
    _ decimal: ShortestDecimal, _ digitCount: Int, _ leading: Int, to text: UnsafeMutableRawPointer
) -> Int {
    if leading < 0 {
        // 0.00ddd
        unsafe text.storeBytes(of: 0x3030_302E_30, as: UInt64.self)
        let zeros = -leading - 1
        return unsafe 2 + zeros + writeInteger(decimal.significand, to: text + 2 + zeros)
    }
    if decimal.exponent >= 0 {
        // ddd00.0
        let whole = decimal.significand * UInt64(exactPowerOfTen(decimal.exponent))
        let count = unsafe writeInteger(whole, to: text)
        unsafe text.storeBytes(of: 0x302E, toByteOffset: count, as: UInt16.self)
        return count + 2
    }
    // ddd.ddd: all digits one place further back, then those before the point one place forward.
    _ = unsafe writeInteger(decimal.significand, to: text + 1)
    let wholeCount = leading + 1
    unsafe text.copyMemory(from: text + 1, byteCount: wholeCount)
    unsafe text.storeBytes(of: UInt8(ascii: "."), toByteOffset: wholeCount, as: UInt8.self)
    return digitCount + 1
}

private func write(_ text: StaticString, to place: UnsafeMutableRawPointer) -> Int {
    unsafe place.copyMemory(from: text.utf8Start, byteCount: text.utf8CodeUnitCount)
    return text.utf8CodeUnitCount
}
