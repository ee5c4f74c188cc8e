// What connectors' threads cost a batch and all the time, out of batches that came at other intervals and at one.

import SluiceCheckpoint
import SluiceAdvice
import SluiceSystem
import Testing

@Suite struct ConnectorCostTests {
    /// Batches at these distances, each with so many microseconds of its own beside a share of the time.
    private static func records(
        _ intervalsMillis: [Int64], perBatchMicros: Double, share: Double
    ) -> [BatchRecord] {
        var millis: Int64 = 1_700_000_000_000
        return intervalsMillis.enumerated().map { index, interval in
            millis += interval
            var cost = BatchCost()
            cost.connectorMicros = Int64(perBatchMicros + share * Double(interval) * 1000)
            return BatchRecord(batch: Int64(index), timeMillis: millis, inputRows: 10, cost: cost)
        }
    }

    @Test func `Batches at several intervals tell what a batch costs and what time does`() {
        let intervals = (0..<200).map { Int64([50, 100, 200, 1000][$0 % 4]) }
        let cost = ConnectorCost(Self.records(intervals, perBatchMicros: 600, share: 0.02))
        #expect((0.019...0.021).contains(cost.share(batchCount: 0, micros: 1)))
        #expect((0.025...0.027).contains(cost.share(batchCount: 10, micros: 1_000_000)))
    }

    @Test func `At the interval that was recorded the whole comes out, however it is divided`() {
        let intervals = [Int64](repeating: 100, count: 100)
        let cost = ConnectorCost(Self.records(intervals, perBatchMicros: 900, share: 0.05))
        #expect((0.0588...0.0592).contains(cost.share(batchCount: 10, micros: 1_000_000)))
    }

    @Test func `Without such threads there is no cost, nor without batches`() {
        #expect(ConnectorCost([]).share(batchCount: 10, micros: 1_000_000) == 0)
        let files = Self.records([10, 10, 10], perBatchMicros: 0, share: 0)
        #expect(ConnectorCost(files).share(batchCount: 10, micros: 1_000_000) == 0)
    }
}
