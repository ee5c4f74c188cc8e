// Columns of the type `json`: a part of a record, kept as text and written as JSON again. What is strict JSON stays as
// it stands but for blanks, so that numbers keep their digits; what only Jackson takes (single quotes, NaN) is written
// anew.

extension FieldWriter {
    /// Sets a column to the text of one JSON value. False, and nothing set, when it is not strict JSON; it is taken for
    /// granted that brackets, strings and numbers in it are good.
    mutating func setJSONPart(_ slot: Int, _ text: UnsafeRawBufferPointer, in arena: inout ByteBuffer) -> Bool {
        if unsafe text.elementsEqual("null".utf8) {
            builder.setNull(slot, in: &arena)
            return true
        }
        let start = arena.count
        guard unsafe appendStrictJSON(text, to: &arena) else {
            arena.truncate(to: start)
            return false
        }
        builder.setAppended(slot, from: start, in: &arena)
        return true
    }

    /// Sets a column to a string, given by its content.
    mutating func setJSONPart(_ slot: Int, string: UnsafeRawBufferPointer, in arena: inout ByteBuffer) {
        let start = arena.count
        arena.append(UInt8(ascii: "\""))
        var content = ByteBuffer(capacity: string.count)
        unsafe appendReplacingSurrogates(string, to: &content)
        arena.reserve(jsonTextRoom(content.count))
        let count = unsafe writeJSONText(content.bytes, to: arena.base + arena.count)
        arena.advance(by: count)
        arena.append(UInt8(ascii: "\""))
        builder.setAppended(slot, from: start, in: &arena)
    }
}

/// Appends JSON without the blanks outside of its strings; false at the first byte that strict JSON cannot have there.
private func appendStrictJSON(_ text: UnsafeRawBufferPointer, to arena: inout ByteBuffer) -> Bool {
    var start = 0
    var isInString = false
    var index = 0
    while index < text.count {
        let byte = unsafe text[index]
        if isInString {
            if byte == UInt8(ascii: "\\") { index += 1 } else if byte == UInt8(ascii: "\"") { isInString = false }
        } else {
            switch byte {
            case UInt8(ascii: "\""): isInString = true
            case UInt8(ascii: "'"), UInt8(ascii: "N"), UInt8(ascii: "I"): return false
            case _ where isJSONBlank(byte):
                unsafe arena.append(UnsafeRawBufferPointer(rebasing: text[start..<index]))
                start = index + 1
            default: break
            }
        }
        index += 1
    }
    unsafe arena.append(UnsafeRawBufferPointer(rebasing: text[start...]))
    return true
}
