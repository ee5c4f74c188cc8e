// Followed files: every line once, the same bytes for the same ranges, and no guessing when a file is not what it was.

import SluiceConnectors
import SluiceEngine
import SluiceSimulation
import SluiceSpec
import SluiceSystem
import SystemTesting
import Testing

@Suite("A source of followed files")
struct FollowedFileSourceTests {
    @Test("Reads every line exactly once, and a replay gives the same bytes", arguments: 0..<150 as Range<UInt64>)
    func everyLineOnce(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let files = SimulatedFileSystem()
        let paths = (0..<Int.random(in: 1...4, using: &random)).map { "/in/\($0).jsonl" }
        var written = [String: String](uniqueKeysWithValues: paths.map { ($0, "") })
        var read = written
        let spec = fileSpec(
            "/in/*.jsonl", follow: true,
            maxBytes: Bool.random(using: &random) ? nil : Int64.random(in: 1...400, using: &random))
        func makeSource() -> FollowedFileSource {
            FollowedFileSource(
                spec, fileSystem: files, log: .none, chunkByteCount: Int.random(in: 1...300, using: &random))
        }
        var source = makeSource()
        var position = SourceOffsets()
        var batches: [(ranges: [OffsetRange], text: String)] = []
        try files.makeFolders("/in")

        for step in 0..<40 {
            for path in paths where step < 30 && Bool.random(using: &random) {
                let more = randomLines(Int.random(in: 0...8, using: &random), &random).joined()
                // A writer may be in the middle of a line at any time.
                let cut = Int.random(in: 0...more.utf8.count, using: &random)
                let piece = String(decoding: Array(more.utf8).prefix(cut), as: UTF8.self)
                try files.append(path, text: piece)
                written[path]? += piece
            }
            if Int.random(in: 0..<5, using: &random) == 0 { source = makeSource() }
            let latest = try source.latestOffsets(from: position, untilEnd: false)
            let limit: BatchLimit = Int.random(in: 0..<8, using: &random) == 0 ? .unlimited : .spec
            let ranges = source.planBatch(from: position, to: latest, limit: limit)
            #expect(ranges == makeSource().planBatch(from: position, to: latest, limit: limit))
            #expect(ranges.map(\.partition) == ranges.map(\.partition).sorted())
            for range in ranges {
                #expect(range.start == position.next[range.partition] ?? 0 && range.start < range.end)
                read[range.partition]? += try text(source, [range])
            }
            batches.append((ranges, try text(source, ranges)))
            position.advance(by: ranges)
        }
        // The rest, whatever the limits.
        let latest = try source.latestOffsets(from: position, untilEnd: false)
        for range in source.planBatch(from: position, to: latest, limit: .unlimited) {
            read[range.partition]? += try text(source, [range])
        }
        for path in paths {
            let all = written[path] ?? ""
            let whole = all.lastIndex(of: "\n").map { String(all[...$0]) } ?? ""
            #expect(read[path] == whole, "seed \(seed), \(path)")
        }
        for batch in batches { #expect(try text(makeSource(), batch.ranges) == batch.text, "seed \(seed)") }
    }

    @Test("max_bytes_per_trigger is shared by backlog, cut at line ends, and lets every file advance")
    func limits() throws {
        let files = SimulatedFileSystem()
        files.put("/in/a", String(repeating: "123456789\n", count: 80))
        files.put("/in/b", String(repeating: "123456789\n", count: 20))
        files.put("/in/c", String(repeating: "x", count: 300) + "\n")
        let source = FollowedFileSource(
            fileSpec("/in", follow: true, maxBytes: 130), fileSystem: files, log: .none)
        let latest = try source.latestOffsets(from: SourceOffsets(), untilEnd: false)
        #expect(latest.next == ["/in/a": 800, "/in/b": 200, "/in/c": 301])
        #expect(
            source.planBatch(from: SourceOffsets(), to: latest, limit: .spec) == [
                OffsetRange(partition: "/in/a", start: 0, end: 70), OffsetRange(partition: "/in/b", start: 0, end: 10),
                OffsetRange(partition: "/in/c", start: 0, end: 301),
            ])
        #expect(source.planBatch(from: SourceOffsets(), to: latest, limit: .unlimited).map(\.end) == [800, 200, 301])
    }

