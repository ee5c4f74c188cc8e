// Goal: whatever happens to the machine, a checkpoint opens to the newest batch that can have been committed, with the
// state, the plan and the positions of that batch. Method: a toy query runs on the simulated disk, is stopped at random
// file operations, and each time what it finds is compared with what it did.

import Glibc
import SluiceConnectors
import SluiceEngine
import SluiceCheckpoint
import SluiceSimulation
import SluiceSystem
import Testing

/// What runs at once may end in any order.
private let backwards: ParallelFor = { count, body in for index in (0..<count).reversed() { body(index) } }

@Suite("A checkpoint")
struct CheckpointTests {
    @Test("Opens where a process that ended at any batch has left off", arguments: [1, 5, 40])
    func reopen(retain: Int) throws {
        let files = SimulatedFileSystem()
        var history = ToyHistory()
        for process in 0..<30 {
            var query = try ToyQuery(ToyQuery.options(files, retain: retain), seed: UInt64(process))
            history.check(query, "process \(process)")
            for _ in 0..<20 { try query.runBatch(&history) }
        }
        #expect(history.attemptedCommit == 599)
        #expect(history.maintenanceCount > 20)
    }

    @Test("Survives a crash at any file operation, over and over", arguments: 0..<20)
    func crashes(seed: Int) throws {
        var generator = SplitMix64(seed: UInt64(seed))
        var files = SimulatedFileSystem(plan: FaultPlan(seed: UInt64(seed), crashAtOperation: 3))
        let retain = Int.random(in: 1...20, using: &generator)
        var history = ToyHistory()
        var crashes = 0
        while history.attemptedCommit < 300 {
            let plan = files.plan
            do {
                var options = ToyQuery.options(files, retain: retain)
                if Bool.random(using: &generator) { options.parallel = backwards }
                var query = try ToyQuery(options, seed: generator.next())
                history.check(query, "seed \(seed), crash \(crashes), \(plan)")
                while true { try query.runBatch(&history) }
            } catch let error as CheckpointError where files.hasCrashed {
                guard case .file(let error) = error, error.isSimulatedCrash else { throw error }
                crashes += 1
            }
            let limit = Bool.random(using: &generator) ? 60 : 600
            let next = FaultPlan(
                seed: generator.next(), crashAtOperation: Int.random(in: 0..<limit, using: &generator))
            files = Bool.random(using: &generator) ? files.restart(plan: next) : files.restartProcess(plan: next)
        }
        #expect(crashes > 10)
        #expect(history.maintenanceCount > 5)
    }
}
