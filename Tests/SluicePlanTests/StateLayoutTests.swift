import SluicePlan
import SluiceSpec
import Testing

private let left = column("visits.event_time")
private let right = column("ads.display_time")

@Suite struct StateLayoutTests {
    private func layout(_ query: TestQuery) throws -> PlanLayout { try #require(query.plan().physical?.layout) }

    private func within(_ lower: Int64, _ upper: Int64) -> Condition {
        all(right >= left + duration(lower), right <= left + duration(upper))
    }

    @Test func aCellIsAsWideAsTheBounds() throws {
        let layout = try layout(TestQuery(.inner, within: within(-30 * .second, 60 * .second)))
        #expect(layout.left.cellWidthMicros == 90 * .second)
        #expect(layout.right.cellWidthMicros == 90 * .second)
    }

    @Test func aSideKeptForLessThanTheWidthHasNarrowerCells() throws {
        var query = TestQuery(.inner, within: within(0, .hour))
        (query.visitsDelay, query.adsDelay) = (.minute, .minute)
        var layout = try layout(query)
        #expect(layout.left.cellWidthMicros == .hour)
        #expect(layout.right.cellWidthMicros == .hour / 8)
        #expect(layout.right.bucketWidthMicros == .hour / 8)
        query.within = within(-.hour, .hour)
        layout = try self.layout(query)
        #expect(layout.left.cellWidthMicros == .hour)
        #expect(layout.right.cellWidthMicros == .hour)
    }

    @Test func aBucketIsAnEighthOfTheRetentionInWholeCellsAndAtLeastASecond() throws {
        var query = TestQuery(.inner, within: within(0, 20 * .second))
        var layout = try layout(query)
        // 620 s / 8 = 77.5 s -> 4 cells; 600 s / 8 = 75 s -> 4 cells.
        #expect(layout.left.bucketWidthMicros == 80 * .second)
        #expect(layout.right.bucketWidthMicros == 80 * .second)
        (query.visitsDelay, query.adsDelay) = (0, 0)
        query.within = within(0, 1_500)
        layout = try self.layout(query)
        #expect(layout.left.cellWidthMicros == 1_500)
        #expect(layout.left.bucketWidthMicros == 1_000_500)
    }

    @Test func equalTimesGetTheNarrowestCells() throws {
        var query = TestQuery(.inner, within: nil)
        query.keys.append(("visits.event_time", "ads.display_time"))
        #expect(try layout(query).left.cellWidthMicros == 1_000)
        #expect(try layout(TestQuery(.inner, within: within(0, 0))).left.cellWidthMicros == 1_000)
    }

    @Test func aWindowIsACell() throws {
        var query = TestQuery(.inner, within: nil)
        query.window = 7 * .second
        let layout = try layout(query)
        #expect(layout.left.cellWidthMicros == 7 * .second)
        #expect(layout.left.bucketWidthMicros == 77 * .second)
    }

    @Test func anOpenEndMeansNoCellsAndNoBucketsOnTheSideThatStays() throws {
        let layout = try layout(TestQuery(.inner, within: right >= left))
        #expect(layout.left == PlanLayout.Side(bucketWidthMicros: nil, cellWidthMicros: nil))
        #expect(layout.right == PlanLayout.Side(bucketWidthMicros: 75 * .second, cellWidthMicros: nil))
    }

    @Test func withoutEvictionCellsStillNarrowTheProbe() throws {
        var query = TestQuery(.inner, within: within(0, .minute))
        query.adsDelay = nil
        let layout = try layout(query)
        #expect(layout.left == PlanLayout.Side(bucketWidthMicros: nil, cellWidthMicros: .minute))
    }

    @Test func bucketsAreWholeCells() throws {
        for width in [1, 999, 1_000, 1_001, 123_457, .second, 59 * .second, .hour, 7 * 24 * .hour] as [Int64] {
            for delay in [0, .second, .minute, .hour] as [Int64] {
                var query = TestQuery(.inner, within: within(-width / 3, width))
                (query.visitsDelay, query.adsDelay) = (delay, delay)
                let layout = try layout(query)
                for side in [layout.left, layout.right] {
                    let (bucket, cell) = (try #require(side.bucketWidthMicros), try #require(side.cellWidthMicros))
                    #expect(bucket % cell == 0)
                    #expect(bucket >= .second)
                }
            }
        }
    }

    @Test func shardsComeFromTheSpecOrAreSixteen() throws {
        var query = TestQuery()
        #expect(try layout(query).shards == 16)
        query.shards = 4
        #expect(try layout(query).shards == 4)
    }

    @Test func aStoredLayoutReplacesTheChosenOne() throws {
        var plan = try #require(TestQuery().plan().physical)
        let stored = PlanLayout(
            shards: 2, left: PlanLayout.Side(bucketWidthMicros: 30, cellWidthMicros: 10),
            right: PlanLayout.Side(bucketWidthMicros: nil, cellWidthMicros: 5))
        plan.layout = stored
        #expect(plan.layout == stored)
        #expect(plan.join?.shards == 2)
        #expect(plan.join?.left.bucketWidthMicros == 30)
        #expect(plan.join?.right.cellWidthMicros == 5)
    }

    @Test func aPlanWithoutAJoinHasNoLayout() throws {
        var query = TestQuery()
        query.hasJoin = false
        query.select = ["visits.visit_id"]
        var plan = try #require(query.plan().physical)
        #expect(plan.layout == nil)
        let side = PlanLayout.Side(bucketWidthMicros: 1, cellWidthMicros: 1)
        plan.layout = PlanLayout(shards: 1, left: side, right: side)
        #expect(plan.join == nil)
    }
}
