// Joins that give a row one partner, against nested loops. Two ways:
//
//   without late rows   random chains with unions, deduplication, filters, ties, restarts, shards, each run twice in
//                       batches of another cut: what has come out in the end is what the nested loops give, both times
//   with late rows      one join, batch by batch: a row comes out in the batch in which it leaves, with the best of
//                       what has come by then and was not late; and state holds what it must and no more
//
// A failure prints its seed; `MATCH_SEED=<seed>` runs that one, `SLUICE_MATCH_RUNS=<n>` so many.

import Glibc
import SluiceEngine
import SluicePlan
import SluiceSpec
import SluiceSystem
import Testing

@Suite struct MatchOracleTests {
    private static func number(_ name: String) -> UInt64? {
        unsafe getenv(name).flatMap { unsafe UInt64(String(cString: $0)) }
    }

    private static let chosen = number("MATCH_SEED")
    private static let first = chosen ?? UInt64.random(in: 0..<1_000_000)
    private static let seeds = first..<first + (chosen == nil ? number("SLUICE_MATCH_RUNS") ?? 1200 : 1)

    @Test func `A row gets the partner that nested loops give it, however input is cut`() throws {
        var accepted = 0
        for seed in Self.seeds {
            let workload = MatchWorkload(seed: seed)
            guard let plan = try plannedQuery(workload.spec, seed: seed) else { continue }
            accepted += 1
            for cut in [seed &* 2, seed &* 2 &+ 1] {
                var run = try MatchUnderTest(plan, workload, seed: cut)
                let rows = try run.rows()
                guard rows == workload.truth else {
                    Issue.record("MATCH_SEED=\(seed), cut \(cut)\n\(workload.spec)\(difference(rows, workload.truth))")
                    return
                }
                guard run.liveCount <= workload.inputCount * plan.stages.count * 3 else {
                    Issue.record("MATCH_SEED=\(seed): \(run.liveCount) rows stay in state\n\(workload.spec)")
                    return
                }
            }
        }
        print("MatchOracleTests: \(accepted) of \(Self.seeds.count) chains from seed \(Self.first)")
        #expect(accepted > Self.seeds.count / 2 || Self.chosen != nil)
    }

    @Test func `A row comes out when it leaves, late rows and all`() throws {
        var late = 0
        for seed in Self.seeds {
            let workload = MatchWorkload(seed: seed, joinsMax: 1, isLate: true)
            guard let plan = try plannedQuery(workload.spec, seed: seed) else { continue }
            var run = try MatchUnderTest(plan, workload, seed: seed)
            if let failure = try run.compare() {
                Issue.record("MATCH_SEED=\(seed): \(failure)\n\(workload.spec)")
                return
            }
            late += run.lateCount
        }
        print("MatchOracleTests: \(late) late rows from seed \(Self.first)")
        #expect(late > 100 || Self.chosen != nil)
    }
}

/// Records of files, each chunk from one of them.
private struct PlacedInput: InputBytes {
    private var chunks: [(bytes: [UInt8], origin: ChunkOrigin)] = []

    /// Rows of a file follow one another in it; the files in any order.
    init(_ rows: [MatchRow], _ random: inout SplitMix64) {
        let files = Dictionary(grouping: rows) { "\($0.partition) \($0.path)" }
        for (_, rows) in files.sorted(by: { $0.key < $1.key }).shuffled(using: &random) {
            var rest = rows[...]
            while let first = rest.first {
                let count = Int.random(in: 1...3, using: &random)
                let text = rest.prefix(count).map { $0.json + "\n" }.joined()
                rest = rest.dropFirst(count)
                chunks.append(
                    (
                        Array(text.utf8),
                        ChunkOrigin(
                            partition: Int32(first.partition), path: first.path, firstOffset: Int64(first.offset))
                    ))
            }
        }
    }

    func readyChunks(from first: Int) -> Range<Int> { first..<chunks.count }
    func origin(of chunk: Int) -> ChunkOrigin { chunks[chunk].origin }
    func read(chunk number: Int, into chunk: inout InputChunk) throws {
        chunk.text.append(contentsOf: chunks[number].bytes)
    }
}

/// A workload on its way through the executor, in batches of any cut.
private struct MatchUnderTest {
    private let workload: MatchWorkload
    private var run: ExecutorUnderTest

    init(_ plan: PhysicalPlan, _ workload: MatchWorkload, seed: UInt64) throws {
        self.workload = workload
        run = try ExecutorUnderTest(plan, seed: seed)
    }

    var liveCount: Int { run.executor.stateRowCount }
    var lateCount: Int { run.lateCount }

    /// All that comes out, once a row far ahead in every input has moved the watermark past all others.
    mutating func rows() throws -> [String] {
        var output: [String] = []
        var waiting = workload.arrivals[...]
        let stepMax = [2, 20, 100_000][Int.random(in: 0..<3, using: &run.random)]
        while let next = waiting.first {
            let arrived = next.arrival + Int.random(in: 0..<stepMax, using: &run.random) * 500_000
            let batch = waiting.prefix { $0.arrival <= arrived }
            waiting = waiting.dropFirst(batch.count)
            output += try run.run(inputs(Array(batch)))
            if Int.random(in: 0..<3, using: &run.random) == 0 { output += try run.run(inputs([])) }
            if Int.random(in: 0..<4, using: &run.random) == 0 { try run.restart() }
        }
        #expect(lateCount == 0)
        output += try run.run(inputs(last))
        output += try run.run(inputs([]))
        return output.filter { !$0.contains("z") }.sorted()
    }

