// The rules may not change answers. A reference interpreter, as plain as possible, runs the plan as written and the
// plan after all rules over the same random rows, as if all rows of time were there at once: the results must be the
// same rows. What this cannot catch is when a row comes out and what moves a watermark; the tests of single rules do.

import SluicePlan
import SluiceSpec
import SluiceSystem
import Testing

/// A row over the columns that are there; a missing value is null.
private typealias Row = [ColumnReference: Int64]

private enum Reference {
    static func rows(_ plan: LogicalPlan, _ tables: [String: [Row]]) -> [Row] {
        switch plan {
        case .relation(let relation):
            let names = relation.columns.map { ColumnReference(source: relation.source, column: $0.name) }
            return (tables[relation.source] ?? []).map { row in row.filter { names.contains($0.key) } }
        case .watermark(_, let child): return rows(child, tables)
        case .filter(let filter, let child):
            return rows(child, tables).filter { row in filter.conjuncts.allSatisfy { value($0, row) == 1 } }
        case .deduplicate(_, let child): return rows(child, tables)
        case .project(let columns, let child):
            return rows(child, tables).map { row in
                var projected: Row = [:]
                for column in columns {
                    let source = column.expression.columns.first?.source ?? ""
                    projected[ColumnReference(source: source, column: column.name)] = value(column.expression, row)
                }
                return projected
            }
        case .join(let join, let left, let right):
            return pairs(join, left, right, rows(left, tables), rows(right, tables))
        case .sink(_, let child): return rows(child, tables)
        }
    }

    private static func pairs(
        _ join: Join, _ leftPlan: LogicalPlan, _ rightPlan: LogicalPlan, _ left: [Row], _ right: [Row]
    ) -> [Row] {
        var result: [Row] = []
        var matchedRight: Set<Int> = []
        for l in left {
            var hasMatch = false
            for (index, r) in right.enumerated() {
                let pair = l.merging(r) { first, _ in first }
                guard matches(join, leftPlan, rightPlan, pair) else { continue }
                if join.type.outputs(.right) {
                    result.append(pair)
                } else if join.type == .leftSemi, !hasMatch {
                    result.append(l)
                }
                hasMatch = true
                matchedRight.insert(index)
            }
            if !hasMatch, join.type.preserves(.left) { result.append(l) }
        }
        for (index, r) in right.enumerated() where join.type.preserves(.right) && !matchedRight.contains(index) {
            result.append(r)
        }
        return result
    }

    private static func matches(_ join: Join, _ left: LogicalPlan, _ right: LogicalPlan, _ pair: Row) -> Bool {
        for key in join.keys {
            let (a, b) = (pair[key.left], pair[key.right])
            if key.isNullSafe ? a != b : a == nil || a != b { return false }
        }
        if let window = join.window {
            let times = [
                ColumnReference(source: "visits", column: "event_time"),
                ColumnReference(source: "ads", column: "display_time"),
            ]
            guard let a = pair[times[0]], let b = pair[times[1]], a / window.micros == b / window.micros else {
                return false
            }
        } else if let time = join.time {
            guard let a = pair[time.left], let b = pair[time.right] else { return false }
            if b - a < time.bounds.lower ?? .min || b - a > time.bounds.upper ?? .max { return false }
        }
        let conjuncts = join.conditions + join.leftConditions + join.rightConditions + join.residual
        return conjuncts.allSatisfy { value($0, pair) == 1 }
    }

    /// Three-valued: nil is null, 1 is true, 0 is false.
    static func value(_ expression: Condition, _ row: Row) -> Int64? {
        switch expression.kind {
        case .literal(.integer(let value)), .literal(.duration(let value)): return value
        case .column(let name): return row[name]
        case .call(let function, let operands):
            let values = operands.map { value($0, row) }
            switch function {
            case .and: return values.contains(0) ? 0 : values.contains(nil) ? nil : 1
            case .or: return values.contains(1) ? 1 : values.contains(nil) ? nil : 0
            case .isNull: return values[0] == nil ? 1 : 0
            case .isNotNull: return values[0] == nil ? 0 : 1
            case .nullSafeEqual: return values[0] == values[1] ? 1 : 0
            default: break
            }
            guard let a = values[0] else { return nil }
            if function == .not { return 1 - a }
            guard let b = values[1] else { return nil }
            switch function {
            case .equal: return a == b ? 1 : 0
            case .notEqual: return a != b ? 1 : 0
            case .less: return a < b ? 1 : 0
            case .lessOrEqual: return a <= b ? 1 : 0
            case .greater: return a > b ? 1 : 0
            case .greaterOrEqual: return a >= b ? 1 : 0
            case .add: return a + b
            case .subtract: return a - b
            default: preconditionFailure("not in the pool: \(function)")
            }
        default: preconditionFailure("not in the pool")
        }
    }
}

