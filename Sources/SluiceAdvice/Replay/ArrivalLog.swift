// What arrived when, down to the offset, from the offset log: what a batch read had come between the trigger of the
// batch before and its own. In between, offsets of a partition are taken to have come evenly, and whole files one after
// the other.

internal import SluiceCheckpoint
internal import SluiceConnectors

/// The arrivals of one source in a stretch of batches. A value; pure.
struct ArrivalLog: Hashable, Sendable {
    struct Arrival: Hashable, Sendable {
        var partition: String
        var start: Int64
        var end: Int64
        var fromMicros: Int64
        var toMicros: Int64

        /// How much of it is there by then.
        func offset(atMicros micros: Int64) -> Int64 {
            if micros >= toMicros { return end }
            if micros <= fromMicros { return start }
            let share = Double(micros - fromMicros) / Double(toMicros - fromMicros)
            return start + Int64(Double(end - start) * share)
        }

        func micros(atOffset offset: Double) -> Double {
            let share = (offset - Double(start)) / Double(end - start)
            return Double(fromMicros) + share * Double(toMicros - fromMicros)
        }
    }

    /// In the order of time.
    private(set) var arrivals: [Arrival] = []
    /// Per partition, the arrivals' places above, in the order of offsets.
    private var places: [String: [Int]] = [:]
    /// True where a partition comes at once.
    let isWhole: Bool

    /// - Parameter records: of batches that follow each other; what the first one read is not taken in.
    init(_ records: [OffsetsEntry], source: String, isWhole: Bool) {
        self.isWhole = isWhole
        for (before, record) in zip(records, records.dropFirst()) {
            let all = record.sources.first { $0.source == source }?.ranges ?? []
            let ranges = all.filter { $0.end > $0.start }
            let from = before.batchTimeMillis * 1000
            let slot = max(0, record.batchTimeMillis * 1000 - from)
            for (index, range) in ranges.enumerated() {
                let share = { (count: Int) in from + slot * Int64(count) / Int64(ranges.count) }
                places[range.partition, default: []].append(arrivals.count)
                arrivals.append(
                    Arrival(
                        partition: range.partition, start: range.start, end: range.end,
                        fromMicros: isWhole ? share(index) : from, toMicros: isWhole ? share(index + 1) : from + slot))
            }
        }
    }

    /// When an offset came, in microseconds since the epoch; nil for one that the log does not have. O(log arrivals).
    func micros(partition: String, offset: Double) -> Double? {
        guard let places = places[partition] else { return nil }
        var (low, high) = (0, places.count)
        while low < high {
            let middle = (low + high) / 2
            if Double(arrivals[places[middle]].end) >= offset { high = middle } else { low = middle + 1 }
        }
        guard low < places.count, Double(arrivals[places[low]].start) <= offset else { return nil }
        let arrival = arrivals[places[low]]
        return isWhole ? Double(arrival.toMicros) : arrival.micros(atOffset: offset)
    }
}
