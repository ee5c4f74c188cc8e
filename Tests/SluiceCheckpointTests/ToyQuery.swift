// A query that does nothing but keep a checkpoint, and remembers what it did, so that what a checkpoint says after a
// crash can be held against what happened.

import SluiceConnectors
import SluicePlan
import SluiceCheckpoint
import SluiceSystem
import Testing

/// What a run has done so far, across processes: kept by the test, not on the simulated disk.
struct ToyHistory {
    /// The last plan that each batch was given.
    var plans: [Int64: OffsetsEntry] = [:]
    var commits: [Int64: CommitEntry] = [:]
    var states: [Int64: ToyState] = [-1: ToyState()]
    /// `logOffsets` has returned for it.
    var durablePlan: Int64 = -1
    /// Known to be durable: it must be there after any crash.
    var durableCommit: Int64 = -1
    /// `writeCommit` was called for it: it may be there after a crash.
    var attemptedCommit: Int64 = -1
    var maintenanceCount = 0
}

/// One process of the query, between two openings of the checkpoint.
struct ToyQuery {
    let checkpoint: Checkpoint
    var recovered: Recovered
    var state: ToyState
    var committed: Recovered.Committed?
    var plan: MaintenancePlan?
    var generator: SplitMix64
    /// Below 0 counts as 0.
    var rowsPerBatch = -2...8
    /// Whether it ever maintains its checkpoint.
    var isMaintained = true

    static func options(_ files: any FileSystem, folder: String = "/cp/q", retain: Int = 5) -> CheckpointOptions {
        CheckpointOptions(
            folder: folder, fileSystem: files, newQueryID: "00000000-0000-4000-8000-000000000001",
            newLife: "0000000000000001",
            stages: [
                StoredStage(
                    name: toyStage,
                    facts: [
                        PlanFact(nil, "join type", .text("left outer")), PlanFact(nil, "keys", .text("a = b")),
                    ],
                    layout: PlanLayout(
                        shards: toyShards,
                        left: PlanLayout.Side(bucketWidthMicros: 1_000_000, cellWidthMicros: 250_000),
                        right: PlanLayout.Side(bucketWidthMicros: nil, cellWidthMicros: nil)))
            ],
            retainBatches: retain, historySources: ["files"])
    }

    /// Opens the checkpoint and reads its state.
    init(_ options: CheckpointOptions, seed: UInt64) throws {
        (checkpoint, recovered) = try Checkpoint.open(options) { _ in }
        committed = recovered.committed
        let evicted = committed?.commit.evictedThroughMicros ?? [0, 0]
        state = try checkpoint.loadToyState(evictedThrough: evicted)
        generator = SplitMix64(seed: seed)
    }

    /// Runs the next batch, or again the one in hand.
    mutating func runBatch(_ history: inout ToyHistory) throws {
        let plan: OffsetsEntry
        if let inHand = recovered.inHand {
            plan = inHand
            recovered.inHand = nil
        } else {
            plan = planBatch()
            history.plans[plan.batch] = plan
            try checkpoint.logOffsets(plan)
            history.durablePlan = plan.batch
            history.durableCommit = plan.batch - 1
        }
        if Bool.random(using: &generator) { try maintain(&history) }
        let batch = ToyBatch(plan, on: state, after: committed?.commit)
        history.states[plan.batch] = batch.state
        history.commits[plan.batch] = batch.commit
        try checkpoint.writeToyState(batch)
        history.attemptedCommit = plan.batch
        try checkpoint.writeCommit(batch.commit)
        state = batch.state
        committed = Recovered.Committed(offsets: plan, commit: batch.commit)
        if self.plan == nil { self.plan = checkpoint.planMaintenance() }
        if Bool.random(using: &generator) { try maintain(&history) }
        if Int.random(in: 0..<10, using: &generator) == 0 {
            try checkpoint.syncCommit()
            history.durableCommit = plan.batch
        }
    }

    private mutating func maintain(_ history: inout ToyHistory) throws {
        guard let plan, isMaintained else { return }
        self.plan = nil
        try checkpoint.perform(plan, merge: mergeToyPayloads)
        history.maintenanceCount += 1
    }

    /// Takes 0 to 8 rows, and 0 to 2 whole files whose names need escapes.
    mutating func planBatch() -> OffsetsEntry {
        let batch = (committed?.commit.batch ?? -1) + 1
        var rows = committed?.offsets.sources[0].next ?? SourceOffsets()
        let start = rows.next["0"] ?? 0
        let count = Int64(max(0, Int.random(in: rowsPerBatch, using: &generator)))
        let rowRanges = count == 0 ? [] : [OffsetRange(partition: "0", start: start, end: start + count)]
        rows.advance(by: rowRanges)
        var files = committed?.offsets.sources[1].next ?? SourceOffsets()
        let fileRanges = (0..<Int.random(in: 0...2, using: &generator)).map { index in
            OffsetRange(
                partition: "/in/\(batch)\n\"é\(index)", start: 0, end: Int64.random(in: 0..<9, using: &generator))
        }
        files.advance(by: fileRanges)
        let watermark = committed?.commit.nextWatermarkMillis ?? 0
        return OffsetsEntry(
            batch: batch, batchTimeMillis: 1_700_000_000_000 + Int64.random(in: 0..<1000, using: &generator),
            lateWatermarkMillis: committed?.offsets.evictionWatermarkMillis ?? 0, evictionWatermarkMillis: watermark,
            isNoData: count == 0 && fileRanges.isEmpty,
            sources: [
                SourceBatch(source: "rows", ranges: rowRanges, next: rows),
                SourceBatch(source: "files", ranges: fileRanges, next: files),
            ])
    }
}

extension ToyHistory {
    /// Holds what a fresh process found against what happened before.
    func check(_ query: ToyQuery, _ comment: Comment) {
        let found = query.recovered.committed?.commit.batch ?? -1
        #expect(found >= durableCommit && found <= attemptedCommit, comment)
        #expect(query.recovered.committed?.commit == commits[found], comment)
        #expect(query.recovered.committed?.offsets == (found < 0 ? nil : plans[found]), comment)
        #expect(query.state == states[found], comment)
        if durablePlan > found {
            #expect(durablePlan == found + 1, comment)
            #expect(query.recovered.inHand == plans[durablePlan], comment)
        } else if let inHand = query.recovered.inHand {
            #expect(inHand == plans[found + 1], comment)
        }
        #expect(query.recovered.foreignFiles.isEmpty, comment)
    }
}
