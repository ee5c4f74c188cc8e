// The disk itself, without locks, numbers and faults: names, contents, and which of them would survive.

internal import Glibc
internal import SluiceSystem

/// A file's contents, as seen and as safe. Guarded by its file system's lock.
final class SimulatedInode: @unchecked Sendable {
    let number: UInt64
    var content: [UInt8] = [] {
        didSet { changeCount += 1 }
    }
    /// Stands for the time of the last change.
    private var changeCount: Int64 = 0
    /// What a crash leaves for sure; nil while nothing was ever synced.
    var durable: [UInt8]? = []
    var isSynced = true
    /// A sync failed: the bytes written before it never reach the disk.
    var hasLostPages = false

    init(number: UInt64) { self.number = number }

    /// Copies count as the same content only where they are.
    func takeTime(of other: SimulatedInode) {
        changeCount = other.changeCount + (content == other.content ? 0 : 1)
    }

    var info: FileInfo {
        FileInfo(
            kind: .file, byteCount: Int64(content.count), device: 1, inode: number,
            modifiedNanos: Int64(number) << 32 | changeCount)
    }
}

struct SimulatedDisk {
    /// A change to names that has not been made durable: what stands at each name afterwards (nil: nothing).
    private struct NameChange {
        var edits: [(path: String, inode: SimulatedInode?)]
    }

    enum Verdict {
        case succeed
        case fail(Int32)
        case crash
    }

    var plan: FaultPlan
    var operationCount = 0
    var hasCrashed = false
    var recordsTrace = false
    var trace: [FileOperation] = []
    /// Per folder.
    var bytesWritten: [String: Int64] = [:]
    var syncCount = 0
    var locked: Set<String> = []

    private var generator: SplitMix64
    private var nextInode: UInt64 = 1
    /// Folder to the names of its files, as seen. Folders are durable from the start.
    private var folders: [String: [String: SimulatedInode]] = ["/": [:]]
    /// Folder to the names of its files that are safe.
    private var durableFolders: [String: [String: SimulatedInode]] = [:]
    /// Per folder, in order; a rename between folders stands under both.
    private var pending: [String: [Int: NameChange]] = [:]
    private var nextChange = 0

    init(plan: FaultPlan) {
        self.plan = plan
        generator = SplitMix64(seed: plan.seed)
    }

