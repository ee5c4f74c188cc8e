// Sinks: whole batches or nothing, whatever fails.

import Glibc
import SluiceConnectors
import SluiceEngine
import SluiceSimulation
import SluiceSystem
import SystemTesting
import Testing

/// A hole of `byteCount` bytes at the end of a file.
func makeSparse(_ path: String, _ byteCount: Int) -> Bool { truncate(path, byteCount) == 0 }

private func output(_ text: String...) -> [OutputBytes] { text.map { OutputBytes(Array($0.utf8)) } }

private func makeSink(_ files: any FileSystem, header: String = "") -> FileSink {
    FileSink(
        query: "q", folder: "/out/rows", fileExtension: header.isEmpty ? "jsonl" : "csv", header: Array(header.utf8),
        fileSystem: files)
}

extension SimulatedFileSystem {
    /// What there is besides the mark that says whose a folder is.
    fileprivate var outputs: [String] { files().filter { !$0.hasSuffix(".sluice-owner") } }
}

@Suite("The file sink")
struct FileSinkTests {
    @Test("A batch appears under its name when it is committed, and not before")
    func commits() throws {
        let files = SimulatedFileSystem()
        let sink = makeSink(files)
        try sink.recover(lastCommitted: nil)
        try sink.stage(batch: 7, parts: output("a\n", "", "b\n"), rowCount: 2)
        #expect(files.outputs == ["/out/rows/.batch-0000000007.jsonl.tmp"])
        try sink.commit(batch: 7)
        try sink.sync()
        #expect(files.outputs == ["/out/rows/batch-0000000007.jsonl"])
        #expect(files.text("/out/rows/batch-0000000007.jsonl") == "a\nb\n")
        #expect(files.restart().text("/out/rows/batch-0000000007.jsonl") == "a\nb\n")
    }

    @Test("A batch without rows writes and removes nothing")
    func noRows() throws {
        let files = SimulatedFileSystem()
        files.put("/out/rows/of-somebody", "earlier\n")
        let sink = makeSink(files)
        try sink.recover(lastCommitted: nil)
        try sink.stage(batch: 0, parts: output(""), rowCount: 0)
        try sink.commit(batch: 0)
        #expect(files.outputs == ["/out/rows/of-somebody"])
    }

    @Test("Each CSV file begins with the header")
    func header() throws {
        let files = SimulatedFileSystem()
        let sink = makeSink(files, header: "a,b\n")
        try sink.recover(lastCommitted: nil)
        for batch in 0...1 as ClosedRange<Int64> {
            try sink.stage(batch: batch, parts: output("\(batch),x\n"), rowCount: 1)
            try sink.commit(batch: batch)
        }
        #expect(files.text("/out/rows/batch-0000000001.csv") == "a,b\n1,x\n")
    }

    @Test("A compressed batch is what any tool unpacks, however many parts it has")
    func compressed() throws {
        let folder = try TemporaryFolder()
        let files = RealFileSystem()
        let sink = FileSink(
            query: "q", folder: folder.path + "/out", fileExtension: "csv", packing: .gzip,
            header: Array("a,b\n".utf8), fileSystem: files)
        try sink.recover(lastCommitted: nil)
        var random = SplitMix64(seed: 3)
        let parts = (0..<5).map { _ in randomLines(10_000, &random).joined() }
        try sink.stage(batch: 3, parts: parts.map { OutputBytes(Array($0.utf8)) }, rowCount: 50_000)
        try sink.commit(batch: 3)
        try sink.sync()
        let path = folder.path + "/out/batch-0000000003.csv.gz"
        #expect(system("gzip -dc '\(path)' > '\(path).txt'") == 0)
        #expect(String(decoding: try files.readAll(path + ".txt"), as: UTF8.self) == "a,b\n" + parts.joined())
        #expect(try files.readAll(path).count < parts.joined().utf8.count / 2)
        #expect(try sink.shows(batch: 3) && !sink.shows(batch: 4))
    }

