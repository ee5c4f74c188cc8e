// From one field's text to one slot of the row, by Spark's rules for the column's type. Every function says whether the
// field could be read; when it could not the slot is untouched (null, or what an earlier field of the same name put
// there), as in Spark's partial results.

internal import SluicePlan
internal import SluiceSpec

struct FieldWriter {
    var builder: RowBuilder
    var timestamps: TimestampReader
    /// Of the columns with a pattern, by slot.
    private var patterns: PatternReaders

    init(_ columns: [InputColumn], timestamps: TimestampReader, zones: TimeZones) {
        builder = RowBuilder(layout: RowLayout(columns: columns))
        self.timestamps = timestamps
        patterns = PatternReaders(columns, rules: timestamps.rules, zones: zones)
    }

    /// A string token of JSON. `text` may hold lone surrogates as three bytes each.
    mutating func setJSONString(
        _ slot: Int, _ column: DecodedColumn, _ text: UnsafeRawBufferPointer, in arena: inout ByteBuffer
    ) -> Bool {
        switch column.kind {
        case .string:
            let start = arena.count
            unsafe appendReplacingSurrogates(text, to: &arena)
            builder.setAppended(slot, from: start, in: &arena)
            return true
        case .double:
            guard let value = unsafe FieldWriter.wordNumber(text) else { return false }
            builder.set(slot, bits: value.bitPattern, in: &arena)
            return true
        case .timestamp, .date, .decimal:
            guard unsafe !text.isEmpty else { return false }
            if column.kind == .date, let days = unsafe parseDateOfOlderSpark(text) {
                builder.set(slot, integer: days, in: &arena)
                return true
            }
            return unsafe setText(slot, column, text, in: &arena)
        case .epoch, .timestampPattern, .datePattern:
            return unsafe setTimeForm(slot, column, text, in: &arena)
        case .int, .long, .boolean, .none, .json, .object, .array:
            return false
        }
    }

    /// Text of a column with a unit or a pattern.
    private mutating func setTimeForm(
        _ slot: Int, _ column: DecodedColumn, _ text: UnsafeRawBufferPointer, in arena: inout ByteBuffer
    ) -> Bool {
        let value =
            unsafe column.kind == .epoch ? epochMicros(text, column.unit) : patterns.read(slot, text)
        guard let value else { return false }
        builder.set(slot, integer: value, in: &arena)
        return true
    }

    /// A number token of JSON, checked against its grammar.
    mutating func setJSONNumber(
        _ slot: Int, _ column: DecodedColumn, _ text: UnsafeRawBufferPointer, isInteger: Bool,
        in arena: inout ByteBuffer
    ) -> Bool {
        switch column.kind {
        case .int, .long, .timestamp:
            guard isInteger, let value = unsafe integer(text) else { return false }
            if column.kind == .int, Int32(exactly: value) == nil { return false }
            // A number is in seconds; Spark lets the product wrap.
            builder.set(slot, integer: column.kind == .timestamp ? value &* microsPerSecond : value, in: &arena)
            return true
        case .double:
            let value = unsafe doubleValue(text)
            // The integer -0 is 0.
            builder.set(slot, bits: (isInteger && value == 0 ? 0 : value).bitPattern, in: &arena)
            return true
        case .decimal:
            return unsafe setDecimal(slot, column, text, in: &arena)
        case .epoch:
            return unsafe setTimeForm(slot, column, text, in: &arena)
        case .string, .boolean, .date, .timestampPattern, .datePattern, .none, .json, .object, .array:
            return false
        }
    }

    /// A value of CSV that is not empty, with 32 readable bytes behind it.
    @inline(__always)
    mutating func setPaddedCSVText(
        _ slot: Int, _ column: DecodedColumn, _ text: UnsafeRawBufferPointer, in arena: inout ByteBuffer
    ) -> Bool {
        guard let base = text.baseAddress else { return false }
        if column.kind == .string {
            unsafe builder.set(slot, padded: base, count: text.count, in: &arena)
            return true
        }
        // Text that only older versions of Spark wrote is left to the other path.
        if column.kind == .timestamp, let micros = unsafe timestamps.read(base, count: text.count) {
            builder.set(slot, integer: micros, in: &arena)
            return true
        }
        return unsafe setCSVText(slot, column, text, in: &arena)
    }

    /// A value of CSV that is not empty.
    mutating func setCSVText(
        _ slot: Int, _ column: DecodedColumn, _ text: UnsafeRawBufferPointer, in arena: inout ByteBuffer
    ) -> Bool {
        switch column.kind {
        case .int, .long:
            guard let value = unsafe integer(text), column.kind == .long || Int32(exactly: value) != nil else {
                return false
            }
            builder.set(slot, integer: value, in: &arena)
        case .double:
            guard let value = unsafe FieldWriter.csvDouble(text) else { return false }
            builder.set(slot, bits: value.bitPattern, in: &arena)
        case .boolean:
            guard let value = unsafe FieldWriter.csvBoolean(text) else { return false }
            builder.set(slot, bits: value ? 1 : 0, in: &arena)
        case .epoch, .timestampPattern, .datePattern:
            return unsafe setTimeForm(slot, column, text, in: &arena)
        case .string, .timestamp, .date, .decimal, .none, .json, .object, .array:
            return unsafe setText(slot, column, text, in: &arena)
        }
        return true
    }

