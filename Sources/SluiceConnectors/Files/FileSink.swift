// One file per batch: staged under a temporary name, made visible by a rename, so that readers of the folder never see
// half a batch and a replay replaces a file with its own content.
//
//     stage    .batch-0000000007.jsonl.tmp    written, synced, and its name synced
//     commit   batch-0000000007.jsonl         the rename
//     sync                                    the rename is durable
//
// The temporary name is durable before the batch enters the commit log. So when a crash forgets the rename, the bytes
// are still there under one of the two names, and `recover` finishes the job.

internal import Glibc
package import SluiceEngine
package import SluiceSystem

/// A sink that writes a file per batch into a folder.
package final class FileSink: Sink, @unchecked Sendable {
    // @unchecked: calls never overlap; `stage` may come from another thread while the query's thread waits for it.

    private let folder: String
    private let fileExtension: String
    /// What every file begins with: a CSV header line, or nothing.
    private let header: OutputBytes
    private let fileSystem: any FileSystem
    private let log: Log
    /// Batches staged and not committed yet.
    private var staged: Set<Int64> = []
    private var hasUnsyncedNames = false
    /// Committed batches whose bytes the system still holds in memory, oldest first.
    private var cached: [(path: String, byteCount: Int)] = []
    private var cachedByteCount = 0
    /// So much of the newest output stays in memory, for whoever reads it at once. What is older is given up: a query
    /// that writes for weeks must not push everything else out, and new memory costs more than that just given up.
    private static let cachedByteCountMax = 64 << 20

    /// `fileExtension` without its dot; `header` is a whole line with its newline, or empty.
    package init(
        folder: String, fileExtension: String, header: [UInt8], fileSystem: any FileSystem, log: Log
    ) {
        self.folder = folder
        self.fileExtension = fileExtension
        self.header = OutputBytes(header)
        self.fileSystem = fileSystem
        self.log = log
    }

    package var description: String { "FileSink[\(folder)]" }

    /// A file of the batch in hand that is there may be of an earlier run that had another checkpoint: writing a batch
    /// again is harmless, leaving one out is not.
    package func recover(queryID: String, lastCommitted: Int64?, inHand: SinkBatch?) throws(ConnectorError) {
        staged = []
        do throws(FileError) {
            try fileSystem.makeFolders(folder)
            let names = try fileSystem.list(folder)
            var foreign: Int64?
            for name in names {
                if let batch = batch(of: name, prefix: "batch-", suffix: ".\(fileExtension)") {
                    // The batch after the last one may be visible already: a crash came before its commit entry.
                    if batch > (lastCommitted ?? -1) + 1 { foreign = max(foreign ?? 0, batch) }
                }
                guard let batch = batch(of: name, prefix: ".batch-", suffix: ".\(fileExtension).tmp") else { continue }
                let isVisible = try fileSystem.info(path(fileName(batch))) != nil
                if batch <= lastCommitted ?? -1 && !isVisible {
                    try fileSystem.rename(path(name), to: path(fileName(batch)))
                } else {
                    try fileSystem.remove(path(name))
                }
                hasUnsyncedNames = true
            }
            if let foreign {
                log.warning(
                    "the sink's folder holds batches that this checkpoint has not written",
                    [.path: .string(folder), .batch: .integer(foreign)])
            }
        } catch {
            throw ConnectorError(writing: error)
        }
        try sync()
    }

    package func stage(_ batch: SinkBatch, parts: [OutputBytes], rowCount: Int) throws(ConnectorError) {
        guard rowCount > 0 else { return }
        forgetOldOutput()
        let temporary = path(temporaryName(batch.id))
        do throws(FileError) {
            // The parts keep their bytes alive while they are in the array.
            let bytes = unsafe ([header] + parts).map { unsafe $0.buffer.bytes }
            unsafe try fileSystem.write(temporary, bytes)
            try fileSystem.sync(temporary)
            try fileSystem.syncFolder(folder)
        } catch {
            throw ConnectorError(writing: error)
        }
        staged.insert(batch.id)
        let byteCount = parts.reduce(0) { $0 + $1.buffer.count }
        cached.append((path(fileName(batch.id)), byteCount))
        cachedByteCount += byteCount
    }

    private func forgetOldOutput() {
        var count = 0
        while count < cached.count, cachedByteCount - cached[count].byteCount > Self.cachedByteCountMax {
            fileSystem.forget(cached[count].path)
            cachedByteCount -= cached[count].byteCount
            count += 1
        }
        cached.removeFirst(count)
    }

    package func commit(batch: Int64) throws(ConnectorError) {
        guard staged.contains(batch) else { return }
        do throws(FileError) {
            try fileSystem.rename(path(temporaryName(batch)), to: path(fileName(batch)))
        } catch {
            throw ConnectorError(writing: error)
        }
        staged.remove(batch)
        hasUnsyncedNames = true
    }

    package func sync() throws(ConnectorError) {
        guard hasUnsyncedNames else { return }
        do throws(FileError) { try fileSystem.syncFolder(folder) } catch { throw ConnectorError(writing: error) }
        hasUnsyncedNames = false
    }

    // MARK: - Names

    private func path(_ name: String) -> String { folder.hasSuffix("/") ? folder + name : folder + "/" + name }

    private func fileName(_ batch: Int64) -> String {
        let digits = String(batch)
        return "batch-" + String(repeating: "0", count: max(0, 10 - digits.utf8.count)) + digits + "." + fileExtension
    }

    private func temporaryName(_ batch: Int64) -> String { "." + fileName(batch) + ".tmp" }

    /// The batch a name stands for; nil for names this sink did not give.
    private func batch(of name: String, prefix: String, suffix: String) -> Int64? {
        guard name.hasPrefix(prefix), name.hasSuffix(suffix) else { return nil }
        let digits = name.dropFirst(prefix.count).dropLast(suffix.count)
        guard digits.utf8.count >= 10, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return Int64(digits)
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
