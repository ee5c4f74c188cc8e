// The memory that the process may use, for all its queries. It is looked at, not counted: what the system says that the
// process has resident. Where it is passed, the query that is just about to take more stops, alone, before its batch is
// committed; nothing of the others is touched.

package import SluiceSystem
internal import Synchronization

package final class MemoryLimit: Sendable {
    private struct State {
        var lookedNanos: UInt64?
        var isPassed = false
        /// A query that has been told to stop, until it is gone.
        var victim: String?
    }

    /// In bytes.
    package let byteCountMax: Int64
    private let clock: any Clock
    private let residentBytes: @Sendable () -> Int64?
    private let state = Mutex(State())

    private static let lookAgeMaxNanos: UInt64 = 20_000_000

    /// - Parameter residentBytes: what the process uses now; nil where that cannot be known.
    package init(
        byteCountMax: Int64, clock: any Clock,
        residentBytes: @escaping @Sendable () -> Int64? = { ProcessFacts.residentBytes }
    ) {
        self.byteCountMax = byteCountMax
        self.clock = clock
        self.residentBytes = residentBytes
    }

    /// What the process uses now, as far as it can be known.
    package var usedByteCount: Int64 { residentBytes() ?? 0 }

    /// True when a query is to give its batch up. One at a time: what it gives back is waited for. O(1), with a look at
    /// /proc every 20 ms at most.
    func mustStop(_ query: String) -> Bool {
        state.withLock { state in
            if let victim = state.victim { return victim == query }
            let now = clock.monotonicNanos
            if let looked = state.lookedNanos, now - looked < Self.lookAgeMaxNanos { return false }
            state.lookedNanos = now
            state.isPassed = (residentBytes() ?? 0) > byteCountMax
            if state.isPassed { state.victim = query }
            return state.isPassed
        }
    }

    /// A query's memory has been given back.
    func didEnd(_ query: String) {
        state.withLock { state in
            if state.victim == query { state.victim = nil }
        }
    }
}
