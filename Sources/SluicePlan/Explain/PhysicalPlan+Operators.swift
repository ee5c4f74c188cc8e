// The physical plan as a tree to show: what runs, from the sinks down to the sources.

internal import SluiceSpec

extension PhysicalPlan {
    /// The tree; `sources` and `sinks` are the query's own, which say what the plan does not need to know.
    func operators(readingFrom sources: [SourceSpec], writingTo sinks: [SinkSpec]) -> OperatorNode {
        var node = OperatorNode(name: "Project", summary: "[\(output.columns.map(text).joined(separator: ", "))]")
        var below =
            stages.last.map { operators($0, sources) }
            ?? operators(reading: .sources(Array(inputs.indices)), sources)
        if let filter = output.filter {
            below = OperatorNode(name: "Filter", summary: text(filter, stages.last), children: [below])
        }
        node.children = [below]
        return OperatorNode(
            name: "Sink", summary: output.sinks.map(Self.text).joined(separator: ", "),
            details: sinks.flatMap { sink in
                details(of: sink).map { (sinks.count > 1 ? "\(sink.name.value) \($0.name)" : $0.name, $0.value) }
            }, children: [node])
    }

    private func details(of sink: SinkSpec) -> [(name: String, value: String)] {
        var details = sink.connector.details
        let planned = output.sinks.first { $0.name == sink.name.value }
        let record = planned?.record
        if let schema = planned?.schema {
            let lines = String(decoding: schema.text, as: UTF8.self).split(whereSeparator: \.isNewline)
            details.append(("schema", lines.map { $0.trimmingPrefix(while: \.isWhitespace) }.joined()))
        }
        if let key = record?.key { details.append(("key", text(key, stages.last))) }
        for header in record?.headers ?? [] {
            details.append(("header \(quotedName(header.name))", text(header.value, stages.last)))
        }
        if let timestamp = record?.timestamp { details.append(("timestamp", text(timestamp, stages.last))) }
        return details
    }

    private func operators(_ stage: StagePlan, _ sources: [SourceSpec]) -> OperatorNode {
        switch stage.operation {
        case .join(let join): operators(stage, join, sources)
        case .deduplicate(let deduplicate): operators(stage, deduplicate, sources)
        case .lookup(let lookup): operators(stage, lookup, sources)
        }
    }

    private func operators(_ stage: StagePlan, _ lookup: LookupPlan, _ sources: [SourceSpec]) -> OperatorNode {
        var node = OperatorNode(name: "Lookup", summary: lookup.type.rawValue)
        let keys = lookup.keys.map { key in
            let left = name(ColumnSlot(input: 0, index: key.left), stage)
            return "\(left) \(key.isNullSafe ? "<=>" : "=") \(name(ColumnSlot(input: 1, index: key.right), stage))"
        }
        node.details.append(
            ("keys", keys.isEmpty ? "none: every row of the table is looked at" : keys.joined(separator: ", ")))
        if let predicate = lookup.predicate { node.details.append(("matches only if", text(predicate, stage))) }
        if let residual = lookup.residual { node.details.append(("residual", text(residual, stage))) }
        let table = tables[lookup.table]
        var tableNode = OperatorNode(
            name: "Table",
            summary: "\(quotedName(table.name)) [\(table.input.columns.map(\.name).joined(separator: ", "))]")
        let isTopic = table.input.isKeyed
        tableNode.details = [
            ("source", table.origin), ("format", table.input.format.name),
            (
                "reload",
                table.reload == .never
                    ? "never" : isTopic ? "up to its end, before each batch" : "when its files change, before a batch"
            ),
        ]
        if isTopic {
            tableNode.details.append(("key", table.key.joined(separator: ", ") + ": the newest record of each counts"))
        }
        if table.isUnique { tableNode.details.append(("unique", "by the keys")) }
        if let filter = table.input.filterBelowWatermark {
            tableNode.details.append(("where", filter.text { table.input.columns[$0.index].name }))
        }
        node.children = [operators(reading: stage.inputs[0], sources), tableNode]
        return node
    }

    private func operators(
        _ stage: StagePlan, _ deduplicate: DeduplicatePlan, _ sources: [SourceSpec]
    ) -> OperatorNode {
        let columns = columns(of: stage)[0]
        var node = OperatorNode(
            name: "Deduplicate",
            summary: "[\(deduplicate.columns.map { columns[$0].name.description }.joined(separator: ", "))]")
        node.details = [("remembered", life(of: deduplicate, columns)), ("shards", "\(deduplicate.shards)")]
        if let bucket = deduplicate.state.bucketWidthMicros { node.details.append(("bucket", spoken(bucket))) }
        node.children = [operators(reading: stage.inputs[0], sources)]
        return node
    }

