// Whole files, each taken once: what stands in the offsets was taken, whatever became of it since.

internal import Glibc
package import SluiceEngine
package import SluiceSpec
package import SluiceSystem

/// A source whose unit is the file: a batch has the next files in byte order of their full paths.
package final class WholeFileSource: Source {
    private let pattern: FilePattern
    private let maxFilesPerTrigger: Int?
    private let maxBytesPerTrigger: Int64?
    private let fileSystem: any FileSystem
    private let log: Log
    private let chunkByteCount: Int
    private var hasSeenFolder = false
    private var hasWaited = false

    /// `chunkByteCount` is the nominal size of the chunks of a batch.
    package init(_ spec: FileSourceSpec, fileSystem: any FileSystem, log: Log, chunkByteCount: Int = 1 << 19) {
        pattern = FilePattern(spec.path.value)
        maxFilesPerTrigger = spec.maxFilesPerTrigger
        maxBytesPerTrigger = spec.maxBytesPerTrigger
        self.fileSystem = fileSystem
        self.log = log
        self.chunkByteCount = chunkByteCount
    }

    package var description: String { "FileSource[\(pattern.path)]" }
    package var isFinished: Bool { false }

    package func latestOffsets(from position: SourceOffsets, untilEnd: Bool) throws(ConnectorError) -> SourceOffsets {
        let match: FilePattern.Match
        do throws(FileError) {
            match = try pattern.resolve(fileSystem) { position.next[$0] != nil }
        } catch {
            throw ConnectorError(reading: error)
        }
        switch match.kind {
        case .folder: hasSeenFolder = true
        case .nothing where hasSeenFolder:
            throw ConnectorError(
                code: "folder-missing",
                "the folder \(pattern.path) is not there any more: put it back; the query goes on when it is there",
                isRetriable: true)
        case .nothing where !hasWaited:
            hasWaited = true
            log.info("waiting for a file or folder to read", [.path: .string(pattern.path)])
        case .nothing, .file, .glob: break
        }
        var latest = position
        for (path, info) in match.files where position.next[path] == nil { latest.next[path] = info.byteCount }
        return latest
    }

    /// Takes files in byte order of their paths: as many as the limits allow, and always one.
    package func planBatch(from position: SourceOffsets, to latest: SourceOffsets, limit: BatchLimit) -> [OffsetRange] {
        var ranges: [OffsetRange] = []
        for (path, byteCount) in latest.next where position.next[path] == nil {
            ranges.append(OffsetRange(partition: path, start: 0, end: byteCount))
        }
        ranges.sort { precedesInBytes($0.partition, $1.partition) }
        guard case .spec = limit else { return ranges }
        var taken = 0
        var bytes: Int64 = 0
        while taken < min(ranges.count, max(1, maxFilesPerTrigger ?? .max)) {
            bytes += ranges[taken].end
            if let maxBytesPerTrigger, taken > 0, bytes > maxBytesPerTrigger { break }
            taken += 1
        }
        return Array(ranges.prefix(taken))
    }

    package func open(_ ranges: [OffsetRange]) throws(ConnectorError) -> any InputBytes {
        var files: [FileRange] = []
        for range in ranges {
            let info: FileInfo?
            do throws(FileError) {
                info = try fileSystem.info(range.partition)
            } catch {
                throw ConnectorError(reading: error)
            }
            guard let info else {
                throw ConnectorError(reading: FileError(operation: "open", path: range.partition, errno: ENOENT))
            }
            let file = FileRange(
                path: range.partition, start: range.start, end: range.end, info: info, isWhole: true)
            try file.check(info)
            files.append(file)
        }
        return FileInputBytes(files, chunkByteCount: chunkByteCount, fileSystem: fileSystem)
    }

    package func didCommit(_ position: SourceOffsets) {}

    package func readable(_ partitions: [String]) throws(ConnectorError) -> [String: Range<Int64>] {
        try readableFiles(partitions, fileSystem)
    }
}
