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

extension JSONRecordDecoder {
    /// Appends the row of the record at `range` of the chunk and returns its byte count; or appends nothing and returns
    /// 0 when the record is not for this path.
    mutating func walkRecord(
        _ chunk: UnsafeRawPointer, _ range: Range<Int>, _ row: inout RowWriter, into arena: inout ByteBuffer
    ) -> Int {
        guard columns.isWalkable else { return 0 }
        let record = unsafe WalkedRecord(
            text: chunk + walk.blockStart, structurals: walk.structurals, end: range.upperBound &- walk.blockStart,
            hasBackslash: walk.hasBackslash(chunk, in: range))
        row.begin(&arena)
        walk.visitedNodes = 0
        let cursor = walkFields(record, walk.cursor, in: columns.root, &row, into: &arena)
        guard cursor > 0 else {
            row.fields.builder.abandon(&arena)
            return 0
        }
        walk.cursor = cursor
        return row.fields.builder.finish(&arena)
    }

    /// Reads the object at the cursor into the entries of a node; returns the cursor behind it, 0 when it is not for
    /// this path.
    @inline(__always)
    private mutating func walkFields(
        _ record: WalkedRecord, _ start: Int, in node: Int, _ row: inout RowWriter, into arena: inout ByteBuffer
    ) -> Int {
        var cursor = start
        guard record.byte(record.position(cursor)) == UInt8(ascii: "{") else { return 0 }
        cursor &+= 1
        var quote = record.position(cursor)
        guard quote < record.end else { return 0 }
        if record.byte(quote) == UInt8(ascii: "}") { return cursor &+ 1 }
        let table = unsafe columns.table
        var previous = -1
        var expected = unsafe Int(table[node].first)
        while true {
            // `quote` is the next structural character. The places of the colon, of the value and of what follows a
            // scalar are read before it is known that they belong to the record: positions ascend up to the block's
            // end, so two comparisons answer for all three.
            let colon = record.position(cursor &+ 1)
            let value = record.position(cursor &+ 2)
            let next = record.position(cursor &+ 3)
            let isScalarInside = value < next && next < record.end
            var column = expected
            if column >= 0, isScalarInside,
                unsafe table[column].isField(at: record.text + quote, colonOffset: colon &- quote)
            {
                previous = column
            } else {
                guard value < record.end, record.byte(quote) == UInt8(ascii: "\""),
                    record.byte(colon) == UInt8(ascii: ":")
                else { return 0 }
                let name = quote &+ 1..<record.trimmedEnd(colon) &- 1
                column = findColumn(record, name, after: &previous)
                guard column >= -1 else { return 0 }
            }
            cursor &+= 2
            if column < 0 {
                cursor = record.skipValue(cursor)
            } else {
                expected = unsafe Int(table[column].successor)
                let isPlainString =
                    isScalarInside && !record.hasBackslash
                    && record.byte(value) == UInt8(ascii: "\"") && record.byte(next &- 1) == UInt8(ascii: "\"")
                if unsafe isPlainString && table[column].kind == .string {
                    unsafe row.fields.builder.set(
                        column, padded: record.text + (value &+ 1), count: next &- value &- 2, in: &arena)
                    cursor &+= 1
                } else {
                    cursor = walkValue(record, cursor, column, &row, into: &arena)
                }
            }
            // The cursor stands at what follows the value; 0 says that the value was refused.
            let separator = record.position(cursor)
            guard cursor > 0, separator < record.end else { return 0 }
            let byte = record.byte(separator)
            cursor &+= 1
            // Of the record Jackson reads no further, so whatever follows is no concern.
            if byte == UInt8(ascii: "}") { return cursor }
            quote = record.position(cursor)
            guard byte == UInt8(ascii: ","), quote < record.end else { return 0 }
        }
    }

    /// The entry a field feeds, -1 for none, -2 for a name that must be decoded first. Fields mostly come in the order
    /// of the record before, so what follows what is remembered.
    @inline(never)
    private mutating func findColumn(
        _ record: WalkedRecord, _ name: Range<Int>, after previous: inout Int
    ) -> Int {
        let bytes = unsafe record.bytes(name)
        if record.hasBackslash, unsafe bytes.contains(UInt8(ascii: "\\")) { return -2 }
        let column = unsafe columns.column(named: bytes, in: walk.node, seed: walk.nodeSeed)
        if column >= 0 {
            if previous < 0 {
                unsafe columns.table[walk.node].first = Int32(column)
            } else {
                unsafe columns.table[previous].successor = Int32(column)
            }
            previous = column
        }
        return column
    }

    // MARK: Parts