    /// How long a value is remembered, in words.
    func life(of deduplicate: DeduplicatePlan, _ columns: [RowColumn]) -> String {
        guard let time = deduplicate.time else { return "for ever" }
        let name = columns[time].name.description
        guard let within = deduplicate.withinMicros else { return "until the watermark reaches \(name)" }
        return "until the watermark reaches \(name)\(spokenOffset(within)) of the first row"
    }

    private func operators(_ stage: StagePlan, _ join: JoinPlan, _ sources: [SourceSpec]) -> OperatorNode {
        var node = OperatorNode(name: "SymmetricHashJoin", summary: join.type.rawValue)
        if let declared = join.declaredType { node.summary += " (written \(declared.rawValue))" }
        let keys = join.keys.map { key in
            let left = name(ColumnSlot(input: 0, index: key.left), stage)
            return "\(left) \(key.isNullSafe ? "<=>" : "=") \(name(ColumnSlot(input: 1, index: key.right), stage))"
        }
        if !keys.isEmpty { node.details.append(("keys", keys.joined(separator: ", "))) }
        if let window = join.left.windowMicros { node.details.append(("window", spoken(window))) }
        if let bounds = join.bounds, let left = timeName(.left, stage), let right = timeName(.right, stage) {
            node.details.append(("time", bounds.spoken("\(right) - \(left)")))
        }
        if let choice = join.choice { node.details.append(("match", choice.match.spokenRule)) }
        if let residual = join.residual { node.details.append(("residual", text(residual, stage))) }
        if statefulStages.count > 1 {
            node.details.append(("stage", stage.name))
            node.details.append(("watermark", stage.watermarkText ?? "none"))
        }
        node.details.append(("shards", "\(join.shards)"))
        node.children = stage.sides.map { side in operators(side, of: stage, sources) }
        return node
    }

    /// What a stage reads on a side, or what a query without one puts out.
    private func operators(reading input: StageInput, _ sources: [SourceSpec]) -> OperatorNode {
        switch input {
        case .sources(let numbers):
            let nodes = numbers.map { operators(input: $0, sources) }
            if nodes.count == 1 { return nodes[0] }
            return OperatorNode(name: "Union", summary: quotedName(name(of: input)), children: nodes)
        case .stage(let number):
            let below = operators(stages[number], sources)
            guard let filter = stages[number].emitted?.filter else { return below }
            return OperatorNode(name: "Filter", summary: text(filter, stages[number]), children: [below])
        case .table: preconditionFailure("a table is shown with its lookup")
        }
    }

    private func operators(_ side: JoinInput, of stage: StagePlan, _ sources: [SourceSpec]) -> OperatorNode {
        let plan = stage.side(side)
        let columns = columns(of: stage.input(side)).prefix(plan.stateColumnCount).map { column in
            direct(stage.input(side)) != nil ? column.name.column : column.name.description
        }
        var node = OperatorNode(name: "State", summary: "\(side) [\(columns.joined(separator: ", "))]")
        if let predicate = plan.predicate {
            node.details.append(("matches only if", text(predicate, ofSide: side, in: stage)))
        }
        if let eviction = plan.eviction, let time = timeName(side, stage) {
            node.details.append(("leaves at", "\(time) <= \(eviction.text(stage.watermarkText ?? "watermark"))"))
        } else {
            node.details.append(("leaves at", "never"))
        }
        if let bucket = plan.bucketWidthMicros { node.details.append(("bucket", spoken(bucket))) }
        if let cell = plan.cellWidthMicros { node.details.append(("cell", spoken(cell))) }
        node.children = [operators(reading: stage.input(side), sources)]
        return node
    }

