// Finding line ends in a file by small reads, without ever holding more of it than was asked for.

internal import Glibc
internal import SluiceEngine
internal import SluiceSystem

let newline = UInt8(ascii: "\n")

/// The longest line a source takes, in bytes, its end included: a file without newlines must not fill the memory. A
/// line that is longer is one bad record, of which nothing is read.
package let maxLineByteCount: Int64 = 64 << 20

/// An open file of lines. All offsets are bytes from its start.
struct TextFile {
    let path: String
    let file: any ReadableFile

    init(_ path: String, _ fileSystem: any FileSystem) throws(ConnectorError) {
        self.path = path
        do throws(FileError) { file = try fileSystem.open(path) } catch { throw ConnectorError(reading: error) }
    }

    init(_ path: String, _ file: any ReadableFile) {
        self.path = path
        self.file = file
    }

    func info() throws(ConnectorError) -> FileInfo {
        do throws(FileError) { return try file.info() } catch { throw ConnectorError(reading: error) }
    }

    /// Appends a range of the file, all of it.
    func append(_ range: Range<Int64>, to buffer: inout ByteBuffer) throws(ConnectorError) {
        buffer.reserve(range.count)
        let read: Int
        do throws(FileError) {
            // The range was reserved right above.
            read = unsafe try file.read(
                at: range.lowerBound,
                into: UnsafeMutableRawBufferPointer(start: buffer.base + buffer.count, count: range.count))
        } catch {
            throw ConnectorError(reading: error)
        }
        buffer.advance(by: read)
        if read < range.count {
            throw ConnectorError(truncated: path, to: range.lowerBound + Int64(read), below: range.upperBound)
        }
    }

    /// The offset behind the first newline in a range; nil when there is none. O(bytes up to it).
    func firstLineEnd(in range: Range<Int64>) throws(ConnectorError) -> Int64? {
        var block = ByteBuffer()
        var start = range.lowerBound
        var blockByteCount: Int64 = 4096
        while start < range.upperBound {
            let end = min(start + blockByteCount, range.upperBound)
            block.removeAll()
            try append(start..<end, to: &block)
            if let found = unsafe memchr(block.base, Int32(newline), block.count) {
                return start + Int64(unsafe UnsafeRawPointer(found) - UnsafeRawPointer(block.base)) + 1
            }
            start = end
            // Long lines are rare; when one comes, few large reads beat many small ones.
            blockByteCount = min(blockByteCount * 4, 1 << 20)
        }
        return nil
    }

    /// The offset behind the last newline in a range; nil when there is none. O(bytes behind it).
    func lastLineEnd(in range: Range<Int64>) throws(ConnectorError) -> Int64? {
        var block = ByteBuffer()
        var end = range.upperBound
        var blockByteCount: Int64 = 4096
        while end > range.lowerBound {
            let start = max(end - blockByteCount, range.lowerBound)
            block.removeAll()
            try append(start..<end, to: &block)
            if let index = unsafe block.bytes.lastIndex(of: newline) { return start + Int64(index) + 1 }
            end = start
            blockByteCount = min(blockByteCount * 4, 1 << 20)
        }
        return nil
    }

    /// How many lines end in a range. O(range).
    func lineCount(in range: Range<Int64>) throws(ConnectorError) -> Int {
        var block = ByteBuffer()
        var start = range.lowerBound
        var count = 0
        while start < range.upperBound {
            let end = min(start + (1 << 20), range.upperBound)
            block.removeAll()
            try append(start..<end, to: &block)
            unsafe count += block.bytes.count { $0 == newline }
            start = end
        }
        return count
    }

    /// The last bytes before a place that `FileTail` is made of.
    func tail(before offset: Int64) throws(ConnectorError) -> [UInt8] {
        var buffer = ByteBuffer()
        try append(max(0, offset - FileTail.byteCountMax)..<offset, to: &buffer)
        return buffer.array()
    }
}

/// The files among these paths that are there, as far as they reach.
func readableFiles(
    _ paths: [String], _ fileSystem: any FileSystem
) throws(ConnectorError) -> [String: Range<Int64>] {
    var ranges: [String: Range<Int64>] = [:]
    for path in paths {
        do throws(FileError) {
            if let info = try fileSystem.info(path) { ranges[path] = 0..<info.byteCount }
        } catch { throw ConnectorError(reading: error) }
    }
    return ranges
}

extension ConnectorError {
    init(reading error: FileError) {
        switch error.errno {
        case ENOENT:
            self.init(
                code: "file-missing", "\(error): put the file back; the query goes on when it is there",
                isRetriable: true)
        case ESPIPE:
            self.init(
                code: "not-a-file", "\(error.path) is not a regular file: for a pipe use the connector `stdin: {}`",
                isRetriable: false)
        case EILSEQ:
            self.init(
                code: "file-name", "\(error): it is not UTF-8; rename the file or move it away", isRetriable: true)
        case EACCES, EPERM:
            self.init(
                code: "file-forbidden", "\(error): give this user the right to read it, or move the file away",
                isRetriable: true)
        default:
            self.init(
                code: "file-unreadable", "\(error): check the path, its permissions and the disk", isRetriable: true)
        }
    }

    /// True for what is wrong with one file and does not pass by itself: others can be read meanwhile.
    var isOfOneFile: Bool {
        [
            "file-kind", "file-damaged", "file-truncated", "file-changed", "file-rotated", "file-missing",
            "file-forbidden", "file-header",
        ].contains(code)
    }

    init(truncated path: String, to byteCount: Int64, below offset: Int64) {
        self.init(
            code: "file-truncated",
            "\(path) has only \(byteCount) bytes, but the query has read or planned it up to byte \(offset): put the "
                + "content back, or start the query over with a new checkpoint",
            isRetriable: false)
    }
}
