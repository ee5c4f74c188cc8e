// The compressed files of one source of whole files. One that is larger than a batch may be is cut at line ends, by the
// position in its text, and its stream stays open from one batch to the next; after a restart its text is unpacked
// from the start and passed over as far as it was taken. Which files are in progress stands in the marks of every
// batch until their rest is taken, so that what was taken whole is never looked into again.

internal import Glibc
internal import SluiceEngine
internal import SluiceSystem

/// A whole file that was opened to see what it is.
struct WholeFile {
    let file: any ReadableFile
    let info: FileInfo
    let head: [UInt8]
    let mark: WholeFileMark
    /// nil for a file that is read as it is.
    let compression: Compression?

    /// - Parameter info: what stood at the path a moment ago.
    init(_ path: String, _ info: FileInfo, _ fileSystem: any FileSystem) throws(FileError) {
        self.info = info
        file = try fileSystem.open(path)
        head = try file.bytes(0..<min(info.byteCount, UnreadFileKind.headByteCount))
        let tail = try file.bytes(max(0, info.byteCount - FileTail.byteCountMax)..<info.byteCount)
        mark = WholeFileMark(modifiedNanos: info.modifiedNanos, content: FileTail(head + tail))
        compression = try Compression(of: file, head)
    }
}

struct ArchiveFiles {
    private let store: UnpackedStore
    private let fileSystem: any FileSystem
    private let lineByteCountMax: Int64
    private let records: (any RecordCuts)?
    /// Files of which batches have taken a part, as they were then.
    private var parts: [String: WholeFileMark] = [:]
    /// Of those, what the batch that was planned last takes the rest of.
    private var finishing: Set<String> = []
    private var readers: [String: ArchiveReader] = [:]
    /// What the batch that was planned last takes.
    private var planned: [String: (file: FileRange, mark: WholeFileMark)] = [:]

    /// - Parameter records: where records are not lines.
    init(folder: String, fileSystem: any FileSystem, lineByteCountMax: Int64, records: (any RecordCuts)?) {
        self.records = records
        store = UnpackedStore(folder: folder, fileSystem: fileSystem)
        self.fileSystem = fileSystem
        self.lineByteCountMax = lineByteCountMax
    }

    mutating func resume(_ marks: [String: WholeFileMark]) { parts = marks.filter { $0.value.isPart } }

    func isInProgress(_ path: String) -> Bool { parts[path] != nil }

    /// Whether the batch that was planned last leaves something of a file.
    func isCut(_ path: String) -> Bool { parts[path] != nil && !finishing.contains(path) }

    /// Where a file that is in progress may end: compressed bytes stand for text.
    func expectedEnd(_ path: String, _ info: FileInfo, from position: Int64) -> Int64 {
        position + max(1, info.byteCount - (readers[path]?.readByteCount ?? 0))
    }

    // MARK: - A batch

    mutating func startPlan() {
        planned = [:]
        finishing = []
        store.startFile()
    }

    /// What a batch takes of a file: all that is left if it has no more than `limit` bytes; else as many of its lines
    /// as have no more, at least one, where it may be cut. nil: nothing, for a later batch.
    mutating func plan(
        _ path: String, from start: Int64, limit: Int64, mayCut: Bool
    ) throws(ConnectorError) -> OffsetRange? {
        let reader = try reader(path, at: start)
        let (limitEnd, isUnlimited) = start.addingReportingOverflow(limit)
        let target = isUnlimited ? Int64.max - 1 : min(limitEnd, Int64.max - 1)
        do throws(ConnectorError) {
            // One byte more shows whether it ends there.
            try reader.unpack(to: target + 1)
            let isAll = reader.isAtEnd && reader.position <= target
            guard isAll || mayCut else { return nil }
            let range = start..<(isAll ? reader.position : try reader.recordEnd(near: target, records))
            if range.upperBound == reader.position { try reader.unpack(to: reader.position + 1) }
            try take(range, of: reader)
            return OffsetRange(partition: path, start: start, end: range.upperBound)
        } catch {
            readers[path] = nil
            throw error
        }
    }

    private mutating func take(_ range: Range<Int64>, of reader: ArchiveReader) throws(ConnectorError) {
        let path = reader.path
        let text = try reader.take(to: range.upperBound)
        var mark = reader.mark
        mark.isPart = !(reader.isAtEnd && range.upperBound == reader.position)
        planned[path] = (
            FileRange(
                path: path, start: range.lowerBound, end: range.upperBound, info: reader.info, isWhole: true, text: text
            ),
            mark
        )
        if mark.isPart {
            parts[path] = mark
        } else {
            readers[path] = nil
            if parts[path] != nil { finishing.insert(path) }
        }
    }

    /// The marks of the batch that was planned last, and of what is still in progress besides.
    var marks: [String: WholeFileMark] {
        parts.filter { !finishing.contains($0.key) }.merging(planned.mapValues(\.mark)) { $1 }
    }

    /// What was unpacked for a planned range, once; nil where that was in another process.
    mutating func take(_ range: OffsetRange) -> FileRange? {
        guard let (file, _) = planned[range.partition], file.start == range.start, file.end == range.end else {
            return nil
        }
        planned[range.partition] = nil
        return file
    }

    /// Unpacks the range of a batch that runs again.
    mutating func unpack(
        _ range: OffsetRange, of whole: WholeFile, _ compression: Compression
    ) throws(ConnectorError) -> FileRange {
        let path = range.partition
        let reader = makeReader(path, whole, compression)
        try reader.skip(to: range.start)
        try reader.unpack(to: range.end)
        guard reader.position >= range.end else {
            throw ConnectorError(truncated: path, to: reader.position, below: range.end)
        }
        let text = try reader.take(to: range.end)
        // The next batch goes on there.
        if parts[path] != nil { readers[path] = reader }
        return FileRange(
            path: path, start: range.start, end: range.end, info: whole.info, isWhole: true, text: text)
    }

    mutating func didCommit() {
        planned = [:]
        for path in finishing { parts[path] = nil }
        finishing = []
    }

    // MARK: - Streams

    /// The stream of a file, at an offset of its text.
    private mutating func reader(_ path: String, at offset: Int64) throws(ConnectorError) -> ArchiveReader {
        let info: FileInfo
        let whole: WholeFile
        do throws(FileError) {
            guard let found = try fileSystem.info(path) else {
                throw FileError(operation: "open", path: path, errno: ENOENT)
            }
            info = found
            if let open = readers[path], open.info == info, open.start == offset { return open }
            readers[path] = nil
            whole = try WholeFile(path, info, fileSystem)
        } catch { throw ConnectorError(reading: error) }
        let compression = whole.compression
        if let part = parts[path], compression == nil || !part.isOfSameFile(as: whole.mark) {
            throw ConnectorError(
                code: "file-changed",
                "\(path) was replaced or written to after batches had taken its text up to byte \(offset): put the "
                    + "file back as it was, or start the query over with a new checkpoint",
                isRetriable: false)
        }
        guard let compression else {
            throw ConnectorError(
                code: "file-changed", "\(path) was replaced while it was looked at: it is read when it stays as it is",
                isRetriable: true)
        }
        let reader = makeReader(path, whole, compression)
        try reader.skip(to: offset)
        readers[path] = reader
        return reader
    }

    private func makeReader(_ path: String, _ whole: WholeFile, _ compression: Compression) -> ArchiveReader {
        ArchiveReader(
            path, whole.file, whole.info, whole.mark, compression, store: store, lineByteCountMax: lineByteCountMax)
    }
}
