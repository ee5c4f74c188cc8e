// Conditions are handled as lists of conjuncts. This file takes conditions apart and puts them together again.

package import SluiceSpec

extension Expression {
    /// The conjuncts of a condition, from left to right. Negations are first moved inward (`not (a or b)` is
    /// `not a and not b`, `not a < b` is `a >= b`), as Spark's BooleanSimplification does: under three-valued logic
    /// a filter keeps the same rows.
    package var conjuncts: [Expression] {
        switch kind {
        case .call(.and, let operands): return operands.flatMap(\.conjuncts)
        case .call(.not, let operands):
            guard let inner = operands.first?.negated else { return [self] }
            return inner.conjuncts
        default: return [self]
        }
    }

    /// An expression without a leading `not` that is true, false and null exactly when `not self` is; nil if there is
    /// none simpler.
    private var negated: Expression? {
        guard case .call(let function, let operands) = kind else { return nil }
        func with(_ function: Function, _ operands: [Expression]) -> Expression {
            Expression(.call(function, operands), type: type, isNullable: isNullable, at: position)
        }
        switch function {
        case .not: return operands.first
        case .or: return with(.and, operands.map { $0.negated ?? with(.not, [$0]) })
        case .less: return with(.greaterOrEqual, operands)
        case .lessOrEqual: return with(.greater, operands)
        case .greater: return with(.lessOrEqual, operands)
        case .greaterOrEqual: return with(.less, operands)
        case .equal: return with(.notEqual, operands)
        case .notEqual: return with(.equal, operands)
        case .isNull: return with(.isNotNull, operands)
        case .isNotNull: return with(.isNull, operands)
        default: return nil
        }
    }

    /// All of `conjuncts` in one condition; nil when there is none.
    package static func conjunction(_ conjuncts: [Expression]) -> Expression? {
        guard conjuncts.count > 1 else { return conjuncts.first }
        return Expression(
            .call(.and, conjuncts), type: .boolean, isNullable: conjuncts.contains(where: \.isNullable),
            at: conjuncts[0].position)
    }

    /// The columns it reads.
    package var columns: Set<Column> {
        var columns: Set<Column> = []
        forEachColumn { columns.insert($0) }
        return columns
    }
}

extension Expression where Column == ColumnReference {
    /// The sources whose columns it reads.
    var sources: Set<String> { Set(columns.map(\.source)) }
}
