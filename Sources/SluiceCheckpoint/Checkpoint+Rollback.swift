// Going back: a checkpoint as it stood after an earlier batch.

package import SluiceSystem

extension Checkpoint {
    /// Takes a query's checkpoint back to how it stood after `batch`: what came later is removed, and the next run
    /// begins with `batch + 1`, in a life of its own. What sinks have been given is not taken back. Refused while the
    /// query runs, and for batches that are not retained any more. A crash in between is made good by the next open.
    package static func rollback(
        folder: String, fileSystem: any FileSystem, to batch: Int64, newLife: String = randomLife()
    ) throws(CheckpointError) {
        let opening = Opening(folder: folder, fileSystem: fileSystem)
        let lock = try opening.lock()
        defer { withExtendedLifetime(lock) {} }
        let (_, decision) = try opening.decide()
        switch decision {
        case .refuse(let error): throw error
        case .finishRollback: preconditionFailure("a rollback is finished before")
        case .fresh: throw .notRetained(folder: folder, batch: batch, oldest: nil, newest: nil)
        case .resume(let recovered), .rerun(let recovered): try opening.rollBack(recovered, to: batch, newLife)
        }
    }

    /// Forgets the batch that is planned and not committed, so that the next start plans it anew. Nothing of it may be
    /// visible. Returns it; nil when there is none.
    package static func forgetPlan(
        folder: String, fileSystem: any FileSystem, newLife: String = randomLife()
    ) throws(CheckpointError) -> Int64? {
        let opening = Opening(folder: folder, fileSystem: fileSystem)
        let lock = try opening.lock()
        defer { withExtendedLifetime(lock) {} }
        let (_, decision) = try opening.decide()
        switch decision {
        case .refuse(let error): throw error
        case .finishRollback: preconditionFailure("a rollback is finished before")
        case .fresh, .resume: return nil
        case .rerun(let recovered):
            let batch = recovered.inHand?.batch ?? noBatch
            try opening.rollBack(recovered, to: batch - 1, newLife)
            return batch
        }
    }
}

extension Opening {
    fileprivate func rollBack(
        _ recovered: RecoveredFolder, to batch: Int64, _ newLife: String
    ) throws(CheckpointError) {
        let isPlanAlone = batch == noBatch && recovered.committed == nil
        guard isPlanAlone || recovered.commits.contains(where: { $0.batch == batch }) else {
            throw .notRetained(
                folder: folder, batch: batch, oldest: recovered.commits.first?.batch,
                newest: recovered.commits.last?.batch)
        }
        var recovered = recovered
        var metadata = recovered.metadata
        metadata.bringUpToDate(formatOneThrough: recovered.offsets.last?.batch ?? noBatch, life: randomLife())
        if metadata != recovered.metadata { try replaceMetadata(metadata) }
        recovered.adopt(metadata)
        // Its copy in the offsets behind it is about to go.
        for commit in recovered.commits where commit.batch == batch {
            try replace(in: FolderLayout.commits, "\(batch)", commit.json)
        }
        metadata.rolledBack = RollbackMark(
            retainedFrom: recovered.retainedFrom, stateFrom: recovered.stateFrom, pendingBatch: batch)
        metadata.beginLife(newLife, from: batch + 1)
        metadata.format1Through = min(metadata.format1Through, batch)
        try replaceMetadata(metadata)
        try finishRollback(metadata, toBatch: batch)
    }

    /// Removes everything behind `batch`, then the mark that says so. Source logs are cut by the next open.
    func finishRollback(_ metadata: CheckpointMetadata, toBatch batch: Int64) throws(CheckpointError) {
        do throws(FileError) {
            for log in [FolderLayout.commits, FolderLayout.offsets] {
                for name in try fileSystem.list("\(folder)/\(log)") {
                    if let found = batchNumber(name), found > batch {
                        try fileSystem.remove("\(folder)/\(log)/\(name)")
                    }
                }
                try fileSystem.syncFolder("\(folder)/\(log)")
            }
            let state = "\(folder)/\(FolderLayout.state)"
            for name in try fileSystem.list(state) {
                if let found = StateFileName(name), found.to > batch { try fileSystem.remove("\(state)/\(name)") }
            }
            try fileSystem.syncFolder(state)
        } catch { throw .file(error) }
        var metadata = metadata
        metadata.rolledBack.pendingBatch = nil
        try replaceMetadata(metadata)
    }
}
