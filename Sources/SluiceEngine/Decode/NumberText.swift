// Numbers from text. Integers and most doubles need nothing but their digits; the other doubles go to a correctly
// rounding parser, and decimals round half up at the scale of their column, as java.math.BigDecimal does.

internal import CSimdJSON

/// Reads text as BIGINT as Spark's `try_cast` does: blanks at both ends, a sign, digits; nil for anything else.
func parseLong(_ text: UnsafeRawBufferPointer) -> Int64? {
    unsafe integer(trimmed(text))
}

/// Reads text as INT as Spark's `try_cast` does.
func parseInt(_ text: UnsafeRawBufferPointer) -> Int64? {
    guard let value = unsafe parseLong(text), Int32(exactly: value) != nil else { return nil }
    return value
}

/// `[+-]digits` in 64 bits, nothing else.
func integer(_ text: UnsafeRawBufferPointer) -> Int64? {
    var index = 0
    var isNegative = false
    if text.count > 0, unsafe text[0] == UInt8(ascii: "-") || text[0] == UInt8(ascii: "+") {
        isNegative = unsafe text[0] == UInt8(ascii: "-")
        index = 1
    }
    guard index < text.count else { return nil }
    // Negative, as the smallest number has no positive counterpart. The first 18 digits cannot overflow.
    var value: Int64 = 0
    let safeEnd = min(text.count, index &+ 18)
    while index &+ 8 <= safeEnd, let digits = unsafe eightDigits(text, index) {
        value = value &* 100_000_000 &- digits
        index &+= 8
    }
    while index < safeEnd {
        let digit = unsafe text[index] &- UInt8(ascii: "0")
        guard digit < 10 else { return nil }
        value = value &* 10 &- Int64(digit)
        index &+= 1
    }
    while index < text.count {
        let digit = unsafe text[index] &- UInt8(ascii: "0")
        guard digit < 10 else { return nil }
        let (shifted, overflow) = value.multipliedReportingOverflow(by: 10)
        let (sum, sumOverflow) = shifted.subtractingReportingOverflow(Int64(digit))
        guard !overflow, !sumOverflow else { return nil }
        value = sum
        index &+= 1
    }
    if isNegative { return value }
    return value == .min ? nil : -value
}

/// The number that the eight bytes from `index` on spell, the first digit in the lowest byte; nil where one is none.
/// Neighbours are put together pairwise: eight digits, four numbers of two, two of four, one of eight.
@inline(__always)
private func eightDigits(_ text: UnsafeRawBufferPointer, _ index: Int) -> Int64? {
    let bytes = UInt64(littleEndian: unsafe text.loadUnaligned(fromByteOffset: index, as: UInt64.self))
    // The high half of "0" to "9" is 3, also with 6 added, which carries out of a low half above 9.
    let highHalves: UInt64 = 0xF0F0_F0F0_F0F0_F0F0
    let threes: UInt64 = 0x3030_3030_3030_3030
    guard bytes & highHalves == threes, (bytes &+ 0x0606_0606_0606_0606) & highHalves == threes else { return nil }
    var digits = bytes & 0x0F0F_0F0F_0F0F_0F0F
    digits = (digits &* 10 &+ digits &>> 8) & 0x00FF_00FF_00FF_00FF
    digits = (digits &* 100 &+ digits &>> 16) & 0x0000_FFFF_0000_FFFF
    return Int64(truncatingIfNeeded: (digits &* 10_000 &+ digits &>> 32) & 0xFFFF_FFFF)
}

/// Reads text as DOUBLE as Spark's `try_cast` does: what `javaDouble` reads, and `inf`, `infinity`, `nan` in any case.
func parseDouble(_ text: UnsafeRawBufferPointer) -> Double? {
    if let value = unsafe javaDouble(text) { return value }
    let text = unsafe trimmed(text)
    guard text.count >= 3, text.count <= 9 else { return nil }
    // Setting the bit leaves the signs as they are.
    switch String(decoding: unsafe text.map { $0 | 0x20 }, as: UTF8.self) {
    case "inf", "infinity", "+inf", "+infinity": return .infinity
    case "-inf", "-infinity": return -.infinity
    case "nan": return .nan
    default: return nil
    }
}

/// Reads what java.lang.Double.parseDouble reads, but for hexadecimal numbers: blanks at both ends, a number, perhaps
/// with a type suffix, or `NaN` or `Infinity` with or without a sign.
func javaDouble(_ text: UnsafeRawBufferPointer) -> Double? {
    var body = unsafe trimmed(text)
    if let last = unsafe body.last, [0x64, 0x44, 0x66, 0x46].contains(last) {
        unsafe body = UnsafeRawBufferPointer(rebasing: body.dropLast())
    }
    if unsafe NumberShape(body).isNumber { return unsafe doubleValue(body) }
    guard body.count >= 3, body.count <= 9, unsafe body.count == trimmed(text).count else { return nil }
    switch unsafe String(decoding: body, as: UTF8.self) {
    case "NaN", "+NaN", "-NaN": return .nan
    case "Infinity", "+Infinity": return .infinity
    case "-Infinity": return -.infinity
    default: return nil
    }
}

