// The beginnings of the files that a file source would read: enough to see what is in them, however large they are.
// Which files a path means, what is no text, and how archives are unpacked is the source's own code.

internal import Glibc
internal import SluiceEngine
internal import SluiceSpec
package import SluiceSystem

/// The beginnings of some files.
package struct FileSample: Sendable {
    package struct Part: Sendable {
        package var path: String
        package var content: Content
        /// True when that is all of the file.
        package var isWhole: Bool
    }

    package enum Content: Sendable {
        /// Whole lines, without a byte order mark.
        case lines([UInt8])
        /// The blocks of a container file of Avro as the engine reads them, and the schema that it has.
        case container(schema: [UInt8], blocks: [[UInt8]])
    }

    /// In byte order of their paths; files without records are left out.
    package var parts: [Part] = []
    /// How many files the path stands for.
    package var fileCount = 0

    /// So many files are looked into, spread over all that there are.
    private static let fileCountMax = 100
    private static let byteCountMax: Int64 = 16 << 20
    private static let blockByteCount: Int64 = 1 << 16

    /// Reads about `lineCount` lines, of all files together. O(lines).
    /// - Throws: what a query would end with: nothing there, no text, a damaged archive; and that there is no text.
    package init(path: String, lineCount: Int, _ fileSystem: any FileSystem) throws(ConnectorError) {
        let pattern = FilePattern(absolutePath(path))
        let match: FilePattern.Match
        do throws(FileError) { match = try pattern.resolve(fileSystem) { _ in false } } catch {
            throw ConnectorError(reading: error)
        }
        guard !match.files.isEmpty else { throw Self.nothing(path, match.kind) }
        fileCount = match.files.count
        let files = Self.spread(
            match.files.filter { $0.info.byteCount > 0 }.sorted { precedesInBytes($0.path, $1.path) })
        guard !files.isEmpty else { throw Self.empty(path, fileCount) }
        let share = max(10, (lineCount + files.count - 1) / files.count)
        let byteCountMax = max(Self.byteCountMax / Int64(files.count), Self.blockByteCount)
        for (file, info) in files {
            let head = FileHead(path: file, info: info, lineCountMax: share, byteCountMax: byteCountMax)
            if let part = try head.read(fileSystem) { parts.append(part) }
        }
        if parts.isEmpty { throw Self.empty(path, fileCount) }
    }

    private static func spread(_ files: [(path: String, info: FileInfo)]) -> [(path: String, info: FileInfo)] {
        guard files.count > fileCountMax else { return files }
        return (0..<fileCountMax).map { files[$0 * (files.count - 1) / (fileCountMax - 1)] }
    }

    private static func nothing(_ path: String, _ kind: FilePattern.Match.Kind) -> ConnectorError {
        let what =
            switch kind {
            case .folder: "the folder \(path) has no files (names that begin with `.` or `_` are passed over)"
            case .glob: "no file matches \(path)"
            case .nothing, .file: "there is no file or folder \(path)"
            }
        let topic = path.contains("/") ? "" : " (a topic is written kafka://HOST:PORT/TOPIC)"
        return ConnectorError(code: "no-files", "\(what): check the path\(topic)", isRetriable: false)
    }

    private static func empty(_ path: String, _ fileCount: Int) -> ConnectorError {
        ConnectorError(
            code: "no-records",
            (fileCount == 1 ? "\(path) is empty" : "the \(fileCount) files of \(path) are empty")
                + ": there is nothing to describe yet, try again when there are records",
            isRetriable: false)
    }
}

/// The first lines of one file.
private struct FileHead {
    let path: String
    let info: FileInfo
    let lineCountMax: Int
    let byteCountMax: Int64

    /// nil where there are no records.
    func read(_ fileSystem: any FileSystem) throws(ConnectorError) -> FileSample.Part? {
        let whole: WholeFile
        do throws(FileError) { whole = try WholeFile(path, info, fileSystem) } catch {
            throw ConnectorError(reading: error)
        }
        if Compression(whole.head) == .avro { return try blocks(whole, fileSystem) }
        let kind = UnreadFileKind(ofFile: whole.head, byteCount: info.byteCount, format: .json(), isFollowed: false)
        if let kind { throw ConnectorError(path, is: kind) }
        let (text, isWhole) = try lines(whole, fileSystem)
        return text.isEmpty ? nil : FileSample.Part(path: path, content: .lines(text), isWhole: isWhole)
    }

