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

extension StagePlan {
    /// How its state is laid out; of one input the right side is nothing.
    package var layout: PlanLayout {
        get {
            func side(_ side: JoinInput) -> PlanLayout.Side {
                guard sides.contains(side) else { return PlanLayout.Side(bucketWidthMicros: nil, cellWidthMicros: nil) }
                let plan = self.side(side)
                return PlanLayout.Side(
                    bucketWidthMicros: plan.bucketWidthMicros, cellWidthMicros: plan.cellWidthMicros)
            }
            return PlanLayout(shards: shards, left: side(.left), right: side(.right))
        }
        set {
            switch operation {
            case .join(var join):
                join.shards = newValue.shards
                join.left.takeOver(newValue.left)
                join.right.takeOver(newValue.right)
                operation = .join(join)
            case .deduplicate(var deduplicate):
                deduplicate.shards = newValue.shards
                deduplicate.state.takeOver(newValue.left)
                operation = .deduplicate(deduplicate)
            case .lookup: break
            }
        }
    }
}

extension JoinSidePlan {
    fileprivate mutating func takeOver(_ layout: PlanLayout.Side) {
        bucketWidthMicros = layout.bucketWidthMicros
        cellWidthMicros = layout.cellWidthMicros
    }
}
