// One micro-batch, start to end, as a function of bytes and watermarks:
//
//     chunks of text ──decode lanes──▶ rows by shard ──shards──▶ encoded rows + state delta
//        (parallel over chunks)            (parallel over shards, no locks: a shard owns its state)
//
// In a chain the rows that a stage's shards put out are, packed, the rows by shard of the stage that reads it. A stage
// is done with the batch, evicted rows included, before the next one begins.
//
// Nothing here reads a clock, a file or a random number. Output is put together in shard order and the cut into chunks
// follows from the offset ranges, so the bytes that come out do not depend on the number of workers.

package import SluicePlan
internal import SluiceSpec

/// The two watermarks a batch works with, in milliseconds. Source: Spark's allowMultipleStatefulOperator rule.
package struct BatchWatermarks: Hashable, Sendable {
    /// Rows at or below it are late: the watermark of the batch before.
    package var lateMillis: Int64
    /// What eviction follows: the watermark of this batch.
    package var evictionMillis: Int64
    /// When the batch was planned, which says what is ahead; a batch that runs again has the same.
    package var batchTimeMillis: Int64
    /// For each input its own watermark, nil before its first row.
    package var ownMillis: [Int64?]

    package init(
        lateMillis: Int64, evictionMillis: Int64, batchTimeMillis: Int64 = .max / 1000, ownMillis: [Int64?] = []
    ) {
        self.lateMillis = lateMillis
        self.evictionMillis = evictionMillis
        self.batchTimeMillis = batchTimeMillis
        self.ownMillis = ownMillis
    }
}

/// What a batch read from one source.
package struct SourceCounters: Hashable, Sendable {
    /// Records read, bad ones included, tombstones not (unless they are rows, under `bad_rows: permissive`).
    package var inputRows = 0
    package var lateRows = 0
    /// Records with a field that did not fit, or that were none.
    package var badRows = 0
    /// Those of them that were dropped.
    package var droppedRows = 0
    /// Records without a value.
    package var tombstones = 0
    /// Records whose array, which makes the rows, has no elements. They are no rows.
    package var recordsWithoutRows = 0
    /// Rows that the source's filters dropped.
    package var filteredRows = 0
    package var firstBad: RecordSample?
    package var firstLate: RecordSample?
    /// Rows that are more than a day ahead of the source's newest one so far.
    package var leapingRows = 0
    package var firstLeap: RecordSample?
    /// What the first rows hold that this process has read; nil once there were enough of them.
    package var firstLook: FirstLook?
    /// Rows that reached the watermark.
    package var watermarkRows = 0
    /// Rows among them that have an event time, and its extremes and sum in microseconds.
    package var eventTimeCount = 0
    package var minEventTimeMicros = Int64.max
    package var maxEventTimeMicros = Int64.min
    package var eventTimeSumMicros = 0.0
    /// Per part the newest event time, where each part of a source (partition, topic) has a watermark of its own.
    package var maxEventTimeMicrosByPart: [String: Int64] = [:]

    package init() {}

    package mutating func add(_ other: SourceCounters) {
        inputRows += other.inputRows
        lateRows += other.lateRows
        badRows += other.badRows
        droppedRows += other.droppedRows
        tombstones += other.tombstones
        recordsWithoutRows += other.recordsWithoutRows
        filteredRows += other.filteredRows
        firstBad = RecordSample.first(firstBad, other.firstBad)
        firstLate = RecordSample.first(firstLate, other.firstLate)
        leapingRows += other.leapingRows
        firstLeap = RecordSample.first(firstLeap, other.firstLeap)
        watermarkRows += other.watermarkRows
        eventTimeCount += other.eventTimeCount
        minEventTimeMicros = min(minEventTimeMicros, other.minEventTimeMicros)
        maxEventTimeMicros = max(maxEventTimeMicros, other.maxEventTimeMicros)
        eventTimeSumMicros += other.eventTimeSumMicros
        for (part, micros) in other.maxEventTimeMicrosByPart { note(micros, part: part) }
        if let look = other.firstLook { add(look) }
    }

    /// Takes in a look at first rows.
    package mutating func add(_ look: FirstLook) {
        if firstLook == nil { firstLook = look } else { firstLook?.add(look) }
    }

    /// Takes in what a chunk of one part has shown.
    mutating func add(_ chunk: SourceCounters, part: String) {
        if chunk.eventTimeCount > 0 { note(chunk.maxEventTimeMicros, part: part) }
    }

    private mutating func note(_ micros: Int64, part: String) {
        maxEventTimeMicrosByPart[part] = max(maxEventTimeMicrosByPart[part] ?? micros, micros)
    }
}

