// Regular expressions are written as for Spark, which is Java's java.util.regex, and run by PCRE2. The two share most
// of their language. This file walks over a pattern once, rewrites what both have under different names, and refuses by
// name what PCRE2 would take for something else or Java alone has. What is left PCRE2 judges itself.
//
//     Java                                here
//     . $ ^ (?m) (?s) \R \Z               as in Java: all line ends count (PCRE2_NEWLINE_ANY). Vertical tab and form
//                                         feed are line ends here too, in Java not
//     \d \w \s \b \h \v \p{L} \p{Lu}      the same; \b looks at ASCII letters, as in Java 19 and later
//     (?i)                                ignores the case of all letters, as Java's (?iu); Java alone of ASCII's
//     \p{Alpha} \p{Lower} … \p{Space}     ASCII sets, written out
//     \p{IsLatin} \p{script=Latin}        \p{Latin}; \p{IsLu} and \p{general_category=Lu} \p{Lu}
//     \p{IsAlphabetic} \p{IsLetter} …     by general category, as near as PCRE2 has them; \p{java…}, \p{In…} refused
//     \uhhhh \0nn \xhh                    \x{…}
//     \1 … (?<name>…) \k<name>            the same; a reference to a group that does not exist is refused
//     [a-z&&[^b]] [a[b]]                  refused: PCRE2 10.42 has neither intersection nor union
//     (?x) (?d) (?U)                      refused
//     (*VERB) (?P<x>…) (?#…) (?R) \K \N   not Java's, refused
//     \G \Q…\E possessive, atomic, look-around: the same; look-behind wants alternatives of fixed length
//
// Source: java.util.regex.Pattern of Java 17, pcre2pattern(3) 10.42.

internal import CPCRE2

/// A regular expression in Java's language that PCRE2 understands.
package struct JavaRegularExpression: Hashable, Sendable {
    /// In PCRE2's language.
    package let pattern: String
    package let groupCount: Int
    package let groupNames: [String: Int]

    /// What PCRE2 compiles `pattern` with: UTF-8, bytes that are none match nothing.
    package static let options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF

    /// Reads `text`. Throws with the place inside it of what PCRE2 or this file refuses. O(length).
    package init(_ text: String) throws(PatternProblem) {
        var translation = Translation(Array(text.unicodeScalars))
        try translation.run()
        pattern = translation.output
        groupCount = translation.groupCount
        groupNames = translation.groupNames
        if let problem = Self.compilerProblem(pattern, translation.origins, textCount: translation.text.count) {
            throw problem
        }
        if let reference = translation.references.first(where: { $0.group > groupCount }) {
            throw PatternProblem(
                reference.position, "`\\\(reference.group)` refers to a group that the regular expression does not have"
            )
        }
    }

    /// The context that `pattern` is compiled with: which characters end a line. The caller frees it.
    package static func makeContext() -> OpaquePointer {
        guard let context = unsafe pcre2_compile_context_create_8(nil) else {
            fatalError("out of memory: a regular expression")
        }
        unsafe pcre2_set_newline_8(context, UInt32(PCRE2_NEWLINE_ANY))
        unsafe pcre2_set_bsr_8(context, UInt32(PCRE2_BSR_UNICODE))
        return unsafe context
    }

    private static func compilerProblem(_ pattern: String, _ origins: [Int], textCount: Int) -> PatternProblem? {
        let context = unsafe makeContext()
        defer { unsafe pcre2_compile_context_free_8(context) }
        var code: Int32 = 0
        var offset = 0
        let bytes = Array(pattern.utf8)
        let compiled = unsafe pcre2_compile_8(bytes, bytes.count, options, &code, &offset, context)
        if let compiled = unsafe compiled {
            unsafe pcre2_code_free_8(compiled)
            return nil
        }
        var message = [UInt8](repeating: 0, count: 256)
        let count = unsafe pcre2_get_error_message_8(code, &message, message.count)
        let reason = String(decoding: message.prefix(Int(max(0, count))), as: UTF8.self)
        let position = offset > 0 && offset <= origins.count ? origins[offset - 1] : max(0, textCount - 1)
        return PatternProblem(position, "the regular expression is wrong here: \(reason)")
    }
}

/// The walk over a pattern.
private struct Translation {
    let text: [Unicode.Scalar]
    private(set) var output = ""
    /// For each byte of the output the character of the pattern it comes from.
    private(set) var origins: [Int] = []
    private(set) var groupCount = 0
    private(set) var groupNames: [String: Int] = [:]
    /// Groups that are referred to by number.
    private(set) var references: [(group: Int, position: Int)] = []
    private var index = 0
    /// Where the groups begin that are open.
    private var openGroups: [Int] = []
    /// Whether a quantifier may follow.
    private var hasAtom = false

