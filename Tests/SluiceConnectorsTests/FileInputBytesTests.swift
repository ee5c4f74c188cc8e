// However a range is cut into chunks, the text is the same, and chunks hold whole lines.

import SluiceConnectors
import SluiceEngine
import SluiceSimulation
import SluiceSpec
import SluiceSystem
import SystemTesting
import Testing

@testable import SluiceConnectors

@Suite("Chunks of files")
struct FileInputBytesTests {
    @Test("Every chunk size gives the same text", arguments: 0..<60 as Range<UInt64>)
    func sameText(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let files = SimulatedFileSystem()
        var expected = ""
        var ranges: [OffsetRange] = []
        for number in 0..<Int.random(in: 1...5, using: &random) {
            var content = randomLines(Int.random(in: 0...60, using: &random), &random).joined()
            // Only the last file may end without a newline, for then the next line of text is another file's.
            if number == 4 { content += "no newline" }
            files.put("/\(number)", content)
            expected += content
            ranges.append(OffsetRange(partition: "/\(number)", start: 0, end: Int64(content.utf8.count)))
        }
        for chunkByteCount in [1, 2, 7, 64, 1000, 1 << 20] {
            let source = WholeFileSource(
                fileSpec("/", follow: false), fileSystem: files, log: .none, chunkByteCount: chunkByteCount)
            let input = try source.open(ranges)
            #expect(try text(of: input) == expected, "seed \(seed), chunks of \(chunkByteCount)")
            let starts = try input.readyChunks(from: 0).count { input.startsFile($0) }
            #expect(starts == ranges.count { $0.end > 0 })
        }
    }

    @Test("A line longer than many chunks is in the chunk it begins in")
    func longLines() throws {
        let files = SimulatedFileSystem()
        let long = String(repeating: "y", count: 50_000) + "\n"
        files.put("/f", "a\n" + long + "b\n")
        let source = FollowedFileSource(
            fileSpec("/f", follow: true), fileSystem: files, log: .none, chunkByteCount: 1000)
        let input = try source.open([OffsetRange(partition: "/f", start: 0, end: 50_005)])
        var sizes: [Int] = []
        for number in try input.readyChunks(from: 0) {
            var chunk = InputChunk()
            try input.read(chunk: number, into: &chunk)
            if chunk.text.count > 0 { sizes.append(chunk.text.count) }
        }
        #expect(sizes == [50_003, 2])
    }

    @Test("A chunk names the place of its bytes")
    func places() throws {
        let files = SimulatedFileSystem()
        files.put("/f", "aaaa\nbbbb\ncccc\n")
        let source = FollowedFileSource(fileSpec("/f", follow: true), fileSystem: files, log: .none, chunkByteCount: 7)
        let input = try source.open([OffsetRange(partition: "/f", start: 0, end: 15)])
        var chunk = InputChunk()
        try input.read(chunk: 1, into: &chunk)
        #expect(chunk.text.array() == Array("cccc\n".utf8))
        #expect(input.place(chunk: 1, record: RecordPlace(byteOffset: 2)) == "/f@12")
        #expect(input.startsFile(0) && !input.startsFile(1))
    }

    @Test("A range that starts inside a file does not begin one")
    func appendedRange() throws {
        let files = SimulatedFileSystem()
        files.put("/f", "head\nrow\n")
        let source = FollowedFileSource(fileSpec("/f", follow: true), fileSystem: files, log: .none)
        let input = try source.open([OffsetRange(partition: "/f", start: 5, end: 9)])
        #expect(!input.startsFile(0))
        #expect(try text(of: input) == "row\n")
    }

    @Test("A huge sparse file costs only what is read of it")
    func sparse() throws {
        let temporary = try TemporaryFolder()
        let path = temporary.path + "/sparse"
        let files = RealFileSystem()
        try files.append(path, text: "first\n")
        #expect(makeSparse(path, 1 << 36))
        try files.append(path, text: "\nlast\n")
        let source = FollowedFileSource(fileSpec(path, follow: true), fileSystem: files, log: .none)
        let size = Int64(1 << 36) + 6
        #expect(try source.latestOffsets(from: SourceOffsets([path: 6]), untilEnd: false).next == [path: size])
        let input = try source.open([OffsetRange(partition: path, start: 6, end: size)])
        var chunk = InputChunk()
        try input.read(chunk: try input.readyChunks(from: 0).upperBound - 1, into: &chunk)
        #expect(chunk.text.array() == Array("last\n".utf8))
        chunk.removeAll()
        #expect(connectorError { try input.read(chunk: 0, into: &chunk) } == nil && chunk.endsInLongLine)
    }

    @Test("An input error while a chunk is read names the file")
    func readError() throws {
        let files = SimulatedFileSystem()
        files.put("/f", "row\n")
        let source = FollowedFileSource(fileSpec("/f", follow: true), fileSystem: files, log: .none)
        let input = try source.open([OffsetRange(partition: "/f", start: 0, end: 4)])
        files.plan.fails = { $0.verb == .read ? 5 : nil }
        let error = connectorError { _ = try text(of: input) }
        #expect(error?.code == "file-unreadable" && error?.isRetriable == true)
        #expect(error?.message.contains("/f: Input/output error") == true)
    }

    @Test(
        "No glob takes long, however its stars and braces stand",
        arguments: [
            String(repeating: "*a", count: 200) + "b", String(repeating: "{a,*}", count: 100) + "b",
            String(repeating: "{a,a", count: 100) + String(repeating: "}", count: 100) + "b",
            String(repeating: "[!b]*", count: 100) + "b",
        ])
    func hardGlobs(pattern: String) {
        let name = String(repeating: "a", count: 255)
        #expect(!GlobPattern(pattern).matches(name))
    }

    @Test(
        "Globs match as in a shell",
        arguments: [
            ("a.jsonl", "*.jsonl", true), ("a.jsonl", "*", true), ("a.json", "*.jsonl", false), ("", "*", true),
            ("abc", "a?c", true), ("ac", "a?c", false), ("é", "?", true), ("a5", "a[0-9]", true),
            ("ax", "a[0-9]", false), ("ax", "a[!0-9]", true), ("a]", "a[]]", true), ("a-", "a[a-]", true),
            ("a.csv", "a.{csv,json}", true), ("a.json", "a.{csv,json}", true), ("a.txt", "a.{csv,json}", false),
            ("ab1", "{a{b,c},d}1", true), ("ac1", "{a{b,c},d}1", true), ("d1", "{a{b,c},d}1", true),
            ("a*", "a\\*", true), ("ab", "a\\*", false), ("a", "a[", false), ("a{b", "a{b", false),
            ("aXbXc", "a*b*c", true), ("aXbX", "a*b*c", false),
        ])
    func globs(name: String, pattern: String, isMatch: Bool) {
        // Everything is matched in one pass, so nesting it in braces changes nothing.
        if !pattern.contains("[") || isMatch { #expect(GlobPattern("{{\(pattern)},\n}").matches(name) == isMatch) }
        #expect(GlobPattern(pattern).matches(name) == isMatch)
    }
}
