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
// and anti: left; right outer: right; full outer: none; of a join that chooses one partner (`match`) left only, as
// another would be chosen among fewer. Spark pushes those conjuncts below the watermark as well, so
// that what a query selects moves its watermark; with one join Sluice does not, on purpose. In a chain, whose batches
// are Spark's one by one, it does. There conjuncts of every kind go on through the joins below, as far as the same rule
// lets them; what speaks of several sources stands above the lowest join that has them.
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
        pushQueryFilter(lowerInputFilters(plan).mapJoins(pushJoinConditions), isChain: plan.joins.count > 1)
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

    private static func pushQueryFilter(_ plan: LogicalPlan, isChain: Bool) -> LogicalPlan {
        guard case .filter(let filter, let child) = plan, case .join = child else {
            return plan.replacingChildren { pushQueryFilter($0, isChain: isChain) }
        }
        // A condition without columns is the query's, not one side's.
        let constant = filter.conjuncts.filter(\.sources.isEmpty)
        let rest = filter.conjuncts.filter { !$0.sources.isEmpty }
        return placing(constant, over: placing(rest, low: isChain, in: child))
    }

    /// Puts conjuncts over a plan, as far down as joins let them: to a side whose columns they all are, and which the
    /// joined row always has.
    /// - Parameter low: below watermarks, as Spark does, and not above them.
    private static func placing(_ conjuncts: [LogicalExpression], low: Bool, in plan: LogicalPlan) -> LogicalPlan {
        if conjuncts.isEmpty { return plan }
        if var chain = InputChain(plan) {
            // A key of two joins gives the same condition twice.
            let known = Set(chain.conditions.map(\.description))
            let conjuncts = conjuncts.filter { !known.contains($0.description) }
            if low { chain.placeLow(conjuncts) } else { chain.placeAboveWatermark(conjuncts) }
            return chain.plan
        }
        switch plan {
        case .filter(let filter, let child):
            return placing(filter.conjuncts, over: placing(conjuncts, low: low, in: child))
        case .join(let join, let left, let right):
            // A choice among right rows comes before what is asked of the chosen one.
            let sides = JoinInput.allCases.filter {
                !join.type.replacesWithNulls($0) && join.type.outputs($0) && !(join.choosesOne && $0 == .right)
            }
            func goes(_ conjunct: LogicalExpression) -> JoinInput? {
                sides.first { conjunct.sources.isSubset(of: ($0 == .left ? left : right).sources) }
            }
            let bySide = Dictionary(grouping: conjuncts, by: goes)
            let joined = LogicalPlan.join(
                join, left: placing(bySide[.left] ?? [], low: low, in: left),
                right: placing(bySide[.right] ?? [], low: low, in: right))
            return placing(bySide[nil] ?? [], over: joined)
        default: return placing(conjuncts, over: plan)
        }
    }

    /// A filter above a join, with those that stand there already.
    private static func placing(_ conjuncts: [LogicalExpression], over plan: LogicalPlan) -> LogicalPlan {
        if conjuncts.isEmpty { return plan }
        if case .filter(let filter, let child) = plan, filter.place == .query {
            return .filter(Filter(conjuncts: filter.conjuncts + conjuncts, place: .query), child)
        }
        return .filter(Filter(conjuncts: conjuncts, place: .query), plan)
    }
}

extension JoinType {
    /// True when the joined row may have nulls in the place of that side's columns.
    func replacesWithNulls(_ side: JoinInput) -> Bool { preserves(side.other) }
}
