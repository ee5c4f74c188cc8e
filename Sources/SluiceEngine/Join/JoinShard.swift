// The symmetric hash join of one shard: one micro-batch of both sides against the state of both sides.
//
//        new left rows ──────▶ probe right state ──▶ pairs        1. left, in input order: probe, then store
//              │ store                                            2. right, in input order: probe, then store
//              ▼                                                  3. evict left, then right; unmatched rows of a
//        left state  ◀──────── new right rows probe                  preserved side come out as they leave
//                              (this batch's left rows included)
//
// New left meets old right, then new right meets old and new left: every pair exactly once. Nothing is evicted before
// both sides are through, so a row that is evictable on arrival still meets its partners of the same batch.
// Source: Spark's StreamingSymmetricHashJoinExec (SPARK-38684 for the place of eviction, SPARK-49829 for what is stored
// although it is evictable).
//
// A shard is worked on by one thread at a time and shares nothing with the others.

internal import SluicePlan
internal import SluiceSpec

/// What one shard did in one batch.
struct ShardCounters {
    /// Rows stored.
    var updated = 0
    /// Rows that left state, silently or not.
    var removed = 0
    /// Rows put out, after the output filter.
    var emitted = 0
}

final class JoinShard {
    private let number: Int
    private var left: JoinSide
    private var right: JoinSide
    private let residual: CompiledExpression?
    private var scratch = EvaluationScratch()
    private var emitter: RowEmitter
    private(set) var counters = ShardCounters()

    init(_ number: Int, plan: PhysicalPlan, join: JoinPlan, zones: TimeZones) {
        self.number = number
        left = JoinSide(0, of: join, inputs: plan.inputs)
        right = JoinSide(1, of: join, inputs: plan.inputs)
        let layouts = [left.layout, right.layout]
        residual = join.residual.map { CompiledExpression($0, layouts: layouts, zone: .utc, zones: zones) }
        emitter = RowEmitter(output: plan.output, layouts: layouts, zones: zones)
    }

    /// Runs the shard's part of a batch. Output is in `outputs` afterwards, the change of state in `writeDelta`.
    func run(left leftChunks: [DecodedChunk], right rightChunks: [DecodedChunk], evictionWatermarkMillis: Int64) {
        counters = ShardCounters()
        emitter.begin()
        let leftThreshold = left.threshold(evictionWatermarkMillis: evictionWatermarkMillis)
        let rightThreshold = right.threshold(evictionWatermarkMillis: evictionWatermarkMillis)
        for chunk in leftChunks {
            // Left rows are stored even if evictable: this batch's right rows have not been seen.
            drive(chunk, own: &left, other: &right, skipStoringThrough: nil)
        }
        for chunk in rightChunks {
            drive(chunk, own: &right, other: &left, skipStoringThrough: rightThreshold)
        }
        evict(&left, through: leftThreshold)
        evict(&right, through: rightThreshold)
        counters.emitted = emitter.rowCount
    }

    /// The encoded rows of the last batch, one buffer per format.
    func takeOutputs() -> [OutputBytes] { emitter.takeOutputs() }

    // MARK: One side's new rows

    private func drive(
        _ chunk: DecodedChunk, own: inout JoinSide, other: inout JoinSide, skipStoringThrough threshold: Int64?
    ) {
        let base = unsafe UnsafeRawPointer(chunk.arena.base)
        unsafe chunk.rows.withUnsafeBufferPointer { rows in
            for index in chunk.indices(shard: number) {
                let row = unsafe rows[Int(index)]
                unsafe drive(
                    row, base + Int(row.position), own: &own, other: &other, skipStoringThrough: threshold)
            }
        }
    }

