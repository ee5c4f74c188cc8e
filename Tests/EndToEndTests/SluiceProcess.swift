// The built binary in a process of its own, over real files. It is started with posix_spawn rather than Foundation's
// Process: the tests need pipes nobody reads, signals that the child inherits as blocked, and waits with a deadline.

import Foundation
import Testing

/// What a finished run has left.
struct RunOutcome {
    /// The exit code; negative for the signal that ended the process.
    var exitCode: Int32
    var standardOutput: String
    var standardError: String
}

/// Where the process's standard input or output is.
enum StandardStream {
    /// Nothing to read; what is written goes to a file that the outcome shows.
    case ordinary
    /// A pipe whose other end is with the test.
    case pipe
}

struct SpawnError: Error, CustomStringConvertible {
    var description: String
}

/// The binary, running. Every wait ends after half a minute at the latest, with the process killed and the test failed.
final class SluiceProcess {
    let processID: pid_t
    private let folder: TemporaryFolder
    private let outputName: String
    private let errorName: String
    /// The test's end of the pipe to standard input; -1 without one or when it is closed.
    private var inputPipe: Int32 = -1
    /// The test's end of the pipe from standard output; -1 without one.
    private var outputPipe: Int32 = -1
    /// As waitpid reported it; nil while the process runs.
    private var status: Int32?

    private static let secondsMax = 30.0

    static var binary: String {
        // The test runner stands in the build folder, the product beside it.
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return URL(filePath: own).deletingLastPathComponent().appending(path: "sluice").path
    }

    /// - Parameters:
    ///   - workingFolder: below `folder`.
    ///   - environment: added to the test's own.
    ///   - blocksSignals: the process inherits SIGTERM and SIGINT as blocked.
    init(
        _ arguments: [String], in folder: TemporaryFolder, workingFolder: String = ".",
        environment: [String: String] = [:], input: StandardStream = .ordinary, output: StandardStream = .ordinary,
        blocksSignals: Bool = false
    ) throws {
        self.folder = folder
        let number = UUID().uuidString
        outputName = "stdout-\(number)"
        errorName = "stderr-\(number)"
        var spawn = Spawn()
        defer { spawn.destroy() }
        spawn.open(2, "\(folder.path)/\(errorName)", O_WRONLY | O_CREAT)
        let outputPath = "\(folder.path)/\(outputName)"
        spawn.setBlocked(blocksSignals ? [SIGTERM, SIGINT] : [])
        var (inputEnds, outputEnds) = ([Int32](), [Int32]())
        switch input {
        case .ordinary: spawn.open(0, "/dev/null", O_RDONLY)
        case .pipe:
            inputEnds = try makePipe("\(folder.path)/input-\(number)")
            spawn.duplicate(inputEnds[0], 0)
        }
        switch output {
        case .ordinary: spawn.open(1, outputPath, O_WRONLY | O_CREAT)
        case .pipe:
            outputEnds = try makePipe("\(folder.path)/output-\(number)")
            spawn.duplicate(outputEnds[1], 1)
        }
        let variables = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        // Swift does not see posix_spawn's call for the working folder. `env` becomes the binary: one process.
        let command = ["/usr/bin/env", "-C", "\(folder.path)/\(workingFolder)", Self.binary] + arguments
        processID = try spawn.start(command, variables)
        (inputPipe, outputPipe) = (inputEnds.last ?? -1, outputEnds.first ?? -1)
        if let end = inputEnds.first { close(end) }
        if let end = outputEnds.last { close(end) }
    }

    deinit {
        if isRunning { kill() }
        closeInput()
        closeOutput()
    }

    static func run(
        _ arguments: [String], in folder: TemporaryFolder, workingFolder: String = ".",
        environment: [String: String] = [:]
    ) throws -> RunOutcome {
        try SluiceProcess(arguments, in: folder, workingFolder: workingFolder, environment: environment).wait()
    }

    // MARK: Its streams

    var standardError: String { folder.read(errorName) ?? "" }

