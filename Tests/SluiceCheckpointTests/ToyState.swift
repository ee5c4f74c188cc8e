// A stand-in for the engine's state: rows that come, are marked as matched, and leave by time. It is small enough to be
// right at a glance, and has what makes merging hard: marks of rows in other files, and eviction.

import SluiceConnectors
import SluiceEngine
import SluiceCheckpoint
import SluiceSystem
import Synchronization

struct ToyRow: Hashable, Sendable {
    var side: Int
    var timeMicros: Int64
    var isMatched = false
}

/// Rows by id.
struct ToyState: Hashable, Sendable {
    var rows: [Int64: ToyRow] = [:]

    mutating func evict(through evictedThroughMicros: [Int64]) {
        rows = rows.filter { $0.value.timeMicros > evictedThroughMicros[$0.value.side] }
    }
}

/// One entry of a payload, 18 bytes: what it is, side, id, time.
struct ToyEntry: Hashable {
    enum Kind: UInt8 {
        case row
        case matchedRow
        case mark
    }

    struct Malformed: Error {}

    var kind: Kind
    var side: Int
    var id: Int64
    var timeMicros: Int64

    static func encode(_ entries: [ToyEntry]) -> [UInt8] {
        entries.flatMap { entry in
            [entry.kind.rawValue, UInt8(entry.side)] + bytes(entry.id) + bytes(entry.timeMicros)
        }
    }

    static func decode(_ payload: [UInt8]) throws -> [ToyEntry] {
        guard payload.count % 18 == 0 else { throw Malformed() }
        return try stride(from: 0, to: payload.count, by: 18).map { start in
            guard let kind = Kind(rawValue: payload[start]) else { throw Malformed() }
            return ToyEntry(
                kind: kind, side: Int(payload[start + 1]), id: number(payload[(start + 2)..<(start + 10)]),
                timeMicros: number(payload[(start + 10)..<(start + 18)]))
        }
    }

    private static func bytes(_ value: Int64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> Int64 {
        bytes.reversed().reduce(0) { $0 << 8 | Int64($1) }
    }
}

/// What the engine does to several payloads of a shard: rows that are evicted go, marks go into their rows.
let mergeToyPayloads: MergePayloads = { _, payloads, evictedThrough in
    var rows: [ToyEntry] = []
    var positions: [Int64: Int] = [:]
    var marks: [ToyEntry] = []
    for entry in try payloads.flatMap(ToyEntry.decode) where entry.timeMicros > evictedThrough[entry.side] {
        if entry.kind != .mark {
            positions[entry.id] = rows.count
            rows.append(entry)
        } else if let position = positions[entry.id] {
            rows[position].kind = .matchedRow
        } else {
            marks.append(entry)
        }
    }
    return ToyEntry.encode(marks + rows)
}

/// Pseudo-random, the same everywhere: nothing here may depend on the process.
func mix(_ value: Int64) -> Int64 {
    var generator = SplitMix64(seed: UInt64(bitPattern: value))
    return Int64(generator.next() >> 2)
}

let toyShards = 4

/// What one batch does: rows `start ..< end` of an endless stream come in, and some of them match earlier ones.
struct ToyBatch {
    var state: ToyState
    var payloads: [Int: [ToyEntry]] = [:]
    var lastJoinTimeMicros: [Int64] = [.min, .min]
    var commit: CommitEntry

    init(_ plan: OffsetsEntry, on state: ToyState, after before: CommitEntry?) {
        self.state = state
        commit = CommitEntry(
            batch: plan.batch, nextWatermarkMillis: before?.nextWatermarkMillis ?? 0,
            inputMaximaMillis: before?.inputMaximaMillis ?? [nil, nil], evictedThroughMicros: [0, 0], counters: [:])
        for range in plan.sources[0].ranges {
            for id in range.start..<range.end { take(id) }
        }
        let threshold = plan.evictionWatermarkMillis * 1000
        commit.evictedThroughMicros = [threshold - 3_000_000, threshold - 1_000_000]
        self.state.evict(through: commit.evictedThroughMicros)
        let maxima = commit.inputMaximaMillis.map { $0 ?? 0 }
        commit.nextWatermarkMillis = max(commit.nextWatermarkMillis, maxima.min()! - 2_000)
        commit.counters = ["rows": Int64(self.state.rows.count)]
    }

    private mutating func take(_ id: Int64) {
        // Now and then a row is far in the future, so that eviction does not follow the order of arrival.
        let jitter = mix(id) % (id % 300 == 7 ? 40_000_000 : 2_000_000)
        let row = ToyRow(side: Int(id & 1), timeMicros: id * 100_000 + jitter)
        let millis = (id * 100_000 + min(jitter, 2_000_000)) / 1000
        commit.inputMaximaMillis[row.side] = max(commit.inputMaximaMillis[row.side] ?? 0, millis)
        let partner = id - 1 - mix(id &+ 99) % 40
        if var matched = state.rows[partner], !matched.isMatched {
            matched.isMatched = true
            state.rows[partner] = matched
            add(ToyEntry(kind: .mark, side: matched.side, id: partner, timeMicros: matched.timeMicros))
        }
        state.rows[id] = row
        add(ToyEntry(kind: .row, side: row.side, id: id, timeMicros: row.timeMicros))
    }

    private mutating func add(_ entry: ToyEntry) {
        payloads[Int(mix(entry.id) % Int64(toyShards)), default: []].append(entry)
        lastJoinTimeMicros[entry.side] = max(lastJoinTimeMicros[entry.side], entry.timeMicros)
    }
}

extension Checkpoint {
    func writeToyState(_ batch: ToyBatch) throws(CheckpointError) {
        let shards = batch.payloads.sorted { $0.key < $1.key }
        let bytes = shards.map { OutputBytes(ToyEntry.encode($0.value)) }
        defer { withExtendedLifetime(bytes) {} }
        let payloads = zip(shards, bytes).map { shard, bytes in
            unsafe ShardPayload(shard: shard.key, bytes: bytes.buffer.bytes)
        }
        try writeState(
            batch: batch.commit.batch, payloads, lastJoinTimeMicros: batch.lastJoinTimeMicros,
            evictedThroughMicros: batch.commit.evictedThroughMicros)
    }

    /// State as the engine would read it back: marks of rows that are gone are passed over, evicted rows left out.
    func loadToyState(evictedThrough: [Int64]) throws -> ToyState {
        let shards = Mutex<[Int: ToyState]>([:])
        try loadState(parallel: inline) { shard, payload in
            let entries = try ToyEntry.decode(payload)
            shards.withLock { shards in
                for entry in entries {
                    if entry.kind == .mark {
                        shards[shard, default: ToyState()].rows[entry.id]?.isMatched = true
                    } else {
                        shards[shard, default: ToyState()].rows[entry.id] = ToyRow(
                            side: entry.side, timeMicros: entry.timeMicros, isMatched: entry.kind == .matchedRow)
                    }
                }
            }
        }
        var state = ToyState()
        for shard in shards.withLock({ $0 }).values { state.rows.merge(shard.rows) { _, _ in preconditionFailure() } }
        state.evict(through: evictedThrough)
        return state
    }
}
