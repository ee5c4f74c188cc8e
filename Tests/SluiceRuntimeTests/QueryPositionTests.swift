// Which batch follows from which, as a function: no disk, no clock, no rows. A walk stands in for the runner: it hands
// in what sources would have planned and what the engine would have counted, and may restart between any two steps.

import QueryTesting
import SluiceConnectors
import SluicePlan
import SluiceSpec
import SluiceSystem
import Testing

@testable import SluiceCheckpoint
@testable import SluiceEngine
@testable import SluiceRuntime

/// What one batch finds of an input, in seconds of event time.
private struct Shown {
    var rowCount = 1
    /// The newest event time of all; nil: no row has one.
    var newest: Int64?
    /// By part, where each has a watermark.
    var parts: [String: Int64] = [:]

    static let nothing = Shown(rowCount: 0)
    static func newest(_ second: Int64) -> Shown { Shown(newest: second) }
    static func parts(_ seconds: [String: Int64]) -> Shown { Shown(newest: seconds.values.max(), parts: seconds) }

    var counters: SourceCounters {
        var counters = SourceCounters()
        (counters.inputRows, counters.watermarkRows) = (rowCount, rowCount)
        if let newest { (counters.eventTimeCount, counters.maxEventTimeMicros) = (rowCount, newest * 1_000_000) }
        counters.maxEventTimeMicrosByPart = parts.mapValues { $0 * 1_000_000 }
        return counters
    }
}

/// A query's position, moved as a runner moves it. Times are seconds since the start.
private final class Walk {
    let plan: PhysicalPlan
    private(set) var position: QueryPosition
    private(set) var recovered = Recovered()

    /// A new query.
    convenience init(_ plan: PhysicalPlan) { self.init(plan, Recovered()) }

    init(_ plan: PhysicalPlan, _ recovered: Recovered) {
        (self.plan, self.recovered) = (plan, recovered)
        position = QueryPosition(plan, recovered, nowMillis: 0)
    }

    /// What is due when so many offsets more are there of each input's partitions.
    func next(_ counts: [[String: Int64]] = [[:], [:]], at second: Int64 = 0) -> OffsetsEntry? {
        next(ranges(counts), at: second)
    }

    func next(_ ranges: [[OffsetRange]], at second: Int64 = 0) -> OffsetsEntry? {
        position.next(ranges, wallMillis: 1_000_000 + second * 1000, steadyMillis: second * 1000)
    }

    func ranges(_ counts: [[String: Int64]]) -> [[OffsetRange]] {
        zip(position.offsets, counts).map { offsets, counts in
            counts.sorted { $0.key < $1.key }.map { partition, count in
                let start = offsets.next[partition] ?? 0
                return OffsetRange(partition: partition, start: start, end: start + count)
            }
        }
    }

    /// The batch is done.
    @discardableResult func commit(
        _ entry: OffsetsEntry, _ shown: [Shown] = [.nothing, .nothing], at second: Int64 = 0
    ) -> CommitEntry {
        let stages = plan.stages.map { _ in StageResult() }
        let result = BatchResult(
            routes: [RoutedRows(encodings: [], rowCount: 0)],
            sources: plan.inputs.indices.map { shown[$0].counters }, stages: stages)
        let (after, commit) = position.committed(entry, result, steadyMillis: second * 1000)
        position = after
        recovered = Recovered(committed: Recovered.Committed(offsets: entry, commit: commit))
        return commit
    }

    /// A batch with data of each input that shows something; returns it with its commit.
    @discardableResult func run(
        _ shown: [Shown], at second: Int64 = 0
    ) throws -> (entry: OffsetsEntry, commit: CommitEntry) {
        let counts = shown.map { shown -> [String: Int64] in
            if shown.rowCount == 0 { return [:] }
            return shown.parts.isEmpty ? ["f": 10] : shown.parts.mapValues { _ in 10 }
        }
        let due = next(counts, at: second)
        let entry = try #require(due)
        return (entry, commit(entry, shown, at: second))
    }

    /// As the next process finds it, with the batch in hand if there is one.
    func restarted(inHand: OffsetsEntry? = nil) -> Walk {
        var recovered = recovered
        recovered.inHand = inHand
        return Walk(plan, recovered)
    }
}