    func writeInput(_ text: String) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Foundation.write(inputPipe, $0.baseAddress, $0.count) }
            if count <= 0 { return }
            bytes = bytes.dropFirst(count)
        }
    }

    func closeInput() {
        if inputPipe >= 0 { close(inputPipe) }
        inputPipe = -1
    }

    /// As a reader that has gone away.
    func closeOutput() {
        if outputPipe >= 0 { close(outputPipe) }
        outputPipe = -1
    }

    /// Reads the pipe from standard output to its end.
    func readOutput() -> String {
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = Foundation.read(outputPipe, &block, block.count)
            if count <= 0 { return String(decoding: bytes, as: UTF8.self) }
            bytes += block[..<count]
        }
    }

    // MARK: Its end

    /// False from the moment on that the process has ended.
    var isRunning: Bool {
        if status != nil { return false }
        var code: Int32 = 0
        if waitpid(processID, &code, WNOHANG) == processID { status = code }
        return status == nil
    }

    func send(_ signal: Int32) {
        if isRunning { Foundation.kill(processID, signal) }
    }

    /// SIGKILL, and its end.
    func kill() {
        send(SIGKILL)
        if status == nil {
            var code: Int32 = 0
            waitpid(processID, &code, 0)
            status = code
        }
    }

    /// SIGTERM, then its end.
    func stop(_ signal: Int32 = SIGTERM) -> RunOutcome {
        send(signal)
        return wait()
    }

    func wait() -> RunOutcome {
        let deadline = Date(timeIntervalSinceNow: Self.secondsMax)
        while isRunning {
            if Date() > deadline {
                Issue.record("sluice has not ended: \(standardError.suffix(2000))")
                kill()
            }
            usleep(500)
        }
        let code = status ?? 0
        return RunOutcome(
            exitCode: code & 0x7F == 0 ? code >> 8 & 0xFF : -(code & 0x7F),
            standardOutput: outputPipe >= 0 ? readOutput() : folder.read(outputName) ?? "",
            standardError: standardError)
    }

    /// Waits until `condition` holds; fails the test when the process ends before or it takes too long.
    func waitUntil(_ what: Comment, _ condition: () -> Bool) throws {
        let deadline = Date(timeIntervalSinceNow: Self.secondsMax)
        while !condition() {
            try #require(
                isRunning, "sluice ended with \(status ?? 0) while the test waited: \(standardError.suffix(2000))")
            try #require(Date() < deadline, "\(what.rawValue): \(standardError.suffix(2000))")
            usleep(1000)
        }
    }
}

/// Both ends of a pipe that no other child inherits: the reading end, then the writing end. Only a pipe with a name can
/// be had as ours alone from its first moment, whoever else starts a child meanwhile.
private func makePipe(_ path: String) throws -> [Int32] {
    guard mkfifo(path, 0o600) == 0 else { throw SpawnError(description: "no pipe: errno \(errno)") }
    let readingEnd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    let ends = [readingEnd, open(path, O_WRONLY | O_CLOEXEC)]
    guard ends.allSatisfy({ $0 >= 0 }) else { throw SpawnError(description: "no pipe: errno \(errno)") }
    // Without a writer an open that waits would wait for ever; reads are to wait.
    _ = fcntl(readingEnd, F_SETFL, 0)
    unlink(path)
    return ends
}

/// posix_spawn's file actions and attributes.
private struct Spawn {
    private var actions = posix_spawn_file_actions_t()
    private var attributes = posix_spawnattr_t()

    init() {
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
    }

    mutating func destroy() {
        posix_spawn_file_actions_destroy(&actions)
        posix_spawnattr_destroy(&attributes)
    }

    mutating func open(_ descriptor: Int32, _ path: String, _ flags: Int32) {
        posix_spawn_file_actions_addopen(&actions, descriptor, path, flags, 0o644)
    }

    mutating func duplicate(_ descriptor: Int32, _ copy: Int32) {
        posix_spawn_file_actions_adddup2(&actions, descriptor, copy)
    }

    /// The test runner may itself have signals blocked, so what the child gets is always said.
    mutating func setBlocked(_ signals: [Int32]) {
        var mask = sigset_t()
        sigemptyset(&mask)
        for signal in signals { sigaddset(&mask, signal) }
        posix_spawnattr_setsigmask(&attributes, &mask)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    }

    func start(_ command: [String], _ environment: [String: String]) throws -> pid_t {
        let words = command.map { strdup($0) } + [nil]
        let variables = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for text in words + variables { free(text) } }
        var (processID, actions, attributes) = (pid_t(), self.actions, self.attributes)
        let code = posix_spawn(&processID, command[0], &actions, &attributes, words, variables)
        guard code == 0 else { throw SpawnError(description: "cannot start \(command): errno \(code)") }
        return processID
    }
}
