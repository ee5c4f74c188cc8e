// One input of a plan as one worker reads it: decoder, filters, counters, and scratch memory of its own. The loop over
// records is compiled for each format, and works on `inout` structs only: a class property would cost an exclusivity
// check per access. `FormatLane` is the box around it, asked once a chunk.

internal import SluicePlan
internal import SluiceSpec

/// What a worker's part of an input is made from.
struct LaneSetup {
    let plan: PhysicalPlan
    /// Of the input.
    let number: Int
    var tables: [TableSlot] = []
    let zones: TimeZones
    let resources: BatchResources
    let laneCount: Int

    var input: InputPlan { plan.inputs[number] }
}

/// One input of one worker, whatever its format.
class InputLane {
    let facts: LaneFacts
    /// Of the last chunk.
    fileprivate(set) var counters = SourceCounters()
    /// Of the last chunk, where `counters` says that there is one.
    fileprivate(set) var firstBad = BadRecord()
    fileprivate(set) var firstLate = LateRow()
    fileprivate(set) var firstLeap = LateRow()
    fileprivate(set) var spillFailure: SpillError?
    /// The first rows of this process, up to `FirstLook.rowCountMax`, less what was taken.
    fileprivate var look: FirstLook
    private var takenCount = 0

    fileprivate init(_ facts: LaneFacts) {
        self.facts = facts
        look = FirstLook(columnCount: facts.plan.columns.count)
    }

    /// How many rows are still to be looked at.
    fileprivate var lookCount: Int { FirstLook.rowCountMax - takenCount - look.rowCount }

    /// What has been seen of the first rows: at once of the very first, and then in pieces that are worth a look.
    func takeFirstLook() -> FirstLook? {
        guard look.rowCount > (takenCount == 0 ? 0 : FirstLook.rowCountMax / 10) else { return nil }
        defer { look = FirstLook(columnCount: facts.plan.columns.count) }
        takenCount += look.rowCount
        return look
    }

    /// Decodes all records of a chunk, whose rows go to `output`. False at a bad one that must not be.
    func decode(
        _ chunk: borrowing InputChunk, _ records: UnsafeBufferPointer<InputRecord>, startsFile: Bool,
        _ bounds: EventTimeBounds, into output: DecodedChunk
    ) -> Bool {
        preconditionFailure("a lane has a format")
    }
}

/// Arrays cannot hold noncopyable values yet.
final class FormatLane<Format: FormatDecoder & ~Copyable>: InputLane {
    private var input: LaneInput<Format>

    init(_ setup: LaneSetup, _ format: consuming Format) {
        let facts = LaneFacts(setup.plan, setup.number, zones: setup.zones)
        input = LaneInput(setup, facts, format)
        super.init(facts)
    }

    @specialized(where Format == JSONRecordDecoder)
    @specialized(where Format == CSVRecordDecoder)
    @specialized(where Format == EachRecordDecoder)
    @specialized(where Format == AvroRecordDecoder)
    @specialized(where Format == ProtobufRecordDecoder)
    override func decode(
        _ chunk: borrowing InputChunk, _ records: UnsafeBufferPointer<InputRecord>, startsFile: Bool,
        _ bounds: EventTimeBounds, into output: DecodedChunk
    ) -> Bool {
        if lookCount > 0 {
            unsafe input.begin(chunk, records, startsFile: startsFile, bounds)
            input.look(at: lookCount, &look)
        }
        unsafe input.begin(chunk, records, startsFile: startsFile, bounds)
        let isGood = input.decodeRecords(into: &output.content)
        counters = input.counters
        (firstBad, firstLate, firstLeap) = (input.firstBad, input.firstLate, input.firstLeap)
        if isGood {
            if let lookup = input.lookup {
                output.finish(lookup)
            } else {
                output.finish(emitter: &input.emitter)
            }
        }
        spillFailure = input.emitter?.failure ?? input.lookup?.driver.emitter.anyFailure
        return isGood
    }
}

/// The event times that mean something in a batch, in microseconds.
struct EventTimeBounds {
    /// Rows at or below it are late.
    var lateMicros = Int64.min
    /// Rows beyond it are bad.
    var aheadMicros = Int64.max
    /// Rows beyond it are looked at: they are ahead, or leap.
    var farMicros = Int64.max

    init() {}

