// Claims of the semantics that no recorded run of Spark shows, one test each, through the spec reader, the planner and
// the runner. What SparkTruthTests replays is not repeated here.

import QueryTesting
import SluiceCheckpoint
import SluiceEngine
import SluicePlan
import SluiceRuntime
import SluiceSimulation
import SluiceSpec
import SluiceSystem
import Testing

/// Errors of a spec by code, and their fixes.
private func refusals(_ spec: JoinSpecText) throws -> [(code: String, fix: String)] {
    try TestedQuery.load(spec.text).diagnostics.filter { $0.severity == .error }.map { ($0.code, $0.fix ?? "") }
}

@Suite struct SemanticsTests {
    // MARK: 1.1 to 1.6

    @Test(arguments: ["inner", "left outer", "right outer", "full outer", "left semi", "left anti"])
    func `1.1 A join without an equality between the sides is refused`(type: String) throws {
        var spec = JoinSpecText(type: type)
        spec.keys = nil
        #expect(try refusals(spec).map(\.code) == ["join-without-equality"])
    }

    @Test func `1.1 The number of shards is frozen in the checkpoint`() throws {
        var spec = JoinSpecText(shards: 2)
        let scenario = try Scenario(spec)
        try scenario.step(left: (0..<20).map { row("a\($0)", "k\($0)", 10) })
        #expect(scenario.last?.stages.first?.shards == 2)
        spec.shards = 8
        try scenario.restart(spec)
        let told = try scenario.step(right: (0..<20).map { row("b\($0)", "k\($0)", 12) })
        #expect(scenario.last?.stages.first?.shards == 2)
        #expect(told.count == 2)
        #expect(try scenario.harness.allRows().count == 20)
    }

    @Test func `1.3 Output order is left-driven matches, right-driven ones, left unmatched, right unmatched`() throws {
        var spec = JoinSpecText(type: "full outer", shards: 1)
        spec.trigger = "10s"
        let scenario = try Scenario(spec)
        try scenario.step(
            left: [row("old", "k", 10), row("lone", "x", 10)], right: [row("b0", "k", 11), row("alone", "y", 10)])
        // A backlog: the batch that evicts has data too, and sees rows that only it can match.
        scenario.feed(left: [row("m", "m", 100)], right: [row("n", "n", 100)])
        scenario.feed(left: [row("new", "k", 10.5)], right: [row("b1", "k", 13)])
        try scenario.run()
        let order = try scenario.harness.rows(batch: 3).map(pair)
        // Which of two partners comes first is up to the hash.
        #expect(order.first == "new+b0")
        #expect(order.dropFirst().prefix(2).sorted() == ["new+b1", "old+b1"])
        #expect(order.dropFirst(3) == ["lone", "+alone"])
    }

    @Test func `1.5 Sub-millisecond times are late by the microsecond`() throws {
        let scenario = try Scenario(JoinSpecText(type: "inner"))
        try scenario.step(left: [row("m", "m", 20)], right: [row("n", "n", 20)])
        func micros(_ id: String, _ fraction: String) -> String {
            "{\"id\":\"\(id)\",\"k\":\"k\",\"t\":\"2024-01-01T00:00:20.\(fraction)Z\"}"
        }
        try scenario.step(left: [micros("a1", "000"), micros("a2", "0009"), micros("a3", "000001")])
        #expect(scenario.last?.stages.first?.rowsDroppedByWatermark == 1)
    }

    @Test func `1.6 A key wrapped in a function loses its mark: nothing is evicted, and an outer join is refused`()
        throws
    {
        var spec = JoinSpecText(type: "inner", within: nil)
        spec.joinWhere = "coalesce(l.t, l.t) = coalesce(r.t, r.t)"
        let scenario = try Scenario(spec)
        try scenario.step(left: [row("a", "k", 10)], right: [row("b", "k", 10)])
        try scenario.step(left: [row("m", "m", 1000)], right: [row("n", "n", 1000)])
        #expect(scenario.last?.batchID == 1)
        #expect(scenario.last?.stateRowsTotal == 4)
        spec.type = "left outer"
        #expect(try refusals(spec).map(\.code) == ["unmatched-never-emitted"])
    }

