// One time zone: which offset from UTC was, is and will be in force. Both directions are one binary search over
// ascending arrays; behind the last recorded transition a yearly rule takes over.
//
// Local time to UTC follows java.time (and so Spark): the offset before a transition stays in force until both
// readings of the clock are past it. In a gap that moves the clock forward (02:30 is read as 03:30), in an overlap it
// is the first, summer, reading. So one threshold per transition answers both:
//
//     localThreshold = transition + max(offset before, offset after)

internal import SluiceSpec

/// The offsets of one zone. Immutable, so any thread may use it.
final class TimeZoneRules: Sendable {
    /// For how long an offset is in force, half open, in seconds.
    struct Span: Equatable {
        var offsetSeconds: Int64
        var from: Int64
        var until: Int64
    }

    private struct Transition {
        var second: Int64
        var before: Int64
        var after: Int64

        var localThreshold: Int64 { second + Swift.max(before, after) }
    }

    /// UTC seconds, ascending.
    private let transitions: [Int64]
    /// `offsets[i]` is in force before `transitions[i]`, the last one behind the last transition.
    private let offsets: [Int64]
    private let localThresholds: [Int64]
    /// What happens behind the last transition; nil: the last offset stays for ever.
    private let yearlyRule: YearlyRule?

    static let utc = TimeZoneRules(fixedOffsetSeconds: 0)

    init(fixedOffsetSeconds: Int64) {
        transitions = []
        offsets = [fixedOffsetSeconds]
        localThresholds = []
        yearlyRule = nil
    }

    /// `offsets` has one element more than `transitions`.
    init(transitions: [Int64], offsets: [Int64], yearlyRule: YearlyRule?) {
        precondition(offsets.count == transitions.count + 1)
        self.transitions = transitions
        self.offsets = offsets
        self.yearlyRule = yearlyRule
        localThresholds = transitions.indices.map { transitions[$0] + max(offsets[$0], offsets[$0 + 1]) }
    }

    /// The offset at a UTC second, and the UTC seconds around it for which it holds. O(log transitions).
    func span(atSecond second: Int64) -> Span {
        span(at: second, bounds: transitions) { $0.second }
    }

    /// The offset that a local clock reading (seconds since 1970-01-01T00:00 on that clock) is read with, and the
    /// readings around it for which it is the same. O(log transitions).
    func span(atLocalSecond second: Int64) -> Span {
        span(at: second, bounds: localThresholds) { $0.localThreshold }
    }

    private func span(at second: Int64, bounds: [Int64], bound: (Transition) -> Int64) -> Span {
        var low = 0
        var high = bounds.count
        while low < high {
            let middle = (low + high) / 2
            if bounds[middle] <= second { low = middle + 1 } else { high = middle }
        }
        var span = Span(
            offsetSeconds: offsets[low], from: low > 0 ? bounds[low - 1] : .min,
            until: low < bounds.count ? bounds[low] : .max)
        guard low == bounds.count, let yearlyRule else { return span }
        let year = CivilDate(daysSinceEpoch: Int(second.flooredQuotient(by: secondsPerDay))).year
        for year in year - 1...year + 1 {
            for (at, before, after) in yearlyRule.transitions(year: year) where at > (transitions.last ?? .min) {
                let limit = bound(Transition(second: at, before: before, after: after))
                if limit <= second {
                    span.offsetSeconds = after
                    span.from = limit
                } else {
                    span.until = limit
                    return span
                }
            }
        }
        return span
    }
}

/// The rule behind a zone's last recorded transition, as in the POSIX `TZ` variable: `CET-1CEST,M3.5.0,M10.5.0/3`.
struct YearlyRule: Sendable {
    /// A day of the year and the local second of that day, which may be negative or past midnight.
    struct Moment: Sendable, Equatable {
        enum Day: Sendable, Equatable {
            /// Weekday (0 is Sunday) number `week` of a month; week 5 is the last.
            case weekday(month: Int, week: Int, weekday: Int)
            /// 1 to 365; 29 February is never counted.
            case julian(Int)
            /// 0 to 365; 29 February is counted.
            case ordinal(Int)
        }
        var day: Day
        var second: Int64
    }

    var standardOffset: Int64
    /// nil when there is no summer time.
    var summer: (offset: Int64, begin: Moment, end: Moment)?

    /// The year's changes in ascending order.
    func transitions(year: Int) -> [(at: Int64, before: Int64, after: Int64)] {
        guard let summer else { return [] }
        let begin = YearlyRule.second(of: summer.begin, year: year) - standardOffset
        let end = YearlyRule.second(of: summer.end, year: year) - summer.offset
        let first = (at: begin, before: standardOffset, after: summer.offset)
        let second = (at: end, before: summer.offset, after: standardOffset)
        return begin < end ? [first, second] : [second, first]
    }

