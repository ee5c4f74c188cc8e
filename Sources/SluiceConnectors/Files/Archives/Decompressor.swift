// gzip and zstd as streams: some bytes in, some bytes out, never more in memory than a window. Both formats allow one
// file to follow another in the same file (members, frames), which reads as one text. Containers of Avro are unpacked
// the same way, a block at a time.

internal import CZlib
internal import CZstd
internal import SluiceSpec
internal import SluiceSystem

/// How a file that can be read is compressed.
enum Compression: Hashable, Sendable {
    case gzip
    case zstd
    /// A container file of Avro: its text are its blocks, see `AvroContainerStream`.
    case avro

    /// By the first bytes; nil for what is not compressed in a way that is read.
    init?(_ head: some Collection<UInt8>) {
        if head.starts(with: [0x1F, 0x8B]) {
            self = .gzip
        } else if head.starts(with: [0x28, 0xB5, 0x2F, 0xFD]) {
            self = .zstd
        } else if let first = head.first, first & 0xF0 == 0x50, head.dropFirst().starts(with: [0x2A, 0x4D, 0x18]) {
            // A frame to be skipped, which some programs begin a file with.
            self = .zstd
        } else if head.starts(with: AvroContainerHeader.magic) {
            self = .avro
        } else {
            return nil
        }
    }

    /// Of a file; nil also for a container whose blocks are not packed, which is read as it is. What is damaged is
    /// said when it is read.
    init?(of file: any ReadableFile, _ head: [UInt8]) throws(FileError) {
        self.init(head)
        if self == .avro, case .success(let header?) = try AvroContainerHeader.read(file), header.codec == .null {
            return nil
        }
    }

    var name: String {
        switch self {
        case .gzip: "gzip"
        case .zstd: "zstd"
        case .avro: "Avro"
        }
    }
}

/// Why compressed bytes cannot be unpacked, in the library's words.
struct ArchiveDamage: Error, Hashable {
    var reason: String
}

/// The state of one stream.
@safe final class Decompressor {
    /// What one call has done.
    struct Step {
        var consumedByteCount: Int
        var producedByteCount: Int
        /// True when the input may end here: a member or frame is complete, and none has begun.
        var isComplete: Bool
    }

    @safe private enum Library {
        case zlib(UnsafeMutablePointer<z_stream>)
        case zstd(OpaquePointer)
        case avro(AvroContainerStream)
    }

    private let library: Library
    private var isComplete = true

    /// Memory that is short ends the process, as everywhere.
    init(_ compression: Compression) {
        switch compression {
        case .gzip:
            let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
            unsafe stream.initialize(to: z_stream())
            // The largest window, and 16 for a gzip header and trailer.
            let code = unsafe inflateInit2_(stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
            guard code == Z_OK else { fatalError("zlib cannot begin to unpack: \(code)") }
            library = unsafe .zlib(stream)
        case .zstd:
            guard let stream = unsafe ZSTD_createDStream() else { fatalError("out of memory for zstd") }
            library = unsafe .zstd(stream)
        case .avro: library = .avro(AvroContainerStream())
        }
    }

    deinit {
        switch library {
        case .zlib(let stream):
            unsafe inflateEnd(stream)
            unsafe stream.deallocate()
        case .zstd(let stream): unsafe _ = ZSTD_freeDStream(stream)
        case .avro: break
        }
    }

    /// Unpacks from `input` into `output` until one of them is used up, or a member or frame ends. Doing nothing means
    /// that more input is needed.
    func step(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(ArchiveDamage) -> Step {
        switch library {
        case .zlib(let stream): unsafe try inflate(stream, input, output)
        case .zstd(let stream): unsafe try decompress(stream, input, output)
        case .avro(let stream): unsafe try stream.step(input, into: output)
        }
    }

    private func inflate(
        _ stream: UnsafeMutablePointer<z_stream>, _ input: UnsafeRawBufferPointer,
        _ output: UnsafeMutableRawBufferPointer
    ) throws(ArchiveDamage) -> Step {
        // zlib does not write to its input; its field is older than C's `const`.
        let next = unsafe UnsafeMutableRawPointer(mutating: input.baseAddress)
        unsafe stream.pointee.next_in = unsafe next?.assumingMemoryBound(to: Bytef.self)
        unsafe stream.pointee.avail_in = uInt(input.count)
        unsafe stream.pointee.next_out = unsafe output.baseAddress?.assumingMemoryBound(to: Bytef.self)
        unsafe stream.pointee.avail_out = uInt(output.count)
        let code = unsafe CZlib.inflate(stream, Z_NO_FLUSH)
        var step = unsafe Step(
            consumedByteCount: input.count - Int(stream.pointee.avail_in),
            producedByteCount: output.count - Int(stream.pointee.avail_out), isComplete: false)
        switch code {
        case Z_STREAM_END:
            // Another member may follow.
            unsafe inflateReset(stream)
            isComplete = true
        case Z_OK, Z_BUF_ERROR:
            if step.consumedByteCount > 0 || step.producedByteCount > 0 { isComplete = false }
        case Z_MEM_ERROR: fatalError("out of memory for zlib")
        default:
            let message = unsafe stream.pointee.msg.map { unsafe String(cString: $0) }
            throw ArchiveDamage(reason: message ?? "error \(code)")
        }
        step.isComplete = isComplete
        return step
    }

    private func decompress(
        _ stream: OpaquePointer, _ input: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer
    ) throws(ArchiveDamage) -> Step {
        var source = unsafe ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
        var target = unsafe ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
        let code = unsafe ZSTD_decompressStream(stream, &target, &source)
        if ZSTD_isError(code) != 0 {
            throw ArchiveDamage(reason: unsafe String(cString: ZSTD_getErrorName(code)))
        }
        let (consumed, produced) = unsafe (source.pos, target.pos)
        if code == 0 {
            isComplete = true
        } else if consumed > 0 || produced > 0 {
            isComplete = false
        }
        return Step(consumedByteCount: consumed, producedByteCount: produced, isComplete: isComplete)
    }
}

extension Compression {
    /// The beginning of the text of a file that begins with `head`; empty where that is damaged.
    func unpackedHead(_ head: [UInt8], byteCountMax: Int) -> [UInt8] {
        let decompressor = Decompressor(self)
        return unsafe [UInt8](unsafeUninitializedCapacity: byteCountMax) { text, count in
            unsafe head.withUnsafeBytes { head in
                var consumed = 0
                while count < byteCountMax {
                    let step = unsafe try? decompressor.step(
                        UnsafeRawBufferPointer(rebasing: head[consumed...]),
                        into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(text)[count...]))
                    guard let step, step.consumedByteCount + step.producedByteCount > 0 else { return }
                    consumed += step.consumedByteCount
                    count += step.producedByteCount
                }
            }
        }
    }
}