    init(_ watermarks: BatchWatermarks, _ facts: LaneFacts) {
        lateMicros = millisToMicros(
            facts.keeper?.watermarkMillis(of: watermarks.lateMillis) ?? watermarks.lateMillis)
        if let ahead = facts.maxAheadMicros { aheadMicros = millisToMicros(watermarks.batchTimeMillis) &+ ahead }
        farMicros = aheadMicros
        if facts.number < watermarks.ownMillis.count, let own = watermarks.ownMillis[facts.number] {
            let newest = millisToMicros(own) &+ facts.delayMicros
            farMicros = min(farMicros, newest &+ 86_400_000_000)
        }
    }
}

/// What is the same for all records of an input.
struct LaneFacts {
    /// For words.
    let plan: InputPlan
    /// Of the input.
    let number: Int
    /// The first stage that keeps its rows, which they may be late for; nil where there is none.
    let keeper: StagePlan?
    /// Whether there is one: each row asks, and to look at an optional of that size copies it.
    let hasKeeper: Bool
    /// The side on which expressions find its rows.
    let side: Int
    let source: String
    let badRows: BadRowsPolicy
    let slotsOffset: Int
    let watermarkColumn: Int?
    let watermarkParts: WatermarkParts
    let maxAheadMicros: Int64?
    let delayMicros: Int64
    let latenessWindowMicros: Int64?
    let filterBelow: ExpressionRunner?
    let filterAbove: ExpressionRunner?
    let predicate: ExpressionRunner?
    /// Keep the programs of the three alive.
    private let expressions: [CompiledExpression]
    let hasJoin: Bool
    let entrance: JoinEntrance
    let shardCount: Int
    /// True when more columns are decoded (for filters or checks) than state and output need.
    let needsProjection: Bool
    /// How the state columns are copied; they come first.
    let stateKinds: [KeyKind]
    /// The slots of timestamps.
    let timeSlots: [Int]
    /// Whether rows have the places of their records.
    let keepsPlaces: Bool
    /// Of `entrance`.
    let isTimedByPlace: Bool

