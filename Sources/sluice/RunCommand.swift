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
        setOptions.queries = options.queries
        if let text = options.trigger {
            do throws(TriggerProblem) {
                setOptions.trigger = try TriggerSpec(text: text)
            } catch {
                return wrongUsage("--trigger: \(error)")
            }
        }
        var address: SocketAddress?
        if let text = options.listen {
            do throws(AddressProblem) { address = try SocketAddress(text) } catch {
                return wrongUsage("--listen: \(error)")
            }
        } else if options.tokenFile != nil {
            return wrongUsage("--token-file is for --listen")
        }
        let loaded = try loadSpecs()
        for diagnostic in loaded.diagnostics { printError(diagnostic.rendered(lines: loaded.lines)) }
        guard let spec = loaded.spec, !loaded.hasErrors else { return 1 }
        let names = loaded.plans.map(\.spec.name.value)
        for name in options.queries where !names.contains(name) {
            let meant = nearest(to: name, in: names).map { ", did you mean `\($0)`?" } ?? ""
            return wrongUsage("--query: there is no query `\(name)`\(meant)")
        }
        let socket = try address.map { try ListeningSocket($0) }
        if let socket, !socket.address.isLocal, options.tokenFile == nil {
            return wrongUsage("--listen: an address that other machines can reach needs --token-file")
        }
        let token = try options.tokenFile.map { try readToken($0, files) }
        return run(setOptions.chosen(loaded.plans), spec, setOptions, socket, token)
    }

    private func run(
        _ plans: [PlannedQuery], _ spec: Spec, _ setOptions: QuerySetOptions, _ socket: ListeningSocket?,
        _ token: String?
    ) -> Int32 {
        let mask = SharedMask(spec.secretMask)
        let board = socket.map { _ in StatusBoard() }
        let environment = environment(mask, board)
        let set = QuerySet(
            plans, spec: spec, options: setOptions, environment: environment,
            didChange: { [board] query in board?.didChange(query) })
        let reload: @Sendable () throws(ReloadError) -> ReloadReport = { [self] () throws(ReloadError) in
            try self.reload(set, mask, environment.log)
        }
        handleSignals(set, reload)
        var server: StatusServer?
        if let socket, let board {
            let service = StatusService(
                queries: set, board: board,
                policy: AccessPolicy(address: socket.address, token: token.map { Array($0.utf8) }),
                hide: { mask.hide($0) }, reload: reload)
            server = StatusServer(service, on: socket, clock: clock)
            if server == nil {
                printError("error: the system has no thread or no descriptor for the status server")
                return 1
            }
            printError("listening on \(socket.address.text)")
        }
        let isWell = set.run()
        server?.stop()
        sayWhereRowsWent(set, environment.log)
        return isWell ? 0 : 1
    }

    /// A line a source. With several queries it begins with the query's name, as they may share sources; a log of JSON
    /// stays one.
    private func sayWhereRowsWent(_ set: QuerySet, _ log: Log) {
        guard options.logLevel <= .info else { return }
        let accounts = set.rowAccounts
        for (query, lines) in accounts {
            for (source, text) in lines {
                switch options.logFormat {
                case .logfmt: printError((accounts.count > 1 ? "\(query), " : "") + "\(source): \(text)")
                case .json:
                    log.info(
                        "Where rows went", [.query: .string(query), .source: .string(source), .rows: .string(text)])
                }
            }
        }
    }

    private func wrongUsage(_ message: String) -> Int32 {
        printError("error: \(message)")
        return 2
    }

    private func loadSpecs() throws(FileError) -> LoadedSpec {
        try SpecLoader(fileSystem: files, environment: environmentVariable).load(options.specs, looksAtFiles: true)
    }

    /// Reads the specs again and brings the queries to them; says in the log what came of it.
    private func reload(_ set: QuerySet, _ mask: SharedMask, _ log: Log) throws(ReloadError) -> ReloadReport {
        do throws(ReloadError) {
            let report = try set.reload(
                load: { () throws(FileError) in try loadSpecs() }, willApply: { mask.add($0.secretMask) })
            log.info(
                "Specs were read again",
                [
                    .started: .integer(Int64(report.started.count)), .stopped: .integer(Int64(report.stopped.count)),
                    .changed: .integer(Int64(report.changed.count)),
                ])
            return report
        } catch {
            switch error {
            case .refused(let diagnostics, let lines):
                for diagnostic in diagnostics { printError(mask.hide(diagnostic.rendered(lines: lines))) }
                log.warning("Specs were read again and refused, nothing has changed")
            case .unreadable(let problem):
                log.warning("Specs cannot be read, nothing has changed", [.error: .string("\(problem)")])
            case .stopping: break
            }
            throw error
        }
    }

    private func environment(_ mask: SharedMask, _ board: StatusBoard?) -> QueryEnvironment {
        let log = Log(
            level: options.logLevel, format: options.logFormat, clock: clock, hide: { mask.hide($0) })
        let progress = options.progress.map { ProgressFile(path: $0, files: files, log: log) }
        return QueryEnvironment(
            fileSystem: files, clock: clock, pool: WorkerPool(width: ProcessFacts.processorCount),
            zones: systemTimeZones(files), log: log,
            report: { record in
                let shown = record.hidingSecrets(mask)
                progress?.append(shown)
                board?.add(shown)
            })
    }

    /// The first signal to stop lets the batch in hand finish; the second ends the process as it is, which loses
    /// nothing. A hang-up reads the specs again.
    private func handleSignals(
        _ set: QuerySet, _ reload: @escaping @Sendable () throws(ReloadError) -> ReloadReport
    ) {
        let flag = StopFlag()
        _ = SluiceSystem::handleSignals { signal in
            if signal == .hangUp {
                // On a thread of its own: a reload waits for batches, and a signal to stop must not wait for that.
                SystemThread(name: "reload") { _ = try? reload() }?.detach()
                return
            }
            if flag.raise() { _exit(130) }
            set.stop()
        }
    }
}

extension LogKey {
    static let started = LogKey("sluice.started")
    static let stopped = LogKey("sluice.stopped")
    static let changed = LogKey("sluice.changed")
    static let rows = LogKey("sluice.rows")
}

/// Hides the secrets of every spec that was read since the start: what was one stays one.
private final class SharedMask: Sendable {
    private let mask: Mutex<SecretMask>

    init(_ mask: SecretMask) { self.mask = Mutex(mask) }

    func add(_ other: SecretMask) { mask.withLock { $0 = $0.union(other) } }

    func hide(_ text: String) -> String { mask.withLock { $0 }.hide(text) }
}

/// True from the second time on that it is raised.
private final class StopFlag: Sendable {
    private let isRaised = Atomic<Bool>(false)

    func raise() -> Bool { isRaised.exchange(true, ordering: .sequentiallyConsistent) }
}

extension QueryProgress {
    /// Paths are all that a record quotes of a spec.
    fileprivate func hidingSecrets(_ mask: SharedMask) -> QueryProgress {
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
