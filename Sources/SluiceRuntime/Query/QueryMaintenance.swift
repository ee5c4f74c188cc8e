// Keeping a query's checkpoint small while it runs: old files are purged and merged on a thread of their own, one round
// at a time, beside the batches.

internal import Glibc
internal import SluiceCheckpoint
internal import SluiceEngine
internal import SluicePlan

/// The rounds of maintenance of one checkpoint. Used by the query's thread; whoever drops it waits first.
struct QueryMaintenance {
    private let checkpoint: Checkpoint
    private let query: String
    /// By stage; empty without a join.
    private let mergers: [String: SegmentMerger]
    private let parallel: ParallelFor
    private let meter: ProcessorMeter
    private let round = BackgroundTask()
    /// The batch before which the last round began.
    private var roundBatch: Int64 = 0
    /// So many batches may run beside one round; then they wait for it, so that files stay bounded on any machine.
    private static let batchesBesideMax: Int64 = 32

    /// - Parameter meter: the processor time of rounds is the query's.
    init(_ checkpoint: Checkpoint, _ plan: PhysicalPlan, parallel: @escaping ParallelFor, meter: ProcessorMeter) {
        self.checkpoint = checkpoint
        query = plan.query
        mergers = Dictionary(
            plan.stages.filter(\.isStateful).map { ($0.name, SegmentMerger(plan, stage: $0)) },
            uniquingKeysWith: { first, _ in first })
        self.parallel = parallel
        self.meter = meter
    }

    /// Begins a round if one is due, before a batch runs. Throws what an earlier round has thrown.
    mutating func beginRound(before batch: Int64) throws {
        guard round.isIdle || batch - roundBatch >= Self.batchesBesideMax else { return }
        try round.wait()
        roundBatch = batch
        guard let plan = checkpoint.planMaintenance() else { return }
        let (mergers, parallel, meter, caller) = (self.mergers, self.parallel, self.meter, pthread_self())
        // Unowned: the folder's lock ends with the runner, which waits for this, and not a moment later.
        round.start(name: "\(query)-merge") { [unowned checkpoint] in
            try meter.run(from: caller) {
                try checkpoint.perform(plan, parallel: parallel) { stage, payloads, evictedThroughMicros in
                    try mergers[stage]?.merge(payloads, evictedThroughMicros: evictedThroughMicros) ?? []
                }
            }
        }
    }

    /// Returns when no round goes on; throws what it has thrown, once.
    func wait() throws { try round.wait() }
}
