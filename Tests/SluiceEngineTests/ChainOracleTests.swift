// Random chains of two to five inputs against nested loops: types and times in every mix that `check` accepts, bounds
// of both signs, windows, disorder, nulls, batches of any cut, restarts from the checkpoint's payloads, shards. No row
// is late, so what has come out in the end is what batch SQL gives. Invariants: no row is lost or twice; nothing is
// left in state but what came last.

import Glibc
import SluiceEngine
import SluicePlan
import SluiceSpec
import SluiceSystem
import Testing

@Suite struct ChainOracleTests {
    /// As many as the environment says.
    private static let runCount = getenv("SLUICE_CHAIN_RUNS").flatMap { Int(String(cString: $0)) } ?? 1500

    @Test func `A chain gives the rows of batch SQL`() throws {
        try compare(runCount: Self.runCount, "chains") { ChainWorkload(seed: $0) }
    }

    /// Where all keys and bounds are of one input, the order of inner and left outer joins is free.
    @Test func `A star gives the same rows in any order of its joins`() throws {
        try compare(runCount: Self.runCount / 5, "stars") {
            ChainWorkload(seed: $0, isStar: true).reordered(seed: $0)
        }
    }

    private func compare(runCount: Int, _ name: String, _ make: (UInt64) -> ChainWorkload) throws {
        var accepted = 0
        let chosen = getenv("CHAIN_SEED").flatMap { UInt64(String(cString: $0)) }
        let first = chosen ?? UInt64.random(in: 0..<1_000_000)
        let runCount = chosen == nil ? runCount : 1
        for seed in first..<first + UInt64(runCount) {
            let workload = make(seed)
            guard let plan = try plannedQuery(workload.spec, seed: seed) else { continue }
            accepted += 1
            var run = try ChainUnderTest(plan, workload, seed: seed)
            let rows = try run.rows()
            guard rows == workload.truth else {
                Issue.record("seed \(seed)\n\(workload.spec)\(difference(rows, workload.truth))")
                return
            }
            guard run.liveCount <= workload.inputCount * plan.stages.count * 3 else {
                Issue.record("seed \(seed): \(run.liveCount) rows stay in state\n\(workload.spec)")
                return
            }
        }
        print("ChainOracleTests: \(accepted) of \(runCount) \(name) from seed \(first)")
        #expect(accepted > runCount / 2 || chosen != nil)
    }
}

/// A workload on its way through the executor, in batches of any cut.
private struct ChainUnderTest {
    private let workload: ChainWorkload
    private var run: ExecutorUnderTest

    init(_ plan: PhysicalPlan, _ workload: ChainWorkload, seed: UInt64) throws {
        self.workload = workload
        run = try ExecutorUnderTest(plan, seed: seed) { try Self.setTables($0, plan, workload) }
    }

    var liveCount: Int { run.executor.stateRowCount }

    /// Every executor has its tables from the start.
    private static func setTables(_ executor: BatchExecutor, _ plan: PhysicalPlan, _ workload: ChainWorkload) throws {
        for (number, table) in plan.tables.enumerated() {
            let input = ChainWorkload.names.firstIndex { "\($0)" == table.name } ?? 0
            let lines = workload.rows.filter { $0.input == input }.map(\.json)
            let read = try TableRows(
                table, from: MemoryInput(lines, linesPerChunk: 3), zones: TimeZones { _ in nil },
                isMemoryShort: { false })
            // As after a restart.
            let bytes = unsafe Array(read.stored)
            let rows = try TableRows(stored: bytes, columns: read.columns, of: table)
            for stage in plan.stages {
                guard let lookup = stage.lookup, lookup.table == number else { continue }
                let types = plan.columns(of: stage)[0].map(\.type)
                var keys = TableKeys(
                    lookup, columns: rows.columns, leftTypes: types, isUnique: false, capacity: rows.rowCount)
                try keys.insertAll(of: rows)
                executor.setTable(number, keys.index(of: rows))
            }
        }
    }

    /// All that comes out, once a row far ahead in every input has moved the watermark past all others.
    mutating func rows() throws -> [String] {
        var output: [String] = []
        var waiting = (0..<workload.inputCount).map { input in
            workload.arrivals.filter { $0.input == input && !workload.tables.contains(input) }
        }
        var arrived = Int.min
        while waiting.contains(where: { !$0.isEmpty }) {
            arrived =
                max(arrived, waiting.compactMap(\.first?.arrival).min() ?? 0)
                + Int.random(in: 0..<30, using: &run.random)
            let batch = waiting.indices.map { input in
                let rows = waiting[input].prefix { $0.arrival <= arrived }
                waiting[input].removeFirst(rows.count)
                return rows.map(\.json)
            }
            output += try run.run(inputs(batch))
            if Int.random(in: 0..<3, using: &run.random) == 0 { output += try run.run(inputs(batch.map { _ in [] })) }
            if Int.random(in: 0..<4, using: &run.random) == 0 { try run.restart() }
        }
        #expect(run.lateCount == 0)
        // Matches nothing, and no filter of a key drops it.
        let last = waiting.indices.map { input in
            "{\"id\":\"z\(input)\",\"k\":\"z\(input)\",\"j\":\(-1 - input),\"t\":\"2024-03-01T00:00:00Z\"}"
        }
        output += try run.run(inputs(last.map { [$0] }))
        output += try run.run(inputs(last.map { _ in [] }))
        #expect(run.lateCount == 0)
        return output.filter { !$0.contains("z") }.sorted()
    }

    /// The rows of a union are dealt out to its parts by their ids, so that two of one row are in one part.
    private func inputs(_ batch: [[String]]) -> [any InputBytes] {
        run.plan.inputs.map { input in
            for (number, rows) in batch.enumerated() {
                let sources = workload.sources(of: number)
                guard let part = sources.firstIndex(of: input.source) else { continue }
                let own = rows.filter { row in
                    sources.count == 1 || (row.utf8.prefix(12).reduce(0) { $0 + Int($1) } % 2 == part)
                }
                return MemoryInput(own, linesPerChunk: 3)
            }
            return MemoryInput([], linesPerChunk: 3)
        }
    }
}
