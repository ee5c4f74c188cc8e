// Plain file and process calls for the benchmark; it measures the product and so does not stand on it.

import Glibc

func makeFolder(_ path: String) {
    var built = path.hasPrefix("/") ? "" : "."
    for part in path.split(separator: "/") {
        built += "/\(part)"
        mkdir(built, 0o755)
    }
}

func writeFile(_ path: String, _ bytes: [UInt8]) {
    guard let file = fopen(path, "w") else { fail("cannot write \(path)") }
    fwrite(bytes, 1, bytes.count, file)
    fclose(file)
}

func readFile(_ path: String) -> [UInt8] {
    guard let file = fopen(path, "r") else { fail("cannot read \(path)") }
    defer { fclose(file) }
    fseek(file, 0, SEEK_END)
    let count = ftell(file)
    rewind(file)
    return [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
        filled = fread(buffer.baseAddress, 1, count, file)
    }
}

func list(_ folder: String) -> [String] {
    guard let handle = opendir(folder) else { return [] }
    defer { closedir(handle) }
    var names: [String] = []
    while let entry = readdir(handle) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if !name.hasPrefix(".") { names.append(name) }
    }
    return names.sorted()
}

func removeFolder(_ path: String) {
    for name in listAll(path) {
        let child = "\(path)/\(name)"
        if unlink(child) != 0 { removeFolder(child) }
    }
    rmdir(path)
}

private func listAll(_ folder: String) -> [String] {
    guard let handle = opendir(folder) else { return [] }
    defer { closedir(handle) }
    var names: [String] = []
    while let entry = readdir(handle) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name != "." && name != ".." { names.append(name) }
    }
    return names
}

func fail(_ message: String) -> Never {
    let line = Array("benchmark: \(message)\n".utf8)
    write(2, line, line.count)
    exit(1)
}

/// What a child process cost, by the kernel's own account.
struct ProcessCost {
    var exitCode: Int32
    var seconds: Double
    var cpuSeconds: Double
    var peakBytes: Int
    /// All bytes handed to write calls.
    var writtenBytes: Int
}

/// Runs a command to its end; its output goes where ours goes.
func run(_ arguments: [String]) -> ProcessCost {
    var pid = pid_t()
    var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
    defer { for pointer in pointers { free(pointer) } }
    let start = monotonicSeconds()
    guard posix_spawn(&pid, arguments[0], nil, nil, &pointers, environ) == 0 else {
        fail("cannot start \(arguments[0])")
    }
    var info = siginfo_t()
    // The child's account in /proc stays until it is reaped.
    waitid(P_PID, id_t(pid), &info, Int32(WEXITED | WNOWAIT))
    let seconds = monotonicSeconds() - start
    let written = String(decoding: readProc("/proc/\(pid)/io"), as: UTF8.self).split(separator: "\n")
        .first { $0.hasPrefix("wchar: ") }.flatMap { Int($0.dropFirst(7)) }
    var status: Int32 = 0
    var usage = rusage()
    wait4(pid, &status, 0, &usage)
    let cpu =
        Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
        + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
    return ProcessCost(
        exitCode: status & 0x7F == 0 ? (status >> 8) & 0xFF : -1, seconds: seconds, cpuSeconds: cpu,
        peakBytes: usage.ru_maxrss * 1024, writtenBytes: written ?? 0)
}

private func readProc(_ path: String) -> [UInt8] {
    guard let file = fopen(path, "r") else { return [] }
    defer { fclose(file) }
    return [UInt8](unsafeUninitializedCapacity: 4096) { buffer, filled in
        filled = fread(buffer.baseAddress, 1, 4096, file)
    }
}

func monotonicSeconds() -> Double {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
}
