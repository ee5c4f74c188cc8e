// Text that was unpacked and waits to be read by a batch: its first megabytes in memory, what is more in a file without
// a name in the checkpoint's folder. Chunks are read from it in any order and by many threads, as from a plain file.

internal import Glibc
internal import SluiceSystem
internal import Synchronization

/// Where the texts of one source are kept.
final class UnpackedStore: Sendable {
    /// So much of all texts together stays in memory.
    static let memoryByteCountMax = 16 << 20

    private let folder: String
    private let fileSystem: any FileSystem
    private let memoryByteCount = Atomic<Int>(0)
    private let scratch = Mutex<ScratchTexts?>(nil)

    init(folder: String, fileSystem: any FileSystem) {
        self.folder = folder
        self.fileSystem = fileSystem
    }

    /// What comes from now on goes into another file: each is given up with the last text that is in it.
    func startFile() { scratch.withLock { $0 = nil } }

    /// Keeps bytes that stand at `start` of a text.
    func keep(_ bytes: UnsafeRawBufferPointer, at start: Int64) throws(FileError) -> TextSegment {
        let range = start..<start + Int64(bytes.count)
        if memoryByteCount.load(ordering: .relaxed) + bytes.count <= Self.memoryByteCountMax {
            memoryByteCount.add(bytes.count, ordering: .relaxed)
            return TextSegment(range: range, place: .memory(MemoryText(unsafe Array(bytes), self)))
        }
        let texts = try scratch.withLock { scratch throws(FileError) in
            if let scratch { return scratch }
            let made = ScratchTexts(try fileSystem.makeScratchFile(in: folder))
            scratch = made
            return made
        }
        return TextSegment(range: range, place: .file(texts, offset: unsafe try texts.append(bytes)))
    }

    fileprivate func gaveUp(_ byteCount: Int) { memoryByteCount.subtract(byteCount, ordering: .relaxed) }
}

/// A part of a text, by its position in the text.
struct TextSegment {
    enum Place {
        case memory(MemoryText)
        case file(ScratchTexts, offset: Int64)
        /// Zeros in place of a line that is longer than any that is read.
        case blank
    }

    var range: Range<Int64>
    var place: Place

    /// Takes in a segment that follows this one in the text and in the file.
    mutating func merge(_ next: TextSegment) -> Bool {
        guard next.range.lowerBound == range.upperBound else { return false }
        switch (place, next.place) {
        case (.file(let texts, let offset), .file(let others, let start))
        where texts === others && start == offset + Int64(range.count): break
        case (.blank, .blank): break
        default: return false
        }
        range = range.lowerBound..<next.range.upperBound
        return true
    }
}

final class MemoryText: Sendable {
    let bytes: [UInt8]
    private let store: UnpackedStore

    fileprivate init(_ bytes: [UInt8], _ store: UnpackedStore) {
        self.bytes = bytes
        self.store = store
    }

    deinit { store.gaveUp(bytes.count) }
}

final class ScratchTexts: Sendable {
    let file: any ScratchFile
    private let end = Mutex<Int64>(0)

    fileprivate init(_ file: any ScratchFile) { self.file = file }

    /// Returns where the bytes are.
    fileprivate func append(_ bytes: UnsafeRawBufferPointer) throws(FileError) -> Int64 {
        let count = Int64(bytes.count)
        let start = end.withLock { end in
            defer { end += count }
            return end
        }
        unsafe try file.write(at: start, bytes)
        return start
    }
}

/// A range of the text of one compressed file, read as a file is. Offsets are positions in the whole text.
final class UnpackedText: ReadableFile {
    let range: Range<Int64>
    /// Lines before the range; nil where they were not counted.
    let lineCountBefore: Int?
    /// Of the compressed file.
    private let archive: FileInfo
    /// In their order, without gaps; they may reach over the ends of the range.
    private let segments: [TextSegment]

    init(_ range: Range<Int64>, _ segments: [TextSegment], lineCountBefore: Int?, archive: FileInfo) {
        self.range = range
        self.segments = segments
        self.lineCountBefore = lineCountBefore
        self.archive = archive
    }

    func info() throws(FileError) -> FileInfo { archive }

    func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int {
        let wanted = offset..<max(offset, min(offset + Int64(buffer.count), range.upperBound))
        precondition(offset >= range.lowerBound)
        var index = segments.partitioningIndex { $0.range.upperBound > offset }
        var position = offset
        while position < wanted.upperBound, index < segments.count {
            let segment = segments[index]
            let end = min(segment.range.upperBound, wanted.upperBound)
            let (from, to) = (Int(position - offset), Int(end - offset))
            let part = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[from..<to])
            unsafe try copy(segment, from: position, into: part)
            position = end
            index += 1
        }
        return Int(position - offset)
    }

    private func copy(
        _ segment: TextSegment, from position: Int64, into buffer: UnsafeMutableRawBufferPointer
    ) throws(FileError) {
        let start = position - segment.range.lowerBound
        switch segment.place {
        case .memory(let text): unsafe buffer.copyBytes(from: text.bytes[Int(start)..<Int(start) + buffer.count])
        case .file(let texts, let offset):
            guard unsafe try texts.file.read(at: offset + start, into: buffer) == buffer.count else {
                throw FileError(operation: "read back", path: "an unpacked text", errno: EIO)
            }
        case .blank: unsafe buffer.initializeMemory(as: UInt8.self, repeating: 0)
        }
    }
}

extension Array {
    /// The first index whose element satisfies what holds of none before it and all behind it. O(log count).
    fileprivate func partitioningIndex(_ isBehind: (Element) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if isBehind(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
