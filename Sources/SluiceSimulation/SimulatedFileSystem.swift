// A disk in memory that is as unkind as POSIX allows.
//
// Every file has two contents: what readers see now, and what would survive a crash. `sync` makes the first the
// second. Names work alike: creating, renaming and removing change what is seen at once, and survive for sure only
// after `syncFolder`. What a crash leaves is drawn from the plan's seed:
//   - a file that was not synced has its last synced content, or any prefix of what was written since;
//   - a change to names that was not synced may have happened or not, independently of other names, but in order for
//     each name; a rename happens whole or not at all.
// A sync that fails has dropped the pages, as on Linux: a second sync of the same bytes succeeds and saves nothing.

internal import Glibc
package import SluiceSystem
internal import Synchronization

/// A file system in memory with numbered operations, faults, and crashes. A path is taken from the root.
package final class SimulatedFileSystem: FileSystem {
    private let disk: Mutex<SimulatedDisk>

    package convenience init(plan: FaultPlan = FaultPlan(seed: 0)) {
        self.init(disk: SimulatedDisk(plan: plan))
    }

    private init(disk: consuming SimulatedDisk) { self.disk = Mutex(disk) }

    // MARK: - For tests

    /// The faults still to come; may be changed during a run.
    package var plan: FaultPlan {
        get { disk.withLock { $0.plan } }
        set { disk.withLock { $0.plan = newValue } }
    }

    /// How many operations there have been.
    package var operationCount: Int { disk.withLock { $0.operationCount } }

    package var hasCrashed: Bool { disk.withLock { $0.hasCrashed } }

    /// When true, `trace` records every operation.
    package var recordsTrace: Bool {
        get { disk.withLock { $0.recordsTrace } }
        set { disk.withLock { $0.recordsTrace = newValue } }
    }

    package var trace: [FileOperation] { disk.withLock { $0.trace } }

    /// How many files there are in a folder and all below it. O(files).
    package func fileCount(under folder: String = "/") -> Int { files(under: folder).count }

    /// The full paths of all files in a folder and below it, sorted. O(files).
    package func files(under folder: String = "/") -> [String] {
        disk.withLock { $0.files(under: normalised(folder)).sorted() }
    }

    /// Bytes written into files of a folder and all below it since the start, removed ones included.
    package func bytesWritten(under folder: String = "/") -> Int64 {
        disk.withLock { disk in
            let folder = normalised(folder)
            return disk.bytesWritten.reduce(0) { $0 + (isBelow($1.key, folder) ? $1.value : 0) }
        }
    }

    /// How often something was made durable.
    package var syncCount: Int { disk.withLock { $0.syncCount } }

    /// Puts a durable file there, making its folders; no operation of the program under test.
    package func put(_ path: String, _ text: String) { put(path, Array(text.utf8)) }

    package func put(_ path: String, _ bytes: [UInt8]) {
        disk.withLock { $0.put(normalised(path), bytes) }
    }

    /// What readers see of a file now; nil when it is not there. No operation of the program under test.
    package func text(_ path: String) -> String? {
        disk.withLock { disk in
            disk.file(normalised(path)).map { String(decoding: $0.content, as: UTF8.self) }
        }
    }

    /// The machine stops now.
    package func crash() { disk.withLock { $0.hasCrashed = true } }

    /// The disk as a crash (or, without one, a loss of power now) leaves it, for the next process. This one is dead.
    package func restart(plan: FaultPlan? = nil) -> SimulatedFileSystem {
        disk.withLock { disk in
            disk.hasCrashed = true
            return SimulatedFileSystem(disk: disk.survivor(plan: plan ?? FaultPlan(seed: disk.plan.seed &+ 1)))
        }
    }

    /// The whole disk, durable or not, for the next process: what the end of a process, but not of the machine, leaves.
    package func restartProcess(plan: FaultPlan? = nil) -> SimulatedFileSystem {
        disk.withLock { disk in
            disk.hasCrashed = true
            return SimulatedFileSystem(disk: disk.copy(plan: plan ?? FaultPlan(seed: disk.plan.seed &+ 1)))
        }
    }

    // MARK: - FileSystem

    package func info(_ path: String) throws(FileError) -> FileInfo? {
        try run(.info, path) { (disk, path) throws(FileError) in disk.info(path) }
    }

    package func list(_ folder: String) throws(FileError) -> [String] {
        try run(.list, folder) { (disk, path) throws(FileError) in try disk.list(path) }
    }

    package func makeFolders(_ path: String) throws(FileError) {
        try run(.makeFolders, path) { (disk, path) throws(FileError) in try disk.makeFolders(path) }
    }

    package func open(_ path: String) throws(FileError) -> any ReadableFile {
        let inode = try run(.open, path) { (disk, path) throws(FileError) in try disk.existing(path, "open") }
        return SimulatedFile(system: self, inode: inode, path: path)
    }

    package func readAll(_ path: String) throws(FileError) -> [UInt8] {
        try run(.readAll, path) { (disk, path) throws(FileError) in try disk.existing(path, "open").content }
    }

    package func write(_ path: String, _ parts: [UnsafeRawBufferPointer]) throws(FileError) {
        let bytes = unsafe parts.flatMap { unsafe Array($0) }
        try run(.write, path, tears: bytes.count) { (disk, path, written) throws(FileError) in
            try disk.write(path, bytes.prefix(written), replaces: true)
        }
    }

    package func append(_ path: String, _ parts: [UnsafeRawBufferPointer]) throws(FileError) {
        let bytes = unsafe parts.flatMap { unsafe Array($0) }
        try run(.append, path, tears: bytes.count) { (disk, path, written) throws(FileError) in
            try disk.write(path, bytes.prefix(written), replaces: false)
        }
    }

    package func sync(_ path: String) throws(FileError) {
        try run(.sync, path) { (disk, path) throws(FileError) in try disk.sync(path) }
    }

    package func syncFolder(_ path: String) throws(FileError) {
        try run(.syncFolder, path) { (disk, path) throws(FileError) in try disk.syncFolder(path) }
    }

    package func rename(_ from: String, to: String) throws(FileError) {
        let target = normalised(to)
        try run(.rename, from) { (disk, path) throws(FileError) in try disk.rename(path, to: target) }
    }

    package func remove(_ path: String) throws(FileError) {
        try run(.remove, path) { (disk, path) throws(FileError) in try disk.remove(path) }
    }

    package func makeScratchFile(in folder: String) throws(FileError) -> any ScratchFile {
        try run(.write, folder) { (_, _) throws(FileError) in }
        return SimulatedScratchFile(system: self, folder: folder)
    }

    package func lock(folder: String, note: String?) throws(FileError) -> (any FolderLock)? {
        let locked = try run(.lock, folder) { (disk, path) throws(FileError) in try disk.lock(path, note: note) }
        return locked ? SimulatedLock(system: self, folder: normalised(folder)) : nil
    }

    // MARK: - One operation

    private func run<Result: Sendable>(
        _ verb: FileOperation.Verb, _ path: String,
        _ body: (inout SimulatedDisk, String) throws(FileError) -> sending Result
    ) throws(FileError) -> Result {
        try run(verb, path, tears: 0) { (disk, path, _) throws(FileError) in try body(&disk, path) }
    }

    /// Numbers an operation and applies the plan's faults around it. `body` gets how many of the bytes to write.
    private func run<Result: Sendable>(
        _ verb: FileOperation.Verb, _ path: String, tears byteCount: Int,
        _ body: (inout SimulatedDisk, String, Int) throws(FileError) -> sending Result
    ) throws(FileError) -> Result {
        let path = normalised(path)
        return try disk.withLock { (disk) throws(FileError) -> sending Result in
            switch disk.begin(verb, path) {
            case .succeed: return try body(&disk, path, byteCount)
            case .crash:
                // Whether the operation reached the disk before the machine stopped is anybody's guess.
                if disk.random(2) == 0 { _ = try? body(&disk, path, byteCount) }
                disk.hasCrashed = true
                throw FileError(operation: verb.rawValue, path: path, errno: FileError.crashErrno)
            case .fail(let code):
                if verb == .write || verb == .append { _ = try? body(&disk, path, disk.random(byteCount + 1)) }
                if verb == .sync { disk.file(path)?.hasLostPages = true }
                throw FileError(operation: verb.rawValue, path: path, errno: code)
            }
        }
    }

    fileprivate func read(
        _ inode: SimulatedInode, path: String, at offset: Int64, into buffer: UnsafeMutableRawBufferPointer
    ) throws(FileError) -> Int {
        let count = buffer.count
        let bytes = try run(.read, path) { (_, _) throws(FileError) in
            let start = min(max(0, Int(offset)), inode.content.count)
            return Array(inode.content[start..<min(start + count, inode.content.count)])
        }
        unsafe buffer.copyBytes(from: bytes)
        return bytes.count
    }

    fileprivate func info(_ inode: SimulatedInode, path: String) throws(FileError) -> FileInfo {
        try run(.info, path) { (_, _) throws(FileError) in inode.info }
    }

    /// An operation on what has no name and survives nothing.
    fileprivate func count(_ verb: FileOperation.Verb, _ path: String) throws(FileError) {
        try run(verb, path) { (_, _) throws(FileError) in }
    }

    fileprivate func unlock(_ folder: String) { disk.withLock { _ = $0.locked.remove(folder) } }
}

