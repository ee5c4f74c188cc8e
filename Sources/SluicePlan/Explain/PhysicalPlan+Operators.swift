// The physical plan as a tree to show: what runs, from the sinks down to the sources.

internal import SluiceSpec

extension PhysicalPlan {
    /// The tree; `sources` and `sinks` are the query's own, which say what the plan does not need to know.
    func operators(readingFrom sources: [SourceSpec], writingTo sinks: [SinkSpec]) -> OperatorNode {
        var node = OperatorNode(name: "Project", summary: "[\(output.columns.map(text).joined(separator: ", "))]")
        var below = join.map { operators($0, sources) } ?? operators(input: 0, sources)
        if let filter = output.filter {
            below = OperatorNode(name: "Filter", summary: text(filter), children: [below])
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
        if let key = record?.key { details.append(("key", text(key))) }
        for header in record?.headers ?? [] {
            details.append(("header \(quotedName(header.name))", text(header.value)))
        }
        if let timestamp = record?.timestamp { details.append(("timestamp", text(timestamp))) }
        return details
    }

    private func operators(_ join: JoinPlan, _ sources: [SourceSpec]) -> OperatorNode {
        var node = OperatorNode(name: "SymmetricHashJoin", summary: join.type.rawValue)
        let keys = join.keys.map { key in
            let left = name(ColumnSlot(input: 0, index: key.left))
            return "\(left) \(key.isNullSafe ? "<=>" : "=") \(name(ColumnSlot(input: 1, index: key.right)))"
        }
        if !keys.isEmpty { node.details.append(("keys", keys.joined(separator: ", "))) }
        if let window = join.left.windowMicros { node.details.append(("window", spoken(window))) }
        if let bounds = join.bounds, let left = timeName(.left), let right = timeName(.right) {
            node.details.append(("time", bounds.spoken("\(right) - \(left)")))
        }
        if let residual = join.residual { node.details.append(("residual", text(residual))) }
        node.details.append(("shards", "\(join.shards)"))
        node.children = JoinInput.allCases.map { side in operators(side, of: join, sources) }
        return node
    }

    private func operators(_ side: JoinInput, of join: JoinPlan, _ sources: [SourceSpec]) -> OperatorNode {
        let plan = join.side(side)
        let input = inputs[side.rawValue]
        let columns = input.columns.prefix(plan.stateColumnCount).map(\.name).joined(separator: ", ")
        var node = OperatorNode(name: "State", summary: "\(side) [\(columns)]")
        if let predicate = plan.predicate { node.details.append(("matches only if", text(predicate))) }
        if let eviction = plan.eviction, let time = timeName(side) {
            node.details.append(("leaves at", "\(time) <= \(eviction.text)"))
        } else {
            node.details.append(("leaves at", "never"))
        }
        if let bucket = plan.bucketWidthMicros { node.details.append(("bucket", spoken(bucket))) }
        if let cell = plan.cellWidthMicros { node.details.append(("cell", spoken(cell))) }
        node.children = [operators(input: side.rawValue, sources)]
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
        for column in input.computed {
            let name = quotedName(input.columns[column.slot].name)
            node.details.append(("computed \(name)", text(column.expression)))
        }
        if let filter = input.filterBelowWatermark {
            node = OperatorNode(name: "Filter", summary: text(filter), children: [node])
        }
        if let watermark = input.watermark {
            let column = name(ColumnSlot(input: index, index: watermark.column))
            node = OperatorNode(
                name: "EventTimeWatermark",
                summary: "\(column), delay \(spoken(watermark.delayMicros))"
                    + (watermark.parts.part.map { ", per \($0)" } ?? ""),
                children: [node])
            if let ahead = watermark.maxAheadMicros { node.details.append(("max ahead", spoken(ahead))) }
            if let idle = watermark.idleTimeoutMicros { node.details.append(("idle timeout", spoken(idle))) }
        }
        if let filter = input.filterAboveWatermark {
            node = OperatorNode(name: "Filter", summary: text(filter), children: [node])
        }
        if join != nil, let late = lateTime(ofInput: index) {
            node = OperatorNode(name: "DropLate", summary: "\(late) <= watermark", children: [node])
        }
        return node
    }

    // MARK: Names

    /// `source.column` of a slot.
    func name(_ slot: ColumnSlot) -> String {
        let input = inputs[slot.input]
        return ColumnReference(source: input.source, column: input.columns[slot.index].name).description
    }

    /// The time that a side's bounds and eviction speak of; nil when the join has no time condition.
    func timeName(_ side: JoinInput) -> String? {
        guard let plan = join?.side(side), let time = plan.joinTime else { return nil }
        let column = name(ColumnSlot(input: side.rawValue, index: time))
        return plan.windowMicros == nil ? column : "window end of \(column)"
    }

    /// What lateness compares; nil for an input without a watermark.
    func lateTime(ofInput index: Int) -> String? {
        guard let watermark = inputs[index].watermark else { return nil }
        let column = name(ColumnSlot(input: index, index: watermark.column))
        return inputs[index].latenessWindowMicros == nil ? column : "window end of \(column)"
    }

    func text(_ expression: Expression<ColumnSlot>) -> String { expression.text(column: name) }

    private func text(_ column: OutputColumn) -> String {
        if case .column(let slot) = column.expression.kind, column.objects.isEmpty,
            inputs[slot.input].columns[slot.index].name == column.name
        {
            return name(slot)
        }
        return "\(text(column.expression)) as \(outputName(column.objects, column.name))"
    }

    private static func text(_ sink: OutputSink) -> String { "\(quotedName(sink.name)) (\(sink.format.name))" }
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
