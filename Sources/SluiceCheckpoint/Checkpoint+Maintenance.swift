package import SluiceEngine
internal import SluiceSystem
internal import Synchronization

/// Makes one payload of several of one stage's shard, oldest first. Rows and marks at or below `evictedThroughMicros`
/// (per side) are left out. A mark of a row that is in none of the payloads stays: the row may be in an older file. An
/// empty result means that nothing is left.
package typealias MergePayloads =
    @Sendable (_ stage: String, _ payloads: [[UInt8]], _ evictedThroughMicros: [Int64]) throws -> [UInt8]

extension Checkpoint {
    /// What there is to do besides the next batch, or nil. Called by the query's thread after a commit; the plan is
    /// handed to `perform`, and until that has returned there is no other plan. O(1) but for one batch in 16.
    package func planMaintenance() -> MaintenancePlan? {
        book.withLock { book in
            guard !book.isMaintenancePlanned, let durable = book.durable, let first = book.evictions.first else {
                return nil
            }
            let floor = max(durable.retainedFrom, metadata.rolledBack.retainedFrom)
            // After a rollback the floor may be ahead of what is committed.
            guard floor - book.firstLog >= maintenanceInterval, floor <= durable.batch else { return nil }
            let facts = MaintenanceFacts(
                stateFiles: book.stateFiles, floor: floor,
                evictions: book.evictions[Int(floor - first.batch)].stages,
                stateFrom: book.stateFrom,
                durableStateFrom: max(durable.stateFrom, metadata.rolledBack.stateFrom), firstLog: book.firstLog)
            guard let plan = SluiceCheckpoint.planMaintenance(facts) else { return nil }
            book.stateFrom = plan.stateFrom
            book.isMaintenancePlanned = true
            return plan
        }
    }

    /// Carries out a plan: purges logs, removes state that has been evicted, merges what is due. After a failure, or a
    /// crash anywhere in it, nothing is lost and a later plan does the rest. Any thread, beside the query's own.
    package func perform(
        _ plan: MaintenancePlan, parallel: ParallelFor = inline, merge: @escaping MergePayloads
    ) throws(CheckpointError) {
        defer { book.withLock { $0.isMaintenancePlanned = false } }
        try syncHistories(through: plan.purge.upperBound)
        do throws(FileError) {
            for batch in plan.purge {
                try fileSystem.remove("\(folder)/\(FolderLayout.offsets)/\(batch)")
                try fileSystem.remove("\(folder)/\(FolderLayout.commits)/\(batch)")
            }
            for log in [FolderLayout.offsets, FolderLayout.commits] { try fileSystem.syncFolder("\(folder)/\(log)") }
            for file in plan.remove { try fileSystem.remove(stateFolder.path(of: file.name)) }
            try removeTables(before: plan.purge.upperBound)
        } catch { throw .file(error) }
        book.withLock { book in
            book.firstLog = plan.purge.upperBound
            book.evictions.removeFirst(book.evictions.firstIndex { $0.batch >= plan.purge.upperBound } ?? 0)
            book.stateFiles.removeAll { plan.remove.contains($0) }
        }
        while let step = planMerge(
            book.withLock { $0.stateFiles }, floor: plan.floor, stateFrom: plan.stateFrom,
            evictions: plan.evictions)
        {
            try perform(step, parallel: parallel, merge: merge)
        }
    }

    // MARK: Merging

    private func perform(
        _ step: MergeStep, parallel: ParallelFor, merge: @escaping MergePayloads
    ) throws(CheckpointError) {
        var header = step.header
        header.origin = metadata.origin(at: header.name.to)
        let (parts, members) = try mergeParts(step, parallel: parallel, merge: merge)
        for index in header.stages.indices {
            header.stages[index].shards = parts.filter { $0.part.stage == header.stages[index].stage }.map(\.shard)
        }
        // Under another name until it is whole: its inputs are still what counts.
        let temporary = "\(header.name)\(FolderLayout.temporarySuffix)"
        let output = try stateFolder.write(header, members: members, to: temporary)
        do throws(FileError) {
            try fileSystem.sync("\(stateFolder.path)/\(temporary)")
            try fileSystem.rename("\(stateFolder.path)/\(temporary)", to: stateFolder.path(of: header.name))
            try fileSystem.syncFolder(stateFolder.path)
        } catch { throw .file(error) }
        book.withLock { book in
            guard let first = book.stateFiles.firstIndex(of: step.inputs[0]) else { return }
            book.stateFiles.replaceSubrange(first..<first + step.inputs.count, with: [output])
        }
        do throws(FileError) {
            for input in step.inputs { try fileSystem.remove(stateFolder.path(of: input.name)) }
        } catch { throw .file(error) }
    }

