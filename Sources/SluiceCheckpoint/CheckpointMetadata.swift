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
    /// What the query's stage joins, as files name it.
    var stage = ""
    /// The spec as it was last accepted: facts of that stage.
    package var fingerprint: [PlanFact]
    /// How state is cut up; nil without a join. What was stored first wins over what a later plan would choose.
    package var layout: PlanLayout?
    /// After a rollback: what of the past had been given up by then. The newest commit may promise more, in vain.
    var rolledBack = RollbackMark()

    package init(queryID: String, lives: [CheckpointLife], fingerprint: [PlanFact], layout: PlanLayout?) {
        self.queryID = queryID
        self.lives = lives
        self.fingerprint = fingerprint
        self.layout = layout
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
        .object([
            JSONMember("format", .integer(checkpointFormat)),
            JSONMember("queryId", .string(queryID)),
            JSONMember(
                "lives",
                .array(
                    lives.map { life in
                        .object([JSONMember("life", .string(life.id)), JSONMember("from", .integer(life.from))])
                    })),
            JSONMember("format1Through", .integer(format1Through)),
            JSONMember("stage", .string(stage)),
            JSONMember("fingerprint", .array(fingerprint.map(\.json))),
            JSONMember("layout", layout?.json ?? .null),
            JSONMember(
                "rolledBack",
                .object([
                    JSONMember("retainedFrom", .integer(rolledBack.retainedFrom)),
                    JSONMember("stateFrom", .integer(rolledBack.stateFrom)),
                    JSONMember("pendingBatch", .optional(rolledBack.pendingBatch)),
                ])),
        ])
    }

    init(json: JSONValue) throws(JSONError) {
        let isFormat1 = try json.integer("format") < 2
        var facts: [PlanFact] = []
        for fact in try json.array("fingerprint") {
            facts.append(
                isFormat1
                    ? PlanFact(format1: try fact.string("name"), value: try fact.string("value"))
                    : try PlanFact(json: fact))
        }
        let layout = try json.member("layout")
        self.init(
            queryID: try json.string("queryId"), lives: [], fingerprint: facts,
            layout: layout == .null ? nil : try PlanLayout(json: layout))
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
        stage = try json.string("stage")
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
