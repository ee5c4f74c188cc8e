// What a checkpoint's folder holds, read and checked one by one; what it means together is decided in Recovery.swift.

internal import SluiceSystem

/// The whole folder.
struct FolderContents: Sendable {
    /// nil: not there.
    var metadata: Checked<CheckpointMetadata>?
    var offsets: [Int64: Checked<OffsetsRecord>] = [:]
    var commits: [Int64: Checked<CommitRecord>] = [:]
    var stateFiles: [StateFileName: Checked<StateFile>] = [:]
    /// Names in sources/ that end in `.log`, of files that are not empty.
    var historyFiles: [String] = []
    /// Temporary files that were never put in place, relative to the folder.
    var temporaryFiles: [String] = []
    /// Names that no checkpoint makes, relative to the folder. They are left alone.
    var foreignFiles: [String] = []

    var hasLogs: Bool { !(offsets.isEmpty && commits.isEmpty && stateFiles.isEmpty && historyFiles.isEmpty) }
}

extension CheckpointReader {
    /// Reads all logs and all headers of state files: O(retained batches + state files).
    func contents() throws(FileError) -> FolderContents {
        var contents = FolderContents()
        for name in try names() {
            if name == FolderLayout.metadata {
                contents.metadata = try checkedMetadata()
            } else if name == FolderLayout.metadata + FolderLayout.temporarySuffix {
                contents.temporaryFiles.append(name)
            }
        }
        for batch in try logged(FolderLayout.offsets, &contents) {
            contents.offsets[batch] = try checkedOffsets(batch)
        }
        for batch in try logged(FolderLayout.commits, &contents) {
            contents.commits[batch] = try checkedCommit(batch)
        }
        try readStateHeaders(&contents)
        for name in try names(in: FolderLayout.sources) {
            let info = try fileSystem.info(path("\(FolderLayout.sources)/\(name)"))
            if name.hasSuffix(FolderLayout.temporarySuffix) {
                contents.temporaryFiles.append("\(FolderLayout.sources)/\(name)")
            }
            if name.hasSuffix(".log"), let info, info.byteCount > 0 { contents.historyFiles.append(name) }
        }
        return contents
    }

    /// The batches that a log has a file of; notes what else is there.
    private func logged(_ log: String, _ contents: inout FolderContents) throws(FileError) -> [Int64] {
        var batches: [Int64] = []
        for name in try names(in: log) {
            if let batch = batchNumber(name) {
                batches.append(batch)
            } else if let base = temporaryBase(name), batchNumber(base) != nil {
                contents.temporaryFiles.append("\(log)/\(name)")
            } else {
                contents.foreignFiles.append("\(log)/\(name)")
            }
        }
        return batches
    }

    private func readStateHeaders(_ contents: inout FolderContents) throws(FileError) {
        let state = StateFolder(path: path(FolderLayout.state), fileSystem: fileSystem)
        for name in try names(in: FolderLayout.state) {
            if let fileName = StateFileName(name) {
                contents.stateFiles[fileName] = try state.readHeader(fileName)
            } else if let base = temporaryBase(name), StateFileName(base) != nil {
                contents.temporaryFiles.append("\(FolderLayout.state)/\(name)")
            } else {
                contents.foreignFiles.append("\(FolderLayout.state)/\(name)")
            }
        }
    }
}

/// The name whose place a temporary file is to take; nil for any other file.
private func temporaryBase(_ name: String) -> String? {
    name.hasSuffix(FolderLayout.temporarySuffix) ? String(name.dropLast(FolderLayout.temporarySuffix.count)) : nil
}
