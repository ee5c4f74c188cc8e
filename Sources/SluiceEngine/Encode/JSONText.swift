// Strings inside JSON: only `"`, `\` and control characters are escaped, as Jackson does by default. Text is looked at
// eight bytes at a time while it is copied; the rare text that needs an escape is then written byte by byte. Bytes that
// are no UTF-8 become U+FFFD, as they do when Java decodes them.

internal import Glibc

/// The high bit of each byte of `word` that JSON must escape.
@inline(__always)
private func escapeMask(_ word: UInt64) -> UInt64 {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let quote = word ^ 0x2222_2222_2222_2222
    let backslash = word ^ 0x5C5C_5C5C_5C5C_5C5C
    // A borrow can set the bit of a byte above the lowest hit, never below: as a yes or no the answer is exact.
    let hits = (word &- ones &* 0x20) & ~word | (quote &- ones) & ~quote | (backslash &- ones) & ~backslash
    return hits & highBits
}

private let highBits: UInt64 = 0x8080_8080_8080_8080

/// The most bytes that `byteCount` bytes of text become, and room to write eight bytes at a time.
@inline(__always)
func jsonTextRoom(_ byteCount: Int) -> Int { byteCount &* 6 &+ 16 }

/// Writes text as the inside of a JSON string; `jsonTextRoom` bytes at `place` are writable. Returns the byte count.
@inline(__always)
func writeJSONText(_ text: UnsafeRawBufferPointer, to place: UnsafeMutableRawPointer) -> Int {
    let count = text.count
    guard count > 0, let base = text.baseAddress else { return 0 }
    var hits: UInt64 = 0
    var all: UInt64 = 0
    if count >= 8 {
        var index = 0
        while index &+ 8 <= count {
            let word = unsafe base.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            unsafe place.storeBytes(of: word, toByteOffset: index, as: UInt64.self)
            hits |= escapeMask(word)
            all |= word
            index &+= 8
        }
        // The last eight bytes overlap what has been copied.
        let word = unsafe base.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
        unsafe place.storeBytes(of: word, toByteOffset: count &- 8, as: UInt64.self)
        hits |= escapeMask(word)
        all |= word
    } else {
        let word = unsafe shortWord(base, count)
        unsafe place.storeBytes(of: word, as: UInt64.self)
        // What is not there counts as blanks.
        hits = escapeMask(word | 0x2020_2020_2020_2020 &<< UInt64(count &* 8))
        all = word
    }
    if hits == 0 && all & highBits == 0 { return count }
    return unsafe writeUnusual(base, count, needsEscapes: hits != 0, to: place)
}

/// 1 to 7 bytes as a word whose other bytes are 0.
@inline(__always)
private func shortWord(_ base: UnsafeRawPointer, _ count: Int) -> UInt64 {
    if count >= 4 {
        let low = unsafe UInt64(base.loadUnaligned(as: UInt32.self))
        let high = unsafe UInt64(base.loadUnaligned(fromByteOffset: count &- 4, as: UInt32.self))
        return low | high &<< UInt64((count &- 4) &* 8)
    }
    let first = unsafe UInt64(base.load(as: UInt8.self))
    let middle = unsafe UInt64(base.load(fromByteOffset: count &>> 1, as: UInt8.self))
    let last = unsafe UInt64(base.load(fromByteOffset: count &- 1, as: UInt8.self))
    return first | middle &<< UInt64((count &>> 1) &* 8) | last &<< UInt64((count &- 1) &* 8)
}

/// Text that is not plain ASCII, copied already.
@inline(never)
private func writeUnusual(
    _ base: UnsafeRawPointer, _ count: Int, needsEscapes: Bool, to place: UnsafeMutableRawPointer
) -> Int {
    var index = 0
    var end = 0
    if !needsEscapes {
        // Valid text is as it should be where it has been copied to.
        while index < count {
            let character = unsafe utf8Character(base + index, count &- index)
            guard character.isValid else { break }
            index &+= character.byteCount
        }
        end = index
    }
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