    init(_ text: [Unicode.Scalar]) { self.text = text }

    private func at(_ index: Int) -> Unicode.Scalar? { index < text.count ? text[index] : nil }

    private mutating func emit(_ piece: String, from origin: Int) {
        output += piece
        origins += Array(repeating: origin, count: piece.utf8.count)
    }

    private func problem(_ message: String, fix: String? = nil, at position: Int? = nil) -> PatternProblem {
        PatternProblem(position ?? index, message, fix: fix)
    }

    mutating func run() throws(PatternProblem) {
        while let scalar = at(index) {
            let start = index
            switch scalar {
            case "\\": try escape(inClass: false)
            case "[": try characterClass()
            case "(": try group()
            case ")":
                if openGroups.popLast() == nil {
                    throw problem("a `)` without its `(`", fix: "write `\\)` for the character")
                }
                copy()
                hasAtom = true
            case "*", "+", "?": try quantifier()
            case "{": try counted()
            case "$":
                emit(Self.lineEnd("$"), from: index)
                index += 1
                hasAtom = true
            case "|":
                copy()
                hasAtom = false
            default:
                copy()
                hasAtom = true
            }
            precondition(index > start)
        }
        if let open = openGroups.last {
            throw problem("a `(` without its `)`", fix: "write `\\(` for the character", at: open)
        }
    }

    /// An end of a line that is not between `\r` and `\n`, where Java sees none.
    private static func lineEnd(_ end: String) -> String { "(?:\(end)(?!(?<=\\r)\\n))" }

    private mutating func copy() {
        emit(String(text[index]), from: index)
        index += 1
    }

    // MARK: Quantifiers

    private mutating func quantifier() throws(PatternProblem) {
        guard hasAtom else {
            throw problem("`\(text[index])` with nothing before it to repeat", fix: "write `\\\(text[index])`")
        }
        copy()
        // Lazy or possessive.
        if at(index) == "?" || at(index) == "+" { copy() }
        hasAtom = false
    }

    private mutating func counted() throws(PatternProblem) {
        var end = index + 1
        var digitCount = 0
        while let digit = at(end), digit.isDigit {
            end += 1
            digitCount += 1
        }
        if at(end) == ",", digitCount > 0 {
            end += 1
            while let digit = at(end), digit.isDigit { end += 1 }
        }
        guard hasAtom, digitCount > 0, at(end) == "}" else {
            throw problem("`{` that is no count such as `{2}` or `{2,5}`", fix: "write `\\{` for the character")
        }
        while index <= end { copy() }
        if at(index) == "?" || at(index) == "+" { copy() }
        hasAtom = false
    }

    // MARK: Groups

    private mutating func group() throws(PatternProblem) {
        let start = index
        if at(index + 1) == "*" { throw problem("`*` with nothing before it to repeat", at: index + 1) }
        guard at(index + 1) == "?" else {
            groupCount += 1
            openGroups.append(start)
            copy()
            hasAtom = false
            return
        }
        switch at(index + 2) {
        case ":", "=", "!", ">":
            for _ in 0..<3 { copy() }
        case "<" where at(index + 3) == "=" || at(index + 3) == "!":
            for _ in 0..<4 { copy() }
        case "<":
            var end = index + 3
            while let scalar = at(end), scalar.isASCII, scalar.properties.isAlphabetic || scalar.isDigit { end += 1 }
            let name = String(String.UnicodeScalarView(text[(index + 3)..<end]))
            guard at(end) == ">", let first = name.unicodeScalars.first, !first.isDigit else {
                throw problem("the name of a group is letters and digits between `<` and `>`")
            }
            guard groupNames[name] == nil else { throw problem("two groups of the name `\(name)`") }
            groupCount += 1
            groupNames[name] = groupCount
            while index <= end { copy() }
        default: return try flags(from: start)
        }
        openGroups.append(start)
        hasAtom = false
    }

    /// `(?i)`, `(?s-m:…)`.
    private mutating func flags(from start: Int) throws(PatternProblem) {
        var end = start + 2
        var kept = ""
        while let flag = at(end), flag != ")", flag != ":" {
            switch flag {
            case "i", "m", "s", "-": kept.unicodeScalars.append(flag)
            case "u": break
            case "x", "d", "U":
                throw problem("the flag `\(flag)` of regular expressions is not there", fix: "leave it out", at: end)
            default:
                throw problem(
                    "`(?\(flag)` begins no group of Java's regular expressions",
                    fix: "groups are `(?:…)`, `(?<name>…)`, `(?=…)`, `(?!…)`, `(?<=…)`, `(?<!…)`, `(?>…)`, `(?i)`",
                    at: end)
            }
            end += 1
        }
        guard let last = at(end) else { throw problem("a `(` without its `)`", at: start) }
        emit(kept.isEmpty && last == ")" ? "(?:)" : "(?\(kept)\(last)", from: start)
        index = end + 1
        if last == ":" { openGroups.append(start) }
        hasAtom = false
    }

