// One name per file, wherever a command was started: checkpoints remember files by their paths.

internal import Glibc

/// A path from the root, without `.`, `..` and doubled slashes. The same file as before: what a `..` leads to is asked
/// of the system, since a folder before it may be a link; other links stay as they are named, for they may be meant to
/// change. The path may have wildcards and need not be there.
package func absolutePath(_ path: String) -> String {
    let start = path.hasPrefix("/") ? "" : (resolvedPath(".") ?? ".") + "/"
    let names = (start + path).split(separator: "/").filter { $0 != "." }
    guard let last = names.lastIndex(of: "..") else { return "/" + names.joined(separator: "/") }
    let above = "/" + names[...last].joined(separator: "/")
    let resolved = (resolvedPath(above) ?? above).split(separator: "/")
    return "/" + (resolved + names[(last + 1)...]).joined(separator: "/")
}

/// nil when it is not there.
private func resolvedPath(_ path: String) -> String? {
    guard let resolved = unsafe realpath(path, nil) else { return nil }
    defer { unsafe free(resolved) }
    return unsafe String(cString: resolved)
}
