// Three-valued logic, exhaustively: every table over true, false and null, as a value, as a filter, over literals
// (which are folded) and over columns (which become jumps).

import SluicePlan
import SluiceSpec
import Testing

@testable import SluiceEngine

private let truths: [Value] = [.boolean(true), .boolean(false), .null]

private func and(_ a: Value, _ b: Value) -> Value {
    if a == .boolean(false) || b == .boolean(false) { return .boolean(false) }
    return a == .null || b == .null ? .null : .boolean(true)
}

private func not(_ a: Value) -> Value {
    if case .boolean(let flag) = a { .boolean(!flag) } else { .null }
}

private func or(_ a: Value, _ b: Value) -> Value { not(and(not(a), not(b))) }

@Suite struct ExpressionLogicTests {
    private func check(_ tree: Tree, _ expected: Value) {
        #expect(value(of: tree) == expected, "\(tree.kind)")
        let (moved, row) = unfolded(tree)
        #expect(holds(moved, [row]) == (expected == .boolean(true)), "\(tree.kind)")
        #expect(holds(tree) == (expected == .boolean(true)), "\(tree.kind)")
        #expect(holds(call(.not, [moved]), [row]) == (expected == .boolean(false)), "not \(tree.kind)")
    }

    @Test func andOrAndNotFollowTheThreeValuedTables() {
        for a in truths {
            check(call(.not, [literal(a, .boolean)]), not(a))
            check(call(.isNull, [literal(a, .boolean)]), .boolean(a == .null))
            check(call(.isNotNull, [literal(a, .boolean)]), .boolean(a != .null))
            for b in truths {
                let operands = [literal(a, .boolean), literal(b, .boolean)]
                check(call(.and, operands), and(a, b))
                check(call(.or, operands), or(a, b))
                for c in truths {
                    let third = literal(c, .boolean)
                    check(call(.and, operands + [third]), and(and(a, b), c))
                    check(call(.or, operands + [third]), or(or(a, b), c))
                    check(call(.and, [call(.or, operands), third]), and(or(a, b), c))
                    check(call(.or, [call(.and, operands), third]), or(and(a, b), c))
                    check(call(.or, [third, call(.not, [call(.and, operands)])]), or(c, not(and(a, b))))
                    check(call(.and, [call(.not, [call(.or, operands)]), third]), and(not(or(a, b)), c))
                }
            }
        }
    }

