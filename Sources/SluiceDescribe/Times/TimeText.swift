// From texts of times to the pattern that they are written in. What a text is made of (digits, letters, marks) says
// which patterns are possible; whether they read it, the engine says afterwards.

/// The forms of times and dates that a column of texts may have.
struct TimeText {
    /// The likeliest first.
    let forms: [ColumnForm]
    /// Whether the order of day and month is a guess.
    private(set) var isDayFirstAGuess = false
    /// Whether the texts say times, and no zone.
    private(set) var isWithoutZone = false

    /// nil for texts that are no times.
    init?(_ texts: [String], _ name: TimeName) {
        guard texts.allSatisfy({ $0.utf8.count <= 64 }) else { return nil }
        guard let merged = Self.merged(texts) else {
            // Zones and fractions may be written in several ways, all of which are ISO 8601.
            guard !texts.isEmpty, texts.allSatisfy({ Self.isISOTimestamp($0) }) else { return nil }
            forms = [.timestamp]
            isWithoutZone = texts.allSatisfy { text in !text.utf8.dropFirst(11).contains { "Zz+-".utf8.contains($0) } }
            return
        }
        if let compact = merged.compactForms {
            guard name.isTime else { return nil }
            forms = compact
            return
        }
        guard let dates = merged.dateForms, !dates.hasShortYear || name.isTime else { return nil }
        isDayFirstAGuess = dates.isGuess
        guard let clock = merged.clock else {
            forms = dates.isISO ? [.date] : dates.patterns.map { .day($0) }
            return
        }
        isWithoutZone = !clock.contains { $0.hasSuffix("X") || $0.hasSuffix("VV") }
        let patterns = dates.patterns.flatMap { date in clock.map { date + $0 } }.map { ColumnForm.time($0) }
        forms = dates.isISO ? [.timestamp] + patterns : patterns
    }
}

extension TimeText {
    private static func merged(_ texts: [String]) -> TimeShape? {
        guard let first = texts.first, var merged = TimeShape(first) else { return nil }
        for text in texts.dropFirst() {
            guard let other = TimeShape(text), merged.merge(other) else { return nil }
        }
        return merged
    }

    /// True for what begins as `2024-01-31T08:18` does.
    private static func isISOTimestamp(_ text: String) -> Bool {
        let form = "0000-00-00T00:00".utf8
        guard text.utf8.count >= form.count else { return false }
        return zip(text.utf8, form).allSatisfy { byte, sample in
            switch sample {
            case UInt8(ascii: "0"): byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
            case UInt8(ascii: "T"): byte == UInt8(ascii: "T") || byte == UInt8(ascii: " ")
            default: byte == sample
            }
        }
    }
}

/// A text as runs of digits, letters and marks.
private struct TimeShape {
    enum Run: Equatable {
        /// Lengths and values, over all texts.
        case digits(lengths: ClosedRange<Int>, values: ClosedRange<Int>)
        case letters(lengths: ClosedRange<Int>, words: Set<String>)
        case mark(Character)
    }

    private(set) var runs: [Run] = []
    /// Whether some of the texts have no fraction.
    private var hasMissingFraction = false

