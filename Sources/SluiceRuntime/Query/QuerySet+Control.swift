// What a person can see of the queries of a running process, and change.

package import SluiceCheckpoint
internal import SluiceConnectors
package import SluiceSpec
internal import SluiceSystem

/// A query as it is now.
package struct QueryDescription: Sendable {
    package var name: String
    package var status: QueryStatus
    /// The stable name of the status' error.
    package var errorCode: String?
    /// What it waits for outside of the process, in words.
    package var waitingFor: String?
    /// What is not read yet while no batches run; nil while they do, or where it is not known.
    package var backlog: [SourceBacklog]?
    /// In force.
    package var trigger: TriggerSpec
    /// What the spec says, and what comes back at the next reload or start.
    package var specTrigger: TriggerSpec
    /// The last one that is committed; nil before the first.
    package var lastBatch: Int64?
    /// How often it was started again after an error.
    package var restartCount: Int
    package var planned: PlannedQuery
    /// The spec it was planned from.
    package var spec: Spec
    /// Reads what it has written; its checkpoint is in use.
    package var checkpoint: CheckpointReader
}

extension QuerySet {
    /// All queries, sorted by name.
    package var descriptions: [QueryDescription] { members.all.map(\.description) }

    package func description(of name: String) throws(ControlError) -> QueryDescription { try member(name).description }

    /// Pauses a query after the batch in hand. Doing it twice is no error.
    package func pause(_ name: String) throws(ControlError) -> QueryDescription { try setPaused(name, true) }

    /// Lets a paused query go on: at once, if a trigger has gone by. Doing it twice is no error.
    package func resume(_ name: String) throws(ControlError) -> QueryDescription { try setPaused(name, false) }

    /// Puts another interval in force, until the next reload or start.
    package func setTrigger(_ name: String, _ trigger: TriggerSpec) throws(ControlError) -> QueryDescription {
        let member = try member(name)
        guard !TriggerSchedule(trigger).isFinite else {
            throw .badTrigger("a running query takes a duration such as `2s`, or `as_fast_as_possible`")
        }
        guard !TriggerSchedule(member.trigger).isFinite else { throw .endsByItself(query: name) }
        let before = member.description.trigger
        guard member.supervisor.control.setTrigger(trigger) else { throw ended(member) }
        if trigger != before {
            environment.log.info(
                "Trigger set by hand",
                [.query: .string(name), .trigger: .string(trigger.text), .before: .string(before.text)])
        }
        return member.description
    }

    private func setPaused(_ name: String, _ isPaused: Bool) throws(ControlError) -> QueryDescription {
        let member = try member(name)
        let control = member.supervisor.control
        let isNews = control.isPauseAsked != isPaused
        guard control.setPaused(isPaused) else { throw ended(member) }
        pauseNote(member.planned).write(isPaused)
        if isNews {
            if isPaused {
                environment.log.info("Query paused by hand", [.query: .string(name)])
            } else {
                environment.log.info("Query resumed by hand", [.query: .string(name)])
            }
        }
        return member.description
    }

    private func member(_ name: String) throws(ControlError) -> QueryMember {
        if let member = members[name] { return member }
        throw .unknownQuery(name, meant: nearest(to: name, in: members.all.map(\.name)))
    }

    private func ended(_ member: QueryMember) -> ControlError {
        .ended(query: member.name, status: member.supervisor.status.word)
    }
}

extension LogKey {
    static let trigger = LogKey("sluice.trigger")
    static let before = LogKey("sluice.before")
}

extension QueryMember {
    var description: QueryDescription {
        let life = supervisor.control.snapshot
        return QueryDescription(
            name: name, status: life.status, errorCode: life.errorCode,
            waitingFor: life.hasEnded ? nil : supervisor.control.waiting.text, backlog: supervisor.control.backlog,
            trigger: life.trigger ?? trigger,
            specTrigger: specTrigger,
            lastBatch: life.lastBatch, restartCount: life.restartCount, planned: planned, spec: spec,
            checkpoint: checkpoint)
    }
}
