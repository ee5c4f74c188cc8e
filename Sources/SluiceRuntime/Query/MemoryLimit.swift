// The memory that the process may use, for all its queries. It is looked at, not counted: what the system says that the
// process has resident. Where it is passed, the query that is just about to take more stops, alone, before its batch is
// committed; nothing of the others is touched.

package import SluiceSystem
internal import Synchronization

package final class MemoryLimit: Sendable {
    private struct State {
        var lookedNanos: UInt64?
        /// A query that has been told to stop, until it is gone.
        var victim: String?
        /// What the process used when the victim was told.
        var usedByteCount: Int64 = 0
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

    /// What the process used when this query was told to stop; nil when it was not told.
    func usedByteCount(when query: String) -> Int64? {
        state.withLock { $0.victim == query ? $0.usedByteCount : nil }
    }

    /// True when a query is to give its batch up. One at a time: what it gives back is waited for. O(1), with a look at
    /// /proc every 20 ms at most.
    func mustStop(_ query: String) -> Bool {
        state.withLock { state in
            if let victim = state.victim { return victim == query }
            let now = clock.monotonicNanos
            if let looked = state.lookedNanos, now - looked < Self.lookAgeMaxNanos { return false }
            state.lookedNanos = now
            let used = residentBytes() ?? 0
            guard used > byteCountMax else { return false }
            (state.victim, state.usedByteCount) = (query, used)
            return true
        }
    }

    /// A query's memory has been given back.
    func didEnd(_ query: String) {
        state.withLock { state in
            if state.victim == query { state.victim = nil }
        }
    }
}
