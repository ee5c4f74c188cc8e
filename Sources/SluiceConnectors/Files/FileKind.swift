// Files that are no lines of UTF-8 text, told by their first bytes: taken for records they would only be so many bad
// ones, and the reader of the log would have to guess why.

internal import SluiceEngine
package import SluiceSpec
package import SluiceSystem

/// What a file is that a source does not read.
package enum UnreadFileKind: Hashable, Sendable {
    case compressed(String)
    /// In a way that is read, of files that are whole.
    case followedArchive(String)
    /// A compressed file whose text is compressed again.
    case nested(String)
    case utf16
    /// One JSON document, which holds the records.
    case jsonArray
    /// A container file of Avro, for a source of another format.
    case container
    /// No container file, for a source of Avro.
    case noContainer

    /// How much of a file is looked at.
    static let headByteCount: Int64 = 4096

    /// What the file at a path is; nil for one that can be read, or that is not there any more.
    package static func of(
        _ path: String, format: RecordFormat, isFollowed: Bool, _ fileSystem: any FileSystem
    ) throws(FileError) -> UnreadFileKind? {
        let file = try fileSystem.open(path)
        let byteCount = try file.info().byteCount
        let head = try file.bytes(0..<min(byteCount, headByteCount))
        return UnreadFileKind(ofFile: head, byteCount: byteCount, format: format, isFollowed: isFollowed)
    }

    /// - Parameter head: the first bytes, at most `headByteCount`, of a file of `byteCount` bytes.
    init?(ofFile head: [UInt8], byteCount: Int64, format: RecordFormat, isFollowed: Bool) {
        if case .avro = format {
            if head.isEmpty || Compression(head) == .avro { return nil }
            self = .noContainer
            return
        }
        guard let compression = Compression(head) else {
            self.init(head, isWhole: byteCount <= Self.headByteCount, format: format)
            return
        }
        if compression == .avro {
            self = .container
            return
        }
        if isFollowed {
            self = .followedArchive(compression.name)
            return
        }
        // What is damaged is said when all of it has been looked at.
        let text = compression.unpackedHead(head, byteCountMax: Int(Self.headByteCount))
        let isWhole = byteCount <= Self.headByteCount && text.count < Self.headByteCount
        guard let kind = UnreadFileKind(text, isWhole: isWhole, format: format) else { return nil }
        if case .compressed(let name) = kind { self = .nested(name) } else { self = kind }
    }

    /// - Parameters:
    ///   - head: the first bytes of text, or of what should be text.
    ///   - isWhole: true when there is no more than this.
    init?(_ head: [UInt8], isWhole: Bool, format: RecordFormat) {
        if let name = Self.magics.first(where: { head.starts(with: $0.bytes) })?.name {
            self = .compressed(name)
        } else if Self.isUTF16(head) {
            self = .utf16
        } else if case .json = format, Self.isArray(head, isWhole: isWhole) {
            self = .jsonArray
        } else {
            return nil
        }
    }

    private static let magics: [(name: String, bytes: [UInt8])] = {
        let fixed: [(name: String, bytes: [UInt8])] = [
            ("gzip", [0x1F, 0x8B]), ("zstd", [0x28, 0xB5, 0x2F, 0xFD]), ("xz", [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00]),
            ("zip", [0x50, 0x4B, 0x03, 0x04]), ("lz4", [0x04, 0x22, 0x4D, 0x18]),
        ]
        // The block size is a digit.
        return fixed + (1...9).map { ("bzip2", Array("BZh\($0)1AY&SY".utf8)) }
    }()

    /// By its byte order mark, or by the zeros that every second byte of plain characters then is.
    private static func isUTF16(_ head: [UInt8]) -> Bool {
        if head.starts(with: [0xFF, 0xFE]) || head.starts(with: [0xFE, 0xFF]) { return true }
        guard head.count >= 4 else { return false }
        let isZero = head.prefix(4).map { $0 == 0 }
        return isZero == [false, true, false, true] || isZero == [true, false, true, false]
    }

    /// True for an array of objects that is all of the file, as far as can be seen. A line that is an array among
    /// others is a bad record and no more.
    private static func isArray(_ head: [UInt8], isWhole: Bool) -> Bool {
        let text = (head.starts(with: byteOrderMark) ? head.dropFirst(byteOrderMark.count) : head[...])
            .drop { isBlank($0) }
        guard text.first == UInt8(ascii: "[") else { return false }
        let lineEnd = text.firstIndex(of: newline) ?? text.endIndex
        let line = text[..<lineEnd].reversed().drop { isBlank($0) }
        let rest = text[lineEnd...].drop { isBlank($0) }
        let isClosedLine = line.first == UInt8(ascii: "]") && line.count > 1
        // More behind a line that is an array by itself: lines, of which this one is none.
        if isClosedLine && !(rest.isEmpty && isWhole) { return false }
        return text.dropFirst().first { !isBlank($0) } == UInt8(ascii: "{")
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

    /// What it is, to put behind the path.
    package var sentence: String {
        switch self {
        case .compressed(let name): "is compressed (\(name)), which is not read"
        case .followedArchive(let name):
            "is compressed (\(name)), and what is compressed cannot be followed: it does not grow by whole lines"
        case .nested(let name): "is compressed twice (\(name) inside)"
        case .utf16: "is UTF-16 text, and text is read as UTF-8"
        case .jsonArray: "is one JSON array, and records are JSON objects, one a line"
        case .container: "is a container file of Avro"
        case .noContainer: "is no container file of Avro"
        }
    }

    package var remedy: String {
        switch self {
        case .compressed, .nested: "unpack it, or move it away, or give a `path` that leaves it out"
        case .followedArchive:
            "leave out `follow` where files are whole, or unpack it, or give a `path` that leaves it out"
        case .utf16: "convert it (`iconv -f UTF-16 -t UTF-8`)"
        case .jsonArray: "convert it (`jq -c '.[]'`)"
        case .container: "write `format: avro`"
        case .noContainer:
            "move it away, or give a `path` that leaves it out (containers compress their blocks: unpack it)"
        }
    }
}

/// What some programs put before UTF-8 text; it is none of it.
let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]

extension ReadableFile {
    /// What there is of a range.
    func bytes(_ range: Range<Int64>) throws(FileError) -> [UInt8] {
        var buffer = ByteBuffer(capacity: range.count + 1)
        let read = unsafe try self.read(
            at: range.lowerBound, into: UnsafeMutableRawBufferPointer(start: buffer.base, count: range.count))
        buffer.advance(by: read)
        return buffer.array()
    }
}

extension ConnectorError {
    init(_ path: String, is kind: UnreadFileKind) {
        self.init(code: "file-kind", "\(path) \(kind.sentence): \(kind.remedy)", isRetriable: false)
    }
}
