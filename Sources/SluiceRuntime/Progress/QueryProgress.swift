// What one batch did, in the words and units of Spark's StreamingQueryProgress, so that tools made for it read ours.
// Where Sluice says more: each source has its own `numRowsDroppedByWatermark` and `watermark`, `customMetrics` of the
// state has its sides, `checkpointBytes` and `latencyMs` are new, and `numRowsRemoved` counts every row that left state
// (Spark's counts the silent ones only).

package import SluiceCheckpoint
package import SluiceConnectors
package import SluiceEngine
package import SluiceSpec
internal import SluiceSystem

package struct QueryProgress: Hashable, Sendable {
    /// Milliseconds; names are Spark's phases.
    package struct Durations: Hashable, Sendable {
        package var latestOffset: Int64 = 0
        package var walCommit: Int64 = 0
        package var getBatch: Int64 = 0
        package var addBatch: Int64 = 0
        package var commitOffsets: Int64 = 0
        package var triggerExecution: Int64 = 0

        package init() {}
    }

    package struct EventTime: Hashable, Sendable {
        /// Used in this batch.
        package var watermarkMillis: Int64
        package var minMicros: Int64?
        package var maxMicros: Int64?
        package var averageMicros: Int64?
    }

    /// One stage.
    package struct State: Hashable, Sendable {
        /// `StagePlan.name`.
        package var stage: String
        /// The stage's own in this batch; nil when nothing that it reads has one.
        package var watermarkMillis: Int64?
        package var rowsUpdated: Int
        package var rowsDroppedByWatermark: Int
        package var kind: Kind
        package var shards: Int
        /// Until the change of state and the staged output, which are written side by side, were durable.
        package var commitMillis: Int64

        package enum Kind: Hashable, Sendable {
            case join(left: Side, right: Side)
            case deduplicate(Side, duplicates: Int, isWithinWatermark: Bool)
        }

        /// By name: `left` and `right` of a join, the only one of another stage.
        package var sides: [(name: String, side: Side)] {
            switch kind {
            case .join(let left, let right): [("left", left), ("right", right)]
            // What is remembered of a row never comes out.
            case .deduplicate(let side, _, _): [("left", Side(counters: side.counters, isPreserved: false))]
            }
        }

        package var rowsTotal: Int { sides.reduce(0) { $0 + $1.side.counters.rowsTotal } }
        package var rowsRemoved: Int { sides.reduce(0) { $0 + $1.side.counters.rowsRemoved } }
        package var byteCount: Int { sides.reduce(0) { $0 + $1.side.counters.byteCount } }

        /// Spark's name of the operator.
        var operatorName: String {
            switch kind {
            case .join: "symmetricHashJoin"
            case .deduplicate(_, _, let isWithinWatermark): isWithinWatermark ? "dedupeWithinWatermark" : "dedupe"
            }
        }

        fileprivate var metrics: [JSONMember] {
            switch kind {
            case .join: sides.flatMap { $0.side.members($0.name) }
            case .deduplicate(_, let duplicates, _):
                [JSONMember("numDroppedDuplicateRows", .integer(Int64(duplicates)))]
            }
        }
    }

    /// One side of a join.
    package struct Side: Hashable, Sendable {
        package var counters: SideCounters
        /// True when its rows come out without a partner too.
        package var isPreserved: Bool
    }

    package struct Source: Hashable, Sendable {
        /// In the spec; not part of the record's text.
        package var name: String
        package var description: String
        /// Of a Kafka source: offsets stand under topics, as Spark writes them.
        package var topics: KafkaTopics?
        /// Per partition; nil where a source cannot tell.
        package var lag: [String: PartitionLag]?
        /// JSON objects, partition to offset; nil before the first batch.
        package var startOffset: [String: Int64]?
        package var endOffset: [String: Int64]
        package var latestOffset: [String: Int64]
        package var inputRows: Int
        package var lateRows: Int
        package var badRows: Int
        package var tombstones: Int
        /// Rows that were the same as one before; nil of a source that is not deduplicated.
        package var duplicateRows: Int?
        /// Of a source whose rows are elements of an array: records that have none.
        package var recordsWithoutRows: Int?
        /// How many records name each schema of a registry; nil where nobody asked for it.
        package var recordsBySchema: [UInt32: Int]?
        package var watermarkMillis: Int64?
    }

    /// A table as the batch has joined it.
    package struct Table: Hashable, Sendable {
        package var name: String
        package var rows: Int
        /// Of rows and index in memory.
        package var byteCount: Int
        /// Counts up from 0 as its content changes.
        package var version: Int64
        /// Since this process has taken the version over.
        package var ageMillis: Int64
    }

    package var id: String
    package var runID: String
    package var name: String
    package var timestampMillis: Int64
    package var batchID: Int64
    package var durationMillis: Int64
    package var durations: Durations
    /// nil without a watermark.
    package var eventTime: EventTime?
    /// In Spark's order: a stage before those that it reads. Empty without a join.
    package var stages: [State]
    package var sources: [Source]
    /// In the order in which the query names them.
    package var tables: [Table] = []
    package var sinkDescription: String
    package var outputRows: Int
    /// Milliseconds since the trigger before fired; nil for the first.
    package var sinceLastTriggerMillis: Int64?
    /// The durations, finer, and what else the batch has cost. Not in the JSON.
    package var cost: BatchCost
}

