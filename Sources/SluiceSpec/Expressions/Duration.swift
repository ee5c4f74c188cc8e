// Lengths of time as people write them. Months and years are left out on purpose: their length depends on the date.

/// Why a text is no duration.
enum DurationProblem: Error, Equatable {
    case empty
    /// A number without a unit.
    case noUnit
    case unknownUnit(String)
    case malformed
    /// Beyond 64 bits of microseconds.
    case tooLong
    /// A fraction of a microsecond.
    case tooFine

    /// What to do about it. `text` is what was written, or nil if it must not be shown.
    func fix(for text: String?) -> String {
        switch self {
        case .noUnit: text.map { "say the unit: `\($0)s` or `\($0) seconds`" } ?? "say the unit, as in `10s`"
        case .unknownUnit(let unit) where text != nil && (unit.lowercased().hasPrefix("month") || unit.hasPrefix("y")):
            "a month and a year have no fixed length; write days, as in `30d`"
        case .unknownUnit: "units are `us`, `ms`, `s`, `m`, `h`, `d`, `w` or their full names, as in `10 minutes`"
        case .tooLong: "the longest duration is about 292,000 years"
        case .tooFine: "the shortest step is one microsecond"
        case .empty, .malformed: "write it as `500ms`, `10s`, `2m`, `1h30m`, `7d`, `10 minutes` or `PT10M`"
        }
    }
}

enum DurationUnit {
    static let second: Int64 = 1_000_000
    static let day: Int64 = 86_400 * second

    private static let names: [String: Int64] = [
        "us": 1, "microsecond": 1, "microseconds": 1,
        "ms": 1000, "millisecond": 1000, "milliseconds": 1000,
        "s": second, "sec": second, "secs": second, "second": second, "seconds": second,
        "m": 60 * second, "min": 60 * second, "mins": 60 * second, "minute": 60 * second, "minutes": 60 * second,
        "h": 3600 * second, "hr": 3600 * second, "hour": 3600 * second, "hours": 3600 * second,
        "d": day, "day": day, "days": day,
        "w": 7 * day, "week": 7 * day, "weeks": 7 * day,
    ]

    /// Microseconds of a unit. Short forms are lower case (`M` could be a month), full names take any case.
    static func micros(_ name: String) -> Int64? {
        names[name] ?? (name.utf8.count > 2 ? names[name.lowercased()] : nil)
    }
}

/// Microseconds of `500ms`, `10s`, `2m`, `1h30m`, `7d`, `10 minutes`, `1 hour 30 minutes`, `PT10M`, each with an
/// optional minus sign. Fractions are taken when they come to whole microseconds.
func parseDuration(_ text: String) -> Result<Int64, DurationProblem> {
    var parser = DurationParser(text: Array(text.unicodeScalars))
    do throws(DurationProblem) {
        return .success(try parser.parse())
    } catch {
        return .failure(error)
    }
}

private struct DurationParser {
    let text: [Unicode.Scalar]
    var index = 0
    var total: Int64 = 0

    mutating func parse() throws(DurationProblem) -> Int64 {
        skipBlanks()
        guard index < text.count else { throw .empty }
        let isNegative = take("-")
        skipBlanks()
        if index < text.count, text[index] == "P" || text[index] == "p" {
            try parseISO()
        } else {
            try parseParts()
        }
        return isNegative ? -total : total
    }

    private mutating func parseParts() throws(DurationProblem) {
        repeat {
            let number = try parseNumber()
            skipBlanks()
            let start = index
            while index < text.count, text[index].properties.isAlphabetic { index += 1 }
            let unit = String(String.UnicodeScalarView(text[start..<index]))
            if unit.isEmpty { throw index == text.count ? .noUnit : .malformed }
            guard let micros = DurationUnit.micros(unit) else { throw .unknownUnit(unit) }
            try add(number, of: micros)
            skipBlanks()
        } while index < text.count
    }

