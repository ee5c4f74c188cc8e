// A batch's rows as a container file of Avro: the header, then blocks of about 64 KiB, each packed by itself, as the
// specification's own writers do it. A batch that is written again gives the same bytes, so the marker between blocks
// follows from the schema. Source: Apache Avro 1.12.0 Specification, "Object Container Files".

internal import CSnappy
internal import CZlib
internal import CZstd
internal import SluiceEngine
internal import SluiceSpec

/// One file. Used by one thread.
@safe final class AvroContainerWriter: FilePacker {
    private let schema: [UInt8]
    private let codec: AvroCodec
    private let marker: [UInt8]
    /// Rows of the block in hand, and how many.
    private var block = ByteBuffer()
    private var rowCount: Int64 = 0
    private var output = ByteBuffer()
    private var hasHeader = false

    private static let blockByteCount = 64 << 10

    init(schema: [UInt8], codec: AvroCodec) {
        self.schema = schema
        self.codec = codec
        marker = (0..<4).flatMap { seed in
            let sum = unsafe schema.withUnsafeBytes { unsafe checkSum($0, seed: UInt(seed)) }
            return bigEndianBytes(sum)
        }
    }

    func add(
        _ rows: OutputBytes, write: (UnsafeRawBufferPointer) throws(ConnectorError) -> Void
    ) throws(ConnectorError) {
        var start = 0
        let records = unsafe rows.outputRecords
        for index in records.indices {
            let record = unsafe records[index]
            let row = unsafe UnsafeRawBufferPointer(start: rows.buffer.base + start, count: record.end - start)
            unsafe block.append(row)
            rowCount += 1
            start = record.end + 1
            if block.count >= Self.blockByteCount { unsafe try writeBlock(write) }
        }
    }

    func finish(write: (UnsafeRawBufferPointer) throws(ConnectorError) -> Void) throws(ConnectorError) {
        if rowCount > 0 || !hasHeader { unsafe try writeBlock(write) }
    }

    private func writeBlock(
        _ write: (UnsafeRawBufferPointer) throws(ConnectorError) -> Void
    ) throws(ConnectorError) {
        output.removeAll()
        if !hasHeader { appendHeader() }
        hasHeader = true
        if rowCount > 0 {
            let packed = packed()
            append(rowCount)
            append(Int64(packed?.count ?? block.count))
            if let packed { output.append(contentsOf: packed) } else { unsafe output.append(block.bytes) }
            output.append(contentsOf: marker)
        }
        block.removeAll()
        rowCount = 0
        unsafe try write(output.bytes)
    }

    private func appendHeader() {
        output.append(contentsOf: AvroContainerHeader.magic)
        append(2)
        for (name, text) in [("avro.schema", schema), ("avro.codec", Array(codec.rawValue.utf8))] {
            append(Int64(name.utf8.count))
            output.append(contentsOf: Array(name.utf8))
            append(Int64(text.count))
            output.append(contentsOf: text)
        }
        output.append(0)
        output.append(contentsOf: marker)
    }

    private func append(_ value: Int64) { output.append(contentsOf: sevenBitBytes(zigzag(value))) }

    /// The block's bytes as the codec packs them; nil where it does not. Memory that is short ends the process.
    private func packed() -> [UInt8]? {
        switch codec {
        case .null: return nil
        case .deflate: return deflated()
        case .zstandard:
            return unsafe filled(ZSTD_compressBound(block.count)) { target in
                let count = unsafe ZSTD_compress(
                    target.baseAddress, target.count, block.bytes.baseAddress, block.count, ZSTD_CLEVEL_DEFAULT)
                guard ZSTD_isError(count) == 0 else { fatalError("zstd cannot pack a block") }
                return count
            }
        case .snappy:
            let bytes = unsafe filled(snappy_max_compressed_length(block.count)) { target in
                var count = target.count
                let code = unsafe snappy_compress(
                    block.base.assumingMemoryBound(to: CChar.self), block.count,
                    target.baseAddress?.assumingMemoryBound(to: CChar.self), &count)
                guard code == SNAPPY_OK else { fatalError("snappy cannot pack a block") }
                return count
            }
            let sum = unsafe checkSum(block.bytes, seed: 0)
            return bytes + bigEndianBytes(sum)
        }
    }

    /// Without zlib's own header and trailer.
    private func deflated() -> [UInt8] {
        var stream = unsafe z_stream()
        let code = unsafe deflateInit2_(
            &stream, Z_BEST_SPEED, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size))
        guard code == Z_OK else { fatalError("zlib cannot begin to pack: \(code)") }
        defer { unsafe _ = deflateEnd(&stream) }
        return unsafe filled(Int(deflateBound(&stream, uLong(block.count)))) { target in
            unsafe stream.next_in = unsafe block.base.assumingMemoryBound(to: Bytef.self)
            unsafe stream.avail_in = uInt(block.count)
            unsafe stream.next_out = unsafe target.baseAddress?.assumingMemoryBound(to: Bytef.self)
            unsafe stream.avail_out = uInt(target.count)
            guard unsafe deflate(&stream, Z_FINISH) == Z_STREAM_END else { fatalError("zlib cannot pack a block") }
            return unsafe target.count - Int(stream.avail_out)
        }
    }

    /// - Parameter fill: returns how many of the bytes it has filled.
    private func filled(_ byteCount: Int, fill: (UnsafeMutableRawBufferPointer) -> Int) -> [UInt8] {
        unsafe [UInt8](unsafeUninitializedCapacity: byteCount) { target, count in
            count = unsafe fill(UnsafeMutableRawBufferPointer(target))
        }
    }
}

private func bigEndianBytes(_ value: UInt32) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) }
}

/// CRC-32 as zlib computes it.
func checkSum(_ bytes: UnsafeRawBufferPointer, seed: UInt) -> UInt32 {
    let place = unsafe bytes.baseAddress?.assumingMemoryBound(to: Bytef.self)
    return UInt32(truncatingIfNeeded: unsafe crc32(seed, place, uInt(bytes.count)))
}
