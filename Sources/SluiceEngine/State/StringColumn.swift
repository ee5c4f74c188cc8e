// One string column of a section. Ids mostly look alike: `visit-000123`, `/shop/page-068110.html`. What all values
// begin and end with is written once; where nothing but a number is left, it is written as an integer, as the
// difference from the one before. That is a fifth of the bytes, and compressing costs by the byte.
//
//     text      0 prefix suffix   lengths of the middles   bytes of the middles
//     numbers   1 prefix suffix   width   differences      width 0: as short as can be; else padded with zeros
//
//     visit-000123  visit-000119  visit-000131     ▶  1 "visit-" "" 6  +123 -4 +12
//
// Prefix and suffix stop at the digits beside them, so that a number is never cut in two.
// Invariant: reading gives back every byte; whatever does not fit exactly is written as text.

internal import Glibc
internal import SluiceSpec

enum StringMode: UInt8 {
    case text = 0
    case numbers = 1
}

/// More digits than this do not fit the arithmetic.
private let digitCountMax = 18

// MARK: Writing

/// Collects the values of one column, then writes them. Scratch memory is kept between columns.
@safe struct StringColumnWriter: ~Copyable {
    private var values: [UnsafeRawBufferPointer] = unsafe []
    private var numbers: [Int64] = []
    private var prefixByteCount = 0
    private var suffixByteCount = 0

    mutating func removeAll() { unsafe values.removeAll(keepingCapacity: true) }

    /// Adds a value; its memory stays as it is until `write` has returned, and the 8 bytes before it can be read (in a
    /// packed row, slots stand there).
    @inline(__always)
    mutating func append(_ value: UnsafeRawBufferPointer) { unsafe values.append(value) }

    /// Appends the block's values. O(bytes).
    mutating func write(into block: inout ByteBuffer) {
        findAffixes()
        let width = readNumbers()
        block.append((width == nil ? StringMode.text : .numbers).rawValue)
        let first = unsafe values.first ?? UnsafeRawBufferPointer(start: nil, count: 0)
        block.appendVarint(UInt64(prefixByteCount))
        unsafe block.append(UnsafeRawBufferPointer(rebasing: first[..<prefixByteCount]))
        block.appendVarint(UInt64(suffixByteCount))
        unsafe block.append(UnsafeRawBufferPointer(rebasing: first[(first.count - suffixByteCount)...]))
        if let width {
            block.appendVarint(UInt64(width))
            var previous: Int64 = 0
            for number in numbers {
                block.appendZigzag(number &- previous)
                previous = number
            }
        } else {
            writeMiddles(into: &block)
        }
    }

    private func writeMiddles(into block: inout ByteBuffer) {
        let around = prefixByteCount &+ suffixByteCount
        for index in unsafe values.indices {
            let value = unsafe values[index]
            block.appendVarint(UInt64(value.count &- around))
        }
        for index in unsafe values.indices {
            let value = unsafe values[index]
            let middle = unsafe value[prefixByteCount..<value.count &- suffixByteCount]
            unsafe block.append(UnsafeRawBufferPointer(rebasing: middle))
        }
    }

    /// The bytes that all values begin and end with, without overlap and without digits at their inner ends.
    private mutating func findAffixes() {
        guard let first = unsafe values.first, let firstStart = first.baseAddress else {
            (prefixByteCount, suffixByteCount) = (0, 0)
            return
        }
        let firstEnd = unsafe firstStart + first.count
        var (prefix, suffix, shortest) = (first.count, first.count, first.count)
        for index in unsafe values.indices {
            let value = unsafe values[index]
            let start = value.baseAddress!
            shortest = min(shortest, value.count)
            prefix = unsafe commonPrefix(firstStart, start, limit: min(prefix, value.count))
            suffix = unsafe commonSuffix(firstEnd, start + value.count, limit: min(suffix, value.count))
        }
        while prefix > 0, unsafe isDigit(first[prefix &- 1]) { prefix &-= 1 }
        suffix = min(suffix, shortest &- prefix)
        while suffix > 0, unsafe isDigit(first[first.count &- suffix]) { suffix &-= 1 }
        (prefixByteCount, suffixByteCount) = (prefix, suffix)
    }

    /// Reads all middles as numbers of one form. Returns their width, 0 for numbers without leading zeros, nil when
    /// they are not that.
    private mutating func readNumbers() -> Int? {
        numbers.removeAll(keepingCapacity: true)
        var (shortest, longest, isPadded) = (Int.max, 0, false)
        for index in unsafe values.indices {
            let value = unsafe values[index]
            let width = value.count &- prefixByteCount &- suffixByteCount
            guard width > 0, width <= digitCountMax, let start = value.baseAddress else { return nil }
            guard let number = unsafe readDigits(endingAt: start + (prefixByteCount &+ width), width) else {
                return nil
            }
            if unsafe width > 1 && value[prefixByteCount] == UInt8(ascii: "0") { isPadded = true }
            shortest = min(shortest, width)
            longest = max(longest, width)
            numbers.append(number)
        }
        if numbers.isEmpty { return nil }
        if !isPadded { return 0 }
        return shortest == longest ? longest : nil
    }
}

// What follows reads 8 bytes at a time, up to 8 bytes before a value's own: see `append`.

private let zeros: UInt64 = 0x3030_3030_3030_3030

