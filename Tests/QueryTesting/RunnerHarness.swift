// A query of a spec text on a simulated disk and clock, driven from a test batch by batch.

package import SluiceEngine
package import SluiceRuntime
package import SluiceSimulation
internal import SluiceSpec
package import SluiceSystem
internal import Synchronization
internal import Testing

/// Progress records in the order in which they were reported.
package final class Reports: Sendable {
    private let records = Mutex<[QueryProgress]>([])

    package init() {}

    /// Oldest first.
    package var all: [QueryProgress] { records.withLock { $0 } }

    /// What `QueryEnvironment.report` calls; from any thread.
    package func add(_ progress: QueryProgress) { records.withLock { $0.append(progress) } }
}

/// A query, its disk and its clock; a process at a time.
package final class RunnerHarness {
    /// Has the spec, the sources' files, the checkpoint and the sink's files.
    package let disk: SimulatedFileSystem
    /// The query's.
    package let clock: SimulatedClock
    /// Of all processes so far.
    package let reports = Reports()
    private let spec: LoadedSpec
    private let pool: WorkerPool
    private let log: Log
    private var runner: QueryRunner?
    /// Topics that tables read, by name.
    package var topics: [String: MemoryTopic] = [:]

    /// The simulated disk has no zone files.
    package static let zones = systemTimeZones(RealFileSystem())

    /// Plans the first query of a spec. Fails the test when the spec has errors.
    package init(
        spec text: String, disk: SimulatedFileSystem, clock: SimulatedClock = SimulatedClock(), workers: Int = 1,
        log: Log = .none
    ) throws {
        self.disk = disk
        self.log = log
        self.clock = clock
        pool = WorkerPool(width: workers)
        try disk.makeFolders("/spec")
        disk.put("/spec/spec.yaml", text)
        spec = try SpecLoader(fileSystem: disk, environment: { _ in nil }, zones: Self.zones).load(["/spec/spec.yaml"])
        let messages = spec.diagnostics.filter { $0.severity == .error }.map { "\($0.position.line): \($0.message)" }
        try #require(messages.isEmpty, "\(messages.joined(separator: "\n"))\n\(text)")
    }

    /// A new process: opens the checkpoint again.
    package func restart() throws {
        runner = nil
        let loaded = try #require(spec.spec)
        let planned = try #require(spec.plans.first)
        let environment = QueryEnvironment(
            fileSystem: disk, clock: clock, pool: pool,
            zones: Self.zones, log: log,
            report: { [reports] in reports.add($0) })
        var query = try QuerySet.makeQuery(planned, spec: loaded, options: QuerySetOptions(), environment: environment)
        query.tables = query.tables.map { table in
            guard case .topic(let name, _) = table, let topic = topics[name] else { return table }
            return .topic(name) { topic.source() }
        }
        runner = try QueryRunner(
            query, environment: environment, runID: "test", wakeup: Wakeup(), shouldStop: { false })
    }

    /// The end of the process.
    package func stop() { runner = nil }

    /// Runs until no batch is due.
    package func runPending() throws {
        if runner == nil { try restart() }
        try runner?.runPending()
    }

    /// The rows a batch has put into the file sink at /out.
    package func rows(batch: Int64) throws -> [String] {
        let digits = String(batch)
        let path = "/out/batch-\(String(repeating: "0", count: 10 - digits.count))\(digits).jsonl"
        guard try disk.info(path) != nil else { return [] }
        return String(decoding: try disk.readAll(path), as: UTF8.self).split(separator: "\n").map(String.init)
    }

    /// All rows in the file sink, sorted.
    package func allRows() throws -> [String] {
        guard try disk.info("/out") != nil else { return [] }
        return try disk.list("/out").filter { $0.hasPrefix("batch-") }.flatMap { name in
            String(decoding: try disk.readAll("/out/\(name)"), as: UTF8.self).split(separator: "\n").map(String.init)
        }.sorted()
    }
}

extension SimulatedFileSystem {
    /// All that a sink's folder `/out` holds by path, but for the mark that says whose it is: that is random.
    package var sinkFiles: [String: String] {
        var texts: [String: String] = [:]
        for path in files(under: "/out") where !path.hasSuffix(".sluice-owner") { texts[path] = text(path) ?? "" }
        return texts
    }
}
