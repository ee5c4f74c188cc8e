// When batches run and what they take: the schedule as arithmetic, then whole queries under a clock that moves by
// itself whenever the query waits. Claims of the semantics, section 3 (triggers) and 2 (no-data batches).

import QueryTesting
import SluiceConnectors
import SluiceEngine
import SluicePlan
import SluiceRuntime
import SluiceSimulation
import SluiceSpec
import SluiceSystem
import Synchronization
import SystemTesting
import Testing

/// A query under its own trigger; files appear and batches take time as a test says.
final class TriggeredRun {
    let disk = SimulatedFileSystem()
    let clock: SimulatedClock
    let reports = Reports()
    let log = LogLines()
    private let spec: JoinSpecText
    private let pool = WorkerPool(width: 1)

    init(_ spec: JoinSpecText, startMillis: Int64 = 0) throws {
        self.spec = spec
        clock = SimulatedClock(wallMillis: startMillis, pace: .byWaits)
        for folder in ["/in/l", "/in/r"] { try disk.makeFolders(folder) }
    }

    /// Runs one process.
    /// - Parameters:
    ///   - files: what appears when; looked at whenever the query might run a batch.
    ///   - untilMillis: when a stop is asked for.
    ///   - batchMillis: how long a batch takes.
    func run(
        files: [(atMillis: Int64, step: Step)] = [], untilMillis: Int64 = .max, stopAfter lastBatch: Int64 = .max,
        batchMillis: @escaping @Sendable (Int64) -> Int64 = { _ in 0 },
        afterBatch: @escaping @Sendable (Int64) -> Void = { _ in }
    ) throws {
        let query = try TestedQuery(spec.text)
        let environment = QueryEnvironment(disk, clock: clock, pool: pool, log: log.log) { [clock, reports] progress in
            reports.add(progress)
            clock.advance(byMillis: batchMillis(progress.batchID))
            afterBatch(progress.batchID)
        }
        let (clock, disk, reports, isFollowed) = (self.clock, self.disk, self.reports, spec.isFollowed)
        let fed = Mutex(0)
        let feedWhatIsDue: @Sendable () -> Void = {
            fed.withLock { fed in
                while fed < files.count, files[fed].atMillis <= clock.wallMillis {
                    disk.feed(files[fed].step, number: fed, isFollowed: isFollowed)
                    fed += 1
                }
            }
        }
        feedWhatIsDue()
        let runner = try QueryRunner(
            try query.makeQuery(environment), environment: environment, runID: "test", wakeup: Wakeup()
        ) {
            feedWhatIsDue()
            return clock.wallMillis >= untilMillis || reports.all.last?.batchID ?? -1 >= lastBatch
        }
        try runner.run()
    }

    /// When each batch's trigger fired.
    var starts: [Int64] { reports.all.map(\.timestampMillis) }
    var inputRows: [Int] { reports.all.map(\.inputRows) }
}

@Suite struct TriggerScheduleTests {
    @Test(
        arguments: [
            // start, now, next; nil fires at once
            (0, 0, 10_000), (1, 1, 10_000), (9_999, 9_999, 10_000), (10_000, 10_000, 20_000), (10_000, 19_999, 20_000),
            (12_345, 13_000, 20_000),
            // Overrun: the boundary is past when the batch ends.
            (10_000, 20_000, nil), (10_000, 20_001, nil), (10_000, 95_000, nil),
        ] as [(Int64, Int64, Int64?)])
    func `The next trigger is the next epoch multiple after the start; one that is past fires at once`(
        start: Int64, now: Int64, next: Int64?
    ) {
        let schedule = TriggerSchedule(.interval(micros: 10_000_000))
        for didRun in [true, false] {
            #expect(schedule.nextMillis(startMillis: start, didRunBatch: didRun, nowMillis: now) == next)
        }
    }

