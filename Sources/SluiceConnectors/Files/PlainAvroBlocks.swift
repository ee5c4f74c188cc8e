// Container files of Avro whose blocks are not packed are read as plain files are: each chunk straight from the file
// into the buffer of the worker that reads it. Before the data of a block the engine wants 16 bytes (`AvroBlock`).
// There are as many in the file, of no use once the block is found: they are overwritten in the chunk.
//
//     file     … data 0 | marker (16) | count | byte count | data 1 | marker | …
//     chunk    … data 0 ………………… | offset (8) | count (4) | byte count (4) | data 1 …
//
// All blocks of a file are gone through before a batch takes it, from count to count, and the marker behind each is
// looked at: what is damaged or cut off is known before a batch holds any of it.

internal import SluiceSpec
internal import SluiceEngine

/// What stands before the data of a block in a file.
struct PlainAvroBlock: Hashable, Sendable {
    /// Where it begins in the file.
    var start: Int64
    var count: UInt32
    var byteCount: Int
    /// Of the two numbers.
    var headByteCount: Int

    var dataStart: Int64 { start + Int64(headByteCount) }
    var dataEnd: Int64 { dataStart + Int64(byteCount) }

    static let markerByteCount = 16
    /// Two numbers of up to ten bytes.
    static let headByteCountMax = 20
    /// The largest block, packed and unpacked.
    static let byteCountMax = 64 << 20

    init(start: Int64, count: UInt32, byteCount: Int, headByteCount: Int) {
        self.start = start
        self.count = count
        self.byteCount = byteCount
        self.headByteCount = headByteCount
    }

    /// - Parameters:
    ///   - place: where it begins in the bytes; nil comes of bytes that end in it.
    ///   - start: where that is in the file.
    init?(_ bytes: UnsafeRawBufferPointer, at place: Int, start: Int64) throws(ArchiveDamage) {
        var numbers: [Int64] = []
        var index = place
        while numbers.count < 2 {
            switch unsafe BinaryNumber(bytes, at: index) {
            case .value(let value, let end):
                numbers.append(value)
                index = end
            case .short: return nil
            case .tooLong: throw Self.damage(start, "a count has more than ten bytes")
            }
        }
        guard numbers[1] >= 0, numbers[1] <= Self.byteCountMax else {
            throw Self.damage(start, "it says it has \(numbers[1]) bytes, and 0 to \(Self.byteCountMax) are read")
        }
        // Data that take no bytes are counted too.
        guard numbers[0] >= 0, numbers[0] <= Self.byteCountMax, numbers[0] > 0 || numbers[1] == 0 else {
            throw Self.damage(start, "it says it has \(numbers[0]) data in \(numbers[1]) bytes")
        }
        self.init(
            start: start, count: UInt32(numbers[0]), byteCount: Int(numbers[1]), headByteCount: index - place)
    }

    static func damage(_ offset: Int64, _ reason: String) -> ArchiveDamage {
        ArchiveDamage(reason: "the block at byte \(offset) of the file: \(reason)")
    }
}

/// The blocks of one file.
struct PlainAvroBlocks {
    private let file: TextFile
    private let header: AvroContainerHeader
    private let end: Int64

    /// - Parameter end: of the file.
    /// - Throws: where it is no container file.
    init(_ file: TextFile, _ header: AvroContainerHeader, end: Int64) {
        self.file = file
        self.header = header
        self.end = end
    }

    /// Parts of about a size that hold whole blocks. O(blocks) of small reads.
    /// - Throws: `file-damaged`.
    func parts(byteCount: Int64) throws(ConnectorError) -> [FilePart] {
        var parts: [FilePart] = []
        var first: PlainAvroBlock?
        var start = Int64(header.byteCount)
        while start < end {
            let block = try self.block(at: start)
            start = block.dataEnd + Int64(PlainAvroBlock.markerByteCount)
            if block.count > 0, first == nil { first = block }
            guard let begun = first, block.dataEnd - begun.dataStart >= byteCount || start >= end else { continue }
            parts.append(FilePart(begun, to: block.dataEnd))
            first = nil
        }
        return parts
    }

