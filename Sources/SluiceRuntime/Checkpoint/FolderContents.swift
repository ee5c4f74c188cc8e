// What a checkpoint's folder holds, read and checked one by one; what it means together is decided in Recovery.swift.

internal import SluiceSpec
internal import SluiceSystem

/// The folder's names, relative to it.
enum FolderLayout {
    static let metadata = "metadata.json"
    static let offsets = "offsets"
    static let commits = "commits"
    static let state = "state"
    static let sources = "sources"
    /// What sources have learnt of registries; of no use to another checkpoint, and no harm (`SchemaFolder`).
    static let schemas = "schemas"
    /// Output of the batch in hand that does not fit into memory; of no use to anybody afterwards.
    static let spill = "spill"
    /// Ends the name of a file that is written to take another's place.
    static let temporarySuffix = ".tmp"
}

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

extension FolderContents {
    /// Reads all logs and all headers of state files: O(retained batches + state files).
    init(reading folder: String, _ fileSystem: any FileSystem) throws(FileError) {
        self.init()
        for name in try Self.list(folder, fileSystem) {
            if name == FolderLayout.metadata {
                metadata = readChecksummedText(try fileSystem.readAll("\(folder)/\(name)"))
                    .map { json throws(JSONError) in try CheckpointMetadata(json: json) }
            } else if name == FolderLayout.metadata + FolderLayout.temporarySuffix {
                temporaryFiles.append(name)
            }
        }
        offsets = try readLog(FolderLayout.offsets, folder, fileSystem) { json, batch throws(JSONError) in
            try OffsetsRecord(json: json, batch: batch)
        }
        commits = try readLog(FolderLayout.commits, folder, fileSystem) { json, batch throws(JSONError) in
            try CommitRecord(json: json, batch: batch)
        }
        try readStateHeaders(folder, fileSystem)
        for name in try Self.list("\(folder)/\(FolderLayout.sources)", fileSystem) {
            let info = try fileSystem.info("\(folder)/\(FolderLayout.sources)/\(name)")
            if name.hasSuffix(FolderLayout.temporarySuffix) { temporaryFiles.append("\(FolderLayout.sources)/\(name)") }
            if name.hasSuffix(".log"), let info, info.byteCount > 0 { historyFiles.append(name) }
        }
    }

    /// Empty when the folder is not there.
    private static func list(_ folder: String, _ fileSystem: any FileSystem) throws(FileError) -> [String] {
        try fileSystem.info(folder) == nil ? [] : try fileSystem.list(folder)
    }

    private mutating func readLog<Entry>(
        _ log: String, _ folder: String, _ fileSystem: any FileSystem,
        _ decode: (JSONValue, Int64) throws(JSONError) -> Entry
    ) throws(FileError) -> [Int64: Checked<Entry>] {
        var entries: [Int64: Checked<Entry>] = [:]
        for name in try Self.list("\(folder)/\(log)", fileSystem) {
            guard let batch = batchNumber(name) else {
                let base =
                    name.hasSuffix(FolderLayout.temporarySuffix)
                    ? name.dropLast(FolderLayout.temporarySuffix.count) : ""
                if batchNumber(base) == nil {
                    foreignFiles.append("\(log)/\(name)")
                } else {
                    temporaryFiles.append("\(log)/\(name)")
                }
                continue
            }
            entries[batch] = readChecksummedText(try fileSystem.readAll("\(folder)/\(log)/\(name)"))
                .map { json throws(JSONError) in try decode(json, batch) }
        }
        return entries
    }

    private mutating func readStateHeaders(_ folder: String, _ fileSystem: any FileSystem) throws(FileError) {
        let state = StateFolder(path: "\(folder)/\(FolderLayout.state)", fileSystem: fileSystem)
        for name in try Self.list(state.path, fileSystem) {
            if let fileName = StateFileName(name) {
                stateFiles[fileName] = try state.readHeader(fileName)
            } else if name.hasSuffix(FolderLayout.temporarySuffix),
                StateFileName(String(name.dropLast(FolderLayout.temporarySuffix.count))) != nil
            {
                temporaryFiles.append("\(FolderLayout.state)/\(name)")
            } else {
                foreignFiles.append("\(FolderLayout.state)/\(name)")
            }
        }
    }
}
