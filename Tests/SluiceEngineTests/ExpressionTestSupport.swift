// Rows, expressions and a slow, obvious evaluator for the tests of Expressions and Encode.

import SluicePlan
import SluiceSpec

@testable import SluiceEngine

typealias Tree = Expression<ColumnSlot>

/// One packed row and the memory it stands in.
final class TestRow {
    private var arena = ByteBuffer()
    let layout: RowLayout

    init(_ types: [DataType], _ values: [Value]) {
        layout = RowLayout(types: types)
        var builder = RowBuilder(layout: layout)
        builder.begin(&arena)
        for (index, value) in values.enumerated() {
            switch value {
            case .null: break
            case .string(let text): Array(text.utf8).withUnsafeBytes { builder.set(index, bytes: $0, in: &arena) }
            case .decimal(let digits): builder.set(index, decimal: digits, in: &arena)
            case .double(let number): builder.set(index, bits: number.bitPattern, in: &arena)
            case .boolean(let flag): builder.set(index, integer: flag ? 1 : 0, in: &arena)
            case .integer(let number), .timestamp(let number), .date(let number), .duration(let number):
                builder.set(index, integer: number, in: &arena)
            }
        }
        _ = builder.finish(&arena)
    }

    /// One string column, of bytes that need not be UTF-8.
    init(bytes: [UInt8]) {
        layout = RowLayout(types: [.string])
        var builder = RowBuilder(layout: layout)
        builder.begin(&arena)
        bytes.withUnsafeBytes { builder.set(0, bytes: $0, in: &arena) }
        _ = builder.finish(&arena)
    }

    var pointer: UnsafeRawPointer { UnsafeRawPointer(arena.base) }
}

// MARK: Expressions

let somewhere = SourcePosition(file: "test", line: 1, column: 1)

func literal(_ value: Value, _ type: DataType) -> Tree {
    Tree(.literal(value), type: type, isNullable: value == .null, at: somewhere)
}

func column(_ index: Int, _ type: DataType, input: Int = 0) -> Tree {
    Tree(.column(ColumnSlot(input: input, index: index)), type: type, isNullable: true, at: somewhere)
}

func call(_ function: Function, _ operands: [Tree], _ type: DataType = .boolean) -> Tree {
    Tree(.call(function, operands), type: type, isNullable: true, at: somewhere)
}

func cast(_ operand: Tree, _ type: DataType) -> Tree {
    Tree(.cast(operand), type: type, isNullable: true, at: somewhere)
}

func int(_ value: Int64) -> Tree { literal(.integer(value), .int) }
func long(_ value: Int64) -> Tree { literal(.integer(value), .long) }
func double(_ value: Double) -> Tree { literal(.double(value), .double) }
func text(_ value: String) -> Tree { literal(.string(value), .string) }
func null(_ type: DataType) -> Tree { literal(.null, type) }

/// What the compiled expression gives for a row of each input.
/// Casts and calendars are in `zone`.
func compute(_ tree: Tree, _ rows: [TestRow?] = [nil], zone: TimeZoneRules = .utc) -> Value {
    let layouts = rows.map { $0?.layout ?? RowLayout(types: []) }
    let compiled = CompiledExpression(
        tree, layouts: layouts, zone: zone, calendarZone: zone, zones: systemTimeZones)
    var scratch = EvaluationScratch()
    let pair = RowPair(left: rows[0]?.pointer, right: rows.count > 1 ? rows[1]?.pointer : nil)
    return Value(compiled.evaluate(pair, &scratch), type: tree.type)
}

/// Whether the compiled expression holds as a filter.
func holds(_ tree: Tree, _ rows: [TestRow?] = [nil]) -> Bool {
    let layouts = rows.map { $0?.layout ?? RowLayout(types: []) }
    let compiled = CompiledExpression(tree, layouts: layouts, zone: .utc, zones: systemTimeZones)
    var scratch = EvaluationScratch()
    return compiled.isTrue(RowPair(left: rows[0]?.pointer, right: rows.count > 1 ? rows[1]?.pointer : nil), &scratch)
}

/// The same expression with every literal moved into a column of a row, so that nothing is folded.
func unfolded(_ tree: Tree) -> (Tree, TestRow) {
    var types: [DataType] = []
    var values: [Value] = []
    func move(_ tree: Tree) -> Tree {
        var result = tree
        switch tree.kind {
        case .literal(let value):
            types.append(tree.type)
            values.append(value)
            return column(types.count - 1, tree.type)
        case .column: return tree
        case .call(let function, let operands): result.kind = .call(function, operands.map(move))
        case .cast(let operand): result.kind = .cast(move(operand))
        case .caseWhen(let branches, let otherwise):
            result.kind = .caseWhen(
                branches.map { (move($0.condition), move($0.value)) }, otherwise: otherwise.map(move))
        }
        return result
    }
    let moved = move(tree)
    return (moved, TestRow(types, values))
}

/// The value of an expression over literals, computed at compile time and over columns: both must agree.
func value(of tree: Tree, zone: TimeZoneRules = .utc) -> Value? {
    let folded = compute(tree, zone: zone)
    let (moved, row) = unfolded(tree)
    let computed = compute(moved, [row], zone: zone)
    // NaN is not itself in Swift.
    return "\(folded)" == "\(computed)" ? folded : nil
}
