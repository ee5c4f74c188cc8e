// The plan of the job that the project is measured by.

import SluicePlan
import SluiceSpec
import Testing

@Suite struct SeedPlanTests {
    @Test func theSeedJobIsPlannedWithSparksThresholds() throws {
        let result = TestQuery().plan()
        #expect(result.diagnostics.isEmpty)
        let plan = try #require(result.physical)
        let join = try #require(plan.join)
        #expect(join.type == .leftOuter)
        #expect(join.bounds == TimeBounds(lower: 0, upper: 2 * .minute))
        #expect(join.left.eviction == EvictionRule(offsetMicros: -2 * .minute, isInclusive: true))
        #expect(join.right.eviction == EvictionRule(offsetMicros: 0, isInclusive: true))
        #expect(join.shards == 16)
        #expect(join.residual == nil)
        #expect(join.left.isPreserved)
        #expect(!join.right.isPreserved)
    }

    @Test func theSeedJobKeepsOnlyTheColumnsItNeedsInTheOrderOfTheirNames() throws {
        let plan = try #require(TestQuery().plan().physical)
        let join = try #require(plan.join)
        #expect(plan.inputs.map(\.source) == ["visits", "ads"])
        #expect(plan.inputs[0].columns.map(\.name) == ["event_time", "page", "visit_id"])
        #expect(plan.inputs[0].columns.map(\.declaredIndex) == [1, 2, 0])
        #expect(plan.inputs[1].columns.map(\.name) == ["campaign_name", "display_time", "page"])
        #expect(join.left.stateColumnCount == 3)
        #expect(join.right.stateColumnCount == 3)
        #expect(join.keys == [JoinKey(left: 1, right: 2, isNullSafe: false)])
        #expect(join.left.joinTime == 0)
        #expect(join.right.joinTime == 1)
    }

    @Test func theSeedJobKeepsVisitsTwelveMinutesAndAdsTen() throws {
        let plan = try #require(TestQuery().plan().physical)
        #expect(plan.retention(of: .left)?.totalMicros == 12 * .minute)
        #expect(plan.retention(of: .right)?.totalMicros == 10 * .minute)
        #expect(plan.join?.left.cellWidthMicros == 2 * .minute)
        #expect(plan.join?.left.bucketWidthMicros == 2 * .minute)
    }
}
