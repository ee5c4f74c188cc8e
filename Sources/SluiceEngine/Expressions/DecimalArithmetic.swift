// Spark's decimals: up to 38 digits and a scale, results in the type the checker has worked out, rounded half up, nil
// for what has too many digits. Values are Int128; where an exact intermediate is longer it takes 256 bits.
// Source: Spark's Decimal and DecimalPrecision, which compute with BigDecimal.

enum DecimalArithmetic {
    /// 10^0 … 10^38.
    private static let powersOfTen: [Int128] = (0...38).reduce(into: []) { powers, _ in
        powers.append(powers.last.map { $0 * 10 } ?? 1)
    }

    static let digitsMax = 38

    /// 10^exponent for 0 … 38.
    @inline(__always)
    static func powerOfTen(_ exponent: Int) -> Int128 { powersOfTen[exponent] }

    /// Whether the value has at most `precision` digits.
    @inline(__always)
    static func fits(_ value: Int128, _ precision: UInt8) -> Bool {
        value.magnitude < powerOfTen(Int(precision)).magnitude
    }

    private static func fitting(_ magnitude: UInt128?, isNegative: Bool, _ precision: UInt8) -> Int128? {
        guard let magnitude, magnitude < powerOfTen(Int(precision)).magnitude else { return nil }
        return isNegative ? -Int128(magnitude) : Int128(magnitude)
    }

    /// Division that rounds half away from zero; `divisor` is positive and below half of Int128's range.
    static func halfUp(_ value: Int128, dividedBy divisor: Int128) -> Int128 {
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
        guard remainder.magnitude >= divisor.magnitude - remainder.magnitude else { return quotient }
        return value < 0 ? quotient - 1 : quotient + 1
    }

    /// The same number at another scale. Complexity: O(1).
    static func rescaled(_ value: Int128, from: Int, to: Int, precision: UInt8) -> Int128? {
        if to >= from {
            guard to - from <= digitsMax else { return value == 0 ? 0 : nil }
            let (result, overflow) = value.multipliedReportingOverflow(by: powerOfTen(to - from))
            return !overflow && fits(result, precision) ? result : nil
        }
        guard from - to <= digitsMax else { return 0 }
        let result = halfUp(value, dividedBy: powerOfTen(from - to))
        return fits(result, precision) ? result : nil
    }

    static func sum(_ a: Int128, _ b: Int128, _ scales: DecimalScales) -> Int128? {
        if scales.left == scales.right && scales.left == scales.result {
            let (sum, overflow) = a.addingReportingOverflow(b)
            return !overflow && fits(sum, scales.precision) ? sum : nil
        }
        let scale = max(scales.left, scales.right)
        let x = WideInteger(a.magnitude, times: powerOfTen(Int(scale - scales.left)).magnitude)
        let y = WideInteger(b.magnitude, times: powerOfTen(Int(scale - scales.right)).magnitude)
        let isNegative: Bool
        let magnitude: WideInteger
        if (a < 0) == (b < 0) {
            magnitude = x.adding(y)
            isNegative = a < 0
        } else if x.isLess(than: y) {
            magnitude = y.subtracting(x)
            isNegative = b < 0
        } else {
            magnitude = x.subtracting(y)
            isNegative = a < 0
        }
        let rounded = magnitude.dividedHalfUp(byPowerOfTen: Int(scale) - Int(scales.result))
        return fitting(rounded.exactly128, isNegative: isNegative, scales.precision)
    }

    /// Spark rounds a product to 39 digits first and to the result's scale then.
    static func product(_ a: Int128, _ b: Int128, _ scales: DecimalScales) -> Int128? {
        let product = WideInteger(a.magnitude, times: b.magnitude)
        var dropped = Int(scales.left) + Int(scales.right) - Int(scales.result)
        var rounded = product
        let excess = product.digitCount - (digitsMax + 1)
        if excess > 0 {
            guard excess < dropped else { return nil }
            rounded = rounded.dividedHalfUp(byPowerOfTen: excess)
            dropped -= excess
        }
        rounded = rounded.dividedHalfUp(byPowerOfTen: dropped)
        return fitting(rounded.exactly128, isNegative: (a < 0) != (b < 0), scales.precision)
    }

