// The blocks of a container file, one after another, as `AvroContainer.swift` shows them.

internal import CSnappy
internal import CZlib
internal import CZstd
internal import Glibc
internal import SluiceEngine
internal import SluiceSpec

@safe final class AvroContainerStream {
    private enum State {
        case header
        case blockStart
        /// Of packed data, at an offset in the file.
        case block(count: UInt32, byteCount: Int, offset: UInt64)
    }

    private var state = State.header
    private var codec = AvroCodec.null
    private var marker: [UInt8] = []
    /// What was taken in and not used; `used` bytes of it are done with.
    private var input = ByteBuffer()
    private var used = 0
    /// Of the file, up to `used`.
    private var offset: UInt64 = 0
    /// An unpacked block, `given` bytes of which are out.
    private var output = ByteBuffer()
    private var given = 0
    private lazy var unpacker = AvroUnpacker()

    private static let markerByteCount = AvroBlockHead.markerByteCount

    /// As `Decompressor.step`.
    func step(
        _ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer
    ) throws(ArchiveDamage) -> Decompressor.Step {
        var step = Decompressor.Step(consumedByteCount: 0, producedByteCount: 0, isComplete: false)
        while true {
            step.producedByteCount += unsafe give(
                UnsafeMutableRawBufferPointer(rebasing: target[step.producedByteCount...]))
            if given < output.count { return step }
            let rest = unsafe UnsafeRawBufferPointer(rebasing: source[step.consumedByteCount...])
            let wanted = wantedByteCount
            if wanted > 0 {
                // What stands behind a block is taken with the next one.
                let taken = min(wanted, rest.count)
                unsafe input.append(UnsafeRawBufferPointer(rebasing: rest[..<taken]))
                step.consumedByteCount += taken
                if taken == 0, try !advance() {
                    if case .blockStart = state { step.isComplete = used == input.count }
                    return step
                }
                if taken == 0 { continue }
            }
            _ = try advance()
        }
    }

    private func give(_ target: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(target.count, output.count - given)
        guard count > 0 else { return 0 }
        unsafe target.copyMemory(
            from: UnsafeRawBufferPointer(rebasing: output.bytes[given..<given + count]))
        given += count
        return count
    }

    /// How many bytes more the next step should see.
    private var wantedByteCount: Int {
        let held = input.count - used
        return switch state {
        // Twice as much each time, so that looking again does not add up.
        case .header: max(4096, held)
        // Two numbers of up to ten bytes; what there is may be enough.
        case .blockStart: max(0, AvroBlockHead.headByteCountMax - held)
        case .block(_, let byteCount, _): max(0, byteCount + Self.markerByteCount - held)
        }
    }

    /// Does what can be done with what was taken in; false when that is nothing.
    private func advance() throws(ArchiveDamage) -> Bool {
        let held = unsafe UnsafeRawBufferPointer(rebasing: input.bytes[used...])
        switch state {
        case .header:
            guard let header = unsafe try AvroContainerHeader(Array(held)) else { return false }
            codec = header.codec
            marker = header.marker
            use(header.byteCount)
            state = .blockStart
        case .blockStart:
            guard let block = unsafe try AvroBlockHead(held, at: 0, start: Int64(offset)) else { return false }
            let start = offset
            use(block.headByteCount)
            state = .block(count: block.count, byteCount: block.byteCount, offset: start)
        case .block(let count, let byteCount, let start):
            guard held.count >= byteCount + Self.markerByteCount else { return false }
            let isMarked = unsafe held[byteCount..<byteCount + Self.markerByteCount].elementsEqual(marker)
            guard isMarked else { throw damage(start, "the marker behind it is not the file's") }
            let packed = unsafe UnsafeRawBufferPointer(rebasing: held[..<byteCount])
            if count > 0 { unsafe try unpack(packed, count, start) }
            use(byteCount + Self.markerByteCount)
            state = .blockStart
        }
        return true
    }

    private func use(_ byteCount: Int) {
        used += byteCount
        offset += UInt64(byteCount)
        if used == input.count {
            input.recycle()
            used = 0
        } else if used > 1 << 20 {
            input.removeFirst(used)
            used = 0
        }
    }

    private func damage(_ offset: UInt64, _ reason: String) -> ArchiveDamage {
        AvroBlockHead.damage(Int64(offset), reason)
    }

    // MARK: - Blocks

    private func unpack(
        _ packed: UnsafeRawBufferPointer, _ count: UInt32, _ start: UInt64
    ) throws(ArchiveDamage) {
        output.recycle()
        given = 0
        output.reserve(AvroBlock.headerByteCount + packed.count + 1)
        output.advance(by: AvroBlock.headerByteCount)
        do throws(ArchiveDamage) {
            switch codec {
            case .null: unsafe output.append(packed)
            case .deflate: unsafe try unpacker.inflate(packed, into: &output)
            case .zstandard: unsafe try unpacker.decompressZstandard(packed, into: &output)
            case .snappy: unsafe try unpackSnappy(packed, into: &output)
            }
        } catch { throw damage(start, "\(codec.rawValue): \(error.reason)") }
        let byteCount = output.count - AvroBlock.headerByteCount
        unsafe output.base.storeBytes(of: start.littleEndian, as: UInt64.self)
        unsafe output.base.storeBytes(of: count.littleEndian, toByteOffset: 8, as: UInt32.self)
        unsafe output.base.storeBytes(of: UInt32(byteCount).littleEndian, toByteOffset: 12, as: UInt32.self)
        output.append(newline)
    }
}

