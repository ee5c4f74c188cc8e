// Where records end in a chunk: at line ends, or where their frames say. A framed record may hold line ends itself
// (JSON written over several lines), so nothing may look for one in it.

@safe struct RecordBounds {
    let textByteCount: Int
    private let isFramed: Bool
    /// The frames; the chunk owns them.
    private let frames: UnsafeBufferPointer<InputRecord>
    /// The frame of the next record.
    private(set) var next = 0

    /// `records` must outlive this value.
    init(_ chunk: borrowing InputChunk, records: UnsafeBufferPointer<InputRecord>) {
        textByteCount = chunk.text.count
        isFramed = chunk.isFramed
        unsafe frames = unsafe records
    }

    /// No records.
    init() {
        textByteCount = 0
        isFramed = false
        unsafe frames = unsafe UnsafeBufferPointer(start: nil, count: 0)
    }

    /// The next framed record, nil behind the last.
    @inline(__always)
    mutating func nextFrame() -> InputRecord? {
        guard unsafe next < frames.count else { return nil }
        defer { next &+= 1 }
        return unsafe frames[next]
    }

    /// Behind the last record that begins at or behind `start` (where the record handed out last begins) and ends
    /// within `byteCountMax` bytes, or behind the first record when none does; the byte between records included.
    func lastEnd(_ text: UnsafeRawPointer, from start: Int, byteCountMax: Int) -> Int {
        guard textByteCount - start > byteCountMax else { return textByteCount }
        let limit = start + byteCountMax
        if isFramed { return lastFrameEnd(before: limit) }
        var end = limit
        while end > start, unsafe text.load(fromByteOffset: end - 1, as: UInt8.self) != UInt8(ascii: "\n") { end -= 1 }
        guard end == start else { return end }
        return unsafe min(findByte(UInt8(ascii: "\n"), in: text, from: limit, to: textByteCount) + 1, textByteCount)
    }

    /// Behind the first record.
    func firstEnd(_ text: UnsafeRawPointer, from start: Int) -> Int {
        if isFramed { return frameEnd(next - 1) }
        return unsafe min(findByte(UInt8(ascii: "\n"), in: text, from: start, to: textByteCount) + 1, textByteCount)
    }

    private func frameEnd(_ frame: Int) -> Int { unsafe min(Int(frames[frame].end) + 1, textByteCount) }

    private func lastFrameEnd(before limit: Int) -> Int {
        // Frames ascend: the last one whose end is not behind the limit.
        var low = next - 1
        var high = unsafe frames.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if frameEnd(middle) <= limit { low = middle } else { high = middle }
        }
        return frameEnd(low)
    }
}
