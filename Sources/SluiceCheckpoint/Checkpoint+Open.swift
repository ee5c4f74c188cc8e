// Opening: what is on disk is read, judged, and brought to where the next batch can begin.

internal import SluiceConnectors
package import SluicePlan
internal import SluiceSpec
internal import SluiceSystem
internal import Synchronization

extension Checkpoint {
    /// Opens a query's checkpoint, or makes it. `accept` is asked whether the query as it is now can go on from what
    /// is stored, and throws `.incompatibleSpec` when not; it is not asked for a new checkpoint. Nothing
    /// is changed on disk before everything has been checked and accepted. O(retained batches + state files).
    package static func open(
        _ options: CheckpointOptions, accept: (StoredQuery) throws(CheckpointError) -> Void
    ) throws(CheckpointError) -> (Checkpoint, Recovered) {
        let opening = Opening(folder: options.folder, fileSystem: options.fileSystem)
        let lock = try opening.lock()
        let (contents, decision) = try opening.decide()
        switch decision {
        case .refuse(let error): throw error
        case .finishRollback: preconditionFailure("a rollback is finished before")
        case .fresh(let stored):
            if let stored { try accept(StoredQuery(stored, newest: nil, inHand: nil)) }
            let metadata = try opening.makeFresh(stored, contents, options)
            let recovered = Recovered(foreignFiles: contents.foreignFiles)
            return (Checkpoint(options, metadata: metadata, lock: lock, book: Book()), recovered)
        case .resume(let folder), .rerun(let folder):
            try accept(StoredQuery(folder.metadata, newest: folder.offsets.last, inHand: folder.inHand))
            return try opening.goOn(folder, contents, options, lock)
        }
    }
}

/// What a checkpoint says of the query that it is of.
package struct StoredQuery: Sendable {
    package var metadata: CheckpointMetadata
    /// By source, the partitions that have a position; none of sources whose positions are their history.
    package var positions: [String: [String]]
    /// The batch that was logged and not committed, and the sources that it reads.
    package var inHand: (batch: Int64, sources: Set<String>)?

    /// - Parameters:
    ///   - newest: the newest offsets that are whole.
    ///   - inHand: those of the batch that was interrupted; nil also where the query may be running.
    init(_ metadata: CheckpointMetadata, newest: OffsetsRecord?, inHand: OffsetsRecord?) {
        self.metadata = metadata
        self.inHand = inHand.map { ($0.batch, Set($0.sources.map(\.source))) }
        positions = [:]
        for source in newest?.sources ?? [] {
            if case .complete(let next) = source.position { positions[source.source] = Array(next.keys) }
        }
    }

    /// What the plan of the query as it is now would change; the reason is why it cannot go on.
    package func judge(_ plan: PhysicalPlan) -> (warnings: [String], refusal: String?) {
        let changes = PhysicalPlan.compareFingerprints(old: metadata.fingerprint, new: plan.fingerprint)
        var reasons = changes.refusals.map(\.sentence)
        if reasons.isEmpty, let left = plan.objection(toPositions: positions, stored: metadata.fingerprint) {
            reasons = [left]
        }
        if reasons.isEmpty, let inHand, inHand.sources != Set(plan.inputs.map(\.source)) {
            reasons = [
                "batch \(inHand.batch) was begun before a source was added, and has to be finished without it: run the "
                    + "query once with the spec as it was"
            ]
        }
        return (changes.warnings.map(\.sentence), reasons.isEmpty ? nil : reasons.joined(separator: "; "))
    }
}

/// The steps of opening a folder, which is locked from the first on.
struct Opening {
    let folder: String
    let fileSystem: any FileSystem

    private var reader: CheckpointReader { CheckpointReader(folder: folder, fileSystem: fileSystem) }

    /// Makes the folder if need be and locks it.
    func lock() throws(CheckpointError) -> any FolderLock {
        do throws(FileError) {
            try fileSystem.makeFolders(folder)
            if let lock = try fileSystem.lock(folder: folder, note: FolderLayout.lock) { return lock }
        } catch { throw .file(error) }
        throw .locked(folder: folder, processID: reader.lockHolder)
    }

