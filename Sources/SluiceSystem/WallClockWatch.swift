// Somebody sets the machine's clock, or the machine has slept: nothing stops for it, but times in the log, batch times
// and the alignment of triggers jump, and whoever reads them should know.

internal import Synchronization

/// Notices steps of the wall clock by the monotonic one. One for the process: a step is then said once, whoever looks
/// first. From any thread.
package final class WallClockWatch: Sendable {
    /// Where the wall clock was when the monotonic one began, milliseconds; nil before the first look.
    private let startMillis = Mutex<Int64?>(nil)

    /// Less than that, a time service may put right.
    private static let stepMinMillis: Int64 = 1000

    package init() {}

    /// By how much the wall clock has been set since the last look: forward, or less than 0 for back. nil when it has
    /// only gone on.
    package func step(_ clock: any Clock) -> Int64? {
        let start = clock.wallMillis - Int64(clock.monotonicNanos / 1_000_000)
        return startMillis.withLock { known in
            guard let before = known else {
                known = start
                return nil
            }
            guard abs(start - before) >= Self.stepMinMillis else { return nil }
            known = start
            return start - before
        }
    }
}
