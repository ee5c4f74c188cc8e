// Bringing operands to one type, with casts that are written into the tree, and the advice when there is none.

extension TypeChecker {
    /// All operands in their common type, or nil after a report that names the first pair without one.
    ///
    /// With `shrinksConstants` an integer constant beside a decimal counts with its own digits and not with its type's,
    /// which spares the column a cast (Spark's DecimalPrecision.nondecimalAndDecimal, for comparisons only).
    func unified(
        _ operands: [Checked], what: String, _ syntax: Syntax, shrinksConstants: Bool = false
    ) -> [TypedExpression]? {
        var common = DataType.null
        for operand in operands {
            var type = operand.expression.type
            if shrinksConstants, case .literal(.integer(let value)) = operand.expression.kind,
                Coercion.isDecimal(common)
            {
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
        if common == .json, what != "`coalesce`", what != "the results of `case`" {
            report(
                .typeMismatch, syntax.range, "\(what) cannot compare `json`: one value has many texts",
                fix: "compare a value in it, from a column of its own path or with `get_json_object(json, '$.name')`")
            return nil
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

    func arithmeticFix(
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
        case (.date(let days), .timestamp) where timeZone == "UTC":
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
}
