// When rows leave state. The table repeats what was observed on Spark 4.1.1, to the millisecond; the random test checks
// the reason behind it: a row that leaves can no longer match anything that is not late.

import SluicePlan
import SluiceSpec
import SluiceSystem
import Testing

private let left = column("visits.event_time")
private let right = column("ads.display_time")

struct ThresholdCase: CustomTestStringConvertible, Sendable {
    var condition: Condition
    /// The eviction watermark.
    var watermarkMillis: Int64
    /// The last times that leave; nil: none ever does.
    var left: Int64?
    var right: Int64?

    init(_ condition: Condition, _ watermarkMillis: Int64, left: Int64?, right: Int64?) {
        self.condition = condition
        self.watermarkMillis = watermarkMillis
        self.left = left
        self.right = right
    }

    var testDescription: String { condition.description }
}

@Suite struct StateWatermarkTests {
    private static let fiveSeconds = duration(5 * .second)
    static let cases = [
        // Inclusive +/- 5 s at watermark 15.000 s evicts 9.999 s and keeps 10.000 s; strict evicts 10.000 s.
        ThresholdCase(
            all(right >= SluicePlanTests.left - fiveSeconds, right <= SluicePlanTests.left + fiveSeconds), 15_000,
            left: 9_999, right: 9_999),
        ThresholdCase(
            all(right > SluicePlanTests.left - fiveSeconds, right < SluicePlanTests.left + fiveSeconds), 15_000,
            left: 10_000, right: 10_000),
        // The seed job at 08:50:00 and 09:00:30 of 2024-01-01.
        ThresholdCase(
            TestQuery.seedBounds, 1_704_099_000_000, left: 1_704_099_000_000 - 120_001, right: 1_704_099_000_000 - 1),
        ThresholdCase(
            TestQuery.seedBounds, 1_704_099_630_000, left: 1_704_099_630_000 - 120_001, right: 1_704_099_630_000 - 1),
        // Open ends: that side is never evicted.
        ThresholdCase(right >= SluicePlanTests.left, 15_000, left: nil, right: 14_999),
        ThresholdCase(right <= SluicePlanTests.left + fiveSeconds, 15_000, left: 9_999, right: nil),
        // Partners that come only earlier: left rows are of no use before their own time.
        ThresholdCase(right <= SluicePlanTests.left - fiveSeconds, 15_000, left: 19_999, right: nil),
        // Several in one direction: the lowest threshold, though matching takes the tightest bound.
        ThresholdCase(
            all(right <= SluicePlanTests.left + fiveSeconds, right <= SluicePlanTests.left + duration(9 * .second)),
            15_000, left: 5_999, right: nil),
        ThresholdCase(
            all(right < SluicePlanTests.left + fiveSeconds, right <= SluicePlanTests.left + fiveSeconds), 15_000,
            left: 9_999, right: nil),
        // Microseconds are cut off after the sum, toward zero.
        ThresholdCase(right <= SluicePlanTests.left + duration(1_500), 15_000, left: 14_997, right: nil),
        ThresholdCase(right < SluicePlanTests.left + duration(1_500), 15_000, left: 14_998, right: nil),
        ThresholdCase(right > SluicePlanTests.left + duration(1_500), 15_000, left: nil, right: 15_001),
        ThresholdCase(right < SluicePlanTests.left + duration(1_500), 0, left: -1, right: nil),
    ]

    @Test(arguments: cases) func thresholdsAreThoseOfSpark(of example: ThresholdCase) throws {
        let join = try #require(TestQuery(.inner, within: example.condition).plan().physical?.join)
        let found = [join.left, join.right].map {
            $0.eviction?.thresholdMillis(evictionWatermarkMillis: example.watermarkMillis)
        }
        #expect(found == [example.left, example.right])
    }

    @Test func aTimeKeyEvictsBothSidesAtTheWatermarkEvenWithOneWatermark() throws {
        for (visits, ads) in [(Int64.minute, nil), (nil, Int64.minute), (Int64.minute, Int64.minute)] {
            var query = TestQuery(.leftOuter, within: nil)
            query.keys.append(("visits.event_time", "ads.display_time"))
            (query.visitsDelay, query.adsDelay) = (visits, ads)
            let join = try #require(query.plan().physical?.join)
            #expect(join.left.eviction?.thresholdMillis(evictionWatermarkMillis: 15_000) == 15_000)
            #expect(join.right.eviction?.thresholdMillis(evictionWatermarkMillis: 15_000) == 15_000)
        }
    }

