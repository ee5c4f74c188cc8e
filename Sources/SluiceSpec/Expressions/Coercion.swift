// Which types go together, after Spark's ANSI rules (AnsiTypeCoercion, DecimalPrecision), but stricter in one place:
// texts never turn into numbers or times by themselves.

package enum Coercion {
    /// The type two operands of a comparison, `coalesce` or `case` are brought to; nil if there is none.
    package static func commonType(_ a: DataType, _ b: DataType) -> DataType? {
        if a == b { return a }
        switch (a, b) {
        case (.null, let other), (let other, .null): return other
        case (.date, .timestamp), (.timestamp, .date): return .timestamp
        case _ where a.isNumeric && b.isNumeric: return commonNumber(a, b)
        default: return nil
        }
    }

    private static func commonNumber(_ a: DataType, _ b: DataType) -> DataType {
        if a == .double || b == .double { return .double }
        guard case (.decimal(let p1, let s1), .decimal(let p2, let s2)) = (decimalForm(a), decimalForm(b)),
            isDecimal(a) || isDecimal(b)
        else { return .long }
        // DecimalPrecisionTypeCoercion.widerDecimalType with boundedPreferIntegralDigits.
        let whole = max(p1 - s1, p2 - s2)
        let scale = max(s1, s2)
        return .decimal(precision: min(38, whole + scale), scale: max(0, min(scale, 38 - whole)))
    }

    static func isDecimal(_ type: DataType) -> Bool {
        if case .decimal = type { true } else { false }
    }

    /// The decimal that holds every value of an int, long or decimal type.
    static func decimalForm(_ type: DataType) -> DataType {
        switch type {
        case .int: .decimal(precision: 10, scale: 0)
        case .long: .decimal(precision: 20, scale: 0)
        default: type
        }
    }

    /// The result of an operator over decimals: Spark's DecimalPrecision, with precision loss allowed.
    static func decimalResult(_ operation: Syntax.Operator, _ a: DataType, _ b: DataType) -> DataType {
        guard case .decimal(let p1, let s1) = decimalForm(a), case .decimal(let p2, let s2) = decimalForm(b) else {
            return .double
        }
        switch operation {
        case .multiply: return adjusted(precision: p1 + p2 + 1, scale: s1 + s2)
        case .divide:
            let scale = max(6, s1 + p2 + 1)
            return adjusted(precision: p1 - s1 + s2 + scale, scale: scale)
        case .remainder:
            let scale = max(s1, s2)
            return adjusted(precision: min(p1 - s1, p2 - s2) + scale, scale: scale)
        default:
            let scale = max(s1, s2)
            return adjusted(precision: max(p1 - s1, p2 - s2) + scale + 1, scale: scale)
        }
    }

    /// DecimalType.adjustPrecisionScale: digits before the point win, but at least six stay behind it.
    private static func adjusted(precision: Int, scale: Int) -> DataType {
        if precision <= 38 { return .decimal(precision: max(precision, 1), scale: scale) }
        let whole = precision - scale
        return .decimal(precision: 38, scale: max(38 - whole, min(scale, 6)))
    }

    /// The smallest decimal that holds an integer constant (DecimalType.fromLiteral).
    static func smallestDecimal(_ value: Int64) -> DataType {
        .decimal(precision: String(value.magnitude).utf8.count, scale: 0)
    }

    /// Whether `cast(x as target)` has a meaning (Spark's Cast.canAnsiCast).
    static func canCast(_ source: DataType, to target: DataType) -> Bool {
        if source == target || source == .null { return true }
        switch (source, target) {
        case (.duration, _), (_, .duration), (_, .null), (_, .json): return false
        case (.json, _): return target == .string
        case (.string, _), (_, .string): return true
        case (.date, .timestamp), (.timestamp, .date): return true
        case (.boolean, _), (_, .boolean): return source.isNumeric || target.isNumeric
        case (.date, _), (_, .date): return false
        default: return true
        }
    }

    /// Whether a cast can meet a value it has no result for; what becomes of it is the engine's policy.
    static func canFail(_ source: DataType, to target: DataType) -> Bool {
        switch (source, target) {
        case (.string, .string), (_, .string): false
        case (.string, _): true
        case (.int, .long), (.int, .double), (.long, .double), (.decimal, .double): false
        case (.date, .timestamp), (.timestamp, .date), (.boolean, _), (_, .boolean): false
        case (_, .decimal(let precision, let scale)):
            // Digits that are cut off may round up to one digit more before the point.
            if case .decimal(let p, let s) = decimalForm(source) {
                p - s + (s > scale ? 1 : 0) > precision - scale
            } else {
                true
            }
        default: true
        }
    }
}
