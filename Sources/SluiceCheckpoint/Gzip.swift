// One gzip member per call, through libdeflate. A member is a complete gzip file; a file of several members is one too,
// and gzip prints their contents one after another.

internal import CDeflate
internal import SluiceEngine
internal import Synchronization

/// Compressors, kept for reuse: each holds some hundred KiB of tables and may be used by one thread at a time.
final class Compressors: Sendable {
    private let idle = Mutex<[Compressor]>([])

    /// Appends `bytes` as one gzip member. Returns the member's byte count. Memory that is short ends the
    /// process.
    func append(_ bytes: UnsafeRawBufferPointer, to output: OutputBytes) -> Int {
        let compressor = idle.withLock { $0.popLast() } ?? Compressor()
        defer { idle.withLock { $0.append(compressor) } }
        return unsafe compressor.append(bytes, to: output)
    }
}

@safe private final class Compressor: @unchecked Sendable {
    // @unchecked: `Compressors` gives it to one thread at a time.
    private let handle: OpaquePointer

    init() {
        guard let handle = unsafe libdeflate_alloc_compressor(1) else { fatalError("out of memory for a compressor") }
        unsafe self.handle = handle
    }

    deinit { unsafe libdeflate_free_compressor(handle) }

    func append(_ bytes: UnsafeRawBufferPointer, to output: OutputBytes) -> Int {
        let bound = unsafe libdeflate_gzip_compress_bound(handle, bytes.count)
        output.buffer.reserve(bound)
        let member = unsafe output.buffer.base + output.buffer.count
        let count = unsafe libdeflate_gzip_compress(handle, bytes.baseAddress, bytes.count, member, bound)
        precondition(count >= gzipHeader.count + 8, "libdeflate did not keep within its own bound")
        for (index, byte) in gzipHeader.enumerated() {
            unsafe member.storeBytes(of: byte, toByteOffset: index, as: UInt8.self)
        }
        output.buffer.advance(by: count)
        return count
    }
}

/// The ten bytes every member of ours begins with: no name, no time, unknown system. The checksum at a member's end
/// does not cover them, so readers compare.
private let gzipHeader: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF]

/// Unpacks the first gzip member of `member`. Returns how many bytes it has, compressed and not, or nil when it is
/// damaged, not whole, or unpacks to more than `output` has room for.
func decompressMember(
    _ member: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
) -> (byteCount: Int, rawByteCount: Int)? {
    guard member.count > gzipHeader.count, unsafe gzipHeader.elementsEqual(member.prefix(gzipHeader.count))
    else { return nil }
    guard let handle = unsafe libdeflate_alloc_decompressor() else { fatalError("out of memory for a decompressor") }
    defer { unsafe libdeflate_free_decompressor(handle) }
    var used = 0
    var produced = 0
    let result = unsafe libdeflate_gzip_decompress_ex(
        handle, member.baseAddress, member.count, output.baseAddress, output.count, &used, &produced)
    return result == LIBDEFLATE_SUCCESS ? (used, produced) : nil
}

/// The checksum (CRC-32) of what a whole gzip member unpacks to, from its last eight bytes.
func memberChecksum(_ member: some Collection<UInt8>) -> UInt32 {
    member.suffix(8).prefix(4).reversed().reduce(0) { $0 << 8 | UInt32($1) }
}
