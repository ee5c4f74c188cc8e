// State on its way to the checkpoint: the bytes of one shard's change in one batch (a delta), or of many batches
// merged. Defined here beside the tables; files, compression and retention are the runtime's.
//
//     payload   'S' version side side
//     side      sections, sections × section
//     section   bucket index, marks, rows          a bucket with new rows or newly matched old ones
//     marks     count, ordinals ascending          rows of earlier payloads that have matched since
//     rows      count, runs of ordinals, matched bits, one block per column
//     block     byte count, null mode [null bits], values
//
// Counts are LEB128 varints. Columns are written column by column, because that is what compresses: integers as the
// difference from the value before, timestamps in the coarsest of s, ms, µs that fits them all, strings as
// `StringColumn` says. Evictions are not written; they follow from the state watermark. Marks come before rows: a
// bucket may give out the ordinal of a row that died long ago again after a restart, and the row's own bit wins then.

internal import SluiceSpec

/// The bytes of a state file are not what the engine has written.
package struct StateError: Error, Hashable, Sendable, CustomStringConvertible {
    package var description: String
}

let segmentMagic: UInt8 = 0x53
/// Version 1 has all strings as text, without a mode, prefix or suffix; it is read still.
let segmentVersion: UInt8 = 2

// MARK: Integers

extension ByteBuffer {
    @inline(__always)
    mutating func appendVarint(_ value: UInt64) {
        reserve(10)
        var rest = value
        var length = 0
        let target = unsafe base + count
        while rest >= 0x80 {
            unsafe target.storeBytes(of: UInt8(truncatingIfNeeded: rest) | 0x80, toByteOffset: length, as: UInt8.self)
            rest &>>= 7
            length &+= 1
        }
        unsafe target.storeBytes(of: UInt8(truncatingIfNeeded: rest), toByteOffset: length, as: UInt8.self)
        advance(by: length &+ 1)
    }

    /// Small numbers of either sign in few bytes.
    @inline(__always)
    mutating func appendZigzag(_ value: Int64) {
        appendVarint(UInt64(bitPattern: (value &<< 1) ^ (value &>> 63)))
    }
}

/// Reads bytes front to back and never past the end. Whoever makes one keeps the bytes alive.
@safe struct SegmentReader {
    private let bytes: UnsafeRawBufferPointer
    private(set) var position = 0

    init(_ bytes: UnsafeRawBufferPointer) { unsafe self.bytes = unsafe bytes }

    var isAtEnd: Bool { unsafe position == bytes.count }

    mutating func byte() throws(StateError) -> UInt8 {
        guard unsafe position < bytes.count else { throw StateError(description: "the state ends early") }
        defer { position += 1 }
        return unsafe bytes[position]
    }

    mutating func varint() throws(StateError) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while shift < 64 {
            let byte = try byte()
            value |= UInt64(byte & 0x7F) &<< shift
            if byte < 0x80 { return value }
            shift += 7
        }
        throw StateError(description: "a number in the state is longer than 64 bits")
    }

    mutating func zigzag() throws(StateError) -> Int64 {
        let raw = try varint()
        return Int64(bitPattern: (raw &>> 1) ^ (0 &- (raw & 1)))
    }

    /// A count of things that take at least one byte (or bit, for `bitsEach`) each, so that a wrong one is found before
    /// memory is asked for.
    mutating func count(bitsEach: Int = 8) throws(StateError) -> Int {
        let value = try varint()
        guard unsafe value <= UInt64(bytes.count - position) * 8 / UInt64(bitsEach) + 8 else {
            throw StateError(description: "a count in the state is too large")
        }
        return Int(value)
    }

    mutating func take(_ byteCount: Int) throws(StateError) -> UnsafeRawBufferPointer {
        guard byteCount >= 0, unsafe byteCount <= bytes.count - position else {
            throw StateError(description: "the state ends early")
        }
        defer { position += byteCount }
        return unsafe UnsafeRawBufferPointer(rebasing: bytes[position..<position + byteCount])
    }
}

// MARK: Writing

/// Writes sections of one side. Scratch memory is kept between sections.
struct SegmentWriter: ~Copyable {
    private let layout: RowLayout
    /// Arena positions of the rows of the section in hand.
    var positions: [Int] = []
    private var block = ByteBuffer()
    private var strings = StringColumnWriter()
    private var runs: [(first: UInt32, count: UInt32)] = []

    init(layout: RowLayout) { self.layout = layout }