    /// Reads the folder and decides, having finished an interrupted rollback.
    func decide() throws(CheckpointError) -> (FolderContents, RecoveryDecision) {
        while true {
            let contents: FolderContents
            do { contents = try reader.contents() } catch { throw .file(error) }
            let decision = resolveRecovery(contents, folder: folder)
            guard case .finishRollback(let metadata, let batch) = decision else { return (contents, decision) }
            try finishRollback(metadata, toBatch: batch)
        }
    }

    // MARK: A new query

    func makeFresh(
        _ stored: CheckpointMetadata?, _ contents: FolderContents, _ options: CheckpointOptions
    ) throws(CheckpointError) -> CheckpointMetadata {
        var metadata =
            stored
            ?? CheckpointMetadata(
                queryID: options.newQueryID, lives: [], stages: options.stages)
        if metadata.lives.isEmpty { metadata.beginLife(options.newLife, from: 0) }
        metadata.stages = options.stages
        try makeSubfolders()
        try discard(contents.temporaryFiles)
        if metadata != stored { try replaceMetadata(metadata) }
        return metadata
    }

    private func makeSubfolders() throws(CheckpointError) {
        do throws(FileError) {
            let names = [FolderLayout.offsets, FolderLayout.commits, FolderLayout.state, FolderLayout.sources]
            for name in names { try fileSystem.makeFolders("\(folder)/\(name)") }
            try fileSystem.syncFolder(folder)
        } catch { throw .file(error) }
    }

    /// Replaces metadata.json as a whole; durable on return.
    func replaceMetadata(_ metadata: CheckpointMetadata) throws(CheckpointError) {
        try replace(in: nil, FolderLayout.metadata, metadata.json)
    }

    /// Replaces a file as a whole, also one whose earlier sync failed and whose bytes the kernel has given up: written
    /// under another name, synced, renamed. Durable on return.
    func replace(in subfolder: String?, _ name: String, _ json: JSONValue) throws(CheckpointError) {
        let folder = subfolder.map { "\(self.folder)/\($0)" } ?? self.folder
        let path = "\(folder)/\(name)"
        let temporary = path + FolderLayout.temporarySuffix
        do throws(FileError) {
            try fileSystem.write(temporary, bytes: checksummedText(json))
            try fileSystem.sync(temporary)
            try fileSystem.rename(temporary, to: path)
            try fileSystem.syncFolder(folder)
        } catch { throw .file(error) }
    }

    // MARK: A query that has run

    func goOn(
        _ recovered: RecoveredFolder, _ contents: FolderContents, _ options: CheckpointOptions, _ lock: any FolderLock
    ) throws(CheckpointError) -> (Checkpoint, Recovered) {
        let logs = try readHistories(recovered, options)
        let positions = try positions(recovered, logs)
        var book = Checkpoint.Book()
        try makeSubfolders()
        let metadata = try bringUpToDate(recovered, options)
        var recovered = recovered
        recovered.adopt(metadata)
        try makeDurable(recovered)
        try discard(recovered.discard)
        try restoreCommits(recovered)
        for (source, log) in logs { book.histories[source] = try repairHistory(source, log, recovered) }
        for source in positions.items.keys { book.digests[source] = positions.size(of: source).digest }
        book.committed = recovered.committed
        book.durable = recovered.offsets.last?.previousCommit
        book.inHand = recovered.inHand
        book.offsetsByteCount = recovered.inHand.map { checksummedText($0.json).count } ?? 0
        book.commitByteCount = recovered.committed.map { checksummedText($0.json).count } ?? 0
        book.stateFiles = recovered.stateFiles
        book.stateFrom = recovered.stateFrom
        book.firstLog = recovered.firstLog
        book.hasTables = recovered.offsets.last.map { !$0.tables.isEmpty } ?? false
        book.evictions = recovered.commits.map {
            Checkpoint.BatchEviction(batch: $0.batch, stages: $0.entry.stages)
        }
        let checkpoint = Checkpoint(options, metadata: metadata, lock: lock, book: book)
        checkpoint.noteInHand()
        let isFormat1 = recovered.committed == nil && metadata.format1Through != noBatch
        return (checkpoint, answer(recovered, positions.offsets, contents, isFormat1: isFormat1))
    }

