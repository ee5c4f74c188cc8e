// Looking at a checkpoint without opening it: whether a query as its spec is now could go on from what is there.

internal import SluicePlan
internal import SluiceSpec
internal import SluiceSystem

extension Checkpoint {
    /// Throws why the query could not go on. Changes nothing, not even a lock.
    /// - Parameter isInUse: a query of this process works on the folder. Then only what does not change under it is
    ///   looked at: the metadata, and of the newest offsets that are whole how sources count.
    static func judge(
        _ folder: String, _ fileSystem: any FileSystem, isInUse: Bool, plan: PhysicalPlan,
        historySources: Set<String>
    ) throws(CheckpointError) {
        let newest: OffsetsRecord?
        let metadata: CheckpointMetadata?
        if isInUse {
            (metadata, newest) = try facts(folder, fileSystem)
        } else {
            let contents: FolderContents
            do { contents = try FolderContents(reading: folder, fileSystem) } catch { throw .file(error) }
            switch resolveRecovery(contents, folder: folder) {
            case .fresh(let stored): (metadata, newest) = (stored, nil)
            case .resume(let found), .rerun(let found): (metadata, newest) = (found.metadata, found.offsets.last)
            // The next open finishes the rollback first.
            case .finishRollback(let stored, _): (metadata, newest) = (stored, nil)
            case .refuse(let error): throw error
            }
        }
        guard let metadata else { return }
        if let reason = StoredQuery(metadata, newest: newest).judge(plan).refusal {
            throw .incompatibleSpec(folder: folder, reason: reason)
        }
        for source in newest?.sources ?? [] where source.isHistory != historySources.contains(source.source) {
            throw .incompatibleSpec(
                folder: folder, reason: otherSpecReason(source.source))
        }
    }

    /// Both are written once and whole before anything else is: what cannot be read now is not there yet.
    private static func facts(
        _ folder: String, _ fileSystem: any FileSystem
    ) throws(CheckpointError) -> (CheckpointMetadata?, OffsetsRecord?) {
        do throws(FileError) {
            let path = "\(folder)/\(FolderLayout.metadata)"
            guard try fileSystem.info(path) != nil else { return (nil, nil) }
            let metadata = readChecksummedText(try fileSystem.readAll(path))
                .map { json throws(JSONError) in try CheckpointMetadata(json: json) }
            guard case .valid(let stored) = metadata else { return (nil, nil) }
            let offsets = "\(folder)/\(FolderLayout.offsets)"
            let batches = try fileSystem.info(offsets) == nil ? [] : try fileSystem.list(offsets)
            for batch in batches.compactMap({ batchNumber($0) }).sorted(by: >).prefix(2) {
                // Gone since it was listed, or being written.
                guard let bytes = try? fileSystem.readAll("\(offsets)/\(batch)") else { continue }
                let record = readChecksummedText(bytes)
                    .map { json throws(JSONError) in try OffsetsRecord(json: json, batch: batch) }
                if case .valid(let record) = record { return (stored, record) }
            }
            return (stored, nil)
        } catch { throw .file(error) }
    }
}

extension SourceRecord {
    fileprivate var isHistory: Bool {
        if case .history = position { true } else { false }
    }
}
