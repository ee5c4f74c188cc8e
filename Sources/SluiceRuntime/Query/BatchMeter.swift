// What a batch has cost besides the time of its phases.

internal import SluiceCheckpoint

/// Reads the meters of a query's processor time between its batches.
struct BatchMeter {
    private let query: RunnableQuery
    private let processor: ProcessorMeter
    /// What the meters said when the last batch was committed.
    private var processorNanos: UInt64 = 0
    private var connectorNanos: UInt64 = 0
    /// What the last batch took behind its output.
    private var tailMicros: Int64 = 0

    init(_ query: RunnableQuery, _ processor: ProcessorMeter) {
        self.query = query
        self.processor = processor
    }

    /// Counts from here on; on the query's thread.
    mutating func start() {
        processorNanos = processor.totalNanos
        connectorNanos = query.connectorNanos
    }

    /// The cost of a batch whose output is visible, from what the timer knows. Once a batch.
    mutating func cost(_ times: BatchCost) -> BatchCost {
        let before = (processor: processorNanos, connectors: connectorNanos)
        start()
        var cost = times
        cost.tailMicros = tailMicros
        cost.processorMicros = micros(from: before.processor, to: processorNanos)
        cost.connectorMicros = micros(from: before.connectors, to: connectorNanos)
        return cost
    }

    /// The batch is over.
    mutating func end(_ timer: PhaseTimer) { tailMicros = timer.cost.commitMicros + timer.sinceLastMicros }

    /// Meters of connectors may go back.
    private func micros(from before: UInt64, to now: UInt64) -> Int64 { Int64(now - min(now, before)) / 1000 }
}
