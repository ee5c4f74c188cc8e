// One time bucket of one side of one shard: an arena of rows, an index over them, and their matched bits.
//
//     index (open addressing)            chain nodes                 arena
//     | tag row time next | ───────▶ | row time next | ─▶ …    | time ordinal byteCount | packed row | … |
//       16 bytes, 4 to a cache line    12 bytes each               16 bytes                 multiple of 8
//
// An index entry stands for one key in one time cell and holds its newest row; older rows of the same key and cell hang
// behind it, newest first. Time stands in entry and node (relative to the bucket, coarse when the bucket is long), so a
// probe reads rows only when their time fits: a match costs the entry's cache line and the row's. Two keys that share a
// tag share a chain; whoever probes compares the keys.
//
// Invariants: ordinals are given out in the order of insertion and never twice; chains and arena are in that order too,
// so a bucket rebuilt from the checkpoint answers every probe in the same order as the one that was lost. Rows are
// never removed one by one: those at or below `StateStore.evictedThrough` are dead, and probes do not ask for them.

internal import CMemory
internal import Glibc

/// One key in one time cell: its newest row and the chain of the older ones.
struct IndexEntry {
    /// High bits of the key's hash mixed with its cell.
    var tag: UInt32
    /// Arena position in units of 8 bytes, plus 1; 0 marks a free entry.
    var row: UInt32
    /// Time since the bucket's start in units of 2^timeShift microseconds.
    var time: UInt32
    /// Position of the next node, plus 1; 0 ends the chain.
    var next: UInt32
}

/// An older row of a key and cell.
struct ChainNode {
    var row: UInt32
    var time: UInt32
    var next: UInt32
}

/// What stands before each packed row in a bucket's arena.
struct StateRowHeader {
    static let byteCount = 16
    /// Join time in microseconds.
    var time: Int64
    var ordinal: UInt32
    /// Of the packed row behind it.
    var byteCount: UInt32
}

@safe struct TimeBucket: ~Copyable {
    /// `floor(time / bucketWidth)`; 0 when one bucket holds all.
    let index: Int64
    /// Join time where the bucket begins; with one bucket for all rows, 0 and times are not stored in the index.
    let startMicros: Int64
    let timeShift: UInt64
    let isTimed: Bool

    var arena: ByteBuffer
    private(set) var rowCount = 0
    /// Rows above the state watermark.
    var liveCount = 0
    var nextOrdinal: UInt32 = 0
    private(set) var minTime = Int64.max
    private(set) var maxTime = Int64.min

    private var entries: UnsafeMutablePointer<IndexEntry>
    /// The table has `1 << entryBits` entries; -1 while there is none.
    private var entryBits = -1
    private var entryCount = 0
    private var nodes: UnsafeMutablePointer<ChainNode>
    private var nodeCount = 0
    private var nodeCapacity = 0
    /// One bit per ordinal.
    private var matched: ByteBuffer

    /// Where rows that no delta has yet begin.
    var deltaStart = 0
    var deltaStartOrdinal: UInt32 = 0

    /// Rows in time order, once the state watermark has entered the bucket.
    var drain = DrainOrder()

    init(index: Int64, startMicros: Int64, timeShift: UInt64, isTimed: Bool) {
        self.index = index
        self.startMicros = startMicros
        self.timeShift = timeShift
        self.isTimed = isTimed
        arena = ByteBuffer()
        matched = ByteBuffer()
        unsafe entries = unsafe UnsafeMutablePointer(bitPattern: 16)!
        unsafe nodes = unsafe UnsafeMutablePointer(bitPattern: 16)!
    }

    deinit {
        if entryBits >= 0 { unsafe free(entries) }
        if nodeCapacity > 0 { unsafe free(nodes) }
    }

    var byteCount: Int {
        arena.capacity + matched.capacity + nodeCapacity * MemoryLayout<ChainNode>.stride
            + (entryBits >= 0 ? (1 << entryBits) * MemoryLayout<IndexEntry>.stride : 0)
    }

    /// Keys and cells in the index.
    var distinctCount: Int { entryCount }

    // MARK: Rows

