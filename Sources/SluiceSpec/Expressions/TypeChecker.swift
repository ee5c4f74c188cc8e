// From syntax to a typed expression: names are looked up, types brought together with explicit casts, sugar is taken
// out (`between`, `not in`, `case x when`). A part that is wrong is reported and becomes nil; its siblings are still
// checked, so that one run shows every mistake of an expression that parses.

typealias TypedExpression = Expression<ColumnReference>

struct TypeChecker {
    let text: ExpressionText
    let scope: ColumnScope
    let diagnostics: DiagnosticCollector

    /// The typed form of `syntax`, or nil if it has mistakes, which are then reported.
    func check(_ syntax: Syntax) -> TypedExpression? {
        switch syntax.kind {
        case .literal(let value, let type): return literal(value, type, syntax)
        case .name(let source, let column): return name(source, column, syntax)
        case .not(let operand):
            return boolean(operand, of: "not").map { call(.not, [$0], .boolean, syntax) }
        case .negate(let operand): return negate(operand, syntax)
        case .binary(let operation, let left, let right): return binary(operation, left, right, syntax)
        case .between(let operand, let lower, let upper, let isNegated):
            return between(operand, lower, upper, isNegated, syntax)
        case .inList(let operand, let items, let isNegated): return inList(operand, items, isNegated, syntax)
        case .like(let operand, let pattern, let isNegated):
            guard let left = string(operand, of: "like"), let right = string(pattern, of: "like") else { return nil }
            return negated(isNegated, call(.like, [left, right], .boolean, syntax), syntax)
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

    private func literal(_ value: Value, _ type: DataType, _ syntax: Syntax) -> TypedExpression {
        var expression = make(.literal(value), type, syntax, isNullable: value == .null)
        expression.isSecret = text.isSecret(syntax.range)
        return expression
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

    private func binary(
        _ operation: Syntax.Operator, _ left: Syntax, _ right: Syntax, _ syntax: Syntax
    ) -> TypedExpression? {
        switch operation {
        case .and, .or:
            let (a, b) = (boolean(left, of: operation.rawValue), boolean(right, of: operation.rawValue))
            guard let a, let b else { return nil }
            return call(operation == .and ? .and : .or, [a, b], .boolean, syntax)
        case .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual, .nullSafeEqual:
            let (a, b) = (check(left), check(right))
            guard let a, let b else { return nil }
            return comparison(operation, (a, left), (b, right), syntax)
        case .concat:
            let (a, b) = (asText(left, of: "||"), asText(right, of: "||"))
            guard let a, let b else { return nil }
            return call(.concat, [a, b], .string, syntax)
        case .add, .subtract, .multiply, .divide, .remainder:
            let (a, b) = (check(left), check(right))
            guard let a, let b else { return nil }
            return arithmetic(operation, a, b, syntax)
        }
    }

    typealias Checked = (expression: TypedExpression, syntax: Syntax)

    private static let comparisonFunctions: [Syntax.Operator: Function] = [
        .equal: .equal, .notEqual: .notEqual, .less: .less, .lessOrEqual: .lessOrEqual, .greater: .greater,
        .greaterOrEqual: .greaterOrEqual, .nullSafeEqual: .nullSafeEqual,
    ]

    private func comparison(
        _ operation: Syntax.Operator, _ left: Checked, _ right: Checked, _ syntax: Syntax
    ) -> TypedExpression? {
        guard let function = Self.comparisonFunctions[operation],
            let operands = unified([left, right], what: "`\(operation.rawValue)`", syntax)
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
        guard checked.count == all.count, let operands = unified(checked, what: "`in`", syntax) else { return nil }
        if let null = checked.dropFirst().first(where: { isNullLiteral($0.expression) }) {
            diagnostics.warning(
                .comparisonWithNull, at: text.place(null.syntax.range),
                "`null` in a list matches nothing" + (isNegated ? ", and `not in` is then never true" : ""),
                fix: "write `or … is null`")
        }
        return negated(isNegated, call(.in, operands, .boolean, syntax), syntax)
    }

    private func arithmetic(
        _ operation: Syntax.Operator, _ left: TypedExpression, _ right: TypedExpression, _ syntax: Syntax
    ) -> TypedExpression? {
        if let timed = timeArithmetic(operation, left, right, syntax) { return timed }
        var (a, b) = (left, right)
        if a.type == .null { a = typedNull(a, b.type == .null ? .int : b.type) }
        if b.type == .null { b = typedNull(b, a.type) }
        guard a.type.isNumeric, b.type.isNumeric else {
            report(
                .typeMismatch, syntax.range,
                "`\(operation.rawValue)` cannot combine \(article(left.type)) with \(article(right.type))",
                fix: arithmeticFix(operation, left, right))
            return nil
        }
        let function = Self.arithmeticFunctions[operation] ?? .add
        let mayFail = operation == .divide || operation == .remainder
        let isNullable = a.isNullable || b.isNullable || mayFail
        if (Coercion.isDecimal(a.type) || Coercion.isDecimal(b.type)) && a.type != .double && b.type != .double {
            (a, b) = (smallestDecimalCast(a), smallestDecimalCast(b))
            let result = Coercion.decimalResult(operation, a.type, b.type)
            guard let common = Coercion.commonType(a.type, b.type) else { return nil }
            return call(function, [converted(a, common), converted(b, common)], result, syntax, isNullable: isNullable)
        }
        let common = operation == .divide ? .double : Coercion.commonType(a.type, b.type) ?? .double
        return call(function, [converted(a, common), converted(b, common)], common, syntax, isNullable: isNullable)
    }

    private static let arithmeticFunctions: [Syntax.Operator: Function] = [
        .add: .add, .subtract: .subtract, .multiply: .multiply, .divide: .divide, .remainder: .remainder,
    ]

    /// An integer becomes the decimal that just holds it: constants by their digits, others by their type.
    private func smallestDecimalCast(_ operand: TypedExpression) -> TypedExpression {
        if case .literal(.integer(let value)) = operand.kind {
            return converted(operand, Coercion.smallestDecimal(value))
        }
        return converted(operand, Coercion.decimalForm(operand.type))
    }

    /// Timestamps with durations, and durations among themselves. nil if the operands are nothing of the kind.
    private func timeArithmetic(
        _ operation: Syntax.Operator, _ left: TypedExpression, _ right: TypedExpression, _ syntax: Syntax
    ) -> TypedExpression? {
        let a = left.type == .date ? converted(left, .timestamp) : left
        let b = right.type == .date ? converted(right, .timestamp) : right
        switch (operation, a.type, b.type) {
        case (.add, .timestamp, .duration), (.subtract, .timestamp, .duration):
            return call(operation == .add ? .add : .subtract, [a, b], .timestamp, syntax)
        case (.add, .duration, .timestamp): return call(.add, [b, a], .timestamp, syntax)
        case (.subtract, .timestamp, .timestamp): return call(.subtract, [a, b], .duration, syntax)
        case (.add, .duration, .duration), (.subtract, .duration, .duration):
            return foldedDuration(operation, a, b, syntax)
        case (.multiply, .duration, .int), (.multiply, .duration, .long):
            return foldedDuration(.multiply, a, converted(b, .long), syntax)
        case (.multiply, .int, .duration), (.multiply, .long, .duration):
            return foldedDuration(.multiply, b, converted(a, .long), syntax)
        default: return nil
        }
    }

    private func foldedDuration(
        _ operation: Syntax.Operator, _ a: TypedExpression, _ b: TypedExpression, _ syntax: Syntax
    ) -> TypedExpression? {
        let function = Self.arithmeticFunctions[operation] ?? .add
        guard case .literal(let x) = a.kind, case .literal(let y) = b.kind, let x = x.int64, let y = y.int64 else {
            return call(function, [a, b], .duration, syntax)
        }
        let (result, overflow) =
            switch operation {
            case .add: x.addingReportingOverflow(y)
            case .subtract: x.subtractingReportingOverflow(y)
            default: x.multipliedReportingOverflow(by: y)
            }
        if overflow {
            report(.badLiteral, syntax.range, "a duration of more than 292,000 years")
            return nil
        }
        return literal(.duration(result), .duration, syntax)
    }

    private func negate(_ operand: Syntax, _ syntax: Syntax) -> TypedExpression? {
        guard let value = check(operand) else { return nil }
        if value.type == .duration, case .literal(.duration(let micros)) = value.kind, micros != .min {
            return literal(.duration(-micros), .duration, syntax)
        }
        guard value.type.isNumeric || value.type == .duration || value.type == .null else {
            report(.typeMismatch, syntax.range, "`-` wants a number, and this is \(article(value.type))")
            return nil
        }
        let number = typedNull(value, .int)
        return call(.negate, [number], number.type, syntax)
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

    // MARK: Bringing types together

    /// All operands in their common type, or nil after a report that names the first pair without one.
    private func unified(_ operands: [Checked], what: String, _ syntax: Syntax) -> [TypedExpression]? {
        var common = DataType.null
        for operand in operands {
            // A constant counts with its digits and not with its type's, as in Spark.
            var type = operand.expression.type
            if case .literal(.integer(let value)) = operand.expression.kind, Coercion.isDecimal(common) {
                type = Coercion.smallestDecimal(value)
            }
            guard let next = Coercion.commonType(common, type) else {
                let isConstant = { (checked: Checked) in
                    if case .literal = checked.expression.kind { true } else { false }
                }
                let other = operands.first { $0.expression.type != .null } ?? operands[0]
                report(
                    .typeMismatch,
                    operand.syntax.range.lowerBound == other.syntax.range.lowerBound
                        ? syntax.range
                        : min(
                            other.syntax.range.lowerBound, operand.syntax.range.lowerBound)..<max(
                                other.syntax.range.upperBound, operand.syntax.range.upperBound),
                    "\(what) cannot bring together \(article(common)) and \(article(type))",
                    fix: isConstant(other) && !isConstant(operand)
                        ? castFix(other, to: type, against: operand) : castFix(operand, to: common, against: other))
                return nil
            }
            common = next
        }
        if common == .null { common = .string }
        return operands.map { converted($0.expression, common) }
    }

    private func castFix(_ operand: Checked, to type: DataType, against other: Checked) -> String? {
        let from = operand.expression.type
        let shown = text.shown(operand.syntax.range)
        if from == .boolean || type == .boolean {
            let isChain = isComparison(operand.syntax) || isComparison(other.syntax)
            return isChain ? "comparisons do not chain: write `a < x and x < b`" : nil
        }
        if case .literal(.string) = operand.expression.kind {
            if type == .timestamp { return "write `timestamp \(shown)`" }
            if type == .date { return "write `date \(shown)`" }
            if type.isNumeric { return "write the number without quotes, or `cast(\(shown) as \(type))`" }
        }
        if case .literal = operand.expression.kind, type == .string, !text.isSecret(operand.syntax.range) {
            return "write the text `'\(shown)'`, or `cast(\(text.shown(other.syntax.range)) as \(from))`"
        }
        if type == .duration || from == .duration {
            return "a duration goes with timestamps and durations; say the unit, as in `10s`"
        }
        let target: DataType = type == .string ? from : type
        let subject = type == .string ? other : operand
        guard Coercion.canCast(subject.expression.type, to: target) else { return nil }
        return "write `cast(\(text.shown(subject.syntax.range)) as \(target))`"
    }

    private func isComparison(_ syntax: Syntax) -> Bool {
        if case .binary(let operation, _, _) = syntax.kind { Self.comparisonFunctions[operation] != nil } else { false }
    }

    private func arithmeticFix(
        _ operation: Syntax.Operator, _ left: TypedExpression, _ right: TypedExpression
    ) -> String? {
        let types = [left.type, right.type]
        if operation == .add, types.contains(.string) { return "write `||` to join texts" }
        if types.contains(where: { $0 == .timestamp || $0 == .date }), types.contains(where: \.isNumeric) {
            return "say the unit of the number, as in `10s` or `3 days`"
        }
        return types.contains(.string) ? "make the text a number: `cast(… as double)`" : nil
    }

    /// `expression` as a `type`; constants are converted here and now where that cannot fail.
    func converted(_ expression: TypedExpression, _ type: DataType) -> TypedExpression {
        if expression.type == type { return expression }
        if case .literal(let value) = expression.kind, let folded = fold(value, expression.type, to: type) {
            var result = expression
            result.kind = .literal(folded)
            result.type = type
            return result
        }
        let isNullable = expression.isNullable || Coercion.canFail(expression.type, to: type)
        return TypedExpression(.cast(expression), type: type, isNullable: isNullable, at: expression.position)
    }

    private func fold(_ value: Value, _ from: DataType, to type: DataType) -> Value? {
        switch (value, type) {
        case (.null, _): return .null
        case (.integer, .long): return value
        case (.integer(let number), .int): return Int32(exactly: number) == nil ? nil : value
        case (.integer(let number), .double): return .double(Double(number))
        case (.integer(let number), .decimal(let precision, let scale)):
            return rescaled(Int128(number), from: 0, to: scale, precision: precision)
        case (.decimal(let digits), .decimal(let precision, let scale)):
            guard case .decimal(_, let oldScale) = from else { return nil }
            return rescaled(digits, from: oldScale, to: scale, precision: precision)
        case (.decimal(let digits), .double):
            guard case .decimal(_, let scale) = from else { return nil }
            return Double(decimalText(digits, scale: scale)).map { .double($0) }
        case (.date(let days), .timestamp):
            let (micros, overflow) = days.multipliedReportingOverflow(by: DurationUnit.day)
            return overflow ? nil : .timestamp(micros)
        default: return nil
        }
    }

    private func rescaled(_ digits: Int128, from: Int, to scale: Int, precision: Int) -> Value? {
        guard scale >= from else { return nil }
        var result = digits
        for _ in from..<scale {
            let (product, overflow) = result.multipliedReportingOverflow(by: 10)
            if overflow { return nil }
            result = product
        }
        return String(result.magnitude).utf8.count <= precision ? .decimal(result) : nil
    }

    func typedNull(_ expression: TypedExpression, _ type: DataType) -> TypedExpression {
        expression.type == .null ? converted(expression, type) : expression
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
        guard let value = check(operand).map({ typedNull($0, .string) }) else { return nil }
        guard Coercion.canCast(value.type, to: .string) else {
            report(.typeMismatch, operand.range, "`\(what)` joins texts, and this is \(article(value.type))")
            return nil
        }
        return converted(value, .string)
    }

    // MARK: Making nodes

    func call(
        _ function: Function, _ operands: [TypedExpression], _ type: DataType, _ syntax: Syntax,
        isNullable: Bool? = nil
    ) -> TypedExpression {
        make(
            .call(function, operands), type, syntax, isNullable: isNullable ?? operands.contains(where: \.isNullable))
    }

    private func negated(_ isNegated: Bool, _ expression: TypedExpression, _ syntax: Syntax) -> TypedExpression {
        isNegated ? call(.not, [expression], .boolean, syntax) : expression
    }

    private func make(
        _ kind: TypedExpression.Kind, _ type: DataType, _ syntax: Syntax, isNullable: Bool
    ) -> TypedExpression {
        TypedExpression(kind, type: type, isNullable: isNullable, at: text.place(syntax.range).position)
    }

    func isNullLiteral(_ expression: TypedExpression) -> Bool { expression.kind == .literal(.null) }

    func report(_ code: DiagnosticCode, _ range: Range<Int>, _ message: String, fix: String? = nil) {
        diagnostics.error(code, at: text.place(range), message, fix: fix)
    }

    func unify(_ operands: [Checked], what: String, _ syntax: Syntax) -> [TypedExpression]? {
        unified(operands, what: what, syntax)
    }
}

/// `an int`, `a string`.
func article(_ type: DataType) -> String {
    switch type {
    case .int: "an int"
    case .null: "`null`"
    default: "a \(type)"
    }
}

extension Value {
    /// The number inside integers and durations.
    fileprivate var int64: Int64? {
        switch self {
        case .integer(let value), .duration(let value): value
        default: nil
        }
    }
}
