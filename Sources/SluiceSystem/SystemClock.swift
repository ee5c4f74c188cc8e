// The machine's clock. A wait is one call that ends at an absolute monotonic time: it neither polls nor adds up slices,
// so it cannot drift, and it costs nothing while it lasts.

internal import Glibc
internal import Synchronization

/// The machine's clock. Setting the wall clock neither lengthens a wait nor cuts it short, unlike in Spark.
package struct SystemClock: Clock {
    package init() {}

    package var wallMillis: Int64 {
        let now = read(CLOCK_REALTIME)
        return Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
    }

    package var monotonicNanos: UInt64 {
        let now = read(CLOCK_MONOTONIC)
        return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
    }

    package var threadProcessorNanos: UInt64 {
        let now = read(CLOCK_THREAD_CPUTIME_ID)
        return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
    }

    package func nanos(atWallMillis wallMillis: Int64) -> UInt64 {
        // The wall clock first: what passes between the two looks then only makes a wait longer.
        let now = read(CLOCK_REALTIME)
        let (seconds, millis) = (wallMillis / 1000 - Int64(now.tv_sec), wallMillis % 1000)
        let nanos = max(0, millis * 1_000_000 - Int64(now.tv_nsec) + min(seconds, 9_000_000_000) * 1_000_000_000)
        return monotonicNanos + UInt64(nanos)
    }

    package func wait(untilNanos deadline: UInt64?, wakeup: Wakeup) {
        // A signal may arrive after this wait has ended; the monitor lives as long as anybody can notify it.
        let monitor = Monitor()
        wakeup.state.withLock { state in
            state.notify = {
                // With the lock taken the waiter is either before its test of the flag or inside the wait.
                monitor.lock()
                monitor.notifyAll()
                monitor.unlock()
            }
        }
        monitor.lock()
        while !wakeup.consume() {
            guard let deadline else {
                monitor.wait()
                continue
            }
            if monotonicNanos >= deadline { break }
            monitor.wait(untilNanos: deadline)
        }
        monitor.unlock()
        wakeup.state.withLock { $0.notify = nil }
    }

    private func read(_ id: clockid_t) -> timespec {
        var now = timespec()
        // Fails only for a clock that does not exist.
        unsafe clock_gettime(id, &now)
        return now
    }
}
