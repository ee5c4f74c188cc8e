// A server that does not answer: since when, and whether it has been said.

/// What one asker knows of an outage.
struct Outage {
    private var startNanos: UInt64?
    private var isReported = false

    /// Takes in a failure; true when it is to be reported: once, and not while a server may only be slow (a coordinator
    /// that is being elected).
    mutating func note(sinceNanos: UInt64, atNanos now: UInt64) -> Bool {
        let start = min(startNanos ?? sinceNanos, sinceNanos)
        startNanos = start
        guard !isReported, now - start >= 3_000_000_000 else { return false }
        isReported = true
        return true
    }

    var isNoted: Bool { startNanos != nil }

    func millis(atNanos now: UInt64) -> Int64 { Int64((now - (startNanos ?? now)) / 1_000_000) }

    /// True when the outage had been reported.
    mutating func end() -> Bool {
        defer {
            startNanos = nil
            isReported = false
        }
        return isReported
    }
}
