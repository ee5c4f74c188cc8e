// Scalars of strict JSON by their grammar.

enum JSONScalar: UInt8 {
    case null, isTrue, isFalse, integer, float
    /// None, or one that only Jackson's extensions or limits decide.
    case other

    /// What a text (not empty) is, which is not a string.
    @inline(__always)
    init(_ text: UnsafeRawBufferPointer) {
        switch unsafe text[0] {
        case UInt8(ascii: "n"): self = unsafe JSONScalar.isWord(text, "null") ? .null : .other
        case UInt8(ascii: "t"): self = unsafe JSONScalar.isWord(text, "true") ? .isTrue : .other
        case UInt8(ascii: "f"): self = unsafe JSONScalar.isWord(text, "false") ? .isFalse : .other
        default: self = unsafe JSONScalar.number(text)
        }
    }

    /// True when `text` is a word of at least four bytes, compared by its first and its last four.
    @inline(__always)
    private static func isWord(_ text: UnsafeRawBufferPointer, _ word: StaticString) -> Bool {
        let count = word.utf8CodeUnitCount
        guard text.count == count else { return false }
        let expected = unsafe UnsafeRawBufferPointer(start: word.utf8Start, count: count)
        return unsafe text.loadUnaligned(as: UInt32.self) == expected.loadUnaligned(as: UInt32.self)
            && text.loadUnaligned(fromByteOffset: count - 4, as: UInt32.self)
                == expected.loadUnaligned(fromByteOffset: count - 4, as: UInt32.self)
    }

    /// `-? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?`, up to a thousand bytes.
    @inline(__always)
    private static func number(_ text: UnsafeRawBufferPointer) -> JSONScalar {
        guard text.count <= 1000 else { return .other }
        let wholeStart = unsafe text[0] == UInt8(ascii: "-") ? 1 : 0
        let index = unsafe skipDigits(text, from: wholeStart)
        let wholeCount = index &- wholeStart
        guard unsafe wholeCount == 1 || (wholeCount > 1 && text[wholeStart] != UInt8(ascii: "0")) else { return .other }
        if index == text.count { return .integer }
        return unsafe isFraction(text, from: index) ? .float : .other
    }

    private static func isFraction(_ text: UnsafeRawBufferPointer, from start: Int) -> Bool {
        var index = start
        if unsafe text[index] == UInt8(ascii: ".") {
            let digitsStart = index &+ 1
            index = unsafe skipDigits(text, from: digitsStart)
            guard index > digitsStart else { return false }
        }
        if index < text.count, unsafe text[index] | 0x20 == UInt8(ascii: "e") {
            index &+= 1
            if index < text.count, unsafe text[index] == UInt8(ascii: "-") || text[index] == UInt8(ascii: "+") {
                index &+= 1
            }
            let digitsStart = index
            index = unsafe skipDigits(text, from: digitsStart)
            guard index > digitsStart else { return false }
        }
        return index == text.count
    }

    @inline(__always)
    private static func skipDigits(_ text: UnsafeRawBufferPointer, from start: Int) -> Int {
        var index = start
        while index < text.count, unsafe text[index].isDigit { index &+= 1 }
        return index
    }
}

/// The four blanks of JSON.
@inline(__always)
func isJSONBlank(_ byte: UInt8) -> Bool {
    byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D
}
