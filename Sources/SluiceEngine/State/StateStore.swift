// The state store of one side of one shard: its time buckets in order of time, and the state watermark below which
// every row is dead.
//
//            dead                live
//     ───────────────┆──────────────────────────────▶ join time
//     [ bucket 3 ][ bucket 4 ][ bucket 5 ][ bucket 6 ]
//                    ▲ evictedThrough: bucket 3 is dropped whole, 4 is walked in time order as the watermark moves on
//
// Invariants: buckets are ascending by index and do not overlap; a row stands in the bucket of its join time; rows at
// or below `evictedThrough` are not counted, not probed and not written to deltas.

internal import CMemory
internal import Glibc

typealias BucketPointer = UnsafeMutablePointer<TimeBucket>

/// How a side's state is cut by time.
struct StateLayout: Hashable, Sendable {
    /// nil: one bucket for all rows.
    var bucketWidthMicros: Int64?
    /// nil: the index does not tell times of one key apart.
    var cellWidthMicros: Int64?

    init(bucketWidthMicros: Int64?, cellWidthMicros: Int64?) {
        precondition((bucketWidthMicros ?? 1) > 0 && (cellWidthMicros ?? 1) > 0)
        self.bucketWidthMicros = bucketWidthMicros
        self.cellWidthMicros = cellWidthMicros
    }
}

/// A matched bit that was set on a row which an earlier delta holds.
struct MatchMark {
    var bucketIndex: Int64
    var ordinal: UInt32
    var time: Int64
}

@safe struct StateStore: ~Copyable {
    let layout: StateLayout
    /// False where nobody asks whether a stored row has matched (inner joins, sides that are not preserved).
    let tracksMatches: Bool
    /// Join time at or below which rows are dead.
    private(set) var evictedThrough = Int64.min
    /// Rows above `evictedThrough`.
    private(set) var liveCount = 0
    private(set) var marks: [MatchMark] = []

    private var buckets: UnsafeMutablePointer<BucketPointer>
    private(set) var bucketCount = 0
    private var bucketCapacity = 0
    /// The bucket of the last insertion.
    private var recent: BucketPointer?
    private let timeShift: UInt64
    private let cellsAreBuckets: Bool

    init(layout: StateLayout, tracksMatches: Bool) {
        self.layout = layout
        self.tracksMatches = tracksMatches
        unsafe buckets = unsafe UnsafeMutablePointer(bitPattern: 16)!
        unsafe recent = nil
        var shift: UInt64 = 0
        while let width = layout.bucketWidthMicros, UInt64(width) >> shift > UInt64(UInt32.max) { shift += 1 }
        timeShift = shift
        cellsAreBuckets = layout.cellWidthMicros == layout.bucketWidthMicros || layout.cellWidthMicros == nil
    }

    deinit {
        for position in 0..<bucketCount { unsafe destroy(buckets[position]) }
        if bucketCapacity > 0 { unsafe free(buckets) }
    }

    /// The bucket at a position in time order.
    @inline(__always)
    func bucket(_ position: Int) -> BucketPointer {
        precondition(position >= 0 && position < bucketCount)
        return unsafe buckets[position]
    }

    var byteCount: Int {
        var sum = 0
        for position in 0..<bucketCount { sum += unsafe buckets[position].pointee.byteCount }
        return sum
    }

    /// Of rows that no delta has yet.
    var newByteCount: Int {
        var sum = 0
        for position in 0..<bucketCount {
            sum += unsafe buckets[position].pointee.arena.count - buckets[position].pointee.deltaStart
        }
        return sum
    }

    // MARK: Inserting

    /// Stores a row of this side under its join time; its ordinal is the bucket's next. Amortised O(row).
    mutating func insert(row: UnsafeRawPointer, byteCount: Int, time: Int64, hash: UInt64, isMatched: Bool) {
        let bucket = unsafe bucket(for: time)
        let ordinal = unsafe bucket.pointee.nextOrdinal
        unsafe insert(
            row: row, byteCount: byteCount, time: time, hash: hash, ordinal: ordinal, isMatched: isMatched,
            in: bucket)
    }

