// What drives rows of one side through the join: predicates, scratch memory, output. Apart from the sides, so that both
// can be handed to it at once.

internal import SluicePlan
internal import SluiceSpec

struct JoinDriver: ~Copyable {
    private let residual: CompiledExpression?
    private var scratch = EvaluationScratch()
    var emitter: RowEmitter
    private var updated = 0
    private var removed = 0

    init(plan: PhysicalPlan, join: JoinPlan, layouts: [RowLayout], zones: TimeZones) {
        residual = join.residual.map { CompiledExpression($0, layouts: layouts, zone: .utc, zones: zones) }
        emitter = RowEmitter(output: plan.output, layouts: layouts, zones: zones)
    }

    /// Starts a batch.
    mutating func begin() {
        updated = 0
        removed = 0
        emitter.begin()
    }

    var counters: ShardCounters { ShardCounters(updated: updated, removed: removed, emitted: emitter.rowCount) }

    /// Takes one chunk's rows of a shard through the join, in input order. Rows of a side that is not preserved (or
    /// that have matched) and have a join time at or below `threshold` are not stored any more.
    mutating func drive(
        _ chunk: DecodedChunk, shard: Int, own: inout JoinSide, other: inout JoinSide,
        skipStoringThrough threshold: Int64?
    ) {
        let base = unsafe UnsafeRawPointer(chunk.content.arena.base)
        unsafe chunk.content.rows.withUnsafeBufferPointer { rows in
            for index in chunk.indices(shard: shard) {
                let row = unsafe rows[Int(index)]
                unsafe drive(row, base + Int(row.position), own: &own, other: &other, skipStoringThrough: threshold)
            }
        }
    }

    @inline(__always)
    private mutating func drive(
        _ row: JoinRow, _ bytes: UnsafeRawPointer, own: inout JoinSide, other: inout JoinSide,
        skipStoringThrough threshold: Int64?
    ) {
        if row.flags.contains(.isRejected) || (row.flags.contains(.neverMatches) && !own.isPreserved) {
            if own.isPreserved { unsafe emitter.emit(own.number, bytes, nil) }
            return
        }
        var isHit = false
        if !row.flags.contains(.neverMatches) { isHit = unsafe probe(row, bytes, own: own, other: &other) }
        if isHit, case .existence = own.role { return }
        if let threshold, row.time <= threshold, isHit || !own.isPreserved { return }
        unsafe own.store.insert(
            row: bytes, byteCount: Int(row.byteCount), time: row.time, hash: row.hash, isMatched: isHit)
        updated &+= 1
    }

    /// Meets a row with the other side's stored rows. Returns whether there was a match.
    private mutating func probe(
        _ row: JoinRow, _ bytes: UnsafeRawPointer, own: borrowing JoinSide, other: inout JoinSide
    ) -> Bool {
        let low = own.reach.lower.map { saturatingAdd(row.time, $0) } ?? .min
        let high = own.reach.upper.map { saturatingAdd(row.time, $0) } ?? .max
        guard low <= high else { return false }
        let ownRow = unsafe PackedRow(base: bytes, slotsOffset: own.slotsOffset)
        let width = other.store.layout.bucketWidthMicros
        var isHit = false
        let positions = other.store.bucketPositions(low, high)
        var position = positions.lowerBound
        while position < positions.upperBound {
            let bucket = unsafe other.store.bucket(position)
            position &+= 1
            let coarseLow = unsafe bucket.pointee.coarse(max(low, bucket.pointee.startMicros))
            let coarseHigh = unsafe bucket.pointee.coarseEnd(high, width: width)
            let cells = unsafe other.store.cells(low, high, in: bucket)
            var cell = cells.lowerBound
            while cell <= cells.upperBound {
                let tag = other.store.tag(hash: row.hash, cell: cell)
                cell &+= 1
                guard let entry = unsafe bucket.pointee.entry(for: tag) else { continue }
                var link = ChainNode(row: entry.row, time: entry.time, next: entry.next)
                while true {
                    if link.time >= coarseLow && link.time <= coarseHigh,
                        unsafe meet(
                            ownRow, bytes, low, high, Int(link.row &- 1) &<< 3, bucket, own: own, other: &other)
                    {
                        isHit = true
                        if case .existence(let emits) = own.role {
                            if emits { unsafe emitter.emit(own.number, bytes, nil) }
                            return true
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
    private mutating func meet(
        _ ownRow: PackedRow, _ bytes: UnsafeRawPointer, _ low: Int64, _ high: Int64, _ position: Int,
        _ bucket: BucketPointer, own: borrowing JoinSide, other: inout JoinSide
    ) -> Bool {
        let header = unsafe bucket.pointee.header(at: position)
        guard header.time >= low, header.time <= high, unsafe other.store.isLive(header, in: bucket) else {
            return false
        }
        let candidate = unsafe UnsafeRawPointer(bucket.pointee.arena.base + position + StateRowHeader.byteCount)
        let otherRow = unsafe PackedRow(base: candidate, slotsOffset: other.slotsOffset)
        guard own.keys.areEqual(ownRow, otherRow) else { return false }
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

    /// Evicts one side's rows at or below `threshold`; nil: none ever leave.
    mutating func evict(_ side: inout JoinSide, through threshold: Int64?) {
        guard let threshold else { return }
        let number = side.number
        removed += unsafe side.store.evict(through: threshold, emitsUnmatched: side.isPreserved) { row in
            unsafe emitter.emit(number, row, nil)
        }
    }
}