/// The number that the `width` bytes before `end` say; nil when they are not all digits.
@inline(__always)
private func readDigits(endingAt end: UnsafeRawPointer, _ width: Int) -> Int64? {
    var (number, scale): (UInt64, UInt64) = (0, 1)
    var rest = width
    var place = unsafe end
    while rest > 0 {
        var word = unsafe UInt64(littleEndian: (place - 8).loadUnaligned(as: UInt64.self))
        if rest < 8 {
            let foreign: UInt64 = 1 &<< UInt64((8 &- rest) &* 8) &- 1
            word = word & ~foreign | zeros & foreign
        }
        let digits = word ^ zeros
        // A digit is below 10: neither it nor it plus 6 reaches the high half of its byte.
        guard (digits | (digits &+ 0x0606_0606_0606_0606)) & 0xF0F0_F0F0_F0F0_F0F0 == 0 else { return nil }
        // Pairs, then fours, then all eight.
        let pairs = (digits &* 10 &+ digits &>> 8) & 0x00FF_00FF_00FF_00FF
        let fours = (pairs &* 100 &+ pairs &>> 16) & 0x0000_FFFF_0000_FFFF
        let eight = (fours &* 10_000 &+ fours &>> 32) & 0xFFFF_FFFF
        number = number &+ eight &* scale
        scale = scale &* 100_000_000
        rest &-= 8
        unsafe place -= 8
    }
    return Int64(bitPattern: number)
}

@inline(__always)
private func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }

/// How many of the first `limit` bytes, which both have, are the same.
@inline(__always)
private func commonPrefix(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer, limit: Int) -> Int {
    var count = 0
    while count < limit {
        // The last word reaches back over bytes that have been compared, or that stand before the values.
        let start = min(count, limit &- 8)
        let left = unsafe UInt64(littleEndian: (a + start).loadUnaligned(as: UInt64.self))
        let right = unsafe UInt64(littleEndian: (b + start).loadUnaligned(as: UInt64.self))
        let difference = (left ^ right) &>> UInt64((count &- start) &* 8)
        if difference != 0 { return count &+ difference.trailingZeroBitCount &>> 3 }
        count = start &+ 8
    }
    return limit
}

/// How many of the last `limit` bytes, which both have, are the same.
@inline(__always)
private func commonSuffix(_ aEnd: UnsafeRawPointer, _ bEnd: UnsafeRawPointer, limit: Int) -> Int {
    var count = 0
    while count < limit {
        let left = unsafe UInt64(littleEndian: (aEnd - (count &+ 8)).loadUnaligned(as: UInt64.self))
        let right = unsafe UInt64(littleEndian: (bEnd - (count &+ 8)).loadUnaligned(as: UInt64.self))
        let difference = left ^ right
        if difference != 0 { return min(limit, count &+ difference.leadingZeroBitCount &>> 3) }
        count &+= 8
    }
    return limit
}

// MARK: Reading

/// The values of a block, front to back.
@safe struct StringColumnReader {
    private let mode: StringMode
    private let prefix: UnsafeRawBufferPointer
    private let suffix: UnsafeRawBufferPointer
    /// Lengths, or differences.
    private var numbers: SegmentReader
    /// The middles of text.
    private var text: SegmentReader
    private let width: Int
    private var number: Int64 = 0

    /// - Parameter reader: stands behind the block's null bits.
    init(_ reader: SegmentReader, valueCount: Int, version: UInt8) throws(StateError) {
        var reader = reader
        if version == 1 {
            mode = .text
            unsafe prefix = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
            unsafe suffix = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
        } else {
            guard let mode = StringMode(rawValue: try reader.byte()) else {
                throw StateError(description: "an unknown string mode in the state")
            }
            self.mode = mode
            unsafe prefix = unsafe try reader.take(reader.count())
            unsafe suffix = unsafe try reader.take(reader.count())
        }
        text = reader
        var width = 0
        switch mode {
        case .text: for _ in 0..<valueCount { _ = try text.varint() }
        case .numbers:
            width = Int(truncatingIfNeeded: try reader.varint())
            guard width >= 0, width <= digitCountMax else {
                throw StateError(description: "a number in the state has \(width) digits")
            }
        }
        self.width = width
        numbers = reader
    }

    /// Sets a column of the row in hand to the next value.
    mutating func next(_ column: Int, _ builder: RowBuilder, into arena: inout ByteBuffer) throws(StateError) {
        let start = arena.count
        unsafe arena.append(prefix)
        switch mode {
        case .text:
            unsafe arena.append(try text.take(Int(truncatingIfNeeded: try numbers.varint())))
        case .numbers:
            number &+= try numbers.zigzag()
            try appendDigits(to: &arena)
        }
        unsafe arena.append(suffix)
        builder.setAppended(column, from: start, in: &arena)
    }

    private func appendDigits(to arena: inout ByteBuffer) throws(StateError) {
        arena.reserve(2 * digitCountMax)
        let place = unsafe arena.base + arena.count
        var rest = number
        var length = 0
        repeat {
            unsafe place.storeBytes(
                of: UInt8(truncatingIfNeeded: 0x30 &+ rest % 10), toByteOffset: digitCountMax &- 1 &- length,
                as: UInt8.self)
            rest /= 10
            length &+= 1
        } while (rest > 0 || length < width) && length < digitCountMax
        guard number >= 0, rest == 0, width == 0 || length == width else {
            throw StateError(description: "a number in the state does not have its digits")
        }
        unsafe memmove(place, place + (digitCountMax &- length), length)
        arena.advance(by: length)
    }
}
