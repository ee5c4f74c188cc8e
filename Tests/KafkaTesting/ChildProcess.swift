// Processes that never outlive the tests. A child asks the kernel for SIGKILL at the death of its parent, which for the
// kernel is the thread that started it; so all are started by one thread that lives as long as the process. On an
// ordinary exit, and when a test fails, they are ended by number before that.

package import Foundation
import Synchronization

/// A started program, ended at the latest when its owner forgets it.
package final class ChildProcess: Sendable {
    /// What a program reads.
    package enum Input: Sendable {
        case nothing
        case file(String)
        /// A pipe that is made at this path; its other end stays with the test, which closes it with `closeInput`.
        case pipe(String)
    }

    package let processID: pid_t
    private let name: String
    /// As waitpid reported it; nil while the process runs.
    private let status = Mutex<Int32?>(nil)
    private let inputPipe: Mutex<Int32>

    /// - Parameters:
    ///   - output: the file that standard output goes to.
    ///   - error: the file that standard error goes to; may be the same.
    package init(_ command: [String], input: Input = .nothing, output: String, error: String) throws {
        name = command[0]
        let inputPath: String
        var inputEnd: Int32 = -1
        switch input {
        case .nothing: inputPath = "/dev/null"
        case .file(let path): inputPath = path
        case .pipe(let path):
            // A pipe with a name is ours alone from its first moment; opened for both ways it waits for no reader.
            inputPath = path
            guard mkfifo(path, 0o600) == 0 else { throw KafkaTestError("no pipe: errno \(errno)") }
            inputEnd = open(path, O_RDWR | O_CLOEXEC)
        }
        inputPipe = Mutex(inputEnd)
        // `setpriv` becomes the program: one process, one number.
        let words = ["/usr/bin/env", "setpriv", "--pdeathsig", "KILL", "--"] + command
        processID = try SpawningThread.shared.run {
            try spawn(words, input: inputPath, output: output, error: error)
        }
        ChildProcess.living.withLock { _ = $0.insert(processID) }
        endEverythingAtExit()
    }

    deinit {
        closeInput()
        if status.withLock({ $0 }) == nil { kill() }
    }

    // MARK: Its input

    package func write(_ bytes: [UInt8]) throws {
        let count = inputPipe.withLock { Foundation.write($0, bytes, bytes.count) }
        guard count == bytes.count else { throw KafkaTestError("\(name) does not read its input: errno \(errno)") }
    }

    package func closeInput() {
        inputPipe.withLock {
            if $0 >= 0 { close($0) }
            $0 = -1
        }
    }

    // MARK: Its end

    package var isRunning: Bool { exitStatus(waiting: false) == nil }

    /// Sends a signal, unless the process has ended.
    package func send(_ signal: Int32) {
        status.withLock { if $0 == nil { Foundation.kill(processID, signal) } }
    }

    /// SIGKILL, and its end.
    package func kill() {
        send(SIGKILL)
        _ = exitStatus(waiting: true)
    }

    /// Waits for its end and returns the exit code, negative for a signal; kills what takes too long, and throws.
    package func wait(secondsMax: Double) throws -> Int32 {
        do {
            try waitUntil("the end of \(name)", secondsMax: secondsMax) { !isRunning }
        } catch {
            kill()
            throw error
        }
        let code = exitStatus(waiting: true) ?? 0
        return code & 0x7F == 0 ? code >> 8 & 0xFF : -(code & 0x7F)
    }

    private func exitStatus(waiting: Bool) -> Int32? {
        status.withLock { status in
            if status != nil { return status }
            var code: Int32 = 0
            if waitpid(processID, &code, waiting ? 0 : WNOHANG) == processID {
                status = code
                ChildProcess.living.withLock { _ = $0.remove(processID) }
            }
            return status
        }
    }

    /// Those that have not been waited for: their numbers belong to nobody else.
    static let living = Mutex<Set<pid_t>>([])
}

/// What a finished program has left.
package struct ProgramOutcome: Sendable {
    package var exitCode: Int32
    package var output: String
    package var error: String
}

extension ChildProcess {
    /// Runs a program to its end.
    static func run(
        _ command: [String], input: Input = .nothing, scratch: ScratchFolder, secondsMax: Double = 60
    ) throws -> ProgramOutcome {
        let (output, error) = (scratch.uniquePath("stdout"), scratch.uniquePath("stderr"))
        defer { for path in [output, error] { unlink(path) } }
        let process = try ChildProcess(command, input: input, output: output, error: error)
        let code = try process.wait(secondsMax: secondsMax)
        return ProgramOutcome(exitCode: code, output: scratch.read(output), error: scratch.read(error))
    }
}

/// Waits until the condition holds; throws when that takes too long.
package func waitUntil(_ what: String, secondsMax: Double = 30, _ condition: () throws -> Bool) throws {
    let deadline = Date(timeIntervalSinceNow: secondsMax)
    while try !condition() {
        guard Date() < deadline else { throw KafkaTestError("waited \(secondsMax) s in vain for \(what)") }
        usleep(2000)
    }
}

/// The one thread that starts processes; it never ends.
private final class SpawningThread: Sendable {
    static let shared = SpawningThread()

    private let jobs = Mutex<[@Sendable () -> Void]>([])
    private let hasJob = DispatchSemaphore(value: 0)

    private init() {
        Thread.detachNewThread { [self] in
            while true {
                hasJob.wait()
                let job = jobs.withLock { $0.removeFirst() }
                job()
            }
        }
    }

    func run(_ body: @escaping @Sendable () throws -> pid_t) throws -> pid_t {
        let done = DispatchSemaphore(value: 0)
        let result = ResultBox()
        jobs.withLock {
            $0.append {
                result.value.withLock { $0 = Result { try body() } }
                done.signal()
            }
        }
        hasJob.signal()
        done.wait()
        return try result.value.withLock { $0 }.get()
    }

    private final class ResultBox: Sendable {
        let value = Mutex<Result<pid_t, any Error>>(.failure(KafkaTestError("not started")))
    }
}

private func spawn(_ command: [String], input: String, output: String, error: String) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    var attributes = posix_spawnattr_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawnattr_init(&attributes)
    defer {
        posix_spawn_file_actions_destroy(&actions)
        posix_spawnattr_destroy(&attributes)
    }
    posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o644)
    posix_spawn_file_actions_addopen(&actions, 2, error, O_WRONLY | O_CREAT | O_APPEND, 0o644)
    // The test runner may itself have signals blocked.
    var mask = sigset_t()
    sigemptyset(&mask)
    posix_spawnattr_setsigmask(&attributes, &mask)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    let words = command.map { strdup($0) } + [nil]
    let variables = ProcessInfo.processInfo.environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for text in words + variables { free(text) } }
    var processID = pid_t()
    let code = posix_spawn(&processID, command[0], &actions, &attributes, words, variables)
    guard code == 0 else { throw KafkaTestError("cannot start \(command): errno \(code)") }
    return processID
}

/// What is shared by all tests of a process is never forgotten by its owner, so the exit of the process ends it.
private func endEverythingAtExit() { _ = exitHandler }

private let exitHandler: Int32 = atexit {
    let left = ChildProcess.living.withLock { $0 }
    for processID in left { kill(processID, SIGKILL) }
    var code: Int32 = 0
    for processID in left { waitpid(processID, &code, 0) }
    ScratchFolder.removeAllOfThisProcess()
}