    /// Reads the value at the cursor into what is no scalar: an inner node, or text of JSON. Returns the cursor behind
    /// it, 0 when the value is not for this path.
    @inline(never)
    private mutating func walkPart(
        _ record: WalkedRecord, _ cursor: Int, _ entry: Int, _ row: inout RowWriter, into arena: inout ByteBuffer
    ) -> Int {
        let kind = unsafe columns.table[entry].kind
        if kind == .json { return walkJSON(record, cursor, entry, &row, into: &arena) }
        // The second of two fields of one name takes the place of the first, with all that lies in it.
        let bit: UInt64 = 1 &<< UInt64(min(entry &- columns.count, 63))
        guard walk.visitedNodes & bit == 0 else { return 0 }
        walk.visitedNodes |= bit
        switch record.byte(record.position(cursor)) {
        case UInt8(ascii: "{") where kind == .object:
            let (node, seed) = (walk.node, walk.nodeSeed)
            (walk.node, walk.nodeSeed) = (entry, columns.seed(of: entry))
            defer { (walk.node, walk.nodeSeed) = (node, seed) }
            return walkFields(record, cursor, in: entry, &row, into: &arena)
        case UInt8(ascii: "[") where kind == .array:
            return walkElements(record, cursor, in: entry, &row, into: &arena)
        default:
            let next = min(record.position(cursor &+ 1), record.end)
            let range = record.position(cursor)..<record.trimmedEnd(next)
            return unsafe JSONScalar(record.bytes(range)) == .null ? cursor &+ 1 : 0
        }
    }

    private mutating func walkElements(
        _ record: WalkedRecord, _ start: Int, in node: Int, _ row: inout RowWriter, into arena: inout ByteBuffer
    ) -> Int {
        var cursor = start &+ 1
        guard record.position(cursor) < record.end else { return 0 }
        if record.byte(record.position(cursor)) == UInt8(ascii: "]") { return cursor &+ 1 }
        var wanted = unsafe Int(columns.table[node].first)
        var element: Int32 = 0
        while true {
            guard record.position(cursor) < record.end else { return 0 }
            if wanted >= 0, unsafe columns.table[wanted].element == element {
                cursor = walkValue(record, cursor, wanted, &row, into: &arena)
                wanted = unsafe Int(columns.table[wanted].successor)
            } else {
                cursor = record.skipValue(cursor)
            }
            guard cursor > 0, record.position(cursor) < record.end else { return 0 }
            let byte = record.byte(record.position(cursor))
            cursor &+= 1
            if byte == UInt8(ascii: "]") { return cursor }
            guard byte == UInt8(ascii: ",") else { return 0 }
            element &+= 1
        }
    }

    /// The text of the value, as it stands but for blanks.
    private mutating func walkJSON(
        _ record: WalkedRecord, _ cursor: Int, _ slot: Int, _ row: inout RowWriter, into arena: inout ByteBuffer
    ) -> Int {
        let start = record.position(cursor)
        let isContainer = record.byte(start) == UInt8(ascii: "{") || record.byte(start) == UInt8(ascii: "[")
        let behind = record.skipValue(cursor)
        guard behind > 0, record.position(behind) < record.end else { return 0 }
        let end = isContainer ? record.position(behind &- 1) &+ 1 : record.trimmedEnd(record.position(behind))
        let text = unsafe record.bytes(start..<end)
        // A string's escapes are read and written anew.
        if !isContainer, record.hasBackslash { return 0 }
        return unsafe row.fields.setJSONPart(slot, text, in: &arena) ? behind : 0
    }

    // MARK: Wanted values

    /// Puts the value at the cursor into a column; returns the cursor behind it, 0 when the value is not for this path.
    @inline(__always)
    private mutating func walkValue(
        _ record: WalkedRecord, _ cursor: Int, _ slot: Int, _ row: inout RowWriter, into arena: inout ByteBuffer
    ) -> Int {
        let start = record.position(cursor)
        let next = record.position(cursor &+ 1)
        guard next < record.end else { return 0 }
        let end = record.trimmedEnd(next)
        let column = unsafe columns.table[slot]
        if column.kind.rawValue >= DecodedColumn.Kind.json.rawValue {
            return walkPart(record, cursor, slot, &row, into: &arena)
        }
        guard record.byte(start) == UInt8(ascii: "\"") else {
            return walkScalar(record, start..<end, column, slot, &row, into: &arena) ? cursor &+ 1 : 0
        }
        let content = start &+ 1..<end &- 1
        if record.hasBackslash, unsafe record.bytes(content).contains(UInt8(ascii: "\\")) {
            return unsafe walkEscapedString(record.bytes(content), column, slot, &row, into: &arena) ? cursor &+ 1 : 0
        }
        switch column.kind {
        case .string:
            unsafe row.fields.builder.set(
                slot, padded: record.text + content.lowerBound, count: content.count, in: &arena)
            return cursor &+ 1
        case .timestamp:
            guard let micros = unsafe row.fields.timestamps.read(record.text + content.lowerBound, count: content.count)
            else { return 0 }
            row.fields.builder.set(slot, integer: micros, in: &arena)
            return cursor &+ 1
        default:
            let isRead = unsafe row.fields.setJSONString(slot, column, record.bytes(content), in: &arena)
            return isRead ? cursor &+ 1 : 0
        }
    }