    /// As `insert`, with the ordinal that the checkpoint gives.
    mutating func insert(
        row: UnsafeRawPointer, byteCount: Int, time: Int64, hash: UInt64, ordinal: UInt32, isMatched: Bool,
        in bucket: BucketPointer
    ) {
        let position = unsafe bucket.pointee.append(row: row, byteCount: byteCount, time: time, ordinal: ordinal)
        let tag = unsafe tag(hash: hash, cell: cell(of: time, in: bucket))
        unsafe bucket.pointee.insertIntoIndex(tag: tag, position: position, time: time)
        if tracksMatches { unsafe bucket.pointee.setMatched(ordinal, isMatched) }
        if unsafe bucket.pointee.drain.isBuilt {
            unsafe bucket.pointee.drain.add(DrainOrder.Item(time: time, position: position, ordinal: ordinal))
        }
        liveCount &+= 1
    }

    /// The bucket a join time falls into, made if it is not there. O(1) for the bucket of the last call.
    @inline(__always)
    mutating func bucket(for time: Int64) -> BucketPointer {
        guard let width = layout.bucketWidthMicros else {
            return unsafe bucketCount > 0 ? buckets[0] : makeBucket(index: 0, at: 0)
        }
        if let recent = unsafe recent {
            let offset = unsafe time &- recent.pointee.startMicros
            if offset >= 0 && offset < width { return unsafe recent }
        }
        return unsafe findOrMakeBucket(index: bucketIndex(of: time, width))
    }

    /// The index of the bucket a join time falls into.
    func index(of time: Int64) -> Int64 { layout.bucketWidthMicros.map { bucketIndex(of: time, $0) } ?? 0 }

    /// The bucket with an index, made if it is not there.
    @inline(never)
    mutating func findOrMakeBucket(index: Int64) -> BucketPointer {
        let position = lowerBound(index)
        if position < bucketCount, unsafe buckets[position].pointee.index == index {
            unsafe recent = unsafe buckets[position]
            return unsafe buckets[position]
        }
        return unsafe makeBucket(index: index, at: position)
    }

    /// Position of the first bucket whose index is not below `index`. O(log buckets).
    private func lowerBound(_ index: Int64) -> Int {
        var low = 0
        var high = bucketCount
        while low < high {
            let middle = (low &+ high) &>> 1
            if unsafe buckets[middle].pointee.index < index { low = middle &+ 1 } else { high = middle }
        }
        return low
    }

    private mutating func makeBucket(index: Int64, at position: Int) -> BucketPointer {
        if bucketCount == bucketCapacity {
            let capacity = max(8, bucketCapacity * 2)
            let byteCount = unsafe capacity * MemoryLayout<BucketPointer>.stride
            var granted = 0
            let grown = unsafe sluice_grow(bucketCapacity > 0 ? buckets : nil, byteCount, byteCount, &granted)
            guard let grown = unsafe grown else { fatalError("out of memory: \(capacity) buckets") }
            unsafe buckets = unsafe grown.bindMemory(to: BucketPointer.self, capacity: capacity)
            bucketCapacity = capacity
        }
        let bucket = BucketPointer.allocate(capacity: 1)
        let width = layout.bucketWidthMicros
        unsafe bucket.initialize(
            to: TimeBucket(
                index: index, startMicros: index.multipliedReportingOverflow(by: width ?? 0).partialValue,
                timeShift: timeShift, isTimed: width != nil))
        if position > 0 {
            // Buckets of one stream are of a size: start where the neighbour ended, and skip the growing.
            let neighbour = unsafe buckets[position - 1]
            unsafe bucket.pointee.reserveIndex(neighbour.pointee.distinctCount)
            unsafe bucket.pointee.arena.reserve(min(neighbour.pointee.arena.count, 64 << 20))
        }
        for later in stride(from: bucketCount, to: position, by: -1) {
            unsafe buckets[later] = unsafe buckets[later - 1]
        }
        unsafe buckets[position] = unsafe bucket
        bucketCount += 1
        unsafe recent = unsafe bucket
        return unsafe bucket
    }

    // MARK: Probing

    /// The positions of the buckets that may hold join times in `low ... high`.
    @inline(__always)
    func bucketPositions(_ low: Int64, _ high: Int64) -> Range<Int> {
        guard let width = layout.bucketWidthMicros else { return 0..<bucketCount }
        if bucketCount == 0 { return 0..<0 }
        // Few buckets are live, and probes mostly want the newest: walk back from the end.
        var first = bucketCount
        while first > 0, unsafe buckets[first &- 1].pointee.startMicros > low {
            first &-= 1
            if bucketCount &- first > 16 {
                first = lowerBound(bucketIndex(of: low, width))
                break
            }
        }
        if first > 0, unsafe low &- buckets[first &- 1].pointee.startMicros < width { first &-= 1 }
        var end = first
        while end < bucketCount, unsafe buckets[end].pointee.startMicros <= high { end &+= 1 }
        return first..<end
    }

