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
// Where a left row is given one partner (`match`), 1 and 2 only store, and the left rows that 3 evicts are met with the
// right state then: JoinDriver+Choice.
//
// A shard is worked on by one thread at a time and shares nothing with the others.

internal import SluicePlan
internal import SluiceSpec

final class JoinShard: StageShard {
    private let number: Int
    private var left: JoinSide
    private var right: JoinSide
    private var driver: JoinDriver
    private var leftDelta: DeltaWriter
    private var rightDelta: DeltaWriter
    /// nil where all rows that match are joined.
    private let choice: PartnerChoice?

    private let resources: BatchResources
    private let shortage: MemoryShortage
    /// Why the batch cannot go on; the state is then no batch's.
    private(set) var failure: ShardFailure?

    init(
        _ number: Int, _ plan: PhysicalPlan, stage: Int, tables: [TableSlot], zones: TimeZones,
        resources: BatchResources, shortage: MemoryShortage
    ) {
        self.number = number
        self.shortage = shortage
        self.resources = resources
        let columns = plan.columns(of: plan.stages[stage])
        guard let join = plan.stages[stage].join else { preconditionFailure("the stage is a join") }
        left = JoinSide(0, of: join, columns: columns)
        right = JoinSide(1, of: join, columns: columns)
        leftDelta = DeltaWriter(layout: left.layout)
        rightDelta = DeltaWriter(layout: right.layout)
        choice = join.choice.map(PartnerChoice.init)
        driver = JoinDriver(
            plan, stage: stage, join, layouts: [left.layout, right.layout], tables: tables, zones: zones,
            resources: resources)
    }

    func begin() {
        failure = nil
        driver.begin()
    }

    /// Left, then right.
    func drive(side: JoinInput, _ chunks: [DecodedChunk], evictionWatermarkMillis: Int64) {
        if choice != nil { return store(side: side, chunks) }
        // Left rows are stored even if evictable: this batch's right rows have not been seen.
        let threshold = side == .left ? nil : right.threshold(evictionWatermarkMillis: evictionWatermarkMillis)
        for chunk in chunks where mayGoOn() {
            if side == .left {
                driver.drive(chunk, shard: number, own: &left, other: &right, skipStoringThrough: nil)
            } else {
                driver.drive(chunk, shard: number, own: &right, other: &left, skipStoringThrough: threshold)
            }
        }
        _ = mayGoOn()
    }

    /// Rows are met when left ones leave: until then a better partner may come.
    private func store(side: JoinInput, _ chunks: [DecodedChunk]) {
        for chunk in chunks where mayGoOn() {
            if side == .left {
                driver.store(chunk, shard: number, &left)
            } else {
                driver.store(chunk, shard: number, &right)
            }
        }
        _ = mayGoOn()
    }

    /// False when there is no memory, or no room for output. What is not done then is not missed: the batch fails.
    private func mayGoOn() -> Bool {
        if failure != nil { return false }
        if let error = driver.emitter.anyFailure {
            failure = .spill(error)
        } else if shortage.isMet || resources.isMemoryShort() {
            failure = .memory
        }
        return failure == nil
    }

    func evict(watermarkMillis: Int64) {
        if failure != nil { return }
        let leftThreshold = left.threshold(evictionWatermarkMillis: watermarkMillis)
        if let choice {
            driver.evict(&left, through: leftThreshold, choosing: choice, among: right)
        } else {
            driver.evict(&left, through: leftThreshold)
        }
        driver.evict(&right, through: right.threshold(evictionWatermarkMillis: watermarkMillis))
        driver.emitter.finish()
        _ = mayGoOn()
    }

    var counters: ShardCounters {
        var counters = driver.counters
        counters.left.measure(left.store)
        counters.right.measure(right.store)
        return counters
    }

    var outputs: [OutputBytes] { driver.emitter.lastOutputs }

    var rows: DecodedChunk? { driver.emitter.rows }

    let delta = OutputBytes()
    private(set) var newestDelta = NewestTimes()

    // MARK: State

    var rowCounts: [Int] { [left.store.liveCount, right.store.liveCount] }

    var byteCount: Int { left.store.byteCount + right.store.byteCount }

    var evictedThrough: [Int64] { [left.store.evictedThrough, right.store.evictedThrough] }

    /// A delta is put together in pieces of memory whose failure would be the end of the process: a look at whether
    /// there is room comes first.
    func checkRoomForDelta() {
        shortage.checkRoom(2 * (left.store.newByteCount + right.store.newByteCount) + (16 << 20))
        _ = mayGoOn()
    }

    func writeDelta() {
        delta.recycle()
        newestDelta = NewestTimes()
        if failure != nil { return }
        delta.buffer.append(segmentMagic)
        delta.buffer.append(segmentVersion)
        let newestLeft = leftDelta.write(&left.store, into: &delta.buffer)
        let newestRight = rightDelta.write(&right.store, into: &delta.buffer)
        if newestLeft == nil, newestRight == nil { delta.buffer.removeAll() }
        newestDelta = NewestTimes(left: newestLeft ?? .min, right: newestRight ?? .min)
    }

    func restoreEvictedThrough(_ thresholds: [Int64]) {
        left.store.restoreEvictedThrough(thresholds[0])
        right.store.restoreEvictedThrough(thresholds[1])
    }

    func restore(_ payload: UnsafeRawBufferPointer) throws(StateError) {
        var reader = unsafe SegmentReader(payload)
        let version = try readSegmentHeader(&reader)
        try left.store.restore(&reader, version: version, layout: left.layout, JoinTime(left.plan), left.keys)
        try right.store.restore(&reader, version: version, layout: right.layout, JoinTime(right.plan), right.keys)
        guard reader.isAtEnd else { throw StateError(description: "bytes are left over behind the state") }
    }

    func finishRestore() {
        left.store.beginDelta()
        right.store.beginDelta()
    }
}

/// One side of a join after a batch.
package struct SideCounters: Hashable, Sendable {
    /// Live rows.
    package var rowsTotal = 0
    /// Memory that its state holds.
    package var byteCount = 0
    /// Rows that left state in the batch, silently or not.
    package var rowsRemoved = 0
    /// Rows of a preserved side that left state in the batch and have had a partner.
    package var rowsMatched = 0
    /// Rows of a preserved side that were done with in the batch without a partner, whether they had been in state or
    /// not; the query's `where` may still have dropped them.
    package var rowsUnmatched = 0

    package init() {}

    mutating func measure(_ store: borrowing StateStore) {
        rowsTotal = store.liveCount
        byteCount = store.byteCount
    }

    mutating func count(removed: Int, matched: Int, unmatched: Int) {
        rowsRemoved &+= removed
        rowsMatched &+= matched
        rowsUnmatched &+= unmatched
    }

    mutating func add(_ other: SideCounters) {
        rowsTotal += other.rowsTotal
        byteCount += other.byteCount
        rowsRemoved += other.rowsRemoved
        rowsMatched += other.rowsMatched
        rowsUnmatched += other.rowsUnmatched
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

    /// What stands for the time of a row that is nothing but read.
    static var place: JoinTime { JoinTime(slot: nil, windowMicros: 0) }

    /// Whether whoever reads a row puts its place there.
    var isPlace: Bool { slot == nil && windowMicros != nil }

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
    let rest = micros % width
    return saturatingAdd(micros, rest < 0 ? -rest : width &- rest)
}
