// What one worker needs to turn chunks into rows: decoders, filters, scratch memory. A lane is used by one thread at a
// time. Per record, in this order (Spark's plan order, see spark-semantics of filters around the watermark node):
//
//     decode ▸ bad-rows policy ▸ filter below the watermark ▸ watermark statistics ▸ filter above it ▸ late?
//            ▸ keep state columns ▸ join time, key hash ▸ the side's own predicate ▸ JoinRow
//
// Without a join the record is encoded at once instead of the last two steps, and nothing is late.

internal import SluicePlan
internal import SluiceSpec

final class DecodeLane: @unchecked Sendable {
    // @unchecked: the executor hands each lane to one worker at a time.
    private let inputs: [LaneInput]
    private var current: LaneInput?
    private var text = ByteBuffer()
    private var rowScratch = ByteBuffer()
    private var lateMicros = Int64.min
    private(set) var counters = SourceCounters()
    private(set) var failure: (chunk: Int, error: BatchError)?

    init(plan: PhysicalPlan, zones: TimeZones) {
        inputs = plan.inputs.indices.map { LaneInput(plan, $0, zones: zones) }
    }

    /// Starts on one input of a batch.
    func begin(input number: Int, lateMillis: Int64) {
        current = inputs[number]
        lateMicros = millisToMicros(lateMillis)
        counters = SourceCounters()
        failure = nil
    }

    /// Reads and decodes one chunk. False after a failure, which is kept in `failure`.
    func decode(_ bytes: any InputBytes, chunk number: Int, into chunk: DecodedChunk) -> Bool {
        guard let input = current else { return false }
        chunk.removeAll()
        text.removeAll()
        do {
            try bytes.read(chunk: number, into: &text)
        } catch {
            failure = (number, .input(source: input.plan.source, error))
            return false
        }
        text.reserve(inputPaddingByteCount)
        input.emitter?.begin()
        input.decoder.begin(text, startsFile: bytes.startsFile(number))
        loop: while true {
            rowScratch.removeAll()
            let outcome: RecordOutcome
            if input.needsProjection {
                outcome = input.decoder.next(into: &rowScratch)
            } else {
                outcome = input.decoder.next(into: &chunk.arena)
            }
            switch outcome {
            case .end: break loop
            case .row(let byteCount):
                counters.inputRows &+= 1
                take(byteCount, input, chunk)
            case .badRow(let byteCount):
                counters.inputRows &+= 1
                counters.badRows &+= 1
                switch input.plan.badRows {
                case .null: take(byteCount, input, chunk)
                case .drop, .sink: drop(byteCount, input, chunk)
                case .fail:
                    failure = (number, badRow(input, bytes, number))
                    return false
                }
            }
        }
        chunk.finish(shards: input.shardCount, emitter: &input.emitter)
        return true
    }

    private func drop(_ byteCount: Int, _ input: LaneInput, _ chunk: DecodedChunk) {
        if !input.needsProjection { chunk.arena.truncate(to: chunk.arena.count - byteCount) }
    }

    private func badRow(_ input: LaneInput, _ bytes: any InputBytes, _ chunk: Int) -> BatchError {
        let range = input.decoder.recordRange
        let shown = unsafe UnsafeRawBufferPointer(rebasing: text.bytes[range].prefix(200))
        return .badRow(
            source: input.plan.source, place: bytes.place(chunk: chunk, byteOffset: range.lowerBound),
            record: unsafe String(decoding: shown, as: UTF8.self))
    }

    /// Filters, counts and stores the row that was decoded last.
    @inline(__always)
    private func take(_ byteCount: Int, _ input: LaneInput, _ chunk: DecodedChunk) {
        let start = input.needsProjection ? 0 : chunk.arena.count &- byteCount
        let base = unsafe UnsafeRawPointer(input.needsProjection ? rowScratch.base : chunk.arena.base + start)
        let row = unsafe PackedRow(base: base, layout: input.layout)
        guard unsafe isKept(row, base, input) else {
            drop(byteCount, input, chunk)
            return
        }
        if input.joinSide == nil {
            unsafe input.emitter?.emit(left: base, right: nil)
            drop(byteCount, input, chunk)
            return
        }
        var flags: JoinRowFlags = []
        if let predicate = input.predicate,
            unsafe !predicate.isTrue(RowPair(base, ofInput: input.number), &input.scratch)
        {
            flags.insert(.isRejected)
        }
        let time = input.joinTime.of(row)
        if time == nil { flags.insert(.isRejected) }
        let (hash, neverMatches) = input.keys.hash(row)
        if neverMatches { flags.insert(.neverMatches) }
        var position = start
        var storedByteCount = byteCount
        if input.needsProjection {
            position = chunk.arena.count
            storedByteCount = input.project(row, into: &chunk.arena)
        }
        chunk.append(
            JoinRow(
                hash: hash, time: time ?? 0, position: UInt32(position), byteCount: UInt32(storedByteCount),
                flags: flags))
    }

