// The `file` connector as a spec has it: whole files or followed ones in, a folder of files out.

internal import Glibc

package struct FileSourceSpec: Hashable, Sendable {
    /// What becomes of a followed file that was emptied, or is not the file any more that was read.
    package enum TruncatePolicy: Hashable, Sendable {
        case fail
        /// It is read from its start, and what of the old content was not read is said.
        case restart
    }

    /// Absolute or relative to the working directory, after resolving against the spec file's folder.
    package var files: Located<String>
    package var isFollowed: Bool
    package var maxFilesPerTrigger: Int?
    package var maxBytesPerTrigger: Int64?
    package var onTruncate: TruncatePolicy

    package init(
        path files: Located<String>, isFollowed: Bool, maxFilesPerTrigger: Int?, maxBytesPerTrigger: Int64?,
        onTruncate: TruncatePolicy = .fail
    ) {
        self.files = files
        self.isFollowed = isFollowed
        self.maxFilesPerTrigger = maxFilesPerTrigger
        self.maxBytesPerTrigger = maxBytesPerTrigger
        self.onTruncate = onTruncate
    }
}

extension FileSourceSpec: SourceConnector {
    package static var key: String { SourceKeys.set.keys.file.facts.name }
    package var position: SourcePosition { files.position }
    package var origin: (name: String, value: String) { (isFollowed ? "followed file" : "file", files.value) }
    package var positionsAreHistory: Bool { !isFollowed }
    package var path: Located<String>? { files }

    package var limits: [TriggerLimit] {
        let keys = FileSourceKeys.set.keys
        var limits: [TriggerLimit] = []
        if let bytes = maxBytesPerTrigger {
            limits.append(TriggerLimit(key: keys.maxBytesPerTrigger.facts.name, limit: bytes, unit: .offsets))
        }
        if let files = maxFilesPerTrigger {
            let name = keys.maxFilesPerTrigger.facts.name
            limits.append(TriggerLimit(key: name, limit: Int64(files), unit: .partitions))
        }
        return limits
    }

    package func reading(path: String) -> FileSourceSpec {
        var spec = self
        spec.files.value = path
        return spec
    }

    package func reads(_ sink: any SinkConnector, as format: OutputFormat) -> Bool {
        guard let folder = sink.folder.map({ comparablePath($0.value) }) else { return false }
        let path = comparablePath(files.value)
        if path == folder { return true }
        guard path.hasPrefix(folder + "/") else { return false }
        let pattern = String(path.dropFirst(folder.utf8.count + 1))
        let isCompressed = (sink as? FileSinkSpec)?.isCompressed ?? false
        let name = BatchFileName(batch: 0, fileExtension: format.fileExtension + (isCompressed ? ".gz" : ""))
        return unsafe fnmatch(pattern, name.description, FNM_PATHNAME) == 0
    }
}

package struct FileSinkSpec: SinkConnector {
    /// Resolved against the spec file's folder.
    package var path: Located<String>
    /// True for files that are compressed with gzip.
    package var isCompressed: Bool

    package init(path: Located<String>, isCompressed: Bool = false) {
        self.path = path
        self.isCompressed = isCompressed
    }

    package static var key: String { SinkKeys.set.keys.file.facts.name }
    package var position: SourcePosition { path.position }
    package var details: [(name: String, value: String)] {
        [("folder", path.value)] + (isCompressed ? [("compression", "gzip")] : [])
    }
    package var folder: Located<String>? { path }

    package func writing(folder: String) -> FileSinkSpec {
        var spec = self
        spec.path.value = folder
        return spec
    }
}

/// A path without its `..` parts, for telling whether two name the same folder.
func comparablePath(_ path: String) -> String {
    var parts: [Substring] = []
    for part in path.split(separator: "/") {
        if part == "..", let last = parts.last, last != ".." { parts.removeLast() } else { parts.append(part) }
    }
    return (path.hasPrefix("/") ? "/" : "") + parts.joined(separator: "/")
}