    // MARK: 2

    @Test func `2 A batch is not affected by its own rows, and the watermark moves at its end`() throws {
        let scenario = try Scenario(JoinSpecText(type: "inner"))
        let told = try scenario.step(
            left: [row("a1", "m", 500), row("a2", "k", 10)], right: [row("b1", "n", 500), row("b2", "k", 12)])
        #expect(told == ["0 @- [4]: a2+b2", "1 no data @500 [2]"])
    }

    @Test func `2 The watermark is per side the newest time minus its delay, and globally the minimum`() throws {
        let scenario = try Scenario(JoinSpecText(type: "inner", leftDelay: "5s", rightDelay: "30s"))
        try scenario.step(left: [row("a", "k", 100)], right: [row("b", "k", 90)])
        #expect(scenario.last?.eventTime?.watermarkMillis == baseMillis + 60_000)
        #expect(scenario.last?.sources.map(\.watermarkMillis) == [baseMillis + 95_000, baseMillis + 60_000])
    }

    @Test func `2 With the policy max one side alone moves the watermark, and the other side's rows are late`() throws {
        var spec = JoinSpecText(type: "inner")
        spec.queryField = "watermark_policy: max"
        let scenario = try Scenario(spec)
        try scenario.step(left: [row("a", "k", 100)])
        #expect(scenario.last?.eventTime?.watermarkMillis == baseMillis + 100_000)
        #expect(try scenario.step(right: [row("b", "k", 99)]) == ["2 @100 [1] late 1"])
    }

    @Test func `2 The watermark never goes back`() throws {
        let scenario = try Scenario(JoinSpecText(type: "inner"))
        try scenario.step(left: [row("a", "k", 100)], right: [row("b", "k", 100)])
        #expect(try scenario.step(left: [row("c", "k", 5)], right: [row("d", "k", 5)]) == ["2 @100 [2] late 2"])
        #expect(try scenario.step(right: [row("e", "k", 101)]) == ["3 @100 [3]: a+e"])
    }

    @Test func `2 Rows that will be dropped as late still count for their side`() throws {
        let scenario = try Scenario(JoinSpecText(type: "inner", leftDelay: "0s", rightDelay: "100s"))
        try scenario.step(left: [row("a", "k", 300)], right: [row("b", "k", 300)])
        #expect(scenario.last?.eventTime?.watermarkMillis == baseMillis + 200_000)
        // Newer than all of its side, and late against nothing: the right side decides.
        try scenario.step(right: [row("c", "k", 150), row("d", "k", 250)])
        #expect(scenario.last?.stages.first?.rowsDroppedByWatermark == 1)
        #expect(scenario.last?.sources[1].watermarkMillis == baseMillis + 200_000)
    }

