// Where the pairs of a stage become rows of the next one: packed, hashed by the next stage's key, cut by its shards,
// with no text in between. Each shard of the stage below has a writer of its own, so nothing is shared; the next stage
// reads what all of them have written, in the order of the shards below, so that its rows do not depend on the workers.

internal import SluicePlan
internal import SluiceSpec

/// What a join has to know of a row before it takes it.
struct JoinEntrance {
    let keys: JoinKeyColumns
    let time: JoinTime
    let isPreserved: Bool

    /// - Parameter columns: of the rows, by side of the stage.
    init(_ stage: StagePlan, _ side: JoinInput, columns: [[RowColumn]]) {
        let types = columns.map { $0.map(\.type) }
        switch stage.operation {
        case .join(let join):
            keys = JoinKeyColumns(join.keys, side: side.rawValue, types: types)
            time = JoinTime(join.side(side))
            isPreserved = join.side(side).isPreserved
        case .lookup: self = .none
        case .deduplicate(let deduplicate):
            let pairs = deduplicate.columns.map { JoinKey(left: $0, right: $0, isNullSafe: true) }
            keys = JoinKeyColumns(pairs, side: 0, types: types + types)
            time = deduplicate.notesPlaces ? .place : JoinTime(slot: deduplicate.time, windowMicros: nil)
            isPreserved = true
        }
    }

    private init() {
        keys = JoinKeyColumns([], side: 0, types: [[], []])
        time = JoinTime(slot: nil, windowMicros: nil)
        isPreserved = false
    }

    /// Where nothing is joined.
    static var none: JoinEntrance { JoinEntrance() }

    /// Whether rows have the place in what they were read from in place of a time.
    var isTimedByPlace: Bool { time.isPlace }

    /// Works out the head of a packed row; its byte count is left open.
    @inline(__always)
    func judge(_ row: PackedRow, failsPredicate: Bool) -> (hash: UInt64, time: Int64, flags: JoinRowFlags) {
        var flags: JoinRowFlags = []
        if failsPredicate { flags.insert(.isRejected) }
        let time = time.of(row)
        if time == nil { flags.insert(.isRejected) }
        let (hash, neverMatches) = keys.hash(row)
        if neverMatches { flags.insert(.neverMatches) }
        return (hash, time ?? 0, flags)
    }
}

/// One shard's rows for the next stage.
struct StageRowWriter: ~Copyable {
    /// How a column gets its value.
    private enum Column {
        case bits(SlotAddress)
        case bytes(SlotAddress)
        case computed(ExpressionRunner, ValueKind)
    }

    private let filter: ExpressionRunner?
    private let predicate: ExpressionRunner?
    private let columns: [Column]
    /// Keep the programs alive.
    private let expressions: [CompiledExpression]
    private let entrance: JoinEntrance
    private let shardCount: Int
    /// Where the next stage looks rows up; they do not wait then.
    let lookup: LookupBox?
    private var builder: RowBuilder
    private var row = ByteBuffer()
    private var scratch = EvaluationScratch()
    private(set) var content = DecodedRows()
    /// Rows of the batch that were handed on.
    private(set) var rowCount = 0

