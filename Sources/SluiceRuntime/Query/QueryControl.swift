// The one thing that a query's thread and the rest of the process share: what is asked of the query, and what it does.
// Whoever asks leaves a note and wakes the thread; the thread looks between batches and while it waits. So nothing that
// is asked can touch a batch in hand.

package import SluiceConnectors
package import SluiceSpec
package import SluiceSystem
internal import Synchronization

/// A query's controls. From any thread.
package final class QueryControl: Sendable {
    /// Signalled when something new has been asked.
    private let wakeup: Wakeup
    private let life = Mutex(QueryLife())
    private let alsoStops: @Sendable () -> Bool
    private let didChange: @Sendable () -> Void
    /// What the query's connectors wait for.
    package let waiting: Waiting
    private let reading = Mutex(Reading())

    private struct Reading {
        /// Up to where the query has read, one per source; nil before its checkpoint was opened.
        var positions: [SourceOffsets]?
        var backlog: [SourceBacklog]?
    }

    /// - Parameters:
    ///   - wakeup: what the query's thread waits with.
    ///   - alsoStops: another reason to stop, asked whenever the query looks; signal `wakeup` when it changes.
    ///   - didChange: called when the status may have changed, on the thread that changed it. Must be quick.
    package init(
        wakeup: Wakeup = Wakeup(), alsoStops: @escaping @Sendable () -> Bool = { false },
        didChange: @escaping @Sendable () -> Void = {}
    ) {
        self.wakeup = wakeup
        self.alsoStops = alsoStops
        self.didChange = didChange
        waiting = Waiting(didChange: didChange)
    }

    // MARK: From outside

    /// Ends the query after the batch in hand. Any number of times.
    package func stop() {
        life.withLock { $0.askToStop() }
        wakeup.signal()
    }

    /// Pauses after the batch in hand, or goes on. False when the query has ended.
    package func setPaused(_ isPaused: Bool) -> Bool {
        let isAlive = life.withLock { $0.askToPause(isPaused) }
        wakeup.signal()
        didChange()
        return isAlive
    }

    /// Puts a trigger in force in place of the spec's, or with nil the spec's again. A wait in hand is cut short or
    /// lengthened to what the trigger says from the start of the last batch on. False when the query has ended.
    package func setTrigger(_ trigger: TriggerSpec?) -> Bool {
        let isAlive = life.withLock { $0.ask(for: trigger) }
        wakeup.signal()
        didChange()
        return isAlive
    }

    var snapshot: QueryLife { life.withLock { $0 } }

    package var status: QueryStatus { snapshot.status }

    /// Set by hand; nil while the spec's is in force.
    package var trigger: TriggerSpec? { life.withLock { $0.trigger } }

    /// True when no batch is in hand and none will be by itself, or not soon.
    var isAtRest: Bool {
        switch status {
        case .paused, .restarting, .failed: true
        case .running, .waiting, .finished: false
        }
    }

    var positions: [SourceOffsets]? { reading.withLock { $0.positions } }

    /// How much is not read yet of a query at rest; nil where that is not known.
    var backlog: [SourceBacklog]? { isAtRest ? reading.withLock { $0.backlog } : nil }

    func note(backlog: [SourceBacklog]?) {
        let isNews = reading.withLock { reading in
            defer { reading.backlog = backlog }
            return reading.backlog != backlog
        }
        if isNews { didChange() }
    }

    // MARK: From the query's thread

    /// What was known of the backlog is not so any more.
    func note(positions: [SourceOffsets]) { reading.withLock { $0 = Reading(positions: positions) } }

    var isStopping: Bool { life.withLock { $0.isStopAsked } || alsoStops() }

    var isPauseAsked: Bool { life.withLock { $0.isPauseAsked } }

    func enter(_ activity: QueryLife.Activity) {
        let isNews = life.withLock { life in
            let before = life.status
            life.enter(activity)
            return life.status != before
        }
        if isNews { didChange() }
    }

    func didCommit(_ batch: Int64?) { life.withLock { $0.didCommit(batch) } }

    /// Returns when the query is not to be paused, or is to stop.
    func waitWhilePaused(_ clock: any Clock) {
        while isPauseAsked, !isStopping { clock.wait(untilNanos: nil, wakeup: wakeup) }
    }

    /// Returns at a monotonic time or when something has been asked, whichever is first.
    func wait(untilNanos nanos: UInt64, _ clock: any Clock) { clock.wait(untilNanos: nanos, wakeup: wakeup) }
}
