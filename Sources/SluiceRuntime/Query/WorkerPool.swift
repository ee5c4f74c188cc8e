// The process' worker threads, shared by all queries. A query's thread works on its own job too, so a light query never
// waits for a heavy one to get going; workers take one index at a time and turn to the next job after each, so jobs
// share them evenly.

internal import Glibc
package import SluiceEngine
internal import SluiceSystem

/// A fixed set of threads that run indexed jobs.
package final class WorkerPool: Sendable {
    /// One `parallelFor` call; all fields are guarded by the pool's monitor.
    private final class Job: @unchecked Sendable {
        let count: Int
        let body: @Sendable (Int) -> Void
        var nextIndex = 0
        var doneCount = 0

        init(count: Int, body: @escaping @Sendable (Int) -> Void) {
            self.count = count
            self.body = body
        }
    }

    /// Guarded by `monitor`.
    private final class State: @unchecked Sendable {
        var jobs: [Job] = []
        var turn = 0
        var isClosed = false
    }

    private let monitor: Monitor
    private let state: State
    /// The pool that this one is a view of.
    private let owner: WorkerPool?
    private let meter: ProcessorMeter?
    /// How many threads may work on one query's batch: the workers and the query's own.
    package let width: Int

    /// - Parameter width: how many threads a query's batch can use. At least one worker is made, so that two waits for
    ///   the disk can go on at once on any machine.
    package init(width: Int) {
        self.width = max(1, width)
        (owner, meter) = (nil, nil)
        let (monitor, state) = (Monitor(), State())
        (self.monitor, self.state) = (monitor, state)
        for number in 0..<max(1, width - 1) {
            SystemThread(name: "worker-\(number)") { Self.work(monitor, state) }?.detach()
        }
    }

    private init(sharing owner: WorkerPool, meter: ProcessorMeter) {
        (self.owner, self.meter) = (owner, meter)
        (monitor, state, width) = (owner.monitor, owner.state, owner.width)
    }

    /// The same threads, for work whose processor time is to be added up.
    func metered(by meter: ProcessorMeter) -> WorkerPool { WorkerPool(sharing: owner ?? self, meter: meter) }

    deinit {
        if owner != nil { return }
        monitor.withLock {
            state.isClosed = true
            monitor.notifyAll()
        }
    }

    /// Runs `body` for every index below `count` and returns when all have ended.
    package func run(_ count: Int, _ body: @Sendable (Int) -> Void) {
        if count <= 1 {
            if count == 1 { body(0) }
            return
        }
        guard let meter else { return share(count, body) }
        let caller = pthread_self()
        share(count) { index in meter.run(from: caller) { body(index) } }
    }

    private func share(_ count: Int, _ body: @Sendable (Int) -> Void) {
        withoutActuallyEscaping(body) { body in
            let job = Job(count: count, body: body)
            monitor.withLock {
                state.jobs.append(job)
                monitor.notifyAll()
            }
            while let index = monitor.withLock({ Self.take(from: job, state) }) {
                job.body(index)
                monitor.withLock { job.doneCount += 1 }
            }
            monitor.lock()
            while job.doneCount < count { monitor.wait() }
            monitor.unlock()
        }
    }

    /// The pool as the engine sees it.
    package var parallelFor: ParallelFor {
        { [self] count, body in run(count, body) }
    }

    private static func take(from job: Job, _ state: State) -> Int? {
        guard job.nextIndex < job.count else { return nil }
        defer {
            job.nextIndex += 1
            if job.nextIndex == job.count { state.jobs.removeAll { $0 === job } }
        }
        return job.nextIndex
    }

    private static func work(_ monitor: Monitor, _ state: State) {
        monitor.lock()
        while !state.isClosed {
            guard !state.jobs.isEmpty else {
                monitor.wait()
                continue
            }
            state.turn = (state.turn + 1) % state.jobs.count
            let job = state.jobs[state.turn]
            guard let index = take(from: job, state) else { continue }
            monitor.unlock()
            job.body(index)
            monitor.lock()
            job.doneCount += 1
            if job.doneCount == job.count { monitor.notifyAll() }
        }
        monitor.unlock()
    }
}