    private static func second(of moment: Moment, year: Int) -> Int64 {
        let firstDay = CivilDate(year: year, month: 1, day: 1).daysSinceEpoch
        let day: Int
        switch moment.day {
        case .ordinal(let ordinal): day = firstDay + ordinal
        case .julian(let number):
            day = firstDay + number - 1 + (CivilDate.isLeap(year) && number >= 60 ? 1 : 0)
        case .weekday(let month, let week, let weekday):
            let monthStart = CivilDate(year: year, month: month, day: 1).daysSinceEpoch
            // 1970-01-01 was a Thursday, weekday 4.
            let startWeekday = (monthStart + 4) - (monthStart + 4).flooredQuotient(by: 7) * 7
            var dayOfMonth = (weekday - startWeekday + 7) % 7 + (week - 1) * 7
            if dayOfMonth >= CivilDate.dayCount(month: month, year: year) { dayOfMonth -= 7 }
            day = monthStart + dayOfMonth
        }
        return Int64(day) * secondsPerDay + moment.second
    }
}

extension YearlyRule {
    /// Reads the footer of a TZif file; nil when it is not well formed.
    init?(posix text: some Sequence<UInt8>) {
        var reader = PosixReader(bytes: Array(text))
        guard reader.skipName(), let standard = reader.offset() else { return nil }
        standardOffset = -standard
        summer = nil
        if reader.isAtEnd { return }
        guard reader.skipName() else { return nil }
        var summerOffset = standardOffset + 3600
        if !reader.isAtEnd, reader.peek != UInt8(ascii: ",") {
            guard let offset = reader.offset() else { return nil }
            summerOffset = -offset
        }
        guard let begin = reader.moment(), let end = reader.moment(), reader.isAtEnd else { return nil }
        summer = (summerOffset, begin, end)
    }

    private struct PosixReader {
        var bytes: [UInt8]
        var position = 0

        var isAtEnd: Bool { position == bytes.count }
        var peek: UInt8 { isAtEnd ? 0 : bytes[position] }

        mutating func take(_ byte: UInt8) -> Bool {
            guard peek == byte, !isAtEnd else { return false }
            position += 1
            return true
        }

        mutating func skipName() -> Bool {
            let start = position
            if take(UInt8(ascii: "<")) {
                while !isAtEnd, peek != UInt8(ascii: ">") { position += 1 }
                return take(UInt8(ascii: ">"))
            }
            while !isAtEnd, peek | 0x20 >= UInt8(ascii: "a"), peek | 0x20 <= UInt8(ascii: "z") { position += 1 }
            return position > start
        }

        mutating func number() -> Int64? {
            let start = position
            var value: Int64 = 0
            while !isAtEnd, peek >= UInt8(ascii: "0"), peek <= UInt8(ascii: "9"), position - start < 6 {
                value = value * 10 + Int64(peek - UInt8(ascii: "0"))
                position += 1
            }
            return position > start ? value : nil
        }

        /// `[+-]h[h[h]][:mm[:ss]]` in seconds.
        mutating func offset() -> Int64? {
            let isNegative = take(UInt8(ascii: "-"))
            if !isNegative { _ = take(UInt8(ascii: "+")) }
            guard var seconds = number() else { return nil }
            seconds *= 3600
            for unit: Int64 in [60, 1] where take(UInt8(ascii: ":")) {
                guard let part = number() else { return nil }
                seconds += part * unit
            }
            return isNegative ? -seconds : seconds
        }

        mutating func moment() -> Moment? {
            guard take(UInt8(ascii: ",")), let day = day() else { return nil }
            guard take(UInt8(ascii: "/")) else { return Moment(day: day, second: 7200) }
            guard let second = offset() else { return nil }
            return Moment(day: day, second: second)
        }

        private mutating func day() -> Moment.Day? {
            if take(UInt8(ascii: "M")) {
                guard let month = number(), take(UInt8(ascii: ".")), let week = number(), take(UInt8(ascii: ".")),
                    let weekday = number(), (1...12).contains(month), (1...5).contains(week), weekday <= 6
                else { return nil }
                return .weekday(month: Int(month), week: Int(week), weekday: Int(weekday))
            }
            if take(UInt8(ascii: "J")) {
                guard let number = number(), (1...365).contains(number) else { return nil }
                return .julian(Int(number))
            }
            guard let number = number(), number <= 365 else { return nil }
            return .ordinal(Int(number))
        }
    }
}
