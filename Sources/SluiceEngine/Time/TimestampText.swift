// Spark's lenient reading of timestamps and dates: one scan that collects up to nine numbers ("segments") and, behind
// the seconds, takes the rest of the text for a zone. `[+-]y{4,6}[-m[m][-d[d][( |T)h[h][:m[m][:s[s][.f*][zone]]]]]]`.
// One form is left out: a time without a date, which Spark completes with today's date, is null here, because an
// answer must not depend on when a row is read.
// Source: Spark's SparkDateTimeUtils.parseTimestampString, stringToTimestamp and stringToDate.

internal import SluiceSpec

/// Reads text as a timestamp, microseconds since the epoch, as Spark's cast does; nil when it is none. Text without a
/// zone is read in `rules`. `zones` finds the zones that text may name.
func parseTimestamp(
    _ text: UnsafeRawBufferPointer, rules: TimeZoneRules, zones: inout TimeZones
) -> Int64? {
    let text = unsafe trimmed(text)
    var scan = TimestampScan()
    guard unsafe scan.run(text) else { return nil }
    let zone: TimeZoneRules
    if let zoneStart = scan.zoneStart {
        let name = unsafe String(decoding: UnsafeRawBufferPointer(rebasing: text[zoneStart...]), as: UTF8.self)
        guard let named = zones.rules(named: trimmedOfBlanks(name)) else { return nil }
        zone = named
    } else {
        zone = rules
    }
    let date = CivilDate(year: scan.segments.0 * scan.yearSign, month: scan.segments.1, day: scan.segments.2)
    guard date.isValid, scan.segments.3 < 24, scan.segments.4 < 60, scan.segments.5 < 60 else { return nil }
    let timeOfDay = scan.segments.3 * 3600 + scan.segments.4 * 60 + scan.segments.5
    let local = Int64(date.daysSinceEpoch) * secondsPerDay + Int64(timeOfDay)
    let second = local - zone.span(atLocalSecond: local).offsetSeconds
    // The first representable second's start lies before Int64.min: count from the second after it.
    let (base, overflow) = (second < 0 ? second + 1 : second).multipliedReportingOverflow(by: microsPerSecond)
    let rest = Int64(scan.segments.6) - (second < 0 ? microsPerSecond : 0)
    let (micros, restOverflow) = base.addingReportingOverflow(rest)
    return overflow || restOverflow ? nil : micros
}

/// Reads text as a date, days since the epoch, as Spark's cast does; nil when it is none. What follows the day after a
/// blank or `T` is ignored.
func parseDate(_ text: UnsafeRawBufferPointer) -> Int64? {
    let text = unsafe trimmed(text)
    guard unsafe !text.isEmpty else { return nil }
    var segments = (1, 1, 1)
    var segment = 0
    var value = 0
    var digitCount = 0
    var sign = 1
    var index = 0
    if unsafe text[0] == UInt8(ascii: "-") || text[0] == UInt8(ascii: "+") {
        sign = unsafe text[0] == UInt8(ascii: "-") ? -1 : 1
        index = 1
    }
    func isValid() -> Bool {
        segment == 0 ? digitCount >= 4 && digitCount <= 7 : digitCount > 0 && digitCount <= 2
    }
    func store() {
        switch segment {
        case 0: segments.0 = value
        case 1: segments.1 = value
        default: segments.2 = value
        }
    }
    while index < text.count, unsafe text[index] != UInt8(ascii: " "), unsafe text[index] != UInt8(ascii: "T") {
        let byte = unsafe text[index]
        if segment < 2, byte == UInt8(ascii: "-") {
            guard isValid() else { return nil }
            store()
            value = 0
            digitCount = 0
            segment += 1
        } else {
            guard byte.isDigit else { return nil }
            if digitCount < 10 { value = value * 10 + Int(byte - UInt8(ascii: "0")) }
            digitCount += 1
        }
        index += 1
    }
    guard isValid(), segment == 2 || index == text.count else { return nil }
    store()
    let date = CivilDate(year: sign * segments.0, month: segments.1, day: segments.2)
    guard date.isValid, Int32(exactly: date.daysSinceEpoch) != nil else { return nil }
    return Int64(date.daysSinceEpoch)
}

/// `text` without blanks and ASCII control characters at both ends, as Spark trims before it casts.
@inline(__always)
func trimmed(_ text: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    var start = 0
    var end = text.count
    while start < end, unsafe text[start] <= 0x20 || text[start] == 0x7F { start &+= 1 }
    while end > start, unsafe text[end &- 1] <= 0x20 || text[end &- 1] == 0x7F { end &-= 1 }
    return unsafe UnsafeRawBufferPointer(rebasing: text[start..<end])
}

private func trimmedOfBlanks(_ name: String) -> String {
    guard let first = name.utf8.first, let last = name.utf8.last, first <= 0x20 || last <= 0x20 else { return name }
    let start = name.utf8.firstIndex { $0 > 0x20 } ?? name.utf8.endIndex
    let end = name.utf8.lastIndex { $0 > 0x20 }.map { name.utf8.index(after: $0) } ?? start
    return String(name[start..<end])
}

/// The numbers of a timestamp's text.
private struct TimestampScan {
    /// Year, month, day, hour, minute, second, microsecond.
    var segments = (1, 1, 1, 0, 0, 0, 0)
    var yearSign = 1
    /// Where the zone begins, nil when there is none.
    var zoneStart: Int?

    private var segment = 0
    private var value = 0
    private var digitCount = 0

    /// False when `text` (trimmed) has not the form of a timestamp.
    mutating func run(_ text: UnsafeRawBufferPointer) -> Bool {
        guard unsafe !text.isEmpty else { return false }
        var index = 0
        if unsafe text[0] == UInt8(ascii: "-") || text[0] == UInt8(ascii: "+") {
            yearSign = unsafe text[0] == UInt8(ascii: "-") ? -1 : 1
            index = 1
        }
        while index < text.count {
            let byte = unsafe text[index]
            if byte.isDigit {
                // Digits behind the sixth of a fraction are cut off; elsewhere so many digits are refused below.
                if digitCount < 6 { value = value * 10 + Int(byte - UInt8(ascii: "0")) }
                digitCount += 1
            } else if segment >= 5, byte != UInt8(ascii: ".") || segment == 6 {
                zoneStart = index
                break
            } else {
                guard separates(byte), endSegment() else { return false }
            }
            index += 1
        }
        guard zoneStart == nil || endSegment() else { return false }
        return zoneStart != nil || endSegment()
    }

    /// True when `byte` ends the current segment before the seconds or their fraction.
    private func separates(_ byte: UInt8) -> Bool {
        switch segment {
        case 0, 1: byte == UInt8(ascii: "-")
        case 2: byte == UInt8(ascii: " ") || byte == UInt8(ascii: "T")
        case 3, 4: byte == UInt8(ascii: ":")
        default: byte == UInt8(ascii: ".")
        }
    }

    private mutating func endSegment() -> Bool {
        switch segment {
        case 0:
            guard digitCount >= 4, digitCount <= 6 else { return false }
            segments.0 = value
        case 6:
            for _ in min(digitCount, 6)..<6 { value *= 10 }
            segments.6 = value
        default:
            guard digitCount > 0, digitCount <= 2 else { return false }
            switch segment {
            case 1: segments.1 = value
            case 2: segments.2 = value
            case 3: segments.3 = value
            case 4: segments.4 = value
            default: segments.5 = value
            }
        }
        segment += 1
        value = 0
        digitCount = 0
        return true
    }
}
