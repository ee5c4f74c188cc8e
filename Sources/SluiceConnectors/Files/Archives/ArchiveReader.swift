// One compressed file, unpacked from its start to its end, as far as batches are planned. Where a text ends is known
// only when it has been unpacked, so what a batch is to read is unpacked when it is planned, and once: the batch then
// reads what was kept. It follows that
//
//   - the end of a range in the offset log is the true one, and a batch that runs again reads the same bytes;
//   - an archive that is damaged or cut off is known before a batch holds any of it, unless it is larger than a batch.
//
//     text      |======================|----------------|······················
//               0          taken       start  unpacked  position    not unpacked

internal import Glibc
internal import SluiceEngine
internal import SluiceSystem

/// The open stream of one compressed file. What it reads from is closed with it.
final class ArchiveReader {
    let path: String
    /// What stood at the path when it was opened.
    let info: FileInfo
    let mark: WholeFileMark
    /// What is before was taken by batches.
    private(set) var start: Int64 = 0
    /// What is before was unpacked.
    private(set) var position: Int64 = 0
    /// True when there is no text behind `position`.
    private(set) var isAtEnd = false
    private let compression: Compression
    private let decompressor: Decompressor
    private let file: any ReadableFile
    private let store: UnpackedStore
    private let lineByteCountMax: Int64
    /// Compressed bytes that were read from the file and not unpacked yet begin at `used`.
    private var input: ByteBuffer
    private var used = 0
    private(set) var readByteCount: Int64 = 0
    private var block = ByteBuffer()
    /// Of the text from `start` to `position`.
    private var segments: [TextSegment] = []
    private var lineStart: Int64 = 0
    /// In the text before `start`; nil when it is too long for lines to be counted, or has none.
    private var lineCount: Int?

    private static let blockByteCount = 1 << 19
    private static let inputByteCount = 1 << 17

    /// - Parameter file: is at `path`, and looks like `info`.
    init(
        _ path: String, _ file: any ReadableFile, _ info: FileInfo, _ mark: WholeFileMark, _ compression: Compression,
        store: UnpackedStore, lineByteCountMax: Int64
    ) {
        self.path = path
        self.file = file
        self.info = info
        self.mark = mark
        self.compression = compression
        self.store = store
        self.lineByteCountMax = lineByteCountMax
        decompressor = Decompressor(compression)
        lineCount = compression == .avro ? nil : 0
        input = ByteBuffer(capacity: Int(min(info.byteCount, Int64(Self.inputByteCount))) + 1)
    }

    // MARK: - What batches take

    /// Passes over what was taken before. O(offset).
    func skip(to offset: Int64) throws(ConnectorError) {
        precondition(position <= offset && segments.isEmpty)
        while position < offset, !isAtEnd {
            try fill(to: offset)
            if position <= FileInputBytes.countedByteCountMax {
                lineCount = lineCount.map { unsafe $0 + block.bytes.count { $0 == newline } }
            } else {
                lineCount = nil
            }
        }
        start = offset
        lineStart = offset
        if position < offset { throw ConnectorError(truncated: path, to: position, below: offset) }
    }

    /// Unpacks up to an offset, as far as there is text.
    func unpack(to offset: Int64) throws(ConnectorError) {
        while position < offset, !isAtEnd {
            let blockStart = position
            try fill(to: offset)
            if block.count > 0 { try keepBlock(at: blockStart) }
        }
        if isAtEnd { try checkIsUnchanged() }
    }

    /// Where a range ends that is to be about so long, so that it holds whole records.
    func recordEnd(near offset: Int64, _ records: (any RecordCuts)?) throws(ConnectorError) -> Int64 {
        guard let records else { return try lineEnd(near: offset) }
        while true {
            let range = start..<position
            if let end = try records.end(near: offset, in: text(to: position), range, isWhole: isAtEnd) { return end }
            if isAtEnd { return position }
            // What was looked through is looked through again: so much more each time that it does not add up.
            try unpack(to: position + max(Int64(Self.blockByteCount), position - start))
        }
    }

    /// Where a range ends that is to be about so long: behind the last line end before an offset, or behind the first
    /// line, if that is longer.
    private func lineEnd(near offset: Int64) throws(ConnectorError) -> Int64 {
        if let end = try text(to: min(offset, position)).lastLineEnd(in: start..<min(offset, position)) { return end }
        var searched = min(offset, position)
        while true {
            if let end = try text(to: position).firstLineEnd(in: searched..<position) { return end }
            if isAtEnd { return position }
            searched = position
            try unpack(to: position + Int64(Self.blockByteCount))
        }
    }

    private func text(to end: Int64) -> TextFile { TextFile(path, unpacked(to: end)) }

    private func unpacked(to end: Int64) -> UnpackedText {
        UnpackedText(start..<end, segments, lineCountBefore: lineCount, archive: info)
    }

