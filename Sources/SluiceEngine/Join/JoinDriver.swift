// What drives rows of one side through the join: predicates, scratch memory, output. Apart from the sides, so that both
// can be handed to it at once.

internal import CMemory
internal import SluicePlan
internal import SluiceSpec

struct JoinDriver: ~Copyable {
    private let residual: CompiledExpression?
    /// Of `residual`, which keeps its program alive.
    let residualRunner: ExpressionRunner?
    var block = ProbeBlock()
    var scratch = EvaluationScratch()
    var emitter: RowEmitter
    var updated = 0
    private var left = SideCounters()
    private var right = SideCounters()

    /// - Parameter layouts: of what state keeps, by side.
    init(
        _ plan: PhysicalPlan, stage number: Int, _ join: JoinPlan, layouts: [RowLayout], tables: [TableSlot],
        zones: TimeZones, resources: BatchResources
    ) {
        residual = join.residual.map { CompiledExpression($0, layouts: layouts, zone: .utc, zones: zones) }
        residualRunner = residual?.runner
        emitter = plan.emitter(
            ofStage: number, layouts: layouts, tables: tables, zones: zones, resources: resources, share: join.shards)
    }

    /// Starts a batch.
    mutating func begin() {
        updated = 0
        left = SideCounters()
        right = SideCounters()
        emitter.begin()
    }

    var counters: ShardCounters {
        ShardCounters(
            updated: updated, emitted: emitter.emittedCount, left: left, right: right)
    }

    mutating func count(_ side: Int, removed: Int = 0, matched: Int = 0, unmatched: Int) {
        if side == 0 {
            left.count(removed: removed, matched: matched, unmatched: unmatched)
        } else {
            right.count(removed: removed, matched: matched, unmatched: unmatched)
        }
    }

    /// Takes one chunk's rows of a shard through the join, in input order. Rows of a side that is not preserved (or
    /// that have matched) and have a join time at or below `threshold` are not stored any more.
    mutating func drive(
        _ chunk: DecodedChunk, shard: Int, own: inout JoinSide, other: inout JoinSide,
        skipStoringThrough threshold: Int64?
    ) {
        guard var rows = unsafe JoinRowCursor(chunk.content.bytes(shard: shard)) else { return }
        while !rows.isAtEnd, sluice_memory_is_short() == 0 {
            driveBlock(&rows, own: &own, other: &other, skipStoringThrough: threshold)
        }
    }

    /// Takes one block of rows through the join, see `ProbeBlock`.
    @inline(__always)
    private mutating func driveBlock(
        _ rows: inout JoinRowCursor, own: inout JoinSide, other: inout JoinSide, skipStoringThrough threshold: Int64?
    ) {
        block.begin()
        let count = rows.peek(ProbeBlock.rowCountMax) { block.plan($0, own: own, other: other) }
        block.readEntries()
        for number in 0..<count {
            guard let (row, packed) = unsafe rows.next() else { return }
            unsafe drive(row, number, packed, own: &own, other: &other, skipStoringThrough: threshold)
        }
    }

    @inline(__always)
    private mutating func drive(
        _ row: JoinRow, _ number: Int, _ bytes: UnsafeRawPointer, own: inout JoinSide, other: inout JoinSide,
        skipStoringThrough threshold: Int64?
    ) {
        if row.flags.contains(.isRejected) || (row.flags.contains(.neverMatches) && !own.isPreserved) {
            if own.isPreserved {
                count(own.number, unmatched: 1)
                unsafe emitter.emit(own.number, bytes, nil)
            }
            return
        }
        var isHit = false
        if !row.flags.contains(.neverMatches) {
            isHit =
                unsafe own.keys.hasWidenings
                ? probeWidened(row, number, bytes, own: own, other: &other)
                : probe(row, number, bytes, own: own, other: &other)
        }
        if isHit, case .existence = own.role { return }
        if let threshold, row.time <= threshold, isHit || !own.isPreserved { return }
        unsafe own.store.insert(
            row: bytes, byteCount: Int(row.byteCount), time: row.time, hash: row.hash, isMatched: isHit)
        updated &+= 1
    }

