// The static checks: what Spark refuses, and the traps it leaves open.

import SluicePlan
import SluiceSpec
import Testing

private let left = column("visits.event_time")
private let right = column("ads.display_time")
private let upperOnly = right <= left + duration(5 * .second)
private let lowerOnly = right >= left

@Suite struct JoinChecksTests {
    private func codes(_ query: TestQuery) -> [String] {
        query.plan().diagnostics.map { "\($0.severity.rawValue) \($0.code)" }
    }

    private func change(_ type: JoinType, within: Condition?, _ change: (inout TestQuery) -> Void = { _ in })
        -> TestQuery
    {
        var query = TestQuery(type, within: within)
        change(&query)
        return query
    }

    @Test func everyJoinTypeWithBothBoundsAndWatermarksIsFine() {
        for type in JoinType.allCases { #expect(codes(TestQuery(type)) == [], "\(type)") }
    }

    @Test func aJoinWithoutATimeConditionIsRefusedUnlessItIsInner() {
        for type in JoinType.allCases {
            let expected = type == .inner ? "warning state-grows" : "error unmatched-never-emitted"
            #expect(codes(TestQuery(type, within: nil)) == [expected], "\(type)")
            #expect((TestQuery(type, within: nil).plan().physical == nil) == (type != .inner), "\(type)")
        }
    }

    @Test func boundsInOneDirectionAreRefusedWhenTheyLeaveAPreservedSideUnbounded() {
        let refused = "error unmatched-never-emitted"
        let warned = "warning state-grows"
        // Only an upper bound: left rows leave, right rows stay.
        let upper: [JoinType: String] = [.rightOuter: refused, .fullOuter: refused]
        let lower: [JoinType: String] = [
            .leftOuter: refused, .leftSemi: refused, .leftAnti: refused, .fullOuter: refused,
        ]
        for type in JoinType.allCases {
            #expect(codes(TestQuery(type, within: upperOnly)) == [upper[type] ?? warned], "\(type)")
            #expect(codes(TestQuery(type, within: lowerOnly)) == [lower[type] ?? warned], "\(type)")
        }
    }

    @Test func aWarningNamesTheSideThatGrowsAndTheBoundThatIsMissing() throws {
        let diagnostic = try #require(TestQuery(.leftOuter, within: upperOnly).plan().diagnostics.first)
        #expect(
            diagnostic.message
                == "state grows for ever: rows of `ads` never leave it, as the join puts no bound on how "
                + "long after a row of `ads` its partner may come")
        #expect(diagnostic.fix == "add a lower bound, such as `ads.display_time >= visits.event_time`")
    }

