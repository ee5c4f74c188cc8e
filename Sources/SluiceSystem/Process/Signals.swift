// Signals become ordinary calls: the handler does the one thing a signal handler may do (write a byte to a pipe), and
// a thread reads the pipe. So what a signal does can take locks and log.

internal import Glibc
internal import Synchronization

/// The signals that ask the process to stop, or to look again.
package enum ProcessSignal: Sendable {
    case interrupt
    case terminate
    case hangUp

    fileprivate var number: Int32 {
        switch self {
        case .interrupt: SIGINT
        case .terminate: SIGTERM
        case .hangUp: SIGHUP
        }
    }

    fileprivate init?(number: UInt8) {
        switch Int32(number) {
        case SIGINT: self = .interrupt
        case SIGTERM: self = .terminate
        case SIGHUP: self = .hangUp
        default: return nil
        }
    }
}

/// The writing end of the pipe between the handler and the thread; -1 before `handleSignals`.
private let signalPipe = Atomic<Int32>(-1)

/// Calls `handler` on a thread of its own for every SIGINT, SIGTERM and SIGHUP from now on, one after another, and
/// makes writing to a closed pipe an ordinary error (SIGPIPE is ignored). Once per process.
///
/// - Returns: false when the system has no descriptors or threads left.
package func handleSignals(_ handler: @escaping @Sendable (ProcessSignal) -> Void) -> Bool {
    ignoreBrokenPipes()
    var ends: [Int32] = [-1, -1]
    guard unsafe pipe(&ends) == 0 else { return false }
    let (readEnd, writeEnd) = (ends[0], ends[1])
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    // A full pipe must not stop the process inside a signal handler.
    _ = fcntl(writeEnd, F_SETFL, O_NONBLOCK)
    precondition(signalPipe.exchange(writeEnd, ordering: .sequentiallyConsistent) == -1)

    let thread = SystemThread(name: "signals") {
        while true {
            var number: UInt8 = 0
            let count = unsafe withUnsafeMutableBytes(of: &number) { unsafe readSome(from: readEnd, into: $0) }
            if count <= 0 { return }
            if let signal = ProcessSignal(number: number) { handler(signal) }
        }
    }
    guard let thread else { return false }
    thread.detach()

    for signal in [ProcessSignal.interrupt, .terminate, .hangUp] {
        install(signal.number) { number in
            let code = errno
            var byte = UInt8(truncatingIfNeeded: number)
            _ = unsafe write(signalPipe.load(ordering: .relaxed), &byte, 1)
            errno = code
        }
    }

    // Only now that there are handlers: signals may have been held back since before `main`, or by a parent that handed
    // its own blocked ones down to us.
    var wanted = sigset_t()
    unsafe sigemptyset(&wanted)
    for signal in [ProcessSignal.interrupt, .terminate, .hangUp] { unsafe sigaddset(&wanted, signal.number) }
    unsafe pthread_sigmask(SIG_UNBLOCK, &wanted, nil)
    return true
}

/// Makes writing to a pipe nobody reads an error of the call instead of the end of the process.
package func ignoreBrokenPipes() {
    _ = signal(SIGPIPE, SIG_IGN)
}

private func install(_ number: Int32, _ handler: @escaping @convention(c) (Int32) -> Void) {
    var action = sigaction()
    unsafe action.__sigaction_handler.sa_handler = handler
    // Restarted calls keep the rest of the process from ever seeing the interruption.
    action.sa_flags = SA_RESTART
    unsafe sigemptyset(&action.sa_mask)
    unsafe sigaction(number, &action, nil)
}
