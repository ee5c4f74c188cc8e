// All queries of one process: makes their connectors, runs each on its thread, and says how they ended.

internal import SluiceCheckpoint
package import SluiceConnectors
internal import SluiceEngine
internal import SluicePlan
package import SluiceSpec
internal import SluiceSystem

/// What `run` may change about the queries of a spec.
package struct QuerySetOptions: Sendable {
    /// Instead of each query's own.
    package var trigger: TriggerSpec?
    /// Root of all checkpoints: `<root>/<query>`.
    package var checkpointRoot: String?
    /// The queries to run; empty for all.
    package var queries: [String] = []
    /// A mark that a sink should find and does not is no reason not to start.
    package var acceptsMissingMark = false

    package init() {}

    /// Where a query's checkpoint is.
    package func checkpointFolder(_ query: QuerySpec) -> String {
        checkpointRoot.map { "\($0)/\(query.name.value)" } ?? query.checkpoint
    }

    /// The queries of a spec that are to run.
    package func chosen(_ plans: [PlannedQuery]) -> [PlannedQuery] {
        plans.filter { queries.isEmpty || queries.contains($0.spec.name.value) }
    }
}

/// All queries of one process. From any thread.
package final class QuerySet: Sendable {
    let options: QuerySetOptions
    let environment: QueryEnvironment
    let members: QueryMembers
    let didChange: @Sendable (_ query: String) -> Void
    private let backlogs = BacklogWatch()

    /// - Parameters:
    ///   - plans: checked, without errors.
    ///   - didChange: called with a query's name when its status may have changed or it is gone; must be quick.
    package init(
        _ plans: [PlannedQuery], spec: Spec, options: QuerySetOptions, environment: QueryEnvironment,
        didChange: @escaping @Sendable (_ query: String) -> Void = { _ in }
    ) {
        self.options = options
        self.environment = environment
        self.didChange = didChange
        members = QueryMembers()
        members.replace(removing: [], adding: plans.map { makeMember($0, spec: spec) })
    }

    /// A query with its supervisor, not started.
    func makeMember(_ planned: PlannedQuery, spec: Spec) -> QueryMember {
        // What is shown of it says where it really is.
        var shown = planned
        shown.result.query.checkpoint = options.checkpointFolder(planned.spec)
        let query = planned.spec
        let trigger = options.trigger ?? query.trigger.value
        // What was read from a pipe and not committed cannot be read again: starting anew would skip it.
        let onFailure = planned.readsStandardInput(spec) ? .stop : query.onFailure
        let (options, environment, didChange) = (options, environment, didChange)
        let name = query.name.value
        let control = QueryControl(didChange: { didChange(name) })
        let waiting = control.waiting
        let note = pauseNote(planned)
        let supervisor = QuerySupervisor(
            name: name, policy: RestartPolicy(onFailure: onFailure, isFinite: TriggerSchedule(trigger).isFinite),
            environment: environment, control: control, pauseNote: note
        ) { shouldStop in
            try Self.makeQuery(
                planned, spec: spec, options: options, environment: environment, shouldStop: shouldStop,
                waiting: waiting)
        }
        return QueryMember(
            planned: shown, spec: spec, trigger: trigger, specTrigger: query.trigger.value, supervisor: supervisor,
            checkpoint: CheckpointReader(
                folder: options.checkpointFolder(query), fileSystem: environment.fileSystem))
    }

    /// Where a pause of a query is written down.
    func pauseNote(_ planned: PlannedQuery) -> PauseNote {
        PauseNote(folder: options.checkpointFolder(planned.spec), fileSystem: environment.fileSystem)
    }

    /// A query with a fresh set of connectors, which wait for brokers until `shouldStop` is true.
    package static func makeQuery(
        _ planned: PlannedQuery, spec: Spec, options: QuerySetOptions, environment: QueryEnvironment,
        shouldStop: @escaping @Sendable () -> Bool = { false }, waiting: Waiting = Waiting(),
        patienceMillis: Int64? = nil
    ) throws -> RunnableQuery {
        guard let plan = planned.result.physical else { preconditionFailure("a query with errors is not run") }
        let query = planned.spec
        let trigger = options.trigger ?? query.trigger.value
        let log = environment.log.with([.query: .string(query.name.value)])
        let folder = options.checkpointFolder(query)
        let connectors = ConnectorEnvironment(
            query: query.name.value, group: query.group, fileSystem: environment.fileSystem, scratchFolder: folder,
            kept: SchemaFolder(checkpoint: folder, fileSystem: environment.fileSystem, log: log),
            clock: environment.clock, log: log, shouldStop: shouldStop,
            patienceMillis: patienceMillis ?? (TriggerSchedule(trigger).isFinite ? finitePatienceMillis : nil),
            waiting: waiting)
        var sources: [any Source] = []
        var positionsAreHistory: [Bool] = []
        for input in plan.inputs {
            guard var source = spec.sources.first(where: { $0.name.value == input.source }) else {
                preconditionFailure("the plan names a source that the spec does not have: \(input.source)")
            }
            // The checkpoint is found from any working folder, so what it calls a file must not depend on that.
            if let path = source.connector.path {
                source.connector = source.connector.reading(path: absolutePath(path.value))
            }
            sources.append(try makeSource(source, for: input, in: connectors))
            positionsAreHistory.append(source.connector.positionsAreHistory)
        }
        let sinks = makeSinks(
            plan.output.sinks.map { output in
                guard let sink = spec.sinks.first(where: { $0.name.value == output.name }) else {
                    preconditionFailure("the plan names a sink that the spec does not have: \(output.name)")
                }
                return (sink, plan.output.csvHeader(output.format), output.schema)
            }, sourceTopics: plan.inputs.flatMap { $0.topics?.named ?? [] }, in: connectors)
        var runnable = RunnableQuery(
            plan: plan, trigger: trigger,
            checkpointFolder: options.checkpointFolder(query),
            retainBatches: query.state.retainBatches,
            sources: sources, positionsAreHistory: positionsAreHistory, sinks: sinks)
        runnable.tables = plan.tables.map { table in
            guard var source = spec.tables.first(where: { $0.name.value == table.name })?.source else {
                preconditionFailure("the plan names a table that the spec does not have: \(table.name)")
            }
            if let topic = source.connector.topics?.named.first {
                return .topic(topic) { [source] in try makeSource(source, for: table.input, in: connectors) }
            }
            let path = absolutePath(source.connector.path?.value ?? "")
            source.connector = source.connector.reading(path: path)
            return .files(path: path) { [source] in try openWhole(source, for: table.input, in: connectors) }
        }
        runnable.acceptsMissingMark = options.acceptsMissingMark
        runnable.stateByteCountMax = query.state.maxBytes
        return runnable
    }

    /// All records of a table's files as they are now: all of them or none, so what a source would go on without is
    /// an error here.
    private static func openWhole(
        _ spec: SourceSpec, for input: InputPlan, in connectors: ConnectorEnvironment
    ) throws -> any InputBytes {
        let source = try makeSource(spec, for: input, in: connectors)
        let latest = try source.latestOffsets(from: SourceOffsets(), untilEnd: true)
        let ranges = try source.planBatch(from: SourceOffsets(), to: latest, limit: .unlimited)
        if let trouble = source.trouble { throw trouble }
        return try source.open(ranges)
    }

    /// Runs all queries until each has finished or failed. Blocks. True when none has failed.
    package func run() -> Bool {
        for member in members.all { start(member) }
        backlogs.start(self)
        defer { backlogs.stop() }
        members.waitForAll()
        return members.all.allSatisfy { $0.supervisor.status == .finished }
    }

    /// Gives a query its thread.
    func start(_ member: QueryMember) {
        let (supervisor, members) = (member.supervisor, members)
        let thread = SystemThread(name: supervisor.name) {
            supervisor.run()
            members.didEnd(supervisor)
        }
        if let thread {
            thread.detach()
        } else {
            supervisor.failToStart()
            members.didEnd(supervisor)
        }
    }

    /// Ends every query after the batch in hand.
    package func stop() { for member in members.stopAll() { member.supervisor.stop() } }

    /// Queries that have finished without a batch, each with the last that an earlier run has committed, and where.
    package var idleQueries: [(name: String, lastBatch: Int64?, checkpointFolder: String)] {
        members.all.filter { $0.supervisor.status == .finished && !$0.supervisor.hasRunBatches }.map { member in
            (member.name, member.description.lastBatch, options.checkpointFolder(member.planned.spec))
        }
    }

    /// Queries that have finished and read nothing, as all of their sources began at the end of their topics.
    package var queriesBegunAtEnd: [(name: String, sources: [String])] {
        members.all.compactMap { member in
            let supervisor = member.supervisor
            guard supervisor.status == .finished, supervisor.hasRunBatches, supervisor.accounts.lines.isEmpty,
                let inputs = member.planned.result.physical?.inputs
            else { return nil }
            let names = inputs.map(\.source)
            let sources = member.spec.sources.filter { names.contains($0.name.value) }
            guard sources.allSatisfy({ ($0.connector as? KafkaSourceSpec)?.start == .latest }) else { return nil }
            return (member.name, names)
        }
    }

    /// Where the rows of each query's sources have gone, as lines.
    package var rowAccounts: [(query: String, lines: [(source: String, text: String)])] {
        members.all.map { ($0.name, $0.supervisor.accounts.lines) }
    }

    package var statuses: [(name: String, status: QueryStatus)] {
        members.all.map { ($0.supervisor.name, $0.supervisor.status) }
    }
}

extension PlannedQuery {
    func readsStandardInput(_ spec: Spec) -> Bool {
        spec.sources.contains { source in
            source.connector is StandardInputSpec
                && result.physical?.inputs.contains { $0.source == source.name.value } ?? false
        }
    }
}

/// Somebody waits for the end of a query that ends by itself, so it does not wait for brokers for ever.
private let finitePatienceMillis: Int64 = 60_000
