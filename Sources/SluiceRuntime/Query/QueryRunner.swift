// One query from its checkpoint to its end. One thread runs this loop, synchronously; nothing in it reacts to data
// arriving, it looks when the trigger fires.
//
//     wait for the trigger
//     1  ask the sources for their ends, plan offset ranges       nothing new and no watermark to act on: wait again
//     2  offsets/N                                                durable (first wait for the disk)
//     3  read, decode, join, encode                               the engine, over the worker pool
//     4  state/N and the sinks' staged output, in parallel        durable (second wait)
//     5  sinks make N visible
//     6  watermarks move; commits/N                               durable with offsets/N+1
//
// A crash anywhere leaves either nothing of N, or offsets/N, in which case N is run again with exactly the same ranges
// and watermarks; sinks replace or skip what they have of N. After any error the in-memory state is dropped and the
// query starts again from its checkpoint, as after a crash.
//
// What a batch is and what follows from it is decided by QueryPosition, a value. What acts on it: the loop and its
// triggers here, step 1 in QueryRunner+Look.swift, the others in QueryRunner+Batch.swift.
// Source: Spark's MicroBatchExecution.

internal import SluiceCheckpoint
internal import SluiceConnectors
internal import SluiceEngine
internal import SluicePlan
internal import SluiceSpec
package import SluiceSystem

