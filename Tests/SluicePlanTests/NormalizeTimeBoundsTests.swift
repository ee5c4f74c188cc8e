// Bounds in every arrangement a person may write. The table holds the forms one by one; the random test compares the
// normal form with what the condition itself says, pair by pair.

import SluicePlan
import SluiceSpec
import SluiceSystem
import Testing

private let left = column("visits.event_time")
private let right = column("ads.display_time")
private func seconds(_ count: Int64) -> Condition { duration(count * .second) }

struct BoundsCase: CustomTestStringConvertible, Sendable {
    var condition: Condition
    var lower: Int64?
    var upper: Int64?

    init(_ condition: Condition, _ lower: Int64?, _ upper: Int64?) {
        self.condition = condition
        self.lower = lower
        self.upper = upper
    }

    var testDescription: String { condition.description }
}

@Suite struct NormalizeTimeBoundsTests {
    static let cases = [
        BoundsCase(right >= left, 0, nil),
        BoundsCase(right > left, 1, nil),
        BoundsCase(right <= left + seconds(5), nil, 5 * .second),
        BoundsCase(right < left + seconds(5), nil, 5 * .second - 1),
        BoundsCase(left <= right, 0, nil),
        BoundsCase(left < right, 1, nil),
        BoundsCase(left + seconds(5) >= right, nil, 5 * .second),
        BoundsCase(left + seconds(5) > right, nil, 5 * .second - 1),
        BoundsCase(left >= right - seconds(5), nil, 5 * .second),
        BoundsCase(right - seconds(2) <= left + seconds(3), nil, 5 * .second),
        BoundsCase(right - left <= seconds(5), nil, 5 * .second),
        BoundsCase(left - right <= seconds(5), -5 * .second, nil),
        BoundsCase(seconds(-5) < right - left, -5 * .second + 1, nil),
        BoundsCase(right >= left - seconds(60), -60 * .second, nil),
        BoundsCase(call(.not, right < left), 0, nil),
        BoundsCase(call(.not, call(.or, right < left, right > left + seconds(1))), 0, 1 * .second),
        BoundsCase(all(right >= left - seconds(60), right <= left - seconds(2)), -60 * .second, -2 * .second),
        // Several in one direction: the tightest.
        BoundsCase(all(right <= left + seconds(9), right <= left + seconds(5)), nil, 5 * .second),
        BoundsCase(all(right < left + seconds(5), right <= left + seconds(5)), nil, 5 * .second - 1),
        BoundsCase(all(right > left, right >= left), 1, nil),
    ]

    @Test(arguments: cases) func aComparisonOfEventTimesBecomesBounds(of example: BoundsCase) throws {
        let join = try #require(TestQuery(.inner, within: example.condition).plan().optimized?.joins.first)
        #expect(join.time?.bounds == TimeBounds(lower: example.lower, upper: example.upper))
        #expect(join.residual.isEmpty)
    }

    @Test(arguments: [
        call(.lessOrEqual, call(.abs, right - left, type: .duration), seconds(5)),
        call(.notEqual, right, left),
        column("ads.paid_time") <= left + seconds(5),
        right - right <= left - left,
    ])
    func anythingElseOnlyFiltersPairs(_ condition: Condition) throws {
        let join = try #require(TestQuery(.inner, within: condition).plan().optimized?.joins.first)
        #expect(join.time == nil)
        #expect(join.residual + join.leftConditions == [condition])
    }

    @Test func boundsInTheJoinsWhereCountAsWell() throws {
        var query = TestQuery(.inner, within: right >= left)
        query.joinFilter = right <= left + seconds(5)
        let join = try #require(query.plan().optimized?.joins.first)
        #expect(join.time?.bounds == TimeBounds(lower: 0, upper: 5 * .second))
        #expect(join.residual.isEmpty)
    }

    @Test func durationsThatOverflowOnlyFilter() throws {
        let condition = right + duration(.max) <= left - duration(.max)
        let join = try #require(TestQuery(.inner, within: condition).plan().optimized?.joins.first)
        #expect(join.time == nil)
        #expect(join.residual == [condition])
    }

    @Test func equalEventTimesInKeysAreATimeCondition() throws {
        var query = TestQuery(.leftOuter, within: nil)
        query.keys.append(("visits.event_time", "ads.display_time"))
        let join = try #require(query.plan().optimized?.joins.first)
        #expect(join.time?.basis == .key)
        #expect(join.time?.bounds == TimeBounds(lower: 0, upper: 0))
    }

