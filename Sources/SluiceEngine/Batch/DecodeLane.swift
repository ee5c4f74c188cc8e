// What one worker needs to turn chunks into rows: decoders, filters, scratch memory. A lane is used by one thread at a
// time. Per record, in this order (Spark's plan order, which decides what moves the watermark):
//
//     decode ▸ bad-rows policy ▸ filter below the watermark ▸ watermark statistics ▸ filter above it ▸ late?
//            ▸ keep state columns ▸ join time, key hash ▸ the side's own predicate ▸ JoinRow
//
// Without a join the record is encoded at once instead of the last two steps, and nothing is late.
//
// The loop over records works on `inout` structs only: a class property would cost an exclusivity check per access.

internal import SluicePlan
internal import SluiceSpec

final class DecodeLane: @unchecked Sendable {
    // @unchecked: the executor hands each lane to one worker at a time.
    private let inputs: [LaneInputBox]
    private var current = 0
    private var input = InputChunk()
    private var lateMicros = Int64.min
    private(set) var counters = SourceCounters()
    /// By the order of the chunk it happened in.
    private(set) var failure: (order: Int, error: BatchError)?

    private let resources: BatchResources
    private let shortage: MemoryShortage
    /// Output of this batch that this lane may keep in memory, and what it keeps.
    private let outputByteCountMax: Int
    private var outputByteCount = 0

    init(
        plan: PhysicalPlan, zones: TimeZones, resources: BatchResources, shortage: MemoryShortage, laneCount: Int
    ) {
        self.resources = resources
        self.shortage = shortage
        outputByteCountMax = resources.outputByteCountMax / laneCount
        inputs = plan.inputs.indices.map {
            LaneInputBox(LaneInput(plan, $0, zones: zones, resources: resources, laneCount: laneCount))
        }
    }

    /// Starts on one input of a batch.
    func begin(input number: Int, lateMillis: Int64) {
        current = number
        lateMicros = millisToMicros(lateMillis)
        counters = SourceCounters()
        failure = nil
        outputByteCount = 0
    }

    /// Reads and decodes one chunk. False after a failure, which is kept in `failure`.
    func decode(_ bytes: any InputBytes, chunk number: Int, into chunk: DecodedChunk) -> Bool {
        let box = inputs[current]
        chunk.begin(shardCount: inputs[current].input.facts.shardCount)
        chunk.order = bytes.order(of: number)
        input.removeAll()
        if shortage.isMet || resources.isMemoryShort() { return fail(chunk, .outOfMemory) }
        do {
            try bytes.read(chunk: number, into: &input)
        } catch {
            return fail(chunk, .input(source: box.input.facts.source, error))
        }
        input.text.reserve(inputPaddingByteCount)
        let startsFile = bytes.startsFile(number)
        let isGood = unsafe input.records.withUnsafeBufferPointer { records in
            unsafe box.input.begin(input, records, startsFile: startsFile, lateMicros: lateMicros)
            return box.input.decodeRecords(into: &chunk.content)
        }
        counters.add(box.input.counters)
        if isGood { sample(box, bytes, number, order: chunk.order) }
        if box.input.facts.isWatermarkPerPartition, let partition = bytes.partition(of: number) {
            counters.add(box.input.counters, partition: partition)
        }
        guard isGood else {
            let record = badRecord(box, bytes, number, order: chunk.order)
            return fail(chunk, .badRow(source: box.input.facts.source, record))
        }
        chunk.finish(emitter: &box.input.emitter)
        if shortage.isMet { return fail(chunk, .outOfMemory) }
        if let error = box.input.emitter?.failure ?? keepOutputSmall(chunk) { return fail(chunk, .spill(error)) }
        return true
    }

    private func fail(_ chunk: DecodedChunk, _ error: BatchError) -> Bool {
        failure = (chunk.order, error)
        return false
    }

    /// Without a join the output of all chunks is kept to the end of the batch: what is too much is put away.
    private func keepOutputSmall(_ chunk: DecodedChunk) -> SpillError? {
        guard let spill = resources.spill else { return nil }
        let byteCount = chunk.outputByteCount
        outputByteCount += byteCount
        guard outputByteCount > outputByteCountMax else { return nil }
        outputByteCount -= byteCount
        do throws(SpillError) { try chunk.putAwayOutputs(in: spill) } catch { return error }
        return nil
    }

    /// Puts the chunk's first bad and first late row into words, if they come before those that were found so far.
    private func sample(_ box: LaneInputBox, _ bytes: any InputBytes, _ chunk: Int, order: Int) {
        if box.input.counters.badRows > 0, order < counters.firstBad?.order ?? .max {
            counters.firstBad = badRecord(box, bytes, chunk, order: order)
        }
        if box.input.counters.lateRows > 0, order < counters.firstLate?.order ?? .max {
            let (facts, late) = (box.input.facts, box.input.firstLate)
            counters.firstLate = RecordSample(
                order: order, place: bytes.place(chunk: chunk, record: late.place), column: facts.timeName,
                reason: facts.lateness(late.timeMicros, lateMicros: lateMicros))
        }
    }

