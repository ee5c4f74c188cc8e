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
// Source: Spark's MicroBatchExecution.

internal import Glibc
internal import SluiceCheckpoint
package import SluiceConnectors
package import SluiceEngine
package import SluicePlan
package import SluiceSpec
package import SluiceSystem

/// What a runner needs from around it; tests hand in simulated parts.
package struct QueryEnvironment: Sendable {
    package var fileSystem: any FileSystem
    package var clock: any Clock
    package var pool: WorkerPool
    package var zones: TimeZones
    package var log: Log
    /// The process' one: all copies of an environment share it.
    let wallClockWatch = WallClockWatch()
    /// Called on the query's thread after each batch.
    package var report: @Sendable (QueryProgress) -> Void
    /// nil: nothing but the system limits what the process uses.
    package var memoryLimit: MemoryLimit?

    package init(
        fileSystem: any FileSystem, clock: any Clock, pool: WorkerPool, zones: TimeZones, log: Log,
        memoryLimit: MemoryLimit? = nil, report: @escaping @Sendable (QueryProgress) -> Void
    ) {
        self.memoryLimit = memoryLimit
        self.fileSystem = fileSystem
        self.clock = clock
        self.pool = pool
        self.zones = zones
        self.log = log
        self.report = report
    }
}

/// A query as the runner takes it: planned, with its connectors made.
package struct RunnableQuery {
    package var plan: PhysicalPlan
    package var trigger: TriggerSpec
    package var checkpointFolder: String
    package var retainBatches: Int
    /// Memory that the state may hold, in bytes; nil: no limit.
    package var stateByteCountMax: Int64?
    /// One per input of the plan; the same instances for the life of the runner.
    package var sources: [any Source]
    /// True per source whose offsets name every file it ever took.
    package var positionsAreHistory: [Bool]
    /// One per entry of `plan.output.sinks`.
    package var sinks: [any Sink]
    /// Whether a sink's mark may be missing.
    package var acceptsMissingMark = false

    package init(
        plan: PhysicalPlan, trigger: TriggerSpec, checkpointFolder: String, retainBatches: Int,
        sources: [any Source], positionsAreHistory: [Bool], sinks: [any Sink]
    ) {
        self.plan = plan
        self.trigger = trigger
        self.checkpointFolder = checkpointFolder
        self.retainBatches = retainBatches
        self.sources = sources
        self.positionsAreHistory = positionsAreHistory
        self.sinks = sinks
    }
}

