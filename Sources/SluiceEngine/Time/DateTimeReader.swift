// Text read by a datetime pattern. The pattern's steps run over the bytes once; what they find are fields, and the
// fields together are a time: all in java.time's strict way, as Spark uses it.
//
// What the text does not say is 1970-01-01 00:00:00, AM, and the zone that the caller gives. A field that is said twice
// must be the same. Nothing is allocated for a row, but for the name of a zone.
// Source: java.time.format.DateTimeFormatterBuilder (its parsers), Spark's DateTimeFormatterHelper.toZonedDateTime.

internal import SluiceSpec

/// Reads text by a pattern. Immutable, for any thread.
final class DateTimeReader: Sendable {
    private let steps: [DateTimePattern.Step]

    init(_ pattern: DateTimePattern) {
        steps = pattern.steps
    }

    /// Microseconds since 1970, nil when the text is not of the pattern or means no time. Without a zone it is read in
    /// `zone`; `zones` finds the zones that text may name. O(length).
    func timestamp(_ text: UnsafeRawBufferPointer, zone: TimeZoneRules, zones: inout TimeZones) -> Int64? {
        guard let fields = unsafe parse(text, &zones), let day = fields.day, let nanos = fields.nanosOfDay else {
            return nil
        }
        let local = day * secondsPerDay + nanos / 1_000_000_000
        let offset: Int64
        if let said = fields.offsetSeconds {
            guard said.magnitude <= 18 * 3600 else { return nil }
            offset = said
        } else {
            offset = (fields.zone ?? zone).span(atLocalSecond: local).offsetSeconds
        }
        let (micros, overflow) = (local - offset).multipliedReportingOverflow(by: microsPerSecond)
        let (sum, sumOverflow) = micros.addingReportingOverflow(nanos % 1_000_000_000 / 1000)
        return overflow || sumOverflow ? nil : sum
    }

    /// Days since 1970 of the date that the text says, whatever its time and zone; nil when it is not of the pattern or
    /// there is no such date. O(length).
    func day(_ text: UnsafeRawBufferPointer, zones: inout TimeZones) -> Int64? {
        guard let fields = unsafe parse(text, &zones), fields.nanosOfDay != nil, let day = fields.day else {
            return nil
        }
        return Int32(exactly: day).map(Int64.init)
    }

    private func parse(_ text: UnsafeRawBufferPointer, _ zones: inout TimeZones) -> DateTimeFields? {
        var fields = DateTimeFields()
        var run = unsafe PatternRun(text: text)
        return unsafe steps.withUnsafeBufferPointer { steps in
            unsafe run.isRead(steps, 0..<steps.count, &fields, &zones) && run.position == text.count ? fields : nil
        }
    }
}

/// What a text has said so far.
private struct DateTimeFields {
    private var values = InlineArray<11, Int64>(repeating: 0)
    private var known: UInt16 = 0
    /// 0 is BC or AM.
    var era: Int64?
    var half: Int64?
    var nanos: Int64?
    var offsetSeconds: Int64?
    var zone: TimeZoneRules?

    /// False when the field has another value already.
    mutating func set(_ field: DateTimePattern.Field, _ value: Int64) -> Bool {
        let bit = UInt16(1) << UInt16(field.rawValue)
        if known & bit != 0 { return values[Int(field.rawValue)] == value }
        known |= bit
        values[Int(field.rawValue)] = value
        return true
    }

    static func assign(_ place: inout Int64?, _ value: Int64) -> Bool {
        if let old = place { return old == value }
        place = value
        return true
    }

    private subscript(_ field: DateTimePattern.Field) -> Int64? {
        known >> field.rawValue & 1 != 0 ? values[Int(field.rawValue)] : nil
    }

    /// Days since 1970; nil when the fields make no date.
    var day: Int64? {
        var year = self[.year] ?? 1970
        if let ofEra = self[.yearOfEra] {
            guard ofEra >= 1 else { return nil }
            year = era == 0 ? 1 - ofEra : ofEra
        }
        guard year.magnitude <= 999_999_999 else { return nil }
        if let ofYear = self[.dayOfYear] {
            guard ofYear >= 1, ofYear <= (CivilDate.isLeap(Int(year)) ? 366 : 365) else { return nil }
            let day = CivilDate(year: Int(year), month: 1, day: 1).daysSinceEpoch + Int(ofYear) - 1
            let date = CivilDate(daysSinceEpoch: day)
            guard self[.month].map({ $0 == date.month }) ?? true, self[.day].map({ $0 == date.day }) ?? true else {
                return nil
            }
            return Int64(day)
        }
        let (month, day) = (self[.month] ?? 1, self[.day] ?? 1)
        guard (1...12).contains(month), (1...31).contains(day) else { return nil }
        let date = CivilDate(year: Int(year), month: Int(month), day: Int(day))
        return date.isValid ? Int64(date.daysSinceEpoch) : nil
    }

