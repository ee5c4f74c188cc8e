// Where a query stands, and what follows from it. A value without a clock, a disk or a source: the runner asks the
// outside, hands in what it was told, and does what comes back.
//
//     Recovered ──▶ QueryPosition ──next(ranges)──▶ OffsetsEntry, or nothing is due
//                         ▲                              │  (the runner logs and runs it)
//                         └──── committed(entry, result) ◀──▶ CommitEntry
//
// What makes one batch follow from another is all here: offsets move on by the ranges; rows are late by the watermark
// that the batch before evicted by; the watermark changes between batches only, by what a batch has shown and by how
// long sources have been silent.
// Source: Spark's MicroBatchExecution.

internal import SluiceCheckpoint
internal import SluiceConnectors
internal import SluiceEngine
internal import SluicePlan

/// How far a query has read, what its watermark is, and which batch comes next.
struct QueryPosition: Sendable {
    private let plan: PhysicalPlan
    /// The stages that keep state, as the checkpoint calls them; made once, as every batch writes them.
    let statefulStages: [NamedStage]
    /// Up to where each input has been read.
    private(set) var offsets: [SourceOffsets]
    private(set) var nextBatch: Int64
    /// A batch that was logged and not committed; it goes first, exactly as it is.
    private(set) var rerun: OffsetsEntry?
    private var tracker: WatermarkTracker
    /// The eviction watermark of the batch before; what is late in the next one.
    private var lastEvictionMillis: Int64

    /// - Parameters:
    ///   - recovered: from the checkpoint. Inputs are found in it by the names of their sources: one that a join has
    ///     added since begins at its own beginning.
    ///   - nowMillis: wall time of the start, from which idle timeouts count.
    init(_ plan: PhysicalPlan, _ recovered: Recovered, nowMillis: Int64) {
        self.plan = plan
        statefulStages = zip(plan.stageNames, plan.statefulStages).map(NamedStage.init)
        let committed = recovered.committed
        offsets = plan.inputs.map { input in
            committed?.offsets.sources.first { $0.source == input.source }?.next ?? SourceOffsets()
        }
        nextBatch = recovered.nextBatch
        rerun = recovered.inHand
        lastEvictionMillis = committed?.offsets.evictionWatermarkMillis ?? 0
        tracker = WatermarkTracker(plan, nowMillis: nowMillis)
        guard let committed else { return }
        tracker.restore(
            globalMillis: committed.commit.nextWatermarkMillis,
            sides: plan.byInput(committed.commit.inputMaximaMillis, of: committed.offsets),
            parts: plan.byInput(committed.commit.partMaximaMillis, of: committed.offsets))
        for input in plan.inputs.indices { setParts(input, steadyMillis: nowMillis) }
    }

    // MARK: What it says

    /// The query's watermark in milliseconds, which the next batch evicts by; nil when no input has one.
    var watermarkMillis: Int64? { tracker.sides.isEmpty ? nil : tracker.globalMillis }

    /// What an input has reached by itself, in milliseconds; nil without a watermark or before its first event time.
    func watermarkMillis(ofInput input: Int) -> Int64? {
        tracker.sides.first { $0.inputs.contains(input) }?.watermarkMillis
    }

    /// What the engine runs a batch with that is the next one.
    func watermarks(_ entry: OffsetsEntry) -> BatchWatermarks {
        BatchWatermarks(
            lateMillis: entry.lateWatermarkMillis, evictionMillis: entry.evictionWatermarkMillis,
            batchTimeMillis: entry.batchTimeMillis, ownMillis: plan.inputs.indices.map(watermarkMillis(ofInput:)))
    }

    // MARK: The next batch

    /// The batch that is due, or nil; its sources' marks are left to the caller. What the look says about silence
    /// counts either way. No batch is to be run again. O(partitions of all inputs).
    /// - Parameters:
    ///   - ranges: per input what is there to read.
    ///   - wallMillis: when the trigger fired; the batch's time for good.
    ///   - steadyMillis: the same on a clock that nobody sets, since the `nowMillis` of the start.
    mutating func next(_ ranges: [[OffsetRange]], wallMillis: Int64, steadyMillis: Int64) -> OffsetsEntry? {
        precondition(rerun == nil, "a batch that was interrupted goes first")
        hear(ranges, steadyMillis: steadyMillis)
        tracker.advance(nowMillis: steadyMillis)
        let hasData = ranges.contains { !$0.isEmpty }
        guard hasData || isNoDataBatchDue else { return nil }
        let sources = plan.inputs.indices.map { input in
            var next = offsets[input]
            next.advance(by: ranges[input])
            return SourceBatch(source: plan.inputs[input].source, ranges: ranges[input], next: next)
        }
        return OffsetsEntry(
            batch: nextBatch, batchTimeMillis: wallMillis, lateWatermarkMillis: lastEvictionMillis,
            evictionWatermarkMillis: tracker.globalMillis, isNoData: !hasData, sources: sources)
    }

