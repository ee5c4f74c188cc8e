// One record of CSV: fields between separators. A field that begins with a quote may hide separators, and where the
// spec says so (`multiline`) line ends, up to the closing quote. Quotes in it are doubled (RFC 4180), or stand behind
// an escape, which is Spark's way: `SparkQuotedValue`. Nothing is trimmed, an empty field without quotes is null.
//
// Fields go to columns by their place, or by the names in the header of the file: every chunk brings its file's header
// along, because one that begins in the middle of a file has none to look at.
//
// A line is always a record. It is judged by the columns that are decoded, by whether a quote in it is not closed,
// and by whether it has more fields than there are places: what it leaves out at its end is a fault only of a column
// that somebody looks at.
// Source: RFC 4180; for blanks and text behind a closing quote com.univocity.parsers.csv.CsvParser 2.9.1.

internal import SluicePlan
internal import SluiceSpec

/// Splits records into fields and puts them into their columns.
struct CSVRecordDecoder: FormatDecoder, ~Copyable {
    private let columns: DecodedColumns
    private let options: CSVOptions
    private let separator: UInt8
    /// What a field in quotes begins with; no byte where there are no quotes.
    private let quote: Int
    private let nullValue: [UInt8]
    /// True when text that is not UTF-8 is read as Spark does, with U+FFFD in it; else its field does not fit.
    private let isPermissive: Bool
    private let lineEnds: CSVLineEnds?
    private var places: CSVPlaces
    private var isAtHeader = false
    /// True when the record in hand is the first line of one that is not closed.
    private var isCutOff = false
    /// Whether the chunk's text is UTF-8; nil before its first record.
    private var isChunkUTF8: Bool?
    private var quoted: QuotedCSVField
    /// Reads quotes with an escape.
    private var sparkQuoted: SparkQuotedValue?
    private var repaired = ByteBuffer()

    init(_ options: CSVOptions, _ input: InputPlan) {
        columns = DecodedColumns(input.columns)
        self.options = options
        separator = options.separator
        quote = options.quote.map { Int($0) } ?? -1
        nullValue = Array((options.nullValue ?? "").utf8)
        isPermissive = input.badRows == .permissive
        lineEnds = options.isMultiline ? CSVLineEnds(options) : nil
        places = CSVPlaces(input, isByName: options.hasHeader)
        let quote = options.quote ?? 0
        quoted = QuotedCSVField(separator: options.separator, quote: quote)
        if let escape = options.escape {
            sparkQuoted = SparkQuotedValue(separator: options.separator, quote: quote, escape: escape)
        }
    }

    mutating func begin(startsFile: Bool) {
        isAtHeader = startsFile && options.hasHeader
        isChunkUTF8 = nil
    }

    mutating func readHeader(_ header: [UInt8]) {
        if options.hasHeader { places.setHeader(header, options) }
    }

    mutating func prepare(_ text: UnsafeRawPointer, from start: Int, _ bounds: RecordBounds) {
        guard isChunkUTF8 == nil else { return }
        // Framed text is all text too, but for the line ends between records.
        unsafe isChunkUTF8 = isUTF8Block(text + start, count: bounds.textByteCount &- start)
    }

    @inline(__always)
    mutating func recordEnd(_ text: UnsafeRawPointer, from start: Int, to end: Int) -> Int {
        guard let lineEnds else { return unsafe findByte(UInt8(ascii: "\n"), in: text, from: start, to: end) }
        isCutOff = false
        var scan = lineEnds
        let bytes = unsafe UnsafeRawBufferPointer(start: text, count: end)
        if let next = unsafe scan.next(in: bytes, from: start) { return next &- 1 }
        // A quote that is not closed makes one line bad, and not all that follow.
        isCutOff = scan.isInQuotes
        return isCutOff ? unsafe findByte(UInt8(ascii: "\n"), in: text, from: start, to: end) : end
    }

    mutating func isNothing(_ text: UnsafeRawPointer, _ record: Range<Int>, isFramed: Bool) -> Bool {
        if isFramed { return unsafe isBlankJSON(text, record) }
        guard !record.isEmpty else { return true }
        defer { isAtHeader = false }
        return isAtHeader
    }