    @Test("A batch that runs again after `compression` was changed is there once, whenever the machine stops")
    func changedCompression() throws {
        for (first, second) in [(false, true), (true, false)] {
            let names = [false: "/out/batch-0000000007.jsonl", true: "/out/batch-0000000007.jsonl.gz"]
            func sink(_ files: SimulatedFileSystem, _ isCompressed: Bool) -> FileSink {
                FileSink(
                    query: "q", folder: "/out", fileExtension: "jsonl", packing: isCompressed ? .gzip : .none,
                    header: [],
                    fileSystem: files)
            }
            func run(_ files: SimulatedFileSystem, _ isCompressed: Bool, lastCommitted: Int64) throws {
                let sink = sink(files, isCompressed)
                try sink.recover(lastCommitted: lastCommitted, inHand: 7)
                try sink.stage(batch: 7, parts: output("row\n"), rowCount: 1)
                try sink.commit(batch: 7)
                try sink.sync()
            }
            let start = SimulatedFileSystem()
            try run(start, first, lastCommitted: 6)
            // What others have put there stays.
            start.put("/out/batch-0000000007.jsonl.md5", "of somebody\n")
            start.put("/out/batch-0000000006.jsonl", "former\n")
            var operation = 0
            while true {
                let files = start.restart(plan: FaultPlan(seed: UInt64(operation), crashAtOperation: operation))
                let isDone = (try? run(files, second, lastCommitted: 6)) != nil
                let after = files.restart()
                let visible = after.outputs.filter { $0.contains("/batch-0000000007.jsonl") && !$0.hasSuffix(".md5") }
                #expect(visible.count <= 1, "operation \(operation): \(visible)")
                try run(after, second, lastCommitted: 6)
                #expect(
                    after.outputs
                        == [
                            "/out/batch-0000000006.jsonl", names[second], "/out/batch-0000000007.jsonl.md5",
                        ].compactMap { $0 }.sorted())
                if isDone { break }
                operation += 1
            }
            #expect(operation > 5)
        }
    }

    @Test("A committed batch whose name was forgotten comes back as it was written, whatever the sink writes now")
    func forgottenName() throws {
        let files = SimulatedFileSystem()
        let sink = makeSink(files)
        try sink.recover(lastCommitted: nil)
        try sink.stage(batch: 0, parts: output("row\n"), rowCount: 1)
        let next = FileSink(
            query: "q", folder: "/out/rows", fileExtension: "jsonl", packing: .gzip, header: [],
            fileSystem: files.restartProcess())
        #expect(connectorError { try next.recover(lastCommitted: 0) } == nil)
        #expect(try next.shows(batch: 0))
    }

    @Test("A full disk is a retriable error that says so, and staging again works")
    func fullDisk() throws {
        let files = SimulatedFileSystem()
        let sink = makeSink(files)
        try sink.recover(lastCommitted: nil)
        files.plan.fails = { $0.verb == .write ? ENOSPC : nil }
        let error = #expect(throws: ConnectorError.self) {
            try sink.stage(batch: 0, parts: output("row\n"), rowCount: 1)
        }
        #expect(error?.code == "disk-full" && error?.isRetriable == true)
        files.plan.fails = nil
        try sink.stage(batch: 0, parts: output("row\n"), rowCount: 1)
        try sink.commit(batch: 0)
        #expect(files.text("/out/rows/batch-0000000000.jsonl") == "row\n")
    }

    @Test("A path that is a file is an error that says what is expected")
    func notAFolder() {
        let files = SimulatedFileSystem()
        files.put("/out/rows", "a file")
        let error = #expect(throws: ConnectorError.self) { try makeSink(files).recover(lastCommitted: nil) }
        #expect(error?.code == "not-a-folder" && error?.isRetriable == false)
    }

    /// A runtime in ten lines: stage, commit, sync, and a commit log that is durable after the sink's part.
    private func run(_ files: SimulatedFileSystem, batches: Int64) throws {
        var lastCommitted = files.text("/log").flatMap { $0.split(separator: "\n").last.flatMap { Int64($0) } }
        let sink = makeSink(files)
        // The batch behind the last one may have been begun.
        try sink.recover(lastCommitted: lastCommitted, inHand: (lastCommitted ?? -1) + 1)
        while (lastCommitted ?? -1) + 1 < batches {
            let batch = (lastCommitted ?? -1) + 1
            // Every third batch has no rows.
            let text = batch % 3 == 2 ? "" : String(repeating: "row of \(batch)\n", count: Int(batch) + 1)
            try sink.stage(batch: batch, parts: output(text), rowCount: text.isEmpty ? 0 : 1)
            // The commit entry may be durable before the rename is: the sink must cope.
            if batch % 2 == 0 { try sink.commit(batch: batch) }
            try Array("\(batch)\n".utf8).withUnsafeBytes { try files.write("/log.tmp", [$0]) }
            try files.sync("/log.tmp")
            try files.rename("/log.tmp", to: "/log")
            try files.syncFolder("/")
            if batch % 2 != 0 { try sink.commit(batch: batch) }
            lastCommitted = batch
        }
        try sink.sync()
    }

    @Test("A crash at any operation, and one more while recovering, leaves whole files, and the end is the same")
    func crashes() throws {
        func contents(_ files: SimulatedFileSystem) -> [String: String] {
            var contents: [String: String] = [:]
            for path in files.files(under: "/out") { contents[path] = files.text(path) }
            return contents
        }
        let reference = SimulatedFileSystem()
        try run(reference, batches: 6)
        let expected = contents(reference)
        #expect(expected.count == 5, "four batches, and the mark")

        for seed in 0..<4 as Range<UInt64> {
            for point in 0..<reference.operationCount {
                var plan = FaultPlan(seed: seed &* 1000 &+ UInt64(point), crashAtOperation: point)
                var files = SimulatedFileSystem(plan: plan)
                #expect(throws: (any Error).self) { try run(files, batches: 6) }
                plan = FaultPlan(seed: seed, crashAtOperation: Int(seed) * 2 + point % 7)
                files = files.restart(plan: plan)
                for (path, text) in contents(files) where !path.contains("/.") {
                    #expect(expected[path] == text, "\(plan) at \(point): readers see whole batches only")
                }
                try? run(files, batches: 6)
                files = files.restart()
                try run(files, batches: 6)
                #expect(contents(files) == expected, "crash at operation \(point), seed \(seed)")
            }
        }
    }
}

