// The usual form of a timestamp, `2024-01-01T08:18:00[.fraction][Z|+01:00]`, read eight bytes at a time at fixed
// positions. Rows that follow each other share the day, and text without a zone the offset, so both are kept.

internal import SluiceSpec

/// Reads timestamps of one source: the usual form by position, every other form through `parseTimestamp`.
struct TimestampReader {
    let rules: TimeZoneRules
    private var zones: TimeZones
    /// The text of the last date that was read (`1970-01-` and `01` before the first), and its midnight in seconds.
    private var dateText: UInt64 = 0x2D31_302D_3037_3931
    private var dayText: UInt16 = 0x3130
    private var midnight: Int64 = 0
    private var span: TimeZoneRules.Span

    init(rules: TimeZoneRules, zones: TimeZones) {
        self.rules = rules
        self.zones = zones
        span = rules.span(atLocalSecond: 0)
    }

    /// The instant that `count` bytes at `text` say, nil when they say none. 32 bytes must be readable behind the text.
    @inline(__always)
    mutating func read(_ text: UnsafeRawPointer, count: Int) -> Int64? {
        guard count >= 19, count <= 32 else { return unsafe readAnyForm(text, count: count) }
        let date = unsafe UInt64(littleEndian: text.loadUnaligned(as: UInt64.self))
        let day = unsafe UInt16(littleEndian: text.loadUnaligned(fromByteOffset: 8, as: UInt16.self))
        if date != dateText || day != dayText {
            guard readDate(date, day) else { return unsafe readAnyForm(text, count: count) }
        }
        let separator = unsafe text.load(fromByteOffset: 10, as: UInt8.self)
        // `HH:mm:ss` against `00:00:00`: digits become 0 to 9, colons 0.
        let clock =
            unsafe UInt64(littleEndian: text.loadUnaligned(fromByteOffset: 11, as: UInt64.self)) ^ 0x3030_3A30_303A_3030
        let pairs = clock &* 10 &+ clock &>> 8
        let hour = pairs & 0xFF
        let minute = (pairs &>> 24) & 0xFF
        let second = (pairs &>> 48) & 0xFF
        let isClock = (clock | (clock &+ 0x7676_7F76_767F_7676)) & 0x8080_8080_8080_8080 == 0
        guard isClock, hour < 24, minute < 60, second < 60,
            separator == UInt8(ascii: "T") || separator == UInt8(ascii: " ")
        else { return unsafe readAnyForm(text, count: count) }
        let local = midnight &+ Int64(truncatingIfNeeded: hour &* 3600 &+ minute &* 60 &+ second)

        var position = 19
        var micros: Int64 = 0
        if count > 19, unsafe text.load(fromByteOffset: 19, as: UInt8.self) == UInt8(ascii: ".") {
            let digits =
                unsafe UInt64(littleEndian: text.loadUnaligned(fromByteOffset: 20, as: UInt64.self))
                ^ 0x3030_3030_3030_3030
            let others = (digits | (digits &+ 0x7676_7676_7676_7676)) & 0x8080_8080_8080_8080
            let digitCount = others.trailingZeroBitCount &>> 3
            position = 20 &+ digitCount
            guard digitCount > 0, digitCount < 8, position <= count else {
                return unsafe readAnyForm(text, count: count)
            }
            // The first six digits; those behind the last one count as 0.
            let kept = digits & (1 &<< UInt64(min(digitCount, 6) &* 8) &- 1)
            let pairs = kept &* 10 &+ kept &>> 8
            micros = Int64(
                truncatingIfNeeded: (pairs & 0xFF) &* 10_000 &+ (pairs &>> 16 & 0xFF) &* 100 &+ pairs &>> 32 & 0xFF)
        }
        if position == count { return inZone(local) &* microsPerSecond &+ micros }
        if unsafe text.load(fromByteOffset: position, as: UInt8.self) == UInt8(ascii: "Z"), position &+ 1 == count {
            return local &* microsPerSecond &+ micros
        }
        guard let offset = unsafe TimestampReader.offset(text + position, count: count &- position) else {
            return unsafe readAnyForm(text, count: count)
        }
        return (local &- offset) &* microsPerSecond &+ micros
    }

    /// Any form, from memory that may end with the text.
    @inline(never)
    mutating func readAnyForm(_ text: UnsafeRawPointer, count: Int) -> Int64? {
        unsafe parseTimestamp(UnsafeRawBufferPointer(start: text, count: count), rules: rules, zones: &zones)
    }

    /// `+01:00` in seconds.
    @inline(__always)
    private static func offset(_ text: UnsafeRawPointer, count: Int) -> Int64? {
        guard count == 6 else { return nil }
        let bytes = unsafe UInt64(littleEndian: text.loadUnaligned(as: UInt64.self)) & 0xFFFF_FFFF_FFFF
        let sign = bytes & 0xFF
        let digits = (bytes &>> 8) ^ 0x30_303A_3030
        guard (digits | (digits &+ 0x76_767F_7676)) & 0x80_8080_8080 == 0, sign == 0x2B || sign == 0x2D else {
            return nil
        }
        let pairs = digits &* 10 &+ digits &>> 8
        let seconds = Int64(truncatingIfNeeded: (pairs & 0xFF) &* 3600 &+ (pairs &>> 24 & 0xFF) &* 60)
        guard seconds <= 18 * 3600, pairs &>> 24 & 0xFF < 60 else { return nil }
        return sign == 0x2D ? -seconds : seconds
    }

    @inline(__always)
    private mutating func inZone(_ local: Int64) -> Int64 {
        if local < span.from || local >= span.until { span = rules.span(atLocalSecond: local) }
        return local &- span.offsetSeconds
    }

    /// Takes `yyyy-MM-` and `dd` for the current date; false when they are none.
    @inline(never)
    private mutating func readDate(_ date: UInt64, _ day: UInt16) -> Bool {
        let dateDigits = date ^ 0x2D30_302D_3030_3030
        let dayDigits = day ^ 0x3030
        guard (dateDigits | (dateDigits &+ 0x7F76_767F_7676_7676)) & 0x8080_8080_8080_8080 == 0,
            (dayDigits | (dayDigits &+ 0x7676)) & 0x8080 == 0
        else { return false }
        let pairs = dateDigits &* 10 &+ dateDigits &>> 8
        let civil = CivilDate(
            year: Int((pairs & 0xFF) &* 100 &+ (pairs &>> 16 & 0xFF)), month: Int(pairs &>> 40 & 0xFF),
            day: Int((dayDigits & 0xFF) &* 10 &+ dayDigits &>> 8))
        guard civil.isValid else { return false }
        dateText = date
        dayText = day
        midnight = Int64(civil.daysSinceEpoch) &* secondsPerDay
        return true
    }
}