/// Reads text as DECIMAL(precision, scale) as Spark's `try_cast` does; the result is the digits without the point.
func parseDecimal(_ text: UnsafeRawBufferPointer, precision: Int, scale: Int) -> Int128? {
    unsafe decimalValue(trimmed(text), precision: precision, scale: scale)
}

/// Reads text as BOOLEAN as Spark's `try_cast` does.
func parseBoolean(_ text: UnsafeRawBufferPointer) -> Bool? {
    let text = unsafe trimmed(text)
    guard text.count >= 1, text.count <= 5 else { return nil }
    switch String(decoding: unsafe text.map { $0 >= 0x41 && $0 <= 0x5A ? $0 | 0x20 : $0 }, as: UTF8.self) {
    case "t", "true", "y", "yes", "1": return true
    case "f", "false", "n", "no", "0": return false
    default: return nil
    }
}

/// Where the parts of `[+-]digits[.digits][(e|E)[+-]digits]` are; at least one digit, before or behind the point.
struct NumberShape {
    /// True when all of the text is one number.
    private(set) var isNumber = false
    private(set) var isNegative = false
    /// First byte behind the sign, and the first behind the digits and the point.
    private(set) var digitsStart = 0
    private(set) var digitsEnd = 0
    /// Digits behind the point.
    private(set) var fractionCount = 0
    /// nil when it does not fit into 32 bits, which Java refuses.
    private(set) var exponent: Int? = 0

    init(_ text: UnsafeRawBufferPointer) {
        var index = 0
        if text.count > 0, unsafe text[0] == UInt8(ascii: "-") || text[0] == UInt8(ascii: "+") {
            isNegative = unsafe text[0] == UInt8(ascii: "-")
            index = 1
        }
        digitsStart = index
        while index < text.count, unsafe text[index].isDigit { index &+= 1 }
        var digitCount = index - digitsStart
        if index < text.count, unsafe text[index] == UInt8(ascii: ".") {
            index &+= 1
            let fractionStart = index
            while index < text.count, unsafe text[index].isDigit { index &+= 1 }
            fractionCount = index - fractionStart
            digitCount += fractionCount
        }
        digitsEnd = index
        guard digitCount > 0 else { return }
        if index < text.count, unsafe text[index] | 0x20 == UInt8(ascii: "e") {
            let start = index &+ 1
            let digits = unsafe UnsafeRawBufferPointer(rebasing: text[start...])
            guard let first = unsafe digits.first, first.isDigit || digits.count > 1 else { return }
            guard unsafe digits.dropFirst(first.isDigit ? 0 : 1).allSatisfy(\.isDigit) else { return }
            guard first.isDigit || first == UInt8(ascii: "+") || first == UInt8(ascii: "-") else { return }
            exponent = unsafe integer(digits).flatMap { Int32(exactly: $0) }.map { Int($0) }
            index = text.count
        }
        isNumber = index == text.count
    }
}

/// The double nearest to a well-formed number.
func doubleValue(_ text: UnsafeRawBufferPointer) -> Double {
    let digits = unsafe text.first == UInt8(ascii: "+") ? UnsafeRawBufferPointer(rebasing: text.dropFirst()) : text
    return unsafe sluice_parse_double(digits.baseAddress?.assumingMemoryBound(to: UInt8.self), digits.count)
}

/// A number, rounded half up to `scale` digits behind the point, without the point; nil when `text` is not a number or
/// the result has more than `precision` digits.
func decimalValue(_ text: UnsafeRawBufferPointer, precision: Int, scale: Int) -> Int128? {
    let shape = unsafe NumberShape(text)
    guard shape.isNumber, let exponent = shape.exponent else { return nil }
    var digits = shape.digitsStart..<shape.digitsEnd
    while let first = digits.first, unsafe text[first] == UInt8(ascii: "0") || text[first] == UInt8(ascii: ".") {
        digits.removeFirst()
    }
    guard let first = digits.first else { return 0 }
    let point = unsafe text[first..<shape.digitsEnd].contains(UInt8(ascii: "."))
    let significantCount = digits.count - (point ? 1 : 0)
    // How many of the significant digits stand before the last place that is kept.
    let kept = significantCount - shape.fractionCount + exponent + scale
    guard kept <= precision else { return nil }
    guard kept >= 0 else { return 0 }
    var value: Int128 = 0
    var taken = 0
    for index in digits where unsafe text[index] != UInt8(ascii: ".") {
        let digit = unsafe text[index] &- UInt8(ascii: "0")
        if taken == kept {
            if digit >= 5 { value += 1 }
            break
        }
        value = value * 10 + Int128(digit)
        taken += 1
    }
    for _ in min(taken, kept)..<kept { value *= 10 }
    guard value < powerOfTen(precision) else { return nil }
    return shape.isNegative ? -value : value
}

/// 10 to the power of 0 ... 38.
func powerOfTen(_ exponent: Int) -> Int128 {
    precondition(exponent >= 0 && exponent <= 38)
    var power: Int128 = 1
    for _ in 0..<exponent { power *= 10 }
    return power
}
