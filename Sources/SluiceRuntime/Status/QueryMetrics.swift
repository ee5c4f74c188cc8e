// What a query has done since this process started it, added up batch by batch from its progress records.

internal import SluiceConnectors

/// Counts in buckets, as Prometheus has them.
struct Histogram: Hashable, Sendable {
    /// Upper ends, ascending; a last bucket without an end follows.
    let bounds: [Double]
    /// One per bound, not cumulative, and one for what is above all.
    private(set) var counts: [Int]
    private(set) var sum = 0.0

    init(bounds: [Double]) {
        self.bounds = bounds
        counts = Array(repeating: 0, count: bounds.count + 1)
    }

    var count: Int { counts.reduce(0, +) }

    mutating func observe(_ value: Double) {
        counts[bounds.firstIndex { value <= $0 } ?? bounds.count] += 1
        sum += value
    }
}

struct QueryMetrics: Sendable {
    struct Source: Sendable {
        var inputRows = 0
        var lateRows = 0
        var badRows = 0
        var watermarkMillis: Int64?
        /// Of all partitions; nil where the source cannot tell.
        var lagRows: Int64?
        /// Of the partition that is furthest behind.
        var lagSeconds: Double?
    }

    private(set) var batches = 0
    private(set) var outputRows = 0
    private(set) var stateRowsUpdated = 0
    private(set) var stateRowsRemoved = 0
    private(set) var sources: [String: Source] = [:]
    private(set) var phaseMillis = QueryProgress.Durations()
    private(set) var batchSeconds = Histogram(
        bounds: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60])
    private(set) var latencySeconds = Histogram(
        bounds: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800])
    private(set) var last: QueryProgress?

    mutating func add(_ progress: QueryProgress) {
        batches += 1
        outputRows += progress.outputRows
        stateRowsUpdated += progress.state?.rowsUpdated ?? 0
        stateRowsRemoved += progress.state?.rowsRemoved ?? 0
        phaseMillis.latestOffset += progress.durations.latestOffset
        phaseMillis.walCommit += progress.durations.walCommit
        phaseMillis.getBatch += progress.durations.getBatch
        phaseMillis.addBatch += progress.durations.addBatch
        phaseMillis.commitOffsets += progress.durations.commitOffsets
        batchSeconds.observe(Double(progress.durationMillis) / 1000)
        if let seconds = progress.latencySecondsMax { latencySeconds.observe(seconds) }
        for source in progress.sources { add(source) }
        last = progress
    }

    private mutating func add(_ progress: QueryProgress.Source) {
        var source = sources[progress.name] ?? Source()
        source.inputRows += progress.inputRows
        source.lateRows += progress.lateRows
        source.badRows += progress.badRows
        source.watermarkMillis = progress.watermarkMillis
        source.lagRows = progress.lag?.values.reduce(0) { $0 + $1.rows }
        source.lagSeconds = progress.lag?.values.compactMap(\.seconds).max()
        sources[progress.name] = source
    }
}

extension QueryProgress {
    /// The longest that a row of this batch, which arrived while the query kept up with its sources, can have waited
    /// for its commit: from the trigger before, which did not see it yet, to the end of this batch. nil without rows,
    /// and for the first batch of a start, whose rows may have lain there for any time.
    var latencySecondsMax: Double? {
        guard inputRows > 0, let sinceLastTriggerMillis else { return nil }
        return Double(sinceLastTriggerMillis + durationMillis) / 1000
    }
}