    @inline(never)
    private mutating func walkEscapedString(
        _ content: UnsafeRawBufferPointer, _ column: DecodedColumn, _ slot: Int, _ row: inout RowWriter,
        into arena: inout ByteBuffer
    ) -> Bool {
        walk.unescaped.removeAll()
        guard unsafe appendUnescaped(content, to: &walk.unescaped) else { return false }
        return unsafe row.fields.setJSONString(slot, column, walk.unescaped.bytes, in: &arena)
    }

    @inline(__always)
    private mutating func walkScalar(
        _ record: WalkedRecord, _ range: Range<Int>, _ column: DecodedColumn, _ slot: Int, _ row: inout RowWriter,
        into arena: inout ByteBuffer
    ) -> Bool {
        let text = unsafe record.bytes(range)
        let scalar = unsafe JSONScalar(text)
        switch scalar {
        case .null:
            row.fields.builder.setNull(slot, in: &arena)
            return true
        case .isTrue, .isFalse:
            guard column.kind == .boolean else { return false }
            row.fields.builder.set(slot, bits: scalar == .isTrue ? 1 : 0, in: &arena)
            return true
        case .integer, .float:
            return unsafe row.fields.setJSONNumber(slot, column, text, isInteger: scalar == .integer, in: &arena)
        case .other:
            return false
        }
    }
}

// Unwanted values are checked and skipped.
extension WalkedRecord {
    /// Checks the value at the cursor; returns the cursor behind it, 0 when the value is not for this path.
    @inline(__always)
    fileprivate func skipValue(_ cursor: Int) -> Int {
        let start = position(cursor)
        switch byte(start) {
        case UInt8(ascii: "{"), UInt8(ascii: "["): return skipContainer(cursor)
        case UInt8(ascii: "\""): return !hasBackslash || isString(cursor) ? cursor &+ 1 : 0
        default:
            let next = min(position(cursor &+ 1), end)
            return unsafe JSONScalar(bytes(start..<trimmedEnd(next))) == .other ? 0 : cursor &+ 1
        }
    }

    /// True when the string at the cursor has no escapes but good ones.
    fileprivate func isString(_ cursor: Int) -> Bool {
        let next = min(position(cursor &+ 1), end)
        let start = position(cursor) &+ 1
        return unsafe hasGoodEscapes(bytes(start..<max(start, trimmedEnd(next) &- 1)))
    }

    /// Checks an object or array; up to 64 levels, each a bit that says whether it is an object.
    @inline(never)
    fileprivate func skipContainer(_ start: Int) -> Int {
        var cursor = start
        var depth = 0
        var kinds: UInt64 = 0
        // True when a value is due at the cursor, false when one has just ended there.
        var isValueDue = true
        while true {
            let place = position(cursor)
            guard place < end else { return 0 }
            let found = self.byte(place)
            if !isValueDue {
                cursor &+= 1
                let isObject = kinds & 1 != 0
                if found == UInt8(ascii: ",") {
                    if isObject { cursor = skipName(cursor) }
                    guard cursor > 0 else { return 0 }
                    isValueDue = true
                } else {
                    guard found == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) else { return 0 }
                    kinds >>= 1
                    depth &-= 1
                    if depth == 0 { return cursor }
                }
            } else if found == UInt8(ascii: "{") || found == UInt8(ascii: "[") {
                guard depth < 64 else { return 0 }
                let isObject = found == UInt8(ascii: "{")
                kinds = kinds &<< 1 | (isObject ? 1 : 0)
                depth &+= 1
                cursor &+= 1
                let first = position(cursor)
                guard first < end else { return 0 }
                if byte(first) == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) {
                    isValueDue = false
                } else if isObject {
                    cursor = skipName(cursor)
                    guard cursor > 0 else { return 0 }
                }
            } else {
                cursor = skipValue(cursor)
                guard cursor > 0 else { return 0 }
                isValueDue = false
            }
        }
    }

    /// Checks `"name" :`; returns the cursor at the value, 0 when there is no name.
    fileprivate func skipName(_ cursor: Int) -> Int {
        let colon = position(cursor &+ 1)
        guard colon < end, byte(colon) == UInt8(ascii: ":"),
            byte(position(cursor)) == UInt8(ascii: "\""),
            !hasBackslash || isString(cursor)
        else { return 0 }
        return cursor &+ 2
    }
}
