// What `path` of a file source may be: a file, a folder (its files, not those of folders below it, as in Spark), or a
// glob. The shell's own expansion is of no use here: it happens once, and files turn up all the time.

internal import Glibc
internal import SluiceSystem

/// The path of a file source and how to find the files it stands for.
struct FilePattern {
    /// As in the spec, without slashes at the end.
    let path: String

    init(_ path: String) {
        var bytes = Substring(path).utf8
        while bytes.count > 1, bytes.last == UInt8(ascii: "/") { bytes.removeLast() }
        self.path = String(Substring(bytes))
    }

    /// True for what can be read as a glob, which a file of that very name would not be.
    var isGlob: Bool { path.utf8.contains(where: isGlobByte) }

    struct Match {
        enum Kind {
            case nothing
            case file
            case folder
            case glob
        }

        var kind: Kind
        /// Regular files, in byte order of their paths.
        var files: [(path: String, info: FileInfo)] = []
    }

    /// Finds the files that are there now, and looks at none that `skips` names. A path that exists is itself, even
    /// when it could be read as a glob.
    func resolve(_ fileSystem: any FileSystem, skipping skips: (String) -> Bool) throws(FileError) -> Match {
        guard let info = try fileSystem.info(path) else {
            guard isGlob else { return Match(kind: .nothing) }
            var found: [String] = []
            let components = path.split(separator: "/").map(String.init)
            try expand(components[...], in: path.hasPrefix("/") ? "/" : "", fileSystem, &found)
            return Match(kind: .glob, files: try regularFiles(found, fileSystem, skips))
        }
        switch info.kind {
        case .folder:
            let names = try fileSystem.list(path).filter { !isHidden($0) }
            return Match(kind: .folder, files: try regularFiles(names.map { below(path, $0) }, fileSystem, skips))
        case .file:
            return Match(kind: .file, files: [(path, info)])
        case .other:
            // A pipe or a device has no offsets to come back to.
            throw FileError(operation: "read at an offset", path: path, errno: ESPIPE)
        }
    }

    private func regularFiles(
        _ paths: [String], _ fileSystem: any FileSystem, _ skips: (String) -> Bool
    ) throws(FileError) -> [(path: String, info: FileInfo)] {
        var files: [(path: String, info: FileInfo)] = []
        for path in paths.filter({ !skips($0) }).sorted(by: precedesInBytes) {
            // A file that went away since it was listed is not there; a folder is not looked into.
            if let info = try fileSystem.info(path), info.kind == .file { files.append((path, info)) }
        }
        return files
    }

    private func expand(
        _ components: ArraySlice<String>, in folder: String, _ fileSystem: any FileSystem, _ found: inout [String]
    ) throws(FileError) {
        guard let component = components.first else { return found.append(folder) }
        guard component.utf8.contains(where: isGlobByte) else {
            return try expand(components.dropFirst(), in: below(folder, component), fileSystem, &found)
        }
        let names: [String]
        do throws(FileError) {
            names = try fileSystem.list(folder.isEmpty ? "." : folder)
        } catch {
            if error.errno == ENOENT || error.errno == ENOTDIR { return }
            throw error
        }
        let pattern = GlobPattern(component)
        for name in names where (!isHidden(name) || name.utf8.first == component.utf8.first) {
            guard pattern.matches(name) else { continue }
            try expand(components.dropFirst(), in: below(folder, name), fileSystem, &found)
        }
    }
}

/// Spark's rule: such names are other programs' temporary files and metadata.
private func isHidden(_ name: String) -> Bool { name.hasPrefix(".") || name.hasPrefix("_") }

private func below(_ folder: String, _ name: String) -> String {
    folder.isEmpty || folder.hasSuffix("/") ? folder + name : folder + "/" + name
}

/// Byte order, which is the order of files in time by every convention of naming; `String`'s own is Unicode's.
func precedesInBytes(_ a: String, _ b: String) -> Bool {
    // A folder of thousands of files is sorted at every look, so bytes are compared many at a time.
    let order = unsafe a.utf8.withContiguousStorageIfAvailable { a in
        unsafe b.utf8.withContiguousStorageIfAvailable { b in
            let common = min(a.count, b.count)
            guard common > 0, let first = a.baseAddress, let second = b.baseAddress else {
                return a.count < b.count
            }
            let difference = unsafe memcmp(first, second, common)
            return difference == 0 ? a.count < b.count : difference < 0
        }
    }
    return (order ?? nil) ?? a.utf8.lexicographicallyPrecedes(b.utf8)
}

private func isGlobByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "*"), UInt8(ascii: "?"), UInt8(ascii: "["), UInt8(ascii: "{"), UInt8(ascii: "\\"): true
    default: false
    }
}
