// Fields of a CSV line as Spark's to_csv writes them with its default options, oddities included: blanks and control
// characters at both ends go; an empty field is `""` (a null one is nothing at all); what contains the separator, `"`,
// CR or LF, or begins the line with `#`, is quoted, and inside quotes `"` and `\` get a `\` before them.
// Source: Spark's UnivocityGenerator and CSVOptions, univocity's CsvWriter.

/// Appends a text field.
@inline(__always)
func appendCSVText(
    _ text: UnsafeRawBufferPointer, separator: UInt8, isFirst: Bool, to output: inout ByteBuffer
) {
    output.reserve(text.count &+ 8)
    let marks = unsafe copyText(text, special: eightTimes(separator), to: output.base + output.count)
    if !marks.hasSpecials, text.count > 0, unsafe text[0] > UInt8(ascii: " "), unsafe text[0] != UInt8(ascii: "#"),
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
    var start = 0
    var end = text.count
    while start < end, unsafe text[start] <= UInt8(ascii: " ") { start &+= 1 }
    // Whether to quote is decided before the end is trimmed: `a` and a tab is quoted where tabs separate.
    var isQuoted = start == end
    if isFirst && start < end { isQuoted = unsafe text[start] == UInt8(ascii: "#") }
    for index in start..<end where unsafe needsQuotes(text[index], separator) { isQuoted = true }
    while end > start, unsafe text[end &- 1] <= UInt8(ascii: " ") { end &-= 1 }
    let field = unsafe UnsafeRawBufferPointer(rebasing: text[start..<end])
    guard isQuoted else { return unsafe output.append(field) }
    output.reserve(field.count &* 2 &+ 2)
    output.append(UInt8(ascii: "\""))
    for index in 0..<field.count {
        let byte = unsafe field[index]
        if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { output.append(UInt8(ascii: "\\")) }
        output.append(byte)
    }
    output.append(UInt8(ascii: "\""))
}

@inline(__always)
private func needsQuotes(_ byte: UInt8, _ separator: UInt8) -> Bool {
    byte == separator || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r")
}
