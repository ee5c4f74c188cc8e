// One file per batch: staged under a temporary name, made visible by a rename, so that readers of the folder never see
// half a batch and a replay replaces a file with its own content.
//
//     stage    .batch-0000000007.jsonl.tmp    written, synced, and its name synced
//     commit   batch-0000000007.jsonl         the rename
//     sync                                    the rename is durable
//
// With `compression: gzip` the names end in `.gz`. A batch that is written again under another name than before, since
// the format or the compression of the sink was changed, takes the place of the older file: no batch is there twice.
//
// The folder is this query's alone (FolderOwner.swift), and locked while it runs.
//
// The temporary name is durable before the batch enters the commit log. So when a crash forgets the rename, the bytes
// are still there under one of the two names, and `recover` finishes the job.

internal import Glibc
package import SluiceEngine
package import SluiceSpec
package import SluiceSystem

/// A sink that writes a file per batch into a folder.
package final class FileSink: Sink, @unchecked Sendable {
    // @unchecked: calls never overlap; `stage` may come from another thread while the query's thread waits for it.

    private let query: String
    private let folder: String
    private let fileExtension: String
    private let packing: Packing
    /// What every file begins with: a CSV header line, or nothing.
    private let header: OutputBytes
    private let fileSystem: any FileSystem
    /// Held while the query runs.
    private var lock: (any FolderLock)?
    /// Batches staged and not committed yet.
    private var staged: Set<Int64> = []
    private var hasUnsyncedNames = false
    /// Of batches that may be written again, files with other names than the sink gives now.
    private var formerFiles: [Int64: [String]] = [:]
    /// Committed batches whose bytes the system still holds in memory, oldest first.
    private var cached: [(path: String, byteCount: Int)] = []
    private var cachedByteCount = 0
    /// So much of the newest output stays in memory, for whoever reads it at once. What is older is given up: a query
    /// that writes for weeks must not push everything else out, and new memory costs more than that just given up.
    private static let cachedByteCountMax = 64 << 20
    private static let cachedFileCountMax = 256

    /// What becomes of a batch's rows in its file.
    package enum Packing: Sendable {
        case none
        case gzip
        /// A container file.
        case avro(schema: [UInt8], AvroCodec)
    }

    /// `fileExtension` without its dot, and without what says that files are compressed; `header` is a whole line with
    /// its newline, or empty.
    package init(
        query: String, folder: String, fileExtension: String, packing: Packing = .none, header: [UInt8],
        fileSystem: any FileSystem
    ) {
        self.query = query
        self.folder = folder
        var isCompressed = false
        if case .gzip = packing { isCompressed = true }
        self.fileExtension = fileExtension + (isCompressed ? ".gz" : "")
        self.packing = packing
        self.header = OutputBytes(header)
        self.fileSystem = fileSystem
    }

    package var description: String { "FileSink[\(folder)]" }

    package func recover(_ start: SinkStart) throws(ConnectorError) {
        (staged, formerFiles) = ([], [:])
        do throws(FileError) {
            try fileSystem.makeFolders(folder)
            lock = try fileSystem.lock(folder: folder, note: nil)
        } catch { throw ConnectorError(writing: error) }
        guard lock != nil else {
            throw ConnectorError(
                code: "sink-folder-in-use",
                "the folder \(folder) of a file sink is being written to by another query or process: give each query "
                    + "a folder of its own, or stop the other one", isRetriable: false)
        }
        let names: [String]
        do throws(FileError) { names = try fileSystem.list(folder) } catch { throw ConnectorError(writing: error) }
        if try takeOver(start, names) {
            do throws(FileError) {
                try finishCommits(names, lastCommitted: start.lastCommitted ?? -1)
            } catch { throw ConnectorError(writing: error) }
        }
        try sync()
    }

    /// Makes sure that the folder is this query's, and says so in it. True when what is staged in it is this query's.
    private func takeOver(_ start: SinkStart, _ names: [String]) throws(ConnectorError) -> Bool {
        let owner = FolderOwner(queryID: start.queryID, query: query, lives: start.lives)
        let found = try readMark()
        let claim = FolderClaim(start, owner: found, newest: names.compactMap { visibleBatch($0) }.max())
        if case .refused(let code, let reason) = claim {
            throw ConnectorError(
                code: code,
                "the folder \(folder) of a file sink is not this query's to write to: \(reason). Give the query a "
                    + "folder of its own, move the folder's batch files away, or put back the checkpoint that they "
                    + "belong to", isRetriable: false)
        }
        if found != owner { try write(owner) }
        return claim != .free
    }

    private func readMark() throws(ConnectorError) -> FolderOwner? {
        let path = path(FolderOwner.fileName)
        let text: [UInt8]
        do throws(FileError) {
            guard try fileSystem.info(path) != nil else { return nil }
            text = try fileSystem.readAll(path)
        } catch { throw ConnectorError(writing: error) }
        if let owner = FolderOwner(String(decoding: text, as: UTF8.self)) { return owner }
        throw ConnectorError(
            code: "sink-folder-mark",
            "\(path), which says whose the folder is, cannot be read: give the query a folder of its own, or remove "
                + "the file and the folder's batch files", isRetriable: false)
    }

    /// Under another name until it is whole.
    private func write(_ owner: FolderOwner) throws(ConnectorError) {
        let mark = path(FolderOwner.fileName)
        let bytes = OutputBytes(Array(owner.text.utf8))
        do throws(FileError) {
            unsafe try fileSystem.write(mark + ".tmp", [bytes.buffer.bytes])
            try fileSystem.sync(mark + ".tmp")
            try fileSystem.rename(mark + ".tmp", to: mark)
            try fileSystem.syncFolder(folder)
        } catch { throw ConnectorError(writing: error) }
    }

    /// Makes visible what was committed and not renamed any more, and removes what was staged and not committed.
    private func finishCommits(_ names: [String], lastCommitted: Int64) throws(FileError) {
        for name in names {
            guard let batch = batch(ofSink: name), batch > lastCommitted, name != fileName(batch) else { continue }
            formerFiles[batch, default: []].append(name)
        }
        for name in names where name.hasPrefix(".") && name.hasSuffix(Self.temporarySuffix) {
            // As the sink was when it staged it.
            let visibleName = String(name.dropFirst().dropLast(Self.temporarySuffix.count))
            guard let batch = batch(ofSink: visibleName) else { continue }
            if batch <= lastCommitted && !names.contains(where: { self.batch(ofSink: $0) == batch }) {
                try fileSystem.rename(path(name), to: path(visibleName))
            } else {
                try fileSystem.remove(path(name))
            }
            hasUnsyncedNames = true
        }
    }

    package func stage(_ batch: SinkBatch, parts: [OutputBytes], rowCount: Int) throws(ConnectorError) {
        guard rowCount > 0 else { return }
        forgetOldOutput()
        let temporary = path(temporaryName(batch.id))
        let byteCount = try write(parts, to: temporary)
        do throws(FileError) {
            try fileSystem.sync(temporary)
            try fileSystem.syncFolder(folder)
        } catch {
            throw ConnectorError(writing: error)
        }
        staged.insert(batch.id)
        cached.append((path(fileName(batch.id)), byteCount))
        cachedByteCount += byteCount
    }

    /// Returns how many bytes the file has.
    private func write(_ parts: [OutputBytes], to path: String) throws(ConnectorError) -> Int {
        switch packing {
        case .none: break
        case .gzip: return try pack(parts, to: path, GzipCompressor())
        case .avro(let schema, let codec):
            return try pack(parts, to: path, AvroContainerWriter(schema: schema, codec: codec))
        }
        let byteCount = parts.reduce(header.byteCount) { $0 + $1.byteCount }
        if parts.allSatisfy(\.spilled.isEmpty) {
            do throws(FileError) {
                // The parts keep their bytes alive while they are in the array.
                unsafe try fileSystem.write(path, ([header] + parts).map { unsafe $0.buffer.bytes })
            } catch { throw ConnectorError(writing: error) }
            return byteCount
        }
        do throws(FileError) {
            unsafe try fileSystem.write(path, [header.buffer.bytes])
        } catch { throw ConnectorError(writing: error) }
        for part in parts {
            try part.forEachSegment(
                { segment throws(ConnectorError) in
                    do throws(FileError) {
                        unsafe try fileSystem.append(path, [segment.buffer.bytes])
                    } catch { throw ConnectorError(writing: error) }
                }, unreadable: ConnectorError.init(unreadable:))
        }
        return byteCount
    }

    private func pack(
        _ parts: [OutputBytes], to path: String, _ packer: some FilePacker
    ) throws(ConnectorError) -> Int {
        var byteCount = 0
        func write(_ bytes: UnsafeRawBufferPointer) throws(ConnectorError) {
            do throws(FileError) {
                if byteCount == 0 {
                    unsafe try fileSystem.write(path, [bytes])
                } else {
                    unsafe try fileSystem.append(path, [bytes])
                }
            } catch { throw ConnectorError(writing: error) }
            byteCount += bytes.count
        }
        for part in [header] + parts {
            try part.forEachSegment(
                { segment throws(ConnectorError) in
                    unsafe try packer.add(segment) { bytes throws(ConnectorError) in unsafe try write(bytes) }
                },
                unreadable: ConnectorError.init(unreadable:))
        }
        unsafe try packer.finish { bytes throws(ConnectorError) in unsafe try write(bytes) }
        return byteCount
    }

    private func forgetOldOutput() {
        var count = 0
        while count < cached.count, cachedByteCount > Self.cachedByteCountMax + cached[count].byteCount {
            fileSystem.forget(cached[count].path)
            cachedByteCount -= cached[count].byteCount
            count += 1
        }
        // Many small files: the list of them must not grow with the number of batches.
        while cached.count - count > Self.cachedFileCountMax {
            cachedByteCount -= cached[count].byteCount
            count += 1
        }
        cached.removeFirst(count)
    }

    package func commit(batch: Int64) throws(ConnectorError) {
        guard staged.contains(batch) else { return }
        do throws(FileError) {
            if let former = formerFiles.removeValue(forKey: batch) {
                for name in former { try fileSystem.remove(path(name)) }
                // Before the new one is there: a crash must not bring back one beside the other.
                try fileSystem.syncFolder(folder)
            }
            try fileSystem.rename(path(temporaryName(batch)), to: path(fileName(batch)))
        } catch {
            throw ConnectorError(writing: error)
        }
        staged.remove(batch)
        hasUnsyncedNames = true
    }

    package func shows(batch: Int64) throws(ConnectorError) -> Bool {
        do throws(FileError) {
            if try fileSystem.info(path(fileName(batch))) != nil { return true }
            guard try fileSystem.info(folder) != nil else { return false }
            return try fileSystem.list(folder).contains { self.batch(ofSink: $0) == batch }
        } catch { throw ConnectorError(writing: error) }
    }

    package func sync() throws(ConnectorError) {
        guard hasUnsyncedNames else { return }
        do throws(FileError) { try fileSystem.syncFolder(folder) } catch { throw ConnectorError(writing: error) }
        hasUnsyncedNames = false
    }

    // MARK: - Names

    private func path(_ name: String) -> String { folder.hasSuffix("/") ? folder + name : folder + "/" + name }

    private func fileName(_ batch: Int64) -> String {
        BatchFileName(batch: batch, fileExtension: fileExtension).description
    }

    private static let temporarySuffix = ".tmp"

    private func temporaryName(_ batch: Int64) -> String { "." + fileName(batch) + Self.temporarySuffix }

    /// The batch that a visible file is of by its name, whatever format a sink has written it in.
    private func visibleBatch(_ name: String) -> Int64? { BatchFileName(name)?.batch }

    /// What a sink's names end with, whatever its settings.
    private static let fileExtensions = ["jsonl", "csv", "avro", "jsonl.gz", "csv.gz"]

    /// As `visibleBatch`, but nil for what others may have put beside a batch's file, such as its checksum.
    private func batch(ofSink name: String) -> Int64? {
        guard let name = BatchFileName(name), Self.fileExtensions.contains(name.fileExtension) else { return nil }
        return name.batch
    }
}

