// From syntax to a typed expression: names are looked up, types brought together with explicit casts, sugar is taken
// out (`between`, `not in`, `case x when`). A part that is wrong is reported and becomes nil; its siblings are still
// checked, so that one run shows every mistake of an expression that parses.

typealias TypedExpression = Expression<ColumnReference>

struct TypeChecker {
    let text: ExpressionText
    let scope: ColumnScope
    let diagnostics: DiagnosticCollector
    /// The zone in which dates begin and constants without a zone are read. Rules of zones are the engine's: what
    /// depends on them is left to it as a cast, unless this is UTC.
    var timeZone = "UTC"

    /// The typed form of `syntax`, or nil if it has mistakes, which are then reported.
    func check(_ syntax: Syntax) -> TypedExpression? {
        switch syntax.kind {
        case .literal(let value, let type): return literal(value, type, syntax)
        case .name(let source, let column): return name(source, column, syntax)
        case .not(let operand):
            return boolean(operand, of: "not").map { call(.not, [$0], .boolean, syntax) }
        case .negate(let operand): return negate(operand, syntax)
        case .binary(let operation, let left, let right):
            let (a, b) = (check(left), check(right))
            guard let a, let b else { return nil }
            return comparison(operation, (a, left), (b, right), syntax)
        case .chain(let first, let links): return chain(first, links, syntax)
        case .between(let operand, let lower, let upper, let isNegated):
            return between(operand, lower, upper, isNegated, syntax)
        case .inList(let operand, let items, let isNegated): return inList(operand, items, isNegated, syntax)
        case .like(let operand, let pattern, let isNegated):
            guard let left = string(operand, of: "like"), let right = string(pattern, of: "like") else { return nil }
            return negated(isNegated, call(.like, [left, right], .boolean, syntax), syntax)
        case .rlike(let operand, let pattern, let isNegated):
            return rlike(operand, pattern, syntax).map { negated(isNegated, $0, syntax) }
        case .isNull(let operand, let isNegated):
            return check(operand).map {
                call(isNegated ? .isNotNull : .isNull, [typedNull($0, .string)], .boolean, syntax, isNullable: false)
            }
        case .caseWhen(let operand, let branches, let otherwise):
            return caseWhen(operand, branches, otherwise, syntax)
        case .cast(let operand, let type, let typeRange): return cast(operand, type, typeRange, syntax)
        case .call(let name, let nameRange, let operands): return function(name, nameRange, operands, syntax)
        }
    }

    // MARK: Leaves

    func literal(_ value: Value, _ type: DataType, _ syntax: Syntax) -> TypedExpression {
        if type == .timestamp, timeZone != "UTC", let written = textWithoutZone(syntax.range) {
            return converted(literal(.string(written), .string, syntax), .timestamp)
        }
        var expression = make(.literal(value), type, syntax, isNullable: value == .null)
        expression.isSecret = text.isSecret(syntax.range)
        return expression
    }

    /// What `timestamp '…'` at a range says, nil if it says its zone.
    private func textWithoutZone(_ range: Range<Int>) -> String? {
        let quoted = text.scalars[range].drop { $0 != "'" }.dropFirst().dropLast()
        let written = String(String.UnicodeScalarView(quoted))
        return parseTimestamp(written)?.hasZone == false ? written : nil
    }

    private func name(_ source: String?, _ column: String, _ syntax: Syntax) -> TypedExpression? {
        switch scope.find(source: source, column: column, shown: text.shown(syntax.range)) {
        case .found(let reference, let type): return make(.column(reference), type, syntax, isNullable: true)
        case .broken: return nil
        case .failed(let code, let message, let fix):
            report(code, syntax.range, message, fix: fix)
            return nil
        }
    }

    // MARK: Operators

    typealias Checked = (expression: TypedExpression, syntax: Syntax)

