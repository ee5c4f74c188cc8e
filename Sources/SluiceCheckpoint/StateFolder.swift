// Reading and writing the files in state/. Compressing and unpacking is spread over threads by shard.

package import SluiceEngine
internal import Glibc
internal import SluiceSpec
internal import SluiceSystem
internal import Synchronization

/// What one batch changed in one shard of a stage. The bytes are borrowed: they stay as they are until the call that
/// takes the payload has returned.
@safe package struct ShardPayload: @unchecked Sendable {
    // @unchecked: read-only memory, whose life the caller guarantees.
    package let shard: Int
    package let bytes: UnsafeRawBufferPointer

    package init(shard: Int, bytes: UnsafeRawBufferPointer) {
        self.shard = shard
        unsafe self.bytes = bytes
    }
}

/// What one batch changed in one stage.
package struct StageChange: Sendable {
    /// `PhysicalPlan.stageNames`.
    package var stage: String
    /// In ascending shard order.
    package var payloads: [ShardPayload]
    /// Per side, the latest join time of any row in the payloads and of any row that their marks speak of, `Int64.min`
    /// for none.
    package var lastJoinTimeMicros: [Int64]
    /// Per side, as in the commit to come.
    package var evictedThroughMicros: [Int64]

    package init(
        stage: String, payloads: [ShardPayload], lastJoinTimeMicros: [Int64], evictedThroughMicros: [Int64]
    ) {
        self.stage = stage
        self.payloads = payloads
        self.lastJoinTimeMicros = lastJoinTimeMicros
        self.evictedThroughMicros = evictedThroughMicros
    }
}

/// Below so many bytes handing shards to other threads costs more than it saves.
private let serialByteCount = 64 * 1024
/// A header of the largest number of shards takes less.
private let maxHeaderByteCount = 8 * 1024 * 1024
/// The headers met in practice take less, compressed.
private let headerProbeByteCount = 4096

struct StateFolder: Sendable {
    let path: String
    let fileSystem: any FileSystem
    private let compressors = Compressors()

    init(path: String, fileSystem: any FileSystem) {
        self.path = path
        self.fileSystem = fileSystem
    }

    func path(of name: StateFileName) -> String { "\(path)/\(name)" }

    // MARK: Writing

    /// Writes a file; durable only after it and the folder are synced. `header.stages` is filled in from `changes`;
    /// empty payloads, and stages without others, are left out.
    func write(
        _ header: StateHeader, _ changes: [StageChange], to fileName: String, parallel: ParallelFor
    ) throws(CheckpointError) -> StateFile {
        var header = header
        var payloads: [ShardPayload] = []
        for change in changes {
            let own = change.payloads.filter { unsafe $0.bytes.count > 0 }
            precondition(zip(own, own.dropFirst()).allSatisfy { $0.shard < $1.shard }, "shards out of order")
            if own.isEmpty { continue }
            payloads += own
            header.stages.append(
                StateSection(
                    stage: change.stage, lastJoinTimeMicros: change.lastJoinTimeMicros,
                    evictedThroughMicros: change.evictedThroughMicros))
        }
        let (all, members) = (payloads, payloads.map { _ in OutputBytes() })
        let rawByteCount = payloads.reduce(0) { unsafe $0 + $1.bytes.count }
        let run = rawByteCount < serialByteCount ? inline : parallel
        run(payloads.count) { index in
            _ = unsafe compressors.append(all[index].bytes, to: members[index])
        }
        var next = 0
        for index in header.stages.indices {
            let count =
                changes.first { $0.stage == header.stages[index].stage }?.payloads.count {
                    unsafe $0.bytes.count > 0
                } ?? 0
            header.stages[index].shards = (next..<next + count).map { position in
                unsafe StateShard(
                    payloads[position].shard, members[position], rawByteCount: payloads[position].bytes.count)
            }
            next += count
        }
        return try write(header, members: members, to: fileName)
    }

    /// Writes a file whose payloads are compressed already.
    func write(
        _ header: StateHeader, members: [OutputBytes], to fileName: String
    ) throws(CheckpointError) -> StateFile {
        let headerMember = OutputBytes()
        let text = header.json.text()
        let headerByteCount = unsafe text.withUnsafeBytes { unsafe compressors.append($0, to: headerMember) }
        let parts = unsafe [headerMember.buffer.bytes] + members.map { unsafe $0.buffer.bytes }
        defer { withExtendedLifetime((headerMember, members)) {} }
        do {
            unsafe try fileSystem.write("\(path)/\(fileName)", parts)
        } catch { throw .file(error) }
        return StateFile(header: header, headerByteCount: headerByteCount, headerChecksum: crc32(text))
    }

    /// Compresses bytes as the member of a file to be written. Thread-safe.
    func compress(_ bytes: UnsafeRawBufferPointer) -> OutputBytes {
        let member = OutputBytes()
        _ = unsafe compressors.append(bytes, to: member)
        return member
    }

    /// What the first gzip member of some bytes unpacks to, and what stands behind it; nil where there is none.
    func firstMember(of bytes: ArraySlice<UInt8>, maxByteCount: Int) -> (bytes: [UInt8], rest: ArraySlice<UInt8>)? {
        let unpacked = unsafe bytes.withUnsafeBytes { unsafe decompress($0, maxByteCount: maxByteCount) }
        return unpacked.map { ($0.bytes, bytes.dropFirst($0.byteCount)) }
    }

