// Time as the runtime sees it. Tests hand in a clock they move by hand, so no test sleeps.
//
// A machine's wall clock is set now and then, by a person or by its time service; nothing may wait on it. It names
// times (batch times, log lines) and aligns triggers, and every wait and time limit is on the monotonic clock.

/// Wall time for batch times and the alignment of triggers, monotonic time for durations, and the one way to wait.
package protocol Clock: Sendable {
    /// Milliseconds since the epoch.
    var wallMillis: Int64 { get }
    /// Nanoseconds from an arbitrary start; never goes back.
    var monotonicNanos: UInt64 { get }
    /// Processor time of the calling thread, in nanoseconds; 0 on a simulated clock.
    var threadProcessorNanos: UInt64 { get }

    /// The monotonic time at which the wall clock will have reached `wallMillis`, if nobody sets it meanwhile; now when
    /// it already has.
    func nanos(atWallMillis wallMillis: Int64) -> UInt64

    /// Returns when the monotonic clock has reached `nanos` or `wakeup` has been signalled, whichever is first;
    /// at once when it already has. nil waits for the signal alone. Consumes the signal.
    func wait(untilNanos nanos: UInt64?, wakeup: Wakeup)
}

extension Clock {
    package var threadProcessorNanos: UInt64 { 0 }

    /// The monotonic time in so many milliseconds; at once for none or less, never beyond the end of the clock.
    package func nanos(inMillis millis: Int64) -> UInt64 {
        let (nanos, isBeyond) = UInt64(max(0, millis)).multipliedReportingOverflow(by: 1_000_000)
        let (end, isBehindEnd) = monotonicNanos.addingReportingOverflow(nanos)
        return isBeyond || isBehindEnd ? .max : end
    }
}
