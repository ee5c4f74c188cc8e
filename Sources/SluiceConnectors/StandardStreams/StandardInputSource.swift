// Standard input, for pipes: one partition, offsets count bytes. A thread reads ahead into bounded memory, so that the
// program that writes is held back only when the query falls behind. What has been read is kept until its batch is
// committed; after a crash it is gone, and a batch that needs it says so. A line longer than that memory is not held:
// an empty line takes its place, and offsets count that.

internal import Glibc
package import SluiceEngine
internal import SluicePlan
package import SluiceSpec
internal import SluiceSystem

/// A source that reads lines from a descriptor.
package final class StandardInputSource: Source {
    private static let partition = "stdin"

    private let reader: StreamReader
    private let chunkByteCount: Int
    private let format: RecordFormat
    private let headers: FileHeaders?
    /// The first line of this process' stream, where it names fields; nil until it has come.
    private var header: [UInt8]?
    private var isInspected = false
    /// The offset that the first byte of this process' stream has; nil before the first question.
    private var base: Int64?
    private var hasGivenEnd = false
    package private(set) var isAwaitingEnd = false

    /// - Parameter heldByteLimit: how many bytes are read ahead; also the longest line.
    package init(
        format: RecordFormat = .json(), columns: [ColumnSpec] = [], descriptor: Int32 = 0,
        chunkByteCount: Int = 1 << 20, heldByteLimit: Int = Int(maxLineByteCount)
    ) {
        self.format = format
        headers = FileHeaders(format, columns)
        self.chunkByteCount = chunkByteCount
        reader = StreamReader(descriptor: descriptor, heldByteLimit: heldByteLimit)
    }

    package var description: String { "StandardInputSource" }

    /// True once a caller has been told the very last offset: bytes may come between two questions.
    package var isFinished: Bool { hasGivenEnd }

    /// A stream starts where the last one stopped: its first byte has the offset the query is at.
    package func latestOffsets(from position: SourceOffsets, untilEnd: Bool) throws(ConnectorError) -> SourceOffsets {
        let offset = position.next[Self.partition] ?? 0
        let base = self.base ?? offset
        self.base = base
        guard reader.begin() else {
            throw ConnectorError(
                code: "no-thread", "the system has no thread left to read standard input", isRetriable: true)
        }
        let held = untilEnd ? reader.holdAll() : reader.held
        if held.errno != 0 {
            throw ConnectorError(
                code: "stdin-unreadable", "cannot read standard input: \(errorText(held.errno))", isRetriable: false)
        }
        try inspect(held)
        try readHeader(held)
        isAwaitingEnd = untilEnd && !held.isAtEnd
        if isAwaitingEnd { return position }
        hasGivenEnd = held.isAtEnd
        let end = base + (held.isAtEnd ? held.end : held.lineEnd)
        var latest = position
        if end > offset { latest.next[Self.partition] = end }
        return latest
    }

    /// Looks at the first bytes of the stream.
    private func inspect(_ held: StreamReader.Held) throws(ConnectorError) {
        guard !isInspected, held.start == 0, held.end >= 64 || held.lineEnd > 0 || held.isAtEnd else { return }
        isInspected = true
        let head = reader.text(from: 0, to: min(held.end, 4096))?.bytes ?? []
        guard let kind = UnreadFileKind(head, isWhole: held.isAtEnd && held.end <= 4096, format: format) else { return }
        throw ConnectorError(
            code: "file-kind", "standard input \(kind.sentence): unpack or convert it before the pipe",
            isRetriable: false)
    }

    /// Each process' stream begins with a header of its own, wherever the query is.
    private func readHeader(_ held: StreamReader.Held) throws(ConnectorError) {
        guard let headers, header == nil, held.start == 0, held.isAtEnd || held.lineEnd > 0 else { return }
        let head = reader.text(from: 0, to: held.isAtEnd ? held.end : held.lineEnd)?.bytes ?? []
        guard let line = headers.line(of: head, isWhole: held.isAtEnd) else { return }
        try headers.check(line, of: "standard input")
        header = line
    }

    package func planBatch(from position: SourceOffsets, to latest: SourceOffsets, limit: BatchLimit) -> [OffsetRange] {
        let start = position.next[Self.partition] ?? 0
        guard let end = latest.next[Self.partition], end > start else { return [] }
        return [OffsetRange(partition: Self.partition, start: start, end: end)]
    }

    package func open(_ ranges: [OffsetRange]) throws(ConnectorError) -> any InputBytes {
        guard let range = ranges.first else { return NoInputBytes() }
        guard let base, let text = reader.text(from: range.start - base, to: range.end - base) else {
            throw ConnectorError(
                code: "stdin-not-replayable",
                "bytes \(range.start) to \(range.end) of standard input belong to a batch that was not finished, and a "
                    + "pipe cannot give them again: start the query over with a new checkpoint, or read from a file",
                isRetriable: false)
        }
        return TextInputBytes(
            text.bytes, origin: "stdin", originOffset: range.start, startsStream: range.start == base,
            header: header ?? [], longLines: text.longLines, chunkByteCount: chunkByteCount)
    }

    /// What has been read is gone.
    package func readable(_ partitions: [String]) throws(ConnectorError) -> [String: Range<Int64>] { [:] }

    package func didCommit(_ position: SourceOffsets) {
        guard let base, let offset = position.next[Self.partition] else { return }
        reader.discard(before: offset - base)
    }
}

