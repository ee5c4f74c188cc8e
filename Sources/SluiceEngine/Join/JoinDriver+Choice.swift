// One partner for a left row: the nearest, latest or earliest of those that match it. It is chosen when the row leaves
// state, that is when the watermark proves that no right row can come any more that would match it; right rows stay
// until every left row that they could be chosen for has left (`DeriveStateWatermarks`).
//
//     new left, new right ──▶ stored, and nothing else
//     left rows at or below their threshold, a block at a time ──▶ look at the right rows of their key within the
//                       bounds ──▶ the best one, or none ──▶ out
//
// So what comes out for a left row follows from the two inputs alone, and not from how they were cut into batches: its
// candidates are all there when it leaves, whenever they came. Of two with one time the place of their records decides.
//
// The other way, a reference from each left row to its best partner so far, would answer no sooner: its pair may not
// come out before the same watermark. It would write a change of left state for each better partner, and still keep
// right rows for left rows that come late.

internal import CMemory
internal import SluicePlan
internal import SluiceSpec

/// Which of two right rows a left row is given.
struct PartnerChoice {
    private let match: JoinMatch
    private let partition: Int
    private let path: Int
    private let offset: Int

    init(_ plan: ChoicePlan) {
        precondition(plan.match != .all, "one partner is chosen")
        match = plan.match
        partition = plan.partition
        path = plan.path
        offset = plan.offset
    }

    /// Whether a right time is better for a left row at `time` than another one; nil where the times do not say.
    @inline(__always)
    fileprivate func prefers(_ candidate: Int64, to best: Int64, at time: Int64) -> Bool? {
        if candidate == best { return nil }
        switch match {
        case .all, .earliest: return candidate < best
        case .latest: return candidate > best
        case .nearest:
            let (near, far) = (distance(candidate, time), distance(best, time))
            return near == far ? candidate < best : near < far
        }
    }

    /// The distance of two times; as the bounds are closed, it is the bounds' that limit it.
    private func distance(_ a: Int64, _ b: Int64) -> UInt64 { UInt64(bitPattern: a > b ? a &- b : b &- a) }

    /// Whether a right row's record stands before that of another one; nil where both are rows of one record.
    fileprivate func stands(_ row: PackedRow, before other: PackedRow) -> Bool? {
        let (own, its) = (row.integer(partition), other.integer(partition))
        if own != its { return own < its }
        let order = unsafe compareBytes(row.bytes(path), other.bytes(path))
        if order != 0 { return order < 0 }
        let (first, second) = (row.integer(offset), other.integer(offset))
        return first == second ? nil : first < second
    }
}

/// Left rows that leave, as long as one block looks for their partners.
@safe private struct LeavingRows: ~Copyable {
    private let rows: UnsafeMutablePointer<UnsafeRawPointer>
    private let times: UnsafeMutablePointer<Int64>

    init() {
        unsafe rows = .allocate(capacity: ProbeBlock.rowCountMax)
        unsafe times = .allocate(capacity: ProbeBlock.rowCountMax)
    }

    deinit {
        unsafe rows.deallocate()
        unsafe times.deallocate()
    }

    subscript(number: Int) -> (row: UnsafeRawPointer, time: Int64) {
        get {
            precondition(number >= 0 && number < ProbeBlock.rowCountMax)
            return unsafe (rows[number], times[number])
        }
        nonmutating set {
            precondition(number >= 0 && number < ProbeBlock.rowCountMax)
            unsafe rows[number] = unsafe newValue.row
            unsafe times[number] = newValue.time
        }
    }
}

/// A right row that a left row may be given.
@safe private struct Candidate {
    var row: UnsafeRawPointer
    var time: Int64
    var ordinal: UInt32
}

extension JoinDriver {
    /// Stores one chunk's rows of a shard, in input order. A row that can match nothing comes out at once where its
    /// side is preserved, but for one with a null in its key, which waits like others without a partner.
    mutating func store(_ chunk: DecodedChunk, shard: Int, _ side: inout JoinSide) {
        guard var rows = unsafe JoinRowCursor(chunk.content.bytes(shard: shard)) else { return }
        while !rows.isAtEnd, sluice_memory_is_short() == 0 {
            let count = rows.peek(ProbeBlock.rowCountMax) { if $0.flags.isEmpty { side.store.prefetchPlace(of: $0) } }
            for _ in 0..<count {
                if let (row, packed) = unsafe rows.next() { unsafe store(row, packed, &side) }
            }
        }
    }

    private mutating func store(_ row: JoinRow, _ bytes: UnsafeRawPointer, _ side: inout JoinSide) {
        if !row.flags.isEmpty, row.flags.contains(.isRejected) || !side.isPreserved {
            guard side.isPreserved else { return }
            count(side.number, unmatched: 1)
            unsafe emitter.emit(side.number, bytes, nil)
            return
        }
        unsafe side.store.insert(
            row: bytes, byteCount: Int(row.byteCount), time: row.time, hash: row.hash, isMatched: false)
        updated &+= 1
    }

