// The built binary in a process of its own, over real files in a folder of its own.

import Foundation
import Testing

/// A temporary folder that goes with its owner.
final class TemporaryFolder {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appending(path: "sluice-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ name: String, _ text: String) throws {
        let file = URL(filePath: path).appending(path: name)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: file)
    }

    /// Adds to a file's end in one write.
    func append(_ name: String, _ text: String) throws {
        let file = "\(path)/\(name)"
        if !FileManager.default.fileExists(atPath: file) { try write(name, "") }
        let handle = try #require(FileHandle(forWritingAtPath: file))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data(text.utf8))
        try handle.close()
    }

    func read(_ name: String) -> String? {
        FileManager.default.contents(atPath: "\(path)/\(name)").map { String(decoding: $0, as: UTF8.self) }
    }

    func names(in folder: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: "\(path)/\(folder)")) ?? []).sorted()
    }

    /// All rows of a file sink, batch by batch.
    func rows(in folder: String) -> [String] {
        names(in: folder).filter { $0.hasPrefix("batch-") }.flatMap { name in
            (read("\(folder)/\(name)") ?? "").split(separator: "\n").map(String.init)
        }
    }
}

/// What a finished run has left.
struct RunOutcome {
    var exitCode: Int32
    var standardOutput: String
    var standardError: String
}

/// The binary, running.
final class SluiceProcess {
    let process = Process()
    private let folder: TemporaryFolder
    private let outputName: String
    private let errorName: String

    static var binary: URL {
        // The test runner stands in the build folder, the product beside it.
        let own = URL(filePath: (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? "")
        return own.deletingLastPathComponent().appending(path: "sluice")
    }

    init(_ arguments: [String], in folder: TemporaryFolder) throws {
        self.folder = folder
        let number = UUID().uuidString
        outputName = "stdout-\(number)"
        errorName = "stderr-\(number)"
        try folder.write(outputName, "")
        try folder.write(errorName, "")
        process.executableURL = Self.binary
        process.arguments = arguments
        process.currentDirectoryURL = URL(filePath: folder.path)
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle(forWritingAtPath: "\(folder.path)/\(outputName)")
        process.standardError = FileHandle(forWritingAtPath: "\(folder.path)/\(errorName)")
        try process.run()
    }

    func kill() {
        Foundation.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// SIGTERM, then its end.
    func stop() -> RunOutcome {
        process.terminate()
        return wait()
    }

    func wait() -> RunOutcome {
        process.waitUntilExit()
        return RunOutcome(
            exitCode: process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus,
            standardOutput: folder.read(outputName) ?? "", standardError: folder.read(errorName) ?? "")
    }

    static func run(_ arguments: [String], in folder: TemporaryFolder) throws -> RunOutcome {
        try SluiceProcess(arguments, in: folder).wait()
    }

    /// Waits until `condition` holds; fails the test when the process ends before or it takes a minute.
    func waitUntil(_ what: Comment, _ condition: () -> Bool) throws {
        let deadline = Date(timeIntervalSinceNow: 60)
        while !condition() {
            try #require(process.isRunning, "sluice ended while the test waited: \(folder.read(errorName) ?? "")")
            try #require(Date() < deadline, what)
            usleep(2000)
        }
    }
}

/// The progress records of a run.
func progressRecords(_ folder: TemporaryFolder, _ name: String = "progress.jsonl") -> [[String: Any]] {
    (folder.read(name) ?? "").split(separator: "\n").compactMap { line in
        try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
    }
}
