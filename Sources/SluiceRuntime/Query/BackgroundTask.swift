// One piece of work at a time on a thread of its own, whose failure comes up where it is waited for.

internal import SluiceSystem

final class BackgroundTask: @unchecked Sendable {
    // @unchecked: guarded by the monitor.
    private let monitor = Monitor()
    private var isRunning = false
    private var failure: (any Error)?

    var isIdle: Bool { monitor.withLock { !isRunning } }

    /// Starts `body`; the task is idle.
    func start(name: String, _ body: @escaping @Sendable () throws -> Void) {
        monitor.withLock {
            precondition(!isRunning, "one piece of work at a time")
            isRunning = true
        }
        let thread = SystemThread(name: name) { [self] in finish(Result(catching: body)) }
        if let thread { thread.detach() } else { finish(Result(catching: body)) }
    }

    private func finish(_ result: Result<Void, any Error>) {
        monitor.withLock {
            isRunning = false
            if case .failure(let error) = result { failure = error }
            monitor.notifyAll()
        }
    }

    /// Waits until nothing runs; throws what the work has thrown, once.
    func wait() throws {
        monitor.lock()
        while isRunning { monitor.wait() }
        let error = failure
        failure = nil
        monitor.unlock()
        if let error { throw error }
    }
}
