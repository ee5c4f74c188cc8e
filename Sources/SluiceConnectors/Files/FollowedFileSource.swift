// Append-only files, followed as they grow: `follow: true`.
//
// A partition is a file, an offset is a byte position, always right behind a newline. What has been read must not
// change: a file that is shorter than its offset, or has other content before it, cannot be told from lost rows, so it
// is an error unless the spec says `on_truncate: restart`. Under a pattern or folder a file is followed under whatever
// name it has (`FollowedFiles`), and one that was read to its end may go away. A file that cannot be read keeps nobody
// from reading the others: it is the source's trouble, for when they have been read.

internal import Glibc
package import SluiceEngine
package import SluiceSpec
package import SluiceSystem

/// A source that reads what is appended to files.
package final class FollowedFileSource: Source {
    private let pattern: FilePattern
    private let format: RecordFormat
    private let headers: FileHeaders?
    private let maxBytesPerTrigger: Int64
    private let onTruncate: FileSourceSpec.TruncatePolicy
    private let fileSystem: any FileSystem
    private let log: Log
    private let chunkByteCount: Int
    private let lineByteCountMax: Int64
    private var files: FollowedFiles
    /// Files that have gone away after they had been read to their end.
    private var gone: Set<String> = []
    /// Files whose last line has been said to be too long.
    private var longLines: Set<String> = []
    private var hasWaited = false
    package private(set) var trouble: ConnectorError?

    /// So many files that have gone away stay in the offsets, should they come back.
    private static let goneCountMax = 100

    /// - Parameters:
    ///   - chunkByteCount: the nominal size of the chunks of a batch.
    ///   - lineByteCountMax: the longest line that is a record; longer than a chunk.
    package init(
        _ spec: FileSourceSpec, format: RecordFormat = .json(), columns: [ColumnSpec] = [],
        fileSystem: any FileSystem, log: Log,
        chunkByteCount: Int = 1 << 19, lineByteCountMax: Int64 = maxLineByteCount
    ) {
        pattern = FilePattern(spec.files.value)
        self.format = format
        headers = FileHeaders(format, columns)
        maxBytesPerTrigger = spec.maxBytesPerTrigger ?? batchByteCountDefault
        onTruncate = spec.onTruncate
        self.fileSystem = fileSystem
        self.log = log
        self.chunkByteCount = chunkByteCount
        self.lineByteCountMax = lineByteCountMax
        files = FollowedFiles(fileSystem)
    }

    package var description: String { "FileSource[\(pattern.path)]" }
    package var isFinished: Bool { false }

    package func latestOffsets(from position: SourceOffsets, untilEnd: Bool) throws(ConnectorError) -> SourceOffsets {
        let match: FilePattern.Match
        do throws(FileError) {
            match = try pattern.resolve(fileSystem) { _ in false }
        } catch {
            throw ConnectorError(reading: error)
        }
        trouble = nil
        // A path that names one file has no other names to look for it under, and none that may go away.
        let hasNames =
            match.kind == .glob || match.kind == .folder || position.next.keys.contains { $0 != pattern.path }
        var (present, missing) = try files.arrange(
            match.files, files.effective(position), followsFiles: hasNames)
        let unreadable = Set(missing.filter { !settle($0, hasNames: hasNames) }.map(\.path))
        sayGone(missing.filter { !unreadable.contains($0.path) })
        present.removeAll { unreadable.contains($0.path) }
        var latest = files.effective(position)
        for (path, info) in present {
            gone.remove(path)
            let offset = latest.next[path] ?? 0
            // A name that was given to another file stands at 0 even where that has nothing yet.
            if let end = try end(path, info, from: offset), end != offset { latest.next[path] = end }
        }
        forgetOldest(&latest)
        if match.files.isEmpty && !hasWaited {
            hasWaited = true
            log.info("waiting for a file to follow", [.path: .string(pattern.path)])
        }
        return latest
    }

    /// Shares `max_bytes_per_trigger` among the files by their backlog, as Spark does with the partitions of a topic,
    /// and cuts each share at the end of a line, after at least one. Files only grow, so the same offsets give the
    /// same cut. Names that have changed hands go along with whatever is read, and by themselves.
    package func planBatch(from position: SourceOffsets, to latest: SourceOffsets, limit: BatchLimit) -> [OffsetRange] {
        let starts = files.effective(position)
        var ranges: [OffsetRange] = []
        for (path, end) in latest.next {
            let start = starts.next[path] ?? 0
            if end > start { ranges.append(OffsetRange(partition: path, start: start, end: end)) }
        }
        if case .spec = limit { ranges = cut(ranges) }
        let read = Set(ranges.map(\.partition))
        for (path, offset) in files.pending where !read.contains(path) {
            let start = position.next[path] ?? 0
            ranges.append(
                offset.map { OffsetRange(partition: path, start: $0, end: $0) }
                    ?? .gone(partition: path, start: start))
        }
        return ranges.sorted { precedesInBytes($0.partition, $1.partition) }
    }

    private func cut(_ ranges: [OffsetRange]) -> [OffsetRange] {
        let backlog = ranges.reduce(0) { $0 + ($1.end - $1.start) }
        guard backlog > maxBytesPerTrigger else { return ranges }
        return ranges.map { range in
            let part = maxBytesPerTrigger.multipliedFullWidth(by: range.end - range.start)
            let share = backlog.dividingFullWidth(part).quotient
            var cut = range
            // A file that cannot be read now fails in `open`, which can say so; the range it fails on stays whole.
            cut.end = (try? cutEnd(range, share)) ?? range.end
            return cut
        }
    }

    package func marks(_ ranges: [OffsetRange], next: SourceOffsets) -> [String: String] {
        var marks: [String: String] = [:]
        for path in next.next.keys { marks[path] = files.mark(path)?.text }
        return marks
    }

    package func resume(_ marks: [String: String]) {
        files.marks = marks.compactMapValues { FollowedFileMark(text: $0) }
    }

    package func open(_ ranges: [OffsetRange]) throws(ConnectorError) -> any InputBytes {
        var parts: [FileRange] = []
        for range in ranges where range.end > range.start {
            let file = try openFile(range.partition)
            let info = try file.info()
            try check(file, info, as: range.partition, at: range.start)
            if info.byteCount < range.end {
                throw ConnectorError(truncated: range.partition, to: info.byteCount, below: range.end)
            }
            parts.append(
                FileRange(
                    path: file.path, start: range.start, end: range.end, info: info, isWhole: false,
                    header: try header(file, before: range.end)))
        }
        let (pattern, fileSystem) = (pattern, fileSystem)
        return FileInputBytes(
            parts, chunkByteCount: chunkByteCount, lineByteCountMax: lineByteCountMax, fileSystem: fileSystem,
            find: { wanted in
                let found = try? pattern.resolve(fileSystem) { _ in false }
                return found?.files.first { $0.info.device == wanted.device && $0.info.inode == wanted.inode }?.path
            })
    }

    /// The file that was planned under a name, whatever it is called by now.
    private func openFile(_ path: String) throws(ConnectorError) -> TextFile {
        let info: FileInfo?
        do throws(FileError) { info = try fileSystem.info(path) } catch { throw ConnectorError(reading: error) }
        if let info, try files.isSameFile(path, info) { return try TextFile(path, fileSystem) }
        let match: FilePattern.Match
        do throws(FileError) {
            match = try pattern.resolve(fileSystem) { _ in false }
        } catch {
            throw ConnectorError(reading: error)
        }
        return try TextFile(try files.find(path, among: match.files) ?? path, fileSystem)
    }

    package func didCommit(_ position: SourceOffsets) { files.didCommit() }

    package func readable(_ partitions: [String]) throws(ConnectorError) -> [String: Range<Int64>] {
        try readableFiles(partitions, fileSystem)
    }

    // MARK: - Files that are gone

    /// Decides about a file that is missing. False when it is trouble.
    private func settle(_ file: FollowedFiles.Missing, hasNames: Bool) -> Bool {
        let unread = file.unreadByteCount
        let isReadToEnd = unread == 0 && hasNames
        guard isReadToEnd || onTruncate == .restart else {
            trouble = trouble ?? (file.isReplaced ? rotated(file, hasNames) : missing(file))
            return false
        }
        if file.isReplaced { files.startOver(file.path) }
        return true
    }

    /// Says once of each file that it is gone; of many that are found to be gone at a start, in one line.
    private func sayGone(_ missing: [FollowedFiles.Missing]) {
        let new = missing.filter { gone.insert($0.path).inserted }
        for file in new {
            guard let unread = file.unreadByteCount, unread > 0 else { continue }
            log.warning(
                "A followed file is gone before all of it was read",
                [.path: .string(file.path), .lostBytes: .integer(unread)])
        }
        let read = new.filter { $0.unreadByteCount ?? 0 == 0 }
        if let first = read.first {
            log.info(
                "Followed files that were read to their end are gone",
                [.path: .string(first.path), .count: .integer(Int64(read.count))])
        }
    }

    /// The offsets of files that have gone away are kept for their return, but not of all that ever were.
    private func forgetOldest(_ latest: inout SourceOffsets) {
        guard gone.count > Self.goneCountMax else { return }
        for path in gone.sorted(by: precedesInBytes).prefix(gone.count - Self.goneCountMax) {
            gone.remove(path)
            files.forget(path)
            latest.next[path] = nil
        }
    }

    private func rotated(_ file: FollowedFiles.Missing, _ hasNames: Bool) -> ConnectorError {
        let unread = file.unreadByteCount.map { $0 > 0 ? " (\($0) bytes of it were not read)" : "" } ?? ""
        return ConnectorError(
            code: "file-rotated",
            "\(file.path) is another file than the one that was read up to byte \(file.offset)\(unread): put the old "
                + "file back, "
                + (hasNames ? "under any name that `path` matches" : "follow a glob that matches old and new files")
                + ", or read on without it with `on_truncate: restart`",
            isRetriable: false)
    }

    private func missing(_ file: FollowedFiles.Missing) -> ConnectorError {
        let unread = file.unreadByteCount.map { $0 > 0 ? ", and \($0) bytes of it were not" : "" } ?? ""
        return ConnectorError(
            code: "file-missing",
            "\(file.path) is not there any more (it was read up to byte \(file.offset)\(unread)): put the file back; "
                + "the query goes on when it is there, or without it with `on_truncate: restart`",
            isRetriable: true)
    }

    // MARK: - Line ends

    /// Where a file can be read up to; nil where it is trouble.
    private func end(
        _ path: String, _ info: FileInfo, from offset: Int64
    ) throws(ConnectorError) -> Int64? {
        do throws(ConnectorError) {
            if try isRefused(path, info, offset) { return nil }
            let end = try lineEnd(path, info, from: offset)
            if end > offset { _ = try header(TextFile(path, fileSystem), before: end) }
            return end
        } catch {
            let mayRestart = error.code == "file-truncated" || error.code == "file-changed"
            if mayRestart, onTruncate == .restart { return try restarted(path, info, from: offset) }
            // What may pass by itself is better waited for: batches stay what they would have been.
            guard error.isOfOneFile else { throw error }
            // One that went away since it was listed is settled the next time.
            if error.code != "file-missing" { trouble = trouble ?? error }
            return nil
        }
    }

    /// The first line of a file, read anew each time: whatever happens to files, it is that of the one that is there.
    private func header(_ file: TextFile, before end: Int64) throws(ConnectorError) -> [UInt8] {
        guard let headers else { return [] }
        let header = try headers.read(file, before: end)
        try headers.check(header, of: file.path)
        return header
    }

    /// Reads a file from its start that is not what it was.
    private func restarted(
        _ path: String, _ info: FileInfo, from offset: Int64
    ) throws(ConnectorError) -> Int64 {
        let unread = (files.byteCount(path) ?? offset) - offset
        if unread > 0 {
            log.warning(
                "A followed file was emptied before all of it was read",
                [.path: .string(path), .lostBytes: .integer(unread)])
        } else {
            log.info("A followed file was emptied, and is read from its start", [.path: .string(path)])
        }
        files.startOver(path)
        return try lineEnd(path, info, from: 0)
    }

    /// Whether a file of which nothing was read is none that can be.
    private func isRefused(_ path: String, _ info: FileInfo, _ offset: Int64) throws(ConnectorError) -> Bool {
        let known = files.known[path]
        guard offset == 0, known?.lineEnd ?? 0 == 0, info.byteCount > known?.searchedTo ?? 0 else { return false }
        do throws(FileError) {
            guard let kind = try UnreadFileKind.of(path, format: format, isFollowed: true, fileSystem) else {
                return false
            }
            trouble = trouble ?? ConnectorError(path, is: kind)
            return true
        } catch {
            throw ConnectorError(reading: error)
        }
    }

    /// The offset behind the last whole line; `offset` when there is no more than a part of one.
    private func lineEnd(_ path: String, _ info: FileInfo, from offset: Int64) throws(ConnectorError) -> Int64 {
        if let known = files.known[path], known.isSameFile(as: info), known.searchedTo == info.byteCount,
            offset <= info.byteCount
        {
            // Nothing was appended: the usual answer of a poll, and it costs no read.
            return max(known.lineEnd, offset)
        }
        let file = try TextFile(path, fileSystem)
        let info = try file.info()
        try check(file, info, as: path, at: offset)
        let size = info.byteCount
        let before = files.known[path].flatMap { $0.searchedTo <= size ? $0 : nil }
        // Before `from` there is no line end that is not known already.
        let from = max(offset, before?.searchedTo ?? offset)
        var end = before?.lineEnd ?? offset
        if from < size, let found = try file.lastLineEnd(in: from..<size) {
            end = found
            longLines.remove(path)
        }
        files.known[path] = FollowedFiles.Known(
            device: info.device, inode: info.inode, searchedTo: size, lineEnd: end, tail: try file.tail(before: end))
        files.marks[path] = nil
        let result = max(end, offset)
        if size - result > lineByteCountMax, longLines.insert(path).inserted {
            log.warning(
                "A line is too long to be a record, and has no end yet",
                [.path: .string(path), .place: .string("\(path)@\(result)"), .bytes: .integer(size - result)])
        }
        return result
    }

    private func cutEnd(_ range: OffsetRange, _ share: Int64) throws(ConnectorError) -> Int64 {
        let file = try openFile(range.partition)
        let wanted = min(range.start + share, range.end)
        if let end = try file.lastLineEnd(in: range.start..<wanted) { return end }
        return try file.firstLineEnd(in: wanted..<range.end) ?? range.end
    }

    // MARK: - Is it still the same file?

    /// Makes sure that the bytes before `offset` are the ones that were read as `path`, as far as can be told.
    private func check(
        _ file: TextFile, _ info: FileInfo, as path: String, at offset: Int64
    ) throws(ConnectorError) {
        if let before = files.known[path], !before.isSameFile(as: info), before.inode != info.inode {
            // What is known stays, so that asking again gives the same answer.
            if offset > 0 {
                throw ConnectorError(
                    code: "file-rotated",
                    "\(path) is another file than the one that was read up to byte \(offset): put the old file back, "
                        + "and to follow logs that rotate give a glob that matches old and new files",
                    isRetriable: false)
            }
            files.known[path] = nil
        }
        if info.byteCount < offset { throw ConnectorError(truncated: path, to: info.byteCount, below: offset) }
        if let before = files.known[path] {
            if info.byteCount < before.lineEnd {
                throw ConnectorError(truncated: path, to: info.byteCount, below: before.lineEnd)
            }
            if try file.tail(before: before.lineEnd) == before.tail { return }
            if offset > 0 { throw changed(path, offset, "its content before that is not the same any more") }
        }
        if files.known[path] == nil, let mark = files.marks[path], offset > 0 {
            if info.byteCount < mark.lineEnd {
                throw ConnectorError(truncated: path, to: info.byteCount, below: mark.lineEnd)
            }
            if FileTail(try file.tail(before: mark.lineEnd)) != mark.tail {
                throw changed(path, offset, "its content before that is not the same any more")
            }
        }
        let tail = try file.tail(before: offset)
        if offset > 0 && tail.last != newline { throw changed(path, offset, "no line ends there") }
        files.known[path] = FollowedFiles.Known(
            device: info.device, inode: info.inode, searchedTo: offset, lineEnd: offset, tail: tail)
    }

    private func changed(_ path: String, _ offset: Int64, _ reason: String) -> ConnectorError {
        ConnectorError(
            code: "file-changed",
            "\(path) is not the file that was read up to byte \(offset), for \(reason): put the old file back, "
                + "or start the query over with a new checkpoint",
            isRetriable: false)
    }
}

extension LogKey {
    static let place = LogKey("sluice.place")
    static let count = LogKey("sluice.count")
}
