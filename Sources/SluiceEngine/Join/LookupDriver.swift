// A join with a table: no state, no time. Each row that comes is met with the table's rows of its key at once, by
// whoever has it in hand (a decode lane, or a shard of the stage below), and the pairs go on from there.

internal import SluicePlan
internal import SluiceSpec

/// What a worker needs to look rows up.
@safe struct LookupDriver: ~Copyable {
    private let slot: TableSlot
    /// The table of the batch, which `slot` keeps: a reference that counts would be two atomic additions a row, of
    /// which all workers have one.
    private var table: Unmanaged<TableIndex>?
    /// What comes out: pairs, rows that have a partner, rows that have none.
    private let emitsPairs: Bool
    private let emitsHits: Bool
    private let emitsMisses: Bool
    private let keys: JoinKeyColumns
    private let predicate: ExpressionRunner?
    private let residual: ExpressionRunner?
    /// Keep the programs alive.
    private let expressions: [CompiledExpression]
    private let leftSlotsOffset: Int
    private let rightSlotsOffset: Int
    private var scratch = EvaluationScratch()
    var emitter: RowEmitter

    init(
        _ plan: PhysicalPlan, stage number: Int, _ lookup: LookupPlan, tables: [TableSlot], zones: TimeZones,
        resources: BatchResources, share: Int
    ) {
        let columns = plan.columns(of: plan.stages[number])
        let layouts = columns.map { RowLayout($0) }
        var expressions: [CompiledExpression] = []
        func compiled(_ expression: Expression<ColumnSlot>?) -> ExpressionRunner? {
            guard let expression else { return nil }
            let compiled = CompiledExpression(expression, layouts: layouts, zone: .utc, zones: zones)
            expressions.append(compiled)
            return compiled.runner
        }
        slot = tables[lookup.table]
        emitsPairs = lookup.type == .inner || lookup.type == .leftOuter
        emitsHits = lookup.type == .leftSemi
        emitsMisses = lookup.type == .leftAnti || lookup.type == .leftOuter
        keys = JoinKeyColumns(lookup.keys, side: 0, types: columns.map { $0.map(\.type) })
        predicate = compiled(lookup.predicate)
        residual = compiled(lookup.residual)
        self.expressions = expressions
        (leftSlotsOffset, rightSlotsOffset) = (layouts[0].slotsOffset, layouts[1].slotsOffset)
        emitter = plan.emitter(
            ofStage: number, layouts: layouts, tables: tables, zones: zones, resources: resources, share: share)
    }

    /// Starts a batch, whose tables are there.
    mutating func begin() {
        guard let index = slot.index else { preconditionFailure("a table is there before its batch") }
        unsafe table = unsafe Unmanaged.passUnretained(index)
        emitter.begin()
    }

    /// Meets a row with the table.
    mutating func take(_ row: UnsafeRawPointer) {
        var isHit = false
        if unsafe predicate?.isTrue(RowPair(left: row, right: nil), &scratch) ?? true {
            guard let table = unsafe table else { preconditionFailure("a batch has begun") }
            isHit = unsafe table._withUnsafeGuaranteedRef { unsafe meet(row, $0) }
        }
        if isHit ? emitsHits : emitsMisses { unsafe emitter.emit(left: row, right: nil) }
    }

    private mutating func meet(_ row: UnsafeRawPointer, _ table: TableIndex) -> Bool {
        let left = unsafe PackedRow(base: row, slotsOffset: leftSlotsOffset)
        let (hash, neverMatches) = keys.hash(left)
        if neverMatches { return false }
        var isHit = false
        var next = table.first(hash)
        while next != 0 {
            let entry = table.entry(next)
            next = entry.next
            guard entry.hash == hash else { continue }
            let candidate = unsafe table.row(Int(entry.row))
            let right = unsafe PackedRow(base: candidate, slotsOffset: rightSlotsOffset)
            guard keys.areEqual(left, right, hasWidenings: keys.hasWidenings) else { continue }
            if let residual, unsafe !residual.isTrue(RowPair(left: row, right: candidate), &scratch) { continue }
            isHit = true
            if !emitsPairs { return true }
            unsafe emitter.emit(left: row, right: candidate)
        }
        return isHit
    }
}

/// Arrays and optionals of noncopyable values are no place for what a hot loop changes.
final class LookupBox {
    // Of one worker, and never used while it is: a check would be a twentieth of what a lookup costs.
    @safe @exclusivity(unchecked) var driver: LookupDriver

    init(_ driver: consuming LookupDriver) { self.driver = driver }
}

extension PhysicalPlan {
    /// What looks rows up for the stage at a position; nil for another stage.
    func lookup(
        atStage number: Int, tables: [TableSlot], zones: TimeZones, resources: BatchResources, share: Int
    ) -> LookupBox? {
        stages[number].lookup.map { lookup in
            LookupBox(
                LookupDriver(
                    self, stage: number, lookup, tables: tables, zones: zones, resources: resources, share: share))
        }
    }

    /// Where rows of a stage come out: they are the query's, or the next stage's.
    /// - Parameter share: how many emitters share what a batch may keep in memory.
    func emitter(
        ofStage number: Int, layouts: [RowLayout], tables: [TableSlot], zones: TimeZones, resources: BatchResources,
        share: Int
    ) -> RowEmitter {
        let isLast = stages[number].emitted == nil
        return RowEmitter(
            output: isLast ? output : OutputPlan(filter: nil, columns: [], sinks: []), layouts: layouts,
            zones: zones, resources: resources, share: share,
            next: isLast
                ? nil
                : StageRowBox(
                    StageRowWriter(
                        self, below: number, tables: tables, zones: zones, resources: resources, share: share)))
    }
}
