import SluiceSpec
import Testing

@testable import SluiceEngine

@Suite struct CalendarTests {
    @Test func everyDayOfTwelveHundredYearsIsItsOwnInverse() {
        var date = CivilDate(daysSinceEpoch: -719_529 - 146_097)
        #expect(date == CivilDate(year: -401, month: 12, day: 31))
        for days in (-719_528 - 146_097)..<(-719_528 + 2 * 146_097) {
            let next = CivilDate(daysSinceEpoch: days)
            let isNewMonth = date.day == CivilDate.dayCount(month: date.month, year: date.year)
            let isNewYear = isNewMonth && date.month == 12
            let expected = CivilDate(
                year: date.year + (isNewYear ? 1 : 0), month: isNewYear ? 1 : date.month + (isNewMonth ? 1 : 0),
                day: isNewMonth ? 1 : date.day + 1)
            guard next == expected, next.daysSinceEpoch == days, next.isValid else {
                Issue.record("day \(days) is \(next), not \(expected)")
                return
            }
            date = next
        }
        #expect(date == CivilDate(year: 799, month: 12, day: 31))
    }

    @Test func datesThatTheCalendarLacksAreInvalid() {
        for (year, month, day) in [
            (2023, 2, 29), (1900, 2, 29), (2024, 2, 30), (2024, 4, 31), (2024, 0, 1), (2024, 13, 1),
        ] {
            #expect(!CivilDate(year: year, month: month, day: day).isValid)
        }
        #expect(CivilDate(year: 2000, month: 2, day: 29).isValid)
        #expect(!CivilDate(year: 2024, month: 1, day: 0).isValid)
    }
}