    /// An empty file says nothing.
    private mutating func hear(_ ranges: [[OffsetRange]], steadyMillis: Int64) {
        for (input, ranges) in ranges.enumerated() {
            let partitions = ranges.filter { $0.end > $0.start }.map(\.partition)
            if partitions.isEmpty { continue }
            tracker.heard(
                input: input, parts: plan.inputs[input].watermarkParts(ofPartitions: partitions),
                atMillis: steadyMillis)
        }
    }

    /// Spark's rule: some state can be evicted, and the watermark is past what the last batch evicted by. Unlike in
    /// Spark, a restart does not forget that. Before the first batch no watermark has moved.
    private var isNoDataBatchDue: Bool {
        plan.stages.contains { stage in
            stage.wantsNoDataBatch
                && stage.watermarkMillis(of: tracker.globalMillis) > stage.watermarkMillis(of: lastEvictionMillis)
        }
    }

    // MARK: A batch is done

    /// Where the query stands once the commit is written, and what it says; what the batch has cost and the sinks'
    /// marks are left to the caller. O(partitions of all inputs).
    /// - Parameters:
    ///   - entry: the next batch, or the one to be run again.
    ///   - steadyMillis: when its trigger fired, as in `next`.
    func committed(
        _ entry: OffsetsEntry, _ result: BatchResult, steadyMillis: Int64
    ) -> (after: QueryPosition, commit: CommitEntry) {
        precondition(entry.batch == nextBatch, "batches follow each other")
        var after = self
        after.offsets = entry.sources.map(\.next)
        after.nextBatch = entry.batch + 1
        after.rerun = nil
        after.lastEvictionMillis = entry.evictionWatermarkMillis
        after.observe(entry, result, steadyMillis: steadyMillis)
        return (after, after.commitEntry(entry, result))
    }

    private mutating func observe(_ entry: OffsetsEntry, _ result: BatchResult, steadyMillis: Int64) {
        // The watermark this batch ran with, idle sources considered, is behind us even on a replay.
        tracker.raise(toMillis: entry.evictionWatermarkMillis)
        for (input, counters) in result.sources.enumerated() {
            tracker.observe(
                input: input, maxEventTimeMicros: counters.eventTimeCount > 0 ? counters.maxEventTimeMicros : nil,
                rowCount: counters.watermarkRows, batchTimeMillis: steadyMillis)
            setParts(input, steadyMillis: steadyMillis)
            tracker.observe(input: input, parts: counters.maxEventTimeMicrosByPart, batchTimeMillis: steadyMillis)
        }
        tracker.advance(nowMillis: steadyMillis)
    }

    /// An input's parts are those of the partitions that it has been read from.
    private mutating func setParts(_ input: Int, steadyMillis: Int64) {
        let parts = plan.inputs[input].watermarkParts(ofPartitions: offsets[input].next.keys)
        tracker.setParts(input: input, parts, nowMillis: steadyMillis)
    }

    /// Without a stage that keeps state there is one, which the source gives its name.
    private func evictions(_ result: BatchResult) -> [StageEviction] {
        if statefulStages.isEmpty { return [StageEviction(stage: plan.stageNames[0], throughMicros: [])] }
        return statefulStages.map {
            StageEviction(stage: $0.name, throughMicros: result.stages[$0.number].evictedThroughMicros)
        }
    }

    private func commitEntry(_ entry: OffsetsEntry, _ result: BatchResult) -> CommitEntry {
        var commit = CommitEntry(
            batch: entry.batch, nextWatermarkMillis: tracker.globalMillis,
            inputMaximaMillis: plan.inputs.indices.map(watermarkMillis(ofInput:)),
            stages: evictions(result),
            counters: [
                "inputRows": Int64(result.sources.reduce(0) { $0 + $1.inputRows }),
                "outputRows": Int64(result.outputRowCount), "stateRows": Int64(result.stateRowsTotal),
                "removedRows": Int64(result.stateRowsRemoved),
            ])
        for side in tracker.sides {
            guard let parts = side.parts else { continue }
            commit.partMaximaMillis[side.inputs[0]] = parts.compactMapValues(\.watermarkMillis)
        }
        return commit
    }
}

/// A stage that keeps state.
struct NamedStage {
    /// Of `PhysicalPlan.stageNames`.
    var name: String
    /// Its position in the plan's stages.
    var number: Int
}

extension PhysicalPlan {
    /// What a commit has by the number of a source, by the number of the input now: a join may have added inputs.
    fileprivate func byInput<Value>(_ values: [Int: Value], of offsets: OffsetsEntry) -> [Int: Value] {
        var found: [Int: Value] = [:]
        for (number, source) in offsets.sources.enumerated() {
            guard let input = inputs.firstIndex(where: { $0.source == source.source }) else { continue }
            found[input] = values[number]
        }
        return found
    }

    fileprivate func byInput<Value>(_ values: [Value?], of offsets: OffsetsEntry) -> [Int: Value] {
        byInput(
            Dictionary(
                uniqueKeysWithValues: values.enumerated().compactMap { number, value in value.map { (number, $0) } }),
            of: offsets)
    }
}