    init?(_ text: String) {
        guard text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }), text.contains(where: \.isNumber) else { return nil }
        var rest = Substring(text)
        while let first = rest.first {
            if first.isNumber {
                let digits = rest.prefix { $0.isNumber }
                guard let value = Int(digits) else { return nil }
                runs.append(.digits(lengths: digits.count...digits.count, values: value...value))
                rest.removeFirst(digits.count)
            } else if first.isLetter {
                let word = rest.prefix { $0.isLetter }
                runs.append(.letters(lengths: word.count...word.count, words: [String(word)]))
                rest.removeFirst(word.count)
            } else {
                runs.append(.mark(first))
                rest.removeFirst()
            }
            if runs.count > 24 { return nil }
        }
    }

    /// Takes in another text of the same runs; false where they differ. Fractions may be missing, and of zones the sign
    /// may be either.
    mutating func merge(_ other: TimeShape) -> Bool {
        let (long, short) = runs.count >= other.runs.count ? (runs, other.runs) : (other.runs, runs)
        var merged: [Run] = []
        var index = 0
        for (number, run) in long.enumerated() {
            if index < short.count, let both = Self.merged(run, short[index]) {
                merged.append(both)
                index += 1
                continue
            }
            // A fraction that the shorter one lacks: its mark and its digits.
            guard long.count - number - (short.count - index) > 0, Self.isFraction(long, at: number) else {
                return false
            }
            merged.append(run)
            hasMissingFraction = true
        }
        runs = merged
        return index == short.count
    }

    private static func isFraction(_ runs: [Run], at index: Int) -> Bool {
        switch runs[index] {
        case .mark("."), .mark(","): index >= 5
        case .digits: index >= 6 && isFraction(runs, at: index - 1)
        default: false
        }
    }

    private static func merged(_ a: Run, _ b: Run) -> Run? {
        switch (a, b) {
        case (.digits(let lengths, let values), .digits(let others, let further)):
            .digits(lengths: joined(lengths, others), values: joined(values, further))
        case (.letters(let lengths, let words), .letters(let others, let further)):
            .letters(lengths: joined(lengths, others), words: words.union(further))
        case (.mark(let a), .mark(let b)) where a == b: .mark(a)
        case (.mark("+"), .mark("-")), (.mark("-"), .mark("+")): .mark("+")
        default: nil
        }
    }

    private static func joined(_ a: ClosedRange<Int>, _ b: ClosedRange<Int>) -> ClosedRange<Int> {
        min(a.lowerBound, b.lowerBound)...max(a.upperBound, b.upperBound)
    }

    // MARK: Dates

    /// `20240131`, `20240131081800` and `20240131T081800Z`.
    var compactForms: [ColumnForm]? {
        guard case .digits(let lengths, let values) = runs[0], lengths.lowerBound == lengths.upperBound else {
            return nil
        }
        let years = { (divisor: Int) in (1980...3000).contains(values.lowerBound / divisor) }
        if runs.count == 1, lengths.lowerBound == 8, years(10_000) { return [.day("yyyyMMdd")] }
        if runs.count == 1, lengths.lowerBound == 14, years(10_000_000_000) { return [.time("yyyyMMddHHmmss")] }
        guard lengths.lowerBound == 8, years(10_000), runs.count >= 3, case .letters(_, ["T"]) = runs[1],
            case .digits(6...6, _) = runs[2]
        else { return nil }
        return zones(from: 3)?.map { .time("yyyyMMdd'T'HHmmss" + $0) }
    }

    struct Dates {
        var patterns: [String]
        var isISO = false
        var isGuess = false
        /// A year of two digits, which other numbers may have as well.
        var hasShortYear = false
    }

    /// The patterns of the first five runs: three parts and what stands between them.
    var dateForms: Dates? {
        guard runs.count >= 5, case .mark(let mark) = runs[1], runs[3] == runs[1], "-/. ".contains(mark) else {
            return monthFirstName
        }
        guard case .digits(let first, let firstValues) = runs[0], case .digits(let last, let lastValues) = runs[4]
        else { return nil }
        if case .letters(let lengths, _) = runs[2] {
            let month = lengths == 3...3 ? "MMM" : "MMMM"
            if first == 4...4 { return Dates(patterns: ["yyyy\(mark)\(month)\(mark)\(letters("d", last))"]) }
            return last == 4...4 ? Dates(patterns: ["\(letters("d", first))\(mark)\(month)\(mark)yyyy"]) : nil
        }
        guard case .digits(let second, let secondValues) = runs[2], second.upperBound <= 2 else { return nil }
        if first == 4...4, last.upperBound <= 2 {
            let isISO = mark == "-" && second == 2...2 && last == 2...2
            return Dates(patterns: ["yyyy\(mark)\(letters("M", second))\(mark)\(letters("d", last))"], isISO: isISO)
        }
        let isYear = last == 4...4 && lastValues.lowerBound >= 1800 && lastValues.upperBound <= 3000
        guard first.upperBound <= 2, isYear || last == 2...2 else { return nil }
        let year = isYear ? "yyyy" : "yy"
        let dayFirst = "\(letters("d", first))\(mark)\(letters("M", second))\(mark)\(year)"
        let monthFirst = "\(letters("M", first))\(mark)\(letters("d", second))\(mark)\(year)"
        if firstValues.upperBound > 12 { return Dates(patterns: [dayFirst], hasShortYear: !isYear) }
        if secondValues.upperBound > 12 { return Dates(patterns: [monthFirst], hasShortYear: !isYear) }
        return Dates(patterns: [dayFirst, monthFirst], isGuess: true, hasShortYear: !isYear)
    }

    /// `Jan 31, 2024`.
    private var monthFirstName: Dates? {
        guard runs.count >= 6, case .letters(let month, _) = runs[0], runs[1] == .mark(" "),
            case .digits(let day, _) = runs[2], day.upperBound <= 2, runs[3] == .mark(","), runs[4] == .mark(" "),
            case .digits(4...4, _) = runs[5]
        else { return nil }
        return Dates(patterns: ["\(month == 3...3 ? "MMM" : "MMMM") \(letters("d", day)), yyyy"])
    }

    /// One letter where the digits' number changes or is one, two where it is two.
    private func letters(_ letter: String, _ lengths: ClosedRange<Int>) -> String {
        lengths == 2...2 ? letter + letter : letter
    }

    // MARK: Clocks

    /// The patterns of what follows the date; none where it says no time, nil where nothing follows.
    var clock: [String]? {
        var index: Int
        if case .letters = runs[0] { index = 6 } else { index = 5 }
        guard index < runs.count else { return nil }
        var text: String
        switch runs[index] {
        case .letters(_, ["T"]): text = "'T'"
        case .mark(let mark) where mark == " " || mark == ":": text = String(mark)
        case .mark(",") where index + 1 < runs.count && runs[index + 1] == .mark(" "):
            text = ", "
            index += 1
        default: return []
        }
        index += 1
        guard index + 2 < runs.count, case .digits(let hours, _) = runs[index], hours.upperBound <= 2,
            runs[index + 1] == .mark(":"), case .digits(2...2, _) = runs[index + 2]
        else { return [] }
        let isHalfDay = hasHalfDay(behind: index + 2)
        text += letters(isHalfDay ? "h" : "H", hours) + ":mm"
        index += 3
        if index + 1 < runs.count, runs[index] == .mark(":"), case .digits(2...2, _) = runs[index + 1] {
            text += ":ss"
            index += 2
            if index + 1 < runs.count, case .mark(let mark) = runs[index], ".,".contains(mark),
                case .digits(let lengths, _) = runs[index + 1]
            {
                let fraction = "\(mark)" + String(repeating: "S", count: min(9, lengths.upperBound))
                text += hasMissingFraction ? "[\(fraction)]" : fraction
                index += 2
            }
        }
        return (zones(from: index) ?? []).map { text + $0 }
    }

    private func hasHalfDay(behind index: Int) -> Bool {
        runs[index...].contains { run in
            if case .letters(_, let words) = run {
                words.allSatisfy { ["AM", "PM", "am", "pm"].contains($0) }
            } else {
                false
            }
        }
    }

    /// The patterns of what is left: nothing, AM or PM, an offset, the name of a zone. nil where it is none of these.
    private func zones(from start: Int) -> [String]? {
        var rest = runs[start...]
        guard let first = rest.first else { return [""] }
        var blank = ""
        if first == .mark(" ") {
            blank = " "
            rest.removeFirst()
        }
        switch (rest.first, rest.count) {
        case (.letters(_, let words)?, let count) where words.allSatisfy({ ["AM", "PM", "am", "pm"].contains($0) }):
            return zones(from: runs.count - count + 1).map { $0.map { blank + "a" + $0 } }
        case (.letters(_, ["Z"])?, 1): return [blank + "X"]
        case (.letters(_, ["UTC"])?, 1), (.letters(_, ["GMT"])?, 1): return [blank + "VV"]
        case (.mark("+")?, 2), (.mark("-")?, 2): return [blank + "XX", blank + "X"]
        case (.mark("+")?, 4), (.mark("-")?, 4): return [blank + "XXX"]
        case (.letters?, 3...5): return [blank + "VV"]
        default: return nil
        }
    }
}
