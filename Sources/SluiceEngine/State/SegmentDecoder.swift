// Reads what SegmentCodec writes, row by row: every column has its own cursor.

internal import SluiceSpec

/// One section of a payload: what happened in one bucket.
@safe struct SegmentSection {
    var bucketIndex: Int64
    /// Ascending.
    var marks: [UInt32]
    var rowCount: Int
    private var runs: [(first: UInt32, count: UInt32)] = []
    private var run = 0
    private var runOffset: UInt32 = 0
    private var matchedBits: UnsafeRawBufferPointer?
    private var columns: [ColumnCursor] = []
    private var nextRow = 0

    /// Reads everything but the rows' values. `version` is the payload's.
    init(_ reader: inout SegmentReader, layout: RowLayout, version: UInt8) throws(StateError) {
        bucketIndex = try reader.zigzag()
        let markCount = try reader.count()
        marks = []
        marks.reserveCapacity(markCount)
        var ordinal: UInt32 = 0
        for _ in 0..<markCount {
            ordinal &+= UInt32(truncatingIfNeeded: try reader.varint())
            marks.append(ordinal)
        }
        rowCount = Int(truncatingIfNeeded: try reader.varint())
        unsafe matchedBits = nil
        guard rowCount != 0 else { return }
        guard rowCount > 0, rowCount <= Int(UInt32.max) else {
            throw StateError(description: "a row count in the state is too large")
        }
        try readRuns(&reader)
        if try reader.byte() != 0 { unsafe matchedBits = try reader.take((rowCount + 7) / 8) }
        for column in 0..<layout.columnCount {
            let byteCount = try reader.count()
            let block = unsafe try reader.take(byteCount)
            columns.append(
                unsafe try ColumnCursor(block, type: layout.types[column], rowCount: rowCount, version: version))
        }
    }

    private mutating func readRuns(_ reader: inout SegmentReader) throws(StateError) {
        let runCount = try reader.count()
        var end: UInt32 = 0
        var total: UInt64 = 0
        for _ in 0..<runCount {
            let first = end &+ UInt32(truncatingIfNeeded: try reader.varint())
            let count = UInt32(truncatingIfNeeded: try reader.varint())
            runs.append((first, count))
            end = first &+ count
            total += UInt64(count)
        }
        guard total == UInt64(rowCount) else {
            throw StateError(description: "ordinals and row count in the state do not agree")
        }
    }

    /// Builds the next row at the arena's end; call it `rowCount` times.
    mutating func next(
        _ builder: inout RowBuilder, into arena: inout ByteBuffer
    ) throws(StateError) -> (ordinal: UInt32, isMatched: Bool, byteCount: Int) {
        while runOffset == runs[run].count {
            run += 1
            runOffset = 0
        }
        let ordinal = runs[run].first &+ runOffset
        runOffset += 1
        var isMatched = false
        if let bits = unsafe matchedBits {
            isMatched = unsafe (bits[nextRow >> 3] >> UInt8(nextRow & 7)) & 1 != 0
        }
        builder.begin(&arena)
        for column in columns.indices { try columns[column].next(nextRow, column, builder, into: &arena) }
        nextRow += 1
        return (ordinal, isMatched, builder.finish(&arena))
    }
}

/// The values of one column of a section, front to back.
@safe private struct ColumnCursor {
    private let type: DataType
    private let mode: NullMode
    private var nullBits: UnsafeRawBufferPointer?
    private var values: SegmentReader
    private var strings: StringColumnReader?
    private var unit: Int64 = 1
    private var previous: Int64 = 0

    init(
        _ block: UnsafeRawBufferPointer, type: DataType, rowCount: Int, version: UInt8
    ) throws(StateError) {
        self.type = type
        var reader = unsafe SegmentReader(block)
        guard let mode = NullMode(rawValue: try reader.byte()) else {
            throw StateError(description: "an unknown null mode in the state")
        }
        self.mode = mode
        unsafe nullBits = nil
        var presentCount = mode == .all ? 0 : rowCount
        if mode == .some {
            let bits = unsafe try reader.take((rowCount + 7) / 8)
            unsafe nullBits = unsafe bits
            for row in 0..<rowCount where unsafe bits[row >> 3] >> UInt8(row & 7) & 1 != 0 { presentCount -= 1 }
        }
        values = reader
        guard mode != .all else { return }
        switch type {
        case .string, .json: strings = try StringColumnReader(reader, valueCount: presentCount, version: version)
        case .decimal, .double: break
        default:
            unit = Int64(truncatingIfNeeded: try values.varint())
        }
    }

    mutating func next(
        _ row: Int, _ column: Int, _ builder: RowBuilder, into arena: inout ByteBuffer
    ) throws(StateError) {
        if mode == .all { return }
        if let bits = unsafe nullBits, unsafe bits[row >> 3] >> UInt8(row & 7) & 1 != 0 { return }
        switch type {
        case .string, .json:
            try strings?.next(column, builder, into: &arena)
        case .decimal:
            unsafe builder.set(column, bytes: try values.take(16), in: &arena)
        case .double:
            let bits = unsafe try values.take(8).loadUnaligned(as: UInt64.self)
            builder.set(column, bits: UInt64(littleEndian: bits), in: &arena)
        default:
            previous &+= try values.zigzag()
            builder.set(column, integer: previous &* unit, in: &arena)
        }
    }
}
