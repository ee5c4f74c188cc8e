// One shard of a stage, whatever the stage does: what the executor asks of it, once a batch and side, never per row.

internal import SluicePlan

/// A part of a stage with the state of its own keys. Worked on by one thread at a time.
protocol StageShard: AnyObject {
    /// Starts a batch: then `drive` for each side, `evict`. What comes out is in `outputs` or `rows` afterwards; the
    /// change of state is for `writeDelta`.
    func begin()
    /// Takes rows of one side of the batch.
    func drive(side: JoinInput, _ chunks: [DecodedChunk], evictionWatermarkMillis: Int64)
    /// Ends a batch: what the watermark has passed leaves.
    func evict(watermarkMillis: Int64)

    /// Why the batch cannot go on; the state is then no batch's.
    var failure: ShardFailure? { get }
    var counters: ShardCounters { get }
    /// The encoded rows of the last batch, one buffer per distinct encoding; valid until the next.
    var outputs: [OutputBytes] { get }
    /// The rows of the last batch for the stage that reads this one; nil for the last stage.
    var rows: DecodedChunk? { get }

    // State

    /// What the last batch changed, empty for nothing; valid until the next.
    var delta: OutputBytes { get }
    /// Of what is in `delta`.
    var newestDelta: NewestTimes { get }
    /// Live rows, by side.
    var rowCounts: [Int] { get }
    /// Memory that state holds.
    var byteCount: Int { get }
    /// Join time at or below which rows are dead, by side.
    var evictedThrough: [Int64] { get }
    /// Looks whether there is room for `writeDelta`, whose failure would be the end of the process.
    func checkRoomForDelta()
    /// Writes what the batch changed to `delta` and starts the next one.
    func writeDelta()
    /// Says before the first payload which rows are dead.
    func restoreEvictedThrough(_ thresholds: [Int64])
    /// Applies one payload of the checkpoint; oldest first.
    func restore(_ payload: UnsafeRawBufferPointer) throws(StateError)
    /// All payloads have been applied.
    func finishRestore()
}

/// The newest join time per side in microseconds; Int64.min where a side has no row, or a stage no such side.
struct NewestTimes {
    var left = Int64.min
    var right = Int64.min
}

/// What one shard did in one batch.
struct ShardCounters {
    /// Rows stored.
    var updated = 0
    /// Rows put out, after the output filter.
    var emitted = 0
    /// Rows that were the same as one before.
    var duplicates = 0
    var left = SideCounters()
    var right = SideCounters()
}

/// Why a shard cannot finish a batch.
enum ShardFailure {
    case memory
    case spill(SpillError)
}

extension PhysicalPlan {
    /// A shard of a stage, by the stage's operation.
    func shard(
        _ number: Int, ofStage stage: Int, tables: [TableSlot], zones: TimeZones, resources: BatchResources,
        shortage: MemoryShortage
    ) -> any StageShard {
        switch stages[stage].operation {
        case .join:
            JoinShard(
                number, self, stage: stage, tables: tables, zones: zones, resources: resources, shortage: shortage)
        case .deduplicate(let deduplicate):
            DeduplicateShard(
                number, self, stage: stage, deduplicate, tables: tables, zones: zones, resources: resources,
                shortage: shortage)
        case .lookup: preconditionFailure("a lookup has no shards")
        }
    }
}
