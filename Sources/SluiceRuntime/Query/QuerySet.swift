// All queries of one process: makes their connectors, runs each on its thread, and says how they ended.

internal import SluiceConnectors
internal import SluiceEngine
internal import SluicePlan
package import SluiceSpec
internal import SluiceSystem
internal import Synchronization

/// What `run` may change about the queries of a spec.
package struct QuerySetOptions: Sendable {
    /// Instead of each query's own.
    package var trigger: TriggerSpec?
    /// Root of all checkpoints: `<root>/<query>`.
    package var checkpointRoot: String?

    package init() {}
}

package final class QuerySet: Sendable {
    private let supervisors: [QuerySupervisor]

    /// - Parameter plans: checked, without errors.
    package init(_ plans: [PlannedQuery], spec: Spec, options: QuerySetOptions, environment: QueryEnvironment) {
        supervisors = plans.map { planned in
            let query = planned.spec
            let isFinite = TriggerSchedule(options.trigger ?? query.trigger.value).isFinite
            // What was read from a pipe and not committed cannot be read again: starting anew would skip it.
            let readsPipe = spec.sources.contains { source in
                guard case .standardInput = source.connector else { return false }
                return planned.result.physical?.inputs.contains { $0.source == source.name.value } ?? false
            }
            let policy = RestartPolicy(onFailure: readsPipe ? .stop : query.onFailure, isFinite: isFinite)
            return QuerySupervisor(name: query.name.value, policy: policy, environment: environment) { shouldStop in
                try Self.makeQuery(
                    planned, spec: spec, options: options, environment: environment, shouldStop: shouldStop)
            }
        }
    }

    /// A query with a fresh set of connectors, which wait for brokers until `shouldStop` is true.
    package static func makeQuery(
        _ planned: PlannedQuery, spec: Spec, options: QuerySetOptions, environment: QueryEnvironment,
        shouldStop: @escaping @Sendable () -> Bool = { false }
    ) throws -> RunnableQuery {
        guard let plan = planned.result.physical else { preconditionFailure("a query with errors is not run") }
        let query = planned.spec
        let trigger = options.trigger ?? query.trigger.value
        let connectors = ConnectorEnvironment(
            query: query.name.value, fileSystem: environment.fileSystem, clock: environment.clock,
            log: environment.log.with([.query: .string(query.name.value)]), shouldStop: shouldStop,
            patienceMillis: TriggerSchedule(trigger).isFinite ? finitePatienceMillis : nil)
        var sources: [any Source] = []
        var positionsAreHistory: [Bool] = []
        for input in plan.inputs {
            guard var source = spec.sources.first(where: { $0.name.value == input.source }) else { continue }
            // The checkpoint is found from any working folder, so what it calls a file must not depend on that.
            if case .file(var file) = source.connector {
                file.path.value = absolutePath(file.path.value)
                source.connector = .file(file)
            }
            sources.append(try makeSource(source, for: input, in: connectors))
            positionsAreHistory.append(source.connector.positionsAreHistory)
        }
        var sinks: [any Sink] = []
        var hasReportingSink = false
        for output in plan.output.sinks {
            guard let sink = spec.sinks.first(where: { $0.name.value == output.name }) else { continue }
            let isReporting = !hasReportingSink && sink.connector.isExactlyOnceKafka
            sinks.append(
                makeSink(
                    sink, header: plan.output.csvHeader(output.format),
                    sourceTopics: isReporting ? plan.inputs.compactMap(\.topic) : nil, in: connectors))
            hasReportingSink = hasReportingSink || isReporting
        }
        let name = query.name.value
        return RunnableQuery(
            plan: plan, trigger: trigger,
            checkpointFolder: options.checkpointRoot.map { "\($0)/\(name)" } ?? query.checkpoint,
            retainBatches: query.state.retainBatches,
            sources: sources, positionsAreHistory: positionsAreHistory, sinks: sinks)
    }

    /// Runs all queries until each has finished or failed. Blocks. True when none has failed.
    package func run() -> Bool {
        var threads: [SystemThread] = []
        for supervisor in supervisors.dropFirst() {
            if let thread = SystemThread(name: supervisor.name, body: { supervisor.run() }) {
                threads.append(thread)
            } else {
                supervisor.failToStart()
            }
        }
        supervisors.first?.run()
        for thread in threads { thread.join() }
        return supervisors.allSatisfy { $0.status == .finished }
    }

    /// Ends every query after the batch in hand.
    package func stop() { for supervisor in supervisors { supervisor.stop() } }

    package var statuses: [(name: String, status: QueryStatus)] { supervisors.map { ($0.name, $0.status) } }
}

/// Somebody waits for the end of a query that ends by itself, so it does not wait for brokers for ever.
private let finitePatienceMillis: Int64 = 60_000

extension SinkConnectorSpec {
    fileprivate var isExactlyOnceKafka: Bool {
        if case .kafka(let kafka) = self { kafka.isExactlyOnce } else { false }
    }
}

extension SourceConnectorSpec {
    /// True where the offsets name every file that was ever taken.
    fileprivate var positionsAreHistory: Bool {
        if case .file(let file) = self { !file.isFollowed } else { false }
    }
}