extension QueryProgress.Durations {
    /// Spark's phases out of ours.
    init(_ cost: BatchCost) {
        latestOffset = cost.planMicros / 1000
        walCommit = cost.logMicros / 1000
        getBatch = cost.openMicros / 1000
        addBatch = (cost.engineMicros + cost.durableMicros) / 1000
        commitOffsets = (cost.visibleMicros + cost.commitMicros) / 1000
        triggerExecution = (cost.resultMicros + cost.commitMicros) / 1000
    }
}

extension QueryProgress {
    package var inputRows: Int { sources.reduce(0) { $0 + $1.inputRows } }
    /// Of all stages.
    package var stateRowsTotal: Int { stages.reduce(0) { $0 + $1.rowsTotal } }
    package var stateRowsRemoved: Int { stages.reduce(0) { $0 + $1.rowsRemoved } }
    package var stateRowsUpdated: Int { stages.reduce(0) { $0 + $1.rowsUpdated } }

    /// How long rows waited from their arrival in the source to the batch's commit, in milliseconds.
    package struct Latency: Hashable, Sendable {
        package var medianMillis: Int64
        package var highMillis: Int64
        /// What no row can have waited longer.
        package var maxMillis: Int64
    }

    /// Of a batch with rows that took all there was: rows came at any time since the trigger before, which did not see
    /// them yet, and all come out at the end of this one. nil without rows, where rows were left for later, and for
    /// the first batch of a start: such rows may have lain there for any time.
    package var latency: Latency? {
        guard inputRows > 0, let since = sinceLastTriggerMillis,
            sources.allSatisfy({ $0.endOffset == $0.latestOffset })
        else { return nil }
        return Latency(
            medianMillis: since / 2 + durationMillis, highMillis: since * 99 / 100 + durationMillis,
            maxMillis: since + durationMillis)
    }

    /// One JSON object, no line break.
    package var json: String { String(decoding: jsonValue.text(), as: UTF8.self) }

