// How long rows stay in state, in terms a person set: bounds and delays.

internal import SluiceSpec

/// How far event time must go beyond a row's own before the row leaves state, when both sides keep pace.
package struct Retention: Hashable, Sendable {
    /// The column that is the row's time.
    package var timeColumn: String
    /// How long after its own time a row can still match; negative when its partners come earlier.
    package var boundMicros: Int64
    /// The width of the tumbling window; a row waits for its end.
    package var windowMicros: Int64?
    /// How far the joins below hold the join's own watermark behind the query's.
    package var behindMicros: Int64
    /// How far the watermark trails the latest event time.
    package var delayMicros: Int64

    /// `delays` are those of the inputs that have a watermark: the policy `min` is held back by the longest.
    init(
        timeColumn: String, eviction: EvictionRule, windowMicros: Int64?, behindMicros: Int64, delaysMicros: [Int64],
        policy: WatermarkPolicy
    ) {
        self.timeColumn = timeColumn
        boundMicros = eviction.offsetMicros == .min ? .max : -eviction.offsetMicros
        self.windowMicros = windowMicros
        self.behindMicros = behindMicros
        delayMicros = (policy == .min ? delaysMicros.max() : delaysMicros.min()) ?? 0
    }

    /// bound + window + what is held back below + delay, at least 0.
    package var totalMicros: Int64 {
        max(0, [windowMicros ?? 0, behindMicros, delayMicros].reduce(boundMicros, saturatingSum))
    }
}

extension PhysicalPlan {
    /// How long that side's rows of a stage stay in state; nil when they stay for ever.
    package func retention(of side: JoinInput, in stage: StagePlan) -> Retention? {
        let plan = stage.side(side)
        guard var eviction = plan.eviction, let time = plan.joinTime else { return nil }
        // What is kept of it is the time at which a row is forgotten.
        if let within = stage.deduplicate?.withinMicros { eviction.offsetMicros -= within }
        return Retention(
            timeColumn: timeColumn(of: side, in: stage, time), eviction: eviction,
            windowMicros: plan.windowMicros, behindMicros: -1000 * (stage.watermarkMillis ?? 0),
            delaysMicros: inputs.compactMap(\.watermark?.delayMicros), policy: watermarkPolicy)
    }

    private func timeColumn(of side: JoinInput, in stage: StagePlan, _ time: Int) -> String {
        columns(of: stage.input(side))[stage.deduplicate?.time ?? time].name.column
    }
}

extension JoinPlan {
    package func side(_ side: JoinInput) -> JoinSidePlan { side == .left ? left : right }
}

/// The sum, held at the ends of Int64.
func saturatingSum(_ a: Int64, _ b: Int64) -> Int64 {
    let (sum, overflow) = a.addingReportingOverflow(b)
    return overflow ? (a < 0 ? .min : .max) : sum
}
