// The model is given batches whose costs are known, and has to say what batches of other sizes cost.

import Testing

@testable import SluiceAdvice

@Suite struct CostModelTests {
    @Test func `Costs of batches of many sizes are found again`() throws {
        let machine = SyntheticMachine()
        let sizes = (0..<60).map { Int64(100 + 97 * ($0 * 37 % 60)) }
        let model = try #require(CostModel(machine.records(rows: sizes, intervalMillis: 1000)))
        #expect(isNear(model.fixedMicros, machine.micros(rows: 0), 0.02))
        #expect(isNear(model.perRowMicros + model.perRemovedRowMicros, 2.5, 0.02))
        for rows in [0.0, 10, 1000, 20_000] {
            #expect(isNear(model.expectedMicros(rows: rows), machine.micros(rows: rows), 0.02), "\(rows) rows")
            #expect(isNear(model.processorMicros(rows: rows), 500 + 3 * rows, 0.05), "\(rows) rows")
            #expect(isNear(model.checkpointBytes(rows: rows), 1400 + 12 * rows, 0.05), "\(rows) rows")
        }
        #expect(model.errorMicros(rows: 20_000) < 0.1 * model.expectedMicros(rows: 20_000))
    }

    @Test(arguments: [1 as UInt64, 2, 3, 4, 5])
    func `Noise of a fifth and stalls of the disk move the costs by little`(seed: UInt64) throws {
        var machine = SyntheticMachine()
        machine.noise = 0.2
        machine.stallEvery = 12
        let sizes = (0..<90).map { Int64(100 + 97 * ($0 * 37 % 60)) }
        let model = try #require(CostModel(machine.records(rows: sizes, intervalMillis: 1000, seed: seed)))
        for rows in [10.0, 1000, 20_000] {
            #expect(isNear(model.expectedMicros(rows: rows), machine.micros(rows: rows), 0.12), "\(rows) rows")
        }
        // The stalls are in the spread: they are one in twelve, so more than one in a hundred.
        let p99 = model.quantileMicros(rows: 3000, 0.99)
        #expect(p99 > model.expectedMicros(rows: 3000) + 8 * machine.durableFixedMicros)
        #expect(model.meanMicros(rows: 3000) > model.expectedMicros(rows: 3000) + 500)
    }

    /// What a query at one interval shows. The parts that do not depend on rows are known all the same.
    @Test(arguments: [100 as Int64, 1000, 10_000, 100_000])
    func `Batches of nearly one size still tell what smaller and larger ones cost`(mean: Int64) throws {
        var machine = SyntheticMachine()
        machine.noise = 0.1
        let records = machine.records(rows: scatteredRows(mean, share: 0.02, count: 100), intervalMillis: 1000)
        let model = try #require(CostModel(records))
        for factor in [0.01, 0.1, 1, 10] {
            let rows = Double(mean) * factor
            let (expected, truth) = (model.expectedMicros(rows: rows), machine.micros(rows: rows))
            #expect(isNear(expected, truth, 0.25), "\(rows) rows: \(expected) for \(truth)")
            #expect(expected + 2 * model.errorMicros(rows: rows) > 0.95 * truth, "\(rows) rows")
        }
    }

    @Test func `Fewer than five measured batches with rows are no model`() {
        let machine = SyntheticMachine()
        #expect(CostModel([]) == nil)
        #expect(CostModel(machine.records(rows: [9, 9, 9, 9], intervalMillis: 1000)) == nil)
        #expect(CostModel(machine.records(rows: [9, 9, 9, 9, 0, 0, 0], intervalMillis: 1000)) == nil)
        var records = machine.records(rows: [9, 9, 9, 9, 9], intervalMillis: 1000)
        #expect(CostModel(records) != nil)
        records[3].cost = nil
        #expect(CostModel(records) == nil)
    }

    @Test func `Batches that are all alike, or cost nothing, give finite numbers that are not negative`() throws {
        var still = SyntheticMachine(
            planMicros: 0, logMicros: 0, engineFixedMicros: 0, perRowMicros: 0, perRemovedMicros: 0,
            durableFixedMicros: 0, perByteMicros: 0, visibleMicros: 0, tailMicros: 0, bytesFixed: 0, bytesPerRow: 0)
        still.processorFixedMicros = 0
        still.processorPerRowMicros = 0
        for machine in [still, SyntheticMachine()] {
            let records = machine.records(rows: [Int64](repeating: 100, count: 50), intervalMillis: 1000)
            let model = try #require(CostModel(records))
            for rows in [0.0, 1, 100, 1e9] {
                let numbers = [
                    model.expectedMicros(rows: rows), model.errorMicros(rows: rows), model.meanMicros(rows: rows),
                    model.quantileMicros(rows: rows, 0.99), model.drawMicros(rows: rows, number: 77),
                    model.checkpointBytes(rows: rows), model.processorMicros(rows: rows),
                ]
                #expect(numbers.allSatisfy { $0.isFinite && $0 >= 0 }, "\(numbers)")
            }
        }
    }

    @Test func `A coefficient that would be negative is none`() {
        let inputs = (0..<20).map { [1, Double($0)] }
        let fit = NonNegativeFit(
            inputs: inputs, outputs: inputs.map { 100 - 3 * $0[1] },
            beliefs: [
                CoefficientBelief(mean: 50, deviation: 100), CoefficientBelief(mean: 1, deviation: 10),
            ])
        #expect(fit.coefficients[1] == 0)
        #expect(fit.coefficients[0] > 50 && fit.coefficients[0] < 100)
    }

    @Test func `Without observations beliefs are what is known`() {
        let fit = NonNegativeFit(
            inputs: [], outputs: [],
            beliefs: [CoefficientBelief(mean: 50, deviation: 30), CoefficientBelief(mean: 2, deviation: 1)])
        #expect(fit.value(at: [1, 10]) == 70)
        #expect(isNear(fit.error(at: [1, 40]), 50, 1e-9))
    }
}

func isNear(_ value: Double, _ truth: Double, _ share: Double) -> Bool { abs(value - truth) <= share * abs(truth) }
