// `sluice run`: the queries of the specs, until they end or a signal asks them to.

internal import SluiceEngine
internal import SluiceRuntime
internal import SluiceSpec
internal import SluiceStatus
internal import SluiceSystem
internal import Synchronization

struct RunCommand {
    private let options: RunOptions
    private let files: any FileSystem
    private let clock: any Clock
    private let output: ErrorOutput
    private let signals: RunSignals

    init(
        _ options: RunOptions, files: any FileSystem, clock: any Clock, output: ErrorOutput, signals: RunSignals
    ) {
        self.options = options
        self.files = files
        self.clock = clock
        self.output = output
        self.signals = signals
    }

    /// What the options ask for, as far as it can be told without the specs.
    private struct Asked {
        var set = QuerySetOptions()
        var address: SocketAddress?
        var allowedHosts: [AllowedHost] = []
        var progressBytesMax = ProgressFile.byteCountMaxDefault
        /// Some room is left for whatever else the process needs.
        var memoryBytesMax = ProcessFacts.memoryByteCount.map { $0 / 10 * 9 }
    }

    /// Where requests come in, and what they must carry.
    private struct Listener {
        var socket: ListeningSocket
        var token: String?
        var allowedHosts: [AllowedHost]
    }

    /// The exit code: 0 when every query ended well, 1 when one failed or the specs have errors, 2 for wrong usage.
    func run() throws -> Int32 {
        do {
            let asked = try readOptions()
            let loaded = try loadSpecs()
            output.say(loaded.diagnostics, loaded.lines)
            guard let spec = loaded.spec, !loaded.hasErrors else { return 1 }
            try checkQueries(loaded.plans.map(\.spec.name.value))
            // Nothing has begun that would have to be ended.
            if signals.isStopping { return 0 }
            let listener = try openListener(asked)
            return run(asked.set.chosen(loaded.plans), spec, asked, listener)
        } catch let problem as WrongUsage {
            output.error(problem.message)
            return 2
        }
    }

    private func readOptions() throws(WrongUsage) -> Asked {
        var asked = Asked()
        asked.set.checkpointRoot = options.checkpoint
        asked.set.queries = options.queries
        asked.set.acceptsMissingMark = options.acceptsMissingMark
        if let text = options.trigger {
            do throws(TriggerProblem) { asked.set.trigger = try TriggerSpec(text: text) } catch {
                throw WrongUsage("--trigger: \(error)")
            }
        }
        if let text = options.maxMemory {
            do throws(SizeProblem) { asked.memoryBytesMax = try parseSize(text) } catch {
                throw WrongUsage("--max-memory: `\(text)` is not a size: write it as `2GiB`")
            }
        }
        if let text = options.progressMax {
            do throws(SizeProblem) { asked.progressBytesMax = try parseSize(text) } catch {
                throw WrongUsage("--progress-max: `\(text)` is not a size: write it as `64MiB`")
            }
            if options.progress == nil { throw WrongUsage("--progress-max is for --progress") }
        }
        if let text = options.listen {
            do throws(AddressProblem) { asked.address = try SocketAddress(text) } catch {
                throw WrongUsage("--listen: \(error)")
            }
        } else if options.tokenFile != nil || !options.allowedHosts.isEmpty {
            throw WrongUsage("--\(options.tokenFile == nil ? "allow-host" : "token-file") is for --listen")
        }
        for text in options.allowedHosts {
            do throws(AddressProblem) { asked.allowedHosts.append(try AllowedHost(text)) } catch {
                throw WrongUsage("--allow-host: \(error)")
            }
        }
        return asked
    }

    private func checkQueries(_ names: [String]) throws(WrongUsage) {
        for name in options.queries where !names.contains(name) {
            let meant = nearest(to: name, in: names).map { ", did you mean `\($0)`?" } ?? ""
            throw WrongUsage("--query: there is no query `\(name)`\(meant)")
        }
    }

    private func openListener(_ asked: Asked) throws -> Listener? {
        guard let address = asked.address else { return nil }
        let socket = try ListeningSocket(address)
        if !socket.address.isLocal, options.tokenFile == nil {
            throw WrongUsage("--listen: an address that other machines can reach needs --token-file")
        }
        let token = try options.tokenFile.map { try readToken($0, files) }
        return Listener(socket: socket, token: token, allowedHosts: asked.allowedHosts)
    }

