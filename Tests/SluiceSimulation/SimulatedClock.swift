// Time that passes when a test says so.

package import SluiceSystem
internal import Synchronization

/// A clock that stands still until a test moves it.
package final class SimulatedClock: Clock, @unchecked Sendable {
    // @unchecked: everything mutable is guarded by the monitor.
    private let monitor = Monitor()
    private var now: Int64
    private var nanos: UInt64 = 0
    private var waits = 0
    /// Every deadline somebody waited for, in order, as the wall clock's time then.
    private var deadlines: [Int64?] = []
    private let advancesByItself: Bool

    /// With `advancesByItself` a wait for a time moves the clock there, which is what single-threaded tests need.
    package init(wallMillis: Int64 = 0, advancesByItself: Bool = false) {
        now = wallMillis
        self.advancesByItself = advancesByItself
    }

    package var wallMillis: Int64 { monitor.withLock { now } }
    package var monotonicNanos: UInt64 { monitor.withLock { nanos } }
    package var waitedFor: [Int64?] { monitor.withLock { deadlines } }

    /// Lets time pass, on the wall and on the monotonic clock.
    package func advance(byMillis millis: Int64) {
        monitor.withLock {
            precondition(millis >= 0)
            now += millis
            nanos += UInt64(millis) * 1_000_000
            monitor.notifyAll()
        }
    }

    /// Somebody sets the wall clock, possibly back; no time passes.
    package func setWall(millis: Int64) {
        monitor.withLock {
            now = millis
            monitor.notifyAll()
        }
    }

    /// Returns when a thread waits on this clock. Then the test may move it without a race.
    package func untilSomebodyWaits() {
        monitor.lock()
        while waits == 0 { monitor.wait() }
        monitor.unlock()
    }

    package func nanos(atWallMillis wallMillis: Int64) -> UInt64 {
        monitor.withLock { nanos + UInt64(max(0, wallMillis - now)) * 1_000_000 }
    }

    package func wait(untilNanos deadline: UInt64?, wakeup: Wakeup) {
        wakeup.state.withLock { state in
            state.notify = { [monitor] in monitor.withLock { monitor.notifyAll() } }
        }
        monitor.lock()
        deadlines.append(deadline.map { now + (Int64(clamping: $0) - Int64(nanos)) / 1_000_000 })
        waits += 1
        monitor.notifyAll()
        while !wakeup.consume() {
            if let deadline {
                if nanos >= deadline { break }
                if advancesByItself {
                    now += Int64((deadline - nanos) / 1_000_000)
                    nanos = deadline
                    break
                }
            }
            monitor.wait()
        }
        waits -= 1
        monitor.unlock()
        wakeup.state.withLock { $0.notify = nil }
    }
}
