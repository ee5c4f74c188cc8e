// The life of a query around its runner: when it starts again, when it gives up, how it is stopped, and that its
// trouble stays its own. Under simulated clocks, so that a minute of waiting takes none.

import Glibc
import QueryTesting
import SluiceCheckpoint
import SluiceConnectors
import SluiceEngine
import SluiceRuntime
import SluiceSimulation
import SluiceSpec
import SluiceSystem
import Synchronization
import Testing

@Suite struct RestartPolicyTests {
    @Test func `Waits double from one second to a minute`() {
        let policy = RestartPolicy(onFailure: .restart, isFinite: false)
        let delays = (1...9).map { policy.delayMillis(failureCount: $0, isRetriable: true) }
        #expect(delays == [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000])
        #expect(policy.delayMillis(failureCount: 1_000_000, isRetriable: true) == 60_000)
    }

    @Test func `A query that ends by itself gives up at the third failure in a row`() {
        let policy = RestartPolicy(onFailure: .restart, isFinite: true)
        #expect((1...4).map { policy.delayMillis(failureCount: $0, isRetriable: true) } == [1000, 2000, nil, nil])
    }

    @Test(arguments: [false, true])
    func `What trying again cannot help is not tried again, and on_failure stop never is`(isFinite: Bool) {
        let restart = RestartPolicy(onFailure: .restart, isFinite: isFinite)
        #expect(restart.delayMillis(failureCount: 1, isRetriable: false) == nil)
        let stop = RestartPolicy(onFailure: .stop, isFinite: isFinite)
        #expect(stop.delayMillis(failureCount: 1, isRetriable: true) == nil)
    }
}

/// A supervised query on a simulated disk.
private final class Supervised: Sendable {
    let disk: SimulatedFileSystem
    let clock: SimulatedClock
    let reports = Reports()
    let supervisor: QuerySupervisor

    init(
        _ spec: JoinSpecText, onFailure: QuerySpec.FailurePolicy = .restart,
        disk: SimulatedFileSystem = SimulatedFileSystem(),
        clock: SimulatedClock = SimulatedClock(pace: .byWaits), pool: WorkerPool = WorkerPool(width: 2),
        afterBatch: @escaping @Sendable (QueryProgress) -> Void = { _ in }
    ) throws {
        self.disk = disk
        self.clock = clock
        let query = try TestedQuery(spec.text)
        let environment = QueryEnvironment(disk, clock: clock, pool: pool) { [reports] progress in
            reports.add(progress)
            afterBatch(progress)
        }
        let isFinite = spec.trigger == "available_now" || spec.trigger == "once"
        supervisor = QuerySupervisor(
            name: "q", policy: RestartPolicy(onFailure: onFailure, isFinite: isFinite), environment: environment
        ) { _ in
            try query.makeQuery(environment)
        }
    }

    /// What was waited for, as the time since the wait before.
    var waits: [Int64] {
        let deadlines = clock.waitedFor.compactMap(\.self)
        return zip(deadlines, [0] + deadlines).map { $0 - $1 }
    }
}

@Suite struct QuerySupervisorTests {
    /// So many files on each side; with a watermark there is a no-data batch after the last.
    private func feed(_ disk: SimulatedFileSystem, _ count: Int) {
        for number in 0..<count {
            let seconds = Double(10 + number * 5)
            let step = Step(left: [row("a\(number)", "k", seconds)], right: [row("b\(number)", "k", seconds + 2)])
            disk.feed(step, number: number, isFollowed: false)
        }
    }

    /// Fails everything that writes, as a full disk does, until the clock has reached a time.
    private func fill(_ disk: SimulatedFileSystem, until millis: Int64, _ clock: SimulatedClock, _ code: Int32 = ENOSPC)
    {
        disk.plan.fails = { operation in
            clock.wallMillis < millis && [.write, .append].contains(operation.verb) ? code : nil
        }
    }

