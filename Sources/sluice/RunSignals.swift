// Signals of a run, from its first moment on: one that comes while specs are still being read is kept until there are
// queries to stop.

internal import Glibc
internal import SluiceSystem
internal import Synchronization

/// The first signal to stop lets the batch in hand finish; the second ends the process as it is, which loses nothing. A
/// hang-up reads the specs again.
final class RunSignals: Sendable {
    private struct State {
        var isStopping = false
        var isHangUpPending = false
        var actions: Actions?
    }

    struct Actions: Sendable {
        var stop: @Sendable () -> Void
        var reload: @Sendable () -> Void
    }

    private let state = Mutex(State())
    private let lastWords: ErrorOutput

    /// - Parameter lastWords: where a second signal is told.
    init(lastWords: ErrorOutput) {
        self.lastWords = lastWords
        _ = handleSignals { [self] signal in
            if signal == .hangUp { hangUp() } else { stop() }
        }
    }

    /// True from the first signal to stop on.
    var isStopping: Bool { state.withLock { $0.isStopping } }

    /// From now on there is something to act on; what came before is done at once.
    func begin(_ actions: Actions) {
        let (isStopping, isHangUpPending) = state.withLock { state in
            state.actions = actions
            return (state.isStopping, state.isHangUpPending)
        }
        if isStopping { actions.stop() } else if isHangUpPending { actions.reload() }
    }

    private func hangUp() {
        let actions = state.withLock { state in
            if state.actions == nil { state.isHangUpPending = true }
            return state.actions
        }
        actions?.reload()
    }

    private func stop() {
        let (isSecond, actions) = state.withLock { state in
            defer { state.isStopping = true }
            return (state.isStopping, state.actions)
        }
        if isSecond {
            lastWords.say("stopped at once by a second signal: a batch in hand runs again at the next start", .warning)
            _exit(130)
        }
        actions?.stop()
    }
}
