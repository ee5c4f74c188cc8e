// Merges the payloads of consecutive batches of one shard into one: rows the state watermark has passed are dropped,
// marks on rows of the merged batches become those rows' matched bits, marks on older rows stay marks.

package import SluicePlan
internal import SluiceSpec

/// Merges state payloads of one stage. Stateless and cheap to make; used off the query's thread.
package struct SegmentMerger: Sendable {
    private let sides: [(layout: RowLayout, plan: JoinSidePlan)]

    package init(_ plan: PhysicalPlan, stage: StagePlan) {
        let columns = plan.columns(of: stage)
        sides = stage.sides.map { side in
            let state = stage.side(side)
            if let deduplicate = stage.deduplicate {
                return (deduplicate.stateLayout(columns[0].map(\.type)), state)
            }
            return (RowLayout(Array(columns[side.rawValue].prefix(state.stateColumnCount))), state)
        }
    }

    /// One payload that stands for all of `payloads` (oldest first); empty when nothing of them is left.
    /// - Parameter evictedThroughMicros: per side, the join time at or below which rows may be left out.
    package func merge(_ payloads: [[UInt8]], evictedThroughMicros: [Int64]) throws(StateError) -> [UInt8] {
        let merged = zip(sides, evictedThroughMicros).map { side, threshold in
            MergedSideBox(MergedSide(layout: side.layout, plan: side.plan, threshold: threshold))
        }
        for payload in payloads {
            var failure: StateError?
            unsafe payload.withUnsafeBytes { bytes in
                do throws(StateError) {
                    var reader = unsafe SegmentReader(bytes)
                    let version = try readSegmentHeader(&reader)
                    for side in merged { try side.side.add(&reader, version: version) }
                } catch {
                    failure = error
                }
            }
            if let failure { throw failure }
        }
        var output = ByteBuffer()
        output.append(segmentMagic)
        output.append(segmentVersion)
        let sectionCount = merged.reduce(0) { $0 + $1.side.write(into: &output) }
        return sectionCount == 0 ? [] : output.array()
    }
}

/// Returns the version of what follows.
func readSegmentHeader(_ reader: inout SegmentReader) throws(StateError) -> UInt8 {
    guard try reader.byte() == segmentMagic else { throw StateError(description: "this is not state") }
    let version = try reader.byte()
    guard 1...segmentVersion ~= version else {
        throw StateError(
            description: "the state has format version \(version), this program reads 1 to \(segmentVersion)")
    }
    return version
}

/// Arrays cannot hold noncopyable values yet.
private final class MergedSideBox {
    var side: MergedSide

    init(_ side: consuming MergedSide) { self.side = side }
}

@safe private struct MergedSide: ~Copyable {
    private let layout: RowLayout
    private let time: JoinTime
    private let threshold: Int64
    private let bucketWidthMicros: Int64?
    private var buckets: [BucketPointer] = unsafe []
    /// Bucket index to position in `buckets`.
    private var bucketPositions: [Int64: Int] = [:]
    /// Marks on rows older than the merged batches.
    private var foreignMarks: [Int64: Set<UInt32>] = [:]
    private var firstOrdinals: [Int64: UInt32] = [:]

    init(layout: RowLayout, plan: JoinSidePlan, threshold: Int64) {
        self.layout = layout
        self.threshold = threshold
        time = JoinTime(plan)
        bucketWidthMicros = plan.bucketWidthMicros
    }

    deinit {
        for position in unsafe buckets.indices {
            unsafe buckets[position].deinitialize(count: 1)
            unsafe buckets[position].deallocate()
        }
    }

    mutating func add(_ reader: inout SegmentReader, version: UInt8) throws(StateError) {
        var builder = RowBuilder(layout: layout)
        var arena = ByteBuffer()
        for _ in 0..<(try reader.count()) {
            var section = try SegmentSection(&reader, layout: layout, version: version)
            let index = section.bucketIndex
            for ordinal in section.marks {
                if let first = firstOrdinals[index], ordinal >= first {
                    if let position = bucketPositions[index] {
                        unsafe buckets[position].pointee.setMatched(ordinal, true)
                    }
                } else if !isPassed(index) {
                    _ = unsafe bucket(index)
                    foreignMarks[index, default: []].insert(ordinal)
                }
            }
            for _ in 0..<section.rowCount {
                arena.removeAll()
                let (ordinal, isMatched, byteCount) = try section.next(&builder, into: &arena)
                if firstOrdinals[index] == nil { firstOrdinals[index] = ordinal }
                guard let rowTime = unsafe time.of(PackedRow(base: arena.base, layout: layout)) else {
                    throw StateError(description: "a row in the state has no join time")
                }
                guard rowTime > threshold else { continue }
                let bucket = unsafe bucket(index)
                _ = unsafe bucket.pointee.append(
                    row: arena.base, byteCount: byteCount, time: rowTime, ordinal: ordinal)
                unsafe bucket.pointee.setMatched(ordinal, isMatched)
            }
        }
    }

    private mutating func bucket(_ index: Int64) -> BucketPointer {
        if let position = bucketPositions[index] { return unsafe buckets[position] }
        let bucket = BucketPointer.allocate(capacity: 1)
        unsafe bucket.initialize(to: TimeBucket(index: index, startMicros: 0, timeShift: 0, isTimed: false))
        bucketPositions[index] = unsafe buckets.count
        unsafe buckets.append(bucket)
        return unsafe bucket
    }

    /// True when every row a bucket can hold is dead.
    private func isPassed(_ index: Int64) -> Bool {
        guard let width = bucketWidthMicros else { return false }
        return threshold >= saturatingAdd(index &* width, width &- 1)
    }

    /// Returns how many sections there are.
    func write(into output: inout ByteBuffer) -> Int {
        var writer = SegmentWriter(layout: layout)
        var newest: Int64?
        output.appendVarint(UInt64(bucketPositions.count))
        for (index, position) in bucketPositions.sorted(by: { $0.key < $1.key }) {
            let bucket = unsafe buckets[position]
            unsafe bucket.pointee.collectRows(from: 0, above: threshold, into: &writer.positions, newest: &newest)
            let marks = (foreignMarks[index] ?? []).sorted()
            unsafe writer.write(bucket: bucket.pointee, marks: marks, into: &output)
        }
        return bucketPositions.count
    }
}