    /// Rows that match nothing, and that no condition drops.
    private var last: [MatchRow] {
        (0..<workload.inputCount).map { input in
            MatchRow(
                input: input, id: "z\(input)", k: 100 + input, j: -1 - input, v: 5, t: 50_000_000_000, arrival: 0,
                part: 0, partition: 9, path: "z")
        }
    }

    private mutating func inputs(_ batch: [MatchRow]) -> [any InputBytes] {
        run.plan.inputs.map { input in
            let own = batch.filter { workload.sources(of: $0.input)[$0.part] == input.source }
            return PlacedInput(own, &run.random)
        }
    }

    // MARK: Batch by batch

    /// Runs one join beside its rules, written out; nil where both agree.
    mutating func compare() throws -> String? {
        var rules = MatchRules(workload)
        var waiting = workload.arrivals[...]
        var number = 0
        while !waiting.isEmpty || number == 0 {
            let batch = Array(waiting.prefix(Int.random(in: 1..<9, using: &run.random)))
            waiting = waiting.dropFirst(batch.count)
            for rows in [batch, []] {
                let expected = rules.run(rows, late: run.lateMillis, evict: run.watermarkMillis)
                let actual = try run.run(inputs(rows)).sorted()
                if actual != expected { return "batch \(number): \(actual), expected \(expected)" }
                let counts = run.executor.stateRowCounts.last ?? []
                if counts != rules.kept.map(\.count) {
                    return "batch \(number): state \(counts), expected \(rules.kept.map(\.count))"
                }
                number += 1
            }
            if Int.random(in: 0..<5, using: &run.random) == 0 { try run.restart() }
        }
        return nil
    }
}

/// The rules of one join that gives a row one partner, for each batch.
private struct MatchRules {
    private let workload: MatchWorkload
    private let join: MatchJoin
    var kept: [[MatchRow]] = [[], []]

    init(_ workload: MatchWorkload) {
        self.workload = workload
        join = workload.joins[0]
    }

    /// The second hour of 2024.
    private static let zeroMicros = 1_704_067_200_000_000 + 7_200_000_000

    mutating func run(_ rows: [MatchRow], late: Int64, evict: Int64) -> [String] {
        var output: [[MatchRow?]] = []
        for row in rows {
            let time = row.t.map { $0 + Self.zeroMicros }
            if let time, time <= late * 1000 { continue }
            let isPreserved = row.input == 0 && join.type == "left outer"
            // What can match nothing is nobody's row, or comes out at once; but for a null key, which waits.
            let fails = row.input == 0 ? (join.leftLimit.map { row.v ?? 0 <= $0.above } ?? false) : false
            let isFiltered = row.input == 1 && (join.rightLimit.map { row.v ?? 0 <= $0 } ?? false)
            if fails || isFiltered || time == nil {
                if isPreserved { output.append([row, nil]) }
                continue
            }
            let key = join.keyColumn == "k" ? row.k : row.j
            if key == nil, !join.isNullSafe, !isPreserved { continue }
            if row.input == 0, isBelowJoin(row) { continue }
            kept[row.input].append(row)
        }
        // A left row leaves when every right row that could match it would be late; one millisecond later where the
        // bound is inclusive, as in Spark.
        let left = Int(evict) * 1000 - join.upper * 500_000 - (join.upperIsStrict ? 0 : 1000)
        // A right row, when no left row can come that it could match, and those in state have left.
        let lower = join.lower * 500_000
        let right = min(Int(evict) * 1000 + lower - (join.lowerIsStrict ? 0 : 1000), left + floorToMillis(tightLower))
        for row in kept[0] where (row.t ?? 0) + Self.zeroMicros <= left {
            let partners = MatchWorkload.choose(kept[1].filter { workload.matches([row], $0, join) }, row.t, join.match)
            if let partner = partners.first {
                output.append([row, partner])
            } else if join.type == "left outer" {
                output.append([row, nil])
            }
        }
        kept[0].removeAll { ($0.t ?? 0) + Self.zeroMicros <= left }
        kept[1].removeAll { ($0.t ?? 0) + Self.zeroMicros <= right }
        return output.filter(workload.passes).map(workload.text).sorted()
    }

    /// A strict bound begins a microsecond later.
    private var tightLower: Int { join.lower * 500_000 + (join.lowerIsStrict ? 1 : 0) }

    private func floorToMillis(_ micros: Int) -> Int { micros - ((micros % 1000) + 1000) % 1000 }

    /// The query's `where` over the left alone is judged before the join.
    private func isBelowJoin(_ row: MatchRow) -> Bool {
        guard let filter = workload.filter, filter.input == 0 else { return false }
        return !(row.v.map { $0 < 6 } ?? filter.orNull)
    }
}
