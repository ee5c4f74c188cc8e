// Conversions between types, each as Spark 4's cast gives it in ANSI mode, with null for what Spark refuses.
// Source: Spark's Cast, SparkDateTimeUtils and UTF8String.

internal import SluiceSpec

/// Converts the value of register `a`, which is not null, as the `cast` instruction at `at` says.
@inline(never)
func cast(
    _ value: Register, _ at: UnsafePointer<Instruction>, _ program: CompiledProgram,
    _ scratch: inout EvaluationScratch
) -> Register {
    let scales = unsafe at.pointee.scales
    switch unsafe (at.pointee.from, at.pointee.to) {
    case (.string, let to): return unsafe castText(value.bytes, to, scales, program, &scratch)
    case (let from, .string): return text(of: value, from, scales, program, &scratch)
    case (.int, .long), (.boolean, .int), (.boolean, .long): return value
    case (.int, .boolean), (.long, .boolean): return Register(value.integer != 0)
    case (.long, .int): return Register(Int32(exactly: value.integer).map(Int64.init))
    case (.int, .double), (.long, .double), (.boolean, .double): return Register(Double(value.integer))
    case (.int, .timestamp), (.long, .timestamp): return Register(saturatedMicros(seconds: value.integer))
    case (.int, .decimal), (.long, .decimal), (.boolean, .decimal):
        return Register(
            decimal: DecimalArithmetic.rescaled(
                Int128(value.integer), from: 0, to: Int(scales.result), precision: scales.precision))
    case (.double, let to): return castDouble(value.double, to, scales)
    case (.decimal, let to): return castDecimal(value.decimal, to, scales)
    case (.timestamp, let to): return castTimestamp(value.integer, to, scales, program.zone)
    case (.date, .timestamp): return Register(midnight(ofDay: value.integer, in: program.zone))
    default: return .null
    }
}

private func castText(
    _ text: UnsafeRawBufferPointer, _ to: ValueKind, _ scales: DecimalScales, _ program: CompiledProgram,
    _ scratch: inout EvaluationScratch
) -> Register {
    switch to {
    case .int: return unsafe Register(parseInt(text))
    case .long: return unsafe Register(parseLong(text))
    case .double: return unsafe Register(parseDouble(text))
    case .boolean:
        guard let value = unsafe parseBoolean(text) else { return .null }
        return Register(value)
    case .decimal:
        return unsafe Register(
            decimal: parseDecimal(text, precision: Int(scales.precision), scale: Int(scales.result)))
    case .timestamp:
        return Register(scratch.withZones(of: program) { unsafe parseTimestamp(text, rules: program.zone, zones: &$0) })
    case .date: return unsafe Register(parseDate(text))
    case .string, .duration, .null, .json: return .null
    }
}

private func castDouble(_ value: Double, _ to: ValueKind, _ scales: DecimalScales) -> Register {
    switch to {
    case .int:
        guard value.rounded(.down) <= 2_147_483_647, value.rounded(.up) >= -2_147_483_648 else { return .null }
        return Register(Int64(value))
    case .long: return Register(long(value))
    case .boolean: return Register(value != 0)
    case .timestamp: return value.isFinite ? Register(long(value * 1_000_000)) : .null
    case .decimal:
        guard value.isFinite else { return .null }
        let shortest = ShortestDecimal(value)
        let magnitude = scaled(
            Int128(shortest.significand), exponent: shortest.exponent + Int(scales.result), scales.precision)
        return Register(decimal: magnitude.map { value < 0 ? -$0 : $0 })
    case .string, .double, .date, .duration, .null, .json: return .null
    }
}

/// The whole part; nil for NaN and what 64 bits do not hold. 2^63 itself passes Java's test and becomes the greatest.
private func long(_ value: Double) -> Int64? {
    guard value.rounded(.down) <= 0x1p63, value.rounded(.up) >= -0x1p63 else { return nil }
    return value >= 0x1p63 ? .max : Int64(value)
}

/// `value * 10^exponent`, half up.
private func scaled(_ value: Int128, exponent: Int, _ precision: UInt8) -> Int128? {
    DecimalArithmetic.rescaled(value, from: max(0, -exponent), to: max(0, exponent), precision: precision)
}

private func castDecimal(_ value: Int128, _ to: ValueKind, _ scales: DecimalScales) -> Register {
    let scale = Int(scales.left)
    switch to {
    case .int: return Register(Int32(exactly: value / DecimalArithmetic.powerOfTen(scale)).map(Int64.init))
    case .long: return Register(Int64(exactly: value / DecimalArithmetic.powerOfTen(scale)))
    case .double: return Register(doubleFromDecimal(value, exponent: -scale))
    case .boolean: return Register(value != 0)
    case .decimal:
        return Register(
            decimal: DecimalArithmetic.rescaled(
                value, from: scale, to: Int(scales.result), precision: scales.precision))
    case .timestamp:
        let whole = value / DecimalArithmetic.powerOfTen(max(0, scale - 6))
        let (micros, overflow) = whole.multipliedReportingOverflow(by: DecimalArithmetic.powerOfTen(max(0, 6 - scale)))
        return overflow ? .null : Register(Int64(truncatingIfNeeded: micros))
    case .string, .date, .duration, .null, .json: return .null
    }
}

