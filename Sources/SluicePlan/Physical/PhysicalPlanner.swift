// The last step: names become positions in rows. By now every decision is in the logical plan.

internal import SluiceSpec

struct PhysicalPlanner {
    private let query: QuerySpec
    private let sources: [String: SourceSpec]
    private let sinks: [String: SinkSpec]
    /// Where each column of each input went.
    private var slots: [ColumnReference: ColumnSlot] = [:]
    private var inputs: [InputPlan] = []

    private init(query: QuerySpec, sources: [String: SourceSpec], sinks: [String: SinkSpec]) {
        self.query = query
        self.sources = sources
        self.sinks = sinks
    }

    /// The plan of a rewritten logical plan over one input or one join of two; nil for any other shape.
    static func plan(
        _ logical: LogicalPlan, query: QuerySpec, sources: [String: SourceSpec], sinks: [String: SinkSpec],
        records: [String: OutputRecord]
    ) -> PhysicalPlan? {
        guard case .sink(let sinkNames, .project(let columns, var body)) = logical else { return nil }
        var filter: [LogicalExpression] = []
        if case .filter(let queryFilter, let child) = body, queryFilter.place == .query {
            (filter, body) = (queryFilter.conjuncts, child)
        }
        var planner = PhysicalPlanner(query: query, sources: sources, sinks: sinks)
        var join: JoinPlan?
        if case .join(let logicalJoin, let left, let right) = body {
            guard let leftChain = InputChain(left), let rightChain = InputChain(right),
                planner.add(leftChain), planner.add(rightChain)
            else { return nil }
            planner.compareWindowEnds(logicalJoin)
            join = planner.joinPlan(logicalJoin)
            if join == nil { return nil }
        } else {
            guard let chain = InputChain(body), planner.add(chain) else { return nil }
        }
        let outputColumns = columns.map {
            OutputColumn(name: $0.name, objects: $0.objects, expression: planner.resolve($0.expression))
        }
        var output = OutputPlan(filter: planner.condition(filter), columns: outputColumns, sinks: [])
        output.sinks = sinkNames.compactMap { name in
            sinks[name].map { sink in
                OutputSink(
                    name: name, format: sink.format.planned(for: output, name),
                    record: records[name].map { Self.record($0, outputColumns) } ?? sink.format.framing)
            }
        }
        return PhysicalPlan(
            query: query.name.value, inputs: planner.inputs, join: join, output: output,
            watermarkPolicy: query.watermarkPolicy)
    }

    /// Adds the next input; false if its source is unknown.
    private mutating func add(_ chain: InputChain) -> Bool {
        guard let source = sources[chain.relation.source] else { return false }
        let input = inputs.count
        let fields = source.columns.filter(\.isFieldOfText)
        let places = Dictionary(
            fields.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
        let columns = chain.relation.columns.map { column in
            InputColumn(
                name: column.name, type: column.type, origin: column.origin, form: column.form,
                declaredIndex: places[column.name] ?? 0)
        }
        for (index, column) in columns.enumerated() {
            slots[ColumnReference(source: chain.relation.source, column: column.name)] =
                ColumnSlot(input: input, index: index)
        }
        var plan = InputPlan(
            source: source.name.value, topics: source.connector.topics, format: source.format,
            timeZone: source.timeZone.value,
            badRows: source.badRows.value, fieldCount: fields.count, columns: columns)
        plan.each = source.each
        plan.computed = computed(chain.relation.columns, input: input)
        plan.filterBelowWatermark = condition(chain.belowWatermark)
        plan.filterAboveWatermark = condition(chain.aboveWatermark)
        if let watermark = chain.watermark, let slot = slots[watermark.column] {
            plan.watermark = WatermarkPlan(
                column: slot.index, delayMicros: watermark.delayMicros,
                idleTimeoutMicros: source.watermark?.idleTimeoutMicros?.value,
                parts: source.watermark?.parts ?? .whole)
            plan.watermark?.maxAheadMicros = source.watermark?.maxAheadMicros?.value
        }
        inputs.append(plan)
        return true
    }

    /// In a window join lateness compares the end of the window, as the window is what carries the watermark.
    private mutating func compareWindowEnds(_ join: Join) {
        guard let time = join.time, case .window(let micros) = time.basis else { return }
        for slot in [slots[time.left], slots[time.right]].compactMap(\.self)
        where inputs[slot.input].watermark?.column == slot.index {
            inputs[slot.input].latenessWindowMicros = micros
        }
    }

    /// Keys go in slot order, which is that of the columns' names: their order in the spec means nothing, and the hash
    /// that picks a row's shard must not depend on it.
    private func joinPlan(_ join: Join) -> JoinPlan? {
        let keys = join.keys.compactMap { key -> JoinKey? in
            guard let left = slots[key.left], let right = slots[key.right] else { return nil }
            return JoinKey(left: left.index, right: right.index, isNullSafe: key.isNullSafe)
        }
        .sorted { ($0.left, $0.right) < ($1.left, $1.right) }
        guard keys.count == join.keys.count, let shards = join.shards else { return nil }
        return JoinPlan(
            type: join.type, keys: keys, bounds: join.time?.bounds, left: side(.left, of: join),
            right: side(.right, of: join), residual: condition(join.residual), shards: shards)
    }

    private func side(_ side: JoinInput, of join: Join) -> JoinSidePlan {
        let state = join.state(side)
        let window: Int64? = if case .window(let micros)? = join.time?.basis { micros } else { nil }
        return JoinSidePlan(
            joinTime: (join.time?.column(side)).flatMap { slots[$0]?.index }, windowMicros: window,
            isPreserved: join.type.preserves(side), predicate: condition(join.conditions(side)),
            eviction: state.eviction, stateColumnCount: state.columns.count,
            bucketWidthMicros: state.bucketWidthMicros, cellWidthMicros: state.cellWidthMicros)
    }

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
    private func computed(_ columns: [ColumnSpec], input: Int) -> [ComputedColumn] {
        var waiting = columns.indices.compactMap { slot -> ComputedColumn? in
            guard case .computed(let expression) = columns[slot].origin else { return nil }
            return ComputedColumn(slot: slot, expression: resolve(expression))
        }
        var ordered: [ComputedColumn] = []
        while !waiting.isEmpty {
            let slots = Set(waiting.map { ColumnSlot(input: input, index: $0.slot) })
            let ready = waiting.filter { $0.expression.columns.isDisjoint(with: slots) }
            guard !ready.isEmpty else { preconditionFailure("computed columns in a circle") }
            ordered += ready
            waiting.removeAll { column in ready.contains { $0.slot == column.slot } }
        }
        return ordered
    }

    private func condition(_ conjuncts: [LogicalExpression]) -> Expression<ColumnSlot>? {
        LogicalExpression.conjunction(conjuncts).map(resolve)
    }

    /// The same expression over slots. Every column has one: pruning keeps what expressions read, and the checks refuse
    /// names that are not there.
    private func resolve(_ expression: LogicalExpression) -> Expression<ColumnSlot> {
        expression.mapColumns { column in
            guard let slot = slots[column] else { preconditionFailure("no slot for \(column.source).\(column.column)") }
            return slot
        }
    }
}

extension ColumnSpec {
    /// Whether it is read from the record's text.
    fileprivate var isFieldOfText: Bool {
        switch origin {
        case .field, .each, .eachPlace: true
        case .kafka, .computed: false
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
