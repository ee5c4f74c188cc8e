// Deduplication in one shard: of rows with equal values only the first passes. What is kept of a row is its values and
// the time at which they are forgotten (Spark's dropDuplicatesWithinWatermark), or its values alone, where the event
// time may be one of them (dropDuplicates).
//
//     row ──▶ in state? ──yes──▶ a duplicate: counted, gone
//                 │ no
//                 ▼
//              stored, and handed on at once
//
// The state is a store by time like that of a join's side, so eviction, deltas and merging are the same; but what a row
// looks for may have been stored under any time. `SeenHashes` says of nearly all new ones that they are in no bucket;
// for the others every bucket is asked. The places that a block of rows needs are asked for ahead of time, as in
// `ProbeBlock`; a row may be the duplicate of one before it in its block, which is why they are read when the row's
// turn comes, and not before.
//
// Source: Spark's StreamingDeduplicateExec and StreamingDeduplicateWithinWatermarkExec: a row is stored although it is
// evictable, and leaves at the end of its batch.

internal import CMemory
internal import SluicePlan
internal import SluiceSpec

final class DeduplicateShard: StageShard {
    private let number: Int
    private var driver: DeduplicateDriver
    private var writer: DeltaWriter
    private let plan: DeduplicatePlan
    private let resources: BatchResources
    private let shortage: MemoryShortage
    private(set) var failure: ShardFailure?
    let delta = OutputBytes()
    private(set) var newestDelta = NewestTimes()

    init(
        _ number: Int, _ physical: PhysicalPlan, stage: Int, _ plan: DeduplicatePlan, tables: [TableSlot],
        zones: TimeZones, resources: BatchResources, shortage: MemoryShortage
    ) {
        self.number = number
        self.plan = plan
        self.resources = resources
        self.shortage = shortage
        driver = DeduplicateDriver(
            physical, stage: stage, plan, tables: tables, zones: zones, resources: resources)
        writer = DeltaWriter(layout: driver.stateLayout)
    }

    func begin() {
        failure = nil
        driver.begin()
    }

    func drive(side: JoinInput, _ chunks: [DecodedChunk], evictionWatermarkMillis: Int64) {
        for chunk in chunks where mayGoOn() { driver.drive(chunk, shard: number) }
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
        if let rule = plan.state.eviction {
            driver.evict(through: millisToMicros(rule.thresholdMillis(evictionWatermarkMillis: watermarkMillis)))
        }
        driver.emitter.finish()
        _ = mayGoOn()
    }

    var counters: ShardCounters {
        var counters = driver.counters
        counters.left.measure(driver.store)
        return counters
    }

    var outputs: [OutputBytes] { driver.emitter.lastOutputs }
    var rows: DecodedChunk? { driver.emitter.rows }

    // MARK: State

    var rowCounts: [Int] { [driver.store.liveCount] }
    var byteCount: Int { driver.store.byteCount + driver.seen.byteCount }
    var evictedThrough: [Int64] { [driver.store.evictedThrough] }

    func checkRoomForDelta() {
        shortage.checkRoom(2 * driver.store.newByteCount + (16 << 20))
        _ = mayGoOn()
    }

    func writeDelta() {
        delta.recycle()
        newestDelta = NewestTimes()
        if failure != nil { return }
        delta.buffer.append(segmentMagic)
        delta.buffer.append(segmentVersion)
        let newest = writer.write(&driver.store, into: &delta.buffer)
        if newest == nil { delta.buffer.removeAll() }
        newestDelta.left = newest ?? .min
    }

    func restoreEvictedThrough(_ thresholds: [Int64]) { driver.store.restoreEvictedThrough(thresholds[0]) }

    func restore(_ payload: UnsafeRawBufferPointer) throws(StateError) {
        var reader = unsafe SegmentReader(payload)
        let version = try readSegmentHeader(&reader)
        try driver.store.restore(
            &reader, version: version, layout: driver.stateLayout, JoinTime(plan.state), driver.stateKeys)
        guard reader.isAtEnd else { throw StateError(description: "bytes are left over behind the state") }
    }

    func finishRestore() { driver.finishRestore() }
}

/// What meets rows with the store. A struct, so that the loop over rows costs no exclusivity checks.
struct DeduplicateDriver: ~Copyable {
    let stateLayout: RowLayout
    /// The values in stored rows, as far as their hash goes.
    let stateKeys: JoinKeyColumns
    var emitter: RowEmitter
    var store: StateStore
    /// Of the rows in `store`.
    private(set) var seen = SeenHashes()
    /// Those of a row in hand on the left, of a stored one on the right.
    private let keys: JoinKeyColumns
    private let kinds: [KeyKind]
    private let slotsOffset: Int
    private let withinMicros: Int64?
    private var builder: RowBuilder
    private var row = ByteBuffer()
    private var updated = 0
    private var duplicates = 0
    private var removed = 0

    private static let blockRowCount = 16

