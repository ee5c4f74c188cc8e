// The query's watermark from the event times each source has shown. Per side a running maximum; the global one is the
// minimum (or maximum) over the sides and never goes back. It changes between batches only: a batch is judged by what
// was known before it.
// Source: Spark's WatermarkTracker. Unlike Spark, the sides' own values survive a restart (they are in the commit log).

package import SluicePlan
internal import SluiceSpec

package struct WatermarkTracker: Sendable {
    /// One watermarked source.
    package struct Side: Hashable, Sendable {
        /// Position in `PhysicalPlan.inputs`.
        package var input: Int
        fileprivate var delayMillis: Int64
        fileprivate var idleTimeoutMillis: Int64?
        /// Newest event time minus delay; nil before the first row with an event time.
        package var watermarkMillis: Int64?
        /// Wall time of the last batch that had rows of this side (or of the start).
        fileprivate var lastDataMillis: Int64
    }

    package private(set) var sides: [Side]
    /// The global watermark in milliseconds; 0 in the beginning.
    package private(set) var globalMillis: Int64 = 0
    private let policy: WatermarkPolicy

    /// - Parameter nowMillis: wall time of the start, from which idle timeouts count.
    package init(_ plan: PhysicalPlan, nowMillis: Int64) {
        policy = plan.watermarkPolicy
        sides = plan.inputs.enumerated().compactMap { index, input in
            input.watermark.map { watermark in
                Side(
                    input: index, delayMillis: watermark.delayMicros / 1000,
                    idleTimeoutMillis: watermark.idleTimeoutMicros.map { max(1, $0 / 1000) }, watermarkMillis: nil,
                    lastDataMillis: nowMillis)
            }
        }
    }

    /// Puts back what the commit log says.
    package mutating func restore(globalMillis: Int64, sides restored: [Int: Int64]) {
        self.globalMillis = globalMillis
        for index in sides.indices { sides[index].watermarkMillis = restored[sides[index].input] }
    }

    /// The watermark has been at least this, whatever the sides say now.
    package mutating func raise(toMillis millis: Int64) { globalMillis = max(globalMillis, millis) }

    /// Takes in one input's newest event time of a batch; `rowCount` rows reached its watermark.
    package mutating func observe(input: Int, maxEventTimeMicros: Int64?, rowCount: Int, batchTimeMillis: Int64) {
        guard let index = sides.firstIndex(where: { $0.input == input }) else { return }
        if rowCount > 0 { sides[index].lastDataMillis = max(sides[index].lastDataMillis, batchTimeMillis) }
        guard let maxEventTimeMicros else { return }
        let watermark = saturatingAdd(floorDivide(maxEventTimeMicros, 1000), -sides[index].delayMillis)
        sides[index].watermarkMillis = max(sides[index].watermarkMillis ?? watermark, watermark)
    }

    /// There is something to read from an input: it is not silent, whatever the batch finds in it.
    package mutating func heard(input: Int, atMillis millis: Int64) {
        guard let index = sides.firstIndex(where: { $0.input == input }) else { return }
        sides[index].lastDataMillis = max(sides[index].lastDataMillis, millis)
    }

    /// Moves the global watermark to what the sides say at a wall time. A side that has been silent for its idle
    /// timeout is left out, unless all are.
    package mutating func advance(nowMillis: Int64) {
        let active = sides.filter { !$0.isIdle(at: nowMillis) }
        let values = (active.isEmpty ? sides : active).map { $0.watermarkMillis ?? 0 }
        guard let chosen = policy == .min ? values.min() : values.max() else { return }
        globalMillis = max(globalMillis, chosen)
    }
}

extension WatermarkTracker.Side {
    fileprivate func isIdle(at nowMillis: Int64) -> Bool {
        guard let idleTimeoutMillis else { return false }
        return nowMillis - lastDataMillis >= idleTimeoutMillis
    }
}
