// A Pratt parser with SQL's precedence, weakest first:
//     or | and | not | = <> < <= > >= <=> between in like rlike is | + - || | * / % | unary + -
// It stops at the first mistake: what follows a mistake in an expression is guesswork.

struct ExpressionParser {
    private let text: ExpressionText
    private let tokens: [Token]
    private var index = 0
    private var nesting = 0

    static let keywords: Set<String> = [
        "and", "or", "not", "between", "in", "is", "null", "like", "case", "when", "then", "else", "end", "true",
        "false",
    ]

    static func parse(_ text: ExpressionText) throws(ExpressionError) -> Syntax {
        var parser = ExpressionParser(text: text, tokens: try Lexer.tokens(of: text))
        let expression = try parser.expression()
        if parser.token.kind != .end { throw parser.unexpected("after the end of the expression") }
        return expression
    }

    private init(text: ExpressionText, tokens: [Token]) {
        self.text = text
        self.tokens = tokens
    }

    // MARK: Levels

    private mutating func expression() throws(ExpressionError) -> Syntax {
        nesting += 1
        defer { nesting -= 1 }
        if nesting > Syntax.maximumHeight { throw tooDeep(token.range) }
        return try disjunction()
    }

    private mutating func disjunction() throws(ExpressionError) -> Syntax {
        let first = try conjunction()
        var links: [Syntax.Link] = []
        while takeKeyword("or") { links.append((.or, try conjunction())) }
        return try chain(first, links)
    }

    private mutating func conjunction() throws(ExpressionError) -> Syntax {
        let first = try negation()
        var links: [Syntax.Link] = []
        while takeKeyword("and") { links.append((.and, try negation())) }
        return try chain(first, links)
    }

    private mutating func negation() throws(ExpressionError) -> Syntax {
        let start = token.range.lowerBound
        guard takeKeyword("not") else { return try predicate() }
        nesting += 1
        defer { nesting -= 1 }
        if nesting > Syntax.maximumHeight { throw tooDeep(token.range) }
        let operand = try negation()
        return try node(.not(operand), from: start, over: [operand])
    }

    private static let comparisons: [String: Syntax.Operator] = [
        "=": .equal, "<>": .notEqual, "<": .less, "<=": .lessOrEqual, ">": .greater, ">=": .greaterOrEqual,
        "<=>": .nullSafeEqual,
    ]

    private static let negatable: Set<String> = ["between", "in", "like", "rlike"]

    private mutating func predicate() throws(ExpressionError) -> Syntax {
        var left = try sum()
        while true {
            let start = left.range.lowerBound
            if case .symbol(let symbol) = token.kind, let comparison = Self.comparisons[symbol] {
                advance()
                left = try binary(comparison, left, try sum())
            } else if takeKeyword("is") {
                let isNegated = takeKeyword("not")
                guard takeKeyword("null") else {
                    throw unexpected("after `is`", fix: "write `is null` or `is not null`")
                }
                left = try node(.isNull(left, isNegated: isNegated), from: start, over: [left])
            } else {
                let isNegated = isKeyword("not") && Self.negatable.contains(keyword(at: index + 1))
                if isNegated { advance() }
                if takeKeyword("between") {
                    let lower = try sum()
                    guard takeKeyword("and") else {
                        throw unexpected("in `between`", fix: "write `x between low and high`")
                    }
                    let upper = try sum()
                    left = try node(
                        .between(left, lower, upper, isNegated: isNegated), from: start, over: [left, lower, upper])
                } else if takeKeyword("in") {
                    let items = try arguments(of: "in")
                    left = try node(.inList(left, items, isNegated: isNegated), from: start, over: items + [left])
                } else if takeKeyword("like") {
                    let pattern = try sum()
                    left = try node(.like(left, pattern, isNegated: isNegated), from: start, over: [left, pattern])
                } else if takeKeyword("rlike") {
                    let pattern = try sum()
                    left = try node(.rlike(left, pattern, isNegated: isNegated), from: start, over: [left, pattern])
                } else {
                    return left
                }
            }
        }
    }

    private mutating func sum() throws(ExpressionError) -> Syntax {
        let first = try product()
        var links: [Syntax.Link] = []
        while let operation = takeOperator([.add, .subtract, .concat]) { links.append((operation, try product())) }
        return try chain(first, links)
    }

    private mutating func product() throws(ExpressionError) -> Syntax {
        let first = try unary()
        var links: [Syntax.Link] = []
        while let operation = takeOperator([.multiply, .divide, .remainder]) { links.append((operation, try unary())) }
        return try chain(first, links)
    }

