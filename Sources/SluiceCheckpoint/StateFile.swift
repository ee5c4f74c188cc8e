// Names and headers of the files in state/:
//
//     17.delta.gz            what batch 17 added to state; batches that changed nothing have no file
//     0-255.merged.gz        the same content as all files from batch 0 to 255, without what has been evicted since
//
// A file is gzip members one after another: first the header (JSON), then one payload per shard that has any, in the
// order of the header's list, with their checksums. Files form a chain: each names the batch and the checksum of the
// file before it, and the commit those of the last one, so a file that went missing is noticed, and one in the place of
// another too. A merged file carries the checksums of what it was made of, and stands in the chain for them:
//
//     commit ──▶ 19.delta ──▶ 18.delta ──▶ 0-17.merged (a…, b…, c…)         ──▶ names a checksum
//                                 └──────────────────────── c…
//
// A file's checksum is that of its header, which has those of its payloads.

internal import SluiceSpec

/// What `state/<name>` says by its name.
struct StateFileName: Hashable, Sendable, CustomStringConvertible {
    enum Kind: String, Sendable {
        case delta
        case merged
    }

    var kind: Kind
    var from: Int64
    var to: Int64

    var description: String {
        switch kind {
        case .delta: "\(to).delta.gz"
        case .merged: "\(from)-\(to).merged.gz"
        }
    }

    init(kind: Kind, from: Int64, to: Int64) {
        self.kind = kind
        self.from = from
        self.to = to
    }

    /// nil for a name that a checkpoint does not make.
    init?(_ name: String) {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[2] == "gz", let kind = Kind(rawValue: String(parts[1])) else { return nil }
        let batches = parts[0].split(separator: "-", omittingEmptySubsequences: false).map { batchNumber($0) }
        switch (kind, batches.count) {
        case (.delta, 1):
            guard let batch = batches[0] else { return nil }
            self.init(kind: .delta, from: batch, to: batch)
        case (.merged, 2):
            guard let from = batches[0], let to = batches[1], from <= to else { return nil }
            self.init(kind: .merged, from: from, to: to)
        default: return nil
        }
    }

    func covers(_ other: StateFileName) -> Bool { from <= other.from && other.to <= to }
}

/// A batch id in plain decimal: no sign, no leading zero, nothing else. nil otherwise.
func batchNumber(_ text: some StringProtocol) -> Int64? {
    if text.isEmpty { return nil }
    guard text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else { return nil }
    guard text.utf8.first != UInt8(ascii: "0") || text.utf8.count == 1 else { return nil }
    return Int64(text)
}

/// Which state a payload is of.
struct StatePart: Hashable, Sendable, Comparable {
    /// `PhysicalPlan.stageNames`.
    var stage: String
    var shard: Int

    static func < (a: StatePart, b: StatePart) -> Bool { (a.stage, a.shard) < (b.stage, b.shard) }
}

/// The payload of one shard in a state file.
struct StateShard: Hashable, Sendable {
    var shard: Int
    /// Of the gzip member.
    var byteCount: Int
    var rawByteCount: Int
    /// Of the payload, as the gzip member has it; nil in format 1.
    var checksum: UInt32?
}

/// The first member of a state file.
struct StateHeader: Hashable, Sendable {
    /// nil: format 1.
    var origin: FileOrigin?
    var name: StateFileName
    /// The batch of the state file before this one, `noBatch` when there was none.
    var previous: Int64
    /// `StateFile.checksum` of that file; nil where there was none, and in format 1.
    var previousChecksum: UInt32?
    /// Of the files that a merged file was made of, oldest first; empty in format 1.
    var inputChecksums: [UInt32] = []
    /// 0 for a delta; a merged file is one above the files it came from.
    var level: Int
    /// By name, each once. A merged file may have stages without payloads.
    var stages: [StateSection]

    /// Which payloads follow, in this order.
    var parts: [(part: StatePart, shard: StateShard)] {
        stages.flatMap { section in section.shards.map { (StatePart(stage: section.stage, shard: $0.shard), $0) } }
    }

    /// True when all that the file holds has left state.
    func isEvicted(through evictions: [StageEviction]) -> Bool {
        stages.allSatisfy { $0.isEvicted(through: evictions) }
    }
}

/// What a state file has of one stage.
struct StateSection: Hashable, Sendable {
    /// `PhysicalPlan.stageNames`. Empty in a file of format 1 until the metadata has said which it is.
    var stage: String
    var shards: [StateShard] = []
    /// Per side: no row in the file, and no row that its marks speak of, has a later join time. `Int64.min`: none.
    var lastJoinTimeMicros: [Int64]
    /// Per side, as in `CommitEntry.stages`: of a delta's own batch, or what a merge went by.
    var evictedThroughMicros: [Int64]

