// The queries that a process has at the moment: reload adds and removes some while others run, and somebody waits for
// the end of all.

internal import SluiceCheckpoint
internal import SluicePlan
internal import SluiceSpec
internal import SluiceSystem

/// A query of the process, with what it was made from. A value: reload puts another in its place.
struct QueryMember: Sendable {
    var planned: PlannedQuery
    /// The spec it was planned from.
    var spec: Spec
    /// In force unless somebody sets another by hand.
    var trigger: TriggerSpec
    /// What the spec says.
    var specTrigger: TriggerSpec
    var supervisor: QuerySupervisor
    var checkpoint: CheckpointReader

    var name: String { supervisor.name }
    var readsStandardInput: Bool { planned.readsStandardInput(spec) }
}

/// The set, behind a lock.
final class QueryMembers: @unchecked Sendable {
    // @unchecked: everything mutable is guarded by the monitor.
    private let monitor = Monitor()
    private var members: [String: QueryMember] = [:]
    /// Supervisors whose threads have ended.
    private var ended: Set<ObjectIdentifier> = []
    private var isStopping = false
    private var isReloading = false

    /// Sorted by name.
    var all: [QueryMember] { monitor.withLock { members.values.sorted { $0.name < $1.name } } }

    subscript(_ name: String) -> QueryMember? { monitor.withLock { members[name] } }

    /// Takes queries out and puts others in, at once. Names that are there already are replaced.
    func replace(removing removed: [String], adding added: [QueryMember]) {
        monitor.withLock {
            for name in removed { members[name] = nil }
            for member in added { members[member.name] = member }
            ended.formIntersection(members.values.map { ObjectIdentifier($0.supervisor) })
        }
    }

    // MARK: Ends

    func didEnd(_ supervisor: QuerySupervisor) {
        monitor.withLock {
            ended.insert(ObjectIdentifier(supervisor))
            monitor.notifyAll()
        }
    }

    /// Returns when every query has ended and no reload may bring new ones.
    func waitForAll() {
        monitor.lock()
        while isReloading || !members.values.allSatisfy({ ended.contains(ObjectIdentifier($0.supervisor)) }) {
            monitor.wait()
        }
        isStopping = true
        monitor.unlock()
    }

    /// Returns when these have ended.
    func wait(for supervisors: [QuerySupervisor]) {
        monitor.lock()
        while !supervisors.allSatisfy({ ended.contains(ObjectIdentifier($0)) }) { monitor.wait() }
        monitor.unlock()
    }

    /// No query is started from now on; returns those there are.
    func stopAll() -> [QueryMember] {
        monitor.withLock {
            isStopping = true
            return Array(members.values)
        }
    }

    var isStopAsked: Bool { monitor.withLock { isStopping } }

    // MARK: Reloads, one at a time

    /// False when the process is about to end.
    func beginReload() -> Bool {
        monitor.lock()
        defer { monitor.unlock() }
        while isReloading { monitor.wait() }
        if isStopping { return false }
        isReloading = true
        return true
    }

    func endReload() {
        monitor.withLock {
            isReloading = false
            monitor.notifyAll()
        }
    }
}