    private mutating func unary() throws(ExpressionError) -> Syntax {
        let start = token.range.lowerBound
        nesting += 1
        defer { nesting -= 1 }
        if nesting > Syntax.maximumHeight { throw tooDeep(token.range) }
        if takeSymbol("+") { return try unary() }
        guard takeSymbol("-") else { return try primary() }
        if let literal = negatedLiteral(from: start) { return literal }
        let operand = try unary()
        return try node(.negate(operand), from: start, over: [operand])
    }

    /// A minus sign belongs to the number behind it: `-2147483648` is an int although 2147483648 is a long.
    private mutating func negatedLiteral(from start: Int) -> Syntax? {
        // `-2 minutes` is left to the general case.
        if case .identifier(let word) = tokens[min(index + 1, tokens.count - 1)].kind, DurationUnit.micros(word) != nil
        {
            return nil
        }
        guard case .literal(let value, let type) = token.kind else { return nil }
        let range = start..<token.range.upperBound
        let kind: Syntax.Kind
        switch value {
        case .integer(let number):
            let isLong = text.scalars[token.range.upperBound - 1] == "L"
            kind = .literal(.integer(-number), -number >= Int64(Int32.min) && !isLong ? .int : .long)
        case .decimal(let number) where number == Int128(Int64.max) + 1 && type == .decimal(precision: 19, scale: 0):
            kind = .literal(.integer(.min), .long)
        case .decimal(let number): kind = .literal(.decimal(-number), type)
        case .double(let number): kind = .literal(.double(-number), type)
        case .duration(let micros): kind = .literal(.duration(-micros), type)
        default: return nil
        }
        advance()
        return Syntax(kind: kind, range: range, height: 1)
    }

    // MARK: Leaves

    private mutating func primary() throws(ExpressionError) -> Syntax {
        let current = token
        switch current.kind {
        case .literal(let value, let type):
            advance()
            if case .integer = value, let duration = try durationInWords(from: current) { return duration }
            return Syntax(kind: .literal(value, type), range: current.range, height: 1)
        case .string(let value):
            advance()
            return Syntax(kind: .literal(.string(value), .string), range: current.range, height: 1)
        case .symbol("("):
            advance()
            var inner = try expression()
            guard takeSymbol(")") else { throw unexpected("where a `)` is missing") }
            inner.range = current.range.lowerBound..<tokens[index - 1].range.upperBound
            return inner
        case .quotedIdentifier(let name):
            advance()
            return try column(first: name, from: current.range)
        case .identifier(let name):
            return try word(name, current)
        case .symbol, .end:
            throw unexpected("where a value belongs")
        }
    }

    private mutating func word(_ name: String, _ current: Token) throws(ExpressionError) -> Syntax {
        let lowered = name.lowercased()
        switch lowered {
        case "true", "false":
            advance()
            return Syntax(kind: .literal(.boolean(lowered == "true"), .boolean), range: current.range, height: 1)
        case "null":
            advance()
            return Syntax(kind: .literal(.null, .null), range: current.range, height: 1)
        case "case":
            advance()
            return try caseWhen(from: current.range.lowerBound)
        case "like" where isCall: break
        case _ where Self.keywords.contains(lowered):
            throw unexpected("where a value belongs", fix: "put back quotes around a column of that name")
        default: break
        }
        advance()
        if case .string(let value) = token.kind {
            if lowered == "timestamp" || lowered == "date" { return try timeLiteral(lowered, value, current) }
            if lowered != "interval" { throw unexpected("after `\(text.shown(current.range))`") }
        }
        if lowered == "interval", let interval = try interval(from: current) { return interval }
        guard token.kind == .symbol("(") else { return try column(first: name, from: current.range) }
        if lowered == "cast" { return try cast(from: current.range.lowerBound) }
        if tokens[min(index + 1, tokens.count - 1)].kind == .symbol("*") {
            throw ExpressionError(
                code: .unknownFunction, range: current.range,
                message: "`\(text.shown(current.range))(*)` looks at many rows, and expressions look at one",
                fix: "aggregate in the system that reads the sink")
        }
        let operands = try arguments(of: name)
        return try node(
            .call(name: name, nameRange: current.range, operands), from: current.range.lowerBound, over: operands)
    }

    private mutating func column(first: String, from range: Range<Int>) throws(ExpressionError) -> Syntax {
        guard takeSymbol(".") else {
            return Syntax(kind: .name(source: nil, column: first), range: range, height: 1)
        }
        switch token.kind {
        case .identifier(let name), .quotedIdentifier(let name):
            advance()
            let whole = range.lowerBound..<tokens[index - 1].range.upperBound
            return Syntax(kind: .name(source: first, column: name), range: whole, height: 1)
        case .symbol("*"):
            throw unexpected(
                "after `\(text.shown(range)).`", fix: "name each column; without `select` all of them come out")
        default: throw unexpected("after `\(text.shown(range)).`", fix: "write `source.column`")
        }
    }

