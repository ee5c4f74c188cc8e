// A checkpoint in a real folder: other programs can read it, and what earlier versions wrote still opens.

import Glibc
import SluiceCheckpoint
import SluiceSimulation
import SluiceSystem
import SystemTesting
import Testing

/// Runs a program and waits; nil when it cannot be run, else its exit status.
private func run(_ arguments: [String]) -> Int32? {
    var process = pid_t()
    var pointers: [UnsafeMutablePointer<CChar>?] = unsafe arguments.map { unsafe strdup($0) } + [nil]
    defer { unsafe pointers.forEach { unsafe free($0) } }
    guard unsafe posix_spawn(&process, arguments[0], nil, nil, &pointers, environ) == 0 else { return nil }
    var status: Int32 = 0
    while unsafe waitpid(process, &status, 0) < 0 && errno == EINTR {}
    return status
}

/// The golden checkpoint: what was run to make it, so that what it holds is known.
private let goldenBatches: Int64 = 70

private func runGolden(_ files: any FileSystem, folder: String) throws -> ToyHistory {
    var history = ToyHistory()
    var query = try ToyQuery(ToyQuery.options(files, folder: folder), seed: 2026)
    query.rowsPerBatch = 0...4
    for _ in 0..<goldenBatches { try query.runBatch(&history) }
    return history
}

@Suite("A checkpoint in a real folder")
struct CheckpointFolderTests {
    @Test("Works on the machine's own file system, and any gzip tool reads its state")
    func realFolder() throws {
        let temporary = try TemporaryFolder()
        let files = RealFileSystem()
        let folder = temporary.path + "/checkpoints/q"
        var history = ToyHistory()
        for process in 0..<3 {
            var query = try ToyQuery(ToyQuery.options(files, folder: folder), seed: UInt64(process))
            history.check(query, "process \(process)")
            for _ in 0..<30 { try query.runBatch(&history) }
        }
        let names = try files.list(folder + "/state")
        #expect(names.contains { $0.hasSuffix(".delta.gz") } && names.contains { $0.hasSuffix(".merged.gz") })
        for name in names where try files.info("/usr/bin/gzip") != nil || files.info("/bin/gzip") != nil {
            let path = "\(folder)/state/\(name)"
            #expect(run(["/bin/sh", "-c", "exec gzip -t \"$1\"", "sh", path]) == 0, "\(name)")
            #expect(run(["/bin/sh", "-c", "gzip -dc \"$1\" > \"$1.txt\"", "sh", path]) == 0)
            let text = try files.readAll(path + ".txt")
            #expect(String(decoding: text.prefix(12), as: UTF8.self) == #"{"format":2,"#, "\(name)")
            // The header, then 18 bytes an entry.
            let end = try #require(text.firstRange(of: "]}]}".utf8)?.upperBound)
            #expect((text.count - end) % 18 == 0)
        }
    }

    @Test("A checkpoint of format 1 opens for ever")
    func golden() throws {
        let golden = parentFolder(of: #filePath) + "/Golden/format-1"
        let real = RealFileSystem()
        if unsafe getenv("UPDATE_GOLDEN") != nil, try real.info(golden) == nil {
            _ = try runGolden(real, folder: golden)
            try real.remove(golden + "/lock")
        }
        let files = SimulatedFileSystem()
        for folder in ["", "/offsets", "/commits", "/state", "/sources"] {
            for name in try real.list(golden + folder) {
                guard try real.info("\(golden)\(folder)/\(name)")?.kind == .file else { continue }
                files.put("/cp/q\(folder)/\(name)", "")
                try files.edit("/cp/q\(folder)/\(name)", try real.readAll("\(golden)\(folder)/\(name)"))
            }
        }
        // The same run again says what must be in it.
        var history = try runGolden(SimulatedFileSystem(), folder: "/cp/q")
        history.durableCommit = goldenBatches - 1
        // What format 1 does not know.
        for batch in history.commits.keys { history.commits[batch]?.marks = nil }
        var query = try ToyQuery(ToyQuery.options(files), seed: 1)
        history.check(query, "golden")
        #expect(query.checkpoint.metadata.layout == ToyQuery.options(files).layout)
        #expect(query.checkpoint.metadata.facts == ToyQuery.options(files).facts)
        #expect(query.checkpoint.metadata.queryID == "00000000-0000-4000-8000-000000000001")
        for _ in 0..<50 { try query.runBatch(&history) }
    }
}
