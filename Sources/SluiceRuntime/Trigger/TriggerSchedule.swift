// When the next trigger fires. Pure arithmetic on wall milliseconds, so that alignment and overruns are tests of
// numbers.
// Source: Spark's ProcessingTimeExecutor. The next trigger is at the next multiple of the interval since the epoch
// after the *start* of the last one; one that is already past fires at once, and boundaries missed meanwhile are one.

package import SluiceSpec

package struct TriggerSchedule: Hashable, Sendable {
    /// How long a query without data waits before it looks again when it runs as fast as possible (Spark's
    /// `spark.sql.streaming.pollingDelay`).
    package static let pollingDelayMillis: Int64 = 10

    package let trigger: TriggerSpec

    package init(_ trigger: TriggerSpec) { self.trigger = trigger }

    /// The wall time before which the next trigger does not fire; nil when it fires at once. It is at most an interval
    /// away: when the wall clock was set back meanwhile, triggers are aligned to what it says now, and not put off
    /// until it has caught up.
    /// - Parameters:
    ///   - startMillis: when the last trigger fired.
    ///   - didRunBatch: whether it ran a batch.
    ///   - nowMillis: the time now.
    package func nextMillis(startMillis: Int64, didRunBatch: Bool, nowMillis: Int64) -> Int64? {
        switch trigger {
        case .interval(let micros):
            let interval = max(1, micros / 1000)
            let next = startMillis / interval * interval + interval
            if next - nowMillis > interval { return nowMillis / interval * interval + interval }
            return next <= nowMillis ? nil : next
        case .asFastAsPossible: return didRunBatch ? nil : nowMillis + Self.pollingDelayMillis
        case .once, .availableNow: return nil
        }
    }

    /// True for triggers that end by themselves.
    package var isFinite: Bool {
        switch trigger {
        case .once, .availableNow: true
        case .interval, .asFastAsPossible: false
        }
    }
}

extension TriggerSpec {
    /// nil for a trigger without an interval.
    package var intervalMicros: Double? {
        if case .interval(let micros) = self { Double(micros) } else { nil }
    }

    /// 0 for as fast as possible; nil for a trigger that ends by itself.
    package var intervalSeconds: Double? { self == .asFastAsPossible ? 0 : intervalMicros.map { $0 / 1_000_000 } }
}
