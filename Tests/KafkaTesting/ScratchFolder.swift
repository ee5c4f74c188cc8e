// Where brokers keep their data and tools leave what they print.

package import Foundation

/// A temporary folder that goes with its owner, at the exit of the process, or, if that was killed, when the next test
/// process makes its first.
package final class ScratchFolder: Sendable {
    package let path: String

    private static let parent = FileManager.default.temporaryDirectory
    private static let prefix = "sluice-kafka-"
    private static let removesWhatDeadProcessesLeft: Void = removeWhatDeadProcessesLeft()

    package init() throws {
        _ = Self.removesWhatDeadProcessesLeft
        path = Self.parent.appending(path: "\(Self.prefix)\(getpid())-\(UUID().uuidString.prefix(8))").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// A new name in the folder.
    package func uniquePath(_ purpose: String) -> String { "\(path)/\(purpose)-\(UUID().uuidString.prefix(8))" }

    package func read(_ path: String) -> String {
        String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
    }

    /// Writes a file with a new name and returns its path.
    package func write(_ purpose: String, _ bytes: Data) throws -> String {
        let path = uniquePath(purpose)
        try bytes.write(to: URL(filePath: path))
        return path
    }

    static func removeAllOfThisProcess() { remove { $0 == getpid() } }

    private static func removeWhatDeadProcessesLeft() { remove { kill($0, 0) != 0 && errno == ESRCH } }

    private static func remove(where shallGo: (pid_t) -> Bool) {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: parent.path)) ?? [] {
            guard name.hasPrefix(prefix), let owner = pid_t(name.dropFirst(prefix.count).prefix { $0 != "-" }),
                shallGo(owner)
            else { continue }
            try? FileManager.default.removeItem(at: parent.appending(path: name))
        }
    }
}