@Suite("The standard output sink")
struct StandardOutputSinkTests {
    @Test("Writes on commit, the header once, and nothing that was not committed")
    func commits() throws {
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        let sink = StandardOutputSink(header: Array("h\n".utf8), descriptor: ends[1])
        try sink.stage(batch: 0, parts: output("lost\n"), rowCount: 1)
        try sink.recover(lastCommitted: nil)
        try sink.commit(batch: 0)
        try sink.stage(batch: 1, parts: output("a\n", "b\n"), rowCount: 2)
        try sink.commit(batch: 1)
        try sink.stage(batch: 2, parts: output(""), rowCount: 0)
        try sink.commit(batch: 2)
        try sink.stage(batch: 3, parts: output("c\n"), rowCount: 1)
        try sink.commit(batch: 3)
        close(ends[1])
        var buffer = [UInt8](repeating: 0, count: 100)
        let count = buffer.withUnsafeMutableBytes { readSome(from: ends[0], into: $0) }
        close(ends[0])
        #expect(String(decoding: buffer.prefix(count), as: UTF8.self) == "h\na\nb\nc\n")
    }

    @Test("A reader that went away is an error that stops the query cleanly")
    func closed() throws {
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        close(ends[0])
        let sink = StandardOutputSink(header: [], descriptor: ends[1])
        try sink.stage(batch: 0, parts: output("a\n"), rowCount: 1)
        let error = #expect(throws: ConnectorError.self) { try sink.commit(batch: 0) }
        #expect(error?.code == "stdout-closed" && error?.isRetriable == false)
        close(ends[1])
    }
}
