// Compressed files as sources read them. The archives are made by the tools that everybody makes them with; what is
// expected is always what the same text in a plain file gives: the same lines in the same batches, where no file is
// larger than a batch. Damage is tried at every byte: it is an error or it changes nothing.

import Glibc
import SluiceEngine
import SluiceSimulation
import SluiceSpec
import SluiceSystem
import SystemTesting
import Testing

@testable import SluiceConnectors

/// What a tool makes of bytes.
func packed(_ bytes: [UInt8], by command: String) throws -> [UInt8] {
    let folder = try TemporaryFolder()
    let files = RealFileSystem()
    try files.makeFolders(folder.path)
    try files.append(folder.path + "/in", bytes)
    let code = system("( \(command) ) < '\(folder.path)/in' > '\(folder.path)/out'")
    try #require(code == 0, "\(command) is needed (docker/setup.sh)")
    return try files.readAll(folder.path + "/out")
}

func packed(_ text: String, by command: String = "gzip -n") throws -> [UInt8] {
    try packed(Array(text.utf8), by: command)
}

/// A source of `/in`, as one process after another has it.
private struct ArchiveRun {
    let files: SimulatedFileSystem
    let spec: FileSourceSpec
    let chunkByteCount: Int
    var source: WholeFileSource
    var position = SourceOffsets()
    var marks: [String: String] = [:]

    init(_ files: SimulatedFileSystem, maxFiles: Int? = nil, maxBytes: Int64? = nil, chunkByteCount: Int = 50) {
        self.files = files
        self.chunkByteCount = chunkByteCount
        spec = fileSpec("/in", follow: false, maxFiles: maxFiles, maxBytes: maxBytes)
        source = Self.source(spec, files, chunkByteCount)
    }

    private static func source(
        _ spec: FileSourceSpec, _ files: SimulatedFileSystem, _ chunkByteCount: Int
    ) -> WholeFileSource {
        WholeFileSource(
            spec, fileSystem: files, log: .none, chunkByteCount: chunkByteCount, lineByteCountMax: 1000)
    }

    /// What a new process knows of this one's batches.
    mutating func restart() {
        source = Self.source(spec, files, chunkByteCount)
        source.resume(marks)
    }

    /// The ranges of the next batch and their text; nil when there is none.
    mutating func batch(limit: BatchLimit = .spec) throws -> (ranges: [OffsetRange], text: String)? {
        let latest = try source.latestOffsets(from: position, untilEnd: false)
        let ranges = try source.planBatch(from: position, to: latest, limit: limit)
        if ranges.isEmpty { return nil }
        var next = position
        next.advance(by: ranges)
        marks = source.marks(ranges, next: next)
        let text = try text(source, ranges)
        position = next
        source.didCommit(position)
        return (ranges, text)
    }

    mutating func batches() throws -> [(ranges: [OffsetRange], text: String)] {
        var batches: [(ranges: [OffsetRange], text: String)] = []
        while let batch = try batch() { batches.append(batch) }
        return batches
    }

    private func text(_ source: WholeFileSource, _ ranges: [OffsetRange]) throws -> String {
        try SluiceConnectorsTests.text(source, ranges)
    }
}

@Suite("Compressed files")
struct ArchiveTests {
    @Test(
        "Reads as its text, whatever made it",
        arguments: [
            "gzip -n", "gzip -9", "zstd -q -c", "zstd -q -c --no-check", "zstd -q -c -19", "cat",
            "pigz -c 2>/dev/null || gzip",
        ])
    func reads(command: String) throws {
        let lines = "{\"a\":1}\n{\"a\":\"é\"}\n\n{\"a\":3}"
        let files = SimulatedFileSystem()
        files.put("/in/f", try packed(lines, by: command))
        for chunkByteCount in 1...30 {
            var run = ArchiveRun(files, chunkByteCount: chunkByteCount)
            let batches = try run.batches()
            #expect(batches.map(\.text) == [lines])
            #expect(batches[0].ranges == [OffsetRange(partition: "/in/f", start: 0, end: Int64(lines.utf8.count))])
        }
    }

