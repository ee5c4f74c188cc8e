// Points in time as specs write them, and back. Only UTC and fixed offsets: a spec's text is read without a time zone
// database; rows are the engine's business.

/// `2024-01-31`.
package func dateText(days: Int64) -> String {
    let date = CivilDate(daysSinceEpoch: Int(days))
    let year = (date.year < 0 ? "-" : "") + zeroPadded(date.year.magnitude, 4)
    return "\(year)-\(zeroPadded(date.month, 2))-\(zeroPadded(date.day, 2))"
}

/// `2024-01-31T08:18:00Z`, with as many digits behind the second as the value has (none, 3 or 6).
package func timestampText(micros: Int64) -> String {
    let day = 86_400_000_000 as Int64
    let days = micros.flooredQuotient(by: day)
    let rest = Int(micros - days * day)
    let seconds = rest / 1_000_000
    let fraction = rest % 1_000_000
    var text = dateText(days: days) + "T\(zeroPadded(seconds / 3600, 2)):\(zeroPadded(seconds / 60 % 60, 2))"
    text += ":\(zeroPadded(seconds % 60, 2))"
    if fraction % 1000 != 0 {
        text += ".\(zeroPadded(fraction, 6))"
    } else if fraction != 0 {
        text += ".\(zeroPadded(fraction / 1000, 3))"
    }
    return text + "Z"
}

/// Days of `2024-01-31`, nil if there is no such day.
func parseDate(_ text: String) -> Int64? {
    var reader = CalendarReader(text: Array(text.utf8))
    guard let days = reader.date(), reader.isAtEnd else { return nil }
    return Int64(days)
}

/// Microseconds of `2024-01-31`, `2024-01-31 08:18`, `2024-01-31T08:18:00.123456+01:00` and the like, and whether the
/// text says its zone; without one it is UTC. nil if the text is nothing of the kind.
func parseTimestamp(_ text: String) -> (micros: Int64, hasZone: Bool)? {
    var reader = CalendarReader(text: Array(text.utf8))
    guard let days = reader.date() else { return nil }
    var micros = Int64(days) * 86_400_000_000
    if reader.isAtEnd { return (micros, false) }
    guard reader.take("T") || reader.take(" "), let time = reader.timeOfDay() else { return nil }
    micros += time
    if reader.isAtEnd { return (micros, false) }
    _ = reader.take(" ")
    guard let offset = reader.zone(), reader.isAtEnd else { return nil }
    return (micros - offset, true)
}

private struct CalendarReader {
    let text: [UInt8]
    var index = 0

    var isAtEnd: Bool { index == text.count }

    mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard index < text.count, UInt32(text[index]) == character.value else { return false }
        index += 1
        return true
    }

    mutating func number(digits: ClosedRange<Int>) -> Int? {
        let start = index
        var value = 0
        while index < text.count, index - start < digits.upperBound, text[index] >= 48, text[index] <= 57 {
            value = value * 10 + Int(text[index] - 48)
            index += 1
        }
        return index - start >= digits.lowerBound ? value : nil
    }

    mutating func date() -> Int? {
        guard let year = number(digits: 4...4), take("-"), let month = number(digits: 1...2), take("-"),
            let day = number(digits: 1...2)
        else { return nil }
        let date = CivilDate(year: year, month: month, day: day)
        return date.isValid ? date.daysSinceEpoch : nil
    }

    /// Microseconds since midnight.
    mutating func timeOfDay() -> Int64? {
        guard let hour = number(digits: 1...2), take(":"), let minute = number(digits: 1...2), hour < 24, minute < 60
        else { return nil }
        var micros = Int64(hour * 3600 + minute * 60) * 1_000_000
        guard take(":") else { return micros }
        guard let second = number(digits: 1...2), second < 60 else { return nil }
        micros += Int64(second) * 1_000_000
        guard take(".") else { return micros }
        let start = index
        guard var fraction = number(digits: 1...9) else { return nil }
        var digits = index - start
        while digits > 6 {
            fraction /= 10
            digits -= 1
        }
        while digits < 6 {
            fraction *= 10
            digits += 1
        }
        return micros + Int64(fraction)
    }

    /// Microseconds east of UTC.
    mutating func zone() -> Int64? {
        if take("Z") { return 0 }
        let isWest = take("-")
        guard isWest || take("+"), let hours = number(digits: 1...2), hours <= 18 else { return nil }
        let minutes = take(":") || !isAtEnd ? number(digits: 2...2) : 0
        guard let minutes, minutes < 60 else { return nil }
        let micros = Int64(hours * 3600 + minutes * 60) * 1_000_000
        return isWest ? -micros : micros
    }
}

/// Whether a text has the form of a time zone's name: `UTC`, `Z`, `+01:00`, `Europe/Paris`. Whether there is such a
/// zone only the machine that runs the query knows.
func isTimeZoneName(_ text: String) -> Bool {
    if text.hasPrefix("+") || text.hasPrefix("-") {
        var reader = CalendarReader(text: Array(text.utf8))
        return reader.zone() != nil && reader.isAtEnd
    }
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    return parts.count <= 3
        && parts.allSatisfy { part in
            guard let first = part.utf8.first, (first | 0x20) >= 97, (first | 0x20) <= 122 else { return false }
            return part.utf8.allSatisfy {
                (($0 | 0x20) >= 97 && ($0 | 0x20) <= 122) || ($0 >= 48 && $0 <= 57) || $0 == 43 || $0 == 45 || $0 == 95
            }
        }
}
