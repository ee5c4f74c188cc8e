// metadata.json: what is fixed for the life of a checkpoint. Replaced atomically (temp, sync, rename), so it is never
// torn.

package import SluiceConnectors
package import SluicePlan
internal import SluiceSpec

/// The content of `metadata.json`.
package struct CheckpointMetadata: Hashable, Sendable {
    /// A random UUID made with the checkpoint.
    package var queryID: String
    /// Ascending; empty only in a checkpoint of format 1 that this version has not opened yet.
    package var lives: [CheckpointLife]
    /// Files of batches up to this one may be of format 1, in a checkpoint that was made by an earlier version.
    var format1Through: Int64 = noBatch
    /// The stage that files of format 1 speak of without a name; nil where it is the only one there is.
    var format1Stage: String?
    /// The query's stages in order of execution, as the spec was last accepted; never empty.
    package var stages: [StoredStage]
    /// After a rollback: what of the past had been given up by then. The newest commit may promise more, in vain.
    var rolledBack = RollbackMark()

    package init(queryID: String, lives: [CheckpointLife], stages: [StoredStage]) {
        precondition(!stages.isEmpty, "a query without a join has a stage of its source")
        self.queryID = queryID
        self.lives = lives
        self.stages = stages
    }

    /// The stage that files call so.
    func stage(named name: String) -> StoredStage? { stages.first { $0.name == name } }

    /// The name of the stage that files of format 1 speak of.
    var nameOfFormat1: String { format1Stage ?? stages[0].name }

    /// The stages of a spec that goes on with this checkpoint: what was stored of state's layout stays.
    func goneOn(with new: [StoredStage]) -> [StoredStage] {
        let facts = PhysicalPlan.remembered(
            new.map { StageFingerprint(stage: $0.name, facts: $0.facts) }, over: fingerprint)
        return zip(new, facts).map { stage, facts in
            let isOnly = stages.count == 1 && new.count == 1
            let before = isOnly ? stages.first : stages.first { $0.name == stage.name }
            return StoredStage(name: stage.name, facts: facts.facts, layout: before?.layout ?? stage.layout)
        }
    }

    /// The facts of all stages.
    package var fingerprint: [StageFingerprint] {
        stages.map { StageFingerprint(stage: $0.name, facts: $0.facts) }
    }
}

/// What a checkpoint knows of a stage, or of a query without one.
package struct StoredStage: Hashable, Sendable {
    /// `PhysicalPlan.stageNames`: what it joins.
    package var name: String
    package var facts: [PlanFact]
    /// How state is cut up; nil without a join. What was stored first wins over what a later plan would choose.
    package var layout: PlanLayout?

    package init(name: String, facts: [PlanFact], layout: PlanLayout?) {
        self.name = name
        self.facts = facts
        self.layout = layout
    }
}

extension PhysicalPlan {
    /// What a checkpoint is to know of the plan's stages.
    package var storedStages: [StoredStage] {
        let stateful = statefulStages
        return zip(fingerprint.indices, fingerprint).map { index, stage in
            StoredStage(
                name: stage.stage, facts: stage.facts,
                layout: stateful.indices.contains(index) ? stages[stateful[index]].layout : nil)
        }
    }
}

/// What a rollback leaves in the metadata.
struct RollbackMark: Hashable, Sendable {
    /// As `CommitRecord.retainedFrom`.
    var retainedFrom: Int64 = 0
    /// As `CommitRecord.stateFrom`.
    var stateFrom: Int64 = noBatch
    /// Set while files behind this batch are being removed; the next open goes on with that.
    var pendingBatch: Int64?
}

/// Stands for "before the first batch" where a batch id is expected.
let noBatch: Int64 = -1

extension CheckpointMetadata {
    var json: JSONValue {
        // What one stage needs is said as it always was.
        .object(
            [
                JSONMember("format", .integer(stages.count == 1 ? checkpointFormat : stagesFormat)),
                JSONMember("queryId", .string(queryID)),
                JSONMember(
                    "lives",
                    .array(
                        lives.map { life in
                            .object([JSONMember("life", .string(life.id)), JSONMember("from", .integer(life.from))])
                        })),
                JSONMember("format1Through", .integer(format1Through)),
            ]
                + (format1Stage.map { [JSONMember("format1Stage", .string($0))] } ?? [])
                + (stages.count == 1
                    ? stages[0].members : [JSONMember("stages", .array(stages.map { .object($0.members) }))])
                + [
                    JSONMember(
                        "rolledBack",
                        .object([
                            JSONMember("retainedFrom", .integer(rolledBack.retainedFrom)),
                            JSONMember("stateFrom", .integer(rolledBack.stateFrom)),
                            JSONMember("pendingBatch", .optional(rolledBack.pendingBatch)),
                        ]))
                ])
    }

