// The functions behind the `routine` instruction: all that is not arithmetic, comparison or one of the first text
// functions. They stand apart so that the loop over instructions stays as small as it was.

internal import SluiceSpec

/// What a `routine` instruction calls.
enum Routine: UInt8 {
    case none
    case replace, splitPart, startsWith, endsWith, contains, left, right, lpad, rpad, ltrim, rtrim
    case rlike, regexpExtract, regexpReplace, getJSONObject
    case greatest, least
    case floor, ceil, sqrt, power, sign
    case timestampSeconds, timestampMillis, timestampMicros, unixMillis, toTimestamp, toDate
    case readTimestamp, readDate, dateTrunc
    case year, month, day, hour, minute, second, dayOfWeek
    case md5, sha2, hash
}

/// Runs the routine of the instruction at `at` over registers `a`, `b` and `c`.
@inline(never)
func runRoutine(
    _ at: UnsafePointer<Instruction>, _ a: Register, _ b: Register, _ program: CompiledProgram,
    _ scratch: inout EvaluationScratch
) -> Register {
    let routine = unsafe at.pointee.routine
    switch routine {
    case .greatest, .least: return unsafe extreme(at, a, b)
    case .hash: return unsafe murmurHash(a, at, seed: b)
    default: break
    }
    if a.isNull { return .null }
    let c = unsafe scratch.registers[Int(at.pointee.c)]
    switch routine {
    case .replace, .splitPart, .startsWith, .endsWith, .contains, .left, .right, .lpad, .rpad:
        return b.isNull ? .null : textRoutine(routine, a, b, c, &scratch)
    case .ltrim: return unsafe Register(bytes: trimmingSpaces(a.bytes, atStart: true, atEnd: false))
    case .rtrim: return unsafe Register(bytes: trimmingSpaces(a.bytes, atStart: false, atEnd: true))
    case .rlike, .regexpExtract, .regexpReplace: return unsafe regularExpressionRoutine(at, a, &scratch)
    case .getJSONObject: return unsafe getJSONObject(at, a, &scratch)
    case .floor, .ceil, .sqrt, .power, .sign: return unsafe numberRoutine(at, a, b)
    case .timestampSeconds, .timestampMillis, .timestampMicros: return unsafe timestampRoutine(at, a)
    case .md5: return scratch.digest(a, bits: 0)
    case .sha2: return b.isNull ? .null : scratch.digest(a, bits: b.integer == 0 ? 256 : b.integer)
    case .none, .greatest, .least, .hash, .unixMillis, .toTimestamp, .toDate, .readTimestamp, .readDate, .dateTrunc,
        .year, .month, .day, .hour, .minute, .second, .dayOfWeek:
        return unsafe calendarRoutine(at, a, program, &scratch)
    }
}

/// The greater or lesser of two values of one type; the first where they are equal, the other one of a null.
private func extreme(_ at: UnsafePointer<Instruction>, _ a: Register, _ b: Register) -> Register {
    if a.isNull { return b }
    if b.isNull { return a }
    let sign: Int
    switch unsafe at.pointee.from {
    case .string, .json: sign = unsafe compareBytes(a.bytes, b.bytes)
    case .double: sign = compareDoubles(a.double, b.double)
    case .decimal: sign = a.decimal < b.decimal ? -1 : (a.decimal == b.decimal ? 0 : 1)
    case .int, .long, .boolean, .timestamp, .date, .duration, .null:
        sign = a.integer < b.integer ? -1 : (a.integer == b.integer ? 0 : 1)
    }
    return unsafe (at.pointee.routine == .greatest ? sign < 0 : sign > 0) ? b : a
}
