// Looking at a checkpoint without opening it: whether a query as its spec is now could go on from what is there.

package import SluicePlan
internal import SluiceSystem

extension CheckpointReader {
    /// Throws why the query could not go on. Changes nothing, not even a lock.
    /// - Parameters:
    ///   - plan: the query's, as its spec is now.
    ///   - historySources: its sources whose positions are all that they ever took.
    ///   - isInUse: a query of this process works on the folder. Then only what does not change under it is looked at:
    ///     the metadata, and of the newest offsets that are whole how sources count.
    package func judge(
        _ plan: PhysicalPlan, historySources: Set<String>, isInUse: Bool
    ) throws(CheckpointError) {
        let newest: OffsetsRecord?
        let metadata: CheckpointMetadata?
        if isInUse {
            do throws(FileError) { (metadata, newest) = try facts() } catch { throw .file(error) }
        } else {
            let contents: FolderContents
            do { contents = try self.contents() } catch { throw .file(error) }
            switch resolveRecovery(contents, folder: folder) {
            case .fresh(let stored): (metadata, newest) = (stored, nil)
            case .resume(let found), .rerun(let found): (metadata, newest) = (found.metadata, found.offsets.last)
            // The next open finishes the rollback first.
            case .finishRollback(let stored, _): (metadata, newest) = (stored, nil)
            case .refuse(let error): throw error
            }
        }
        guard let metadata else { return }
        if let reason = StoredQuery(metadata, newest: newest, inHand: nil).judge(plan).refusal {
            throw .incompatibleSpec(folder: folder, reason: reason)
        }
        for source in newest?.sources ?? [] where source.isHistory != historySources.contains(source.source) {
            throw .incompatibleSpec(
                folder: folder, reason: otherSpecReason(source.source))
        }
    }

    /// Both are written once and whole before anything else is: what cannot be read now is not there yet.
    private func facts() throws(FileError) -> (CheckpointMetadata?, OffsetsRecord?) {
        guard try isThere(FolderLayout.metadata), case .valid(let stored) = try checkedMetadata() else {
            return (nil, nil)
        }
        for batch in try batches(in: FolderLayout.offsets).suffix(2).reversed() {
            // What cannot be read is gone since it was listed, or being written.
            if case .valid(let record)? = try? checkedOffsets(batch) { return (stored, record) }
        }
        return (stored, nil)
    }
}

extension SourceRecord {
    fileprivate var isHistory: Bool {
        if case .history = position { true } else { false }
    }
}