extension ConnectorError {
    init(writing error: FileError) {
        switch error.errno {
        case ENOSPC, EDQUOT:
            self.init(code: "disk-full", "\(error): make room; the query goes on then", isRetriable: true)
        case ENOTDIR:
            self.init(
                code: "not-a-folder", "\(error): `path` of a file sink is a folder, which is made when it is missing",
                isRetriable: false)
        default:
            self.init(
                code: "file-unwritable", "\(error): check the folder, its permissions and the disk", isRetriable: true)
        }
    }
}

extension FileSinkSpec: SinkMaker {
    func makeSink(_ spec: SinkSpec, _ setup: inout SinkSetup, in environment: ConnectorEnvironment) -> any Sink {
        FileSink(
            query: environment.query, folder: path.value, fileExtension: spec.format.fileExtension,
            packing: packing(spec.format, setup.schema), header: setup.header, fileSystem: environment.fileSystem)
    }

    private func packing(_ format: OutputFormat, _ schema: SchemaText?) -> FileSink.Packing {
        if case .avro(let output) = format, let schema { return .avro(schema: schema.text, output.codec) }
        return isCompressed ? .gzip : .none
    }
}

/// Makes of a batch's rows what stands in its file.
protocol FilePacker {
    /// Calls `write` with what is ready to be written, which need not be anything.
    func add(
        _ rows: OutputBytes, write: (UnsafeRawBufferPointer) throws(ConnectorError) -> Void
    ) throws(ConnectorError)
    /// Calls `write` with the end. Nothing is added afterwards.
    func finish(write: (UnsafeRawBufferPointer) throws(ConnectorError) -> Void) throws(ConnectorError)
}

extension GzipCompressor: FilePacker {
    func add(
        _ rows: OutputBytes, write: (UnsafeRawBufferPointer) throws(ConnectorError) -> Void
    ) throws(ConnectorError) { unsafe try add(rows.buffer.bytes, write: write) }
}
