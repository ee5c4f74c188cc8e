// Reload: the specs are read again, everything is checked, and only when nothing is wrong anything is changed. Queries
// that say the same as before are not touched, so they miss no trigger; one whose trigger alone has changed takes the
// new one while it runs.

internal import SluiceCheckpoint
internal import SluicePlan
package import SluiceSpec
package import SluiceSystem

/// What a reload did, by names of queries.
package struct ReloadReport: Hashable, Sendable {
    package var started: [String] = []
    package var stopped: [String] = []
    package var changed: [String] = []
    package var unchanged: [String] = []

    package init() {}
}

/// Why a reload changed nothing.
package enum ReloadError: Error, Sendable {
    /// As `check` reports them.
    case refused([Diagnostic], lines: SourceLines)
    /// A path of the command line cannot be read.
    case unreadable(FileError)
    /// The process is about to end.
    case stopping
}

extension QuerySet {
    /// Brings the queries to what the specs say now. Returns when queries that were to stop have finished their batch
    /// and new ones have their threads.
    /// - Parameters:
    ///   - load: reads and checks the specs.
    ///   - willApply: called with the new spec when all is well, before anything is changed.
    package func reload(
        load: () throws(FileError) -> LoadedSpec, willApply: (Spec) -> Void
    ) throws(ReloadError) -> ReloadReport {
        guard members.beginReload() else { throw .stopping }
        defer { members.endReload() }
        let loaded: LoadedSpec
        do throws(FileError) { loaded = try load() } catch { throw .unreadable(error) }
        guard let spec = loaded.spec, !loaded.hasErrors else {
            throw .refused(loaded.diagnostics, lines: loaded.lines)
        }
        let changes = SpecChanges(from: members.all, to: options.chosen(loaded.plans), spec: spec)
        let findings = changes.findings(options: options, environment: environment, spec: spec)
        guard findings.isEmpty else {
            throw .refused((loaded.diagnostics + findings).sorted { $0.position < $1.position }, lines: loaded.lines)
        }
        willApply(spec)
        apply(changes, spec: spec)
        return changes.report
    }

    private func apply(_ changes: SpecChanges, spec: Spec) {
        let leaving = changes.removed + changes.restarted.map(\.old)
        for member in leaving { member.supervisor.stop() }
        keep(changes)
        members.wait(for: leaving.map(\.supervisor))
        let starting = (changes.restarted.map(\.new) + changes.added).map { makeMember($0, spec: spec) }
        for (member, change) in zip(starting, changes.restarted) where change.old.supervisor.control.isPauseAsked {
            // A person has paused it for a reason that the reload knows nothing of.
            _ = member.supervisor.control.setPaused(true)
        }
        members.replace(removing: changes.removed.map(\.name), adding: starting)
        for member in starting {
            // A stop that came meanwhile has not reached it.
            if members.isStopAsked { member.supervisor.stop() }
            start(member)
        }
        for name in changes.report.stopped { didChange(name) }
    }

    /// Triggers that were set by hand end here.
    private func keep(_ changes: SpecChanges) {
        for (old, new) in changes.kept {
            var member = old
            member.specTrigger = new.spec.trigger.value
            member.trigger = options.trigger ?? new.spec.trigger.value
            members.replace(removing: [], adding: [member])
            let control = member.supervisor.control
            let before = control.trigger ?? old.trigger
            guard before != member.trigger, control.setTrigger(member.trigger) else { continue }
            environment.log.info(
                "Trigger set by the specs, which were read again",
                [.query: .string(member.name), .trigger: .string(member.trigger.text), .before: .string(before.text)])
        }
    }
}

/// How the queries of a process differ from what the specs say now.
struct SpecChanges {
    private(set) var added: [PlannedQuery] = []
    private(set) var removed: [QueryMember] = []
    private(set) var restarted: [(old: QueryMember, new: PlannedQuery)] = []
    /// They say the same, but perhaps for the trigger.
    private(set) var kept: [(old: QueryMember, new: PlannedQuery)] = []
    private(set) var report = ReloadReport()

    init(from old: [QueryMember], to new: [PlannedQuery], spec: Spec) {
        let names = Set(new.map(\.spec.name.value))
        removed = old.filter { !names.contains($0.name) }
        report.stopped = removed.map(\.name)
        for planned in new.sorted(by: { $0.spec.name.value < $1.spec.name.value }) {
            let name = planned.spec.name.value
            guard let member = old.first(where: { $0.name == name }) else {
                added.append(planned)
                report.started.append(name)
                continue
            }
            let isSame = member.planned.content(member.spec) == planned.content(spec)
            let trigger = planned.spec.trigger.value
            let keepsKind = TriggerSchedule(trigger).isFinite == TriggerSchedule(member.specTrigger).isFinite
            if case .failed = member.supervisor.status {
                // Whatever has been mended outside of the spec: reload is the time to try.
                restarted.append((member, planned))
                if isSame { report.started.append(name) } else { report.changed.append(name) }
            } else if isSame, trigger == member.specTrigger {
                kept.append((member, planned))
                report.unchanged.append(name)
            } else {
                if isSame, keepsKind, !TriggerSchedule(trigger).isFinite {
                    kept.append((member, planned))
                } else {
                    restarted.append((member, planned))
                }
                report.changed.append(name)
            }
        }
    }

    /// What speaks against the changed and new queries that their specs alone do not show.
    func findings(options: QuerySetOptions, environment: QueryEnvironment, spec: Spec) -> [Diagnostic] {
        let running = (restarted.map(\.old) + removed + kept.map(\.old)).filter {
            !$0.supervisor.control.snapshot.hasEnded
        }
        let inUse = Set(running.map { options.checkpointFolder($0.planned.spec) })
        return restarted.compactMap { old, new in
            if old.planned.readsStandardInput(old.spec), !old.supervisor.control.snapshot.hasEnded {
                return new.finding("a query that reads standard input cannot be changed while it runs")
            }
            return new.checkpointFinding(options, environment, spec, inUse: inUse)
        } + added.compactMap { $0.checkpointFinding(options, environment, spec, inUse: inUse) }
    }
}

extension PlannedQuery {
    fileprivate func finding(_ message: String, fix: String? = nil) -> Diagnostic {
        Diagnostic(
            .error, code: "checkpoint", at: spec.name.position, length: spec.name.length,
            "query `\(spec.name.value)`: \(message)", fix: fix)
    }

    /// Why the query could not go on from its checkpoint as it is now; nil when it could, or when there is none.
    fileprivate func checkpointFinding(
        _ options: QuerySetOptions, _ environment: QueryEnvironment, _ spec: Spec, inUse: Set<String>
    ) -> Diagnostic? {
        guard let plan = result.physical else { return nil }
        let folder = options.checkpointFolder(self.spec)
        let histories = spec.sources.filter(\.connector.positionsAreHistory).map(\.name.value)
        do throws(CheckpointError) {
            try CheckpointReader(folder: folder, fileSystem: environment.fileSystem).judge(
                plan, historySources: Set(histories), isInUse: inUse.contains(folder))
            return nil
        } catch {
            return finding("\(error)")
        }
    }
}
