// String functions over UTF-8 bytes. Characters are Unicode scalars, as in Spark's UTF8String; text that is not valid
// UTF-8 is taken as its lead bytes say, and never read past its end.

internal import Glibc

@inline(__always)
func areEqual(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
    guard a.count == b.count else { return false }
    guard a.count > 0, let x = a.baseAddress, let y = b.baseAddress else { return true }
    return unsafe memcmp(x, y, a.count) == 0
}

/// Negative, zero or positive: unsigned bytes, then length.
@inline(__always)
func compareBytes(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Int {
    let common = min(a.count, b.count)
    if common > 0, let x = a.baseAddress, let y = b.baseAddress {
        let sign = unsafe memcmp(x, y, common)
        if sign != 0 { return Int(sign) }
    }
    return a.count &- b.count
}

/// How many bytes the character takes that begins with this byte; a byte that begins none counts alone.
@inline(__always)
func characterByteCount(_ lead: UInt8) -> Int {
    lead < 0xC0 ? 1 : (lead < 0xE0 ? 2 : (lead < 0xF0 ? 3 : (lead < 0xF8 ? 4 : 1)))
}

func characterCount(_ text: UnsafeRawBufferPointer) -> Int {
    var index = 0
    var count = 0
    while index < text.count {
        unsafe index &+= characterByteCount(text[index])
        count &+= 1
    }
    return count
}

func trimmingSpaces(
    _ text: UnsafeRawBufferPointer, atStart: Bool = true, atEnd: Bool = true
) -> UnsafeRawBufferPointer {
    var start = 0
    var end = text.count
    while atStart, start < end, unsafe text[start] == UInt8(ascii: " ") { start &+= 1 }
    while atEnd, end > start, unsafe text[end &- 1] == UInt8(ascii: " ") { end &-= 1 }
    return unsafe UnsafeRawBufferPointer(rebasing: text[start..<end])
}

/// The part of `length` characters from `position`: 1 is the first, 0 counts as 1, negative counts from the end; what
/// lies outside is left out. Source: Spark's UTF8String.substringSQL.
func substring(_ text: UnsafeRawBufferPointer, position: Int64, length: Int64) -> UnsafeRawBufferPointer {
    let start = unsafe position > 0 ? position - 1 : (position < 0 ? Int64(characterCount(text)) + position : 0)
    let end = min(start + length, Int64(Int32.max))
    var index = 0
    var character: Int64 = 0
    while index < text.count, character < start {
        unsafe index &+= characterByteCount(text[index])
        character &+= 1
    }
    let first = min(index, text.count)
    guard end > start else { return unsafe UnsafeRawBufferPointer(rebasing: text[0..<0]) }
    while index < text.count, character < end {
        unsafe index &+= characterByteCount(text[index])
        character &+= 1
    }
    return unsafe UnsafeRawBufferPointer(rebasing: text[first..<min(index, text.count)])
}

func concatenate(
    _ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer, _ scratch: inout EvaluationScratch
) -> Register {
    let space = unsafe UnsafeMutableRawBufferPointer(start: scratch.space(a.count + b.count), count: a.count + b.count)
    unsafe UnsafeMutableRawBufferPointer(rebasing: space[..<a.count]).copyMemory(from: a)
    unsafe UnsafeMutableRawBufferPointer(rebasing: space[a.count...]).copyMemory(from: b)
    return scratch.keep(a.count + b.count)
}

/// Whether the whole text matches the pattern: `%` any characters, `_` one, `\` takes `%`, `_` or `\` as they are.
/// nil when `\` stands before anything else or at the end. Complexity: O(text * pattern) at worst.
func isLike(_ text: UnsafeRawBufferPointer, pattern: UnsafeRawBufferPointer) -> Bool? {
    guard unsafe isPattern(pattern) else { return nil }
    var at = 0
    var here = 0
    // Where to go on after a mismatch: behind the last `%`, one more character of text taken by it.
    var retryPattern = -1
    var retryText = 0
    while true {
        if here < pattern.count, unsafe pattern[here] == UInt8(ascii: "%") {
            here &+= 1
            retryPattern = here
            retryText = at
            continue
        }
        if at == text.count && here == pattern.count { return true }
        if here < pattern.count, at < text.count {
            let symbol = unsafe pattern[here]
            if symbol == UInt8(ascii: "_") {
                at = unsafe min(text.count, at &+ characterByteCount(text[at]))
                here &+= 1
                continue
            }
            let escaped = symbol == UInt8(ascii: "\\") ? 1 : 0
            if unsafe pattern[here &+ escaped] == text[at] {
                at &+= 1
                here &+= 1 &+ escaped
                continue
            }
        }
        guard retryPattern >= 0, retryText < text.count else { return false }
        retryText = unsafe min(text.count, retryText &+ characterByteCount(text[retryText]))
        at = retryText
        here = retryPattern
    }
}

private func isPattern(_ pattern: UnsafeRawBufferPointer) -> Bool {
    var index = 0
    while index < pattern.count {
        if unsafe pattern[index] == UInt8(ascii: "\\") {
            guard index + 1 < pattern.count else { return false }
            switch unsafe pattern[index + 1] {
            case UInt8(ascii: "%"), UInt8(ascii: "_"), UInt8(ascii: "\\"): index += 1
            default: return false
            }
        }
        index += 1
    }
    return true
}

/// Lower or upper case by Unicode's full mappings, the final sigma included.
func changeCase(
    _ text: UnsafeRawBufferPointer, toUpper: Bool, _ scratch: inout EvaluationScratch
) -> Register {
    let first = UInt8(ascii: toUpper ? "a" : "A")
    let space = unsafe scratch.space(text.count)
    for index in 0..<text.count {
        let byte = unsafe text[index]
        if byte >= 0x80 { return unsafe changeUnicodeCase(text, toUpper: toUpper, &scratch) }
        unsafe space.storeBytes(
            of: byte &- first < 26 ? byte ^ 0x20 : byte, toByteOffset: index, as: UInt8.self)
    }
    return scratch.keep(text.count)
}

@inline(never)
private func changeUnicodeCase(
    _ text: UnsafeRawBufferPointer, toUpper: Bool, _ scratch: inout EvaluationScratch
) -> Register {
    let scalars = Array(unsafe String(decoding: text, as: UTF8.self).unicodeScalars)
    var changed: [UInt8] = []
    changed.reserveCapacity(text.count + 8)
    for (index, scalar) in scalars.enumerated() {
        if !toUpper && scalar == "\u{3A3}" && isFinalSigma(scalars, at: index) {
            changed.append(contentsOf: "\u{3C2}".utf8)
        } else {
            let mapping = toUpper ? scalar.properties.uppercaseMapping : scalar.properties.lowercaseMapping
            changed.append(contentsOf: mapping.utf8)
        }
    }
    return unsafe changed.withUnsafeBytes {
        unsafe concatenate($0, UnsafeRawBufferPointer(start: nil, count: 0), &scratch)
    }
}

/// Unicode's Final_Sigma: a cased letter before and none behind, not counting what case ignores.
private func isFinalSigma(_ scalars: [Unicode.Scalar], at index: Int) -> Bool {
    let before = scalars[..<index].last { !$0.properties.isCaseIgnorable }
    let behind = scalars[(index + 1)...].first { !$0.properties.isCaseIgnorable }
    return before?.properties.isCased == true && behind?.properties.isCased != true
}
