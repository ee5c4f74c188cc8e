// Copies of a checkpoint as of an earlier batch, made while a query may be running on it.

import SluiceCheckpoint
import SluiceSimulation
import Testing

@Suite struct CheckpointForkTests {
    private static let target = "/copies/q"

    @Test func `A copy has state and positions as of its batch, goes on from there, and changes nothing`() throws {
        let made = try OrdinaryCheckpoint()
        for batch in (made.last - 5)...made.last {
            let files = made.copy()
            let before = try files.snapshot()
            let fork = CheckpointFork(folder: "/cp/q", fileSystem: files)
            #expect(try fork.copy(from: batch, to: Self.target) == batch)
            let after = try files.snapshot().filter { !$0.key.hasPrefix("/copies") }
            #expect(after == before.filter { !$0.key.hasPrefix("/copies") })
            var history = rolledBack(made.history, to: batch)
            var query = try ToyQuery(ToyQuery.options(files, folder: Self.target), seed: 77)
            history.check(query, "to \(batch)")
            for _ in 0..<15 { try query.runBatch(&history) }
        }
    }

    @Test func `A batch that is not retained any more gives the oldest that is, one that is not there yet none`() throws
    {
        let made = try OrdinaryCheckpoint()
        let files = made.copy()
        let fork = CheckpointFork(folder: "/cp/q", fileSystem: files)
        #expect(try fork.copy(from: 0, to: Self.target) == made.last - 5)
        #expect(try fork.copy(from: made.last + 1, to: "/copies/r") == nil)
    }

    @Test func `A copy of a copy is one too`() throws {
        let made = try OrdinaryCheckpoint()
        let files = made.copy()
        let first = CheckpointFork(folder: "/cp/q", fileSystem: files)
        #expect(try first.copy(from: made.last - 2, to: Self.target) == made.last - 2)
        let second = CheckpointFork(folder: Self.target, fileSystem: files)
        #expect(try second.copy(from: 0, to: "/copies/r") == made.last - 2)
        let query = try ToyQuery(ToyQuery.options(files, folder: "/copies/r"), seed: 77)
        rolledBack(made.history, to: made.last - 2).check(query, "twice")
    }

    @Test func `Without a checkpoint there is no copy`() throws {
        let files = SimulatedFileSystem()
        #expect(try CheckpointFork(folder: "/cp/q", fileSystem: files).copy(from: 0, to: Self.target) == nil)
    }
}

/// What is known of a query after its checkpoint went back to `batch`.
private func rolledBack(_ history: ToyHistory, to batch: Int64) -> ToyHistory {
    var history = history
    (history.durablePlan, history.durableCommit, history.attemptedCommit) = (batch, batch, batch)
    return history
}
