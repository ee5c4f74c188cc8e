// The last step: names become positions in rows. By now every decision is in the logical plan.

internal import SluiceSpec

struct PhysicalPlanner {
    private let query: QuerySpec
    private let sources: [String: SourceSpec]
    private let tableSpecs: [String: TableSpec]
    private let sinks: [String: SinkSpec]
    /// What the query reads, unions by their parts.
    private let names: [String]
    /// By the place of the source in the query; nil until it has been met.
    private var inputs: [InputPlan?]
    private var stages: [StagePlan] = []
    /// In the order in which they were met.
    private var tables: [TablePlan] = []

    /// Where columns are in the rows in hand.
    private typealias Slots = [ColumnReference: ColumnSlot]

    private init(
        query: QuerySpec, sources: [String: SourceSpec], tables: [String: TableSpec], sinks: [String: SinkSpec]
    ) {
        self.query = query
        self.sources = sources
        tableSpecs = tables
        self.sinks = sinks
        names = ([query.from.value] + query.joins.filter { !$0.isTable }.map(\.with.value)).flatMap { name in
            sources[name]?.union?.parts.map(\.value) ?? [name]
        }
        inputs = [InputPlan?](repeating: nil, count: names.count)
    }

    /// The plan of a rewritten logical plan over one input or joins of several; nil for any other shape.
    static func plan(
        _ logical: LogicalPlan, query: QuerySpec, sources: [String: SourceSpec], tables: [String: TableSpec],
        sinks: [String: SinkSpec], records: [String: OutputRecord]
    ) -> PhysicalPlan? {
        guard case .sink(let sinkNames, .project(let columns, var body)) = logical else { return nil }
        let filter = takeFilter(&body)
        var planner = PhysicalPlanner(query: query, sources: sources, tables: tables, sinks: sinks)
        let slots: Slots?
        switch body {
        case .join(let join, let left, let right): slots = planner.addStage(join, left, right)
        case .deduplicate(let deduplicate, let child): slots = planner.addStage(deduplicate, child)
        default: slots = InputChain(body).flatMap { planner.add($0, .left)?.slots }
        }
        guard let slots else { return nil }
        let inputs = planner.inputs.compactMap(\.self)
        guard inputs.count == planner.inputs.count else { return nil }
        let outputColumns = columns.map {
            OutputColumn(name: $0.name, objects: $0.objects, expression: resolve($0.expression, slots))
        }
        var output = OutputPlan(filter: condition(filter, slots), columns: outputColumns, sinks: [])
        output.sinks = sinkNames.compactMap { name in
            sinks[name].map { sink in
                OutputSink(
                    name: name, format: sink.format.planned(for: output, name),
                    record: records[name].map { Self.record($0, outputColumns) } ?? sink.format.framing)
            }
        }
        var plan = PhysicalPlan(
            query: query.name.value, inputs: inputs, stages: planner.stages, output: output,
            watermarkPolicy: query.watermarkPolicy)
        plan.tables = planner.tables
        return plan
    }

    /// Takes a filter over what joins give off the top of a plan.
    private static func takeFilter(_ plan: inout LogicalPlan) -> [LogicalExpression] {
        guard case .filter(let filter, let child) = plan, filter.place == .query else { return [] }
        plan = child
        return filter.conjuncts
    }

    // MARK: Stages

    /// Adds the stage of a join, after those that it reads; the slots of the pairs it gives.
    private mutating func addStage(_ join: Join, _ left: LogicalPlan, _ right: LogicalPlan) -> Slots? {
        if right.isTable { return addLookup(join, left, right) }
        guard let leftRows = rows(left, .left, of: join), let rightRows = rows(right, .right, of: join) else {
            return nil
        }
        let slots = leftRows.slots.merging(rightRows.slots) { first, _ in first }
        compareWindowEnds(join, leftRows, rightRows)
        guard let plan = joinPlan(join, slots, judged: [leftRows.judged, rightRows.judged]) else { return nil }
        stages.append(
            StagePlan(
                name: LogicalPlan.join(join, left: left, right: right).stageName, operation: .join(plan),
                inputs: [leftRows.input, rightRows.input],
                watermarkMillis: join.watermarkMillis))
        return slots
    }

