// What a look at a source's first rows says of its columns, in words: those that never have a value, and times that are
// plainly counted in another unit than the spec says.

internal import SluiceEngine
internal import SluicePlan
internal import SluiceSpec
internal import SluiceSystem

/// The columns of one source that are read.
struct FirstRowColumns {
    private let columns: [InputColumn]
    private let eventTime: Int?
    /// Whether rows that are far ahead are kept from the watermark.
    private let hasMaxAhead: Bool

    struct WrongUnit {
        var column: String
        /// To follow the column's name.
        var reason: String
    }

    init(_ input: InputPlan) {
        columns = input.columns
        eventTime = input.watermark?.column
        hasMaxAhead = input.watermark?.maxAheadMicros != nil
    }

    /// Columns without a value in any of the rows, as the spec finds them in a record; none where there are no rows.
    func empty(in look: FirstLook) -> [String] {
        guard look.rowCount > 0 else { return [] }
        let slots = columns.indices.filter { look.nullCounts[$0] == look.rowCount }
        return slots.sorted { columns[$0].declaredIndex < columns[$1].declaredIndex }.compactMap { slot in
            guard case .field(let path) = columns[slot].origin else { return nil }
            let name = quotedName(columns[slot].name)
            return path == FieldPath(name: columns[slot].name) ? name : "\(name) (\(path))"
        }
    }

    /// The columns that make rows bad, with how many of the first rows, the most first.
    func bad(in look: FirstLook) -> [String] {
        look.badCounts.indices.filter { look.badCounts[$0] > 0 }.sorted { look.badCounts[$0] > look.badCounts[$1] }
            .map { "\(columns[$0].name) \(look.badCounts[$0])" }
    }

    /// A row that alone is further ahead of all others than they are apart, and more than a day.
    func leap(in look: FirstLook) -> RecordSample? {
        guard let eventTime, !hasMaxAhead else { return nil }
        let times = look.times[eventTime].sorted()
        guard times.count > 2, let newest = times.last else { return nil }
        let others = (oldest: times[0], newest: times[times.count - 2])
        let (distance, isBeyond) = newest.subtractingReportingOverflow(others.newest)
        let (span, _) = others.newest.subtractingReportingOverflow(others.oldest)
        guard isBeyond || distance > max(86_400_000_000, span) else { return nil }
        return RecordSample(
            order: 0, place: "the first \(look.rowCount) rows", column: columns[eventTime].name,
            reason: "\(utcText(millis: newest / 1000)) is more than a day ahead of all others")
    }

    /// The first column most of whose times cannot be right, the event time before all others.
    func wrongUnit(in look: FirstLook) -> WrongUnit? {
        let slots = (eventTime.map { [$0] } ?? []) + columns.indices.filter { $0 != eventTime }
        for slot in slots {
            if let reason = wrongUnit(columns[slot], look.times[slot], isEventTime: slot == eventTime) {
                return WrongUnit(column: columns[slot].name, reason: reason)
            }
        }
        return nil
    }

    private func wrongUnit(_ column: InputColumn, _ times: [Int64], isEventTime: Bool) -> String? {
        // Other times than the event's may well be far away, if they are written as text.
        let isNumber = if case .epoch = column.form { true } else { false }
        let (last, first) =
            isEventTime || isNumber
            ? (Self.year3000, isEventTime ? Self.year1980 : Self.daysAfter1970) : (Self.year10000, Int64.min)
        let strange = times.filter { $0 >= last || $0 < first && (isEventTime || $0 >= 0) }
        guard strange.count * 2 > times.count, let sample = strange.first else { return nil }
        let era = sample >= Self.year3000 ? "beyond the year 3000" : "before 1980"
        let share = strange.count == times.count ? "all" : "most"
        let fact = "\(share) of the first times are \(era), such as \(utcText(millis: sample / 1000))"
        guard let (said, unit) = rightUnit(column, sample) else { return fact }
        return "\(fact): a number is read as \(said.noun), so write `unit: \(unit.rawValue)`"
    }

    /// The unit in which the number behind a time makes sense, and the one it was read in.
    private func rightUnit(_ column: InputColumn, _ micros: Int64) -> (said: EpochUnit, right: EpochUnit)? {
        let said: EpochUnit
        switch column.form {
        case .usual: said = .seconds
        case .epoch(let unit): said = unit
        default: return nil
        }
        guard case .field = column.origin else { return nil }
        let seconds = Double(micros) / 1e6 * Double(said.perSecond)
        let right = EpochUnit.allCases.first { unit in
            let year2000 = 946_684_800.0
            return (year2000..<Double(Self.year3000) / 1e6).contains(seconds / Double(unit.perSecond))
        }
        return right.flatMap { $0 == said ? nil : (said, $0) }
    }

    private static let year1980 = EpochUnit.plausibleSeconds.lowerBound * 1_000_000
    private static let year3000 = EpochUnit.plausibleSeconds.upperBound * 1_000_000
    private static let year10000: Int64 = 253_402_300_800_000_000
    /// Two months: what today's seconds are as milliseconds.
    private static let daysAfter1970: Int64 = 60 * 86_400_000_000
}
