// Roots, powers, whole numbers and the times that numbers mean. Source: Spark's mathExpressions and
// datetimeExpressions (SecondsToTimestamp and its siblings).

internal import Glibc

func numberRoutine(_ at: UnsafePointer<Instruction>, _ a: Register, _ b: Register) -> Register {
    switch unsafe at.pointee.routine {
    case .floor: return unsafe wholeNumber(at, a, up: false)
    case .ceil: return unsafe wholeNumber(at, a, up: true)
    case .sqrt: return Register(a.double.squareRoot())
    case .power: return b.isNull ? .null : Register(javaPower(a.double, b.double))
    default: return Register(a.double > 0 ? 1 : (a.double < 0 ? -1 : a.double))
    }
}

/// C gives 1 for 1 to any power and for -1 to an infinite one, Java NaN.
private func javaPower(_ base: Double, _ exponent: Double) -> Double {
    if exponent.isNaN || (base.magnitude == 1 && exponent.isInfinite) { return .nan }
    return pow(base, exponent)
}

private func wholeNumber(_ at: UnsafePointer<Instruction>, _ a: Register, up: Bool) -> Register {
    switch unsafe at.pointee.from {
    case .double:
        let value = a.double.rounded(up ? .up : .down)
        // As Java narrows a double: NaN is 0, what is too great the greatest.
        if value.isNaN { return Register(Int64(0)) }
        return Register(value >= 0x1p63 ? Int64.max : (value <= -0x1p63 ? .min : Int64(value)))
    case .decimal:
        let unit = unsafe DecimalArithmetic.powerOfTen(Int(at.pointee.scales.left))
        let (quotient, rest) = a.decimal.quotientAndRemainder(dividingBy: unit)
        let value = up ? (rest > 0 ? quotient + 1 : quotient) : (rest < 0 ? quotient - 1 : quotient)
        return unsafe DecimalArithmetic.fits(value, at.pointee.scales.precision) ? Register(decimal: value) : .null
    default: return a
    }
}

/// Null for what is no time, or none that 64 bits of microseconds hold.
func timestampRoutine(_ at: UnsafePointer<Instruction>, _ a: Register) -> Register {
    let routine = unsafe at.pointee.routine
    if routine == .timestampMicros { return a }
    if routine == .timestampMillis { return scaled(a.integer, by: 1000) }
    switch unsafe at.pointee.from {
    case .double:
        let micros = a.double * 1_000_000
        guard micros.isFinite || a.double.isFinite else { return .null }
        return Register(micros >= 0x1p63 ? Int64.max : (micros <= -0x1p63 ? .min : Int64(micros)))
    case .decimal:
        let scale = unsafe Int(at.pointee.scales.left)
        let unit = DecimalArithmetic.powerOfTen(max(0, scale - 6))
        let (whole, rest) = a.decimal.quotientAndRemainder(dividingBy: unit)
        let (micros, overflow) = whole.multipliedReportingOverflow(by: DecimalArithmetic.powerOfTen(max(0, 6 - scale)))
        return overflow || rest != 0 ? .null : Register(Int64(exactly: micros))
    default: return scaled(a.integer, by: microsPerSecond)
    }
}

private func scaled(_ number: Int64, by factor: Int64) -> Register {
    let (micros, overflow) = number.multipliedReportingOverflow(by: factor)
    return overflow ? .null : Register(micros)
}
