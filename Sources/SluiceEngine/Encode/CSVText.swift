// Fields of a CSV line, so that RFC 4180 reads back what was written. As in Spark's to_csv, what contains the
// separator, `"`, CR or LF, or begins the line with `#`, is quoted, an empty field is `""`, and a null one is nothing
// at all. Unlike there a quote is doubled and a backslash is itself, and what begins or ends with a blank is quoted,
// not trimmed.
// Source: RFC 4180; Spark's UnivocityGenerator.

/// Appends a text field.
@inline(__always)
func appendCSVText(
    _ text: UnsafeRawBufferPointer, separator: UInt8, isFirst: Bool, to output: inout ByteBuffer
) {
    output.reserve(text.count &+ 8)
    let marks = unsafe copyText(text, special: eightTimes(separator), to: output.base + output.count)
    if !marks.hasSpecials, text.count > 0, unsafe text[0] > UInt8(ascii: " "), unsafe text[0] != UInt8(ascii: "#"),
        unsafe text[0] != 0xEF,
        unsafe text[text.count &- 1] > UInt8(ascii: " ")
    {
        return output.advance(by: text.count)
    }
    unsafe appendUnusualCSVText(text, separator: separator, isFirst: isFirst, to: &output)
}

@inline(never)
private func appendUnusualCSVText(
    _ text: UnsafeRawBufferPointer, separator: UInt8, isFirst: Bool, to output: inout ByteBuffer
) {
    guard unsafe needsQuotes(text, separator, isFirst: isFirst) else { return unsafe output.append(text) }
    output.reserve(text.count &* 2 &+ 2)
    output.append(UInt8(ascii: "\""))
    for index in 0..<text.count {
        let byte = unsafe text[index]
        if byte == UInt8(ascii: "\"") { output.append(byte) }
        output.append(byte)
    }
    output.append(UInt8(ascii: "\""))
}

private func needsQuotes(_ text: UnsafeRawBufferPointer, _ separator: UInt8, isFirst: Bool) -> Bool {
    guard text.count > 0 else { return true }
    let (first, last) = unsafe (text[0], text[text.count &- 1])
    if first <= UInt8(ascii: " ") || last <= UInt8(ascii: " ") { return true }
    // A comment to some readers, and a byte order mark to most.
    if isFirst, unsafe first == UInt8(ascii: "#") || text.starts(with: [0xEF, 0xBB, 0xBF]) { return true }
    return unsafe text.contains {
        $0 == separator || $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r")
    }
}

/// Whether a number, a time or a boolean may hold the separator.
func mayBeInValues(_ separator: UInt8) -> Bool {
    switch separator {
    case UInt8(ascii: "0")...UInt8(ascii: ":"), UInt8(ascii: "a")...UInt8(ascii: "z"),
        UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."):
        true
    default: false
    }
}
