// How state is cut up is chosen once, for a new checkpoint; afterwards what the checkpoint has wins over what a later
// version of the spec or of this program would choose.

/// The parts of a join's plan that fix how state is laid out.
package struct PlanLayout: Hashable, Sendable {
    package struct Side: Hashable, Sendable {
        package var bucketWidthMicros: Int64?
        package var cellWidthMicros: Int64?

        package init(bucketWidthMicros: Int64?, cellWidthMicros: Int64?) {
            self.bucketWidthMicros = bucketWidthMicros
            self.cellWidthMicros = cellWidthMicros
        }
    }

    package var shards: Int
    package var left: Side
    package var right: Side

    package init(shards: Int, left: Side, right: Side) {
        self.shards = shards
        self.left = left
        self.right = right
    }
}

extension JoinPlan {
    /// How its state is laid out.
    package var layout: PlanLayout {
        get {
            func side(_ plan: JoinSidePlan) -> PlanLayout.Side {
                PlanLayout.Side(
                    bucketWidthMicros: plan.bucketWidthMicros, cellWidthMicros: plan.cellWidthMicros)
            }
            return PlanLayout(shards: shards, left: side(left), right: side(right))
        }
        set {
            shards = newValue.shards
            left.bucketWidthMicros = newValue.left.bucketWidthMicros
            left.cellWidthMicros = newValue.left.cellWidthMicros
            right.bucketWidthMicros = newValue.right.bucketWidthMicros
            right.cellWidthMicros = newValue.right.cellWidthMicros
        }
    }
}
