// Strings inside JSON: only `"`, `\` and control characters are escaped, as Jackson does by default. Text is looked at
// eight bytes at a time while it is copied; the rare text that needs an escape is then written byte by byte.

internal import Glibc

/// The high bit of each byte of `word` that JSON must escape.
@inline(__always)
private func escapeMask(_ word: UInt64) -> UInt64 {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let quote = word ^ 0x2222_2222_2222_2222
    let backslash = word ^ 0x5C5C_5C5C_5C5C_5C5C
    // A borrow can set the bit of a byte above the lowest hit, never below: as a yes or no the answer is exact.
    let hits = (word &- ones &* 0x20) & ~word | (quote &- ones) & ~quote | (backslash &- ones) & ~backslash
    return hits & 0x8080_8080_8080_8080
}

/// The most bytes that `byteCount` bytes of text become, and room to write eight bytes at a time.
@inline(__always)
func jsonTextRoom(_ byteCount: Int) -> Int { byteCount &* 6 &+ 16 }

/// Writes text as the inside of a JSON string; `jsonTextRoom` bytes at `place` are writable. Returns the byte count.
@inline(__always)
func writeJSONText(_ text: UnsafeRawBufferPointer, to place: UnsafeMutableRawPointer) -> Int {
    let count = text.count
    guard count > 0, let base = text.baseAddress else { return 0 }
    var hits: UInt64 = 0
    if count >= 8 {
        var index = 0
        while index &+ 8 <= count {
            let word = unsafe base.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            unsafe place.storeBytes(of: word, toByteOffset: index, as: UInt64.self)
            hits |= escapeMask(word)
            index &+= 8
        }
        // The last eight bytes overlap what has been copied.
        let word = unsafe base.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
        unsafe place.storeBytes(of: word, toByteOffset: count &- 8, as: UInt64.self)
        hits |= escapeMask(word)
    } else {
        let word = unsafe shortWord(base, count)
        unsafe place.storeBytes(of: word, as: UInt64.self)
        // What is not there counts as blanks.
        hits = escapeMask(word | 0x2020_2020_2020_2020 &<< UInt64(count &* 8))
    }
    return hits == 0 ? count : unsafe writeEscaped(base, count, to: place)
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

@inline(never)
private func writeEscaped(_ base: UnsafeRawPointer, _ count: Int, to place: UnsafeMutableRawPointer) -> Int {
    var end = 0
    for index in 0..<count {
        let byte = unsafe base.load(fromByteOffset: index, as: UInt8.self)
        let letter: UInt8
        switch byte {
        case 0x22, 0x5C: letter = byte
        case 0x08: letter = UInt8(ascii: "b")
        case 0x09: letter = UInt8(ascii: "t")
        case 0x0A: letter = UInt8(ascii: "n")
        case 0x0C: letter = UInt8(ascii: "f")
        case 0x0D: letter = UInt8(ascii: "r")
        case 0..<0x20:
            unsafe place.storeBytes(of: 0x3030_755C, toByteOffset: end, as: UInt32.self)
            unsafe place.storeBytes(of: byte < 0x10 ? 0x30 : 0x31, toByteOffset: end + 4, as: UInt8.self)
            let low = byte & 15
            unsafe place.storeBytes(of: low < 10 ? low + 0x30 : low + 0x37, toByteOffset: end + 5, as: UInt8.self)
            end += 6
            continue
        default:
            unsafe place.storeBytes(of: byte, toByteOffset: end, as: UInt8.self)
            end += 1
            continue
        }
        unsafe place.storeBytes(of: UInt8(ascii: "\\"), toByteOffset: end, as: UInt8.self)
        unsafe place.storeBytes(of: letter, toByteOffset: end + 1, as: UInt8.self)
        end += 2
    }
    return end
}
