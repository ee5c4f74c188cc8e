// Collects what a batch changed in one store: rows at the ends of the arenas, and marks on older rows.

internal import SluiceSpec

/// One per side of a shard: scratch memory is kept between batches.
struct DeltaWriter: ~Copyable {
    private var writer: SegmentWriter
    private var sections = ByteBuffer()
    private var ordinals: [UInt32] = []

    init(layout: RowLayout) { writer = SegmentWriter(layout: layout) }

    /// Appends the side to a payload and begins the next delta. Returns the newest join time in it, nil when there is
    /// nothing. O(rows and marks of the batch).
    mutating func write(_ store: inout StateStore, into output: inout ByteBuffer) -> Int64? {
        let threshold = store.evictedThrough
        store.sortMarks(above: threshold)
        var newest = store.marks.map(\.time).max()
        sections.recycle()
        var sectionCount = 0
        var nextMark = 0
        for position in 0..<store.bucketCount {
            let bucket = unsafe store.bucket(position)
            let index = unsafe bucket.pointee.index
            ordinals.removeAll(keepingCapacity: true)
            while nextMark < store.marks.count, store.marks[nextMark].bucketIndex == index {
                ordinals.append(store.marks[nextMark].ordinal)
                nextMark += 1
            }
            unsafe bucket.pointee.collectRows(
                from: bucket.pointee.deltaStart, above: threshold, into: &writer.positions, newest: &newest)
            guard !ordinals.isEmpty || !writer.positions.isEmpty else { continue }
            unsafe writer.write(bucket: bucket.pointee, marks: ordinals, into: &sections)
            sectionCount += 1
        }
        // A live row's bucket is never dropped, and every mark left names a live row.
        precondition(nextMark == store.marks.count, "a mark without its bucket")
        output.appendVarint(UInt64(sectionCount))
        unsafe output.append(sections.bytes)
        store.beginDelta()
        return newest
    }
}

extension TimeBucket {
    /// Arena positions of the rows from `start` on that are above the state watermark.
    func collectRows(
        from start: Int, above threshold: Int64, into positions: inout [Int], newest: inout Int64?
    ) {
        positions.removeAll(keepingCapacity: true)
        var position = start
        while position < arena.count {
            let header = header(at: position)
            if header.time > threshold {
                positions.append(position)
                newest = max(newest ?? header.time, header.time)
            }
            position += StateRowHeader.byteCount + Int(header.byteCount)
        }
    }
}