private func plan(_ spec: JoinSpecText) throws -> PhysicalPlan { try plan(spec.text) }

private func plan(_ text: String) throws -> PhysicalPlan {
    try #require(TestedQuery(text).loaded.plans.first?.result.physical)
}

/// One topic or several, with a watermark for each part.
private func topics(_ names: String, watermark: String) throws -> PhysicalPlan {
    try plan(
        """
        sluice: 1
        sources:
          s:
            kafka: { brokers: "b:1", \(names) }
            columns: { t: timestamp }
            watermark: { column: t, delay: 0s, \(watermark) }
        queries:
          q: { from: s, to: out }
        sinks:
          out: { stdout: {} }
        """)
}

@Suite struct QueryPositionTests {
    // MARK: One batch after another

    @Test func `A new query begins with batch 0, where every input begins`() throws {
        let walk = Walk(try plan(JoinSpecText()))
        let nothing = walk.next()
        #expect(nothing == nil)
        let range = OffsetRange(partition: "f", start: 0, end: 10)
        let entry = walk.next([[range], []], at: 5)
        #expect(
            entry
                == OffsetsEntry(
                    batch: 0, batchTimeMillis: 1_005_000, lateWatermarkMillis: 0, evictionWatermarkMillis: 0,
                    isNoData: false,
                    sources: [
                        SourceBatch(source: "l", ranges: [range], next: SourceOffsets(["f": 10])),
                        SourceBatch(source: "r", ranges: [], next: SourceOffsets()),
                    ]))
        #expect(walk.position.nextBatch == 0 && walk.position.offsets == [SourceOffsets(), SourceOffsets()])
        #expect(walk.position.rerun == nil)
    }

    @Test func `Offsets move on by the ranges, and a partition that is gone is forgotten`() throws {
        let walk = Walk(try plan(JoinSpecText()))
        for counts in [[["a": 3, "b": 4], [:]], [["a": 5], ["c": 1]]] as [[[String: Int64]]] {
            let entry = try #require(walk.next(counts))
            walk.commit(entry)
        }
        #expect(walk.position.offsets == [SourceOffsets(["a": 8, "b": 4]), SourceOffsets(["c": 1])])
        let entry = try #require(walk.next([[.gone(partition: "a", start: 8)], []]))
        #expect(!entry.isNoData)
        walk.commit(entry)
        #expect(walk.position.offsets == [SourceOffsets(["b": 4]), SourceOffsets(["c": 1])])
        #expect(walk.position.nextBatch == 3)
    }

    @Test func `A batch evicts by what was shown before it, and the next one calls late what it evicted by`() throws {
        let walk = Walk(try plan(JoinSpecText(leftDelay: "5s")))
        let first = try walk.run([.newest(100), .newest(90)])
        #expect(first.commit.nextWatermarkMillis == 90_000)
        #expect(first.commit.inputMaximaMillis == [95_000, 90_000])
        let second = try walk.run([.newest(200), .newest(80)])
        #expect(second.entry.lateWatermarkMillis == 0 && second.entry.evictionWatermarkMillis == 90_000)
        let third = try walk.run([.newest(210), .newest(150)])
        #expect(third.entry.lateWatermarkMillis == 90_000 && third.entry.evictionWatermarkMillis == 90_000)
        let fourth = try walk.run([.nothing, .newest(160)])
        #expect(fourth.entry.lateWatermarkMillis == 90_000 && fourth.entry.evictionWatermarkMillis == 150_000)
        #expect(fourth.commit.inputMaximaMillis == [205_000, 160_000])
        #expect(walk.position.watermarkMillis == 160_000)
    }

    @Test func `Rows without an event time show nothing`() throws {
        let walk = Walk(try plan(JoinSpecText()))
        #expect(try walk.run([.newest(100), Shown(rowCount: 3)]).commit.inputMaximaMillis == [100_000, nil])
        #expect(try walk.run([Shown(rowCount: 3), .newest(90)]).commit.inputMaximaMillis == [100_000, 90_000])
        #expect(walk.position.watermarkMillis == 90_000)
    }

    @Test func `The engine gets the watermarks of the entry, and those that inputs have before the batch`() throws {
        let walk = Walk(try plan(JoinSpecText(type: "inner", leftDelay: nil)))
        try walk.run([.newest(100), .newest(90)])
        try walk.run([.nothing, .newest(95)])
        let entry = try #require(walk.next([["f": 1], [:]], at: 7))
        #expect(
            walk.position.watermarks(entry)
                == BatchWatermarks(
                    lateMillis: 90_000, evictionMillis: 95_000, batchTimeMillis: 1_007_000, ownMillis: [nil, 95_000]))
    }

    @Test func `A commit says what left each stage, and counts rows`() throws {
        var plan = try plan(JoinSpecText())
        plan.stages.append(plan.stages[0])
        plan.stages[1].name = "above"
        var (low, high) = (StageResult(), StageResult())
        (low.evictedThroughMicros, low.left.rowsTotal, low.left.rowsRemoved) = ([1, 2], 5, 1)
        (high.evictedThroughMicros, high.right.rowsTotal, high.right.rowsRemoved) = ([3, 4], 60, 20)
        let result = BatchResult(
            routes: [RoutedRows(encodings: [], rowCount: 7)],
            sources: [Shown(rowCount: 2).counters, Shown(rowCount: 9).counters], stages: [low, high])
        let walk = Walk(plan)
        let entry = try #require(walk.next([["f": 1], [:]]))
        let commit = walk.position.committed(entry, result, steadyMillis: 0).commit
        #expect(commit.batch == 0)
        #expect(
            commit.stages == [
                StageEviction(stage: "l+r", throughMicros: [1, 2]),
                StageEviction(stage: "above", throughMicros: [3, 4]),
            ])
        #expect(commit.counters == ["inputRows": 11, "outputRows": 7, "stateRows": 65, "removedRows": 21])
        #expect(commit.partMaximaMillis.isEmpty)
    }

    @Test func `Without a join a commit has one stage, which evicts nothing`() throws {
        let walk = Walk(try plan(JoinSpecText(type: nil)))
        let commit = try walk.run([.newest(100)]).commit
        #expect(commit.stages == [StageEviction(stage: "l", throughMicros: [])])
    }

    // MARK: No-data batches

    @Test func `When the watermark has moved a no-data batch is due, once`() throws {
        var walk = Walk(try plan(JoinSpecText()))
        try walk.run([.newest(100), .newest(90)])
        for _ in 0..<2 { walk = walk.restarted() }
        let entry = try #require(walk.next(at: 3))
        #expect(entry.isNoData && entry.batch == 1 && entry.batchTimeMillis == 1_003_000)
        #expect(entry.lateWatermarkMillis == 0 && entry.evictionWatermarkMillis == 90_000)
        #expect(entry.sources.allSatisfy { $0.ranges.isEmpty && $0.next == SourceOffsets(["f": 10]) })
        walk.commit(entry)
        for _ in 0..<2 {
            #expect(walk.next(at: 4) == nil)
            walk = walk.restarted()
        }
    }

    @Test func `No no-data batch is due where nothing would leave`() throws {
        let joined = try plan(JoinSpecText())
        var keeps = joined
        keeps.stages[0].join?.left.eviction = nil
        keeps.stages[0].join?.right.eviction = nil
        var isBehind = joined
        isBehind.stages[0].watermarkMillis = -90_000
        var hasNone = joined
        hasNone.stages[0].watermarkMillis = nil
        for plan in [keeps, isBehind, hasNone, try plan(JoinSpecText(type: nil))] {
            let walk = Walk(plan)
            let shown = [Shown.newest(100), .newest(90)]
            try walk.run(Array(shown.prefix(plan.inputs.count)))
            #expect(walk.position.watermarkMillis ?? 0 >= 90_000)
            #expect(walk.next([[String: Int64]](repeating: [:], count: plan.inputs.count)) == nil)
        }
        isBehind.stages[0].watermarkMillis = -89_999
        let walk = Walk(isBehind)
        try walk.run([.newest(100), .newest(90)])
        #expect(walk.next()?.isNoData == true)
    }

    @Test func `Files without a byte make a batch, and not a no-data batch`() throws {
        let walk = Walk(try plan(JoinSpecText()))
        let entry = walk.next([["f": 0], [:]])
        #expect(entry?.isNoData == false && entry?.sources[0].next == SourceOffsets(["f": 0]))
    }

    // MARK: Silence

    private func walkWithTimeout() throws -> Walk {
        let walk = Walk(try plan(JoinSpecText(watermarkField: "idle_timeout: 60s")))
        try walk.run([.newest(100), .newest(50)])
        return walk
    }

    @Test func `A silent input holds the watermark for its idle timeout, and then a no-data batch is due`() throws {
        let walk = try walkWithTimeout()
        let noData = try #require(walk.next(at: 30))
        walk.commit(noData, at: 30)
        let held = try walk.run([.newest(110), .nothing], at: 59)
        #expect(held.entry.evictionWatermarkMillis == 50_000 && held.commit.nextWatermarkMillis == 50_000)
        #expect(walk.next(at: 59) == nil)
        let due = try #require(walk.next(at: 60))
        #expect(due.isNoData && due.evictionWatermarkMillis == 110_000)
        walk.commit(due, at: 60)
        let back = try walk.run([.nothing, .newest(70)], at: 61)
        #expect(back.entry.lateWatermarkMillis == 110_000 && back.commit.nextWatermarkMillis == 110_000)
    }

    @Test func `Silence counts on the steady clock, though the batch has the time of the other one`() throws {
        let walk = try walkWithTimeout()
        var position = walk.position
        let entry = position.next(walk.ranges([["f": 1], [:]]), wallMillis: 3_600_000, steadyMillis: 59_000)
        #expect(entry?.batchTimeMillis == 3_600_000 && entry?.evictionWatermarkMillis == 50_000)
    }

    @Test(arguments: [(10 as Int64, 50_000 as Int64), (0, 100_000)])
    func `What is there to read ends silence, whatever comes of it; an empty file does not`(
        count: Int64, watermarkMillis: Int64
    ) throws {
        let walk = try walkWithTimeout()
        let entry = try #require(walk.next([["f": 10], ["g": count]], at: 50))
        walk.commit(entry, [.newest(100), .nothing], at: 50)
        let later = try #require(walk.next([["f": 10], [:]], at: 65))
        #expect(later.evictionWatermarkMillis == watermarkMillis)
    }

    @Test func `What a look says about silence holds, though no batch was due`() throws {
        let walk = Walk(try plan(JoinSpecText(type: "inner", within: nil, watermarkField: "idle_timeout: 60s")))
        try walk.run([.newest(100), .newest(50)])
        try walk.run([.newest(100), .nothing], at: 50)
        #expect(walk.position.watermarkMillis == 50_000)
        #expect(walk.next(at: 61) == nil, "nothing would leave")
        #expect(walk.position.watermarkMillis == 100_000)
    }

    @Test func `Silence may end a wait while a batch runs`() throws {
        let walk = try walkWithTimeout()
        let entry = try #require(walk.next([["f": 10], [:]], at: 59))
        let commit = walk.commit(entry, [.newest(110), .nothing], at: 60)
        #expect(commit.nextWatermarkMillis == 110_000)
    }

    @Test func `Rows of a batch that runs again end silence, though no look came before it`() throws {
        var walk = try walkWithTimeout()
        let entry = try #require(walk.next([["f": 1], ["f": 1]]))
        walk = walk.restarted(inHand: entry)
        walk.commit(entry, [.newest(110), .newest(60)], at: 50)
        #expect(walk.next([["f": 1], [:]], at: 109)?.evictionWatermarkMillis == 60_000)
        #expect(walk.next([["f": 1], [:]], at: 110)?.evictionWatermarkMillis == 110_000)
    }

    // MARK: Restarts

    @Test func `A batch in hand goes first, exactly as it was logged, and then the next`() throws {
        let walk = Walk(try plan(JoinSpecText()))
        try walk.run([.newest(100), .newest(90)])
        var entry = try #require(walk.next([["f": 10], ["f": 5]]))
        entry.sources[0].marks = ["f": "as the source said"]
        let again = walk.restarted(inHand: entry)
        #expect(again.position.rerun == entry && again.position.nextBatch == 1)
        #expect(again.position.offsets == walk.position.offsets)
        #expect(again.position.watermarks(entry) == walk.position.watermarks(entry))
        let shown = [Shown.newest(120), .newest(130)]
        #expect(again.commit(entry, shown) == walk.commit(entry, shown))
        #expect(again.position.rerun == nil && again.position.nextBatch == 2)
        #expect(again.position.offsets == [SourceOffsets(["f": 20]), SourceOffsets(["f": 15])])
        #expect(again.next() == walk.next())
    }

    @Test func `The first batch may be the one in hand`() throws {
        let walk = Walk(try plan(JoinSpecText()))
        let entry = try #require(walk.next([["f": 10], [:]]))
        let again = walk.restarted(inHand: entry)
        #expect(again.position.rerun == entry && again.position.nextBatch == 0)
        again.commit(entry, [.newest(100), .nothing])
        #expect(again.position.nextBatch == 1 && again.position.offsets[0] == SourceOffsets(["f": 10]))
    }

    @Test func `The watermark that a batch ran with is behind it, though silence is counted anew`() throws {
        let walk = try walkWithTimeout()
        try walk.run([.newest(110), .nothing], at: 59)
        let entry = try #require(walk.next([["f": 1], [:]], at: 61))
        #expect(entry.evictionWatermarkMillis == 110_000, "the other input is idle")
        let again = walk.restarted(inHand: entry)
        let commit = again.commit(entry, [.newest(115), .nothing])
        #expect(commit.nextWatermarkMillis == 110_000, "the other input is awaited again, and nothing goes back")
        #expect(again.next([["f": 1], [:]])?.evictionWatermarkMillis == 110_000)
    }

    /// Also of inputs with parts, whose side is not what the commit says by itself.
    @Test(arguments: 0..<40 as Range<UInt64>)
    func `Restarts change nothing`(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        var plan = try plan(JoinSpecText(leftDelay: "7s"))
        if seed % 2 == 0 { plan.inputs[0].watermark?.parts = .partitions }
        let walk = Walk(plan)
        var restarting = walk.restarted()
        for step in 0..<30 as Range<Int64> {
            let counts = (0..<2).map { _ in
                Dictionary(
                    uniqueKeysWithValues: ["a", "b", "c"].filter { _ in Bool.random(using: &random) }
                        .map { ($0, Int64.random(in: 0...2, using: &random)) })
            }
            let shown = counts.map { counts in
                let parts = counts.filter { $0.value > 0 }.mapValues { _ in
                    step * 10 + Int64.random(in: 0..<50, using: &random)
                }
                return parts.isEmpty ? .nothing : Shown.parts(parts)
            }
            let due = walk.next(counts)
            if Bool.random(using: &random) { restarting = restarting.restarted() }
            #expect(restarting.next(counts) == due, "seed \(seed), step \(step)")
            guard let entry = due else { continue }
            if Bool.random(using: &random) { restarting = restarting.restarted(inHand: entry) }
            #expect(restarting.commit(entry, shown) == walk.commit(entry, shown), "seed \(seed), step \(step)")
            #expect(restarting.position.watermarkMillis == walk.position.watermarkMillis)
        }
        #expect(walk.position.watermarkMillis ?? 0 > 100_000, "seed \(seed): the walk has shown nothing")
    }

    @Test func `An input that was added since begins at its own beginning, and the others are found by name`() throws {
        let committed = Recovered.Committed(
            offsets: OffsetsEntry(
                batch: 4, batchTimeMillis: 0, lateWatermarkMillis: 0, evictionWatermarkMillis: 60_000, isNoData: false,
                sources: [SourceBatch(source: "r", ranges: [], next: SourceOffsets(["f": 30]))]),
            commit: CommitEntry(
                batch: 4, nextWatermarkMillis: 70_000, inputMaximaMillis: [70_000], stages: [], counters: [:]))
        let walk = Walk(try plan(JoinSpecText()), Recovered(committed: committed))
        #expect(walk.position.offsets == [SourceOffsets(), SourceOffsets(["f": 30])])
        #expect(walk.position.watermarkMillis(ofInput: 0) == nil)
        #expect(walk.position.watermarkMillis(ofInput: 1) == 70_000)
        let next = try walk.run([.newest(20), .newest(65)])
        #expect(next.entry.batch == 5 && next.entry.sources.map(\.source) == ["l", "r"])
        #expect(next.entry.lateWatermarkMillis == 60_000 && next.entry.evictionWatermarkMillis == 70_000)
        #expect(next.commit.inputMaximaMillis == [20_000, 70_000] && next.commit.nextWatermarkMillis == 70_000)
    }

    // MARK: A watermark per part

    @Test func `Of partitions the slowest decides, until it is silent or gone`() throws {
        var walk = Walk(try topics("topic: a", watermark: "per_partition: true, idle_timeout: 60s"))
        let first = try walk.run([.parts(["0": 100, "1": 50])])
        #expect(first.commit.nextWatermarkMillis == 50_000)
        #expect(first.commit.partMaximaMillis == [0: ["0": 100_000, "1": 50_000]])
        #expect(try walk.run([.parts(["0": 110])], at: 59).commit.nextWatermarkMillis == 50_000)
        #expect(try walk.run([.parts(["0": 120])], at: 60).entry.evictionWatermarkMillis == 110_000)

        walk = Walk(try topics("topic: a", watermark: "per_partition: true"))
        try walk.run([.parts(["0": 100, "1": 50])])
        let entry = try #require(walk.next([[.gone(partition: "1", start: 10)]]))
        let commit = walk.commit(entry)
        #expect(commit.nextWatermarkMillis == 100_000 && commit.partMaximaMillis == [0: ["0": 100_000]])
    }

    @Test func `A partition counts from the batch that reads it first, though it shows nothing`() throws {
        var walk = Walk(try topics("topic: a", watermark: "per_partition: true"))
        try walk.run([.parts(["0": 100])])
        let entry = try #require(walk.next([["0": 5, "1": 5]]))
        let commit = walk.commit(entry, [.parts(["0": 200])])
        #expect(commit.nextWatermarkMillis == 100_000, "partition 1 may have older rows")
        #expect(commit.partMaximaMillis == [0: ["0": 200_000]])
        walk = walk.restarted()
        #expect(try walk.run([.parts(["0": 300])]).commit.nextWatermarkMillis == 100_000, "a restart forgets nothing")
        #expect(try walk.run([.parts(["1": 150])]).commit.nextWatermarkMillis == 150_000)
    }

    @Test func `What is there to read of a partition ends its silence alone`() throws {
        let walk = Walk(try topics("topic: a", watermark: "per_partition: true, idle_timeout: 60s"))
        try walk.run([.parts(["0": 100, "1": 50, "2": 10])])
        let entry = try #require(walk.next([["0": 5, "1": 5, "2": 0]], at: 50))
        walk.commit(entry, [.nothing], at: 50)
        #expect(walk.next([["0": 1]], at: 60)?.evictionWatermarkMillis == 50_000, "partition 2 is idle")
    }

    @Test func `Of topics all partitions count as one part`() throws {
        let walk = Walk(try topics("topics: [a, b]", watermark: "per_topic: true, idle_timeout: 60s"))
        let names = [("a", 0), ("a", 1), ("b", 0)].map { TopicPartition($0, Int32($1)).description }
        let entry = try #require(walk.next([Dictionary(uniqueKeysWithValues: names.map { ($0, 5) })]))
        let commit = walk.commit(entry, [.parts(["a": 100, "b": 50])])
        #expect(commit.nextWatermarkMillis == 50_000 && commit.partMaximaMillis == [0: ["a": 100_000, "b": 50_000]])
        #expect(walk.next([[names[1]: 5]], at: 60)?.evictionWatermarkMillis == 100_000, "b is idle, and a is not")
    }

    // MARK: Broken invariants

    @Test func `Nothing is planned before a batch in hand is done`() async {
        await #expect(processExitsWith: .failure) {
            var walk = Walk(try plan(JoinSpecText()))
            let entry = walk.next([["f": 1], [:]])
            walk = walk.restarted(inHand: entry)
            _ = walk.next([["f": 1], [:]])
        }
    }

    @Test func `A batch is committed in its turn only`() async {
        await #expect(processExitsWith: .failure) {
            let walk = Walk(try plan(JoinSpecText()))
            guard let entry = walk.next([["f": 1], [:]]) else { return }
            walk.commit(entry)
            walk.commit(entry)
        }
    }
}
