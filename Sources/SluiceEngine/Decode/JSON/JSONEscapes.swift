// What stands behind a backslash in a JSON string, and how broken UTF-8 reads. Java keeps text as UTF-16, so halves of
// surrogate pairs can stand alone there; here they are kept as three bytes each (as CESU does) until the text is used.

internal import CSimdJSON

/// Decodes the escape whose backslash stands before `start` and appends what it means to `decoded`. Returns how many
/// bytes behind the backslash were read, negated (or 0) when they are no escape. `\'` is one, because Spark allows
/// single quotes.
func decodeJSONEscape(_ text: UnsafeRawBufferPointer, at start: Int, into decoded: inout ByteBuffer) -> Int {
    guard start < text.count else { return 0 }
    switch unsafe text[start] {
    case UInt8(ascii: "b"): decoded.append(0x08)
    case UInt8(ascii: "t"): decoded.append(0x09)
    case UInt8(ascii: "n"): decoded.append(0x0A)
    case UInt8(ascii: "f"): decoded.append(0x0C)
    case UInt8(ascii: "r"): decoded.append(0x0D)
    case UInt8(ascii: "\""), UInt8(ascii: "/"), UInt8(ascii: "\\"), UInt8(ascii: "'"):
        unsafe decoded.append(text[start])
    case UInt8(ascii: "u"):
        var unit: UInt32 = 0
        for index in 1...4 {
            guard start + index < text.count else { return -index }
            guard let digit = unsafe hexDigit(text[start + index]) else { return -index - 1 }
            unit = unit << 4 | digit
        }
        appendUTF16(unit, to: &decoded)
        return 5
    default: return -1
    }
    return 1
}

private func hexDigit(_ byte: UInt8) -> UInt32? {
    if byte.isDigit { return UInt32(byte) - 0x30 }
    let letter = (byte | 0x20) &- UInt8(ascii: "a")
    return letter < 6 ? UInt32(letter) + 10 : nil
}

/// Appends one UTF-16 unit; a low surrogate behind a high one makes one character of both.
private func appendUTF16(_ unit: UInt32, to decoded: inout ByteBuffer) {
    if unit >= 0xDC00, unit <= 0xDFFF, decoded.count >= 3 {
        let last = unsafe UnsafeRawBufferPointer(rebasing: decoded.bytes.suffix(3))
        if unsafe last[0] == 0xED, unsafe last[1] >= 0xA0, unsafe last[1] < 0xB0 {
            let high = unsafe UInt32(last[1] & 0x0F) << 6 | UInt32(last[2] & 0x3F)
            decoded.truncate(to: decoded.count - 3)
            return appendUTF8(0x10000 + (high << 10 | (unit & 0x3FF)), to: &decoded)
        }
    }
    appendUTF8(unit, to: &decoded)
}

private func appendUTF8(_ scalar: UInt32, to decoded: inout ByteBuffer) {
    func tail(_ shift: UInt32) -> UInt8 { 0x80 | UInt8(truncatingIfNeeded: scalar >> shift & 0x3F) }
    switch scalar {
    case 0..<0x80: decoded.append(UInt8(scalar))
    case 0x80..<0x800:
        decoded.append(0xC0 | UInt8(scalar >> 6))
        decoded.append(tail(0))
    case 0x800..<0x10000:
        decoded.append(0xE0 | UInt8(scalar >> 12))
        decoded.append(tail(6))
        decoded.append(tail(0))
    default:
        decoded.append(0xF0 | UInt8(scalar >> 18))
        decoded.append(tail(12))
        decoded.append(tail(6))
        decoded.append(tail(0))
    }
}

/// Appends decoded text as UTF-8: a lone surrogate becomes `?`, as Java's encoder writes it.
func appendReplacingSurrogates(_ decoded: UnsafeRawBufferPointer, to buffer: inout ByteBuffer) {
    var start = 0
    var index = 0
    while index + 2 < decoded.count {
        if unsafe decoded[index] == 0xED, unsafe decoded[index + 1] >= 0xA0 {
            unsafe buffer.append(UnsafeRawBufferPointer(rebasing: decoded[start..<index]))
            buffer.append(UInt8(ascii: "?"))
            index += 3
            start = index
        } else {
            index += 1
        }
    }
    unsafe buffer.append(UnsafeRawBufferPointer(rebasing: decoded[start...]))
}

