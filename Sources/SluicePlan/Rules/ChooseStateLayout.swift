// Chooses how each side's state is laid out. Nothing here changes which rows come out; it changes what a probe and an
// eviction cost.
//
//   cell     rows of a key are found by cells of time. A probe looks for times in an interval as wide as the bounds, so
//            a cell of that width means it overlaps two cells at most, and rows outside the bounds cost nothing. At
//            least 1 ms, which is also what equal event times get: wider cells would put times that can never match
//            into one. Windows: the window. No cells when an end is open: time does not narrow the probe.
//   bucket   state is dropped by whole buckets of time, of which about eight are alive at once: an eighth of the
//            retention, at least 1 s, rounded up to whole cells. None for a side that is never evicted.
//   shards   16 unless the spec says: enough for the cores of one machine, and few enough that an idle one costs nothing
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

    static func apply(to plan: LogicalPlan, in context: RuleContext) -> LogicalPlan {
        plan.mapJoins { join, left, right in
            var join = join
            join.shards = join.shards ?? defaultShards
            let cell = join.time.flatMap(cellWidthMicros)
            join.leftState = layOut(join.leftState, cell: cell)
            join.rightState = layOut(join.rightState, cell: cell)
            return .join(join, left: left, right: right)
        }
    }

    private static func cellWidthMicros(_ time: JoinTime) -> Int64? {
        if case .window(let micros) = time.basis { return max(micros, cellWidthMicrosMin) }
        guard let lower = time.bounds.lower, let upper = time.bounds.upper else { return nil }
        let (width, overflow) = upper.subtractingReportingOverflow(lower)
        return overflow ? nil : max(width, cellWidthMicrosMin)
    }

    private static func layOut(_ state: JoinSideState, cell: Int64?) -> JoinSideState {
        var state = state
        state.cellWidthMicros = cell
        state.bucketWidthMicros = state.retention.map { retention in
            let width = max(retention.totalMicros / bucketsPerRetention, bucketWidthMicrosMin)
            guard let cell else { return width }
            let cells = (width - 1) / cell + 1
            let (whole, overflow) = cells.multipliedReportingOverflow(by: cell)
            return overflow ? cell : whole
        }
        return state
    }
}