    /// The same as a value.
    package var jsonValue: JSONValue {
        var members = [
            JSONMember("id", .string(id)), JSONMember("runId", .string(runID)), JSONMember("name", .string(name)),
            JSONMember("timestamp", .string(utcText(millis: timestampMillis))),
            JSONMember("batchId", .integer(batchID)), JSONMember("batchDuration", .integer(durationMillis)),
            JSONMember("numInputRows", .integer(Int64(inputRows))),
        ]
        members += rates(inputRows)
        members.append(JSONMember("durationMs", durations.jsonValue))
        if let latency { members.append(JSONMember("latencyMs", latency.jsonValue)) }
        if let eventTime { members.append(JSONMember("eventTime", eventTime.jsonValue)) }
        members.append(JSONMember("stateOperators", .array(stages.map(\.jsonValue))))
        members.append(
            JSONMember("sources", .array(sources.map { source in .object(source.members + rates(source.inputRows)) })))
        if !tables.isEmpty { members.append(JSONMember("tables", .array(tables.map(\.jsonValue)))) }
        members.append(
            JSONMember(
                "sink",
                .object([
                    JSONMember("description", .string(sinkDescription)),
                    JSONMember("numOutputRows", .integer(Int64(outputRows))),
                ])))
        members.append(JSONMember("checkpointBytes", .integer(cost.checkpointBytes)))
        return .object(members)
    }

    private func rates(_ rows: Int) -> [JSONMember] {
        func perSecond(_ millis: Int64) -> JSONValue { .double(Double(rows) * 1000 / Double(max(1, millis))) }
        return [
            JSONMember("inputRowsPerSecond", sinceLastTriggerMillis.map(perSecond) ?? .double(0)),
            JSONMember("processedRowsPerSecond", perSecond(durations.triggerExecution)),
        ]
    }
}

extension QueryProgress.Durations {
    fileprivate var jsonValue: JSONValue {
        .object([
            JSONMember("addBatch", .integer(addBatch)), JSONMember("commitOffsets", .integer(commitOffsets)),
            JSONMember("getBatch", .integer(getBatch)), JSONMember("latestOffset", .integer(latestOffset)),
            JSONMember("queryPlanning", .integer(0)), JSONMember("triggerExecution", .integer(triggerExecution)),
            JSONMember("walCommit", .integer(walCommit)),
        ])
    }
}

extension QueryProgress.EventTime {
    fileprivate var jsonValue: JSONValue {
        var members: [JSONMember] = []
        func add(_ name: String, _ micros: Int64?) {
            guard let micros else { return }
            members.append(JSONMember(name, .string(utcText(millis: micros / 1000 - (micros % 1000 < 0 ? 1 : 0)))))
        }
        add("avg", averageMicros)
        add("max", maxMicros)
        add("min", minMicros)
        members.append(JSONMember("watermark", .string(utcText(millis: watermarkMillis))))
        return .object(members)
    }
}

extension QueryProgress.State {
    fileprivate var jsonValue: JSONValue {
        .object([
            JSONMember("operatorName", .string(operatorName)),
            JSONMember("stage", .string(stage)),
            JSONMember("numRowsTotal", .integer(Int64(rowsTotal))),
            JSONMember("numRowsUpdated", .integer(Int64(rowsUpdated))),
            JSONMember("numRowsRemoved", .integer(Int64(rowsRemoved))),
            JSONMember("numRowsDroppedByWatermark", .integer(Int64(rowsDroppedByWatermark))),
            JSONMember("watermark", watermarkMillis.map { .string(utcText(millis: $0)) } ?? .null),
            JSONMember("commitTimeMs", .integer(commitMillis)),
            JSONMember("memoryUsedBytes", .integer(Int64(byteCount))),
            JSONMember("numShufflePartitions", .integer(Int64(shards))),
            JSONMember("numStateStoreInstances", .integer(Int64(shards * sides.count))),
            JSONMember("customMetrics", .object(metrics)),
        ])
    }
}

extension QueryProgress.Side {
    /// - Parameter name: begins the members' names.
    fileprivate func members(_ name: String) -> [JSONMember] {
        var members = [
            JSONMember("\(name)NumRowsTotal", .integer(Int64(counters.rowsTotal))),
            JSONMember("\(name)NumRowsRemoved", .integer(Int64(counters.rowsRemoved))),
            JSONMember("\(name)MemoryUsedBytes", .integer(Int64(counters.byteCount))),
        ]
        if isPreserved {
            members.append(JSONMember("\(name)NumRowsMatched", .integer(Int64(counters.rowsMatched))))
            members.append(JSONMember("\(name)NumRowsUnmatched", .integer(Int64(counters.rowsUnmatched))))
        }
        return members
    }
}

