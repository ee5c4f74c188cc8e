// Spark's JacksonParser over `JSONTokenReader`: which field gets which value, what a failed field leaves behind, and
// when a whole record is a row of nulls. Source: org.apache.spark.sql.catalyst.json.JacksonParser 4.1.1 (by behaviour).

extension JSONRecordDecoder {
    /// Decodes one record, whatever its text. Blank text gives a row of nulls, and no record.
    mutating func decodeLeniently(
        _ record: UnsafeRawBufferPointer, _ row: inout RowWriter, into arena: inout ByteBuffer
    ) -> RecordOutcome {
        unsafe reader.start(record)
        row.begin(&arena)
        var isObject = false
        var badSlot: Int?
        do throws(JSONTokenReader.Malformed) {
            // Only an object can be a row; an array of objects is none.
            row.fault = .malformed
            isObject = try reader.next() == .startObject
            if isObject { badSlot = try readObject(&row, into: &arena) } else { row.fault = .noObject }
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
        if let badSlot {
            row.fault = .field(slot: badSlot)
        } else if reader.hasMoreText {
            row.fault = .trailingText
        } else {
            return .row(byteCount: byteCount)
        }
        return .badRow(byteCount: byteCount)
    }

    /// Reads fields up to the object's end (or to where Jackson has lost its way); the first column whose field failed.
    private mutating func readObject(
        _ row: inout RowWriter, into arena: inout ByteBuffer
    ) throws(JSONTokenReader.Malformed) -> Int? {
        var badSlot: Int?
        while let token = try reader.next(), token != .endObject {
            var column = -1
            if let name = unsafe reader.currentName { column = unsafe columns.column(named: name) }
            guard column >= 0 else {
                try reader.skipChildren()
                continue
            }
            let mark = reader.mark
            while true {
                if !readField(column, &row, into: &arena) {
                    badSlot = badSlot ?? column
                    try reader.skipChildren()
                }
                column = unsafe Int(columns.table[column].sameField)
                if column < 0 { break }
                reader.reset(to: mark)
            }
        }
        return badSlot
    }

    /// False when the field could not be read; the reader then stands wherever the error was.
    private mutating func readField(_ slot: Int, _ row: inout RowWriter, into arena: inout ByteBuffer) -> Bool {
        let arenaCount = arena.count
        let column = unsafe columns.table[slot]
        do throws(JSONTokenReader.Malformed) {
            if try readValue(slot, column, &row, into: &arena) { return true }
        } catch {}
        arena.truncate(to: arenaCount)
        return false
    }

    private mutating func readValue(
        _ slot: Int, _ column: DecodedColumn, _ row: inout RowWriter, into arena: inout ByteBuffer
    ) throws(JSONTokenReader.Malformed) -> Bool {
        if reader.current == .fieldName { _ = try reader.next() }
        switch reader.current {
        case nil, .null:
            row.fields.builder.setNull(slot, in: &arena)
            return true
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
}
