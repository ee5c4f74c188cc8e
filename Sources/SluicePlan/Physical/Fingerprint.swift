// What a checkpoint remembers of the spec it was made with, and which changes it survives. Spark finds some changes by
// the schema of its state files and misses others (a left outer join that becomes an inner one is accepted silently);
// here each fact has a name, and a change is refused by that name or accepted with a warning that says what follows.

internal import SluiceSpec

/// A fact of a plan that its checkpoint depends on, such as `join type` = `left outer`.
package struct PlanFact: Hashable, Sendable {
    package var name: String
    package var value: String

    package init(name: String, value: String) {
        self.name = name
        self.value = value
    }
}

/// What changed between two plans of one query.
package struct FingerprintChanges: Hashable, Sendable {
    package struct Change: Hashable, Sendable {
        /// The fact's name.
        package var name: String
        /// Such as "join type was `left outer`, is now `inner`".
        package var sentence: String
    }

    /// Changes that make the stored state meaningless, in the order of the facts.
    package var refusals: [Change] = []
    /// Changes that the stored state survives; the sentence says what follows.
    package var warnings: [Change] = []

    package init(refusals: [Change] = [], warnings: [Change] = []) {
        self.refusals = refusals
        self.warnings = warnings
    }
}

extension PhysicalPlan {
    /// The facts a checkpoint of this plan depends on, in a fixed order. Shards, buckets and cells are not among them:
    /// they are the checkpoint's own (see `layout`). What only Kafka sources have is a fact only where it is so, as
    /// checkpoints from before it existed lack it.
    package var fingerprint: [PlanFact] {
        var facts = [PlanFact(name: FactName.joinType, value: join?.type.rawValue ?? "none")]
        if let join {
            let keys = join.keys.map { key in
                let left = name(ColumnSlot(input: 0, index: key.left))
                return "\(left) \(key.isNullSafe ? "<=>" : "=") \(name(ColumnSlot(input: 1, index: key.right)))"
            }
            facts.append(PlanFact(name: FactName.keys, value: keys.joined(separator: ", ")))
            facts.append(PlanFact(name: FactName.window, value: join.left.windowMicros.map(spoken) ?? "none"))
        }
        facts.append(PlanFact(name: FactName.policy, value: watermarkPolicy.rawValue))
        for (index, side) in zip(inputs.indices, JoinInput.allCases) { facts += self.facts(ofInput: index, side) }
        if let join, let bounds = join.bounds, join.left.windowMicros == nil {
            facts.append(PlanFact(name: FactName.bounds, value: bounds.spoken("right - left")))
        }
        for (index, side) in zip(inputs.indices, JoinInput.allCases) {
            guard let watermark = inputs[index].watermark else { continue }
            facts.append(PlanFact(name: FactName.delay(label(side)), value: spoken(watermark.delayMicros)))
            if watermark.isPerPartition {
                facts.append(PlanFact(name: FactName.perPartition(label(side)), value: "true"))
            }
        }
        return facts
    }

    /// What a fact about an input begins with.
    private func label(_ side: JoinInput) -> String { join == nil ? "" : "\(side) " }

    private func facts(ofInput index: Int, _ side: JoinInput) -> [PlanFact] {
        let input = inputs[index]
        let label = label(side)
        let watermark = input.watermark.map { input.columns[$0.column].name } ?? "none"
        var facts = [
            PlanFact(name: "\(label)source", value: input.source),
            PlanFact(name: "\(label)watermark column", value: watermark),
        ]
        // Offsets in the checkpoint mean nothing in another topic, or in files.
        if let topic = input.topic { facts.insert(PlanFact(name: FactName.topic(label), value: topic), at: 1) }
        if let join {
            let time = join.side(side).joinTime.map { input.columns[$0].name } ?? "none"
            facts.append(PlanFact(name: "\(label)join time", value: time))
        }
        return facts
            + usedColumns(ofInput: index, side).map {
                PlanFact(name: FactName.column(label, $0.name), value: "\($0.type)")
            }
    }

    /// The columns that state keeps; without a join, those the output reads. In row order.
    private func usedColumns(ofInput index: Int, _ side: JoinInput) -> [InputColumn] {
        let columns = inputs[index].columns
        if let join { return Array(columns.prefix(join.side(side).stateColumnCount)) }
        let expressions = output.columns.map(\.expression) + (output.filter.map { [$0] } ?? [])
        let read = expressions.reduce(into: Set<ColumnSlot>()) { $0.formUnion($1.columns) }
        return columns.indices.filter { read.contains(ColumnSlot(input: index, index: $0)) }.map { columns[$0] }
    }

    /// Compares the facts a checkpoint was made with to those of the plan that is to go on with it.
    package static func compareFingerprints(old: [PlanFact], new: [PlanFact]) -> FingerprintChanges {
        var changes = FingerprintChanges()
        let before = Dictionary(old.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
        let after = Dictionary(new.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
        let names = old.map(\.name) + new.map(\.name).filter { before[$0] == nil }
        for name in names where before[name] != after[name] {
            let change = FingerprintChanges.Change(
                name: name, sentence: FactName.sentence(name, before[name], after[name]))
            if FactName.mayChange(name) { changes.warnings.append(change) } else { changes.refusals.append(change) }
        }
        return changes
    }
}

/// The names of facts. They are stored in checkpoints: a name is never given another meaning.
private enum FactName {
    static let joinType = "join type"
    static let keys = "keys"
    static let window = "window"
    static let policy = "watermark policy"
    static let bounds = "time bounds"

    static func delay(_ label: String) -> String { "\(label)watermark delay" }
    static func perPartition(_ label: String) -> String { "\(label)watermark per partition" }
    static func topic(_ label: String) -> String { "\(label)kafka topic" }
    static func column(_ label: String, _ name: String) -> String { "\(label)column `\(name)`" }

    static func mayChange(_ name: String) -> Bool {
        name == bounds || name.hasSuffix(delay("")) || name.hasSuffix(perPartition(""))
    }

    static func sentence(_ name: String, _ before: String?, _ after: String?) -> String {
        let isColumn = name.contains("column `")
        switch (before, after) {
        case (let before?, nil) where isColumn:
            return "\(name) (\(before)) is no longer used, but rows in state have it"
        case (nil, let after?) where isColumn: return "\(name) (\(after)) is new, and rows in state do not have it"
        default: break
        }
        if name.hasSuffix(perPartition("")) { return perPartitionSentence(name, isNow: after != nil) }
        let isPlural = name == keys || name == bounds
        let change =
            "\(name) \(isPlural ? "were" : "was") `\(before ?? "none")`, \(isPlural ? "are" : "is") now "
            + "`\(after ?? "none")`"
        if name == bounds { return change + ": rows already in state are judged by the new bounds" }
        if mayChange(name) {
            return change + ": the watermark does not go back, and from now on keeps the new distance"
        }
        return change
    }

    private static func perPartitionSentence(_ name: String, isNow: Bool) -> String {
        let follows =
            isNow
            ? "the watermark does not go back, and from now on waits for the partition that is furthest behind"
            : "the watermark from now on follows the latest row of any partition, and rows of partitions behind it are "
                + "late"
        return "\(name) was `\(!isNow)`, is now `\(isNow)`: \(follows)"
    }
}
