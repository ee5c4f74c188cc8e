// Times that a column declares in a form of its own: numbers in a unit, text in a pattern.

internal import SluicePlan
internal import SluiceSpec

/// Microseconds since 1970 of a number, which may have a fraction and an exponent; nil for what is no number, or beyond
/// what a timestamp holds. What a microsecond does not hold is cut off, towards the past.
func epochMicros(_ text: UnsafeRawBufferPointer, _ unit: EpochUnit) -> Int64? {
    if let whole = unsafe integer(text) {
        if unit == .nanoseconds { return whole.flooredQuotient(by: 1000) }
        let (micros, overflows) = whole.multipliedReportingOverflow(by: 1_000_000 / unit.perSecond)
        return overflows ? nil : micros
    }
    // Nine digits behind the point are nanoseconds of a second, and more than any unit needs.
    guard let billionths = unsafe decimalValue(text, precision: 38, scale: 9) else { return nil }
    let micros = billionths.flooredQuotient(by: Int128(unit.perSecond) * 1000)
    return Int64(exactly: micros)
}

/// The readers of columns with a pattern.
struct PatternReaders {
    private let readers: [Int: (reader: DateTimeReader, isDate: Bool)]
    private let rules: TimeZoneRules
    private var zones: TimeZones

    init(_ columns: [InputColumn], rules: TimeZoneRules, zones: TimeZones) {
        var readers: [Int: (reader: DateTimeReader, isDate: Bool)] = [:]
        for (slot, column) in columns.enumerated() {
            guard case .pattern(let pattern) = column.form else { continue }
            readers[slot] = (DateTimeReader(pattern.compiled), column.type == .date)
        }
        self.readers = readers
        self.rules = rules
        self.zones = zones
    }

    /// Microseconds or days of the text of a column; nil when it is not in the column's form.
    mutating func read(_ slot: Int, _ text: UnsafeRawBufferPointer) -> Int64? {
        guard let (reader, isDate) = readers[slot] else { return nil }
        return unsafe isDate
            ? reader.day(text, zones: &zones) : reader.timestamp(text, zone: rules, zones: &zones)
    }
}
