// The rules run once each, in the order of `all`: each says in its file what it does, why the answers stay Spark's,
// and shows one query before and after.

package import SluiceSpec

/// What rules know besides the tree.
package struct RuleContext: Sendable {
    package var watermarkPolicy: WatermarkPolicy
    /// In how many parts state is kept, where the spec says it.
    package var shards: Int?

    package init(watermarkPolicy: WatermarkPolicy, shards: Int? = nil) {
        self.watermarkPolicy = watermarkPolicy
        self.shards = shards
    }
}

/// A step from the plan as written to the plan that is run.
package protocol RewriteRule: SendableMetatype {
    /// As explain shows it.
    static var name: String { get }
    static func apply(to plan: LogicalPlan, in context: RuleContext) -> LogicalPlan
}

/// All rules, in order.
package enum RewriteRules {
    package static let all: [any RewriteRule.Type] = [
        SplitJoinCondition.self, NormalizeTimeBounds.self, NarrowOuterJoins.self, PushSemiJoins.self,
        PushPredicates.self, DeriveStateWatermarks.self, PruneColumns.self, ChooseStateLayout.self,
    ]
}
