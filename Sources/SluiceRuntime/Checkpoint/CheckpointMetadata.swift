// metadata.json: what is fixed for the life of a checkpoint. Replaced atomically (temp, sync, rename), so it is never
// torn.

package import SluicePlan

/// The content of `metadata.json`.
package struct CheckpointMetadata: Hashable, Sendable {
    /// A random UUID made with the checkpoint.
    package var queryID: String
    /// The spec as it was last accepted.
    package var fingerprint: [PlanFact]
    /// How state is cut up; nil without a join. What was stored first wins over what a later plan would choose.
    package var layout: PlanLayout?
    /// After a rollback: what of the past had been given up by then. The newest commit may promise more, in vain.
    var rolledBack = RollbackMark()

    package init(queryID: String, fingerprint: [PlanFact], layout: PlanLayout?) {
        self.queryID = queryID
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
                "fingerprint",
                .array(
                    fingerprint.map { field in
                        .object([JSONMember("name", .string(field.name)), JSONMember("value", .string(field.value))])
                    })),
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
        var facts: [PlanFact] = []
        for fact in try json.array("fingerprint") {
            facts.append(PlanFact(name: try fact.string("name"), value: try fact.string("value")))
        }
        let layout = try json.member("layout")
        self.init(
            queryID: try json.string("queryId"), fingerprint: facts,
            layout: layout == .null ? nil : try PlanLayout(json: layout))
        let mark = try json.member("rolledBack")
        rolledBack = RollbackMark(
            retainedFrom: try mark.integer("retainedFrom"), stateFrom: try mark.integer("stateFrom"),
            pendingBatch: try mark.optionalInteger("pendingBatch"))
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