extension QueryProgress.Table {
    fileprivate var jsonValue: JSONValue {
        .object([
            JSONMember("name", .string(name)), JSONMember("numRows", .integer(Int64(rows))),
            JSONMember("memoryUsedBytes", .integer(Int64(byteCount))), JSONMember("version", .integer(version)),
            JSONMember("ageMs", .integer(ageMillis)),
        ])
    }
}

extension QueryProgress.Latency {
    fileprivate var jsonValue: JSONValue {
        .object([JSONMember("p50", .integer(medianMillis)), JSONMember("p99", .integer(highMillis))])
    }
}

extension QueryProgress.Source {
    fileprivate var members: [JSONMember] {
        var members = [
            JSONMember("description", .string(description)),
            JSONMember("startOffset", startOffset.map(offsets) ?? .null),
            JSONMember("endOffset", offsets(endOffset)),
            JSONMember("latestOffset", offsets(latestOffset)),
            JSONMember("numInputRows", .integer(Int64(inputRows))),
            JSONMember("numRowsDroppedByWatermark", .integer(Int64(lateRows))),
            JSONMember("numBadRows", .integer(Int64(badRows))),
            JSONMember("numTombstones", .integer(Int64(tombstones))),
        ]
        if let duplicateRows {
            members.append(JSONMember("numRowsDroppedAsDuplicates", .integer(Int64(duplicateRows))))
        }
        if let recordsWithoutRows {
            members.append(JSONMember("numRecordsWithoutRows", .integer(Int64(recordsWithoutRows))))
        }
        if let recordsBySchema {
            let counts = recordsBySchema.sorted { $0.key < $1.key }
            members.append(
                JSONMember(
                    "numRecordsBySchema", .object(counts.map { JSONMember("\($0.key)", .integer(Int64($0.value))) })))
        }
        if let watermarkMillis {
            members.append(JSONMember("watermark", .string(utcText(millis: watermarkMillis))))
        }
        if let lag {
            members.append(JSONMember("metrics", metrics(lag)))
            members.append(
                JSONMember(
                    "lag", .object(lag.sorted { $0.key < $1.key }.map { JSONMember($0.key, $0.value.jsonValue) }))
            )
        }
        return members
    }

    /// Spark's form for Kafka is topic, partition, offset.
    private func offsets(_ next: [String: Int64]) -> JSONValue {
        guard let topics else { return .integerMap(next) }
        if case .one(let topic) = topics.names { return .object([JSONMember(topic, .integerMap(next))]) }
        var byTopic: [String: [String: Int64]] = [:]
        for (name, offset) in next {
            guard let partition = topics.partition(named: name) else { continue }
            byTopic[partition.topic, default: [:]]["\(partition.partition)"] = offset
        }
        return .object(byTopic.sorted { $0.key < $1.key }.map { JSONMember($0.key, .integerMap($0.value)) })
    }

    /// Spark's metrics of a Kafka source; it writes them as text.
    private func metrics(_ lag: [String: PartitionLag]) -> JSONValue {
        let rows = lag.values.map(\.rows)
        let average = rows.isEmpty ? 0 : Double(rows.reduce(0, +)) / Double(rows.count)
        return .object([
            JSONMember("avgOffsetsBehindLatest", .string("\(average)")),
            JSONMember("maxOffsetsBehindLatest", .string("\(rows.max() ?? 0)")),
            JSONMember("minOffsetsBehindLatest", .string("\(rows.min() ?? 0)")),
        ])
    }
}

extension PartitionLag {
    fileprivate var jsonValue: JSONValue {
        .object([
            JSONMember("rows", .integer(rows)), JSONMember("seconds", seconds.map { .double($0) } ?? .null),
        ])
    }
}
