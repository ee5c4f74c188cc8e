// One gzip member, written as a stream: a batch's output may be larger than the memory.

internal import CZlib
internal import SluiceEngine

/// Compresses one file, from its first byte to its last.
@safe final class GzipCompressor {
    private let stream: UnsafeMutablePointer<z_stream>
    private var block = ByteBuffer(capacity: blockByteCount)

    private static let blockByteCount = 1 << 18

    /// Memory that is short ends the process, as everywhere.
    init() {
        unsafe stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        // The fastest level: of rows as JSON it makes files a fifth larger than the usual one, in less than half the
        // time, which is about what the rest of the engine takes. The largest window, and 16 for a gzip header.
        let code = unsafe deflateInit2_(
            stream, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size))
        guard code == Z_OK else { fatalError("zlib cannot begin to pack: \(code)") }
    }

    deinit {
        unsafe deflateEnd(stream)
        unsafe stream.deallocate()
    }

    /// Calls `write` with what is ready to be written, which need not be anything.
    func add<Failure: Error>(
        _ bytes: UnsafeRawBufferPointer, write: (UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        // zlib counts in 32 bits.
        var rest = unsafe bytes[...]
        while unsafe !rest.isEmpty {
            let part = unsafe rest.prefix(1 << 30)
            unsafe rest = unsafe rest.dropFirst(part.count)
            unsafe try deflate(UnsafeRawBufferPointer(rebasing: part), Z_NO_FLUSH, write)
        }
    }

    /// Calls `write` with the end. Nothing is added afterwards.
    func finish<Failure: Error>(write: (UnsafeRawBufferPointer) throws(Failure) -> Void) throws(Failure) {
        unsafe try deflate(UnsafeRawBufferPointer(start: nil, count: 0), Z_FINISH, write)
        if block.count > 0 { unsafe try write(block.bytes) }
    }

    private func deflate<Failure: Error>(
        _ bytes: UnsafeRawBufferPointer, _ flush: Int32, _ write: (UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        // zlib does not write to its input; its field is older than C's `const`.
        let next = unsafe UnsafeMutableRawPointer(mutating: bytes.baseAddress)
        unsafe stream.pointee.next_in = unsafe next?.assumingMemoryBound(to: Bytef.self)
        unsafe stream.pointee.avail_in = uInt(bytes.count)
        while true {
            let room = Self.blockByteCount - block.count
            let end = unsafe (block.base + block.count).assumingMemoryBound(to: Bytef.self)
            unsafe stream.pointee.next_out = unsafe end
            unsafe stream.pointee.avail_out = uInt(room)
            let code = unsafe CZlib.deflate(stream, flush)
            precondition(
                code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR, "zlib has lost its stream: \(code)")
            block.advance(by: room - Int(unsafe stream.pointee.avail_out))
            // Room that is left shows that zlib has no more to give.
            if block.count < Self.blockByteCount { return }
            unsafe try write(block.bytes)
            block.removeAll()
        }
    }
}