    private func badRecord(
        _ box: LaneInputBox, _ bytes: any InputBytes, _ chunk: Int, order: Int
    ) -> RecordSample {
        let bad = box.input.firstBad
        let plan = box.input.facts.plan
        return RecordSample(
            order: order, place: bytes.place(chunk: chunk, record: bad.place),
            column: bad.fault.slot.map { plan.columns[$0].name }, reason: bad.fault.reason(plan))
    }
}

/// Arrays cannot hold noncopyable values yet.
private final class LaneInputBox {
    var input: LaneInput
    init(_ input: consuming LaneInput) { self.input = input }
}

/// What is the same for all records of an input.
private struct LaneFacts {
    /// For words.
    let plan: InputPlan
    let number: Int
    let source: String
    let badRows: BadRowsPolicy
    let slotsOffset: Int
    let watermarkColumn: Int?
    let isWatermarkPerPartition: Bool
    let latenessWindowMicros: Int64?
    let filterBelow: ExpressionRunner?
    let filterAbove: ExpressionRunner?
    let predicate: ExpressionRunner?
    /// Keep the programs of the three alive.
    private let expressions: [CompiledExpression]
    let hasJoin: Bool
    let joinTime: JoinTime
    let keys: JoinKeyColumns
    let shardCount: Int
    /// True when more columns are decoded (for filters or checks) than state and output need.
    let needsProjection: Bool
    /// How the state columns are copied; they come first.
    let stateKinds: [KeyKind]

    init(_ physical: PhysicalPlan, _ number: Int, zones: TimeZones) {
        let plan = physical.inputs[number]
        let layout = RowLayout(columns: plan.columns)
        // The other side's layout does not matter: these expressions look at one side only.
        let layouts = physical.inputs.map { RowLayout(columns: $0.columns) }
        var knownZones = zones
        let zone = knownZones.rules(named: plan.timeZone) ?? .utc
        var expressions: [CompiledExpression] = []
        func compiled(_ expression: Expression<ColumnSlot>?) -> ExpressionRunner? {
            guard let expression else { return nil }
            let compiled = CompiledExpression(expression, layouts: layouts, zone: zone, zones: zones)
            expressions.append(compiled)
            return compiled.runner
        }
        self.plan = plan
        self.number = number
        source = plan.source
        badRows = plan.badRows
        slotsOffset = layout.slotsOffset
        watermarkColumn = plan.watermark?.column
        isWatermarkPerPartition = plan.watermark?.isPerPartition ?? false
        latenessWindowMicros = plan.latenessWindowMicros
        filterBelow = compiled(plan.filterBelowWatermark)
        filterAbove = compiled(plan.filterAboveWatermark)
        shardCount = physical.join?.shards ?? 1
        hasJoin = physical.join != nil
        let side = physical.join.map { number == 0 ? $0.left : $0.right }
        predicate = compiled(side?.predicate)
        self.expressions = expressions
        joinTime = JoinTime(slot: side?.joinTime, windowMicros: side?.windowMicros)
        keys = JoinKeyColumns(
            physical.join?.keys ?? [], side: number, types: physical.inputs.map { $0.columns.map(\.type) })
        let stateColumnCount = side?.stateColumnCount ?? plan.columns.count
        stateKinds = layout.types.prefix(stateColumnCount).map(KeyKind.init)
        needsProjection = !hasJoin || stateColumnCount < plan.columns.count
    }

    /// The column that lateness is judged by.
    var timeName: String? { watermarkColumn.map { plan.columns[$0].name } }

    /// In words, how far a row is behind.
    func lateness(_ micros: Int64, lateMicros: Int64) -> String {
        let compared = latenessWindowMicros.map { windowEnd(micros, $0) } ?? micros
        let millis = (lateMicros - compared) / 1000
        let distance = millis < 10_000 ? "\(millis) ms" : "\(millis / 1000) s"
        return (latenessWindowMicros == nil ? "it is " : "its window ends ") + distance + " behind the watermark"
    }
}

/// Where the first bad record of a chunk is, and what is wrong with it.
private struct BadRecord {
    var place = RecordPlace(byteOffset: 0)
    var fault = RecordFault.malformed
}

/// Where the first late row of a chunk is.
private struct LateRow {
    var place = RecordPlace(byteOffset: 0)
    var timeMicros: Int64 = 0
}

/// One input as a lane sees it.
private struct LaneInput: ~Copyable {
    let facts: LaneFacts
    var decoder: RecordDecoder
    private(set) var counters = SourceCounters()
    /// Of the chunk, where `counters` says that there is one.
    private(set) var firstBad = BadRecord()
    private(set) var firstLate = LateRow()
    /// Only without a join.
    var emitter: RowEmitter?
    private var stateRow: RowBuilder
    private var scratch = EvaluationScratch()
    /// The row in hand.
    private var row = ByteBuffer()
    private var lateMicros = Int64.min

