// Spark's JacksonParser over `JSONTokenReader`: which field gets which value, what a failed field leaves behind, and
// when a whole record is a row of nulls. Source: org.apache.spark.sql.catalyst.json.JacksonParser 4.1.1 (by behaviour).

extension JSONRecordDecoder {
    /// Decodes one record, whatever its text. Blank text gives a row of nulls, and no record.
    mutating func decodeLeniently(
        _ record: UnsafeRawBufferPointer, _ row: inout RowWriter, into arena: inout ByteBuffer
    ) -> RecordOutcome {
        unsafe reader.start(record)
        isBroken = false
        row.begin(&arena)
        var isObject = false
        var badSlot: Int?
        do throws(JSONTokenReader.Malformed) {
            // Only an object can be a row; an array of objects is none.
            row.fault = .malformed
            isObject = try reader.next() == .startObject
            if isObject { badSlot = try readObject(columns.root, &row, into: &arena) } else { row.fault = .noObject }
        } catch {
            // Spark keeps nothing of a record that is broken outside of its row.fields.
            isObject = false
            row.fields.builder.abandon(&arena)
            row.begin(&arena)
        }
        let byteCount = row.fields.builder.finish(&arena)
        if reader.isRepaired {
            // Spark reads it with U+FFFD in place of what is not UTF-8: keys that differ would then be equal.
            row.fault = .encoding
            return .noRecord(byteCount: byteCount)
        }
        guard isObject else { return .noRecord(byteCount: byteCount) }
        if isBroken {
            // Spark keeps the fields that it could make out, and may have lost its way among them.
            row.fault = .malformed
            return .noRecord(byteCount: byteCount)
        }
        if let badSlot {
            row.fault = .field(slot: badSlot)
        } else if reader.hasMoreText {
            row.fault = .trailingText
        } else {
            return .row(byteCount: byteCount)
        }
        return .badRow(byteCount: byteCount)
    }

    /// Reads fields of a node up to the object's end (or to where Jackson has lost its way); the first column whose
    /// field failed.
    private mutating func readObject(
        _ node: Int, _ row: inout RowWriter, into arena: inout ByteBuffer
    ) throws(JSONTokenReader.Malformed) -> Int? {
        var badSlot: Int?
        while let token = try reader.next(), token != .endObject {
            var entry = -1
            if let name = unsafe reader.currentName { entry = unsafe columns.column(named: name, in: node) }
            let bad = try readFields(entry, isElement: false, &row, into: &arena)
            badSlot = badSlot ?? bad
        }
        return badSlot
    }

    /// As `readObject`, of an array. Spark keeps nothing of an array with an element that is broken.
    private mutating func readElements(
        _ node: Int, _ row: inout RowWriter, into arena: inout ByteBuffer
    ) throws(JSONTokenReader.Malformed) -> Int? {
        var badSlot: Int?
        var element = 0
        while let token = try reader.next(), token != .endArray {
            let wanted = columns.column(element: element, in: node)
            let bad = try readFields(wanted, isElement: true, &row, into: &arena)
            badSlot = badSlot ?? bad
            element += 1
        }
        return badSlot
    }

    /// Reads the value in hand into an entry and all others that are read from the same field; -1 skips it.
    private mutating func readFields(
        _ first: Int, isElement: Bool, _ row: inout RowWriter, into arena: inout ByteBuffer
    ) throws(JSONTokenReader.Malformed) -> Int? {
        guard first >= 0 else {
            try reader.skipChildren()
            return nil
        }
        var badSlot: Int?
        var entry = first
        let mark = reader.mark
        while true {
            if let bad = try readField(entry, isElement: isElement, &row, into: &arena) {
                badSlot = badSlot ?? bad
                try reader.skipChildren()
            }
            entry = unsafe Int(columns.table[entry].sameField)
            if entry < 0 { return badSlot }
            reader.reset(to: mark)
        }
    }