    /// Adds the stage of a join with a table, after those that it reads; the slots of the pairs it gives.
    private mutating func addLookup(_ join: Join, _ left: LogicalPlan, _ right: LogicalPlan) -> Slots? {
        guard let rows = rows(left, .left, of: join), let chain = InputChain(right),
            let spec = tableSpecs[chain.relation.source]
        else { return nil }
        var (input, own) = Self.input(spec.source, chain, .right)
        input.isKeyed = !spec.key.isEmpty
        let slots = rows.slots.merging(own) { first, _ in first }
        let keys = join.keys.compactMap { key -> JoinKey? in
            guard let left = slots[key.left], let right = slots[key.right] else { return nil }
            return JoinKey(left: left.index, right: right.index, isNullSafe: key.isNullSafe)
        }
        guard keys.count == join.keys.count else { return nil }
        var table = TablePlan(input: input, reload: spec.reload, isUnique: spec.isUnique)
        table.key = spec.key.map(\.value)
        table.origin = spec.source.connector.origin.name + " " + spec.source.connector.origin.value
        tables.append(table)
        let plan = LookupPlan(
            table: tables.count - 1, type: join.type, keys: keys,
            predicate: Self.condition(join.leftConditions, slots), residual: Self.condition(join.residual, slots))
        stages.append(
            StagePlan(
                name: "lookup \(chain.relation.source)", operation: .lookup(plan),
                inputs: [rows.input, .table(tables.count - 1)], watermarkMillis: nil))
        return slots
    }

    /// Adds the stage of a deduplication; the slots of the rows that pass.
    private mutating func addStage(_ deduplicate: Deduplicate, _ child: LogicalPlan) -> Slots? {
        guard let chain = InputChain(child), let rows = add(chain, .left), let shards = deduplicate.shards else {
            return nil
        }
        let columns = deduplicate.columns.compactMap { rows.slots[$0]?.index }
        let time = deduplicate.evicts ? deduplicate.time.flatMap { rows.slots[$0]?.index } : nil
        guard columns.count == deduplicate.columns.count else { return nil }
        let isTimed = deduplicate.withinMicros != nil
        let state = JoinSidePlan(
            joinTime: time.map { isTimed ? columns.count : columns.firstIndex(of: $0) ?? 0 }, windowMicros: nil,
            isPreserved: true, predicate: nil,
            eviction: time.map { _ in EvictionRule(offsetMicros: 0, isInclusive: false) },
            stateColumnCount: columns.count + (isTimed ? 1 : 0),
            bucketWidthMicros: deduplicate.retention.map(ChooseStateLayout.bucketWidthMicros(ofDeduplication:)),
            cellWidthMicros: nil)
        let plan = DeduplicatePlan(
            columns: columns, time: time, withinMicros: deduplicate.withinMicros, state: state,
            columnCount: chain.kept?.count ?? chain.relation.columns.count, shards: shards)
        stages.append(
            StagePlan(
                name: LogicalPlan.deduplicationName(chain.relation.source), operation: .deduplicate(plan),
                inputs: [rows.input], watermarkMillis: chain.watermark.map { _ in 0 }))
        return rows.slots
    }

    /// What a stage reads on one side.
    private struct Rows {
        var input: StageInput
        /// Where columns are in its packed rows.
        var slots: Slots
        /// Where columns are for the side's own predicate: in a source's rows, or in the pair of the stage below.
        var judged: Slots
    }

    private mutating func rows(_ plan: LogicalPlan, _ side: JoinInput, of join: Join) -> Rows? {
        if let chain = InputChain(plan) { return add(chain, side) }
        guard case .project(let kept, var body) = plan else { return nil }
        let filter = Self.takeFilter(&body)
        let below: Slots?
        switch body {
        case .join(let join, let left, let right): below = addStage(join, left, right)
        case .deduplicate(let deduplicate, let child): below = addStage(deduplicate, child)
        default: below = nil
        }
        guard let pair = below else { return nil }
        let number = stages.count - 1
        stages[number].emitted = StageRows(
            filter: Self.condition(filter, pair),
            columns: kept.map { StageColumn(name: $0.reference, value: Self.resolve($0.expression, pair)) })
        var slots: Slots = [:]
        for (index, column) in kept.enumerated() {
            slots[column.reference] = ColumnSlot(input: side.rawValue, index: index)
        }
        return Rows(input: .stage(number), slots: slots, judged: pair)
    }

