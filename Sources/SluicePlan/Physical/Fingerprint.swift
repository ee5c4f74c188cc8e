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

/// The facts of one stage, or of a query without one.
package struct StageFingerprint: Hashable, Sendable {
    /// `StagePlan.name`; the source's where there is no stage.
    package var stage: String
    /// In a fixed order.
    package var facts: [PlanFact]

    package init(stage: String, facts: [PlanFact]) {
        self.stage = stage
        self.facts = facts
    }
}

extension PhysicalPlan {
    /// What files call the stages, in order of execution: by what each joins, not by its place. Without a stage it is
    /// the source's name.
    package var stageNames: [String] {
        statefulStages.isEmpty
            ? [name(of: .sources(Array(inputs.indices)))] : statefulStages.map { stages[$0].name }
    }

    /// The facts a checkpoint of this plan depends on, by stage. Shards, buckets and cells are not among them: they are
    /// the checkpoint's own (see `JoinPlan.layout`). What only Kafka sources have is a fact only where it is so, as
    /// checkpoints from before it existed lack it.
    package var fingerprint: [StageFingerprint] {
        guard !statefulStages.isEmpty else {
            let all = StageInput.sources(Array(inputs.indices))
            let facts =
                [PlanFact(nil, FactName.joinType, .text("none")), policyFact] + sourceFacts(all, nil)
                + outputColumnFacts + delayFacts(all, nil)
            return [StageFingerprint(stage: stageNames[0], facts: facts)]
        }
        return stages.filter(\.isStateful).map { StageFingerprint(stage: $0.name, facts: facts(of: $0)) }
    }

    private var policyFact: PlanFact { PlanFact(nil, FactName.policy, .text(watermarkPolicy.rawValue)) }

    private func facts(of stage: StagePlan) -> [PlanFact] {
        switch stage.operation {
        case .join(let join): facts(of: stage, join)
        case .deduplicate(let deduplicate): facts(of: stage, deduplicate)
        case .lookup: []
        }
    }

    private func facts(of stage: StagePlan, _ deduplicate: DeduplicatePlan) -> [PlanFact] {
        let columns = columns(of: stage)[0]
        let names = deduplicate.columns.map { columns[$0] }
        let life: PlanFact.Value =
            deduplicate.withinMicros.map { .micros($0) }
            ?? .text(deduplicate.time == nil ? "for ever" : "by the event time")
        return [
            PlanFact(nil, FactName.joinType, .text("none")),
            PlanFact(nil, FactName.deduplicate, .text(names.map(\.name.column).joined(separator: ", "))),
            PlanFact(nil, FactName.remembered, life), policyFact,
        ] + sourceFacts(stage.inputs[0], nil)
            + names.map { PlanFact(nil, FactName.column($0.name.column), .text("\($0.type)")) }
            + delayFacts(stage.inputs[0], nil)
    }

    private func facts(of stage: StagePlan, _ join: JoinPlan) -> [PlanFact] {
        let columns = columns(of: stage)
        let keys = join.keys.map { key in
            PlanFact.Key(
                left: columns[0][key.left].name.description, right: columns[1][key.right].name.description,
                isNullSafe: key.isNullSafe)
        }
        var facts = [
            PlanFact(nil, FactName.joinType, .text((join.declaredType ?? join.type).rawValue)),
            PlanFact(nil, FactName.keys, .keys(keys)),
            PlanFact(nil, FactName.window, join.left.windowMicros.map { .micros($0) } ?? .text("none")),
            policyFact,
        ]
        if let choice = join.choice { facts.append(PlanFact(nil, FactName.match, .text(choice.match.rawValue))) }
        if join.declaredType != nil { facts.append(PlanFact(nil, FactName.runsAs, .text(join.type.rawValue))) }
        for side in JoinInput.allCases {
            facts += sourceFacts(stage.input(side), side)
            let (plan, own) = (join.side(side), columns[side.rawValue])
            facts.append(
                PlanFact(
                    side, FactName.joinTime, .text(plan.joinTime.map { name(own[$0], stage.input(side)) } ?? "none"))
            )
            // That places are among them follows from `match`.
            facts += own.prefix(plan.stateColumnCount).filter { PlaceColumn(named: $0.name.column) == nil }.map {
                PlanFact(side, FactName.column(name($0, stage.input(side))), .text("\($0.type)"))
            }
        }
        if let bounds = join.bounds, join.left.windowMicros == nil {
            facts.append(PlanFact(nil, FactName.bounds, .bounds(bounds)))
        }
        for side in JoinInput.allCases {
            facts += delayFacts(stage.input(side), side)
        }
        return facts
    }

    /// Of rows of a source the source goes without saying.
    private func name(_ column: RowColumn, _ input: StageInput) -> String {
        direct(input) != nil ? column.name.column : column.name.description
    }

    /// Of the source that a stage reads, if need be through a deduplication; of a union's parts what tells them apart.
    private func sourceFacts(_ input: StageInput, _ label: JoinInput?) -> [PlanFact] {
        guard let numbers = direct(input) else { return [] }
        if numbers.count == 1 { return sourceFacts(numbers[0], label) }
        let parts = numbers.map { inputs[$0].source }.joined(separator: ", ")
        return [
            PlanFact(label, FactName.source, .text(name(of: .sources(numbers)))),
            PlanFact(label, FactName.parts, .text(parts)),
            sourceFacts(numbers[0], label).last,
        ].compactMap(\.self)
    }

    private func delayFacts(_ input: StageInput, _ label: JoinInput?) -> [PlanFact] {
        direct(input).map { delayFacts($0[0], label) } ?? []
    }

