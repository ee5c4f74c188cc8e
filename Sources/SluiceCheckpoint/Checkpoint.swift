// A query's checkpoint on disk: what was planned, what state there is, what is committed. The query's thread calls, for
// batch N,
//
//     logOffsets(N)       one wait for the disk; makes commit N-1 durable too
//     writeState(N)       one wait, while the sink stages its output on another thread
//     (the sink makes N visible)
//     writeCommit(N)      no wait
//
// and from time to time hands the plan of `planMaintenance()` to `perform(_:merge:)` on a background thread. What a
// crash between any two of these leaves is in Recovery.swift.

package import SluiceConnectors
package import SluiceEngine
internal import SluicePlan
internal import SluiceSpec
package import SluiceSystem
internal import Synchronization

/// What a checkpoint is opened with.
package struct CheckpointOptions: Sendable {
    /// The query's own folder; made when it is not there.
    package var folder: String
    package var fileSystem: any FileSystem
    /// Used when the checkpoint is new.
    package var newQueryID: String
    /// Used when a life begins: the checkpoint is new, or of format 1.
    package var newLife: String
    /// Of the spec as it is now; their layouts are used where the checkpoint has none yet.
    package var stages: [StoredStage]
    /// How many batches can be rolled back; at least 1.
    package var retainBatches: Int
    /// Sources whose positions are all that they ever took (whole files).
    package var historySources: Set<String>
    /// For compressing state, and for waiting for a file and its folder at the same time.
    package var parallel: ParallelFor

    package init(
        folder: String, fileSystem: any FileSystem, newQueryID: String, newLife: String, stages: [StoredStage],
        retainBatches: Int = 100, historySources: Set<String> = [],
        parallel: @escaping ParallelFor = inline
    ) {
        self.folder = folder
        self.fileSystem = fileSystem
        self.newQueryID = newQueryID
        self.newLife = newLife
        self.stages = stages
        self.retainBatches = retainBatches
        self.historySources = historySources
        self.parallel = parallel
    }
}

/// Where a query stands when its checkpoint is opened.
package struct Recovered: Hashable, Sendable {
    package struct Committed: Hashable, Sendable {
        /// The plan of the newest committed batch; `next` of its sources is where the query stands.
        package var offsets: OffsetsEntry
        package var commit: CommitEntry

        package init(offsets: OffsetsEntry, commit: CommitEntry) {
            self.offsets = offsets
            self.commit = commit
        }
    }

    /// nil: no batch was ever committed.
    package var committed: Committed?
    /// Begun and not committed: to be run again exactly so, without `logOffsets`.
    package var inHand: OffsetsEntry?
    /// Files in the folder that are not the checkpoint's, relative to it; worth a warning.
    package var foreignFiles: [String] = []
    /// What sinks have left marks of: of the newest commit; nil where an earlier version has written all there is.
    package var marks: [SinkMark]? = []

    /// The id of the batch to run next (again).
    package var nextBatch: Int64 { (committed?.commit.batch ?? noBatch) + 1 }
}

