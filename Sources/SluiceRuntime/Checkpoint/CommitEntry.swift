// commits/<batch>: written last, when the sink has the batch.

/// What a batch ended with.
package struct CommitEntry: Hashable, Sendable {
    package var batch: Int64
    /// The global watermark that batch + 1 uses.
    package var nextWatermarkMillis: Int64
    /// What each input has reached by itself, in milliseconds; nil where nothing was seen. The runner's to interpret.
    package var inputMaximaMillis: [Int64?]
    /// The same per partition, for the inputs whose watermark follows each partition by itself, by input number.
    package var partitionMaximaMillis: [Int: [String: Int64]] = [:]
    /// Per side of the join: rows with a join time at or below it have left state. `Int64.min` where nothing ever
    /// leaves. Never goes back. Empty without a join.
    package var evictedThroughMicros: [Int64]
    /// For reports, such as state row counts.
    package var counters: [String: Int64]
    /// What the batch has cost. Not in the checkpoints of earlier versions, which pass over it.
    package var cost: BatchCost?

    package init(
        batch: Int64, nextWatermarkMillis: Int64, inputMaximaMillis: [Int64?], evictedThroughMicros: [Int64],
        counters: [String: Int64]
    ) {
        self.batch = batch
        self.nextWatermarkMillis = nextWatermarkMillis
        self.inputMaximaMillis = inputMaximaMillis
        self.evictedThroughMicros = evictedThroughMicros
        self.counters = counters
    }
}

/// The content of `commits/<batch>`: the runner's entry, and which other files belong to it.
struct CommitRecord: Hashable, Sendable {
    var entry: CommitEntry
    /// The oldest batch that can be rolled back to. Logs of earlier batches, and the single deltas of batches up to it,
    /// may be gone once this commit is durable.
    var retainedFrom: Int64
    /// State files up to this batch hold nothing live any more and may be gone once this commit is durable.
    var stateFrom: Int64
    /// The newest batch that has a state file.
    var stateTo: Int64

    var batch: Int64 { entry.batch }
}

extension CommitRecord {
    var json: JSONValue {
        var members = [
            JSONMember("format", .integer(checkpointFormat)),
            JSONMember("batch", .integer(entry.batch)),
            JSONMember("nextWatermarkMs", .integer(entry.nextWatermarkMillis)),
            JSONMember("inputMaximaMs", .optionalIntegers(entry.inputMaximaMillis)),
        ]
        // A member that most checkpoints do not have, and that older ones never had.
        if !entry.partitionMaximaMillis.isEmpty {
            let inputs = entry.partitionMaximaMillis.sorted { $0.key < $1.key }
            members.append(
                JSONMember(
                    "partitionMaximaMs",
                    .object(inputs.map { JSONMember("\($0.key)", .integerMap($0.value)) })))
        }
        members += [
            JSONMember("evictedThroughMicros", .integers(entry.evictedThroughMicros)),
            JSONMember("counters", .integerMap(entry.counters)),
        ]
        if let cost = entry.cost { members.append(JSONMember("cost", cost.json)) }
        members += [
            JSONMember("retainedFrom", .integer(retainedFrom)),
            JSONMember("stateFrom", .integer(stateFrom)),
            JSONMember("stateTo", .integer(stateTo)),
        ]
        return .object(members)
    }

    init(json: JSONValue, batch: Int64) throws(JSONError) {
        entry = CommitEntry(
            batch: try json.integer("batch"), nextWatermarkMillis: try json.integer("nextWatermarkMs"),
            inputMaximaMillis: try json.optionalIntegers("inputMaximaMs"),
            evictedThroughMicros: try json.integers("evictedThroughMicros"),
            counters: try json.integerMap("counters"))
        if let partitions = json["partitionMaximaMs"] {
            guard case .object(let members) = partitions else { throw JSONError("`partitionMaximaMs` is no object") }
            for member in members {
                guard let input = Int(member.name) else { throw JSONError("`\(member.name)` is no input's number") }
                entry.partitionMaximaMillis[input] = try partitions.integerMap(member.name)
            }
        }
        if let cost = json["cost"] { entry.cost = try BatchCost(json: cost) }
        retainedFrom = try json.integer("retainedFrom")
        stateFrom = try json.integer("stateFrom")
        stateTo = try json.integer("stateTo")
        guard entry.batch == batch else { throw JSONError("it is the file of batch \(entry.batch)") }
        guard (0...batch).contains(retainedFrom), noBatch <= stateFrom, stateFrom <= stateTo, stateTo <= batch else {
            throw JSONError("its batches do not fit each other")
        }
    }
}