    /// - Parameters:
    ///   - below: the position of the stage whose pairs these are, which hands its rows to another.
    ///   - share: how many writers share what a batch may keep in memory.
    init(
        _ plan: PhysicalPlan, below: Int, tables: [TableSlot], zones: TimeZones, resources: BatchResources, share: Int
    ) {
        guard let rows = plan.stages[below].emitted, let next = plan.readers(ofStage: below).first else {
            preconditionFailure("the stage hands its rows to another")
        }
        let (reader, side) = (plan.stages[next.stage], next.side)
        lookup = plan.lookup(
            atStage: next.stage, tables: tables, zones: zones, resources: resources, share: share)
        let layouts = plan.columns(of: plan.stages[below]).map(RowLayout.init)
        var expressions: [CompiledExpression] = []
        func compiled(_ expression: Expression<ColumnSlot>?) -> ExpressionRunner? {
            guard let expression else { return nil }
            let compiled = CompiledExpression(expression, layouts: layouts, zone: .utc, zones: zones)
            expressions.append(compiled)
            return compiled.runner
        }
        filter = compiled(rows.filter)
        predicate = compiled(reader.join?.side(side).predicate)
        columns = rows.columns.map { column in
            let kind = ValueKind(column.value.type)
            if case .column(let slot) = column.value.kind {
                let address = SlotAddress(slot, layout: layouts[slot.input])
                return KeyKind(column.value.type) == .bytes ? .bytes(address) : .bits(address)
            }
            guard let runner = compiled(column.value) else { preconditionFailure("there is an expression") }
            return .computed(runner, kind)
        }
        self.expressions = expressions
        entrance = JoinEntrance(reader, side, columns: plan.columns(of: reader))
        shardCount = max(1, reader.shards)
        builder = RowBuilder(layout: RowLayout(types: rows.columns.map(\.value.type)))
    }

    /// Starts a batch.
    mutating func begin() {
        rowCount = 0
        content.recycle(shardCount: shardCount)
    }

    /// Hands on the pair of two rows, of which one may be absent.
    mutating func emit(left: UnsafeRawPointer?, right: UnsafeRawPointer?) {
        let pair = unsafe RowPair(left: left, right: right)
        if let filter, !filter.isTrue(pair, &scratch) { return }
        let failsPredicate = predicate.map { !$0.isTrue(pair, &scratch) } ?? false
        row.removeAll()
        let byteCount = pack(pair)
        if let lookup {
            unsafe lookup.driver.take(row.base)
            return
        }
        let packed = unsafe PackedRow(base: row.base, layout: builder.layout)
        let (hash, time, flags) = entrance.judge(packed, failsPredicate: failsPredicate)
        // What matches nothing and is not preserved is nobody's row.
        if !flags.isEmpty, !entrance.isPreserved { return }
        rowCount &+= 1
        content.append(hash: hash, time: time, flags: flags) { arena in
            unsafe arena.append(row.bytes)
            return byteCount
        }
    }

    private mutating func pack(_ pair: RowPair) -> Int {
        builder.begin(&row)
        for index in columns.indices {
            switch columns[index] {
            case .bits(let address):
                guard let source = unsafe address.row(in: pair) else { continue }
                unsafe builder.set(index, bits: address.bits(source), in: &row)
            case .bytes(let address):
                guard let source = unsafe address.row(in: pair) else { continue }
                unsafe builder.set(index, bytes: address.bytes(source), in: &row)
            case .computed(let runner, let kind):
                let value = runner.evaluate(pair, &scratch)
                if value.isNull { continue }
                switch kind {
                case .string: unsafe builder.set(index, bytes: value.bytes, in: &row)
                case .decimal: builder.set(index, decimal: value.decimal, in: &row)
                default: builder.set(index, bits: value.low, in: &row)
                }
            }
        }
        return builder.finish(&row)
    }

    /// Exchanges what it has written with a chunk's rows.
    mutating func exchange(with chunk: DecodedChunk) { swap(&content, &chunk.content) }
}

/// Arrays and optionals of noncopyable values are no place for what a hot loop changes.
final class StageRowBox {
    var writer: StageRowWriter
    /// What the next stage reads.
    let chunk = DecodedChunk()

    init(_ writer: consuming StageRowWriter) { self.writer = writer }

    var lookup: LookupBox? { writer.lookup }

    /// Starts a batch.
    func begin() {
        writer.begin()
        lookup?.driver.begin()
    }

    /// All rows of the batch are there.
    func finish() {
        writer.exchange(with: chunk)
        lookup?.driver.emitter.finish()
    }
}

extension RowLayout {
    init(_ columns: [RowColumn]) { self.init(types: columns.map(\.type)) }
}
