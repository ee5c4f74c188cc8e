// Moves a left semi or anti join below the join whose rows it judges, where its condition speaks of one side of that
// join only, and that side's columns are never replaced by nulls: fewer rows are paired, and fewer kept. The rows are
// the same; which stage a row waits in, and so when an unmatched one comes out, is that of the new order.
//
// Source: Spark's PushLeftSemiLeftAntiThroughJoin (below inner, left outer and right outer joins). One exception: a
// join by `window` stays above one by `within`. Its watermark is compared with the ends of windows, and below it would
// move which rows are late. It does not go to the right of a join that chooses one partner (`match`) either: among
// fewer rows another would be chosen.
//
//     before   Join LeftSemi, a.k = c.k        after   Join Inner, a.k = b.k
//              ├─ Join Inner, a.k = b.k                ├─ Join LeftSemi, a.k = c.k
//              │  ├─ a                                 │  ├─ a
//              │  └─ b                                 │  └─ c
//              └─ c                                    └─ b

internal import SluiceSpec

enum PushSemiJoins: RewriteRule {
    static let name = "PushSemiJoins"

    static func apply(to plan: LogicalPlan, in context: RuleContext) -> LogicalPlan { plan.mapJoins(push) }

    private static func push(_ semi: Join, _ left: LogicalPlan, _ right: LogicalPlan) -> LogicalPlan {
        let stays = LogicalPlan.join(semi, left: left, right: right)
        guard !semi.type.outputs(.right), case .join(let below, let first, let second) = left,
            semi.window == nil || below.window != nil
        else { return stays }
        let sources = semi.leftSources(in: left)
        if [.inner, .leftOuter].contains(below.type), sources.isSubset(of: first.sources) {
            return .join(below, left: push(semi, first, right), right: second)
        }
        // A table is looked up as it is, whatever else is joined.
        if [.inner, .rightOuter].contains(below.type), !below.choosesOne, sources.isSubset(of: second.sources),
            !second.isTable
        {
            return .join(below, left: first, right: push(semi, second, right))
        }
        return stays
    }
}

extension Join {
    /// The sources of its left side that its condition speaks of.
    fileprivate func leftSources(in left: LogicalPlan) -> Set<String> {
        var columns = Set(keys.map(\.left))
        for conjunct in leftConditions + residual + conditions { columns.formUnion(conjunct.columns) }
        if let time { columns.formUnion(time.leftOperands.isEmpty ? [time.left] : time.leftOperands) }
        return Set(columns.map(\.source)).intersection(left.sources)
    }
}
