// What tune says that no trigger changes: for every join of a chain when its unmatched rows can come out, whatever
// stands above it.

import QueryTesting
import SluicePlan
import SluiceRuntime
import Testing

@testable import SluiceAdvice

@Suite struct LatencyFloorsTests {
    private func floors(_ spec: String) throws -> [String] {
        let planned = try #require(try TestedQuery(spec).loaded.plans.first)
        return try #require(planned.result.physical).latencyFloors
    }

    @Test func `Each join of a chain has its own`() throws {
        var spec = JoinSpecText(within: "r.t between l.t and l.t + 10s", leftDelay: "3s", rightDelay: "2s")
        spec.thirdJoin = "type: inner, keys: { l.k: s.k }, within: s.t between l.t and l.t + 1m"
        let lower = try floors(spec.text)
        #expect(lower.count == 1 && lower[0].hasPrefix("Unmatched rows of l come out 13 s after t"), "\(lower)")
        spec.thirdJoin = "type: left outer, keys: { l.k: s.k }, within: s.t between l.t and l.t + 1m"
        let both = try floors(spec.text)
        #expect(both.count == 2 && both[0] == lower[0], "\(both)")
        #expect(both.last?.contains("come out 1 min 13 s 1 ms after") == true, "\(both)")
    }

    @Test func `A table on top takes none away`() throws {
        let spec = JoinSpecText(type: "left outer", leftDelay: "3s", rightDelay: "2s").text
            .replacing(
                "    select:",
                with: "      - { with: d, type: left outer, keys: { l.k: d.k } }\n    select:"
            )
            .replacing(
                "queries:", with: "tables:\n  d: { file: { path: /in/d }, columns: { k: string, n: string } }\nqueries:"
            )
        #expect(try floors(spec).count == 1)
    }
}