    private func run(_ plans: [PlannedQuery], _ spec: Spec, _ asked: Asked, _ listener: Listener?) -> Int32 {
        let mask = SharedMask(spec.secretMask)
        let board = listener.map { _ in StatusBoard() }
        let environment = environment(mask, board, asked)
        let set = QuerySet(
            plans, spec: spec, options: asked.set, environment: environment,
            didChange: { [board] query in board?.didChange(query) })
        let reload: @Sendable () throws(ReloadError) -> ReloadReport = { [self] () throws(ReloadError) in
            try self.reload(set, mask, environment.log)
        }
        signals.begin(
            RunSignals.Actions(
                stop: { set.stop() },
                // On a thread of its own: a reload waits for batches, and a signal to stop must not wait for that.
                reload: { SystemThread(name: "reload") { _ = try? reload() }?.detach() }))
        var server: StatusServer?
        if let listener, let board {
            let service = StatusService(
                queries: set, board: board,
                policy: AccessPolicy(
                    address: listener.socket.address, token: listener.token.map { Array($0.utf8) },
                    allowedHosts: listener.allowedHosts),
                hide: { mask.hide($0) }, reload: reload)
            server = StatusServer(service, on: listener.socket, clock: clock)
            if server == nil {
                output.error("the system has no thread or no descriptor for the status server")
                return 1
            }
            let address = listener.socket.address.text
            output.say("listening on \(address)", .info, [.address: .string(address)])
        }
        let isWell = set.run()
        server?.stop()
        if !signals.isStopping, options.logLevel <= .info { sayWhatWasIdle(set, mask) }
        sayWhereRowsWent(set, mask)
        return isWell ? 0 : 1
    }

    /// A line a source. With several queries it begins with the query's name, as they may share sources.
    private func sayWhereRowsWent(_ set: QuerySet, _ mask: SharedMask) {
        guard options.logLevel <= .info else { return }
        let accounts = set.rowAccounts
        for (query, lines) in accounts {
            for (source, text) in lines {
                let name = accounts.count > 1 ? "\(query), \(source)" : source
                output.say(
                    mask.hide("\(name): \(text)"), .info, [.query: .string(query), .source: .string(source)])
            }
        }
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
                output.say(diagnostics, lines, hide: { mask.hide($0) })
                log.warning("Specs were read again and refused, nothing has changed")
            case .unreadable(let problem):
                log.warning("Specs cannot be read, nothing has changed", [.error: .string("\(problem)")])
            case .stopping: break
            }
            throw error
        }
    }

    private func environment(
        _ mask: SharedMask, _ board: StatusBoard?, _ asked: Asked
    ) -> QueryEnvironment {
        let log = Log(
            level: options.logLevel, format: options.logFormat, clock: clock, hide: { mask.hide($0) })
        let progress = options.progress.map {
            ProgressFile(path: $0, byteCountMax: asked.progressBytesMax, files: files, log: log)
        }
        return QueryEnvironment(
            fileSystem: files, clock: clock, pool: WorkerPool(width: ProcessFacts.processorCount),
            zones: systemTimeZones(files), log: log,
            memoryLimit: asked.memoryBytesMax.map { MemoryLimit(byteCountMax: $0, clock: clock) },
            report: { record in
                let shown = record.hidingSecrets(mask)
                progress?.append(shown)
                board?.add(shown)
            })
    }

    /// A run that has read nothing looks like one that did not work.
    private func sayWhatWasIdle(_ set: QuerySet, _ mask: SharedMask) {
        let isAlone = set.statuses.count == 1
        for query in set.idleQueries {
            let start = isAlone ? "nothing" : "`\(query.name)` has nothing"
            let last = query.lastBatch.map { "new: batch \($0) was the last" } ?? "to read yet: no batch has run"
            output.say(mask.hide("\(start) \(last), \(query.checkpointFolder)"), .info, [.query: .string(query.name)])
        }
        for query in set.queriesBegunAtEnd {
            let sources = query.sources.map { "`\($0)`" }.joined(separator: " and ")
            let verb = query.sources.count == 1 ? "begins at the end of its topic" : "begin at the end of their topics"
            output.say(
                mask.hide(
                    "nothing was read: \(sources) \(verb), and what comes from now on is read by the next run; "
                        + "`start: earliest` and a checkpoint of its own read what is there"), .info,
                [.query: .string(query.name)])
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