    @Test("A last line without its newline waits, and looking again for it reads nothing")
    func unfinishedLine() throws {
        let files = SimulatedFileSystem()
        let source = FollowedFileSource(fileSpec("/log", follow: true), fileSystem: files, log: .none)
        files.put("/log", "half a li")
        #expect(try source.latestOffsets(from: SourceOffsets(), untilEnd: true) == SourceOffsets())
        files.recordsTrace = true
        #expect(try source.latestOffsets(from: SourceOffsets(), untilEnd: true) == SourceOffsets())
        #expect(files.trace.map(\.verb) == [.info])
        try files.append("/log", text: "ne\nmore")
        #expect(try source.latestOffsets(from: SourceOffsets(), untilEnd: true).next == ["/log": 12])
    }

    @Test("A file that never was is waited for, with one line in the log; one that was is a retriable error")
    func missing() throws {
        let files = SimulatedFileSystem()
        let lines = LogLines()
        let source = FollowedFileSource(fileSpec("/in/log", follow: true), fileSystem: files, log: lines.log)
        for _ in 0..<3 { #expect(try source.latestOffsets(from: SourceOffsets(), untilEnd: false).next == [:]) }
        #expect(lines.count == 1)
        files.put("/in/log", "one\n")
        let position = try source.latestOffsets(from: SourceOffsets(), untilEnd: false)
        try files.remove("/in/log")
        let error = try #require(connectorError { _ = try source.latestOrTrouble(from: position) })
        #expect(error.code == "file-missing" && error.isRetriable)
        #expect(error.message.contains("/in/log") && error.message.contains("byte 4"))
        let range = OffsetRange(partition: "/in/log", start: 0, end: 4)
        #expect(connectorError { _ = try source.open([range]) }?.code == "file-missing")
        files.put("/in/log", "one\n")
    }

    @Test("A shorter file is an error that names file and offset, also after a restart", arguments: [false, true])
    func truncated(restarted: Bool) throws {
        let files = SimulatedFileSystem()
        files.put("/log", "one\ntwo\n")
        var source = FollowedFileSource(fileSpec("/log", follow: true), fileSystem: files, log: .none)
        let position = try source.latestOffsets(from: SourceOffsets(), untilEnd: false)
        files.put("/log", "one\n")
        if restarted { source = FollowedFileSource(fileSpec("/log", follow: true), fileSystem: files, log: .none) }
        let error = try #require(connectorError { _ = try source.latestOrTrouble(from: position) })
        #expect(error.code == "file-truncated" && !error.isRetriable)
        #expect(error.message.contains("/log has only 4 bytes") && error.message.contains("byte 8"))
        let range = OffsetRange(partition: "/log", start: 0, end: 8)
        #expect(connectorError { _ = try source.open([range]) }?.code == "file-truncated")
    }

    @Test("Another file under the same path is an error that names file and offset")
    func rotated() throws {
        let files = SimulatedFileSystem()
        files.put("/log", "one\n")
        let source = FollowedFileSource(fileSpec("/log", follow: true), fileSystem: files, log: .none)
        let position = try source.latestOffsets(from: SourceOffsets(), untilEnd: false)
        try files.rename("/log", to: "/log.1")
        files.put("/log", "two\nthree\n")
        let error = try #require(connectorError { _ = try source.latestOrTrouble(from: position) })
        #expect(error.code == "file-rotated" && !error.isRetriable)
        #expect(error.message.contains("/log is another file") && error.message.contains("byte 4"))
        #expect(connectorError { _ = try source.latestOrTrouble(from: position) }?.code == "file-rotated")
        #expect(
            try source.latestOffsets(from: SourceOffsets(), untilEnd: false).next == ["/log": 10],
            "a file nothing was read from may be replaced")
    }

    @Test("After a restart a file that has no line end at the offset is another file")
    func changedOverRestart() throws {
        let files = SimulatedFileSystem()
        files.put("/log", "something else entirely\n")
        let position = SourceOffsets(["/log": 4])
        for body in [
            { source in _ = try source.latestOrTrouble(from: position) },
            { source in _ = try source.open([OffsetRange(partition: "/log", start: 4, end: 24)]) },
        ] as [(FollowedFileSource) throws -> Void] {
            let source = FollowedFileSource(fileSpec("/log", follow: true), fileSystem: files, log: .none)
            #expect(connectorError { try body(source) }?.code == "file-changed")
        }
    }

