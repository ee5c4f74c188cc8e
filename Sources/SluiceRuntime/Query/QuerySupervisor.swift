// The life of one query around its runner: its thread, what happens when it fails, and how it is stopped. Queries share
// nothing but the worker pool, so one that fails takes no other with it.
//
//     running ──▶ finished            the trigger ended by itself, sources ended, or a stop was asked for
//        │ error
//        ├──▶ restarting ──▶ running  on_failure: restart, the error may pass: after 1 s, 2 s, 4 s … 60 s
//        └──▶ failed                  on_failure: stop, or trying again cannot help (bad data, damaged checkpoint …)

internal import SluiceCheckpoint
internal import SluiceConnectors
internal import SluiceEngine
package import SluiceSpec
internal import SluiceSystem
internal import Synchronization

/// How often and how long after a failure a query is started again. Pure.
package struct RestartPolicy: Hashable, Sendable {
    package var onFailure: QuerySpec.FailurePolicy
    /// Of a query that ends by itself only a few tries make sense: somebody waits for the exit code.
    package var triesMax: Int?

    package init(onFailure: QuerySpec.FailurePolicy, isFinite: Bool) {
        self.onFailure = onFailure
        triesMax = isFinite ? 3 : nil
    }

    /// Milliseconds to wait before the next start, nil to give up.
    /// - Parameter failureCount: how many starts in a row have ended in an error, this one included.
    package func delayMillis(failureCount: Int, isRetriable: Bool) -> Int64? {
        guard onFailure == .restart, isRetriable else { return nil }
        if let triesMax, failureCount >= triesMax { return nil }
        return min(60_000, 1000 << Int64(min(failureCount - 1, 6)))
    }
}

/// Runs one query on a thread of its own, over and over as its policy says.
package final class QuerySupervisor: Sendable {
    package let name: String
    private let policy: RestartPolicy
    private let environment: QueryEnvironment
    private let makeQuery: @Sendable (_ shouldStop: @escaping @Sendable () -> Bool) throws -> RunnableQuery
    /// What others may ask of the query, and see of it.
    package let control: QueryControl
    private let pauseNote: PauseNote?
    /// Where its rows have gone.
    package let accounts = RowAccounts()
    private let batchesDone = Atomic<Int>(0)

    /// - Parameter makeQuery: a fresh set of connectors for each start, which stop waiting when `shouldStop` says so.
    package convenience init(
        name: String, policy: RestartPolicy, environment: QueryEnvironment, control: QueryControl = QueryControl(),
        makeQuery: @escaping @Sendable (_ shouldStop: @escaping @Sendable () -> Bool) throws -> RunnableQuery
    ) {
        self.init(
            name: name, policy: policy, environment: environment, control: control, pauseNote: nil,
            makeQuery: makeQuery)
    }

    /// - Parameter pauseNote: where a pause of the query is written down.
    init(
        name: String, policy: RestartPolicy, environment: QueryEnvironment, control: QueryControl,
        pauseNote: PauseNote?,
        makeQuery: @escaping @Sendable (_ shouldStop: @escaping @Sendable () -> Bool) throws -> RunnableQuery
    ) {
        self.pauseNote = pauseNote
        self.name = name
        self.policy = policy
        self.environment = environment
        self.control = control
        self.makeQuery = makeQuery
    }

    package var status: QueryStatus { control.status }

    /// True when a batch was committed since the supervisor was made.
    var hasRunBatches: Bool { batchesDone.load(ordering: .relaxed) > 0 }

    /// Ends the query after the batch in hand. From any thread, any number of times.
    package func stop() { control.stop() }

    /// Runs until the query has finished or failed. Blocks.
    package func run() {
        var failureCount = 0
        while mayStart() {
            let doneBefore = batchesDone.load(ordering: .relaxed)
            control.enter(.busy)
            do {
                try runOnce()
                break
            } catch  where control.isStopping && isStopped(error) {
                // The batch in hand waited for what may never come; the next start runs it again.
                break
            } catch {
                // A batch that went through shows that the trouble before it is over.
                if batchesDone.load(ordering: .relaxed) > doneBefore { failureCount = 0 }
                failureCount += 1
                guard let delay = policy.delayMillis(failureCount: failureCount, isRetriable: isRetriable(error)) else {
                    fail(error)
                    return
                }
                waitToRestart(after: delay, error)
            }
        }
        control.enter(.finished)
        environment.log.info("Query ended", [.query: .string(name)])
    }

    /// Waits while the query is paused. False when it is to stop.
    private func mayStart() -> Bool {
        if control.isPauseAsked {
            control.enter(.waiting)
            control.waitWhilePaused(environment.clock)
        }
        return !control.isStopping
    }

    /// The system has no thread for this query.
    package func failToStart() {
        control.enter(.failed(error: "the system has no more threads", code: "no-threads"))
        environment.log.error(
            "Query has no thread to run on", [.query: .string(name), .errorCode: "no-threads"])
    }

    private func runOnce() throws {
        var environment = self.environment
        let report = environment.report
        environment.report = { [self] progress in
            batchesDone.add(1, ordering: .relaxed)
            report(progress)
        }
        let runner = try QueryRunner(
            try makeQuery { [control] in control.isStopping }, environment: environment, runID: randomUUID(),
            control: control, accounts: accounts)
        sayPauseEnded()
        try runner.run()
    }

    /// The checkpoint is this process' now, and so is the note.
    private func sayPauseEnded() {
        guard let pauseNote, !control.isPauseAsked, pauseNote.isThere else { return }
        pauseNote.write(false)
        environment.log.warning(
            "The query was paused when its process ended; a pause does not outlive that, it runs again",
            [.query: .string(name)])
    }

    private func fail(_ error: any Error) {
        let code = errorCode(error)
        control.enter(.failed(error: "\(error)", code: code))
        environment.log.error(
            "Query failed", [.query: .string(name), .errorCode: .string(code), .error: .string("\(error)")])
    }

    private func waitToRestart(after delay: Int64, _ error: any Error) {
        let code = errorCode(error)
        control.enter(.restarting(error: "\(error)", code: code))
        environment.log.warning(
            "Query stopped by an error, starts again",
            [
                .query: .string(name), .errorCode: .string(code), .error: .string("\(error)"),
                .delayMillis: .integer(delay),
            ])
        let end = environment.clock.nanos(inMillis: delay)
        while !control.isStopping, environment.clock.monotonicNanos < end {
            control.wait(untilNanos: end, environment.clock)
        }
    }
}

extension LogKey {
    static let delayMillis = LogKey("sluice.delay_ms")
}

/// Whether a connector gave up waiting because a stop was asked for.
private func isStopped(_ error: any Error) -> Bool {
    switch error {
    case let error as ConnectorError: error.code == ConnectorError.stopped.code
    case let error as TableError: error.code == ConnectorError.stopped.code
    case BatchError.input(_, let error): isStopped(error)
    default: false
    }
}

/// Whether the same thing may work a little later.
func isRetriable(_ error: any Error) -> Bool {
    switch error {
    case let error as ConnectorError: error.isRetriable
    case let error as CheckpointError: error.isRetriable
    case let error as TableError: error.isRetriable
    case BatchError.input(_, let error): isRetriable(error)
    case BatchError.spill(let error): error.isRetriable
    default: false
    }
}