/// The change of one shard's state in one batch.
package struct ShardDelta: Sendable {
    package var shard: Int
    package var payload: OutputBytes
}

/// Rows that go to sinks by one route. The query's own rows are the main route.
package struct RoutedRows: Sendable {
    /// Per distinct encoding of the route (`OutputPlan.distinctEncodings` of the main one), the encoded rows in order.
    package var encodings: [[OutputBytes]]
    package var rowCount: Int
}

/// What a batch has done in one stage.
package struct StageResult: Sendable {
    /// Shards whose state changed.
    package var deltas: [ShardDelta] = []
    /// Per side, the newest join time in the deltas; Int64.min where there is none. Empty for a stage without state.
    package var newestDeltaMicros: [Int64] = []
    package var rowsUpdated = 0
    /// Rows that were the same as one before, by input of the plan.
    package var duplicates: [Int: Int] = [:]
    /// Rows that the stage has put out, filters behind it considered.
    package var rowsEmitted = 0
    package var left = SideCounters()
    /// Nothing where there is one input only.
    package var right = SideCounters()
    /// Per side, the join time at or below which rows have left state. Empty for a stage without state.
    package var evictedThroughMicros: [Int64] = []

    /// Live rows of both sides.
    package var rowsTotal: Int { left.rowsTotal + right.rowsTotal }
    package var rowsRemoved: Int { left.rowsRemoved + right.rowsRemoved }

    package func side(_ side: JoinInput) -> SideCounters { side == .left ? left : right }
}

/// What a batch has done. The executor owns the bytes: they are valid until its next batch.
package struct BatchResult: Sendable {
    /// The main route first.
    package var routes: [RoutedRows]
    /// Per input of the plan.
    package var sources: [SourceCounters]
    /// Per stage of the plan; nothing of a lookup.
    package var stages: [StageResult] = []

    /// Rows of the main route.
    package var outputRowCount: Int { routes[0].rowCount }
    /// Live rows of all stages.
    package var stateRowsTotal: Int { stages.reduce(0) { $0 + $1.rowsTotal } }
    package var stateRowsRemoved: Int { stages.reduce(0) { $0 + $1.rowsRemoved } }
}

/// A batch that cannot go on because of what it read.
package enum BatchError: Error, Sendable, CustomStringConvertible {
    /// A bad record under `bad_rows: fail`.
    case badRow(source: String, RecordSample)
    /// The source failed while the batch read from it.
    case input(source: String, any Error)
    /// There is no more memory.
    case outOfMemory
    /// Output that does not fit into memory cannot be put away.
    case spill(SpillError)

    package var description: String {
        switch self {
        case .badRow(let source, let record):
            "source `\(source)` has a record that does not fit its columns, at \(record.place): "
                + (record.column.map { "`\($0)`, " } ?? "") + record.reason
                + " (correct it, or choose `bad_rows: null` or `bad_rows: drop`, which go on)"
        case .input(_, let error): "\(error)"
        case .outOfMemory: "there is no more memory"
        case .spill(let error): "\(error)"
        }
    }
}

