// Files that somebody names to have them read whole: specs, secrets, tokens. What stands under such a name may be
// anything: a pipe that nobody writes to, a device without an end, a log of many gigabytes. So it is looked at before
// it is opened, and read up to a limit.

internal import Glibc

/// Why a file was not read.
package enum NamedFileProblem: Error, Hashable, Sendable, CustomStringConvertible {
    case failed(FileError)
    case tooLarge(path: String, byteCount: Int64, byteCountMax: Int)
    case notAFile(path: String, FileInfo.Kind)

    /// Without the path.
    package var reason: String {
        switch self {
        case .failed(let error): errorText(error.errno)
        case .tooLarge(_, let byteCount, let byteCountMax):
            "it has \(byteCount) bytes, more than the limit of \(byteCountMax)"
        case .notAFile(_, .folder): "it is a folder"
        case .notAFile: "it is a pipe, a socket or a device, not a regular file"
        }
    }

    package var description: String {
        switch self {
        case .failed(let error): "\(error)"
        case .tooLarge(let path, _, _), .notAFile(let path, _): "cannot read \(path): \(reason)"
        }
    }
}

extension FileSystem {
    /// The content of a regular file of at most `byteCountMax` bytes. Links are followed.
    package func readNamed(_ path: String, atMost byteCountMax: Int) throws(NamedFileProblem) -> [UInt8] {
        let content: NamedContent
        do throws(FileError) { content = try readUpTo(byteCountMax, path) } catch { throw .failed(error) }
        switch content {
        case .whole(let bytes): return bytes
        case .tooLarge(let byteCount):
            throw .tooLarge(path: path, byteCount: byteCount, byteCountMax: byteCountMax)
        case .notAFile(let kind): throw .notAFile(path: path, kind)
        }
    }

    private func readUpTo(_ byteCountMax: Int, _ path: String) throws(FileError) -> NamedContent {
        guard let info = try info(path) else { throw FileError(operation: "open", path: path, errno: ENOENT) }
        guard info.kind == .file else { return .notAFile(info.kind) }
        guard info.byteCount <= Int64(byteCountMax) else { return .tooLarge(byteCount: info.byteCount) }
        let file = try open(path)
        // It may be another one by now, and some files of the kernel do not know their size.
        let kind = try file.info().kind
        guard kind == .file else { return .notAFile(kind) }
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: max(Int(info.byteCount), 4096) + 1)
        while true {
            let count = try read(file, at: bytes.count, into: &block)
            bytes += block.prefix(count)
            if bytes.count > byteCountMax { return .tooLarge(byteCount: Int64(bytes.count)) }
            if count < block.count { return .whole(bytes) }
        }
    }

    private func read(_ file: any ReadableFile, at offset: Int, into block: inout [UInt8]) throws(FileError) -> Int {
        var result: Result<Int, FileError> = .success(0)
        unsafe block.withUnsafeMutableBytes { buffer in
            do throws(FileError) {
                result = .success(unsafe try file.read(at: Int64(offset), into: buffer))
            } catch { result = .failure(error) }
        }
        return try result.get()
    }
}

private enum NamedContent {
    case whole([UInt8])
    case tooLarge(byteCount: Int64)
    case notAFile(FileInfo.Kind)
}