    // MARK: Classes

    private mutating func characterClass() throws(PatternProblem) {
        let start = index
        copy()
        if at(index) == "^" { copy() }
        var isFirst = true
        while let scalar = at(index) {
            switch scalar {
            case "]" where !isFirst:
                copy()
                hasAtom = true
                return
            case "[":
                throw problem(
                    "a class inside a class of characters, which has no form here", fix: "write `\\[` for the character"
                )
            case "&" where at(index + 1) == "&":
                throw problem(
                    "`&&` in a class of characters, which has no form here", fix: "write a look-ahead: `(?=[…])[…]`")
            case "\\": try escape(inClass: true)
            default: copy()
            }
            isFirst = false
        }
        throw problem("a `[` without its `]`", fix: "write `\\[` for the character", at: start)
    }

    // MARK: Escapes

    private mutating func escape(inClass: Bool) throws(PatternProblem) {
        let start = index
        guard let letter = at(index + 1) else {
            throw problem("a `\\` at the end of a regular expression", fix: "write `\\\\` for the character")
        }
        hasAtom = true
        index += 2
        switch letter {
        case "Q": return quoted(from: start)
        case "D", "W", "S", "H", "V":
            // Alone, the machine code of PCRE2 10.42 misses characters beyond ASCII (with PCRE2_MATCH_INVALID_UTF).
            emit(inClass ? "\\\(letter)" : "[\\\(letter)]", from: start)
        case "d", "w", "s", "h", "v", "t", "n", "r", "f", "a", "e":
            emit("\\\(letter)", from: start)
        case "A", "z", "Z", "b", "B", "G", "R", "X":
            if inClass { throw problem("`\\\(letter)` has no meaning in a class of characters", at: start) }
            emit(letter == "Z" ? Self.lineEnd("\\Z") : "\\\(letter)", from: start)
        case "c":
            guard let control = at(index), control.isASCII else { throw problem("`\\c` wants a character", at: start) }
            index += 1
            emit("\\x{\(String(control.value ^ 64, radix: 16))}", from: start)
        case "x", "u", "0": try codePoint(letter, from: start)
        case "p", "P": try property(isNegated: letter == "P", inClass: inClass, from: start)
        case "k" where !inClass:
            var end = index
            while let scalar = at(end), scalar != ">" { end += 1 }
            let name = String(String.UnicodeScalarView(text[min(index + 1, end)..<end]))
            guard at(index) == "<", at(end) == ">", groupNames[name] != nil else {
                throw problem("`\\k` wants the name of a group before it: `\\k<name>`", at: start)
            }
            index = end + 1
            emit("\\k<\(name)>", from: start)
        case _ where letter.isDigit && !inClass:
            // As many digits as make the number of a group.
            var group = Int(letter.value) - 48
            while let digit = at(index), digit.isDigit, group * 10 + Int(digit.value) - 48 <= groupCount {
                group = group * 10 + Int(digit.value) - 48
                index += 1
            }
            references.append((group, start))
            emit("\\g{\(group)}", from: start)
        case _ where letter.isASCII && letter.properties.isAlphabetic || letter.isDigit:
            throw problem(
                "`\\\(letter)` has no meaning in Java's regular expressions", fix: "write `\(letter)`", at: start)
        default: emit(letter.isASCII ? "\\\(letter)" : String(letter), from: start)
        }
    }

    private mutating func quoted(from start: Int) {
        while let scalar = at(index) {
            if scalar == "\\", at(index + 1) == "E" {
                index += 2
                return
            }
            let isPlain = !scalar.isASCII || scalar.properties.isAlphabetic || scalar.isDigit
            emit(isPlain ? String(scalar) : "\\x{\(String(scalar.value, radix: 16))}", from: index)
            index += 1
        }
    }

