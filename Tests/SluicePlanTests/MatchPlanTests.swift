// Plans of joins that give a row one partner: when rows leave, what conditions stand where, what a checkpoint says.

import SluicePlan
import SluiceSpec
import SluiceSystem
import Testing

@Suite struct MatchPlanTests {
    /// A query over `a`, `b` and `c`, which have an `id`, a key `k`, a time `t` and a number `v`.
    private func plan(
        _ joins: [String], filter: String? = nil, select: String = "{ id: a.id, other: b.id }", sources: String = ""
    ) throws -> PlanningResult {
        var lines = ["sluice: 1", "sources:"]
        for name in ["a", "b", "c"] {
            lines += ["  \(name):", "    file: { path: in }", "    watermark: { column: t, delay: 10 seconds }"]
            lines.append("    columns: { id: string, k: string, t: timestamp, v: int }")
        }
        lines += ["queries:", "  q:", "    from: a", "    join:"] + joins.map { "      - \($0)" }
        if let filter { lines.append("    where: \(filter)") }
        lines += ["    select: \(select)", "    to: out", "sinks: { out: { stdout: {}, format: json } }"]
        let (spec, diagnostics, _) = readSpec(lines.joined(separator: "\n") + "\n")
        try #require(diagnostics.allSatisfy { $0.severity != .error }, "\(diagnostics)")
        let read = try #require(spec)
        return Planner.plan(query: read.queries[0], in: read)
    }

    private func join(_ within: String, match: String? = "latest", type: String = "inner") -> String {
        "{ with: b, type: \(type), keys: { a.k: b.k }, within: \(within)\(match.map { ", match: \($0)" } ?? "") }"
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var within: String
        /// Thresholds at watermark 100.000 s, in milliseconds.
        var left: Int64
        var right: Int64
        var testDescription: String { within }
    }

    @Test(arguments: [
        // A left row leaves as in an outer join; a right row once every left row in its reach has left.
        Case(within: "b.t between a.t and a.t + 20s", left: 79_999, right: 79_999),
        Case(within: "b.t between a.t - 5s and a.t + 20s", left: 79_999, right: 74_999),
        Case(within: "b.t > a.t - 5s and b.t < a.t + 20s", left: 80_000, right: 75_000),
        // Strict on one side, inclusive on the other.
        Case(within: "b.t >= a.t - 5s and b.t < a.t + 20s", left: 80_000, right: 75_000),
        Case(within: "b.t > a.t - 5s and b.t <= a.t + 20s", left: 79_999, right: 74_999),
        Case(within: "b.t between a.t - 5s and a.t", left: 99_999, right: 94_999),
        // Partners that come only before their row, or only after it.
        Case(within: "b.t between a.t - 8s and a.t - 3s", left: 102_999, right: 91_999),
        Case(within: "b.t between a.t + 3s and a.t + 8s", left: 91_999, right: 94_999),
        // Parts of a millisecond are rounded down: nothing leaves early.
        Case(within: "b.t between a.t - 1500us and a.t + 1500us", left: 99_997, right: 99_995),
    ])
    func `Right rows stay until the left rows that could take them have left`(example: Case) throws {
        let plan = try #require(try plan([join(example.within)]).physical)
        let join = try #require(plan.stages[0].join)
        #expect(join.left.eviction?.thresholdMillis(evictionWatermarkMillis: 100_000) == example.left)
        #expect(join.right.eviction?.thresholdMillis(evictionWatermarkMillis: 100_000) == example.right)
    }

    /// The reason behind the table: at no watermark may a right row be gone that a left row in state, or one that is
    /// not late, could be given; and no right row that would fit a left row may come after that has left.
    @Test func `No partner is missed at any watermark`() throws {
        var random = SplitMix64(seed: 4711)
        for _ in 0..<300 {
            let lower = Int64.random(in: -20_000...20_000, using: &random) * 500
            let upper = lower + Int64.random(in: 0...20_000, using: &random) * 500
            let (strictLow, strictHigh) = (Bool.random(using: &random), Bool.random(using: &random))
            let within =
                "b.t >\(strictLow ? "" : "=") a.t + \(lower)us and b.t <\(strictHigh ? "" : "=") a.t + \(upper)us"
            let result = try plan([join(within)])
            // Both ends strict and equal: nothing matches, which is refused.
            guard let join = result.physical?.stages[0].join else { continue }
            let left = try #require(join.left.eviction)
            let right = try #require(join.right.eviction)
            for _ in 0..<50 {
                let watermark = Int64.random(in: 100_000...100_500, using: &random)
                let l = watermark * 1000 - upper + Int64.random(in: -3000...3000, using: &random)
                let r = l + Int64.random(in: lower...upper, using: &random)
                guard strictLow ? r > l + lower : r >= l + lower, strictHigh ? r < l + upper : r <= l + upper else {
                    continue
                }
                let leftIsGone = l <= 1000 * left.thresholdMillis(evictionWatermarkMillis: watermark)
                let rightIsGone = r <= 1000 * right.thresholdMillis(evictionWatermarkMillis: watermark)
                let rightIsLate = r <= 1000 * watermark
                #expect(!leftIsGone || rightIsLate, "\(within): a partner at \(r) may come for \(l)")
                #expect(!rightIsGone || leftIsGone, "\(within): the partner at \(r) is gone, and \(l) is not")
            }
        }
    }

