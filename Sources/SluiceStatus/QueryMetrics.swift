// What a query has done since this process started it, added up batch by batch from its progress records.

internal import SluiceCheckpoint
internal import SluiceConnectors
internal import SluiceEngine
internal import SluiceRuntime

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
        var tombstones = 0
        /// nil of a source that is not deduplicated.
        var duplicateRows: Int?
        var recordsBySchema: [UInt32: Int] = [:]
        var watermarkMillis: Int64?
        /// Of all partitions; nil where the source cannot tell.
        var lagRows: Int64?
        /// Of the partition that is furthest behind.
        var lagSeconds: Double?
    }

    struct Side: Sendable {
        var rowsRemoved = 0
        var rowsMatched = 0
        var rowsUnmatched = 0
        /// In the last batch.
        var last: QueryProgress.Side

        fileprivate init(_ last: QueryProgress.Side, after before: Side?) {
            self.last = last
            rowsRemoved = (before?.rowsRemoved ?? 0) + last.counters.rowsRemoved
            rowsMatched = (before?.rowsMatched ?? 0) + last.counters.rowsMatched
            rowsUnmatched = (before?.rowsUnmatched ?? 0) + last.counters.rowsUnmatched
        }
    }

    struct Stage: Sendable {
        var name: String
        /// `left`, `right`.
        var sides: [(name: String, side: Side)]
    }

    private(set) var batches = 0
    private(set) var outputRows = 0
    private(set) var stateRowsUpdated = 0
    private(set) var checkpointBytes: Int64 = 0
    /// By name, each in the order of execution from the top; empty without a join.
    private(set) var stages: [Stage] = []
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
        stateRowsUpdated += progress.stateRowsUpdated
        checkpointBytes += progress.cost.checkpointBytes
        stages = progress.stages.map { stage in
            let before = stages.first { $0.name == stage.stage }
            return Stage(
                name: stage.stage,
                sides: stage.sides.map { name, side in
                    (name, Side(side, after: before?.sides.first { $0.name == name }?.side))
                })
        }
        phaseMillis.latestOffset += progress.durations.latestOffset
        phaseMillis.walCommit += progress.durations.walCommit
        phaseMillis.getBatch += progress.durations.getBatch
        phaseMillis.addBatch += progress.durations.addBatch
        phaseMillis.commitOffsets += progress.durations.commitOffsets
        batchSeconds.observe(Double(progress.durationMillis) / 1000)
        if let latency = progress.latency { latencySeconds.observe(Double(latency.maxMillis) / 1000) }
        for source in progress.sources { add(source) }
        last = progress
    }

    private mutating func add(_ progress: QueryProgress.Source) {
        var source = sources[progress.name] ?? Source()
        source.inputRows += progress.inputRows
        source.lateRows += progress.lateRows
        source.badRows += progress.badRows
        source.tombstones += progress.tombstones
        if let duplicates = progress.duplicateRows { source.duplicateRows = (source.duplicateRows ?? 0) + duplicates }
        source.recordsBySchema.merge(progress.recordsBySchema ?? [:], uniquingKeysWith: +)
        source.watermarkMillis = progress.watermarkMillis
        source.lagRows = progress.lag?.values.reduce(0) { $0 + $1.rows }
        source.lagSeconds = progress.lag?.values.compactMap(\.seconds).max()
        sources[progress.name] = source
    }
}