    mutating func decode(
        _ text: UnsafeRawPointer, _ record: Range<Int>, _ row: inout RowWriter, into arena: inout ByteBuffer
    ) -> RecordOutcome {
        row.begin(&arena)
        let line = unsafe UnsafeRawBufferPointer(start: text + record.lowerBound, count: record.count)
        var fault: RecordFault? =
            if isChunkUTF8 == true {
                unsafe decode(line, .text, &row.fields, into: &arena)
            } else {
                unsafe decodeDoubtful(line, &row.fields, into: &arena)
            }
        if isCutOff {
            if case .unclosedQuote? = fault {} else { fault = .unclosedQuote(slot: -1) }
        }
        let byteCount = row.fields.builder.finish(&arena)
        guard let fault else { return .row(byteCount: byteCount) }
        row.fault = fault
        return .badRow(byteCount: byteCount)
    }

    private enum Encoding {
        /// UTF-8 with padding behind it.
        case text
        /// It is not UTF-8.
        case broken
        /// Text, but not in the chunk.
        case copy
    }

    @inline(never)
    private mutating func decodeDoubtful(
        _ line: UnsafeRawBufferPointer, _ fields: inout FieldWriter, into arena: inout ByteBuffer
    ) -> RecordFault? {
        repaired.removeAll()
        guard unsafe repairUTF8(line, into: &repaired) else { return unsafe decode(line, .text, &fields, into: &arena) }
        guard isPermissive else { return unsafe decode(line, .broken, &fields, into: &arena) }
        let copy = unsafe repaired.bytes
        return unsafe decode(copy, .copy, &fields, into: &arena)
    }

    /// Sets the columns of a row that has been begun; returns the first thing that is wrong with the line. `line` is
    /// not empty.
    @inline(__always)
    private mutating func decode(
        _ line: UnsafeRawBufferPointer, _ encoding: Encoding, _ fields: inout FieldWriter, into arena: inout ByteBuffer
    ) -> RecordFault? {
        var fault: RecordFault?
        var place = 0
        var start = 0
        while true {
            let slot = places.slot(place)
            var end: Int
            if start < line.count, unsafe Int(line[start]) == quote {
                end = unsafe decodeQuoted(line, from: start, slot, encoding, &fields, &fault, into: &arena)
            } else {
                end = unsafe findMark(separator, in: line, from: start)
                if slot >= 0, end > start {
                    let value = unsafe UnsafeRawBufferPointer(rebasing: line[start..<end])
                    unsafe set(slot, value, encoding, &fields, &fault, into: &arena)
                }
            }
            place &+= 1
            guard end < line.count else { break }
            start = end &+ 1
        }
        if place > places.count { return .moreValues }
        return place < places.neededCount ? fault ?? places.missingValue(from: place) : fault
    }

    /// Sets the columns that are read from a field without quotes that is not empty.
    @inline(__always)
    private mutating func set(
        _ first: Int, _ value: UnsafeRawBufferPointer, _ encoding: Encoding, _ fields: inout FieldWriter,
        _ fault: inout RecordFault?, into arena: inout ByteBuffer
    ) {
        if !nullValue.isEmpty, unsafe value.elementsEqual(nullValue) { return }
        var slot = first
        repeat {
            let column = unsafe columns.table[slot]
            if encoding == .broken, unsafe !isUTF8(value) {
                fault = fault ?? .fieldEncoding(slot: slot)
            } else {
                let isRead =
                    unsafe encoding == .copy
                    ? fields.setCSVText(slot, column, value, in: &arena)
                    : fields.setPaddedCSVText(slot, column, value, in: &arena)
                if !isRead { fault = fault ?? .field(slot: slot) }
            }
            slot = places.next(slot)
        } while slot >= 0
    }

    /// Sets the columns that are read from the field whose opening quote stands at `start`; returns where its separator
    /// is, or the line's end.
    @inline(never)
    private mutating func decodeQuoted(
        _ line: UnsafeRawBufferPointer, from start: Int, _ first: Int, _ encoding: Encoding,
        _ fields: inout FieldWriter, _ fault: inout RecordFault?, into arena: inout ByteBuffer
    ) -> Int {
        if sparkQuoted != nil {
            return unsafe decodeEscaped(line, start, first, encoding, &fields, &fault, into: &arena)
        }
        let (end, ending) = unsafe quoted.read(line, from: start)
        if ending == .unclosed { fault = fault ?? .unclosedQuote(slot: first) }
        var slot = first
        while slot >= 0 {
            defer { slot = places.next(slot) }
            if ending == .textBehind { fault = fault ?? .textBehindQuote(slot: slot) }
            if ending == .closed || isPermissive { setQuoted(slot, encoding, &fields, &fault, into: &arena) }
        }
        return end
    }