    static let comparisonFunctions: [Syntax.Operator: Function] = [
        .equal: .equal, .notEqual: .notEqual, .less: .less, .lessOrEqual: .lessOrEqual, .greater: .greater,
        .greaterOrEqual: .greaterOrEqual, .nullSafeEqual: .nullSafeEqual,
    ]

    private func comparison(
        _ operation: Syntax.Operator, _ left: Checked, _ right: Checked, _ syntax: Syntax
    ) -> TypedExpression? {
        guard let function = Self.comparisonFunctions[operation],
            let operands = unified([left, right], what: "`\(operation.rawValue)`", syntax, shrinksConstants: true)
        else { return nil }
        if function != .nullSafeEqual, isNullLiteral(left.expression) || isNullLiteral(right.expression) {
            diagnostics.warning(
                .comparisonWithNull, at: text.place(syntax.range), "a comparison with `null` is never true",
                fix: operation == .notEqual ? "write `is not null`" : "write `is null`")
        }
        return call(
            function, operands, .boolean, syntax, isNullable: function == .nullSafeEqual ? false : nil)
    }

    private func between(
        _ operand: Syntax, _ lower: Syntax, _ upper: Syntax, _ isNegated: Bool, _ syntax: Syntax
    ) -> TypedExpression? {
        let (x, low, high) = (check(operand), check(lower), check(upper))
        guard let x, let low, let high else { return nil }
        let first = comparison(.greaterOrEqual, (x, operand), (low, lower), syntax)
        let second = comparison(.lessOrEqual, (x, operand), (high, upper), syntax)
        guard let first, let second else { return nil }
        return negated(isNegated, call(.and, [first, second], .boolean, syntax), syntax)
    }

    private func inList(
        _ operand: Syntax, _ items: [Syntax], _ isNegated: Bool, _ syntax: Syntax
    ) -> TypedExpression? {
        if items.isEmpty {
            report(.badArgument, syntax.range, "`in` with an empty list")
            return nil
        }
        let all = ([operand] + items).map { ($0, check($0)) }
        let checked: [Checked] = all.compactMap { item in item.1.map { ($0, item.0) } }
        guard checked.count == all.count, let operands = unified(checked, what: "`in`", syntax, shrinksConstants: true)
        else { return nil }
        if let null = checked.dropFirst().first(where: { isNullLiteral($0.expression) }) {
            diagnostics.warning(
                .comparisonWithNull, at: text.place(null.syntax.range),
                "`null` in a list matches nothing" + (isNegated ? ", and `not in` is then never true" : ""),
                fix: "write `or … is null`")
        }
        return negated(isNegated, call(.in, operands, .boolean, syntax), syntax)
    }

    private func caseWhen(
        _ operand: Syntax?, _ branches: [(condition: Syntax, value: Syntax)], _ otherwise: Syntax?, _ syntax: Syntax
    ) -> TypedExpression? {
        let subject = operand.map { ($0, check($0)) }
        let conditions = branches.map { branch -> TypedExpression? in
            guard let subject else { return boolean(branch.condition, of: "when") }
            guard let value = check(branch.condition), let compared = subject.1 else { return nil }
            return comparison(.equal, (compared, subject.0), (value, branch.condition), branch.condition)
        }
        let results = branches.map(\.value) + [otherwise].compactMap { $0 }
        let checked: [Checked] = results.compactMap { item in check(item).map { ($0, item) } }
        guard checked.count == results.count, !conditions.contains(where: { $0 == nil }),
            let values = unified(checked, what: "the results of `case`", syntax)
        else { return nil }
        let cases = zip(conditions.compactMap { $0 }, values).map { (condition: $0, value: $1) }
        let last = otherwise == nil ? nil : values.last
        let isNullable = values.contains(where: \.isNullable) || last == nil
        return make(.caseWhen(cases, otherwise: last), values[0].type, syntax, isNullable: isNullable)
    }

