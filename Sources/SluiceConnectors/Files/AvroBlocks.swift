// The unpacked text of a container file is cut between blocks, which say how long they are.

internal import SluiceEngine

struct AvroBlocks: RecordCuts {
    /// O(blocks).
    func parts(
        of range: Range<Int64>, in file: TextFile, byteCount: Int64
    ) throws(ConnectorError) -> [FilePart] {
        var parts: [FilePart] = []
        var start = range.lowerBound
        var position = start
        while position < range.upperBound {
            position = try blockEnd(file, at: position, before: range.upperBound) ?? range.upperBound
            if position - start >= byteCount || position >= range.upperBound {
                parts.append(FilePart(range: start..<position, isFramed: true))
                start = position
            }
        }
        return parts
    }

    /// O(blocks).
    func parts(
        ofFile file: TextFile, _ range: Range<Int64>, byteCount: Int64
    ) throws(ConnectorError) -> [FilePart] {
        guard let header = try AvroContainerHeader.read(file.file, file.path) else { return [] }
        return try PlainAvroBlocks(file, header, end: range.upperBound).parts(byteCount: byteCount)
    }

    /// O(blocks).
    func end(
        near offset: Int64, in file: TextFile, _ range: Range<Int64>, isWhole: Bool
    ) throws(ConnectorError) -> Int64? {
        var last = range.lowerBound
        while last < offset || last == range.lowerBound {
            guard let next = try blockEnd(file, at: last, before: range.upperBound) else { break }
            if next > offset, last > range.lowerBound { break }
            last = next
        }
        return last > range.lowerBound ? last : nil
    }

    /// Behind the block that starts at a place; nil where that does not show.
    private func blockEnd(
        _ file: TextFile, at start: Int64, before limit: Int64
    ) throws(ConnectorError) -> Int64? {
        let header = Int64(AvroBlock.headerByteCount)
        guard start + header <= limit else { return nil }
        var head = ByteBuffer()
        try file.append(start..<start + header, to: &head)
        let byteCount = unsafe UInt32(littleEndian: head.bytes.loadUnaligned(fromByteOffset: 12, as: UInt32.self))
        let end = start + header + Int64(byteCount) + 1
        return end <= limit ? end : nil
    }

    /// Makes each block of a chunk a record, whose offset is its place in the file.
    static func frame(_ chunk: inout InputChunk) {
        chunk.isFramed = true
        var position = 0
        while position + AvroBlock.headerByteCount < chunk.text.count {
            let bytes = unsafe chunk.text.bytes
            let offset = unsafe UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self))
            let byteCount = unsafe UInt32(
                littleEndian: bytes.loadUnaligned(fromByteOffset: position + 12, as: UInt32.self))
            let end = position + AvroBlock.headerByteCount + Int(byteCount)
            chunk.records.append(
                InputRecord(
                    end: UInt32(end), isNull: false, offset: Int64(bitPattern: offset), timestampMillis: -1,
                    attributesStart: 0))
            position = end + 1
        }
    }
}