    private mutating func caseWhen(from start: Int) throws(ExpressionError) -> Syntax {
        let operand = isKeyword("when") ? nil : try expression()
        var branches: [(condition: Syntax, value: Syntax)] = []
        while takeKeyword("when") {
            let condition = try expression()
            guard takeKeyword("then") else { throw unexpected("where `then` belongs") }
            branches.append((condition, try expression()))
        }
        if branches.isEmpty { throw unexpected("where `when` belongs") }
        let otherwise = takeKeyword("else") ? try expression() : nil
        guard takeKeyword("end") else { throw unexpected("where `end` belongs", fix: "a `case` closes with `end`") }
        return try node(
            .caseWhen(operand: operand, branches, otherwise: otherwise), from: start,
            over: branches.flatMap { [$0.condition, $0.value] } + [operand, otherwise].compactMap { $0 })
    }

    private mutating func cast(from start: Int) throws(ExpressionError) -> Syntax {
        advance()
        let operand = try expression()
        guard takeKeyword("as") else { throw unexpected("in `cast`", fix: "write `cast(x as type)`") }
        let typeStart = token.range.lowerBound
        guard case .identifier = token.kind else { throw unexpected("where a type belongs") }
        advance()
        if takeSymbol("(") {
            while !takeSymbol(")") {
                if token.kind == .end { throw unexpected("where a `)` is missing") }
                advance()
            }
        }
        let typeRange = typeStart..<tokens[index - 1].range.upperBound
        guard takeSymbol(")") else { throw unexpected("where a `)` is missing") }
        let type = String(String.UnicodeScalarView(text.scalars[typeRange]))
        return try node(.cast(operand, type: type, typeRange: typeRange), from: start, over: [operand])
    }

    private mutating func arguments(of name: String) throws(ExpressionError) -> [Syntax] {
        guard takeSymbol("(") else { throw unexpected("where a `(` belongs") }
        var items: [Syntax] = []
        if takeSymbol(")") { return items }
        repeat { items.append(try expression()) } while takeSymbol(",")
        guard takeSymbol(")") else { throw unexpected("where a `)` is missing") }
        return items
    }

    // MARK: Time

    /// `2 minutes`, `1 hour 30 minutes`, with `first` the number before the current token. nil if no word follows.
    private mutating func durationInWords(from first: Token) throws(ExpressionError) -> Syntax? {
        guard case .identifier(let unit) = token.kind, !Self.keywords.contains(unit.lowercased()),
            unit.lowercased() != "as"
        else { return nil }
        advance()
        while case .literal(.integer, _) = token.kind, let unit = identifier(at: index + 1),
            DurationUnit.micros(unit) != nil
        {
            advance()
            advance()
        }
        let range = first.range.lowerBound..<tokens[index - 1].range.upperBound
        return try duration(String(String.UnicodeScalarView(text.scalars[range])), range)
    }

    /// What follows `interval`: a duration in any form, maybe between quotes. nil if `interval` is a column's name.
    private mutating func interval(from word: Token) throws(ExpressionError) -> Syntax? {
        let start = word.range.lowerBound
        let isNegative = token.kind == .symbol("-")
        switch tokens[min(index + (isNegative ? 1 : 0), tokens.count - 1)].kind {
        case .literal:
            if isNegative { advance() }
            let number = token
            guard case .literal(let value, let type) = number.kind else { return nil }
            advance()
            var result: Syntax
            if type == .duration {
                result = Syntax(kind: .literal(value, type), range: number.range, height: 1)
            } else if let words = try durationInWords(from: number) {
                result = words
            } else {
                throw unexpected("where a unit belongs", fix: "write `interval 2 minutes`")
            }
            if isNegative, case .literal(.duration(let micros), _) = result.kind {
                result.kind = .literal(.duration(-micros), .duration)
            }
            result.range = start..<result.range.upperBound
            return result
        case .string(let quoted) where !isNegative:
            advance()
            var whole = quoted
            if Double(quoted) != nil, let unit = identifier(at: index) {
                advance()
                whole += " " + unit
            }
            return try duration(whole, start..<tokens[index - 1].range.upperBound)
        default: return nil
        }
    }

