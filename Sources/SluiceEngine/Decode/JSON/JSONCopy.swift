// A value that is not a string but stands in a string column is written anew, as Jackson's generator copies a token
// stream: no blanks, doubles in Java's form, characters beyond the basic plane as two escapes.

/// Appends the value that begins at the reader's current token as compact JSON; `keepsNumbers` as they stand, where
/// Jackson would write what it has read. On an error the text so far has been appended and the reader stands where
/// Jackson would.
func copyJSONValue(
    from reader: inout JSONTokenReader, to buffer: inout ByteBuffer, keepsNumbers: Bool = false
) throws(JSONTokenReader.Malformed) {
    guard reader.current == .startObject || reader.current == .startArray else {
        return try copyToken(from: &reader, to: &buffer, keepsNumbers)
    }
    var depth = 0
    var needsComma = false
    var token = reader.current
    while let current = token {
        switch current {
        case .startObject, .startArray:
            if needsComma { buffer.append(UInt8(ascii: ",")) }
            buffer.append(current == .startObject ? UInt8(ascii: "{") : UInt8(ascii: "["))
            depth += 1
            needsComma = false
        case .endObject, .endArray:
            buffer.append(current == .endObject ? UInt8(ascii: "}") : UInt8(ascii: "]"))
            depth -= 1
            needsComma = true
            if depth == 0 { return }
        case .fieldName:
            if needsComma { buffer.append(UInt8(ascii: ",")) }
            if let name = unsafe reader.currentName { unsafe appendQuoted(name, to: &buffer) }
            buffer.append(UInt8(ascii: ":"))
            needsComma = false
        default:
            if needsComma { buffer.append(UInt8(ascii: ",")) }
            try copyToken(from: &reader, to: &buffer, keepsNumbers)
            needsComma = true
        }
        token = try reader.next()
    }
}

private func copyToken(
    from reader: inout JSONTokenReader, to buffer: inout ByteBuffer, _ keepsNumbers: Bool
) throws(JSONTokenReader.Malformed) {
    switch reader.current {
    case .string: unsafe appendQuoted(try reader.string(), to: &buffer)
    case .integer where keepsNumbers: unsafe buffer.append(reader.numberText)
    case .float where keepsNumbers && reader.wordNumber == nil: unsafe buffer.append(reader.numberText)
    case .integer:
        let number = unsafe reader.numberText
        // Jackson reads it as the integer 0.
        unsafe buffer.append(number.elementsEqual("-0".utf8) ? UnsafeRawBufferPointer(rebasing: number[1...]) : number)
    case .float:
        let value = unsafe reader.wordNumber ?? doubleValue(reader.numberText)
        if value.isFinite {
            buffer.reserve(doubleTextRoom)
            buffer.advance(by: unsafe writeDouble(value, to: buffer.base + buffer.count))
        } else {
            buffer.append(value.isNaN ? "\"NaN\"" : value > 0 ? "\"Infinity\"" : "\"-Infinity\"")
        }
    case .isTrue: buffer.append("true")
    case .isFalse: buffer.append("false")
    case .null: buffer.append("null")
    // Only after an error does a copy begin at a token that is no value; the generator refuses it.
    default: throw JSONTokenReader.Malformed()
    }
}

private func appendQuoted(_ text: UnsafeRawBufferPointer, to buffer: inout ByteBuffer) {
    buffer.append(UInt8(ascii: "\""))
    var index = 0
    while index < text.count {
        let byte = unsafe text[index]
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"):
            buffer.append(UInt8(ascii: "\\"))
            buffer.append(byte)
        case 0x08: buffer.append("\\b")
        case 0x09: buffer.append("\\t")
        case 0x0A: buffer.append("\\n")
        case 0x0C: buffer.append("\\f")
        case 0x0D: buffer.append("\\r")
        case 0x00..<0x20: appendUnicodeEscape(UInt32(byte), to: &buffer)
        case 0xED where unsafe text[index + 1] >= 0xA0:
            unsafe appendUnicodeEscape(
                0xD000 | UInt32(text[index + 1] & 0x3F) << 6 | UInt32(text[index + 2] & 0x3F), to: &buffer)
            index += 2
        case 0xF0...0xFF:
            var scalar = UInt32(byte & 0x07)
            for offset in 1...3 { scalar = unsafe scalar << 6 | UInt32(text[index + offset] & 0x3F) }
            appendUnicodeEscape(0xD800 + (scalar - 0x10000) >> 10, to: &buffer)
            appendUnicodeEscape(0xDC00 | scalar & 0x3FF, to: &buffer)
            index += 3
        default: buffer.append(byte)
        }
        index += 1
    }
    buffer.append(UInt8(ascii: "\""))
}

private func appendUnicodeEscape(_ unit: UInt32, to buffer: inout ByteBuffer) {
    buffer.append("\\u")
    for shift: UInt32 in [12, 8, 4, 0] {
        let digit = UInt8(unit >> shift & 0xF)
        buffer.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "A") + digit - 10)
    }
}
