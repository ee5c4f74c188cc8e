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

extension PhysicalPlan {
    /// The layout of the join's state; nil without a join, and setting it is then ignored.
    package var layout: PlanLayout? {
        get {
            guard let join else { return nil }
            func side(_ plan: JoinSidePlan) -> PlanLayout.Side {
                PlanLayout.Side(
                    bucketWidthMicros: plan.bucketWidthMicros, cellWidthMicros: plan.cellWidthMicros)
            }
            return PlanLayout(shards: join.shards, left: side(join.left), right: side(join.right))
        }
        set {
            guard let newValue, var plan = join else { return }
            plan.shards = newValue.shards
            plan.left.bucketWidthMicros = newValue.left.bucketWidthMicros
            plan.left.cellWidthMicros = newValue.left.cellWidthMicros
            plan.right.bucketWidthMicros = newValue.right.bucketWidthMicros
            plan.right.cellWidthMicros = newValue.right.cellWidthMicros
            join = plan
        }
    }
}
