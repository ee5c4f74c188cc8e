import SluiceConnectors
import SluiceEngine
import SluiceSimulation
import SluiceSpec
import SluiceSystem
import SystemTesting
import Testing

@Suite("A source of whole files")
struct WholeFileSourceTests {
    private func batches(
        _ source: WholeFileSource, from start: SourceOffsets = SourceOffsets(), limit: BatchLimit = .spec
    ) throws -> [[String]] {
        var position = start
        var batches: [[String]] = []
        while true {
            let latest = try source.latestOffsets(from: position, untilEnd: false)
            let ranges = try source.planBatch(from: position, to: latest, limit: limit)
            if ranges.isEmpty { return batches }
            batches.append(ranges.map(\.partition))
            position.advance(by: ranges)
        }
    }

    @Test("Takes each file once, in byte order, ignoring hidden names and folders")
    func order() throws {
        let files = SimulatedFileSystem()
        for name in ["b.jsonl", "a.jsonl", "é.jsonl", "B.jsonl", "_tmp", ".hidden", "sub/c.jsonl"] {
            files.put("/in/" + name, "x\n")
        }
        let source = WholeFileSource(fileSpec("/in/", follow: false), fileSystem: files, log: .none)
        #expect(try batches(source) == [["/in/B.jsonl", "/in/a.jsonl", "/in/b.jsonl", "/in/é.jsonl"]])
    }

    @Test("One file a trigger, and an empty file is a batch that reads nothing")
    func oneByOne() throws {
        let files = SimulatedFileSystem()
        files.put("/in/1", "one\n")
        files.put("/in/2", "")
        files.put("/in/3", "three")
        let source = WholeFileSource(fileSpec("/in", follow: false, maxFiles: 1), fileSystem: files, log: .none)
        #expect(try batches(source) == [["/in/1"], ["/in/2"], ["/in/3"]])
        #expect(try batches(source, limit: .unlimited) == [["/in/1", "/in/2", "/in/3"]])
        let position = SourceOffsets(["/in/1": 4])
        let latest = try source.latestOffsets(from: position, untilEnd: false)
        let ranges = try source.planBatch(from: position, to: latest, limit: .spec)
        #expect(ranges == [OffsetRange(partition: "/in/2", start: 0, end: 0)])
        #expect(try source.open(ranges).readyChunks(from: 0).isEmpty)
        #expect(try text(source, [OffsetRange(partition: "/in/3", start: 0, end: 5)]) == "three")
    }

    @Test("max_bytes_per_trigger takes files while they fit, and at least one")
    func bytes() throws {
        let files = SimulatedFileSystem()
        for (name, count) in [("1", 10), ("2", 50), ("3", 5), ("4", 5), ("5", 1)] {
            files.put("/in/" + name, String(repeating: "x", count: count))
        }
        let source = WholeFileSource(fileSpec("/in", follow: false, maxBytes: 10), fileSystem: files, log: .none)
        #expect(try batches(source) == [["/in/1"], ["/in/2"], ["/in/3", "/in/4"], ["/in/5"]])
    }

    @Test("A late file that sorts first is next; one that was taken may go away")
    func lateAndGone() throws {
        let files = SimulatedFileSystem()
        files.put("/in/2", "x\n")
        let source = WholeFileSource(fileSpec("/in/*", follow: false), fileSystem: files, log: .none)
        files.put("/in/1", "y\n")
        try files.remove("/in/2")
        files.put("/in/3", "z\n")
        #expect(try batches(source, from: SourceOffsets(["/in/2": 2])) == [["/in/1", "/in/3"]])
    }

    @Test("A file that changed after it was planned is an error that names it", arguments: [false, true])
    func changed(whileReading: Bool) throws {
        let files = SimulatedFileSystem()
        files.put("/in/1", "one\n")
        let source = WholeFileSource(fileSpec("/in", follow: false), fileSystem: files, log: .none)
        let ranges = [OffsetRange(partition: "/in/1", start: 0, end: 4)]
        var input: (any InputBytes)? = nil
        if whileReading { input = try source.open(ranges) }
        try files.append("/in/1", text: "two\n")
        let error = try #require(connectorError { _ = try text(of: try input ?? source.open(ranges)) })
        #expect(error.code == "file-changed" && !error.isRetriable)
        #expect(error.message.contains("/in/1 has 8 bytes, but had 4"))
    }

    @Test("A file that was replaced by one as long after its batch was planned is refused when the batch runs again")
    func replaced() throws {
        let files = SimulatedFileSystem()
        files.put("/in/1", "one\n")
        let source = WholeFileSource(fileSpec("/in", follow: false), fileSystem: files, log: .none)
        let latest = try source.latestOffsets(from: SourceOffsets(), untilEnd: false)
        let ranges = try source.planBatch(from: SourceOffsets(), to: latest, limit: .spec)
        let marks = source.marks(ranges, next: latest)
        func runsAgain() -> ConnectorError? {
            let next = WholeFileSource(fileSpec("/in", follow: false), fileSystem: files, log: .none)
            next.resume(marks)
            return connectorError { _ = try next.open(ranges) }
        }
        #expect(runsAgain() == nil)
        // The same content put there again is as good.
        files.put("/in/1", "one\n")
        #expect(runsAgain() == nil)
        // A mark that another version wrote is none.
        let other = WholeFileSource(fileSpec("/in", follow: false), fileSystem: files, log: .none)
        other.resume(["/in/1": "v9 something else"])
        #expect(connectorError { _ = try other.open(ranges) } == nil)
        files.put("/in/1", "two\n")
        let error = runsAgain()
        #expect(error?.code == "file-changed" && error?.isRetriable == false)
        #expect(error?.message.contains("/in/1 was replaced") == true)
    }

