// CSV files whose records hold line ends, and files with headers: however they are cut into chunks and batches, packed
// or not, records are whole, and every chunk brings the header of its file along.

import Glibc
import SluiceEngine
import SluiceSimulation
import SluiceSpec
import SluiceSystem
import Testing

@testable import SluiceConnectors

@Suite("CSV files")
struct CSVFileTests {
    private static let multiline = RecordFormat.csv(CSVOptions(isMultiline: true))
    private static let header = RecordFormat.csv(CSVOptions(hasHeader: true))

    private func column(_ name: String, from field: String? = nil) -> ColumnSpec {
        ColumnSpec(
            name: name, type: .string, origin: .field(FieldPath(name: field ?? name)),
            position: SourcePosition(file: "test.yaml", line: 1, column: 1))
    }

    // MARK: Records of several lines

    /// The records of a text, by a rule that looks at one byte after the other: one that is not closed within a length
    /// is a line by itself, one that has no line end within it is `<long>`.
    private func records(_ text: [UInt8], byteCountMax: Int) -> [String] {
        var records: [String] = []
        var start = text.starts(with: byteOrderMark) ? 3 : 0
        while start < text.count {
            var (index, isQuoted, isFieldStart) = (start, false, true)
            var end: Int?
            while index < text.count, end == nil {
                let byte = text[index]
                if isQuoted {
                    if byte == UInt8(ascii: "\"") {
                        if index + 1 < text.count, text[index + 1] == byte { index += 1 } else { isQuoted = false }
                    }
                } else if byte == newline {
                    end = index + 1
                } else if byte == UInt8(ascii: "\""), isFieldStart {
                    isQuoted = true
                }
                isFieldStart = !isQuoted && byte == UInt8(ascii: ",")
                index += 1
            }
            if end == nil, !isQuoted { end = text.count }
            if let found = end, found - start <= byteCountMax {
                records.append(String(decoding: text[start..<found], as: UTF8.self))
                start = found
                continue
            }
            let line = text[start...].firstIndex(of: newline).map { $0 + 1 } ?? text.count
            let isLong = line - start > byteCountMax
            records.append(isLong ? "<long>" : String(decoding: text[start..<line], as: UTF8.self))
            start = line
        }
        return records
    }

    /// The records of all chunks, as a decoder finds them.
    private func records(of input: any InputBytes) throws -> [String] {
        var records: [String] = []
        for number in try input.readyChunks(from: 0) {
            var chunk = InputChunk()
            try input.read(chunk: number, into: &chunk)
            let text = chunk.text.array()
            var start = 0
            while start < text.count {
                var scan = CSVLineEnds(CSVOptions(isMultiline: true))
                let found = text.withUnsafeBytes { scan.next(in: $0, from: start) }
                let line = text[start...].firstIndex(of: newline).map { $0 + 1 } ?? text.count
                let end = found ?? (scan.isInQuotes ? line : text.count)
                records.append(String(decoding: text[start..<end], as: UTF8.self))
                start = end
            }
            if chunk.endsInLongLine { records.append("<long>") }
        }
        return records
    }

    private func randomText(_ random: inout SplitMix64) -> [UInt8] {
        let marks = ["a", "bb", ",", ",", "\"", "\"\"", "\n", "\n", "\r\n", "\",\"", ",\"", "\"\n", "\n\"", "é"]
        let count = Int.random(in: 0...120, using: &random)
        let text = (0..<count).map { _ in marks.randomElement(using: &random)! }.joined()
        return (Bool.random(using: &random) ? byteOrderMark : []) + Array(text.utf8)
    }