    @inline(__always)
    private func drive(
        _ row: JoinRow, _ bytes: UnsafeRawPointer, own: inout JoinSide, other: inout JoinSide,
        skipStoringThrough threshold: Int64?
    ) {
        if row.flags.contains(.isRejected) || (row.flags.contains(.neverMatches) && !own.plan.isPreserved) {
            if own.plan.isPreserved { unsafe emitter.emit(own.number, bytes, nil) }
            return
        }
        var isHit = false
        if !row.flags.contains(.neverMatches) { isHit = unsafe probe(row, bytes, own: own, other: &other) }
        if isHit, case .existence = own.role { return }
        if let threshold, row.time <= threshold, isHit || !own.plan.isPreserved { return }
        unsafe own.store.insert(
            row: bytes, byteCount: Int(row.byteCount), time: row.time, hash: row.hash, isMatched: isHit)
        counters.updated &+= 1
    }

    /// Meets a row with the other side's stored rows. Returns whether there was a match.
    private func probe(
        _ row: JoinRow, _ bytes: UnsafeRawPointer, own: borrowing JoinSide, other: inout JoinSide
    ) -> Bool {
        let low = own.reach.lower.map { saturatingAdd(row.time, $0) } ?? .min
        let high = own.reach.upper.map { saturatingAdd(row.time, $0) } ?? .max
        guard low <= high else { return false }
        let ownRow = unsafe PackedRow(base: bytes, layout: own.layout)
        var isHit = false
        for position in other.store.bucketPositions(low, high) {
            let bucket = unsafe other.store.bucket(position)
            let coarseLow = unsafe bucket.pointee.coarse(max(low, bucket.pointee.startMicros))
            let coarseHigh = unsafe bucket.pointee.coarseEnd(high, width: other.plan.bucketWidthMicros)
            for cell in unsafe other.store.cells(low, high, in: bucket) {
                let tag = other.store.tag(hash: row.hash, cell: cell)
                guard let entry = unsafe bucket.pointee.entry(for: tag) else { continue }
                var link = ChainNode(row: entry.row, time: entry.time, next: entry.next)
                while true {
                    if link.time >= coarseLow && link.time <= coarseHigh {
                        let matches = unsafe meet(
                            row, ownRow, bytes, low, high, Int(link.row &- 1) &<< 3, bucket, own: own, other: &other)
                        if matches {
                            isHit = true
                            if case .existence(let emits) = own.role {
                                if emits { unsafe emitter.emit(own.number, bytes, nil) }
                                return true
                            }
                        }
                    }
                    if link.next == 0 { break }
                    link = unsafe bucket.pointee.node(link.next)
                }
            }
        }
        return isHit
    }

    /// Decides whether a new row and a stored candidate match, and does what follows for the pair.
    @inline(__always)
    private func meet(
        _ row: JoinRow, _ ownRow: PackedRow, _ bytes: UnsafeRawPointer, _ low: Int64, _ high: Int64, _ position: Int,
        _ bucket: BucketPointer, own: borrowing JoinSide, other: inout JoinSide
    ) -> Bool {
        let header = unsafe bucket.pointee.header(at: position)
        guard header.time >= low, header.time <= high, unsafe other.store.isLive(header, in: bucket) else {
            return false
        }
        let candidate = unsafe UnsafeRawPointer(bucket.pointee.arena.base + position + StateRowHeader.byteCount)
        guard own.keys.areEqual(ownRow, unsafe PackedRow(base: candidate, layout: other.layout)) else { return false }
        if let residual {
            let (left, right) = unsafe own.number == 0 ? (bytes, candidate) : (candidate, bytes)
            let pair = unsafe RowPair(left: left, right: right)
            guard residual.isTrue(pair, &scratch) else { return false }
        }
        switch own.role {
        case .pairs:
            if other.store.tracksMatches { _ = unsafe other.store.markMatched(header, in: bucket) }
            unsafe emitter.emit(own.number, bytes, candidate)
        case .existence: break
        case .witness(let emits):
            // Only the first witness counts for a stored left row.
            if unsafe other.store.markMatched(header, in: bucket), emits {
                unsafe emitter.emit(other.number, candidate, nil)
            }
        }
        return true
    }

    private func evict(_ side: inout JoinSide, through threshold: Int64?) {
        guard let threshold else { return }
        let number = side.number
        unsafe counters.removed += side.store.evict(through: threshold, emitsUnmatched: side.plan.isPreserved) { row in
            unsafe emitter.emit(number, row, nil)
        }
    }