    /// The index entry's tag: the key's hash mixed with the time cell.
    @inline(__always)
    func tag(hash: UInt64, cell: Int64) -> UInt32 {
        var mixed = hash &+ UInt64(bitPattern: cell) &* 0x9E37_79B9_7F4A_7C15
        mixed ^= mixed &>> 29
        mixed = mixed &* 0xBF58_476D_1CE4_E5B9
        return UInt32(truncatingIfNeeded: mixed &>> 32)
    }

    @inline(__always)
    func cell(of time: Int64, in bucket: BucketPointer) -> Int64 {
        if cellsAreBuckets { return unsafe bucket.pointee.index }
        return floorDivide(time, layout.cellWidthMicros ?? 1)
    }

    /// The cells of a bucket that may hold join times in `low ... high`.
    @inline(__always)
    func cells(_ low: Int64, _ high: Int64, in bucket: BucketPointer) -> ClosedRange<Int64> {
        guard !cellsAreBuckets, let cellWidth = layout.cellWidthMicros else {
            return unsafe bucket.pointee.index...bucket.pointee.index
        }
        let first = unsafe max(low, bucket.pointee.minTime)
        let last = unsafe min(high, bucket.pointee.maxTime)
        let firstCell = floorDivide(first, cellWidth)
        return firstCell...max(firstCell, floorDivide(last, cellWidth))
    }

    /// False for rows that an earlier batch evicted and whose memory is still here. A row stored in this batch is live
    /// even at or below the state watermark, until the batch's own eviction.
    @inline(__always)
    func isLive(_ header: StateRowHeader, in bucket: BucketPointer) -> Bool {
        unsafe header.time > evictedThrough || header.ordinal >= bucket.pointee.deltaStartOrdinal
    }

    /// Sets a stored row's matched bit, and notes it for the delta when an earlier delta holds the row.
    /// Returns whether the bit was clear.
    @inline(__always)
    mutating func markMatched(_ header: StateRowHeader, in bucket: BucketPointer) -> Bool {
        if unsafe bucket.pointee.isMatched(header.ordinal) { return false }
        unsafe bucket.pointee.setMatched(header.ordinal, true)
        if unsafe header.ordinal < bucket.pointee.deltaStartOrdinal {
            marks.append(
                unsafe MatchMark(bucketIndex: bucket.pointee.index, ordinal: header.ordinal, time: header.time))
        }
        return true
    }

    /// Drops the marks of rows at or below `threshold` and puts the others in order of bucket and ordinal.
    mutating func sortMarks(above threshold: Int64) {
        marks.removeAll { $0.time <= threshold }
        marks.sort { a, b in a.bucketIndex != b.bucketIndex ? a.bucketIndex < b.bucketIndex : a.ordinal < b.ordinal }
    }

    /// Goes over all rows whose memory is there, dead ones included, from the oldest bucket on.
    func forEachRow(_ body: (_ row: UnsafeRawPointer, _ time: Int64) -> Void) {
        for bucket in 0..<bucketCount { unsafe buckets[bucket].pointee.forEachRow { unsafe body($0, $1) } }
    }

    // MARK: Evicting

    /// Removes every row at or below `threshold` (microseconds of join time). With `emitsUnmatched`, rows without a
    /// match go to `emit`, in order of time inside each bucket. Returns how many rows left.
    /// Cost follows the rows that leave; a bucket is sorted once, when the watermark enters it.
    /// - Parameter finishBucket: called when a bucket's rows have gone to `emit`; their memory may not outlive it.
    mutating func evict(
        through threshold: Int64, emitsUnmatched: Bool, finishBucket: () -> Void = {},
        _ emit: (UnsafeRawPointer) -> Void
    ) -> Int {
        // Not only when the threshold has moved: a row may be stored although it is evictable, and leaves with its
        // batch.
        let threshold = max(threshold, evictedThrough)
        evictedThrough = threshold
        var removed = 0
        var dropped = 0
        for position in 0..<bucketCount {
            let bucket = unsafe buckets[position]
            let start = unsafe bucket.pointee.startMicros
            if layout.bucketWidthMicros != nil && start > threshold { break }
            removed += unsafe drain(
                bucket, through: threshold, emitsUnmatched: emitsUnmatched, finishBucket: finishBucket, emit)
            guard let width = layout.bucketWidthMicros else { continue }
            let (passed, overflow) = threshold.subtractingReportingOverflow(start)
            guard overflow || passed >= width &- 1 else { continue }
            unsafe destroy(bucket)
            dropped = position + 1
        }
        removeFirstBuckets(dropped)
        liveCount -= removed
        return removed
    }

