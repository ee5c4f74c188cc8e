// Folders that come and go with a command, on the machine's own file system.

internal import Glibc

/// Where temporary folders are made: `TMPDIR`, or `/tmp`.
package func temporaryRoot() -> String {
    guard let text = unsafe getenv("TMPDIR") else { return "/tmp" }
    let path = unsafe String(cString: text)
    return path.hasSuffix("/") ? String(path.dropLast()) : path
}

/// Removes a file, or a folder with all that is in it, as far as that is possible.
package func removeAll(_ path: String) {
    let files = RealFileSystem()
    guard let info = try? files.info(path) else { return }
    if info.kind == .folder {
        for name in (try? files.list(path)) ?? [] { removeAll("\(path)/\(name)") }
        _ = unsafe rmdir(path)
    } else {
        try? files.remove(path)
    }
}
