// Text becomes packed rows here, one record (one line) at a time. A decoder belongs to one worker; nothing is allocated
// per row once its buffers have grown.
//
//   JSON   simdjson's first stage finds the structure of a block of many lines at once; `JSONWalk` reads the fields of
//          the records that are well formed and ordinary. Every other line, and every line of a block that is not valid
//          UTF-8 JSON text, goes to `JSONTokenReader`, which answers as Spark does.
//   CSV    one scan per line (`CSVFields`).

internal import CSimdJSON
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
    /// The chunk has no more records.
    case end
}

/// Reads the records of one input. `begin` a chunk, then `next` until `.end`.
@safe struct RecordDecoder: ~Copyable {
    /// The current record's place in its chunk.
    var place: RecordPlace {
        RecordPlace(byteOffset: recordRange.lowerBound, offset: isFramed ? attributes.recordOffset : nil)
    }
    /// Where the current record is in the chunk, without its line end.
    private(set) var recordRange = 0..<0
    /// What is wrong with the current record, if its outcome says that something is.
    var fault = RecordFault.malformed
    /// Where the current record's row begins in the arena.
    var rowStart: Int { fields.builder.start }

    var columns: DecodedColumns
    var fields: FieldWriter
    var reader = JSONTokenReader()
    var walk = JSONWalk()
    private let isCSV: Bool
    /// False when no column is a field of the text, so that any text will do.
    private let readsText: Bool
    private var csv: CSVFields

    private var text: UnsafeRawPointer
    private var bounds = RecordBounds()
    private var isFramed = false
    /// The first byte that has not been read.
    private var position = 0
    private var isAtHeader = false
    /// A line behind the chunk's text that was too long to be there.
    private var hasLongLine = false
    private var attributes: RecordAttributes

    /// `zones` finds the input's time zone, which must exist, and those that text may name.
    init(input: InputPlan, zones: TimeZones) {
        var zones = zones
        guard let rules = zones.rules(named: input.timeZone) else {
            preconditionFailure("the planner let an unknown time zone pass: \(input.timeZone)")
        }
        columns = DecodedColumns(input.columns)
        attributes = RecordAttributes(input)
        readsText = input.fieldCount > 0
        fields = FieldWriter(
            builder: RowBuilder(layout: RowLayout(columns: input.columns)),
            timestamps: TimestampReader(rules: rules, zones: zones))
        if case .csv(let options) = input.format {
            isCSV = true
            csv = CSVFields(options: options, input: input)
        } else {
            isCSV = false
            csv = CSVFields(options: CSVOptions(), input: input)
        }
        unsafe text = unsafe UnsafeRawPointer(bitPattern: 16)!
    }

    /// Starts on a chunk: whole records with `inputPaddingByteCount` readable bytes behind them. Neither the chunk nor
    /// `records`, which are the chunk's, may be changed or freed before `next` has returned `.end` (or the next
    /// `begin`). `startsFile` says that a CSV header may stand in the first line.
    mutating func begin(
        _ chunk: borrowing InputChunk, records: UnsafeBufferPointer<InputRecord>, startsFile: Bool = false
    ) {
        precondition(chunk.text.capacity >= chunk.text.count + inputPaddingByteCount || chunk.text.count == 0)
        unsafe text = UnsafeRawPointer(chunk.text.base)
        unsafe bounds = RecordBounds(chunk, records: records)
        isFramed = chunk.isFramed
        attributes.begin(chunk)
        position = 0
        isAtHeader = startsFile && csv.hasHeader
        hasLongLine = chunk.endsInLongLine
        walk.begin()
    }

    /// Appends the next record's row to `arena`, whose count is a multiple of 8. Blank lines are skipped.
    mutating func next(into arena: inout ByteBuffer) -> RecordOutcome {
        if isFramed { return nextFramed(into: &arena) }
        let textByteCount = bounds.textByteCount
        while position < textByteCount {
            if !isCSV, position >= walk.end { unsafe walk.index(text, from: position, bounds) }
            let start = position
            let limit = unsafe findByte(UInt8(ascii: "\n"), in: text, from: start, to: textByteCount)
            position = limit &+ 1
            let end =
                unsafe limit > start && text.load(fromByteOffset: limit &- 1, as: UInt8.self) == UInt8(ascii: "\r")
                ? limit &- 1 : limit
            recordRange = start..<end
            if isCSV {
                guard end > start, !isHeader() else { continue }
                return decodeCSVRecord(into: &arena)
            } else if walk.isIndexed {
                guard walk.hasStructure(before: end) else { continue }
                return decodeIndexed(start..<end, into: &arena)
            } else {
                guard !isBlank(start..<end) else { continue }
                return decodeLeniently(into: &arena)
            }
        }
        return hasLongLine ? longLine(into: &arena) : .end
    }

