import SluicePlan
import SluiceSpec
import Testing

@Suite struct SplitJoinConditionTests {
    private func join(_ filter: Condition, _ type: JoinType = .fullOuter) throws -> Join {
        var query = TestQuery(type)
        query.joinFilter = filter
        return try #require(query.plan().optimized?.joins.first)
    }

    private func names(_ join: Join) -> [String] {
        join.keys.map { "\($0.left) \($0.isNullSafe ? "<=>" : "=") \($0.right)" }
    }

    @Test func equalColumnsOfBothSidesBecomeKeys() throws {
        let filter = call(.equal, column("ads.campaign_name", .string), column("visits.visit_id", .string))
        let join = try join(filter)
        #expect(names(join) == ["visits.page = ads.page", "visits.visit_id = ads.campaign_name"])
        #expect(join.residual.isEmpty)
    }

    @Test func anIntThatMeetsALongIsAKeyThroughItsCast() throws {
        let cast = Condition(.cast(column("ads.user", .int)), type: .long, isNullable: true, at: nowhere)
        let join = try join(call(.equal, column("visits.user", .long), cast))
        #expect(names(join) == ["visits.page = ads.page", "visits.user = ads.user"])
    }

    @Test func numbersOfUnlikeTypesAreAKeyInTheTypeInWhichTheyMeet() throws {
        let widened = Condition(.cast(column("ads.user", .int)), type: .double, isNullable: true, at: nowhere)
        let join = try join(call(.equal, column("visits.user", .double), widened))
        #expect(names(join) == ["visits.page = ads.page", "visits.user = ads.user"])
    }

    @Test func numbersThatMeetInAnotherTypeAreNoKey() throws {
        // Both as doubles, in which unlike longs can be equal.
        let sides = ["visits.user", "ads.user"].map {
            Condition(.cast(column($0, .long)), type: .double, isNullable: true, at: nowhere)
        }
        let join = try join(call(.equal, sides[0], sides[1]))
        #expect(names(join) == ["visits.page = ads.page"])
        #expect(join.residual.count == 1)
        // An int of a long is not the long.
        let cut = Condition(.cast(column("ads.user", .long)), type: .int, isNullable: true, at: nowhere)
        #expect(names(try self.join(call(.equal, column("visits.user", .int), cut))) == ["visits.page = ads.page"])
    }

    @Test func aCastThatChangesTheValueIsNoKey() throws {
        let cast = Condition(.cast(column("ads.cost", .int)), type: .string, isNullable: true, at: nowhere)
        let join = try join(call(.equal, column("visits.visit_id", .string), cast))
        #expect(names(join) == ["visits.page = ads.page"])
        #expect(join.residual.count == 1)
    }

    @Test func aNullSafeEqualityBecomesANullSafeKey() throws {
        let filter = call(.nullSafeEqual, column("visits.bytes", .int), column("ads.cost", .int))
        #expect(names(try join(filter)) == ["visits.page = ads.page", "visits.bytes <=> ads.cost"])
    }

    @Test func theSameKeyTwiceIsOneKey() throws {
        let filter = call(.equal, column("visits.page", .string), column("ads.page", .string))
        #expect(names(try join(filter)) == ["visits.page = ads.page"])
    }

    @Test func anEqualityOfExpressionsStaysOnThePair() throws {
        let lowered = call(.lower, column("visits.page", .string), type: .string)
        let join = try join(call(.equal, lowered, column("ads.campaign_name", .string)))
        #expect(join.keys.count == 1)
        #expect(join.residual.count == 1)
    }

    @Test func conjunctsOverOneSideAreSortedBySide() throws {
        let (left, right) = (column("visits.bytes", .int) > integer(1), column("ads.cost", .int) > integer(2))
        let both = column("visits.bytes", .int) < column("ads.cost", .int)
        let join = try join(all(all(left, right), both))
        #expect(join.leftConditions == [left])
        #expect(join.rightConditions == [right])
        #expect(join.residual == [both])
        #expect(join.conditions.isEmpty)
    }

    @Test func aConstantCountsAsLeftOnlyAsInSpark() throws {
        let never = Condition(.literal(.boolean(false)), type: .boolean, isNullable: false, at: nowhere)
        #expect(try join(never).leftConditions == [never])
    }

    @Test func negationsMoveInwardBeforeTheSplit() throws {
        let (left, right) = (column("visits.bytes", .int), column("ads.cost", .int))
        let join = try join(call(.not, call(.or, left < integer(1), call(.not, right > integer(2)))))
        #expect(join.leftConditions == [left >= integer(1)])
        #expect(join.rightConditions == [right > integer(2)])
    }

    @Test func aDisjunctionIsNotTakenApart() throws {
        let filter = call(.or, column("visits.bytes", .int) > integer(1), column("ads.cost", .int) > integer(2))
        #expect(try join(filter).residual == [filter])
    }
}