@Suite struct RewriteEquivalenceTests {
    /// Conditions to draw from, over the columns of the given sides.
    private static let leftPool = [
        column("visits.bytes", .int) > integer(2), call(.isNull, column("visits.user", .long)),
        call(.not, column("visits.page", .string) < integer(1)),
        column("visits.event_time") > duration(3),
    ]
    private static let rightPool = [
        column("ads.cost", .int) < integer(2), call(.isNotNull, column("ads.user", .int)),
        call(.or, column("ads.page", .string) > integer(0), call(.isNull, column("ads.cost", .int))),
        call(.not, call(.isNull, column("ads.display_time"))),
    ]
    private static let pairPool = [
        column("visits.bytes", .int) <= column("ads.cost", .int),
        call(.equal, column("visits.bytes", .int), column("ads.cost", .int)),
        call(.nullSafeEqual, column("ads.cost", .int), column("visits.bytes", .int)),
        call(.not, call(.or, column("visits.bytes", .int) > integer(3), column("ads.cost", .int) > integer(3))),
        column("ads.display_time") - column("visits.event_time") < duration(3),
        call(.or, column("visits.bytes", .int) > integer(1), call(.isNull, column("ads.cost", .int))),
    ]

    private func draw(_ pool: [Condition], _ random: inout SplitMix64) -> Condition? {
        var drawn: Condition?
        for condition in pool where Int.random(in: 0..<4, using: &random) == 0 {
            drawn = drawn.map { all($0, condition) } ?? condition
        }
        return drawn
    }

    private func query(_ random: inout SplitMix64) -> TestQuery {
        var query = TestQuery(
            JoinType.allCases.randomElement(using: &random)!,
            within: all(
                column("ads.display_time") >= column("visits.event_time") - duration(2),
                column("ads.display_time") < column("visits.event_time") + duration(4)))
        query.isNullSafe = Int.random(in: 0..<4, using: &random) == 0
        switch Int.random(in: 0..<5, using: &random) {
        case 0: (query.within, query.window) = (nil, 4)
        case 1:
            query.keys.append(("visits.event_time", "ads.display_time"))
            query.isNullSafe = false
            query.within = nil
        default: break
        }
        let hasRight = query.type != .leftSemi && query.type != .leftAnti
        query.visitsFilter = draw(Self.leftPool, &random)
        query.adsFilter = draw(Self.rightPool, &random)
        query.joinFilter = draw(Self.leftPool + Self.rightPool + Self.pairPool, &random)
        query.queryFilter = draw(Self.leftPool + (hasRight ? Self.rightPool + Self.pairPool : []), &random)
        return query
    }

    private func table(_ source: String, _ columns: [(String, DataType)], _ random: inout SplitMix64) -> [Row] {
        (0..<12).map { _ in
            var row: Row = [:]
            for (name, _) in columns where Int.random(in: 0..<5, using: &random) > 0 {
                row[ColumnReference(source: source, column: name)] = Int64.random(in: 0...5, using: &random)
            }
            return row
        }
    }

    @Test(arguments: 0..<400) func theRulesKeepTheRowsThatComeOut(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let query = query(&random)
        let tables = [
            "visits": table("visits", TestQuery.visit, &random), "ads": table("ads", TestQuery.ad, &random),
        ]
        let result = query.plan()
        let (written, rewritten) = (try #require(result.logical), try #require(result.optimized))
        #expect(!result.diagnostics.contains { $0.severity == .error }, "seed \(seed)")
        func counts(_ plan: LogicalPlan) -> [Row: Int] {
            Reference.rows(plan, tables).reduce(into: [:]) { $0[$1, default: 0] += 1 }
        }
        if counts(written) != counts(rewritten) { Issue.record("seed \(seed):\n\(result.explainText())") }
    }
}
