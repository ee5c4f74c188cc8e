// Time that passes when somebody says so. A test moves it by hand; where one thread does everything, waits move it, so
// that a day of triggers takes no time; and in a replay work takes the time it takes beside that.

package import SluiceSystem
internal import Synchronization

/// A clock that begins at any wall time, and at a monotonic time of 0.
package final class SimulatedClock: Clock, @unchecked Sendable {
    // @unchecked: everything mutable is guarded by the monitor.

    /// What makes time pass besides `advance`.
    package enum Pace: Sendable {
        /// Nothing: a wait lasts until somebody moves the clock.
        case byHand
        /// Waits: one for a time moves the clock there.
        case byWaits
        /// Waits, and what the machine's time is spent on.
        case byWork
    }

    private let pace: Pace
    private let machine = SystemClock()
    private let machineStartNanos: UInt64
    private let monitor = Monitor()
    /// Wall time when the monotonic clock was at 0, as far as the wall clock was set since.
    private var startWallMicros: Int64
    /// What has passed beside work.
    private var passedNanos: UInt64 = 0
    private var waits = 0
    /// Every deadline somebody waited for, in order, as the wall clock's time then.
    private var deadlines: [Int64?] = []

    /// - Parameter wallMillis: what the wall clock says at first, in milliseconds since the epoch.
    package init(wallMillis: Int64 = 0, pace: Pace = .byHand) {
        startWallMicros = wallMillis * 1000
        self.pace = pace
        machineStartNanos = machine.monotonicNanos
    }

    /// With the monitor's lock.
    private var nanos: UInt64 {
        pace == .byWork ? passedNanos + (machine.monotonicNanos - machineStartNanos) : passedNanos
    }

    package var wallMillis: Int64 { wallMicros / 1000 }
    /// Microseconds since the epoch.
    package var wallMicros: Int64 { monitor.withLock { startWallMicros + Int64(nanos / 1000) } }
    package var monotonicNanos: UInt64 { monitor.withLock { nanos } }
    package var threadProcessorNanos: UInt64 { pace == .byWork ? machine.threadProcessorNanos : 0 }

    /// The times that were waited for, nil for a wait without end; none of a clock that work moves, which has many.
    package var waitedFor: [Int64?] { monitor.withLock { deadlines } }

    /// Lets time pass, on the wall and on the monotonic clock.
    package func advance(byMillis millis: Int64) { advance(byMicros: millis * 1000) }

    /// Lets time pass, on the wall and on the monotonic clock.
    package func advance(byMicros micros: Int64) {
        monitor.withLock {
            precondition(micros >= 0)
            passedNanos += UInt64(micros) * 1000
            monitor.notifyAll()
        }
    }

    /// Somebody sets the wall clock, possibly back; no time passes.
    package func setWall(millis: Int64) {
        monitor.withLock {
            startWallMicros = millis * 1000 - Int64(nanos / 1000)
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
        monitor.withLock { max(nanos, UInt64(max(0, wallMillis * 1000 - startWallMicros)) * 1000) }
    }

    package func wait(untilNanos deadline: UInt64?, wakeup: Wakeup) {
        wakeup.state.withLock { state in
            state.notify = { [monitor] in monitor.withLock { monitor.notifyAll() } }
        }
        monitor.lock()
        if pace != .byWork { deadlines.append(deadline.map { (startWallMicros + Int64(clamping: $0 / 1000)) / 1000 }) }
        waits += 1
        monitor.notifyAll()
        while !wakeup.consume() {
            if let deadline {
                let now = nanos
                if now >= deadline { break }
                if pace != .byHand {
                    passedNanos += deadline - now
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
