// Threads of our own: a query blocks in system calls for as long as it likes, which Swift's cooperative pool forbids.

internal import Glibc

/// A running thread; dropping it leaves the thread running.
@safe package final class SystemThread: Sendable {
    private final class Start {
        let name: String
        let body: @Sendable () -> Void

        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }

    private let thread: pthread_t

    /// Starts a thread that runs `body` once. `name` shows in `top -H`, its first 15 bytes.
    /// nil when the system has no more threads to give.
    package init?(name: String, body: @escaping @Sendable () -> Void) {
        let start = unsafe Unmanaged.passRetained(Start(name: name, body: body))
        var thread = pthread_t()
        let code = unsafe pthread_create(
            &thread, nil,
            { context in
                guard let context = unsafe context else { return nil }
                let start = unsafe Unmanaged<Start>.fromOpaque(context).takeRetainedValue()
                nameThisThread(start.name)
                start.body()
                return nil
            }, start.toOpaque())
        if code != 0 {
            unsafe start.release()
            return nil
        }
        self.thread = thread
    }

    /// Waits for the end of the thread; once only, and not together with `detach`.
    package func join() { pthread_join(thread, nil) }

    /// Nobody will join it: the system frees it at its end.
    package func detach() { pthread_detach(thread) }
}

/// glibc's call for it is a GNU extension, which Swift does not see; the kernel's own file does the same.
private func nameThisThread(_ name: String) {
    let file = uninterrupted { unsafe open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC) }
    guard file >= 0 else { return }
    _ = unsafe Array(name.utf8.prefix(15)).withUnsafeBytes { unsafe writeFully(to: file, [$0]) }
    _ = close(file)
}
