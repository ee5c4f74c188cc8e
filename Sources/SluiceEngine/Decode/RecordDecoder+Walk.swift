// The fast path: a record that is strict JSON, an object whose wanted fields hold values of their own types. Everything
// it accepts it has checked as Jackson would, skipped fields too; what it does not accept goes to the complete reader,
// so it may give up anywhere. The two agree wherever both answer (a test holds them to it).

/// One record in a block: all positions count from the block's start.
@safe private struct WalkedRecord {
    let text: UnsafeRawPointer
    let structurals: UnsafePointer<UInt32>
    /// The record's end.
    let end: Int
    let hasBackslash: Bool

    /// Position of a structural character; may be at or behind `end`.
    @inline(__always)
    func position(_ structural: Int) -> Int {
        unsafe Int(structurals[structural])
    }

    @inline(__always)
    func byte(_ position: Int) -> UInt8 {
        unsafe text.load(fromByteOffset: position, as: UInt8.self)
    }

    /// The place behind the last byte before `limit` that is not blank. There is one: a quote, a digit or a letter.
    @inline(__always)
    func trimmedEnd(_ limit: Int) -> Int {
        var end = limit
        while byte(end &- 1) <= 0x20, isJSONBlank(byte(end &- 1)) { end &-= 1 }
        return end
    }

    @inline(__always)
    func bytes(_ range: Range<Int>) -> UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: text + range.lowerBound, count: range.count)
    }
}

extension RecordDecoder {
    /// Appends the row of the record at `range` of the chunk and returns its byte count; or appends nothing and returns 0
    /// when the record is not for this path.
    mutating func walkRecord(_ chunk: UnsafeRawPointer, _ range: Range<Int>, into arena: inout ByteBuffer) -> Int {
        guard columns.isWalkable else { return 0 }
        let record = unsafe WalkedRecord(
            text: chunk + walk.blockStart, structurals: walk.structurals, end: range.upperBound &- walk.blockStart,
            hasBackslash: walk.hasBackslash(chunk, in: range))
        fields.builder.begin(&arena)
        guard walkFields(record, into: &arena) else {
            fields.builder.abandon(&arena)
            return 0
        }
        return fields.builder.finish(&arena)
    }

    @inline(__always)
    private mutating func walkFields(_ record: WalkedRecord, into arena: inout ByteBuffer) -> Bool {
        var cursor = walk.cursor
        guard record.byte(record.position(cursor)) == UInt8(ascii: "{") else { return false }
        cursor &+= 1
        var quote = record.position(cursor)
        guard quote < record.end else { return false }
        if record.byte(quote) == UInt8(ascii: "}") {
            walk.cursor = cursor &+ 1
            return true
        }
        var previous = -1
        while true {
            // `quote` is the next structural character. The value's place is read before the colon is believed:
            // positions ascend, so one comparison with the end serves for both.
            let colon = record.position(cursor &+ 1)
            let value = record.position(cursor &+ 2)
            guard value < record.end, record.byte(quote) == UInt8(ascii: "\""),
                record.byte(colon) == UInt8(ascii: ":")
            else { return false }
            let name = quote &+ 1..<record.trimmedEnd(colon) &- 1
            let column = findColumn(record, name, after: &previous)
            cursor &+= 2
            if column >= 0 {
                cursor = walkValue(record, cursor, column, into: &arena)
            } else {
                guard column == -1 else { return false }
                cursor = skipValue(record, cursor)
            }
            // The cursor stands at what follows the value; 0 says that the value was refused.
            let separator = record.position(cursor)
            guard cursor > 0, separator < record.end else { return false }
            let byte = record.byte(separator)
            cursor &+= 1
            if byte == UInt8(ascii: "}") {
                // Jackson reads no further, so whatever follows is no concern.
                walk.cursor = cursor
                return true
            }
            quote = record.position(cursor)
            guard byte == UInt8(ascii: ","), quote < record.end else { return false }
        }
    }

