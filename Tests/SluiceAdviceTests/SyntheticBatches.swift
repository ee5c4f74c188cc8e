// Batches of a query whose true costs are known.

import SluiceCheckpoint
import SluiceAdvice
import SluiceSystem

/// A machine with costs of its own.
struct SyntheticMachine {
    var planMicros = 100.0
    var logMicros = 1500.0
    var engineFixedMicros = 120.0
    var perRowMicros = 2.0
    var perRemovedMicros = 0.5
    var durableFixedMicros = 1600.0
    var perByteMicros = 0.01
    var visibleMicros = 200.0
    var tailMicros = 80.0
    var bytesFixed = 1400.0
    var bytesPerRow = 12.0
    var processorFixedMicros = 500.0
    var processorPerRowMicros = 3.0
    /// Each part is this much more or less, evenly spread.
    var noise = 0.0
    /// One batch in so many takes ten times as long in its durable part; 0 for none.
    var stallEvery = 0

    func micros(rows: Double) -> Double {
        planMicros + logMicros + engineFixedMicros + perRowMicros * rows + perRemovedMicros * rows + durableFixedMicros
            + perByteMicros * (bytesFixed + bytesPerRow * rows) + visibleMicros
    }

    /// One batch each `intervalMillis`; as many rows leave state as come in.
    func records(rows: [Int64], intervalMillis: Int64, seed: UInt64 = 1) -> [BatchRecord] {
        var random = SplitMix64(seed: seed)
        func noisy(_ micros: Double) -> Int64 {
            Int64(micros * (1 + Double.random(in: -noise...noise, using: &random)))
        }
        return rows.enumerated().map { index, rows in
            let count = Double(rows)
            var cost = BatchCost()
            cost.planMicros = noisy(planMicros)
            cost.logMicros = noisy(logMicros)
            cost.engineMicros = noisy(engineFixedMicros + perRowMicros * count + perRemovedMicros * count)
            cost.checkpointBytes = Int64(bytesFixed + bytesPerRow * count)
            cost.durableMicros = noisy(durableFixedMicros + perByteMicros * Double(cost.checkpointBytes))
            if stallEvery > 0, index % stallEvery == stallEvery - 1 { cost.durableMicros *= 10 }
            cost.visibleMicros = noisy(visibleMicros)
            cost.tailMicros = noisy(tailMicros)
            cost.processorMicros = noisy(processorFixedMicros + processorPerRowMicros * count)
            cost.intervalMicros = intervalMillis * 1000
            return BatchRecord(
                batch: Int64(index), timeMillis: 1_700_000_000_000 + Int64(index) * intervalMillis, inputRows: rows,
                outputRows: rows, stateRows: 1000, removedRows: rows, cost: cost)
        }
    }
}

/// Sizes around a mean, as those of a source that is read at even times.
func scatteredRows(_ mean: Int64, share: Double, count: Int, seed: UInt64 = 7) -> [Int64] {
    var random = SplitMix64(seed: seed)
    return (0..<count).map { _ in Int64(Double(mean) * (1 + Double.random(in: -share...share, using: &random))) }
}