    /// Adds an input, or the parts of a union; nil if a source is unknown, or read twice.
    private mutating func add(_ chain: InputChain, _ side: JoinInput) -> Rows? {
        if chain.relation.parts.isEmpty {
            guard let source = sources[chain.relation.source] else { return nil }
            return add(source, chain, side).map { number, slots in
                Rows(input: .sources([number]), slots: slots, judged: slots)
            }
        }
        var numbers: [Int] = []
        var slots: Slots = [:]
        for part in chain.relation.parts {
            guard let source = sources[part], let union = sources[chain.relation.source],
                let added = add(source, chain.part(source, of: union), side)
            else { return nil }
            inputs[added.number]?.union = chain.relation.source
            if union.union?.isWatermarkPerSource == false { inputs[added.number]?.watermark?.isOfUnion = true }
            numbers.append(added.number)
            if slots.isEmpty { slots = added.slots.ofUnion(chain.relation.source) }
        }
        return Rows(input: .sources(numbers), slots: slots, judged: slots)
    }

    private mutating func add(
        _ source: SourceSpec, _ chain: InputChain, _ side: JoinInput
    ) -> (number: Int, slots: Slots)? {
        let name = source.name.value
        guard let number = names.firstIndex(of: name), inputs[number] == nil else { return nil }
        let (plan, slots) = Self.input(source, chain, side)
        inputs[number] = plan
        return (number, slots)
    }