    /// The column at fault when the field could not be read; the reader then stands wherever the error was. What is
    /// broken in an element is the array's trouble.
    private mutating func readField(
        _ entry: Int, isElement: Bool, _ row: inout RowWriter, into arena: inout ByteBuffer
    ) throws(JSONTokenReader.Malformed) -> Int? {
        let arenaCount = arena.count
        let column = unsafe columns.table[entry]
        let isNode = entry >= columns.count
        do throws(JSONTokenReader.Malformed) {
            if isNode { return try readNode(entry, column, &row, into: &arena) }
            if try readValue(entry, column, &row, into: &arena) { return nil }
        } catch {
            isBroken = true
            if isElement { throw error }
            // Nothing is kept of an object that is broken outside of its fields.
            if isNode { setNull(entry, &row, into: &arena) }
        }
        arena.truncate(to: arenaCount)
        return isNode ? columns.leaves(of: entry).first ?? 0 : entry
    }

    /// Reads an object or array that columns lie in; the first column at fault. It takes the place of an earlier field
    /// of the same name; what is neither leaves that in place, as with columns.
    private mutating func readNode(
        _ node: Int, _ column: DecodedColumn, _ row: inout RowWriter, into arena: inout ByteBuffer
    ) throws(JSONTokenReader.Malformed) -> Int? {
        if reader.current == .fieldName { _ = try reader.next() }
        switch reader.current {
        case nil, .null:
            setNull(node, &row, into: &arena)
            return nil
        case .startObject where column.kind == .object:
            setNull(node, &row, into: &arena)
            return try readObject(node, &row, into: &arena)
        case .startArray where column.kind == .array:
            setNull(node, &row, into: &arena)
            return try readElements(node, &row, into: &arena)
        case .startObject, .startArray:
            try reader.skipChildren()
            return columns.leaves(of: node).first
        default: return columns.leaves(of: node).first
        }
    }

    private func setNull(_ node: Int, _ row: inout RowWriter, into arena: inout ByteBuffer) {
        for slot in columns.leaves(of: node) { row.fields.builder.setNull(slot, in: &arena) }
    }

    private mutating func readValue(
        _ slot: Int, _ column: DecodedColumn, _ row: inout RowWriter, into arena: inout ByteBuffer
    ) throws(JSONTokenReader.Malformed) -> Bool {
        if reader.current == .fieldName { _ = try reader.next() }
        switch reader.current {
        case nil, .null:
            row.fields.builder.setNull(slot, in: &arena)
            return true
        case _ where column.kind == .json: return try readPart(slot, &row, into: &arena)
        case .string:
            return unsafe row.fields.setJSONString(slot, column, try reader.string(), in: &arena)
        case _ where column.kind == .string:
            let start = arena.count
            try copyJSONValue(from: &reader, to: &arena)
            row.fields.builder.setAppended(slot, from: start, in: &arena)
            return true
        case .integer, .float:
            guard let word = reader.wordNumber, reader.current == .float else {
                return unsafe row.fields.setJSONNumber(
                    slot, column, reader.numberText, isInteger: reader.current == .integer, in: &arena)
            }
            guard column.kind == .double else { return false }
            row.fields.builder.set(slot, bits: word.bitPattern, in: &arena)
            return true
        case .isTrue, .isFalse:
            guard column.kind == .boolean else { return false }
            row.fields.builder.set(slot, bits: reader.current == .isTrue ? 1 : 0, in: &arena)
            return true
        default:
            return false
        }
    }

    /// The value in hand as text.
    private mutating func readPart(
        _ slot: Int, _ row: inout RowWriter, into arena: inout ByteBuffer
    ) throws(JSONTokenReader.Malformed) -> Bool {
        if reader.current == .string {
            unsafe row.fields.setJSONPart(slot, string: try reader.string(), in: &arena)
            return true
        }
        let mark = reader.mark
        if let text = unsafe try reader.valueText(), unsafe row.fields.setJSONPart(slot, text, in: &arena) {
            return true
        }
        reader.reset(to: mark)
        let start = arena.count
        try copyJSONValue(from: &reader, to: &arena, keepsNumbers: true)
        row.fields.builder.setAppended(slot, from: start, in: &arena)
        return true
    }
}
