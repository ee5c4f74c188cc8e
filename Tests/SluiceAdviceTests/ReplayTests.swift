// The parts of a replay one by one: what had arrived when, and how its costs compare.

import SluiceCheckpoint
import SluiceConnectors
import SluiceSpec
import SluiceSystem
import Testing

@testable import SluiceAdvice

@Suite struct ArrivalLogTests {
    /// Three batches, a second apart, of one source.
    private static func records(_ ranges: [[OffsetRange]]) -> [OffsetsEntry] {
        ranges.enumerated().map { index, ranges in
            OffsetsEntry(
                batch: Int64(index), batchTimeMillis: 10_000 + Int64(index) * 1000, lateWatermarkMillis: 0,
                evictionWatermarkMillis: 0, isNoData: false,
                sources: [SourceBatch(source: "s", ranges: ranges, next: SourceOffsets())])
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
