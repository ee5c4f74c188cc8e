/// What one encoding of rows is written to, owned by the one who writes.
struct OutputBuffers: ~Copyable {
    var text = ByteBuffer()
    var records = ByteBuffer()
    var keys = ByteBuffer()
}

/// Encoded rows of one shard for one encoding: whole lines, each ended by `\n`. Written by one worker, then only read.
package final class OutputBytes: @unchecked Sendable {
    // @unchecked: the engine hands it out only after the batch's workers are done with it.
    package var buffer = ByteBuffer()
    /// One `OutputRecord` per row, where the encoding has records; else empty.
    package var records = ByteBuffer()
    /// The keys that `records` speak of, one after another; behind each the values of the record's headers, where the
    /// encoding has headers: the byte count of each (Int32, -1 for null) and its bytes.
    package var keys = ByteBuffer()
    /// Rows before those in `buffer` that were put away, oldest first.
    package private(set) var spilled: [SpilledSegment] = []
    private var spill: (any OutputSpill)?

    package init() {}

    package init(_ bytes: [UInt8]) { buffer.append(contentsOf: bytes) }

    /// Makes it empty, to be filled again with about as much.
    func recycle() {
        buffer.recycle()
        records.recycle()
        keys.recycle()
        spilled.removeAll()
    }

    /// True when there is nothing in it.
    package var isEmpty: Bool { buffer.count == 0 && spilled.isEmpty }

    /// Of all rows' text.
    package var byteCount: Int { spilled.reduce(buffer.count) { $0 + $1.textByteCount } }

    /// Of all rows, where the encoding has records.
    package var recordCount: Int {
        spilled.reduce(records.count) { $0 + $1.recordsByteCount } / MemoryLayout<OutputRecord>.stride
    }

    /// Puts away what is in memory, whole rows.
    func putAway(in spill: any OutputSpill) throws(SpillError) {
        if buffer.count == 0 { return }
        self.spill = spill
        defer {
            buffer.removeAll()
            records.removeAll()
            keys.removeAll()
        }
        spilled.append(try spill.append(self))
    }

    /// Calls `body` with all rows, in order and in pieces: those that were put away first, then those in memory. A
    /// piece is valid during the call.
    package func forEachSegment<Failure: Error>(
        _ body: (OutputBytes) throws(Failure) -> Void, unreadable: (SpillError) -> Failure
    ) throws(Failure) {
        if let spill {
            let piece = OutputBytes()
            for segment in spilled {
                piece.buffer.removeAll()
                piece.records.removeAll()
                piece.keys.removeAll()
                do throws(SpillError) { try spill.read(segment, into: piece) } catch { throw unreadable(error) }
                try body(piece)
            }
        }
        if buffer.count > 0 { try body(self) }
    }

    /// Trades memory with buffers that are being written.
    func exchange(with buffers: inout OutputBuffers) {
        swap(&buffer, &buffers.text)
        swap(&records, &buffers.records)
        swap(&keys, &buffers.keys)
    }
}

/// Where one row ends, and what its record has beside the value. A row's text begins behind the `\n` of the row before,
/// and does not count its own. Four words: arrays of them stand in raw memory.
package struct OutputRecord: Hashable, Sendable {
    /// Behind the row's text in `OutputBytes.buffer`.
    package var end: Int
    /// Behind its key in `OutputBytes.keys`.
    package var keyEnd: Int
    /// Negative where the key is null.
    package var keyByteCount: Int
    /// Since the epoch; `Int64.min` where the record has none of its own.
    package var timestampMillis: Int64

    package init(end: Int, keyEnd: Int, keyByteCount: Int, timestampMillis: Int64) {
        self.end = end
        self.keyEnd = keyEnd
        self.keyByteCount = keyByteCount
        self.timestampMillis = timestampMillis
    }
}

extension OutputBytes {
    /// `records` as what they are; valid until the next change.
    package var outputRecords: UnsafeBufferPointer<OutputRecord> {
        unsafe records.bytes.assumingMemoryBound(to: OutputRecord.self)
    }
}
