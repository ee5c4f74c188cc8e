// Where predicates end up: below a watermark (their rows do not move it), above it, in the join, or at the output.

import SluicePlan
import SluiceSpec
import Testing

private let leftOnly = column("visits.bytes", .int) > integer(1)
private let rightOnly = column("ads.cost", .int) > integer(2)

@Suite struct PushPredicatesTests {
    private func texts(_ query: TestQuery) throws -> (below: [String?], above: [String?], join: [String?]) {
        let plan = try #require(query.plan().physical)
        func text(_ expression: Expression<ColumnSlot>?) -> String? {
            expression.map { $0.text { plan.inputs[$0.input].columns[$0.index].name } }
        }
        return (
            plan.inputs.map { text($0.filterBelowWatermark) }, plan.inputs.map { text($0.filterAboveWatermark) },
            [text(plan.join?.left.predicate), text(plan.join?.right.predicate)]
        )
    }

    @Test func nullKeysAreFilteredOnSidesThatAreNotPreserved() throws {
        let filter = "page is not null"
        let expected: [JoinType: [String?]] = [
            .inner: [filter, filter], .leftSemi: [filter, filter], .leftOuter: [nil, filter], .leftAnti: [nil, filter],
            .rightOuter: [filter, nil], .fullOuter: [nil, nil],
        ]
        for type in JoinType.allCases {
            #expect(try texts(TestQuery(type)).below == expected[type], "\(type)")
        }
    }

    @Test func nullSafeKeysAreNotFiltered() throws {
        var query = TestQuery(.inner)
        query.isNullSafe = true
        #expect(try texts(query).below == [nil, nil])
    }

    @Test func aKeyThatIsTheEventTimeIsFilteredAboveTheWatermark() throws {
        var query = TestQuery(.inner, within: nil)
        query.keys = [("visits.event_time", "ads.display_time")]
        let found = try texts(query)
        #expect(found.below == [nil, nil])
        #expect(found.above == ["event_time is not null", "display_time is not null"])
    }

    @Test func joinConditionsOverOneSideStayInTheJoinOnlyWhereRowsArePreserved() throws {
        for type in JoinType.allCases {
            var query = TestQuery(type)
            query.isNullSafe = true
            query.joinFilter = all(leftOnly, rightOnly)
            let found = try texts(query)
            let staysLeft = [.leftOuter, .fullOuter, .leftAnti].contains(type)
            let staysRight = [.rightOuter, .fullOuter].contains(type)
            #expect(found.join == [staysLeft ? "bytes > 1" : nil, staysRight ? "cost > 2" : nil], "\(type)")
            #expect(found.below == [staysLeft ? nil : "bytes > 1", staysRight ? nil : "cost > 2"], "\(type)")
            #expect(found.above == [nil, nil], "\(type)")
        }
    }

    @Test func aSourcesWhereGoesBelowTheWatermarkConjunctByConjunctUnlessItTouchesItsColumn() throws {
        var query = TestQuery(.fullOuter)
        query.visitsFilter = all(
            leftOnly, call(.isNotNull, column("visits.event_time")))
        let found = try texts(query)
        #expect(found.below == ["bytes > 1", nil])
        #expect(found.above == ["event_time is not null", nil])
    }

    @Test func withoutAWatermarkThereIsOnlyBelow() throws {
        var query = TestQuery(.inner, within: nil)
        query.visitsDelay = nil
        query.isNullSafe = true
        query.visitsFilter = call(.isNotNull, column("visits.event_time"))
        query.queryFilter = leftOnly
        let found = try texts(query)
        #expect(found.below == ["event_time is not null and bytes > 1", nil])
        #expect(found.above == [nil, nil])
    }

    @Test func theQuerysWhereGoesAboveTheWatermarkOfSidesWhoseColumnsNeverBecomeNull() throws {
        for type in JoinType.allCases {
            var query = TestQuery(type)
            query.isNullSafe = true
            let hasRight = type != .leftSemi && type != .leftAnti
            query.queryFilter = hasRight ? all(leftOnly, rightOnly) : leftOnly
            let plan = try #require(query.plan().physical)
            let found = try texts(query)
            let pushesLeft = ![.rightOuter, .fullOuter].contains(type)
            let pushesRight = [.inner, .rightOuter].contains(type)
            #expect(found.above == [pushesLeft ? "bytes > 1" : nil, pushesRight ? "cost > 2" : nil], "\(type)")
            #expect(found.below == [nil, nil], "\(type)")
            let staysAtOutput = !pushesLeft || (hasRight && !pushesRight)
            #expect((plan.output.filter != nil) == staysAtOutput, "\(type)")
        }
    }

    @Test func theQuerysWhereOverBothSidesStaysAtTheOutput() throws {
        var query = TestQuery(.inner)
        query.queryFilter = column("visits.bytes", .int) < column("ads.cost", .int)
        let plan = try #require(query.plan().physical)
        #expect(plan.output.filter != nil)
        #expect(plan.inputs.allSatisfy { $0.filterAboveWatermark == nil })
    }

    @Test func withoutAJoinTheQuerysWhereStaysAtTheOutput() throws {
        var query = TestQuery()
        query.hasJoin = false
        query.select = ["visits.visit_id"]
        query.queryFilter = leftOnly
        let plan = try #require(query.plan().physical)
        #expect(plan.output.filter != nil)
        #expect(plan.inputs.count == 1)
        #expect(plan.inputs[0].filterBelowWatermark == nil)
        #expect(plan.join == nil)
    }
}
