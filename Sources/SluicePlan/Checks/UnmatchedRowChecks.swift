// A query's `where` over the columns of a side that may be absent. For a row without a match those columns are null,
// and most conditions are then not true: the outer join gives what a stricter one would, at the price of the outer one.
// That is what somebody wants who filters matches, and nearly never what somebody wants who wrote `left outer`. Source:
// Spark's EliminateOuterJoin, which makes the stricter join of it.

internal import SluiceSpec

enum UnmatchedRowChecks {
    /// All findings about a rewritten plan.
    static func diagnose(_ plan: LogicalPlan) -> [Diagnostic] {
        guard case .filter(let filter, .join(let join, let left, let right)) = plan, filter.place == .query else {
            return plan.children.flatMap(diagnose)
        }
        return JoinInput.allCases.filter { join.type.preserves($0) }.flatMap { kept -> [Diagnostic] in
            let (side, other) = kept == .left ? (left, right) : (right, left)
            return filter.conjuncts.filter { $0.isNeverTrue(withoutColumnsOf: other.sources) }.map {
                warn($0, join.type, kept: side, absent: other)
            }
        }
    }

    private static func warn(
        _ conjunct: LogicalExpression, _ type: JoinType, kept: LogicalPlan, absent: LogicalPlan
    ) -> Diagnostic {
        let (kept, absent) = (names(kept), names(absent))
        let isFull = type == .fullOuter
        let follows = isFull ? "brings out no such row" : "gives what an inner join gives"
        return Diagnostic(
            .warning, .unmatchedFiltered, at: conjunct.position,
            "this is never true for a row of \(kept) without a match, whose columns of \(absent) are null: this "
                + "\(type.rawValue) join \(follows)",
            fix: "write it as the join's `where`, which leaves such rows unmatched, add `or … is null`, or "
                + (isFull ? "let the join keep one side only" : "make the join `inner`"))
    }

    private static func names(_ plan: LogicalPlan) -> String {
        plan.sources.sorted().map { "`\($0)`" }.joined(separator: " and ")
    }
}

extension Expression where Column == ColumnReference {
    /// True when it cannot be true where all columns of `sources` are null; false also where that is not known.
    func isNeverTrue(withoutColumnsOf sources: Set<String>) -> Bool {
        if isNull(withoutColumnsOf: sources) { return true }
        switch kind {
        case .literal(.boolean(false)): return true
        case .call(.and, let operands): return operands.contains { $0.isNeverTrue(withoutColumnsOf: sources) }
        case .call(.or, let operands): return operands.allSatisfy { $0.isNeverTrue(withoutColumnsOf: sources) }
        case .call(.isNotNull, let operands): return operands[0].isNull(withoutColumnsOf: sources)
        case .call(.nullSafeEqual, let operands):
            return operands.contains { $0.isNull(withoutColumnsOf: sources) }
                && operands.contains { !$0.isNullable }
        default: return false
        }
    }

    /// True when it must be null where all columns of `sources` are; false also where that is not known.
    private func isNull(withoutColumnsOf sources: Set<String>) -> Bool {
        switch kind {
        case .literal(let value): return value == .null
        case .column(let column): return sources.contains(column.source)
        case .cast(let operand): return operand.isNull(withoutColumnsOf: sources)
        case .caseWhen: return false
        case .call(let function, let operands):
            switch function {
            case .isNull, .isNotNull, .nullSafeEqual, .hash: return false
            // One operand that settles the answer is enough, whatever the others are.
            case .and, .or, .coalesce, .greatest, .least:
                return operands.allSatisfy { $0.isNull(withoutColumnsOf: sources) }
            case .in, .nullif: return operands.first?.isNull(withoutColumnsOf: sources) ?? false
            default: return operands.contains { $0.isNull(withoutColumnsOf: sources) }
            }
        }
    }
}
