// How a limit on a batch is shared over partitions.
// Source: Spark's KafkaMicroBatchStream.rateLimit. Every partition with something new gets its part of the limit in
// proportion to what it has; parts below one are rounded up and others down, so the sum may be a little below the
// limit, or above it with many small partitions.

/// Per partition, the end of a batch that takes about `limit` offsets.
/// - Parameters:
///   - ranges: per partition, of whatever topic, what is there, `start ..< end`.
func sharedEnds<Partition: Hashable>(_ ranges: [Partition: Range<Int64>], limit: Int64) -> [Partition: Int64] {
    let total = ranges.values.reduce(0.0) { $0 + Double($1.count) }
    return ranges.mapValues { range in
        if range.isEmpty { return range.upperBound }
        let share = Double(limit) * (Double(range.count) / total)
        let taken = Int64(clampedTo: share < 1 ? share.rounded(.up) : share.rounded(.down))
        let (end, isOver) = range.lowerBound.addingReportingOverflow(taken)
        return isOver ? range.upperBound : min(range.upperBound, end)
    }
}

extension Int64 {
    fileprivate init(clampedTo value: Double) { self = Int64(exactly: value) ?? .max }
}