    @Test(arguments: ["inner", "left outer"])
    func `A stage above waits for rows that come out when they leave`(type: String) throws {
        let above = "{ with: c, type: left outer, keys: { a.k: c.k }, within: c.t between NAMED and NAMED + 1s }"
        func offset(_ match: String?, named: String) throws -> Int64? {
            let second = above.replacing("NAMED", with: named)
            let first = join("b.t between a.t - 5s and a.t + 20s", match: match, type: type)
            return try #require(try plan([first, second]).physical).stages[1].watermarkMillis
        }
        // All pairs: the lower of both thresholds, as Spark has it.
        #expect(try offset("all", named: "a.t") == -20_001)
        #expect(try offset("all", named: "b.t") == -20_001)
        // One: a row comes out when it leaves, its partner is at most five seconds older.
        #expect(try offset("latest", named: "a.t") == -20_001)
        #expect(try offset("latest", named: "b.t") == -25_001)
    }

    @Test func `What is asked of the partner is asked after the choice`() throws {
        func filters(_ match: String?, _ filter: String) throws -> [String?] {
            let plan = try #require(
                try plan([join("b.t between a.t and a.t + 1s", match: match)], filter: filter).physical)
            return plan.inputs.map { input in
                input.filterAboveWatermark.map { _ in input.source }
            } + [plan.output.filter.map { _ in "output" }]
        }
        #expect(try filters(nil, "b.v > 1 and a.v > 1") == ["a", "b", nil])
        #expect(try filters("nearest", "b.v > 1 and a.v > 1") == ["a", nil, "output"])
    }

    @Test func `A semi join of the partner stays above the choice`() throws {
        func types(_ match: String?, named: String) throws -> [JoinType?] {
            let semi =
                "{ with: c, type: left semi, keys: { \(named).k: c.k }, within: c.t between \(named).t and \(named).t + 1s }"
            let plan = try #require(
                try plan([join("b.t between a.t and a.t + 1s", match: match), semi]).physical)
            return plan.stages.map { $0.join?.type }
        }
        #expect(try types(nil, named: "b") == [.leftSemi, .inner])
        #expect(try types("latest", named: "b") == [.inner, .leftSemi])
        #expect(try types("latest", named: "a") == [.leftSemi, .inner])
    }

    @Test func `A checkpoint goes on with the same choice only`() throws {
        func facts(_ match: String?) throws -> [StageFingerprint] {
            try #require(try plan([join("b.t between a.t and a.t + 1s", match: match)]).physical).fingerprint
        }
        func refusals(_ old: String?, _ new: String?) throws -> [String] {
            PhysicalPlan.compareFingerprints(old: try facts(old), new: try facts(new)).refusals.map(\.sentence)
        }
        #expect(try facts(nil) == facts("all"))
        #expect(try refusals("latest", "latest") == [])
        #expect(try refusals(nil, "latest") == ["match was `all`, is now `latest`"])
        #expect(try refusals("nearest", "all") == ["match was `nearest`, is now `all`"])
        #expect(try refusals("nearest", "earliest") == ["match was `nearest`, is now `earliest`"])
    }

    @Test func `State keeps the place of what is chosen from, and of nothing else`() throws {
        let plan = try #require(try plan([join("b.t between a.t and a.t + 1s")]).physical)
        #expect(plan.inputs[1].columns.map(\.name) == ["(offset)", "(partition)", "(path)", "id", "k", "t"])
        #expect(plan.inputs[0].columns.map(\.name) == ["id", "k", "t"])
        #expect(plan.stages[0].join?.right.stateColumnCount == 6)
    }
}
