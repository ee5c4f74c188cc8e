package import Synchronization

/// A flag that ends a wait: set by any thread, consumed by the one that waits.
package final class Wakeup: Sendable {
    /// Under the real clock a condition variable stands behind it; `SystemClock` and simulated clocks install it.
    package struct State: Sendable {
        package var isSignalled = false
        package var notify: (@Sendable () -> Void)?
    }

    package let state = Mutex(State())

    package init() {}

    /// Ends the current wait, or the next one if nobody waits now.
    package func signal() {
        let notify = state.withLock { state in
            state.isSignalled = true
            return state.notify
        }
        notify?()
    }

    /// True when a signal was pending; it is consumed.
    package func consume() -> Bool {
        state.withLock { state in
            defer { state.isSignalled = false }
            return state.isSignalled
        }
    }
}
