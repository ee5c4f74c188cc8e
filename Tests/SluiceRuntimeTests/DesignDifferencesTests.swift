// Where Sluice differs from Spark, on purpose: one test per row of the design's list and per clause of a row, named by
// its words. Recorded runs of Spark that show the other behaviour are in SparkDifferencesTests.

import QueryTesting
import SluiceCheckpoint
import SluiceEngine
import SluicePlan
import SluiceRuntime
import SluiceSimulation
import SluiceSpec
import SluiceSystem
import SystemTesting
import Testing

@Suite struct DesignDifferencesTests {
    private func errors(_ spec: JoinSpecText) throws -> [Diagnostic] {
        try TestedQuery.load(spec.text).diagnostics.filter { $0.severity == .error }
    }

    /// The refusal of a changed spec over a checkpoint that has run one batch.
    private func refusal(from old: JoinSpecText, to new: JoinSpecText) throws -> String? {
        let scenario = try Scenario(old)
        try scenario.step(left: [row("a", "k", 10)], right: [row("b", "k", 12)])
        do {
            try scenario.restart(new)
            return nil
        } catch let error as CheckpointError {
            guard case .incompatibleSpec(_, let reason) = error else { throw error }
            return reason
        }
    }

    // MARK: Restarts

    @Test func `Per-side watermarks are kept over a restart: one side alone moves the watermark on`() throws {
        let scenario = try Scenario(JoinSpecText())
        try scenario.step(left: [row("a", "x", 100)], right: [row("b", "y", 50)])
        try scenario.restart()
        // Left has reached 100 s before the restart; only the right side delivers after it.
        let told = try scenario.step(right: [row("c", "y", 90)])
        #expect(told == ["2 @50 [3]", "3 no data @90 [2]"])
    }

    /// As if batch 3 had never been.
    private func forgetLastBatch(_ disk: SimulatedFileSystem) throws {
        for file in ["/check/offsets/3", "/check/commits/3", "/check/state/3.delta.gz", "/out/batch-0000000003.jsonl"] {
            try disk.remove(file)
        }
    }

    @Test func `A no-data batch that was due is still due after a restart`() throws {
        let scenario = try Scenario(JoinSpecText())
        // Two data batches at once, of which the second leaves a no-data batch to come: cut off before it.
        try scenario.step(left: [row("a", "x", 10)], right: [row("b", "y", 10)])
        scenario.feed(left: [row("m", "m", 100)], right: [row("n", "n", 100)])
        try scenario.run()
        let commits = scenario.disk.files(under: "/check/commits").count
        #expect(commits == 4)
        try forgetLastBatch(scenario.disk)
        try scenario.restart()
        #expect(try scenario.run() == ["3 no data @100 [2]: a"])
    }

    @Test func `Data that arrived meanwhile goes before the no-data batch that is due, as without a restart`() throws {
        let scenario = try Scenario(JoinSpecText())
        try scenario.step(left: [row("a", "x", 10)], right: [row("b", "y", 10)])
        try scenario.step(left: [row("m", "m", 100)], right: [row("n", "n", 100)])
        try forgetLastBatch(scenario.disk)
        scenario.feed(left: [row("c", "z", 101)])
        try scenario.restart()
        // The data batch evicts; it is late against 10 s, the watermark of the batch before.
        #expect(try scenario.run() == ["3 @100 [3]: a"])
    }

    // MARK: Null event times and keys

    private static let preserved: [(type: String, left: Bool, right: Bool)] = [
        ("inner", false, false), ("left outer", true, false), ("right outer", false, true), ("full outer", true, true),
        ("left semi", false, false), ("left anti", true, false),
    ]

    @Test(arguments: preserved, [false, true])
    func `A null event time is emitted as unmatched in its own batch and never stored, or dropped where not preserved`(
        join: (type: String, left: Bool, right: Bool), hasWindow: Bool
    ) throws {
        var spec = JoinSpecText(type: join.type)
        if hasWindow { (spec.within, spec.window) = (nil, "10s") }
        let scenario = try Scenario(spec)
        let told = try scenario.step(left: [row("a", "k", nil)], right: [row("b", "k", nil)])
        let rows = [join.right ? "+b" : nil, join.left ? "a" : nil].compactMap { $0 }
        #expect(told == [(["0 @- [0]"] + [rows.joined(separator: " ")]).filter { !$0.isEmpty }.joined(separator: ": ")])
        // Nothing of them is left to come out or to count later.
        try scenario.step(left: [row("m", "m", 900)], right: [row("n", "n", 900)])
        #expect(scenario.last?.stateRowsTotal == 2)
        #expect(try scenario.harness.allRows().map(pair).sorted() == rows)
    }

