// A clock on which work takes the time it takes and waiting takes none: an hour of triggers passes in the time of its
// batches.

internal import SluiceSystem
internal import Synchronization

/// Runs beside the machine's clock from a wall time in the past, and jumps over waits.
final class ReplayClock: Clock, Sendable {
    private let machine = SystemClock()
    private let startNanos: UInt64
    private let startWallMicros: Int64
    private let skippedNanos = Atomic<UInt64>(0)

    init(wallMillis: Int64) {
        startNanos = machine.monotonicNanos
        startWallMicros = wallMillis * 1000
    }

    var monotonicNanos: UInt64 { machine.monotonicNanos - startNanos + skippedNanos.load(ordering: .relaxed) }
    var wallMicros: Int64 { startWallMicros + Int64(monotonicNanos / 1000) }
    var wallMillis: Int64 { wallMicros / 1000 }
    var threadProcessorNanos: UInt64 { machine.threadProcessorNanos }
    /// How long the machine has been at it.
    var spentNanos: UInt64 { machine.monotonicNanos - startNanos }

    func nanos(atWallMillis wallMillis: Int64) -> UInt64 {
        max(monotonicNanos, UInt64(max(0, wallMillis * 1000 - startWallMicros)) * 1000)
    }

    func wait(untilNanos deadline: UInt64?, wakeup: Wakeup) {
        if wakeup.consume() { return }
        let now = monotonicNanos
        if let deadline, deadline > now { skippedNanos.add(deadline - now, ordering: .relaxed) }
    }

    /// Lets time pass in which nothing is done.
    func skip(micros: Int64) {
        if micros > 0 { skippedNanos.add(UInt64(micros) * 1000, ordering: .relaxed) }
    }
}