    /// Nanoseconds since midnight; nil when the fields make no time.
    var nanosOfDay: Int64? {
        var hour = self[.hour]
        if let clock = self[.clockHour] {
            guard (1...24).contains(clock), hour ?? clock % 24 == clock % 24 else { return nil }
            hour = clock % 24
        }
        var hourOfHalf = self[.hourOfHalfDay]
        if let clock = self[.clockHourOfHalfDay] {
            guard (1...12).contains(clock), hourOfHalf ?? clock % 12 == clock % 12 else { return nil }
            hourOfHalf = clock % 12
        }
        if let ofHalf = hourOfHalf {
            guard (0...11).contains(ofHalf) else { return nil }
            let said = ofHalf + (half ?? 0) * 12
            guard hour ?? said == said else { return nil }
            hour = said
        } else if let half {
            guard hour.map({ $0 / 12 == half }) ?? true else { return nil }
            hour = hour ?? half * 12
        }
        let (h, m, s) = (hour ?? 0, self[.minute] ?? 0, self[.second] ?? 0)
        guard (0...23).contains(h), (0...59).contains(m), (0...59).contains(s) else { return nil }
        return (h * 3600 + m * 60 + s) * 1_000_000_000 + (nanos ?? 0)
    }
}

/// A pattern on its way through a text.
@safe private struct PatternRun {
    let text: UnsafeRawBufferPointer
    var position = 0

    private typealias Step = DateTimePattern.Step

    init(text: UnsafeRawBufferPointer) {
        unsafe self.text = text
    }

    private func digit(_ index: Int) -> Int64? {
        guard unsafe index < text.count && text[index].isDigit else { return nil }
        return unsafe Int64(text[index]) - 0x30
    }

    private func has(_ byte: UInt8, at index: Int) -> Bool {
        guard unsafe index < text.count else { return false }
        let found = unsafe text[index]
        return found == byte || (byte.isLetter && found | 0x20 == byte | 0x20)
    }

    private mutating func take(_ word: StaticString) -> Bool {
        let count = word.utf8CodeUnitCount
        for index in 0..<count where unsafe !has(word.utf8Start[index], at: position + index) { return false }
        position += count
        return true
    }

    /// Runs a range of steps; false where the text does not fit them. A part that may be missing and does not fit is
    /// passed over, with all that it had found.
    mutating func isRead(
        _ steps: UnsafeBufferPointer<DateTimePattern.Step>, _ range: Range<Int>, _ fields: inout DateTimeFields,
        _ zones: inout TimeZones
    ) -> Bool {
        var index = range.lowerBound
        while index < range.upperBound {
            let step = unsafe steps[index]
            index += 1
            if case .optional(let end) = step {
                let (start, saved) = (position, fields)
                if unsafe !isRead(steps, index..<end - 1, &fields, &zones) {
                    position = start
                    fields = saved
                }
                index = end
            } else if !take(step, &fields, &zones) {
                return false
            }
        }
        return true
    }

    private mutating func take(_ step: Step, _ fields: inout DateTimeFields, _ zones: inout TimeZones) -> Bool {
        switch step {
        case .number(let field, let minimum, let maximum, let sign, let following):
            guard let value = number(minimum, maximum, sign, following: following) else { return false }
            return fields.set(field, value)
        case .yearOfCentury(let field):
            guard let tens = digit(position), let ones = digit(position + 1) else { return false }
            position += 2
            return fields.set(field, 2000 + tens * 10 + ones)
        case .fraction(let maximum): return fraction(maximum).map { DateTimeFields.assign(&fields.nanos, $0) } ?? false
        case .monthName(let isFull): return month(isFull).map { fields.set(.month, $0) } ?? false
        case .halfDay:
            let isMorning = take("AM")
            guard isMorning || take("PM") else { return false }
            return DateTimeFields.assign(&fields.half, isMorning ? 0 : 1)
        case .era(let isFull):
            let isCommon = isFull ? take("Anno Domini") : take("AD")
            guard isCommon || (isFull ? take("Before Christ") : take("BC")) else { return false }
            return DateTimeFields.assign(&fields.era, isCommon ? 1 : 0)
        case .offset(let form, let zero):
            guard let offset = offset(form, zero) else { return false }
            return DateTimeFields.assign(&fields.offsetSeconds, offset)
        case .localizedOffset(let isFull):
            guard let offset = localizedOffset(isFull) else { return false }
            return DateTimeFields.assign(&fields.offsetSeconds, offset)
        case .zone: return zone(&fields, &zones)
        case .byte(let byte):
            guard has(byte, at: position) else { return false }
            position += 1
            return true
        case .optional, .endOptional: return true
        }
    }

