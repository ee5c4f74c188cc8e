// Parts of times, and times cut to a unit, in the program's calendar zone. A date stands for its midnight there.
// Source: Spark's datetimeExpressions and DateTimeUtils.

internal import SluiceSpec

func calendarRoutine(
    _ at: UnsafePointer<Instruction>, _ a: Register, _ program: CompiledProgram, _ scratch: inout EvaluationScratch
) -> Register {
    let zone = program.calendarZone
    switch unsafe at.pointee.routine {
    case .readTimestamp, .readDate: return unsafe readTime(at, a, program, &scratch)
    case .year, .month, .day, .dayOfWeek:
        let day = unsafe at.pointee.from == .date ? a.integer : localDay(a.integer, zone)
        return unsafe dayPart(at.pointee.routine, day)
    case .toDate:
        if unsafe at.pointee.from == .string { return unsafe Register(parseDate(a.bytes)) }
        return Register(localDay(a.integer, zone))
    case .toTimestamp where unsafe at.pointee.from == .string:
        return Register(scratch.withZones(of: program) { unsafe parseTimestamp(a.bytes, rules: zone, zones: &$0) })
    default: break
    }
    let midnight = unsafe at.pointee.from == .date ? midnight(ofDay: a.integer, in: zone) : a.integer
    guard let micros = midnight else { return .null }
    switch unsafe at.pointee.routine {
    case .toTimestamp: return Register(micros)
    case .unixMillis: return Register(micros.flooredQuotient(by: 1000))
    case .dateTrunc:
        let number = unsafe UInt8(exactly: at.pointee.immediate)
        guard let unit = number.flatMap(TruncationUnit.init(rawValue:)) else { return .null }
        return Register(truncated(micros, to: unit, zone))
    default:
        let second = micros.flooredQuotient(by: microsPerSecond)
        let local = second + zone.span(atSecond: second).offsetSeconds
        let secondOfDay = local - local.flooredQuotient(by: secondsPerDay) * secondsPerDay
        switch unsafe at.pointee.routine {
        case .hour: return Register(secondOfDay / 3600)
        case .minute: return Register(secondOfDay / 60 % 60)
        default: return Register(secondOfDay % 60)
        }
    }
}

private func dayPart(_ routine: Routine, _ day: Int64) -> Register {
    if routine == .dayOfWeek {
        // 1970-01-01 was a Thursday; 1 is Sunday.
        let sinceSunday = day + 4
        return Register(sinceSunday - sinceSunday.flooredQuotient(by: 7) * 7 + 1)
    }
    let date = CivilDate(daysSinceEpoch: Int(day))
    return Register(Int64(routine == .year ? date.year : (routine == .month ? date.month : date.day)))
}

/// The day, since 1970, that a zone's calendars show.
func localDay(_ micros: Int64, _ zone: TimeZoneRules) -> Int64 {
    let second = micros.flooredQuotient(by: microsPerSecond)
    return (second + zone.span(atSecond: second).offsetSeconds).flooredQuotient(by: secondsPerDay)
}

private func readTime(
    _ at: UnsafePointer<Instruction>, _ a: Register, _ program: CompiledProgram, _ scratch: inout EvaluationScratch
) -> Register {
    guard let reader = unsafe at.pointee.resource(as: DateTimeReader.self) else { return .null }
    let zone = program.calendarZone
    let micros = scratch.withZones(of: program) { zones in
        unsafe reader._withUnsafeGuaranteedRef { unsafe $0.timestamp(a.bytes, zone: zone, zones: &zones) }
    }
    guard let micros else { return .null }
    return unsafe Register(at.pointee.routine == .readDate ? localDay(micros, zone) : micros)
}

/// The start of the unit that an instant falls into; nil if it lies before all time.
private func truncated(_ micros: Int64, to unit: TruncationUnit, _ zone: TimeZoneRules) -> Int64? {
    switch unit {
    case .microsecond: return micros
    case .millisecond: return windowStart(micros, width: 1000)
    case .second: return windowStart(micros, width: microsPerSecond)
    case .minute: return truncated(micros, toSeconds: 60, zone)
    case .hour: return truncated(micros, toSeconds: 3600, zone)
    case .day: return truncated(micros, toSeconds: secondsPerDay, zone)
    case .week, .month, .quarter, .year:
        let day = localDay(micros, zone)
        if unit == .week {
            // 1970-01-01 was a Thursday, three days into its week.
            return midnight(ofDay: (day + 3).flooredQuotient(by: 7) * 7 - 3, in: zone)
        }
        var date = CivilDate(daysSinceEpoch: Int(day))
        date.day = 1
        if unit == .quarter { date.month -= (date.month - 1) % 3 }
        if unit == .year { date.month = 1 }
        return midnight(ofDay: Int64(date.daysSinceEpoch), in: zone)
    }
}

/// By the clock of the zone. The offset stays that of the instant where the clock shows the same twice.
private func truncated(_ micros: Int64, toSeconds unit: Int64, _ zone: TimeZoneRules) -> Int64? {
    let second = micros.flooredQuotient(by: microsPerSecond)
    let offset = zone.span(atSecond: second).offsetSeconds
    let local = (second + offset).flooredQuotient(by: unit) * unit
    var start = local - offset
    if zone.span(atSecond: start).offsetSeconds != offset {
        start = local - zone.span(atLocalSecond: local).offsetSeconds
    }
    let (result, overflow) = start.multipliedReportingOverflow(by: microsPerSecond)
    return overflow ? nil : result
}