private let tooLargeBlock = ArchiveDamage(
    reason: "it unpacks to more than \(AvroBlockHead.byteCountMax >> 20) MiB")

/// Unpacks whole blocks; the libraries' states are used again.
@safe private final class AvroUnpacker {
    private let zlib: UnsafeMutablePointer<z_stream>
    private let zstd: OpaquePointer

    /// Memory that is short ends the process, as everywhere.
    init() {
        unsafe zlib = .allocate(capacity: 1)
        unsafe zlib.initialize(to: z_stream())
        // Without zlib's own header and trailer.
        let code = unsafe inflateInit2_(zlib, -15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        guard code == Z_OK else { fatalError("zlib cannot begin to unpack: \(code)") }
        guard let stream = unsafe ZSTD_createDStream() else { fatalError("out of memory for zstd") }
        unsafe zstd = unsafe stream
    }

    deinit {
        unsafe inflateEnd(zlib)
        unsafe zlib.deallocate()
        unsafe _ = ZSTD_freeDStream(zstd)
    }

    /// Room for more of a block; throws when it has had enough.
    private func grow(_ output: inout ByteBuffer) throws(ArchiveDamage) -> Int {
        guard output.count <= AvroBlockHead.byteCountMax + AvroBlock.headerByteCount else {
            throw tooLargeBlock
        }
        let room = max(1 << 14, output.count)
        output.reserve(room)
        return room
    }

    func inflate(_ packed: UnsafeRawBufferPointer, into output: inout ByteBuffer) throws(ArchiveDamage) {
        unsafe inflateReset(zlib)
        let next = unsafe UnsafeMutableRawPointer(mutating: packed.baseAddress)
        unsafe zlib.pointee.next_in = unsafe next?.assumingMemoryBound(to: Bytef.self)
        unsafe zlib.pointee.avail_in = uInt(packed.count)
        while true {
            let room = try grow(&output)
            let place = unsafe output.base + output.count
            unsafe zlib.pointee.next_out = unsafe place.assumingMemoryBound(to: Bytef.self)
            unsafe zlib.pointee.avail_out = uInt(room)
            let code = unsafe CZlib.inflate(zlib, Z_NO_FLUSH)
            output.advance(by: unsafe room - Int(zlib.pointee.avail_out))
            switch code {
            case Z_STREAM_END:
                // Some programs leave a part of zlib's own trailer behind the data.
                if output.count > AvroBlockHead.byteCountMax + AvroBlock.headerByteCount {
                    throw tooLargeBlock
                }
                return
            case Z_OK where unsafe zlib.pointee.avail_out == 0: continue
            case Z_OK, Z_BUF_ERROR: throw ArchiveDamage(reason: "its data are cut off")
            case Z_MEM_ERROR: fatalError("out of memory for zlib")
            default:
                let message = unsafe zlib.pointee.msg.map { unsafe String(cString: $0) }
                throw ArchiveDamage(reason: message ?? "error \(code)")
            }
        }
    }

    func decompressZstandard(
        _ packed: UnsafeRawBufferPointer, into output: inout ByteBuffer
    ) throws(ArchiveDamage) {
        unsafe _ = ZSTD_DCtx_reset(zstd, ZSTD_reset_session_only)
        var source = unsafe ZSTD_inBuffer(src: packed.baseAddress, size: packed.count, pos: 0)
        while true {
            let room = try grow(&output)
            var target = unsafe ZSTD_outBuffer(dst: output.base + output.count, size: room, pos: 0)
            let code = unsafe ZSTD_decompressStream(zstd, &target, &source)
            if ZSTD_isError(code) != 0 {
                throw ArchiveDamage(reason: unsafe String(cString: ZSTD_getErrorName(code)))
            }
            output.advance(by: unsafe target.pos)
            if unsafe target.pos == room { continue }
            guard code == 0, unsafe source.pos == packed.count else {
                // Another frame may follow.
                if code == 0 { continue }
                throw ArchiveDamage(reason: "its data are cut off")
            }
            if output.count > AvroBlockHead.byteCountMax + AvroBlock.headerByteCount {
                throw tooLargeBlock
            }
            return
        }
    }
}

/// Four bytes of check sum of what is unpacked follow, the highest first.
private func unpackSnappy(
    _ packed: UnsafeRawBufferPointer, into output: inout ByteBuffer
) throws(ArchiveDamage) {
    guard packed.count > 4, let base = packed.baseAddress else {
        throw ArchiveDamage(reason: "it is too short for a check sum")
    }
    let count = packed.count - 4
    let data = unsafe base.assumingMemoryBound(to: CChar.self)
    var byteCount = 0
    guard unsafe snappy_uncompressed_length(data, count, &byteCount) == SNAPPY_OK else {
        throw ArchiveDamage(reason: "its data do not begin as they should")
    }
    guard byteCount <= AvroBlockHead.byteCountMax else { throw tooLargeBlock }
    output.reserve(byteCount + 1)
    let place = unsafe output.base + output.count
    let code = unsafe snappy_uncompress(data, count, place.assumingMemoryBound(to: CChar.self), &byteCount)
    guard code == SNAPPY_OK else { throw ArchiveDamage(reason: "its data are damaged") }
    output.advance(by: byteCount)
    let expected = unsafe UInt32(bigEndian: base.loadUnaligned(fromByteOffset: count, as: UInt32.self))
    let sum = unsafe checkSum(UnsafeRawBufferPointer(start: place, count: byteCount), seed: 0)
    guard sum == expected else {
        throw ArchiveDamage(reason: "its check sum is not that of its data")
    }
}