    /// What one source's rows go through before the join, the last step first.
    private func operators(input index: Int, _ sources: [SourceSpec]) -> OperatorNode {
        let input = inputs[index]
        var node = OperatorNode(
            name: "Source",
            summary: "\(quotedName(input.source)) [\(input.columns.map(\.name).joined(separator: ", "))]")
        if let source = sources.first(where: { $0.name.value == input.source }) {
            node.details.append(source.connector.origin)
        }
        node.details.append(("format", input.format.name))
        if input.timeZone != "UTC" { node.details.append(("time zone", input.timeZone)) }
        if input.badRows != .null { node.details.append(("bad rows", input.badRows.name)) }
        if let each = input.each {
            node.details.append(("each", "\(each.path)\(each.keepsEmpty ? ", empty ones kept" : "")"))
        }
        func text(_ expression: Expression<ColumnSlot>) -> String {
            expression.text { name($0.index, ofInput: index) }
        }
        for column in input.computed {
            let name = quotedName(input.columns[column.slot].name)
            node.details.append(("computed \(name)", text(column.expression)))
        }
        if let filter = input.filterBelowWatermark {
            node = OperatorNode(name: "Filter", summary: text(filter), children: [node])
        }
        if let watermark = input.watermark {
            node = OperatorNode(
                name: "EventTimeWatermark",
                summary: "\(name(watermark.column, ofInput: index)), delay \(spoken(watermark.delayMicros))"
                    + (watermark.parts.part.map { ", per \($0)" } ?? ""),
                children: [node])
            if let ahead = watermark.maxAheadMicros { node.details.append(("max ahead", spoken(ahead))) }
            if let idle = watermark.idleTimeoutMicros { node.details.append(("idle timeout", spoken(idle))) }
        }
        if let filter = input.filterAboveWatermark {
            node = OperatorNode(name: "Filter", summary: text(filter), children: [node])
        }
        if let keeper = keeper(ofInput: index), let late = lateTime(ofInput: index) {
            let limit = keeper.watermarkText ?? "watermark"
            node = OperatorNode(name: "DropLate", summary: "\(late) <= \(limit)", children: [node])
        }
        return node
    }

    // MARK: Names

    /// `source.column` of a column of an input.
    func name(_ column: Int, ofInput number: Int) -> String {
        ColumnReference(source: inputs[number].source, column: inputs[number].columns[column].name).description
    }

    /// `source.column` of a slot of what a stage reads; without one of the only input.
    func name(_ slot: ColumnSlot, _ stage: StagePlan?) -> String {
        columns(of: stage)[slot.input][slot.index].shown
    }

    /// The time that a side's bounds and eviction speak of; nil when the join has no time condition.
    func timeName(_ side: JoinInput, _ stage: StagePlan) -> String? {
        let plan = stage.side(side)
        guard let time = plan.joinTime else { return nil }
        let column = name(ColumnSlot(input: side.rawValue, index: time), stage)
        return plan.windowMicros == nil ? column : "window end of \(column)"
    }

    /// What lateness compares; nil for an input without a watermark.
    func lateTime(ofInput index: Int) -> String? {
        guard let watermark = inputs[index].watermark else { return nil }
        let column = name(watermark.column, ofInput: index)
        return inputs[index].latenessWindowMicros == nil ? column : "window end of \(column)"
    }

    /// An expression over the rows that a stage reads.
    func text(_ expression: Expression<ColumnSlot>, _ stage: StagePlan?) -> String {
        expression.text { name($0, stage) }
    }

    /// A side's own predicate, which names columns of where its rows come from.
    func text(_ predicate: Expression<ColumnSlot>, ofSide side: JoinInput, in stage: StagePlan) -> String {
        switch stage.input(side) {
        case .sources, .table: text(predicate, stage)
        case .stage(let number): text(predicate, stages[number])
        }
    }

    private func text(_ column: OutputColumn) -> String {
        let stage = stages.last
        if case .column(let slot) = column.expression.kind, column.objects.isEmpty,
            columns(of: stage)[slot.input][slot.index].name.column == column.name
        {
            return name(slot, stage)
        }
        return "\(text(column.expression, stage)) as \(outputName(column.objects, column.name))"
    }

    private static func text(_ sink: OutputSink) -> String { "\(quotedName(sink.name)) (\(sink.format.name))" }
}

extension RowColumn {
    /// As an expression writes it: one that is computed has no source.
    var shown: String { name.column.contains("(") ? name.column : name.description }
}

extension StagePlan {
    /// Its watermark in words, such as `watermark - 2 min`; nil when it has none.
    var watermarkText: String? { watermarkMillis.map { "watermark\(spokenOffset($0 * 1000))" } }
}

extension JoinMatch {
    /// Which row it is, for people.
    fileprivate var spokenRule: String {
        switch self {
        case .all: "all"
        case .nearest: "nearest (of two the earlier), when the left row leaves"
        case .latest: "latest, when the left row leaves"
        case .earliest: "earliest, when the left row leaves"
        }
    }
}

extension WatermarkParts {
    /// What has a watermark of its own; nil where the source as a whole has one.
    var part: String? {
        switch self {
        case .whole: nil
        case .topics: "topic"
        case .partitions: "partition"
        }
    }
}

extension BadRowsPolicy {
    fileprivate var name: String {
        switch self {
        case .null: "null"
        case .permissive: "permissive"
        case .drop: "drop"
        case .fail: "fail"
        case .sink(let name): "to \(name)"
        }
    }
}