    /// Decodes a record of an indexed block, which has structure.
    @inline(__always)
    private mutating func decodeIndexed(_ range: Range<Int>, into arena: inout ByteBuffer) -> RecordOutcome {
        let byteCount = unsafe walkRecord(text, range, into: &arena)
        if byteCount > 0 {
            guard walk.hasStructure(before: range.upperBound) else { return .row(byteCount: byteCount) }
            walk.skip(to: range.upperBound)
            fault = .trailingText
            return .badRow(byteCount: byteCount)
        }
        walk.skip(to: range.upperBound)
        return decodeLeniently(into: &arena)
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
        if !isCSV, start >= walk.end { unsafe walk.index(text, from: start, bounds) }
        unsafe attributes.startRecord(frame, value: record(recordRange))
        let outcome = frame.isNull ? tombstone(into: &arena) : decodeValue(start..<end, into: &arena)
        guard case .row(let byteCount) = outcome, let slot = attributes.badSlot else { return outcome }
        fault = .field(slot: slot)
        return .badRow(byteCount: byteCount)
    }

    private mutating func decodeValue(_ range: Range<Int>, into arena: inout ByteBuffer) -> RecordOutcome {
        guard readsText else { return .row(byteCount: rowBesideText(&arena)) }
        if !isCSV, walk.isIndexed, walk.hasStructure(before: range.upperBound) {
            return decodeIndexed(range, into: &arena)
        }
        if isBlank(range) { return rowOfNulls(.empty, into: &arena) }
        return isCSV ? decodeCSVRecord(into: &arena) : decodeLeniently(into: &arena)
    }

    private mutating func tombstone(into arena: inout ByteBuffer) -> RecordOutcome {
        .tombstone(byteCount: rowBesideText(&arena))
    }

    private mutating func rowOfNulls(_ fault: RecordFault, into arena: inout ByteBuffer) -> RecordOutcome {
        self.fault = fault
        return .noRecord(byteCount: rowBesideText(&arena))
    }

    /// A row of what the record says beside its text alone.
    private mutating func rowBesideText(_ arena: inout ByteBuffer) -> Int {
        beginRow(&arena)
        return fields.builder.finish(&arena)
    }

    /// Starts a row with what the record says beside its text.
    @inline(__always)
    mutating func beginRow(_ arena: inout ByteBuffer) {
        fields.builder.begin(&arena)
        if attributes.hasColumns { attributes.set(&fields, into: &arena) }
    }

    private func isBlank(_ range: Range<Int>) -> Bool {
        unsafe record(range).allSatisfy(isJSONBlank)
    }

    private func record(_ range: Range<Int>) -> UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: text + range.lowerBound, count: range.count)
    }

    /// Decodes the current record with the complete reader.
    private mutating func decodeLeniently(into arena: inout ByteBuffer) -> RecordOutcome {
        unsafe decodeLeniently(record(recordRange), into: &arena)
    }

    private mutating func isHeader() -> Bool {
        defer { isAtHeader = false }
        return isAtHeader
    }

    private mutating func decodeCSVRecord(into arena: inout ByteBuffer) -> RecordOutcome {
        beginRow(&arena)
        let fault = unsafe csv.decode(record(recordRange), columns, &fields, into: &arena)
        let byteCount = fields.builder.finish(&arena)
        guard let fault else { return .row(byteCount: byteCount) }
        self.fault = fault
        return .badRow(byteCount: byteCount)
    }
}

/// The first place of `byte`, or `end`.
@inline(__always)
func findByte(_ byte: UInt8, in text: UnsafeRawPointer, from start: Int, to end: Int) -> Int {
    guard let found = unsafe memchr(text + start, Int32(byte), end &- start) else { return end }
    return unsafe UnsafeRawPointer(found) - text
}
