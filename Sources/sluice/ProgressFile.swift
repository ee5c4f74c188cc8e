// The file of `--progress`: one line a batch, from any query's thread. It is opened by its name for each line, so that
// whoever renames or removes it (logrotate, say) gets the next line in a new file, without a signal. It also turns over
// by itself, so that a query that runs for a year does not fill the disk with what it says about itself.

internal import Glibc
internal import SluiceRuntime
internal import SluiceSystem
internal import Synchronization

final class ProgressFile: Sendable {
    static let byteCountMaxDefault: Int64 = 64 << 20

    private let path: String
    private let byteCountMax: Int64
    private let files: any FileSystem
    private let log: Log
    private let isFailing = Mutex(false)

    /// - Parameter byteCountMax: a file that would grow beyond it becomes `PATH.1`, in place of the one before.
    init(path: String, byteCountMax: Int64, files: any FileSystem, log: Log) {
        self.path = path
        self.byteCountMax = byteCountMax
        self.files = files
        self.log = log
    }

    /// A query does not stop because its progress cannot be written; it is said once.
    func append(_ progress: QueryProgress) {
        let line = Array((progress.json + "\n").utf8)
        isFailing.withLock { isFailing in
            do throws(FileError) {
                try turnOver(before: line.count)
                try files.append(path, line)
                isFailing = false
            } catch {
                if !isFailing { log.warning("Progress cannot be written", [.error: .string("\(error)")]) }
                isFailing = true
            }
        }
    }

    private func turnOver(before byteCount: Int) throws(FileError) {
        // A pipe or a terminal has no end that could be reached.
        guard let info = try files.info(path), info.kind == .file, info.byteCount > 0,
            info.byteCount + Int64(byteCount) > byteCountMax
        else { return }
        do throws(FileError) { try files.rename(path, to: path + ".1") } catch {
            // Another process that writes here was faster.
            guard error.errno == ENOENT else { throw error }
        }
    }
}
