// What a checkpoint remembers of the spec it was made with, and which changes it survives. Spark finds some changes by
// the schema of its state files and misses others (a left outer join that becomes an inner one is accepted silently);
// here each fact has a name, and a change is refused by that name or accepted with a warning that says what follows.

internal import SluiceSpec

/// A fact of a plan that its checkpoint depends on, such as the join type of a stage. Facts are compared by their
/// values; how a value is said to a person may change with any version.
package struct PlanFact: Hashable, Sendable {
    package enum Value: Hashable, Sendable {
        /// A name or word of the spec format.
        case text(String)
        case micros(Int64)
        case flag(Bool)
        /// Bounds of right time minus left time, in microseconds.
        case bounds(TimeBounds)
        case keys([Key])
        /// As a checkpoint of format 1 has it: what would be said to a person.
        case spoken(String)
    }

    /// One equality of a join.
    package struct Key: Hashable, Sendable {
        package var left: String
        package var right: String
        package var isNullSafe: Bool

        package init(left: String, right: String, isNullSafe: Bool) {
            self.left = left
            self.right = right
            self.isNullSafe = isNullSafe
        }
    }

    /// The input of the stage that the fact speaks of; nil for the stage as a whole.
    package var input: JoinInput?
    package var name: String
    package var value: Value

    package init(_ input: JoinInput? = nil, _ name: String, _ value: Value) {
        self.input = input
        self.name = name
        self.value = value
    }

    /// A fact as a checkpoint of format 1 has it, with the input as part of the name.
    package init(format1 name: String, value: String) {
        let input = JoinInput.allCases.first { name.hasPrefix("\($0) ") }
        self.init(input, input.map { String(name.dropFirst("\($0) ".count)) } ?? name, .spoken(value))
    }

    /// The name with its input: `left source`.
    package var label: String { (input.map { "\($0) " } ?? "") + name }
}

extension PlanFact.Value: CustomStringConvertible {
    package var description: String {
        switch self {
        case .text(let text), .spoken(let text): text
        case .micros(let micros): SluicePlan.spoken(micros)
        case .flag(let flag): "\(flag)"
        case .bounds(let bounds): bounds.spoken("right - left")
        case .keys(let keys):
            keys.map { "\($0.left) \($0.isNullSafe ? "<=>" : "=") \($0.right)" }.joined(separator: ", ")
        }
    }