    /// Meets the block's `number`-th row with the other side's stored rows. Returns whether there was a match.
    private mutating func probe(
        _ row: JoinRow, _ number: Int, _ bytes: UnsafeRawPointer, own: borrowing JoinSide, other: inout JoinSide
    ) -> Bool {
        unsafe probeRows(row, number, bytes, hasWidenings: false, own: own, other: &other)
    }

    /// As `probe`, with keys that are numbers of unlike types. Compiled apart, so that other joins do not pay.
    @inline(never)
    private mutating func probeWidened(
        _ row: JoinRow, _ number: Int, _ bytes: UnsafeRawPointer, own: borrowing JoinSide, other: inout JoinSide
    ) -> Bool {
        unsafe probeRows(row, number, bytes, hasWidenings: true, own: own, other: &other)
    }

    @inline(__always)
    private mutating func probeRows(
        _ row: JoinRow, _ number: Int, _ bytes: UnsafeRawPointer, hasWidenings: Bool, own: borrowing JoinSide,
        other: inout JoinSide
    ) -> Bool {
        guard let times = own.reach.around(row.time) else { return false }
        let ownRow = unsafe PackedRow(base: bytes, slotsOffset: own.slotsOffset)
        let width = other.store.layout.bucketWidthMicros
        let targets = block.targets(ofRow: number)
        var position = targets.lowerBound
        var isHit = false
        while position < targets.upperBound {
            let target = block.target(position)
            let bucket = unsafe target.bucket
            position &+= 1
            let coarseLow = unsafe bucket.pointee.coarse(max(times.lowerBound, bucket.pointee.startMicros))
            let coarseHigh = unsafe bucket.pointee.coarseEnd(times.upperBound, width: width)
            let entry = target.entry
            var link = ChainNode(row: entry.row, time: entry.time, next: entry.next)
            while true {
                // Read before the row in hand is worked on, so that the row it names can come meanwhile.
                let older = unsafe link.next == 0 ? link : bucket.pointee.node(link.next)
                if link.next != 0 { unsafe bucket.pointee.prefetchRow(older.row) }
                if link.time >= coarseLow && link.time <= coarseHigh,
                    unsafe meet(
                        ownRow, bytes, times, Int(link.row &- 1) &<< 3, bucket, hasWidenings: hasWidenings, own: own,
                        other: &other)
                {
                    isHit = true
                    if case .existence(let emits) = own.role {
                        if emits { unsafe emitter.emit(own.number, bytes, nil) }
                        return true
                    }
                }
                if link.next == 0 { break }
                link = older
            }
        }
        return isHit
    }

    /// Decides whether a new row and a stored candidate match, and does what follows for the pair.
    @inline(__always)
    private mutating func meet(
        _ ownRow: PackedRow, _ bytes: UnsafeRawPointer, _ times: ClosedRange<Int64>, _ position: Int,
        _ bucket: BucketPointer, hasWidenings: Bool, own: borrowing JoinSide, other: inout JoinSide
    ) -> Bool {
        let header = unsafe bucket.pointee.header(at: position)
        guard times.contains(header.time), unsafe other.store.isLive(header, in: bucket) else {
            return false
        }
        let candidate = unsafe UnsafeRawPointer(bucket.pointee.arena.base + position + StateRowHeader.byteCount)
        let otherRow = unsafe PackedRow(base: candidate, slotsOffset: other.slotsOffset)
        guard own.keys.areEqual(ownRow, otherRow, hasWidenings: hasWidenings) else { return false }
        if let runner = residualRunner {
            let (left, right) = unsafe own.number == 0 ? (bytes, candidate) : (candidate, bytes)
            let pair = unsafe RowPair(left: left, right: right)
            guard runner.isTrue(pair, &scratch) else { return false }
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
        var unmatched = 0
        let removed = unsafe side.store.evict(through: threshold, emitsUnmatched: side.isPreserved) { row in
            unmatched &+= 1
            unsafe emitter.emit(number, row, nil)
        }
        count(
            number, removed: removed, matched: side.isPreserved ? removed &- unmatched : 0, unmatched: unmatched)
    }
}