    /// A field in quotes that is empty is text, where the column is.
    private mutating func setQuoted(
        _ slot: Int, _ encoding: Encoding, _ fields: inout FieldWriter, _ fault: inout RecordFault?,
        into arena: inout ByteBuffer
    ) {
        let value = unsafe quoted.value
        let column = unsafe columns.table[slot]
        if value.count == 0, column.kind != .string { return }
        if encoding == .broken, unsafe !isUTF8(value) {
            fault = fault ?? .fieldEncoding(slot: slot)
            return
        }
        let isPadded = encoding == .text && quoted.isInLine && value.count > 0
        let isRead =
            unsafe isPadded
            ? fields.setPaddedCSVText(slot, column, value, in: &arena)
            : fields.setCSVText(slot, column, value, in: &arena)
        if !isRead { fault = fault ?? .field(slot: slot) }
    }

    /// As Spark: what is null is so with quotes as well.
    private mutating func decodeEscaped(
        _ line: UnsafeRawBufferPointer, _ start: Int, _ first: Int, _ encoding: Encoding,
        _ fields: inout FieldWriter, _ fault: inout RecordFault?, into arena: inout ByteBuffer
    ) -> Int {
        guard var reader = sparkQuoted.take() else { return line.count }
        let end = unsafe reader.read(line, from: start)
        let value = unsafe reader.value
        var slot = unsafe value.elementsEqual(nullValue) ? -1 : first
        while slot >= 0 {
            let column = unsafe columns.table[slot]
            if encoding == .broken, unsafe !isUTF8(value) {
                fault = fault ?? .fieldEncoding(slot: slot)
            } else if unsafe !fields.setCSVText(slot, column, value, in: &arena) {
                fault = fault ?? .field(slot: slot)
            }
            slot = places.next(slot)
        }
        sparkQuoted = consume reader
        return end
    }
}

/// Which columns are read from which field of a line.
private struct CSVPlaces {
    /// How many fields a line has.
    private(set) var count: Int
    /// The place behind the last one whose field somebody looks at.
    private(set) var neededCount = 0
    /// For each place the first column that takes its field, or -1.
    private var slots: [Int]
    /// For each column the next one that is read from the same field, or -1.
    private var others: [Int]
    /// For each column the name of its field; nil for one that is no field of the text.
    private let names: [String?]
    /// The header that `slots` are of.
    private var header: [UInt8] = []

    init(_ input: InputPlan, isByName: Bool) {
        names = input.columns.map { $0.origin.csvName }
        others = [Int](repeating: -1, count: input.columns.count)
        slots = []
        count = 0
        guard !isByName else { return }
        count = input.fieldCount
        slots = [Int](repeating: -1, count: count)
        for (slot, column) in input.columns.enumerated() where names[slot] != nil { slots[column.declaredIndex] = slot }
        neededCount = (slots.lastIndex { $0 >= 0 } ?? -1) + 1
    }

    @inline(__always)
    func slot(_ place: Int) -> Int { place < slots.count ? slots[place] : -1 }

    @inline(__always)
    func next(_ slot: Int) -> Int { others[slot] }

    /// Takes the header of the file that is read from now on. Of two fields of one name the first counts; who reads the
    /// file has refused it where that matters.
    mutating func setHeader(_ header: [UInt8], _ options: CSVOptions) {
        guard header != self.header || slots.isEmpty else { return }
        self.header = header
        let found = CSVHeader(header, options).names
        count = found.count
        slots = [Int](repeating: -1, count: count)
        for slot in names.indices.reversed() {
            guard let name = names[slot], let place = found.firstIndex(of: name) else { continue }
            others[slot] = slots[place]
            slots[place] = slot
        }
        neededCount = (slots.lastIndex { $0 >= 0 } ?? -1) + 1
    }

    /// The first column that a line of `place` fields leaves out.
    func missingValue(from place: Int) -> RecordFault? {
        slots[place...].first { $0 >= 0 }.map { .missingValue(slot: $0) }
    }
}

/// The first place of a byte, or the text's end.
@inline(__always)
func findMark(_ mark: UInt8, in text: UnsafeRawBufferPointer, from start: Int) -> Int {
    var index = start
    let pattern = UInt64(mark) &* 0x0101_0101_0101_0101
    while index &+ 8 <= text.count {
        let word = unsafe UInt64(littleEndian: text.loadUnaligned(fromByteOffset: index, as: UInt64.self)) ^ pattern
        // A borrow marks only bytes above a zero byte: the lowest mark is right.
        let zeros = (word &- 0x0101_0101_0101_0101) & ~word & 0x8080_8080_8080_8080
        if zeros != 0 { return index &+ (zeros.trailingZeroBitCount &>> 3) }
        index &+= 8
    }
    while index < text.count, unsafe text[index] != mark { index &+= 1 }
    return index
}
