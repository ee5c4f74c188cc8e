// The rows of a bucket in the order in which the state watermark reaches them, built when it enters the bucket.
// Rows that are stored later (a few: they are nearly late) go into a second, small run.

struct DrainOrder {
    struct Item {
        var time: Int64
        /// Arena position in units of 8 bytes; ascending within one time, so ties leave in the order of insertion.
        private let row: UInt32
        var ordinal: UInt32

        init(time: Int64, position: Int, ordinal: UInt32) {
            self.time = time
            row = UInt32(position >> 3)
            self.ordinal = ordinal
        }

        /// Arena position.
        var position: Int { Int(row) << 3 }

        static func precedes(_ a: Item, _ b: Item) -> Bool {
            a.time != b.time ? a.time < b.time : a.row < b.row
        }
    }

    private(set) var isBuilt = false
    private var sorted: [Item] = []
    private var cursor = 0
    private var stragglers: [Item] = []
    private var stragglersAreSorted = true

    /// Takes in all rows of the bucket, in the order of their positions, whose times are within `times`.
    /// O(rows) for each 11 bits of the span of times, or each 8 bits for few rows.
    mutating func build(_ items: [Item], times: ClosedRange<Int64>) {
        sorted = items
        cursor = 0
        isBuilt = true
        if items.count < 64 { sorted.sort(by: Item.precedes) } else { sorted.sortByTime(times) }
    }

    mutating func add(_ item: Item) {
        stragglers.append(item)
        stragglersAreSorted = false
    }

    /// The next row at or below `threshold`, in time order; nil when there is none.
    mutating func next(through threshold: Int64) -> Item? {
        if !stragglersAreSorted {
            // Descending, so that the earliest is taken from the end.
            stragglers.sort { Item.precedes($1, $0) }
            stragglersAreSorted = true
        }
        let early = cursor < sorted.count ? sorted[cursor] : nil
        if let straggler = stragglers.last, early.map({ Item.precedes(straggler, $0) }) ?? true {
            guard straggler.time <= threshold else { return nil }
            stragglers.removeLast()
            return straggler
        }
        guard let early, early.time <= threshold else { return nil }
        cursor += 1
        return early
    }
}

extension [DrainOrder.Item] {
    /// Stable radix sort by time, lowest digit first. Few rows get short digits: counting 2048 of them costs more than
    /// going over a few hundred rows once more.
    fileprivate mutating func sortByTime(_ times: ClosedRange<Int64>) {
        let digits = Digits(bits: count < 2048 ? 8 : 11, first: times.lowerBound)
        let span = UInt64(bitPattern: times.upperBound) &- UInt64(bitPattern: times.lowerBound)
        var other = self
        var next = [UInt32](repeating: 0, count: digits.count)
        var shift: UInt64 = 0
        while shift < 64, span &>> shift > 0 {
            for item in self { next[digits.digit(item.time, shift)] += 1 }
            var start: UInt32 = 0
            for digit in next.indices {
                let count = next[digit]
                next[digit] = start
                start += count
            }
            for item in self {
                let digit = digits.digit(item.time, shift)
                other[Int(next[digit])] = item
                next[digit] += 1
            }
            swap(&self, &other)
            shift += digits.bits
            for digit in next.indices { next[digit] = 0 }
        }
    }
}

/// How times are cut into digits.
private struct Digits {
    let bits: UInt64
    private let first: UInt64

    init(bits: UInt64, first: Int64) {
        self.bits = bits
        self.first = UInt64(bitPattern: first)
    }

    /// How many there are.
    var count: Int { 1 << Int(bits) }

    @inline(__always)
    func digit(_ time: Int64, _ shift: UInt64) -> Int {
        Int(truncatingIfNeeded: (UInt64(bitPattern: time) &- first) &>> shift) & (count &- 1)
    }
}
