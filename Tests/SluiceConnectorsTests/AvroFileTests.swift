// Container files of Avro as sources read them: those that fastavro has written with each codec, cut between blocks
// into batches and chunks of any size, read again by another process, and damaged at every byte.

import Foundation
import SluiceEngine
import SluicePlan
import SluiceSimulation
import SluiceSpec
import SluiceSystem
import Testing

@testable import SluiceConnectors

private let containers: [String: [UInt8]] = {
    let path = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Avro/containers.json")
    guard let data = try? Data(contentsOf: path), case .object(let members)? = try? JSONValue(text: Array(data)[...])
    else { return [:] }
    var files: [String: [UInt8]] = [:]
    for member in members {
        if case .string(let text) = member.value { files[member.name] = Data(base64Encoded: text).map { Array($0) } }
    }
    return files
}()

private func container(_ name: String) throws -> [UInt8] { try #require(containers[name]) }

private func declared(_ columns: [(String, DataType)]) -> [ColumnSpec] {
    columns.map {
        ColumnSpec(
            name: $0.0, type: $0.1, origin: .field(FieldPath(name: $0.0)),
            position: SourcePosition(file: "test.yaml", line: 1, column: 1))
    }
}

/// A source of `/in`, as one process after another has it.
private struct AvroRun {
    let files: SimulatedFileSystem
    let maxBytes: Int64?
    let chunkByteCount: Int
    var source: WholeFileSource
    var position = SourceOffsets()
    var marks: [String: String] = [:]
    let columns: [ColumnSpec]
    let schema: AvroSchema?

    init(
        _ files: SimulatedFileSystem, maxBytes: Int64? = nil, chunkByteCount: Int = 1 << 19,
        columns: [ColumnSpec] = declared([("visit_id", .string)]), schema: AvroSchema? = nil
    ) {
        self.files = files
        self.maxBytes = maxBytes
        self.chunkByteCount = chunkByteCount
        self.columns = columns
        self.schema = schema
        source = Self.source(files, maxBytes, chunkByteCount, columns, schema)
    }

    private static func source(
        _ files: SimulatedFileSystem, _ maxBytes: Int64?, _ chunkByteCount: Int, _ columns: [ColumnSpec],
        _ schema: AvroSchema?
    ) -> WholeFileSource {
        WholeFileSource(
            fileSpec("/in", follow: false, maxBytes: maxBytes),
            format: .avro(AvroOptions(schema: schema, framing: .container)), columns: columns, fileSystem: files,
            log: .none, chunkByteCount: chunkByteCount)
    }

    mutating func restart() {
        source = Self.source(files, maxBytes, chunkByteCount, columns, schema)
        source.resume(marks)
    }

    /// The ranges of the next batch and its data by block; nil when there is none.
    mutating func batch(isReplayed: Bool = false) throws -> (ranges: [OffsetRange], blocks: [Block])? {
        let latest = try source.latestOrTrouble(from: position)
        let ranges = try source.planBatch(from: position, to: latest, limit: .spec)
        if let trouble = source.trouble { throw trouble }
        if ranges.isEmpty { return nil }
        var next = position
        next.advance(by: ranges)
        marks = source.marks(ranges, next: next)
        if isReplayed { restart() }
        let blocks = try blocks(of: try source.open(ranges))
        position = next
        source.didCommit(position)
        return (ranges, blocks)
    }

    mutating func batches(isReplayed: Bool = false) throws -> [(ranges: [OffsetRange], blocks: [Block])] {
        var batches: [(ranges: [OffsetRange], blocks: [Block])] = []
        while let batch = try batch(isReplayed: isReplayed) { batches.append(batch) }
        return batches
    }
}

private struct Block: Equatable {
    var fileOffset: Int64
    var count: Int
    var data: [UInt8]
    var place: String
}

private func blocks(of input: any InputBytes) throws -> [Block] {
    var blocks: [Block] = []
    for number in try input.readyChunks(from: 0) {
        var chunk = InputChunk()
        try input.read(chunk: number, into: &chunk)
        #expect(chunk.isFramed && chunk.text.capacity >= chunk.text.count + inputPaddingByteCount)
        #expect(!chunk.header.isEmpty)
        let bytes = chunk.text.array()
        var start = 0
        for record in chunk.records {
            let end = Int(record.end)
            func value(_ place: Int) -> Int { bytes[place..<place + 4].reversed().reduce(0) { $0 << 8 | Int($1) } }
            let (count, dataStart) = (value(start + 8), start + 16)
            let dataEnd = dataStart + value(start + 12)
            // What follows the data belongs to the record, or is the byte between records.
            #expect(dataEnd <= end && end <= dataEnd + 100)
            blocks.append(
                Block(
                    fileOffset: record.offset, count: count, data: Array(bytes[dataStart..<dataEnd]),
                    place: input.place(
                        chunk: number, record: RecordPlace(byteOffset: start, offset: record.offset))))
            start = end + 1
        }
        #expect(start >= bytes.count)
    }
    return blocks
}

@Suite struct AvroFileTests {
    @Test(arguments: ["null", "deflate", "snappy", "zstandard"])
    func `Every codec gives the same data, wherever chunks end`(codec: String) throws {
        let files = SimulatedFileSystem()
        files.put("/in/a.avro", try container(codec))
        let plain = SimulatedFileSystem()
        plain.put("/in/a.avro", try container("null"))
        var expected = AvroRun(plain)
        let wanted = try #require(try expected.batch())
        #expect(wanted.blocks.map(\.count).reduce(0, +) == 200 && wanted.blocks.count > 5)
        for chunkByteCount in [1, 300, 1000, 1 << 19] {
            var run = AvroRun(files, chunkByteCount: chunkByteCount)
            let batches = try run.batches()
            #expect(batches.count == 1)
            #expect(batches[0].blocks.map(\.data) == wanted.blocks.map(\.data))
            #expect(batches[0].blocks.map(\.count) == wanted.blocks.map(\.count))
            #expect(batches[0].blocks.allSatisfy { $0.place == "/in/a.avro@\($0.fileOffset)" })
            // What it says is where it is: behind the marker of the block before.
            let bytes = try container(codec)
            for block in batches[0].blocks {
                #expect(Array(bytes[Int(block.fileOffset) - 16..<Int(block.fileOffset)]) == Array(0..<16))
            }
        }
    }

    @Test(arguments: ["deflate", "zstandard"], [false, true])
    func `A packed file larger than a batch is cut between blocks, also for another process`(
        codec: String, isReplayed: Bool
    ) throws {
        let files = SimulatedFileSystem()
        files.put("/in/a.avro", try container(codec))
        var whole = AvroRun(files)
        let all = try #require(try whole.batch())
        for maxBytes in [1, 1000, 2500] as [Int64] {
            var run = AvroRun(files, maxBytes: maxBytes)
            let batches = try run.batches(isReplayed: isReplayed)
            #expect(batches.flatMap { $0.blocks.map(\.data) } == all.blocks.map(\.data))
            #expect(batches.count > 1)
            #expect(maxBytes > 1 || batches.count == all.blocks.count)
            #expect(batches.allSatisfy { $0.ranges[0].end - $0.ranges[0].start <= max(maxBytes, 600) })
            #expect(batches.last?.ranges[0].end == all.ranges[0].end)
        }
    }

    /// As a file of lines is.
    @Test(arguments: [false, true])
    func `A file whose blocks are not packed is taken whole, and its offsets are its bytes`(isReplayed: Bool) throws {
        let files = SimulatedFileSystem()
        let bytes = try container("null")
        files.put("/in/a.avro", bytes)
        files.put("/in/b.avro", bytes)
        var run = AvroRun(files, maxBytes: 1000)
        let batches = try run.batches(isReplayed: isReplayed)
        #expect(
            batches.map(\.ranges)
                == ["a", "b"].map {
                    [OffsetRange(partition: "/in/\($0).avro", start: 0, end: Int64(bytes.count))]
                })
        #expect(batches.allSatisfy { $0.blocks.map(\.count).reduce(0, +) == 200 })
    }

    @Test func `Blocks without data are passed over, wherever they stand`() throws {
        let bytes = try container("null")
        let plain = SimulatedFileSystem()
        plain.put("/in/a.avro", bytes)
        var whole = AvroRun(plain)
        let blocks = try #require(try whole.batch()).blocks
        let empty: [UInt8] = [0, 0] + Array(0..<16)
        for places in [[0], [1], [2, 2], [blocks.count], [0, 1, blocks.count]] {
            var mended = bytes
            for place in places.sorted(by: >) {
                let offset = place < blocks.count ? Int(blocks[place].fileOffset) : mended.count
                mended.insert(contentsOf: empty, at: offset)
            }
            let files = SimulatedFileSystem()
            files.put("/in/a.avro", mended)
            for chunkByteCount in [1, 700, 1 << 19] {
                var run = AvroRun(files, chunkByteCount: chunkByteCount)
                #expect(try run.batch()?.blocks.map(\.data) == blocks.map(\.data), "\(places)")
            }
        }
    }

    @Test func `A file that was written to since it was looked through is one error`() throws {
        let files = SimulatedFileSystem()
        let bytes = try container("null")
        files.put("/in/a.avro", bytes)
        var run = AvroRun(files, chunkByteCount: 1 << 19)
        let first = try #require(try run.batch()).blocks[0]
        run.position = SourceOffsets()
        let latest = try run.source.latestOrTrouble(from: run.position)
        let input = try run.source.open(try run.source.planBatch(from: run.position, to: latest, limit: .spec))
        // The same size, with counts that lead elsewhere.
        var other = bytes
        for place in Int(first.fileOffset) + 40..<other.count { other[place] = 0xFF }
        files.put("/in/a.avro", other)
        #expect {
            var chunk = InputChunk()
            try input.read(chunk: 0, into: &chunk)
        } throws: { "\($0)".contains("/in/a.avro was written to while it was read") }
    }

    /// Whether its blocks are packed decides what its offsets are, and a disk that hiccups must not.
    @Test(arguments: ["null", "deflate"])
    func `A read that fails is no damage, and leaves the file what it is`(codec: String) throws {
        let bytes = try container(codec)
        let good = SimulatedFileSystem()
        good.put("/in/a.avro", bytes)
        var run = AvroRun(good)
        let expected = try #require(try run.batch())
        #expect(good.operationCount > 10)
        for operation in 0..<good.operationCount {
            let files = SimulatedFileSystem()
            files.put("/in/a.avro", bytes)
            files.plan.failures = [operation: 5]
            var run = AvroRun(files)
            var batch: (ranges: [OffsetRange], blocks: [Block])?
            for _ in 0..<2 where batch == nil {
                do { batch = try run.batch() } catch let error as ConnectorError {
                    #expect(error.code != "file-damaged", "operation \(operation): \(error)")
                }
            }
            let found = try #require(batch, "operation \(operation)")
            #expect(found.ranges == expected.ranges, "operation \(operation)")
            #expect(found.blocks.map(\.data) == expected.blocks.map(\.data))
        }
    }

    @Test func `Each file has its own schema`() throws {
        let files = SimulatedFileSystem()
        files.put("/in/1.avro", try container("deflate"))
        files.put("/in/2.avro", try container("later"))
        files.put("/in/3.avro", try container("empty"))
        files.put("/in/4.avro", [])
        var run = AvroRun(files, columns: declared([("n", .long), ("event_time", .timestamp)]))
        let batches = try run.batches()
        #expect(
            batches.map { $0.ranges.map(\.partition) } == [["/in/1.avro", "/in/2.avro", "/in/3.avro", "/in/4.avro"]])
        #expect(batches[0].blocks.map(\.count).reduce(0, +) == 250)
    }

    private func trouble(
        _ bytes: [UInt8], _ wanted: [(String, DataType)] = [("visit_id", .string)], schema: AvroSchema? = nil
    ) -> String {
        let files = SimulatedFileSystem()
        files.put("/in/a.avro", bytes)
        var run = AvroRun(files, columns: declared(wanted), schema: schema)
        do {
            _ = try run.batches()
            return "none"
        } catch let error as ConnectorError {
            #expect(!error.isRetriable)
            return "\(error.code): \(error.message)"
        } catch { return "\(error)" }
    }

    @Test func `A file that is not what the source reads is refused by its name`() throws {
        #expect(
            trouble(Array("{}\n".utf8)).hasPrefix("file-kind: /in/a.avro is no container file of Avro"))
        #expect(
            trouble(try container("bzip2"))
                == "file-damaged: /in/a.avro cannot be read: its blocks are packed by `bzip2`, and what is read is null, "
                + "deflate, snappy, zstandard. Replace it by a good copy, or move it away")
        #expect(
            trouble(try container("later"))
                == "file-header: /in/a.avro cannot give the column `visit_id`: the record `Visit` has no field "
                + "`visit_id`; it has `n`, `site`, `id`, `event_time`: write `from: PATH` where the schema calls it "
                + "otherwise")
        #expect(trouble(try container("null"), [("page", .long)]).contains("`page` is of another type: a string"))
        let reader = try AvroSchema(
            text: Array(
                #"{"type":"record","name":"Visit","fields":[{"name":"visit_id","aliases":["id"],"type":"string"}]}"#
                    .utf8))
        #expect(trouble(try container("later"), schema: reader) == "none")
        let plain = try container("null")
        #expect(UnreadFileKind(ofFile: plain, byteCount: 9, format: .json(), isFollowed: false) == .container)
    }

    @Test(arguments: ["null", "deflate", "snappy", "zstandard"])
    func `Damage is said with its place, or changes nothing that is read`(codec: String) throws {
        let good = try container(codec)
        let files = SimulatedFileSystem()
        files.put("/in/a.avro", good)
        var run = AvroRun(files)
        let expected = try #require(try run.batch()).blocks
        var errorCount = 0
        for place in stride(from: 0, to: good.count, by: 3) {
            var bytes = good
            bytes[place] ^= 0x41
            let files = SimulatedFileSystem()
            files.put("/in/a.avro", bytes)
            var run = AvroRun(files)
            do {
                let blocks = try run.batches().flatMap(\.blocks)
                // What has no check sum may come out as other data, of the same blocks; the engine judges those.
                #expect(codec != "snappy" || blocks.map(\.data) == expected.map(\.data) || place < 700, "byte \(place)")
            } catch let error as ConnectorError {
                errorCount += 1
                #expect(error.message.contains("/in/a.avro") && error.isOfOneFile, "byte \(place): \(error)")
            }
        }
        #expect(errorCount > 10)
        // Cut off anywhere but between blocks.
        for count in stride(from: 1, to: good.count, by: 7) {
            let text = trouble(Array(good[..<count]))
            let isBetween = expected.contains { $0.fileOffset == count }
            #expect((text == "none") == isBetween, "\(count): \(text)")
        }
        var marker = good
        marker[Int(expected[1].fileOffset) - 1] ^= 1
        #expect(
            trouble(marker).contains(
                "the block at byte \(expected[0].fileOffset) of the file: the marker behind it is not the file's"))
    }
}
