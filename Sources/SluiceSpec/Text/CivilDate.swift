// Days since the epoch to proleptic Gregorian dates and back, in closed form. Eras of 400 years that begin on 1 March
// make every month length but February's regular, so no tables and no loops are needed.

/// A date of the proleptic Gregorian calendar; year 0 is 1 BC.
package struct CivilDate: Equatable, Sendable {
    package var year: Int
    /// 1 to 12.
    package var month: Int
    /// 1 to 31.
    package var day: Int

    @inlinable
    package init(year: Int, month: Int, day: Int) {
        self.year = year
        self.month = month
        self.day = day
    }

    /// The date `days` days after 1970-01-01.
    @inlinable @inline(__always)
    package init(daysSinceEpoch days: Int) {
        let shifted = days &+ 719_468
        let era = shifted.flooredQuotient(by: 146_097)
        let dayOfEra = shifted &- era &* 146_097
        let yearOfEra = (dayOfEra &- dayOfEra / 1_460 &+ dayOfEra / 36_524 &- dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra &- (365 &* yearOfEra &+ yearOfEra / 4 &- yearOfEra / 100)
        let marchMonth = (5 &* dayOfYear &+ 2) / 153
        day = dayOfYear &- (153 &* marchMonth &+ 2) / 5 &+ 1
        month = marchMonth < 10 ? marchMonth &+ 3 : marchMonth &- 9
        year = yearOfEra &+ era &* 400 &+ (month <= 2 ? 1 : 0)
    }

    /// True when the calendar has this day.
    @inlinable @inline(__always)
    package var isValid: Bool {
        month >= 1 && month <= 12 && day >= 1 && day <= CivilDate.dayCount(month: month, year: year)
    }

    /// Days since 1970-01-01. The date must be valid.
    @inlinable @inline(__always)
    package var daysSinceEpoch: Int {
        let marchYear = month <= 2 ? year &- 1 : year
        let era = marchYear.flooredQuotient(by: 400)
        let yearOfEra = marchYear &- era &* 400
        let dayOfYear = (153 &* (month > 2 ? month &- 3 : month &+ 9) &+ 2) / 5 &+ day &- 1
        let dayOfEra = yearOfEra &* 365 &+ yearOfEra / 4 &- yearOfEra / 100 &+ dayOfYear
        return era &* 146_097 &+ dayOfEra &- 719_468
    }

    @inlinable @inline(__always)
    package static func dayCount(month: Int, year: Int) -> Int {
        if month == 2 { return isLeap(year) ? 29 : 28 }
        return 30 &+ ((month &+ (month &>> 3)) & 1)
    }

    @inlinable @inline(__always)
    package static func isLeap(_ year: Int) -> Bool {
        (year & 3) == 0 && (year % 100 != 0 || year % 400 == 0)
    }
}

extension FixedWidthInteger {
    /// Division that rounds down; `divisor` is positive.
    @inlinable @inline(__always)
    package func flooredQuotient(by divisor: Self) -> Self {
        let quotient = self / divisor
        return self % divisor < 0 ? quotient &- 1 : quotient
    }
}
