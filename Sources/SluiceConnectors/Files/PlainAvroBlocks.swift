// Container files of Avro whose blocks are not packed are read as plain files are: each chunk straight from the file
// into the buffer of the worker that reads it. Before the data of a block the engine wants 16 bytes (`AvroBlock`).
// There are as many in the file, of no use once the block is found: they are overwritten in the chunk.
//
//     file     … data 0 | marker (16) | count | byte count | data 1 | marker | …
//     chunk    … data 0 ………………… | offset (8) | count (4) | byte count (4) | data 1 …
//
// All blocks of a file are gone through before a batch takes it, from count to count, and the marker behind each is
// looked at: what is damaged or cut off is known before a batch holds any of it.

internal import SluiceEngine

/// The blocks of one file.
struct PlainAvroBlocks {
    private let file: TextFile
    private let header: AvroContainerHeader
    private let end: Int64

    /// - Parameter end: of the file.
    init(_ file: TextFile, _ header: AvroContainerHeader, end: Int64) {
        self.file = file
        self.header = header
        self.end = end
    }

    /// Parts of about a size that hold whole blocks. O(blocks), a small read each.
    /// - Throws: `file-damaged`, and what keeps a file from being read.
    func parts(byteCount: Int64) throws(ConnectorError) -> [FilePart] {
        var parts: [FilePart] = []
        var first: AvroBlockHead?
        var last: AvroBlockHead?
        while let block = try next(behind: last) {
            last = block
            if block.count > 0, first == nil { first = block }
            let isLast = block.end >= end
            guard let begun = first, block.dataEnd - begun.dataStart >= byteCount || isLast else { continue }
            parts.append(FilePart(begun, to: block.dataEnd))
            first = nil
        }
        return parts
    }

    /// The block behind another, or the first; nil at the end. Looks at the marker before it.
    private func next(behind block: AvroBlockHead?) throws(ConnectorError) -> AvroBlockHead? {
        let start = block?.end ?? Int64(header.byteCount)
        let markerStart = start - Int64(AvroBlockHead.markerByteCount)
        guard start <= end else { throw damaged(endsInside(block)) }
        var bytes = ByteBuffer()
        try file.append(markerStart..<min(end, start + Int64(AvroBlockHead.headByteCountMax)), to: &bytes)
        let isMarked = unsafe bytes.bytes[..<AvroBlockHead.markerByteCount].elementsEqual(header.marker)
        guard isMarked else {
            throw damaged(AvroBlockHead.damage(block?.start ?? start, "the marker behind it is not the file's"))
        }
        if start == end { return nil }
        do throws(ArchiveDamage) {
            guard let next = unsafe try AvroBlockHead(bytes.bytes, at: AvroBlockHead.markerByteCount, start: start)
            else {
                throw AvroBlockHead.damage(start, "the file ends before it does")
            }
            return next
        } catch { throw damaged(error) }
    }

    private func endsInside(_ block: AvroBlockHead?) -> ArchiveDamage {
        AvroBlockHead.damage(block?.start ?? Int64(header.byteCount), "the file ends before it does")
    }

    private func damaged(_ damage: ArchiveDamage) -> ConnectorError {
        ConnectorError(
            code: "file-damaged",
            "\(file.path) is damaged: \(damage.reason). Replace it by a good copy, or move it away; move files into "
                + "the folder only when they are complete", isRetriable: false)
    }
}

extension FilePart {
    /// From the 16 bytes before a block's data to an end of data.
    fileprivate init(_ first: AvroBlockHead, to end: Int64) {
        let start = first.dataStart - Int64(AvroBlock.headerByteCount)
        self.init(range: start..<end, isFramed: true, firstBlock: first)
    }
}

extension AvroBlockHead {
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
    ) throws(ConnectorError) -> (block: AvroBlockHead, position: Int)? {
        guard dataEnd < text.count else { return nil }
        let place = dataEnd + Self.markerByteCount
        guard place < text.count, let block = try? unsafe AvroBlockHead(text.bytes, at: place, start: end) else {
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
