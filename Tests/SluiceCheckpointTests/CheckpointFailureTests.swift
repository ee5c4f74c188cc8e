// A disk that is full, or breaks, at any single operation: the call says so in typed form, the same call works
// afterwards, and so does opening the checkpoint anew.

import Glibc
import SluiceCheckpoint
import SluiceSimulation
import SluiceSystem
import Testing

@Suite("A failing disk")
struct CheckpointFailureTests {
    /// Runs batches; a call that fails is made again, or the process starts anew, in turn.
    private func run(
        _ files: SimulatedFileSystem, _ history: inout ToyHistory, through last: Int64,
        failures: inout [CheckpointError],
        seed: UInt64
    ) throws {
        var process: UInt64 = 0
        while history.attemptedCommit < last || failures.isEmpty {
            process += 1
            do {
                var query = try ToyQuery(ToyQuery.options(files), seed: seed + process)
                history.check(query, "process \(process)")
                while history.attemptedCommit < last { try query.runBatch(&history) }
                if failures.isEmpty { return }
            } catch let error as CheckpointError {
                failures.append(error)
                // In this model of one failure, whatever was complete before it is durable enough to be found.
                if failures.count > 5 { throw error }
            }
        }
    }

    @Test("A full disk at any operation is reported, and the query goes on when there is room again")
    func fullDisk() throws {
        let dry = SimulatedFileSystem()
        var history = ToyHistory()
        var none: [CheckpointError] = []
        try run(dry, &history, through: 30, failures: &none, seed: 7)
        #expect(none.isEmpty)
        for operation in 0..<dry.operationCount {
            var plan = FaultPlan(seed: UInt64(operation))
            plan.failures = [operation: operation % 3 == 0 ? EIO : ENOSPC]
            let files = SimulatedFileSystem(plan: plan)
            var history = ToyHistory()
            var failures: [CheckpointError] = []
            try run(files, &history, through: 30, failures: &failures, seed: 7)
            #expect(failures.count == 1, "operation \(operation): \(failures)")
            #expect(failures.allSatisfy { $0.isRetriable && $0.remedy.hasSuffix(".") }, "operation \(operation)")
            if let error = failures.first, operation % 3 != 0 { #expect("\(error)".contains("Make room")) }
            // The power goes: nothing that a failed sync has dropped may be missed.
            let after = files.restart()
            history.check(try ToyQuery(ToyQuery.options(after), seed: 0), "operation \(operation), after a crash")
        }
    }

    @Test("Each call can be made again after a failure", arguments: 0..<20)
    func sameCallAgain(seed: Int) throws {
        var generator = SplitMix64(seed: UInt64(seed))
        let files = SimulatedFileSystem(plan: FaultPlan(seed: UInt64(seed)))
        var history = ToyHistory()
        var query = try ToyQuery(ToyQuery.options(files), seed: UInt64(seed))
        let opened = files.operationCount
        for _ in 0..<40 { files.plan.failures[opened + Int.random(in: 0..<1200, using: &generator)] = ENOSPC }
        var failures = 0
        func insist(_ body: () throws(CheckpointError) -> Void) {
            while true {
                do throws(CheckpointError) { return try body() } catch { failures += 1 }
            }
        }
        for batch in Int64(0)..<80 {
            let plan = query.planBatch()
            insist { () throws(CheckpointError) in try query.checkpoint.logOffsets(plan) }
            let result = ToyBatch(plan, on: query.state, after: query.committed?.commit)
            insist { () throws(CheckpointError) in try query.checkpoint.writeToyState(result) }
            insist { () throws(CheckpointError) in try query.checkpoint.writeCommit(result.commit) }
            if batch % 7 == 0 { insist { () throws(CheckpointError) in try query.checkpoint.syncCommit() } }
            while let plan = query.checkpoint.planMaintenance() {
                do throws(CheckpointError) {
                    try query.checkpoint.perform(plan, merge: mergeToyPayloads)
                } catch { failures += 1 }
            }
            history.plans[batch] = plan
            history.commits[batch] = result.commit
            history.states[batch] = result.state
            query.state = result.state
            query.committed = Recovered.Committed(offsets: plan, commit: result.commit)
        }
        #expect(failures > 5)
        history.durablePlan = 79
        history.durableCommit = 78
        history.attemptedCommit = 79
        history.check(try ToyQuery(ToyQuery.options(files.restart()), seed: 0), "seed \(seed)")
    }
}
