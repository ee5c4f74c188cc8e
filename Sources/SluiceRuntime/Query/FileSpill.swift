// Output of one batch that does not fit into memory: segments, one behind the other, in a file of the checkpoint's
// folder. It is never waited for: after a crash the batch is run again, and the file begins anew.

internal import Glibc
internal import SluiceCheckpoint
internal import SluiceEngine
internal import SluiceSystem
internal import Synchronization

final class FileSpill: OutputSpill {
    private struct State {
        var byteCount: Int64 = 0
        var file: (any ReadableFile)?
    }

    private let path: String
    private let fileSystem: any FileSystem
    private let state = Mutex(State())

    /// Removes what an earlier process has left.
    init(folder: String, fileSystem: any FileSystem) throws(CheckpointError) {
        path = "\(folder)/\(FolderLayout.spill)"
        self.fileSystem = fileSystem
        do throws(FileError) {
            if try fileSystem.info(path) != nil { try fileSystem.remove(path) }
        } catch { throw .file(error) }
    }

    /// Forgets a batch's segments.
    func removeAll() throws(CheckpointError) {
        try state.withLock { state throws(CheckpointError) in
            if state.byteCount == 0 { return }
            state = State()
            do throws(FileError) { try fileSystem.remove(path) } catch { throw .file(error) }
        }
    }

    func append(_ segment: OutputBytes) throws(SpillError) -> SpilledSegment {
        try state.withLock { state throws(SpillError) in
            let spilled = SpilledSegment(
                offset: state.byteCount, textByteCount: segment.buffer.count,
                recordsByteCount: segment.records.count, keysByteCount: segment.keys.count)
            do throws(FileError) {
                let parts = unsafe [segment.buffer.bytes, segment.records.bytes, segment.keys.bytes]
                unsafe try fileSystem.append(path, parts)
            } catch { throw problem(error) }
            state.byteCount += Int64(segment.buffer.count + segment.records.count + segment.keys.count)
            return spilled
        }
    }

    func read(_ segment: SpilledSegment, into output: OutputBytes) throws(SpillError) {
        let file = try state.withLock { state throws(SpillError) in
            if let file = state.file { return file }
            do throws(FileError) {
                let file = try fileSystem.open(path)
                state.file = file
                return file
            } catch { throw problem(error) }
        }
        var offset = segment.offset
        do throws(FileError) {
            try read(segment.textByteCount, of: file, &offset, into: &output.buffer)
            try read(segment.recordsByteCount, of: file, &offset, into: &output.records)
            try read(segment.keysByteCount, of: file, &offset, into: &output.keys)
        } catch { throw problem(error) }
    }

    private func read(
        _ byteCount: Int, of file: any ReadableFile, _ offset: inout Int64, into buffer: inout ByteBuffer
    ) throws(FileError) {
        if byteCount == 0 { return }
        buffer.reserve(byteCount)
        let room = unsafe UnsafeMutableRawBufferPointer(start: buffer.base + buffer.count, count: byteCount)
        guard unsafe try file.read(at: offset, into: room) == byteCount else {
            throw FileError(operation: "read back", path: path, errno: EIO)
        }
        buffer.advance(by: byteCount)
        offset += Int64(byteCount)
    }

    private func problem(_ error: FileError) -> SpillError {
        let isFull = error.errno == ENOSPC || error.errno == EDQUOT
        return SpillError(
            description: "output of a batch that does not fit into memory cannot be kept in a file: \(error): "
                + (isFull ? "make room; the query goes on then" : "check the folder, its permissions and the disk"),
            isRetriable: true)
    }
}