/// A query's checkpoint, open and locked. `planMaintenance` and the writes are called by the query's thread, one at a
/// time; `perform` may run beside them on one other thread.
package final class Checkpoint: Sendable {
    let folder: String
    let fileSystem: any FileSystem
    let stateFolder: StateFolder
    let retainBatches: Int64
    let historySources: Set<String>
    let parallel: ParallelFor
    /// What is fixed for the checkpoint's life.
    package let metadata: CheckpointMetadata
    let book: Mutex<Book>
    /// Held while a source's log is appended to or replaced.
    let historyWrites = Mutex(())
    private let lock: any FolderLock

    /// What the open checkpoint knows of its folder.
    struct Book: Sendable {
        /// The newest committed batch; its file may not be durable.
        var committed: CommitRecord?
        /// The newest commit of which an offsets file has a durable copy: what may be removed is judged by it.
        var durable: CommitRecord?
        /// The batch whose offsets are durable and which is not committed.
        var inHand: OffsetsRecord?
        /// Of that batch: `OffsetsEntry.fingerprint`, and `digests` behind it.
        var planInHand = ""
        var digestsInHand: [String: UInt64] = [:]
        /// State written for the batch in hand.
        var pendingState: StateFile?
        /// Of the offsets of the batch in hand, and of the newest commit.
        var offsetsByteCount = 0
        var commitByteCount = 0
        /// State as of `committed`, oldest first.
        var stateFiles: [StateFile] = []
        /// Of the batches that can be rolled back to, and some before; no gaps.
        var evictions: [BatchEviction] = []
        /// The oldest batch that logs may be there of.
        var firstLog: Int64 = 0
        /// What the next commit says about `stateFrom`.
        var stateFrom = noBatch
        /// The logs of sources whose positions are their history.
        var histories: [String: HistoryLog] = [:]
        /// As of `committed`, the sum over the history of each of those sources.
        var digests: [String: UInt64] = [:]
        /// Lines up to this batch are durable in all source logs.
        var historyDurableThrough = noBatch
        var isMaintenancePlanned = false
        /// Whether batches name versions of tables.
        var hasTables = false
    }

    struct BatchEviction: Hashable, Sendable {
        var batch: Int64
        var stages: [StageEviction]
    }

    /// The end of a source's log, as far as this process wrote or read it.
    struct HistoryLog: Hashable, Sendable {
        /// Of whole lines.
        var byteCount = 0
        /// Bytes of a write that failed may stand behind them.
        var isTorn = false
        /// Whose the last lines are said to be.
        var origin: FileOrigin?
        /// A sync may have failed, here or in an earlier process, and the kernel have given up the bytes: a second sync
        /// would call that a success, so only a new file can be made durable.
        var mustRewrite = false
    }

    init(
        _ options: CheckpointOptions, metadata: CheckpointMetadata, lock: any FolderLock, book: Book
    ) {
        folder = options.folder
        fileSystem = options.fileSystem
        stateFolder = StateFolder(
            path: "\(options.folder)/\(FolderLayout.state)", fileSystem: options.fileSystem)
        retainBatches = Int64(max(1, options.retainBatches))
        historySources = options.historySources
        parallel = options.parallel
        self.metadata = metadata
        self.lock = lock
        self.book = Mutex(book)
    }

    // MARK: One batch

    /// Writes the plan of the next batch and waits until it and the commit before it are durable. After a failure the
    /// same call may be made again, also with another plan.
    package func logOffsets(_ entry: OffsetsEntry) throws(CheckpointError) {
        let (committed, digests) = book.withLock { ($0.committed, $0.digests) }
        precondition(entry.batch == (committed?.batch ?? noBatch) + 1, "batches follow each other")
        let behind = self.digests(behind: entry, digests)
        let record = OffsetsRecord(
            entry, origin: metadata.origin(at: entry.batch), histories: behind, previousCommit: committed)
        let byteCount = try write("\(FolderLayout.offsets)/\(entry.batch)", record.json, isDurable: true)
        book.withLock { book in
            book.inHand = record
            (book.planInHand, book.digestsInHand) = (entry.fingerprint, behind)
            book.offsetsByteCount = byteCount
            book.durable = committed
            book.hasTables = book.hasTables || !entry.tables.isEmpty
            book.pendingState = nil
        }
    }

    /// What is worked out once for a batch that was in hand when the checkpoint was opened.
    func noteInHand() {
        book.withLock { book in
            guard let entry = book.inHand?.entry(histories: [:]) else { return }
            (book.planInHand, book.digestsInHand) = (entry.fingerprint, digests(behind: entry, book.digests))
        }
    }

    /// `OffsetsEntry.fingerprint` of the batch in hand.
    package var planInHand: String { book.withLock { $0.planInHand } }

    /// Of the sources whose positions are their history, the sums behind a batch.
    func digests(behind entry: OffsetsEntry, _ before: [String: UInt64]) -> [String: UInt64] {
        var digests: [String: UInt64] = [:]
        for source in entry.sources where historySources.contains(source.source) {
            digests[source.source] =
                (before[source.source] ?? 0) &+ SourceHistory.digest(batch: entry.batch, source.ranges)
        }
        return digests
    }

    /// Writes what the batch in hand changed in state, by stage in order of execution, and waits until it is durable.
    /// Nothing is written when there is no payload. May be called again after a failure. Thread-safe.
    package func writeState(batch: Int64, _ changes: [StageChange]) throws(CheckpointError) {
        let (committed, last, inHand) = book.withLock { ($0.committed, $0.stateFiles.last, $0.inHand?.batch) }
        precondition(inHand == batch, "state is written for the batch in hand")
        if changes.allSatisfy({ $0.payloads.allSatisfy { unsafe $0.bytes.isEmpty } }) { return }
        let header = StateHeader(
            origin: metadata.origin(at: batch), name: StateFileName(kind: .delta, from: batch, to: batch),
            previous: committed?.stateTo ?? noBatch, previousChecksum: committed?.stateChecksum ?? last?.checksum,
            level: 0, stages: [])
        let file = try stateFolder.write(header, changes, to: "\(header.name)", parallel: parallel)
        try sync(FolderLayout.state, "\(header.name)")
        book.withLock { $0.pendingState = file }
    }

    /// Writes that the batch in hand is committed, without waiting: a crash may lose it, and then the batch is run
    /// again. After a failure the same call may be made again.
    package func writeCommit(_ entry: CommitEntry) throws(CheckpointError) {
        let (inHand, record) = book.withLock { book in (book.inHand, self.record(entry, book)) }
        guard let inHand, inHand.batch == entry.batch else { preconditionFailure("commits follow their offsets") }
        // The lines of the sources' logs come first: the newest commit's batch is then always in them, or in the
        // retained offsets.
        try appendHistory(inHand)
        let byteCount = try write("\(FolderLayout.commits)/\(entry.batch)", record.json, isDurable: false)
        book.withLock { book in
            book.committed = record
            book.commitByteCount = byteCount
            book.inHand = nil
            if let file = book.pendingState { book.stateFiles.append(file) }
            book.pendingState = nil
            book.digests = book.digestsInHand
            book.evictions.append(BatchEviction(batch: entry.batch, stages: entry.stages))
        }
    }

    /// Bytes written for the batch in hand so far: its offsets and state, and the commit before.
    package var byteCountInHand: Int64 {
        book.withLock { Int64($0.offsetsByteCount + $0.commitByteCount) + ($0.pendingState?.byteCount ?? 0) }
    }

    private func record(_ entry: CommitEntry, _ book: borrowing Book) -> CommitRecord {
        let before = max(book.committed?.retainedFrom ?? 0, metadata.rolledBack.retainedFrom)
        return CommitRecord(
            origin: metadata.origin(at: entry.batch), entry: entry,
            sources: book.inHand?.sources.map(\.source) ?? [], plan: book.planInHand,
            retainedFrom: max(before, entry.batch - retainBatches), stateFrom: book.stateFrom,
            stateTo: book.pendingState?.name.to ?? book.committed?.stateTo ?? noBatch,
            stateChecksum: book.pendingState?.checksum ?? book.committed?.stateChecksum)
    }

    /// Waits until the newest commit is durable; for a query that goes idle.
    package func syncCommit() throws(CheckpointError) {
        guard let committed = book.withLock({ $0.committed }) else { return }
        do throws(CheckpointError) {
            try sync(FolderLayout.commits, "\(committed.batch)")
        } catch {
            // The bytes may be given up. What was committed stays so for this process; after a crash the batch is run
            // again.
            try? fileSystem.write(
                "\(folder)/\(FolderLayout.commits)/\(committed.batch)", bytes: checksummedText(committed.json))
            throw error
        }
    }

    // MARK: Files

    /// Returns how many bytes the file has.
    private func write(_ name: String, _ json: JSONValue, isDurable: Bool) throws(CheckpointError) -> Int {
        let bytes = checksummedText(json)
        do throws(FileError) {
            try fileSystem.write("\(folder)/\(name)", bytes: bytes)
        } catch { throw .file(error) }
        guard isDurable else { return bytes.count }
        let parts = name.split(separator: "/")
        try sync(String(parts[0]), String(parts[1]))
        return bytes.count
    }

    /// Makes a new file and its name durable, both at once: a disk takes about as long for two as for one, and a file
    /// that is only half durable is a torn one.
    private func sync(_ subfolder: String, _ name: String) throws(CheckpointError) {
        let (fileSystem, folder) = (fileSystem, "\(folder)/\(subfolder)")
        try parallelThrowing(2, parallel) { index throws(CheckpointError) in
            do throws(FileError) {
                if index == 0 { try fileSystem.sync("\(folder)/\(name)") } else { try fileSystem.syncFolder(folder) }
            } catch { throw .file(error) }
        }
    }

    private func appendHistory(_ record: OffsetsRecord) throws(CheckpointError) {
        let sources = record.sources.filter { historySources.contains($0.source) && !$0.ranges.isEmpty }
        if sources.isEmpty { return }
        try historyWrites.withLock { _ throws(CheckpointError) in
            for source in sources { try append(source, batch: record.batch) }
        }
    }

    private func append(_ source: SourceRecord, batch: Int64) throws(CheckpointError) {
        var log = book.withLock { $0.histories[source.source] } ?? HistoryLog()
        let origin = metadata.origin(at: batch)
        let isNewOrigin = log.isTorn || log.origin != origin
        var lines =
            (isNewOrigin ? SourceHistory.line(origin) : []) + SourceHistory.lines(batch: batch, source.ranges)
        if log.isTorn { lines = SourceHistory.reset(keptByteCount: log.byteCount, keptBatch: batch) + lines }
        let path = historyPath(source.source)
        do {
            try fileSystem.append(path, lines)
            log.byteCount = Int(try fileSystem.info(path)?.byteCount ?? 0)
            log.isTorn = false
        } catch {
            book.withLock { $0.histories[source.source, default: HistoryLog()].isTorn = true }
            throw .file(error)
        }
        book.withLock { [log] book in
            book.histories[source.source, default: HistoryLog()].byteCount = log.byteCount
            book.histories[source.source, default: HistoryLog()].isTorn = false
            book.histories[source.source, default: HistoryLog()].origin = origin
        }
    }

    func historyPath(_ source: String) -> String {
        CheckpointReader(folder: folder, fileSystem: fileSystem).historyPath(source)
    }
}

extension FileSystem {
    /// Creates or replaces a file with `bytes`.
    func write(_ path: String, bytes: [UInt8]) throws(FileError) {
        var failure: FileError?
        unsafe bytes.withUnsafeBytes { buffer in
            do throws(FileError) { unsafe try write(path, [buffer]) } catch { failure = error }
        }
        if let failure { throw failure }
    }
}
