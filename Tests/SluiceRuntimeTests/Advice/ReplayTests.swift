// The parts of a replay one by one: what had arrived when, and the copy of a checkpoint as of an earlier batch.

import SluiceConnectors
import SluiceSimulation
import SluiceSpec
import SluiceSystem
import Testing

@testable import SluiceRuntime

@Suite struct ArrivalLogTests {
    /// Three batches, a second apart, of one source.
    private static func records(_ ranges: [[OffsetRange]]) -> [OffsetsRecord] {
        ranges.enumerated().map { index, ranges in
            let entry = OffsetsEntry(
                batch: Int64(index), batchTimeMillis: 10_000 + Int64(index) * 1000, lateWatermarkMillis: 0,
                evictionWatermarkMillis: 0, isNoData: false,
                sources: [SourceBatch(source: "s", ranges: ranges, next: SourceOffsets())])
            return OffsetsRecord(
                entry, origin: FileOrigin(queryID: "q", life: "l"), histories: [:], previousCommit: nil)
        }
    }

    private static func range(_ partition: String, _ start: Int64, _ end: Int64) -> OffsetRange {
        OffsetRange(partition: partition, start: start, end: end)
    }

    @Test func `Offsets come evenly between the triggers of the batch before and their own`() throws {
        let records = Self.records([
            [Self.range("0", 0, 500)], [Self.range("0", 500, 600), Self.range("1", 0, 10)],
            [Self.range("0", 600, 1000)],
        ])
        let log = ArrivalLog(records, source: "s", isWhole: false)
        #expect(log.arrivals.map(\.partition) == ["0", "1", "0"], "what batch 0 read had always been there")
        #expect(log.arrivals[0].offset(atMicros: 9_000_000) == 500)
        #expect(log.arrivals[0].offset(atMicros: 10_250_000) == 525)
        #expect(log.arrivals[0].offset(atMicros: 12_000_000) == 600)
        #expect(log.micros(partition: "0", offset: 550) == 10_500_000)
        #expect(log.micros(partition: "0", offset: 700) == 11_250_000)
        #expect(log.micros(partition: "1", offset: 5) == 10_500_000)
        #expect(log.micros(partition: "0", offset: 400) == nil)
        #expect(log.micros(partition: "0", offset: 1001) == nil)
        #expect(log.micros(partition: "2", offset: 1) == nil)
    }

    @Test func `Whole files come one after the other, each at once`() {
        let records = Self.records([
            [], [Self.range("a", 0, 100), Self.range("b", 0, 5), Self.range("c", 0, 7), Self.range("d", 0, 9)],
        ])
        let log = ArrivalLog(records, source: "s", isWhole: true)
        #expect(log.micros(partition: "a", offset: 1) == 10_250_000)
        #expect(log.micros(partition: "a", offset: 99) == 10_250_000)
        #expect(log.micros(partition: "d", offset: 3) == 11_000_000)
    }

    @Test func `Partitions that are gone or were cut are no arrivals`() {
        let records = Self.records([[], [.gone(partition: "0", start: 7), Self.range("1", 9, 4)]])
        #expect(ArrivalLog(records, source: "s", isWhole: false).arrivals.isEmpty)
    }

    @Test func `A wait passes at once on a replay's clock, and work takes its time`() {
        let clock = ReplayClock(wallMillis: 5000)
        clock.wait(untilNanos: clock.nanos(atWallMillis: 3_605_000), wakeup: Wakeup())
        #expect((3_605_000..<3_615_000).contains(clock.wallMillis))
        #expect(clock.spentNanos < 10_000_000_000)
        clock.skip(micros: -5)
        clock.wait(untilNanos: clock.nanos(atWallMillis: 1000), wakeup: Wakeup())
        #expect(clock.monotonicNanos >= 3_600_000_000_000)
        let wakeup = Wakeup()
        wakeup.signal()
        clock.wait(untilNanos: clock.nanos(atWallMillis: 36_000_000_000), wakeup: wakeup)
        #expect(clock.wallMillis < 4_000_000)
    }
}

