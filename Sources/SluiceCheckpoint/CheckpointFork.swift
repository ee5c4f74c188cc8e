// A copy of a checkpoint as it stood after an earlier batch, taken while a query may be running on it: nothing is
// locked, nothing is changed, and what maintenance takes away under the copy is no error but a reason to begin again.
//
// State as of a batch is there for every batch that can be rolled back to, and a copy is what a rollback leaves: the
// logs up to the batch, the state files that end with it or before, and a mark in the metadata that says so.

package import SluiceSystem

/// Makes copies of one checkpoint.
package struct CheckpointFork {
    private let folder: String
    private let fileSystem: any FileSystem

    private static let triesMax = 20

    /// - Parameter folder: the checkpoint's; only read.
    package init(folder: String, fileSystem: any FileSystem) {
        self.folder = folder
        self.fileSystem = fileSystem
    }

    private var reader: CheckpointReader { CheckpointReader(folder: folder, fileSystem: fileSystem) }

    /// Copies into `target`, as of the oldest batch that is there in full, not before `batch`. Returns that batch; nil
    /// when there is none.
    package func copy(from batch: Int64, to target: String) throws(CheckpointError) -> Int64? {
        var problem: CheckpointError?
        for _ in 0..<Self.triesMax {
            do throws(CheckpointError) {
                guard let found = try copyOnce(from: batch, to: target) else { return nil }
                let copy: FolderContents
                do throws(FileError) {
                    copy = try CheckpointReader(folder: target, fileSystem: fileSystem).contents()
                } catch { throw .file(error) }
                switch resolveRecovery(copy, folder: target) {
                case .resume: return found
                case .refuse(let error): problem = error
                case .fresh, .rerun, .finishRollback: problem = nil
                }
            } catch { problem = error }
            fileSystem.removeFiles(below: target)
        }
        if let problem { throw problem }
        return nil
    }

    private func copyOnce(from batch: Int64, to target: String) throws(CheckpointError) -> Int64? {
        let contents: FolderContents
        do throws(FileError) {
            contents = try reader.contents()
        } catch { throw .file(error) }
        guard case .valid(var metadata)? = contents.metadata, metadata.rolledBack.pendingBatch == nil,
            let newest = contents.commits.compactMap(\.value.content).max(by: { $0.batch < $1.batch })
        else { return nil }
        let floor = max(batch, newest.retainedFrom, metadata.rolledBack.retainedFrom)
        let whole = contents.commits.keys.filter { candidate in
            contents.commits[candidate]?.content != nil && contents.offsets[candidate]?.content != nil
        }
        guard let start = whole.filter({ $0 >= floor }).min() else { return nil }
        metadata.bringUpToDate(formatOneThrough: start, life: randomLife())
        metadata.rolledBack = RollbackMark(
            retainedFrom: start, stateFrom: max(metadata.rolledBack.stateFrom, newest.stateFrom), pendingBatch: nil)
        do throws(FileError) {
            for name in [
                FolderLayout.offsets, FolderLayout.commits, FolderLayout.state, FolderLayout.sources,
                FolderLayout.tables,
            ] {
                try fileSystem.makeFolders("\(target)/\(name)")
            }
            try fileSystem.write("\(target)/\(FolderLayout.metadata)", bytes: checksummedText(metadata.json))
            for name in whole where name <= start {
                try copy("\(FolderLayout.offsets)/\(name)", to: target)
                try copy("\(FolderLayout.commits)/\(name)", to: target)
            }
            for name in contents.stateFiles.keys where name.to <= start {
                try copy("\(FolderLayout.state)/\(name)", to: target)
            }
            for name in try tableFiles(of: contents.offsets[start]?.content) {
                try copy("\(FolderLayout.tables)/\(name)", to: target)
            }
            for name in contents.historyFiles { try copy("\(FolderLayout.sources)/\(name)", to: target) }
        } catch { throw .file(error) }
        return start
    }

    /// What a batch has joined of tables.
    private func tableFiles(of record: OffsetsRecord?) throws(FileError) -> [TableFileName] {
        guard let tables = record?.tables, !tables.isEmpty else { return [] }
        let names = try reader.names(in: FolderLayout.tables).compactMap { TableFileName($0) }
        return tables.sorted { $0.key < $1.key }.flatMap { table, version in
            TableFileName.chain(of: version, table: table, in: names) ?? []
        }
    }

    private func copy(_ name: String, to target: String) throws(FileError) {
        try fileSystem.write("\(target)/\(name)", bytes: try fileSystem.readAll("\(folder)/\(name)"))
    }
}

extension FileSystem {
    /// Removes what a copy that failed has left; its folders stay.
    fileprivate func removeFiles(below folder: String) {
        for name in (try? list(folder)) ?? [] {
            let path = "\(folder)/\(name)"
            if (try? info(path))?.kind == .folder { removeFiles(below: path) } else { try? remove(path) }
        }
    }
}
