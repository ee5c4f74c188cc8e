// Cuts an expression into tokens. The one unusual rule: digits with letters behind them (`1h30m`) are a duration.

struct Token {
    enum Kind: Equatable {
        case identifier(String)
        /// Between back quotes; never a keyword.
        case quotedIdentifier(String)
        case literal(Value, DataType)
        case string(String)
        case symbol(String)
        case end
    }

    var kind: Kind
    var range: Range<Int>
}

/// The first thing that is wrong with an expression.
struct ExpressionError: Error {
    var code: DiagnosticCode
    var range: Range<Int>
    var message: String
    var fix: String?
}

struct Lexer {
    private let text: ExpressionText
    private let scalars: [Unicode.Scalar]
    private var index = 0

    init(_ text: ExpressionText) {
        self.text = text
        scalars = text.scalars
    }

    /// All tokens, the last of them `.end`.
    static func tokens(of text: ExpressionText) throws(ExpressionError) -> [Token] {
        var lexer = Lexer(text)
        var tokens: [Token] = []
        repeat { tokens.append(try lexer.next(after: tokens.last?.kind)) } while tokens.last?.kind != .end
        return tokens
    }

    private mutating func next(after previous: Token.Kind?) throws(ExpressionError) -> Token {
        while index < scalars.count, scalars[index].properties.isWhitespace { index += 1 }
        let start = index
        guard index < scalars.count else { return Token(kind: .end, range: start..<start) }
        let first = scalars[index]
        if Self.isDigit(first) || (first == "." && isDigit(at: index + 1) && !Self.endsName(previous)) {
            return try number()
        }
        if first == "'" { return try string() }
        if first == "`" { return try quotedIdentifier() }
        if first == "\"" {
            throw error(start..<start + 1, "a double quote", fix: "texts stand between single quotes: `'…'`")
        }
        if Self.isNameStart(first) {
            if first == "P", previous != .symbol("."), let token = isoDuration() { return token }
            while index < scalars.count, Self.isNameStart(scalars[index]) || Self.isDigit(scalars[index]) { index += 1 }
            return Token(kind: .identifier(string(start..<index)), range: start..<index)
        }
        for symbol in ["<=>", "<>", "!=", "==", "<=", ">=", "||"] where starts(with: symbol) {
            index += symbol.utf8.count
            let canonical = symbol == "!=" ? "<>" : symbol == "==" ? "=" : symbol
            return Token(kind: .symbol(canonical), range: start..<index)
        }
        guard "=<>+-*/%(),.".unicodeScalars.contains(first) else {
            let fix: String? =
                switch first {
                case "&": "write `and`"
                case "|": "write `or`, or `||` to join texts"
                case "!": "write `not`"
                case ";": "an expression is one line of SQL without a semicolon"
                default: nil
                }
            throw error(
                start..<start + 1, "`\(text.shown(start..<start + 1))` has no meaning in an expression", fix: fix)
        }
        index += 1
        return Token(kind: .symbol(String(first)), range: start..<index)
    }

    private mutating func string() throws(ExpressionError) -> Token {
        let start = index
        var value = String.UnicodeScalarView()
        index += 1
        while index < scalars.count {
            if scalars[index] == "'" {
                guard index + 1 < scalars.count, scalars[index + 1] == "'" else {
                    index += 1
                    return Token(kind: .string(String(value)), range: start..<index)
                }
                index += 1
            }
            value.append(scalars[index])
            index += 1
        }
        throw error(
            start..<start + 1, "a text that never ends", fix: "close it with `'`; a quote inside is written `''`")
    }

    private mutating func quotedIdentifier() throws(ExpressionError) -> Token {
        let start = index
        var name = String.UnicodeScalarView()
        index += 1
        while index < scalars.count {
            if scalars[index] == "`" {
                guard index + 1 < scalars.count, scalars[index + 1] == "`" else {
                    index += 1
                    return Token(kind: .quotedIdentifier(String(name)), range: start..<index)
                }
                index += 1
            }
            name.append(scalars[index])
            index += 1
        }
        throw error(start..<start + 1, "a quoted name that never ends", fix: "close it with a back quote")
    }