    /// A number below `bound`.
    mutating func random(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &generator) }

    mutating func begin(_ verb: FileOperation.Verb, _ path: String) -> Verdict {
        let operation = FileOperation(number: operationCount, verb: verb, path: path)
        if hasCrashed { return .fail(FileError.crashErrno) }
        operationCount += 1
        if recordsTrace { trace.append(operation) }
        if operation.number == plan.crashAtOperation { return .crash }
        if let code = plan.failures[operation.number] ?? plan.fails?(operation) { return .fail(code) }
        return .succeed
    }

    // MARK: - Reading

    func file(_ path: String) -> SimulatedInode? {
        let (folder, name) = split(path)
        return folders[folder]?[name]
    }

    func existing(_ path: String, _ verb: String) throws(FileError) -> SimulatedInode {
        if let inode = file(path) { return inode }
        throw FileError(operation: verb, path: path, errno: folders[path] == nil ? ENOENT : EISDIR)
    }

    func info(_ path: String) -> FileInfo? {
        if let inode = file(path) { return inode.info }
        // Folders need no number of their own: nobody follows one over a rename.
        return folders[path] == nil ? nil : FileInfo(kind: .folder, byteCount: 0, device: 1, inode: 0, modifiedNanos: 0)
    }

    func list(_ folder: String) throws(FileError) -> [String] {
        guard let files = folders[folder] else {
            throw FileError(operation: "list", path: folder, errno: file(folder) == nil ? ENOENT : ENOTDIR)
        }
        let children = folders.keys.filter { $0 != "/" && split($0).folder == folder }.map { split($0).name }
        return (files.keys + children).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    func files(under folder: String) -> [String] {
        folders.filter { isBelow($0.key, folder) }.flatMap { folder, names in
            names.keys.map { folder == "/" ? "/" + $0 : folder + "/" + $0 }
        }
    }

    // MARK: - Changing

    mutating func makeFolders(_ path: String) throws(FileError) {
        var missing: [String] = []
        var folder = path
        while folders[folder] == nil {
            if file(folder) != nil { throw FileError(operation: "make folder", path: folder, errno: ENOTDIR) }
            missing.append(folder)
            folder = split(folder).folder
        }
        for folder in missing { folders[folder] = [:] }
    }

    mutating func write(_ path: String, _ bytes: ArraySlice<UInt8>, replaces: Bool) throws(FileError) {
        let (folder, name) = split(path)
        let inode: SimulatedInode
        if let existing = folders[folder]?[name] {
            inode = existing
        } else {
            guard folders[folder] != nil else { throw FileError(operation: "create", path: path, errno: ENOENT) }
            if folders[path] != nil { throw FileError(operation: "create", path: path, errno: EISDIR) }
            inode = SimulatedInode(number: nextInode)
            nextInode += 1
            apply([(path, inode)])
        }
        if replaces {
            inode.content = Array(bytes)
            inode.hasLostPages = false
        } else {
            inode.content += bytes
        }
        inode.isSynced = false
        bytesWritten[folder, default: 0] += Int64(bytes.count)
    }

    mutating func sync(_ path: String) throws(FileError) {
        let inode = try existing(path, "sync")
        syncCount += 1
        if inode.hasLostPages { return }
        inode.durable = inode.content
        inode.isSynced = true
    }

    mutating func syncFolder(_ folder: String) throws(FileError) {
        guard folders[folder] != nil else { throw FileError(operation: "sync folder", path: folder, errno: ENOENT) }
        syncCount += 1
        for (number, change) in (pending[folder] ?? [:]).sorted(by: { $0.key < $1.key }) {
            makeDurable(change)
            forget(number, change)
        }
    }

    mutating func rename(_ from: String, to: String) throws(FileError) {
        let inode = try existing(from, "rename")
        guard folders[split(to).folder] != nil else { throw FileError(operation: "rename", path: to, errno: ENOENT) }
        if folders[to] != nil { throw FileError(operation: "rename", path: to, errno: EISDIR) }
        if from != to { apply([(from, nil), (to, inode)]) }
    }

    mutating func remove(_ path: String) throws(FileError) {
        if folders[path] != nil { throw FileError(operation: "remove", path: path, errno: EISDIR) }
        if file(path) != nil { apply([(path, nil)]) }
    }

    mutating func lock(_ folder: String, note: String?) throws(FileError) -> Bool {
        guard folders[folder] != nil else { throw FileError(operation: "lock", path: folder, errno: ENOENT) }
        guard locked.insert(folder).inserted else { return false }
        if let note {
            try write(folder == "/" ? "/\(note)" : "\(folder)/\(note)", Array("1\n".utf8)[...], replaces: true)
        }
        return true
    }

    mutating func put(_ path: String, _ bytes: [UInt8]) {
        let (folder, name) = split(path)
        // A test that puts a file below a file is wrong, and sees it when it reads.
        try? makeFolders(folder)
        let inode = file(path) ?? SimulatedInode(number: nextInode)
        nextInode += 1
        inode.content = bytes
        inode.durable = bytes
        inode.isSynced = true
        folders[folder]?[name] = inode
        durableFolders[folder, default: [:]][name] = inode
    }

    /// Puts a file of an earlier disk there, which is known again by its number and the time of its last change.
    private mutating func keep(_ path: String, _ old: SimulatedInode, _ content: [UInt8]) {
        let unused = nextInode
        nextInode = old.number
        put(path, content)
        nextInode = max(unused, old.number + 1)
        file(path)?.takeTime(of: old)
    }

    private mutating func apply(_ edits: [(path: String, inode: SimulatedInode?)]) {
        let change = NameChange(edits: edits)
        for edit in edits {
            let (folder, name) = split(edit.path)
            folders[folder]?[name] = edit.inode
            pending[folder, default: [:]][nextChange] = change
        }
        nextChange += 1
    }

    private mutating func makeDurable(_ change: NameChange) {
        for edit in change.edits {
            let (folder, name) = split(edit.path)
            durableFolders[folder, default: [:]][name] = edit.inode
        }
    }

    private mutating func forget(_ number: Int, _ change: NameChange) {
        for edit in change.edits { pending[split(edit.path).folder]?[number] = nil }
    }

    // MARK: - After a crash

    /// What a crash leaves, all of it durable.
    mutating func survivor(plan: FaultPlan) -> SimulatedDisk {
        persistSomePendingChanges()
        var disk = SimulatedDisk(plan: plan)
        var contents: [UInt64: [UInt8]] = [:]
        disk.folders = folders.mapValues { _ in [:] }
        // In order, so that the seed decides and not the order of a dictionary.
        for (folder, names) in durableFolders.sorted(by: { $0.key < $1.key }) {
            for (name, inode) in names.sorted(by: { $0.key < $1.key }) {
                let content = contents[inode.number] ?? survivingContent(of: inode)
                contents[inode.number] = content
                disk.keep(join(folder, name), inode, content)
            }
        }
        return disk
    }

    /// The whole disk as it is seen, durable from now on.
    func copy(plan: FaultPlan) -> SimulatedDisk {
        var disk = SimulatedDisk(plan: plan)
        disk.folders = folders.mapValues { _ in [:] }
        for (folder, names) in folders.sorted(by: { $0.key < $1.key }) {
            for (name, inode) in names.sorted(by: { $0.key < $1.key }) {
                disk.keep(join(folder, name), inode, inode.content)
            }
        }
        return disk
    }

    private mutating func persistSomePendingChanges() {
        var changes: [Int: NameChange] = [:]
        for folder in pending.values { changes.merge(folder) { first, _ in first } }
        var stuck: Set<String> = []
        for (_, change) in changes.sorted(by: { $0.key < $1.key }) {
            let paths = change.edits.map(\.path)
            if stuck.isDisjoint(with: paths) && random(2) == 0 {
                makeDurable(change)
            } else {
                stuck.formUnion(paths)
            }
        }
    }

    private mutating func survivingContent(of inode: SimulatedInode) -> [UInt8] {
        let durable = inode.durable ?? []
        if inode.isSynced || random(3) == 0 { return durable }
        let safe = inode.content.starts(with: durable) ? durable.count : 0
        let unsafeCount = inode.hasLostPages ? 0 : inode.content.count - safe
        return Array(inode.content.prefix(safe + random(unsafeCount + 1)))
    }
}

