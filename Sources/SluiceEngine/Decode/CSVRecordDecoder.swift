// One record of CSV as Spark's from_csv reads it (univocity-parsers with Spark's settings). A value that begins with a
// quote may hide separators up to the closing quote, and its escape is the backslash: `"a\"b"` is `a"b`, whereas
// a doubled quote makes the value be taken as it stands, quotes included. Nothing is trimmed, an empty value is null.
//
// A record is one line: a line end inside quotes ends it, because input is cut into chunks at line ends without looking
// into them. Values go to columns by their place, and a header line is skipped, not read: that is what Spark does
// with a declared schema, and a chunk that begins in the middle of a file has no header to look at.
//
// A line is always a record. It is judged by the columns that are decoded, and by whether it has more values than the
// source has columns: what it leaves out at its end is a fault only of a column that somebody looks at.

internal import SluicePlan
internal import SluiceSpec

/// Splits lines into values and puts them into their columns.
struct CSVRecordDecoder: FormatDecoder, ~Copyable {
    private let columns: DecodedColumns
    private let separator: UInt8
    private let hasHeader: Bool
    private var isAtHeader = false
    /// For each place in a line the column that takes its value, or -1.
    private let columnsOfPlaces: [Int]
    /// The place behind the last one whose value somebody looks at.
    private let neededPlaceCount: Int
    /// True when text that is not UTF-8 is read as Spark does, with U+FFFD in it; else its field does not fit.
    private let repairsText: Bool
    private var quoted: QuotedCSVValue
    private var repaired = ByteBuffer()

    init(_ options: CSVOptions, _ input: InputPlan) {
        columns = DecodedColumns(input.columns)
        separator = options.separator
        hasHeader = options.hasHeader
        repairsText = input.badRows == .permissive
        var places = [Int](repeating: -1, count: input.fieldCount)
        for (slot, column) in input.columns.enumerated() {
            if case .field = column.origin { places[column.declaredIndex] = slot }
        }
        columnsOfPlaces = places
        neededPlaceCount = (places.lastIndex { $0 >= 0 } ?? -1) + 1
        quoted = QuotedCSVValue(separator: options.separator)
    }

    mutating func begin(startsFile: Bool) { isAtHeader = startsFile && hasHeader }

    mutating func prepare(_ text: UnsafeRawPointer, from start: Int, _ bounds: RecordBounds) {}

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
        let fault = unsafe decode(line, &row.fields, into: &arena)
        let byteCount = row.fields.builder.finish(&arena)
        guard let fault else { return .row(byteCount: byteCount) }
        row.fault = fault
        return .badRow(byteCount: byteCount)
    }

    /// Sets the columns of a row that has been begun; returns the first thing that is wrong with the line. `line` is
    /// not empty, and 32 bytes behind it are readable.
    private mutating func decode(
        _ line: UnsafeRawBufferPointer, _ fields: inout FieldWriter, into arena: inout ByteBuffer
    ) -> RecordFault? {
        repaired.removeAll()
        let isBroken = unsafe repairUTF8(line, into: &repaired)
        let isRepaired = isBroken && repairsText
        let line = unsafe isRepaired ? repaired.bytes : line
        var fault: RecordFault?
        var place = 0
        var start = 0
        while true {
            var end: Int
            var value: UnsafeRawBufferPointer
            if start < line.count, unsafe line[start] == UInt8(ascii: "\"") {
                end = unsafe quoted.read(line, from: start)
                unsafe value = quoted.value
            } else {
                end = unsafe findSeparator(line, from: start)
                unsafe value = UnsafeRawBufferPointer(rebasing: line[start..<end])
            }
            let slot = place < columnsOfPlaces.count ? columnsOfPlaces[place] : -1
            if slot >= 0, unsafe !value.isEmpty {
                let column = unsafe columns.table[slot]
                let isInChunk = unsafe !isRepaired && line[start] != UInt8(ascii: "\"")
                if isBroken, !isRepaired, unsafe !isUTF8(value) {
                    fault = fault ?? .fieldEncoding(slot: slot)
                } else {
                    let isRead =
                        unsafe isInChunk
                        ? fields.setPaddedCSVText(slot, column, value, in: &arena)
                        : fields.setCSVText(slot, column, value, in: &arena)
                    if !isRead { fault = fault ?? .field(slot: slot) }
                }
            }
            place += 1
            guard end < line.count else { break }
            start = end + 1
        }
        if place > columnsOfPlaces.count { return .moreValues }
        return place < neededPlaceCount ? fault ?? missingValue(from: place) : fault
    }

    private func missingValue(from place: Int) -> RecordFault? {
        columnsOfPlaces[place...].first { $0 >= 0 }.map { .missingValue(slot: $0) }
    }

    /// The place of the next separator, or the line's end.
    @inline(__always)
    private func findSeparator(_ line: UnsafeRawBufferPointer, from start: Int) -> Int {
        var index = start
        let pattern = UInt64(separator) &* 0x0101_0101_0101_0101
        while index &+ 8 <= line.count {
            let word = unsafe UInt64(littleEndian: line.loadUnaligned(fromByteOffset: index, as: UInt64.self)) ^ pattern
            // A borrow marks only bytes above a zero byte: the lowest mark is right.
            let zeros = (word &- 0x0101_0101_0101_0101) & ~word & 0x8080_8080_8080_8080
            if zeros != 0 { return index &+ (zeros.trailingZeroBitCount &>> 3) }
            index &+= 8
        }
        while index < line.count, unsafe line[index] != separator { index &+= 1 }
        return index
    }
}

