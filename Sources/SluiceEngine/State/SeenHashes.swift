// Which hashes the rows in state may have, whatever their time: a value that is new, as nearly all are, is looked for
// in none of the time buckets. In a batch that spans many times what a deduplication remembers (a backlog) there are
// as many buckets; here it is two places, always.
//
//     young   takes in new hashes                       old is forgotten as a whole, once all its rows have left;
//     old     only asked; no row is newer than `newest`    then young becomes old, and a new one begins
//
// So at most the hashes of twice the rows that are live are kept, of each 32 bits. A hash that is here says nothing by
// itself: another value may have the same bits, or its row may be dead.

internal import CMemory
internal import Glibc

struct SeenHashes: ~Copyable {
    private var young = HashTable()
    private var old = HashTable()

    var byteCount: Int { young.byteCount + old.byteCount }

    /// False only where no row in state has this hash. O(1) expected.
    @inline(__always)
    func mayContain(_ hash: UInt64) -> Bool {
        let tag = hashTag(hash)
        return young.contains(tag) || old.contains(tag)
    }

    /// Asks for the places that `mayContain` looks at.
    @inline(__always)
    func prefetch(_ hash: UInt64) {
        let tag = hashTag(hash)
        young.prefetch(tag)
        old.prefetch(tag)
    }

    /// - Parameter time: at which the row leaves state, in microseconds.
    @inline(__always)
    mutating func insert(_ hash: UInt64, time: Int64) {
        young.insert(hashTag(hash))
        young.newestMicros = max(young.newestMicros, time)
    }

    /// Rows at or below `threshold` have left state.
    mutating func forget(through threshold: Int64) {
        if old.newestMicros > threshold { return }
        old.removeAll()
        if young.newestMicros > threshold { swap(&young, &old) } else { young.removeAll() }
    }
}

/// The bits of a hash that are kept, never 0. Shards have hashes that agree in some bits: all bits have a say in these.
@inline(__always)
private func hashTag(_ hash: UInt64) -> UInt32 {
    max(UInt32(truncatingIfNeeded: (hash &* 0x9E37_79B9_7F4A_7C15) &>> 32), 1)
}

/// A set of tags by open addressing; the first bits of a tag say where the search for it begins.
@safe private struct HashTable: ~Copyable {
    /// 0 where there is none.
    private var tags: UnsafeMutablePointer<UInt32>
    /// The table has two to the power of it; -1 for none.
    private var bits = -1
    private(set) var count = 0
    var newestMicros = Int64.min

    init() { unsafe tags = unsafe UnsafeMutablePointer(bitPattern: 16)! }

    deinit {
        if bits >= 0 { unsafe free(tags) }
    }

    var byteCount: Int { bits < 0 ? 0 : MemoryLayout<UInt32>.stride << bits }

    @inline(__always)
    func contains(_ tag: UInt32) -> Bool {
        if count == 0 { return false }
        let mask = (1 &<< bits) &- 1
        var place = Int(tag &>> UInt32(32 &- bits))
        while true {
            let found = unsafe tags[place]
            if found == tag { return true }
            if found == 0 { return false }
            place = (place &+ 1) & mask
        }
    }

    @inline(__always)
    func prefetch(_ tag: UInt32) {
        if bits >= 0 { unsafe sluice_prefetch(tags + Int(tag &>> UInt32(32 &- bits))) }
    }

    @inline(__always)
    mutating func insert(_ tag: UInt32) {
        if bits < 0 || count &* 2 > 1 &<< bits { grow() }
        if unsafe put(tag, in: tags) { count &+= 1 }
    }

    /// False where it is there.
    @inline(__always)
    private func put(_ tag: UInt32, in tags: UnsafeMutablePointer<UInt32>) -> Bool {
        let mask = (1 &<< bits) &- 1
        var place = Int(tag &>> UInt32(32 &- bits))
        while unsafe tags[place] != 0 {
            if unsafe tags[place] == tag { return false }
            place = (place &+ 1) & mask
        }
        unsafe tags[place] = tag
        return true
    }

    @inline(never)
    private mutating func grow() {
        let (oldTags, oldBits) = unsafe (tags, bits)
        // Every tag has a place of its own with the last bit.
        bits = min(max(8, bits + 1), 32)
        guard let fresh = unsafe sluice_zeroed(1 << bits, MemoryLayout<UInt32>.stride) else {
            fatalError("out of memory: \(1 << bits) hashes")
        }
        unsafe tags = unsafe fresh.bindMemory(to: UInt32.self, capacity: 1 << bits)
        guard oldBits >= 0 else { return }
        for place in 0..<(1 << oldBits) where unsafe oldTags[place] != 0 { _ = unsafe put(oldTags[place], in: tags) }
        unsafe free(oldTags)
    }

    /// The memory too: what comes next may be less.
    mutating func removeAll() {
        if bits >= 0 { unsafe free(tags) }
        unsafe tags = unsafe UnsafeMutablePointer(bitPattern: 16)!
        (bits, count, newestMicros) = (-1, 0, .min)
    }
}
