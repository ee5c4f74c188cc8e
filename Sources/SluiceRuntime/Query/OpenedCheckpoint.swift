// A query's checkpoint, opened for its plan: the plan takes over how state was cut when the checkpoint was made, and a
// spec that the state cannot follow is refused by name.

internal import SluiceCheckpoint
internal import SluiceConnectors
internal import SluiceEngine
internal import SluicePlan
internal import SluiceSpec
internal import SluiceSystem

struct OpenedCheckpoint {
    let checkpoint: Checkpoint
    /// Under the names that partitions have now.
    let recovered: Recovered
    /// The query's plan with the checkpoint's layout.
    let plan: PhysicalPlan

    init(_ query: RunnableQuery, environment: QueryEnvironment) throws(CheckpointError) {
        let histories = zip(query.plan.inputs, query.positionsAreHistory).filter(\.1).map(\.0.source)
        let options = CheckpointOptions(
            folder: query.checkpointFolder, fileSystem: environment.fileSystem, newQueryID: randomUUID(),
            newLife: randomLife(), stages: query.plan.storedStages,
            retainBatches: query.retainBatches,
            historySources: Set(histories),
            parallel: environment.pool.parallelFor)
        let log = environment.log.with([.query: .string(query.plan.query)])
        let (checkpoint, stored) = try Checkpoint.open(options) { stored throws(CheckpointError) in
            let (warnings, refusal) = stored.judge(query.plan)
            if let refusal { throw .incompatibleSpec(folder: query.checkpointFolder, reason: refusal) }
            for change in warnings {
                log.warning("The spec has changed under this checkpoint", [.change: .string(change)])
            }
        }
        self.checkpoint = checkpoint
        recovered = PartitionNames(query.plan, checkpoint.metadata.fingerprint).renamed(stored)
        for file in recovered.foreignFiles {
            log.warning("A file in the checkpoint's folder is not the checkpoint's", [.path: .string(file)])
        }
        var plan = query.plan
        for (number, stored) in zip(plan.statefulStages, checkpoint.metadata.stages) {
            guard let layout = stored.layout else { continue }
            plan.stages[number].layout = layout.imposed(on: plan.stages[number].layout)
        }
        self.plan = plan
    }
}

extension OpenedCheckpoint {
    /// Brings the stages' state into an executor of `plan`. Shards share nothing, and each is restored by one worker.
    func restoreState(into executor: BatchExecutor, parallel: ParallelFor) throws {
        if plan.statefulStages.isEmpty { return }
        let numbers = Dictionary(
            zip(plan.stageNames, plan.statefulStages), uniquingKeysWith: { first, _ in first })
        for (name, number) in numbers {
            let through = recovered.committed?.commit.stages.throughMicros(name) ?? []
            if !through.isEmpty { executor.beginRestore(stage: number, evictedThroughMicros: through) }
        }
        nonisolated(unsafe) let executor = executor
        try checkpoint.loadState(parallel: parallel) { name, shard, payload in
            // The checkpoint has refused stages that the plan does not have.
            guard let stage = numbers[name] else { return }
            unsafe try executor.restore(stage: stage, shard: shard, payload: payload)
        }
        unsafe executor.finishRestore()
    }

    /// Brings what the newest entry of the offset log has to the sources of `plan`'s inputs.
    func resume(_ sources: [any Source]) {
        let newest = (recovered.inHand ?? recovered.committed?.offsets)?.sources ?? []
        for (source, input) in zip(sources, plan.inputs) {
            if let batch = newest.first(where: { $0.source == input.source }) { source.resume(batch.marks) }
        }
    }
}

extension SinkStart {
    init(_ opened: OpenedCheckpoint, acceptsMissingMark: Bool) {
        let (metadata, recovered) = (opened.checkpoint.metadata, opened.recovered)
        self.init(
            queryID: metadata.queryID, lives: metadata.lives, lastCommitted: recovered.committed?.commit.batch,
            inHand: recovered.inHand.map { SinkBatch(id: $0.batch, fingerprint: opened.checkpoint.planInHand) },
            marks: recovered.marks, acceptsMissingMark: acceptsMissingMark)
    }
}

extension LogKey {
    static let change = LogKey("sluice.change")
}

extension PlanLayout {
    /// Shards and buckets name rows on disk and stay as they are. Cells are only how the index in memory is cut, and
    /// follow the bounds of the spec as it is now.
    fileprivate func imposed(on layout: PlanLayout) -> PlanLayout {
        var imposed = layout
        imposed.shards = shards
        imposed.left.bucketWidthMicros = left.bucketWidthMicros
        imposed.right.bucketWidthMicros = right.bucketWidthMicros
        return imposed
    }
}

/// A random UUID (version 4), for naming checkpoints and runs.
package func randomUUID() -> String {
    var random = SplitMix64(seed: randomSeed())
    let high = random.next() & ~0xF000 | 0x4000
    let low = random.next() & ~(3 << 62) | 1 << 63
    func hex(_ value: UInt64, _ digits: Int) -> String { zeroPadded(value, digits, radix: 16) }
    return [
        hex(high >> 32, 8), hex(high >> 16 & 0xFFFF, 4), hex(high & 0xFFFF, 4), hex(low >> 48, 4),
        hex(low & 0xFFFF_FFFF_FFFF, 12),
    ].joined(separator: "-")
}
