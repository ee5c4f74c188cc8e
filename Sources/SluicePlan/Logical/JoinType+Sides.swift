// Left and right of a join are handled by the same code; what tells them apart stands here.

package import SluiceSpec

/// One of a join's inputs.
package enum JoinInput: Int, Hashable, Sendable, CaseIterable {
    case left = 0
    case right = 1

    package var other: JoinInput { self == .left ? .right : .left }
}

extension JoinType {
    /// True where unmatched rows of that side come out.
    package func preserves(_ side: JoinInput) -> Bool {
        switch self {
        case .inner, .leftSemi: false
        case .leftOuter, .leftAnti: side == .left
        case .rightOuter: side == .right
        case .fullOuter: true
        }
    }

    /// True where the static checks demand that the side's rows leave state at some time: preserved sides, whose
    /// unmatched rows come out then, and the left of a left semi join (Spark: UnsupportedOperationChecker).
    package func mustEvict(_ side: JoinInput) -> Bool {
        preserves(side) || (self == .leftSemi && side == .left)
    }

    /// True when the joined row has that side's columns.
    package func outputs(_ side: JoinInput) -> Bool {
        side == .left || !(self == .leftSemi || self == .leftAnti)
    }
}