    /// Gives what was unpacked before `end` to a batch.
    func take(to end: Int64) throws(ConnectorError) -> UnpackedText {
        precondition(end >= start && end <= position)
        let text = unpacked(to: end)
        if end < position || !isAtEnd {
            lineCount =
                end <= FileInputBytes.countedByteCountMax
                ? try lineCount.map { count throws(ConnectorError) in
                    count + (try TextFile(path, text).lineCount(in: start..<end))
                } : nil
        }
        start = end
        segments.removeAll { $0.range.upperBound <= end }
        return text
    }

    // MARK: - Unpacking

    /// Unpacks the next block, which ends at `offset` at the latest.
    private func fill(to offset: Int64) throws(ConnectorError) {
        block.removeAll()
        let room = Int(min(Int64(Self.blockByteCount), offset - position))
        block.reserve(room)
        while block.count < room {
            if used == input.count { try readInput() }
            let isEndOfInput = used == input.count
            let step: Decompressor.Step
            do throws(ArchiveDamage) {
                step = unsafe try decompressor.step(
                    UnsafeRawBufferPointer(rebasing: input.bytes[used...]),
                    into: UnsafeMutableRawBufferPointer(start: block.base + block.count, count: room - block.count))
            } catch {
                throw damaged(error)
            }
            used += step.consumedByteCount
            block.advance(by: step.producedByteCount)
            if isEndOfInput, step.producedByteCount == 0 {
                guard step.isComplete else { throw cutOff() }
                isAtEnd = true
                break
            }
        }
        position += Int64(block.count)
    }

    private func readInput() throws(ConnectorError) {
        input.removeAll()
        used = 0
        input.reserve(Self.inputByteCount)
        do throws(FileError) {
            let count = unsafe try file.read(
                at: readByteCount, into: UnsafeMutableRawBufferPointer(start: input.base, count: Self.inputByteCount))
            input.advance(by: count)
            readByteCount += Int64(count)
        } catch { throw ConnectorError(reading: error) }
    }

    private func keepBlock(at blockStart: Int64) throws(ConnectorError) {
        let end = blockStart + Int64(block.count)
        let holdsLines = compression != .avro
        let lastNewline = unsafe holdsLines ? block.bytes.lastIndex(of: newline) : nil
        var segment = TextSegment(range: blockStart..<end, place: .blank)
        // The rest of a line that is too long to be read is not kept: a file without newlines must not fill the disk.
        if !holdsLines || lastNewline != nil || blockStart - lineStart <= lineByteCountMax {
            do throws(FileError) { segment = unsafe try store.keep(block.bytes, at: blockStart) } catch {
                throw unkept(error)
            }
        }
        if let lastNewline { lineStart = blockStart + Int64(lastNewline) + 1 }
        if segments.isEmpty || !segments[segments.count - 1].merge(segment) { segments.append(segment) }
    }

    /// A file that somebody writes to is not the one that was looked at.
    private func checkIsUnchanged() throws(ConnectorError) {
        let now: FileInfo
        do throws(FileError) { now = try file.info() } catch { throw ConnectorError(reading: error) }
        guard now.byteCount != info.byteCount || now.modifiedNanos != info.modifiedNanos else { return }
        throw ConnectorError(
            code: "file-changed",
            "\(path) was written to while it was read: move files into the folder only when they are complete",
            isRetriable: true)
    }

    // MARK: - What may be wrong

    private var taken: String { start > 0 ? "; the rows before byte \(start) of it have been taken" : "" }

    private func damaged(_ damage: ArchiveDamage) -> ConnectorError {
        ConnectorError(
            code: "file-damaged",
            "\(path) is damaged: its text cannot be unpacked beyond byte \(position + Int64(block.count)) "
                + "(\(compression.name): \(damage.reason))\(taken). Replace it by a good copy, or move it away",
            isRetriable: false)
    }

    private func cutOff() -> ConnectorError {
        ConnectorError(
            code: "file-damaged",
            "\(path) is cut off: its \(compression.name) data ends before its text does, behind byte "
                + "\(position + Int64(block.count)) of it\(taken). Replace it by a whole copy, or move it away; move "
                + "files into the folder only when they are complete",
            isRetriable: false)
    }

    private func unkept(_ error: FileError) -> ConnectorError {
        let isFull = error.errno == ENOSPC || error.errno == EDQUOT
        return ConnectorError(
            code: isFull ? "disk-full" : "file-unwritable",
            "the unpacked text of \(path) does not fit into memory and cannot be kept in a file: \(error): "
                + (isFull
                    ? "make room, or set a lower `max_bytes_per_trigger`; the query goes on then"
                    : "check the checkpoint's folder, its permissions and the disk"),
            isRetriable: true)
    }
}