    @Test func `A query that works finishes`() throws {
        let query = try Supervised(JoinSpecText())
        feed(query.disk, 3)
        query.supervisor.run()
        #expect(query.supervisor.status == .finished)
        #expect(query.reports.all.map(\.batchID) == [0, 1, 2, 3])
        #expect(query.clock.waitedFor.isEmpty)
    }

    @Test func `On a full disk it waits longer and longer, and goes on when there is room`() throws {
        var spec = JoinSpecText()
        spec.trigger = "as_fast_as_possible"
        let stop = Mutex<QuerySupervisor?>(nil)
        let query = try Supervised(spec) { progress in
            if progress.batchID == 3 { stop.withLock { $0?.stop() } }
        }
        stop.withLock { $0 = query.supervisor }
        feed(query.disk, 3)
        fill(query.disk, until: 100_000, query.clock)
        query.supervisor.run()
        #expect(query.supervisor.status == .finished)
        #expect(query.waits.prefix(7) == [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000])
        #expect(query.reports.all.map(\.batchID) == [0, 1, 2, 3])
        #expect(query.disk.files(under: "/out").count { $0.contains("/batch-") } == 3)
        stop.withLock { $0 = nil }
    }

    @Test func `A finite query gives up on a full disk at the third failure, and says why`() throws {
        let query = try Supervised(JoinSpecText())
        feed(query.disk, 1)
        fill(query.disk, until: .max, query.clock)
        query.supervisor.run()
        guard case .failed(let error) = query.supervisor.status else {
            Issue.record("\(query.supervisor.status)")
            return
        }
        #expect(error.contains("room"))
        #expect(query.waits == [1000, 2000])
    }

    @Test func `A batch that goes through starts the count of failures anew`() throws {
        var spec = JoinSpecText(type: nil)
        spec.trigger = "as_fast_as_possible"
        let stop = Mutex<QuerySupervisor?>(nil)
        let query = try Supervised(spec) { progress in
            if progress.batchID == 2 { stop.withLock { $0?.stop() } }
        }
        stop.withLock { $0 = query.supervisor }
        feed(query.disk, 3)
        // Every batch fails once before it goes through.
        let failed = Mutex<Set<String>>([])
        query.disk.plan.fails = { operation in
            guard operation.verb == .write, operation.path.hasPrefix("/check/offsets/"),
                !operation.path.hasSuffix(".tmp")
            else { return nil }
            return failed.withLock { $0.insert(operation.path).inserted } ? EIO : nil
        }
        query.supervisor.run()
        #expect(query.waits == [1000, 1000, 1000], "\(failed.withLock { $0.sorted() })")
        #expect(query.reports.all.map(\.batchID) == [0, 1, 2])
        stop.withLock { $0 = nil }
    }

    @Test func `on_failure stop gives up at once`() throws {
        let query = try Supervised(JoinSpecText(), onFailure: .stop)
        feed(query.disk, 1)
        fill(query.disk, until: 1, query.clock)
        query.supervisor.run()
        guard case .failed = query.supervisor.status else {
            Issue.record("\(query.supervisor.status)")
            return
        }
        #expect(query.clock.waitedFor.isEmpty)
    }

    @Test func `Bad data under bad_rows fail is not tried again`() throws {
        var spec = JoinSpecText()
        spec.trigger = "1s"
        spec.leftField = "bad_rows: fail"
        let query = try Supervised(spec)
        query.disk.feed(Step(left: ["{broken"]), number: 0, isFollowed: false)
        query.supervisor.run()
        guard case .failed(let error) = query.supervisor.status else {
            Issue.record("\(query.supervisor.status)")
            return
        }
        #expect(error.contains("/in/l/000000.jsonl"), "\(error)")
        #expect(query.clock.waitedFor.isEmpty)
    }

    @Test func `A damaged checkpoint is not tried again`() throws {
        let first = try Supervised(JoinSpecText())
        feed(first.disk, 3)
        first.supervisor.run()
        first.disk.put("/check/metadata.json", "{}")
        let second = try Supervised(JoinSpecText(), disk: first.disk)
        second.supervisor.run()
        guard case .failed(let error) = second.supervisor.status else {
            Issue.record("\(second.supervisor.status)")
            return
        }
        #expect(error.contains("metadata.json"), "\(error)")
        #expect(second.clock.waitedFor.isEmpty)
    }

