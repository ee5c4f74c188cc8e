// A mutex with a condition variable. `Synchronization` has mutexes but nothing to wait on, and every wait in the
// product (for a trigger, for input, for a worker) needs one.

internal import Glibc

/// A lock that threads can wait on until another thread says that something changed. The state it guards belongs to
/// the owner, who touches it only between `lock` and `unlock`.
@safe package final class Monitor: @unchecked Sendable {
    // @unchecked: both pointers are set once; pthread objects are made for many threads.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>

    package init() {
        unsafe mutex = .allocate(capacity: 1)
        unsafe condition = .allocate(capacity: 1)
        unsafe mutex.initialize(to: pthread_mutex_t())
        unsafe condition.initialize(to: pthread_cond_t())
        // Only a broken libc refuses these attributes.
        let mutexCode = unsafe pthread_mutex_init(mutex, nil)
        // By default deadlines are on the wall clock, and a clock set back by an hour makes a wait an hour longer.
        var attributes = pthread_condattr_t()
        unsafe pthread_condattr_init(&attributes)
        let clockCode = unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        let conditionCode = unsafe pthread_cond_init(condition, &attributes)
        unsafe pthread_condattr_destroy(&attributes)
        precondition(mutexCode == 0 && clockCode == 0 && conditionCode == 0)
    }

    deinit {
        unsafe pthread_cond_destroy(condition)
        unsafe pthread_mutex_destroy(mutex)
        unsafe condition.deallocate()
        unsafe mutex.deallocate()
    }

    package func lock() { unsafe pthread_mutex_lock(mutex) }

    package func unlock() { unsafe pthread_mutex_unlock(mutex) }

    /// Runs `body` with the lock held.
    package func withLock<Result>(_ body: () -> Result) -> Result {
        lock()
        defer { unlock() }
        return body()
    }

    /// Gives the lock away, waits for `notifyAll`, and takes it again. May return for no reason: call it in a loop
    /// that tests the state. The caller holds the lock.
    package func wait() { unsafe pthread_cond_wait(condition, mutex) }

    /// As `wait`, and returns when the monotonic clock has reached `nanos` too.
    package func wait(untilNanos nanos: UInt64) {
        var deadline = timespec(tv_sec: Int(nanos / 1_000_000_000), tv_nsec: Int(nanos % 1_000_000_000))
        unsafe pthread_cond_timedwait(condition, mutex, &deadline)
    }

    /// Wakes every thread that waits.
    package func notifyAll() { unsafe pthread_cond_broadcast(condition) }
}
