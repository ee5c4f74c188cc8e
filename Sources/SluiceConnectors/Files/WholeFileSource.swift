// Whole files, each taken once: what stands in the offsets was taken, whatever became of it since. That a file goes on
// growing after it was taken is the usual accident of a folder that files are copied into, so it is looked for, among
// the files taken last: looking at all that were ever taken would cost more than reading.

internal import Glibc
package import SluiceEngine
internal import SluicePlan
package import SluiceSpec
package import SluiceSystem

/// A source whose unit is the file: a batch has the next files in byte order of their full paths.
package final class WholeFileSource: Source {
    private let pattern: FilePattern
    private let format: RecordFormat
    private let maxFilesPerTrigger: Int?
    private let maxBytesPerTrigger: Int64
    private let fileSystem: any FileSystem
    private let log: Log
    private let chunkByteCount: Int
    private let lineByteCountMax: Int64
    private var hasSeenFolder = false
    private var hasWaited = false
    /// Files to take, as they were seen last, which have been found to be text.
    private var found: [String: (info: FileInfo, mark: WholeFileMark)] = [:]
    private var taken: TakenFiles?
    /// How the files of a batch looked that another process has planned.
    private var marks: [String: WholeFileMark] = [:]
    package private(set) var trouble: ConnectorError?

    /// - Parameters:
    ///   - chunkByteCount: the nominal size of the chunks of a batch.
    ///   - lineByteCountMax: the longest line that is a record; longer than a chunk.
    package init(
        _ spec: FileSourceSpec, format: RecordFormat = .json, fileSystem: any FileSystem, log: Log,
        chunkByteCount: Int = 1 << 19, lineByteCountMax: Int64 = maxLineByteCount
    ) {
        pattern = FilePattern(spec.files.value)
        self.format = format
        maxFilesPerTrigger = spec.maxFilesPerTrigger
        maxBytesPerTrigger = spec.maxBytesPerTrigger ?? batchByteCountDefault
        self.fileSystem = fileSystem
        self.log = log
        self.chunkByteCount = chunkByteCount
        self.lineByteCountMax = lineByteCountMax
    }

    package var description: String { "FileSource[\(pattern.path)]" }
    package var isFinished: Bool { false }

    package func latestOffsets(from position: SourceOffsets, untilEnd: Bool) throws(ConnectorError) -> SourceOffsets {
        lookAtTaken(position)
        let match: FilePattern.Match
        do throws(FileError) {
            match = try pattern.resolve(fileSystem) { position.next[$0] != nil }
        } catch {
            throw ConnectorError(reading: error)
        }
        switch match.kind {
        case .folder: hasSeenFolder = true
        case .nothing where hasSeenFolder:
            throw ConnectorError(
                code: "folder-missing",
                "the folder \(pattern.path) is not there any more: put it back; the query goes on when it is there",
                isRetriable: true)
        case .nothing where !hasWaited:
            hasWaited = true
            log.info("waiting for a file or folder to read", [.path: .string(pattern.path)])
        case .nothing, .file, .glob: break
        }
        var latest = position
        try inspect(match.files.filter { position.next[$0.path] == nil })
        for (path, file) in found { latest.next[path] = file.info.byteCount }
        return latest
    }

    /// Finds those of the files that can be read; the first that cannot is the trouble.
    private func inspect(_ files: [(path: String, info: FileInfo)]) throws(ConnectorError) {
        trouble = nil
        let before = found
        found = [:]
        for (path, info) in files {
            if let known = before[path], known.info == info {
                found[path] = known
                continue
            }
            do throws(FileError) {
                let (head, mark) = try look(path, info)
                let isWhole = info.byteCount <= UnreadFileKind.headByteCount
                if let kind = UnreadFileKind(head, isWhole: isWhole, format: format) {
                    trouble = trouble ?? ConnectorError(path, is: kind)
                } else {
                    found[path] = (info, mark)
                }
            } catch {
                let error = ConnectorError(reading: error)
                // What may pass by itself is better waited for: files are taken in order.
                guard error.isOfOneFile else { throw error }
                // One that went away meanwhile is not there.
                if error.code != "file-missing" { trouble = trouble ?? error }
            }
        }
    }

    /// The first bytes of a file, and what tells it from others.
    private func look(
        _ path: String, _ info: FileInfo
    ) throws(FileError) -> (head: [UInt8], mark: WholeFileMark) {
        let file = try fileSystem.open(path)
        let head = try file.bytes(0..<min(info.byteCount, UnreadFileKind.headByteCount))
        let tail = try file.bytes(max(0, info.byteCount - FileTail.byteCountMax)..<info.byteCount)
        return (head, WholeFileMark(modifiedNanos: info.modifiedNanos, content: FileTail(head + tail)))
    }

    /// Takes files in byte order of their paths: as many as the limits allow, and always one.
    package func planBatch(from position: SourceOffsets, to latest: SourceOffsets, limit: BatchLimit) -> [OffsetRange] {
        var ranges: [OffsetRange] = []
        for (path, byteCount) in latest.next where position.next[path] == nil {
            ranges.append(OffsetRange(partition: path, start: 0, end: byteCount))
        }
        ranges.sort { precedesInBytes($0.partition, $1.partition) }
        guard case .spec = limit else { return ranges }
        var taken = 0
        var bytes: Int64 = 0
        while taken < min(ranges.count, max(1, maxFilesPerTrigger ?? .max)) {
            bytes += ranges[taken].end
            if taken > 0, bytes > maxBytesPerTrigger { break }
            taken += 1
        }
        return Array(ranges.prefix(taken))
    }

    package func marks(_ ranges: [OffsetRange], next: SourceOffsets) -> [String: String] {
        var marks: [String: String] = [:]
        for range in ranges {
            marks[range.partition] = found[range.partition]?.mark.text
        }
        return marks
    }

    package func resume(_ marks: [String: String]) { self.marks = marks.compactMapValues { WholeFileMark(text: $0) } }

    package func open(_ ranges: [OffsetRange]) throws(ConnectorError) -> any InputBytes {
        var files: [FileRange] = []
        for range in ranges {
            do throws(FileError) {
                files.append(try file(range))
            } catch {
                throw ConnectorError(reading: error)
            }
        }
        for file in files { try file.check(file.info) }
        for file in files where !isAsPlanned(file) { throw replaced(file.path) }
        for range in ranges { taken?.add(range.partition, byteCount: range.end) }
        return FileInputBytes(
            files, chunkByteCount: chunkByteCount, lineByteCountMax: lineByteCountMax, fileSystem: fileSystem)
    }

    private func file(_ range: OffsetRange) throws(FileError) -> FileRange {
        guard let info = try fileSystem.info(range.partition) else {
            throw FileError(operation: "open", path: range.partition, errno: ENOENT)
        }
        return FileRange(path: range.partition, start: range.start, end: range.end, info: info, isWhole: true)
    }

    private func isAsPlanned(_ file: FileRange) -> Bool {
        guard let mark = marks[file.path], mark.modifiedNanos != file.info.modifiedNanos else { return true }
        return (try? look(file.path, file.info))?.mark.content == mark.content
    }

    private func replaced(_ path: String) -> ConnectorError {
        ConnectorError(
            code: "file-changed",
            "\(path) was replaced or written to since its batch was planned, and the batch was interrupted: put the "
                + "file back as it was, or start the query over with a new checkpoint",
            isRetriable: false)
    }

    package func didCommit(_ position: SourceOffsets) { marks = [:] }

    package func readable(_ partitions: [String]) throws(ConnectorError) -> [String: Range<Int64>] {
        try readableFiles(partitions, fileSystem)
    }

    // MARK: - Files that were taken

    private func lookAtTaken(_ position: SourceOffsets) {
        // What other processes have taken last is not known; by the usual names it is what sorts last.
        var taken = self.taken ?? TakenFiles(position)
        let look: (String) -> Int64? = { [fileSystem] path in
            // What cannot be looked at now is looked at later.
            (try? fileSystem.info(path))?.byteCount
        }
        for file in taken.look(look) {
            log.warning(
                "A file has grown since it was taken, and what was added is not read",
                [
                    .path: .string(file.path), .takenBytes: .integer(file.takenByteCount),
                    .bytes: .integer(file.byteCount),
                ])
        }
        self.taken = taken
    }
}

extension LogKey {
    static let takenBytes = LogKey("sluice.taken_bytes")
    static let bytes = LogKey("sluice.bytes")
    static let lostBytes = LogKey("sluice.lost_bytes")
}

extension FileSourceSpec: SourceMaker {
    func makeSource(
        _ spec: SourceSpec, for input: InputPlan, in environment: ConnectorEnvironment
    ) throws(ConnectorError) -> any Source {
        let (files, log) = (environment.fileSystem, environment.log)
        return isFollowed
            ? FollowedFileSource(self, format: spec.format, fileSystem: files, log: log)
            : WholeFileSource(self, format: spec.format, fileSystem: files, log: log)
    }
}
