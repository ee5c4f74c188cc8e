// `sluice run`: the queries of the specs, until they end or a signal asks them to.

internal import Glibc
internal import SluiceEngine
internal import SluiceRuntime
internal import SluiceSpec
internal import SluiceSystem
internal import Synchronization

struct RunCommand {
    private let options: RunOptions
    private let files: any FileSystem
    private let clock: any Clock

    init(_ options: RunOptions, files: any FileSystem, clock: any Clock) {
        self.options = options
        self.files = files
        self.clock = clock
    }

    /// The exit code: 0 when every query ended well, 1 when one failed or the specs have errors, 2 for wrong usage.
    func run() throws -> Int32 {
        var setOptions = QuerySetOptions()
        setOptions.checkpointRoot = options.checkpoint
        if let text = options.trigger {
            do throws(TriggerProblem) {
                setOptions.trigger = try TriggerSpec(text: text)
            } catch {
                return wrongUsage("--trigger: \(error)")
            }
        }
        if options.listen != nil { return wrongUsage("--listen is not supported yet") }
        let loaded = try SpecLoader(fileSystem: files, environment: environmentVariable).load(options.specs)
        for diagnostic in loaded.diagnostics { printError(diagnostic.rendered(lines: loaded.lines)) }
        guard let spec = loaded.spec, !loaded.hasErrors else { return 1 }
        let names = loaded.plans.map(\.spec.name.value)
        for name in options.queries where !names.contains(name) {
            let meant = nearest(to: name, in: names).map { ", did you mean `\($0)`?" } ?? ""
            return wrongUsage("--query: there is no query `\(name)`\(meant)")
        }
        let chosen = loaded.plans.filter { options.queries.isEmpty || options.queries.contains($0.spec.name.value) }
        let set = QuerySet(chosen, spec: spec, options: setOptions, environment: environment(spec.secretMask))
        stopOnSignals(set)
        return set.run() ? 0 : 1
    }

    private func wrongUsage(_ message: String) -> Int32 {
        printError("error: \(message)")
        return 2
    }

    private func environment(_ mask: SecretMask) -> QueryEnvironment {
        let log = Log(
            level: options.logLevel, format: options.logFormat, clock: clock, hide: { mask.hide($0) })
        let progress = options.progress.map { ProgressFile(path: $0, files: files, log: log) }
        return QueryEnvironment(
            fileSystem: files, clock: clock, pool: WorkerPool(width: ProcessFacts.processorCount),
            zones: systemTimeZones(files), log: log, report: { progress?.append($0.hidingSecrets(mask)) })
    }

    /// The first signal lets the batch in hand finish; the second ends the process as it is, which loses nothing.
    private func stopOnSignals(_ set: QuerySet) {
        let flag = StopFlag()
        _ = handleSignals { signal in
            if signal == .hangUp { return }
            if flag.raise() { _exit(130) }
            set.stop()
        }
    }
}

/// True from the second time on that it is raised.
private final class StopFlag: Sendable {
    private let isRaised = Atomic<Bool>(false)

    func raise() -> Bool { isRaised.exchange(true, ordering: .sequentiallyConsistent) }
}

extension QueryProgress {
    /// Paths are all that a record quotes of a spec.
    fileprivate func hidingSecrets(_ mask: SecretMask) -> QueryProgress {
        func hide(_ offsets: [String: Int64]) -> [String: Int64] {
            Dictionary(offsets.map { (mask.hide($0.key), $0.value) }) { first, _ in first }
        }
        var shown = self
        shown.sinkDescription = mask.hide(sinkDescription)
        shown.sources = sources.map { source in
            var source = source
            source.description = mask.hide(source.description)
            source.startOffset = source.startOffset.map(hide)
            source.endOffset = hide(source.endOffset)
            source.latestOffset = hide(source.latestOffset)
            return source
        }
        return shown
    }
}

/// Where progress records go, one line a batch, from any query's thread.
private final class ProgressFile: Sendable {
    private let path: String
    private let files: any FileSystem
    private let log: Log
    private let isFailing = Mutex(false)

    init(path: String, files: any FileSystem, log: Log) {
        self.path = path
        self.files = files
        self.log = log
    }

    /// A query does not stop because its progress cannot be written; it is said once.
    func append(_ progress: QueryProgress) {
        isFailing.withLock { isFailing in
            do throws(FileError) {
                try files.append(path, Array((progress.json + "\n").utf8))
                isFailing = false
            } catch {
                if !isFailing { log.warning("Progress cannot be written", [.error: .string("\(error)")]) }
                isFailing = true
            }
        }
    }
}