    @Test func `2 A changed delay is accepted and the global watermark stays monotonic`() throws {
        var spec = JoinSpecText(type: "inner")
        let scenario = try Scenario(spec)
        try scenario.step(left: [row("a", "k", 100)], right: [row("b", "k", 100)])
        spec.leftDelay = "1h"
        try scenario.restart(spec)
        #expect(
            try scenario.step(left: [row("c", "k", 101)], right: [row("d", "k", 102)]).first?.hasPrefix("2 @100")
                == true)
        #expect(scenario.last?.eventTime?.watermarkMillis == baseMillis + 100_000)
    }

    @Test func `2 The watermark policy is frozen in the checkpoint`() throws {
        var spec = JoinSpecText(type: "inner")
        let scenario = try Scenario(spec)
        try scenario.step(left: [row("a", "k", 100)])
        spec.queryField = "watermark_policy: max"
        #expect(throws: CheckpointError.self) { try scenario.restart(spec) }
    }

    // MARK: 2, no-data batches

    @Test func `2 A no-data batch has its own id and log entries, the same offsets, and no input rows`() throws {
        let scenario = try Scenario(JoinSpecText())
        #expect(try scenario.step(left: [row("a", "x", 10)], right: [row("b", "y", 90)]).count == 2)
        try scenario.step(left: [row("c", "z", 90)])
        let told = scenario.harness.reports.all
        let empty = try #require(told.last)
        #expect(empty.inputRows == 0 && empty.outputRows == 1)
        #expect(empty.sources.map(\.startOffset) == empty.sources.map { Optional($0.endOffset) })
        for log in ["offsets", "commits"] {
            #expect(scenario.disk.text("/check/\(log)/\(empty.batchID)") != nil)
        }
    }

    @Test func `2 There is at most one no-data batch per advance`() throws {
        let scenario = try Scenario(JoinSpecText())
        try scenario.step(left: [row("a", "x", 10)], right: [row("b", "y", 90)])
        #expect(try scenario.run() == [])
        #expect(try scenario.step(left: [row("c", "x", 9)]) == ["2 @10 [2] late 1"])
        #expect(try scenario.run() == [])
    }

    @Test func `2 A join without watermarks never has a no-data batch`() throws {
        let scenario = try Scenario(JoinSpecText(type: "inner", leftDelay: nil, rightDelay: nil))
        #expect(try scenario.step(left: [row("a", "k", 10)], right: [row("b", "k", 12)]) == ["0 [2]: a+b"])
        #expect(try scenario.step(left: [row("c", "m", 900)], right: [row("d", "n", 900)]) == ["1 [4]"])
    }

    @Test func `2 A join without an eviction rule never has a no-data batch`() throws {
        let scenario = try Scenario(JoinSpecText(type: "inner", within: nil))
        #expect(try scenario.step(left: [row("a", "k", 10)], right: [row("b", "k", 12)]) == ["0 @- [2]: a+b"])
        #expect(try scenario.step(left: [row("c", "m", 900)], right: [row("d", "n", 900)]) == ["1 @10 [4]"])
    }

    @Test func `2 Without a join there is no state, no late row and no no-data batch`() throws {
        let scenario = try Scenario(JoinSpecText(type: nil))
        #expect(try scenario.step(left: [row("a", "k", 10)]) == ["0 @-: a"])
        #expect(try scenario.step(left: [row("b", "k", 900)]) == ["1 @10: b"])
        #expect(try scenario.step(left: [row("c", "k", 20)]) == ["2 @900: c"])
    }

    // MARK: Workers, shards, restarts

    /// The sink's files after some steps.
    private static func output(
        type: String, workers: Int, restarts: Bool, isFollowed: Bool = false
    ) throws -> [String: String] {
        let spec = JoinSpecText(
            type: type, leftDelay: "5s", rightDelay: "5s", isFollowed: isFollowed, retainBatches: 2, shards: 4)
        let files = try Scenario.output(
            spec, workers: workers, restarts: restarts, of: (0..<12).map { crowd($0, rows: 120, keys: 40) })
        #expect(files.count > 10)
        return files
    }

    @Test(arguments: ["full outer", "left semi", "left anti"])
    func `Output is the same bytes for 1, 2 and 4 workers`(type: String) throws {
        let one = try Self.output(type: type, workers: 1, restarts: false)
        for workers in [2, 4] { #expect(try Self.output(type: type, workers: workers, restarts: false) == one) }
    }

    @Test(arguments: ["inner", "left outer", "right outer", "full outer", "left semi", "left anti"], [false, true])
    func `After a restart the bytes are those of a process that went on`(type: String, isFollowed: Bool) throws {
        let calm = try Self.output(type: type, workers: 2, restarts: false, isFollowed: isFollowed)
        #expect(try Self.output(type: type, workers: 2, restarts: true, isFollowed: isFollowed) == calm)
    }

    // MARK: 1.5, exhaustively by hand

    @Test func `1.3 A left row that is evictable on arrival still meets the right rows of its batch`() throws {
        let scenario = try Scenario(JoinSpecText())
        scenario.feed(left: [row("m", "m", 100)], right: [row("n", "n", 100)])
        scenario.feed(left: [row("a", "k", 10)], right: [row("b", "k", 12)])
        // One backlog: batch 1 is late against 0, and evicts by 100 s.
        #expect(try scenario.run() == ["0 @- [2]", "1 @100 [2]: a+b"])
    }
}