    /// Everything before the join that may drop a row; moves the watermark statistics on the way.
    @inline(__always)
    private func isKept(_ row: PackedRow, _ base: UnsafeRawPointer, _ input: LaneInput) -> Bool {
        if let filter = input.filterBelow, unsafe !filter.isTrue(RowPair(base, ofInput: input.number), &input.scratch) {
            return false
        }
        var eventTime: Int64?
        if let column = input.plan.watermark?.column {
            counters.watermarkRows &+= 1
            if !row.isNull(column) {
                let micros = row.integer(column)
                eventTime = micros
                counters.eventTimeCount &+= 1
                counters.minEventTimeMicros = min(counters.minEventTimeMicros, micros)
                counters.maxEventTimeMicros = max(counters.maxEventTimeMicros, micros)
                counters.eventTimeSumMicros += Double(micros)
            }
        }
        if let filter = input.filterAbove, unsafe !filter.isTrue(RowPair(base, ofInput: input.number), &input.scratch) {
            return false
        }
        guard input.joinSide != nil, let eventTime else { return true }
        let compared = input.plan.latenessWindowMicros.map { windowEnd(eventTime, $0) } ?? eventTime
        if compared <= lateMicros {
            counters.lateRows &+= 1
            return false
        }
        return true
    }
}

/// One input as a lane sees it.
private final class LaneInput {
    let number: Int
    let plan: InputPlan
    let layout: RowLayout
    var decoder: RecordDecoder
    let filterBelow: CompiledExpression?
    let filterAbove: CompiledExpression?
    let predicate: CompiledExpression?
    let joinSide: JoinSidePlan?
    let joinTime: JoinTime
    let keys: JoinKeyColumns
    let shardCount: Int
    /// True when more columns are decoded (for filters or checks) than state and output need.
    let needsProjection: Bool
    private var stateRow: RowBuilder
    var scratch = EvaluationScratch()
    /// Only without a join.
    var emitter: RowEmitter?

    init(_ physical: PhysicalPlan, _ number: Int, zones: TimeZones) {
        self.number = number
        plan = physical.inputs[number]
        layout = RowLayout(columns: plan.columns)
        decoder = RecordDecoder(input: plan, zones: zones)
        // The other side's layout does not matter: these look at one side only.
        let layouts = physical.inputs.map { RowLayout(columns: $0.columns) }
        var knownZones = zones
        let zone = knownZones.rules(named: plan.timeZone) ?? .utc
        filterBelow = plan.filterBelowWatermark.map {
            CompiledExpression($0, layouts: layouts, zone: zone, zones: zones)
        }
        filterAbove = plan.filterAboveWatermark.map {
            CompiledExpression($0, layouts: layouts, zone: zone, zones: zones)
        }
        shardCount = physical.join?.shards ?? 1
        if let join = physical.join {
            let side = number == 0 ? join.left : join.right
            joinSide = side
            joinTime = JoinTime(side)
            keys = JoinKeyColumns(join.keys, side: number, types: layout.types)
            predicate = side.predicate.map { CompiledExpression($0, layouts: layouts, zone: zone, zones: zones) }
            needsProjection = side.stateColumnCount < plan.columns.count
            stateRow = RowBuilder(layout: RowLayout(columns: plan.columns.prefix(side.stateColumnCount)))
            emitter = nil
        } else {
            joinSide = nil
            joinTime = JoinTime(slot: nil, windowMicros: nil)
            keys = JoinKeyColumns([], side: 0, types: layout.types)
            predicate = nil
            needsProjection = true
            stateRow = RowBuilder(layout: layout)
            emitter = RowEmitter(output: physical.output, layouts: layouts, zones: zones)
        }
    }

    /// Writes the state columns of a row; they come first. Returns the byte count.
    func project(_ row: PackedRow, into arena: inout ByteBuffer) -> Int {
        stateRow.begin(&arena)
        for column in 0..<stateRow.layout.columnCount where !row.isNull(column) {
            switch KeyKind(layout.types[column]) {
            case .bytes: unsafe stateRow.set(column, bytes: row.bytes(column), in: &arena)
            case .bits, .double: stateRow.set(column, bits: row.slot(column), in: &arena)
            }
        }
        return stateRow.finish(&arena)
    }
}