    private func lines(
        _ whole: WholeFile, _ fileSystem: any FileSystem
    ) throws(ConnectorError) -> (text: [UInt8], isWhole: Bool) {
        var text: [UInt8]
        let isWhole: Bool
        if let compression = Compression(whole.head) {
            (text, isWhole) = try unpacked(whole, compression, fileSystem)
        } else {
            (text, isWhole) = try plain(TextFile(path, whole.file))
        }
        if text.starts(with: byteOrderMark) { text.removeFirst(byteOrderMark.count) }
        guard !isWhole else { return (text, true) }
        guard let end = text.lastIndex(of: newline) else {
            throw ConnectorError(
                code: "no-lines",
                "the first line of \(path) is longer than \(byteCountMax >> 10) KiB, and records are lines: check "
                    + "that it is a file of records", isRetriable: false)
        }
        text.removeSubrange((end + 1)...)
        return (text, false)
    }

    private func plain(_ file: TextFile) throws(ConnectorError) -> (text: [UInt8], isWhole: Bool) {
        var buffer = ByteBuffer()
        let end = min(try file.info().byteCount, byteCountMax)
        var lineCount = 0
        while Int64(buffer.count) < end, lineCount <= lineCountMax {
            let start = Int64(buffer.count)
            try file.append(start..<min(start + Self.blockByteCount, end), to: &buffer)
            unsafe lineCount += buffer.bytes[Int(start)...].count { $0 == newline }
        }
        return (buffer.array(), Int64(buffer.count) == info.byteCount)
    }

    private func unpacked(
        _ whole: WholeFile, _ compression: Compression, _ fileSystem: any FileSystem
    ) throws(ConnectorError) -> (text: [UInt8], isWhole: Bool) {
        let reader = archive(whole, compression, fileSystem)
        var buffer = ByteBuffer()
        var lineCount = 0
        while !reader.isAtEnd, reader.position < byteCountMax, lineCount <= lineCountMax {
            let start = reader.position
            try reader.unpack(to: start + Self.blockByteCount)
            let text = try reader.take(to: reader.position)
            try TextFile(path, text).append(start..<reader.position, to: &buffer)
            unsafe lineCount += buffer.bytes[Int(start)...].count { $0 == newline }
        }
        return (buffer.array(), reader.isAtEnd)
    }

    /// Of a container file; at least one, if there is one.
    private func blocks(
        _ whole: WholeFile, _ fileSystem: any FileSystem
    ) throws(ConnectorError) -> FileSample.Part? {
        let schema = try AvroContainerHeader.schema(of: path, fileSystem)
        let reader = archive(whole, .avro, fileSystem)
        var chunk = InputChunk()
        // Of the blocks that are whole.
        var dataCount = 0
        while !reader.isAtEnd {
            if dataCount > lineCountMax || (dataCount > 0 && reader.position >= byteCountMax) { break }
            let start = reader.position
            try reader.unpack(to: start + Self.blockByteCount)
            try TextFile(path, try reader.take(to: reader.position)).append(start..<reader.position, to: &chunk.text)
            chunk.records.removeAll()
            AvroBlocks.frame(&chunk)
            dataCount = Self.dataCount(of: chunk)
        }
        let blocks = Self.records(of: chunk)
        guard !blocks.isEmpty else { return nil }
        return FileSample.Part(
            path: path, content: .container(schema: schema, blocks: blocks), isWhole: reader.isAtEnd)
    }

    /// How many data the blocks have that are whole.
    private static func dataCount(of chunk: borrowing InputChunk) -> Int {
        var (count, start) = (0, 0)
        for record in chunk.records where Int(record.end) <= chunk.text.count {
            count += Int(
                unsafe UInt32(littleEndian: chunk.text.bytes.loadUnaligned(fromByteOffset: start + 8, as: UInt32.self)))
            start = Int(record.end) + 1
        }
        return count
    }

    /// Those that are whole.
    private static func records(of chunk: borrowing InputChunk) -> [[UInt8]] {
        let text = chunk.text.array()
        var start = 0
        return chunk.records.compactMap { record in
            let end = Int(record.end)
            guard end <= text.count else { return nil }
            defer { start = end + 1 }
            return Array(text[start..<end])
        }
    }

    private func archive(
        _ whole: WholeFile, _ compression: Compression, _ fileSystem: any FileSystem
    ) -> ArchiveReader {
        let store = UnpackedStore(folder: temporaryRoot(), fileSystem: fileSystem)
        return ArchiveReader(
            path, whole.file, info, whole.mark, compression, store: store, lineByteCountMax: maxLineByteCount)
    }

    private static let blockByteCount: Int64 = 1 << 16
}
