import SluicePlan
import SluiceSpec
import Testing

@Suite struct PruneColumnsTests {
    private func columns(_ query: TestQuery) throws -> [(state: [String], others: [String])] {
        let plan = try #require(query.plan().physical)
        return plan.inputs.enumerated().map { index, input in
            let count = index == 0 ? plan.join?.left.stateColumnCount : plan.join?.right.stateColumnCount
            let names = input.columns.map(\.name)
            return (Array(names.prefix(count ?? 0)), Array(names.dropFirst(count ?? 0)))
        }
    }

    @Test func stateKeepsKeysTimesOutputAndResidual() throws {
        var query = TestQuery()
        query.select = ["visits.visit_id"]
        query.joinFilter = column("visits.bytes", .int) < column("ads.cost", .int)
        let found = try columns(query)
        #expect(found[0].state == ["bytes", "event_time", "page", "visit_id"])
        #expect(found[1].state == ["cost", "display_time", "page"])
        #expect(found.allSatisfy { $0.others.isEmpty })
    }

    @Test func columnsThatOnlyFiltersReadAreDecodedAndForgotten() throws {
        var query = TestQuery()
        query.visitsFilter = column("visits.user", .long) > integer(1)
        query.joinFilter = all(
            column("visits.bytes", .int) > integer(1), column("ads.cost", .int) > integer(1))
        let found = try columns(query)
        #expect(found[0].others == ["user", "bytes"])
        #expect(found[1].others == ["cost"])
    }

    @Test func theOutputsFilterNeedsItsColumnsInState() throws {
        var query = TestQuery()
        query.queryFilter = call(.isNull, column("ads.cost", .int))
        #expect(try columns(query)[1].state.contains("cost"))
    }

    @Test func aSemiJoinsRightStateHasNoOutputColumns() throws {
        for type in [JoinType.leftSemi, .leftAnti] {
            #expect(try columns(TestQuery(type))[1].state == ["display_time", "page"])
        }
    }

    @Test func withAnotherBadRowsPolicyAllColumnsAreDecodedAndStateIsTheSame() throws {
        for policy in [BadRowsPolicy.drop, .fail] {
            var query = TestQuery()
            let plain = try columns(query)
            query.badRows = policy
            let found = try columns(query)
            #expect(found.map(\.state) == plain.map(\.state))
            #expect(Set(found[0].state + found[0].others) == Set(TestQuery.visit.map(\.0)))
            #expect(Set(found[1].state + found[1].others) == Set(TestQuery.ad.map(\.0)))
        }
    }

    @Test func aWatermarkColumnThatNobodyElseReadsIsDecoded() throws {
        var query = TestQuery(.inner, within: nil)
        query.select = ["visits.visit_id"]
        let found = try columns(query)
        #expect(found[0].state == ["page", "visit_id"])
        #expect(found[0].others == ["event_time"])
    }

    @Test func everySlotOfAnExpressionIsInItsRow() throws {
        for type in JoinType.allCases {
            var query = TestQuery(type)
            query.joinFilter = all(
                column("visits.bytes", .int) < column("ads.cost", .int), column("ads.user", .int) > integer(3))
            let plan = try #require(query.plan().physical)
            let join = try #require(plan.join)
            let counts = [join.left.stateColumnCount, join.right.stateColumnCount]
            let paired = [join.residual, plan.output.filter].compactMap { $0 } + plan.output.columns.map(\.expression)
            for expression in paired {
                expression.forEachColumn { #expect($0.index < counts[$0.input], "\(type)") }
            }
            #expect(join.keys.allSatisfy { $0.left < counts[0] && $0.right < counts[1] })
            #expect(try #require(join.left.joinTime) < counts[0])
            #expect(try #require(join.right.joinTime) < counts[1])
        }
    }

    @Test func withoutAJoinOnlyWhatIsReadIsDecoded() throws {
        var query = TestQuery()
        query.hasJoin = false
        query.select = ["visits.visit_id"]
        query.visitsDelay = nil
        let plan = try #require(query.plan().physical)
        #expect(plan.inputs[0].columns.map(\.name) == ["visit_id"])
        #expect(plan.inputs[0].columns.map(\.declaredIndex) == [0])
    }
}