    /// How a source's or table's records become rows, and where columns are in them.
    private static func input(
        _ source: SourceSpec, _ chain: InputChain, _ side: JoinInput
    ) -> (plan: InputPlan, slots: Slots) {
        let name = source.name.value
        let fields = source.columns.filter(\.isFieldOfText)
        let places = Dictionary(
            fields.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
        let columns = chain.relation.columns.map { column in
            InputColumn(
                name: column.name, type: column.type, origin: column.origin, form: column.form,
                declaredIndex: places[column.name] ?? 0)
        }
        var slots: Slots = [:]
        for (index, column) in columns.enumerated() {
            slots[ColumnReference(source: name, column: column.name)] =
                ColumnSlot(input: side.rawValue, index: index)
        }
        var plan = InputPlan(
            source: source.name.value, topics: source.connector.topics, format: source.format,
            timeZone: source.timeZone.value,
            badRows: source.badRows.value, fieldCount: fields.count, columns: columns)
        plan.each = source.each
        plan.computed = computed(chain.relation.columns, slots, side)
        plan.filterBelowWatermark = condition(chain.belowWatermark, slots)
        plan.filterAboveWatermark = condition(chain.aboveWatermark, slots)
        if let watermark = chain.watermark, let slot = slots[watermark.column] {
            plan.watermark = WatermarkPlan(
                column: slot.index, delayMicros: watermark.delayMicros,
                idleTimeoutMicros: watermark.idleTimeoutMicros, parts: watermark.parts)
            plan.watermark?.maxAheadMicros = watermark.maxAheadMicros
        }
        return (plan, slots)
    }

    /// In a window join lateness compares the end of the window, as the window is what carries the watermark.
    private mutating func compareWindowEnds(_ join: Join, _ left: Rows, _ right: Rows) {
        guard let time = join.time, let micros = time.windowMicros else { return }
        for (rows, column) in [(left, time.left), (right, time.right)] {
            guard case .sources(let numbers) = rows.input, let slot = rows.slots[column] else { continue }
            for number in numbers where inputs[number]?.watermark?.column == slot.index {
                inputs[number]?.latenessWindowMicros = micros
            }
        }
    }

    /// Keys go in slot order, which is that of the columns' names: their order in the spec means nothing, and the hash
    /// that picks a row's shard must not depend on it.
    private func joinPlan(_ join: Join, _ slots: Slots, judged: [Slots]) -> JoinPlan? {
        let keys = join.keys.compactMap { key -> JoinKey? in
            guard let left = slots[key.left], let right = slots[key.right] else { return nil }
            return JoinKey(left: left.index, right: right.index, isNullSafe: key.isNullSafe)
        }
        .sorted { ($0.left, $0.right) < ($1.left, $1.right) }
        guard keys.count == join.keys.count, let shards = join.shards else { return nil }
        let sides = JoinInput.allCases.map { side($0, of: join, slots, judged: judged[$0.rawValue]) }
        var plan = JoinPlan(
            type: join.type, keys: keys, bounds: join.time?.bounds, left: sides[0], right: sides[1],
            residual: Self.condition(join.residual, slots), shards: shards)
        if join.runsAs != nil { plan.declaredType = join.declaredType.value }
        if join.choosesOne { plan.choice = choice(join, slots) }
        return plan
    }

    private func choice(_ join: Join, _ slots: Slots) -> ChoicePlan? {
        func slot(_ column: PlaceColumn) -> Int? {
            (join.time?.right.source).flatMap { slots[ColumnReference(source: $0, column: column.name)]?.index }
        }
        guard let partition = slot(.partition), let path = slot(.path), let offset = slot(.offset) else {
            preconditionFailure("rows to choose from have their places")
        }
        return ChoicePlan(match: join.match, partition: partition, path: path, offset: offset)
    }

    private func side(_ side: JoinInput, of join: Join, _ slots: Slots, judged: Slots) -> JoinSidePlan {
        let state = join.state(side)
        return JoinSidePlan(
            joinTime: (join.time?.column(side)).flatMap { slots[$0]?.index }, windowMicros: join.time?.windowMicros,
            isPreserved: join.type.preserves(side), predicate: Self.condition(join.conditions(side), judged),
            eviction: state.eviction, stateColumnCount: state.columns.count,
            bucketWidthMicros: state.bucketWidthMicros, cellWidthMicros: state.cellWidthMicros)
    }

    // MARK: Expressions

    /// A sink's record over slots: each name of an output column gives way to what that column computes.
    private static func record(_ record: OutputRecord, _ columns: [OutputColumn]) -> RecordPlan {
        func column(_ name: String) -> Expression<ColumnSlot> {
            guard let column = columns.first(where: { $0.objects.isEmpty && $0.name == name }) else {
                preconditionFailure("no output column \(name)")
            }
            return column.expression
        }
        return RecordPlan(
            key: record.key?.replacingColumns { name, _ in column(name) }, timestamp: record.timestamp.map(column),
            headers: record.headers.map { header in
                RecordHeaderPlan(name: header.name, value: header.value.replacingColumns { name, _ in column(name) })
            })
    }

    /// The computed columns among those that are decoded, each after those that it is computed from. There are no
    /// circles: the spec has none.
    private static func computed(_ columns: [ColumnSpec], _ slots: Slots, _ side: JoinInput) -> [ComputedColumn] {
        var waiting = columns.indices.compactMap { slot -> ComputedColumn? in
            guard case .computed(let expression) = columns[slot].origin else { return nil }
            return ComputedColumn(slot: slot, expression: resolve(expression, slots))
        }
        var ordered: [ComputedColumn] = []
        while !waiting.isEmpty {
            let slots = Set(waiting.map { ColumnSlot(input: side.rawValue, index: $0.slot) })
            let ready = waiting.filter { $0.expression.columns.isDisjoint(with: slots) }
            guard !ready.isEmpty else { preconditionFailure("computed columns in a circle") }
            ordered += ready
            waiting.removeAll { column in ready.contains { $0.slot == column.slot } }
        }
        return ordered
    }

    private static func condition(_ conjuncts: [LogicalExpression], _ slots: Slots) -> Expression<ColumnSlot>? {
        LogicalExpression.conjunction(conjuncts).map { resolve($0, slots) }
    }

    /// The same expression over slots. Every column has one: pruning keeps what expressions read, and the checks refuse
    /// names that are not there.
    private static func resolve(_ expression: LogicalExpression, _ slots: Slots) -> Expression<ColumnSlot> {
        expression.mapColumns { column in
            guard let slot = slots[column] else { preconditionFailure("no slot for \(column.source).\(column.column)") }
            return slot
        }
    }
}

extension [ColumnReference: ColumnSlot] {
    /// The slots of a part as those of its union.
    fileprivate func ofUnion(_ union: String) -> Self {
        Dictionary(
            map { (ColumnReference(source: union, column: $0.key.column), $0.value) },
            uniquingKeysWith: { first, _ in first })
    }
}

extension ColumnSpec {
    /// Whether it is read from the record's text.
    fileprivate var isFieldOfText: Bool {
        switch origin {
        case .field, .each, .eachPlace: true
        case .kafka, .computed, .place: false
        }
    }
}

extension OutputFormat {
    /// With the schema that follows from the output's columns, where the spec names none.
    fileprivate func planned(for output: OutputPlan, _ sink: String) -> OutputFormat {
        guard case .avro(var avro) = self, avro.schema == nil else { return self }
        avro.schema = SchemaText(AvroSchema.derived(output.written, name: AvroSchema.name(like: sink)).text())
        return .avro(avro)
    }

    /// What rows have beside them in any sink: those of Avro say where they end, as no byte does it.
    fileprivate var framing: RecordPlan? {
        if case .avro = self { RecordPlan(key: nil, timestamp: nil) } else { nil }
    }
}