    /// Copies a packed row into the arena. Returns its position there.
    mutating func append(row: UnsafeRawPointer, byteCount: Int, time: Int64, ordinal: UInt32) -> Int {
        let position = arena.count
        precondition(position < 8 << 32, "a state bucket is limited to 32 GiB")
        arena.reserve(StateRowHeader.byteCount &+ byteCount)
        let target = unsafe arena.base + position
        let header = StateRowHeader(time: time, ordinal: ordinal, byteCount: UInt32(byteCount))
        unsafe target.storeBytes(of: header, as: StateRowHeader.self)
        unsafe (target + StateRowHeader.byteCount).copyMemory(from: row, byteCount: byteCount)
        arena.advance(by: StateRowHeader.byteCount &+ byteCount)
        noteAppended(time: time, ordinal: ordinal)
        return position
    }

    /// Counts a row that was written at the arena's end.
    mutating func noteAppended(time: Int64, ordinal: UInt32) {
        rowCount &+= 1
        liveCount &+= 1
        nextOrdinal = max(nextOrdinal, ordinal &+ 1)
        minTime = min(minTime, time)
        maxTime = max(maxTime, time)
    }

    /// Leaves out a row of the checkpoint that is dead by now.
    mutating func skipOrdinal(_ ordinal: UInt32) { nextOrdinal = max(nextOrdinal, ordinal &+ 1) }

    @inline(__always)
    func header(at position: Int) -> StateRowHeader {
        unsafe arena.base.load(fromByteOffset: position, as: StateRowHeader.self)
    }

    /// Gives back the memory of a bucket whose rows are all dead. Ordinals go on from where they were, because the
    /// checkpoint still holds marks that name the old ones.
    mutating func releaseRows() {
        arena = ByteBuffer()
        matched = ByteBuffer()
        drain = DrainOrder()
        if entryBits >= 0 { unsafe free(entries) }
        if nodeCapacity > 0 { unsafe free(nodes) }
        entryBits = -1
        entryCount = 0
        nodeCount = 0
        nodeCapacity = 0
        rowCount = 0
        minTime = .max
        maxTime = .min
        deltaStart = 0
        deltaStartOrdinal = nextOrdinal
    }

    // MARK: Matched bits

    /// True when rows have matched bits and this one is set.
    func isMatched(_ ordinal: UInt32) -> Bool {
        let word = Int(ordinal &>> 6) &* 8
        guard word < matched.count else { return false }
        let bits = unsafe matched.base.load(fromByteOffset: word, as: UInt64.self)
        return (bits &>> UInt64(ordinal & 63)) & 1 != 0
    }

    /// Sets or clears a row's matched bit.
    mutating func setMatched(_ ordinal: UInt32, _ value: Bool) {
        let word = Int(ordinal &>> 6) &* 8
        if word >= matched.count {
            guard value else { return }
            let grown = word &+ 8
            matched.reserve(grown &- matched.count)
            unsafe (matched.base + matched.count).initializeMemory(
                as: UInt8.self, repeating: 0, count: grown &- matched.count)
            matched.advance(by: grown &- matched.count)
        }
        var bits = unsafe matched.base.load(fromByteOffset: word, as: UInt64.self)
        let bit: UInt64 = 1 &<< UInt64(ordinal & 63)
        bits = value ? bits | bit : bits & ~bit
        unsafe matched.base.storeBytes(of: bits, toByteOffset: word, as: UInt64.self)
    }

    // MARK: Index

    /// A time as the index stores it.
    @inline(__always)
    func coarse(_ time: Int64) -> UInt32 {
        isTimed ? UInt32(truncatingIfNeeded: UInt64(bitPattern: time &- startMicros) &>> timeShift) : 0
    }

    /// The last index time that may be at or below `high`, a join time not before the bucket's start.
    @inline(__always)
    func coarseEnd(_ high: Int64, width: Int64?) -> UInt32 {
        guard isTimed, let width else { return .max }
        let offset = high &- startMicros
        // A wrapped difference is a `high` far behind the bucket's end.
        return offset < 0 || offset >= width ? .max : coarse(high)
    }

