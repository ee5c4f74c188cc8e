// The logical plan as a tree to show.

internal import SluiceSpec

extension LogicalPlan {
    var operators: OperatorNode {
        var node = OperatorNode(name: "", summary: "")
        switch self {
        case .relation(let relation):
            node.name = relation.isTable ? "Table" : "StreamingRelation"
            node.summary = "\(quotedName(relation.source)) [\(relation.columns.map(\.name).joined(separator: ", "))]"
            if !relation.parts.isEmpty { node.details = [("union", relation.parts.joined(separator: ", "))] }
        case .watermark(let watermark, _):
            node.name = "EventTimeWatermark"
            node.summary = "\(watermark.column), delay \(spoken(watermark.delayMicros))"
        case .filter(let filter, _):
            node.name = "Filter"
            node.summary = Self.text(filter.conjuncts)
        case .deduplicate(let deduplicate, _):
            node.name = "Deduplicate"
            node.summary = "[\(deduplicate.columns.map(\.description).joined(separator: ", "))]"
            node.details = [("for", deduplicate.spokenLife)]
        case .project(let columns, _):
            node.name = "Project"
            node.summary = "[\(columns.map(Self.text).joined(separator: ", "))]"
        case .join(let join, _, let right):
            node.name = "Join"
            node.summary = join.type.rawValue
            if join.runsAs != nil { node.summary += " (written \(join.declaredType.value.rawValue))" }
            node.details = join.details + (right.isTable ? [] : join.stateDetails)
        case .sink(let sinks, _):
            node.name = "Sink"
            node.summary = "[\(sinks.joined(separator: ", "))]"
        }
        node.children = children.map(\.operators)
        return node
    }

    private static func text(_ column: ProjectedColumn) -> String {
        if case .column(let reference) = column.expression.kind, reference.column == column.name,
            column.objects.isEmpty
        {
            return reference.description
        }
        return "\(column.expression) as \(outputName(column.objects, column.name))"
    }

    /// Conjuncts in one line.
    static func text(_ conjuncts: [LogicalExpression]) -> String {
        LogicalExpression.conjunction(conjuncts)?.description ?? "true"
    }
}

extension Deduplicate {
    /// How long a value is remembered.
    var spokenLife: String {
        if let withinMicros { return "\(spoken(withinMicros)) after the first row's \(time?.description ?? "time")" }
        guard let time, columns.contains(time) else { return "ever" }
        return "as long as \(time) is after the watermark"
    }
}

extension Join {
    fileprivate var details: [(name: String, value: String)] {
        var details: [(name: String, value: String)] = []
        if !keys.isEmpty {
            let text = keys.map { "\($0.left) \($0.isNullSafe ? "<=>" : "=") \($0.right)" }
            details.append(("keys", text.joined(separator: ", ")))
        }
        if let window { details.append(("window", spoken(window.micros))) }
        if let time {
            let difference =
                if case .window = time.basis {
                    "window end of \(time.right) - window end of \(time.left)"
                } else {
                    "\(time.right) - \(time.left)"
                }
            details.append(("time", time.bounds.spoken(difference)))
        }
        if choosesOne { details.append(("match", match.rawValue)) }
        if !conditions.isEmpty { details.append(("condition", LogicalPlan.text(conditions))) }
        if !leftConditions.isEmpty { details.append(("left only", LogicalPlan.text(leftConditions))) }
        if !rightConditions.isEmpty { details.append(("right only", LogicalPlan.text(rightConditions))) }
        if !residual.isEmpty { details.append(("residual", LogicalPlan.text(residual))) }
        return details
    }

    /// What it keeps of each side; a lookup keeps nothing.
    fileprivate var stateDetails: [(name: String, value: String)] {
        var details: [(name: String, value: String)] = []
        for side in JoinInput.allCases {
            let state = state(side)
            if !state.columns.isEmpty {
                let sources = Set(state.columns.map(\.source))
                let names = state.columns.map { sources.count > 1 ? $0.description : $0.column }
                details.append(("\(side) state", "[\(names.joined(separator: ", "))]"))
            }
            if let eviction = state.eviction {
                details.append(("\(side) state watermark", eviction.text(watermarkText)))
            } else if state.keptForever != nil {
                details.append(("\(side) state watermark", "none"))
            }
        }
        return details
    }
}

extension Join {
    fileprivate var watermarkText: String { "watermark\(spokenOffset((watermarkMillis ?? 0) * 1000))" }
}

extension EvictionRule {
    /// `watermark - 2 min - 1 ms`: rows at or below it leave.
    /// - Parameter watermark: the stage's, in words.
    func text(_ watermark: String) -> String {
        "\(watermark)\(spokenOffset(offsetMicros))\(isInclusive ? " - 1 ms" : "")"
    }
}