    /// The column a field feeds, -1 for none, -2 for a name that must be decoded first. Fields mostly come in the order
    /// of the record before.
    @inline(__always)
    private mutating func findColumn(_ record: WalkedRecord, _ name: Range<Int>, after previous: inout Int) -> Int {
        let expected = unsafe previous < 0 ? walk.firstColumn : Int(columns.table[previous].successor)
        if expected >= 0, isName(record, name, of: expected) {
            previous = expected
            return expected
        }
        return findUnexpectedColumn(record, name, after: &previous)
    }

    @inline(never)
    private mutating func findUnexpectedColumn(_ record: WalkedRecord, _ name: Range<Int>, after previous: inout Int)
        -> Int
    {
        let bytes = unsafe record.bytes(name)
        if record.hasBackslash, unsafe bytes.contains(UInt8(ascii: "\\")) { return -2 }
        let column = unsafe columns.column(named: bytes)
        if column >= 0 {
            if previous >= 0 {
                unsafe columns.table[previous].successor = Int32(column)
            } else {
                walk.firstColumn = column
            }
            previous = column
        }
        return column
    }

    @inline(__always)
    private func isName(_ record: WalkedRecord, _ name: Range<Int>, of column: Int) -> Bool {
        guard unsafe name.count == Int(columns.table[column].nameByteCount) else { return false }
        let text = unsafe record.text + name.lowerBound
        let expected = unsafe columns.name(of: column)
        var offset = 0
        while offset &+ 8 <= name.count {
            guard
                unsafe text.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
                    == expected.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            else { return false }
            offset &+= 8
        }
        // What is left: up to seven bytes, the others shifted out. Both sides have readable bytes behind them.
        let difference =
            unsafe UInt64(littleEndian: text.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            ^ UInt64(littleEndian: expected.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
        return difference & ((1 &<< UInt64((name.count &- offset) &* 8)) &- 1) == 0
    }

    // MARK: Wanted values

    /// Puts the value at the cursor into a column; returns the cursor behind it, 0 when the value is not for this path.
    @inline(__always)
    private mutating func walkValue(
        _ record: WalkedRecord, _ cursor: Int, _ slot: Int, into arena: inout ByteBuffer
    ) -> Int {
        let start = record.position(cursor)
        let next = record.position(cursor &+ 1)
        guard next < record.end else { return 0 }
        let end = record.trimmedEnd(next)
        let column = unsafe columns.table[slot]
        guard record.byte(start) == UInt8(ascii: "\"") else {
            return walkScalar(record, start..<end, column, slot, into: &arena) ? cursor &+ 1 : 0
        }
        let content = start &+ 1..<end &- 1
        if record.hasBackslash, unsafe record.bytes(content).contains(UInt8(ascii: "\\")) {
            return unsafe walkEscapedString(record.bytes(content), column, slot, into: &arena) ? cursor &+ 1 : 0
        }
        switch column.kind {
        case .string:
            unsafe fields.builder.set(slot, bytes: record.bytes(content), in: &arena)
            return cursor &+ 1
        case .timestamp:
            guard let micros = unsafe fields.timestamps.read(record.text + content.lowerBound, count: content.count)
            else { return 0 }
            fields.builder.set(slot, integer: micros, in: &arena)
            return cursor &+ 1
        default:
            let isRead = unsafe fields.setJSONString(slot, column, record.bytes(content), in: &arena)
            return isRead ? cursor &+ 1 : 0
        }
    }

    @inline(never)
    private mutating func walkEscapedString(
        _ content: UnsafeRawBufferPointer, _ column: DecodedColumn, _ slot: Int, into arena: inout ByteBuffer
    ) -> Bool {
        walk.unescaped.removeAll()
        guard unsafe appendUnescaped(content, to: &walk.unescaped) else { return false }
        return unsafe fields.setJSONString(slot, column, walk.unescaped.bytes, in: &arena)
    }

    @inline(__always)
    private mutating func walkScalar(
        _ record: WalkedRecord, _ range: Range<Int>, _ column: DecodedColumn, _ slot: Int,
        into arena: inout ByteBuffer
    ) -> Bool {
        let text = unsafe record.bytes(range)
        let scalar = unsafe JSONScalar(text)
        switch scalar {
        case .null:
            fields.builder.setNull(slot, in: &arena)
            return true
        case .isTrue, .isFalse:
            guard column.kind == .boolean else { return false }
            fields.builder.set(slot, bits: scalar == .isTrue ? 1 : 0, in: &arena)
            return true
        case .integer, .float:
            return unsafe fields.setJSONNumber(slot, column, text, isInteger: scalar == .integer, in: &arena)
        case .other:
            return false
        }
    }

    // MARK: Unwanted values

    /// Checks the value at the cursor; returns the cursor behind it, 0 when the value is not for this path.
    @inline(__always)
    private func skipValue(_ record: WalkedRecord, _ cursor: Int) -> Int {
        let start = record.position(cursor)
        switch record.byte(start) {
        case UInt8(ascii: "{"), UInt8(ascii: "["): return skipContainer(record, cursor)
        case UInt8(ascii: "\""): return !record.hasBackslash || isString(record, cursor) ? cursor &+ 1 : 0
        default:
            let next = min(record.position(cursor &+ 1), record.end)
            return unsafe JSONScalar(record.bytes(start..<record.trimmedEnd(next))) == .other ? 0 : cursor &+ 1
        }
    }

    /// True when the string at the cursor has no escapes but good ones.
    private func isString(_ record: WalkedRecord, _ cursor: Int) -> Bool {
        let next = min(record.position(cursor &+ 1), record.end)
        let start = record.position(cursor) &+ 1
        return unsafe hasGoodEscapes(record.bytes(start..<max(start, record.trimmedEnd(next) &- 1)))
    }

    /// Checks an object or array; up to 64 levels, each a bit that says whether it is an object.
    @inline(never)
    private func skipContainer(_ record: WalkedRecord, _ start: Int) -> Int {
        var cursor = start
        var depth = 0
        var kinds: UInt64 = 0
        // True when a value is due at the cursor, false when one has just ended there.
        var isValueDue = true
        while true {
            let place = record.position(cursor)
            guard place < record.end else { return 0 }
            let byte = record.byte(place)
            if !isValueDue {
                cursor &+= 1
                let isObject = kinds & 1 != 0
                if byte == UInt8(ascii: ",") {
                    if isObject { cursor = skipName(record, cursor) }
                    guard cursor > 0 else { return 0 }
                    isValueDue = true
                } else {
                    guard byte == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) else { return 0 }
                    kinds >>= 1
                    depth &-= 1
                    if depth == 0 { return cursor }
                }
            } else if byte == UInt8(ascii: "{") || byte == UInt8(ascii: "[") {
                guard depth < 64 else { return 0 }
                let isObject = byte == UInt8(ascii: "{")
                kinds = kinds &<< 1 | (isObject ? 1 : 0)
                depth &+= 1
                cursor &+= 1
                let first = record.position(cursor)
                guard first < record.end else { return 0 }
                if record.byte(first) == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) {
                    isValueDue = false
                } else if isObject {
                    cursor = skipName(record, cursor)
                    guard cursor > 0 else { return 0 }
                }
            } else {
                cursor = skipValue(record, cursor)
                guard cursor > 0 else { return 0 }
                isValueDue = false
            }
        }
    }

    /// Checks `"name" :`; returns the cursor at the value, 0 when there is no name.
    private func skipName(_ record: WalkedRecord, _ cursor: Int) -> Int {
        let colon = record.position(cursor &+ 1)
        guard colon < record.end, record.byte(colon) == UInt8(ascii: ":"),
            record.byte(record.position(cursor)) == UInt8(ascii: "\""),
            !record.hasBackslash || isString(record, cursor)
        else { return 0 }
        return cursor &+ 2
    }
}