    /// Evicts left rows at or below `threshold`, each with the best of its partners among the right rows. Those must
    /// not have been evicted by this batch's watermark yet. O(rows that leave and right rows of their keys within the
    /// bounds).
    mutating func evict(
        _ left: inout JoinSide, through threshold: Int64?, choosing choice: PartnerChoice,
        among right: borrowing JoinSide
    ) {
        guard let threshold else { return }
        let leaving = LeavingRows()
        let facts = LeavingFacts(left)
        var unmatched = 0
        block.begin()
        let removed = unsafe left.store.evict(
            through: threshold, emitsUnmatched: true,
            finishBucket: { unmatched &+= emitBlock(leaving, facts, choice, right) }
        ) { row in
            let packed = unsafe PackedRow(base: row, slotsOffset: facts.slotsOffset)
            let time = facts.time.of(packed) ?? 0
            let (hash, neverMatches) = facts.keys.hash(packed)
            unsafe leaving[block.rowCount] = (row, time)
            let head = JoinRow(hash: hash, time: time, byteCount: 0, flags: [])
            block.plan(head, reaching: neverMatches ? nil : facts.reach.around(time), right.store)
            if block.rowCount == ProbeBlock.rowCountMax {
                unmatched &+= emitBlock(leaving, facts, choice, right)
            }
        }
        let alone = facts.isPreserved ? unmatched : 0
        count(0, removed: removed, matched: facts.isPreserved ? removed &- unmatched : 0, unmatched: alone)
    }

    /// Puts out the block's rows, in their order, and begins the next. Returns how many had no partner.
    private mutating func emitBlock(
        _ leaving: borrowing LeavingRows, _ facts: LeavingFacts, _ choice: PartnerChoice, _ right: borrowing JoinSide
    ) -> Int {
        block.readEntries()
        var unmatched = 0
        for number in 0..<block.rowCount {
            let (row, time) = unsafe leaving[number]
            let best = unsafe best(number, row, time, facts, choice, right)
            if let best {
                unsafe emitter.emit(0, row, best.row)
            } else {
                unmatched &+= 1
                if facts.isPreserved { unsafe emitter.emit(0, row, nil) }
            }
        }
        block.begin()
        return unmatched
    }

    /// The right row that the block's `number`-th row is given.
    private mutating func best(
        _ number: Int, _ row: UnsafeRawPointer, _ time: Int64, _ facts: LeavingFacts, _ choice: PartnerChoice,
        _ right: borrowing JoinSide
    ) -> Candidate? {
        guard let times = facts.reach.around(time) else { return nil }
        let packed = unsafe PackedRow(base: row, slotsOffset: facts.slotsOffset)
        let width = right.store.layout.bucketWidthMicros
        var best: Candidate?
        for position in block.targets(ofRow: number) {
            let target = block.target(position)
            let bucket = unsafe target.bucket
            let coarseLow = unsafe bucket.pointee.coarse(max(times.lowerBound, bucket.pointee.startMicros))
            let coarseHigh = unsafe bucket.pointee.coarseEnd(times.upperBound, width: width)
            var link = ChainNode(row: target.entry.row, time: target.entry.time, next: target.entry.next)
            while true {
                // Its time first: that costs least, and most lose by it.
                if link.time >= coarseLow && link.time <= coarseHigh {
                    let place = Int(link.row &- 1) &<< 3
                    let header = unsafe bucket.pointee.header(at: place)
                    let found = unsafe Candidate(
                        row: UnsafeRawPointer(bucket.pointee.arena.base + place + StateRowHeader.byteCount),
                        time: header.time, ordinal: header.ordinal)
                    if times.contains(header.time), unsafe right.store.isLive(header, in: bucket),
                        isBetter(found, than: best, at: time, choice, right.slotsOffset),
                        unsafe matches(row, packed, found.row, facts, right)
                    {
                        best = found
                    }
                }
                if link.next == 0 { break }
                link = unsafe bucket.pointee.node(link.next)
            }
        }
        return best
    }

    private func isBetter(
        _ candidate: Candidate, than best: Candidate?, at time: Int64, _ choice: PartnerChoice, _ slotsOffset: Int
    ) -> Bool {
        guard let best else { return true }
        if let isPreferred = choice.prefers(candidate.time, to: best.time, at: time) { return isPreferred }
        let own = unsafe PackedRow(base: candidate.row, slotsOffset: slotsOffset)
        let other = unsafe PackedRow(base: best.row, slotsOffset: slotsOffset)
        // Rows of one record stand in the bucket in the record's order.
        return choice.stands(own, before: other) ?? (candidate.ordinal < best.ordinal)
    }

    private mutating func matches(
        _ row: UnsafeRawPointer, _ packed: PackedRow, _ candidate: UnsafeRawPointer, _ facts: LeavingFacts,
        _ right: borrowing JoinSide
    ) -> Bool {
        let other = unsafe PackedRow(base: candidate, slotsOffset: right.slotsOffset)
        guard facts.keys.areEqual(packed, other, hasWidenings: facts.keys.hasWidenings) else { return false }
        guard let runner = residualRunner else { return true }
        return unsafe runner.isTrue(RowPair(left: row, right: candidate), &scratch)
    }
}

/// What is asked of the left side while its rows leave, and the side itself is being changed.
private struct LeavingFacts {
    let keys: JoinKeyColumns
    let time: JoinTime
    let reach: TimeBounds
    let slotsOffset: Int
    let isPreserved: Bool

    init(_ side: borrowing JoinSide) {
        keys = side.keys
        time = JoinTime(side.plan)
        reach = side.reach
        slotsOffset = side.slotsOffset
        isPreserved = side.isPreserved
    }
}