    /// Compresses one payload as the member of a file to be written. Thread-safe.
    func compress(_ payload: [UInt8]) -> OutputBytes {
        let member = OutputBytes()
        _ = unsafe payload.withUnsafeBytes { unsafe compressors.append($0, to: member) }
        return member
    }

    // MARK: Reading

    /// Reads the header alone: a few KiB of a file of any size.
    func readHeader(_ name: StateFileName) throws(FileError) -> Checked<StateFile> {
        let file = try fileSystem.open(path(of: name))
        let byteCount = try file.info().byteCount
        var probe = headerProbeByteCount
        while true {
            let start = try read(file, at: 0, byteCount: min(probe, Int(clamping: byteCount)))
            let text = unsafe start.withUnsafeBytes { unsafe decompress($0, maxByteCount: maxHeaderByteCount) }
            if let text { return checkHeader(text.bytes, text.byteCount, name, fileByteCount: byteCount) }
            guard probe < maxHeaderByteCount, probe < byteCount else { break }
            probe = maxHeaderByteCount
        }
        return .damaged(reason: "it does not begin with a readable header")
    }

    private func checkHeader(
        _ text: [UInt8], _ headerByteCount: Int, _ name: StateFileName, fileByteCount: Int64
    ) -> Checked<StateFile> {
        do {
            let json = try JSONValue(text: text[...])
            let format = try json.integer("format")
            if format > checkpointFormat { return .futureFormat(format) }
            let file = StateFile(
                header: try StateHeader(json: json, name: name), headerByteCount: headerByteCount,
                headerChecksum: crc32(text))
            guard file.byteCount == fileByteCount else {
                return .damaged(reason: "it has \(fileByteCount) bytes, and should have \(file.byteCount)")
            }
            return .valid(file)
        } catch { return .damaged(reason: error.description) }
    }

    /// Reads and unpacks the `index`-th payload of `file`. Thread-safe.
    func readPayload(
        _ index: Int, of file: StateFile, from open: any ReadableFile
    ) throws(CheckpointError) -> [UInt8] {
        let parts = file.header.parts
        let shard = parts[index].shard
        let offset = parts[..<index].reduce(Int64(file.headerByteCount)) { $0 + Int64($1.shard.byteCount) }
        let member: [UInt8]
        do { member = try read(open, at: offset, byteCount: shard.byteCount) } catch { throw .file(error) }
        let payload = unsafe member.withUnsafeBytes { unsafe decompress($0, maxByteCount: shard.rawByteCount) }
        // Unpacking has held the payload against the member's own checksum.
        guard let payload, payload.byteCount == shard.byteCount, payload.bytes.count == shard.rawByteCount,
            shard.checksum == nil || shard.checksum == memberChecksum(member)
        else {
            throw .corrupt(
                path: path(of: file.name), reason: "the part of shard \(shard.shard) does not match its checksum")
        }
        return payload.bytes
    }

    private func read(_ file: any ReadableFile, at offset: Int64, byteCount: Int) throws(FileError) -> [UInt8] {
        var failure: FileError?
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
            do throws(FileError) {
                count = unsafe try file.read(at: offset, into: UnsafeMutableRawBufferPointer(buffer))
            } catch { failure = error }
        }
        if let failure { throw failure }
        return bytes
    }

    private func decompress(
        _ member: UnsafeRawBufferPointer, maxByteCount: Int
    ) -> (bytes: [UInt8], byteCount: Int)? {
        var memberByteCount: Int?
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: maxByteCount) { buffer, count in
            let result = unsafe decompressMember(member, into: UnsafeMutableRawBufferPointer(buffer))
            count = result?.rawByteCount ?? 0
            memberByteCount = result?.byteCount
        }
        return memberByteCount.map { (bytes, $0) }
    }
}

extension StateShard {
    init(_ shard: Int, _ member: OutputBytes, rawByteCount: Int) {
        self.init(
            shard: shard, byteCount: member.buffer.count, rawByteCount: rawByteCount,
            checksum: unsafe memberChecksum(member.buffer.bytes))
    }
}

/// A `ParallelFor` that uses the caller's thread alone.
package let inline: ParallelFor = { count, body in for index in 0..<count { body(index) } }

/// Runs `body` for each index below `count` through `parallel`. Throws the failure of the lowest index that failed;
/// indexes behind a failure may be left out.
func parallelThrowing(
    _ count: Int, _ parallel: ParallelFor, _ body: @escaping @Sendable (Int) throws(CheckpointError) -> Void
) throws(CheckpointError) {
    let failure = Mutex<(index: Int, error: CheckpointError)?>(nil)
    parallel(count) { index in
        if failure.withLock({ $0 != nil && $0!.index < index }) { return }
        do throws(CheckpointError) {
            try body(index)
        } catch {
            failure.withLock { failure in
                if failure == nil || index < failure!.index { failure = (index, error) }
            }
        }
    }
    if let failure = failure.withLock({ $0 }) { throw failure.error }
}
