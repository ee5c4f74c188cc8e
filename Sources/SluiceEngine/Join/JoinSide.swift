// One side of a join in one shard, and what a row of it does: probe the other side, perhaps come out, perhaps be
// stored. Left and right run the same code; what differs between them is data in this type.

internal import SluicePlan
internal import SluiceSpec

/// What it means when a row of this side meets a stored row of the other.
enum DrivingRole {
    /// Every pair comes out: inner and outer joins.
    case pairs
    /// The left of a semi or anti join: the row asks only whether there is a partner, and is not stored if there is.
    /// `emits` is true for semi.
    case existence(emits: Bool)
    /// The right of a semi or anti join: stored left rows without a match so far get one. `emits` is true for semi.
    case witness(emits: Bool)
}

struct JoinSide: ~Copyable {
    /// 0 left, 1 right.
    let number: Int
    let plan: JoinSidePlan
    let layout: RowLayout
    let keys: JoinKeyColumns
    let role: DrivingRole
    // Copies of what the plan says, because reading one field of a large struct copies it whole.
    let isPreserved: Bool
    let slotsOffset: Int
    /// Which join times of the other side a row of this side meets, relative to its own; nil is an open end.
    let reach: TimeBounds
    var store: StateStore

    /// - Parameter columns: of what the stage reads, by side.
    init(_ number: Int, of join: JoinPlan, columns: [[RowColumn]]) {
        self.number = number
        plan = number == 0 ? join.left : join.right
        layout = RowLayout(Array(columns[number].prefix(plan.stateColumnCount)))
        isPreserved = plan.isPreserved
        slotsOffset = layout.slotsOffset
        keys = JoinKeyColumns(join.keys, side: number, types: columns.map { $0.map(\.type) })
        role =
            switch (join.type, number) {
            case (.leftSemi, 0): .existence(emits: true)
            case (.leftAnti, 0): .existence(emits: false)
            case (.leftSemi, _): .witness(emits: true)
            case (.leftAnti, _): .witness(emits: false)
            default: .pairs
            }
        let bounds = join.bounds ?? TimeBounds(lower: nil, upper: nil)
        // lower <= right - left <= upper, so left = right - upper ... right - lower.
        reach = number == 0 ? bounds : TimeBounds(lower: bounds.upper.map { -$0 }, upper: bounds.lower.map { -$0 })
        let isSemi = join.type == .leftSemi && number == 0
        // Whether a row has a partner is found out when it leaves, where it is given one then.
        let isAsked = plan.isPreserved && join.choice == nil
        store = StateStore(
            layout: StateLayout(
                bucketWidthMicros: plan.bucketWidthMicros, cellWidthMicros: plan.cellWidthMicros),
            tracksMatches: isAsked || isSemi)
    }

    /// The state watermark in microseconds that an eviction watermark means for this side; nil: nothing ever leaves.
    func threshold(evictionWatermarkMillis: Int64) -> Int64? {
        guard let rule = plan.eviction else { return nil }
        return millisToMicros(rule.thresholdMillis(evictionWatermarkMillis: evictionWatermarkMillis))
    }
}

extension TimeBounds {
    /// The times within these bounds around `time`; nil when there is none.
    @inline(__always)
    func around(_ time: Int64) -> ClosedRange<Int64>? {
        let low = lower.map { saturatingAdd(time, $0) } ?? .min
        let high = upper.map { saturatingAdd(time, $0) } ?? .max
        return low <= high ? low...high : nil
    }
}

func millisToMicros(_ millis: Int64) -> Int64 {
    let (micros, overflow) = millis.multipliedReportingOverflow(by: 1000)
    return overflow ? (millis < 0 ? .min : .max) : micros
}
