// Moves predicates towards the sources, as far as the answers stay Spark's. Where a predicate stands decides three
// things: whether the rows it drops reach state, whether they come out as unmatched, and whether they move the
// watermark (rows move it that reach the watermark node, Spark's EventTimeWatermarkExec).
//
//   a source's `where`                        below the watermark, unless it touches the watermark's column
//   join conjuncts over one side that is
//     not preserved (inner, semi: either)     the same
//     preserved                               stay in the join: the row comes out unmatched at once
//   `is not null` of a key that is not
//     null-safe, on sides not preserved       the same as a source's `where`: the row could match nothing
//   conjuncts of the query's `where` over
//     a side that the joined row always has   above that side's watermark, so that dropped rows never reach state
//                                             but move the watermark as if they had
//
// The first three are what Spark does (PushPredicateThroughJoin, PushPredicateThroughNonJoin on EventTimeWatermark,
// InferFiltersFromConstraints). The last keeps the rows that come out: on a side whose columns are never replaced by
// nulls, the predicate gives one answer for a row, whatever the row is joined with. Inner: both sides; left outer, semi
// and anti: left; right outer: right; full outer: none. Spark pushes those conjuncts below the watermark as well, so
// that what a query selects moves its watermark; Sluice does not, on purpose.
//
//     before   Filter[visits.page <> 'x']            after   Join LeftOuter, visits.page = ads.page
//              └─ Join LeftOuter, ads.cost > 0               ├─ Filter[visits.page <> 'x']
//                 ├─ EventTimeWatermark … visits             │  └─ EventTimeWatermark … visits
//                 └─ EventTimeWatermark … ads                └─ EventTimeWatermark …
//                                                               └─ Filter[ads.cost > 0, ads.page is not null] … ads

internal import SluiceSpec

enum PushPredicates: RewriteRule {
    static let name = "PushPredicates"

    static func apply(to plan: LogicalPlan, in context: RuleContext) -> LogicalPlan {
        pushQueryFilter(lowerInputFilters(plan).mapJoins(pushJoinConditions))
    }

    /// Moves each source's own `where` below its watermark.
    private static func lowerInputFilters(_ plan: LogicalPlan) -> LogicalPlan {
        guard var chain = InputChain(plan) else { return plan.replacingChildren(lowerInputFilters) }
        let filters = chain.aboveWatermark
        chain.aboveWatermark = []
        chain.placeLow(filters)
        return chain.plan
    }

    private static func pushJoinConditions(_ join: Join, _ left: LogicalPlan, _ right: LogicalPlan) -> LogicalPlan {
        var join = join
        var (left, right) = (left, right)
        if !join.type.preserves(.left) {
            left = placing(join.leftConditions + keysNotNull(join.keys, .left, of: left), low: true, in: left)
            join.leftConditions = []
        }
        if !join.type.preserves(.right) {
            right = placing(join.rightConditions + keysNotNull(join.keys, .right, of: right), low: true, in: right)
            join.rightConditions = []
        }
        return .join(join, left: left, right: right)
    }

    /// `is not null` for each column of a key that a null cannot satisfy.
    private static func keysNotNull(
        _ keys: [LogicalJoinKey], _ side: JoinInput, of plan: LogicalPlan
    ) -> [LogicalExpression] {
        var seen: Set<ColumnReference> = []
        return keys.compactMap { key in
            let name = key.column(side)
            guard !key.isNullSafe, seen.insert(name).inserted, let type = plan.columnType(name) else { return nil }
            let column = LogicalExpression(.column(name), type: type, isNullable: true, at: key.position)
            return LogicalExpression(
                .call(.isNotNull, [column]), type: .boolean, isNullable: false, at: key.position)
        }
    }

    private static func pushQueryFilter(_ plan: LogicalPlan) -> LogicalPlan {
        guard case .filter(let filter, .join(let join, var left, var right)) = plan else {
            return plan.replacingChildren(pushQueryFilter)
        }
        var rest: [LogicalExpression] = []
        var (toLeft, toRight): ([LogicalExpression], [LogicalExpression]) = ([], [])
        for conjunct in filter.conjuncts {
            let sources = conjunct.sources
            if sources.isEmpty {
                rest.append(conjunct)
            } else if sources.isSubset(of: left.sources), !join.type.replacesWithNulls(.left) {
                toLeft.append(conjunct)
            } else if sources.isSubset(of: right.sources), !join.type.replacesWithNulls(.right) {
                toRight.append(conjunct)
            } else {
                rest.append(conjunct)
            }
        }
        left = placing(toLeft, low: false, in: left)
        right = placing(toRight, low: false, in: right)
        let joined = LogicalPlan.join(join, left: left, right: right)
        return rest.isEmpty ? joined : .filter(Filter(conjuncts: rest, place: .query), joined)
    }

    private static func placing(_ conjuncts: [LogicalExpression], low: Bool, in side: LogicalPlan) -> LogicalPlan {
        if conjuncts.isEmpty { return side }
        guard var chain = InputChain(side) else {
            return .filter(Filter(conjuncts: conjuncts, place: .query), side)
        }
        if low { chain.placeLow(conjuncts) } else { chain.placeAboveWatermark(conjuncts) }
        return chain.plan
    }
}

extension JoinType {
    /// True when the joined row may have nulls in the place of that side's columns.
    func replacesWithNulls(_ side: JoinInput) -> Bool { preserves(side.other) }
}
