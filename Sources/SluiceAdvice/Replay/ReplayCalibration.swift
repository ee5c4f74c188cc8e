// A replay is quicker than life: it does not wait in between, so processor and disk are warm, and its output has a
// shorter way. At today's trigger both are known, so the rest can be told from it. Slower it may be too, beside a query
// that runs: that is left as it is, on the safe side.

internal import SluiceCheckpoint

/// How much longer batches took when the query ran them.
struct ReplayCalibration: Hashable, Sendable {
    private(set) var time = 1.0
    private(set) var processor = 1.0

    init() {}

    /// - Parameters:
    ///   - recorded: what the query's own batches took at a trigger.
    ///   - replayed: what the replay took at the same one.
    init(recorded: TriggerForecast, replayed: TriggerForecast) {
        func factor(_ recorded: Double, _ replayed: Double) -> Double {
            replayed > 0 ? min(4, max(1, recorded / replayed)) : 1
        }
        time = factor(recorded.batchMicros, replayed.batchMicros)
        processor = factor(recorded.cpuShare, replayed.cpuShare)
    }

    func applied(to cost: BatchCost) -> BatchCost {
        func scaled(_ micros: Int64, _ factor: Double) -> Int64 { Int64(Double(micros) * factor) }
        var cost = cost
        for part in BatchCost.times { cost[keyPath: part] = scaled(cost[keyPath: part], time) }
        cost.processorMicros = scaled(cost.processorMicros, processor)
        return cost
    }
}