    private func drain(
        _ bucket: BucketPointer, through threshold: Int64, emitsUnmatched: Bool, finishBucket: () -> Void,
        _ emit: (UnsafeRawPointer) -> Void
    ) -> Int {
        guard unsafe bucket.pointee.liveCount > 0, unsafe bucket.pointee.minTime <= threshold else { return 0 }
        let everythingLeaves = unsafe bucket.pointee.maxTime <= threshold
        if everythingLeaves && !emitsUnmatched {
            let removed = unsafe bucket.pointee.liveCount
            unsafe bucket.pointee.liveCount = 0
            unsafe bucket.pointee.releaseRows()
            return removed
        }
        if unsafe !bucket.pointee.drain.isBuilt { unsafe bucket.pointee.buildDrainOrder() }
        var removed = 0
        while let item = unsafe bucket.pointee.drain.next(through: threshold) {
            removed += 1
            guard emitsUnmatched else { continue }
            if unsafe !bucket.pointee.isMatched(item.ordinal) {
                unsafe emit(bucket.pointee.arena.base + item.position + StateRowHeader.byteCount)
            }
        }
        finishBucket()
        unsafe bucket.pointee.liveCount -= removed
        if everythingLeaves { unsafe bucket.pointee.releaseRows() }
        return removed
    }

    private mutating func removeFirstBuckets(_ count: Int) {
        guard count > 0 else { return }
        for position in count..<bucketCount { unsafe buckets[position - count] = unsafe buckets[position] }
        bucketCount -= count
        unsafe recent = nil
    }

    /// Says, before any row is loaded, that rows at or below `threshold` are dead.
    mutating func restoreEvictedThrough(_ threshold: Int64) {
        precondition(bucketCount == 0, "the state watermark is restored before the rows")
        evictedThrough = threshold
    }

    /// All rows so far are in the checkpoint; the next delta begins here.
    mutating func beginDelta() {
        marks.removeAll(keepingCapacity: true)
        for position in 0..<bucketCount {
            let bucket = unsafe buckets[position]
            unsafe bucket.pointee.deltaStart = unsafe bucket.pointee.arena.count
            unsafe bucket.pointee.deltaStartOrdinal = unsafe bucket.pointee.nextOrdinal
        }
    }
}

private func destroy(_ bucket: BucketPointer) {
    unsafe bucket.deinitialize(count: 1)
    unsafe bucket.deallocate()
}

extension TimeBucket {
    fileprivate func forEachRow(_ body: (_ row: UnsafeRawPointer, _ time: Int64) -> Void) {
        var position = 0
        while position < arena.count {
            let header = header(at: position)
            unsafe body(arena.base + position + StateRowHeader.byteCount, header.time)
            position += StateRowHeader.byteCount + Int(header.byteCount)
        }
    }

    fileprivate mutating func buildDrainOrder() {
        var items: [DrainOrder.Item] = []
        items.reserveCapacity(rowCount)
        var position = 0
        while position < arena.count {
            let header = header(at: position)
            items.append(DrainOrder.Item(time: header.time, position: position, ordinal: header.ordinal))
            position += StateRowHeader.byteCount + Int(header.byteCount)
        }
        drain.build(items, times: minTime...max(minTime, maxTime))
    }
}

/// The bucket of a time. The first one begins at the first multiple of the width that Int64 has, and takes in the
/// times before it, so that every bucket's start is a number.
@inline(__always)
private func bucketIndex(of time: Int64, _ width: Int64) -> Int64 { max(floorDivide(time, width), .min / width) }

/// Division that rounds down, for times before 1970 too.
@inline(__always)
func floorDivide(_ a: Int64, _ b: Int64) -> Int64 {
    let quotient = a / b
    return a % b < 0 ? quotient &- 1 : quotient
}

/// `a + b`, held at the ends of Int64.
@inline(__always)
func saturatingAdd(_ a: Int64, _ b: Int64) -> Int64 {
    let (sum, overflow) = a.addingReportingOverflow(b)
    return overflow ? (b < 0 ? .min : .max) : sum
}