    /// Merges shard by shard, in the order of the header's stages. A thread holds one shard's payloads at a time; only
    /// compressed bytes are kept.
    private func mergeParts(
        _ step: MergeStep, parallel: ParallelFor, merge: @escaping MergePayloads
    ) throws(CheckpointError) -> ([(part: StatePart, shard: StateShard)], [OutputBytes]) {
        let files = step.liveInputs
        let opened = try open(files)
        let parts = step.evictions.flatMap { eviction in
            Set(files.flatMap(\.header.stages).filter { $0.stage == eviction.stage }.flatMap { $0.shards.map(\.shard) })
                .sorted().map { StatePart(stage: eviction.stage, shard: $0) }
        }
        let results = Mutex<[Int: (StateShard, OutputBytes)]>([:])
        try withoutActuallyEscaping(merge) { merge throws(CheckpointError) in
            try parallelThrowing(parts.count, parallel) { index throws(CheckpointError) in
                let payload = try self.mergePart(parts[index], of: files, opened, step, merge)
                if payload.isEmpty { return }
                let member = self.stateFolder.compress(payload)
                let shard = StateShard(parts[index].shard, member, rawByteCount: payload.count)
                results.withLock { $0[index] = (shard, member) }
            }
        }
        let merged = results.withLock { $0 }.sorted { $0.key < $1.key }
        return (merged.map { (parts[$0.key], $0.value.0) }, merged.map(\.value.1))
    }

    private func mergePart(
        _ wanted: StatePart, of files: [StateFile], _ opened: [any ReadableFile], _ step: MergeStep,
        _ merge: MergePayloads
    ) throws(CheckpointError) -> [UInt8] {
        var payloads: [[UInt8]] = []
        for (file, open) in zip(files, opened) {
            let position = file.header.parts.firstIndex { $0.part == wanted }
            guard let position else { continue }
            payloads.append(try stateFolder.readPayload(position, of: file, from: open))
        }
        do {
            return try merge(wanted.stage, payloads, step.evictions.throughMicros(wanted.stage))
        } catch {
            throw .corrupt(path: stateFolder.path(of: step.header.name), reason: "its inputs do not merge: \(error)")
        }
    }

    // MARK: Source logs

    /// Makes the lines of batches before `batch` durable in the sources' logs, whose offsets are about to go.
    private func syncHistories(through batch: Int64) throws(CheckpointError) {
        let (durableThrough, committed, sources) = book.withLock { book in
            (book.historyDurableThrough, book.committed?.batch ?? noBatch, book.histories.keys.sorted())
        }
        if batch - 1 <= durableThrough { return }
        for source in sources { try syncHistory(source) }
        do throws(FileError) {
            if !sources.isEmpty { try fileSystem.syncFolder("\(folder)/\(FolderLayout.sources)") }
        } catch { throw .file(error) }
        book.withLock { $0.historyDurableThrough = committed }
    }

    private func syncHistory(_ source: String) throws(CheckpointError) {
        let path = historyPath(source)
        let mustRewrite = book.withLock { $0.histories[source]?.mustRewrite ?? false }
        do throws(FileError) {
            if try fileSystem.info(path) == nil { return }
            if mustRewrite { try rewriteHistory(path) } else { try fileSystem.sync(path) }
            book.withLock { $0.histories[source]?.mustRewrite = false }
        } catch {
            book.withLock { $0.histories[source]?.mustRewrite = true }
            throw .file(error)
        }
    }

    private func rewriteHistory(_ path: String) throws(FileError) {
        let temporary = path + FolderLayout.temporarySuffix
        try historyWrites.withLock { _ throws(FileError) in
            try fileSystem.write(temporary, bytes: try fileSystem.readAll(path))
            try fileSystem.sync(temporary)
            try fileSystem.rename(temporary, to: path)
        }
    }
}
