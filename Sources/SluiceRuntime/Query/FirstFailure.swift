// Work that runs on several threads fails once.

internal import SluiceSystem

/// The first error of work that runs on several threads.
final class FirstFailure: @unchecked Sendable {
    // @unchecked: guarded by the monitor.
    private let monitor = Monitor()
    private var error: (any Error)?

    func catching(_ body: () throws -> Void) {
        do { try body() } catch { monitor.withLock { if self.error == nil { self.error = error } } }
    }

    var first: (any Error)? { monitor.withLock { error } }
}
