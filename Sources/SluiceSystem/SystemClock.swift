// The machine's clock. A wait is one call that ends at an absolute wall time: it neither polls nor adds up slices, so
// it cannot drift, and it costs nothing while it lasts.

internal import Glibc
internal import Synchronization

/// The machine's clock.
///
/// When somebody sets the wall clock forward, waits that are then over end at once. When it is set back, a wait lasts
/// until the wall clock says the time again, as in Spark, whose triggers stand on the same clock.
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

    package func wait(untilWallMillis deadline: Int64?, wakeup: Wakeup) {
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
            if wallMillis >= deadline { break }
            monitor.wait(untilWallMillis: deadline)
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
