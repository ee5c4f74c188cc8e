// Says for each side of a join when its rows leave state.
//
// Source: Spark's StreamingSymmetricHashJoinHelper.getStateWatermarkPredicates and StreamingJoinHelper
// .getStateValueWatermark. With EVICT the eviction watermark of a batch, a row leaves at or below
//
//     window or key   EVICT, on both sides, compared with the window's end or the key's value, as soon as one side
//                     has a watermark on it; range comparisons are ignored here
//     range           both sides must have a watermark. From right - left <= upper, left rows leave at EVICT - upper;
//                     from lower <= right - left, right rows leave at EVICT + lower; one millisecond less when the
//                     comparison is inclusive; of several comparisons the one with the lowest threshold. Without a
//                     comparison in that direction the side is never evicted
//
//     before   time: range 0 <= ads.t - visits.t <= 2 min
//     after    left state: EVICT - 2 min - 1 ms     right state: EVICT + 0 - 1 ms

internal import SluiceSpec

enum DeriveStateWatermarks: RewriteRule {
    static let name = "DeriveStateWatermarks"

    static func apply(to plan: LogicalPlan, in context: RuleContext) -> LogicalPlan {
        plan.mapJoins { join, left, right in
            var join = join
            join.leftState = state(of: .left, join, left, right, context)
            join.rightState = state(of: .right, join, left, right, context)
            return .join(join, left: left, right: right)
        }
    }

    private static func state(
        of side: JoinInput, _ join: Join, _ left: LogicalPlan, _ right: LogicalPlan, _ context: RuleContext
    ) -> JoinSideState {
        var state = JoinSideState()
        guard let time = join.time else {
            state.keptForever = .noTimeCondition
            return state
        }
        let watermarks = [left.watermark, right.watermark]
        switch time.basis {
        case .window, .key:
            let columns = [time.left, time.right]
            guard zip(watermarks, columns).contains(where: { $0?.column == $1 }) else {
                state.keptForever = .missingWatermark(columns.map(\.source))
                return state
            }
            state.eviction = EvictionRule(offsetMicros: 0, isInclusive: false)
        case .range:
            let missing = zip(watermarks, [time.left, time.right]).filter { $0?.column != $1 }.map(\.1.source)
            guard missing.isEmpty else {
                state.keptForever = .missingWatermark(missing)
                return state
            }
            guard let rule = rule(from: time.limits, side) else {
                state.keptForever = .openEnd
                return state
            }
            state.eviction = rule
        }
        let window: Int64? = if case .window(let micros) = time.basis { micros } else { nil }
        state.retention = state.eviction.map { eviction in
            Retention(
                timeColumn: time.column(side).column, eviction: eviction, windowMicros: window,
                delaysMicros: watermarks.compactMap(\.?.delayMicros), policy: context.watermarkPolicy)
        }
        return state
    }

    /// The rule with the lowest threshold among those the comparisons give.
    static func rule(from limits: [TimeLimit], _ side: JoinInput) -> EvictionRule? {
        limits.compactMap { limit -> EvictionRule? in
            switch (side, limit.end) {
            case (.left, .upper):
                EvictionRule(offsetMicros: negated(limit.micros), isInclusive: limit.isInclusive)
            case (.right, .lower): EvictionRule(offsetMicros: limit.micros, isInclusive: limit.isInclusive)
            default: nil
            }
        }
        .min { ($0.thresholdMillis, $0.offsetMicros) < ($1.thresholdMillis, $1.offsetMicros) }
    }

    private static func negated(_ micros: Int64) -> Int64 { micros == .min ? .max : -micros }
}

extension EvictionRule {
    /// The threshold above the eviction watermark, in milliseconds, for watermarks that keep it positive.
    fileprivate var thresholdMillis: Int64 {
        let (quotient, remainder) = offsetMicros.quotientAndRemainder(dividingBy: 1000)
        return quotient - (remainder < 0 ? 1 : 0) - (isInclusive ? 1 : 0)
    }
}