    init(_ physical: PhysicalPlan, _ number: Int, zones: TimeZones, resources: BatchResources, laneCount: Int) {
        let facts = LaneFacts(physical, number, zones: zones)
        let plan = physical.inputs[number]
        decoder = RecordDecoder(input: plan, zones: zones)
        stateRow = RowBuilder(layout: RowLayout(columns: plan.columns.prefix(facts.stateKinds.count)))
        let layouts = physical.inputs.map { RowLayout(columns: $0.columns) }
        emitter =
            facts.hasJoin
            ? nil
            : RowEmitter(
                output: physical.output, layouts: layouts, zones: zones, resources: resources, share: laneCount)
        self.facts = facts
    }

    mutating func begin(
        _ chunk: borrowing InputChunk, _ records: UnsafeBufferPointer<InputRecord>, startsFile: Bool, lateMicros: Int64
    ) {
        counters = SourceCounters()
        self.lateMicros = lateMicros
        emitter?.begin()
        unsafe decoder.begin(chunk, records: records, startsFile: startsFile)
    }

    /// Decodes all records of the chunk. False at a bad one that must not be.
    mutating func decodeRecords(into output: inout DecodedRows) -> Bool {
        while true {
            row.removeAll()
            let outcome = decoder.next(into: &row)
            switch outcome {
            case .end: return true
            case .row(let byteCount):
                counters.inputRows &+= 1
                take(byteCount, &output)
            case .badRow(let byteCount):
                noteBad()
                switch facts.badRows {
                case .null, .permissive: take(byteCount, &output)
                case .drop, .sink: counters.droppedRows &+= 1
                case .fail: return false
                }
            case .noRecord(let byteCount):
                noteBad()
                switch facts.badRows {
                case .permissive: take(byteCount, &output)
                case .null, .drop, .sink: counters.droppedRows &+= 1
                case .fail: return false
                }
            case .tombstone(let byteCount):
                counters.tombstones &+= 1
                guard facts.badRows == .permissive else { continue }
                counters.inputRows &+= 1
                take(byteCount, &output)
            }
        }
    }

    private mutating func noteBad() {
        counters.inputRows &+= 1
        if counters.badRows == 0 { firstBad = BadRecord(place: decoder.place, fault: decoder.fault) }
        counters.badRows &+= 1
    }

    /// Filters, counts and stores the row that was decoded last.
    @inline(__always)
    private mutating func take(_ byteCount: Int, _ output: inout DecodedRows) {
        let base = unsafe UnsafeRawPointer(row.base)
        let packed = unsafe PackedRow(base: base, slotsOffset: facts.slotsOffset)
        guard unsafe isKept(packed, base) else { return }
        guard facts.hasJoin else {
            unsafe emitter?.emit(left: base, right: nil)
            return
        }
        var flags: JoinRowFlags = []
        if let predicate = facts.predicate, unsafe !predicate.isTrue(RowPair(base, ofInput: facts.number), &scratch) {
            flags.insert(.isRejected)
        }
        let time = facts.joinTime.of(packed)
        if time == nil { flags.insert(.isRejected) }
        let (hash, neverMatches) = facts.keys.hash(packed)
        if neverMatches { flags.insert(.neverMatches) }
        if facts.needsProjection {
            output.append(hash: hash, time: time ?? 0, flags: flags) { arena in project(packed, into: &arena) }
        } else {
            output.append(hash: hash, time: time ?? 0, flags: flags) { arena in
                unsafe arena.append(UnsafeRawBufferPointer(start: base, count: byteCount))
                return byteCount
            }
        }
    }

    /// Everything before the join that may drop a row; moves the watermark statistics on the way.
    @inline(__always)
    private mutating func isKept(_ row: PackedRow, _ base: UnsafeRawPointer) -> Bool {
        if let filter = facts.filterBelow, unsafe !filter.isTrue(RowPair(base, ofInput: facts.number), &scratch) {
            counters.filteredRows &+= 1
            return false
        }
        var eventTime: Int64?
        if let column = facts.watermarkColumn {
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
        if let filter = facts.filterAbove, unsafe !filter.isTrue(RowPair(base, ofInput: facts.number), &scratch) {
            counters.filteredRows &+= 1
            return false
        }
        guard facts.hasJoin, let eventTime else { return true }
        let compared = facts.latenessWindowMicros.map { windowEnd(eventTime, $0) } ?? eventTime
        if compared <= lateMicros {
            if counters.lateRows == 0 { firstLate = LateRow(place: decoder.place, timeMicros: eventTime) }
            counters.lateRows &+= 1
            return false
        }
        return true
    }

    /// Writes the state columns of a row. Returns the byte count.
    private mutating func project(_ row: PackedRow, into arena: inout ByteBuffer) -> Int {
        stateRow.begin(&arena)
        for column in facts.stateKinds.indices where !row.isNull(column) {
            switch facts.stateKinds[column] {
            case .bytes: unsafe stateRow.set(column, bytes: row.bytes(column), in: &arena)
            case .bits, .double, .widened: stateRow.set(column, bits: row.slot(column), in: &arena)
            }
        }
        return stateRow.finish(&arena)
    }
}