    /// Makes the row at `position` the newest of its key and cell. Amortised O(1).
    mutating func insertIntoIndex(tag: UInt32, position: Int, time: Int64) {
        if entryBits < 0 || entryCount &* 8 >= (1 &<< entryBits) &* 5 { growIndex() }
        let row = UInt32(truncatingIfNeeded: position &>> 3) &+ 1
        let mask = (1 &<< entryBits) &- 1
        var slot = Int(tag &>> UInt32(32 &- entryBits))
        // Ends: at most 5/8 of the entries are in use.
        while true {
            let entry = unsafe entries[slot]
            if entry.row == 0 {
                unsafe entries[slot] = IndexEntry(tag: tag, row: row, time: coarse(time), next: 0)
                entryCount &+= 1
                return
            }
            if entry.tag == tag {
                let older = appendNode(ChainNode(row: entry.row, time: entry.time, next: entry.next))
                unsafe entries[slot] = IndexEntry(tag: tag, row: row, time: coarse(time), next: older)
                return
            }
            slot = (slot &+ 1) & mask
        }
    }

    /// The entry for a tag, or nil. O(1) expected.
    @inline(__always)
    func entry(for tag: UInt32) -> IndexEntry? {
        guard entryBits >= 0 else { return nil }
        let mask = (1 &<< entryBits) &- 1
        var slot = Int(tag &>> UInt32(32 &- entryBits))
        while true {
            let entry = unsafe entries[slot]
            if entry.row == 0 { return nil }
            if entry.tag == tag { return entry }
            slot = (slot &+ 1) & mask
        }
    }

    /// Where the search for a tag begins; nil while there is no index.
    @inline(__always)
    func entryPlace(for tag: UInt32) -> UnsafeRawPointer? {
        entryBits < 0 ? nil : unsafe UnsafeRawPointer(entries + Int(tag &>> UInt32(32 &- entryBits)))
    }

    /// The node behind a `next` that is not 0.
    @inline(__always)
    func node(_ next: UInt32) -> ChainNode { unsafe nodes[Int(next &- 1)] }

    @inline(__always)
    func nodePlace(_ next: UInt32) -> UnsafeRawPointer { unsafe UnsafeRawPointer(nodes + Int(next &- 1)) }

    /// Makes room for about `count` keys, so that the index does not grow step by step.
    mutating func reserveIndex(_ count: Int) {
        guard entryBits < 0, count > 0 else { return }
        var bits = 3
        while (1 << bits) * 5 < count * 8 && bits < 31 { bits += 1 }
        allocateEntries(bits)
    }

    private mutating func allocateEntries(_ bits: Int) {
        precondition(bits <= 31, "a state bucket is limited to a billion keys")
        guard let fresh = unsafe sluice_zeroed(1 << bits, MemoryLayout<IndexEntry>.stride) else {
            fatalError("out of memory: an index of \(1 << bits) entries")
        }
        unsafe entries = unsafe fresh.bindMemory(to: IndexEntry.self, capacity: 1 << bits)
        entryBits = bits
    }

    @inline(never)
    private mutating func growIndex() {
        let oldBits = entryBits
        let old = unsafe entries
        allocateEntries(max(3, oldBits + 1))
        guard oldBits >= 0 else { return }
        let mask = (1 &<< entryBits) &- 1
        for oldSlot in 0..<(1 &<< oldBits) {
            let entry = unsafe old[oldSlot]
            if entry.row == 0 { continue }
            var slot = Int(entry.tag &>> UInt32(32 &- entryBits))
            while unsafe entries[slot].row != 0 { slot = (slot &+ 1) & mask }
            unsafe entries[slot] = entry
        }
        unsafe free(old)
    }

    private mutating func appendNode(_ node: ChainNode) -> UInt32 {
        if nodeCount == nodeCapacity {
            let capacity = max(8, nodeCapacity * 2)
            let byteCount = capacity * MemoryLayout<ChainNode>.stride
            var granted = 0
            let grown = unsafe sluice_grow(nodeCapacity > 0 ? nodes : nil, byteCount, byteCount, &granted)
            guard let grown = unsafe grown else { fatalError("out of memory: \(capacity) chain nodes") }
            unsafe nodes = unsafe grown.bindMemory(to: ChainNode.self, capacity: capacity)
            nodeCapacity = capacity
        }
        unsafe nodes[nodeCount] = node
        nodeCount &+= 1
        return UInt32(nodeCount)
    }
}