    init(
        _ physical: PhysicalPlan, stage: Int, _ plan: DeduplicatePlan, tables: [TableSlot], zones: TimeZones,
        resources: BatchResources
    ) {
        let columns = physical.columns(of: physical.stages[stage])[0]
        let rows = RowLayout(Array(columns.prefix(plan.columnCount)))
        let values = plan.columns.map { rows.types[$0] }
        stateLayout = plan.stateLayout(rows.types)
        let pairs = plan.columns.enumerated().map { JoinKey(left: $1, right: $0, isNullSafe: true) }
        keys = JoinKeyColumns(pairs, side: 0, types: [rows.types, stateLayout.types])
        stateKeys = JoinKeyColumns(pairs, side: 1, types: [rows.types, stateLayout.types])
        kinds = values.map(KeyKind.init)
        slotsOffset = rows.slotsOffset
        withinMicros = plan.withinMicros
        builder = RowBuilder(layout: stateLayout)
        store = StateStore(
            layout: StateLayout(bucketWidthMicros: plan.state.bucketWidthMicros, cellWidthMicros: nil),
            tracksMatches: false)
        emitter = physical.emitter(
            ofStage: stage, layouts: [rows, rows], tables: tables, zones: zones, resources: resources,
            share: plan.shards)
    }

    mutating func begin() {
        (updated, duplicates, removed) = (0, 0, 0)
        emitter.begin()
    }

    var counters: ShardCounters {
        var counters = ShardCounters(
            updated: updated, emitted: emitter.emittedCount, duplicates: duplicates)
        counters.left.rowsRemoved = removed
        return counters
    }

    /// Takes one chunk's rows of a shard, in input order.
    mutating func drive(_ chunk: DecodedChunk, shard: Int) {
        guard var rows = unsafe JoinRowCursor(chunk.content.bytes(shard: shard)) else { return }
        while !rows.isAtEnd, sluice_memory_is_short() == 0 {
            let count = rows.peek(Self.blockRowCount) { if $0.flags.isEmpty { seen.prefetch($0.hash) } }
            for _ in 0..<count {
                if let (row, packed) = unsafe rows.next() { unsafe take(row, packed) }
            }
        }
    }

    @inline(__always)
    private mutating func take(_ row: JoinRow, _ bytes: UnsafeRawPointer) {
        // Without a time nothing says when it could be forgotten.
        if row.flags.isEmpty {
            let packed = unsafe PackedRow(base: bytes, slotsOffset: slotsOffset)
            if seen.mayContain(row.hash), isKnown(packed, row.hash) {
                duplicates &+= 1
                return
            }
            remember(packed, row)
        }
        unsafe emitter.emit(left: bytes, right: nil)
    }

    private func isKnown(_ row: PackedRow, _ hash: UInt64) -> Bool {
        // The newest bucket first: duplicates mostly follow soon.
        var position = store.bucketCount
        while position > 0 {
            position &-= 1
            let bucket = unsafe store.bucket(position)
            guard let entry = unsafe bucket.pointee.entry(for: store.tag(hash: hash, cell: bucket.pointee.index)) else {
                continue
            }
            var link = ChainNode(row: entry.row, time: entry.time, next: entry.next)
            while true {
                let place = Int(link.row &- 1) &<< 3
                if unsafe store.isLive(bucket.pointee.header(at: place), in: bucket) {
                    let stored = unsafe PackedRow(
                        base: bucket.pointee.arena.base + place + StateRowHeader.byteCount,
                        slotsOffset: stateLayout.slotsOffset)
                    if keys.areEqual(row, stored, hasWidenings: false) { return true }
                }
                if link.next == 0 { break }
                link = unsafe bucket.pointee.node(link.next)
            }
        }
        return false
    }

    private mutating func remember(_ packed: PackedRow, _ head: JoinRow) {
        row.removeAll()
        builder.begin(&row)
        for (index, column) in keys.columns.enumerated() where !packed.isNull(column.own) {
            if kinds[index] == .bytes {
                unsafe builder.set(index, bytes: packed.bytes(column.own), in: &row)
            } else {
                builder.set(index, bits: packed.slot(column.own), in: &row)
            }
        }
        var time = head.time
        if let withinMicros {
            time = saturatingAdd(time, withinMicros)
            builder.set(kinds.count, integer: time, in: &row)
        }
        let byteCount = builder.finish(&row)
        unsafe store.insert(row: row.base, byteCount: byteCount, time: time, hash: head.hash, isMatched: false)
        seen.insert(head.hash, time: time)
        updated &+= 1
    }

    mutating func evict(through threshold: Int64) {
        removed = unsafe store.evict(through: threshold, emitsUnmatched: false) { _ in }
        seen.forget(through: store.evictedThrough)
    }

    mutating func finishRestore() {
        store.beginDelta()
        let (keys, slotsOffset) = (stateKeys, stateLayout.slotsOffset)
        var restored = SeenHashes()
        unsafe store.forEachRow { row, time in
            let packed = unsafe PackedRow(base: row, slotsOffset: slotsOffset)
            restored.insert(keys.hash(packed).hash, time: time)
        }
        seen = restored
    }
}

extension DeduplicatePlan {
    /// Of what is kept of a row; `types` are those of the rows that come.
    func stateLayout(_ types: [DataType]) -> RowLayout {
        RowLayout(types: columns.map { types[$0] } + (withinMicros == nil ? [] : [.timestamp]))
    }
}