    private func duration(_ written: String, _ range: Range<Int>) throws(ExpressionError) -> Syntax {
        switch parseDuration(written) {
        case .success(let micros):
            return Syntax(kind: .literal(.duration(micros), .duration), range: range, height: 1)
        case .failure(let problem):
            let shown = text.shown(range)
            throw ExpressionError(
                code: .badDuration, range: range, message: "`\(shown)` is not a duration",
                fix: problem.fix(for: text.isSecret(range) ? nil : written))
        }
    }

    private mutating func timeLiteral(
        _ word: String, _ value: String, _ current: Token
    ) throws(ExpressionError) -> Syntax {
        let range = current.range.lowerBound..<token.range.upperBound
        advance()
        if word == "date", let days = parseDate(value) {
            return Syntax(kind: .literal(.date(days), .date), range: range, height: 1)
        }
        if word == "timestamp", let parsed = parseTimestamp(value) {
            return Syntax(kind: .literal(.timestamp(parsed.micros), .timestamp), range: range, height: 1)
        }
        throw ExpressionError(
            code: .badLiteral, range: range, message: "`\(text.shown(range))` is not a \(word)",
            fix: word == "date" ? "write `date '2024-01-31'`" : "write `timestamp '2024-01-31 08:18:00Z'`")
    }

    // MARK: Tokens and nodes

    private var token: Token { tokens[index] }

    private mutating func advance() {
        if index < tokens.count - 1 { index += 1 }
    }

    /// Whether a parenthesis stands behind the current token.
    private var isCall: Bool { tokens[min(index + 1, tokens.count - 1)].kind == .symbol("(") }

    private func identifier(at index: Int) -> String? {
        guard index < tokens.count, case .identifier(let name) = tokens[index].kind else { return nil }
        return name
    }

    private func keyword(at index: Int) -> String { identifier(at: index)?.lowercased() ?? "" }

    private func isKeyword(_ word: String) -> Bool { keyword(at: index) == word }

    private mutating func takeKeyword(_ word: String) -> Bool {
        guard isKeyword(word) else { return false }
        advance()
        return true
    }

    private mutating func takeSymbol(_ symbol: String) -> Bool {
        guard token.kind == .symbol(symbol) else { return false }
        advance()
        return true
    }

    private mutating func takeOperator(_ operators: [Syntax.Operator]) -> Syntax.Operator? {
        operators.first { takeSymbol($0.rawValue) }
    }

    private func binary(_ operation: Syntax.Operator, _ left: Syntax, _ right: Syntax) throws(ExpressionError) -> Syntax
    {
        try tree(.binary(operation, left, right), from: left, to: right, height: max(left.height, right.height))
    }

    private func chain(_ first: Syntax, _ links: [Syntax.Link]) throws(ExpressionError) -> Syntax {
        guard let last = links.last else { return first }
        let height = links.reduce(first.height) { max($0, $1.operand.height) }
        // A run of one operator is a level, as the type checker makes one call of it.
        let changes = zip(links, links.dropFirst()).count { $0.operation != $1.operation }
        return try tree(.chain(first, links), from: first, to: last.operand, height: height + changes)
    }

    /// The end comes from the operand: `self` may have been copied before the arguments of a call were parsed.
    private func tree(
        _ kind: Syntax.Kind, from first: Syntax, to last: Syntax, height: Int
    ) throws(ExpressionError) -> Syntax {
        let range = first.range.lowerBound..<last.range.upperBound
        if height >= Syntax.maximumHeight { throw tooDeep(range) }
        return Syntax(kind: kind, range: range, height: height + 1)
    }

    private func node(_ kind: Syntax.Kind, from start: Int, over children: [Syntax]) throws(ExpressionError) -> Syntax {
        let range = start..<max(start + 1, tokens[max(index - 1, 0)].range.upperBound)
        let height = 1 + (children.map(\.height).max() ?? 0)
        if height > Syntax.maximumHeight { throw tooDeep(range) }
        return Syntax(kind: kind, range: range, height: height)
    }

    private func tooDeep(_ range: Range<Int>) -> ExpressionError {
        ExpressionError(
            code: .tooDeep, range: range, message: "an expression of more than \(Syntax.maximumHeight) levels",
            fix: "take parentheses away, and put operands of one operator side by side")
    }

    private func unexpected(_ place: String, fix: String? = nil) -> ExpressionError {
        if token.kind == .end {
            let last = tokens.count > 1 ? tokens[tokens.count - 2].range.upperBound : 0
            return ExpressionError(
                code: .expressionSyntax, range: last..<last + 1,
                message: tokens.count == 1 ? "an empty expression" : "the expression ends \(place)", fix: fix)
        }
        return ExpressionError(
            code: .expressionSyntax, range: token.range, message: "`\(text.shown(token.range))` \(place)", fix: fix)
    }
}
