// Joins that give a row one partner, through the spec reader, the planner, the runner and its checkpoint: when rows
// come out, which of two with one time is taken, what a checkpoint survives. That the partner is the right one in
// general is MatchOracleTests' business; that no crash changes anything CrashTests'.

import QueryTesting
import SluiceEngine
import SluiceRuntime
import SluiceSimulation
import SluiceSpec
import SluiceSystem
import Testing

@Suite struct MatchTests {
    private func spec(
        _ match: String, type: String = "left outer", within: String = "r.t between l.t - 5s and l.t + 5s"
    ) -> JoinSpecText {
        var spec = JoinSpecText(type: type, within: within)
        spec.match = match
        return spec
    }

    private func far(_ number: Int, _ seconds: Double) -> (left: [String], right: [String]) {
        ([row("m\(number)", "m", seconds, v: 1)], [row("n\(number)", "n", seconds, v: 1)])
    }

    @Test func `A row comes out once, with its partner, in the batch in which it leaves`() throws {
        let scenario = try Scenario(spec("nearest"))
        // The best so far is not told: a nearer one may come, and does.
        #expect(
            try scenario.step(left: [row("a", "k", 10)], right: [row("b", "k", 13)]) == [
                "0 @- [2]", "1 no data @10 [2]",
            ])
        let second = try scenario.step(left: [row("c", "k", 15)], right: [row("d", "k", 11), row("e", "k", 15)])
        #expect(second == ["2 @10 [5]", "3 no data @15 [5]"])
        // At 15.000 s a partner of `a` could still come in time, in this batch; at 15.001 s none can.
        let third = try scenario.step(left: [row("x", "x", 15.001)], right: [row("y", "y", 15.001)])
        #expect(third.last == "5 no data @15.001 [6]: a+d")
        let (left, right) = far(1, 100)
        let fourth = try scenario.step(left: left, right: right)
        #expect(fourth.last == "7 no data @100 [2]: c+e x")
    }

    @Test(arguments: [("nearest", "a+e"), ("latest", "a+d"), ("earliest", "a+b")])
    func `Of the rows that match one is chosen by time`(match: String, expected: String) throws {
        let scenario = try Scenario(spec(match, type: "inner"))
        let rights = [row("d", "k", 14), row("b", "k", 6), row("c", "k", 12), row("e", "k", 8), row("z", "k", 16)]
        try scenario.step(left: [row("a", "k", 10), row("b", "other", 10)], right: rights)
        let (left, right) = far(1, 100)
        let told = try scenario.step(left: left, right: right)
        #expect(told.last?.hasSuffix(": \(expected)") == true, "\(told)")
    }

    @Test func `The entry's where narrows the choice, the query's where is asked after it`() throws {
        func told(_ change: (inout JoinSpecText) -> Void) throws -> [String] {
            var spec = self.spec("latest", type: "inner")
            change(&spec)
            let scenario = try Scenario(spec)
            try scenario.step(
                left: [row("a", "k", 10, v: 1), row("c", "q", 10, v: 1)],
                right: [row("b", "k", 11, v: 1), row("d", "k", 12, v: 9), row("e", "q", 10, v: 1)])
            let (left, right) = far(1, 100)
            try scenario.step(left: left, right: right)
            return try scenario.harness.allRows().map(pair).sorted()
        }
        #expect(try told { _ in } == ["a+d", "c+e"])
        #expect(try told { $0.joinWhere = "r.v < 5" } == ["a+b", "c+e"])
        #expect(try told { $0.queryField = "where: r.v < 5" } == ["c+e"])
    }

    @Test func `Of rows with one time the lower offset of a file counts, then the path that sorts first`() throws {
        func partner(_ files: [[String]]) throws -> [String] {
            var spec = self.spec("latest", type: "inner")
            spec.limits = nil
            let scenario = try Scenario(spec)
            // Later files have names that sort behind.
            for file in files { try scenario.step(right: file) }
            try scenario.step(left: [row("a", "k", 10)])
            let (left, right) = far(1, 100)
            try scenario.step(left: left, right: right)
            return try scenario.harness.allRows().map(pair)
        }
        #expect(try partner([[row("b", "k", 12), row("c", "k", 12), row("d", "k", 11)]]) == ["a+b"])
        #expect(try partner([[row("x", "k", 12)], [row("b", "k", 12)]]) == ["a+x"])
        // A file that comes later, and has a name that sorts before.
        var spec = self.spec("nearest", type: "inner")
        spec.limits = nil
        let scenario = try Scenario(spec)
        try scenario.step(right: [row("x", "k", 12)])
        scenario.disk.put("/in/r/00000.jsonl", row("b", "k", 12) + "\n")
        try scenario.step(left: [row("a", "k", 10)])
        try scenario.restart()
        let (left, right) = far(1, 100)
        try scenario.step(left: left, right: right)
        #expect(try scenario.harness.allRows().map(pair) == ["a+b"])
    }

    @Test func `A row without a time or that fails its own condition comes out at once, one without a key waits`()
        throws
    {
        var spec = self.spec("nearest")
        spec.joinWhere = "l.v > 1"
        let scenario = try Scenario(spec)
        let told = try scenario.step(
            left: [
                row("a", "k", nil, v: 5), row("b", "k", 10, v: 1), row("c", nil, 10, v: 5), row("d", "k", 10, v: 5),
            ],
            right: [row("e", "k", nil), row("f", nil, 10), row("g", "k", 10)])
        #expect(told.first == "0 @- [3]: a b")
        let counters = try #require(scenario.harness.reports.all.first?.stages.first)
        #expect(counters.sides[0].side.counters.rowsUnmatched == 2)
        let (left, right) = far(1, 100)
        let last = try scenario.step(left: left, right: right).last
        #expect(last?.hasSuffix(": c d+g") == true, "\(String(describing: last))")
        let after = try #require(scenario.last?.stages.first?.sides[0].side.counters)
        #expect((after.rowsMatched, after.rowsUnmatched, after.rowsRemoved) == (1, 1, 2))
    }

    @Test func `Right rows stay until the rows that could take them have come out, and no longer`() throws {
        let scenario = try Scenario(spec("earliest", within: "r.t between l.t and l.t + 20s"))
        try scenario.step(left: [row("a", "k", 10)], right: [row("b", "k", 12), row("c", "k", 3)])
        // In an outer join `b` would leave at a watermark of 12.001 s; here `a` needs it until 30.001 s. `c` is needed
        // until 23.001 s: a row at 3 s would have come out by then.
        let first = far(1, 23.001)
        #expect(try scenario.step(left: first.left, right: first.right).last == "3 no data @23.001 [4]")
        let second = far(2, 30.001)
        #expect(try scenario.step(left: second.left, right: second.right).last == "5 no data @30.001 [5]: a+b")
        let third = far(3, 32.001)
        #expect(try scenario.step(left: third.left, right: third.right).last == "7 no data @32.001 [6]")
    }

    @Test func `A checkpoint goes on with the same choice only`() throws {
        let scenario = try Scenario(spec("latest"))
        try scenario.step(left: [row("a", "k", 10)], right: [row("b", "k", 12)])
        var changed = spec("nearest")
        let error = #expect(throws: (any Error).self) { try scenario.restart(changed) }
        #expect("\(try #require(error))".contains("match was `latest`, is now `nearest`"))
        changed.match = nil
        let gone = #expect(throws: (any Error).self) { try scenario.restart(changed) }
        #expect("\(try #require(gone))".contains("match was `latest`, is now `all`"))
        try scenario.restart(spec("latest"))
        let (left, right) = far(1, 100)
        #expect(try scenario.step(left: left, right: right).last?.hasSuffix(": a+b") == true)
    }

    // MARK: However it is cut

    /// The sink's files after some steps.
    private static func output(_ match: String, workers: Int, restarts: Bool, limits: String?) throws -> [String:
        String]
    {
        var spec = JoinSpecText(
            within: "r.t between l.t - 3s and l.t + 6s", leftDelay: "25s", rightDelay: "25s", shards: 4)
        spec.match = match
        spec.limits = limits
        spec.retainBatches = 2
        return try Scenario.output(
            spec, workers: workers, restarts: restarts,
            of: (0..<8).map { crowd($0, rows: 150, keys: 20, gridMillis: 500) })
    }

    @Test(arguments: ["nearest", "latest", "earliest"])
    func `Workers and restarts change no byte, and another cut no row`(match: String) throws {
        let one = try Self.output(match, workers: 1, restarts: false, limits: "max_files_per_trigger: 1")
        #expect(one.values.joined().count { $0 == "\n" } > 500)
        for workers in [2, 4] {
            #expect(
                try Self.output(match, workers: workers, restarts: false, limits: "max_files_per_trigger: 1") == one)
        }
        #expect(try Self.output(match, workers: 2, restarts: true, limits: "max_files_per_trigger: 1") == one)
        func rows(_ files: [String: String]) -> [Substring] {
            files.values.flatMap { $0.split(separator: "\n") }.sorted()
        }
        // Cut anywhere in a file, so that no row is late: they follow one another by less than the delay.
        for limits in ["max_bytes_per_trigger: 900", "max_bytes_per_trigger: 5KB"] {
            let cut = try Self.output(match, workers: 2, restarts: true, limits: limits)
            #expect(rows(cut) == rows(one), "\(limits)")
        }
    }
}
