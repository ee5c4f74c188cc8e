// `sluice explain`: both plans and what they mean, for people (text), tools (JSON) and pictures (Graphviz dot).

internal import SluiceSpec

extension PlanningResult {
    /// What each side of the join keeps, and why for ever where that is so.
    package var stateFacts: [StateFacts] {
        let joins = optimized?.joinsByName ?? [:]
        return physical?.stateFacts { stage, side in joins[stage]?.state(side).keptForever } ?? []
    }

    /// Both plans as trees, then in words what is kept, late and unmatched; ends in a line break.
    package func explainText() -> String {
        var lines = ["Query \(query.name.value)", "checkpoint: \(checkpoint)"]
        func section(_ title: String, _ body: [String]) {
            if !body.isEmpty { lines += ["", "== \(title) =="] + body }
        }
        section("Logical plan, as written", logicalTree?.lines ?? [])
        // Without a rule that applies it is the plan as written.
        if let optimizedTree, !appliedRules.isEmpty {
            section("Logical plan after \(appliedRules.joined(separator: ", "))", optimizedTree.lines)
        }
        section("Physical plan", physicalTree?.lines ?? [])
        section("State", stateFacts.flatMap { facts in [facts.summary] + facts.details.map { "    " + $0 } })
        section("Time", physical?.timeFacts() ?? [])
        section("Schemas met", schemaLines)
        return lines.joined(separator: "\n") + "\n"
    }

    /// One JSON object with stable keys; ends in a line break.
    package func explainJSON() -> String { json.indentedText() + "\n" }

    /// One digraph, each plan a cluster; ends in a line break.
    package func explainDot() -> String { Explanation.dot([self]) }

    /// One for each source and registry.
    private var schemaLines: [String] {
        var lines: [(head: String, ids: [Int64])] = []
        for schema in schemasMet {
            let head = "\(quotedName(schema.source)): \(schema.language) of \(schema.registry), "
            if lines.last?.head != head { lines.append((head, [])) }
            lines[lines.count - 1].ids.append(schema.id)
        }
        return lines.map { line in
            secretMask.hide(line.head + line.ids.map { "\($0)" }.joined(separator: ", "))
        }
    }

    private var checkpoint: String { secretMask.hide(query.checkpoint) }
    private var logicalTree: OperatorNode? { logical?.operators.hidingSecrets(secretMask) }
    private var optimizedTree: OperatorNode? { optimized?.operators.hidingSecrets(secretMask) }
    private var physicalTree: OperatorNode? {
        physical?.operators(readingFrom: sources, writingTo: sinks).hidingSecrets(secretMask)
    }

    var json: JSONValue {
        .object([
            "query": .string(query.name.value),
            "checkpoint": .string(checkpoint),
            "logical": logicalTree?.json ?? .null,
            "rules": .array(appliedRules.map { .string($0) }),
            "optimized": optimizedTree?.json ?? .null,
            "physical": physicalTree?.json ?? .null,
            "join": physical?.joinJSON ?? .null,
            "stages": .array(physical?.stagesJSON ?? []),
            "state": .array(stateFacts.map(\.json)),
            "time": .array((physical?.timeFacts() ?? []).map { .string($0) }),
            "schemasMet": .array(
                schemasMet.map { schema in
                    .object([
                        "source": .string(schema.source), "id": .integer(schema.id),
                        "schemaType": .string(schema.language),
                        "registry": .string(secretMask.hide(schema.registry)),
                    ])
                }),
        ])
    }

    fileprivate func clusters(_ number: Int) -> [String] {
        let trees = [("logical plan", "l", logicalTree), ("physical plan", "p", physicalTree)]
        return trees.flatMap { title, letter, tree -> [String] in
            guard let tree else { return [] }
            let label = OperatorNode.escaped("\(query.name.value): \(title)")
            return ["subgraph cluster_\(letter)\(number) {", "  label=\"\(label)\";"]
                + tree.dot(prefix: "\(letter)\(number)_").map { "  " + $0 } + ["}"]
        }
    }
}

/// Several queries at once, as the command prints them.
package enum Explanation {
    /// One text per query, a blank line between them.
    package static func text(_ results: [PlanningResult]) -> String {
        results.map { $0.explainText() }.joined(separator: "\n")
    }

    /// `{"queries": […]}`, one object per query.
    package static func json(_ results: [PlanningResult]) -> String {
        JSONValue.object(["queries": .array(results.map(\.json))]).indentedText() + "\n"
    }

    /// One digraph.
    package static func dot(_ results: [PlanningResult]) -> String {
        let settings = ["rankdir=BT;", "node [shape=box, fontname=\"monospace\"];"]
        let body = settings + results.enumerated().flatMap { $1.clusters($0) }
        return "digraph plan {\n" + body.map { "  " + $0 + "\n" }.joined() + "}\n"
    }
}

