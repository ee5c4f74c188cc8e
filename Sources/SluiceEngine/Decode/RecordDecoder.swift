// Text becomes packed rows here, one record at a time: a line, or what a frame says. A decoder belongs to one worker;
// nothing is allocated per row once its buffers have grown.

internal import Glibc
internal import SluicePlan
internal import SluiceSpec

/// What a record has become.
enum RecordOutcome: Equatable {
    /// A row of so many bytes at the arena's end.
    case row(byteCount: Int)
    /// A record with a field that could not be read, or with text behind it: its row holds what could be.
    case badRow(byteCount: Int)
    /// Text that is no record: its row is what Spark makes of it (PERMISSIVE), mostly nulls.
    case noRecord(byteCount: Int)
    /// A framed record without a value: its row holds what it says beside that.
    case tombstone(byteCount: Int)
    /// A record that makes no row.
    case noRows
    /// The chunk has no more records.
    case end
}

/// Reads the records of one input. `begin` a chunk, then `next` until `.end`.
@safe struct RecordDecoder<Format: FormatDecoder & ~Copyable>: ~Copyable {
    /// The current record's place in its chunk.
    var place: RecordPlace {
        RecordPlace(byteOffset: recordRange.lowerBound, offset: isFramed ? row.attributes.recordOffset : nil)
    }
    /// Where the current record is in the chunk, without its line end.
    private(set) var recordRange = 0..<0
    /// What is wrong with the current record, if its outcome says that something is.
    var fault: RecordFault { row.fault }
    /// Where the current record's row begins in the arena.
    var rowStart: Int { row.fields.builder.start }

    private var format: Format
    private var row: RowWriter
    /// False when no column is a field of the text, so that any text will do.
    private let readsText: Bool

    private var text: UnsafeRawPointer
    private var bounds = RecordBounds()
    private var isFramed = false
    /// The first byte that has not been read.
    private var position = 0
    /// A line behind the chunk's text that was too long to be there.
    private var hasLongLine = false

    /// `zones` finds the input's time zone, which must exist, and those that text may name.
    init(_ format: consuming Format, input: InputPlan, zones: TimeZones) {
        self.format = format
        row = RowWriter(input, zones: zones)
        readsText = input.fieldCount > 0 || input.format.countsInRecords
        unsafe text = unsafe UnsafeRawPointer(bitPattern: 16)!
    }

    /// Starts on a chunk: whole records with `inputPaddingByteCount` readable bytes behind them. Neither the chunk nor
    /// `records`, which are the chunk's, may be changed or freed before `next` has returned `.end` (or the next
    /// `begin`). `startsFile` says that a header may stand in the first line.
    mutating func begin(
        _ chunk: borrowing InputChunk, records: UnsafeBufferPointer<InputRecord>, startsFile: Bool = false
    ) {
        precondition(chunk.text.capacity >= chunk.text.count + inputPaddingByteCount || chunk.text.count == 0)
        unsafe text = UnsafeRawPointer(chunk.text.base)
        unsafe bounds = RecordBounds(chunk, records: records)
        isFramed = chunk.isFramed
        row.attributes.begin(chunk)
        position = 0
        hasLongLine = chunk.endsInLongLine
        format.readHeader(chunk.header)
        format.readSchemas(chunk.schemas)
        format.begin(startsFile: startsFile)
    }

    /// Appends the next record's row to `arena`, whose count is a multiple of 8. Blank lines are skipped.
    mutating func next(into arena: inout ByteBuffer) -> RecordOutcome {
        if format.hasMoreRows { return withAttributes(format.decodeMore(&row, into: &arena)) }
        if isFramed { return nextFramed(into: &arena) }
        let textByteCount = bounds.textByteCount
        while position < textByteCount {
            unsafe format.prepare(text, from: position, bounds)
            let start = position
            let limit = unsafe format.recordEnd(text, from: start, to: textByteCount)
            position = limit &+ 1
            let end =
                unsafe limit > start && text.load(fromByteOffset: limit &- 1, as: UInt8.self) == UInt8(ascii: "\r")
                ? limit &- 1 : limit
            recordRange = start..<end
            if unsafe format.isNothing(text, start..<end, isFramed: false) { continue }
            return unsafe format.decode(text, start..<end, &row, into: &arena)
        }
        return hasLongLine ? longLine(into: &arena) : .end
    }

    private mutating func longLine(into arena: inout ByteBuffer) -> RecordOutcome {
        hasLongLine = false
        recordRange = position..<position
        return rowOfNulls(.tooLong, into: &arena)
    }

    /// As `next`, of a record with a frame, blank or not.
    private mutating func nextFramed(into arena: inout ByteBuffer) -> RecordOutcome {
        guard let frame = bounds.nextFrame() else { return .end }
        let start = position
        let end = Int(frame.end)
        position = end &+ 1
        recordRange = start..<end
        unsafe format.prepare(text, from: start, bounds)
        let value = unsafe UnsafeRawBufferPointer(start: text + start, count: end &- start)
        unsafe row.attributes.startRecord(frame, value: value)
        let outcome =
            frame.isNull ? .tombstone(byteCount: row.rowBesideText(&arena)) : decodeValue(start..<end, into: &arena)
        return withAttributes(outcome)
    }

    /// The outcome once what the record says beside its text has been looked at too.
    private mutating func withAttributes(_ outcome: RecordOutcome) -> RecordOutcome {
        guard case .row(let byteCount) = outcome, let slot = row.attributes.badSlot else { return outcome }
        row.fault = .field(slot: slot)
        return .badRow(byteCount: byteCount)
    }

    private mutating func decodeValue(_ range: Range<Int>, into arena: inout ByteBuffer) -> RecordOutcome {
        guard readsText else { return .row(byteCount: row.rowBesideText(&arena)) }
        if unsafe format.isNothing(text, range, isFramed: true) { return rowOfNulls(.empty, into: &arena) }
        return unsafe format.decode(text, range, &row, into: &arena)
    }

    private mutating func rowOfNulls(_ fault: RecordFault, into arena: inout ByteBuffer) -> RecordOutcome {
        row.fault = fault
        return .noRecord(byteCount: row.rowBesideText(&arena))
    }
}

extension RecordFormat {
    /// True where only the decoder knows how many rows a record makes.
    fileprivate var countsInRecords: Bool {
        if case .avro(let options) = self { options.framing == .container } else { false }
    }
}

/// The first place of `byte`, or `end`.
@inline(__always)
func findByte(_ byte: UInt8, in text: UnsafeRawPointer, from start: Int, to end: Int) -> Int {
    guard let found = unsafe memchr(text + start, Int32(byte), end &- start) else { return end }
    return unsafe UnsafeRawPointer(found) - text
}
