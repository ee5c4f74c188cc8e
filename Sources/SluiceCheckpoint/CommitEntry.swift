// commits/<batch>: written last, when the sink has the batch.

package import SluiceConnectors
internal import SluiceSpec

/// What a batch ended with.
package struct CommitEntry: Hashable, Sendable {
    package var batch: Int64
    /// The global watermark that batch + 1 uses.
    package var nextWatermarkMillis: Int64
    /// What each input has reached by itself, in milliseconds; nil where nothing was seen. The runner's to interpret.
    package var inputMaximaMillis: [Int64?]
    /// The same per partition or topic, for the inputs whose watermark follows each by itself, by input number.
    package var partMaximaMillis: [Int: [String: Int64]] = [:]
    /// What the plan's stages have evicted, in order of execution; the only one's sides are empty without a join.
    package var stages: [StageEviction]
    /// For reports, such as state row counts.
    package var counters: [String: Int64]
    /// What the batch has cost. Not in the checkpoints of earlier versions, which pass over it.
    package var cost: BatchCost?
    /// The marks that the query's sinks have left by then; nil in format 1, which does not know.
    package var marks: [SinkMark]? = []

    package init(
        batch: Int64, nextWatermarkMillis: Int64, inputMaximaMillis: [Int64?], stages: [StageEviction],
        counters: [String: Int64]
    ) {
        self.batch = batch
        self.nextWatermarkMillis = nextWatermarkMillis
        self.inputMaximaMillis = inputMaximaMillis
        self.stages = stages
        self.counters = counters
    }
}

/// What has left the state of a stage.
package struct StageEviction: Hashable, Sendable {
    /// `PhysicalPlan.stageNames`; empty in format 1, which has one.
    package var stage: String
    /// Per side of the join: rows with a join time at or below it have left state. `Int64.min` where nothing ever
    /// leaves. Never goes back. Empty without a join.
    package var throughMicros: [Int64]

    package init(stage: String, throughMicros: [Int64]) {
        self.stage = stage
        self.throughMicros = throughMicros
    }
}

extension [StageEviction] {
    /// Of one stage, per side; empty for a stage that was not there. Format 1 names no stage, as there was one.
    package func throughMicros(_ stage: String) -> [Int64] {
        first { $0.stage == stage || stage.isEmpty }?.throughMicros ?? []
    }
}

/// The content of `commits/<batch>`: the runner's entry, and which other files belong to it.
struct CommitRecord: Hashable, Sendable {
    /// nil: format 1.
    var origin: FileOrigin?
    var entry: CommitEntry
    /// What the entry's inputs are: the sources, by name.
    var sources: [String]
    /// `OffsetsEntry.fingerprint` of the plan that was carried out; nil in format 1.
    var plan: String?
    /// The oldest batch that can be rolled back to. Logs of earlier batches, and the single deltas of batches up to it,
    /// may be gone once this commit is durable.
    var retainedFrom: Int64
    /// State files up to this batch hold nothing live any more and may be gone once this commit is durable.
    var stateFrom: Int64
    /// The newest batch that has a state file.
    var stateTo: Int64
    /// `StateFile.checksum` of that file, which names the one before in turn; nil where there is none, and in format 1.
    var stateChecksum: UInt32?

    var batch: Int64 { entry.batch }

    /// Whether two copies say the same. One of them may be of format 1, which says less.
    func isCopy(of other: CommitRecord) -> Bool {
        if origin != nil, other.origin != nil { return self == other }
        return saidByFormat1 == other.saidByFormat1
    }

    private var saidByFormat1: CommitRecord {
        var record = self
        (record.origin, record.plan, record.stateChecksum) = (nil, nil, nil)
        (record.sources, record.entry.marks) = ([], nil)
        for index in record.entry.stages.indices { record.entry.stages[index].stage = "" }
        return record
    }
}