extension StateFacts {
    fileprivate var json: JSONValue {
        .object([
            "stage": .string(stage),
            "source": .string(source),
            "side": .string("\(side)"),
            "keptForever": .bool(retention == nil),
            "keptMicros": .optional(retention?.totalMicros),
            "boundMicros": .optional(retention?.boundMicros),
            "windowMicros": .optional(retention?.windowMicros),
            "behindMicros": .optional(retention?.behindMicros),
            "delayMicros": .optional(retention?.delayMicros),
            "summary": .string(summary),
            "details": .array(details.map { .string($0) }),
        ])
    }
}

extension LogicalPlan {
    /// The joins by what their stages are called.
    fileprivate var joinsByName: [String: Join] {
        var joins = children.reduce(into: [:]) { $0.merge($1.joinsByName) { first, _ in first } }
        if case .join(let join, _, _) = self { joins[stageName] = join }
        return joins
    }
}

extension PhysicalPlan {
    /// The only join.
    fileprivate var joinJSON: JSONValue? {
        stages.count == 1 && stages[0].join != nil ? stagesJSON[0] : nil
    }

    /// All joins, in order of execution.
    fileprivate var stagesJSON: [JSONValue] {
        stages.map { stage in
            switch stage.operation {
            case .join(let join): json(of: stage, join)
            case .deduplicate(let deduplicate): json(of: stage, deduplicate)
            case .lookup(let lookup): json(of: stage, lookup)
            }
        }
    }

    /// A join in numbers.
    private func json(of stage: StagePlan, _ join: JoinPlan) -> JSONValue {
        let keys = join.keys.map { key in
            JSONValue.object([
                "left": .string(name(ColumnSlot(input: 0, index: key.left), stage)),
                "right": .string(name(ColumnSlot(input: 1, index: key.right), stage)),
                "nullSafe": .bool(key.isNullSafe),
            ])
        }
        return .object([
            "stage": .string(stage.name), "type": .string(join.type.rawValue),
            "declaredType": .optional(join.declaredType?.rawValue), "keys": .array(keys),
            "lowerMicros": .optional(join.bounds?.lower), "upperMicros": .optional(join.bounds?.upper),
            "windowMicros": .optional(join.left.windowMicros),
            "match": .string((join.choice?.match ?? .all).rawValue),
            "residual": .optional(join.residual.map { text($0, stage) }), "shards": .integer(Int64(join.shards)),
            "watermarkMs": .optional(stage.watermarkMillis),
            "left": json(of: .left, stage), "right": json(of: .right, stage),
        ])
    }

    private func json(of stage: StagePlan, _ deduplicate: DeduplicatePlan) -> JSONValue {
        let columns = columns(of: stage)[0]
        return .object([
            "stage": .string(stage.name), "type": .string("deduplicate"),
            "source": .string(name(of: stage.inputs[0])),
            "columns": .array(deduplicate.columns.map { .string(columns[$0].name.column) }),
            "withinMicros": .optional(deduplicate.withinMicros), "shards": .integer(Int64(deduplicate.shards)),
            "watermarkMs": .optional(stage.watermarkMillis),
        ])
    }

    private func json(of stage: StagePlan, _ lookup: LookupPlan) -> JSONValue {
        .object([
            "stage": .string(stage.name), "type": .string("lookup"), "joinType": .string(lookup.type.rawValue),
            "source": .string(name(of: stage.inputs[0])), "table": .string(tables[lookup.table].name),
            "unique": .bool(tables[lookup.table].isUnique), "reload": .string(tables[lookup.table].reload.rawValue),
            "from": .string(tables[lookup.table].origin),
            "key": .array(tables[lookup.table].key.map { .string($0) }),
        ])
    }

    private func json(of side: JoinInput, _ stage: StagePlan) -> JSONValue {
        let plan = stage.side(side)
        let columns = columns(of: stage.input(side)).prefix(plan.stateColumnCount).map { column in
            direct(stage.input(side)) != nil ? column.name.column : column.shown
        }
        return .object([
            "source": .string(name(of: stage.input(side))),
            "preserved": .bool(plan.isPreserved),
            "time": .optional(timeName(side, stage)),
            "stateColumns": .array(columns.map { .string($0) }),
            "evictionOffsetMicros": .optional(plan.eviction?.offsetMicros),
            "evictionInclusive": plan.eviction.map { .bool($0.isInclusive) } ?? .null,
            "bucketMicros": .optional(plan.bucketWidthMicros),
            "cellMicros": .optional(plan.cellWidthMicros),
        ])
    }
}