    @Test(
        arguments: [
            // Set back by an hour, by less than an interval (at most one more is waited for), and forward.
            (3_612_345, 12_400, 20_000), (3_600_000, 0, 10_000), (12_345, 8_000, 10_000), (12_345, 10_100, 20_000),
            (12_345, 3_612_345, nil),
        ] as [(Int64, Int64, Int64?)])
    func `When the clock was set since the start, triggers are aligned to what it says now`(
        start: Int64, now: Int64, next: Int64?
    ) {
        let schedule = TriggerSchedule(.interval(micros: 10_000_000))
        #expect(schedule.nextMillis(startMillis: start, didRunBatch: true, nowMillis: now) == next)
    }

    @Test func `As fast as possible looks again at once after a batch and every 10 ms without one`() {
        let schedule = TriggerSchedule(.asFastAsPossible)
        #expect(schedule.nextMillis(startMillis: 5, didRunBatch: true, nowMillis: 7) == nil)
        #expect(schedule.nextMillis(startMillis: 5, didRunBatch: false, nowMillis: 7) == 17)
    }

    @Test func `Only once and available_now end by themselves`() {
        #expect(TriggerSchedule(.once).isFinite && TriggerSchedule(.availableNow).isFinite)
        #expect(!TriggerSchedule(.interval(micros: 1)).isFinite && !TriggerSchedule(.asFastAsPossible).isFinite)
    }
}

@Suite struct TriggerTests {
    private static func one(_ second: Double) -> Step {
        Step(left: [row("a\(Int(second))", "k", second)], right: [row("b\(Int(second))", "k", second)])
    }

    @Test func `The first batch comes at once, the next ones at multiples of the interval`() throws {
        var spec = JoinSpecText()
        spec.trigger = "10s"
        let run = try TriggeredRun(spec, startMillis: 3_456)
        try run.run(files: (0..<3).map { (0, Self.one(Double($0))) }, untilMillis: 40_000)
        #expect(run.starts == [3_456, 10_000, 20_000, 30_000])
        #expect(run.inputRows == [2, 2, 2, 0])
    }

    @Test func `After an overrun the next batch starts at once, missed triggers are one, and alignment returns`() throws
    {
        var spec = JoinSpecText(type: nil)
        spec.trigger = "10s"
        let run = try TriggeredRun(spec)
        try run.run(
            files: (0..<5).map { (0, Self.one(Double($0))) }, untilMillis: 60_000,
            batchMillis: { $0 == 1 ? 25_000 : 1_000 })
        #expect(run.starts == [0, 10_000, 35_000, 40_000, 50_000])
    }

    @Test func `Interval waits neither drift nor spin`() throws {
        var spec = JoinSpecText(type: nil)
        spec.trigger = "10s"
        let run = try TriggeredRun(spec)
        try run.run(
            files: (0..<50).map { (Int64($0) * 10_000, Self.one(Double($0))) }, untilMillis: 500_000,
            batchMillis: { $0 % 7 * 300 })
        #expect(run.starts == (0..<50).map { $0 * 10_000 })
        #expect(run.clock.waitedFor == (1...50).map { $0 * 10_000 })
    }

    @Test(arguments: [-3_600_000, -60_000, 60_000, 3_600_000] as [Int64])
    func `With the clock set by an hour or a minute batches go on at the interval, aligned to the new time`(
        step: Int64
    ) throws {
        var spec = JoinSpecText(type: nil)
        spec.trigger = "10s"
        let run = try TriggeredRun(spec, startMillis: 7_200_000)
        let clock = run.clock
        let nanos = Mutex<[UInt64]>([])
        try run.run(
            files: (0..<6).map { (0, Self.one(Double($0))) }, stopAfter: 5,
            afterBatch: { batch in
                nanos.withLock { $0.append(clock.monotonicNanos) }
                if batch == 2 { clock.setWall(millis: clock.wallMillis + step + 3) }
            })
        let waits = nanos.withLock { zip($0.dropFirst(), $0).map { Int64(($0 - $1) / 1_000_000) } }
        // The one behind the step comes at the new time's next multiple, or at once where that is past.
        #expect(waits == [10_000, 10_000, step < 0 ? 9_997 : 0, step < 0 ? 10_000 : 9_997, 10_000], "\(run.starts)")
        #expect(run.starts.dropFirst(step < 0 ? 3 : 4).allSatisfy { $0 % 10_000 == 0 }, "\(run.starts)")
        #expect(run.reports.all.compactMap(\.sinceLastTriggerMillis) == waits)
        #expect(run.log.all.count { $0.contains("clock was set") && $0.contains("\(step + 3)") } == 1, "\(run.log.all)")
    }

