// Append-only files, followed as they grow: `follow: true`.
//
// A partition is a file, an offset is a byte position, always right behind a newline. What has been read must not
// change: a file that is shorter than its offset, or another file under the same path, cannot be told from lost rows,
// so both are errors. Within a process the inode tells files apart, and the last bytes before a line end tell when one
// was emptied and filled again, or an inode came back; over a restart only the newline before the offset is left.

internal import Glibc
package import SluiceEngine
package import SluiceSpec
package import SluiceSystem

/// A source that reads what is appended to files.
package final class FollowedFileSource: Source {
    /// What this process knows of a file.
    private struct Known {
        var device: UInt64
        var inode: UInt64
        /// How far line ends have been looked for, and the last one before that (0: none).
        var searchedTo: Int64
        var lineEnd: Int64
        /// The last bytes before `lineEnd`.
        var tail: [UInt8]

        func isSameFile(as info: FileInfo) -> Bool { device == info.device && inode == info.inode }
    }

    private let pattern: FilePattern
    private let maxBytesPerTrigger: Int64?
    private let fileSystem: any FileSystem
    private let log: Log
    private let chunkByteCount: Int
    private var known: [String: Known] = [:]
    private var hasWaited = false

    /// `chunkByteCount` is the nominal size of the chunks of a batch.
    package init(_ spec: FileSourceSpec, fileSystem: any FileSystem, log: Log, chunkByteCount: Int = 1 << 19) {
        pattern = FilePattern(spec.path.value)
        maxBytesPerTrigger = spec.maxBytesPerTrigger
        self.fileSystem = fileSystem
        self.log = log
        self.chunkByteCount = chunkByteCount
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
        var latest = position
        var present = 0
        for (path, info) in match.files {
            let offset = position.next[path]
            if offset != nil { present += 1 }
            let end = try lineEnd(path, info, from: offset ?? 0)
            if end > offset ?? 0 { latest.next[path] = end }
        }
        if present < position.next.count { throw missing(position, match) }
        if match.files.isEmpty && !hasWaited {
            hasWaited = true
            log.info("waiting for a file to follow", [.path: .string(pattern.path)])
        }
        return latest
    }

    /// Shares `max_bytes_per_trigger` among the files by their backlog, as Spark does with the partitions of a topic,
    /// and cuts each share at the end of a line, after at least one. Files only grow, so the same offsets give the
    /// same cut.
    package func planBatch(from position: SourceOffsets, to latest: SourceOffsets, limit: BatchLimit) -> [OffsetRange] {
        var ranges: [OffsetRange] = []
        for (path, end) in latest.next {
            let start = position.next[path] ?? 0
            if end > start { ranges.append(OffsetRange(partition: path, start: start, end: end)) }
        }
        ranges.sort { precedesInBytes($0.partition, $1.partition) }
        guard case .spec = limit, let maxBytes = maxBytesPerTrigger else { return ranges }
        let backlog = ranges.reduce(0) { $0 + ($1.end - $1.start) }
        if backlog <= maxBytes { return ranges }
        return ranges.map { range in
            let share = backlog.dividingFullWidth(maxBytes.multipliedFullWidth(by: range.end - range.start)).quotient
            var cut = range
            // A file that cannot be read now fails in `open`, which can say so; the range it fails on stays whole.
            cut.end = (try? cutEnd(range, share)) ?? range.end
            return cut
        }
    }

    package func open(_ ranges: [OffsetRange]) throws(ConnectorError) -> any InputBytes {
        var files: [FileRange] = []
        for range in ranges {
            let file = try TextFile(range.partition, fileSystem)
            let info = try file.info()
            try check(file, info, at: range.start)
            if info.byteCount < range.end {
                throw ConnectorError(truncated: range.partition, to: info.byteCount, below: range.end)
            }
            files.append(
                FileRange(path: range.partition, start: range.start, end: range.end, info: info, isWhole: false))
        }
        return FileInputBytes(files, chunkByteCount: chunkByteCount, fileSystem: fileSystem)
    }

    package func didCommit(_ position: SourceOffsets) {}

    package func readable(_ partitions: [String]) throws(ConnectorError) -> [String: Range<Int64>] {
        try readableFiles(partitions, fileSystem)
    }

    // MARK: - Line ends

    /// The offset behind the last whole line; `offset` when there is no more than a part of one.
    private func lineEnd(_ path: String, _ info: FileInfo, from offset: Int64) throws(ConnectorError) -> Int64 {
        if let known = known[path], known.isSameFile(as: info), known.searchedTo == info.byteCount,
            offset <= info.byteCount
        {
            // Nothing was appended: the usual answer of a poll, and it costs no read.
            return max(known.lineEnd, offset)
        }
        let file = try TextFile(path, fileSystem)
        let info = try file.info()
        try check(file, info, at: offset)
        let size = info.byteCount
        let before = known[path].flatMap { $0.searchedTo <= size ? $0 : nil }
        // Before `from` there is no line end that is not known already.
        let from = max(offset, before?.searchedTo ?? offset)
        var end = before?.lineEnd ?? offset
        if from < size {
            let lowest = max(from, size - maxLineByteCount)
            if let found = try file.lastLineEnd(in: lowest..<size) { end = found }
        }
        let tail = try tail(of: file, before: end)
        known[path] = Known(device: info.device, inode: info.inode, searchedTo: size, lineEnd: end, tail: tail)
        let result = max(end, offset)
        if size - result > maxLineByteCount { throw ConnectorError(lineTooLongIn: path, at: result) }
        return result
    }

    private func cutEnd(_ range: OffsetRange, _ share: Int64) throws(ConnectorError) -> Int64 {
        let file = try TextFile(range.partition, fileSystem)
        let wanted = min(range.start + share, range.end)
        if let end = try file.lastLineEnd(in: range.start..<wanted) { return end }
        return try file.endOfLine(from: wanted, before: range.end)
    }

    // MARK: - Is it still the same file?

    /// Makes sure that the bytes before `offset` are the ones that were read, as far as can be told.
    private func check(_ file: TextFile, _ info: FileInfo, at offset: Int64) throws(ConnectorError) {
        let path = file.path
        if let before = known[path], !before.isSameFile(as: info) {
            // What is known stays, so that asking again gives the same answer.
            if offset > 0 {
                throw ConnectorError(
                    code: "file-rotated",
                    "\(path) is another file than the one that was read up to byte \(offset): put the old file back, "
                        + "and to follow logs that rotate give a glob that matches old and new files",
                    isRetriable: false)
            }
            known[path] = nil
        }
        if info.byteCount < offset { throw ConnectorError(truncated: path, to: info.byteCount, below: offset) }
        if let before = known[path] {
            if info.byteCount < before.lineEnd { return }
            if try tail(of: file, before: before.lineEnd) == before.tail { return }
            if offset > 0 { throw changed(path, offset, "its content before that is not the same any more") }
        }
        let tail = try tail(of: file, before: offset)
        if offset > 0 && tail.last != newline { throw changed(path, offset, "no line ends there") }
        known[path] = Known(
            device: info.device, inode: info.inode, searchedTo: offset, lineEnd: offset, tail: tail)
    }

    private func tail(of file: TextFile, before offset: Int64) throws(ConnectorError) -> [UInt8] {
        var buffer = ByteBuffer()
        try file.append(max(0, offset - 64)..<offset, to: &buffer)
        return buffer.array()
    }

    private func changed(_ path: String, _ offset: Int64, _ reason: String) -> ConnectorError {
        ConnectorError(
            code: "file-changed",
            "\(path) is not the file that was read up to byte \(offset), for \(reason): put the old file back, "
                + "or start the query over with a new checkpoint",
            isRetriable: false)
    }

    /// For the first of the files that were read from and are not there any more.
    private func missing(_ position: SourceOffsets, _ match: FilePattern.Match) -> ConnectorError {
        let there = Set(match.files.map(\.path))
        let gone = position.next.keys.filter { !there.contains($0) }.min(by: precedesInBytes) ?? pattern.path
        return ConnectorError(
            code: "file-missing",
            "\(gone) is not there any more (it was read up to byte \(position.next[gone] ?? 0)): put the file back; "
                + "the query goes on when it is there",
            isRetriable: true)
    }
}