    @Test func `Without a time condition a row with a null event time is an ordinary row`() throws {
        let scenario = try Scenario(JoinSpecText(type: "inner", within: nil))
        #expect(try scenario.step(left: [row("a", "k", nil)]) == ["0 @- [1]"])
        #expect(try scenario.step(right: [row("b", "k", nil), row("c", "k", 5)]).first == "1 @- [3]: a+b a+c")
    }

    @Test(arguments: ["inner", "left outer", "right outer", "full outer", "left semi", "left anti"])
    func `Null matches nothing`(type: String) throws {
        let scenario = try Scenario(JoinSpecText(type: type))
        try scenario.step(left: [row("a", nil, 10)], right: [row("b", nil, 10)])
        try scenario.step(left: [row("c", nil, 11)], right: [row("d", nil, 11)])
        try scenario.step(left: [row("m", "m", 900)], right: [row("n", "n", 900)])
        let expected: [String: [String]] = [
            "left outer": ["a", "c"], "right outer": ["+b", "+d"], "full outer": ["+b", "+d", "a", "c"],
            "left anti": ["a", "c"],
        ]
        #expect(try scenario.harness.allRows().map(pair).sorted() == expected[type] ?? [])
    }

    // MARK: Records that are none

    @Test func `A record that is none is dropped and counted, and nothing of it comes out of an outer join`() throws {
        let none = ["garbage", "{\"id\":\"c\",\"k\":\"k\"", "null", "[]", "3", "", "  "]
        for type in ["left outer", "right outer", "full outer", "left anti"] {
            let scenario = try Scenario(JoinSpecText(type: type))
            try scenario.step(left: none + [row("a", "x", 10)], right: none + [row("b", "y", 10)])
            let progress = try #require(scenario.harness.reports.all.first)
            // Blank lines in files are nothing at all.
            #expect(progress.sources.map(\.badRows) == [5, 5] && progress.sources.map(\.inputRows) == [6, 6])
            #expect(progress.sources.map(\.watermarkMillis) == [baseMillis + 10_000, baseMillis + 10_000])
            try scenario.step(left: [row("m", "m", 900)], right: [row("n", "n", 900)])
            #expect(try scenario.harness.allRows().map(pair).contains("-") == false)
            #expect(try scenario.harness.allRows().contains("{}") == false)
        }
    }

