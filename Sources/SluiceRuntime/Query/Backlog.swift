// How much is not read yet of a query that does not run: it is paused, waits to start again, or has failed. The
// progress of its last batch says how it was then, and a person wants to know how it is now.

internal import SluiceConnectors
internal import SluicePlan
internal import SluiceSystem
internal import Synchronization

/// What one source has that its query has not read.
package struct SourceBacklog: Hashable, Sendable {
    package var source: String
    package var amount: Int64
    /// Records of a topic; else bytes of files.
    package var isRows: Bool
}

extension RunnableQuery {
    /// How far positions, one per source, are behind what there is now.
    func backlog(at positions: [SourceOffsets]) throws -> [SourceBacklog] {
        try zip(zip(plan.inputs, sources), positions).map { pair, position in
            let (input, source) = pair
            let latest = try source.latestOffsets(from: position, untilEnd: false)
            if let lag = source.lag(at: position, latest: latest) {
                return SourceBacklog(source: input.source, amount: lag.values.reduce(0) { $0 + $1.rows }, isRows: true)
            }
            let bytes = latest.next.reduce(0) { $0 + max(0, $1.value - (position.next[$1.key] ?? 0)) }
            return SourceBacklog(source: input.source, amount: bytes, isRows: false)
        }
    }
}

/// Looks at the sources of queries that do not run, with connectors of its own. One thread.
final class BacklogWatch: Sendable {
    private let wakeup = Wakeup()
    private let isStopped = StopFlag()
    private static let lookMillis: Int64 = 2000
    /// A look that Kafka does not answer keeps others waiting.
    private static let patienceMillis: Int64 = 1500

    /// Looks until `stop`. On the machine's clock: a person is waiting.
    func start(_ set: QuerySet) {
        SystemThread(name: "backlogs") { [self] in
            let clock = SystemClock()
            var queries: [ObjectIdentifier: RunnableQuery] = [:]
            while !isStopped.isRaised {
                let members = set.members.all.filter { $0.supervisor.control.isAtRest && !$0.readsStandardInput }
                let known = Set(members.map { ObjectIdentifier($0.supervisor) })
                queries = queries.filter { known.contains($0.key) }
                for member in members { look(member, set, &queries[ObjectIdentifier(member.supervisor)]) }
                clock.wait(untilNanos: clock.nanos(inMillis: Self.lookMillis), wakeup: wakeup)
            }
        }?.detach()
    }

    func stop() {
        isStopped.raise()
        wakeup.signal()
    }

    private func look(_ member: QueryMember, _ set: QuerySet, _ query: inout RunnableQuery?) {
        let control = member.supervisor.control
        guard let positions = control.positions else { return }
        do {
            if query == nil {
                var environment = set.environment
                environment.log = .none
                let isStopped = isStopped
                query = try QuerySet.makeQuery(
                    member.planned, spec: member.spec, options: set.options, environment: environment,
                    shouldStop: { isStopped.isRaised }, patienceMillis: Self.patienceMillis)
            }
            control.note(backlog: try query?.backlog(at: positions))
        } catch {
            // The connectors may have given up for good; what is not known is not said.
            query = nil
            control.note(backlog: nil)
        }
    }

    private final class StopFlag: Sendable {
        private let value = Atomic(false)
        var isRaised: Bool { value.load(ordering: .acquiring) }
        func raise() { value.store(true, ordering: .releasing) }
    }
}
