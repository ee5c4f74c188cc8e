// What there is for the next batch: the one place where a query looks at the outside before it plans.

internal import SluiceConnectors
internal import SluiceSpec
internal import SluiceSystem

extension QueryRunner {
    /// All that a batch is planned from. Whatever it goes by is looked at once, and stands in the offset log before
    /// the batch runs.
    struct Look {
        /// The end of each source.
        var latest: [SourceOffsets]
        /// Per input what the batch reads.
        var ranges: [[OffsetRange]]
    }

    /// Where `available_now` ends, fixed at its start: by the first look, behind a batch that runs again, as a source
    /// that has no position yet would else begin where a new query does.
    enum Goal {
        /// It goes on for ever, or until there is nothing new.
        case none
        case dueAtFirstLook
        case fixed([SourceOffsets])
    }

    /// nil when the query was asked to stop while it waited for the end of a source: what is there now is not what was
    /// asked for.
    func look() throws -> Look? {
        let latest = try latestOffsets()
        if query.sources.contains(where: { $0.isAwaitingEnd }) { return nil }
        try beginSinks()
        let limit: BatchLimit = schedule.trigger == .once ? .unlimited : .spec
        let ranges = try query.sources.enumerated().map { index, source in
            try source.planBatch(from: position.offsets[index], to: latest[index], limit: limit)
        }
        return Look(latest: latest, ranges: ranges)
    }

    private func latestOffsets() throws -> [SourceOffsets] {
        if case .fixed(let latest) = goal { return latest }
        while true {
            var latest: [SourceOffsets] = []
            for (source, position) in zip(query.sources, position.offsets) {
                latest.append(try source.latestOffsets(from: position, untilEnd: schedule.isFinite))
            }
            guard query.sources.contains(where: { $0.isAwaitingEnd }), try mayGoOn() else {
                if case .dueAtFirstLook = goal { goal = .fixed(latest) }
                return latest
            }
            let next = environment.clock.nanos(inMillis: TriggerSchedule.pollingDelayMillis)
            control.wait(untilNanos: next, environment.clock)
        }
    }

    /// Once: when nothing is known that keeps sources from being read.
    func beginSinks() throws {
        if haveSinksBegun { return }
        for sink in query.sinks { try sink.begin() }
        haveSinksBegun = true
    }

    /// What could be read in spite of it has been.
    func stopAtTrouble() throws {
        if let trouble = query.sources.lazy.compactMap(\.trouble).first { throw trouble }
    }
}
