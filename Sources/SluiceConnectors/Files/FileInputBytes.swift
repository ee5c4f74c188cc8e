// The text of a batch of file ranges, in chunks that workers read straight into their own buffers.
//
// A range is cut at nominal boundaries, every `chunkByteCount` bytes from its start. A line belongs to the chunk in
// which its first byte lies, so each chunk finds its own first and last line without knowing its neighbours: it skips
// to the first line that begins at or after its nominal start, and reads on behind its nominal end until the line it
// is in ends. Nothing is read twice but the rest of a line at a boundary, no file is ever read whole, and no
// descriptor is held between chunks, so a batch may have more files than the process may open.
//
//     nominal     |---------- 0 ----------|---------- 1 ----------|
//     lines        aaaaaaa bbbbbbbbb ccccccccc dddddddd eeeeeeeeee fff
//     chunk 0      aaaaaaa bbbbbbbbb ccccccccc
//     chunk 1                                  dddddddd eeeeeeeeee
//
// A line that is too long is left out: the chunk it begins in says that there was one, and the chunks it goes through
// find no line of their own. A byte order mark at a file's start is left out too.

internal import SluiceEngine
internal import SluiceSystem
internal import Synchronization

/// One file of a batch.
struct FileRange {
    var path: String
    var start: Int64
    var end: Int64
    /// What stood at the path when the batch was opened.
    var info: FileInfo
    /// True when the file has to be exactly `end` bytes long.
    var isWhole: Bool
    /// What was unpacked of a compressed file, whose text the offsets are of.
    var text: UnpackedText?
    /// The file's first line, where it names fields.
    var header: [UInt8] = []
    /// What the range is cut into where records are not lines; nil where lines are cut on the way.
    var parts: [FilePart]?

    /// Makes sure that the file is still the one the batch was planned on.
    func check(_ now: FileInfo) throws(ConnectorError) {
        // What was unpacked is here already.
        if text != nil { return }
        if now.device != info.device || now.inode != info.inode {
            throw ConnectorError(
                code: "file-rotated",
                "\(path) was replaced by another file while a batch was reading it from byte \(start): "
                    + "put the old file back, or follow a glob that matches old and new files",
                // What follows files by their names in turn finds the old one again.
                isRetriable: !isWhole)
        }
        if isWhole && now.byteCount != end {
            throw ConnectorError(
                code: "file-changed",
                "\(path) has \(now.byteCount) bytes, but had \(end) when its batch was planned: put its content "
                    + "back, and move files into the folder only when they are complete",
                isRetriable: false)
        }
        if now.byteCount < end { throw ConnectorError(truncated: path, to: now.byteCount, below: end) }
    }
}

/// Chunks of the ranges of one batch.
final class FileInputBytes: InputBytes {
    private let fileSystem: any FileSystem
    private let ranges: [FileRange]
    private let chunkByteCount: Int64
    private let lineByteCountMax: Int64
    /// Finds a file that has another name by now; nil when it is nowhere.
    private let find: @Sendable (FileInfo) -> String?
    /// The first chunk of each range; at the end the number of all chunks.
    private let firstChunks: [Int]
    /// Where a chunk that was read begins in its file, for `place`.
    private let starts = Mutex<[Int: Int64]>([:])

    init(
        _ ranges: [FileRange], chunkByteCount: Int, lineByteCountMax: Int64, fileSystem: any FileSystem,
        find: @escaping @Sendable (FileInfo) -> String? = { _ in nil }
    ) {
        precondition(chunkByteCount > 0 && lineByteCountMax > 0)
        self.lineByteCountMax = lineByteCountMax
        self.find = find
        self.fileSystem = fileSystem
        self.ranges = ranges
        self.chunkByteCount = Int64(chunkByteCount)
        var firstChunks = [0]
        for range in ranges {
            let lines = (range.end - range.start + self.chunkByteCount - 1) / self.chunkByteCount
            firstChunks.append(firstChunks[firstChunks.count - 1] + (range.parts?.count ?? Int(lines)))
        }
        self.firstChunks = firstChunks
    }

    private var chunkCount: Int { firstChunks[ranges.count] }

    func readyChunks(from first: Int) -> Range<Int> { first..<chunkCount }

    func startsFile(_ chunk: Int) -> Bool {
        let (range, index) = locate(chunk)
        return index == 0 && ranges[range].start == 0
    }

    func origin(of chunk: Int) -> ChunkOrigin {
        let (range, index) = locate(chunk)
        let start = starts.withLock { $0[chunk] } ?? nominalStart(ranges[range], index)
        return ChunkOrigin(path: ranges[range].path, firstOffset: start)
    }

