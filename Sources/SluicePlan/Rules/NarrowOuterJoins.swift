// Makes an outer join stricter where whatever stands above it keeps no row that the stricter one would not give: a join
// further up that matches nothing by a null in its key or its time, or the query's `where`. Less is kept in state, and
// the rows are the same.
//
//     the columns that cannot be null are of      full outer    left outer    right outer
//     the left side                               left outer    -             inner
//     the right side                              right outer   inner         -
//
// A join that chooses one partner (`match`) is narrowed like any other: the choice is made before anything above it
// asks, and a row without one has nulls either way.
//
// Source: Spark's EliminateOuterJoin with the `is not null` that InferFiltersFromConstraints finds. The `where` of a
// query with one join changes nothing here: its checkpoint says which type its state is of.
//
//     before   Join Inner, b.k = c.k           after   Join Inner, b.k = c.k
//              ├─ Join LeftOuter, a.k = b.k            ├─ Join Inner, a.k = b.k

internal import SluiceSpec

enum NarrowOuterJoins: RewriteRule {
    static let name = "NarrowOuterJoins"

    static func apply(to plan: LogicalPlan, in context: RuleContext) -> LogicalPlan {
        plan.joins.count > 1 ? narrow(plan, Demand()) : plan
    }

    /// What operators above say of a row that they keep.
    private struct Demand {
        /// Columns that are not null.
        var columns: Set<ColumnReference> = []
        /// Conditions that are true.
        var conjuncts: [LogicalExpression] = []

        /// Whether a row without any of these sources' columns is not kept.
        func excludes(_ sources: Set<String>) -> Bool {
            columns.contains { sources.contains($0.source) }
                || conjuncts.contains { $0.isNeverTrue(withoutColumnsOf: sources) }
        }
    }

    private static func narrow(_ plan: LogicalPlan, _ demand: Demand) -> LogicalPlan {
        switch plan {
        case .filter(let filter, _) where filter.place == .query:
            var demand = demand
            demand.conjuncts += filter.conjuncts
            return plan.replacingChildren { narrow($0, demand) }
        case .join(var join, let left, let right):
            var type = join.type
            if demand.excludes(left.sources) { type = type.without(unmatchedOf: .right) }
            if demand.excludes(right.sources) { type = type.without(unmatchedOf: .left) }
            if type != join.type { join.runsAs = type }
            return .join(
                join, left: narrow(left, self.demand(demand, on: .left, of: join)),
                right: narrow(right, self.demand(demand, on: .right, of: join)))
        default: return plan.replacingChildren { narrow($0, demand) }
        }
    }

    /// What is known of the rows of one side that matter.
    private static func demand(_ above: Demand, on side: JoinInput, of join: Join) -> Demand {
        // Rows of the other side come out alone: what is above says nothing of this side's then.
        var demand = join.type.preserves(side.other) ? Demand() : above
        guard !join.type.preserves(side) else { return demand }
        for key in join.keys where !key.isNullSafe { demand.columns.insert(key.column(side)) }
        if let time = join.time, side == .right || time.leftOperands.isEmpty {
            demand.columns.insert(time.column(side))
        }
        return demand
    }
}

extension JoinType {
    /// The type that differs in this alone, that unmatched rows of a side do not come out.
    fileprivate func without(unmatchedOf side: JoinInput) -> JoinType {
        switch (self, side) {
        case (.leftOuter, .left), (.rightOuter, .right): .inner
        case (.fullOuter, .left): .rightOuter
        case (.fullOuter, .right): .leftOuter
        default: self
        }
    }
}
