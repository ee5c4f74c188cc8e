// What the process can say about itself: for progress, metrics and the status page.

internal import CMemory
internal import Glibc

package enum ProcessFacts {
    /// The process' number.
    package static var id: Int32 { getpid() }

    /// Bytes of memory in use now (resident set); nil where /proc is not there.
    package static var residentBytes: Int64? {
        guard let bytes = try? RealFileSystem().readAll("/proc/self/statm") else { return nil }
        let fields = String(decoding: bytes, as: UTF8.self).split(separator: " ")
        guard fields.count > 1, let pages = Int64(fields[1]) else { return nil }
        return pages * Int64(sysconf(Int32(_SC_PAGESIZE)))
    }

    /// Bytes in blocks that were allocated and not freed: what a leak shows in, whatever the allocator holds beside.
    package static var allocatedBytes: Int64 { Int64(sluice_allocated_bytes()) }

    /// The most memory the process ever had in use, in bytes.
    package static var peakResidentBytes: Int64 { Int64(usage.ru_maxrss) * 1024 }

    /// Bytes of memory that the process may have: those of the machine, or of the control group it is in or of one
    /// above that; nil where neither can be known.
    package static var memoryByteCount: Int64? { memoryByteCount(RealFileSystem()) }

    /// - Parameter files: for tests.
    package static func memoryByteCount(_ files: any FileSystem) -> Int64? {
        func lines(_ path: String) -> [Substring] {
            String(decoding: (try? files.readAll(path)) ?? [], as: UTF8.self).split(separator: "\n")
        }
        var limits: [Int64] = []
        let total = lines("/proc/meminfo").first { $0.hasPrefix("MemTotal:") }?.split(separator: " ")
        if let total, total.count > 1, let kibibytes = Int64(total[1]) { limits.append(kibibytes * 1024) }
        for line in lines("/proc/self/cgroup") {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            let isVersion2 = fields[0] == "0" && fields[1].isEmpty
            guard isVersion2 || fields[1].split(separator: ",").contains("memory") else { continue }
            var group = String(fields[2])
            let root = isVersion2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory"
            let name = isVersion2 ? "memory.max" : "memory.limit_in_bytes"
            while true {
                if let text = lines("\(root)\(group == "/" ? "" : group)/\(name)").first, let limit = Int64(text) {
                    limits.append(limit)
                }
                if group == "/" || group.isEmpty { break }
                group = parentFolder(of: group)
            }
        }
        return limits.min()
    }

    /// How many threads the process has; nil where /proc is not there.
    package static var threadCount: Int? {
        guard let bytes = try? RealFileSystem().readAll("/proc/self/status") else { return nil }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        let line = lines.first { $0.hasPrefix("Threads:") }
        return line.flatMap { Int($0.dropFirst(8).drop { $0.isWhitespace }) }
    }

    /// How many files, sockets and the like are open; nil where /proc is not there.
    package static var openDescriptorCount: Int? {
        // Looking takes one itself.
        (try? RealFileSystem().list("/proc/self/fd")).map { $0.count - 1 }
    }

    /// Processor time the process has used, user and system, in microseconds.
    package static var processorMicros: Int64 {
        let usage = usage
        return micros(usage.ru_utime) + micros(usage.ru_stime)
    }

    /// How many processors the process may run on, at least 1.
    package static var processorCount: Int {
        // Honours taskset and container limits, which the number of processors in the machine does not.
        guard let bytes = try? RealFileSystem().readAll("/proc/self/status") else { return 1 }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        guard let mask = lines.first(where: { $0.hasPrefix("Cpus_allowed:") }) else { return 1 }
        // Groups of hexadecimal digits with commas between them, one bit a processor.
        return max(1, mask.dropFirst(13).reduce(0) { $0 + ($1.hexDigitValue?.nonzeroBitCount ?? 0) })
    }

    private static var usage: rusage {
        var usage = rusage()
        unsafe getrusage(RUSAGE_SELF.rawValue, &usage)
        return usage
    }

    private static func micros(_ time: timeval) -> Int64 { Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_usec) }
}