extension CommitRecord {
    var json: JSONValue {
        guard let origin, let plan else { preconditionFailure("what is written says where it is from") }
        var members =
            origin.members + [
                JSONMember("batch", .integer(entry.batch)), JSONMember("plan", .string(plan)),
                JSONMember("nextWatermarkMs", .integer(entry.nextWatermarkMillis)),
                JSONMember("sources", .array(entry.inputMaximaMillis.indices.map(maxima))),
                JSONMember(
                    "stages",
                    .array(
                        entry.stages.map { stage in
                            .object([
                                JSONMember("stage", .string(stage.stage)),
                                JSONMember("evictedThroughMicros", .byInput(stage.throughMicros)),
                            ])
                        })),
                JSONMember("counters", .integerMap(entry.counters)),
            ]
        if let cost = entry.cost { members.append(JSONMember("cost", cost.json)) }
        members += [
            JSONMember("retainedFrom", .integer(retainedFrom)), JSONMember("stateFrom", .integer(stateFrom)),
            JSONMember("stateTo", .integer(stateTo)), JSONMember("stateChecksum", .checksum(stateChecksum)),
            JSONMember("marks", entry.marks.map { .array($0.map(\.json)) } ?? .null),
        ]
        return .object(members)
    }

    private func maxima(_ input: Int) -> JSONValue {
        var members = [
            JSONMember("source", .string(sources[input])),
            JSONMember("maximumMs", .optional(entry.inputMaximaMillis[input])),
        ]
        if let partitions = entry.partMaximaMillis[input] {
            members.append(JSONMember("partitionMaximaMs", .integerMap(partitions)))
        }
        return .object(members)
    }

    init(json: JSONValue, batch: Int64) throws(JSONError) {
        origin = try FileOrigin.read(json)
        entry = CommitEntry(
            batch: try json.integer("batch"), nextWatermarkMillis: try json.integer("nextWatermarkMs"),
            inputMaximaMillis: [], stages: [], counters: try json.integerMap("counters"))
        sources = []
        if let cost = json["cost"] { entry.cost = try BatchCost(json: cost) }
        retainedFrom = try json.integer("retainedFrom")
        stateFrom = try json.integer("stateFrom")
        stateTo = try json.integer("stateTo")
        if origin == nil { try readFormat1(json) } else { try readNamed(json) }
        guard entry.batch == batch else { throw JSONError("it is the file of batch \(entry.batch)") }
        guard (0...batch).contains(retainedFrom), noBatch <= stateFrom, stateFrom <= stateTo, stateTo <= batch else {
            throw JSONError("its batches do not fit each other")
        }
    }

    /// What is named by source and stage.
    private mutating func readNamed(_ json: JSONValue) throws(JSONError) {
        plan = try json.string("plan")
        stateChecksum = try json.checksum("stateChecksum")
        for (input, source) in try json.array("sources").enumerated() {
            sources.append(try source.string("source"))
            entry.inputMaximaMillis.append(try source.optionalInteger("maximumMs"))
            if source["partitionMaximaMs"] == nil { continue }
            entry.partMaximaMillis[input] = try source.integerMap("partitionMaximaMs")
        }
        for stage in try json.array("stages") {
            entry.stages.append(
                StageEviction(
                    stage: try stage.string("stage"), throughMicros: try stage.byInput("evictedThroughMicros")))
        }
        guard Set(entry.stages.map(\.stage)).count == entry.stages.count, !entry.stages.isEmpty else {
            throw JSONError("its stages do not differ by name")
        }
        if try json.member("marks") == .null {
            entry.marks = nil
        } else {
            for mark in try json.array("marks") { entry.marks?.append(try SinkMark(json: mark)) }
        }
    }

    /// What format 1 has by the number of the input.
    private mutating func readFormat1(_ json: JSONValue) throws(JSONError) {
        entry.marks = nil
        entry.inputMaximaMillis = try json.optionalIntegers("inputMaximaMs")
        entry.stages = [StageEviction(stage: "", throughMicros: try json.integers("evictedThroughMicros"))]
        guard let partitions = json["partitionMaximaMs"] else { return }
        guard case .object(let members) = partitions else { throw JSONError("`partitionMaximaMs` is no object") }
        for member in members {
            guard let input = Int(member.name) else { throw JSONError("`\(member.name)` is no input's number") }
            entry.partMaximaMillis[input] = try partitions.integerMap(member.name)
        }
    }
}

extension SinkMark {
    fileprivate var json: JSONValue {
        .object([
            JSONMember("cluster", .string(clusterID)), JSONMember("topic", .string(topic)),
            JSONMember("batch", .integer(batch)),
        ])
    }

    fileprivate init(json: JSONValue) throws(JSONError) {
        self.init(
            clusterID: try json.string("cluster"), topic: try json.string("topic"), batch: try json.integer("batch"))
    }
}
