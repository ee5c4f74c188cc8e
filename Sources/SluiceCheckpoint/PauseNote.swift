// A pause ends with its process: a query that somebody paused would run again after a restart, and nobody would know.
// So a pause leaves a note in the checkpoint's folder, which the next start reads, says, and removes.

package import SluiceSystem

/// The note of one query. From any thread.
package struct PauseNote: Sendable {
    private let folder: String
    private let fileSystem: any FileSystem

    /// - Parameter folder: the query's checkpoint; it need not be there.
    package init(folder: String, fileSystem: any FileSystem) {
        self.folder = folder
        self.fileSystem = fileSystem
    }

    private var path: String { "\(folder)/\(FolderLayout.paused)" }

    /// Says for the next start whether the query is paused. Nothing stands on it, so a failure is nobody's concern.
    package func write(_ isPaused: Bool) {
        do throws(FileError) {
            guard try fileSystem.info(folder) != nil else { return }
            if isPaused {
                try fileSystem.write(path, bytes: Array("paused by hand; a start ends it\n".utf8))
            } else if isThere {
                try fileSystem.remove(path)
            }
        } catch {}
    }

    /// Whether the last process ended while the query was paused.
    package var isThere: Bool { (try? fileSystem.info(path)) ?? nil != nil }
}
