// Most checkpoints here are of one stage: how its parts are said without a list around them.

import SluiceCheckpoint
import SluiceEngine
import SluicePlan

let toyStage = "rows+files"

extension CheckpointOptions {
    var facts: [PlanFact] {
        get { stages[0].facts }
        set { stages[0].facts = newValue }
    }
    var layout: PlanLayout? {
        get { stages[0].layout }
        set { stages[0].layout = newValue }
    }
}

extension CheckpointMetadata {
    var facts: [PlanFact] { stages[0].facts }
    var layout: PlanLayout? { stages[0].layout }
}

extension CommitEntry {
    init(
        batch: Int64, nextWatermarkMillis: Int64, inputMaximaMillis: [Int64?], evictedThroughMicros: [Int64],
        counters: [String: Int64]
    ) {
        self.init(
            batch: batch, nextWatermarkMillis: nextWatermarkMillis, inputMaximaMillis: inputMaximaMillis,
            stages: [StageEviction(stage: toyStage, throughMicros: evictedThroughMicros)], counters: counters)
    }

    var evictedThroughMicros: [Int64] {
        get { stages[0].throughMicros }
        set { stages[0].throughMicros = newValue }
    }
}

extension Checkpoint {
    func writeState(
        batch: Int64, _ payloads: [ShardPayload], lastJoinTimeMicros: [Int64], evictedThroughMicros: [Int64]
    ) throws(CheckpointError) {
        try writeState(
            batch: batch,
            [
                StageChange(
                    stage: toyStage, payloads: payloads, lastJoinTimeMicros: lastJoinTimeMicros,
                    evictedThroughMicros: evictedThroughMicros)
            ])
    }

    func loadState(
        parallel: ParallelFor, apply: @escaping @Sendable (_ shard: Int, _ payload: [UInt8]) throws -> Void
    ) throws(CheckpointError) {
        try loadState(parallel: parallel) { _, shard, payload in try apply(shard, payload) }
    }
}
