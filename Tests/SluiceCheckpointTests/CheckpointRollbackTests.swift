import SluiceConnectors
import SluiceCheckpoint
import SluiceSimulation
import SluiceSystem
import Testing

@Suite("Rolling back")
struct CheckpointRollbackTests {
    /// What is known after a rollback to `batch`.
    private func rolledBack(_ history: ToyHistory, to batch: Int64) -> ToyHistory {
        var history = history
        history.durablePlan = batch
        history.durableCommit = batch
        history.attemptedCommit = batch
        return history
    }

    @Test("Takes plans, state and positions back to any retained batch, and goes on from there")
    func anyBatch() throws {
        let made = try OrdinaryCheckpoint()
        for batch in (made.last - 5)...made.last {
            let files = made.copy()
            try Checkpoint.rollback(folder: "/cp/q", fileSystem: files, to: batch)
            var history = rolledBack(made.history, to: batch)
            for process in 0..<4 {
                var query = try ToyQuery(ToyQuery.options(files), seed: UInt64(process + 77))
                history.check(query, "to \(batch), process \(process)")
                for _ in 0..<15 { try query.runBatch(&history) }
                #expect(history.maintenanceCount > 0 || process < 3)
            }
        }
    }

    @Test("Can be done again, further back")
    func twice() throws {
        let files = try OrdinaryCheckpoint().copy()
        try Checkpoint.rollback(folder: "/cp/q", fileSystem: files, to: 118)
        try Checkpoint.rollback(folder: "/cp/q", fileSystem: files, to: 115)
        #expect(try ToyQuery(ToyQuery.options(files), seed: 0).recovered.nextBatch == 116)
    }

    @Test("Is refused where the checkpoint does not reach, and changes nothing", arguments: [-1, 0, 100, 120, 500])
    func outOfReach(batch: Int64) throws {
        let files = try OrdinaryCheckpoint().copy()
        let before = try files.snapshot()
        let error = #expect(throws: CheckpointError.self) {
            try Checkpoint.rollback(folder: "/cp/q", fileSystem: files, to: batch)
        }
        #expect("\(error as Any)".contains("can go back to batches 114 to 119, not to \(batch)"))
        #expect(try files.snapshot() == before)
    }

    @Test("Is refused for a folder without a batch")
    func nothingToRollBack() throws {
        let files = SimulatedFileSystem()
        _ = try Checkpoint.open(ToyQuery.options(files)) { _ in }
        #expect(throws: CheckpointError.notRetained(folder: "/cp/q", batch: 0, oldest: nil, newest: nil)) {
            try Checkpoint.rollback(folder: "/cp/q", fileSystem: files, to: 0)
        }
    }

    @Test("Is refused while the query runs")
    func locked() throws {
        let files = try OrdinaryCheckpoint().copy()
        let query = try ToyQuery(ToyQuery.options(files), seed: 0)
        #expect(throws: CheckpointError.locked(folder: "/cp/q", processID: 1)) {
            try Checkpoint.rollback(folder: "/cp/q", fileSystem: files, to: 118)
        }
        withExtendedLifetime(query) {}
    }

    @Test("Happens whole or not at all, wherever the machine stops")
    func crashes() throws {
        let made = try OrdinaryCheckpoint()
        var sawOld = false
        var sawNew = false
        for operation in 0..<400 {
            let files = made.files.restartProcess(
                plan: FaultPlan(seed: UInt64(operation), crashAtOperation: operation))
            do {
                try Checkpoint.rollback(folder: "/cp/q", fileSystem: files, to: 116)
                #expect(operation > 50)
                break
            } catch { #expect(files.hasCrashed, "operation \(operation): \(error)") }
            for after in [files.restart(), files.restartProcess()] {
                let query = try ToyQuery(ToyQuery.options(after), seed: 0)
                let isNew = query.recovered.committed?.commit.batch == 116
                if isNew { sawNew = true } else { sawOld = true }
                var history = isNew ? rolledBack(made.history, to: 116) : made.history
                history.durableCommit = isNew ? 116 : 118
                history.check(query, "operation \(operation)")
            }
        }
        #expect(sawOld && sawNew)
    }
}
