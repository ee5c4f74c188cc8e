// The engine against the oracle on random workloads: every join type, bounds strict, open and negative, windows, nulls,
// duplicates, disorder, late rows, splits, shards, layouts, and restarts from (partly merged) deltas. Each batch's rows
// and state count must agree. A failure prints its seed; run that one with `JOIN_SEED=<seed>`.

import Glibc
import SluiceEngine
import SluicePlan
import SluiceSpec
import SluiceSystem
import Testing

@Suite struct JoinOracleTests {
    static let seeds: Range<UInt64> = {
        if let text = getenv("JOIN_SEED").map({ String(cString: $0) }), let seed = UInt64(text) {
            return seed..<seed + 1
        }
        return 1..<12_001
    }()

    @Test func `The engine agrees with a nested loop on random workloads`() throws {
        var failures: [String] = []
        for seed in Self.seeds {
            if let failure = try compare(JoinWorkload(seed: seed)) {
                failures.append("JOIN_SEED=\(seed): \(failure)")
                if failures.count == 5 { break }
            }
        }
        #expect(failures.isEmpty, "\(failures.joined(separator: "\n"))")
    }

    /// nil when engine and oracle agree.
    private func compare(_ workload: JoinWorkload) throws -> String? {
        var oracle = JoinOracle(workload)
        var engine = try EngineUnderTest(workload.plan)
        let zero = -JoinWorkload.epochMicros / 1000
        var late = zero
        for (number, sides) in workload.batches.enumerated() {
            if workload.restarts.contains(number) { try engine.restart(seed: UInt64(number)) }
            if let failure = try step(&oracle, &engine, sides, late: late, "batch \(number)") { return failure }
            late = oracle.evictions.last ?? zero
            let hasAdvanced = oracle.watermark > late
            if hasAdvanced && !workload.skipsNoDataBatches {
                if let failure = try step(&oracle, &engine, [[], []], late: late, "no-data batch after \(number)") {
                    return failure
                }
                late = oracle.evictions.last ?? zero
            }
        }
        return nil
    }

    private func step(
        _ oracle: inout JoinOracle, _ engine: inout EngineUnderTest, _ sides: [[WorkloadRow]], late: Int64,
        _ what: String
    ) throws -> String? {
        let evict = oracle.watermark
        let expected = oracle.run(sides, late: late, evict: evict)
        oracle.advanceWatermark()
        let zero = JoinWorkload.epochMicros / 1000
        let actual = try engine.run(sides, late: late + zero, evict: evict + zero)
        if actual.output != expected.output { return "\(what): rows \(actual.output), expected \(expected.output)" }
        if actual.state != expected.state { return "\(what): state \(actual.state), expected \(expected.state)" }
        let watermark = engine.watermarkMillis - zero
        return watermark == oracle.watermark ? nil : "\(what): watermark \(watermark), expected \(oracle.watermark)"
    }
}

/// A join with two inputs on its way through the executor.
private struct EngineUnderTest {
    private let plan: PhysicalPlan
    private var engine: ExecutorUnderTest

    init(_ plan: PhysicalPlan) throws {
        self.plan = plan
        engine = try ExecutorUnderTest(plan, seed: 0)
    }

    var watermarkMillis: Int64 { engine.watermarkMillis }

    mutating func run(_ sides: [[WorkloadRow]], late: Int64, evict: Int64) throws -> (output: [String], state: Int) {
        let inputs = sides.map { MemoryInput($0.map(\.json), linesPerChunk: 3) }
        let result = try engine.run(inputs, lateMillis: late, evictionMillis: evict)
        let rows = result.lines.map { line in
            // {"l":1,"r":2} with either field absent
            func field(_ name: String) -> String {
                guard let start = line.firstRange(of: "\"\(name)\":")?.upperBound else { return "-" }
                return String(line[start...].prefix { $0.isNumber })
            }
            return "\(field("l")) \(field("r"))"
        }
        expectCounters(result, rows)
        return (rows.sorted(), result.stateRowsTotal)
    }

    /// What a batch says of its sides is what came out.
    private func expectCounters(_ result: BatchResult, _ rows: [String]) {
        guard let join = plan.stages[0].join else { return }
        let state = result.stages[0]
        let sides: [(counters: SideCounters, isPreserved: Bool?, partner: String)] = [
            (state.left, join.left.isPreserved, " -"), (state.right, join.right.isPreserved, "- "),
        ]
        for (number, side) in sides.enumerated() {
            let unmatched = rows.count { number == 0 ? $0.hasSuffix(side.partner) : $0.hasPrefix(side.partner) }
            // A row of a semi join comes out with a partner that does not show.
            let isTold = side.isPreserved == true || join.type != .leftSemi
            #expect(!isTold || side.counters.rowsUnmatched == unmatched, "\(join.type)")
        }
        #expect(result.stateRowsTotal == engine.executor.stateRowCount)
        #expect(state.left.byteCount > 0 || state.left.rowsTotal == 0)
    }

    mutating func restart(seed: UInt64) throws {
        engine.random = SplitMix64(seed: seed)
        try engine.restart()
    }
}
