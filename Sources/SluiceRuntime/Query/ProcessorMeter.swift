// How much processor time one query takes, on its own thread and on the workers it shares with others.

internal import Glibc
internal import SluiceEngine
internal import SluiceSystem
internal import Synchronization

/// Adds up the processor time of work that a query hands to other threads.
final class ProcessorMeter: Sendable {
    private let clock: any Clock
    private let nanos = Atomic<UInt64>(0)

    init(_ clock: any Clock) { self.clock = clock }

    /// Of the calling thread, which is the query's, and of all metered work so far.
    var totalNanos: UInt64 { clock.threadProcessorNanos + nanos.load(ordering: .relaxed) }

    /// Runs `body`, metered unless it runs on the thread that waits for it.
    func run<Failure: Error>(from caller: pthread_t, _ body: () throws(Failure) -> Void) throws(Failure) {
        if pthread_equal(caller, pthread_self()) != 0 { return try body() }
        let start = clock.threadProcessorNanos
        defer { nanos.add(clock.threadProcessorNanos - start, ordering: .relaxed) }
        try body()
    }
}
