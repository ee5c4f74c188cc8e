internal import Glibc
package import SluiceSystem

/// Why a checkpoint cannot be opened, written or read. Nothing has been overwritten when one of these is thrown on
/// open.
package enum CheckpointError: Error, Hashable, Sendable {
    /// A file operation failed.
    case file(FileError)
    /// Another process (or another query of this one) works on the folder.
    case locked(folder: String, processID: Int64?)
    /// A file does not hold what was written to it.
    case corrupt(path: String, reason: String)
    /// A file that must be there is not.
    case missing(path: String, reason: String)
    /// Files that cannot come from one history.
    case inconsistent(path: String, reason: String)
    /// A whole file of another query, or of another life of this one.
    case foreign(path: String, reason: String)
    /// A newer program wrote this.
    case futureFormat(path: String, format: Int64)
    /// The spec has changed in a way that the state cannot follow.
    case incompatibleSpec(folder: String, reason: String)
    /// Rolling back further than the checkpoint reaches.
    case notRetained(folder: String, batch: Int64, oldest: Int64?, newest: Int64?)

    /// True when doing the same again later may work: nothing is broken, something was short.
    package var isRetriable: Bool {
        guard case .file(let error) = self else { return false }
        switch error.errno {
        case ENOSPC, EDQUOT, EMFILE, ENFILE, ENOMEM, EAGAIN, EINTR, EIO, ETIMEDOUT, ESTALE: return true
        default: return false
        }
    }

    /// One sentence on what to do.
    package var remedy: String {
        switch self {
        case .file(let error) where error.errno == ENOSPC || error.errno == EDQUOT:
            "Make room on the disk; the query goes on from its last batch."
        case .file(let error) where error.errno == EMFILE || error.errno == ENFILE:
            "Allow this process more open files (`ulimit -n`, or `LimitNOFILE` of its service); a Kafka source takes "
                + "about fifteen, a Kafka sink eight, a query on files three."
        case .file: "Check the folder's owner, permissions and disk; nothing that was committed is lost."
        case .locked:
            "Stop the other process, or give this query a checkpoint folder of its own."
        case .corrupt, .missing, .inconsistent, .foreign:
            "Put back a copy of the whole checkpoint folder, or move the folder away to start the query anew."
        case .futureFormat: "Use the version of sluice that wrote it, or a later one."
        case .incompatibleSpec: "Undo the change, or give the query a new checkpoint folder."
        case .notRetained: "Choose a batch within that range; `state.retain_batches` sets how far back it reaches."
        }
    }
}

extension CheckpointError: CustomStringConvertible {
    /// The fact and the remedy.
    package var description: String { "\(fact). \(remedy)" }

    private var fact: String {
        switch self {
        case .file(let error): return "\(error)"
        case .locked(let folder, let processID):
            return "the checkpoint \(folder) is in use by \(processID.map { "process \($0)" } ?? "another process")"
        case .corrupt(let path, let reason): return "\(path) is damaged: \(reason)"
        case .missing(let path, let reason): return "\(path) is missing: \(reason)"
        case .inconsistent(let path, let reason): return "\(path) does not fit the rest of the checkpoint: \(reason)"
        case .foreign(let path, let reason): return "\(path) does not belong to this checkpoint: \(reason)"
        case .futureFormat(let path, let format):
            return "\(path) has format \(format), and this program knows formats up to \(stagesFormat)"
        case .incompatibleSpec(let folder, let reason):
            return "the spec does not fit the checkpoint \(folder): \(reason)"
        case .notRetained(let folder, let batch, let oldest, let newest):
            guard let oldest, let newest else { return "the checkpoint \(folder) has no committed batch" }
            return "the checkpoint \(folder) can go back to batches \(oldest) to \(newest), not to \(batch)"
        }
    }
}

/// A source's place in a checkpoint has a form that the source of that name does not have: files that were taken whole,
/// where it follows them, or the other way round.
func otherSpecReason(_ source: String) -> String {
    "the source `\(source)` of the query that made it is of another kind, so it belongs to a query of the same name in "
        + "another spec, or the source was changed since"
}

/// The version of every file's format that this program writes. A reader accepts this and all earlier ones.
let checkpointFormat: Int64 = 2
/// Of a `metadata.json` that has several stages, which earlier versions do not know.
let stagesFormat: Int64 = 3
