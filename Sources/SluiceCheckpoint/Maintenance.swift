// Keeping the folder small: which logs and state files may go, and which state files become one.
//
// Let the floor be the oldest batch that can be rolled back to. Files behind it are deltas, one a batch, and stay as
// they are. At and before the floor, 16 neighbours of one level are merged into a file of the next level:
//
//     level 2      level 1          deltas of retained batches
//     0-255        256-271 272-287  288 289 290 …
//
// so a row is written again at most once a level, and there are at most 15 files a level: fewer than 200 files after a
// million batches. A merge leaves out what has been evicted by the floor, and a file with nothing else is not read.
// Files at the old end whose rows are all evicted are deleted as they are, once a commit that says so (`stateFrom`) is
// durable: recovery would otherwise miss them.

/// How many files of one level become one of the next.
package let mergeFanIn = 16
/// Logs are purged and state is looked at once for so many batches.
let maintenanceInterval: Int64 = 16

/// What `planMaintenance` decides on. A value.
struct MaintenanceFacts: Sendable {
    /// State as of the newest commit, oldest first.
    var stateFiles: [StateFile]
    /// `CommitRecord.retainedFrom` of the newest durable commit.
    var floor: Int64
    /// `CommitEntry.stages` of the floor's batch.
    var evictions: [StageEviction]
    /// State files up to this batch are given up by the next commit.
    var stateFrom: Int64
    /// State files up to this batch were given up by a commit that is durable.
    var durableStateFrom: Int64
    /// The oldest batch whose logs are there.
    var firstLog: Int64
}

/// What there is to do besides the next batch. Carried out by `Checkpoint.perform`, on any thread.
package struct MaintenancePlan: Hashable, Sendable {
    /// Batches whose offsets and commits are not needed any more.
    var purge: Range<Int64>
    /// State files that a durable commit has given up.
    var remove: [StateFile]
    /// What the next commit is to say: state files up to this batch hold nothing live.
    var stateFrom: Int64
    /// As of which batch merges go by.
    var floor: Int64
    var evictions: [StageEviction]
}

/// Decides what may be removed. nil when it is not worth looking. Pure; O(state files).
func planMaintenance(_ facts: MaintenanceFacts) -> MaintenancePlan? {
    if facts.floor - facts.firstLog < maintenanceInterval { return nil }
    var stateFrom = facts.stateFrom
    for file in facts.stateFiles where file.name.to > stateFrom {
        guard file.name.to <= facts.floor, file.header.isEvicted(through: facts.evictions) else { break }
        stateFrom = file.name.to
    }
    return MaintenancePlan(
        purge: facts.firstLog..<facts.floor, remove: facts.stateFiles.filter { $0.name.to <= facts.durableStateFrom },
        stateFrom: stateFrom, floor: facts.floor, evictions: facts.evictions)
}

/// One merge: neighbours in, one file out.
struct MergeStep: Hashable, Sendable {
    /// Oldest first.
    var inputs: [StateFile]
    /// What a merge leaves out.
    var evictions: [StageEviction]

    /// Inputs that hold anything live.
    var liveInputs: [StateFile] { inputs.filter { !$0.header.isEvicted(through: evictions) } }

    /// The output's header, but for its payloads, and for where it is from.
    var header: StateHeader {
        let stages = evictions.map { eviction in
            var lastJoinTimeMicros = [Int64](repeating: .min, count: eviction.throughMicros.count)
            for section in liveInputs.flatMap(\.header.stages) where section.stage == eviction.stage {
                for (side, time) in section.lastJoinTimeMicros.enumerated() where side < lastJoinTimeMicros.count {
                    lastJoinTimeMicros[side] = max(lastJoinTimeMicros[side], time)
                }
            }
            return StateSection(
                stage: eviction.stage, lastJoinTimeMicros: lastJoinTimeMicros,
                evictedThroughMicros: eviction.throughMicros)
        }
        return StateHeader(
            name: StateFileName(kind: .merged, from: inputs[0].name.from, to: inputs[inputs.count - 1].name.to),
            previous: inputs[0].header.previous, previousChecksum: inputs[0].header.previousChecksum,
            inputChecksums: inputs.map(\.checksum), level: inputs[0].header.level + 1, stages: stages)
    }
}

/// Decides which files to merge next: of the lowest level that has `mergeFanIn` neighbours at or before the floor, the
/// oldest. nil when there is none. Pure; O(state files).
func planMerge(
    _ files: [StateFile], floor: Int64, stateFrom: Int64, evictions: [StageEviction]
) -> MergeStep? {
    let candidates = files.filter { $0.name.to <= floor && $0.name.to > stateFrom }
    var runs: [ArraySlice<StateFile>] = []
    var start = 0
    for index in candidates.indices where index > 0 && candidates[index].header.level != candidates[start].header.level
    {
        runs.append(candidates[start..<index])
        start = index
    }
    runs.append(candidates[start...])
    let due = runs.filter { $0.count >= mergeFanIn }.min { $0.first!.header.level < $1.first!.header.level }
    return due.map { MergeStep(inputs: Array($0.prefix(mergeFanIn)), evictions: evictions) }
}
