// The file system of the machine, one system call at a time. Nothing is cached and nothing stays open but what the
// caller holds: the checkpoint's order of writes is the order of the calls.

internal import Glibc

/// The machine's file system.
package struct RealFileSystem: FileSystem {
    package init() {}

    package func info(_ path: String) throws(FileError) -> FileInfo? {
        var status = stat()
        if uninterrupted({ unsafe stat(path, &status) }) == 0 { return FileInfo(status) }
        if errno == ENOENT || errno == ENOTDIR { return nil }
        throw FileError(operation: "look at", path: path, errno: errno)
    }

    package func list(_ folder: String) throws(FileError) -> [String] {
        guard let stream = unsafe opendir(folder) else {
            throw FileError(operation: "list", path: folder, errno: errno)
        }
        defer { unsafe _ = closedir(stream) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = unsafe readdir(stream) else {
                if errno != 0 { throw FileError(operation: "list", path: folder, errno: errno) }
                break
            }
            // A name that is not UTF-8 cannot be written in a spec or a checkpoint, and skipping it would lose rows.
            let isText = unsafe withUnsafePointer(to: &entry.pointee.d_name) { name in
                unsafe name.withMemoryRebound(to: CChar.self, capacity: 256) { name in
                    guard let text = unsafe String(validatingCString: name) else { return false }
                    if text != "." && text != ".." { names.append(text) }
                    return true
                }
            }
            if !isText { throw FileError(operation: "read a name in", path: folder, errno: EILSEQ) }
        }
        names.sort { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        return names
    }

    package func makeFolders(_ path: String) throws(FileError) {
        // From the deepest folder that exists down, so that only new folders cost a wait for the disk.
        var missing: [String] = []
        var folder = path
        while true {
            if let info = try info(folder) {
                if info.kind == .folder { break }
                throw FileError(operation: "make folder", path: folder, errno: ENOTDIR)
            }
            missing.append(folder)
            folder = parentFolder(of: folder)
        }
        for folder in missing.reversed() {
            if unsafe mkdir(folder, 0o777) != 0 && errno != EEXIST {
                throw FileError(operation: "make folder", path: folder, errno: errno)
            }
            try syncFolder(parentFolder(of: folder))
        }
    }

    package func open(_ path: String) throws(FileError) -> any ReadableFile {
        // A pipe that has taken the place of a file does not keep its reader waiting for a writer.
        RealFile(descriptor: try openDescriptor(path, O_RDONLY | O_NONBLOCK, "open"), path: path)
    }

    package func readAll(_ path: String) throws(FileError) -> [UInt8] {
        let file = RealFile(descriptor: try openDescriptor(path, O_RDONLY, "open"), path: path)
        var bytes: [UInt8] = []
        // One byte more than the size shows the end in the same call; a file may also have grown meanwhile.
        var room = Int(try file.info().byteCount) + 1
        while true {
            var failure: FileError?
            let offset = bytes.count
            let tail = unsafe [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
                do throws(FileError) {
                    count = unsafe try file.read(at: Int64(offset), into: UnsafeMutableRawBufferPointer(buffer))
                } catch {
                    failure = error
                }
            }
            if let failure { throw failure }
            if bytes.isEmpty { bytes = tail } else { bytes += tail }
            if tail.count < room { return bytes }
            room = 65536
        }
    }

    package func write(_ path: String, _ parts: [UnsafeRawBufferPointer]) throws(FileError) {
        unsafe try put(parts, into: path, O_WRONLY | O_CREAT | O_TRUNC)
    }

    package func append(_ path: String, _ parts: [UnsafeRawBufferPointer]) throws(FileError) {
        unsafe try put(parts, into: path, O_WRONLY | O_CREAT | O_APPEND)
    }

    package func sync(_ path: String) throws(FileError) {
        try syncDescriptor(try openDescriptor(path, O_RDONLY, "sync"), path)
    }

    package func syncFolder(_ path: String) throws(FileError) {
        try syncDescriptor(try openDescriptor(path, O_RDONLY | O_DIRECTORY, "sync folder"), path)
    }

    package func rename(_ from: String, to: String) throws(FileError) {
        if unsafe Glibc.rename(from, to) != 0 {
            throw FileError(operation: "rename to \(to) the file", path: from, errno: errno)
        }
    }

    package func remove(_ path: String) throws(FileError) {
        if unsafe unlink(path) != 0 && errno != ENOENT {
            throw FileError(operation: "remove", path: path, errno: errno)
        }
    }

    package func makeScratchFile(in folder: String) throws(FileError) -> any ScratchFile {
        // Named for a moment only: not every file system makes files without names.
        var template = Array("\(folder)/.scratch-XXXXXX".utf8CString)
        let descriptor = unsafe mkstemp(&template)
        if descriptor < 0 { throw FileError(operation: "make a scratch file in", path: folder, errno: errno) }
        unsafe unlink(template)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        let path = "a scratch file in \(folder)"
        return RealFile(descriptor: descriptor, path: path)
    }

    package func lock(folder: String, note: String?) throws(FileError) -> (any FolderLock)? {
        let folderLock = RealFolderLock()
        if try !folderLock.add(openDescriptor(folder, O_RDONLY | O_DIRECTORY, "lock"), folder, mayBeUnable: note != nil)
        {
            return nil
        }
        guard let note else { return folderLock }
        let path = "\(folder)/\(note)"
        let descriptor = try openDescriptor(path, O_RDWR | O_CREAT, "open")
        guard try folderLock.add(descriptor, path, mayBeUnable: false) else { return nil }
        let text = Array("\(getpid())\n".utf8)
        var code = ftruncate(descriptor, 0) == 0 ? 0 : errno
        if code == 0 { code = unsafe text.withUnsafeBytes { unsafe writeFully(to: descriptor, [$0]) } }
        if code != 0 { throw FileError(operation: "write", path: path, errno: code) }
        return folderLock
    }

    package func forget(_ path: String) {
        guard let descriptor = try? openDescriptor(path, O_RDONLY, "open") else { return }
        posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
        _ = close(descriptor)
    }

    // MARK: - Descriptors

    private func openDescriptor(_ path: String, _ flags: Int32, _ verb: String) throws(FileError) -> Int32 {
        let descriptor = uninterrupted { unsafe Glibc.open(path, flags | O_CLOEXEC, 0o666) }
        if descriptor < 0 { throw FileError(operation: verb, path: path, errno: errno) }
        return descriptor
    }

    private func put(_ parts: [UnsafeRawBufferPointer], into path: String, _ flags: Int32) throws(FileError) {
        let descriptor = try openDescriptor(path, flags, "create")
        let code = unsafe writeFully(to: descriptor, parts)
        // Linux frees the descriptor even when close reports an error, so it is never closed again.
        let closeCode = close(descriptor) == 0 || errno == EINTR ? 0 : errno
        if code != 0 || closeCode != 0 {
            throw FileError(operation: "write", path: path, errno: code != 0 ? code : closeCode)
        }
    }

    private func syncDescriptor(_ descriptor: Int32, _ path: String) throws(FileError) {
        let code = uninterrupted { fsync(descriptor) } == 0 ? 0 : errno
        _ = close(descriptor)
        if code != 0 { throw FileError(operation: "sync", path: path, errno: code) }
    }
}

/// The folder a path stands in: `.` for a bare name, `/` for what stands at the root.
package func parentFolder(of path: String) -> String {
    var bytes = Substring(path).utf8
    while bytes.count > 1, bytes.last == UInt8(ascii: "/") { bytes.removeLast() }
    guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")) else { return "." }
    bytes = bytes[..<slash]
    while bytes.count > 1, bytes.last == UInt8(ascii: "/") { bytes.removeLast() }
    return bytes.isEmpty ? "/" : String(Substring(bytes))
}

extension FileInfo {
    init(_ status: stat) {
        let kind: Kind =
            switch status.st_mode & S_IFMT {
            case S_IFREG: .file
            case S_IFDIR: .folder
            default: .other
            }
        self.init(
            kind: kind, byteCount: Int64(status.st_size), device: UInt64(status.st_dev), inode: UInt64(status.st_ino),
            modifiedNanos: Int64(status.st_mtim.tv_sec) &* 1_000_000_000 &+ Int64(status.st_mtim.tv_nsec))
    }
}

private final class RealFile: ScratchFile {
    private let descriptor: Int32
    private let path: String

    init(descriptor: Int32, path: String) {
        self.descriptor = descriptor
        self.path = path
    }

    deinit { _ = close(descriptor) }

    func info() throws(FileError) -> FileInfo {
        var status = stat()
        if uninterrupted({ unsafe fstat(descriptor, &status) }) == 0 { return FileInfo(status) }
        throw FileError(operation: "look at", path: path, errno: errno)
    }

    func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int {
        var done = 0
        while done < buffer.count {
            let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
            let count = uninterrupted {
                unsafe pread(descriptor, rest.baseAddress, rest.count, off_t(offset) + off_t(done))
            }
            if count < 0 { throw FileError(operation: "read", path: path, errno: errno) }
            if count == 0 { break }
            done += count
        }
        return done
    }

    func write(at offset: Int64, _ bytes: UnsafeRawBufferPointer) throws(FileError) {
        var done = 0
        while done < bytes.count {
            let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[done...])
            let count = uninterrupted {
                unsafe pwrite(descriptor, rest.baseAddress, rest.count, off_t(offset) + off_t(done))
            }
            if count < 0 { throw FileError(operation: "write", path: path, errno: errno) }
            done += count
        }
    }
}

private final class RealFolderLock: FolderLock, @unchecked Sendable {
    // @unchecked: changed only while it is being made.
    private var descriptors: [Int32] = []

    /// Takes over a descriptor and locks what it is open on; false when another has that locked.
    /// - Parameter mayBeUnable: a file system that cannot lock folders (some network ones) is no error.
    func add(_ descriptor: Int32, _ path: String, mayBeUnable: Bool) throws(FileError) -> Bool {
        descriptors.append(descriptor)
        if uninterrupted({ flock(descriptor, LOCK_EX | LOCK_NB) }) == 0 { return true }
        switch errno {
        case EWOULDBLOCK: return false
        case EBADF where mayBeUnable, EINVAL where mayBeUnable, ENOLCK where mayBeUnable, EOPNOTSUPP where mayBeUnable:
            return true
        default: throw FileError(operation: "lock", path: path, errno: errno)
        }
    }

    deinit { for descriptor in descriptors { _ = close(descriptor) } }
}
