// The rows of one input chunk after decoding, filtering and hashing, grouped by shard: what the join reads.

/// One row that goes into the join.
struct JoinRow {
    /// Key hash; its low bits pick the shard.
    var hash: UInt64
    /// In microseconds; 0 for every row when the join has no time condition.
    var time: Int64
    /// Position of the packed row in the chunk's arena.
    var position: UInt32
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

/// Rows and the arena they stand in.
struct DecodedRows: ~Copyable {
    var arena = ByteBuffer()
    var rows: [JoinRow] = []
}

/// Owned by one worker while it decodes, then read by all.
final class DecodedChunk: @unchecked Sendable {
    // @unchecked: written by one lane, read by the shards only after all lanes have ended.
    var content = DecodedRows()
    /// Where its rows stand among those of all chunks of its input.
    var order = 0
    /// Row indices grouped by shard, in input order within each.
    private var shardOrder: [UInt32] = []
    private var starts: [Int] = []

    /// Without a join: the encoded rows instead of `rows`.
    private var outputs: [OutputBytes] = []
    private(set) var emitted = 0

    func removeAll() {
        content.arena.removeAll()
        content.rows.removeAll(keepingCapacity: true)
    }

    /// All records of the chunk are in.
    func finish(shards: Int, emitter: inout RowEmitter?) {
        groupByShard(shards)
        emitter?.finish()
        emitted = emitter?.rowCount ?? 0
        outputs = emitter?.takeOutputs() ?? []
    }

    func takeOutputs() -> [OutputBytes] {
        defer { outputs = [] }
        return outputs
    }

    /// Groups the rows by shard; counting sort, O(rows + shards).
    private func groupByShard(_ shardCount: Int) {
        let mask = UInt64(shardCount - 1)
        let rows = content.rows
        starts = [Int](repeating: 0, count: shardCount + 1)
        for row in rows { starts[Int(truncatingIfNeeded: row.hash & mask) &+ 1] &+= 1 }
        for shard in 0..<shardCount { starts[shard + 1] += starts[shard] }
        var next = starts
        // A local array: appending through the property would check for exclusive access every time.
        var order = [UInt32](repeating: 0, count: rows.count)
        for index in rows.indices {
            let shard = Int(truncatingIfNeeded: rows[index].hash & mask)
            order[next[shard]] = UInt32(truncatingIfNeeded: index)
            next[shard] &+= 1
        }
        self.shardOrder = order
    }

    /// The indices into `rows` of one shard's rows.
    func indices(shard: Int) -> ArraySlice<UInt32> { shardOrder[starts[shard]..<starts[shard + 1]] }
}
