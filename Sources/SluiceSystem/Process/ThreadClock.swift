// Processor time of one thread as any other can read it: libraries have threads of their own, and what they use is to
// be put down to whom they work for.

internal import Glibc

/// The clock of a thread's processor time.
package struct ThreadClock: Hashable, Sendable {
    private let id: clockid_t

    /// Of the calling thread.
    package init() {
        var id = clockid_t()
        // Fails only for a thread that does not exist.
        unsafe pthread_getcpuclockid(pthread_self(), &id)
        self.id = id
    }

    /// What the thread has used so far; 0 when it has ended.
    package var nanos: UInt64 {
        var now = timespec()
        guard unsafe clock_gettime(id, &now) == 0 else { return 0 }
        return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
    }
}
