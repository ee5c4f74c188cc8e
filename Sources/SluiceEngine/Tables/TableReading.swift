// How the records of a table become rows: by the lane that reads the records of batches, one chunk after another.

package import SluicePlan
internal import SluiceSpec

/// A table's records on their way to rows.
struct TableReading {
    let columns: [RowColumn]
    private let name: String
    private let lane: DecodeLane

    init(_ table: TablePlan, zones: TimeZones, isMemoryShort: @escaping @Sendable () -> Bool) {
        let plan = table.readingPlan
        name = table.name
        columns = plan.columns(of: .sources([0]))
        var resources = BatchResources()
        resources.isMemoryShort = isMemoryShort
        let shortage = MemoryShortage()
        shortage.begin()
        lane = DecodeLane(plan: plan, zones: zones, resources: resources, shortage: shortage, laneCount: 1)
        lane.begin(input: 0, BatchWatermarks(lateMillis: .min / 1000, evictionMillis: 0))
    }

    /// Of what was read so far.
    var counters: SourceCounters { lane.counters }

    /// Hands on the rows of each chunk, one behind another in the order of their records, each behind its `JoinRow`,
    /// whose time is the row's place in its chunk: the record's own offset, or that of its first byte.
    /// - Throws: `BatchError` for a bad record under `bad_rows: fail`, and for what cannot be read.
    func read(
        _ bytes: any InputBytes,
        _ take: (_ chunk: Int, UnsafeRawBufferPointer) throws(BatchError) -> Void
    ) throws(BatchError) {
        let chunk = DecodedChunk()
        var next = 0
        while true {
            let ready: Range<Int>
            do { ready = try bytes.readyChunks(from: next) } catch { throw .input(source: name, error) }
            if ready.isEmpty { return }
            for number in ready {
                guard lane.decode(bytes, chunk: number, into: chunk) else {
                    throw lane.failure?.error ?? .outOfMemory
                }
                unsafe try take(number, chunk.content.bytes(shard: 0))
            }
            next = ready.upperBound
        }
    }

    /// The rows that `read` hands on, with their places.
    static func forEachRow(
        _ rows: UnsafeRawBufferPointer, _ body: (_ place: Int64, UnsafeRawBufferPointer) -> Void
    ) {
        guard var cursor = unsafe JoinRowCursor(rows) else { return }
        while let (row, packed) = unsafe cursor.next() {
            unsafe body(row.time, UnsafeRawBufferPointer(start: packed, count: Int(row.byteCount)))
        }
    }
}

/// Rows that were stored with some columns, as those of a table that may have other columns by now: they are found by
/// name and type, and what was not stored is null.
struct StoredRows: ~Copyable {
    private let stored: RowLayout
    private let sources: [Int?]
    private let wanted: [RowColumn]
    private let isSame: Bool
    private var builder: RowBuilder
    private var row = ByteBuffer()
    private var other = ByteBuffer()

    init(columns: [RowColumn], wanted: [RowColumn]) {
        stored = RowLayout(columns)
        sources = wanted.map { columns.firstIndex(of: $0) }
        self.wanted = wanted
        isSame = columns == wanted
        builder = RowBuilder(layout: RowLayout(wanted))
    }

    /// Hands on a row of the table for one that was stored.
    /// - Throws: `StateError` for bytes that are no row.
    mutating func take(
        _ bytes: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Void
    ) throws(StateError) {
        guard bytes.count >= stored.fixedByteCount else { throw StateError(description: "a table's row is cut off") }
        if isSame { return unsafe body(bytes) }
        row.removeAll()
        unsafe row.append(bytes)
        let packed = unsafe PackedRow(base: row.base, layout: stored)
        other.removeAll()
        builder.begin(&other)
        for (index, source) in sources.enumerated() {
            guard let source, !packed.isNull(source) else { continue }
            if KeyKind(wanted[index].type) == .bytes {
                unsafe builder.set(index, bytes: packed.bytes(source), in: &other)
            } else {
                builder.set(index, bits: packed.slot(source), in: &other)
            }
        }
        _ = builder.finish(&other)
        unsafe body(other.bytes)
    }
}

extension TablePlan {
    /// The columns of its rows.
    package var columns: [RowColumn] {
        input.columns.map { RowColumn(name: ColumnReference(source: name, column: $0.name), type: $0.type) }
    }

    /// A plan by which the lanes of batches read the table: its rows go, whole, to one shard.
    fileprivate var readingPlan: PhysicalPlan {
        let state = JoinSidePlan(
            joinTime: nil, windowMicros: nil, isPreserved: true, predicate: nil, eviction: nil, stateColumnCount: 0,
            bucketWidthMicros: nil, cellWidthMicros: nil)
        var all = DeduplicatePlan(
            columns: [], time: nil, withinMicros: nil, state: state, columnCount: input.columns.count, shards: 1)
        all.notesPlaces = true
        var input = input
        // Its own expressions name slots of the right side, where lookups have it.
        input.filterBelowWatermark = input.filterBelowWatermark?.onTheLeft
        input.computed = input.computed.map { ComputedColumn(slot: $0.slot, expression: $0.expression.onTheLeft) }
        return PhysicalPlan(
            query: name, inputs: [input],
            stages: [
                StagePlan(
                    name: name, operation: .deduplicate(all), inputs: [.sources([0])], watermarkMillis: nil)
            ], output: OutputPlan(filter: nil, columns: [], sinks: []), watermarkPolicy: .min)
    }
}

extension Expression where Column == ColumnSlot {
    fileprivate var onTheLeft: Expression<ColumnSlot> { mapColumns { ColumnSlot(input: 0, index: $0.index) } }
}