    private static func csvDouble(_ text: UnsafeRawBufferPointer) -> Double? {
        if unsafe text.elementsEqual("Inf".utf8) { return .infinity }
        if unsafe text.elementsEqual("-Inf".utf8) { return -.infinity }
        return unsafe javaDouble(text)
    }

    private static func csvBoolean(_ text: UnsafeRawBufferPointer) -> Bool? {
        if text.count == 4, unsafe zip(text, "true".utf8).allSatisfy({ $0 | 0x20 == $1 }) { return true }
        if text.count == 5, unsafe zip(text, "false".utf8).allSatisfy({ $0 | 0x20 == $1 }) { return false }
        return nil
    }

    /// Text of a type that reads text the same way from JSON and CSV: string, timestamp, date, decimal.
    mutating func setText(
        _ slot: Int, _ column: DecodedColumn, _ text: UnsafeRawBufferPointer, in arena: inout ByteBuffer
    ) -> Bool {
        switch column.kind {
        case .string:
            unsafe builder.set(slot, bytes: text, in: &arena)
        case .timestamp:
            guard let micros = unsafe timestamps.readField(text) else { return false }
            builder.set(slot, integer: micros, in: &arena)
        case .date:
            guard let days = unsafe parseDateField(text) else { return false }
            builder.set(slot, integer: days, in: &arena)
        case .decimal:
            guard unsafe text.contains(UInt8(ascii: ",")) else {
                return unsafe setDecimal(slot, column, text, in: &arena)
            }
            let digits = unsafe text.filter { $0 != UInt8(ascii: ",") }
            return unsafe digits.withUnsafeBytes { unsafe setDecimal(slot, column, $0, in: &arena) }
        case .int, .long, .double, .boolean, .none, .epoch, .timestampPattern, .datePattern, .json, .object, .array:
            return false
        }
        return true
    }

    private func setDecimal(
        _ slot: Int, _ column: DecodedColumn, _ text: UnsafeRawBufferPointer, in arena: inout ByteBuffer
    ) -> Bool {
        let value = unsafe decimalValue(text, precision: Int(column.precision), scale: Int(column.scale))
        guard let value else { return false }
        builder.set(slot, decimal: value, in: &arena)
        return true
    }

    /// The words that a double may be written as in quotes.
    static func wordNumber(_ text: UnsafeRawBufferPointer) -> Double? {
        guard text.count >= 3, text.count <= 9 else { return nil }
        switch unsafe String(decoding: text, as: UTF8.self) {
        case "NaN": return .nan
        case "+INF", "+Infinity", "Infinity": return .infinity
        case "-INF", "-Infinity": return -.infinity
        default: return nil
        }
    }
}

// Forms that Spark 1 and 2 wrote and that every later version still reads from JSON and CSV (not in casts).
extension TimestampReader {
    /// The instant a field's text says. The memory may end with the text.
    mutating func readField(_ text: UnsafeRawBufferPointer) -> Int64? {
        guard let base = text.baseAddress else { return nil }
        if let micros = unsafe readAnyForm(base, count: text.count) { return micros }
        guard let rest = unsafe withoutGMT(text), !rest.isEmpty else { return nil }
        return unsafe rest.withUnsafeBytes { unsafe readAnyForm($0.baseAddress!, count: $0.count) }
    }
}

func parseDateField(_ text: UnsafeRawBufferPointer) -> Int64? {
    if let days = unsafe parseDate(text) { return days }
    return unsafe withoutGMT(text)?.withUnsafeBytes { unsafe parseDate($0) }
}

/// `2015-01-01GMT+01:00` was once written for a timestamp: the text with each `GMT` cut out, nil when there is none.
private func withoutGMT(_ text: UnsafeRawBufferPointer) -> [UInt8]? {
    var rest: [UInt8] = []
    var index = 0
    while index < text.count {
        if index + 2 < text.count, unsafe text[index] == UInt8(ascii: "G"), unsafe text[index + 1] == UInt8(ascii: "M"),
            unsafe text[index + 2] == UInt8(ascii: "T")
        {
            index += 3
        } else {
            unsafe rest.append(text[index])
            index += 1
        }
    }
    return rest.count < text.count ? rest : nil
}

/// A date that Spark 1.5 wrote as its number of days, in the calendar of that time (Julian before 15 October 1582); nil
/// for text that reads as a date or is no integer.
private func parseDateOfOlderSpark(_ text: UnsafeRawBufferPointer) -> Int64? {
    guard unsafe parseDateField(text) == nil, let days = unsafe integer(text), Int32(exactly: days) != nil else {
        return nil
    }
    let gregorianStart: Int64 = -141_427
    guard days < gregorianStart else { return days }
    // The Julian calendar's leap years come every four years, so its date needs no eras.
    let shifted = days + 719_470
    let cycle = shifted.flooredQuotient(by: 1461)
    let dayOfCycle = shifted - cycle * 1461
    let yearOfCycle = min(dayOfCycle / 365, 3)
    let dayOfYear = dayOfCycle - yearOfCycle * 365
    let marchMonth = (5 * dayOfYear + 2) / 153
    let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
    let year = cycle * 4 + yearOfCycle + (month <= 2 ? 1 : 0)
    let day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
    return Int64(CivilDate(year: Int(year), month: Int(month), day: Int(day)).daysSinceEpoch)
}