    @Test(arguments: [-3_600_000, 3_600_000] as [Int64])
    func `A clock that is set makes no source idle, and none less idle`(step: Int64) throws {
        var spec = JoinSpecText()
        spec.trigger = "10s"
        spec.watermarkField = "idle_timeout: 1 minute"
        let run = try TriggeredRun(spec, startMillis: 7_200_000)
        let clock = run.clock
        // Only the left side goes on: the right one is idle a minute later, and holds the watermark until then.
        let steps = (0..<12).map { Step(left: [row("a\($0)", "k", Double($0) * 10)]) }
        try run.run(
            files: [(0, Self.one(0))] + steps.map { (0, $0) }, stopAfter: 10,
            afterBatch: { batch in if batch == 1 { clock.setWall(millis: clock.wallMillis + step) } })
        let watermarks = run.reports.all.map { $0.eventTime?.watermarkMillis ?? -1 }
        // A clock that is set forward makes one trigger come at once.
        #expect(watermarks.firstIndex { $0 > baseMillis } == (step < 0 ? 6 : 7), "\(watermarks), \(run.starts)")
    }

    @Test func `As fast as possible goes on at once, and polls every 10 ms when there is nothing`() throws {
        var spec = JoinSpecText(type: nil)
        spec.trigger = "as_fast_as_possible"
        let run = try TriggeredRun(spec)
        try run.run(
            files: [(0, Self.one(0)), (0, Self.one(1)), (95, Self.one(2))], untilMillis: 130, batchMillis: { _ in 3 })
        #expect(run.starts == [0, 3, 96])
        #expect(run.clock.waitedFor.prefix(3) == [16, 26, 36])
    }

    @Test func `A no-data batch is an ordinary trigger: with an interval it comes one interval later`() throws {
        var spec = JoinSpecText()
        spec.trigger = "1 minute"
        let run = try TriggeredRun(spec)
        try run.run(files: [(0, Self.one(10))], untilMillis: 300_000)
        #expect(run.starts == [0, 60_000])
        #expect(run.inputRows == [2, 0])
    }

    @Test func `If data arrives before the no-data batch the data batch does the eviction`() throws {
        var spec = JoinSpecText()
        spec.trigger = "1 minute"
        let run = try TriggeredRun(spec)
        let late = Step(left: [row("a2", "x", 100)])
        try run.run(
            files: [
                (0, Step(left: [row("a1", "x", 10)], right: [row("b1", "y", 80)])), (0, Self.one(90)), (90_000, late),
            ],
            untilMillis: 500_000)
        // The second batch sees the watermark of the first (10 s) and the third that of the second (90 s): a1 and b1.
        #expect(run.inputRows == [2, 2, 1])
        #expect(run.reports.all.map { $0.stateRowsRemoved } == [0, 0, 2])
        #expect(run.starts == [0, 60_000, 120_000])
    }

    // MARK: once

    @Test func `Once runs one batch with everything, whatever the limits`() throws {
        var spec = JoinSpecText()
        spec.trigger = "once"
        let run = try TriggeredRun(spec)
        try run.run(files: (0..<4).map { (0, Self.one(Double($0) * 20)) })
        #expect(run.inputRows == [8])
    }

    @Test func `Once without data runs the no-data batch that is due, and nothing when none is`() throws {
        var spec = JoinSpecText()
        spec.trigger = "once"
        let run = try TriggeredRun(spec)
        try run.run(files: [(0, Step(left: [row("a1", "x", 10)], right: [])), (0, Self.one(60))])
        #expect(run.inputRows == [3])
        try run.run()
        #expect(run.inputRows == [3, 0])
        #expect(run.reports.all.last?.outputRows == 1)
        try run.run()
        #expect(run.inputRows == [3, 0])
    }

