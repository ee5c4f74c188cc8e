// State from the checkpoint: payloads oldest first, each of one batch or of several that were merged.

extension StateStore {
    /// Applies this store's part of a payload.
    /// - Parameters:
    ///   - keys: of the stored rows, for their hash.
    /// - Throws: `StateError` for bytes that are not rows of this store.
    mutating func restore(
        _ reader: inout SegmentReader, version: UInt8, layout: RowLayout, _ time: JoinTime, _ keys: JoinKeyColumns
    ) throws(StateError) {
        var builder = RowBuilder(layout: layout)
        var arena = ByteBuffer()
        for _ in 0..<(try reader.count()) {
            var section = try SegmentSection(&reader, layout: layout, version: version)
            let bucket = unsafe findOrMakeBucket(index: section.bucketIndex)
            if tracksMatches {
                for ordinal in section.marks where unsafe ordinal < bucket.pointee.nextOrdinal {
                    unsafe bucket.pointee.setMatched(ordinal, true)
                }
            }
            for _ in 0..<section.rowCount {
                arena.removeAll()
                let (ordinal, isMatched, byteCount) = try section.next(&builder, into: &arena)
                let row = unsafe PackedRow(base: arena.base, layout: layout)
                guard let rowTime = time.of(row), index(of: rowTime) == section.bucketIndex else {
                    throw StateError(description: "a row in the state does not belong to its time bucket")
                }
                if rowTime <= evictedThrough {
                    unsafe bucket.pointee.skipOrdinal(ordinal)
                } else {
                    unsafe insert(
                        row: arena.base, byteCount: byteCount, time: rowTime, hash: keys.hash(row).hash,
                        ordinal: ordinal, isMatched: isMatched, in: bucket)
                }
            }
        }
    }
}