    @Test("Members, frames, and frames to be skipped that follow each other are one file")
    func joined() throws {
        let files = SimulatedFileSystem()
        let skipped: [UInt8] = [0x5A, 0x2A, 0x4D, 0x18, 3, 0, 0, 0, 1, 2, 3]
        let (a, b, none) = ("{\"a\":1}\n{\"a\"", ":2}\n", "")
        files.put("/in/1", try packed(a) + packed(none) + packed(b) + packed(none))
        let zstd = "zstd -q -c"
        files.put(
            "/in/2", try skipped + packed(a, by: zstd) + skipped + packed(none, by: zstd) + packed(b, by: zstd))
        var run = ArchiveRun(files, maxFiles: 1)
        #expect(try run.batches().map(\.text) == [a + b, a + b])
    }

    @Test("One with nothing in it is an empty file, and a byte order mark is left out")
    func emptyAndMarked() throws {
        let files = SimulatedFileSystem()
        files.put("/in/1", try packed(""))
        files.put("/in/2", try packed("", by: "zstd -q -c"))
        files.put("/in/3", try packed("\u{FEFF}one\ntwo\n"))
        var run = ArchiveRun(files, maxFiles: 1)
        let batches = try run.batches()
        #expect(batches.map(\.text) == ["", "", "one\ntwo\n"])
        #expect(batches[1].ranges == [OffsetRange(partition: "/in/2", start: 0, end: 0)])
    }