    /// Takes the spec as it is now into the metadata, and a checkpoint of an earlier version into this format: before
    /// anything of this format is written, as only the metadata tells which files may be of another.
    private func bringUpToDate(
        _ recovered: RecoveredFolder, _ options: CheckpointOptions
    ) throws(CheckpointError) -> CheckpointMetadata {
        var metadata = recovered.metadata
        metadata.bringUpToDate(formatOneThrough: recovered.offsets.last?.batch ?? noBatch, life: options.newLife)
        let isOfSeveral = options.stages.count > 1 && metadata.format1Through != noBatch
        metadata.format1Stage = isOfSeveral ? metadata.nameOfFormat1 : nil
        metadata.stages = metadata.goneOn(with: options.stages)
        if metadata != recovered.metadata { try replaceMetadata(metadata) }
        return metadata
    }

    /// The process before may have ended between a write and its sync, or because a sync failed: what is gone on from
    /// must be durable first.
    private func makeDurable(_ recovered: RecoveredFolder) throws(CheckpointError) {
        if let newest = recovered.offsets.last {
            try replace(in: FolderLayout.offsets, "\(newest.batch)", newest.json)
        }
        if let committed = recovered.committed, recovered.inHand == nil {
            try replace(in: FolderLayout.commits, "\(committed.batch)", committed.json)
        }
        do throws(FileError) {
            try fileSystem.syncFolder("\(folder)/\(FolderLayout.state)")
        } catch { throw .file(error) }
    }

    /// Removes files that recovery has proved useless. State must be gone for good before another batch is committed.
    func discard(_ names: [String]) throws(CheckpointError) {
        if names.isEmpty { return }
        do throws(FileError) {
            for name in names { try fileSystem.remove("\(folder)/\(name)") }
            for name in [FolderLayout.offsets, FolderLayout.commits, FolderLayout.state] {
                try fileSystem.syncFolder("\(folder)/\(name)")
            }
        } catch { throw .file(error) }
    }

    /// Writes commit files that a crash lost and of which the offsets log had a copy.
    private func restoreCommits(_ recovered: RecoveredFolder) throws(CheckpointError) {
        for record in recovered.commits where recovered.lostCommits.contains(record.batch) {
            do throws(FileError) {
                try fileSystem.write(
                    "\(folder)/\(FolderLayout.commits)/\(record.batch)", bytes: checksummedText(record.json))
            } catch { throw .file(error) }
        }
    }

    // MARK: Positions

    private func readHistories(
        _ recovered: RecoveredFolder, _ options: CheckpointOptions
    ) throws(CheckpointError) -> [String: SourceHistory] {
        var histories: [String: SourceHistory] = [:]
        for source in recovered.offsets.last?.sources ?? [] {
            let isHistory = options.historySources.contains(source.source)
            if case .history = source.position, isHistory {
                histories[source.source] = try reader.history(source.source)
            } else if case .complete = source.position, !isHistory {
                continue
            } else {
                throw .incompatibleSpec(
                    folder: folder, reason: otherSpecReason(source.source))
            }
        }
        return histories
    }

    /// What sources with a history have taken, and where they stand with that, behind the committed batch.
    private struct Positions {
        var items: [String: [String: (batch: Int64, next: Int64)]] = [:]
        /// Of partitions that more than one batch has taken a part of: what all batches but the last did.
        private var earlier: [String: [Part: Int64]] = [:]

        private struct Part: Hashable {
            var batch: Int64
            var partition: String
        }

        /// A batch that is put in again replaces itself.
        mutating func put(_ source: String, _ partition: String, batch: Int64, next: Int64) {
            if let last = items[source]?[partition], last.batch != batch {
                let isLast = batch > last.batch
                let part = Part(batch: isLast ? last.batch : batch, partition: partition)
                earlier[source, default: [:]][part] = isLast ? last.next : next
                if !isLast { return }
            }
            items[source]?[partition] = (batch, next)
        }

        var offsets: [String: SourceOffsets] { items.mapValues { SourceOffsets($0.mapValues(\.next)) } }

        /// The number of partitions that were taken of a source, and the sum over them.
        func size(of source: String) -> (count: Int, digest: UInt64) {
            let taken = items[source] ?? [:]
            func digest(_ partition: String, _ batch: Int64, _ next: Int64) -> UInt64 {
                SourceHistory.digest(batch: batch, [OffsetRange(partition: partition, start: 0, end: next)])
            }
            let last = taken.reduce(0) { $0 &+ digest($1.key, $1.value.batch, $1.value.next) }
            let all = (earlier[source] ?? [:]).reduce(last) { $0 &+ digest($1.key.partition, $1.key.batch, $1.value) }
            return (taken.count, all)
        }
    }