/// Runs one query. Used by one thread; others speak to its `QueryControl`.
package final class QueryRunner {
    let query: RunnableQuery
    /// `PhysicalPlan.stagesFromTop`, as every batch reports them.
    let stagesFromTop: [Int]
    let environment: QueryEnvironment
    let control: QueryControl
    let accounts: RowAccounts
    let runID: String

    let checkpoint: Checkpoint
    let executor: BatchExecutor
    let spill: FileSpill
    let tables: QueryTables
    var position: QueryPosition
    var goal = Goal.none
    var haveSinksBegun = false
    /// A commit was written that a crash may still lose.
    var hasUnsyncedCommit = false
    /// When the trigger fired whose batch is in hand, and when the one before did.
    var trigger: Moment
    private(set) var lastTrigger: Moment?
    private let start: Moment
    var meter: BatchMeter
    var maintenance: QueryMaintenance

    /// As the other one, for a query that nobody controls.
    /// - Parameters:
    ///   - wakeup: signalled when `shouldStop` may have changed.
    package convenience init(
        _ query: RunnableQuery, environment: QueryEnvironment, runID: String, wakeup: Wakeup,
        shouldStop: @escaping @Sendable () -> Bool
    ) throws {
        try self.init(
            query, environment: environment, runID: runID,
            control: QueryControl(wakeup: wakeup, alsoStops: shouldStop))
    }

    /// Opens the checkpoint and brings state, sinks and positions to where it says.
    /// - Parameters:
    ///   - accounts: those of the query's earlier starts in this process, if there were any.
    package init(
        _ query: RunnableQuery, environment: QueryEnvironment, runID: String, control: QueryControl,
        accounts: RowAccounts = RowAccounts()
    ) throws {
        let processor = ProcessorMeter(environment.clock)
        var environment = environment
        environment.pool = environment.pool.metered(by: processor)
        self.environment = environment
        self.runID = runID
        self.control = control
        self.accounts = accounts
        let opened = try OpenedCheckpoint(query, environment: environment)
        var query = query
        query.plan = opened.plan
        self.query = query
        stagesFromTop = query.plan.stagesFromTop
        checkpoint = opened.checkpoint
        keepMemoryReserve()
        spill = try FileSpill(folder: query.checkpointFolder, fileSystem: environment.fileSystem)
        var resources = BatchResources(spill: spill)
        if let limit = environment.memoryLimit {
            resources.isMemoryShort = { [name = query.plan.query] in limit.mustStop(name) }
        }
        let parallel = environment.pool.parallelFor
        executor = BatchExecutor(
            plan: query.plan, laneCount: environment.pool.width, zones: environment.zones, resources: resources,
            parallel: parallel)
        tables = QueryTables(
            query, environment, executor, checkpoint,
            newest: opened.recovered.inHand ?? opened.recovered.committed?.offsets)
        start = Moment(environment.clock)
        trigger = start
        position = QueryPosition(query.plan, opened.recovered, nowMillis: start.wallMillis)
        meter = BatchMeter(query, processor)
        maintenance = QueryMaintenance(checkpoint, query.plan, parallel: parallel, meter: processor)
        opened.resume(query.sources)
        try opened.restoreState(into: executor, parallel: parallel)
        accounts.open(query.plan, stateRows: executor.stateRowCounts)
        let start = SinkStart(opened, acceptsMissingMark: query.acceptsMissingMark)
        for sink in query.sinks { try sink.recover(start) }
        control.didCommit(opened.recovered.committed?.commit.batch)
        control.note(positions: position.offsets)
    }

    /// After an error too, nothing of this runner works on the checkpoint any more: the next one takes it over.
    deinit {
        try? maintenance.wait()
        environment.memoryLimit?.didEnd(query.plan.query)
    }

    /// Runs until the trigger is done, all sources have ended, or a stop is asked for. Throws what stopped a batch.
    package func run() throws {
        try runBatches()
        try maintenance.wait()
    }

    /// Runs batches until none is due, whatever the trigger says. For step-by-step use: the demo and tests.
    package func runPending() throws {
        while try fire() {}
        try syncCommit()
    }

    private func runBatches() throws {
        environment.log.info(
            "Query started",
            [.query: .string(query.plan.query), .batch: .integer(position.rerun?.batch ?? position.nextBatch)])
        meter.start()
        if schedule.trigger == .availableNow, case .none = goal { goal = .dueAtFirstLook }
        if let batch = position.rerun {
            environment.log.info(
                "A batch that was interrupted runs again",
                [.query: .string(query.plan.query), .batch: .integer(batch.batch)])
        }
        control.enter(.waiting)
        while try mayGoOn() {
            noteClockStep()
            let didRun = try fire()
            control.enter(.waiting)
            lastTrigger = trigger
            for sink in query.sinks { try sink.keepAlive() }
            if isDone(didRun: didRun) {
                try stopAtTrouble()
                break
            }
            if !didRun { try syncCommit() }
            // Nothing more will come: a no-data batch that is due, and then the end, need no trigger.
            if didRun, query.sources.allSatisfy({ $0.isFinished }) { continue }
            try waitForTrigger(didRunBatch: didRun)
        }
        try syncCommit()
    }

    private func isDone(didRun: Bool) -> Bool {
        switch schedule.trigger {
        case .once: true
        case .availableNow: !didRun
        case .interval, .asFastAsPossible: !didRun && query.sources.allSatisfy { $0.isFinished }
        }
    }

    /// For a query that comes to rest: waits until its newest commit is durable.
    private func syncCommit() throws {
        guard hasUnsyncedCommit else { return }
        for sink in query.sinks { try sink.sync() }
        try checkpoint.syncCommit()
        hasUnsyncedCommit = false
    }

    // MARK: Triggers

    /// The trigger in force.
    var schedule: TriggerSchedule { TriggerSchedule(control.trigger ?? query.trigger) }

    /// The wall time of the trigger, had nobody set the clock since the start: silence is as long as it lasts, and a
    /// clock that is set forward must not make a source idle and its rows late.
    var steadyMillis: Int64 { start.wallMillis + trigger.millis(since: start) }

    /// Waits while the query is paused. False when it is to stop.
    func mayGoOn() throws -> Bool {
        if control.isPauseAsked {
            try syncCommit()
            control.waitWhilePaused(environment.clock)
        }
        return !control.isStopping
    }

    /// Returns when the next trigger fires, or when the query is to stop. Whatever else is asked meanwhile (a pause,
    /// its end, another trigger) only moves the time, which always counts from the start of the last batch.
    private func waitForTrigger(didRunBatch: Bool) throws {
        let clock = environment.clock
        var awaited: TriggerSpec?
        var deadlineNanos: UInt64?
        repeat {
            let schedule = self.schedule
            if schedule.trigger != awaited {
                awaited = schedule.trigger
                deadlineNanos = schedule.nextMillis(
                    startMillis: trigger.wallMillis, didRunBatch: didRunBatch, nowMillis: clock.wallMillis
                ).map { clock.nanos(atWallMillis: $0) }
            }
            guard let deadlineNanos else { return }
            control.wait(untilNanos: deadlineNanos, clock)
            if clock.monotonicNanos >= deadlineNanos, schedule == self.schedule, !control.isPauseAsked { return }
        } while try mayGoOn()
    }

    /// Times in the log, batch times and triggers jump when somebody sets the clock; a person should know why.
    private func noteClockStep() {
        guard let step = environment.wallClockWatch.step(environment.clock) else { return }
        environment.log.warning(
            "The machine's clock was set, or the machine has slept; triggers follow it, nothing waits for the old time",
            [.stepMillis: .integer(step)])
    }
}

extension LogKey {
    static let stepMillis = LogKey("sluice.step_ms")
}