    @Test("A file that was emptied and filled again, beyond the offset, is another file", arguments: [false, true])
    func refilled(planned: Bool) throws {
        let temporary = try TemporaryFolder()
        let path = temporary.path + "/log"
        let files = RealFileSystem()
        func fill(_ text: String) throws { try Array(text.utf8).withUnsafeBytes { try files.write(path, [$0]) } }
        try fill("one\ntwo\n")
        let source = FollowedFileSource(fileSpec(path, follow: true), fileSystem: files, log: .none)
        let position = try source.latestOffsets(from: SourceOffsets(), untilEnd: false)
        try fill("uno\ndos\ntres\n")
        // Asking again does not make it the right file.
        for _ in 0..<2 {
            let error = connectorError {
                if planned {
                    _ = try source.open([OffsetRange(partition: path, start: 4, end: 8)])
                } else {
                    _ = try source.latestOrTrouble(from: position)
                }
            }
            #expect(error?.code == "file-changed" && error?.message.contains("byte \(planned ? 4 : 8)") == true)
        }
        #expect(try source.latestOffsets(from: SourceOffsets(), untilEnd: false).next == [path: 13])
    }

    @Test("A file replaced or cut between opening a batch and reading it fails the read", arguments: [false, true])
    func changedWhileReading(replaced: Bool) throws {
        let files = SimulatedFileSystem()
        files.put("/log", "one\ntwo\n")
        let source = FollowedFileSource(fileSpec("/log", follow: true), fileSystem: files, log: .none)
        let input = try source.open([OffsetRange(partition: "/log", start: 0, end: 8)])
        if replaced { try files.remove("/log") }
        files.put("/log", replaced ? "one\ntwo\n" : "one\n")
        #expect(connectorError { _ = try text(of: input) }?.code == (replaced ? "file-rotated" : "file-truncated"))
    }

    @Test("Files that turn up under a glob or in a folder join in at offset 0", arguments: ["/in/*.log", "/in"])
    func newFiles(pattern: String) throws {
        let files = SimulatedFileSystem()
        files.put("/in/b.log", "b\n")
        let source = FollowedFileSource(fileSpec(pattern, follow: true), fileSystem: files, log: .none)
        let position = try source.latestOffsets(from: SourceOffsets(), untilEnd: false)
        files.put("/in/a.log", "a\n")
        files.put("/in/.a.log.swp", "no\n")
        let latest = try source.latestOffsets(from: position, untilEnd: false)
        #expect(
            source.planBatch(from: position, to: latest, limit: .spec) == [
                OffsetRange(partition: "/in/a.log", start: 0, end: 2)
            ])
    }

    @Test("A line that is too long and has no end yet is said once, and keeps no line before it back")
    func longLine() throws {
        let files = SimulatedFileSystem()
        let lines = LogLines()
        let source = FollowedFileSource(
            fileSpec("/log", follow: true), fileSystem: files, log: lines.log, chunkByteCount: 10,
            lineByteCountMax: 40)
        files.put("/log", "one\n" + String(repeating: "x", count: 50))
        for _ in 0..<2 {
            #expect(try source.latestOrTrouble(from: SourceOffsets()).next == ["/log": 4])
            try files.append("/log", text: "x")
        }
        #expect(lines.count == 1)
        try files.append("/log", text: "\ntwo\n")
        #expect(try source.latestOrTrouble(from: SourceOffsets(["/log": 4])).next == ["/log": 61])
    }

    @Test("A line that is too long is left out and reported, wherever it stands among chunks", arguments: 1...45)
    func longLineIsOneRecord(chunkByteCount: Int) throws {
        let files = SimulatedFileSystem()
        let long = String(repeating: "x", count: 60)
        let fits = String(repeating: "y", count: 49)
        for text in ["a\n\(long)\nb\n\(fits)\n\(long)\n\(long)\nc\n", "\(long)\nb\n", "b\n\(long)\n"] {
            files.put("/log", text)
            let source = FollowedFileSource(
                fileSpec("/log", follow: true), fileSystem: files, log: .none, chunkByteCount: chunkByteCount,
                lineByteCountMax: 50)
            let input = try source.open([OffsetRange(partition: "/log", start: 0, end: Int64(text.utf8.count))])
            var read = ""
            var places: [String] = []
            for number in try input.readyChunks(from: 0) {
                var chunk = InputChunk()
                try input.read(chunk: number, into: &chunk)
                read += String(decoding: chunk.text.array(), as: UTF8.self)
                guard chunk.endsInLongLine else { continue }
                places.append(input.place(chunk: number, record: RecordPlace(byteOffset: chunk.text.count)))
            }
            let lines = text.split(separator: "\n")
            #expect(read == lines.filter { $0 != long }.map { $0 + "\n" }.joined())
            var offset = 0
            var expected: [String] = []
            for line in lines {
                if line == long { expected.append("/log@\(offset)") }
                offset += line.utf8.count + 1
            }
            #expect(places == expected)
        }
    }
}