/// Appends `text` to `repaired` with each malformed sequence replaced by U+FFFD, as Java's decoder delimits them, and
/// returns true; or appends nothing and returns false when `text` is UTF-8.
func repairUTF8(_ text: UnsafeRawBufferPointer, into repaired: inout ByteBuffer) -> Bool {
    var copiedTo = 0
    var index = 0
    while index < text.count {
        if index &+ 8 <= text.count,
            unsafe text.loadUnaligned(fromByteOffset: index, as: UInt64.self) & 0x8080_8080_8080_8080 == 0
        {
            index &+= 8
            continue
        }
        if unsafe text[index] < 0x80 {
            index &+= 1
            continue
        }
        let (byteCount, isValid) = unsafe utf8Sequence(text, at: index)
        if !isValid {
            unsafe repaired.append(UnsafeRawBufferPointer(rebasing: text[copiedTo..<index]))
            repaired.append("\u{FFFD}")
            copiedTo = index + byteCount
        }
        index += byteCount
    }
    guard copiedTo > 0 else { return false }
    unsafe repaired.append(UnsafeRawBufferPointer(rebasing: text[copiedTo...]))
    return true
}

/// Whether many bytes are UTF-8, by SIMD.
func isUTF8Block(_ text: UnsafeRawPointer, count: Int) -> Bool {
    unsafe sluice_is_utf8(text.assumingMemoryBound(to: UInt8.self), count) != 0
}

func isUTF8(_ text: UnsafeRawBufferPointer) -> Bool {
    var index = 0
    while index < text.count {
        let (byteCount, isValid) = unsafe text[index] < 0x80 ? (1, true) : utf8Sequence(text, at: index)
        guard isValid else { return false }
        index += byteCount
    }
    return true
}

/// The length of the character at `index`, or of what Java replaces as one malformed sequence.
private func utf8Sequence(_ text: UnsafeRawBufferPointer, at index: Int) -> (byteCount: Int, isValid: Bool) {
    func byte(_ offset: Int) -> UInt8 { unsafe index + offset < text.count ? text[index + offset] : 0 }
    func continues(_ offset: Int) -> Bool { byte(offset) & 0xC0 == 0x80 }
    let first = unsafe text[index]
    switch first {
    case 0xC2...0xDF: return continues(1) ? (2, true) : (1, false)
    case 0xE0...0xEF:
        guard continues(1), first != 0xE0 || byte(1) >= 0xA0 else { return (1, false) }
        guard continues(2) else { return (2, false) }
        // An encoded surrogate is one malformed sequence of three bytes.
        return (3, first != 0xED || byte(1) < 0xA0)
    case 0xF0...0xF4:
        guard continues(1), first != 0xF0 || byte(1) >= 0x90, first != 0xF4 || byte(1) < 0x90 else { return (1, false) }
        guard continues(2) else { return (2, false) }
        return continues(3) ? (4, true) : (3, false)
    default: return (1, false)
    }
}

/// Appends a string's content with its escapes decoded; false when one of them is none.
func appendUnescaped(_ content: UnsafeRawBufferPointer, to decoded: inout ByteBuffer) -> Bool {
    var start = 0
    var index = 0
    while index < content.count {
        guard unsafe content[index] == UInt8(ascii: "\\") else {
            index &+= 1
            continue
        }
        unsafe decoded.append(UnsafeRawBufferPointer(rebasing: content[start..<index]))
        let length = unsafe decodeJSONEscape(content, at: index + 1, into: &decoded)
        guard length > 0 else { return false }
        index += 1 + length
        start = index
    }
    unsafe decoded.append(UnsafeRawBufferPointer(rebasing: content[start...]))
    return true
}

/// True when each backslash of a string's content begins a good escape.
func hasGoodEscapes(_ content: UnsafeRawBufferPointer) -> Bool {
    var index = 0
    while index < content.count {
        if unsafe content[index] == UInt8(ascii: "\\") {
            index += 1
            guard index < content.count else { return false }
            switch unsafe content[index] {
            case UInt8(ascii: "u"):
                guard index + 4 < content.count, (1...4).allSatisfy({ unsafe hexDigit(content[index + $0]) != nil })
                else {
                    return false
                }
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "'"), UInt8(ascii: "b"),
                UInt8(ascii: "f"), UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
                break
            default: return false
            }
        }
        index += 1
    }
    return true
}