    @Test func rangesOverTheKeysOwnTimesAreDroppedAndOthersStay() throws {
        var query = TestQuery(.inner, within: right <= left + seconds(5))
        query.keys.append(("visits.event_time", "ads.display_time"))
        var join = try #require(query.plan().optimized?.joins.first)
        #expect(join.residual.isEmpty)
        #expect(join.time?.bounds == TimeBounds(lower: 0, upper: 0))

        query.keys = [("visits.event_time", "ads.paid_time")]
        join = try #require(query.plan().optimized?.joins.first)
        #expect(join.residual.count == 1)
        #expect(join.time?.right == ColumnReference(source: "ads", column: "paid_time"))
    }

    @Test func theFirstKeyOnTheLeftThatCarriesAWatermarkIsTheTime() throws {
        var query = TestQuery(.inner, within: nil)
        query.keys = [("visits.seen_time", "ads.display_time"), ("visits.event_time", "ads.paid_time")]
        let join = try #require(query.plan().optimized?.joins.first)
        #expect(join.time?.left == ColumnReference(source: "visits", column: "event_time"))
        #expect(join.time?.right == ColumnReference(source: "ads", column: "paid_time"))
    }

    @Test func aWindowMakesTheWindowsEndsEqual() throws {
        var query = TestQuery(.leftOuter, within: nil)
        query.window = 10 * .second
        let plan = try #require(query.plan().physical)
        #expect(plan.join?.bounds == TimeBounds(lower: 0, upper: 0))
        #expect(plan.join?.left.windowMicros == 10 * .second)
        #expect(plan.join?.right.windowMicros == 10 * .second)
        #expect(plan.inputs.map(\.latenessWindowMicros) == [10 * .second, 10 * .second])
    }

    @Test func inAWindowJoinRangesGoOnFilteringPairs() throws {
        var query = TestQuery(.leftOuter, within: nil)
        query.window = 10 * .second
        query.joinFilter = right >= left
        let join = try #require(query.plan().optimized?.joins.first)
        #expect(join.residual == [right >= left])
        #expect(join.time?.basis == .window(micros: 10 * .second))
    }

    // MARK: Random conditions

    /// What `condition` says for two times, computed the plain way.
    private func holds(_ condition: Condition, _ l: Int64, _ r: Int64) -> Bool {
        guard case .call(let function, let operands) = condition.kind else { return false }
        func value(_ operand: Condition) -> Int64 {
            switch operand.kind {
            case .literal(.duration(let micros)): return micros
            case .column(let name): return name.source == "visits" ? l : r
            case .call(.add, let terms): return value(terms[0]) + value(terms[1])
            case .call(.subtract, let terms): return value(terms[0]) - value(terms[1])
            default: return 0
            }
        }
        switch function {
        case .and: return operands.allSatisfy { holds($0, l, r) }
        case .not: return !holds(operands[0], l, r)
        case .less: return value(operands[0]) < value(operands[1])
        case .lessOrEqual: return value(operands[0]) <= value(operands[1])
        case .greater: return value(operands[0]) > value(operands[1])
        default: return value(operands[0]) >= value(operands[1])
        }
    }

    @Test(arguments: 0..<50) func theNormalFormSaysWhatTheConditionSays(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        func shifted(_ time: Condition) -> Condition {
            let shift = duration(Int64.random(in: -20...20, using: &random))
            return Bool.random(using: &random) ? time + shift : time - shift
        }
        let comparisons: [Function] = [.less, .lessOrEqual, .greater, .greaterOrEqual]
        var condition: Condition?
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            let (a, b) = Bool.random(using: &random) ? (left, right) : (right, left)
            var next = call(comparisons.randomElement(using: &random)!, shifted(a), shifted(shifted(b)))
            if Bool.random(using: &random) { next = call(.not, next) }
            condition = condition.map { all($0, next) } ?? next
        }
        let within = try #require(condition)
        let join = try #require(TestQuery(.inner, within: within).plan().optimized?.joins.first)
        let bounds = try #require(join.time?.bounds)
        for l in Int64(-30)...30 {
            for r in Int64(-90)...90 {
                let isInside = r - l >= bounds.lower ?? .min && r - l <= bounds.upper ?? .max
                if isInside != holds(within, l, r) {
                    Issue.record("seed \(seed): \(within) for \(l), \(r)")
                    return
                }
            }
        }
    }
}
