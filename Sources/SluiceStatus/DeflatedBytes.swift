// What a process keeps in memory and hardly ever looks at takes less of it packed, through libdeflate.

internal import CDeflate

/// Bytes that are kept in memory, compressed; nothing of this is ever on a disk.
struct DeflatedBytes: Sendable {
    private let deflated: [UInt8]
    private let byteCount: Int

    init(_ bytes: [UInt8]) {
        guard let handle = unsafe libdeflate_alloc_compressor(1) else { fatalError("out of memory for a compressor") }
        defer { unsafe libdeflate_free_compressor(handle) }
        byteCount = bytes.count
        let bound = unsafe libdeflate_deflate_compress_bound(handle, bytes.count)
        deflated = unsafe [UInt8](unsafeUninitializedCapacity: bound) { buffer, count in
            unsafe count = libdeflate_deflate_compress(handle, bytes, bytes.count, buffer.baseAddress, bound)
        }
        precondition(!deflated.isEmpty, "libdeflate did not keep within its own bound")
    }

    var inflated: [UInt8] {
        guard let handle = unsafe libdeflate_alloc_decompressor() else { fatalError("out of memory") }
        defer { unsafe libdeflate_free_decompressor(handle) }
        return unsafe [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
            let result = unsafe libdeflate_deflate_decompress(
                handle, deflated, deflated.count, buffer.baseAddress, byteCount, nil)
            precondition(result == LIBDEFLATE_SUCCESS, "memory has changed under us")
            count = byteCount
        }
    }
}