    /// `12`, `12L`, `1.5`, `.5`, `1e3`, `1h30m`.
    private mutating func number() throws(ExpressionError) -> Token {
        let start = index
        while isDigit(at: index) || (at(index) == "_" && isDigit(at: index + 1)) { index += 1 }
        var isFraction = false
        if at(index) == ".", isDigit(at: index + 1) || !Self.isNameStart(at(index + 1) ?? " ") {
            isFraction = true
            index += 1
            while isDigit(at: index) { index += 1 }
        }
        let mantissaEnd = index
        if let exponentEnd = exponentEnd() {
            index = exponentEnd
            let digits = string(start..<index).filter { $0 != "_" }
            guard let value = Double(digits), value.isFinite else {
                throw error(start..<index, "`\(text.shown(start..<index))` is beyond a double", code: .badLiteral)
            }
            return Token(kind: .literal(.double(value), .double), range: start..<index)
        }
        while index < scalars.count, Self.isNameStart(scalars[index]) || isDigit(at: index) || isFractionPoint(index) {
            index += 1
        }
        let range = start..<index
        let suffix = string(mantissaEnd..<index)
        let digits = string(start..<mantissaEnd).filter { $0 != "_" }
        if suffix.isEmpty, isFraction { return Token(kind: try decimal(digits, range), range: range) }
        if suffix.isEmpty || suffix == "L" { return Token(kind: try integer(digits, suffix, range), range: range) }
        switch parseDuration(string(range)) {
        case .success(let micros): return Token(kind: .literal(.duration(micros), .duration), range: range)
        case .failure(let problem):
            throw error(
                range, "`\(text.shown(range))` is neither a number nor a duration",
                fix: problem.fix(for: text.isSecret(range) ? nil : text.shown(range)), code: .badDuration)
        }
    }

    private func integer(
        _ digits: String, _ suffix: String, _ range: Range<Int>
    ) throws(ExpressionError) -> Token.Kind {
        if let value = Int64(digits) {
            return .literal(.integer(value), suffix.isEmpty && value <= Int64(Int32.max) ? .int : .long)
        }
        if suffix.isEmpty { return try decimal(digits, range) }
        throw error(range, "`\(text.shown(range))` is beyond a long", code: .badLiteral)
    }

    /// Spark's DecimalType.fromDecimal: as many digits as are written, at least those behind the point.
    private func decimal(_ digits: String, _ range: Range<Int>) throws(ExpressionError) -> Token.Kind {
        let parts = digits.split(separator: ".", omittingEmptySubsequences: false)
        let scale = parts.count > 1 ? parts[1].utf8.count : 0
        let significant = parts.joined().drop { $0 == "0" }
        guard significant.utf8.count <= 38, scale <= 38, let value = Int128(significant.isEmpty ? "0" : significant)
        else {
            throw error(
                range, "`\(text.shown(range))` has more than the 38 digits of a decimal",
                fix: "write a double: `1.5e3`", code: .badLiteral)
        }
        let precision = max(significant.utf8.count, scale, 1)
        return .literal(.decimal(value), .decimal(precision: precision, scale: scale))
    }

    /// The end of `e-3` at `index`; nil if there is no exponent there.
    private func exponentEnd() -> Int? {
        guard at(index) == "e" || at(index) == "E" else { return nil }
        var end = index + 1
        if at(end) == "+" || at(end) == "-" { end += 1 }
        guard isDigit(at: end) else { return nil }
        while isDigit(at: end) { end += 1 }
        if let following = at(end), Self.isNameStart(following) { return nil }
        return end
    }

    /// A point inside a duration such as `1h1.5m`.
    private func isFractionPoint(_ index: Int) -> Bool {
        at(index) == "." && isDigit(at: index + 1) && isDigit(at: index - 1)
    }

    private mutating func isoDuration() -> Token? {
        var end = index
        while let scalar = at(end), Self.isNameStart(scalar) || Self.isDigit(scalar) || isFractionPoint(end) {
            end += 1
        }
        guard end - index >= 3, at(end) != ".", case .success(let micros) = parseDuration(string(index..<end)) else {
            return nil
        }
        defer { index = end }
        return Token(kind: .literal(.duration(micros), .duration), range: index..<end)
    }

    private func error(
        _ range: Range<Int>, _ message: String, fix: String? = nil, code: DiagnosticCode = .expressionSyntax
    ) -> ExpressionError {
        ExpressionError(code: code, range: range, message: message, fix: fix)
    }

    private func string(_ range: Range<Int>) -> String { String(String.UnicodeScalarView(scalars[range])) }

    private func at(_ index: Int) -> Unicode.Scalar? { scalars.indices.contains(index) ? scalars[index] : nil }

    private func isDigit(at index: Int) -> Bool { at(index).map(Self.isDigit) ?? false }

    private func starts(with symbol: String) -> Bool { scalars[index...].starts(with: symbol.unicodeScalars) }

    private static func isDigit(_ scalar: Unicode.Scalar) -> Bool { scalar.value >= 48 && scalar.value <= 57 }

    static func isNameStart(_ scalar: Unicode.Scalar) -> Bool {
        scalar == "_"
            || (scalar.isASCII
                ? (scalar.value | 0x20) >= 97 && (scalar.value | 0x20) <= 122 : scalar.properties.isAlphabetic)
    }

    private static func endsName(_ kind: Token.Kind?) -> Bool {
        switch kind {
        case .identifier, .quotedIdentifier: true
        default: false
        }
    }
}

/// Whether a name can stand in an expression without back quotes.
func isPlainName(_ name: String) -> Bool {
    let scalars = name.unicodeScalars
    guard let first = scalars.first, Lexer.isNameStart(first) else { return false }
    return scalars.allSatisfy { Lexer.isNameStart($0) || ($0.value >= 48 && $0.value <= 57) }
        && !ExpressionParser.keywords.contains(name.lowercased())
}
