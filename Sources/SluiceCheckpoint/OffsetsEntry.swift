// offsets/<batch>: written and made durable before the batch is read. It also holds a copy of the commit before it, so
// that one wait for the disk makes both durable: commits/<batch - 1> itself is never waited for while the query runs.

package import SluiceConnectors
internal import SluiceSpec

/// What one batch takes from one source.
package struct SourceBatch: Hashable, Sendable {
    /// The source's name in the spec.
    package var source: String
    package var ranges: [OffsetRange]
    /// The position behind the batch, all partitions. For a source whose positions are its history (whole files) it is
    /// written to `sources/<name>.log`, and only its size is kept here.
    package var next: SourceOffsets
    /// What tells partitions apart from others of their names (`Source.marks`).
    package var marks: [String: String]

    package init(source: String, ranges: [OffsetRange], next: SourceOffsets, marks: [String: String] = [:]) {
        self.source = source
        self.ranges = ranges
        self.next = next
        self.marks = marks
    }
}

/// The plan of one batch: a replay does exactly this.
package struct OffsetsEntry: Hashable, Sendable {
    package var batch: Int64
    /// Wall time of the batch's trigger, milliseconds since the epoch.
    package var batchTimeMillis: Int64
    /// Rows at or below it are late.
    package var lateWatermarkMillis: Int64
    /// State at or below what it implies is evicted.
    package var evictionWatermarkMillis: Int64
    /// Run only because the watermark moved.
    package var isNoData: Bool
    /// All sources of the query, also those that the batch takes nothing from.
    package var sources: [SourceBatch]
    /// By table the version that the batch joins.
    package var tables: [String: Int64] = [:]

    package init(
        batch: Int64, batchTimeMillis: Int64, lateWatermarkMillis: Int64, evictionWatermarkMillis: Int64,
        isNoData: Bool, sources: [SourceBatch]
    ) {
        self.batch = batch
        self.batchTimeMillis = batchTimeMillis
        self.lateWatermarkMillis = lateWatermarkMillis
        self.evictionWatermarkMillis = evictionWatermarkMillis
        self.isNoData = isNoData
        self.sources = sources
    }
}

extension OffsetsEntry {
    /// Equal for plans that read the same with the same watermarks: what a sink knows a batch by that it has seen
    /// before. Positions follow from the ranges and do not count: those of whole files are all that were ever taken.
    package var fingerprint: String {
        // The text of format 1, for ever: topics hold fingerprints of it. Neither format nor life may show in it.
        let text = JSONValue.object(
            [JSONMember("format", .integer(1))] + planMembers
                + [
                    JSONMember(
                        "sources",
                        .array(
                            sources.map { source in
                                .object([
                                    JSONMember("source", .string(source.source)),
                                    JSONMember("ranges", .array(source.ranges.map(\.json))),
                                    JSONMember("next", .object([])),
                                ])
                            })),
                    JSONMember("previousCommit", .null),
                ]
        ).text()
        return checksumDigits(crc32(text))
    }

    fileprivate var planMembers: [JSONMember] {
        [
            JSONMember("batch", .integer(batch)), JSONMember("batchTimeMs", .integer(batchTimeMillis)),
            JSONMember("lateWatermarkMs", .integer(lateWatermarkMillis)),
            JSONMember("evictionWatermarkMs", .integer(evictionWatermarkMillis)),
            JSONMember("isNoData", .bool(isNoData)),
        ] + (tables.isEmpty ? [] : [JSONMember("tables", .integerMap(tables))])
    }
}

/// As stored: one source's part of an offsets file.
struct SourceRecord: Hashable, Sendable {
    enum Position: Hashable, Sendable {
        case complete([String: Int64])
        /// How many partitions the history has behind this batch, and the sum over them (`SourceHistory.digest`); nil
        /// in format 1.
        case history(count: Int64, digest: UInt64?)
    }

    var source: String
    var ranges: [OffsetRange]
    var position: Position
    var marks: [String: String]
}

/// The content of `offsets/<batch>`.
struct OffsetsRecord: Hashable, Sendable {
    /// nil: format 1.
    var origin: FileOrigin?
    var batch: Int64
    var batchTimeMillis: Int64
    var lateWatermarkMillis: Int64
    var evictionWatermarkMillis: Int64
    var isNoData: Bool
    var sources: [SourceRecord]
    var tables: [String: Int64] = [:]
    /// The commit of `batch - 1`; nil for batch 0 only.
    var previousCommit: CommitRecord?