    /// Spark rounds a quotient to 39 places first and to the result's scale then.
    static func quotient(_ a: Int128, _ b: Int128, _ scales: DecimalScales) -> Int128? {
        guard b != 0 else { return nil }
        let divisor = b.magnitude
        // a / 10^left / (b / 10^right) * 10^result
        let shift = Int(scales.result) - Int(scales.left) + Int(scales.right)
        let dividend: WideInteger?
        if shift <= digitsMax {
            dividend = WideInteger(a.magnitude, times: powerOfTen(max(0, shift)).magnitude)
        } else {
            dividend = WideInteger(a.magnitude, times: powerOfTen(digitsMax).magnitude)
                .multiplied(by: powerOfTen(shift - digitsMax).magnitude)
        }
        // Longer than 256 bits: so is the quotient longer than 128.
        guard let dividend else { return nil }
        var (quotient, remainder) = dividend.quotientAndRemainder(dividingBy: divisor)
        if shift < 0 {
            return fitting(
                quotient.dividedHalfUp(byPowerOfTen: -shift).exactly128, isNegative: (a < 0) != (b < 0),
                scales.precision)
        }
        if remainder != 0 {
            let up = remainder >= divisor - remainder
            let rounds = up || isHalfAfterFirstRounding(remainder, divisor, places: digitsMax + 1 - Int(scales.result))
            if rounds { quotient = quotient.adding(WideInteger(high: 0, low: 1)) }
        }
        return fitting(quotient.exactly128, isNegative: (a < 0) != (b < 0), scales.precision)
    }

    /// Whether a fraction below one half becomes one half when it is rounded half up to `places` places.
    private static func isHalfAfterFirstRounding(_ remainder: UInt128, _ divisor: UInt128, places: Int) -> Bool {
        // 1/2 - r/d <= 10^-places / 2
        guard places <= digitsMax else { return false }
        let (gap, overflow) = (divisor - 2 * remainder).multipliedReportingOverflow(by: powerOfTen(places).magnitude)
        return !overflow && gap <= divisor
    }

    /// The sign is the dividend's.
    static func remainder(_ a: Int128, _ b: Int128, _ scales: DecimalScales) -> Int128? {
        guard b != 0 else { return nil }
        let scale = max(scales.left, scales.right)
        let x = WideInteger(a.magnitude, times: powerOfTen(Int(scale - scales.left)).magnitude)
        let y = WideInteger(b.magnitude, times: powerOfTen(Int(scale - scales.right)).magnitude)
        let remainder = x.remainder(dividingBy: y).dividedHalfUp(byPowerOfTen: Int(scale) - Int(scales.result))
        return fitting(remainder.exactly128, isNegative: a < 0, scales.precision)
    }

    /// Half up to `digits` places; the result has the scale of its type.
    static func round(_ value: Int128, digits: Int64, _ scales: DecimalScales) -> Int128? {
        let scale = Int(scales.left)
        guard digits < Int64(scale) else {
            return rescaled(value, from: scale, to: Int(scales.result), precision: scales.precision)
        }
        guard Int64(scale) - digits <= Int64(digitsMax) else { return 0 }
        let unit = powerOfTen(scale - Int(digits))
        let rounded = halfUp(value, dividedBy: unit)
        if digits >= 0 {
            return rescaled(rounded, from: Int(digits), to: Int(scales.result), precision: scales.precision)
        }
        let (whole, overflow) = rounded.multipliedReportingOverflow(by: powerOfTen(Int(-digits)))
        return overflow ? nil : rescaled(whole, from: 0, to: Int(scales.result), precision: scales.precision)
    }

    /// Negative, zero or positive, as `a` at its scale is less than, equal to or greater than `b` at its scale.
    static func compare(_ a: Int128, _ scaleA: Int, _ b: Int128, _ scaleB: Int) -> Int {
        if scaleA == scaleB { return a < b ? -1 : (a == b ? 0 : 1) }
        if (a < 0) != (b < 0) { return a < 0 ? -1 : 1 }
        let scale = max(scaleA, scaleB)
        let x = WideInteger(a.magnitude, times: powerOfTen(scale - scaleA).magnitude)
        let y = WideInteger(b.magnitude, times: powerOfTen(scale - scaleB).magnitude)
        let sign = x.isLess(than: y) ? -1 : (y.isLess(than: x) ? 1 : 0)
        return a < 0 ? -sign : sign
    }
}

