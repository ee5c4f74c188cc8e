// What a batch of any size would cost, from what the last batches have cost.
//
//     time to visible output = fixed + a * input rows + b * rows that left state
//                                    + c * rows of output + d * bytes of checkpoint
//
// The parts of a batch are fitted one by one, because they tell of different things: asking, logging and making visible
// cost the same for every batch; the engine's part goes with rows; writing durably is one wait for the disk, plus what
// the output and the checkpoint have of bytes (output has no count of its own, but rows).
// That way the fixed part is known even when all batches had the same size, and a wait for the disk that was seen for
// the offsets says what it is without rows for the state.
//
// The spread is that of the residuals. A batch's delays are a sum of many small ones, so the spread grows with the
// square root of the time.

internal import SluiceCheckpoint

/// A batch's expected cost as a function of its size. A value; pure.
package struct CostModel: Hashable, Sendable {
    /// Batches with rows and a measured cost that went into it.
    package private(set) var batchCount: Int
    /// Asking, logging, making visible: what costs the same for every batch, in microseconds.
    private var constantMicros: Double
    private var engine: NonNegativeFit
    private var durable: NonNegativeFit
    private var processor: NonNegativeFit
    private var bytes: NonNegativeFit
    /// Of the batches together: rows that left state for each that came in.
    package private(set) var removedPerRow: Double
    /// And rows of output.
    package private(set) var outputPerRow: Double
    /// Behind the output, before the query can wait again.
    package private(set) var tailMicros: Double
    /// Measured less expected time of each batch, in their order, and the expected time they stand around.
    private var residualsMicros: [Double]
    private var typicalMicros: Double

    /// Fewer batches say nothing.
    package static let batchCountMin = 5

    /// nil when there are too few measured batches with rows.
    /// - Parameter stateShards: how many parts a state file has, each with bytes of its own.
    package init?(_ records: [BatchRecord], stateShards: Int = 0) {
        let measured = records.compactMap { record in record.cost.map { (record: record, cost: $0) } }
        let busy = measured.filter { $0.record.inputRows > 0 }
        guard busy.count >= Self.batchCountMin else { return nil }
        batchCount = busy.count
        let rows = Double(measured.reduce(0) { $0 + $1.record.inputRows })
        removedPerRow = Double(measured.reduce(0) { $0 + $1.record.removedRows }) / rows
        outputPerRow = Double(measured.reduce(0) { $0 + $1.record.outputRows }) / rows
        tailMicros = median(measured.dropFirst().map { Double($0.cost.tailMicros) })
        let logMicros = median(measured.map { Double($0.cost.logMicros) })
        constantMicros = median(
            measured.map { Double($0.cost.planMicros + $0.cost.logMicros + $0.cost.visibleMicros) })
        let sizes = measured.map { [1, Double($0.record.inputRows), Double($0.record.removedRows)] }
        engine = Self.fitEngine(sizes, measured.map { Double($0.cost.openMicros + $0.cost.engineMicros) })
        durable = Self.fitDurable(
            measured.map { [1, Double($0.record.outputRows), Double($0.cost.checkpointBytes)] },
            measured.map { Double($0.cost.durableMicros) }, logMicros: logMicros)
        processor = Self.fitProportional(
            sizes.map { Array($0.prefix(2)) }, measured.map { Double($0.cost.processorMicros) },
            fixed: CoefficientBelief(mean: 1400, deviation: 500), perRowMin: 0.5)
        bytes = Self.fitProportional(
            sizes.map { Array($0.prefix(2)) }, measured.map { Double($0.cost.checkpointBytes) },
            fixed: CoefficientBelief(mean: 1500 + 110 * Double(stateShards), deviation: 500), perRowMin: 3)
        (residualsMicros, typicalMicros) = ([], 0)
        let expected = measured.map { item in
            expectedMicros(
                rows: Double(item.record.inputRows), removed: Double(item.record.removedRows),
                output: Double(item.record.outputRows), bytes: Double(item.cost.checkpointBytes))
        }
        residualsMicros = zip(measured, expected).map { Double($0.cost.resultMicros) - $1 }
        typicalMicros = median(expected)
    }
}

// MARK: - Fitting

extension CostModel {
    private static func fitEngine(_ inputs: [[Double]], _ micros: [Double]) -> NonNegativeFit {
        let perRow = perRow(inputs, micros)
        // Handing work to threads; no more than the shortest batch took.
        let fixed = min(150, 0.5 * (micros.min() ?? 0))
        return NonNegativeFit(
            inputs: inputs, outputs: micros,
            beliefs: [
                CoefficientBelief(mean: fixed, deviation: 50 + fixed),
                CoefficientBelief(mean: 0.8 * perRow, deviation: perRow),
                CoefficientBelief(mean: 0.2 * perRow, deviation: 0.2 * perRow),
            ])
    }

