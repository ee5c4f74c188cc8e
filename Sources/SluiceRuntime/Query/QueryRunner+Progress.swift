// The progress record of a batch.

internal import SluiceCheckpoint
internal import SluiceConnectors
internal import SluiceEngine
internal import SluicePlan
internal import SluiceSpec

extension QueryRunner {
    func progress(
        _ entry: OffsetsEntry, _ result: BatchResult, _ inputs: [any InputBytes], from before: [SourceOffsets],
        latest: [SourceOffsets], _ timer: PhaseTimer
    ) -> QueryProgress {
        let durations = QueryProgress.Durations(timer.cost)
        return QueryProgress(
            id: checkpoint.metadata.queryID, runID: runID, name: query.plan.query,
            timestampMillis: entry.batchTimeMillis,
            batchID: entry.batch, durationMillis: durations.triggerExecution, durations: durations,
            eventTime: eventTime(entry, result), state: state(result, timer.cost),
            sources: query.sources.indices.map { index in
                let counters = result.sources[index]
                return QueryProgress.Source(
                    name: query.plan.inputs[index].source, description: query.sources[index].description,
                    topics: query.plan.inputs[index].topics,
                    lag: query.sources[index].lag(at: entry.sources[index].next, latest: latest[index]),
                    startOffset: entry.batch == 0 ? nil : shown(before[index], entry.sources[index].ranges),
                    endOffset: shown(entry.sources[index].next, entry.sources[index].ranges),
                    latestOffset: shown(latest[index], entry.sources[index].ranges), inputRows: counters.inputRows,
                    lateRows: counters.lateRows, badRows: counters.badRows, tombstones: counters.tombstones,
                    recordsWithoutRows: query.plan.inputs[index].each == nil ? nil : counters.recordsWithoutRows,
                    recordsBySchema: query.plan.inputs[index].format.registry?.countsRecords == true
                        ? inputs[index].recordsBySchema : nil,
                    watermarkMillis: tracker.sides.first { $0.input == index }?.watermarkMillis)
            },
            sinkDescription: query.sinks.map(\.description).joined(separator: ", "), outputRows: result.outputRowCount,
            sinceLastTriggerMillis: lastTrigger.map { trigger.millis(since: $0) }, cost: timer.cost)
    }

    /// Offsets for a person: of a source with many partitions (a folder of files) only those the batch read.
    private func shown(_ offsets: SourceOffsets, _ ranges: [OffsetRange]) -> [String: Int64] {
        guard offsets.next.count > 32 else { return offsets.next }
        let partitions = Set(ranges.map(\.partition))
        return offsets.next.filter { partitions.contains($0.key) }
    }

    /// As Spark, of the first source that had rows with an event time.
    private func eventTime(_ entry: OffsetsEntry, _ result: BatchResult) -> QueryProgress.EventTime? {
        guard !tracker.sides.isEmpty else { return nil }
        let counters = result.sources.first { $0.eventTimeCount > 0 }
        return QueryProgress.EventTime(
            watermarkMillis: entry.evictionWatermarkMillis, minMicros: counters?.minEventTimeMicros,
            maxMicros: counters?.maxEventTimeMicros,
            averageMicros: counters.map { counters in
                let mean = (counters.eventTimeSumMicros / Double(counters.eventTimeCount)).rounded(.towardZero)
                return Int64(exactly: mean) ?? (mean < 0 ? .min : .max)
            })
    }

    private func state(_ result: BatchResult, _ cost: BatchCost) -> QueryProgress.State? {
        query.plan.join.map { join in
            QueryProgress.State(
                rowsUpdated: result.stateRowsUpdated,
                rowsDroppedByWatermark: result.sources.reduce(0) { $0 + $1.lateRows },
                left: QueryProgress.Side(counters: result.left, isPreserved: join.left.isPreserved),
                right: QueryProgress.Side(counters: result.right, isPreserved: join.right.isPreserved),
                shards: join.shards, commitMillis: cost.durableMicros / 1000)
        }
    }
}