    @Test func aWindowEvictsBothSidesAtTheWatermarkEvenWithOneWatermark() throws {
        var query = TestQuery(.leftOuter, within: nil)
        query.window = 10 * .second
        query.adsDelay = nil
        let plan = try #require(query.plan().physical)
        #expect(plan.join?.left.eviction == EvictionRule(offsetMicros: 0, isInclusive: false))
        #expect(plan.join?.right.eviction == EvictionRule(offsetMicros: 0, isInclusive: false))
        #expect(plan.inputs.map(\.latenessWindowMicros) == [10 * .second, nil])
    }

    @Test func aRangeNextToATimeKeyDoesNotDecideEviction() throws {
        var query = TestQuery(.inner, within: right <= left + duration(.hour))
        query.keys.append(("visits.event_time", "ads.display_time"))
        let join = try #require(query.plan().physical?.join)
        #expect(join.left.eviction == EvictionRule(offsetMicros: 0, isInclusive: false))
    }

    @Test func aRangeEvictsNothingUnlessBothSidesHaveAWatermark() throws {
        for (visits, ads) in [(Int64.minute, nil), (nil, Int64.minute), (nil, nil)] as [(Int64?, Int64?)] {
            var query = TestQuery(.inner)
            (query.visitsDelay, query.adsDelay) = (visits, ads)
            let join = try #require(query.plan().physical?.join)
            #expect(join.left.eviction == nil)
            #expect(join.right.eviction == nil)
            #expect(join.bounds == TimeBounds(lower: 0, upper: 2 * .minute))
        }
    }

    @Test func aNullSafeTimeKeyEvictsNothing() throws {
        var query = TestQuery(.inner, within: nil)
        query.keys = [("visits.event_time", "ads.display_time")]
        query.isNullSafe = true
        let join = try #require(query.plan().physical?.join)
        #expect(join.left.eviction == nil)
        #expect(join.left.joinTime == nil)
        #expect(join.bounds == nil)
    }

    @Test func retentionIsTheBoundAndTheDelayThatHoldsTheWatermarkBack() throws {
        var query = TestQuery()
        (query.visitsDelay, query.adsDelay) = (3 * .minute, 10 * .minute)
        #expect(query.plan().physical?.retention(of: .left)?.totalMicros == 12 * .minute)
        query.policy = .max
        #expect(query.plan().physical?.retention(of: .left)?.totalMicros == 5 * .minute)
        #expect(query.plan().physical?.retention(of: .right)?.totalMicros == 3 * .minute)
    }

    @Test func rowsWhosePartnersComeLongBeforeThemAreNotKept() throws {
        let query = TestQuery(.leftOuter, within: right <= left - duration(.hour))
        let retention = try #require(query.plan().physical?.retention(of: .left))
        #expect(retention.boundMicros == -.hour)
        #expect(retention.totalMicros == 0)
    }

    @Test(arguments: 0..<100) func aRowThatLeavesCanMatchNothingThatIsNotLate(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        var condition: Condition?
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            let function = [Function.less, .lessOrEqual, .greater, .greaterOrEqual].randomElement(using: &random)!
            let next = call(function, right, left + duration(Int64.random(in: -9_000...9_000, using: &random)))
            condition = condition.map { all($0, next) } ?? next
        }
        let join = try #require(TestQuery(.inner, within: condition).plan().optimized?.joins.first)
        let bounds = try #require(join.time?.bounds)
        let watermarkMillis = Int64(1_000)
        // The earliest time that is not late.
        let earliest = watermarkMillis * 1000 + 1
        if let rule = join.leftState.eviction {
            let last = rule.thresholdMillis(evictionWatermarkMillis: watermarkMillis) * 1000
            #expect(earliest - last > bounds.upper ?? .max, "seed \(seed)")
        } else {
            #expect(bounds.upper == nil)
        }
        if let rule = join.rightState.eviction {
            let last = rule.thresholdMillis(evictionWatermarkMillis: watermarkMillis) * 1000
            #expect(last - earliest < bounds.lower ?? .min, "seed \(seed)")
        } else {
            #expect(bounds.lower == nil)
        }
    }
}
