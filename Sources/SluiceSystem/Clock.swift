// Time as the runtime sees it. Tests hand in a clock they move by hand, so no test sleeps.

/// Wall time for triggers and batch times, monotonic time for durations, and the one way to wait.
package protocol Clock: Sendable {
    /// Milliseconds since the epoch.
    var wallMillis: Int64 { get }
    /// Nanoseconds from an arbitrary start; never goes back.
    var monotonicNanos: UInt64 { get }
    /// Processor time of the calling thread, in nanoseconds; 0 on a simulated clock.
    var threadProcessorNanos: UInt64 { get }

    /// Returns when the wall clock has reached `wallMillis` or `wakeup` has been signalled, whichever is first;
    /// at once when it already has. nil waits for the signal alone. Consumes the signal.
    func wait(untilWallMillis: Int64?, wakeup: Wakeup)
}

extension Clock {
    package var threadProcessorNanos: UInt64 { 0 }
}