private func castTimestamp(
    _ micros: Int64, _ to: ValueKind, _ scales: DecimalScales, _ zone: TimeZoneRules
) -> Register {
    let second = micros.flooredQuotient(by: microsPerSecond)
    switch to {
    case .int: return Register(Int32(exactly: second).map(Int64.init))
    case .long: return Register(second)
    case .double: return Register(Double(micros) / 1_000_000)
    case .decimal: return castDouble(Double(micros) / 1_000_000, .decimal, scales)
    case .date:
        return Register((second + zone.span(atSecond: second).offsetSeconds).flooredQuotient(by: secondsPerDay))
    case .string, .boolean, .timestamp, .duration, .null, .json: return .null
    }
}

/// Beyond the ends of time the end, as Java's TimeUnit does.
private func saturatedMicros(seconds: Int64) -> Int64 {
    let (micros, overflow) = seconds.multipliedReportingOverflow(by: microsPerSecond)
    return overflow ? (seconds < 0 ? .min : .max) : micros
}

/// The instant at which a day begins; nil beyond the ends of time.
func midnight(ofDay day: Int64, in zone: TimeZoneRules) -> Int64? {
    let (local, overflow) = day.multipliedReportingOverflow(by: secondsPerDay)
    guard !overflow else { return nil }
    let second = local - zone.span(atLocalSecond: local).offsetSeconds
    let (micros, tooFar) = second.multipliedReportingOverflow(by: microsPerSecond)
    return tooFar ? nil : micros
}

// MARK: Text

private func text(
    of value: Register, _ from: ValueKind, _ scales: DecimalScales, _ program: CompiledProgram,
    _ scratch: inout EvaluationScratch
) -> Register {
    let place = unsafe scratch.space(decimalTextRoom)
    let count: Int
    switch from {
    case .string: return value
    case .int, .long: unsafe count = writeInteger(value.integer, to: place)
    case .double: unsafe count = writeDouble(value.double, to: place)
    case .decimal: unsafe count = writeDecimal(value.decimal, scale: Int(scales.left), to: place)
    case .boolean: unsafe count = writeBoolean(value.low != 0, to: place)
    case .timestamp: unsafe count = writeTimestamp(value.integer, in: program.zone, to: place, &scratch.text)
    case .date: unsafe count = writeDate(value.integer, to: place, &scratch.text)
    case .duration, .null, .json: return .null
    }
    return scratch.keep(count)
}

/// Writes `true` or `false`; 8 bytes are writable.
@inline(__always)
func writeBoolean(_ value: Bool, to place: UnsafeMutableRawPointer) -> Int {
    unsafe place.storeBytes(of: value ? 0x6575_7274 : 0x65_736C_6166, as: UInt64.self)
    return value ? 4 : 5
}

/// Writes `yyyy-MM-dd`, by way of `buffer`.
private func writeDate(_ day: Int64, to place: UnsafeMutableRawPointer, _ buffer: inout ByteBuffer) -> Int {
    buffer.removeAll()
    formatDate(day, into: &buffer)
    unsafe place.copyMemory(from: buffer.base, byteCount: buffer.count)
    return buffer.count
}

/// Writes `yyyy-MM-dd HH:mm:ss[.ffffff]` in local time, the fraction without trailing zeros.
private func writeTimestamp(
    _ micros: Int64, in zone: TimeZoneRules, to place: UnsafeMutableRawPointer, _ buffer: inout ByteBuffer
) -> Int {
    let second = micros.flooredQuotient(by: microsPerSecond)
    var fraction = micros &- second &* microsPerSecond
    let local = second + zone.span(atSecond: second).offsetSeconds
    let day = local.flooredQuotient(by: secondsPerDay)
    let secondOfDay = local - day * secondsPerDay
    var count = unsafe writeDate(day, to: place, &buffer)
    for (separator, value) in zip(" ::".utf8, [secondOfDay / 3600, secondOfDay / 60 % 60, secondOfDay % 60]) {
        unsafe place.storeBytes(of: separator, toByteOffset: count, as: UInt8.self)
        unsafe writePadded(value, digitCount: 2, to: place + count + 1)
        count += 3
    }
    guard fraction > 0 else { return count }
    var digitCount = 6
    while fraction % 10 == 0 {
        fraction /= 10
        digitCount -= 1
    }
    unsafe place.storeBytes(of: UInt8(ascii: "."), toByteOffset: count, as: UInt8.self)
    unsafe writePadded(fraction, digitCount: digitCount, to: place + count + 1)
    return count + 1 + digitCount
}

private func writePadded(_ value: Int64, digitCount: Int, to place: UnsafeMutableRawPointer) {
    var rest = value
    for index in stride(from: digitCount - 1, through: 0, by: -1) {
        unsafe place.storeBytes(of: UInt8(ascii: "0") + UInt8(rest % 10), toByteOffset: index, as: UInt8.self)
        rest /= 10
    }
}