    // MARK: State

    /// Live rows of both sides.
    var rowCount: Int { left.store.liveCount + right.store.liveCount }

    /// Memory that state holds.
    var stateByteCount: Int { left.store.byteCount + right.store.byteCount }

    /// Join time at or below which rows are dead, per side.
    var evictedThrough: [Int64] { [left.store.evictedThrough, right.store.evictedThrough] }

    /// Appends what the batch changed to `output` and starts the next delta. Returns the newest join time per side in
    /// it, nil where nothing of that side is in it.
    func writeDelta(into output: inout ByteBuffer) -> [Int64?] {
        let writer = DeltaWriter()
        output.append(segmentMagic)
        output.append(segmentVersion)
        let newest = [
            writer.write(&left.store, layout: left.layout, into: &output),
            writer.write(&right.store, layout: right.layout, into: &output),
        ]
        if newest.allSatisfy({ $0 == nil }) { output.removeAll() }
        return newest
    }

    /// Says before the first payload which rows are dead.
    func restoreEvictedThrough(_ thresholds: [Int64]) {
        left.store.restoreEvictedThrough(thresholds[0])
        right.store.restoreEvictedThrough(thresholds[1])
    }

    /// Applies one payload of the checkpoint; oldest first.
    func restore(_ payload: UnsafeRawBufferPointer) throws(StateError) {
        var reader = unsafe SegmentReader(payload)
        try checkSegmentHeader(&reader)
        try restore(&left, &reader)
        try restore(&right, &reader)
        guard reader.isAtEnd else { throw StateError(description: "bytes are left over behind the state") }
    }

    private func restore(_ side: inout JoinSide, _ reader: inout SegmentReader) throws(StateError) {
        let time = JoinTime(side.plan)
        var builder = RowBuilder(layout: side.layout)
        var arena = ByteBuffer()
        for _ in 0..<(try reader.count()) {
            var section = try SegmentSection(&reader, layout: side.layout)
            let bucket = unsafe side.store.findOrMakeBucket(index: section.bucketIndex)
            if side.store.tracksMatches {
                for ordinal in section.marks where unsafe ordinal < bucket.pointee.nextOrdinal {
                    unsafe bucket.pointee.setMatched(ordinal, true)
                }
            }
            for _ in 0..<section.rowCount {
                arena.removeAll()
                let (ordinal, isMatched, byteCount) = try section.next(&builder, into: &arena)
                let row = unsafe PackedRow(base: arena.base, layout: side.layout)
                guard let rowTime = time.of(row), side.store.index(of: rowTime) == section.bucketIndex else {
                    throw StateError(description: "a row in the state does not belong to its time bucket")
                }
                if rowTime <= side.store.evictedThrough {
                    unsafe bucket.pointee.skipOrdinal(ordinal)
                } else {
                    unsafe side.store.insert(
                        row: arena.base, byteCount: byteCount, time: rowTime, hash: side.keys.hash(row).hash,
                        ordinal: ordinal, isMatched: isMatched, in: bucket)
                }
            }
        }
    }

    /// All payloads have been applied.
    func finishRestore() {
        left.store.beginDelta()
        right.store.beginDelta()
    }
}

/// Where a row's join time comes from.
struct JoinTime {
    private let slot: Int?
    private let windowMicros: Int64?

    init(slot: Int?, windowMicros: Int64?) {
        self.slot = slot
        self.windowMicros = windowMicros
    }

    init(_ plan: JoinSidePlan) { self.init(slot: plan.joinTime, windowMicros: plan.windowMicros) }

    /// nil when the row has none although the join needs one.
    @inline(__always)
    func of(_ row: PackedRow) -> Int64? {
        guard let slot else { return 0 }
        if row.isNull(slot) { return nil }
        let time = row.integer(slot)
        guard let windowMicros else { return time }
        return windowEnd(time, windowMicros)
    }
}

/// The end of the tumbling window since the epoch that a time falls into.
@inline(__always)
func windowEnd(_ micros: Int64, _ width: Int64) -> Int64 {
    saturatingAdd(floorDivide(micros, width) &* width, width)
}
