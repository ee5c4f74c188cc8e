// A field in quotes, by RFC 4180: up to the next quote that is not doubled. What the RFC has no word for is read as
// univocity reads it: blanks behind the closing quote are nothing, and other text there makes the quotes text as well.

internal import Glibc

/// Reads fields that begin with a quote; no quote in them is escaped but by doubling.
@safe struct QuotedCSVField: ~Copyable {
    enum Ending {
        case closed
        /// Text follows the closing quote.
        case textBehind
        /// The line ends before a closing quote.
        case unclosed
    }

    private let separator: UInt8
    private let quote: UInt8
    private var content = ByteBuffer()
    /// Of the field that was read last: in its line, or `content`.
    private(set) var value = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
    /// Whether the value stands in its line, with what is behind it there.
    var isInLine: Bool { content.count == 0 }

    init(separator: UInt8, quote: UInt8) {
        self.separator = separator
        self.quote = quote
    }

    /// Reads the field whose opening quote stands at `start`; returns where its separator is, or the line's end. The
    /// value is good up to the next call, as long as the line is.
    mutating func read(_ line: UnsafeRawBufferPointer, from start: Int) -> (end: Int, Ending) {
        content.removeAll()
        var copiedTo = start &+ 1
        var index = copiedTo
        while true {
            index = unsafe findMark(quote, in: line, from: index)
            guard index < line.count else { return unsafe unclosed(line, copiedTo) }
            guard index &+ 1 < line.count, unsafe line[index &+ 1] == quote else { break }
            unsafe content.append(UnsafeRawBufferPointer(rebasing: line[copiedTo...index]))
            index &+= 2
            copiedTo = index
        }
        let rest = unsafe UnsafeRawBufferPointer(rebasing: line[copiedTo..<index])
        if content.count == 0 {
            unsafe value = unsafe rest
        } else {
            unsafe content.append(rest)
            unsafe value = unsafe content.bytes
        }
        var end = index &+ 1
        while end < line.count, unsafe line[end] != separator, unsafe line[end] <= UInt8(ascii: " ") { end &+= 1 }
        if end == line.count { return (end, .closed) }
        if unsafe line[end] == separator { return (end, .closed) }
        return unsafe textBehind(line, closedAt: index, from: end)
    }

    private mutating func unclosed(_ line: UnsafeRawBufferPointer, _ copiedTo: Int) -> (end: Int, Ending) {
        unsafe content.append(UnsafeRawBufferPointer(rebasing: line[copiedTo...]))
        // univocity takes a quote that ends the line for text.
        if content.count == 0 { content.append(quote) }
        unsafe value = unsafe content.bytes
        return (line.count, .unclosed)
    }

    private mutating func textBehind(
        _ line: UnsafeRawBufferPointer, closedAt index: Int, from start: Int
    ) -> (end: Int, Ending) {
        let end = unsafe findMark(separator, in: line, from: start)
        var whole = ByteBuffer()
        whole.append(quote)
        unsafe whole.append(value)
        unsafe whole.append(UnsafeRawBufferPointer(rebasing: line[index..<end]))
        content.removeAll()
        unsafe content.append(whole.bytes)
        unsafe value = unsafe content.bytes
        return (end, .textBehind)
    }
}