    /// ISO 8601 without years and months: `P1DT2H30M5.5S`.
    private mutating func parseISO() throws(DurationProblem) {
        index += 1
        var isTime = false
        var parts = 0
        while index < text.count {
            if !isTime, take("T") || take("t") {
                isTime = true
                guard index < text.count else { throw .malformed }
                continue
            }
            let number = try parseNumber()
            guard index < text.count else { throw .malformed }
            let letter = String(text[index]).uppercased()
            index += 1
            switch (isTime, letter) {
            case (false, "D"): try add(number, of: DurationUnit.day)
            case (false, "W"): try add(number, of: 7 * DurationUnit.day)
            case (false, "M"): throw .unknownUnit("month")
            case (false, "Y"): throw .unknownUnit("year")
            case (true, "H"): try add(number, of: 3600 * DurationUnit.second)
            case (true, "M"): try add(number, of: 60 * DurationUnit.second)
            case (true, "S"): try add(number, of: DurationUnit.second)
            default: throw .malformed
            }
            parts += 1
        }
        if parts == 0 { throw .malformed }
    }

    private struct Number {
        var whole: Int64
        var fraction: Int64
        /// Ten to the number of fraction digits.
        var divisor: Int64
    }

    private mutating func parseNumber() throws(DurationProblem) -> Number {
        var number = Number(whole: 0, fraction: 0, divisor: 1)
        let start = index
        while index < text.count {
            if text[index] == "_", index > start, index + 1 < text.count, digit(at: index + 1) != nil { index += 1 }
            guard let digit = digit(at: index) else { break }
            let (product, overflow) = number.whole.multipliedReportingOverflow(by: 10)
            let (sum, overflowToo) = product.addingReportingOverflow(digit)
            if overflow || overflowToo { throw .tooLong }
            number.whole = sum
            index += 1
        }
        if index == start { throw .malformed }
        if index + 1 < text.count, text[index] == ".", digit(at: index + 1) != nil {
            index += 1
            while index < text.count, let digit = digit(at: index) {
                if number.divisor >= 1_000_000_000_000 { throw .tooFine }
                number.fraction = number.fraction * 10 + digit
                number.divisor *= 10
                index += 1
            }
        }
        return number
    }

    private mutating func add(_ number: Number, of unit: Int64) throws(DurationProblem) {
        let (whole, overflow) = number.whole.multipliedReportingOverflow(by: unit)
        let (product, fractionOverflow) = number.fraction.multipliedReportingOverflow(by: unit)
        let (part, remainder) = product.quotientAndRemainder(dividingBy: number.divisor)
        if overflow || fractionOverflow { throw .tooLong }
        if remainder != 0 { throw .tooFine }
        let (sum, sumOverflow) = whole.addingReportingOverflow(part)
        let (next, totalOverflow) = total.addingReportingOverflow(sum)
        if sumOverflow || totalOverflow { throw .tooLong }
        total = next
    }

    private func digit(at index: Int) -> Int64? {
        let value = text[index].value
        return value >= 48 && value <= 57 ? Int64(value - 48) : nil
    }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard index < text.count, text[index] == scalar else { return false }
        index += 1
        return true
    }

    private mutating func skipBlanks() {
        while index < text.count, text[index].properties.isWhitespace { index += 1 }
    }
}

private func durationParts(_ micros: Int64) -> [(count: UInt64, short: String, word: String)] {
    let units: [(micros: UInt64, short: String, word: String)] = [
        (86_400_000_000, "d", "day"), (3_600_000_000, "h", "hour"), (60_000_000, "m", "minute"),
        (1_000_000, "s", "second"), (1000, "ms", "millisecond"), (1, "us", "microsecond"),
    ]
    var rest = micros.magnitude
    var parts: [(count: UInt64, short: String, word: String)] = []
    for unit in units where rest >= unit.micros {
        parts.append((rest / unit.micros, unit.short, unit.word))
        rest %= unit.micros
    }
    return parts
}

/// A duration as a spec writes it: `2m`, `1h30m`, `500ms`, `0s`, `-5m`.
package func durationText(micros: Int64) -> String {
    guard micros != 0 else { return "0s" }
    return (micros < 0 ? "-" : "") + durationParts(micros).map { "\($0.count)\($0.short)" }.joined()
}

/// A duration in words: `2 minutes`, `1 hour 30 minutes`, `0 seconds`.
package func durationWords(micros: Int64) -> String {
    guard micros != 0 else { return "0 seconds" }
    let words = durationParts(micros).map { "\($0.count) \($0.word)\($0.count == 1 ? "" : "s")" }
    return (micros < 0 ? "minus " : "") + words.joined(separator: " ")
}
