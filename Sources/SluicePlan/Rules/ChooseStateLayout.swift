// Chooses how each side's state is laid out. Nothing here changes which rows come out; it changes what a probe and an
// eviction cost.
//
//   cell     rows of a key are found by cells of time. A probe looks for times in an interval as wide as the bounds, so
//            a cell of that width means it overlaps two cells at most, and rows outside the bounds cost nothing. At
//            least 1 ms, which is also what equal event times get: wider cells would put times that can never match
//            into one. Windows: the window. A side that is kept for less than the width gets narrower cells, down to
//            an eighth, so that its buckets, which are whole cells, do not outlive its rows by far. No cells when an
//            end is open: time does not narrow the probe.
//   bucket   state is dropped by whole buckets of time, of which about eight are alive at once: an eighth of the
//            retention, at least 1 s, rounded up to whole cells. None for a side that is never evicted.
//   shards   16 unless the spec says: enough for the cores of one machine, and few enough that an idle one costs
//            nothing.
//
//     before   time: range 0 … 2 min, left kept 12 min
//     after    cell 2 min, left bucket 90 s -> 2 min, shards 16

internal import SluiceSpec

enum ChooseStateLayout: RewriteRule {
    static let name = "ChooseStateLayout"
    static let defaultShards = 16
    private static let cellWidthMicrosMin: Int64 = 1000
    private static let bucketWidthMicrosMin: Int64 = 1_000_000
    private static let bucketsPerRetention: Int64 = 8
    private static let bucketsPerDeduplication: Int64 = 4
    /// Whole cells that the bounds may span.
    private static let cellsPerProbeMax: Int64 = 8

    static func apply(to plan: LogicalPlan, in context: RuleContext) -> LogicalPlan {
        deduplications(plan, context).mapJoins { join, left, right in
            var join = join
            join.shards = join.shards ?? defaultShards
            join.leftState = layOut(join.leftState, join.time)
            join.rightState = layOut(join.rightState, join.time)
            return .join(join, left: left, right: right)
        }
    }

    private static func deduplications(_ plan: LogicalPlan, _ context: RuleContext) -> LogicalPlan {
        guard case .deduplicate(var deduplicate, let child) = plan else {
            return plan.replacingChildren { deduplications($0, context) }
        }
        deduplicate.shards = context.shards ?? defaultShards
        return .deduplicate(deduplicate, child)
    }

    /// The width of a time bucket of rows that stay so long; what a deduplication looks for may be in any of them.
    static func bucketWidthMicros(ofDeduplication retention: Retention) -> Int64 {
        max(retention.totalMicros / bucketsPerDeduplication, bucketWidthMicrosMin)
    }

    private static func layOut(_ state: JoinSideState, _ time: JoinTime?) -> JoinSideState {
        var state = state
        state.cellWidthMicros = time.flatMap { cellWidthMicros($0, retention: state.retention) }
        state.bucketWidthMicros = state.retention.map { retention in
            let width = max(retention.totalMicros / bucketsPerRetention, bucketWidthMicrosMin)
            guard let cell = state.cellWidthMicros else { return width }
            let (whole, overflow) = ceilingQuotient(width, cell).multipliedReportingOverflow(by: cell)
            return overflow ? cell : whole
        }
        return state
    }

    private static func cellWidthMicros(_ time: JoinTime, retention: Retention?) -> Int64? {
        if case .window(let micros) = time.basis { return max(micros, cellWidthMicrosMin) }
        guard let lower = time.bounds.lower, let upper = time.bounds.upper else { return nil }
        let (width, overflow) = upper.subtractingReportingOverflow(lower)
        if overflow { return nil }
        let kept = max(retention?.totalMicros ?? .max, bucketWidthMicrosMin)
        let cells = min(max(ceilingQuotient(width, kept), 1), cellsPerProbeMax)
        return max(ceilingQuotient(width, cells), cellWidthMicrosMin)
    }

    /// a / b, rounded up; b is positive.
    private static func ceilingQuotient(_ a: Int64, _ b: Int64) -> Int64 {
        let (quotient, remainder) = a.quotientAndRemainder(dividingBy: b)
        return quotient + (remainder > 0 ? 1 : 0)
    }
}