    @Test func `Under permissive a record that is none is a row of nulls, as in Spark`() throws {
        var spec = JoinSpecText(type: "left outer")
        spec.leftField = "bad_rows: permissive"
        let scenario = try Scenario(spec)
        #expect(
            try scenario.step(left: ["garbage", "[]", row("a", "x", 10)], right: [row("b", "y", 10)])
                == ["0 @- [2]: - -", "1 no data @10 [2]"])
        #expect(scenario.harness.reports.all.first?.sources.map(\.badRows) == [2, 0])
    }

    @Test(arguments: [nil, "permissive", "drop", "fail"])
    func `A field that does not fit is null, drops its row or ends the query, as the policy says`(
        policy: String?
    ) throws {
        var spec = JoinSpecText(type: nil)
        spec.leftField = policy.map { "bad_rows: \($0)" }
        spec.select = ["lid: l.id", "v: l.v"]
        let scenario = try Scenario(spec)
        let rows = [row("a", "x", 10), "{\"id\":\"b\",\"v\":\"text\"}", "{\"id\":\"c\",\"v\":3} tail"]
        if policy == "fail" {
            let error = #expect(throws: BatchError.self) { try scenario.step(left: rows) }
            let text = error.map { "\($0)" } ?? ""
            #expect(text.contains("/in/l/000000.jsonl:2: `v`, it cannot be read as int"), "\(text)")
            #expect(!text.contains("text"), "what a record holds is not said")
            return
        }
        try scenario.step(left: rows)
        let ids = try scenario.harness.allRows().map(pair)
        #expect(ids == (policy == "drop" ? ["a"] : ["a", "b", "c"]))
        #expect(scenario.last?.sources.map(\.badRows) == [2])
    }

    // MARK: What check refuses

    @Test(arguments: [
        ("left outer", true), ("right outer", false), ("full outer", true), ("full outer", false), ("left anti", true),
    ])
    func `A watermark only on the nullable side of an outer join is refused with the fix`(
        type: String, isLeftMissing: Bool
    ) throws {
        var spec = JoinSpecText(type: type)
        if isLeftMissing { spec.leftDelay = nil } else { spec.rightDelay = nil }
        let found = try errors(spec)
        #expect(found.map(\.code) == ["unmatched-never-emitted"])
        let fix = try #require(found.first?.fix)
        #expect(fix.contains("`\(isLeftMissing ? "l" : "r")` a `watermark:"), "\(fix)")
    }

    @Test(arguments: [
        ("left outer", "r.t >= l.t"), ("right outer", "r.t <= l.t + 5s"), ("full outer", "r.t >= l.t"),
        ("full outer", "r.t <= l.t + 5s"), ("left anti", "r.t >= l.t"),
    ])
    func `An outer join whose preserved side can never be evicted is refused with the fix`(
        type: String, within: String
    ) throws {
        let found = try errors(JoinSpecText(type: type, within: within))
        #expect(found.map(\.code) == ["unmatched-never-emitted"])
        #expect(found.first?.fix?.contains("bound") == true)
        // The open end on the side that is not preserved is the user's business.
        let mirrored = within == "r.t >= l.t" ? "r.t <= l.t + 5s" : "r.t >= l.t"
        if type != "full outer" { #expect(try errors(JoinSpecText(type: type, within: mirrored)).isEmpty) }
    }

    // MARK: Changed specs

    @Test(arguments: ["left outer", "right outer", "full outer", "left semi", "left anti"])
    func `A changed join type is refused by name`(type: String) throws {
        let reason = try #require(try refusal(from: JoinSpecText(type: "inner"), to: JoinSpecText(type: type)))
        #expect(reason.contains("join type") && reason.contains(type))
    }

    @Test func `Changed keys are refused by name`() throws {
        var changed = JoinSpecText()
        changed.keys = "{ l.k: r.id }"
        #expect(try #require(try refusal(from: JoinSpecText(), to: changed)).contains("keys"))
    }

    @Test func `A column that the output uses is refused by name when it comes`() throws {
        var changed = JoinSpecText()
        changed.select = ["lid: l.id", "lk: l.k", "lt: l.t", "rid: r.id", "rk: r.k", "rt: r.t", "lv: l.v"]
        #expect(try #require(try refusal(from: JoinSpecText(), to: changed)).contains("v"))
        #expect(try refusal(from: changed, to: JoinSpecText()) != nil)
    }

    @Test func `A column nobody uses may come and go`() throws {
        let scenario = try Scenario(JoinSpecText())
        try scenario.step(left: [row("a", "k", 10)])
        let text = scenario.spec.text
        let without = text.replacing(", v: int }", with: " }")
        #expect(without != text)
        scenario.harness.stop()
        let harness = try RunnerHarness(spec: without, disk: scenario.disk.restartProcess())
        try harness.restart()
    }

    @Test func `Changed bounds and delays are accepted, and old rows are judged by the new rule`() throws {
        var spec = JoinSpecText()
        let scenario = try Scenario(spec)
        try scenario.step(left: [row("a", "k", 10)])
        (spec.within, spec.leftDelay) = ("r.t between l.t and l.t + 60s", "2s")
        try scenario.restart(spec)
        #expect(try scenario.step(right: [row("b", "k", 60)]).first == "1 @- [2]: a+b")
    }

    // MARK: Counting

    @Test(arguments: [("inner", 4), ("left outer", 4), ("right outer", 4), ("full outer", 4), ("left semi", 4)])
    func `numRowsRemoved counts all rows that left state`(type: String, removed: Int) throws {
        let scenario = try Scenario(JoinSpecText(type: type))
        try scenario.step(
            left: [row("a1", "k", 10), row("a2", "x", 10)], right: [row("b1", "k", 10), row("b2", "y", 10)])
        try scenario.step(left: [row("m", "m", 900)], right: [row("n", "n", 900)])
        #expect(scenario.last?.stateRowsRemoved == removed)
        #expect(scenario.last?.stateRowsTotal == 2)
        let json = try #require(scenario.last?.json)
        #expect(json.contains("\"numRowsRemoved\":\(removed)"))
    }

    @Test func `Late rows are counted per source`() throws {
        let scenario = try Scenario(JoinSpecText(type: "inner"))
        try scenario.step(left: [row("a", "k", 100)], right: [row("b", "k", 100)])
        try scenario.step(left: [row("c", "k", 1), row("d", "k", 2)], right: [row("e", "k", 100.5), row("f", "k", 3)])
        // With the no-data batch that follows.
        let data = try #require(scenario.harness.reports.all.first { $0.batchID == 2 })
        #expect(data.sources.map(\.lateRows) == [2, 1])
        #expect(data.stages.first?.rowsDroppedByWatermark == 3)
        let counts = data.json.split(separator: "\"numRowsDroppedByWatermark\":").dropFirst().map { $0.prefix(1) }
        #expect(counts == ["3", "2", "1"])
    }

    // MARK: Idle sources

    @Test func `A source that is idle for its timeout stops holding the others back`() throws {
        var spec = JoinSpecText()
        spec.watermarkField = "idle_timeout: 1m"
        let scenario = try Scenario(spec)
        try scenario.step(left: [row("a", "x", 10)], right: [row("b", "y", 10)])
        // Left goes on, right is silent.
        #expect(try scenario.step(left: [row("c", "x", 500)]) == ["2 @10 [3]"])
        scenario.clock.advance(byMillis: 59_999)
        #expect(try scenario.step(left: [row("d", "x", 501)]) == ["3 @10 [4]"])
        scenario.clock.advance(byMillis: 1)
        #expect(try scenario.run() == ["4 no data @501 [2]: a"])
    }

    @Test func `Without an idle_timeout a silent source holds the others back for ever`() throws {
        let scenario = try Scenario(JoinSpecText())
        try scenario.step(left: [row("a", "x", 10)], right: [row("b", "y", 10)])
        try scenario.step(left: [row("c", "x", 500)])
        scenario.clock.advance(byMillis: 1_000_000_000)
        #expect(try scenario.run() == [])
    }

    @Test func `An idle source that comes back holds the others back again, and the watermark stays`() throws {
        var spec = JoinSpecText()
        spec.watermarkField = "idle_timeout: 1m"
        let scenario = try Scenario(spec)
        try scenario.step(left: [row("a", "x", 10)], right: [row("b", "y", 10)])
        scenario.clock.advance(byMillis: 60_000)
        try scenario.step(left: [row("c", "x", 500)])
        #expect(scenario.last?.eventTime?.watermarkMillis == baseMillis + 500_000)
        #expect(try scenario.step(right: [row("d", "y", 20)]) == ["4 @500 [1] late 1"])
        try scenario.step(left: [row("e", "x", 900)])
        #expect(scenario.last?.eventTime?.watermarkMillis == baseMillis + 500_000)
    }

    // MARK: Left anti

    @Test func `Left anti is supported: an unmatched row comes out when the watermark proves it`() throws {
        let scenario = try Scenario(JoinSpecText(type: "left anti"))
        #expect(try scenario.step(right: [row("b0", "k", 10)]) == ["0 @- [1]"])
        // a1 matches on arrival and is not stored; a2 is matched by this batch's b1; a3 waits.
        let told = try scenario.step(
            left: [row("a1", "k", 9), row("a2", "j", 10), row("a3", "x", 10)], right: [row("b1", "j", 11)])
        #expect(told == ["1 @- [4]", "2 no data @10 [4]"])
        #expect(
            try scenario.step(left: [row("m", "m", 20)], right: [row("n", "n", 20)]) == [
                "3 @10 [6]", "4 no data @20 [4]",
            ])
        #expect(
            try scenario.step(left: [row("o", "o", 21)], right: [row("p", "p", 20.002)])
                == ["5 @20 [6]", "6 no data @20.002 [3]: a3"])
    }

    // MARK: Filters and the watermark

    @Test(arguments: [("left outer", "r.v > 0", false, true), ("right outer", "l.v > 0", true, false)])
    func `A predicate on the nullable side alone decides which rows advance its watermark`(
        type: String, predicate: String, isLeftFiltered: Bool, isRightFiltered: Bool
    ) throws {
        var spec = JoinSpecText(type: type)
        spec.joinWhere = predicate
        let scenario = try Scenario(spec)
        try scenario.step(left: [row("a", "k", 50, v: 0)], right: [row("b", "k", 50, v: 0)])
        #expect(scenario.last?.sources[0].watermarkMillis == (isLeftFiltered ? nil : baseMillis + 50_000))
        #expect(scenario.last?.sources[1].watermarkMillis == (isRightFiltered ? nil : baseMillis + 50_000))
    }

    @Test(arguments: [("left outer", "l.v > 0"), ("right outer", "r.v > 0"), ("full outer", "l.v > 0")])
    func `A predicate on the preserved side does not decide which rows advance the watermark`(
        type: String, predicate: String
    ) throws {
        var spec = JoinSpecText(type: type)
        spec.joinWhere = predicate
        let scenario = try Scenario(spec)
        try scenario.step(left: [row("a", "k", 50, v: 0)], right: [row("b", "k", 50, v: 0)])
        #expect(scenario.last?.sources.map(\.watermarkMillis) == [baseMillis + 50_000, baseMillis + 50_000])
    }

    @Test(arguments: [
        ("inner", false, false), ("left outer", true, false), ("right outer", false, true), ("full outer", true, true),
        ("left semi", false, false), ("left anti", true, false),
    ])
    func `Rows with a null key advance the watermark only on sides where they are kept`(
        type: String, left: Bool, right: Bool
    ) throws {
        let scenario = try Scenario(JoinSpecText(type: type))
        try scenario.step(left: [row("a", nil, 50)], right: [row("b", nil, 50)])
        let reached = baseMillis + 50_000
        #expect(scenario.last?.sources.map(\.watermarkMillis) == [left ? reached : nil, right ? reached : nil])
    }

    @Test func `A source's where below the watermark decides which rows advance it, and a null residual does not`()
        throws
    {
        var spec = JoinSpecText(type: "inner")
        spec.leftField = "where: v > 0"
        spec.joinWhere = "r.v > l.v"
        let scenario = try Scenario(spec)
        try scenario.step(left: [row("a", "k", 50, v: 0)], right: [row("b", "k", 50)])
        #expect(scenario.last?.sources.map(\.watermarkMillis) == [nil, baseMillis + 50_000])
    }

    // MARK: Files

    @Test func `A compressed file is known by its first bytes, whatever its name`() throws {
        let scenario = try Scenario(JoinSpecText(type: nil))
        scenario.disk.put("/in/l/1.jsonl", storedGzip(Array((row("a", "x", 10) + "\n").utf8)))
        scenario.disk.put("/in/l/2.jsonl.gz", row("b", "x", 10) + "\n")
        #expect(try scenario.run().map { $0.split(separator: ": ").last } == ["a", "b"])
    }

    @Test func `A compressed file that is larger than a batch's limit is cut at line ends, a plain one is not`() throws
    {
        var spec = JoinSpecText(type: nil)
        spec.limits = "max_bytes_per_trigger: 100"
        let scenario = try Scenario(spec)
        let text = ["a", "b", "c"].map { row($0, "x", 10) + "\n" }.joined()
        scenario.disk.put("/in/l/1", storedGzip(Array(text.utf8)))
        scenario.disk.put("/in/l/2", text)
        try scenario.run()
        #expect(scenario.harness.reports.all.map { $0.sources[0].inputRows } == [2, 1, 3])
        let last = scenario.harness.reports.all.map { $0.sources[0].endOffset["/in/l/1"] }
        #expect(last.last == Int64(text.utf8.count))
    }
}
