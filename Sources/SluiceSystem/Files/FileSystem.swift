// Every file operation of the product goes through this protocol. It has two implementations: the real one, and a
// simulated one in SluiceSimulation that counts operations, fails or crashes at any of them, and forgets what was not
// made durable.

/// What went wrong with a file.
package struct FileError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The verb: `open`, `write`, `rename` …
    package var operation: String
    package var path: String
    package var errno: Int32

    package init(operation: String, path: String, errno: Int32) {
        self.operation = operation
        self.path = path
        self.errno = errno
    }

    package var description: String { "cannot \(operation) \(path): \(errorText(errno))" }
}

package struct FileInfo: Hashable, Sendable {
    package enum Kind: Sendable {
        case file
        case folder
        case other
    }

    package var kind: Kind
    package var byteCount: Int64
    /// Tells files apart even after a rename.
    package var device: UInt64
    package var inode: UInt64
    /// When the content was last changed, in nanoseconds since the epoch.
    package var modifiedNanos: Int64

    package init(kind: Kind, byteCount: Int64, device: UInt64, inode: UInt64, modifiedNanos: Int64) {
        self.kind = kind
        self.byteCount = byteCount
        self.device = device
        self.inode = inode
        self.modifiedNanos = modifiedNanos
    }
}

/// An open file, closed with its last reference.
package protocol ReadableFile: AnyObject, Sendable {
    func info() throws(FileError) -> FileInfo
    /// Reads up to `buffer.count` bytes at `offset`; fewer only at the end of the file. Thread-safe.
    func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int
}

/// A file without a name, gone with its last reference or its process.
package protocol ScratchFile: ReadableFile {
    /// Writes all of `bytes`. Not while somebody reads or writes the same bytes.
    func write(at offset: Int64, _ bytes: UnsafeRawBufferPointer) throws(FileError)
}

/// An exclusive lock on a folder; released with its last reference and by the kernel when the process ends.
package protocol FolderLock: AnyObject, Sendable {}

package protocol FileSystem: Sendable {
    /// nil when nothing is there.
    func info(_ path: String) throws(FileError) -> FileInfo?
    /// Names in a folder, sorted by their bytes; an error when it is not a folder.
    func list(_ folder: String) throws(FileError) -> [String]
    /// Makes a folder and those above it that are missing; durable on return.
    func makeFolders(_ path: String) throws(FileError)
    func open(_ path: String) throws(FileError) -> any ReadableFile
    func readAll(_ path: String) throws(FileError) -> [UInt8]
    /// Creates or replaces a file with `parts` one after another; durable on return only after `sync`.
    func write(_ path: String, _ parts: [UnsafeRawBufferPointer]) throws(FileError)
    /// Adds `parts` one after another to the end of a file, creating it if need be; durable on return only after
    /// `sync`.
    func append(_ path: String, _ parts: [UnsafeRawBufferPointer]) throws(FileError)
    /// Makes a file's content durable (fsync).
    func sync(_ path: String) throws(FileError)
    /// Makes creations, renames and removals in a folder durable.
    func syncFolder(_ path: String) throws(FileError)
    /// Replaces `to` atomically.
    func rename(_ from: String, to: String) throws(FileError)
    /// Removes a file; removing what is not there is no error.
    func remove(_ path: String) throws(FileError)
    /// Makes an empty file without a name on the disk of a folder, for what does not fit into memory.
    func makeScratchFile(in folder: String) throws(FileError) -> any ScratchFile
    /// Locks a folder itself, which no hand deletes without noticing; nil when another process (or another lock of this
    /// one) holds it.
    /// - Parameter note: a file in the folder that is locked with it and says which process has it: for people, and for
    ///   earlier versions, which locked only that.
    func lock(folder: String, note: String?) throws(FileError) -> (any FolderLock)?
    /// Lets the system give up its copy in memory of a durable file that nobody is expected to read soon. A hint.
    func forget(_ path: String)
}

extension FileSystem {
    /// As the other one, for bytes in one array.
    package func append(_ path: String, _ bytes: [UInt8]) throws(FileError) {
        var failure: FileError?
        unsafe bytes.withUnsafeBytes { bytes in
            do throws(FileError) { unsafe try append(path, [bytes]) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    package func forget(_ path: String) {}
}