    private func cast(
        _ operand: Syntax, _ typeName: String, _ typeRange: Range<Int>, _ syntax: Syntax
    ) -> TypedExpression? {
        let value = check(operand)
        guard let type = DataType(typeName) else {
            report(
                .unknownType, typeRange, "`\(text.shown(typeRange))` is not a type",
                fix: text.isSecret(typeRange) ? nil : DataType.fix(for: typeName))
            return nil
        }
        guard let value else { return nil }
        guard Coercion.canCast(value.type, to: type) else {
            report(.typeMismatch, syntax.range, "\(article(value.type)) cannot become \(article(type))")
            return nil
        }
        var result = converted(value, type)
        result.position = text.place(syntax.range).position
        return result
    }

    // MARK: Operands of a fixed type

    func boolean(_ operand: Syntax, of what: String) -> TypedExpression? {
        guard let value = check(operand).map({ typedNull($0, .boolean) }) else { return nil }
        guard value.type == .boolean else {
            report(.typeMismatch, operand.range, "`\(what)` wants a condition, and this is \(article(value.type))")
            return nil
        }
        return value
    }

    func string(_ operand: Syntax, of what: String) -> TypedExpression? {
        guard let value = check(operand).map({ typedNull($0, .string) }) else { return nil }
        if value.type == .json, what == Function.getJSONObject.rawValue { return converted(value, .string) }
        guard value.type == .string else {
            report(
                .typeMismatch, operand.range, "`\(what)` wants a string, and this is \(article(value.type))",
                fix: Coercion.canCast(value.type, to: .string)
                    ? "write `cast(\(text.shown(operand.range)) as string)`" : nil)
            return nil
        }
        return value
    }

    /// Anything that has a text, as text: what `||` and `concat` do with their operands.
    func asText(_ operand: Syntax, of what: String) -> TypedExpression? {
        check(operand).flatMap { asText($0, operand.range, of: what) }
    }

    func asText(_ operand: TypedExpression, _ range: Range<Int>, of what: String) -> TypedExpression? {
        let value = typedNull(operand, .string)
        guard Coercion.canCast(value.type, to: .string) else {
            report(.typeMismatch, range, "`\(what)` joins texts, and this is \(article(value.type))")
            return nil
        }
        return converted(value, .string)
    }

    // MARK: Making nodes

    func call(
        _ function: Function, _ operands: [TypedExpression], _ type: DataType, _ syntax: Syntax,
        isNullable: Bool? = nil
    ) -> TypedExpression {
        let mayBeNull = operands.contains(where: \.isNullable) || function.mayHaveNoResult(as: type)
        return make(.call(function, operands), type, syntax, isNullable: isNullable ?? mayBeNull)
    }

    private func negated(_ isNegated: Bool, _ expression: TypedExpression, _ syntax: Syntax) -> TypedExpression {
        isNegated ? call(.not, [expression], .boolean, syntax) : expression
    }

    func make(
        _ kind: TypedExpression.Kind, _ type: DataType, _ syntax: Syntax, isNullable: Bool
    ) -> TypedExpression {
        TypedExpression(kind, type: type, isNullable: isNullable, at: text.place(syntax.range).position)
    }

    func isNullLiteral(_ expression: TypedExpression) -> Bool { expression.kind == .literal(.null) }

    func report(_ code: DiagnosticCode, _ range: Range<Int>, _ message: String, fix: String? = nil) {
        diagnostics.error(code, at: text.place(range), message, fix: fix)
    }
}

/// `an int`, `a string`.
package func article(_ type: DataType) -> String {
    switch type {
    case .int: "an int"
    case .null: "`null`"
    default: "a \(type)"
    }
}

extension Function {
    /// Whether operands that are not null may have no result of a type: one beyond its range, a divisor of zero.
    fileprivate func mayHaveNoResult(as type: DataType) -> Bool {
        switch self {
        case .divide, .remainder: true
        case .add, .subtract, .multiply, .negate, .abs, .round, .floor, .ceil, .windowStart, .windowEnd,
            .timestampMillis, .timestampMicros, .dateTrunc:
            type != .double
        default: false
        }
    }
}