    /// - Parameter histories: of the sources whose positions are their history, the sum over all up to this batch.
    init(_ entry: OffsetsEntry, origin: FileOrigin, histories: [String: UInt64], previousCommit: CommitRecord?) {
        self.origin = origin
        batch = entry.batch
        batchTimeMillis = entry.batchTimeMillis
        lateWatermarkMillis = entry.lateWatermarkMillis
        evictionWatermarkMillis = entry.evictionWatermarkMillis
        isNoData = entry.isNoData
        tables = entry.tables
        sources = entry.sources.map { source in
            SourceRecord(
                source: source.source, ranges: source.ranges,
                position: histories[source.source].map { .history(count: Int64(source.next.next.count), digest: $0) }
                    ?? .complete(source.next.next),
                marks: source.marks)
        }
        self.previousCommit = previousCommit
    }

    /// With the positions of history sources put in.
    func entry(histories: [String: SourceOffsets]) -> OffsetsEntry {
        var entry = OffsetsEntry(
            batch: batch, batchTimeMillis: batchTimeMillis, lateWatermarkMillis: lateWatermarkMillis,
            evictionWatermarkMillis: evictionWatermarkMillis, isNoData: isNoData,
            sources: sources.map { record in
                let next: SourceOffsets =
                    switch record.position {
                    case .complete(let next): SourceOffsets(next)
                    case .history: histories[record.source] ?? SourceOffsets()
                    }
                return SourceBatch(source: record.source, ranges: record.ranges, next: next, marks: record.marks)
            })
        entry.tables = tables
        return entry
    }
}

extension OffsetsRecord {
    var json: JSONValue {
        guard let origin else { preconditionFailure("what is written says where it is from") }
        return .object(
            origin.members + entry(histories: [:]).planMembers + [
                JSONMember("sources", .array(sources.map(\.json))),
                JSONMember("previousCommit", previousCommit?.json ?? .null),
            ])
    }

    init(json: JSONValue, batch: Int64) throws(JSONError) {
        origin = try FileOrigin.read(json)
        self.batch = try json.integer("batch")
        guard self.batch == batch else { throw JSONError("it is the file of batch \(self.batch)") }
        batchTimeMillis = try json.integer("batchTimeMs")
        lateWatermarkMillis = try json.integer("lateWatermarkMs")
        evictionWatermarkMillis = try json.integer("evictionWatermarkMs")
        isNoData = try json.bool("isNoData")
        if json["tables"] != nil { tables = try json.integerMap("tables") }
        sources = []
        for source in try json.array("sources") { sources.append(try SourceRecord(json: source)) }
        guard Set(sources.map(\.source)).count == sources.count else { throw JSONError("a source stands twice") }
        let previous = try json.member("previousCommit")
        previousCommit = previous == .null ? nil : try CommitRecord(json: previous, batch: batch - 1)
        guard (previousCommit == nil) == (batch == 0) else { throw JSONError("`previousCommit` does not fit") }
    }
}

extension OffsetRange {
    fileprivate var json: JSONValue {
        .object([
            JSONMember("partition", .string(partition)), JSONMember("start", .integer(start)),
            JSONMember("end", .integer(end)),
        ])
    }
}

extension SourceRecord {
    fileprivate var json: JSONValue {
        let position: [JSONMember]
        switch self.position {
        case .complete(let next): position = [JSONMember("next", .integerMap(next))]
        case .history(let count, let digest):
            position = [
                JSONMember("historyCount", .integer(count)),
                JSONMember("historyDigest", .optional(digest.map { Int64(bitPattern: $0) })),
            ]
        }
        var members =
            [JSONMember("source", .string(source)), JSONMember("ranges", .array(ranges.map(\.json)))] + position
        if !marks.isEmpty {
            let texts = marks.sorted { $0.key < $1.key }.map { JSONMember($0.key, .string($0.value)) }
            members.append(JSONMember("marks", .object(texts)))
        }
        return .object(members)
    }

    fileprivate init(json: JSONValue) throws(JSONError) {
        source = try json.string("source")
        marks = try json.textMap("marks")
        ranges = []
        for range in try json.array("ranges") {
            ranges.append(
                OffsetRange(
                    partition: try range.string("partition"), start: try range.integer("start"),
                    end: try range.integer("end")))
        }
        if let count = try json.optionalInteger("historyCount") {
            let digest = try json.optionalInteger("historyDigest")
            position = .history(count: count, digest: digest.map { UInt64(bitPattern: $0) })
        } else {
            position = .complete(try json.integerMap("next"))
        }
    }
}
