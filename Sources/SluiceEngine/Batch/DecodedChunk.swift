// The rows of one input chunk after decoding, filtering and hashing, cut by shard: what the join reads. A shard's rows
// stand one after another, each behind what the join has to know of it, so that a shard reads its part of every chunk
// front to back and touches no line of another's:
//
//     shard 0   | JoinRow | packed row | JoinRow | packed row | …
//     shard 1   | JoinRow | packed row | …

/// One row that goes into the join; its packed row stands behind it.
struct JoinRow {
    static let byteCount = 24
    /// Key hash; its low bits pick the shard.
    var hash: UInt64
    /// In microseconds; 0 for every row when the join has no time condition.
    var time: Int64
    /// Of the packed row.
    var byteCount: UInt32
    var flags: JoinRowFlags
}

struct JoinRowFlags: OptionSet {
    let rawValue: UInt32
    /// A null in a key that is not null-safe.
    static let neverMatches = JoinRowFlags(rawValue: 1)
    /// Failed the side's own predicate, or has no join time where one is needed: it matches nothing, is never stored
    /// and comes out at once where its side is preserved.
    static let isRejected = JoinRowFlags(rawValue: 2)
}

/// Goes over one shard's rows front to back. A copy of it looks ahead.
@safe struct JoinRowCursor {
    private var place: UnsafeRawPointer
    private let end: UnsafeRawPointer

    /// nil where there are no rows.
    init?(_ rows: UnsafeRawBufferPointer) {
        guard let base = rows.baseAddress else { return nil }
        unsafe place = unsafe base
        unsafe end = unsafe base + rows.count
    }

    var isAtEnd: Bool { unsafe place >= end }

    /// The next row, and its packed row; nil at the end.
    @inline(__always)
    mutating func next() -> (row: JoinRow, packed: UnsafeRawPointer)? {
        if isAtEnd { return nil }
        let row = unsafe place.load(as: JoinRow.self)
        let packed = unsafe place + JoinRow.byteCount
        unsafe place = unsafe packed + Int(row.byteCount)
        return unsafe (row, packed)
    }

    /// Lets so many of the next rows be looked at without going on. Returns how many there are.
    @inline(__always)
    func peek(_ count: Int, _ look: (JoinRow) -> Void) -> Int {
        var ahead = self
        var seen = 0
        while seen < count, let (row, _) = unsafe ahead.next() {
            look(row)
            seen &+= 1
        }
        return seen
    }
}

/// Rows by shard.
@safe struct DecodedRows: ~Copyable {
    private var shards: UnsafeMutablePointer<ByteBuffer>
    private var shardCount = 0
    private(set) var rowCount = 0

    init() { unsafe shards = unsafe UnsafeMutablePointer(bitPattern: 16)! }

    deinit { free() }

    private func free() {
        guard shardCount > 0 else { return }
        unsafe shards.deinitialize(count: shardCount)
        unsafe shards.deallocate()
    }

    /// Forgets all rows and keeps their memory.
    mutating func begin(shardCount wanted: Int) {
        rowCount = 0
        if shardCount != wanted {
            free()
            shardCount = wanted
            unsafe shards = .allocate(capacity: wanted)
            for shard in 0..<wanted { unsafe (shards + shard).initialize(to: ByteBuffer()) }
        }
        for shard in 0..<shardCount { unsafe shards[shard].removeAll() }
    }

    /// As `begin`, but what an earlier, much larger batch had is given back.
    mutating func recycle(shardCount wanted: Int) {
        for shard in 0..<shardCount { unsafe shards[shard].recycle() }
        begin(shardCount: wanted)
    }

    /// Adds a row whose bytes `write` appends to the buffer it is given, and counts.
    @inline(__always)
    mutating func append(
        hash: UInt64, time: Int64, flags: JoinRowFlags, _ write: (inout ByteBuffer) -> Int
    ) {
        let shard = unsafe shards + Int(truncatingIfNeeded: hash & UInt64(shardCount &- 1))
        let start = unsafe shard.pointee.count
        unsafe shard.pointee.reserve(JoinRow.byteCount)
        unsafe shard.pointee.advance(by: JoinRow.byteCount)
        let byteCount = unsafe write(&shard.pointee)
        let row = JoinRow(hash: hash, time: time, byteCount: UInt32(byteCount), flags: flags)
        unsafe shard.pointee.base.storeBytes(of: row, toByteOffset: start, as: JoinRow.self)
        rowCount &+= 1
    }

    /// All rows of one shard, valid until the next change.
    @inline(__always)
    func bytes(shard: Int) -> UnsafeRawBufferPointer {
        precondition(shard >= 0 && shard < shardCount)
        return unsafe shards[shard].bytes
    }
}

/// Owned by one worker while it decodes, then read by all.
final class DecodedChunk: @unchecked Sendable {
    // @unchecked: written by one lane, read by the shards only after all lanes have ended.
    var content = DecodedRows()
    /// Where its rows stand among those of all chunks of its input.
    var order = 0
    /// Without a join: the encoded rows, and nothing in `content`.
    private var outputs: [OutputBytes] = []
    private(set) var emitted = 0

    /// Empties it for a chunk of another input.
    func begin(shardCount: Int) { content.begin(shardCount: shardCount) }

    /// All records of the chunk are in.
    func finish(emitter: inout RowEmitter?) {
        emitter?.finish()
        emitted = emitter?.rowCount ?? 0
        outputs = emitter?.takeOutputs() ?? []
    }

    /// All records of the chunk are in, and looked up: what came of them is the query's rows, or the next stage's.
    func finish(_ lookup: LookupBox) {
        lookup.driver.emitter.finish()
        emitted = lookup.driver.emitter.emittedCount
        if let rows = lookup.driver.emitter.rows {
            swap(&content, &rows.content)
        } else {
            outputs = lookup.driver.emitter.takeOutputs()
        }
    }

    /// Of the encoded rows in memory.
    var outputByteCount: Int { outputs.reduce(0) { $0 + $1.buffer.count } }

    func putAwayOutputs(in spill: any OutputSpill) throws(SpillError) {
        for output in outputs { try output.putAway(in: spill) }
    }

    func takeOutputs() -> [OutputBytes] {
        defer { outputs = [] }
        return outputs
    }
}