/// Reads a descriptor on a thread of its own and holds what nobody has discarded yet. Offsets count from its start.
private final class StreamReader: @unchecked Sendable {
    // @unchecked: everything mutable is guarded by the monitor.

    /// What is there at one moment.
    struct Held {
        var start: Int64
        var end: Int64
        /// Behind the last newline.
        var lineEnd: Int64
        var isAtEnd: Bool
        /// 0, or why reading stopped.
        var errno: Int32
    }

    private let descriptor: Int32
    private let heldByteLimit: Int
    private let monitor = Monitor()
    private var bytes: [UInt8] = []
    private var start: Int64 = 0
    private var lineEnd: Int64 = 0
    private var isAtEnd = false
    private var isLimited = true
    /// True within a line that is too long.
    private var isSkipping = false
    /// Where empty lines stand for lines that were too long.
    private var longLines: [Int64] = []
    private var code: Int32 = 0
    private var thread: SystemThread?

    init(descriptor: Int32, heldByteLimit: Int) {
        self.descriptor = descriptor
        self.heldByteLimit = heldByteLimit
    }

    /// Starts the thread, once; false when there is none to be had.
    func begin() -> Bool {
        monitor.withLock {
            if thread == nil {
                thread = SystemThread(name: "stdin") { self.run() }
                thread?.detach()
            }
            return thread != nil
        }
    }

    var held: Held { monitor.withLock { snapshot() } }

    /// From now on all of the stream is held: whoever asks wants it in one batch.
    func holdAll() -> Held {
        monitor.withLock {
            isLimited = false
            monitor.notifyAll()
            return snapshot()
        }
    }

    /// A copy of a range, and where lines of it were too long, counted from its start; nil when it is not held.
    func text(from: Int64, to end: Int64) -> (bytes: [UInt8], longLines: [Int])? {
        monitor.withLock {
            guard from >= start, from <= end, end <= start + Int64(bytes.count) else { return nil }
            let lines = longLines.filter { $0 >= from && $0 < end }.map { Int($0 - from) }
            return (Array(bytes[Int(from - start)..<Int(end - start)]), lines)
        }
    }

    func discard(before offset: Int64) {
        monitor.withLock {
            let count = min(Int(max(0, offset - start)), bytes.count)
            if count == 0 { return }
            bytes.removeFirst(count)
            start += Int64(count)
            longLines.removeAll { $0 < start }
            monitor.notifyAll()
        }
    }

    private var isFull: Bool { isLimited && bytes.count >= heldByteLimit }

    private func snapshot() -> Held {
        Held(
            start: start, end: start + Int64(bytes.count), lineEnd: lineEnd, isAtEnd: isAtEnd, errno: code)
    }

    /// Takes in what was read.
    private func append(_ block: ArraySlice<UInt8>) {
        var block = block
        if isSkipping {
            guard let end = block.firstIndex(of: newline) else { return }
            endLongLine()
            block = block[(end + 1)...]
        }
        if let last = block.lastIndex(of: newline) {
            lineEnd = start + Int64(bytes.count + last - block.startIndex + 1)
        }
        bytes += block
    }

    private func endLongLine() {
        isSkipping = false
        longLines.append(start + Int64(bytes.count))
        bytes.append(newline)
        lineEnd = start + Int64(bytes.count)
    }

    private func run() {
        var block = [UInt8](repeating: 0, count: min(heldByteLimit, 1 << 18))
        while true {
            monitor.withLock {
                while isFull {
                    if lineEnd > start {
                        monitor.wait()
                    } else {
                        bytes.removeAll(keepingCapacity: true)
                        isSkipping = true
                    }
                }
            }
            let count = unsafe block.withUnsafeMutableBytes { unsafe readSome(from: descriptor, into: $0) }
            monitor.withLock {
                if count > 0 {
                    append(block[..<count])
                } else if count == 0 {
                    if isSkipping { endLongLine() }
                    isAtEnd = true
                } else {
                    code = Int32(-count)
                }
                monitor.notifyAll()
            }
            if count <= 0 { return }
        }
    }
}

extension StandardInputSpec: SourceMaker {
    func makeSource(
        _ spec: SourceSpec, for input: InputPlan, in environment: ConnectorEnvironment
    ) throws(ConnectorError) -> any Source {
        StandardInputSource(format: spec.format, columns: spec.columns)
    }
}
