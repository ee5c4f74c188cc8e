// The rows of a table as they were at one moment: decoded once, never changed, and shared by all workers and queries
// that look them up. A change of the table is another value.

package import SluicePlan
internal import SluiceSpec

/// All rows of a table, one after another, each behind its byte count.
package final class TableRows: @unchecked Sendable {
    // @unchecked: written by `init` alone.
    private let arena: ByteBuffer
    /// Where each row begins in the arena.
    let starts: [Int]
    /// In the order of the packed rows.
    package let columns: [RowColumn]
    /// Records that were bad, kept or not.
    package let badCount: Int
    /// The first of them, and of those that were dropped.
    package let firstBad: RecordSample?

    package var rowCount: Int { starts.count }
    /// Memory that the rows take.
    package var byteCount: Int { arena.count }

    /// The bytes of a row's head: its byte count.
    private static let headByteCount = 8

    /// Reads all records of a table.
    /// - Throws: `BatchError` for a bad record under `bad_rows: fail`, and for what cannot be read.
    package convenience init(
        _ table: TablePlan, from bytes: any InputBytes, zones: TimeZones, isMemoryShort: @escaping @Sendable () -> Bool
    ) throws(BatchError) {
        let plan = table.readingPlan
        var resources = BatchResources()
        resources.isMemoryShort = isMemoryShort
        let shortage = MemoryShortage()
        shortage.begin()
        let lane = DecodeLane(plan: plan, zones: zones, resources: resources, shortage: shortage, laneCount: 1)
        lane.begin(input: 0, BatchWatermarks(lateMillis: .min / 1000, evictionMillis: 0))
        var rows = ByteBuffer()
        var starts: [Int] = []
        let chunk = DecodedChunk()
        var next = 0
        while true {
            let ready: Range<Int>
            do { ready = try bytes.readyChunks(from: next) } catch { throw .input(source: table.name, error) }
            if ready.isEmpty { break }
            for number in ready {
                guard lane.decode(bytes, chunk: number, into: chunk) else {
                    throw lane.failure?.error ?? .outOfMemory
                }
                unsafe Self.append(chunk.content.bytes(shard: 0), to: &rows, &starts)
            }
            next = ready.upperBound
        }
        self.init(
            rows, starts, columns: plan.columns(of: .sources([0])), badCount: lane.counters.badRows,
            firstBad: lane.counters.firstBad)
    }

    private init(
        _ arena: consuming ByteBuffer, _ starts: [Int], columns: [RowColumn], badCount: Int, firstBad: RecordSample?
    ) {
        self.arena = arena
        self.starts = starts
        self.columns = columns
        self.badCount = badCount
        self.firstBad = firstBad
    }

    private static func append(_ rows: UnsafeRawBufferPointer, to arena: inout ByteBuffer, _ starts: inout [Int]) {
        var place = 0
        while place < rows.count {
            let head = unsafe rows.loadUnaligned(fromByteOffset: place, as: JoinRow.self)
            let start = place + JoinRow.byteCount
            place = start + Int(head.byteCount)
            unsafe append(row: UnsafeRawBufferPointer(rebasing: rows[start..<place]), to: &arena, &starts)
        }
    }

    private static func append(row: UnsafeRawBufferPointer, to arena: inout ByteBuffer, _ starts: inout [Int]) {
        arena.reserve(headByteCount + row.count)
        unsafe withUnsafeBytes(of: UInt64(row.count)) { unsafe arena.append($0) }
        starts.append(arena.count)
        unsafe arena.append(row)
    }

    /// The first byte of a row.
    func row(_ number: Int) -> UnsafeRawPointer { unsafe UnsafeRawPointer(arena.base) + starts[number] }

    // MARK: In a checkpoint

    /// The rows as bytes that `init(stored:)` takes.
    package var stored: UnsafeRawBufferPointer { unsafe arena.bytes }

    /// Rows that were stored with these columns, as those of a table that may have other columns by now: they are found
    /// by name and type, and what was not stored is null.
    /// - Throws: `StateError` for bytes that are no rows.
    package convenience init(
        stored bytes: [UInt8], columns: [RowColumn], of table: TablePlan
    ) throws(StateError) {
        let wanted = table.readingPlan.columns(of: .sources([0]))
        var arena = ByteBuffer()
        var starts: [Int] = []
        var failure: StateError?
        unsafe bytes.withUnsafeBytes { bytes in
            do throws(StateError) {
                unsafe try Self.read(bytes, columns: columns, wanted: wanted, into: &arena, &starts)
            } catch { failure = error }
        }
        if let failure { throw failure }
        self.init(arena, starts, columns: wanted, badCount: 0, firstBad: nil)
    }

    private static func read(
        _ bytes: UnsafeRawBufferPointer, columns: [RowColumn], wanted: [RowColumn], into arena: inout ByteBuffer,
        _ starts: inout [Int]
    ) throws(StateError) {
        let layout = RowLayout(columns)
        let sources = wanted.map { column in columns.firstIndex(of: column) }
        var builder = RowBuilder(layout: RowLayout(wanted))
        var row = ByteBuffer()
        var place = 0
        while place < bytes.count {
            guard place + headByteCount <= bytes.count else {
                throw StateError(description: "a table's row is cut off")
            }
            let count = Int(clamping: unsafe bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self))
            place += headByteCount
            guard count >= layout.fixedByteCount, count <= bytes.count - place else {
                throw StateError(description: "a table's row is cut off")
            }
            row.removeAll()
            unsafe row.append(UnsafeRawBufferPointer(rebasing: bytes[place..<place + count]))
            place += count
            if columns == wanted {
                unsafe append(row: row.bytes, to: &arena, &starts)
                continue
            }
            let packed = unsafe PackedRow(base: row.base, layout: layout)
            var other = ByteBuffer()
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
            unsafe append(row: other.bytes, to: &arena, &starts)
        }
    }
}

extension TablePlan {
    /// A plan by which the lanes of batches read the table: its rows go, whole, to one shard.
    fileprivate var readingPlan: PhysicalPlan {
        let state = JoinSidePlan(
            joinTime: nil, windowMicros: nil, isPreserved: true, predicate: nil, eviction: nil, stateColumnCount: 0,
            bucketWidthMicros: nil, cellWidthMicros: nil)
        let all = DeduplicatePlan(
            columns: [], time: nil, withinMicros: nil, state: state, columnCount: input.columns.count, shards: 1)
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
