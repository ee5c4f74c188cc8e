// One batch as advice looks at it, wherever it was written down.

internal import SluiceConnectors
internal import SluiceSpec
package import SluiceSystem

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
    init(_ offsets: OffsetsRecord, _ commit: CommitEntry) {
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
            outputRows: Int64(progress.outputRows), stateRows: Int64(progress.state?.rowsTotal ?? 0),
            removedRows: Int64(progress.state?.rowsRemoved ?? 0), cost: progress.cost)
    }
}

extension Checkpoint {
    /// What the checkpoint in `folder` keeps of its batches, ascending. Takes no lock and changes nothing: a query may
    /// run on it meanwhile. Empty when there is no checkpoint.
    package static func batchRecords(
        folder: String, fileSystem: any FileSystem
    ) throws(CheckpointError) -> [BatchRecord] {
        let log = CheckpointLog(folder: folder, fileSystem: fileSystem)
        var records: [BatchRecord] = []
        for batch in try log.batches() {
            guard let offsets = try log.offsets(batch), let commit = try log.commit(batch) else { continue }
            records.append(BatchRecord(offsets, commit.entry))
        }
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

/// The logs of a checkpoint that may be in use: what goes away while it is read, or is not whole yet, counts as not
/// there.
struct CheckpointLog {
    let folder: String
    let fileSystem: any FileSystem

    /// Batches that have an entry in the commit log, ascending.
    func batches() throws(CheckpointError) -> [Int64] {
        let path = "\(folder)/\(FolderLayout.commits)"
        do throws(FileError) {
            guard try fileSystem.info(path) != nil else { return [] }
            return try fileSystem.list(path).compactMap { batchNumber($0) }.sorted()
        } catch { throw .file(error) }
    }

    func metadata() throws(CheckpointError) -> CheckpointMetadata? {
        guard let json = try value("\(folder)/\(FolderLayout.metadata)") else { return nil }
        return try? CheckpointMetadata(json: json)
    }

    func offsets(_ batch: Int64) throws(CheckpointError) -> OffsetsRecord? {
        guard let json = try value("\(folder)/\(FolderLayout.offsets)/\(batch)") else { return nil }
        return try? OffsetsRecord(json: json, batch: batch)
    }

    func commit(_ batch: Int64) throws(CheckpointError) -> CommitRecord? {
        guard let json = try value("\(folder)/\(FolderLayout.commits)/\(batch)") else { return nil }
        return try? CommitRecord(json: json, batch: batch)
    }

    private func value(_ path: String) throws(CheckpointError) -> JSONValue? {
        let bytes: [UInt8]
        do throws(FileError) {
            guard try fileSystem.info(path) != nil else { return nil }
            bytes = try fileSystem.readAll(path)
        } catch {
            // Purged between the look and the read.
            if (try? fileSystem.info(path)) != nil { throw .file(error) }
            return nil
        }
        switch readChecksummedText(bytes) {
        case .valid(let value): return value
        case .torn: return nil
        case .damaged(let reason): throw .corrupt(path: path, reason: reason)
        case .futureFormat(let format): throw .futureFormat(path: path, format: format)
        }
    }
}