    private func block(at start: Int64) throws(ConnectorError) -> PlainAvroBlock {
        do throws(ArchiveDamage) {
            let head = try bytes(start..<min(end, start + Int64(PlainAvroBlock.headByteCountMax)))
            guard let block = unsafe try PlainAvroBlock(head.bytes, at: 0, start: start),
                block.dataEnd + Int64(PlainAvroBlock.markerByteCount) <= end
            else { throw PlainAvroBlock.damage(start, "the file ends before it does") }
            let marker = try bytes(block.dataEnd..<block.dataEnd + Int64(PlainAvroBlock.markerByteCount))
            guard marker.array() == header.marker else {
                throw PlainAvroBlock.damage(start, "the marker behind it is not the file's")
            }
            return block
        } catch {
            throw ConnectorError(
                code: "file-damaged",
                "\(file.path) is damaged: \(error.reason). Replace it by a good copy, or move it away; move files into "
                    + "the folder only when they are complete", isRetriable: false)
        }
    }

    private func bytes(_ range: Range<Int64>) throws(ArchiveDamage) -> ByteBuffer {
        var buffer = ByteBuffer()
        do throws(ConnectorError) { try file.append(range, to: &buffer) } catch {
            throw ArchiveDamage(reason: error.message)
        }
        return buffer
    }
}

extension FilePart {
    /// From the 16 bytes before a block's data to an end of data.
    fileprivate init(_ first: PlainAvroBlock, to end: Int64) {
        let start = first.dataStart - Int64(AvroBlock.headerByteCount)
        self.init(range: start..<end, isFramed: true, firstBlock: first)
    }
}

extension PlainAvroBlock {
    /// Makes each block of a chunk a record, this being the first, and puts before its data what the engine wants. What
    /// follows a block belongs to its record, and is passed over.
    /// - Throws: where the blocks are not those that were found before: somebody writes to the file.
    func frame(_ chunk: inout InputChunk, _ path: String) throws(ConnectorError) {
        chunk.isFramed = true
        var block = self
        var position = 0
        while true {
            let dataEnd = position + AvroBlock.headerByteCount + block.byteCount
            guard dataEnd <= chunk.text.count else { throw Self.changed(path) }
            block.writeHeader(&chunk.text, at: position)
            let next = try block.next(in: chunk.text, behind: dataEnd, path)
            // A block without data is no record.
            if block.count > 0 {
                chunk.records.append(
                    InputRecord(
                        end: UInt32(next.map { $0.position - 1 } ?? dataEnd), isNull: false, offset: block.start,
                        timestampMillis: -1, attributesStart: 0))
            } else if let last = chunk.records.indices.last {
                chunk.records[last].end = UInt32(next.map { $0.position - 1 } ?? dataEnd)
            }
            guard let next else { return }
            (block, position) = (next.block, next.position)
        }
    }

    /// The block behind this one, and where its header goes.
    private func next(
        in text: borrowing ByteBuffer, behind dataEnd: Int, _ path: String
    ) throws(ConnectorError) -> (block: PlainAvroBlock, position: Int)? {
        guard dataEnd < text.count else { return nil }
        let place = dataEnd + Self.markerByteCount
        let start = self.dataEnd + Int64(Self.markerByteCount)
        guard place < text.count, let block = try? unsafe PlainAvroBlock(text.bytes, at: place, start: start) else {
            throw Self.changed(path)
        }
        return (block, place + block.headByteCount - AvroBlock.headerByteCount)
    }

    private func writeHeader(_ text: inout ByteBuffer, at position: Int) {
        unsafe text.base.storeBytes(of: UInt64(start).littleEndian, toByteOffset: position, as: UInt64.self)
        unsafe text.base.storeBytes(of: count.littleEndian, toByteOffset: position + 8, as: UInt32.self)
        unsafe text.base.storeBytes(
            of: UInt32(byteCount).littleEndian, toByteOffset: position + 12, as: UInt32.self)
    }

    private static func changed(_ path: String) -> ConnectorError {
        ConnectorError(
            code: "file-changed",
            "\(path) was written to while it was read: move files into the folder only when they are complete",
            isRetriable: true)
    }
}
