// Where a block of rows will look, asked for ahead of time. A probe is three dependent misses in state that is far
// larger than any cache: the index entry, the stored row's head, the row. One row after another they add up; for a
// block at once they overlap, because the processor waits for many lines at a time:
//
//     targets       per row, bucket and cell: the tag, ask for its index entry
//     entries       read the entries (here by now), drop those that hold nothing, ask for the rows they name
//     rows          probe and store, row by row in input order, as if there were no block
//
// Invariant: between `plan` and the last probe of the block nothing is stored on the side that is probed, so an entry
// that was read stays true. What a row of the block stores goes to its own side.

internal import CMemory
internal import Glibc

/// A place in the other side's state where a row may find partners.
@safe struct ProbeTarget {
    let bucket: BucketPointer
    /// Before the entry is read, only its tag counts.
    var entry: IndexEntry
}

@safe struct ProbeBlock: ~Copyable {
    /// How many rows are planned at once: about as many misses as a core keeps in flight, several times over.
    static let rowCountMax = 32

    private var targets: UnsafeMutablePointer<ProbeTarget>
    private var capacity = 0
    private var count = 0
    /// Behind the last target of each row of the block.
    private let ends: UnsafeMutablePointer<Int>
    private(set) var rowCount = 0

    init() {
        unsafe targets = unsafe UnsafeMutablePointer(bitPattern: 16)!
        unsafe ends = .allocate(capacity: ProbeBlock.rowCountMax)
    }

    deinit {
        if capacity > 0 { unsafe free(targets) }
        unsafe ends.deallocate()
    }

    /// Starts a block.
    @inline(__always)
    mutating func begin() {
        count = 0
        rowCount = 0
    }

    /// Notes where the block's next row will look, and asks for it and for the row's own place.
    @inline(__always)
    mutating func plan(_ row: JoinRow, own: borrowing JoinSide, other: borrowing JoinSide) {
        if row.flags.isEmpty, let reached = own.reach.around(row.time) {
            own.store.prefetchPlace(of: row)
            addTargets(row, reached, other.store)
        }
        unsafe ends[rowCount] = count
        rowCount &+= 1
    }

    /// As `plan`, for a row that is not about to be stored: it leaves, and looks at times `reached` in `store`.
    @inline(__always)
    mutating func plan(_ row: JoinRow, reaching reached: ClosedRange<Int64>?, _ store: borrowing StateStore) {
        if let reached { addTargets(row, reached, store) }
        unsafe ends[rowCount] = count
        rowCount &+= 1
    }

    @inline(__always)
    private mutating func addTargets(_ row: JoinRow, _ times: ClosedRange<Int64>, _ store: borrowing StateStore) {
        let positions = store.bucketPositions(times.lowerBound, times.upperBound)
        var position = positions.lowerBound
        while position < positions.upperBound {
            let bucket = unsafe store.bucket(position)
            position &+= 1
            let cells = unsafe store.cells(times.lowerBound, times.upperBound, in: bucket)
            var cell = cells.lowerBound
            while cell <= cells.upperBound {
                let tag = store.tag(hash: row.hash, cell: cell)
                cell &+= 1
                unsafe bucket.pointee.prefetchEntry(for: tag)
                if count == capacity { grow() }
                unsafe targets[count] = unsafe ProbeTarget(
                    bucket: bucket, entry: IndexEntry(tag: tag, row: 0, time: 0, next: 0))
                count &+= 1
            }
        }
    }

    /// Reads the entries of all rows' targets, keeps those that hold rows, and asks for these.
    mutating func readEntries() {
        var kept = 0
        var next = 0
        for row in 0..<rowCount {
            let end = unsafe ends[row]
            while next < end {
                let target = unsafe targets[next]
                next &+= 1
                guard let entry = unsafe target.bucket.pointee.entry(for: target.entry.tag) else { continue }
                unsafe target.bucket.pointee.prefetchRow(entry.row)
                if entry.next != 0 { unsafe target.bucket.pointee.prefetchNode(entry.next) }
                unsafe targets[kept] = unsafe ProbeTarget(bucket: target.bucket, entry: entry)
                kept &+= 1
            }
            unsafe ends[row] = kept
        }
        count = kept
    }

    /// The targets of the block's `row`-th row that hold rows; positions for `target`.
    @inline(__always)
    func targets(ofRow row: Int) -> Range<Int> {
        precondition(row >= 0 && row < rowCount)
        return unsafe (row == 0 ? 0 : ends[row &- 1])..<ends[row]
    }

    @inline(__always)
    func target(_ position: Int) -> ProbeTarget {
        precondition(position >= 0 && position < count)
        return unsafe targets[position]
    }

    @inline(never)
    private mutating func grow() {
        let wanted = max(64, capacity * 2)
        let byteCount = wanted * MemoryLayout<ProbeTarget>.stride
        var granted = 0
        let grown = unsafe sluice_grow(capacity > 0 ? targets : nil, byteCount, byteCount, &granted)
        guard let grown = unsafe grown else { fatalError("out of memory: \(wanted) probe targets") }
        unsafe targets = unsafe grown.bindMemory(to: ProbeTarget.self, capacity: wanted)
        capacity = wanted
    }
}

extension TimeBucket {
    /// Asks for the line on which the entry for a tag begins.
    @inline(__always)
    func prefetchEntry(for tag: UInt32) {
        if let place = unsafe entryPlace(for: tag) { unsafe sluice_prefetch(place) }
    }

    /// Asks for an older row's node.
    @inline(__always)
    func prefetchNode(_ next: UInt32) { unsafe sluice_prefetch(nodePlace(next)) }

    /// Asks for the head of a stored row and what fits behind it.
    @inline(__always)
    func prefetchRow(_ row: UInt32) {
        let place = unsafe UnsafeRawPointer(arena.base) + Int(row &- 1) &<< 3
        unsafe sluice_prefetch(place)
        unsafe sluice_prefetch(place + 64)
    }
}

extension StateStore {
    /// Asks for the index entry under which a row of this side will be stored.
    @inline(__always)
    func prefetchPlace(of row: JoinRow) {
        let positions = bucketPositions(row.time, row.time)
        guard positions.lowerBound < positions.upperBound else { return }
        let bucket = unsafe bucket(positions.lowerBound)
        unsafe bucket.pointee.prefetchEntry(for: tag(hash: row.hash, cell: cell(of: row.time, in: bucket)))
    }
}
