// What goes wrong in a simulated run, and nothing else does: the same plan gives the same run.

package import SluiceSystem

/// One call to the simulated file system.
package struct FileOperation: Hashable, Sendable, CustomStringConvertible {
    package enum Verb: String, Hashable, Sendable {
        case info
        case list
        case makeFolders
        case open
        case read
        case readAll
        case write
        case append
        case sync
        case syncFolder
        case rename
        case remove
        case lock

        /// True when a crash before and after the operation can leave different disks.
        package var changesDisk: Bool {
            switch self {
            case .info, .list, .open, .read, .readAll: false
            case .makeFolders, .write, .append, .sync, .syncFolder, .rename, .remove, .lock: true
            }
        }
    }

    /// From 0, in the order of the calls.
    package var number: Int
    package var verb: Verb
    package var path: String

    package var description: String { "#\(number) \(verb.rawValue) \(path)" }
}

/// The faults of one simulated run.
package struct FaultPlan: Sendable, CustomStringConvertible {
    /// Decides what a crash leaves of what was not synced, and where torn writes end.
    package var seed: UInt64
    /// The machine stops during this operation: it and all later ones fail, and whether it took effect is random.
    package var crashAtOperation: Int?
    /// Operations that fail once, with an errno.
    package var failures: [Int: Int32] = [:]
    /// Fails every operation for which it gives an errno, such as every write of a full disk.
    package var fails: (@Sendable (FileOperation) -> Int32?)?

    package init(seed: UInt64, crashAtOperation: Int? = nil) {
        self.seed = seed
        self.crashAtOperation = crashAtOperation
    }

    /// Enough to run it again, for the message of a failed test.
    package var description: String {
        var text = "FaultPlan(seed: \(seed), crashAtOperation: \(crashAtOperation.map(String.init) ?? "nil"))"
        if !failures.isEmpty { text += " failures: \(failures.sorted { $0.key < $1.key })" }
        return text
    }
}

extension FileError {
    /// No system has this error number.
    package static let crashErrno = Int32.max

    /// True for what the operations of a crashed machine throw.
    package var isSimulatedCrash: Bool { errno == FileError.crashErrno }
}