/// `/a//b/` as `/a/b`; a relative path is taken from the root.
func normalised(_ path: String) -> String {
    isNormal(path) ? path : "/" + path.split(separator: "/").filter { $0 != "." }.joined(separator: "/")
}

/// Bytes and not characters: a million batches ask ten million times.
private func isNormal(_ path: String) -> Bool {
    let slash = UInt8(ascii: "/")
    guard path.utf8.first == slash else { return false }
    var last = UInt8(0)
    for byte in path.utf8 {
        if last == slash && (byte == slash || byte == UInt8(ascii: ".")) {
            // `/.name` is fine, but rare enough for the long way.
            return path.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
                .allSatisfy { !$0.isEmpty && $0 != "." }
        }
        last = byte
    }
    return last != slash || path == "/"
}

/// True for `folder` itself and everything below it.
func isBelow(_ path: String, _ folder: String) -> Bool {
    folder == "/" || path == folder || path.hasPrefix(folder + "/")
}

private func split(_ path: String) -> (folder: String, name: String) {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return ("/", path) }
    return (slash == path.startIndex ? "/" : String(path[..<slash]), String(path[path.utf8.index(after: slash)...]))
}

private func join(_ folder: String, _ name: String) -> String { folder == "/" ? "/" + name : folder + "/" + name }