    /// True when all that it holds has left state. Without sides nothing ever does.
    func isEvicted(through evictions: [StageEviction]) -> Bool {
        let through = evictions.throughMicros(stage)
        if lastJoinTimeMicros.isEmpty || lastJoinTimeMicros.count != through.count { return false }
        return zip(lastJoinTimeMicros, through).allSatisfy { $0 <= $1 }
    }
}

extension StateHeader {
    var json: JSONValue {
        guard let origin else { preconditionFailure("what is written says where it is from") }
        return .object(
            origin.members + [
                JSONMember("kind", .string(name.kind.rawValue)),
                JSONMember("from", .integer(name.from)),
                JSONMember("to", .integer(name.to)),
                JSONMember("previous", .integer(previous)),
                JSONMember("previousChecksum", .checksum(previousChecksum)),
                JSONMember("inputChecksums", .array(inputChecksums.map { .checksum($0) })),
                JSONMember("level", .integer(Int64(level))),
                JSONMember(
                    "stages",
                    .array(
                        stages.map { stage in
                            .object([
                                JSONMember("stage", .string(stage.stage)),
                                JSONMember("lastJoinTimeMicros", .byInput(stage.lastJoinTimeMicros)),
                                JSONMember("evictedThroughMicros", .byInput(stage.evictedThroughMicros)),
                                JSONMember("shards", .array(stage.shards.map(\.json))),
                            ])
                        })),
            ])
    }

    init(json: JSONValue, name: StateFileName) throws(JSONError) {
        self.name = name
        origin = try FileOrigin.read(json)
        guard try json.string("kind") == name.kind.rawValue, try json.integer("from") == name.from,
            try json.integer("to") == name.to
        else { throw JSONError("its header belongs to another file") }
        previous = try json.integer("previous")
        let level = try json.integer("level")
        guard (0...64).contains(level), (level == 0) == (name.kind == .delta), noBatch <= previous, previous < name.from
        else { throw JSONError("its header contradicts itself") }
        self.level = Int(level)
        stages = []
        if origin == nil {
            var section = StateSection(
                stage: "", lastJoinTimeMicros: try json.integers("lastJoinTimeMicros"),
                evictedThroughMicros: try json.integers("evictedThroughMicros"))
            try section.readShards(json, isFormat1: true)
            stages = [section]
        } else {
            try readChain(json)
            for stage in try json.array("stages") {
                var section = StateSection(
                    stage: try stage.string("stage"), lastJoinTimeMicros: try stage.byInput("lastJoinTimeMicros"),
                    evictedThroughMicros: try stage.byInput("evictedThroughMicros"))
                try section.readShards(stage, isFormat1: false)
                stages.append(section)
            }
            guard Set(stages.map(\.stage)).count == stages.count else {
                throw JSONError("its stages do not differ by name")
            }
        }
    }

    private mutating func readChain(_ json: JSONValue) throws(JSONError) {
        previousChecksum = try json.checksum("previousChecksum")
        for checksum in try json.array("inputChecksums") {
            inputChecksums.append(try checksum.asChecksum("inputChecksums"))
        }
        guard inputChecksums.isEmpty == (name.kind == .delta) else { throw JSONError("its header contradicts itself") }
    }

}

extension StateSection {
    fileprivate mutating func readShards(_ json: JSONValue, isFormat1: Bool) throws(JSONError) {
        for shard in try json.array("shards") {
            let shard = StateShard(
                shard: Int(try shard.integer("shard")), byteCount: Int(try shard.integer("bytes")),
                rawByteCount: Int(try shard.integer("rawBytes")),
                checksum: isFormat1 ? nil : try shard.checksum("crc32"))
            guard shard.shard > (shards.last?.shard ?? -1), (1...(1 << 40)).contains(shard.byteCount),
                (1...(1 << 40)).contains(shard.rawByteCount)
            else { throw JSONError("its list of shards makes no sense") }
            shards.append(shard)
        }
    }
}

extension StateShard {
    fileprivate var json: JSONValue {
        .object([
            JSONMember("shard", .integer(Int64(shard))), JSONMember("bytes", .integer(Int64(byteCount))),
            JSONMember("rawBytes", .integer(Int64(rawByteCount))), JSONMember("crc32", .checksum(checksum)),
        ])
    }
}

/// A state file on disk.
struct StateFile: Hashable, Sendable {
    var header: StateHeader
    /// Of the header's gzip member.
    var headerByteCount: Int
    /// Of the header's text.
    var headerChecksum: UInt32

    /// What the files behind it and commits know it by.
    var checksum: UInt32 { header.inputChecksums.last ?? headerChecksum }

    var name: StateFileName { header.name }

    var byteCount: Int64 { header.parts.reduce(Int64(headerByteCount)) { $0 + Int64($1.shard.byteCount) } }
}