    @Test("What is in it must be text as in any file")
    func kinds() throws {
        let files = SimulatedFileSystem()
        files.put("/in/1", try packed("[{\"a\":1},\n{\"a\":2}]\n"))
        var run = ArchiveRun(files)
        #expect(try run.batches().isEmpty)
        #expect(run.source.trouble?.message.contains("/in/1 is one JSON array") == true)
        files.put("/in/1", try packed("x\n", by: "gzip | zstd -q -c"))
        #expect(try run.batches().isEmpty)
        #expect(run.source.trouble?.message.contains("compressed twice (gzip inside)") == true)
        files.put("/in/1", try packed("a\n", by: "iconv -f UTF-8 -t UTF-16LE | gzip"))
        #expect(try run.batches().isEmpty)
        #expect(run.source.trouble?.message.contains("UTF-16") == true)
        let followed = FollowedFileSource(fileSpec("/in", follow: true), fileSystem: files, log: .none)
        #expect(try followed.latestOffsets(from: SourceOffsets(), untilEnd: false).next.isEmpty)
        #expect(followed.trouble?.code == "file-kind")
        #expect(
            followed.trouble?.message.contains("/in/1 is compressed (gzip), and what is compressed cannot be") == true)
    }

    // MARK: - Batches

    @Test(
        "Is cut at line ends, once if it fits a batch, and goes on after a restart where it was",
        arguments: [false, true])
    func cut(restarts: Bool) throws {
        let lines = (100..<200).map { "line \($0)\n" }.joined()
        for command in ["gzip -n", "zstd -q -c"] {
            let files = SimulatedFileSystem()
            files.put("/in/a", try packed(lines, by: command))
            files.put("/in/b", "plain\n")
            var run = ArchiveRun(files, maxBytes: 100)
            var texts: [String] = []
            var ends: [Int64] = []
            while true {
                if restarts { run.restart() }
                let before = run
                guard let batch = try run.batch() else { break }
                texts.append(batch.text)
                ends.append(batch.ranges[0].end)
                // A batch that runs again, in another process, reads the same bytes.
                var again = before
                again.marks = run.marks
                again.restart()
                #expect(try text(again.source, batch.ranges) == batch.text)
            }
            #expect(texts.joined() == lines + "plain\n")
            #expect(ends == [99, 198, 297, 396, 495, 594, 693, 792, 891, 900])
            #expect(texts[9] == "line 199\nplain\n")
            #expect(run.marks["/in/a"]?.contains("part") == false)
            run.restart()
            #expect(try run.batch() == nil)
        }
    }

    @Test("What is in progress stands in the marks of batches that have nothing of it")
    func carriedMarks() throws {
        let files = SimulatedFileSystem()
        files.put("/in/b", try packed("one\ntwo\nthree\n"))
        var run = ArchiveRun(files, maxFiles: 1, maxBytes: 5)
        #expect(try run.batch()?.text == "one\n")
        files.put("/in/a", "late\n")
        #expect(try run.batch()?.text == "late\n")
        #expect(run.marks["/in/b"]?.hasSuffix(" part") == true)
        run.restart()
        #expect(try run.batches().map(\.text) == ["two\n", "three\n"])
    }

    @Test("A file that was replaced in the middle is refused, one that was only touched goes on")
    func replacedInTheMiddle() throws {
        for restarts in [false, true] {
            let files = SimulatedFileSystem()
            let archive = try packed("one\ntwo\nthree\n")
            files.put("/in/a", archive)
            var run = ArchiveRun(files, maxBytes: 5)
            #expect(try run.batch()?.text == "one\n")
            files.put("/in/a", archive)
            if restarts { run.restart() }
            #expect(try run.batch()?.text == "two\n")
            files.put("/in/a", try packed("one\ntwo\nother\n"))
            files.put("/in/b", "next\n")
            if restarts { run.restart() }
            #expect(try run.batch()?.text == "next\n", "of one file")
            #expect(try run.batch() == nil)
            #expect(run.source.trouble?.code == "file-changed")
            #expect(run.source.trouble?.message.contains("/in/a was replaced") == true)
            files.put("/in/a", archive)
            #expect(try run.batch()?.text == "three\n", "what is put back counts")
        }
    }

    @Test("A line is never cut, and one that is too long is one bad record")
    func longLines() throws {
        let long = String(repeating: "x", count: 300) + "\n"
        let tooLong = String(repeating: "y", count: 3_000_000) + "\n"
        let files = SimulatedFileSystem()
        files.put("/in/a", try packed("one\n" + long + "two\n" + tooLong + "three\n"))
        var run = ArchiveRun(files, maxBytes: 20, chunkByteCount: 1 << 16)
        #expect(try run.batch()?.text == "one\n")
        #expect(try run.batch()?.text == long)
        #expect(try run.batch()?.text == "two\n")
        let latest = try run.source.latestOffsets(from: run.position, untilEnd: false)
        let ranges = try run.source.planBatch(from: run.position, to: latest, limit: .spec)
        let input = try run.source.open(ranges)
        var longLineCount = 0
        for number in try input.readyChunks(from: 0) {
            var chunk = InputChunk()
            try input.read(chunk: number, into: &chunk)
            #expect(chunk.text.count == 0)
            if chunk.endsInLongLine { longLineCount += 1 }
        }
        #expect(longLineCount == 1)
        run.position.advance(by: ranges)
        run.source.didCommit(run.position)
        #expect(try run.batch()?.text == "three\n")
    }

    @Test("Places are lines of the text, in later batches and after a restart too")
    func places() throws {
        let files = SimulatedFileSystem()
        files.put("/in/a", try packed((1...9).map { "line \($0)\n" }.joined()))
        for restarts in [false, true] {
            var run = ArchiveRun(files, maxBytes: 30)
            _ = try run.batch()
            if restarts { run.restart() }
            let latest = try run.source.latestOffsets(from: run.position, untilEnd: false)
            let input = try run.source.open(run.source.planBatch(from: run.position, to: latest, limit: .spec))
            #expect(input.place(chunk: 0, record: RecordPlace(byteOffset: 7)) == "/in/a:6")
        }
    }

    @Test("A small one that is taken has not grown, whatever its text's length says; one that grows has")
    func grown() throws {
        let files = SimulatedFileSystem()
        let lines = LogLines()
        files.put("/in/a", try packed("x\n"))
        var source = WholeFileSource(fileSpec("/in", follow: false), fileSystem: files, log: lines.log)
        let latest = try source.latestOffsets(from: SourceOffsets(), untilEnd: false)
        let ranges = try source.planBatch(from: SourceOffsets(), to: latest, limit: .spec)
        #expect(try text(source, ranges) == "x\n")
        let position = SourceOffsets(["/in/a": 2])
        for _ in 0..<3 {
            _ = try source.latestOffsets(from: position, untilEnd: false)
            source = WholeFileSource(fileSpec("/in", follow: false), fileSystem: files, log: lines.log)
        }
        _ = try source.latestOffsets(from: position, untilEnd: false)
        #expect(lines.count == 0)
        try files.append("/in/a", try packed("y\n"))
        _ = try source.latestOffsets(from: position, untilEnd: false)
        #expect(lines.count == 1)
    }

    @Test("Text that does not fit into memory is kept beside the checkpoint, and leaves nothing there")
    func scratch() throws {
        let folder = try TemporaryFolder()
        let files = RealFileSystem()
        try files.makeFolders(folder.path + "/in")
        try files.makeFolders(folder.path + "/checkpoint")
        var random = SplitMix64(seed: 7)
        let text = randomLines(200_000, &random).joined()
        let byteCount = Int64(text.utf8.count)
        try #require(byteCount > 9 << 20)
        for name in ["a", "b", "c"] { try files.append("\(folder.path)/in/\(name)", try packed(text)) }
        let source = WholeFileSource(
            fileSpec(folder.path + "/in", follow: false, maxBytes: 5 * byteCount / 2),
            scratchFolder: folder.path + "/checkpoint", fileSystem: files, log: .none)
        var position = SourceOffsets()
        for expected in [2, 1] {
            let latest = try source.latestOffsets(from: position, untilEnd: false)
            let ranges = try source.planBatch(from: position, to: latest, limit: .spec)
            #expect(ranges.count == expected)
            #expect(try SluiceConnectorsTests.text(source, ranges) == String(repeating: text, count: expected))
            position.advance(by: ranges)
            source.didCommit(position)
        }
        #expect(try files.list(folder.path + "/checkpoint").isEmpty)
        let nowhere = WholeFileSource(
            fileSpec(folder.path + "/in", follow: false), scratchFolder: folder.path + "/nowhere", fileSystem: files,
            log: .none)
        let latest = try nowhere.latestOffsets(from: SourceOffsets(), untilEnd: false)
        let error = connectorError { _ = try nowhere.planBatch(from: SourceOffsets(), to: latest, limit: .spec) }
        #expect(error?.code == "file-unwritable" && error?.isRetriable == true)
    }

    @Test("Random files in random batches are what the plain files are", arguments: 0..<40 as Range<UInt64>)
    func random(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let (plain, archives) = (SimulatedFileSystem(), SimulatedFileSystem())
        var sizes: [Int] = []
        for number in 0..<Int.random(in: 1...6, using: &random) {
            let lines = randomLines(Int.random(in: 0...30, using: &random), &random)
            plain.put("/in/\(number)", lines.joined())
            sizes.append(lines.joined().utf8.count)
            let command = ["gzip -n", "zstd -q -c", "cat"].randomElement(using: &random) ?? ""
            let cut = Int.random(in: 0...lines.count, using: &random)
            archives.put(
                "/in/\(number)",
                try packed(lines[..<cut].joined(), by: command) + packed(lines[cut...].joined(), by: command))
        }
        let limit = Int64.random(in: 1...2000, using: &random)
        var expected = ArchiveRun(plain, maxBytes: limit)
        var run = ArchiveRun(archives, maxBytes: limit, chunkByteCount: Int.random(in: 1...300, using: &random))
        let batches = try expected.batches()
        var found: [(ranges: [OffsetRange], text: String)] = []
        while true {
            if Bool.random(using: &random) { run.restart() }
            guard let batch = try run.batch() else { break }
            found.append(batch)
        }
        #expect(found.map(\.text).joined() == batches.map(\.text).joined(), "seed \(seed)")
        #expect(run.source.trouble == nil)
        if sizes.allSatisfy({ $0 <= limit }) {
            #expect(found.map(\.ranges) == batches.map(\.ranges), "seed \(seed)")
        }
    }

    // MARK: - Damage

    /// What a source that has this file beside a good one makes of it: its text, or nil and what is said of it.
    private func outcome(_ bytes: [UInt8], maxBytes: Int64? = nil) throws -> (text: String?, trouble: ConnectorError?) {
        let files = SimulatedFileSystem()
        files.put("/in/a", bytes)
        files.put("/in/b", "good\n")
        var run = ArchiveRun(files, maxBytes: maxBytes)
        let text = try run.batches().map(\.text).joined()
        #expect(text.hasSuffix("good\n"), "what is wrong with one file keeps nobody from reading another")
        let isTaken = run.position.next["/in/a"] != nil
        return (isTaken ? String(text.dropLast(5)) : nil, run.source.trouble)
    }

    private static let sample = (0..<40).map { "{\"id\":\($0),\"name\":\"n\($0 * 7919 % 101)\"}\n" }.joined()

    @Test(
        "One that is cut off anywhere is an error that names it, and none of it is read",
        arguments: ["gzip -n", "zstd -q -c"])
    func cutOff(command: String) throws {
        let archive = try packed(Self.sample, by: command)
        let magicByteCount = command.hasPrefix("gzip") ? 2 : 4
        for count in magicByteCount..<archive.count {
            let (text, trouble) = try outcome(Array(archive.prefix(count)))
            #expect(text == nil, "\(count) bytes")
            #expect(trouble?.code == "file-damaged" && trouble?.isRetriable == false, "\(count) bytes")
            #expect(trouble?.message.hasPrefix("/in/a is cut off") == true, "\(count) bytes: \(trouble as Any)")
        }
        #expect(try outcome(archive).text == Self.sample)
    }

    @Test("One with a wrong byte is an error that names it, or has lost nothing", arguments: ["gzip -n", "zstd -q -c"])
    func wrongBytes(command: String) throws {
        let archive = try packed(Self.sample, by: command)
        let magicByteCount = command.hasPrefix("gzip") ? 2 : 4
        var random = SplitMix64(seed: 11)
        var errorCount = 0
        // Without its first bytes it is taken for text.
        for index in magicByteCount..<archive.count {
            for change in [0xFF, 1 << UInt8.random(in: 0..<8, using: &random)] as [UInt8] {
                var bytes = archive
                bytes[index] ^= change
                let (text, trouble) = try outcome(bytes)
                if let text {
                    #expect(text == Self.sample, "byte \(index) ^ \(change)")
                } else {
                    errorCount += 1
                    #expect(trouble?.isOfOneFile == true && trouble?.message.hasPrefix("/in/a ") == true)
                }
            }
        }
        #expect(errorCount > archive.count)
    }

    @Test(
        "Bytes that are lost, repeated, moved in or changed are an error that names it, or have lost nothing",
        arguments: ["gzip -n", "zstd -q -c"], 0..<10 as Range<UInt64>)
    func edited(command: String, seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        // Two members, so that what is between them is hit too.
        let archive = try packed(Self.sample, by: command) + packed(Self.sample, by: command)
        let magicByteCount = command.hasPrefix("gzip") ? 2 : 4
        for round in 0..<40 {
            var bytes = archive
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let place = Int.random(in: magicByteCount...bytes.count, using: &random)
                let end = min(bytes.count, place + Int.random(in: 1...8, using: &random))
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes.removeSubrange(place..<end)
                case 1: bytes.insert(contentsOf: bytes[place..<end], at: place)
                case 2: bytes.insert(UInt8.random(in: 0...255, using: &random), at: place)
                default: if place < bytes.count { bytes[place] = UInt8.random(in: 0...255, using: &random) }
                }
            }
            let (text, trouble) = try outcome(bytes)
            if let text {
                #expect(text == Self.sample + Self.sample, "seed \(seed), round \(round)")
            } else {
                #expect(
                    trouble?.isOfOneFile == true && trouble?.message.hasPrefix("/in/a ") == true,
                    "seed \(seed), round \(round): \(trouble as Any)")
            }
        }
    }

    @Test("Anything behind the last member is damage, as Spark has it", arguments: ["gzip -n", "zstd -q -c"])
    func trailing(command: String) throws {
        let archive = try packed(Self.sample, by: command)
        for rest in [[0], [0, 0, 0, 0, 0, 0, 0, 0], Array("garbage".utf8), [0x1F]] as [[UInt8]] {
            let (text, trouble) = try outcome(archive + rest)
            #expect(text == nil && trouble?.code == "file-damaged", "\(rest)")
        }
    }

    @Test("Damage behind the first batches of a file is an error that says what has been taken")
    func lateDamage() throws {
        let archive = try packed(Self.sample)
        let (text, trouble) = try outcome(Array(archive.dropLast(3)), maxBytes: 200)
        let taken = try #require(text)
        #expect(Self.sample.hasPrefix(taken) && taken.utf8.count > 200)
        #expect(trouble?.code == "file-damaged")
        #expect(trouble?.message.contains("the rows before byte \(taken.utf8.count) of it have been taken") == true)
    }

    @Test("A damaged file that is replaced by a good one is read")
    func repaired() throws {
        let files = SimulatedFileSystem()
        let archive = try packed(Self.sample)
        files.put("/in/a", Array(archive.dropLast()))
        var run = ArchiveRun(files)
        for _ in 0..<3 {
            #expect(try run.batch() == nil)
            #expect(run.source.trouble?.code == "file-damaged")
        }
        files.put("/in/a", archive)
        #expect(try run.batch()?.text == Self.sample)
        #expect(run.source.trouble == nil)
    }
}
