// Times and dates as Spark writes them. Consecutive rows nearly always fall into the same local day, so the text of
// the date and of the offset is kept and only the time of day is written anew.

internal import SluiceSpec

/// Writes timestamps as `yyyy-MM-dd'T'HH:mm:ss.SSSXXX` in one zone. Source: Spark's TimestampFormatter with the
/// default pattern of to_json; always three digits, rounded down.
struct TimestampFormatter {
    let rules: TimeZoneRules
    /// The span of instants that share local day and offset: `lower`, and `width` microseconds from there.
    private var lower: Int64 = 0
    private var width: UInt64 = 0
    /// Local midnight as an instant; may have wrapped at the ends of time, differences to it are right.
    private var midnight: Int64 = 0
    /// `2024-01-01T`, at most 14 bytes.
    private var date: (UInt64, UInt64) = (0, 0)
    private var dateByteCount = 0
    /// `Z`, `+01:00` or `+00:09:21`.
    private var offset: (UInt64, UInt64) = (0, 0)
    private var offsetByteCount = 0

    init(rules: TimeZoneRules) {
        self.rules = rules
    }

    /// Appends the text of an instant, microseconds since the epoch. Never fails: years beyond four digits get a sign.
    @inline(__always)
    mutating func append(_ micros: Int64, to buffer: inout ByteBuffer) {
        if UInt64(bitPattern: micros &- lower) >= width { move(to: micros) }
        buffer.reserve(64)
        let start = unsafe buffer.base + buffer.count
        unsafe start.storeBytes(of: date.0, as: UInt64.self)
        unsafe start.storeBytes(of: date.1, toByteOffset: 8, as: UInt64.self)
        let millis = UInt32(truncatingIfNeeded: UInt64(bitPattern: micros &- midnight) / 1000)
        let seconds = millis / 1000
        let minutes = seconds / 60
        let hours = minutes / 60
        let clock =
            twoDigits(hours) | 0x3A << 16 | twoDigits(minutes &- hours &* 60) << 24 | 0x3A << 40
            | twoDigits(seconds &- minutes &* 60) << 48
        let fraction = millis &- seconds &* 1000
        let tail = 0x2E | UInt64(fraction / 100 &+ 0x30) << 8 | twoDigits(fraction % 100) << 16
        let time = unsafe start + dateByteCount
        unsafe time.storeBytes(of: clock, as: UInt64.self)
        unsafe time.storeBytes(of: UInt32(truncatingIfNeeded: tail), toByteOffset: 8, as: UInt32.self)
        unsafe time.storeBytes(of: offset.0, toByteOffset: 12, as: UInt64.self)
        unsafe time.storeBytes(of: offset.1, toByteOffset: 20, as: UInt64.self)
        buffer.advance(by: dateByteCount &+ 12 &+ offsetByteCount)
    }

    /// Makes the cached day and offset those of `micros`.
    @inline(never)
    private mutating func move(to micros: Int64) {
        let second = micros.flooredQuotient(by: microsPerSecond)
        let span = rules.span(atSecond: second)
        let day = (second + span.offsetSeconds).flooredQuotient(by: secondsPerDay)
        let midnightSecond = day * secondsPerDay - span.offsetSeconds
        let firstSecond = max(midnightSecond, span.from)
        let lastSecond = min(midnightSecond + secondsPerDay, span.until)
        lower = TimestampFormatter.saturatedMicros(firstSecond)
        width = UInt64(bitPattern: TimestampFormatter.saturatedMicros(lastSecond) &- lower)
        // The last instant of all would need a bound past Int64: a span of one does for it.
        if micros == .max {
            lower = micros
            width = 1
        }
        midnight = midnightSecond &* microsPerSecond
        var text = ShortText()
        text.append(CivilDate(daysSinceEpoch: Int(day)))
        text.append(UInt8(ascii: "T"))
        date = text.words
        dateByteCount = text.byteCount
        text = ShortText()
        text.append(offsetSeconds: span.offsetSeconds)
        offset = text.words
        offsetByteCount = text.byteCount
    }

    private static func saturatedMicros(_ second: Int64) -> Int64 {
        let (micros, overflow) = second.multipliedReportingOverflow(by: microsPerSecond)
        return overflow ? (second < 0 ? .min : .max) : micros
    }
}

/// Appends `yyyy-MM-dd`; `days` since the epoch.
func formatDate(_ days: Int64, into buffer: inout ByteBuffer) {
    var text = ShortText()
    text.append(CivilDate(daysSinceEpoch: Int(days)))
    buffer.reserve(16)
    let start = unsafe buffer.base + buffer.count
    unsafe start.storeBytes(of: text.words.0, as: UInt64.self)
    unsafe start.storeBytes(of: text.words.1, toByteOffset: 8, as: UInt64.self)
    buffer.advance(by: text.byteCount)
}

/// Two ASCII digits, the first in the low byte.
@inline(__always)
private func twoDigits(_ value: UInt32) -> UInt64 {
    let tens = value / 10
    return UInt64(tens | (value &- tens &* 10) &<< 8) &+ 0x3030
}

/// Up to 16 bytes of ASCII in registers.
private struct ShortText {
    private(set) var words: (UInt64, UInt64) = (0, 0)
    private(set) var byteCount = 0

    mutating func append(_ byte: UInt8) {
        precondition(byteCount < 16)
        if byteCount < 8 {
            words.0 |= UInt64(byte) << UInt64(byteCount * 8)
        } else {
            words.1 |= UInt64(byte) << UInt64((byteCount - 8) * 8)
        }
        byteCount += 1
    }

    mutating func append(_ value: Int, digitCount: Int) {
        var divisor = 1
        for _ in 1..<digitCount { divisor *= 10 }
        while divisor > 0 {
            append(UInt8(ascii: "0") + UInt8(value / divisor % 10))
            divisor /= 10
        }
    }

    mutating func append(_ date: CivilDate) {
        if date.year < 0 { append(UInt8(ascii: "-")) } else if date.year > 9999 { append(UInt8(ascii: "+")) }
        let year = abs(date.year)
        append(year, digitCount: year > 999_999 ? 7 : year > 99_999 ? 6 : year > 9999 ? 5 : 4)
        append(UInt8(ascii: "-"))
        append(date.month, digitCount: 2)
        append(UInt8(ascii: "-"))
        append(date.day, digitCount: 2)
    }

    mutating func append(offsetSeconds: Int64) {
        guard offsetSeconds != 0 else { return append(UInt8(ascii: "Z")) }
        append(offsetSeconds < 0 ? UInt8(ascii: "-") : UInt8(ascii: "+"))
        let seconds = Int(abs(offsetSeconds))
        append(seconds / 3600, digitCount: 2)
        append(UInt8(ascii: ":"))
        append(seconds / 60 % 60, digitCount: 2)
        if seconds % 60 != 0 {
            append(UInt8(ascii: ":"))
            append(seconds % 60, digitCount: 2)
        }
    }
}
