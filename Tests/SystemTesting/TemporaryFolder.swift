// A real folder for tests that need the real file system.

internal import Glibc
internal import SluiceSystem

/// A folder of its own below the system's temporary folder, removed with its last reference.
package final class TemporaryFolder: Sendable {
    package let path: String

    package init() throws {
        let parent = unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? "/tmp"
        var template = Array("\(parent)/sluice-test-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else {
            throw FileError(operation: "make folder", path: parent, errno: errno)
        }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { removeTree(path) }
}

private func removeTree(_ folder: String) {
    let files = RealFileSystem()
    for name in (try? files.list(folder)) ?? [] {
        let path = folder + "/" + name
        if unsafe unlink(path) != 0 { removeTree(path) }
    }
    _ = unsafe rmdir(folder)
}