    init(json: JSONValue) throws(JSONError) {
        let format = try json.integer("format")
        let isFormat1 = format < 2
        var stages: [StoredStage] = []
        for stage in format < stagesFormat ? [json] : try json.array("stages") {
            stages.append(try StoredStage(json: stage, isFormat1: isFormat1))
        }
        if stages.isEmpty { throw JSONError("it has no stages") }
        self.init(queryID: try json.string("queryId"), lives: [], stages: stages)
        if !isFormat1 { try readLives(json) }
        let mark = try json.member("rolledBack")
        rolledBack = RollbackMark(
            retainedFrom: try mark.integer("retainedFrom"), stateFrom: try mark.integer("stateFrom"),
            pendingBatch: try mark.optionalInteger("pendingBatch"))
    }

    private mutating func readLives(_ json: JSONValue) throws(JSONError) {
        for life in try json.array("lives") {
            lives.append(CheckpointLife(id: try life.string("life"), from: try life.integer("from")))
        }
        guard lives.first?.from == 0, zip(lives, lives.dropFirst()).allSatisfy({ $0.from < $1.from }) else {
            throw JSONError("its lives do not follow each other")
        }
        format1Through = try json.integer("format1Through")
        if json["format1Stage"] != nil { format1Stage = try json.string("format1Stage") }
    }
}

extension StoredStage {
    fileprivate var members: [JSONMember] {
        [
            JSONMember("stage", .string(name)), JSONMember("fingerprint", .array(facts.map(\.json))),
            JSONMember("layout", layout?.json ?? .null),
        ]
    }

    fileprivate init(json: JSONValue, isFormat1: Bool) throws(JSONError) {
        var facts: [PlanFact] = []
        for fact in try json.array("fingerprint") {
            facts.append(
                isFormat1
                    ? PlanFact(format1: try fact.string("name"), value: try fact.string("value"))
                    : try PlanFact(json: fact))
        }
        let layout = try json.member("layout")
        self.init(
            name: isFormat1 ? PhysicalPlan.stageName(format1: facts) : try json.string("stage"), facts: facts,
            layout: layout == .null ? nil : try PlanLayout(json: layout))
    }
}

extension PlanFact {
    fileprivate var json: JSONValue {
        let value: JSONMember =
            switch self.value {
            case .text(let text): JSONMember("text", .string(text))
            case .micros(let micros): JSONMember("micros", .integer(micros))
            case .flag(let flag): JSONMember("flag", .bool(flag))
            case .bounds(let bounds):
                JSONMember(
                    "boundsMicros",
                    .object([
                        JSONMember("lower", .optional(bounds.lower)), JSONMember("upper", .optional(bounds.upper)),
                    ]))
            case .keys(let keys): JSONMember("keys", .array(keys.map(\.json)))
            case .spoken(let text): JSONMember("spoken", .string(text))
            }
        return .object([
            JSONMember("input", input.map { .string("\($0)") } ?? .null), JSONMember("name", .string(name)), value,
        ])
    }

    fileprivate init(json: JSONValue) throws(JSONError) {
        let input: JoinInput?
        switch try json.member("input") {
        case .null: input = nil
        case .string(let name):
            input = JoinInput.allCases.first { "\($0)" == name }
            if input == nil { throw JSONError("a fact speaks of an input `\(name)`") }
        default: throw JSONError("`input` is not text")
        }
        self.init(input, try json.string("name"), try Self.value(json))
    }

    private static func value(_ json: JSONValue) throws(JSONError) -> Value {
        if json["text"] != nil { return .text(try json.string("text")) }
        if json["micros"] != nil { return .micros(try json.integer("micros")) }
        if json["flag"] != nil { return .flag(try json.bool("flag")) }
        if let bounds = json["boundsMicros"] {
            return .bounds(
                TimeBounds(lower: try bounds.optionalInteger("lower"), upper: try bounds.optionalInteger("upper")))
        }
        if json["keys"] == nil { return .spoken(try json.string("spoken")) }
        var keys: [Key] = []
        for key in try json.array("keys") {
            keys.append(
                Key(
                    left: try key.string("left"), right: try key.string("right"),
                    isNullSafe: try key.bool("isNullSafe")))
        }
        return .keys(keys)
    }
}

extension PlanFact.Key {
    fileprivate var json: JSONValue {
        .object([
            JSONMember("left", .string(left)), JSONMember("right", .string(right)),
            JSONMember("isNullSafe", .bool(isNullSafe)),
        ])
    }
}

extension PlanLayout {
    fileprivate var json: JSONValue {
        .object([
            JSONMember("shards", .integer(Int64(shards))), JSONMember("left", left.json),
            JSONMember("right", right.json),
        ])
    }

    fileprivate init(json: JSONValue) throws(JSONError) {
        let shards = try json.integer("shards")
        guard (1...65_536).contains(shards) else { throw JSONError("`shards` is \(shards)") }
        self.init(
            shards: Int(shards), left: try Side(json: try json.member("left")),
            right: try Side(json: try json.member("right")))
    }
}

extension PlanLayout.Side {
    fileprivate var json: JSONValue {
        .object([
            JSONMember("bucketWidthMicros", .optional(bucketWidthMicros)),
            JSONMember("cellWidthMicros", .optional(cellWidthMicros)),
        ])
    }

    fileprivate init(json: JSONValue) throws(JSONError) {
        self.init(
            bucketWidthMicros: try json.optionalInteger("bucketWidthMicros"),
            cellWidthMicros: try json.optionalInteger("cellWidthMicros"))
    }
}