    /// From the logs' lines, and what the retained offsets have beyond them.
    private func positions(
        _ recovered: RecoveredFolder, _ histories: [String: SourceHistory]
    ) throws(CheckpointError) -> Positions {
        var positions = Positions()
        guard let committed = recovered.committed?.batch else { return positions }
        for (source, history) in histories {
            positions.items[source] = [:]
            for item in history.items where item.batch <= committed {
                if let reason = recovered.metadata.objection(to: item.origin, batch: item.batch) {
                    throw .foreign(path: reader.historyPath(source), reason: reason)
                }
                positions.put(source, item.partition, batch: item.batch, next: item.next)
            }
        }
        for record in recovered.olderOffsets + recovered.offsets where record.batch <= committed {
            for source in record.sources where positions.items[source.source] != nil {
                for range in source.ranges {
                    positions.put(source.source, range.partition, batch: record.batch, next: range.end)
                }
            }
            guard record.batch == committed else { continue }
            for source in record.sources { try check(source, positions) }
        }
        return positions
    }

    /// Holds what was taken of a source against what the offsets say of it.
    private func check(_ source: SourceRecord, _ positions: Positions) throws(CheckpointError) {
        guard case .history(let count, let digest) = source.position, positions.items[source.source] != nil else {
            return
        }
        let found = positions.size(of: source.source)
        guard Int64(found.count) == count else {
            throw .corrupt(
                path: reader.historyPath(source.source), reason: "it has \(found.count) of \(count) files taken")
        }
        if let digest, digest != found.digest {
            throw .foreign(
                path: reader.historyPath(source.source), reason: "it has other files than those that were taken")
        }
    }

    /// Gives up what is torn in a source's log or ahead of the committed batch, and adds what a crash took from it and
    /// the offsets still have: they will be purged.
    private func repairHistory(
        _ source: String, _ history: SourceHistory, _ recovered: RecoveredFolder
    ) throws(CheckpointError) -> Checkpoint.HistoryLog {
        let committed = recovered.committed?.batch ?? noBatch
        let logged = Dictionary(
            grouping: history.items.filter { $0.batch <= committed }, by: \.batch
        ).mapValues { Set($0.map(\.partition)) }
        var lines = history.reset(keptBatch: committed) ?? []
        var origin = history.lastOrigin
        for record in recovered.olderOffsets + recovered.offsets where record.batch <= committed {
            let ranges = (record.sources.first { $0.source == source }?.ranges ?? []).filter {
                logged[record.batch]?.contains($0.partition) != true
            }
            if ranges.isEmpty { continue }
            let own = recovered.metadata.origin(at: record.batch)
            if origin != own { lines += SourceHistory.line(own) }
            origin = own
            lines += SourceHistory.lines(batch: record.batch, ranges)
        }
        if !lines.isEmpty {
            do throws(FileError) { try fileSystem.append(reader.historyPath(source), lines) } catch {
                throw .file(error)
            }
        }
        return Checkpoint.HistoryLog(
            byteCount: history.fileByteCount + lines.count, origin: origin, mustRewrite: true)
    }

    private func answer(
        _ recovered: RecoveredFolder, _ positions: [String: SourceOffsets], _ contents: FolderContents,
        isFormat1: Bool
    ) -> Recovered {
        var answer = Recovered(foreignFiles: contents.foreignFiles)
        if let commit = recovered.committed, let offsets = recovered.offsets.first(where: { $0.batch == commit.batch })
        {
            answer.committed = Recovered.Committed(
                offsets: offsets.entry(histories: positions), commit: commit.entry)
        }
        if let inHand = recovered.inHand {
            var histories = positions
            for source in inHand.sources {
                if case .history = source.position {
                    histories[source.source, default: SourceOffsets()].advance(by: source.ranges)
                }
            }
            answer.inHand = inHand.entry(histories: histories)
        }
        answer.marks = recovered.committed.map(\.entry.marks) ?? (isFormat1 ? nil : [])
        return answer
    }
}