    /// What a checkpoint of format 1 has can only be compared as it is said.
    fileprivate func isSame(as other: PlanFact.Value) -> Bool {
        switch (self, other) {
        case (.spoken, _), (_, .spoken): description == other.description
        default: self == other
        }
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
    /// What the plan's one stage is called where files name stages: by what it joins, not by its place.
    package var stage: String { inputs.map(\.source).joined(separator: "+") }

    /// The facts a checkpoint of this plan depends on, in a fixed order. Shards, buckets and cells are not among them:
    /// they are the checkpoint's own (see `layout`). What only Kafka sources have is a fact only where it is so, as
    /// checkpoints from before it existed lack it.
    package var fingerprint: [PlanFact] {
        var facts = [PlanFact(nil, FactName.joinType, .text(join?.type.rawValue ?? "none"))]
        if let join {
            let keys = join.keys.map { key in
                PlanFact.Key(
                    left: name(ColumnSlot(input: 0, index: key.left)),
                    right: name(ColumnSlot(input: 1, index: key.right)), isNullSafe: key.isNullSafe)
            }
            facts.append(PlanFact(nil, FactName.keys, .keys(keys)))
            facts.append(
                PlanFact(nil, FactName.window, join.left.windowMicros.map { .micros($0) } ?? .text("none")))
        }
        facts.append(PlanFact(nil, FactName.policy, .text(watermarkPolicy.rawValue)))
        for (index, side) in zip(inputs.indices, JoinInput.allCases) { facts += self.facts(ofInput: index, side) }
        if let join, let bounds = join.bounds, join.left.windowMicros == nil {
            facts.append(PlanFact(nil, FactName.bounds, .bounds(bounds)))
        }
        for (index, side) in zip(inputs.indices, JoinInput.allCases) {
            guard let watermark = inputs[index].watermark else { continue }
            facts.append(PlanFact(label(side), FactName.delay, .micros(watermark.delayMicros)))
            if watermark.parts == .partitions {
                facts.append(PlanFact(label(side), FactName.perPartition, .flag(true)))
            } else if watermark.parts == .topics {
                facts.append(PlanFact(label(side), FactName.perTopic, .flag(true)))
            }
        }
        return facts
    }

    /// The input that a fact names; without a join there is only one, and no need to.
    private func label(_ side: JoinInput) -> JoinInput? { join == nil ? nil : side }

    private func facts(ofInput index: Int, _ side: JoinInput) -> [PlanFact] {
        let input = inputs[index]
        let label = label(side)
        let watermark = input.watermark.map { input.columns[$0.column].name } ?? "none"
        var facts = [
            PlanFact(label, FactName.source, .text(input.source)),
            PlanFact(label, FactName.watermarkColumn, .text(watermark)),
        ]
        // Offsets in the checkpoint mean nothing in another topic, or in files.
        if let topics = input.topics { facts.insert(TopicFacts.fact(topics, label), at: 1) }
        if let join {
            let time = join.side(side).joinTime.map { input.columns[$0].name } ?? "none"
            facts.append(PlanFact(label, FactName.joinTime, .text(time)))
        }
        return facts
            + usedColumns(ofInput: index, side).map { PlanFact(label, FactName.column($0.name), .text("\($0.type)")) }
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
        let before = Dictionary(old.map { ($0.label, $0) }, uniquingKeysWith: { first, _ in first })
        let after = Dictionary(new.map { ($0.label, $0) }, uniquingKeysWith: { first, _ in first })
        var comparedTopics: Set<JoinInput?> = []
        for fact in old + new.filter({ before[$0.label] == nil }) {
            if TopicFacts.isTopicFact(fact.name) {
                if comparedTopics.insert(fact.input).inserted { changes.addTopics(old, new, fact.input) }
                continue
            }
            let (was, now) = (before[fact.label]?.value, after[fact.label]?.value)
            if let was, let now, was.isSame(as: now) { continue }
            let change = FingerprintChanges.Change(
                name: fact.label, sentence: FactName.sentence(fact, was?.description, now?.description))
            if FactName.mayChange(fact.name) {
                changes.warnings.append(change)
            } else {
                changes.refusals.append(change)
            }
        }
        return changes
    }
}

extension FingerprintChanges {
    /// The change of what one input reads of Kafka.
    fileprivate mutating func addTopics(_ old: [PlanFact], _ new: [PlanFact], _ input: JoinInput?) {
        let label = PlanFact(input, TopicFacts.home, .text("")).label
        guard let found = TopicFacts(old, input).change(to: TopicFacts(new, input), label) else { return }
        let change = Change(name: label, sentence: found.sentence)
        if found.isRefused { refusals.append(change) } else { warnings.append(change) }
    }
}

/// The names of facts. They are stored in checkpoints: a name is never given another meaning.
private enum FactName {
    static let joinType = "join type"
    static let keys = "keys"
    static let window = "window"
    static let policy = "watermark policy"
    static let bounds = "time bounds"
    static let delay = "watermark delay"
    static let perPartition = "watermark per partition"
    static let perTopic = "watermark per topic"
    static let source = "source"
    static let watermarkColumn = "watermark column"
    static let joinTime = "join time"

    static func column(_ name: String) -> String { "column `\(name)`" }

    static func mayChange(_ name: String) -> Bool {
        name == bounds || name == delay || name == perPartition || name == perTopic
    }

    static func sentence(_ fact: PlanFact, _ before: String?, _ after: String?) -> String {
        let label = fact.label
        switch (before, after) {
        case (let before?, nil) where fact.name.hasPrefix("column `"):
            return "\(label) (\(before)) is no longer used, but rows in state have it"
        case (nil, let after?) where fact.name.hasPrefix("column `"):
            return "\(label) (\(after)) is new, and rows in state do not have it"
        default: break
        }
        if fact.name == perPartition { return partsSentence(label, "partition", isNow: after != nil) }
        if fact.name == perTopic { return partsSentence(label, "topic", isNow: after != nil) }
        let isPlural = fact.name == keys || fact.name == bounds
        let change =
            "\(label) \(isPlural ? "were" : "was") `\(before ?? "none")`, \(isPlural ? "are" : "is") now "
            + "`\(after ?? "none")`"
        if fact.name == bounds { return change + ": rows already in state are judged by the new bounds" }
        if fact.name == delay {
            return change + ": the watermark does not go back, and from now on keeps the new distance"
        }
        return change
    }

    private static func partsSentence(_ label: String, _ part: String, isNow: Bool) -> String {
        let follows =
            isNow
            ? "the watermark does not go back, and from now on waits for the \(part) that is furthest behind"
            : "the watermark from now on follows the latest row of any \(part), and rows of \(part)s behind it are late"
        return "\(label) was `\(!isNow)`, is now `\(isNow)`: \(follows)"
    }
}