    func place(chunk: Int, record: RecordPlace) -> String {
        let (range, _) = locate(chunk)
        // What has a frame says itself where in its file it is.
        if let offset = record.offset { return "\(ranges[range].path)@\(offset)" }
        let origin = origin(of: chunk)
        let (path, offset) = (origin.path, origin.firstOffset + Int64(record.byteOffset))
        return line(ranges[range], at: offset).map { "\(path):\($0)" } ?? "\(path)@\(offset)"
    }

    /// The line of a whole file, from 1, where finding it is not too dear: asked for once a batch, if at all. A
    /// followed file may be of any size, and what is known of it are offsets.
    private func line(_ range: FileRange, at offset: Int64) -> Int? {
        guard range.isWhole, offset <= Self.countedByteCountMax else { return nil }
        guard let file = try? range.text.map({ TextFile(range.path, $0) }) ?? TextFile(range.path, fileSystem),
            let before = range.text.map({ $0.lineCountBefore }) ?? 0,
            let count = try? file.lineCount(in: range.start..<offset)
        else { return nil }
        return before + count + 1
    }

    static let countedByteCountMax: Int64 = 16 << 20

    func read(chunk number: Int, into chunk: inout InputChunk) throws {
        let (rangeIndex, index) = locate(number)
        let range = ranges[rangeIndex]
        let file = try open(range)
        chunk.header = range.header
        if let part = range.parts?[index] {
            starts.withLock { $0[number] = part.range.lowerBound }
            try file.append(part.range, to: &chunk.text)
            chunk.endsInLongLine = part.endsInLongLine
            if part.isFramed {
                if let first = part.firstBlock { try first.frame(&chunk, range.path) } else { AvroBlocks.frame(&chunk) }
                chunk.text.reserve(inputPaddingByteCount)
                return
            }
            finish(&chunk, number, start: part.range.lowerBound)
            return
        }
        let nominalStart = nominalStart(range, index)
        let nominalEnd = min(nominalStart + chunkByteCount, range.end)
        chunk.text.reserve(Int(nominalEnd - nominalStart) + inputPaddingByteCount)
        var start = nominalStart
        if index > 0 {
            // The byte before the nominal start tells whether a line begins right there.
            guard let first = try file.firstLineEnd(in: nominalStart - 1..<nominalEnd - 1) else { return }
            start = first
        }
        starts.withLock { $0[number] = start }
        try file.append(start..<nominalEnd, to: &chunk.text)
        if nominalEnd < range.end, unsafe chunk.text.bytes.last != newline {
            try appendRestOfLine(file, from: nominalEnd, before: range.end, to: &chunk)
        }
        finish(&chunk, number, start: start)
    }

    private func finish(_ chunk: inout InputChunk, _ number: Int, start: Int64) {
        if start == 0, unsafe chunk.text.bytes.starts(with: byteOrderMark) {
            chunk.text.removeFirst(byteOrderMark.count)
            starts.withLock { $0[number] = Int64(byteOrderMark.count) }
        }
        chunk.text.reserve(inputPaddingByteCount)
    }

    private func open(_ range: FileRange) throws(ConnectorError) -> TextFile {
        if let text = range.text { return TextFile(range.path, text) }
        do throws(ConnectorError) {
            return try open(range, at: range.path)
        } catch {
            guard let path = find(range.info), path != range.path else { throw error }
            return try open(range, at: path)
        }
    }

    private func open(_ range: FileRange, at path: String) throws(ConnectorError) -> TextFile {
        let file = try TextFile(path, fileSystem)
        try range.check(try file.info())
        return file
    }

    /// The last line of the text goes on at `offset`, or is taken out again when it is too long.
    private func appendRestOfLine(
        _ file: TextFile, from offset: Int64, before limit: Int64, to chunk: inout InputChunk
    ) throws(ConnectorError) {
        let kept = unsafe chunk.text.bytes.lastIndex(of: newline).map { $0 + 1 } ?? 0
        let searched = offset..<min(limit, max(offset, offset - Int64(chunk.text.count - kept) + lineByteCountMax))
        if let end = try file.firstLineEnd(in: searched) {
            try file.append(offset..<end, to: &chunk.text)
        } else if searched.upperBound == limit {
            try file.append(searched, to: &chunk.text)
        } else {
            chunk.text.truncate(to: kept)
            chunk.endsInLongLine = true
        }
    }

    // MARK: - One chunk

    private func locate(_ chunk: Int) -> (range: Int, index: Int) {
        precondition(chunk >= 0 && chunk < chunkCount)
        var low = 0
        var high = ranges.count
        // The last range whose first chunk is not behind `chunk`; ranges without chunks are passed over.
        while high - low > 1 {
            let middle = (low + high) / 2
            if firstChunks[middle] <= chunk { low = middle } else { high = middle }
        }
        return (low, chunk - firstChunks[low])
    }

    private func nominalStart(_ range: FileRange, _ index: Int) -> Int64 {
        range.parts?[index].range.lowerBound ?? range.start + Int64(index) * chunkByteCount
    }
}