/// Runs one query. Used by one thread; others speak to its `QueryControl`.
package final class QueryRunner {
    let query: RunnableQuery
    private let environment: QueryEnvironment
    private let control: QueryControl
    private let accounts: RowAccounts
    let runID: String

    let checkpoint: Checkpoint
    private let executor: BatchExecutor
    private let spill: FileSpill
    private(set) var tracker: WatermarkTracker
    private var positions: [SourceOffsets]
    private var nextBatch: Int64
    /// The eviction watermark of the batch before; what is late in the next one.
    private var lastEvictionMillis: Int64
    /// A batch that a crash interrupted; it goes first.
    private var rerun: OffsetsEntry?
    /// Where `available_now` ends, fixed at its start: by the first look, behind a batch that runs again, as a source
    /// that has no position yet would else begin where a new query does.
    private var goal: [SourceOffsets]?
    private var haveSinksBegun = false
    private var isGoalDue = false
    /// When the trigger fired whose batch is in hand, and when the one before did.
    private(set) var trigger: Moment
    private(set) var lastTrigger: Moment?
    private let start: Moment
    private var hasUnsyncedCommit = false
    private let meter: ProcessorMeter
    /// The meter's reading when the last batch was committed.
    private var meteredNanos: UInt64 = 0
    private var meteredConnectorNanos: UInt64 = 0
    /// What the last batch took behind its output.
    private var tailMicros: Int64 = 0
    /// nil without a join.
    /// By stage.
    private let mergers: [String: SegmentMerger]
    private let maintenance = BackgroundTask()
    /// The batch behind which the last round of maintenance began.
    private var maintenanceBatch: Int64 = 0
    /// So many batches may run beside one round; then they wait for it, so that files stay bounded on any machine.
    private static let batchesBesideMaintenanceMax: Int64 = 32

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
        meter = ProcessorMeter(environment.clock)
        var environment = environment
        environment.pool = environment.pool.metered(by: meter)
        self.environment = environment
        self.runID = runID
        self.control = control
        self.accounts = accounts
        let opened = try OpenedCheckpoint(query, environment: environment)
        var query = query
        query.plan = opened.plan
        self.query = query
        checkpoint = opened.checkpoint
        keepMemoryReserve()
        spill = try FileSpill(folder: query.checkpointFolder, fileSystem: environment.fileSystem)
        var resources = BatchResources(spill: spill)
        if let limit = environment.memoryLimit {
            resources.isMemoryShort = { [name = query.plan.query] in limit.mustStop(name) }
        }
        executor = BatchExecutor(
            plan: query.plan, laneCount: environment.pool.width, zones: environment.zones, resources: resources,
            parallel: environment.pool.parallelFor)
        start = Moment(environment.clock)
        trigger = start
        tracker = WatermarkTracker(query.plan, nowMillis: start.wallMillis)
        let committed = opened.recovered.committed
        positions = query.plan.inputs.map { input in
            // Of a source that a join has added since there is nothing yet.
            committed?.offsets.sources.first { $0.source == input.source }?.next ?? SourceOffsets()
        }
        nextBatch = opened.recovered.nextBatch
        lastEvictionMillis = committed?.offsets.evictionWatermarkMillis ?? 0
        rerun = opened.recovered.inHand
        if let commit = committed?.commit {
            tracker.restore(
                globalMillis: commit.nextWatermarkMillis,
                sides: query.plan.byInput(commit.inputMaximaMillis, of: committed?.offsets),
                parts: query.plan.byInput(commit.partMaximaMillis, of: committed?.offsets))
            for (input, position) in positions.enumerated() {
                let parts = query.plan.inputs[input].watermarkParts(ofPartitions: position.next.keys)
                tracker.setParts(input: input, parts, nowMillis: start.wallMillis)
            }
        }
        let newest = (rerun ?? committed?.offsets)?.sources ?? []
        for (source, input) in zip(query.sources, query.plan.inputs) {
            if let batch = newest.first(where: { $0.source == input.source }) { source.resume(batch.marks) }
        }
        mergers = Dictionary(
            query.plan.stages.map { ($0.name, SegmentMerger(query.plan, stage: $0)) },
            uniquingKeysWith: { first, _ in first })
        try restoreState(committed?.commit)
        accounts.open(query.plan, stateRows: executor.stateRowCounts)
        let start = SinkStart(opened, acceptsMissingMark: query.acceptsMissingMark)
        for sink in query.sinks { try sink.recover(start) }
        control.didCommit(committed?.commit.batch)
        control.note(positions: positions)
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

    private func runBatches() throws {
        environment.log.info(
            "Query started", [.query: .string(query.plan.query), .batch: .integer(rerun?.batch ?? nextBatch)])
        meteredNanos = meter.totalNanos
        meteredConnectorNanos = connectorNanos
        isGoalDue = schedule.trigger == .availableNow
        if let batch = rerun {
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

    /// The trigger in force.
    private var schedule: TriggerSchedule { TriggerSchedule(control.trigger ?? query.trigger) }

    /// Waits while the query is paused. False when it is to stop.
    private func mayGoOn() throws -> Bool {
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

    /// Runs batches until none is due, whatever the trigger says. For step-by-step use: the demo and tests.
    package func runPending() throws {
        while try fire() {}
        try syncCommit()
    }

    private func isDone(didRun: Bool) -> Bool {
        switch schedule.trigger {
        case .once: true
        case .availableNow: !didRun
        case .interval, .asFastAsPossible: !didRun && query.sources.allSatisfy { $0.isFinished }
        }
    }

    // MARK: A trigger

    /// Runs the batch that is due, if any. Returns whether there was one.
    private func fire() throws -> Bool {
        trigger = Moment(environment.clock)
        var timer = PhaseTimer(environment.clock)
        if let entry = rerun {
            try beginSinks()
            control.enter(.busy)
            rerun = nil
            try run(entry, latest: positions, &timer)
            return true
        }
        let latest = try latestOffsets()
        // Asked to stop while it waited for the end of a source: what is there now is not what was asked for.
        if query.sources.contains(where: { $0.isAwaitingEnd }) { return false }
        try beginSinks()
        let limit: BatchLimit = schedule.trigger == .once ? .unlimited : .spec
        let ranges = try query.sources.enumerated().map { index, source in
            try source.planBatch(from: positions[index], to: latest[index], limit: limit)
        }
        timer.end(\.planMicros)
        // An empty file says nothing.
        for (input, ranges) in ranges.enumerated() where ranges.contains(where: { $0.end > $0.start }) {
            let partitions = ranges.filter { $0.end > $0.start }.map(\.partition)
            let parts = query.plan.inputs[input].watermarkParts(ofPartitions: partitions)
            tracker.heard(input: input, parts: parts, atMillis: steadyMillis)
        }
        tracker.advance(nowMillis: steadyMillis)
        let hasData = ranges.contains { !$0.isEmpty }
        guard hasData || isNoDataBatchDue else {
            try stopAtTrouble()
            return false
        }
        control.enter(.busy)
        let sources = query.plan.inputs.enumerated().map { index, input in
            var next = positions[index]
            next.advance(by: ranges[index])
            let marks = query.sources[index].marks(ranges[index], next: next)
            return SourceBatch(source: input.source, ranges: ranges[index], next: next, marks: marks)
        }
        let entry = OffsetsEntry(
            batch: nextBatch, batchTimeMillis: trigger.wallMillis, lateWatermarkMillis: lastEvictionMillis,
            evictionWatermarkMillis: tracker.globalMillis, isNoData: !hasData, sources: sources)
        try checkpoint.logOffsets(entry)
        hasUnsyncedCommit = false
        timer.end(\.logMicros)
        try run(entry, latest: latest, &timer)
        return true
    }

    /// Once: when nothing is known that keeps sources from being read.
    private func beginSinks() throws {
        if haveSinksBegun { return }
        for sink in query.sinks { try sink.begin() }
        haveSinksBegun = true
    }

    /// What could be read in spite of it has been.
    private func stopAtTrouble() throws {
        if let trouble = query.sources.lazy.compactMap(\.trouble).first { throw trouble }
    }

    /// Spark's rule: some state can be evicted, and the watermark is past what the last batch evicted by. Unlike in
    /// Spark, a restart does not forget that.
    private var isNoDataBatchDue: Bool {
        nextBatch > 0
            && query.plan.stages.contains { stage in
                stage.wantsNoDataBatch
                    && stage.watermarkMillis(of: tracker.globalMillis) > stage.watermarkMillis(of: lastEvictionMillis)
            }
    }

    private func latestOffsets() throws -> [SourceOffsets] {
        if let goal { return goal }
        while true {
            var latest: [SourceOffsets] = []
            for (source, position) in zip(query.sources, positions) {
                latest.append(try source.latestOffsets(from: position, untilEnd: schedule.isFinite))
            }
            guard query.sources.contains(where: { $0.isAwaitingEnd }), try mayGoOn() else {
                if isGoalDue { goal = latest }
                isGoalDue = false
                return latest
            }
            let next = environment.clock.nanos(inMillis: TriggerSchedule.pollingDelayMillis)
            control.wait(untilNanos: next, environment.clock)
        }
    }

    // MARK: A batch

    private func run(_ entry: OffsetsEntry, latest: [SourceOffsets], _ timer: inout PhaseTimer) throws {
        var inputs: [any InputBytes] = []
        for (source, batch) in zip(query.sources, entry.sources) {
            inputs.append(batch.ranges.isEmpty ? NoInputBytes() : try source.open(batch.ranges))
        }
        timer.end(\.openMicros)
        let result = try execute(entry, inputs)
        timer.end(\.engineMicros)
        try makeDurable(entry, result)
        timer.end(\.durableMicros)
        for sink in query.sinks { try sink.commit(batch: entry.batch) }
        try spill.removeAll()
        timer.end(\.visibleMicros)
        timer.cost = measured(timer.cost)
        commit(entry, result)
        try checkpoint.writeCommit(commitEntry(entry, result, timer.cost))
        hasUnsyncedCommit = true
        timer.end(\.commitMicros)
        let before = positions
        positions = entry.sources.map(\.next)
        nextBatch = entry.batch + 1
        control.didCommit(entry.batch)
        control.note(positions: positions)
        lastEvictionMillis = entry.evictionWatermarkMillis
        for (source, position) in zip(query.sources, positions) { source.didCommit(position) }
        environment.report(progress(entry, result, inputs, from: before, latest: latest, timer))
        accounts.add(
            result, watermarkMillis: tracker.sides.isEmpty ? nil : tracker.globalMillis, environment.clock,
            environment.log.with([.query: .string(query.plan.query)]))
        try maintain()
        tailMicros = timer.cost.commitMicros + timer.sinceLastMicros
    }

    /// Runs the engine, and stops the query where it would use more memory than it may.
    private func execute(_ entry: OffsetsEntry, _ inputs: [any InputBytes]) throws -> BatchResult {
        let watermarks = BatchWatermarks(
            lateMillis: entry.lateWatermarkMillis, evictionMillis: entry.evictionWatermarkMillis,
            batchTimeMillis: entry.batchTimeMillis,
            ownMillis: query.plan.inputs.indices.map { input in
                tracker.sides.first { $0.inputs.contains(input) }?.watermarkMillis
            })
        do {
            let result = try executor.run(inputs, watermarks: watermarks)
            let byteCount = executor.stateByteCount
            guard let limit = query.stateByteCountMax, Int64(byteCount) > limit else { return result }
            throw MemoryError(
                .state(byteCountMax: limit), batch: entry.batch, stateRows: result.stateRowsTotal,
                stateByteCount: byteCount)
        } catch BatchError.outOfMemory {
            throw MemoryError(
                memoryReason, batch: entry.batch, stateRows: executor.stateRowCount,
                stateByteCount: executor.stateByteCount)
        }
    }

    private var memoryReason: MemoryError.Reason {
        guard let limit = environment.memoryLimit, let used = limit.usedByteCount(when: query.plan.query) else {
            return .system
        }
        return .process(byteCount: used, byteCountMax: limit.byteCountMax)
    }

    /// The cost of a batch whose output is visible, with what the timer does not know.
    private func measured(_ times: BatchCost) -> BatchCost {
        var cost = times
        cost.tailMicros = tailMicros
        let nanos = meter.totalNanos
        cost.processorMicros = Int64(nanos - min(nanos, meteredNanos)) / 1000
        meteredNanos = nanos
        let connectors = connectorNanos
        cost.connectorMicros = Int64(connectors - min(connectors, meteredConnectorNanos)) / 1000
        meteredConnectorNanos = connectors
        cost.checkpointBytes = checkpoint.byteCountInHand
        if case .interval(let micros) = schedule.trigger { cost.intervalMicros = micros }
        return cost
    }

    /// What the connectors' libraries have used, so far.
    private var connectorNanos: UInt64 {
        query.sources.reduce(0) { $0 + $1.processorNanos } + query.sinks.reduce(0) { $0 + $1.processorNanos }
    }

    /// State and output go to the disk side by side; neither is visible before both are there.
    private func makeDurable(_ entry: OffsetsEntry, _ result: BatchResult) throws {
        let encodings = query.plan.output.distinctEncodings
        let parts = query.plan.output.sinks.map { sink in
            guard let index = encodings.firstIndex(of: sink.encoding) else {
                preconditionFailure("every sink's encoding is among the plan's")
            }
            return result.routes[0].encodings[index]
        }
        let batch = SinkBatch(id: entry.batch, fingerprint: checkpoint.planInHand)
        let failures = FirstFailure()
        let (sinks, checkpoint) = (query.sinks, self.checkpoint)
        let names = query.plan.stageNames
        nonisolated(unsafe) let writeState: () throws -> Void = {
            try checkpoint.writeState(
                batch: entry.batch,
                zip(names, result.stages).map { name, stage in
                    StageChange(
                        stage: name,
                        payloads: stage.deltas.map {
                            unsafe ShardPayload(shard: $0.shard, bytes: $0.payload.buffer.bytes)
                        }, lastJoinTimeMicros: stage.newestDeltaMicros,
                        evictedThroughMicros: stage.evictedThroughMicros)
                })
        }
        environment.pool.run(1 + sinks.count) { index in
            failures.catching {
                if index == 0 {
                    unsafe try writeState()
                } else {
                    try sinks[index - 1].stage(batch, parts: parts[index - 1], rowCount: result.outputRowCount)
                }
            }
        }
        if let error = failures.first { throw error }
    }

    private func commit(_ entry: OffsetsEntry, _ result: BatchResult) {
        // The watermark this batch ran with, idle sources considered, is behind us even on a replay.
        tracker.raise(toMillis: entry.evictionWatermarkMillis)
        for (input, counters) in result.sources.enumerated() {
            tracker.observe(
                input: input, maxEventTimeMicros: counters.eventTimeCount > 0 ? counters.maxEventTimeMicros : nil,
                rowCount: counters.watermarkRows, batchTimeMillis: steadyMillis)
            let parts = query.plan.inputs[input].watermarkParts(ofPartitions: entry.sources[input].next.next.keys)
            tracker.setParts(input: input, parts, nowMillis: steadyMillis)
            tracker.observe(input: input, parts: counters.maxEventTimeMicrosByPart, batchTimeMillis: steadyMillis)
        }
        tracker.advance(nowMillis: steadyMillis)
    }

    /// The wall time of the trigger, had nobody set the clock since the start: silence is as long as it lasts, and a
    /// clock that is set forward must not make a source idle and its rows late.
    private var steadyMillis: Int64 { start.wallMillis + trigger.millis(since: start) }

    private func commitEntry(_ entry: OffsetsEntry, _ result: BatchResult, _ cost: BatchCost) -> CommitEntry {
        var maxima = [Int64?](repeating: nil, count: query.plan.inputs.count)
        for side in tracker.sides {
            for input in side.inputs { maxima[input] = side.watermarkMillis }
        }
        var commit = CommitEntry(
            batch: entry.batch, nextWatermarkMillis: tracker.globalMillis, inputMaximaMillis: maxima,
            stages: zip(query.plan.stageNames, result.stages.map(\.evictedThroughMicros) + [[]]).map {
                StageEviction(stage: $0, throughMicros: $1)
            },
            counters: [
                "inputRows": Int64(result.sources.reduce(0) { $0 + $1.inputRows }),
                "outputRows": Int64(result.outputRowCount), "stateRows": Int64(result.stateRowsTotal),
                "removedRows": Int64(result.stateRowsRemoved),
            ])
        commit.cost = cost
        // Sinks that share a transaction share its mark.
        commit.marks = query.sinks.compactMap(\.mark).reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
        for side in tracker.sides {
            guard let parts = side.parts else { continue }
            commit.partMaximaMillis[side.inputs[0]] = parts.compactMapValues(\.watermarkMillis)
        }
        return commit
    }

    private func syncCommit() throws {
        guard hasUnsyncedCommit else { return }
        for sink in query.sinks { try sink.sync() }
        try checkpoint.syncCommit()
        hasUnsyncedCommit = false
    }

    private func restoreState(_ commit: CommitEntry?) throws {
        if query.plan.stages.isEmpty { return }
        let numbers = Dictionary(
            zip(query.plan.stageNames, query.plan.stages.indices), uniquingKeysWith: { first, _ in first })
        for (name, number) in numbers {
            let through = commit?.stages.throughMicros(name) ?? []
            if !through.isEmpty { executor.beginRestore(stage: number, evictedThroughMicros: through) }
        }
        // Shards share nothing, and each is restored by one worker.
        nonisolated(unsafe) let executor = self.executor
        try checkpoint.loadState(parallel: environment.pool.parallelFor) { name, shard, payload in
            // The checkpoint has refused stages that the plan does not have.
            guard let stage = numbers[name] else { return }
            unsafe try executor.restore(stage: stage, shard: shard, payload: payload)
        }
        unsafe executor.finishRestore()
    }

    /// Purges and merges old files on a thread of its own, one round at a time.
    private func maintain() throws {
        guard maintenance.isIdle || nextBatch - maintenanceBatch >= Self.batchesBesideMaintenanceMax else { return }
        try maintenance.wait()
        maintenanceBatch = nextBatch
        guard let plan = checkpoint.planMaintenance() else { return }
        let (checkpoint, mergers, parallel) = (self.checkpoint, self.mergers, environment.pool.parallelFor)
        // Unowned: the folder's lock ends with the runner, which waits for this, and not a moment later.
        let (meter, caller) = (meter, pthread_self())
        maintenance.start(name: "\(query.plan.query)-merge") { [unowned checkpoint] in
            try meter.run(from: caller) {
                try checkpoint.perform(plan, parallel: parallel) { stage, payloads, evictedThroughMicros in
                    try mergers[stage]?.merge(payloads, evictedThroughMicros: evictedThroughMicros) ?? []
                }
            }
        }
    }
}

extension PhysicalPlan {
    /// What a commit has by the number of a source, by the number of the input now: a join may have added inputs.
    fileprivate func byInput<Value>(_ values: [Int: Value], of offsets: OffsetsEntry?) -> [Int: Value] {
        var found: [Int: Value] = [:]
        for (number, source) in (offsets?.sources ?? []).enumerated() {
            guard let input = inputs.firstIndex(where: { $0.source == source.source }) else { continue }
            found[input] = values[number]
        }
        return found
    }

    fileprivate func byInput<Value>(_ values: [Value?], of offsets: OffsetsEntry?) -> [Int: Value] {
        byInput(
            Dictionary(
                uniqueKeysWithValues: values.enumerated().compactMap { number, value in value.map { (number, $0) } }),
            of: offsets)
    }
}

extension LogKey {
    static let stepMillis = LogKey("sluice.step_ms")
}

/// The first error of work that runs on several threads.
final class FirstFailure: @unchecked Sendable {
    // @unchecked: guarded by the monitor.
    private let monitor = Monitor()
    private var error: (any Error)?

    func catching(_ body: () throws -> Void) {
        do { try body() } catch { monitor.withLock { if self.error == nil { self.error = error } } }
    }

    var first: (any Error)? { monitor.withLock { error } }
}
