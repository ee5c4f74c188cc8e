// What tests of tables share: a stream of rows that is joined with the table `devices`, on a simulated disk.

import QueryTesting
import SluiceSimulation
import SluiceSystem

/// A query and its disk, a process at a time.
class LookupSetup {
    private(set) var disk = SimulatedFileSystem()
    private(set) var harness: RunnerHarness
    let clock = SimulatedClock()
    private var count = 0

    /// - Parameter topic: what the table reads, where it is a topic.
    init(_ spec: String, topic: MemoryTopic? = nil) throws {
        for folder in ["/in/rows", "/devices"] { try disk.makeFolders(folder) }
        harness = try RunnerHarness(spec: spec, disk: disk, clock: clock)
        harness.topics = topic.map { ["devices": $0] } ?? [:]
    }

    /// The spec.
    /// - Parameters:
    ///   - connector: of the table.
    ///   - columns: of the table.
    ///   - table: further fields of it.
    ///   - query: further fields of the query.
    static func spec(
        connector: String, columns: String = "{ k: string, site: string, size: int }", _ table: String = "",
        join: String = "type: left outer, keys: { rows.k: devices.k }", query: String = ""
    ) -> String {
        """
        sluice: 1
        sources:
          rows:
            file: { path: /in/rows, max_files_per_trigger: 1 }
            format: json
            columns: { id: string, k: string }
        tables:
          devices:
            \(connector)
            format: json
            columns: \(columns)
            \(table)
        queries:
          q:
            from: rows
            join:
              - { with: devices, \(join) }
            select: { id: rows.id, site: devices.site }
            trigger: available_now
            \(query)
            checkpoint: /check
            to: out
        sinks:
          out: { file: { path: /out }, format: json }

        """
    }

    func feed(_ keys: String...) { feed(keys) }

    /// The rows of the next batch, which have the batch's number in their ids.
    func feed(_ keys: [String]) {
        disk.put("/in/rows/\(count).jsonl", keys.map { "{\"id\":\"r\(count)\",\"k\":\"\($0)\"}\n" }.joined())
        count += 1
    }

    /// A new process with another spec.
    /// - Parameter crash: whether the machine went down.
    func restart(_ spec: String, crash: Bool = false) throws {
        harness.stop()
        if crash { disk = disk.restart() }
        let topics = harness.topics
        harness = try RunnerHarness(spec: spec, disk: disk, clock: clock)
        harness.topics = topics
    }
}
