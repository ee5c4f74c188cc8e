// Which file is which, among files that change their names. An offset belongs to a file, a checkpoint knows it by a
// name, and rotation gives names away:
//
//     before             after                        what happened
//     l.log   = A @700   l.log   = C                  C is new, to be read from 0
//     l.log.1 = B @900   l.log.1 = A                  A was renamed: @700 goes with it
//                        l.log.2 = B                  so was B: @900
//
// A file is known by device and inode, and by the bytes before the last line end that was found in it, for inodes are
// given to new files as soon as old ones are deleted, and devices get other numbers with every mount. What has been
// found out about names is `pending` until a batch has put it into the offset log.

internal import Glibc
internal import SluiceEngine
internal import SluiceSystem

/// What is known of the files that a source follows.
struct FollowedFiles {
    /// What this process knows of a file.
    struct Known {
        var device: UInt64
        var inode: UInt64
        /// How far line ends have been looked for, which is how long the file was; the last line end before that.
        var searchedTo: Int64
        var lineEnd: Int64
        /// The last bytes before `lineEnd`.
        var tail: [UInt8]

        func isSameFile(as info: FileInfo) -> Bool { device == info.device && inode == info.inode }
    }

    /// A file of the position that is not there under any name.
    struct Missing {
        var path: String
        /// True when another file has its name.
        var isReplaced: Bool
        var offset: Int64
        /// Bytes that were seen and not read; nil where nobody has looked.
        var unreadByteCount: Int64?
    }

    private struct FileID: Hashable {
        var device: UInt64
        var inode: UInt64

        init(_ info: FileInfo) { (device, inode) = (info.device, info.inode) }
    }

    private let fileSystem: any FileSystem
    var known: [String: Known] = [:]
    /// From the checkpoint, of files that this process has not looked at.
    var marks: [String: FollowedFileMark] = [:]
    /// Where names stand that have changed hands: an offset, or nil for a name that is forgotten.
    private(set) var pending: [String: Int64?] = [:]

    init(_ fileSystem: any FileSystem) { self.fileSystem = fileSystem }

    /// A position with what is pending put in.
    func effective(_ position: SourceOffsets) -> SourceOffsets {
        var position = position
        for (path, offset) in pending { position.next[path] = offset }
        return position
    }

    /// A batch with all that was pending is committed.
    mutating func didCommit() { pending = [:] }

    /// What is at a name is read from its start.
    mutating func startOver(_ path: String) {
        known[path] = nil
        marks[path] = nil
        pending[path] = .some(0)
    }

    mutating func forget(_ path: String) {
        known[path] = nil
        marks[path] = nil
        pending.updateValue(nil, forKey: path)
    }

    /// How long the file of a name was when it was looked at last; nil where that is not known.
    func byteCount(_ path: String) -> Int64? { known[path]?.searchedTo ?? marks[path]?.byteCount }

    // MARK: - Names

    /// Finds the files of a position under their present names, and what cannot be found. `followsFiles`: a path that
    /// names one file has no others to look among.
    /// - Returns: the files to read, without second names of one file, and those that are missing.
    mutating func arrange(
        _ found: [(path: String, info: FileInfo)], _ position: SourceOffsets, followsFiles: Bool
    ) throws(ConnectorError) -> (files: [(path: String, info: FileInfo)], missing: [Missing]) {
        let infos = Dictionary(uniqueKeysWithValues: found.map { ($0.path, $0.info) })
        var owners: [FileID: String] = [:]
        var displaced: [String] = []
        for path in position.next.keys {
            if let info = infos[path], try isSameFile(path, info) {
                owners[FileID(info)] = path
            } else {
                displaced.append(path)
            }
        }
        var renamed: [String: String] = [:]
        if followsFiles, !displaced.isEmpty {
            displaced.sort(by: precedesInBytes)
            for (path, info) in found where owners[FileID(info)] == nil {
                guard let old = try oldName(of: path, info, among: displaced.filter { renamed[$0] == nil }) else {
                    continue
                }
                renamed[old] = path
                owners[FileID(info)] = path
            }
        }
        let missing = displaced.filter { renamed[$0] == nil }.map { path in
            let offset = position.next[path] ?? 0
            return Missing(
                path: path, isReplaced: infos[path] != nil, offset: offset,
                unreadByteCount: byteCount(path).map { max(0, $0 - offset) })
        }
        rename(renamed, position, isThere: { infos[$0] != nil })
        guard followsFiles else { return (found, missing) }
        let files = found.filter { path, info in
            let owner = owners[FileID(info)]
            if owner == nil { owners[FileID(info)] = path }
            return owner == nil || owner == path
        }
        return (files, missing)
    }

    /// Moves what is known of files from their old names to their new ones.
    private mutating func rename(
        _ renamed: [String: String], _ position: SourceOffsets, isThere: (String) -> Bool
    ) {
        guard !renamed.isEmpty else { return }
        let (known, marks) = (self.known, self.marks)
        let targets = Set(renamed.values)
        for old in renamed.keys where !targets.contains(old) {
            if isThere(old) { startOver(old) } else { forget(old) }
        }
        for (old, new) in renamed {
            self.known[new] = known[old]
            self.marks[new] = marks[old]
            pending[new] = .some(position.next[old] ?? 0)
        }
    }

    /// Whether what is at a name is the file that was read under it.
    func isSameFile(_ path: String, _ info: FileInfo) throws(ConnectorError) -> Bool {
        if known[path]?.isSameFile(as: info) == true { return true }
        guard let mark = mark(path) else { return true }
        if mark.inode == info.inode && mark.device == info.device { return true }
        // Over a restart the content alone may say so: files are copied to other disks. A running process sees at most
        // that a device has another number.
        guard known[path] == nil || mark.inode == info.inode else { return false }
        return try holds(mark, path, info)
    }

    /// The name under which the file at a path was read. An inode alone does not say so.
    private func oldName(
        of path: String, _ info: FileInfo, among names: [String]
    ) throws(ConnectorError) -> String? {
        for name in names {
            guard let mark = mark(name), mark.inode == info.inode else { continue }
            if try holds(mark, path, info) { return name }
        }
        return nil
    }

    private func holds(
        _ mark: FollowedFileMark, _ path: String, _ info: FileInfo
    ) throws(ConnectorError) -> Bool {
        guard info.byteCount >= mark.lineEnd else { return false }
        return FileTail(try TextFile(path, fileSystem).tail(before: mark.lineEnd)) == mark.tail
    }

    /// What the checkpoint keeps of the file of a name; nil where nothing is known of it.
    func mark(_ path: String) -> FollowedFileMark? {
        guard let known = known[path] else { return marks[path] }
        return FollowedFileMark(
            device: known.device, inode: known.inode, byteCount: known.searchedTo, lineEnd: known.lineEnd,
            tail: FileTail(known.tail))
    }

    /// The present path of a file that was read under a name, among those that are found; nil when it is none of them.
    func find(
        _ path: String, among found: [(path: String, info: FileInfo)]
    ) throws(ConnectorError) -> String? {
        for (present, info) in found where try oldName(of: present, info, among: [path]) != nil { return present }
        return nil
    }
}
