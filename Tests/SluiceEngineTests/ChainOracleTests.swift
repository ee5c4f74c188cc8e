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
            guard let plan = try plan(workload, seed) else { continue }
            accepted += 1
            var run = ChainUnderTest(plan, seed: seed)
            let rows = try run.rows(of: workload)
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

    private func plan(_ workload: ChainWorkload, _ seed: UInt64) throws -> PhysicalPlan? {
        let (spec, diagnostics) = SpecReader.read(
            files: [("chain.yaml", Array(workload.spec.utf8))], environment: { _ in nil },
            readFile: { _ in .failure(UnreadableFile(reason: "none")) })
        try #require(diagnostics.allSatisfy { $0.severity != .error }, "seed \(seed)\n\(workload.spec)\(diagnostics)")
        let read = try #require(spec)
        return Planner.plan(query: read.queries[0], in: read).physical
    }

    private func difference(_ actual: [String], _ expected: [String]) -> String {
        var (missing, surplus) = (expected, actual)
        for row in actual { if let index = missing.firstIndex(of: row) { missing.remove(at: index) } }
        for row in expected { if let index = surplus.firstIndex(of: row) { surplus.remove(at: index) } }
        return "missing \(missing)\nsurplus \(surplus)"
    }
}

/// The real executor over memory, with its deltas kept as a checkpoint would.
struct ChainUnderTest {
    private let plan: PhysicalPlan
    private var random: SplitMix64
    private var executor: BatchExecutor
    private var tracker: WatermarkTracker
    private var late: Int64 = 0
    /// Per stage and shard, oldest first.
    private var payloads: [[Int: [[UInt8]]]]
    private var evicted: [[Int64]]
    private var output: [String] = []

    init(_ plan: PhysicalPlan, seed: UInt64) {
        self.plan = plan
        random = SplitMix64(seed: seed &* 7919)
        executor = Self.makeExecutor(plan)
        tracker = WatermarkTracker(plan, nowMillis: 0)
        payloads = plan.stages.map { _ in [:] }
        evicted = plan.stages.map { _ in [.min, .min] }
    }

    private static func makeExecutor(_ plan: PhysicalPlan) -> BatchExecutor {
        BatchExecutor(plan: plan, laneCount: 2, zones: TimeZones { _ in nil }) { count, body in
            for index in 0..<count { body(index) }
        }
    }

    var liveCount: Int { executor.stateRowCount }

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
    mutating func rows(of workload: ChainWorkload) throws -> [String] {
        try Self.setTables(executor, plan, workload)
        var waiting = (0..<workload.inputCount).map { input in
            workload.arrivals.filter { $0.input == input && !workload.tables.contains(input) }
        }
        var arrived = Int.min
        while waiting.contains(where: { !$0.isEmpty }) {
            arrived =
                max(arrived, waiting.compactMap(\.first?.arrival).min() ?? 0)
                + Int.random(in: 0..<30, using: &random)
            let batch = waiting.indices.map { input in
                let rows = waiting[input].prefix { $0.arrival <= arrived }
                waiting[input].removeFirst(rows.count)
                return rows.map(\.json)
            }
            try run(batch, of: workload)
            if Int.random(in: 0..<3, using: &random) == 0 { try run(batch.map { _ in [] }, of: workload) }
            if Int.random(in: 0..<4, using: &random) == 0 { try restart(workload) }
        }
        // Matches nothing, and no filter of a key drops it.
        let last = waiting.indices.map { input in
            "{\"id\":\"z\(input)\",\"k\":\"z\(input)\",\"j\":\(-1 - input),\"t\":\"2024-03-01T00:00:00Z\"}"
        }
        try run(last.map { [$0] }, of: workload)
        try run(last.map { _ in [] }, of: workload)
        return output.filter { !$0.contains("z") }.sorted()
    }

    /// The rows of a union are dealt out to its parts by their ids, so that two of one row are in one part.
    private mutating func run(_ batch: [[String]], of workload: ChainWorkload) throws {
        let evict = tracker.globalMillis
        let inputs = plan.inputs.map { input in
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
        let result = try executor.run(inputs, watermarks: BatchWatermarks(lateMillis: late, evictionMillis: evict))
        late = evict
        for (stage, done) in result.stages.enumerated() {
            for delta in done.deltas {
                payloads[stage][delta.shard, default: []].append(delta.payload.buffer.array())
            }
            evicted[stage] = done.evictedThroughMicros
        }
        for (input, counters) in result.sources.enumerated() {
            #expect(counters.lateRows == 0)
            tracker.observe(
                input: input, maxEventTimeMicros: counters.eventTimeCount > 0 ? counters.maxEventTimeMicros : nil,
                rowCount: counters.watermarkRows, batchTimeMillis: 0)
        }
        tracker.advance(nowMillis: 0)
        let text = result.routes[0].encodings[0].map { String(decoding: $0.buffer.array(), as: UTF8.self) }.joined()
        output += text.split(separator: "\n").map { line in
            plan.output.columns.map { field($0.name, in: line) }.joined(separator: " ")
        }
    }

    private func field(_ name: String, in line: Substring) -> String {
        let marker = "\"\(name)\":\""
        guard let start = line.firstRange(of: marker)?.upperBound else { return "-" }
        return String(line[start...].prefix { $0 != "\"" })
    }

    /// A new process.
    private mutating func restart(_ workload: ChainWorkload) throws {
        executor = Self.makeExecutor(plan)
        try Self.setTables(executor, plan, workload)
        for (number, stage) in plan.stages.enumerated() where stage.isStateful {
            executor.beginRestore(stage: number, evictedThroughMicros: evicted[number])
            let merger = SegmentMerger(plan, stage: stage)
            for (shard, deltas) in payloads[number].sorted(by: { $0.key < $1.key }) {
                var kept = deltas
                if kept.count > 1, Bool.random(using: &random) {
                    let merged = try merger.merge(kept, evictedThroughMicros: evicted[number])
                    kept = merged.isEmpty ? [] : [merged]
                }
                payloads[number][shard] = kept
                for payload in kept { try executor.restore(stage: number, shard: shard, payload: payload) }
            }
        }
        executor.finishRestore()
    }
}
