// Processor time of the threads that connectors' libraries have: librdkafka's work for every batch (requests, a
// transaction), and all the time (fetching what comes in, asking whether there is more), which no trigger changes.

internal import SluiceCheckpoint

/// What connectors' threads cost. A value; pure.
package struct ConnectorCost: Hashable, Sendable {
    private(set) var perBatchMicros = 0.0
    /// Of today's rows; a share of a processor.
    private(set) var share = 0.0

    package init() {}

    /// From batches that follow each other.
    package init(_ records: [BatchRecord]) {
        let steps = zip(records, records.dropFirst()).compactMap { before, record -> (micros: Double, cost: Double)? in
            guard let cost = record.cost, record.timeMillis > before.timeMillis else { return nil }
            return (Double(record.timeMillis - before.timeMillis) * 1000, Double(cost.connectorMicros))
        }
        let (time, total) = (steps.reduce(0) { $0 + $1.micros }, steps.reduce(0) { $0 + $1.cost })
        guard total > 0 else { return }
        // Batches that came evenly cannot tell the two apart; a transaction's requests are tenths of a millisecond.
        let batch = min(400, 0.5 * total / Double(steps.count))
        let fit = NonNegativeFit(
            inputs: steps.map { [1, $0.micros] }, outputs: steps.map(\.cost),
            beliefs: [
                CoefficientBelief(mean: batch, deviation: 0.5 * batch + 1),
                CoefficientBelief(mean: total / time, deviation: total / time),
            ])
        perBatchMicros = fit.coefficients[0]
        // What is left of the whole, outliers included.
        share = max(0, total - perBatchMicros * Double(steps.count)) / time
    }

    /// The share of a processor with so many batches in a time.
    package func share(batchCount: Int, micros: Double) -> Double {
        share + perBatchMicros * Double(batchCount) / micros
    }
}