    @Test("A file that grows after it was taken is said once, by name and size, also after a restart")
    func grown() throws {
        let files = SimulatedFileSystem()
        let lines = LogLines()
        for number in 0..<40 { files.put("/in/\(number)", "x\n") }
        var source = WholeFileSource(fileSpec("/in", follow: false), fileSystem: files, log: lines.log)
        var position = SourceOffsets()
        let ranges = try source.planBatch(
            from: position, to: try source.latestOffsets(from: position, untilEnd: false), limit: .spec)
        _ = try source.open(ranges)
        position.advance(by: ranges)
        // Some go away, one grows, one shrinks.
        for number in 0..<20 { try files.remove("/in/\(number)") }
        files.put("/in/30", "x\ny\n")
        files.put("/in/31", "")
        for _ in 0..<10 { _ = try source.latestOffsets(from: position, untilEnd: false) }
        #expect(lines.count == 1)
        #expect(lines.all[0].contains("has grown since it was taken"))
        #expect(lines.all[0].contains("sluice.path=/in/30 sluice.taken_bytes=2 sluice.bytes=4"))

        source = WholeFileSource(fileSpec("/in", follow: false), fileSystem: files, log: lines.log)
        _ = try source.latestOffsets(from: position, untilEnd: false)
        #expect(lines.count == 2, "at a start all that are watched are looked at")
    }

    @Test("What was taken long ago costs nothing to look at")
    func grownBound() throws {
        let files = SimulatedFileSystem()
        files.put("/in/last", "x\n")
        let source = WholeFileSource(fileSpec("/in", follow: false), fileSystem: files, log: .none)
        let position = SourceOffsets(
            Dictionary(uniqueKeysWithValues: (10_000..<20_000).map { ("/in/\($0)", Int64(2)) } + [("/in/last", 2)]))
        _ = try source.latestOffsets(from: position, untilEnd: false)
        files.recordsTrace = true
        _ = try source.latestOffsets(from: position, untilEnd: false)
        #expect(files.trace.filter { $0.verb == .info }.count <= 10)
    }

    @Test("A planned file that went away is a retriable error, and so is a folder")
    func missing() throws {
        let files = SimulatedFileSystem()
        let source = WholeFileSource(fileSpec("/in", follow: false), fileSystem: files, log: .none)
        let error = connectorError { _ = try source.open([OffsetRange(partition: "/in/1", start: 0, end: 4)]) }
        #expect(error?.code == "file-missing" && error?.isRetriable == true)

        let temporary = try TemporaryFolder()
        let real = RealFileSystem()
        try real.makeFolders(temporary.path + "/in")
        let realSource = WholeFileSource(
            fileSpec(temporary.path + "/in", follow: false), fileSystem: real, log: .none)
        #expect(try realSource.latestOffsets(from: SourceOffsets(), untilEnd: false).next == [:])
        try real.rename(temporary.path + "/in", to: temporary.path + "/away")
        let gone = connectorError { _ = try realSource.latestOffsets(from: SourceOffsets(), untilEnd: false) }
        #expect(gone?.code == "folder-missing" && gone?.isRetriable == true)
    }

    @Test("What never was is waited for, with one line in the log")
    func waits() throws {
        let lines = LogLines()
        let source = WholeFileSource(
            fileSpec("/nowhere", follow: false), fileSystem: SimulatedFileSystem(), log: lines.log)
        for _ in 0..<3 { #expect(try batches(source) == []) }
        #expect(lines.count == 1)
    }

    @Test("A batch may have more files than the process may open")
    func manyFiles() throws {
        let files = SimulatedFileSystem()
        var expected = ""
        for number in 10_000..<13_000 {
            files.put("/in/\(number)", "\(number)\n")
            expected += "\(number)\n"
        }
        let source = WholeFileSource(fileSpec("/in", follow: false), fileSystem: files, log: .none)
        let latest = try source.latestOffsets(from: SourceOffsets(), untilEnd: false)
        let input = try source.open(source.planBatch(from: SourceOffsets(), to: latest, limit: .spec))
        #expect(try input.readyChunks(from: 0).count == 3000)
        #expect(try text(of: input) == expected)
    }

    @Test("A path that is there is itself even when it looks like a glob")
    func literal() throws {
        let files = SimulatedFileSystem()
        files.put("/in/a[1].jsonl", "x\n")
        let source = WholeFileSource(fileSpec("/in/a[1].jsonl", follow: false), fileSystem: files, log: .none)
        #expect(try batches(source) == [["/in/a[1].jsonl"]])
    }

    @Test("A glob may stand in any part of the path")
    func globs() throws {
        let files = SimulatedFileSystem()
        for path in ["/d/2024/a.jsonl", "/d/2025/b.csv", "/d/2025/c.txt", "/d/_x/d.csv", "/d/f", "/e/2025/b.csv"] {
            files.put(path, "x\n")
        }
        let source = WholeFileSource(fileSpec("/d/*/*.{csv,jsonl}", follow: false), fileSystem: files, log: .none)
        #expect(try batches(source) == [["/d/2024/a.jsonl", "/d/2025/b.csv"]])
        let wider = WholeFileSource(fileSpec("/?/2025/b.csv", follow: false), fileSystem: files, log: .none)
        #expect(try batches(wider) == [["/d/2025/b.csv", "/e/2025/b.csv"]])
    }
}