    private func sourceFacts(_ number: Int, _ label: JoinInput?) -> [PlanFact] {
        let input = inputs[number]
        let watermark = input.watermark.map { input.columns[$0.column].name } ?? "none"
        var facts = [
            PlanFact(label, FactName.source, .text(input.source)),
            PlanFact(label, FactName.watermarkColumn, .text(watermark)),
        ]
        // Offsets in the checkpoint mean nothing in another topic, or in files.
        if let topics = input.topics { facts.insert(TopicFacts.fact(topics, label), at: 1) }
        return facts
    }

    private func delayFacts(_ number: Int, _ label: JoinInput?) -> [PlanFact] {
        guard let watermark = inputs[number].watermark else { return [] }
        let delay = PlanFact(label, FactName.delay, .micros(watermark.delayMicros))
        switch watermark.parts {
        case .whole: return [delay]
        case .partitions: return [delay, PlanFact(label, FactName.perPartition, .flag(true))]
        case .topics: return [delay, PlanFact(label, FactName.perTopic, .flag(true))]
        }
    }

    /// Without a stage: the columns that the output reads, in row order.
    private var outputColumnFacts: [PlanFact] {
        let columns = inputs[0].columns
        let expressions = output.columns.map(\.expression) + (output.filter.map { [$0] } ?? [])
        let read = expressions.reduce(into: Set<ColumnSlot>()) { $0.formUnion($1.columns) }
        return columns.indices.filter { read.contains(ColumnSlot(input: 0, index: $0)) }.map {
            PlanFact(nil, FactName.column(columns[$0].name), .text("\(columns[$0].type)"))
        }
    }

    /// The name of the only stage of a checkpoint of format 1, which does not say it: of its sources.
    package static func stageName(format1 facts: [PlanFact]) -> String {
        facts.filter { $0.name == FactName.source }.map(\.value.description).joined(separator: "+")
    }

    /// Compares the facts a checkpoint was made with to those of the plan that is to go on with it. A stage that is new
    /// begins with nothing in state; one that is gone is refused.
    package static func compareFingerprints(
        old: [StageFingerprint], new: [StageFingerprint]
    ) -> FingerprintChanges {
        var changes = FingerprintChanges()
        // The only stage there was is the only stage there is, whatever it joins now.
        if old.count == 1, new.count == 1 {
            changes.compare(old[0].facts, new[0].facts, in: nil)
            return changes
        }
        for stage in old {
            guard let now = new.first(where: { $0.stage == stage.stage }) else {
                changes.refusals.append(.gone(stage, new))
                continue
            }
            changes.compare(stage.facts, now.facts, in: stage.stage)
        }
        for stage in new where !old.contains(where: { $0.stage == stage.stage }) {
            changes.warnings.append(.added(stage))
        }
        return changes
    }
}

extension FingerprintChanges.Change {
    fileprivate static func gone(_ stage: StageFingerprint, _ new: [StageFingerprint]) -> Self {
        let rest = new.map { "`\($0.stage)`" }.joined(separator: ", ")
        return Self(
            name: "stage",
            sentence: "the stage `\(stage.stage)` is gone, and rows in state are waiting in it (there is now \(rest))")
    }

    fileprivate static func added(_ stage: StageFingerprint) -> Self {
        Self(
            name: "stage",
            sentence: "the stage `\(stage.stage)` is new: it begins with what comes to it from now on")
    }
}

extension FingerprintChanges {
    /// - Parameter stage: named where there are several.
    fileprivate mutating func compare(_ old: [PlanFact], _ new: [PlanFact], in stage: String?) {
        let before = Dictionary(old.map { ($0.label, $0) }, uniquingKeysWith: { first, _ in first })
        let after = Dictionary(new.map { ($0.label, $0) }, uniquingKeysWith: { first, _ in first })
        var comparedTopics: Set<JoinInput?> = []
        let place = stage.map { "stage `\($0)`: " } ?? ""
        for fact in old + new.filter({ before[$0.label] == nil }) {
            if TopicFacts.isTopicFact(fact.name) {
                if comparedTopics.insert(fact.input).inserted { addTopics(old, new, fact.input) }
                continue
            }
            let (was, now) = (before[fact.label]?.value, after[fact.label]?.value)
            if let was, let now, was.isSame(as: now) { continue }
            if fact.name == FactName.runsAs, !FactName.isWidened(before, after) { continue }
            let change = Change(
                name: fact.label, sentence: place + FactName.sentence(fact, was?.description, now?.description))
            if FactName.mayChange(fact.name) { warnings.append(change) } else { refusals.append(change) }
        }
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
    static let deduplicate = "deduplicated columns"
    static let remembered = "duplicates are remembered"
    /// Of a union.
    static let parts = "union"
    /// Which of the right rows that match join a left row; checkpoints of before it, and of joins of all, lack it.
    static let match = "match"
    /// The type that a join runs as where that is not the one declared.
    static let runsAs = "effective join type"

    /// Whether the state knows less than the join needs now: which rows have matched is kept for the sides whose
    /// unmatched rows come out.
    static func isWidened(_ before: [String: PlanFact], _ after: [String: PlanFact]) -> Bool {
        func preserved(_ facts: [String: PlanFact]) -> [Bool] {
            let type = (facts[runsAs] ?? facts[joinType])?.value.description ?? ""
            return JoinInput.allCases.map { JoinType(rawValue: type)?.preserves($0) ?? false }
        }
        return zip(preserved(before), preserved(after)).contains { !$0 && $1 }
    }

    static func column(_ name: String) -> String { "column `\(name)`" }

    static func mayChange(_ name: String) -> Bool {
        name == bounds || name == delay || name == perPartition || name == perTopic || name == remembered
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
        if fact.name == match {
            return "\(label) was `\(before ?? JoinMatch.all.rawValue)`, is now `\(after ?? JoinMatch.all.rawValue)`"
        }
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
