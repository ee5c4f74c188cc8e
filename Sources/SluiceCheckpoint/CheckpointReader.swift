// The one reader of a checkpoint's folder: it knows the folder's names, and how each of its files is read and checked.
// It takes no lock and changes nothing. Whoever opens a checkpoint reads all of it and has it judged (`contents`,
// Recovery.swift); whoever only wants to know something of a query that may be running reads what was committed
// (`metadata`, `committedBatches`), and what goes away or is not whole meanwhile counts as not there.

internal import SluiceConnectors
internal import SluiceSpec
package import SluiceSystem

/// The folder's names, relative to it.
package enum FolderLayout {
    static let metadata = "metadata.json"
    static let offsets = "offsets"
    static let commits = "commits"
    static let state = "state"
    static let sources = "sources"
    /// What sources have learnt of registries; of no use to another checkpoint, and no harm (`SchemaFolder`).
    static let schemas = "schemas"
    /// What tables were when batches used them (`Checkpoint+Tables`).
    static let tables = "tables"
    /// Output of the batch in hand that does not fit into memory; of no use to anybody afterwards.
    package static let spill = "spill"
    /// Held while a process works on the folder; has its number.
    static let lock = "lock"
    /// There while somebody has paused the query (`PauseNote`).
    static let paused = "paused"
    /// Ends the name of a file that is written to take another's place.
    static let temporarySuffix = ".tmp"
}

/// Reads one checkpoint. A value; from any thread.
package struct CheckpointReader: Sendable {
    let folder: String
    let fileSystem: any FileSystem

    /// - Parameter folder: the query's own; it need not be there.
    package init(folder: String, fileSystem: any FileSystem) {
        self.folder = folder
        self.fileSystem = fileSystem
    }

    func path(_ name: String) -> String { "\(folder)/\(name)" }

    func historyPath(_ source: String) -> String { path("\(FolderLayout.sources)/\(historyFileName(source: source))") }

    func isThere(_ name: String) throws(FileError) -> Bool { try fileSystem.info(path(name)) != nil }

    /// What stands in a folder of the checkpoint, or in its own; empty when that is not there.
    func names(in subfolder: String? = nil) throws(FileError) -> [String] {
        let path = subfolder.map { self.path($0) } ?? folder
        return try fileSystem.info(path) == nil ? [] : try fileSystem.list(path)
    }

    /// Batches that a log has a file of, ascending.
    func batches(in log: String) throws(FileError) -> [Int64] {
        try names(in: log).compactMap { batchNumber($0) }.sorted()
    }

    // MARK: Files that are there

    /// A file with one object and its checksum.
    func checked(_ name: String) throws(FileError) -> Checked<JSONValue> {
        readChecksummedText(try fileSystem.readAll(path(name)))
    }

    func checkedMetadata() throws(FileError) -> Checked<CheckpointMetadata> {
        try checked(FolderLayout.metadata).map { json throws(JSONError) in try CheckpointMetadata(json: json) }
    }

    func checkedOffsets(_ batch: Int64) throws(FileError) -> Checked<OffsetsRecord> {
        try checked("\(FolderLayout.offsets)/\(batch)").map { json throws(JSONError) in
            try OffsetsRecord(json: json, batch: batch)
        }
    }

    func checkedCommit(_ batch: Int64) throws(FileError) -> Checked<CommitRecord> {
        try checked("\(FolderLayout.commits)/\(batch)").map { json throws(JSONError) in
            try CommitRecord(json: json, batch: batch)
        }
    }

    /// What a source whose positions are its history has taken; nothing when there is no log of it. O(bytes).
    func history(_ source: String) throws(CheckpointError) -> SourceHistory {
        let path = historyPath(source)
        let bytes: [UInt8]
        do throws(FileError) {
            guard try fileSystem.info(path) != nil else { return SourceHistory() }
            bytes = try fileSystem.readAll(path)
        } catch { throw .file(error) }
        do throws(JSONError) { return try SourceHistory(bytes) } catch {
            throw .corrupt(path: path, reason: error.description)
        }
    }

    /// The number that the holder of the lock has left in the lock's file.
    var lockHolder: Int64? {
        guard let text = try? fileSystem.readAll(path(FolderLayout.lock)) else { return nil }
        return batchNumber(String(decoding: text.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self))
    }

    // MARK: A checkpoint that may be in use

    /// What is fixed for the checkpoint's life; nil without a checkpoint.
    package func metadata() throws(CheckpointError) -> CheckpointMetadata? {
        try settled(FolderLayout.metadata) { json throws(JSONError) in try CheckpointMetadata(json: json) }
    }

    /// The batches of which both log entries are there, ascending; the offsets without the positions of sources whose
    /// positions are their history. Damage is an error. O(batches that are not purged).
    package func committedBatches() throws(CheckpointError) -> [(offsets: OffsetsEntry, commit: CommitEntry)] {
        let batches: [Int64]
        do throws(FileError) { batches = try self.batches(in: FolderLayout.commits) } catch { throw .file(error) }
        var committed: [(offsets: OffsetsEntry, commit: CommitEntry)] = []
        for batch in batches {
            let offsets = try settled("\(FolderLayout.offsets)/\(batch)") { json throws(JSONError) in
                try OffsetsRecord(json: json, batch: batch)
            }
            guard let offsets else { continue }
            let commit = try settled("\(FolderLayout.commits)/\(batch)") { json throws(JSONError) in
                try CommitRecord(json: json, batch: batch)
            }
            if let commit { committed.append((offsets.entry(histories: [:]), commit.entry)) }
        }
        return committed
    }

    private func settled<Content>(
        _ name: String, _ decode: (JSONValue) throws(JSONError) -> Content
    ) throws(CheckpointError) -> Content? {
        let file: Checked<JSONValue>
        do throws(FileError) {
            guard try isThere(name) else { return nil }
            file = try checked(name)
        } catch {
            // Purged between the look and the read.
            if (try? isThere(name)) == true { throw .file(error) }
            return nil
        }
        switch file {
        case .valid(let json): return try? decode(json)
        case .torn: return nil
        case .damaged(let reason): throw .corrupt(path: path(name), reason: reason)
        case .futureFormat(let format): throw .futureFormat(path: path(name), format: format)
        }
    }
}