    @Test func aWatermarkOnOneSideOnlyIsRefusedForOuterJoinsWhicheverSideItIs() throws {
        for type in JoinType.allCases where type != .inner {
            #expect(
                codes(change(type, within: TestQuery.seedBounds) { $0.adsDelay = nil }) == [
                    "error unmatched-never-emitted"
                ], "\(type)")
            #expect(
                codes(change(type, within: TestQuery.seedBounds) { $0.visitsDelay = nil }) == [
                    "error unmatched-never-emitted"
                ], "\(type)")
        }
        let query = change(.leftOuter, within: TestQuery.seedBounds) { $0.visitsDelay = nil }
        let diagnostic = try #require(query.plan().diagnostics.first)
        #expect(
            diagnostic.message
                == "this left outer join lacks a watermark on `visits`, so unmatched rows of `visits` would never "
                + "come out"
        )
        #expect(diagnostic.fix == "give `visits` a `watermark: { column: event_time, delay: 10 minutes }`")
    }

    @Test func anInnerJoinWithoutBothWatermarksIsWarnedAbout() {
        #expect(codes(change(.inner, within: TestQuery.seedBounds) { $0.adsDelay = nil }) == ["warning state-grows"])
    }

    @Test func aWindowOrTimeKeyWithOneWatermarkIsEnough() {
        for type in JoinType.allCases {
            #expect(codes(change(type, within: nil) { ($0.window, $0.adsDelay) = (.minute, nil) }) == [], "\(type)")
            let key = change(type, within: nil) {
                $0.keys.append(("visits.event_time", "ads.display_time"))
                $0.visitsDelay = nil
            }
            #expect(codes(key) == [], "\(type)")
        }
    }

    @Test func aWindowWithoutAnyWatermarkIsRefusedForOuterJoins() {
        let query = change(.leftOuter, within: nil) {
            ($0.window, $0.adsDelay, $0.visitsDelay) = (.minute, nil, nil)
        }
        #expect(codes(query) == ["error unmatched-never-emitted"])
    }

    @Test func emptyBoundsAreRefused() {
        let query = TestQuery(.inner, within: all(right >= left + duration(2), right <= left + duration(1)))
        #expect(codes(query) == ["error empty-bounds"])
        #expect(codes(TestQuery(.inner, within: all(right > left, right <= left))) == ["error empty-bounds"])
        #expect(codes(TestQuery(.inner, within: all(right >= left, right <= left))) == [])
    }

    @Test func aRangeThatContradictsTheTimeKeyIsRefused() {
        let query = change(.inner, within: right > left) { $0.keys.append(("visits.event_time", "ads.display_time")) }
        #expect(codes(query) == ["error empty-bounds"])
    }

    @Test func aJoinWithoutAnyEqualityIsRefused() {
        #expect(codes(change(.inner, within: TestQuery.seedBounds) { $0.keys = [] }) == ["error join-without-equality"])
    }

    @Test func anEqualityInTheJoinsWhereIsEnough() {
        let query = change(.inner, within: TestQuery.seedBounds) {
            $0.keys = []
            $0.joinFilter = call(.equal, column("visits.page", .string), column("ads.page", .string))
        }
        #expect(codes(query) == [])
    }

    @Test func aNullSafeTimeKeyIsNamedAsTheCause() throws {
        let query = change(.leftOuter, within: nil) {
            $0.keys = [("visits.event_time", "ads.display_time")]
            $0.isNullSafe = true
        }
        let diagnostic = try #require(query.plan().diagnostics.first)
        #expect(diagnostic.code == "unmatched-never-emitted")
        #expect(diagnostic.fix?.contains("null_safe") == true)
    }

    @Test func aTimeWrappedInAFunctionIsNamedAsTheCause() throws {
        let ends = [left, right].map { call(.windowEnd, $0, duration(.minute), type: .timestamp) }
        let query = change(.leftOuter, within: nil) { $0.joinFilter = call(.equal, ends[0], ends[1]) }
        let diagnostic = try #require(query.plan().diagnostics.first { $0.severity == .error })
        #expect(diagnostic.code == "unmatched-never-emitted")
        #expect(diagnostic.fix?.contains("`window`") == true)
    }

    @Test func aSemiJoinsRightColumnsAreNotThereAfterwards() {
        for type in [JoinType.leftSemi, .leftAnti] {
            #expect(
                codes(change(type, within: TestQuery.seedBounds) { $0.select.append("ads.cost") }) == [
                    "error unknown-column"
                ])
        }
    }

    @Test func unknownNamesAreErrorsAndNotTraps() {
        #expect(
            codes(change(.inner, within: TestQuery.seedBounds) { $0.select = ["visits.nothing"] }) == [
                "error unknown-column"
            ])
        let query = TestQuery()
        var spec = query.spec
        spec.sources.removeFirst()
        #expect(Planner.plan(query: spec.queries[0], in: spec).diagnostics.map(\.code) == ["unknown-source"])
    }

    @Test func anInputIsJoinedOnce() {
        let spec = TestQuery().spec
        var query = spec.queries[0]
        query.joins.append(query.joins[0])
        #expect(Planner.plan(query: query, in: spec).diagnostics.map(\.code) == ["self-join"])
    }

    @Test func findingsPointAtTheJoinsType() throws {
        let text = """
            sluice: 1
            sources:
              a: { file: { path: a }, format: json, columns: { k: string, t: timestamp }, event_time: t }
              b: { file: { path: b }, format: json, columns: { k: string, u: timestamp }, event_time: u }
            sinks: { out: { stdout: {}, format: json } }
            queries:
              q:
                from: a
                join:
                  - with: b
                    type: left outer
                    keys: k
                select: [t, u]
                to: out
            """
        let spec = try #require(readSpec(text).spec)
        let diagnostic = try #require(Planner.plan(query: spec.queries[0], in: spec).diagnostics.first)
        #expect(diagnostic.position.line == 11)
        #expect(diagnostic.position.column == 15)
        #expect(diagnostic.length == 10)
    }
}
