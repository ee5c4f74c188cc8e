// A folder of its own for each test, with what tests do to files.

import Foundation
import Testing

/// A temporary folder that goes with its owner.
final class TemporaryFolder {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appending(path: "sluice-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    /// One that is to lie at a certain place.
    init(at path: String) throws {
        self.path = path
        try? FileManager.default.removeItem(atPath: path)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ name: String, _ text: String) throws { try write(name, bytes: Data(text.utf8)) }

    func write(_ name: String, bytes: Data) throws {
        let file = URL(filePath: path).appending(path: name)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try bytes.write(to: file)
    }

    /// Adds to a file's end in one write.
    func append(_ name: String, _ text: String) throws {
        let file = "\(path)/\(name)"
        if !exists(name) { try write(name, "") }
        let handle = try #require(FileHandle(forWritingAtPath: file))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data(text.utf8))
        try handle.close()
    }

    func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: "\(path)/\(name)") }

    func remove(_ name: String) throws { try FileManager.default.removeItem(atPath: "\(path)/\(name)") }

    func rename(_ name: String, to other: String) throws {
        try FileManager.default.moveItem(atPath: "\(path)/\(name)", toPath: "\(path)/\(other)")
    }

    /// Copies a file or a folder from anywhere into this one.
    func copy(_ source: String, to name: String) throws {
        try FileManager.default.copyItem(atPath: source, toPath: "\(path)/\(name)")
    }

    /// What a shell script prints that runs in the folder; one that fails is an issue.
    @discardableResult func shell(_ script: String) throws -> String {
        let process = Process()
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments = ["-ec", script]
        process.currentDirectoryURL = URL(filePath: path)
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let text = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(script)")
        return String(decoding: text, as: UTF8.self)
    }

    func bytes(_ name: String) -> Data? { FileManager.default.contents(atPath: "\(path)/\(name)") }

    func read(_ name: String) -> String? { bytes(name).map { String(decoding: $0, as: UTF8.self) } }

    /// As a reader of folders sees them: names that begin with a dot are left out.
    func names(in folder: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: "\(path)/\(folder)")) ?? [])
            .filter { !$0.hasPrefix(".") }.sorted()
    }

    /// Every file below a folder with its bytes; a folder counts too, with none.
    func contents(of folder: String) -> [String: Data] {
        let names = FileManager.default.enumerator(atPath: "\(path)/\(folder)")?.compactMap { $0 as? String } ?? []
        return Dictionary(names.map { ($0, bytes("\(folder)/\($0)") ?? Data()) }) { first, _ in first }
    }

    /// All rows of a file sink, batch by batch.
    func rows(in folder: String) -> [String] {
        names(in: folder).filter { $0.hasPrefix("batch-") }.flatMap { name in
            (read("\(folder)/\(name)") ?? "").split(separator: "\n").map(String.init)
        }
    }
}

extension [String] {
    /// For comparing rows whose order nothing promises.
    var asMultiset: [String: Int] { reduce(into: [:]) { $0[$1, default: 0] += 1 } }
}

/// A row of JSON, or a record of progress.
func jsonObject(_ text: some StringProtocol) -> [String: Any]? {
    (try? JSONSerialization.jsonObject(with: Data(text.utf8))) as? [String: Any]
}

/// The progress records of a run.
func progressRecords(_ folder: TemporaryFolder, _ name: String = "progress.jsonl") -> [[String: Any]] {
    (folder.read(name) ?? "").split(separator: "\n").compactMap { jsonObject($0) }
}
