// Operators over numbers, timestamps and durations.

extension TypeChecker {
    func arithmetic(
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
        if (Coercion.isDecimal(a.type) || Coercion.isDecimal(b.type)) && a.type != .double && b.type != .double {
            let (first, second) = (decimalType(a), decimalType(b))
            let result = Coercion.decimalResult(operation, first, second)
            // Each keeps its own scale: bringing both to one could cut digits before the result's rounding.
            return call(function, [converted(a, first), converted(b, second)], result, syntax)
        }
        let common = operation == .divide ? .double : Coercion.commonType(a.type, b.type) ?? .double
        return call(function, [converted(a, common), converted(b, common)], common, syntax)
    }

    private static let arithmeticFunctions: [Syntax.Operator: Function] = [
        .add: .add, .subtract: .subtract, .multiply: .multiply, .divide: .divide, .remainder: .remainder,
    ]

    /// The decimal that just holds an operand: constants by their digits, others by their type.
    private func decimalType(_ operand: TypedExpression) -> DataType {
        if case .literal(.integer(let value)) = operand.kind { return Coercion.smallestDecimal(value) }
        return Coercion.decimalForm(operand.type)
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

    func negate(_ operand: Syntax, _ syntax: Syntax) -> TypedExpression? {
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