@Suite struct ReplayCalibrationTests {
    private static func forecast(batchMicros: Double, cpuShare: Double) -> TriggerForecast {
        TriggerForecast(
            trigger: .interval(micros: 1_000_000), batchMicros: batchMicros, utilisation: nil,
            latency: TriggerForecast.Latency(p50Micros: 0, p99Micros: 0), cpuShare: cpuShare,
            checkpointBytesPerHour: 0, batchesPerHour: 0, catchUpSeconds: nil, isStable: true)
    }

    @Test(
        arguments: [
            // recorded, replayed, factor
            (3000, 2000, 1.5), (2000, 3000, 1), (90_000, 1000, 4), (3000, 0, 1),
        ] as [(Double, Double, Double)])
    func `Batches that took longer in life than in the replay are believed to everywhere`(
        recorded: Double, replayed: Double, factor: Double
    ) {
        let calibration = ReplayCalibration(
            recorded: Self.forecast(batchMicros: recorded, cpuShare: 0.02),
            replayed: Self.forecast(batchMicros: replayed, cpuShare: 0.01))
        var cost = BatchCost()
        (cost.engineMicros, cost.logMicros, cost.tailMicros, cost.processorMicros) = (100, 20, 10, 50)
        (cost.checkpointBytes, cost.intervalMicros) = (7, 9)
        let scaled = calibration.applied(to: cost)
        #expect(scaled.engineMicros == Int64(100 * factor) && scaled.logMicros == Int64(20 * factor))
        #expect(scaled.tailMicros == Int64(10 * factor) && scaled.processorMicros == 100)
        #expect(scaled.checkpointBytes == 7 && scaled.intervalMicros == 9)
    }
}

@Suite struct CheckpointForkTests {
    private static let target = "/copies/q"

    @Test func `A copy has state and positions as of its batch, goes on from there, and changes nothing`() throws {
        let made = try OrdinaryCheckpoint()
        for batch in (made.last - 5)...made.last {
            let files = made.copy()
            let before = try files.snapshot()
            let fork = CheckpointFork(folder: "/cp/q", fileSystem: files)
            #expect(try fork.copy(from: batch, to: Self.target) == batch)
            let after = try files.snapshot().filter { !$0.key.hasPrefix("/copies") }
            #expect(after == before.filter { !$0.key.hasPrefix("/copies") })
            var history = rolledBack(made.history, to: batch)
            var query = try ToyQuery(ToyQuery.options(files, folder: Self.target), seed: 77)
            history.check(query, "to \(batch)")
            for _ in 0..<15 { try query.runBatch(&history) }
        }
    }

    @Test func `A batch that is not retained any more gives the oldest that is, one that is not there yet none`() throws
    {
        let made = try OrdinaryCheckpoint()
        let files = made.copy()
        let fork = CheckpointFork(folder: "/cp/q", fileSystem: files)
        #expect(try fork.copy(from: 0, to: Self.target) == made.last - 5)
        #expect(try fork.copy(from: made.last + 1, to: "/copies/r") == nil)
    }

    @Test func `A copy of a copy is one too`() throws {
        let made = try OrdinaryCheckpoint()
        let files = made.copy()
        let first = CheckpointFork(folder: "/cp/q", fileSystem: files)
        #expect(try first.copy(from: made.last - 2, to: Self.target) == made.last - 2)
        let second = CheckpointFork(folder: Self.target, fileSystem: files)
        #expect(try second.copy(from: 0, to: "/copies/r") == made.last - 2)
        let query = try ToyQuery(ToyQuery.options(files, folder: "/copies/r"), seed: 77)
        rolledBack(made.history, to: made.last - 2).check(query, "twice")
    }

    @Test func `Without a checkpoint there is no copy`() throws {
        let files = SimulatedFileSystem()
        #expect(try CheckpointFork(folder: "/cp/q", fileSystem: files).copy(from: 0, to: Self.target) == nil)
    }
}

/// What is known of a query after its checkpoint went back to `batch`.
private func rolledBack(_ history: ToyHistory, to batch: Int64) -> ToyHistory {
    var history = history
    (history.durablePlan, history.durableCommit, history.attemptedCommit) = (batch, batch, batch)
    return history
}
