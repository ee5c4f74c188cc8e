// The queries of a process, as `run` puts them together, on a simulated disk and a clock that a test moves: each on its
// own thread, controlled from the test's. Nothing sleeps; the test waits for what it expects to see.

import Foundation
import QueryTesting
import SluiceRuntime
import SluiceSimulation
import SluiceSpec
import SluiceStatus
import SluiceSystem
import Synchronization
import Testing

final class LiveQueries: Sendable {
    let disk: SimulatedFileSystem
    let clock: SimulatedClock
    let reports = Reports()
    let board = StatusBoard()
    let set: QuerySet
    let service: StatusService
    private let monitor = Monitor()
    private let hasEnded = Atomic<Bool>(false)

    /// - Parameter spec: written to /spec/spec.yaml, from where `reload` reads it.
    init(
        _ spec: String, disk: SimulatedFileSystem = SimulatedFileSystem(), clock: SimulatedClock = SimulatedClock(),
        log: Log = .none, address: ListeningAddress = .test, token: String? = nil, allowedHosts: [AllowedHost] = [],
        secrets: [String] = []
    ) throws {
        self.disk = disk
        self.clock = clock
        try disk.makeFolders("/spec")
        for folder in ["/in/l", "/in/r"] { try disk.makeFolders(folder) }
        disk.put("/spec/spec.yaml", spec)
        let (monitor, reports, board) = (self.monitor, self.reports, self.board)
        let notice: @Sendable () -> Void = { monitor.withLock { monitor.notifyAll() } }
        let load: @Sendable () throws(FileError) -> LoadedSpec = { () throws(FileError) in
            try SpecLoader(fileSystem: disk, environment: { _ in nil }, zones: RunnerHarness.zones)
                .load(["/spec/spec.yaml"])
        }
        let loaded = try load()
        let messages = loaded.diagnostics.filter { $0.severity == .error }.map(\.message)
        let environment = QueryEnvironment(disk, clock: clock, pool: WorkerPool(width: 2), log: log) { progress in
            reports.add(progress)
            board.add(progress)
            notice()
        }
        let set = QuerySet(
            loaded.plans, spec: try #require(loaded.spec, "\(messages)"), options: QuerySetOptions(),
            environment: environment,
            didChange: { query in
                board.didChange(query)
                notice()
            })
        self.set = set
        let mask = SecretMask(secrets: secrets)
        service = StatusService(
            queries: set, board: board,
            policy: AccessPolicy(address: address, token: token.map { Array($0.utf8) }, allowedHosts: allowedHosts),
            hide: { mask.hide($0) },
            reload: { () throws(ReloadError) in try set.reload(load: load, willApply: { _ in }) })
    }

    func start() {
        SystemThread(name: "set") { [self] in
            _ = set.run()
            hasEnded.store(true, ordering: .sequentiallyConsistent)
            monitor.withLock { monitor.notifyAll() }
        }?.detach()
    }

    /// Ends all queries and waits for that.
    func stop() throws {
        set.stop()
        try until("the end") { hasEnded.load(ordering: .sequentiallyConsistent) }
    }

    /// Waits for something that a batch or a change of status brings about.
    func until(_ what: Comment, _ condition: () -> Bool) throws {
        let deadline = Date(timeIntervalSinceNow: 30)
        while !condition() {
            try #require(Date() < deadline, what)
            monitor.lock()
            monitor.wait(untilNanos: SystemClock().nanos(inMillis: 2))
            monitor.unlock()
        }
    }

    func status(_ query: String) -> QueryStatus? { set.statuses.first { $0.name == query }?.status }

    // MARK: Requests

    /// A request as a well-behaved client sends it.
    func send(
        _ method: String, _ path: String, query: [HTTPRequest.Field] = [], body: String = "",
        headers: [HTTPRequest.Field] = [], host: String = "127.0.0.1:4000"
    ) -> (status: Int, json: [String: Any], text: String, headers: [String: String]) {
        var all = [HTTPRequest.Field("Host", host)] + headers
        if method == "POST" { all.append(HTTPRequest.Field("Content-Type", "application/json")) }
        return answer(HTTPRequest(method, path, query: query, headers: all, body: Array(body.utf8)))
    }

    func answer(
        _ request: HTTPRequest
    ) -> (status: Int, json: [String: Any], text: String, headers: [String: String]) {
        let response = service.respond(to: request, nonce: "nonce")
        let text = String(decoding: response.bytes, as: UTF8.self)
        let json = (try? JSONSerialization.jsonObject(with: Data(response.bytes))) as? [String: Any]
        return (
            response.status, json ?? [:], text,
            Dictionary(response.headers.map { ($0.name.lowercased(), $0.value) }) { $1 }
        )
    }

    /// Adds a row to a followed source.
    func append(_ row: String, to source: String = "l") throws {
        try disk.append("/in/\(source).jsonl", Array((row + "\n").utf8))
    }

    /// All rows in a file sink, in the order of batches.
    func rows(_ folder: String) throws -> [String] {
        guard try disk.info(folder) != nil else { return [] }
        return try disk.list(folder).filter { $0.hasPrefix("batch-") }.flatMap { name in
            String(decoding: try disk.readAll("\(folder)/\(name)"), as: UTF8.self).split(separator: "\n").map(
                String.init)
        }
    }
}

extension ListeningAddress {
    static let test = ListeningAddress(
        kind: .tcp(ip: "127.0.0.1", port: 4000, isLoopback: true), host: "127.0.0.1", machineName: "box")
}

/// Queries that copy a followed file, one sink and one checkpoint each.
struct CopySpec {
    /// Trigger by query.
    var triggers: [String: String]
    /// Further fields by query.
    var fields: [String: String] = [:]
    var columns = "id: string, k: string, t: timestamp, v: int"
    var comment = ""

    var text: String {
        var lines = ["sluice: 1"]
        if !comment.isEmpty { lines.append("# \(comment)") }
        lines += [
            "sources:", "  l:", "    file: { path: /in/l.jsonl, follow: true }", "    format: json",
            "    columns: { \(columns) }", "queries:",
        ]
        for (name, trigger) in triggers.sorted(by: { $0.key < $1.key }) {
            lines += [
                "  \(name):", "    from: l", "    trigger: \(trigger)", "    checkpoint: /check/\(name)",
                "    to: \(name)_out",
            ]
            if let field = fields[name] { lines.append("    \(field)") }
        }
        lines.append("sinks:")
        for name in triggers.keys.sorted() {
            lines += ["  \(name)_out:", "    file: { path: /out/\(name) }", "    format: json"]
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