    init(_ physical: PhysicalPlan, _ number: Int, zones: TimeZones) {
        let plan = physical.inputs[number]
        let layout = RowLayout(columns: plan.columns)
        var knownZones = zones
        let zone = knownZones.rules(named: plan.timeZone) ?? .utc
        var expressions: [CompiledExpression] = []
        func compiled(_ expression: Expression<ColumnSlot>?) -> ExpressionRunner? {
            guard let expression else { return nil }
            // The other side's layout does not matter: these expressions look at one side only.
            let compiled = CompiledExpression(expression, layouts: [layout, layout], zone: zone, zones: zones)
            expressions.append(compiled)
            return compiled.runner
        }
        self.plan = plan
        self.number = number
        let reading = physical.reader(ofInput: number)
        keeper = physical.keeper(ofInput: number)
        hasKeeper = keeper != nil
        side = (reading?.side ?? .left).rawValue
        source = plan.source
        badRows = plan.badRows
        slotsOffset = layout.slotsOffset
        watermarkColumn = plan.watermark?.column
        watermarkParts = plan.watermark?.parts ?? .whole
        maxAheadMicros = plan.watermark?.maxAheadMicros
        delayMicros = plan.watermark?.delayMicros ?? 0
        latenessWindowMicros = plan.latenessWindowMicros
        filterBelow = compiled(plan.filterBelowWatermark)
        filterAbove = compiled(plan.filterAboveWatermark)
        shardCount = max(1, reading?.stage.shards ?? 1)
        hasJoin = reading?.stage.isStateful ?? false
        predicate = compiled(reading.flatMap { $0.stage.join?.side($0.side).predicate })
        self.expressions = expressions
        entrance =
            reading.map { JoinEntrance($0.stage, $0.side, columns: physical.columns(of: $0.stage)) } ?? .none
        let stateColumnCount = reading.flatMap { $0.stage.columnCount($0.side) } ?? plan.columns.count
        stateKinds = layout.types.prefix(stateColumnCount).map(KeyKind.init)
        needsProjection = !hasJoin || stateColumnCount < plan.columns.count
        timeSlots = plan.columns.indices.filter { plan.columns[$0].type == .timestamp }
        keepsPlaces = plan.keepsPlaces
        isTimedByPlace = entrance.isTimedByPlace
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

extension StagePlan {
    /// How many of the columns of a source's rows it takes.
    fileprivate func columnCount(_ side: JoinInput) -> Int? {
        deduplicate?.columnCount ?? join?.side(side).stateColumnCount
    }
}

/// Where the first bad record of a chunk is, and what is wrong with it.
struct BadRecord {
    var place = RecordPlace(byteOffset: 0)
    var fault = RecordFault.malformed
}

/// Where the first late row of a chunk is.
struct LateRow {
    var place = RecordPlace(byteOffset: 0)
    var timeMicros: Int64 = 0
}

/// One input as a lane sees it.
private struct LaneInput<Format: FormatDecoder & ~Copyable>: ~Copyable {
    let facts: LaneFacts
    private var decoder: RecordDecoder<Format>
    private(set) var counters = SourceCounters()
    /// Of the chunk, where `counters` says that there is one.
    private(set) var firstBad = BadRecord()
    private(set) var firstLate = LateRow()
    private(set) var firstLeap = LateRow()
    /// Only without a stage.
    var emitter: RowEmitter?
    /// Where the first stage looks rows up.
    let lookup: LookupBox?
    private var stateRow: RowBuilder
    private var computer: ColumnComputer
    private var scratch = EvaluationScratch()
    /// The row in hand.
    private var row = ByteBuffer()
    private var bounds = EventTimeBounds()
    /// True after a row that must not be, and that was only found out behind the decoder.
    private var hasFailed = false

    init(_ setup: LaneSetup, _ facts: LaneFacts, _ format: consuming Format) {
        decoder = RecordDecoder(format, input: setup.input, zones: setup.zones)
        var zones = setup.zones
        computer = ColumnComputer(
            setup.plan, setup.number, zone: zones.rules(named: setup.input.timeZone) ?? .utc, zones: setup.zones)
        stateRow = RowBuilder(layout: RowLayout(columns: setup.input.columns.prefix(facts.stateKinds.count)))
        let layouts = [RowLayout(columns: setup.input.columns)]
        let first = setup.plan.readers(ofInput: setup.number).first
        lookup = first.flatMap {
            setup.plan.lookup(
                atStage: $0.stage, tables: setup.tables, zones: setup.zones, resources: setup.resources,
                share: setup.laneCount)
        }
        emitter =
            first != nil
            ? nil
            : RowEmitter(
                output: setup.plan.output, layouts: layouts, zones: setup.zones, resources: setup.resources,
                share: setup.laneCount)
        self.facts = facts
    }

    mutating func begin(
        _ chunk: borrowing InputChunk, _ records: UnsafeBufferPointer<InputRecord>, startsFile: Bool,
        _ bounds: EventTimeBounds
    ) {
        counters = SourceCounters()
        self.bounds = bounds
        hasFailed = false
        emitter?.begin()
        lookup?.driver.begin()
        computer.begin(chunk)
        unsafe decoder.begin(chunk, records: records, startsFile: startsFile)
    }

    /// Decodes all records of the chunk. False at a bad one that must not be.
    mutating func decodeRecords(into output: inout DecodedRows) -> Bool {
        while true {
            row.removeAll()
            let outcome = decoder.next(into: &row)
            switch outcome {
            case .end: return !hasFailed
            case .noRows: counters.recordsWithoutRows &+= 1
            case .row(let byteCount):
                counters.inputRows &+= 1
                take(byteCount, isBad: false, &output)
            case .badRow(let byteCount):
                noteBad()
                switch facts.badRows {
                case .null, .permissive: take(byteCount, isBad: true, &output)
                case .drop, .sink: counters.droppedRows &+= 1
                case .fail: return false
                }
            case .noRecord(let byteCount):
                noteBad()
                switch facts.badRows {
                case .permissive: take(byteCount, isBad: true, &output)
                case .null, .drop, .sink: counters.droppedRows &+= 1
                case .fail: return false
                }
            case .tombstone(let byteCount):
                counters.tombstones &+= 1
                guard facts.badRows == .permissive else { continue }
                counters.inputRows &+= 1
                take(byteCount, isBad: false, &output)
            }
        }
    }

    /// Looks at so many of the chunk's records that the filters let pass. `begin` must follow before anything else.
    @inline(never)
    mutating func look(at count: Int, _ look: inout FirstLook) {
        for _ in 0..<count {
            row.removeAll()
            var badSlot: Int?
            switch decoder.next(into: &row) {
            case .end: return
            case .noRows, .noRecord, .tombstone: continue
            case .row: break
            case .badRow: badSlot = decoder.fault.slot
            }
            if !computer.isEmpty { _ = computer.compute(&row, decoder.place, &scratch) }
            let base = unsafe UnsafeRawPointer(row.base)
            let rows = unsafe RowPair(base, ofInput: facts.side)
            if let filter = facts.filterBelow, !filter.isTrue(rows, &scratch) { continue }
            if let filter = facts.filterAbove, !filter.isTrue(rows, &scratch) { continue }
            look.note(unsafe PackedRow(base: base, slotsOffset: facts.slotsOffset), badSlot: badSlot, facts.timeSlots)
        }
    }

    private mutating func noteBad() {
        counters.inputRows &+= 1
        if counters.badRows == 0 { firstBad = BadRecord(place: decoder.place, fault: decoder.fault) }
        counters.badRows &+= 1
    }

    /// Filters, counts and stores the row that was decoded last.
    @inline(__always)
    private mutating func take(_ decodedByteCount: Int, isBad: Bool, _ output: inout DecodedRows) {
        let byteCount = computer.isEmpty ? decodedByteCount : computer.compute(&row, decoder.place, &scratch)
        let base = unsafe UnsafeRawPointer(row.base)
        let packed = unsafe PackedRow(base: base, slotsOffset: facts.slotsOffset)
        guard unsafe isKept(packed, base, isBad: isBad) else { return }
        guard facts.hasJoin else {
            if let lookup { unsafe lookup.driver.take(base) } else { unsafe emitter?.emit(left: base, right: nil) }
            return
        }
        var failsPredicate = false
        if let predicate = facts.predicate, unsafe !predicate.isTrue(RowPair(base, ofInput: facts.side), &scratch) {
            failsPredicate = true
        }
        var (hash, time, flags) = facts.entrance.judge(packed, failsPredicate: failsPredicate)
        if facts.isTimedByPlace { time = decoder.place.offset ?? Int64(decoder.place.byteOffset) }
        if facts.needsProjection {
            output.append(hash: hash, time: time, flags: flags) { arena in project(packed, into: &arena) }
        } else {
            output.append(hash: hash, time: time, flags: flags) { arena in
                unsafe arena.append(UnsafeRawBufferPointer(start: base, count: byteCount))
                return byteCount
            }
        }
    }

    /// Everything before the join that may drop a row; moves the watermark statistics on the way.
    @inline(__always)
    private mutating func isKept(_ row: PackedRow, _ base: UnsafeRawPointer, isBad: Bool) -> Bool {
        if let filter = facts.filterBelow, unsafe !filter.isTrue(RowPair(base, ofInput: facts.side), &scratch) {
            counters.filteredRows &+= 1
            return false
        }
        var eventTime: Int64?
        if let column = facts.watermarkColumn {
            counters.watermarkRows &+= 1
            if !row.isNull(column) {
                let micros = row.integer(column)
                if micros > bounds.farMicros, !isPlausible(micros, column, isBad: isBad) { return false }
                eventTime = micros
                counters.eventTimeCount &+= 1
                counters.minEventTimeMicros = min(counters.minEventTimeMicros, micros)
                counters.maxEventTimeMicros = max(counters.maxEventTimeMicros, micros)
                counters.eventTimeSumMicros += Double(micros)
            }
        }
        if let filter = facts.filterAbove, unsafe !filter.isTrue(RowPair(base, ofInput: facts.side), &scratch) {
            counters.filteredRows &+= 1
            return false
        }
        guard facts.hasKeeper, let eventTime else { return true }
        let compared = facts.latenessWindowMicros.map { windowEnd(eventTime, $0) } ?? eventTime
        if compared <= bounds.lateMicros {
            if counters.lateRows == 0 { firstLate = LateRow(place: decoder.place, timeMicros: eventTime) }
            counters.lateRows &+= 1
            return false
        }
        return true
    }

    /// False for a row that is too far ahead of the batch, which is bad; notes one that leaps.
    @inline(never)
    private mutating func isPlausible(_ micros: Int64, _ column: Int, isBad: Bool) -> Bool {
        guard micros > bounds.aheadMicros else {
            if counters.leapingRows == 0 { firstLeap = LateRow(place: decoder.place, timeMicros: micros) }
            counters.leapingRows &+= 1
            return true
        }
        counters.watermarkRows &-= 1
        if !isBad {
            if counters.badRows == 0 {
                firstBad = BadRecord(place: decoder.place, fault: .ahead(slot: column))
            }
            counters.badRows &+= 1
        }
        counters.droppedRows &+= 1
        if facts.badRows == .fail { hasFailed = true }
        return false
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
