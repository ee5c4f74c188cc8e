// How long each part of a batch takes.

internal import SluiceCheckpoint
internal import SluiceSystem

/// Splits a trigger's time into its parts.
struct PhaseTimer {
    private let clock: any Clock
    private var lastNanos: UInt64
    var cost = BatchCost()

    init(_ clock: any Clock) {
        self.clock = clock
        lastNanos = clock.monotonicNanos
    }

    var sinceLastMicros: Int64 { Int64((clock.monotonicNanos - lastNanos) / 1000) }

    /// Gives the time since the last call to a part.
    mutating func end(_ part: WritableKeyPath<BatchCost, Int64>) {
        let now = clock.monotonicNanos
        cost[keyPath: part] += Int64((now - lastNanos) / 1000)
        lastNanos = now
    }
}
