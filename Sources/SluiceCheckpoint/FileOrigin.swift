// Which query, and which life of it, a file of a checkpoint is of. A life begins when a checkpoint is made, and again
// when it is rolled back: two files with one name and one batch can then be told apart, however whole each of them is.
// A file that somebody has put back from elsewhere or from another time is refused by its name.

package import SluiceConnectors
internal import SluiceSpec
internal import SluiceSystem

/// What every file of a checkpoint carries since format 2.
struct FileOrigin: Hashable, Sendable {
    /// `CheckpointMetadata.queryID`.
    var queryID: String
    /// The life that was in force at the file's batch.
    var life: String
}

extension FileOrigin {
    /// What a JSON file begins with.
    var members: [JSONMember] {
        [
            JSONMember("format", .integer(checkpointFormat)), JSONMember("queryId", .string(queryID)),
            JSONMember("life", .string(life)),
        ]
    }

    /// nil for a file of format 1, which does not say where it is from.
    static func read(_ json: JSONValue) throws(JSONError) -> FileOrigin? {
        if try json.integer("format") < 2 { return nil }
        return FileOrigin(queryID: try json.string("queryId"), life: try json.string("life"))
    }
}

extension CheckpointMetadata {
    /// The life in force at a batch; nil in a checkpoint of format 1 that this version has not opened yet.
    package func life(at batch: Int64) -> CheckpointLife? { lives.last { $0.from <= batch } }

    /// What a file of a batch is to carry. The checkpoint has been opened.
    func origin(at batch: Int64) -> FileOrigin {
        guard let life = life(at: batch) else { preconditionFailure("a checkpoint that is open has a life") }
        return FileOrigin(queryID: queryID, life: life.id)
    }

    /// Why a file of a batch is not this checkpoint's; nil when it is.
    func objection(to origin: FileOrigin?, batch: Int64) -> String? {
        guard let origin else {
            if lives.isEmpty || batch <= format1Through { return nil }
            return "it has format 1, and the checkpoint has had format 2 since batch \(format1Through + 1)"
        }
        guard origin.queryID == queryID else {
            return "it is of the query with the id \(origin.queryID), and metadata.json of \(queryID)"
        }
        if origin.life == life(at: batch)?.id { return nil }
        if let life = lives.first(where: { $0.id == origin.life }) {
            return "it is of the life that began at batch \(life.from), and batch \(batch) of a later one"
        }
        return "it is of a life (\(origin.life)) that metadata.json does not know: of another copy of the checkpoint, "
            + "or from before a rollback"
    }

    /// Takes the metadata of a checkpoint of format 1 into this format: it has had one life so far, and files through
    /// `batch` may be of format 1. Leaves that of format 2 as it is.
    mutating func bringUpToDate(formatOneThrough batch: Int64, life: String) {
        guard lives.isEmpty else { return }
        beginLife(life, from: 0)
        format1Through = batch
    }

    /// Begins a life, in place of whatever was from its first batch on.
    mutating func beginLife(_ id: String, from batch: Int64) {
        lives.removeAll { $0.from >= batch }
        lives.append(CheckpointLife(id: id, from: batch))
    }
}

/// A random name for a life of a checkpoint: short, as every file carries it, and only to differ from a few others.
package func randomLife() -> String { zeroPadded(randomSeed(), 16, radix: 16) }

/// A checksum as files name it: eight hexadecimal digits.
func checksumDigits(_ checksum: UInt32) -> String { zeroPadded(checksum, 8, radix: 16) }

extension JSONValue {
    static func checksum(_ checksum: UInt32?) -> JSONValue { checksum.map { .string(checksumDigits($0)) } ?? .null }

    func checksum(_ name: String) throws(JSONError) -> UInt32? {
        let value = try member(name)
        if value == .null { return nil }
        return try value.asChecksum(name)
    }

    func asChecksum(_ name: String) throws(JSONError) -> UInt32 {
        guard case .string(let digits) = self, digits.utf8.count == 8, let checksum = UInt32(digits, radix: 16) else {
            throw JSONError("`\(name)` is no checksum")
        }
        return checksum
    }

    /// One number for each input of a stage, by the input's name.
    static func byInput(_ values: [Int64]) -> JSONValue {
        .object(zip(inputNames, values).map { JSONMember($0, .integer($1)) })
    }

    func byInput(_ name: String) throws(JSONError) -> [Int64] {
        let members = try members(name)
        guard members.map(\.name).elementsEqual(inputNames.prefix(members.count)) else {
            throw JSONError("`\(name)` names other inputs")
        }
        var values: [Int64] = []
        for member in members {
            guard case .integer(let value) = member.value else {
                throw JSONError("`\(name)` holds other than whole numbers")
            }
            values.append(value)
        }
        return values
    }
}

/// What the inputs of a stage are called, in their order.
private let inputNames = ["left", "right"]
