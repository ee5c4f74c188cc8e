// metadata.json: what is fixed for the life of a checkpoint. Replaced atomically (temp, sync, rename), so it is never
// torn.

/// A fact of the spec that state depends on, such as `join.type` = `left outer`.
package struct FingerprintField: Hashable, Sendable {
    package var name: String
    package var value: String

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// How state is cut up. What was stored first wins over what a later plan would choose.
package struct StateLayout: Hashable, Sendable {
    package struct Side: Hashable, Sendable {
        package var bucketWidthMicros: Int64?
        package var cellWidthMicros: Int64?

        package init(bucketWidthMicros: Int64?, cellWidthMicros: Int64?) {
            self.bucketWidthMicros = bucketWidthMicros
            self.cellWidthMicros = cellWidthMicros
        }
    }

    package var shards: Int
    /// One per side of the join: left, then right.
    package var sides: [Side]

    package init(shards: Int, sides: [Side]) {
        self.shards = shards
        self.sides = sides
    }
}

/// The content of `metadata.json`.
package struct CheckpointMetadata: Hashable, Sendable {
    /// A random UUID made with the checkpoint.
    package var queryID: String
    /// The spec as it was last accepted.
    package var fingerprint: [FingerprintField]
    package var layout: StateLayout
    /// After a rollback: what of the past had been given up by then. The newest commit may promise more, in vain.
    var rolledBack = RollbackMark()

    package init(queryID: String, fingerprint: [FingerprintField], layout: StateLayout) {
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
            JSONMember(
                "layout",
                .object([
                    JSONMember("shards", .integer(Int64(layout.shards))),
                    JSONMember("sides", .array(layout.sides.map(\.json))),
                ])),
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
        var fields: [FingerprintField] = []
        for field in try json.array("fingerprint") {
            fields.append(FingerprintField(try field.string("name"), try field.string("value")))
        }
        let layout = try json.member("layout")
        let shards = try layout.integer("shards")
        guard (1...65_536).contains(shards) else { throw JSONError("`shards` is \(shards)") }
        var sides: [StateLayout.Side] = []
        for side in try layout.array("sides") { sides.append(try StateLayout.Side(json: side)) }
        self.init(
            queryID: try json.string("queryId"), fingerprint: fields,
            layout: StateLayout(shards: Int(shards), sides: sides))
        let mark = try json.member("rolledBack")
        rolledBack = RollbackMark(
            retainedFrom: try mark.integer("retainedFrom"), stateFrom: try mark.integer("stateFrom"),
            pendingBatch: try mark.optionalInteger("pendingBatch"))
    }
}

extension StateLayout.Side {
    fileprivate var json: JSONValue {
        .object([
            JSONMember("bucketWidthMicros", .optional(bucketWidthMicros)),
            JSONMember("cellWidthMicros", .optional(cellWidthMicros)),
        ])
    }

    fileprivate init(json: JSONValue) throws(JSONError) {
        bucketWidthMicros = try json.optionalInteger("bucketWidthMicros")
        cellWidthMicros = try json.optionalInteger("cellWidthMicros")
    }
}