private final class SimulatedFile: ReadableFile {
    private let system: SimulatedFileSystem
    private let inode: SimulatedInode
    private let path: String

    init(system: SimulatedFileSystem, inode: SimulatedInode, path: String) {
        self.system = system
        self.inode = inode
        self.path = path
    }

    func info() throws(FileError) -> FileInfo { try system.info(inode, path: path) }

    func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int {
        try unsafe system.read(inode, path: path, at: offset, into: buffer)
    }
}

private final class SimulatedScratchFile: ScratchFile {
    private let system: SimulatedFileSystem
    private let folder: String
    private let content = Mutex<[UInt8]>([])

    init(system: SimulatedFileSystem, folder: String) {
        self.system = system
        self.folder = folder
    }

    func info() throws(FileError) -> FileInfo {
        let byteCount = content.withLock { Int64($0.count) }
        return FileInfo(kind: .file, byteCount: byteCount, device: 0, inode: 0, modifiedNanos: 0)
    }

    func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int {
        try system.count(.read, folder)
        let room = buffer.count
        let bytes = content.withLock { $0.dropFirst(Int(offset)).prefix(room) }
        unsafe buffer.copyBytes(from: bytes)
        return bytes.count
    }

    func write(at offset: Int64, _ bytes: UnsafeRawBufferPointer) throws(FileError) {
        try system.count(.append, folder)
        let bytes = unsafe Array(bytes)
        content.withLock { content in
            let end = Int(offset) + bytes.count
            if content.count < end { content += Array(repeating: 0, count: end - content.count) }
            content.replaceSubrange(Int(offset)..<end, with: bytes)
        }
    }
}

private final class SimulatedLock: FolderLock {
    private let system: SimulatedFileSystem
    private let folder: String

    init(system: SimulatedFileSystem, folder: String) {
        self.system = system
        self.folder = folder
    }

    deinit { system.unlock(folder) }
}