    @Test("Chunks hold whole records, whatever their size", arguments: 0..<80 as Range<UInt64>)
    func chunks(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let text = randomText(&random)
        let files = SimulatedFileSystem()
        files.put("/f.csv", text)
        for byteCountMax in [12, 40, 100_000] {
            let expected = records(text, byteCountMax: byteCountMax)
            for chunkByteCount in [1, 7, 50, 1000] {
                let source = WholeFileSource(
                    fileSpec("/f.csv", follow: false), format: Self.multiline, fileSystem: files, log: .none,
                    chunkByteCount: chunkByteCount, lineByteCountMax: Int64(byteCountMax))
                let input = try source.open([OffsetRange(partition: "/f.csv", start: 0, end: Int64(text.count))])
                let found = try records(of: input)
                #expect(
                    found.filter { $0 != "\n" } == expected.filter { $0 != "\n" },
                    "seed \(seed), at most \(byteCountMax), chunks of \(chunkByteCount)")
            }
        }
    }

    @Test("Batches of a compressed file end where records do", arguments: 0..<25 as Range<UInt64>)
    func archives(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let text = randomText(&random)
        guard text.count > byteOrderMark.count else { return }
        let files = SimulatedFileSystem()
        files.put("/f.csv", try packed(text, by: "gzip -n"))
        for byteCountMax in [12, 100_000] {
            let expected = records(text, byteCountMax: byteCountMax)
            for maxBytes in [1, 9, 60] as [Int64] {
                var found: [String] = []
                var position = SourceOffsets()
                var marks: [String: String] = [:]
                var source: WholeFileSource?
                while true {
                    // Every other batch is another process'.
                    if source == nil || Bool.random(using: &random) {
                        source = WholeFileSource(
                            fileSpec("/f.csv", follow: false, maxBytes: maxBytes), format: Self.multiline,
                            fileSystem: files, log: .none, chunkByteCount: 7, lineByteCountMax: Int64(byteCountMax))
                        source?.resume(marks)
                    }
                    guard let source else { return }
                    let latest = try source.latestOffsets(from: position, untilEnd: false)
                    let ranges = try source.planBatch(from: position, to: latest, limit: .spec)
                    if ranges.isEmpty { break }
                    var next = position
                    next.advance(by: ranges)
                    marks = source.marks(ranges, next: next)
                    found += try records(of: source.open(ranges))
                    source.didCommit(next)
                    position = next
                }
                #expect(
                    found.filter { $0 != "\n" } == expected.filter { $0 != "\n" },
                    "seed \(seed), at most \(byteCountMax), batches of \(maxBytes)")
            }
        }
    }

    @Test("A record keeps its line as its place")
    func places() throws {
        let files = SimulatedFileSystem()
        files.put("/f.csv", "\"a\nb\",1\n\"c\n\nd\",2\ne,3\n")
        let source = WholeFileSource(
            fileSpec("/f.csv", follow: false), format: Self.multiline, fileSystem: files, log: .none, chunkByteCount: 1)
        let input = try source.open([OffsetRange(partition: "/f.csv", start: 0, end: 21)])
        let chunks = try input.readyChunks(from: 0)
        var places: [String] = []
        for number in chunks {
            var chunk = InputChunk()
            try input.read(chunk: number, into: &chunk)
            places.append(input.place(chunk: number, record: RecordPlace(byteOffset: 0)))
        }
        #expect(places == ["/f.csv:1", "/f.csv:3", "/f.csv:6"])
    }

    // MARK: Headers

    private func headers(of input: any InputBytes) throws -> [String] {
        var headers: [String] = []
        for number in try input.readyChunks(from: 0) {
            var chunk = InputChunk()
            try input.read(chunk: number, into: &chunk)
            headers.append(String(decoding: chunk.header, as: UTF8.self))
        }
        return headers
    }

    @Test("Every chunk brings the header of its file, plain or packed")
    func everyChunk() throws {
        let files = SimulatedFileSystem()
        let rows = (0..<40).map { "x\($0),y\n" }.joined()
        files.put("/in/1.csv", "a,b\n" + rows)
        files.put("/in/2.csv", "\u{FEFF}\r\n\r\nb,a\r\n" + rows)
        files.put("/in/3.csv.gz", try packed("a,\"b\"\n" + rows))
        files.put("/in/4.csv", "")
        files.put("/in/5.csv", "b,a")
        let long = (0..<2000).map { "column \($0)" }.joined(separator: ",")
        files.put("/in/6.csv", "\(long),a,b\n" + rows)
        files.put("/in/7.csv.gz", try packed("\(long),a,b\n" + rows))
        let source = WholeFileSource(
            fileSpec("/in", follow: false), format: Self.header, columns: [column("a"), column("b")],
            fileSystem: files, log: .none, chunkByteCount: 50)
        let latest = try source.latestOrTrouble(from: SourceOffsets())
        let ranges = try source.planBatch(from: SourceOffsets(), to: latest, limit: .spec)
        let found = try headers(of: source.open(ranges))
        #expect(Set(found) == ["a,b", "b,a", "a,\"b\"", "\(long),a,b"] && found.count > 20)
        // A replay by another process reads them again.
        let replay = WholeFileSource(
            fileSpec("/in", follow: false), format: Self.header, columns: [column("a"), column("b")],
            fileSystem: files, log: .none, chunkByteCount: 50)
        replay.resume(source.marks(ranges, next: SourceOffsets()))
        #expect(try headers(of: replay.open(ranges)) == found)
    }

    @Test(
        "A header that lacks a column, or has it twice, is trouble of its file, with what it has",
        arguments: [
            ("a,c\n1,2\n", "/in/2.csv has no column `b` in its header, which has `a`, `c`: "),
            ("a, b\n", "which has `a`, ` b`: blanks are part of a name: write `from: \" b\"`"),
            ("a,B\n", "names are told apart by case: write `from: B`"),
            ("a,b,b\n", "has `b` more than once in its header"), ("\u{FEFF}b\n", "no column `a`"),
            ("a;b\n", "which has `a;b`"),
        ])
    func lacking(text: String, words: String) throws {
        for isFollowed in [false, true] {
            let files = SimulatedFileSystem()
            files.put("/in/1.csv", "b,a\n1,2\n")
            files.put("/in/2.csv", text)
            files.put("/in/3.csv", "a,b,c\n1,2,3\n")
            let columns = [column("a"), column("b")]
            let source: any Source =
                isFollowed
                ? FollowedFileSource(
                    fileSpec("/in", follow: true), format: Self.header, columns: columns, fileSystem: files, log: .none)
                : WholeFileSource(
                    fileSpec("/in", follow: false), format: Self.header, columns: columns, fileSystem: files, log: .none
                )
            for _ in 0..<2 {
                let latest = try source.latestOffsets(from: SourceOffsets(), untilEnd: false)
                #expect(latest.next == ["/in/1.csv": 8, "/in/3.csv": 12])
                #expect(source.trouble?.code == "file-header" && source.trouble?.isRetriable == false)
                #expect(source.trouble?.message.contains(words) == true, "\(source.trouble?.message ?? "")")
            }
            #expect(throws: ConnectorError.self) {
                try source.open([OffsetRange(partition: "/in/2.csv", start: 0, end: Int64(text.utf8.count))])
            }
        }
    }

    @Test("A followed file's header is read from its start, after every start and rotation")
    func followed() throws {
        let files = SimulatedFileSystem()
        let spec = fileSpec("/log*", follow: true)
        func source() -> FollowedFileSource {
            FollowedFileSource(
                spec, format: Self.header, columns: [column("a"), column("b")], fileSystem: files, log: .none,
                chunkByteCount: 4)
        }
        func read(_ source: FollowedFileSource, _ position: inout SourceOffsets) throws -> (String, Set<String>) {
            let latest = try source.latestOrTrouble(from: position)
            let ranges = source.planBatch(from: position, to: latest, limit: .spec)
            let input = try source.open(ranges)
            position.advance(by: ranges)
            source.didCommit(position)
            return (try text(of: input), Set(try headers(of: input)))
        }
        var position = SourceOffsets()
        // Half a header is none yet.
        try files.append("/log", Array("a,".utf8))
        var first = source()
        #expect(try first.latestOrTrouble(from: position).next.isEmpty)
        try files.append("/log", Array("b\n1,2\n".utf8))
        #expect(try read(first, &position) == ("a,b\n1,2\n", ["a,b"]))
        try files.append("/log", Array("3,4\n5,6\n".utf8))
        first = source()
        #expect(try read(first, &position) == ("3,4\n5,6\n", ["a,b"]))
        try files.rename("/log", to: "/log.1")
        try files.append("/log", Array("b,a\n8,7\n".utf8))
        #expect(try read(first, &position) == ("b,a\n8,7\n", ["b,a"]))
        try files.append("/log", Array("10,9\n".utf8))
        #expect(try read(first, &position) == ("10,9\n", ["b,a"]))
        try files.rename("/log", to: "/log.2")
        try files.append("/log", Array("b\n".utf8))
        #expect(throws: ConnectorError.self) { try read(first, &position) }
    }
}