/// A value that begins with a quote, by univocity's state machine: what stands behind a closing quote decides what the
/// quote was. Its oddities are kept, since they decide Spark's answers for sloppy text.
/// Source: com.univocity.parsers.csv.CsvParser 2.9.1 (by behaviour), unescaped quotes handled as STOP_AT_DELIMITER.
@safe private struct QuotedCSVValue: ~Copyable {
    private struct EndOfLine: Error {}

    private let separator: UInt8
    private let quote = UInt8(ascii: "\"")
    private let escape = UInt8(ascii: "\\")
    private var content = ByteBuffer()
    private var line = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
    private var position = 0
    /// The byte in hand and the one that was in hand before it; 0 is none.
    private var byte: UInt8 = 0
    private var previous: UInt8 = 0
    /// True once a quote has turned out not to close the value.
    private var isUnescaped = false

    init(separator: UInt8) { self.separator = separator }

    /// The value that was read last.
    var value: UnsafeRawBufferPointer { unsafe content.bytes }

    /// Reads the value whose opening quote stands at `start`; returns where its separator is, or the line's end.
    mutating func read(_ line: UnsafeRawBufferPointer, from start: Int) -> Int {
        unsafe self.line = unsafe line
        content.removeAll()
        position = start + 1
        byte = quote
        previous = 0
        isUnescaped = false
        do throws(EndOfLine) {
            try readQuoted()
            return position - 1
        } catch {
            if byte == quote, previous != quote, !isUnescaped { content.append(quote) }
            return line.count
        }
    }

    private mutating func advance() throws(EndOfLine) {
        guard unsafe position < line.count else { throw EndOfLine() }
        byte = unsafe line[position]
        position += 1
    }

    /// Appends up to a byte for which `isStop` holds, which is then in hand. At the line's end the byte in hand is
    /// still the first one: univocity's reader keeps it, and what becomes of a last quote depends on it.
    private mutating func append(until isStop: (UInt8) -> Bool) throws(EndOfLine) {
        let first = byte
        while !isStop(byte) {
            content.append(byte)
            do throws(EndOfLine) {
                try advance()
            } catch {
                byte = first
                throw error
            }
        }
    }

    private mutating func readQuoted() throws(EndOfLine) {
        try advance()
        while !(previous == quote && (byte <= 0x20 || byte == separator)) {
            if byte == quote || byte == escape {
                try readQuoteOrEscape()
                previous = byte
                try advance()
                if isUnescaped, byte == separator { return }
                continue
            }
            if previous == quote {
                isUnescaped = true
                content.append(quote)
                content.append(byte)
                return try readVerbatim()
            }
            if previous == escape { content.append(escape) }
            let (quote, escape) = (quote, escape)
            try append { $0 == quote || $0 == escape }
            previous = byte
            try advance()
        }
        guard byte != separator else { return }
        let blanksStart = position - 1
        repeat { try advance() } while byte <= 0x20 && byte != separator
        guard byte != separator else { return }
        content.append(quote)
        unsafe content.append(UnsafeRawBufferPointer(rebasing: line[blanksStart..<position]))
        try readVerbatim()
    }

    /// The closing quote was none: the opening one is content too, and so is everything up to the separator.
    private mutating func readVerbatim() throws(EndOfLine) {
        previous = byte
        // The byte in hand may be the first of a character, which univocity holds as a whole.
        while byte < 0xF0, unsafe position < line.count, unsafe line[position] & 0xC0 == 0x80 {
            unsafe content.append(line[position])
            position += 1
        }
        content.insertAtFront(quote)
        try advance()
        let separator = separator
        try append { $0 == separator }
    }

    private mutating func readQuoteOrEscape() throws(EndOfLine) {
        if byte == escape, previous == escape {
            content.append(escape)
            byte = 0
        } else if previous == escape {
            content.append(quote)
            byte = 0
        } else if previous == quote {
            content.append(quote)
            guard byte == escape else { return }
            previous = byte
            try readPastStrayEscape()
        }
    }

    /// A quote followed by an escape: univocity goes on as in a value without quotes, to the separator. Each further
    /// such pair on the way is a level that takes one more byte, separator or not, when it ends.
    private mutating func readPastStrayEscape() throws(EndOfLine) {
        var levels = 0
        while true {
            while byte != separator {
                if byte == quote || byte == escape {
                    if byte == escape, previous == escape {
                        content.append(escape)
                        byte = 0
                    } else if previous == escape {
                        content.append(quote)
                        byte = 0
                    } else if previous == quote {
                        content.append(quote)
                        if byte == escape {
                            previous = byte
                            levels += 1
                            continue
                        }
                    }
                } else {
                    if previous == quote {
                        content.append(quote)
                        previous = byte
                        continue
                    }
                    content.append(byte)
                }
                previous = byte
                try advance()
            }
            guard levels > 0 else { return }
            levels -= 1
            previous = byte
            try advance()
        }
    }
}

extension ByteBuffer {
    fileprivate mutating func insertAtFront(_ byte: UInt8) {
        append(byte)
        unsafe (base + 1).copyMemory(from: base, byteCount: count - 1)
        unsafe base.storeBytes(of: byte, as: UInt8.self)
    }
}
