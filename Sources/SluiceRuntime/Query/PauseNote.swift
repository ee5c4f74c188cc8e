// A pause ends with its process: a query that somebody paused would run again after a restart, and nobody would know.
// So a pause leaves a note in the checkpoint's folder, which the next start reads, says, and removes.

internal import SluiceSystem

/// The note of one query. From any thread.
struct PauseNote: Sendable {
    private let folder: String
    private let fileSystem: any FileSystem
    private static let name = "paused"

    init(folder: String, fileSystem: any FileSystem) {
        self.folder = folder
        self.fileSystem = fileSystem
    }

    private var path: String { "\(folder)/\(Self.name)" }

    /// Says for the next start whether the query is paused. Nothing stands on it, so a failure is nobody's concern.
    func write(_ isPaused: Bool) {
        do throws(FileError) {
            guard try fileSystem.info(folder) != nil else { return }
            if isPaused {
                try fileSystem.write(path, bytes: Array("paused by hand; a start ends it\n".utf8))
            } else if isThere {
                try fileSystem.remove(path)
            }
        } catch {}
    }

    var isThere: Bool { (try? fileSystem.info(path)) ?? nil != nil }
}
