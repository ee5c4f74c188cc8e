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
// The right rows of a join that chooses one partner (`match`) stay longer, until the left rows that could take them
// have left; see JoinTimes.
//
// In a chain EVICT is the join's own, which is behind the query's watermark by what the joins below hold back; see
// EventTimes.
//
//     before   time: range 0 <= ads.t - visits.t <= 2 min
//     after    left state: EVICT - 2 min - 1 ms     right state: EVICT + 0 - 1 ms

internal import SluiceSpec

enum DeriveStateWatermarks: RewriteRule {
    static let name = "DeriveStateWatermarks"

    static func apply(to plan: LogicalPlan, in context: RuleContext) -> LogicalPlan {
        let clock = Clock(
            watermarked: Set(plan.watermarks.map(\.column)), delaysMicros: plan.watermarks.map(\.delayMicros),
            policy: context.watermarkPolicy)
        return derive(plan, clock).plan
    }

    /// What is the same for all joins of a plan.
    private struct Clock {
        var watermarked: Set<ColumnReference>
        var delaysMicros: [Int64]
        var policy: WatermarkPolicy
    }

    /// The plan with its joins' times, and what is known of the times of its rows.
    private static func derive(_ plan: LogicalPlan, _ clock: Clock) -> (plan: LogicalPlan, times: EventTimes) {
        switch plan {
        case .relation(let relation):
            return (plan, EventTimes(eventTime: plan.eventTime(of: relation.source), watermark: nil))
        case .watermark(let watermark, let child):
            return (plan, EventTimes(eventTime: child.eventTimes.first, watermark: watermark))
        case .join(let join, let left, let right) where right.isTable:
            let left = derive(left, clock)
            return (.join(join, left: left.plan, right: right), left.times)
        case .join(var join, let left, let right):
            let (left, right) = (derive(left, clock), derive(right, clock))
            let times = JoinTimes(join, left.times, right.times, watermarked: clock.watermarked)
            join.watermarkMillis = times.watermarkMillis
            join.leftState = state(of: .left, join, times, clock)
            join.rightState = state(of: .right, join, times, clock)
            return (.join(join, left: left.plan, right: right.plan), times.output)
        case .deduplicate(var deduplicate, let child):
            let below = derive(child, clock)
            if let time = deduplicate.time, deduplicate.evicts {
                let eviction = EvictionRule(offsetMicros: -(deduplicate.withinMicros ?? 0), isInclusive: false)
                deduplicate.retention = Retention(
                    timeColumn: time.column, eviction: eviction, windowMicros: nil, behindMicros: 0,
                    delaysMicros: clock.delaysMicros, policy: clock.policy)
            }
            return (.deduplicate(deduplicate, below.plan), below.times)
        case .filter, .project, .sink:
            var times = EventTimes()
            let rewritten = plan.replacingChildren { child in
                let derived = derive(child, clock)
                times = derived.times
                return derived.plan
            }
            return (rewritten, times)
        }
    }

    private static func state(
        of side: JoinInput, _ join: Join, _ times: JoinTimes, _ clock: Clock
    ) -> JoinSideState {
        var state = JoinSideState()
        state.eviction = times.evictions[side.rawValue]
        state.keptForever = times.keptForever[side.rawValue]
        guard let eviction = state.eviction, let time = join.time else { return state }
        state.retention = Retention(
            timeColumn: time.column(side).column, eviction: eviction, windowMicros: time.windowMicros,
            behindMicros: -1000 * (times.watermarkMillis ?? 0), delaysMicros: clock.delaysMicros, policy: clock.policy)
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
