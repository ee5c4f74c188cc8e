// JSON records. simdjson's first stage finds the structure of a block of many records at once; `JSONWalk` reads the
// fields of those that are well formed and ordinary. Every other record, and every record of a block that is not valid
// UTF-8 JSON text, goes to `JSONTokenReader`, which answers as Spark does.

internal import SluicePlan

struct JSONRecordDecoder: FormatDecoder, ~Copyable {
    var columns: DecodedColumns
    var reader = JSONTokenReader()
    var walk = JSONWalk()
    /// True once the complete reader has found text in the record that is not JSON.
    var isBroken = false

    init(_ input: InputPlan) {
        columns = DecodedColumns(input.columns)
        walk.node = columns.root
    }

    mutating func begin(startsFile: Bool) { walk.begin() }

    @inline(__always)
    mutating func prepare(_ text: UnsafeRawPointer, from start: Int, _ bounds: RecordBounds) {
        if start >= walk.end { unsafe walk.index(text, from: start, bounds) }
    }

    /// A block that is indexed has structure wherever it has more than blanks.
    @inline(__always)
    mutating func isNothing(_ text: UnsafeRawPointer, _ record: Range<Int>, isFramed: Bool) -> Bool {
        walk.isIndexed ? !walk.hasStructure(before: record.upperBound) : unsafe isBlankJSON(text, record)
    }

    @inline(__always)
    mutating func decode(
        _ text: UnsafeRawPointer, _ record: Range<Int>, _ row: inout RowWriter, into arena: inout ByteBuffer
    ) -> RecordOutcome {
        if walk.isIndexed {
            let byteCount = unsafe walkRecord(text, record, &row, into: &arena)
            if byteCount > 0 {
                guard walk.hasStructure(before: record.upperBound) else { return .row(byteCount: byteCount) }
                walk.skip(to: record.upperBound)
                row.fault = .trailingText
                return .badRow(byteCount: byteCount)
            }
            walk.skip(to: record.upperBound)
        }
        let bytes = unsafe UnsafeRawBufferPointer(start: text + record.lowerBound, count: record.count)
        return unsafe decodeLeniently(bytes, &row, into: &arena)
    }
}

/// True when there is nothing but blanks, as JSON has them.
func isBlankJSON(_ text: UnsafeRawPointer, _ range: Range<Int>) -> Bool {
    unsafe UnsafeRawBufferPointer(start: text + range.lowerBound, count: range.count).allSatisfy(isJSONBlank)
}
