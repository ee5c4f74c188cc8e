import SluicePlan
import SluiceSpec
import Testing

@Suite struct FingerprintTests {
    private func changes(_ old: TestQuery, _ new: TestQuery) throws -> FingerprintChanges {
        let (old, new) = (try #require(old.plan().physical), try #require(new.plan().physical))
        return PhysicalPlan.compareFingerprints(old: old.fingerprint, new: new.fingerprint)
    }

    private func refusals(_ change: (inout TestQuery) -> Void) throws -> [String] {
        var new = TestQuery()
        change(&new)
        return try changes(TestQuery(), new).refusals.map(\.sentence)
    }

    @Test func theSamePlanHasNoChanges() throws {
        #expect(try changes(TestQuery(), TestQuery()) == FingerprintChanges())
    }

    @Test func aJoinTypeIsRefusedByName() throws {
        let sentences = try refusals { $0.type = .inner }
        #expect(sentences == ["join type was `left outer`, is now `inner`"])
    }

    @Test func everyPairOfJoinTypesIsRefused() throws {
        for old in JoinType.allCases {
            for new in JoinType.allCases where old != new {
                var (a, b) = (TestQuery(old), TestQuery(new))
                a.select = ["visits.visit_id"]
                b.select = ["visits.visit_id"]
                #expect(try changes(a, b).refusals.map(\.name).contains("join type"), "\(old) to \(new)")
            }
        }
    }

    @Test func keysAreRefused() throws {
        let added = try refusals { $0.keys.append(("visits.visit_id", "ads.campaign_name")) }
        #expect(
            added == [
                "keys were `visits.page = ads.page`, are now "
                    + "`visits.page = ads.page, visits.visit_id = ads.campaign_name`"
            ])
        let nullSafe = try refusals { $0.isNullSafe = true }
        #expect(nullSafe == ["keys were `visits.page = ads.page`, are now `visits.page <=> ads.page`"])
    }

    @Test func theOrderOfKeysMeansNothing() throws {
        var (old, new) = (TestQuery(), TestQuery())
        old.keys.append(("visits.visit_id", "ads.campaign_name"))
        new.keys.insert(("visits.visit_id", "ads.campaign_name"), at: 0)
        #expect(try changes(old, new) == FingerprintChanges())
        #expect(old.plan().physical?.join == new.plan().physical?.join)
    }

    @Test func columnsThatStateUsesAreRefusedByName() throws {
        #expect(
            try refusals { $0.select.append("ads.cost") } == [
                "right column `cost` (int) is new, and rows in state do not have it"
            ])
        #expect(
            try refusals { $0.select.removeAll { $0 == "visits.visit_id" } } == [
                "left column `visit_id` (string) is no longer used, but rows in state have it"
            ])
    }

    @Test func aColumnsTypeIsRefused() {
        let changes = PhysicalPlan.compareFacts(
            old: [PlanFact(.left, "column `cost`", .text("int"))],
            new: [PlanFact(.left, "column `cost`", .text("long"))])
        #expect(changes.refusals.map(\.sentence) == ["left column `cost` was `int`, is now `long`"])
    }

    @Test func columnsThatOnlyFiltersReadMayComeAndGo() throws {
        var new = TestQuery()
        new.visitsFilter = column("visits.bytes", .int) > integer(1)
        #expect(try changes(TestQuery(), new) == FingerprintChanges())
    }

    @Test func aWindowIsRefused() throws {
        var (old, new) = (TestQuery(.leftOuter, within: nil), TestQuery(.leftOuter, within: nil))
        (old.window, new.window) = (10 * .second, 20 * .second)
        #expect(try changes(old, new).refusals.map(\.sentence) == ["window was `10 s`, is now `20 s`"])
        #expect(try changes(TestQuery(), new).refusals.map(\.name) == ["window"])
    }

    @Test func aTimeConditionThatComesOrGoesIsRefused() throws {
        let (timed, timeless) = (TestQuery(.inner), TestQuery(.inner, within: nil))
        #expect(try changes(timed, timeless).refusals.map(\.name) == ["left join time", "right join time"])
        #expect(try changes(timeless, timed).refusals.map(\.name) == ["left join time", "right join time"])
    }

    @Test func aWatermarkThatComesOrGoesIsRefused() throws {
        var (old, new) = (TestQuery(.inner), TestQuery(.inner))
        old.adsDelay = nil
        #expect(
            try changes(old, new).refusals.map(\.sentence) == [
                "right watermark column was `none`, is now `display_time`"
            ])
        new.policy = .max
        #expect(try changes(TestQuery(.inner), new).refusals.map(\.name) == ["watermark policy"])
    }

    @Test func boundsAndDelaysAreAcceptedWithAWarningThatSaysWhatFollows() throws {
        var new = TestQuery()
        new.within = column("ads.display_time") <= column("visits.event_time") + duration(5 * .minute)
        new.adsDelay = 1 * .minute
        let changes = try changes(TestQuery(), new)
        #expect(changes.refusals.isEmpty)
        #expect(
            changes.warnings.map(\.sentence) == [
                "time bounds were `0 s <= right - left <= 2 min`, are now `right - left <= 5 min`: rows already in "
                    + "state are judged by the new bounds",
                "right watermark delay was `10 min`, is now `1 min`: the watermark does not go back, and from now on "
                    + "keeps the new distance",
            ])
    }

    @Test func layoutIsNotCompared() throws {
        var new = TestQuery()
        new.shards = 2
        #expect(try changes(TestQuery(), new) == FingerprintChanges())
    }

    @Test func sourcesAreRefusedAndAJoinThatComesAsWell() throws {
        var single = TestQuery()
        single.hasJoin = false
        single.select = ["visits.visit_id"]
        let names = try changes(single, TestQuery()).refusals.map(\.name)
        #expect(names.contains("join type"))
        #expect(names.contains("left source"))
        let changes = PhysicalPlan.compareFacts(
            old: [PlanFact(.left, "source", .text("visits")), PlanFact(.right, "source", .text("ads"))],
            new: [PlanFact(.left, "source", .text("ads")), PlanFact(.right, "source", .text("visits"))])
        #expect(
            changes.refusals.map(\.sentence) == [
                "left source was `visits`, is now `ads`", "right source was `ads`, is now `visits`",
            ])
    }

    @Test func withoutAJoinTheColumnsOfTheOutputCount() throws {
        var (old, new) = (TestQuery(), TestQuery())
        (old.hasJoin, new.hasJoin) = (false, false)
        (old.select, new.select) = (["visits.visit_id"], ["visits.visit_id", "visits.page"])
        #expect(try changes(old, new).refusals.map(\.name) == ["column `page`"])
    }
}