    /// `\xhh`, `\x{h…}`, `\uhhhh`, `\0nnn`.
    private mutating func codePoint(_ letter: Unicode.Scalar, from start: Int) throws(PatternProblem) {
        var value: UInt32 = 0
        func digit(_ scalar: Unicode.Scalar?) -> UInt32? {
            guard let scalar, scalar.isASCII, let digit = Character(scalar).hexDigitValue else { return nil }
            return UInt32(digit)
        }
        if letter == "0" {
            var count = 0
            while count < 3, let next = digit(at(index)), next < 8, value * 8 + next <= 0o377 {
                value = value * 8 + next
                index += 1
                count += 1
            }
            if count == 0 { throw problem("`\\0` wants octal digits behind it", at: start) }
        } else if letter == "x", at(index) == "{" {
            index += 1
            while let next = digit(at(index)), value < 0x110000 {
                value = value * 16 + next
                index += 1
            }
            guard at(index) == "}" else { throw problem("`\\x{` without its `}`", at: start) }
            index += 1
        } else {
            for _ in 0..<(letter == "x" ? 2 : 4) {
                guard let next = digit(at(index)) else {
                    throw problem(
                        "`\\\(letter)` wants \(letter == "x" ? "two" : "four") hexadecimal digits behind it", at: start)
                }
                value = value * 16 + next
                index += 1
            }
        }
        guard Unicode.Scalar(value) != nil else {
            throw problem("`\\\(letter)` names no character", fix: "write `\\x{1F600}` beyond `\\uFFFF`", at: start)
        }
        emit("\\x{\(String(value, radix: 16))}", from: start)
    }

    /// Java's ASCII sets, as the inside of a class.
    private static let asciiSets: [String: String] = [
        "Lower": "a-z", "Upper": "A-Z", "ASCII": "\\x00-\\x7f", "Alpha": "a-zA-Z", "Digit": "0-9",
        "Alnum": "a-zA-Z0-9", "Punct": "!-/:-@\\[-`{-~", "Graph": "!-~", "Print": " -~", "Blank": " \\t",
        "Cntrl": "\\x00-\\x1f\\x7f", "XDigit": "0-9a-fA-F", "Space": " \\t\\n\\x0b\\f\\r",
    ]
    /// Java's binary properties.
    private static let binaryProperties: [String: String] = [
        "alphabetic": "\\p{L}\\p{Nl}", "letter": "\\p{L}", "lowercase": "\\p{Ll}", "uppercase": "\\p{Lu}",
        "digit": "\\p{Nd}", "punctuation": "\\p{P}", "control": "\\p{Cc}", "titlecase": "\\p{Lt}",
    ]

    private mutating func property(isNegated: Bool, inClass: Bool, from start: Int) throws(PatternProblem) {
        var name: String
        if at(index) == "{" {
            var end = index
            while let scalar = at(end), scalar != "}" { end += 1 }
            guard at(end) == "}" else { throw problem("`\\p{` without its `}`", at: start) }
            name = String(String.UnicodeScalarView(text[(index + 1)..<end]))
            index = end + 1
        } else if let letter = at(index) {
            name = String(letter)
            index += 1
        } else {
            throw problem("`\\p` wants a property, as in `\\p{L}`", at: start)
        }
        let written = name
        for prefix in ["script=", "sc=", "general_category=", "gc=", "Is"] where name.hasPrefix(prefix) {
            name = String(name.dropFirst(prefix.count))
            if prefix == "Is", let set = Self.binaryProperties[name.lowercased()] {
                return try emitSet(set, isNegated, inClass, start)
            }
            break
        }
        if name == written, let set = Self.asciiSets[name] { return try emitSet(set, isNegated, inClass, start) }
        if written.hasPrefix("java") || written.hasPrefix("In") || written.hasPrefix("block=") || name == "L1" {
            throw problem(
                "the property `\(written)` of Java's regular expressions is not there",
                fix: "use a general category (`\\p{Lu}`) or a script (`\\p{IsGreek}`)", at: start)
        }
        let isCategory = name.utf8.count <= 2
        let isName = name.utf8.allSatisfy { ($0 | 0x20) >= 97 && ($0 | 0x20) <= 122 || $0 == 95 }
        guard isName, name != written || isCategory else {
            throw problem(
                "`\(written)` is no property of characters", fix: "use `\\p{Lu}`, `\\p{Alpha}` or `\\p{IsGreek}`",
                at: start)
        }
        emit("\\\(isNegated ? "P" : "p"){\(name)}", from: start)
    }

    private mutating func emitSet(
        _ set: String, _ isNegated: Bool, _ inClass: Bool, _ start: Int
    ) throws(PatternProblem) {
        if isNegated, inClass {
            throw problem("`\\P` of such a set has no form in a class of characters", at: start)
        }
        emit(inClass ? set : "[\(isNegated ? "^" : "")\(set)]", from: start)
    }
}

extension Unicode.Scalar {
    fileprivate var isDigit: Bool { value >= 48 && value <= 57 }
}
