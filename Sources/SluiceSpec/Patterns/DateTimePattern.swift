// Spark's datetime patterns, as they read text: Java's DateTimeFormatter patterns with what Spark takes away
// (week-based letters, text of week days, narrow texts) and adds (a fraction of up to as many digits as there are `S`;
// `y` is a year with a sign unless there is an era). Here they become a list of steps; the engine runs it over bytes.
// Source: Spark's DateTimeFormatterHelper and java.time.format.DateTimeFormatterBuilder.appendPattern.

/// A datetime pattern, for reading.
package struct DateTimePattern: Hashable, Sendable {
    package enum Field: UInt8, Sendable {
        case year, yearOfEra, dayOfYear, month, day
        /// 0 to 23, 1 to 24, 0 to 11, 1 to 12.
        case hour, clockHour, hourOfHalfDay, clockHourOfHalfDay
        case minute, second
    }

    /// Which signs a number may have.
    package enum Sign: UInt8, Sendable {
        case none, minus
        /// `-`, and `+` before more digits than the minimum, where it must stand.
        case plusBeyondMinimum
    }

    package enum Step: Hashable, Sendable {
        /// `following` digits behind a number belong to the fields that stand right behind it.
        case number(Field, minimum: Int, maximum: Int, Sign, following: Int)
        /// Two digits, 2000 to 2099.
        case yearOfCentury(Field)
        /// Up to so many digits of a second's fraction, at least one.
        case fraction(Int)
        case monthName(isFull: Bool)
        case halfDay
        case era(isFull: Bool)
        /// `minutes`, `seconds`: whether they must stand, may or must not; `zero` is what stands for no offset.
        case offset(OffsetForm, zero: UInt8)
        /// `GMT+8:30`, or `GMT+08:30` in full.
        case localizedOffset(isFull: Bool)
        /// The name of a zone, or an offset.
        case zone
        case byte(UInt8)
        /// A part that may be missing; it ends before step `end`.
        case optional(end: Int)
        case endOptional
    }

    package enum OffsetForm: UInt8, Sendable {
        /// `+HHmm` where minutes may be missing, `+HHMM`, `+HH:MM`, `+HHMMss`, `+HH:MM:ss`.
        case hoursAndMaybeMinutes, minutes, colonMinutes, minutesAndMaybeSeconds, colonMinutesAndMaybeSeconds
    }

    package let steps: [Step]

    /// Reads a pattern. Throws with the letter at fault and its place. O(length).
    package init(_ text: String) throws(PatternProblem) {
        if let meant = Self.inSparksLetters(text) {
            throw PatternProblem(0, "`%` begins no field here: patterns are Spark's", fix: "write `\(meant)`")
        }
        var reader = Reader(Array(text.unicodeScalars))
        try reader.run()
        steps = reader.steps
    }

    /// What a pattern of C's `strftime`, which Python and many others have, is in Spark's letters; nil for other text.
    private static func inSparksLetters(_ text: String) -> String? {
        let letters: [Character: String] = [
            "Y": "yyyy", "y": "yy", "m": "MM", "d": "dd", "H": "HH", "I": "hh", "M": "mm", "S": "ss", "f": "SSSSSS",
            "p": "a", "b": "MMM", "B": "MMMM", "j": "DDD", "z": "xx", "Z": "VV", "F": "yyyy-MM-dd", "T": "HH:mm:ss",
        ]
        guard text.contains("%") else { return nil }
        var meant = ""
        var rest = Substring(text)
        while let next = rest.popFirst() {
            guard next == "%" else {
                meant += next.isLetter ? "'\(next)'" : "\(next)"
                continue
            }
            guard let letter = rest.popFirst(), let field = letters[letter] else { return nil }
            meant += field
        }
        return meant
    }

    fileprivate static let allowed =
        "letters are y M L d D H h K k m s S a G V X x Z O; other text stands between single quotes"

    private struct Reader {
        let text: [Unicode.Scalar]
        var steps: [Step] = []
        private var index = 0
        private var openParts: [Int] = []
        private let hasEra: Bool
        /// The step that the digits of fixed numbers behind it are taken from; nil: none.
        private var active: Int?

        init(_ text: [Unicode.Scalar]) {
            self.text = text
            hasEra = text.contains("G")
        }

        mutating func run() throws(PatternProblem) {
            while index < text.count {
                let scalar = text[index]
                switch scalar {
                case "'": try quoted()
                case "[":
                    openParts.append(steps.count)
                    append(.optional(end: 0))
                    index += 1
                case "]":
                    guard let start = openParts.popLast() else {
                        throw PatternProblem(index, "a `]` in a pattern without its `[`")
                    }
                    append(.endOptional)
                    steps[start] = .optional(end: steps.count)
                    index += 1
                case "{", "}", "#":
                    throw PatternProblem(
                        index, "`\(scalar)` has no meaning in a pattern yet",
                        fix: "write `'\(scalar)'` for the character")
                case _ where scalar.isASCII && scalar.properties.isAlphabetic: try letters()
                default:
                    literal(scalar)
                    index += 1
                }
            }
            // A part that is not closed reaches to the end.
            while let start = openParts.popLast() {
                append(.endOptional)
                steps[start] = .optional(end: steps.count)
            }
        }

        private mutating func append(_ step: Step) {
            steps.append(step)
            active = nil
        }

        private mutating func literal(_ scalar: Unicode.Scalar) {
            for byte in String(scalar).utf8 { append(.byte(byte)) }
        }

        private mutating func quoted() throws(PatternProblem) {
            let start = index
            index += 1
            while index < text.count {
                if text[index] == "'" {
                    guard index + 1 < text.count, text[index + 1] == "'" else {
                        // Two quotes around nothing are one.
                        if index == start + 1 { literal("'") }
                        index += 1
                        return
                    }
                    index += 1
                }
                literal(text[index])
                index += 1
            }
            throw PatternProblem(start, "a quote in a pattern that never ends", fix: "a quote itself is `''`")
        }

        private mutating func letters() throws(PatternProblem) {
            let start = index
            let letter = text[index]
            while index < text.count, text[index] == letter { index += 1 }
            let count = index - start
            guard let limit = DateTimePattern.longest[letter] else {
                throw PatternProblem(
                    start, DateTimePattern.refusal(of: letter), fix: DateTimePattern.allowed)
            }
            guard count <= limit, letter != "V" || count == 2, letter != "O" || count == 1 || count == 4 else {
                throw PatternProblem(
                    start, "`\(String(repeating: Character(letter), count: count))` is no part of a pattern",
                    fix: DateTimePattern.counts(of: letter))
            }
            step(letter, count)
        }

        private mutating func step(_ letter: Unicode.Scalar, _ count: Int) {
            switch letter {
            case "y":
                let year: Field = hasEra ? .yearOfEra : .year
                if count == 2 {
                    fixed(.yearOfCentury(year), width: 2)
                } else {
                    number(year, count, 19, count < 4 ? .minus : .plusBeyondMinimum)
                }
            case "M", "L": if count > 2 { append(.monthName(isFull: count == 4)) } else { number(.month, count) }
            case "d": number(.day, count)
            case "D":
                if count == 3 {
                    number(.dayOfYear, 3, 3, .none)
                } else {
                    number(.dayOfYear, count, count == 1 ? 19 : 3)
                }
            case "H": number(.hour, count)
            case "k": number(.clockHour, count)
            case "K": number(.hourOfHalfDay, count)
            case "h": number(.clockHourOfHalfDay, count)
            case "m": number(.minute, count)
            case "s": number(.second, count)
            case "S": append(.fraction(count))
            case "a": append(.halfDay)
            case "G": append(.era(isFull: count == 4))
            case "V": append(.zone)
            case "O": append(.localizedOffset(isFull: count == 4))
            case "Z" where count == 4: append(.localizedOffset(isFull: true))
            case "Z" where count == 5: append(.offset(.colonMinutesAndMaybeSeconds, zero: UInt8(ascii: "Z")))
            case "Z": append(.offset(.minutes, zero: 0))
            default:
                let forms: [OffsetForm] = [
                    .hoursAndMaybeMinutes, .minutes, .colonMinutes, .minutesAndMaybeSeconds,
                    .colonMinutesAndMaybeSeconds,
                ]
                append(.offset(forms[count - 1], zero: letter == "X" ? UInt8(ascii: "Z") : 0))
            }
        }

        private mutating func number(_ field: Field, _ count: Int) {
            if count == 2 { number(field, 2, 2, .none) } else { number(field, 1, 19) }
        }

        private mutating func number(_ field: Field, _ minimum: Int, _ maximum: Int, _ sign: Sign = .minus) {
            let step = Step.number(field, minimum: minimum, maximum: maximum, sign, following: 0)
            if minimum == maximum {
                fixed(step, width: maximum)
            } else {
                steps.append(step)
                active = steps.count - 1
            }
        }

        /// A number of a fixed width leaves its digits to itself when another number stands right before it.
        private mutating func fixed(_ step: Step, width: Int) {
            steps.append(step)
            guard let active else {
                self.active = steps.count - 1
                return
            }
            if case .number(let field, let minimum, let maximum, let sign, let following) = steps[active] {
                steps[active] = .number(
                    field, minimum: minimum, maximum: maximum, sign, following: following + width)
            }
        }
    }

    /// The letters and how often each may stand.
    private static let longest: [Unicode.Scalar: Int] = [
        "y": 6, "M": 4, "L": 4, "d": 2, "D": 3, "H": 2, "h": 2, "K": 2, "k": 2, "m": 2, "s": 2, "S": 9, "a": 1,
        "G": 4, "V": 2, "X": 5, "x": 5, "Z": 5, "O": 4,
    ]

    private static func counts(of letter: Unicode.Scalar) -> String {
        switch letter {
        case "V": "a zone's name is `VV`"
        case "O": "write `O` or `OOOO`"
        default: "`\(letter)` stands up to \(longest[letter] ?? 1) times"
        }
    }

    private static func refusal(of letter: Unicode.Scalar) -> String {
        switch letter {
        case "Y", "W", "w", "u", "e", "c": "`\(letter)` is about weeks, and patterns know none"
        case "E", "F", "Q", "q": "`\(letter)` is only for writing, and this pattern reads"
        case "z": "`z`, a zone's short name, can mean several zones; `VV` reads names such as `Europe/Paris`"
        default: "`\(letter)` is not a letter of patterns"
        }
    }
}