    /// - Parameter logMicros: what the wait for the offsets took: one file and next to no bytes, where this part waits
    ///   for state and output side by side.
    private static func fitDurable(_ inputs: [[Double]], _ micros: [Double], logMicros: Double) -> NonNegativeFit {
        let fixed = min(1.7 * logMicros, 0.9 * median(micros))
        let perRow = perRow(inputs, micros)
        return NonNegativeFit(
            inputs: inputs, outputs: micros,
            beliefs: [
                CoefficientBelief(mean: fixed, deviation: 50 + 0.5 * fixed),
                CoefficientBelief(mean: 0.5 * perRow, deviation: perRow),
                // From 30 MB/s to what no disk can.
                CoefficientBelief(mean: 0.01, deviation: 0.02),
            ])
    }

    /// - Parameter perRowMin: what a row takes at the very least; the rest of the smallest batch may be fixed.
    private static func fitProportional(
        _ inputs: [[Double]], _ outputs: [Double], fixed: CoefficientBelief, perRowMin: Double
    ) -> NonNegativeFit {
        let perRow = perRow(inputs, outputs)
        var fixed = fixed
        let rest = zip(inputs, outputs).map { max(0.5 * $1, $1 - perRowMin * $0[1]) }
        fixed.mean = min(fixed.mean, rest.min() ?? 0)
        fixed.deviation = max(1, min(fixed.deviation, 0.4 * fixed.mean))
        return NonNegativeFit(
            inputs: inputs, outputs: outputs,
            beliefs: [fixed, CoefficientBelief(mean: 0.8 * perRow, deviation: perRow)])
    }

    /// Roughly; never zero.
    private static func perRow(_ inputs: [[Double]], _ outputs: [Double]) -> Double {
        let rows = inputs.reduce(0) { $0 + $1[1] }
        return max(1e-6, outputs.reduce(0, +) / max(1, rows))
    }
}

// MARK: - Expecting

extension CostModel {
    /// What a batch costs whatever its size, in microseconds.
    package var fixedMicros: Double { constantMicros + engine.coefficients[0] + durable.coefficients[0] }
    /// Per input row, without what goes with the rows that leave state, with output and with bytes.
    package var perRowMicros: Double { engine.coefficients[1] }
    package var perRemovedRowMicros: Double { engine.coefficients[2] }
    package var perOutputRowMicros: Double { durable.coefficients[1] }
    package var perByteMicros: Double { durable.coefficients[2] }

    /// From the trigger to visible output.
    package func expectedMicros(rows: Double, removed: Double, output: Double, bytes: Double) -> Double {
        constantMicros + engine.value(at: [1, rows, removed]) + durable.value(at: [1, output, bytes])
    }

    /// The same for a batch whose rows are like those of the past.
    package func expectedMicros(rows: Double) -> Double {
        expectedMicros(
            rows: rows, removed: rows * removedPerRow, output: rows * outputPerRow,
            bytes: checkpointBytes(rows: rows))
    }

    /// The standard error of `expectedMicros`: how little the batches say about that size.
    package func errorMicros(rows: Double) -> Double {
        let engineError = engine.error(at: [1, rows, rows * removedPerRow])
        let durableError = durable.error(at: [1, rows * outputPerRow, checkpointBytes(rows: rows)])
        return (engineError * engineError + durableError * durableError).squareRoot()
    }

    package func checkpointBytes(rows: Double) -> Double { bytes.value(at: [1, rows]) }

    var checkpointBytesPerRow: Double { bytes.coefficients[1] }

    package func processorMicros(rows: Double) -> Double { processor.value(at: [1, rows]) }

    /// As a real batch of that size would take, each number another one: its delays are those of a past batch.
    package func drawMicros(rows: Double, number: Int) -> Double {
        let expected = expectedMicros(rows: rows)
        let residual = residualsMicros[number % residualsMicros.count] * spreadScale(expected)
        // Nothing is faster than the best that was seen makes believe.
        return max(0.3 * expected, expected + residual)
    }

    /// The mean over all delays, outliers included.
    package func meanMicros(rows: Double) -> Double {
        let expected = expectedMicros(rows: rows)
        let mean = residualsMicros.reduce(0, +) / Double(residualsMicros.count)
        return expected + max(0, mean) * spreadScale(expected)
    }

    /// How far the time of so many of 100 batches of that size stays below, in microseconds.
    package func quantileMicros(rows: Double, _ share: Double) -> Double {
        let expected = expectedMicros(rows: rows)
        return max(0, expected + quantile(residualsMicros.sorted(), share) * spreadScale(expected))
    }

    private func spreadScale(_ expectedMicros: Double) -> Double {
        typicalMicros > 0 ? (expectedMicros / typicalMicros).squareRoot() : 1
    }
}