    /// Appends one section: `marks` (ascending ordinals) and the rows at `positions` in `bucket`'s arena.
    mutating func write(
        bucket: borrowing TimeBucket, marks: [UInt32], into output: inout ByteBuffer
    ) {
        output.appendZigzag(bucket.index)
        output.appendVarint(UInt64(marks.count))
        var previous: UInt32 = 0
        for ordinal in marks {
            output.appendVarint(UInt64(ordinal &- previous))
            previous = ordinal
        }
        output.appendVarint(UInt64(positions.count))
        if positions.isEmpty { return }
        writeRuns(bucket, into: &output)
        writeMatchedBits(bucket, into: &output)
        for column in 0..<layout.columnCount {
            block.removeAll()
            writeColumn(column, bucket)
            output.appendVarint(UInt64(block.count))
            unsafe output.append(block.bytes)
        }
    }

    private func row(_ position: Int, _ bucket: borrowing TimeBucket) -> PackedRow {
        unsafe PackedRow(base: bucket.arena.base + position + StateRowHeader.byteCount, layout: layout)
    }

    private mutating func writeRuns(_ bucket: borrowing TimeBucket, into output: inout ByteBuffer) {
        runs.removeAll(keepingCapacity: true)
        for position in positions {
            let ordinal = bucket.header(at: position).ordinal
            if let last = runs.last, last.first &+ last.count == ordinal {
                runs[runs.count - 1].count += 1
            } else {
                runs.append((ordinal, 1))
            }
        }
        output.appendVarint(UInt64(runs.count))
        var end: UInt32 = 0
        for run in runs {
            output.appendVarint(UInt64(run.first &- end))
            output.appendVarint(UInt64(run.count))
            end = run.first &+ run.count
        }
    }

    private func writeMatchedBits(_ bucket: borrowing TimeBucket, into output: inout ByteBuffer) {
        let anyMatched = positions.contains { bucket.isMatched(bucket.header(at: $0).ordinal) }
        output.append(anyMatched ? 1 : 0)
        guard anyMatched else { return }
        appendBits(into: &output) { bucket.isMatched(bucket.header(at: $0).ordinal) }
    }

    /// One bit per row of the section.
    private func appendBits(into output: inout ByteBuffer, _ isSet: (Int) -> Bool) {
        var bits: UInt8 = 0
        for (index, position) in positions.enumerated() {
            if isSet(position) { bits |= 1 &<< UInt8(index & 7) }
            if index & 7 == 7 {
                output.append(bits)
                bits = 0
            }
        }
        if positions.count & 7 != 0 { output.append(bits) }
    }

    private mutating func writeColumn(_ column: Int, _ bucket: borrowing TimeBucket) {
        var nullCount = 0
        for position in positions where row(position, bucket).isNull(column) { nullCount += 1 }
        let mode: NullMode = nullCount == 0 ? .none : nullCount == positions.count ? .all : .some
        block.append(mode.rawValue)
        if mode == .all { return }
        if mode == .some {
            var bits = ByteBuffer()
            appendBits(into: &bits) { row($0, bucket).isNull(column) }
            unsafe block.append(bits.bytes)
        }
        switch layout.types[column] {
        case .string, .json: writeStrings(column, bucket)
        case .decimal:
            for position in positions where !row(position, bucket).isNull(column) {
                unsafe block.append(row(position, bucket).bytes(column))
            }
        case .double:
            for position in positions where !row(position, bucket).isNull(column) {
                unsafe withUnsafeBytes(of: row(position, bucket).slot(column).littleEndian) { bits in
                    unsafe block.append(bits)
                }
            }
        default: writeIntegers(column, bucket)
        }
    }

    private mutating func writeStrings(_ column: Int, _ bucket: borrowing TimeBucket) {
        strings.removeAll()
        for position in positions {
            let row = row(position, bucket)
            if !row.isNull(column) { unsafe strings.append(row.bytes(column)) }
        }
        strings.write(into: &block)
    }

    private mutating func writeIntegers(_ column: Int, _ bucket: borrowing TimeBucket) {
        var unit: Int64 = 1
        if layout.types[column] == .timestamp {
            unit = 1_000_000
            for position in positions where unit > 1 {
                let value = row(position, bucket).integer(column)
                while value % unit != 0 { unit /= 1000 }
            }
        }
        block.appendVarint(UInt64(unit))
        var previous: Int64 = 0
        for position in positions {
            let row = row(position, bucket)
            if row.isNull(column) { continue }
            let value = unit == 1 ? row.integer(column) : row.integer(column) / unit
            block.appendZigzag(value &- previous)
            previous = value
        }
    }
}

/// Which rows of a section are null in a column.
enum NullMode: UInt8 {
    case none = 0
    case some = 1
    case all = 2
}