    @Test func `A stop ends the wait for a restart`() throws {
        var spec = JoinSpecText()
        spec.trigger = "1s"
        // This clock stands still: only the stop can end the wait.
        let query = try Supervised(spec, clock: SimulatedClock())
        feed(query.disk, 1)
        fill(query.disk, until: .max, query.clock)
        let thread = SystemThread(name: "query") { query.supervisor.run() }
        query.clock.untilSomebodyWaits()
        guard case .restarting = query.supervisor.status else {
            Issue.record("\(query.supervisor.status)")
            return
        }
        query.supervisor.stop()
        thread?.join()
        #expect(query.supervisor.status == .finished)
    }

    @Test func `A stop ends the wait for a trigger, and stopping twice or before the start is no error`() throws {
        var spec = JoinSpecText()
        spec.trigger = "1h"
        let query = try Supervised(spec, clock: SimulatedClock())
        feed(query.disk, 1)
        let thread = SystemThread(name: "query") { query.supervisor.run() }
        query.clock.untilSomebodyWaits()
        query.supervisor.stop()
        query.supervisor.stop()
        thread?.join()
        #expect(query.supervisor.status == .finished)
        #expect(query.reports.all.map(\.batchID) == [0])

        let never = try Supervised(spec)
        never.supervisor.stop()
        never.supervisor.run()
        #expect(never.supervisor.status == .finished)
        #expect(never.reports.all.isEmpty)
    }

    @Test func `A query that fails does not touch another on the same pool`() throws {
        let pool = WorkerPool(width: 2)
        let (good, bad) = (try Supervised(JoinSpecText(), pool: pool), try Supervised(JoinSpecText(), pool: pool))
        feed(good.disk, 30)
        feed(bad.disk, 30)
        bad.disk.plan.fails = { $0.verb == .write && $0.path.hasSuffix("/7") ? EACCES : nil }
        let thread = SystemThread(name: "bad") { bad.supervisor.run() }
        good.supervisor.run()
        thread?.join()
        #expect(good.supervisor.status == .finished)
        #expect(good.reports.all.count == 31)
        guard case .failed = bad.supervisor.status else {
            Issue.record("\(bad.supervisor.status)")
            return
        }
        #expect(bad.reports.all.map(\.batchID) == Array(0..<7))
    }

    @Test func `A query that fails while old files are merged is started again on the same checkpoint`() throws {
        // The runner that failed has gone only when its maintenance has, or the next one would find the folder locked.
        var spec = JoinSpecText(retainBatches: 1)
        spec.trigger = "as_fast_as_possible"
        let stop = Mutex<QuerySupervisor?>(nil)
        let query = try Supervised(spec) { progress in
            if progress.batchID == 50 { stop.withLock { $0?.stop() } }
        }
        stop.withLock { $0 = query.supervisor }
        feed(query.disk, 51)
        // As soon as maintenance has begun to purge, the query's own next write fails.
        let purged = Atomic<Int>(0)
        let failed = Atomic<Int>(0)
        query.disk.plan.fails = { operation in
            if operation.verb == .remove && operation.path.hasPrefix("/check/offsets/") {
                purged.add(1, ordering: .sequentiallyConsistent)
            }
            guard operation.verb == .write, operation.path.hasPrefix("/check/offsets/"),
                purged.load(ordering: .sequentiallyConsistent) / 16 >= failed.load(ordering: .sequentiallyConsistent),
                purged.load(ordering: .sequentiallyConsistent) > 0
            else { return nil }
            failed.add(1, ordering: .sequentiallyConsistent)
            return EIO
        }
        query.supervisor.run()
        #expect(query.supervisor.status == .finished)
        #expect(failed.load(ordering: .sequentiallyConsistent) > 0)
        #expect(Set(query.reports.all.map(\.batchID)) == Set(0...50))
        stop.withLock { $0 = nil }
    }
}