/// 256 bits without a sign, as much of them as decimals need.
private struct WideInteger {
    var high: UInt128
    var low: UInt128

    init(high: UInt128, low: UInt128) {
        self.high = high
        self.low = low
    }

    init(_ a: UInt128, times b: UInt128) {
        let (high, low) = a.multipliedFullWidth(by: b)
        self.init(high: high, low: low)
    }

    var exactly128: UInt128? { high == 0 ? low : nil }

    var digitCount: Int {
        var rest = self
        var count = 0
        while rest.high != 0 {
            rest = rest.quotientAndRemainder(dividingBy: DecimalArithmetic.powerOfTen(19).magnitude).quotient
            count += 19
        }
        var small = rest.low
        repeat {
            count += 1
            small /= 10
        } while small > 0
        return count
    }

    func isLess(than other: WideInteger) -> Bool { (high, low) < (other.high, other.low) }

    /// The sum must fit.
    func adding(_ other: WideInteger) -> WideInteger {
        let (low, carry) = low.addingReportingOverflow(other.low)
        return WideInteger(high: high + other.high + (carry ? 1 : 0), low: low)
    }

    /// `other` must not be greater.
    func subtracting(_ other: WideInteger) -> WideInteger {
        let (low, borrow) = low.subtractingReportingOverflow(other.low)
        return WideInteger(high: high - other.high - (borrow ? 1 : 0), low: low)
    }

    func multiplied(by factor: UInt128) -> WideInteger? {
        let (carry, low) = low.multipliedFullWidth(by: factor)
        let (scaled, overflow) = high.multipliedReportingOverflow(by: factor)
        let (high, carryOverflow) = scaled.addingReportingOverflow(carry)
        return overflow || carryOverflow ? nil : WideInteger(high: high, low: low)
    }

    func quotientAndRemainder(dividingBy divisor: UInt128) -> (quotient: WideInteger, remainder: UInt128) {
        let (quotientHigh, rest) = high.quotientAndRemainder(dividingBy: divisor)
        let (quotientLow, remainder) =
            rest == 0 ? low.quotientAndRemainder(dividingBy: divisor) : divisor.dividingFullWidth((rest, low))
        return (WideInteger(high: quotientHigh, low: quotientLow), remainder)
    }

    /// Half up over 10^exponent; nothing happens for exponents of 0 and below.
    func dividedHalfUp(byPowerOfTen exponent: Int) -> WideInteger {
        if exponent <= 0 { return self }
        if exponent > DecimalArithmetic.digitsMax {
            // All but the last division cut: what they drop is behind the digit that decides.
            let cut = quotientAndRemainder(dividingBy: DecimalArithmetic.powerOfTen(38).magnitude).quotient
            return cut.dividedHalfUp(byPowerOfTen: exponent - 38)
        }
        let divisor = DecimalArithmetic.powerOfTen(exponent).magnitude
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder >= divisor - remainder ? quotient.adding(WideInteger(high: 0, low: 1)) : quotient
    }

    /// Long division, one bit at a time where the divisor is longer than 128 bits.
    func remainder(dividingBy divisor: WideInteger) -> WideInteger {
        if let short = divisor.exactly128 {
            return WideInteger(high: 0, low: quotientAndRemainder(dividingBy: short).remainder)
        }
        // Decimals stay below 2^253, so doubling a remainder never leaves 256 bits.
        var rest = WideInteger(high: 0, low: 0)
        for bit in stride(from: 255, through: 0, by: -1) {
            let next = bit >= 128 ? (high >> UInt128(bit - 128)) & 1 : (low >> UInt128(bit)) & 1
            rest = WideInteger(high: rest.high << 1 | rest.low >> 127, low: rest.low << 1 | next)
            if !rest.isLess(than: divisor) { rest = rest.subtracting(divisor) }
        }
        return rest
    }
}
