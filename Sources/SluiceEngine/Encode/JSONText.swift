// Strings inside JSON: only `"`, `\` and control characters are escaped, as Jackson does by default. The rare
// text that needs an escape is written byte by byte. Bytes that
// are no UTF-8 become U+FFFD, as they do when Java decodes them.

internal import Glibc

/// The most bytes that `byteCount` bytes of text become, and room to write eight bytes at a time.
@inline(__always)
func jsonTextRoom(_ byteCount: Int) -> Int { byteCount &* 6 &+ 16 }

/// Writes text as the inside of a JSON string; `jsonTextRoom` bytes at `place` are writable. Returns the byte count.
@inline(__always)
func writeJSONText(_ text: UnsafeRawBufferPointer, to place: UnsafeMutableRawPointer) -> Int {
    let marks = unsafe copyText(text, special: eightTimes(UInt8(ascii: "\\")), to: place)
    if marks.isPlainASCII { return text.count }
    return unsafe writeUnusual(text, to: place)
}

/// Text that is not plain ASCII or needs escapes, copied already.
@inline(never)
private func writeUnusual(_ text: UnsafeRawBufferPointer, to place: UnsafeMutableRawPointer) -> Int {
    guard let base = text.baseAddress else { return 0 }
    let count = text.count
    var index = 0
    // Up to the first mistake or escape, text is as it should be where it has been copied to.
    while index < count {
        let character = unsafe utf8Character(base + index, count &- index)
        guard character.isValid, unsafe !needsEscape(base.load(fromByteOffset: index, as: UInt8.self)) else { break }
        index &+= character.byteCount
    }
    var end = index
    while index < count {
        let byte = unsafe base.load(fromByteOffset: index, as: UInt8.self)
        if byte < 0x80 {
            unsafe end += writeEscaped(byte, to: place + end)
            index += 1
            continue
        }
        let character = unsafe utf8Character(base + index, count - index)
        if character.isValid {
            unsafe (place + end).copyMemory(from: base + index, byteCount: character.byteCount)
            end += character.byteCount
        } else {
            unsafe place.storeBytes(of: 0xBD_BFEF, toByteOffset: end, as: UInt32.self)
            end += 3
        }
        index += character.byteCount
    }
    return end
}

/// Whether a character of UTF-8 begins here, and how many bytes it has; or how many bytes count as one mistake.
/// Source: the malformed lengths of OpenJDK's sun.nio.cs.UTF_8.
@inline(__always)
private func utf8Character(_ base: UnsafeRawPointer, _ count: Int) -> (isValid: Bool, byteCount: Int) {
    let lead = unsafe base.load(as: UInt8.self)
    if lead < 0x80 { return (true, 1) }
    let length = lead < 0xC2 ? 0 : (lead < 0xE0 ? 2 : (lead < 0xF0 ? 3 : (lead < 0xF5 ? 4 : 0)))
    guard length > 1, count > 1 else { return (false, 1) }
    let second = unsafe base.load(fromByteOffset: 1, as: UInt8.self)
    // Overlong forms and what is beyond U+10FFFF show in the second byte.
    let least: UInt8 = lead == 0xE0 ? 0xA0 : (lead == 0xF0 ? 0x90 : 0x80)
    let greatest: UInt8 = lead == 0xF4 ? 0x8F : 0xBF
    guard second >= least, second <= greatest else { return (false, 1) }
    for index in 2..<max(length, 2) {
        guard index < count, unsafe base.load(fromByteOffset: index, as: UInt8.self) & 0xC0 == 0x80 else {
            return (false, index)
        }
    }
    // A surrogate has the form of a character and is none.
    return (!(lead == 0xED && second >= 0xA0), length)
}

@inline(__always)
private func needsEscape(_ byte: UInt8) -> Bool { byte < 0x20 || byte == 0x22 || byte == 0x5C }

/// Writes one byte of ASCII, escaped if JSON asks for it; 8 bytes at `place` are writable. Returns the byte count.
@inline(__always)
private func writeEscaped(_ byte: UInt8, to place: UnsafeMutableRawPointer) -> Int {
    let letter: UInt8
    switch byte {
    case 0x22, 0x5C: letter = byte
    case 0x08: letter = UInt8(ascii: "b")
    case 0x09: letter = UInt8(ascii: "t")
    case 0x0A: letter = UInt8(ascii: "n")
    case 0x0C: letter = UInt8(ascii: "f")
    case 0x0D: letter = UInt8(ascii: "r")
    case 0..<0x20:
        let low = UInt64(byte & 15)
        let digits: UInt64 = (byte < 0x10 ? 0x30 : 0x31) | (low < 10 ? low + 0x30 : low + 0x37) << 8
        unsafe place.storeBytes(of: 0x3030_755C | digits << 32, as: UInt64.self)
        return 6
    default:
        unsafe place.storeBytes(of: byte, as: UInt8.self)
        return 1
    }
    unsafe place.storeBytes(of: 0x5C | UInt16(letter) << 8, as: UInt16.self)
    return 2
}
