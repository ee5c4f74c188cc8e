// Numbers of rows by a hash: a chain for each place of a power of two, in one array of entries. What is put in last
// stands first in its chain, and chains keep their order as they grow and shrink, so that what is found does not depend
// on how the numbers came to be there.

/// Row numbers that are found by a hash. Putting in is amortised O(1), taking out O(chain).
struct RowChains {
    struct Entry {
        var hash: UInt64
        /// Of the row.
        var row: UInt32
        /// The next entry in the same place, plus one; 0 for none.
        var next: UInt32
    }

    /// The first entry for a hash, plus one; 0 for none.
    private var heads: [UInt32]
    private var entries: [Entry] = []
    private var mask: UInt64
    /// The first entry that is not used, plus one; 0 for none.
    private var unused: UInt32 = 0

    /// - Parameter capacity: so many rows are put in without growing.
    init(capacity: Int) {
        var size = 16
        while size < capacity * 2 { size *= 2 }
        heads = [UInt32](repeating: 0, count: size)
        mask = UInt64(size - 1)
        entries.reserveCapacity(capacity)
    }

    /// Memory that it takes.
    var byteCount: Int { heads.count * 4 + entries.capacity * MemoryLayout<Entry>.stride }

    /// The first entry that may have the hash, for `entry`; 0 when there is none.
    @inline(__always)
    func first(_ hash: UInt64) -> UInt32 { heads[Int(hash & mask)] }

    @inline(__always)
    func entry(_ place: UInt32) -> Entry { entries[Int(place) - 1] }

    /// The first row with the hash that `isIt` says is the one.
    @inline(__always)
    func row(_ hash: UInt64, where isIt: (Int) -> Bool) -> Int? {
        var next = first(hash)
        while next != 0 {
            let entry = entry(next)
            if entry.hash == hash, isIt(Int(entry.row)) { return Int(entry.row) }
            next = entry.next
        }
        return nil
    }

    /// Puts a row in front of those with its hash.
    mutating func insert(_ hash: UInt64, row: Int) {
        if unused == 0, entries.count * 2 >= heads.count { grow() }
        let head = Int(hash & mask)
        let entry = Entry(hash: hash, row: UInt32(row), next: heads[head])
        if unused != 0 {
            let place = unused
            unused = entries[Int(place) - 1].next
            entries[Int(place) - 1] = entry
            heads[head] = place
        } else {
            entries.append(entry)
            heads[head] = UInt32(entries.count)
        }
    }

    /// Takes a row out that was put in with this hash.
    mutating func remove(_ hash: UInt64, row: Int) {
        let head = Int(hash & mask)
        var before: UInt32 = 0
        var place = heads[head]
        while place != 0 {
            let entry = entries[Int(place) - 1]
            if entry.row == row, entry.hash == hash {
                if before == 0 { heads[head] = entry.next } else { entries[Int(before) - 1].next = entry.next }
                entries[Int(place) - 1].next = unused
                unused = place
                return
            }
            (before, place) = (place, entry.next)
        }
    }

    private mutating func grow() {
        let old = heads
        heads = [UInt32](repeating: 0, count: old.count * 2)
        mask = UInt64(heads.count - 1)
        var chain: [UInt32] = []
        for head in old {
            chain.removeAll(keepingCapacity: true)
            var place = head
            while place != 0 {
                chain.append(place)
                place = entries[Int(place) - 1].next
            }
            for place in chain.reversed() {
                let head = Int(entries[Int(place) - 1].hash & mask)
                entries[Int(place) - 1].next = heads[head]
                heads[head] = place
            }
        }
    }
}
