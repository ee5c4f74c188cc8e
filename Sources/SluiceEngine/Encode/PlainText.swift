// Copying text while looking for bytes that cannot stand as they are: control characters, `"` and one more. Both output
// formats copy first and ask then, since nearly all text is plain.

/// What a piece of text holds besides plain bytes; each property is exact as a yes or no.
struct TextMarks {
    /// High bits where a control character, a `"` or the third special byte may be.
    fileprivate var specials: UInt64 = 0
    /// All words of the text.
    fileprivate var all: UInt64 = 0

    @inline(__always)
    var isPlainASCII: Bool { (specials | all) & 0x8080_8080_8080_8080 == 0 }

    @inline(__always)
    var hasSpecials: Bool { specials & 0x8080_8080_8080_8080 != 0 }

    /// `special` is the third special byte, eight times.
    @inline(__always)
    fileprivate mutating func add(_ word: UInt64, special: UInt64) {
        // A subtraction borrows only from bytes above one that is a hit itself.
        let control = word &- eightTimes(0x20)
        let quote = (word ^ eightTimes(0x22)) &- eightTimes(1)
        let other = (word ^ special) &- eightTimes(1)
        specials |= (control | quote | other) & ~word
        all |= word
    }
}

@inline(__always)
func eightTimes(_ byte: UInt8) -> UInt64 { UInt64(byte) &* 0x0101_0101_0101_0101 }

/// Copies text to `place`, where 8 bytes more than the text has are writable. `special` is the byte to look for besides
/// `"` and control characters, eight times.
@inline(__always)
func copyText(_ text: UnsafeRawBufferPointer, special: UInt64, to place: UnsafeMutableRawPointer) -> TextMarks {
    var marks = TextMarks()
    let count = text.count
    guard count > 0, let base = text.baseAddress else { return marks }
    if count < 8 {
        let word = unsafe shortWord(base, count)
        unsafe place.storeBytes(of: word, as: UInt64.self)
        // What is not there counts as blanks, which no format marks unless blanks separate.
        marks.add(word | eightTimes(0x20) &<< UInt64(count &* 8), special: special)
        return marks
    }
    if count > 16 {
        var index = 0
        repeat {
            let word = unsafe base.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            unsafe place.storeBytes(of: word, toByteOffset: index, as: UInt64.self)
            marks.add(word, special: special)
            index &+= 8
        } while index &+ 16 < count
    }
    // The last sixteen bytes as two words, which may overlap each other and what has been copied.
    let next = count > 16 ? count &- 16 : 0
    let first = unsafe base.loadUnaligned(fromByteOffset: next, as: UInt64.self)
    let last = unsafe base.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
    unsafe place.storeBytes(of: first, toByteOffset: next, as: UInt64.self)
    unsafe place.storeBytes(of: last, toByteOffset: count &- 8, as: UInt64.self)
    marks.add(first, special: special)
    marks.add(last, special: special)
    return marks
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