    /// Source: DateTimeFormatterBuilder.NumberPrinterParser.parse, strict.
    private mutating func number(
        _ minimum: Int, _ maximum: Int, _ sign: DateTimePattern.Sign, following: Int
    ) -> Int64? {
        var start = position
        let isNegative = has(UInt8(ascii: "-"), at: start)
        let isPositive = has(UInt8(ascii: "+"), at: start)
        if isNegative, sign == .none { return nil }
        if isPositive, sign != .plusBeyondMinimum { return nil }
        if isNegative || isPositive { start += 1 }
        var count = 0
        while count < maximum + following, digit(start + count) != nil { count += 1 }
        if following > 0 { count = max(minimum, count - following) }
        guard count >= minimum else { return nil }
        var value: Int64 = 0
        for index in 0..<count {
            guard let digit = digit(start + index) else { return nil }
            // Only years have so many digits, and none of them is one.
            value = min(value * 10 + digit, 100_000_000_000_000_000)
        }
        if isNegative, value == 0 { return nil }
        if sign == .plusBeyondMinimum, !isNegative, isPositive != (count > minimum) { return nil }
        position = start + count
        return isNegative ? -value : value
    }

    /// Nanoseconds.
    private mutating func fraction(_ maximum: Int) -> Int64? {
        var value: Int64 = 0
        var count = 0
        while count < maximum, let digit = digit(position) {
            value = value * 10 + digit
            count += 1
            position += 1
        }
        guard count > 0 else { return nil }
        for _ in count..<9 { value *= 10 }
        return value
    }

    private mutating func month(_ isFull: Bool) -> Int64? {
        let names: InlineArray<12, (short: StaticString, full: StaticString)> = [
            ("Jan", "January"), ("Feb", "February"), ("Mar", "March"), ("Apr", "April"), ("May", "May"),
            ("Jun", "June"), ("Jul", "July"), ("Aug", "August"), ("Sep", "September"), ("Oct", "October"),
            ("Nov", "November"), ("Dec", "December"),
        ]
        for index in names.indices where take(isFull ? names[index].full : names[index].short) {
            return Int64(index) + 1
        }
        return nil
    }

    private func pair(_ index: Int) -> Int64? {
        guard let tens = digit(index), let ones = digit(index + 1) else { return nil }
        return tens * 10 + ones
    }

    /// Seconds east of UTC. Source: DateTimeFormatterBuilder.OffsetIdPrinterParser.parse.
    private mutating func offset(_ form: DateTimePattern.OffsetForm, _ zero: UInt8) -> Int64? {
        let hasColons = form == .colonMinutes || form == .colonMinutesAndMaybeSeconds
        if zero != 0 {
            if has(zero, at: position) {
                position += 1
                return 0
            }
        } else if form == .hoursAndMaybeMinutes ? take("+00") : (hasColons ? take("+00:00") : take("+0000")) {
            return 0
        }
        let isWest = has(UInt8(ascii: "-"), at: position)
        guard isWest || has(UInt8(ascii: "+"), at: position), let hours = pair(position + 1) else { return nil }
        var end = position + 3
        var parts: (Int64, Int64) = (0, 0)
        func part(required: Bool) -> Int64?? {
            let start = hasColons ? end + 1 : end
            guard !hasColons || has(UInt8(ascii: ":"), at: end), let value = pair(start) else {
                return required ? .some(nil) : nil
            }
            end = start + 2
            return value
        }
        let minutes = part(required: form != .hoursAndMaybeMinutes)
        if case .some(nil) = minutes { return nil }
        parts.0 = (minutes ?? 0) ?? 0
        let takesSeconds = form == .minutesAndMaybeSeconds || form == .colonMinutesAndMaybeSeconds
        if takesSeconds { parts.1 = (part(required: false) ?? 0) ?? 0 }
        guard hours <= 23, parts.0 <= 59, parts.1 <= 59 else { return nil }
        position = end
        let seconds = hours * 3600 + parts.0 * 60 + parts.1
        return isWest ? -seconds : seconds
    }

    /// `GMT`, `GMT+8`, `GMT+08:30`.
    private mutating func localizedOffset(_ isFull: Bool) -> Int64? {
        guard take("GMT") else { return nil }
        let isWest = has(UInt8(ascii: "-"), at: position)
        guard isWest || has(UInt8(ascii: "+"), at: position) else { return 0 }
        var end = position + 1
        guard var hours = digit(end) else { return nil }
        end += 1
        if let ones = digit(end) {
            hours = hours * 10 + ones
            end += 1
        } else if isFull {
            return nil
        }
        var minutes: Int64 = 0
        if has(UInt8(ascii: ":"), at: end), let pair = pair(end + 1) {
            minutes = pair
            end += 3
        } else if isFull {
            return nil
        }
        position = end
        let seconds = hours * 3600 + minutes * 60
        return isWest ? -seconds : seconds
    }

    /// A region, an offset such as `+02:00`, or one behind `UTC`, `GMT` or `UT`.
    private mutating func zone(_ fields: inout DateTimeFields, _ zones: inout TimeZones) -> Bool {
        let start = position
        while unsafe position < text.count && isZoneByte(text[position]) { position += 1 }
        let name = unsafe String(decoding: UnsafeRawBufferPointer(rebasing: text[start..<position]), as: UTF8.self)
        guard let rules = zones.rules(namedInPattern: name) else { return false }
        fields.zone = rules
        return true
    }

    private func isZoneByte(_ byte: UInt8) -> Bool {
        byte.isLetter || byte.isDigit || byte == UInt8(ascii: "/") || byte == UInt8(ascii: "_")
            || byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ":")
    }
}