    @Test func `Once over nothing at all runs nothing`() throws {
        var spec = JoinSpecText()
        spec.trigger = "once"
        let run = try TriggeredRun(spec)
        try run.run()
        #expect(run.reports.all.isEmpty)
    }

    // MARK: available_now

    @Test func `Available now honours the limits, ends with the no-data batch, and stops`() throws {
        let run = try TriggeredRun(JoinSpecText())
        try run.run(files: (0..<3).map { (0, Self.one(Double($0) * 20)) })
        #expect(run.inputRows == [2, 2, 2, 0])
        try run.run()
        #expect(run.inputRows == [2, 2, 2, 0])
    }

    @Test(arguments: [false, true])
    func `Available now fixes its end at the start`(isFollowed: Bool) throws {
        var spec = JoinSpecText()
        spec.isFollowed = isFollowed
        let run = try TriggeredRun(spec)
        let disk = run.disk
        try run.run(
            files: [(0, Self.one(10))], afterBatch: { _ in disk.feed(Self.one(20), number: 7, isFollowed: isFollowed) })
        #expect(run.inputRows == [2, 0])
        try run.run()
        #expect(run.inputRows == [2, 0, 2, 0])
    }

    @Test func `A batch left unfinished is finished first, and does not count as what was available`() throws {
        let run = try TriggeredRun(JoinSpecText())
        try run.run(files: (0..<3).map { (0, Self.one(Double($0) * 20)) })
        let commits = run.disk.files(under: "/check/commits")
        try run.disk.remove(try #require(commits.last))
        try run.run()
        #expect(run.reports.all.map(\.batchID) == [0, 1, 2, 3, 3])
        #expect(run.inputRows == [2, 2, 2, 0, 0])
    }

    // MARK: Limits of the file source

    @Test(arguments: [(1, [2, 2, 2, 2, 2]), (2, [4, 4, 2]), (3, [6, 4]), (10, [10])])
    func `max_files_per_trigger bounds a batch`(limit: Int, rows: [Int]) throws {
        var spec = JoinSpecText(type: nil)
        spec.limits = "max_files_per_trigger: \(limit)"
        let run = try TriggeredRun(spec)
        let step = Step(left: [row("a", "k", 0), row("b", "k", 0)])
        try run.run(files: (0..<5).map { _ in (0, step) })
        #expect(run.inputRows == rows)
    }

    @Test func `max_bytes_per_trigger bounds a batch, which has one file at least`() throws {
        var spec = JoinSpecText(type: nil)
        let small = Step(left: [row("a", "k", 0)])
        let large = Step(left: (0..<10).map { row("a\($0)", "k", 0) })
        let byteCount = row("a", "k", 0).utf8.count + 1
        spec.limits = "max_bytes_per_trigger: \(byteCount * 3 + 1)B"
        let run = try TriggeredRun(spec)
        try run.run(files: [small, small, small, small, large, small].map { (0, $0) })
        #expect(run.inputRows == [3, 1, 10, 1])
    }

    @Test func `Without limits a batch takes everything`() throws {
        var spec = JoinSpecText(type: nil)
        spec.limits = nil
        let run = try TriggeredRun(spec)
        try run.run(files: (0..<9).map { (0, Self.one(Double($0))) })
        #expect(run.inputRows == [9])
    }

    // MARK: Stopping

    @Test func `A stop ends the run after the batch in hand`() throws {
        var spec = JoinSpecText(type: nil)
        spec.trigger = "as_fast_as_possible"
        let run = try TriggeredRun(spec)
        try run.run(files: (0..<9).map { (0, Self.one(Double($0))) }, untilMillis: 30, batchMillis: { _ in 10 })
        #expect(run.starts == [0, 10, 20])
        #expect(run.disk.files(under: "/check/commits").count == 3)
    }
}
