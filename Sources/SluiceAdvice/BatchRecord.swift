// One batch as advice looks at it, wherever it was written down.

package import SluiceCheckpoint
internal import SluiceConnectors
package import SluiceRuntime

/// What one batch took in, brought out and cost.
package struct BatchRecord: Hashable, Sendable {
    package var batch: Int64
    /// Wall time of the trigger, milliseconds since the epoch.
    package var timeMillis: Int64
    package var inputRows: Int64
    package var outputRows: Int64
    package var stateRows: Int64
    package var removedRows: Int64
    /// nil when the batch ran under a version that did not measure.
    package var cost: BatchCost?
    /// By the sources' names in the spec; empty where that was not written down.
    package var advances: [String: Advance]

    /// How far a batch moved a source.
    package struct Advance: Hashable, Sendable {
        /// Bytes of files, records of a topic.
        package var offsets: Int64
        /// Files or partitions it read from.
        package var partitions: Int64

        package init(offsets: Int64, partitions: Int64) {
            self.offsets = offsets
            self.partitions = partitions
        }
    }

    package init(
        batch: Int64, timeMillis: Int64, inputRows: Int64, outputRows: Int64 = 0, stateRows: Int64 = 0,
        removedRows: Int64 = 0, cost: BatchCost?, advances: [String: Advance] = [:]
    ) {
        self.batch = batch
        self.timeMillis = timeMillis
        self.inputRows = inputRows
        self.outputRows = outputRows
        self.stateRows = stateRows
        self.removedRows = removedRows
        self.cost = cost
        self.advances = advances
    }
}

extension BatchRecord {
    /// From a batch's two entries in the checkpoint.
    init(_ offsets: OffsetsEntry, _ commit: CommitEntry) {
        self.init(
            batch: offsets.batch, timeMillis: offsets.batchTimeMillis, inputRows: commit.counters["inputRows"] ?? 0,
            outputRows: commit.counters["outputRows"] ?? 0, stateRows: commit.counters["stateRows"] ?? 0,
            removedRows: commit.counters["removedRows"] ?? 0, cost: commit.cost)
        for source in offsets.sources {
            let ranges = source.ranges.filter { $0.end > $0.start }
            advances[source.source] = Advance(
                offsets: ranges.reduce(0) { $0 + $1.end - $1.start }, partitions: Int64(ranges.count))
        }
    }

    /// From the report of a batch that ran in this process. It has no advances: progress shows offsets to people, and
    /// of a source with many partitions not all of them.
    package init(_ progress: QueryProgress) {
        self.init(
            batch: progress.batchID, timeMillis: progress.timestampMillis, inputRows: Int64(progress.inputRows),
            outputRows: Int64(progress.outputRows), stateRows: Int64(progress.stateRowsTotal),
            removedRows: Int64(progress.stateRowsRemoved), cost: progress.cost)
    }
}

extension CheckpointReader {
    /// What the checkpoint keeps of its batches, ascending. Empty when there is no checkpoint.
    package func batchRecords() throws(CheckpointError) -> [BatchRecord] {
        var records = try committedBatches().map { BatchRecord($0.offsets, $0.commit) }
        let times = withoutStepsBack(records.map(\.timeMillis))
        for (index, millis) in times.enumerated() { records[index].timeMillis = millis }
        return records
    }
}

/// Batch times as they would be had nobody set the clock back: what comes behind a step follows on what was before it.
func withoutStepsBack(_ millis: [Int64]) -> [Int64] {
    var before: Int64?
    var shift: Int64 = 0
    return millis.map { time in
        if let before, time < before { shift += before - time }
        before = time
        return time + shift
    }
}
