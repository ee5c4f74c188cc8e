// A call of librdkafka's that may take as long as a connection needs to be given up (a minute), whatever time limit it
// is given. It runs on a thread of its own, so that whoever needs its answer can say meanwhile that it waits, and can
// stop waiting when the query has to end.

internal import SluiceSystem

/// The answer of one call.
@safe final class PatientCall: @unchecked Sendable {
    // @unchecked: guarded by the monitor.
    private let monitor = Monitor()
    private var isDone = false
    private var answer: OpaquePointer?

    /// Starts the call. What it uses must live as long as the call takes, so `body` holds on to it.
    init(_ body: @escaping @Sendable () -> Answer) {
        let run: @Sendable () -> Void = { [self] in
            let answer = body()
            monitor.withLock {
                unsafe self.answer = unsafe answer.pointer
                isDone = true
                monitor.notifyAll()
            }
        }
        // Without a thread the call is made here and now.
        if let thread = SystemThread(name: "kafka-call", body: run) { thread.detach() } else { run() }
    }

    /// What a call returns: an error of librdkafka's, nil for none.
    @safe struct Answer {
        var pointer: OpaquePointer?
    }

    /// Waits until the answer is there, so long at most; nil when it is not.
    func wait(millis: Int64) -> Answer? {
        let clock = SystemClock()
        let deadline = clock.nanos(inMillis: millis)
        monitor.lock()
        defer { monitor.unlock() }
        while !isDone {
            monitor.wait(untilNanos: deadline)
            if clock.monotonicNanos >= deadline { break }
        }
        return unsafe isDone ? Answer(pointer: answer) : nil
    }
}
