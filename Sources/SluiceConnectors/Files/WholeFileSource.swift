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
    private let headers: FileHeaders?
    private let records: (any RecordCuts)?
    private let maxFilesPerTrigger: Int?
    private let maxBytesPerTrigger: Int64
    private let fileSystem: any FileSystem
    private let log: Log
    private let chunkByteCount: Int
    private let lineByteCountMax: Int64
    private var hasSeenFolder = false
    private var hasWaited = false
    /// Files to take, as they were seen last, which have been found to be text.
    private var found: [String: Found] = [:]
    /// Files that have been found to be damaged, as they were then.
    private var refused: [String: (info: FileInfo, error: ConnectorError)] = [:]
    private var archives: ArchiveFiles
    private var taken: TakenFiles?
    /// Of plain files of the batch that was planned last, where they were looked through for that.
    private var parts: [String: [FilePart]] = [:]
    /// How the files of a batch looked that another process has planned.
    private var marks: [String: WholeFileMark] = [:]
    package private(set) var trouble: ConnectorError?

    private struct Found {
        var info: FileInfo
        var mark: WholeFileMark
        var compression: Compression?
        var header: [UInt8] = []
    }

    /// - Parameters:
    ///   - scratchFolder: where unpacked text is kept that does not fit into memory.
    ///   - chunkByteCount: the nominal size of the chunks of a batch.
    ///   - lineByteCountMax: the longest line that is a record; longer than a chunk.
    package init(
        _ spec: FileSourceSpec, format: RecordFormat = .json(), columns: [ColumnSpec] = [],
        each: EachSpec? = nil, scratchFolder: String = temporaryRoot(), fileSystem: any FileSystem, log: Log,
        chunkByteCount: Int = 1 << 19,
        lineByteCountMax: Int64 = maxLineByteCount
    ) {
        pattern = FilePattern(spec.files.value)
        self.format = format
        headers = FileHeaders(format, columns, each)
        records = recordCuts(format, byteCountMax: lineByteCountMax)
        maxFilesPerTrigger = spec.maxFilesPerTrigger
        maxBytesPerTrigger = spec.maxBytesPerTrigger ?? batchByteCountDefault
        self.fileSystem = fileSystem
        self.log = log
        self.chunkByteCount = chunkByteCount
        self.lineByteCountMax = lineByteCountMax
        archives = ArchiveFiles(
            folder: scratchFolder, fileSystem: fileSystem, lineByteCountMax: lineByteCountMax, records: records)
    }

    package var description: String { "FileSource[\(pattern.path)]" }
    package var isFinished: Bool { false }

    package func latestOffsets(from position: SourceOffsets, untilEnd: Bool) throws(ConnectorError) -> SourceOffsets {
        lookAtTaken(position)
        let match: FilePattern.Match
        do throws(FileError) {
            match = try pattern.resolve(fileSystem) { position.next[$0] != nil && !archives.isInProgress($0) }
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
        try inspect(match.files.filter { position.next[$0.path] == nil || archives.isInProgress($0.path) })
        for (path, file) in found {
            // How long a text is that is not unpacked yet, nobody knows.
            latest.next[path] =
                position.next[path].map { archives.expectedEnd(path, file.info, from: $0) } ?? file.info.byteCount
        }
        return latest
    }

    /// Finds those of the files that can be read; the first that cannot is the trouble.
    private func inspect(_ files: [(path: String, info: FileInfo)]) throws(ConnectorError) {
        trouble = nil
        let before = found
        found = [:]
        for (path, info) in files {
            if let refusal = refused[path] {
                if refusal.info == info {
                    trouble = trouble ?? refusal.error
                    continue
                }
                refused[path] = nil
            }
            if let known = before[path], known.info == info {
                found[path] = known
                continue
            }
            do throws(FileError) {
                let file = try WholeFile(path, info, fileSystem)
                if let kind = UnreadFileKind(
                    ofFile: file.head, byteCount: info.byteCount, format: format, isFollowed: false)
                {
                    trouble = trouble ?? ConnectorError(path, is: kind)
                } else {
                    found[path] = Found(info: info, mark: file.mark, compression: file.compression)
                }
            } catch {
                let error = ConnectorError(reading: error)
                // What may pass by itself is better waited for: files are taken in order.
                guard error.isOfOneFile else { throw error }
                // One that went away meanwhile is not there.
                if error.code != "file-missing" { trouble = trouble ?? error }
            }
            try readHeader(path)
        }
    }

    /// Takes a file out again whose header lacks a column.
    private func readHeader(_ path: String) throws(ConnectorError) {
        guard let headers, found[path] != nil else { return }
        do throws(ConnectorError) {
            let header = try headers.read(path, fileSystem)
            try headers.check(header, of: path)
            found[path]?.header = header
        } catch {
            found[path] = nil
            guard error.isOfOneFile else { throw error }
            if error.code != "file-missing" { trouble = trouble ?? error }
        }
    }

    /// Takes files in byte order of their paths: as many as the limits allow, and always one. Of a compressed file,
    /// which is unpacked here, its text counts.
    package func planBatch(
        from position: SourceOffsets, to latest: SourceOffsets, limit: BatchLimit
    ) throws(ConnectorError) -> [OffsetRange] {
        archives.startPlan()
        parts = [:]
        let files = latest.next.filter { position.next[$0.key] == nil || archives.isInProgress($0.key) }
            .sorted { precedesInBytes($0.key, $1.key) }
        var (countMax, byteCountMax) = (Int.max, Int64.max)
        if case .spec = limit { (countMax, byteCountMax) = (max(1, maxFilesPerTrigger ?? .max), maxBytesPerTrigger) }
        var ranges: [OffsetRange] = []
        var bytes: Int64 = 0
        for (path, byteCount) in files where ranges.count < countMax {
            let room = max(0, byteCountMax - bytes)
            do throws(ConnectorError) {
                let start = position.next[path] ?? 0
                let range = try plan(path, from: start, byteCount: byteCount, room: room, isFirst: ranges.isEmpty)
                guard let range else { break }
                bytes += range.end - range.start
                ranges.append(range)
                // Files are taken in order: none before the rest of this one.
                if archives.isCut(path) { break }
            } catch {
                // What may pass by itself is better waited for: files are taken in order.
                guard error.isOfOneFile else { throw error }
                trouble = trouble ?? error
                if !error.isRetriable, let info = found[path]?.info { refused[path] = (info, error) }
            }
        }
        return ranges
    }

    /// nil: the batch has no room for the file.
    private func plan(
        _ path: String, from start: Int64, byteCount: Int64, room: Int64, isFirst: Bool
    ) throws(ConnectorError) -> OffsetRange? {
        if let refusal = refused[path] { throw refusal.error }
        if found[path]?.compression != nil || archives.isInProgress(path) {
            return try archives.plan(path, from: start, limit: room, mayCut: isFirst)
        }
        guard isFirst || byteCount <= room else { return nil }
        let range = OffsetRange(partition: path, start: 0, end: byteCount)
        // What is damaged is to be known before a batch has it.
        if case .avro = format {
            parts[path] = try records?.parts(
                ofFile: TextFile(path, fileSystem), 0..<byteCount, byteCount: Int64(chunkByteCount))
        }
        return range
    }

    package func marks(_ ranges: [OffsetRange], next: SourceOffsets) -> [String: String] {
        var marks = archives.marks.mapValues(\.text)
        for range in ranges where marks[range.partition] == nil {
            marks[range.partition] = found[range.partition]?.mark.text
        }
        return marks
    }

    package func resume(_ marks: [String: String]) {
        self.marks = marks.compactMapValues { WholeFileMark(text: $0) }
        archives.resume(self.marks)
    }

    package func open(_ ranges: [OffsetRange]) throws(ConnectorError) -> any InputBytes {
        var files: [FileRange] = []
        for range in ranges {
            if let unpacked = archives.take(range) { files.append(unpacked) } else { files.append(try file(range)) }
        }
        for file in files { try file.check(file.info) }
        for file in files where file.text == nil && !isAsPlanned(file) { throw replaced(file.path) }
        for file in files where !archives.isCut(file.path) {
            taken?.add(file.path, byteCount: file.info.byteCount)
        }
        if let headers {
            for index in files.indices {
                let path = files[index].path
                let known = found[path]?.header ?? []
                files[index].header = known.isEmpty ? try headers.read(path, fileSystem) : known
                try headers.check(files[index].header, of: path)
            }
        }
        if let records {
            for index in files.indices { files[index].parts = try cut(files[index], records) }
        }
        parts = [:]
        return FileInputBytes(
            files, chunkByteCount: chunkByteCount, lineByteCountMax: lineByteCountMax, fileSystem: fileSystem)
    }

    /// A range in parts of whole records.
    private func cut(_ file: FileRange, _ records: any RecordCuts) throws(ConnectorError) -> [FilePart] {
        if let text = file.text {
            return try records.parts(
                of: file.start..<file.end, in: TextFile(file.path, text), byteCount: Int64(chunkByteCount))
        }
        if let known = parts[file.path] { return known }
        return try records.parts(
            ofFile: TextFile(file.path, fileSystem), file.start..<file.end, byteCount: Int64(chunkByteCount))
    }

    private func file(_ range: OffsetRange) throws(ConnectorError) -> FileRange {
        let path = range.partition
        let info: FileInfo
        var whole: WholeFile?
        do throws(FileError) {
            guard let now = try fileSystem.info(path) else {
                throw FileError(operation: "open", path: path, errno: ENOENT)
            }
            info = now
            // Batches of other processes are not known to be of plain files.
            if found[path].map({ $0.compression != nil }) ?? true { whole = try WholeFile(path, info, fileSystem) }
        } catch { throw ConnectorError(reading: error) }
        if let whole, let compression = whole.compression {
            if let mark = marks[path], !mark.isOfSameFile(as: whole.mark) { throw replaced(path) }
            return try archives.unpack(range, of: whole, compression)
        }
        return FileRange(path: path, start: range.start, end: range.end, info: info, isWhole: true)
    }

    private func isAsPlanned(_ file: FileRange) -> Bool {
        guard let mark = marks[file.path], mark.modifiedNanos != file.info.modifiedNanos else { return true }
        return (try? WholeFile(file.path, file.info, fileSystem))?.mark.content == mark.content
    }

    private func replaced(_ path: String) -> ConnectorError {
        ConnectorError(
            code: "file-changed",
            "\(path) was replaced or written to since its batch was planned, and the batch was interrupted: put the "
                + "file back as it was, or start the query over with a new checkpoint",
            isRetriable: false)
    }

    package func didCommit(_ position: SourceOffsets) {
        marks = [:]
        archives.didCommit()
    }

    package func readable(_ partitions: [String]) throws(ConnectorError) -> [String: Range<Int64>] {
        var ranges = try readableFiles(partitions, fileSystem)
        for path in partitions where ranges[path] != nil && isCompressed(path) { ranges[path] = 0..<Int64.max }
        return ranges
    }

    private func isCompressed(_ path: String) -> Bool {
        guard let file = try? fileSystem.open(path), let head = try? file.bytes(0..<4) else { return false }
        return (try? Compression(of: file, head)) != nil
    }

    // MARK: - Files that were taken

    private func lookAtTaken(_ position: SourceOffsets) {
        // What other processes have taken last is not known; by the usual names it is what sorts last.
        var taken = self.taken ?? TakenFiles(position)
        let look: (String) -> Int64? = { [fileSystem] path in
            // What cannot be looked at now is looked at later.
            (try? fileSystem.info(path))?.byteCount
        }
        for file in taken.look(look, isCompressed: isCompressed) {
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
            ? FollowedFileSource(self, format: spec.format, columns: spec.columns, fileSystem: files, log: log)
            : WholeFileSource(
                self, format: spec.format, columns: spec.columns, each: spec.each,
                scratchFolder: environment.scratchFolder, fileSystem: files, log: log)
    }
}
