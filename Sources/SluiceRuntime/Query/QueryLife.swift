// What a query does and what is asked of it. A value, so that every transition is a test; `QueryControl` keeps it
// behind a lock.
//
//            ┌─────── batch ──────┐
//     busy ──▶ waiting ──▶ paused │         paused is asked for from outside and holds as soon as no batch is in hand
//       ▲ └───────▲───────────┘───┘
//       │ error
//       └─ restarting        ──▶ failed, finished: nothing more will happen, and nothing more can be asked

internal import SluiceSpec

/// Where a query is in its life.
package enum QueryStatus: Hashable, Sendable {
    /// A batch is in hand, or the query is being started.
    case running
    /// For its trigger, or for data.
    case waiting
    case paused
    /// Waits to try again.
    case restarting(error: String)
    case failed(error: String)
    case finished

    /// The word that reports use.
    package var word: String {
        switch self {
        case .running: "running"
        case .waiting: "waiting"
        case .paused: "paused"
        case .restarting: "restarting"
        case .failed: "failed"
        case .finished: "finished"
        }
    }

    /// Why it is as it is, where that is an error.
    package var error: String? {
        switch self {
        case .restarting(let error), .failed(let error): error
        case .running, .waiting, .paused, .finished: nil
        }
    }
}

/// Why something that was asked of a query cannot be.
package enum ControlError: Error, Hashable, Sendable, CustomStringConvertible {
    case unknownQuery(String, meant: String?)
    /// It has failed or finished.
    case ended(query: String, status: String)
    /// Its trigger is `once` or `available_now`.
    case endsByItself(query: String)
    /// A trigger that cannot be set while a query runs.
    case badTrigger(String)

    package var description: String {
        switch self {
        case .unknownQuery(let name, let meant):
            "there is no query `\(name)`" + (meant.map { ", did you mean `\($0)`?" } ?? "")
        case .ended(let query, let status): "`\(query)` has \(status): there is nothing to control any more"
        case .endsByItself(let query): "`\(query)` ends by itself: it has no interval that could be changed"
        case .badTrigger(let why): why
        }
    }
}

struct QueryLife: Hashable, Sendable {
    enum Activity: Hashable, Sendable {
        case busy
        case waiting
        case restarting(error: String, code: String = "unexpected")
        case failed(error: String, code: String = "unexpected")
        case finished
    }

    private(set) var activity = Activity.busy
    private(set) var isStopAsked = false
    private(set) var isPauseAsked = false
    /// In place of the spec's; nil while the spec's is in force.
    private(set) var trigger: TriggerSpec?
    private(set) var lastBatch: Int64?
    private(set) var restartCount = 0

    var hasEnded: Bool {
        switch activity {
        case .failed, .finished: true
        case .busy, .waiting, .restarting: false
        }
    }

    var status: QueryStatus {
        switch activity {
        case .failed(let error, _): .failed(error: error)
        case .finished: .finished
        case .busy: .running
        case .waiting, .restarting: isPauseAsked ? .paused : idleStatus
        }
    }

    private var idleStatus: QueryStatus {
        if case .restarting(let error, _) = activity { .restarting(error: error) } else { .waiting }
    }

    /// The stable name of the status' error.
    var errorCode: String? {
        guard status.error != nil else { return nil }
        switch activity {
        case .failed(_, let code), .restarting(_, let code): return code
        case .busy, .waiting, .finished: return nil
        }
    }

    // MARK: Asked from outside

    mutating func askToStop() { isStopAsked = true }

    /// False when there is nothing left to pause or resume.
    mutating func askToPause(_ isPauseAsked: Bool) -> Bool {
        if hasEnded { return false }
        self.isPauseAsked = isPauseAsked
        return true
    }

    /// False when the query has ended.
    mutating func ask(for trigger: TriggerSpec?) -> Bool {
        if hasEnded { return false }
        self.trigger = trigger
        return true
    }

    // MARK: Reported from inside

    mutating func enter(_ activity: Activity) {
        if case .restarting = activity { restartCount += 1 }
        self.activity = activity
    }

    mutating func didCommit(_ batch: Int64?) { lastBatch = batch }
}