    @Test func `a chain of one operator is taken from left to right`() {
        let numbers: [(DataType, [Tree])] = [
            (.int, [int(7), int(-2), int(3), int(Int64(Int32.max))]),
            (.long, [long(.max), long(-1), long(2), null(.long)]),
            (.double, [double(0.1), double(-2.5), double(1e300), double(0)]),
            (
                .decimal(precision: 38, scale: 2),
                [150, -1, 7].map { literal(.decimal($0), .decimal(precision: 38, scale: 2)) }
            ),
        ]
        for (type, values) in numbers {
            for function in [Function.add, .subtract, .multiply, .divide, .remainder] {
                for (a, b) in zip(values, values.dropFirst()) {
                    let nested = call(function, [call(function, [a, b], type), a], type)
                    #expect(
                        "\(compute(call(function, [a, b, a], type)))" == "\(compute(nested))", "\(function) \(type)")
                }
            }
        }
        let hour = literal(.duration(3_600_000_000), .duration)
        let later = call(.add, [literal(.timestamp(5), .timestamp), hour, hour, hour], .timestamp)
        #expect(value(of: later) == .timestamp(5 + 3 * 3_600_000_000))
    }

    private static let samples: [(DataType, [Value])] = [
        (.int, [.integer(-1), .integer(0), .integer(7), .null]),
        (.long, [.integer(.min), .integer(0), .integer(.max), .null]),
        (.timestamp, [.timestamp(-1), .timestamp(0), .timestamp(1_704_097_080_000_000), .null]),
        (.date, [.date(-1), .date(19_723), .null]),
        (.boolean, truths),
        (
            .double,
            [.double(-.infinity), .double(-1.5), .double(-0.0), .double(0), .double(.infinity), .double(.nan), .null]
        ),
        (.string, [.string(""), .string("a"), .string("ab"), .string("b"), .string("é"), .string("\u{1F600}"), .null]),
        (.decimal(precision: 38, scale: 2), [.decimal(-150), .decimal(0), .decimal(Int128(10) << 100), .null]),
    ]

    /// Negative, zero, positive.
    private func order(_ a: Value, _ b: Value) -> Int {
        switch (a, b) {
        case (.integer(let x), .integer(let y)), (.timestamp(let x), .timestamp(let y)), (.date(let x), .date(let y)):
            return x < y ? -1 : (x == y ? 0 : 1)
        case (.boolean(let x), .boolean(let y)): return (x ? 1 : 0) - (y ? 1 : 0)
        case (.double(let x), .double(let y)):
            if x.isNaN || y.isNaN { return (x.isNaN ? 1 : 0) - (y.isNaN ? 1 : 0) }
            return x < y ? -1 : (x == y ? 0 : 1)
        case (.string(let x), .string(let y)):
            if Array(x.utf8) == Array(y.utf8) { return 0 }
            return x.utf8.lexicographicallyPrecedes(y.utf8) ? -1 : 1
        case (.decimal(let x), .decimal(let y)): return x < y ? -1 : (x == y ? 0 : 1)
        default: return 0
        }
    }

    @Test func comparisonsFollowSparksOrdersAndAreNullWhenAnOperandIs() {
        let tests: [(Function, (Int) -> Bool)] = [
            (.equal, { $0 == 0 }), (.notEqual, { $0 != 0 }), (.less, { $0 < 0 }), (.lessOrEqual, { $0 <= 0 }),
            (.greater, { $0 > 0 }), (.greaterOrEqual, { $0 >= 0 }),
        ]
        for (type, values) in Self.samples {
            for a in values {
                for b in values {
                    let known = a != .null && b != .null
                    let operands = [literal(a, type), literal(b, type)]
                    for (function, test) in tests {
                        let expected: Value = known ? .boolean(test(order(a, b))) : .null
                        let tree = call(function, operands)
                        check(tree, expected)
                        // One operand a column, the other a literal, both ways round.
                        let row = TestRow([type, type], [a, b])
                        let mixed = call(function, [column(0, type), literal(b, type)])
                        let mirrored = call(function, [literal(a, type), column(1, type)])
                        for tree in [mixed, mirrored] {
                            #expect(compute(tree, [row]) == expected, "\(function) \(a) \(b)")
                            #expect(holds(tree, [row]) == (expected == .boolean(true)), "\(function) \(a) \(b)")
                            #expect(holds(call(.not, [tree]), [row]) == (expected == .boolean(false)))
                        }
                    }
                    let same = known ? order(a, b) == 0 : a == .null && b == .null
                    check(call(.nullSafeEqual, operands), .boolean(same))
                }
            }
        }
    }

    @Test func inIsTrueByAMatchAndNullByANull() {
        let values: [Value] = [.integer(1), .integer(2), .null]
        for needle in values {
            for first in values {
                for second in values {
                    let tree = call(.in, [literal(needle, .int), literal(first, .int), literal(second, .int)])
                    let found = needle != .null && (needle == first || needle == second)
                    let unknown = needle == .null || first == .null || second == .null
                    let expected: Value = found ? .boolean(true) : (unknown ? .null : .boolean(false))
                    check(tree, expected)
                    let computed = call(.add, [literal(needle, .int), int(0)], .int)
                    check(call(.in, [computed, literal(first, .int), literal(second, .int)]), expected)
                }
            }
        }
    }

    @Test func caseTakesTheFirstTrueBranchAndCoalesceTheFirstValue() {
        for a in truths {
            for b in truths {
                let branches = [(literal(a, .boolean), int(1)), (literal(b, .boolean), int(2))]
                let first: Value =
                    a == .boolean(true) ? .integer(1) : (b == .boolean(true) ? .integer(2) : .integer(3))
                let whole = Tree(
                    .caseWhen(branches, otherwise: int(3)), type: .int, isNullable: false, at: somewhere)
                #expect(value(of: whole) == first)
                let open = Tree(.caseWhen(branches, otherwise: nil), type: .int, isNullable: true, at: somewhere)
                #expect(value(of: open) == (first == .integer(3) ? .null : first))
                check(call(.coalesce, [literal(a, .boolean), literal(b, .boolean)]), a == .null ? b : a)
            }
        }
    }

    @Test func slotsOfAnAbsentSideReadAsNull() {
        let left = TestRow([.string, .int], [.string("home"), .integer(7)])
        let right = TestRow([.string], [.string("home")])
        let same = call(.equal, [column(0, .string), column(0, .string, input: 1)])
        #expect(holds(same, [left, right]))
        let layouts = [left.layout, right.layout]
        let compiled = CompiledExpression(same, layouts: layouts, zone: .utc, zones: systemTimeZones)
        var scratch = EvaluationScratch()
        #expect(!compiled.isTrue(RowPair(left: left.pointer, right: nil), &scratch))
        #expect(!compiled.isTrue(RowPair(left: nil, right: right.pointer), &scratch))
        #expect(compiled.evaluate(RowPair(left: left.pointer, right: nil), &scratch).isNull)
        let absent = CompiledExpression(
            call(.isNull, [column(0, .string, input: 1)]), layouts: layouts, zone: .utc, zones: systemTimeZones)
        #expect(absent.isTrue(RowPair(left: left.pointer, right: nil), &scratch))
        #expect(!absent.isTrue(RowPair(left: left.pointer, right: right.pointer), &scratch))
    }

    @Test func aFilterOverColumnsBeyondTheFirstNullWordReadsTheRightBits() {
        let types = [DataType](repeating: .long, count: 130)
        let values = (0..<130).map { $0 % 3 == 0 ? Value.null : .integer(Int64($0)) }
        let row = TestRow(types, values)
        for index in 0..<130 {
            #expect(compute(column(index, .long), [row]) == values[index])
            #expect(holds(call(.equal, [column(index, .long), long(Int64(index))]), [row]) == (index % 3 != 0))
            #expect(holds(call(.isNull, [column(index, .long)]), [row]) == (index % 3 == 0))
        }
    }
}
