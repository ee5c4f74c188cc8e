// System calls that fail, one at a time, at every step of a run: the binary under strace, which makes the n-th call of
// a kind fail or ends the process in it. Whatever happens, the process does not crash, says in one error what it was,
// and the next run puts out exactly what an undisturbed one does.
//
// SLUICE_FAULT_RUNS says how many faults are tried, SLUICE_FAULT_SEED which ones; both are printed. Without strace the
// suite is skipped, which CI does not allow.

import Foundation
import Testing

private struct Fault: CustomStringConvertible {
    var calls: String
    /// What strace is told to do.
    var what: String
    /// Of the calls, the one that it is done to.
    var number: Int

    var description: String { "\(calls) \(what) at call \(number)" }

    /// Which calls, with what, and of how many the one is taken.
    private static let kinds: [(calls: String, what: [String], most: Int)] = [
        ("write,writev,pwrite64", ["error=ENOSPC", "error=EIO", "signal=KILL"], 60),
        ("fsync,fdatasync", ["error=EIO", "error=ENOSPC", "signal=KILL"], 50),
        ("rename,renameat,renameat2", ["error=EIO", "error=ENOSPC", "signal=KILL"], 12),
        ("openat", ["error=EMFILE", "error=EIO", "error=EACCES", "signal=KILL"], 160),
        ("unlink,unlinkat", ["error=EIO", "signal=KILL"], 6), ("flock", ["error=EWOULDBLOCK", "error=ENOLCK"], 4),
        ("pread64", ["error=EIO", "signal=KILL"], 40), ("getdents64", ["error=EIO"], 20),
        ("mkdir", ["error=ENOSPC"], 8),
        ("close", ["error=EIO"], 80), ("clone3,clone", ["error=EAGAIN"], 8),
    ]

    init(_ random: inout some RandomNumberGenerator) {
        let kind = Self.kinds.randomElement(using: &random) ?? Self.kinds[0]
        calls = kind.calls
        what = kind.what.randomElement(using: &random) ?? kind.what[0]
        number = Int.random(in: 1...kind.most, using: &random)
    }
}

@Suite struct SystemCallTests {
    private static let strace = "/usr/bin/strace"
    static let isHere = FileManager.default.isExecutableFile(atPath: strace)
    private static let environment = ProcessInfo.processInfo.environment

    private static let spec = """
        sluice: 1
        sources:
          l:
            file: { path: l, max_files_per_trigger: 1 }
            format: json
            columns: { id: string, k: string, t: timestamp }
            watermark: { column: t, delay: 1 second }
          r:
            file: { path: r, max_files_per_trigger: 1 }
            format: json
            columns: { id: string, k: string, t: timestamp }
            watermark: { column: t, delay: 1 second }
        queries:
          q:
            from: l
            join: [{ with: r, type: left outer, keys: k, within: r.t between l.t and l.t + 2 seconds }]
            select: { l: l.id, r: r.id }
            trigger: available_now
            on_failure: stop
            to: out
        sinks:
          out: { file: { path: out }, format: json }
        """

    private func folder() throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        try folder.write("spec.yaml", Self.spec)
        for batch in 0..<4 {
            for side in ["l", "r"] {
                let rows = (0..<5).map { row in
                    let time = "2024-01-01T00:00:0\(batch * 2).\(row)00Z"
                    return "{\"id\":\"\(side)\(batch)\(row)\",\"k\":\"\(row % 3)\",\"t\":\"\(time)\"}\n"
                }
                try folder.write("\(side)/\(batch).jsonl", rows.joined())
            }
        }
        return folder
    }

    /// Runs under strace. Returns the exit status as a shell would have it, and what was said.
    private func run(_ fault: Fault, in folder: TemporaryFolder) throws -> (status: Int32, text: String) {
        let process = Process()
        process.executableURL = URL(filePath: Self.strace)
        process.currentDirectoryURL = URL(filePath: folder.path)
        process.arguments = [
            "-f", "-qq", "-o", "/dev/null", "-e", "trace=\(fault.calls)", "-e",
            "inject=\(fault.calls):\(fault.what):when=\(fault.number)", SluiceProcess.binary, "run", "spec.yaml",
        ]
        let log = "\(folder.path)/log"
        #expect(FileManager.default.createFile(atPath: log, contents: nil))
        let handle = try #require(FileHandle(forWritingAtPath: log))
        process.standardError = handle
        process.standardOutput = handle
        try process.run()
        process.waitUntilExit()
        try handle.close()
        let status = process.terminationStatus
        return (process.terminationReason == .exit ? status : 128 + status, folder.read("log") ?? "")
    }

    @Test(.enabled(if: isHere || environment["CI"] != nil, "strace is not there (Debian: strace)"))
    func `A system call that fails costs a run at most, and never a row`() throws {
        let count = Self.environment["SLUICE_FAULT_RUNS"].flatMap { Int($0) } ?? 40
        let seed = Self.environment["SLUICE_FAULT_SEED"].flatMap { UInt64($0) } ?? UInt64.random(in: 0..<1_000_000)
        print("SystemCallTests: SLUICE_FAULT_RUNS=\(count) SLUICE_FAULT_SEED=\(seed)")
        let calm = try folder()
        #expect(try SluiceProcess.run(["run", "spec.yaml"], in: calm).exitCode == 0)
        let expected = calm.contents(of: "out").filter { !$0.key.hasPrefix(".") }
        #expect(expected.count >= 3)
        var random = SeededRandom(seed: seed)
        for _ in 0..<count {
            let fault = Fault(&random)
            let folder = try folder()
            let (status, text) = try run(fault, in: folder)
            let isKilled = fault.what.contains("KILL") && status == 137
            // Before anything of ours has run.
            if status == 127, text.contains("error while loading shared libraries") { continue }
            #expect([0, 1].contains(status) || isKilled, "\(fault): exit \(status)\n\(text)")
            if status == 1 { #expect(text.contains("rror"), "\(fault) is not said\n\(text)") }
            let again = try SluiceProcess.run(["run", "spec.yaml"], in: folder)
            #expect(again.exitCode == 0, "after \(fault): \(again.standardError)")
            if text.contains("file-forbidden") {
                let read = ["l", "r"].map { side in [text, again.standardError].map { Self.rows(of: side, $0) } }
                #expect(read.allSatisfy { $0.reduce(0, +) == 20 }, "after \(fault): \(read)")
                continue
            }
            #expect(folder.contents(of: "out").filter { !$0.key.hasPrefix(".") } == expected, "after \(fault)")
        }
    }

    /// How many rows of a side a run says that it read, late ones among them: `l: 15 read: ...`.
    private static func rows(of side: String, _ text: String) -> Int {
        text.split(separator: "\n").filter { $0.hasPrefix("\(side): ") }
            .compactMap { Int($0.dropFirst(3).prefix { $0.isNumber }) }.reduce(0, +)
    }
}