/// Runs the batches of one query and owns its state. Used by the query's thread only.
package final class BatchExecutor {
    private let plan: PhysicalPlan
    private let parallel: ParallelFor
    /// Per stage its shards.
    private let stages: [[any StageShard]]
    /// What the stages that keep state read, in order of execution; made once, as every batch goes through it.
    private let runs: [StageRun]
    private let lanes: [DecodeLane]
    private let tables: [TableSlot]
    private let shortage: MemoryShortage
    private var chunkPool: [DecodedChunk] = []
    /// Below so many rows waking workers costs more than the work.
    private static let smallBatchRowCount = 256

    /// - Parameters:
    ///   - plan: fixed for the executor's life.
    ///   - laneCount: how many chunks may be decoded at a time; does not change the output.
    ///   - zones: time zone rules by name.
    ///   - resources: what a batch may use.
    package init(
        plan: PhysicalPlan, laneCount: Int, zones: TimeZones, resources: BatchResources = BatchResources(),
        parallel: @escaping ParallelFor
    ) {
        self.plan = plan
        self.parallel = parallel
        let shortage = MemoryShortage()
        self.shortage = shortage
        let tables = plan.tables.map { _ in TableSlot() }
        self.tables = tables
        stages = plan.stages.indices.map { stage in
            (0..<plan.stages[stage].shards).map { shard in
                plan.shard(
                    shard, ofStage: stage, tables: tables, zones: zones, resources: resources, shortage: shortage)
            }
        }
        runs = plan.statefulStages.map { StageRun(number: $0, steps: plan.steps(ofStage: $0)) }
        let laneCount = max(1, laneCount)
        lanes = (0..<laneCount).map { _ in
            DecodeLane(
                plan: plan, tables: tables, zones: zones, resources: resources, shortage: shortage,
                laneCount: laneCount)
        }
    }

    /// Runs one batch. O(rows read + matches + rows evicted); the rows kept do not count.
    /// After an error the state is no longer that of any batch: make a new executor from the checkpoint.
    package func run(_ inputs: [any InputBytes], watermarks: BatchWatermarks) throws(BatchError) -> BatchResult {
        precondition(inputs.count == plan.inputs.count)
        shortage.begin()
        precondition(tables.allSatisfy { $0.index != nil }, "tables are there before the batch")
        guard let last = runs.last?.number else { return try runWithoutState(inputs, watermarks) }
        var sources = [SourceCounters](repeating: SourceCounters(), count: inputs.count)
        var results = [StageResult](repeating: StageResult(), count: stages.count)
        for stage in runs { results[stage.number] = try run(stage, inputs, watermarks, &sources) }
        let main = route(stages[last].map(\.outputs), rowCount: results[last].rowsEmitted)
        return BatchResult(routes: [main], sources: sources, stages: results)
    }

    /// Runs one stage, whose inputs are done with the batch.
    private func run(
        _ run: StageRun, _ inputs: [any InputBytes], _ watermarks: BatchWatermarks, _ sources: inout [SourceCounters]
    ) throws(BatchError) -> StageResult {
        let (stage, shards) = (plan.stages[run.number], stages[run.number])
        let evictionMillis = stage.watermarkMillis(of: watermarks.evictionMillis)
        for shard in shards { shard.begin() }
        // One side after the other, so that the decoded rows of only one are in memory, and its chunks serve the next.
        var rowCount = 0
        var duplicates: [Int: Int] = [:]
        for step in run.steps {
            let chunks: [DecodedChunk]
            if let input = step.source {
                (chunks, sources[input]) = try decode(inputs[input], input, watermarks)
            } else {
                chunks = step.stage.map { stages[$0].compactMap(\.rows) } ?? []
            }
            rowCount += chunks.reduce(0) { $0 + $1.content.rowCount }
            let isSmall = rowCount < Self.smallBatchRowCount
            nonisolated(unsafe) let work: (Int) -> Void = { number in
                let shard = shards[number]
                shard.drive(side: step.side, chunks, evictionWatermarkMillis: evictionMillis)
                guard step.isLast else { return }
                shard.evict(watermarkMillis: evictionMillis)
                if !isSmall { shard.checkRoomForDelta() }
                shard.writeDelta()
            }
            forEachShard(shards.count, of: chunks, isSmall: isSmall) { unsafe work($0) }
            try throwFailure(of: shards)
            guard let input = step.source else { continue }
            recycle(chunks)
            if stage.deduplicate != nil {
                let all = shards.reduce(0) { $0 + $1.counters.duplicates }
                duplicates[input] = all - duplicates.values.reduce(0, +)
            }
        }
        var result = result(of: shards)
        result.duplicates = duplicates
        return result
    }

    private func throwFailure(of shards: [any StageShard]) throws(BatchError) {
        for shard in shards {
            switch shard.failure {
            case nil: continue
            case .memory?: throw .outOfMemory
            case .spill(let error)?: throw .spill(error)
            }
        }
    }

    /// Rows are the query's as they are decoded and looked up.
    private func runWithoutState(
        _ inputs: [any InputBytes], _ watermarks: BatchWatermarks
    ) throws(BatchError) -> BatchResult {
        var sources: [SourceCounters] = []
        var parts: [[OutputBytes]] = []
        var rowCount = 0
        for (number, input) in inputs.enumerated() {
            let (chunks, counters) = try decode(input, number, watermarks)
            sources.append(counters)
            parts += chunks.map { $0.takeOutputs() }
            rowCount += chunks.reduce(0) { $0 + $1.emitted }
            recycle(chunks)
        }
        return BatchResult(
            routes: [route(parts, rowCount: rowCount)], sources: sources,
            stages: stages.map { _ in StageResult() })
    }

    /// Says which rows a table has from the next batch on.
    package func setTable(_ number: Int, _ index: TableIndex?) { tables[number].index = index }

    /// What this input used is kept for the next; what an earlier, larger one used is given back.
    private func recycle(_ chunks: [DecodedChunk]) {
        chunkPool.append(contentsOf: chunks)
        chunkPool.removeLast(max(0, chunkPool.count - max(chunks.count, lanes.count)))
    }

    /// Small batches stay on the query's thread: waking workers costs more than the work. Of others the largest shard
    /// goes first, or with a hot key the workers would wait for the one who began with it last.
    private func forEachShard(
        _ count: Int, of chunks: [DecodedChunk], isSmall: Bool, _ body: @escaping @Sendable (Int) -> Void
    ) {
        if isSmall {
            for shard in 0..<count { body(shard) }
            return
        }
        let byteCounts = (0..<count).map { shard in
            chunks.reduce(0) { unsafe $0 + $1.content.bytes(shard: shard).count }
        }
        let order = (0..<count).sorted { (byteCounts[$0], $1) > (byteCounts[$1], $0) }
        parallel(count) { body(order[$0]) }
    }

    private func result(of shards: [any StageShard]) -> StageResult {
        var result = StageResult()
        var newest = NewestTimes()
        for (number, shard) in shards.enumerated() {
            let counters = shard.counters
            result.rowsUpdated += counters.updated
            result.rowsEmitted += counters.emitted
            result.left.add(counters.left)
            result.right.add(counters.right)
            if shard.delta.buffer.count > 0 {
                result.deltas.append(ShardDelta(shard: number, payload: shard.delta))
            }
            newest.left = max(newest.left, shard.newestDelta.left)
            newest.right = max(newest.right, shard.newestDelta.right)
        }
        // All shards evict by the same watermark, and have as many sides.
        result.evictedThroughMicros = shards[0].evictedThrough
        result.newestDeltaMicros = result.evictedThroughMicros.count == 1 ? [newest.left] : [newest.left, newest.right]
        return result
    }

    private func route(_ parts: [[OutputBytes]], rowCount: Int) -> RoutedRows {
        let encodings = plan.output.distinctEncodings.indices.map { encoding in
            parts.map { $0[encoding] }.filter { !$0.isEmpty }
        }
        return RoutedRows(encodings: encodings, rowCount: rowCount)
    }

    // MARK: Decoding

    private func decode(
        _ input: any InputBytes, _ number: Int, _ watermarks: BatchWatermarks
    ) throws(BatchError) -> (chunks: [DecodedChunk], counters: SourceCounters) {
        for lane in lanes { lane.begin(input: number, watermarks) }
        var chunks: [DecodedChunk] = []
        while let ready = try readyChunks(input, number, from: chunks.count) {
            chunks += ready.map { _ in chunkPool.popLast() ?? DecodedChunk() }
            decode(input, ready, into: chunks)
            // The first in input order, so that the message does not depend on the lanes.
            if let first = lanes.compactMap(\.failure).min(by: { $0.order < $1.order }) { throw first.error }
        }
        chunks.sort { $0.order < $1.order }
        var counters = SourceCounters()
        for lane in lanes { counters.add(lane.counters) }
        return (chunks, counters)
    }

    /// nil when the input has no more.
    private func readyChunks(
        _ input: any InputBytes, _ number: Int, from first: Int
    ) throws(BatchError) -> Range<Int>? {
        do {
            let ready = try input.readyChunks(from: first)
            return ready.isEmpty ? nil : ready
        } catch {
            throw .input(source: plan.inputs[number].source, error)
        }
    }

    /// A lane takes every laneCount-th chunk; which lane decodes a chunk does not show in the result.
    private func decode(_ input: any InputBytes, _ ready: Range<Int>, into chunks: [DecodedChunk]) {
        let laneCount = min(lanes.count, ready.count)
        let lanes = self.lanes
        nonisolated(unsafe) let work: (Int) -> Void = { lane in
            for chunk in stride(from: ready.lowerBound + lane, to: ready.upperBound, by: laneCount) {
                guard lanes[lane].decode(input, chunk: chunk, into: chunks[chunk]) else { break }
            }
        }
        if laneCount == 1 { unsafe work(0) } else { parallel(laneCount) { unsafe work($0) } }
    }

    // MARK: Restoring

    /// Says, before any state of a stage is restored, which rows have left it, by side.
    package func beginRestore(stage: Int, evictedThroughMicros: [Int64]) {
        for shard in stages[stage] { shard.restoreEvictedThrough(evictedThroughMicros) }
    }

    /// Applies one payload of the state of a stage's shard; oldest first within a shard, different shards in parallel
    /// if wanted.
    package func restore(stage: Int, shard: Int, payload: [UInt8]) throws(StateError) {
        let shards = stages[stage]
        guard shards.indices.contains(shard) else {
            throw StateError(description: "the state has a shard \(shard), the plan has \(shards.count)")
        }
        var failure: StateError?
        unsafe payload.withUnsafeBytes { bytes in
            do throws(StateError) { unsafe try shards[shard].restore(bytes) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    /// All payloads have been applied.
    package func finishRestore() {
        for shard in stages.joined() { shard.finishRestore() }
    }

    /// Live rows, by stage and then side.
    package var stateRowCounts: [[Int]] {
        stages.map { shards in
            let counts = shards.map(\.rowCounts)
            return (counts.first ?? []).indices.map { side in counts.reduce(0) { $0 + $1[side] } }
        }
    }

    /// Live rows of all stages.
    package var stateRowCount: Int { stateRowCounts.joined().reduce(0, +) }

    /// Memory that the state of all stages holds.
    package var stateByteCount: Int { stages.joined().reduce(0) { $0 + $1.byteCount } }
}

/// A stage that keeps state, and what it reads one after the other.
private struct StageRun {
    /// A position in the plan's stages.
    var number: Int
    var steps: [StageStep]
}

/// One of the things that a stage reads in a batch.
private struct StageStep {
    var side: JoinInput
    /// A position in the plan's inputs, or else one in its stages.
    var source: Int?
    var stage: Int?
    var isLast = false
}

extension PhysicalPlan {
    /// Left before right, the parts of a union one by one; what rows are looked up in on their way is no step.
    fileprivate func steps(ofStage number: Int) -> [StageStep] {
        var all: [StageStep] = []
        for side in stages[number].sides { all += steps(stages[number].input(side), side) }
        all[all.count - 1].isLast = true
        return all
    }

    private func steps(_ input: StageInput, _ side: JoinInput) -> [StageStep] {
        switch input {
        case .sources(let numbers): numbers.map { StageStep(side: side, source: $0) }
        case .stage(let number) where stages[number].isStateful: [StageStep(side: side, stage: number)]
        case .stage(let number): steps(stages[number].inputs[0], side)
        case .table: []
        }
    }
}
