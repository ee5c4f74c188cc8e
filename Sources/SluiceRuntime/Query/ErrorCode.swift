// The stable names of what can stop a query, for the log and the API: texts may change, these do not.

internal import Glibc
internal import SluiceCheckpoint
internal import SluiceConnectors
internal import SluiceEngine
internal import SluiceSystem

/// A stable name such as `kafka-unknown-topic`.
func errorCode(_ error: any Error) -> String {
    switch error {
    case let error as ConnectorError: error.code
    case let error as CheckpointError: error.code
    case let error as FileError: error.code
    case let error as MemoryError: error.code
    case let error as TableError: error.code
    case BatchError.badRow: "bad-row"
    case BatchError.outOfMemory: "out-of-memory"
    case BatchError.spill: "output-unwritable"
    case BatchError.input(_, let error): errorCode(error)
    default: "unexpected"
    }
}

extension CheckpointError {
    /// A stable name such as `checkpoint-locked`.
    package var code: String {
        switch self {
        case .file(let error): error.code
        case .locked: "checkpoint-locked"
        case .corrupt: "checkpoint-corrupt"
        case .missing: "checkpoint-file-missing"
        case .inconsistent: "checkpoint-inconsistent"
        case .foreign: "checkpoint-foreign-file"
        case .futureFormat: "checkpoint-future-format"
        case .incompatibleSpec: "checkpoint-incompatible-spec"
        case .notRetained: "checkpoint-batch-not-retained"
        }
    }
}

extension FileError {
    /// Of what a person can do something about by its name.
    fileprivate var code: String {
        switch errno {
        case ENOSPC, EDQUOT: "disk-full"
        case EMFILE, ENFILE: "too-many-open-files"
        case EACCES, EPERM, EROFS: "permission-denied"
        default: "file-operation-failed"
        }
    }
}
