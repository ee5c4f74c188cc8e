// Files that are no lines of UTF-8 text are told by their first bytes; what only looks a little like one is read.

import SluiceEngine
import SluiceSimulation
import SluiceSpec
import SluiceSystem
import Testing

@testable import SluiceConnectors

@Suite("The kind of a file")
struct FileKindTests {
    private static let csv = RecordFormat.csv(CSVOptions())

    private func kind(_ bytes: [UInt8], _ format: RecordFormat = .json(), isWhole: Bool = true) -> UnreadFileKind? {
        UnreadFileKind(bytes, isWhole: isWhole, format: format)
    }

    private func kind(_ text: String, _ format: RecordFormat = .json(), isWhole: Bool = true) -> UnreadFileKind? {
        kind(Array(text.utf8), format, isWhole: isWhole)
    }

    @Test("Compressed files are known by their first bytes, in either format", arguments: [RecordFormat.json(), csv])
    func compressed(format: RecordFormat) {
        #expect(kind([0x1F, 0x8B, 8, 0, 0], format) == .compressed("gzip"))
        #expect(kind([0x28, 0xB5, 0x2F, 0xFD, 4], format) == .compressed("zstd"))
        #expect(kind([0xFD, 0x37, 0x7A, 0x58, 0x5A, 0, 0], format) == .compressed("xz"))
        #expect(kind([0x50, 0x4B, 3, 4, 20], format) == .compressed("zip"))
        #expect(kind(Array("BZh91AY&SY".utf8) + [1], format) == .compressed("bzip2"))
        #expect(kind("BZh9 is a name,1\n", format) == nil)
    }

    @Test("UTF-16 is known by its mark or by its zeros")
    func utf16() {
        let text = "{\"a\":1}\n"
        let little = text.utf16.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }
        let big = text.utf16.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] }
        for bytes in [little, big, [0xFF, 0xFE] + little, [0xFE, 0xFF] + big] {
            #expect(kind(bytes) == .utf16 && kind(bytes, Self.csv) == .utf16)
        }
        #expect(kind(text) == nil && kind("\u{FEFF}" + text) == nil && kind("é,1\n", Self.csv) == nil)
    }

    @Test(
        "One JSON array is a document, a line that is an array is a bad record",
        arguments: [
            ("[{\"a\":1},{\"a\":2}]\n", true, true), ("[\n  {\"a\":1},\n  {\"a\":2}\n]\n", true, true),
            ("\u{FEFF} [ {\"a\":1}]", true, true), ("[{\"a\":1},", false, true), ("[\n{\"a\":1},\n", false, true),
            ("[]\n", true, false), ("[1,2]\n", true, false), ("[{\"a\":1}]\n{\"a\":2}\n", true, false),
            ("[{\"a\":1}]\n", false, false), ("{\"a\":[{}]}\n", true, false), ("", true, false), ("[", true, false),
        ])
    func array(text: String, isWhole: Bool, isArray: Bool) {
        #expect(kind(text, isWhole: isWhole) == (isArray ? .jsonArray : nil))
        #expect(kind(text, Self.csv, isWhole: isWhole) == nil)
    }

    @Test("A file that is refused keeps nobody from reading the others", arguments: [false, true])
    func others(isFollowed: Bool) throws {
        let files = SimulatedFileSystem()
        files.put("/in/a.jsonl", "{\"a\":1}\n")
        // Whole files may be compressed, but not in every way.
        let (name, kind) = isFollowed ? ("/in/b.jsonl.gz", "gzip") : ("/in/b.jsonl.xz", "xz")
        try files.append(name, isFollowed ? [0x1F, 0x8B, 8, 10, 10] : [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0, 0])
        files.put("/in/c.jsonl", "{\"a\":2}\n")
        let source: any Source =
            isFollowed
            ? FollowedFileSource(fileSpec("/in", follow: true), fileSystem: files, log: .none)
            : WholeFileSource(fileSpec("/in", follow: false), fileSystem: files, log: .none)
        for _ in 0..<2 {
            let latest = try source.latestOffsets(from: SourceOffsets(), untilEnd: false)
            #expect(latest.next == ["/in/a.jsonl": 8, "/in/c.jsonl": 8])
            #expect(source.trouble?.code == "file-kind" && source.trouble?.isRetriable == false)
            #expect(source.trouble?.message.contains("\(name) is compressed (\(kind))") == true)
        }
        // What is done about it counts at once.
        try files.remove(name)
        files.put("/in/b.jsonl", "{\"a\":3}\n")
        #expect(try source.latestOrTrouble(from: SourceOffsets()).next.count == 3)
    }

    @Test("A byte order mark at the start of a file is left out, however the file is cut", arguments: 1...20)
    func byteOrderMark(chunkByteCount: Int) throws {
        let files = SimulatedFileSystem()
        files.put("/f", "\u{FEFF}{\"a\":1}\n\u{FEFF}two\n")
        for source in [
            FollowedFileSource(
                fileSpec("/f", follow: true), fileSystem: files, log: .none, chunkByteCount: chunkByteCount),
            WholeFileSource(
                fileSpec("/f", follow: false), fileSystem: files, log: .none, chunkByteCount: chunkByteCount),
        ] as [any Source] {
            let latest = try source.latestOffsets(from: SourceOffsets(), untilEnd: false)
            let ranges = try source.planBatch(from: SourceOffsets(), to: latest, limit: .spec)
            #expect(try text(source, ranges) == "{\"a\":1}\n\u{FEFF}two\n")
            let rest = [OffsetRange(partition: "/f", start: 11, end: 18)]
            if source is FollowedFileSource { #expect(try text(source, rest) == "\u{FEFF}two\n") }
        }
        files.put("/f", "\u{FEFF}")
        let source = WholeFileSource(fileSpec("/f", follow: false), fileSystem: files, log: .none)
        #expect(try text(source, [OffsetRange(partition: "/f", start: 0, end: 3)]) == "")
    }
}
