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
            eventTime: eventTime(entry, result), stages: stages(entry, result, timer.cost),
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
                    duplicateRows: query.plan.reader(ofInput: index)?.stage.deduplicate == nil
                        ? nil : result.stages.compactMap { $0.duplicates[index] }.reduce(0, +),
                    recordsWithoutRows: query.plan.inputs[index].each == nil ? nil : counters.recordsWithoutRows,
                    recordsBySchema: query.plan.inputs[index].format.registry?.countsRecords == true
                        ? inputs[index].recordsBySchema : nil,
                    watermarkMillis: position.watermarkMillis(ofInput: index))
            },
            tables: tables.facts, sinkDescription: query.sinks.map(\.description).joined(separator: ", "),
            outputRows: result.outputRowCount,
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
        guard position.watermarkMillis != nil else { return nil }
        let counters = result.sources.first { $0.eventTimeCount > 0 }
        return QueryProgress.EventTime(
            watermarkMillis: entry.evictionWatermarkMillis, minMicros: counters?.minEventTimeMicros,
            maxMicros: counters?.maxEventTimeMicros,
            averageMicros: counters.map { counters in
                let mean = (counters.eventTimeSumMicros / Double(counters.eventTimeCount)).rounded(.towardZero)
                return Int64(exactly: mean) ?? (mean < 0 ? .min : .max)
            })
    }

    private func stages(_ entry: OffsetsEntry, _ result: BatchResult, _ cost: BatchCost) -> [QueryProgress.State] {
        stagesFromTop.map { number in
            let (stage, counters) = (query.plan.stages[number], result.stages[number])
            let late = result.sources.indices.reduce(0) { sum, input in
                stage.inputs.contains { $0.isOf(source: input) } ? sum + result.sources[input].lateRows : sum
            }
            return QueryProgress.State(
                stage: stage.name,
                watermarkMillis: stage.watermarkMillis.map { _ in
                    stage.watermarkMillis(of: entry.evictionWatermarkMillis)
                }, rowsUpdated: counters.rowsUpdated, rowsDroppedByWatermark: late,
                kind: stage.kind(
                    left: QueryProgress.Side(counters: counters.left, isPreserved: stage.side(.left).isPreserved),
                    right: counters.right, duplicates: counters.duplicates.values.reduce(0, +)),
                shards: stage.shards, commitMillis: cost.durableMicros / 1000)
        }
    }
}

extension StagePlan {
    fileprivate func kind(
        left: QueryProgress.Side, right: SideCounters, duplicates: Int
    ) -> QueryProgress.State.Kind {
        switch operation {
        case .join(let join):
            .join(left: left, right: QueryProgress.Side(counters: right, isPreserved: join.right.isPreserved))
        case .lookup: preconditionFailure("a lookup keeps nothing")
        case .deduplicate(let plan):
            .deduplicate(left, duplicates: duplicates, isWithinWatermark: plan.withinMicros != nil)
        }
    }
}
