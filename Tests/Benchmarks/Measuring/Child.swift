// A process that is measured, by the kernel's own account.

import Glibc

/// What a process cost from its start to its end.
struct ProcessCost {
    var exitCode: Int32
    var seconds: Double
    var cpuSeconds: Double
    var peakBytes: Int
    /// All bytes handed to write calls.
    var writtenBytes: Int
}

/// A running process; `wait` or `stop` must be called once.
struct Child {
    let pid: pid_t
    let startSeconds: Double

    /// Starts a command.
    /// - Parameters:
    ///   - processors: how many it may run on; all of this process' if nil.
    ///   - output: a file for what it prints; both kinds go where ours go if nil.
    init(_ arguments: [String], processors: Int? = nil, output: String? = nil) {
        let command = processors.map { Processors.own.keeping(arguments, to: $0) } ?? arguments
        var pointers: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let output {
            posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o644)
            posix_spawn_file_actions_adddup2(&actions, 1, 2)
        }
        var pid = pid_t()
        let start = monotonicSeconds()
        let error = posix_spawn(&pid, command[0], &actions, nil, &pointers, environ)
        guard error == 0 else { fail("cannot start \(command[0]): \(String(cString: strerror(error)))") }
        (self.pid, startSeconds) = (pid, start)
    }

    /// Waits for the end.
    func wait() -> ProcessCost {
        var info = siginfo_t()
        // The account in /proc stays until the process is reaped.
        waitid(P_PID, id_t(pid), &info, Int32(WEXITED | WNOWAIT))
        let seconds = monotonicSeconds() - startSeconds
        let written = writtenBytes
        var status: Int32 = 0
        var usage = rusage()
        wait4(pid, &status, 0, &usage)
        let cpu =
            Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
            + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
        return ProcessCost(
            exitCode: status & 0x7F == 0 ? (status >> 8) & 0xFF : -1, seconds: seconds, cpuSeconds: cpu,
            peakBytes: usage.ru_maxrss * 1024, writtenBytes: written)
    }

    /// Asks it to end, and waits.
    func stop() -> ProcessCost {
        kill(pid, SIGTERM)
        return wait()
    }

    var hasEnded: Bool {
        var info = siginfo_t()
        waitid(P_PID, id_t(pid), &info, Int32(WEXITED | WNOWAIT | WNOHANG))
        return info._sifields._sigchld.si_pid != 0
    }
}

// MARK: While it runs

extension Child {
    /// All bytes it has handed to write calls.
    var writtenBytes: Int { number(after: "wchar:", in: "/proc/\(pid)/io") }

    /// The memory it has in use.
    var residentBytes: Int { number(after: "VmRSS:", in: "/proc/\(pid)/status") * 1024 }

    var cpuSeconds: Double {
        var clock = clockid_t()
        guard clock_getcpuclockid(pid, &clock) == 0 else { return 0 }
        return seconds(of: clock)
    }

    private func number(after name: String, in path: String) -> Int {
        let lines = decoded(readProc(path)).split(separator: "\n")
        guard let line = lines.first(where: { $0.hasPrefix(name) }) else { return 0 }
        return line.dropFirst(name.count).split { $0 == " " || $0 == "\t" }.first.flatMap { Int($0) } ?? 0
    }

    /// Looks again and again until something is so, and ends the program when the process ends before or it takes long.
    func wait(for what: String, seconds limit: Double = 120, pauseMicros: UInt32 = 200, until isSo: () -> Bool) {
        let start = monotonicSeconds()
        while !isSo() {
            if hasEnded { fail("the process ended with \(wait().exitCode) before \(what)") }
            if monotonicSeconds() - start > limit {
                _ = stop()
                fail("waited \(Int(limit)) s for \(what)")
            }
            usleep(pauseMicros)
        }
    }
}

/// Runs a command to its end; one that fails ends the program.
func run(_ arguments: [String], processors: Int? = nil, output: String? = nil) -> ProcessCost {
    let cost = Child(arguments, processors: processors, output: output).wait()
    guard cost.exitCode == 0 else {
        if let output { fail("\(arguments[0]) ended with \(cost.exitCode):\n\(readText(output).suffix(2000))") }
        fail("\(arguments[0]) ended with \(cost.exitCode)")
    }
    return cost
}

func readText(_ path: String) -> String { decoded(readFile(path)) }

private func decoded(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

private func readProc(_ path: String) -> [UInt8] {
    guard let file = fopen(path, "r") else { return [] }
    defer { fclose(file) }
    return [UInt8](unsafeUninitializedCapacity: 8192) { buffer, filled in
        filled = fread(buffer.baseAddress, 1, 8192, file)
    }
}

func monotonicSeconds() -> Double { seconds(of: CLOCK_MONOTONIC) }

private func seconds(of clock: clockid_t) -> Double {
    var now = timespec()
    clock_gettime(clock, &now)
    return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
}

/// The processors that this process may run on.
struct Processors {
    private let numbers: [Int]

    static let own = Processors()

    private init() {
        let line =
            decoded(readProc("/proc/self/status")).split(separator: "\n")
            .first { $0.hasPrefix("Cpus_allowed_list:") } ?? "Cpus_allowed_list:0"
        // 0-3,8
        numbers = line.dropFirst(18).split { $0 == "," || $0 == "\t" || $0 == " " }.flatMap { part -> [Int] in
            let ends = part.split(separator: "-").compactMap { Int($0) }
            return ends.isEmpty ? [] : Array(ends[0]...ends[ends.count - 1])
        }
    }

    var count: Int { max(1, numbers.count) }

    /// The command, kept to the first so many of them.
    func keeping(_ command: [String], to count: Int) -> [String] {
        guard count < self.count else { return command }
        return ["/usr/bin/taskset", "-c", numbers.prefix(count).map { String($0) }.joined(separator: ",")] + command
    }
}
