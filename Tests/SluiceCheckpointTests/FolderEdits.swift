// What tests do to a checkpoint's files behind its back.

import SluiceSimulation
import SluiceSystem
import SystemTesting
import Testing

extension SimulatedFileSystem {
    /// Replaces a file, durably.
    func edit(_ path: String, _ bytes: [UInt8]) throws {
        try unsafe bytes.withUnsafeBytes { try unsafe write(path, [$0]) }
        try sync(path)
        try syncFolder(parentFolder(of: path))
    }

    func edit(_ path: String, _ change: (inout [UInt8]) -> Void) throws {
        var bytes = try readAll(path)
        change(&bytes)
        try edit(path, bytes)
    }

    func delete(_ path: String) throws {
        let isThere = try info(path) != nil
        precondition(isThere, "\(path) is not there")
        try remove(path)
        try syncFolder(parentFolder(of: path))
    }

    /// All files but the lock's, with their contents.
    func snapshot(_ folder: String = "/cp") throws -> [String: [UInt8]] {
        var contents: [String: [UInt8]] = [:]
        for path in files(under: folder) where !path.hasSuffix("/lock") { contents[path] = try readAll(path) }
        return contents
    }

    func paths(_ folder: String) -> [String] { files(under: "/cp/q/" + folder) }
}

/// A line of JSON as a checkpoint's file holds it.
func checksummed(_ json: String) -> [UInt8] {
    let body = Array("\(json)\n".utf8)
    let digits = String(slowChecksum(body), radix: 16)
    return body + Array("crc32 \(String(repeating: "0", count: 8 - digits.count))\(digits)\n".utf8)
}

/// The JSON of a file that `checksummed` or the checkpoint has made.
func json(of file: [UInt8]) -> String { String(decoding: file.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self) }

/// A checkpoint of 120 batches, each of which changed state: with merged files, single deltas, logs and a history.
struct OrdinaryCheckpoint {
    let files: SimulatedFileSystem
    let history: ToyHistory
    let last: Int64 = 119

    init() throws {
        let files = SimulatedFileSystem()
        var history = ToyHistory()
        var query = try ToyQuery(ToyQuery.options(files), seed: 1)
        query.rowsPerBatch = 1...5
        for _ in 0...last { try query.runBatch(&history) }
        self.files = files
        self.history = history
    }

    /// A copy to be edited.
    func copy() -> SimulatedFileSystem { files.restartProcess() }
}
