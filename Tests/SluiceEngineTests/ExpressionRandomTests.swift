// Random expressions over random rows, against an evaluator that walks the tree: one case per function, nothing
// compiled, nothing shared with the code under test. What it catches that the tables cannot: jumps to the wrong place,
// registers that overwrite each other, and folding that differs from running.

import SluicePlan
import SluiceSpec
import SluiceSystem
import Testing

@testable import SluiceEngine

// MARK: The obvious evaluator

private func evaluate(_ tree: Tree, _ rows: [[Value]?]) -> Value {
    switch tree.kind {
    case .literal(let value): return value
    case .column(let slot): return rows[slot.input]?[slot.index] ?? .null
    case .cast(let operand): return convert(evaluate(operand, rows), to: tree.type)
    case .caseWhen(let branches, let otherwise):
        for branch in branches where evaluate(branch.condition, rows) == .boolean(true) {
            return evaluate(branch.value, rows)
        }
        return otherwise.map { evaluate($0, rows) } ?? .null
    case .call(let function, let operands):
        return apply(function, operands.map { evaluate($0, rows) }, tree.type)
    }
}

private func apply(_ function: Function, _ values: [Value], _ type: DataType) -> Value {
    switch function {
    case .and:
        return values.contains(.boolean(false)) ? .boolean(false) : (values.contains(.null) ? .null : .boolean(true))
    case .or:
        return values.contains(.boolean(true)) ? .boolean(true) : (values.contains(.null) ? .null : .boolean(false))
    case .isNull: return .boolean(values[0] == .null)
    case .isNotNull: return .boolean(values[0] != .null)
    case .coalesce: return values.first { $0 != .null } ?? .null
    case .nullSafeEqual:
        if values.contains(.null) { return .boolean(values[0] == values[1]) }
        return .boolean(order(values[0], values[1]) == 0)
    case .in:
        guard values[0] != .null else { return .null }
        let others = values.dropFirst()
        if others.contains(where: { $0 != .null && order(values[0], $0) == 0 }) { return .boolean(true) }
        return others.contains(.null) ? .null : .boolean(false)
    default: return values.contains(.null) ? .null : applyToValues(function, values, type)
    }
}

private func applyToValues(_ function: Function, _ values: [Value], _ type: DataType) -> Value {
    let sign = values.count == 2 ? order(values[0], values[1]) : 0
    switch function {
    case .equal: return .boolean(sign == 0)
    case .notEqual: return .boolean(sign != 0)
    case .less: return .boolean(sign < 0)
    case .lessOrEqual: return .boolean(sign <= 0)
    case .greater: return .boolean(sign > 0)
    case .greaterOrEqual: return .boolean(sign >= 0)
    case .not:
        if case .boolean(let flag) = values[0] { return .boolean(!flag) }
        return .null
    case .concat: return .string(values.map(string).joined())
    case .lower: return .string(string(values[0]).lowercased())
    case .upper: return .string(string(values[0]).uppercased())
    case .trim:
        let text = string(values[0])
        return .string(String(text.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()))
    case .length: return .integer(Int64(string(values[0]).unicodeScalars.count))
    case .substring:
        let scalars = Array(string(values[0]).unicodeScalars)
        let (position, length) = (Int(integer(values[1])), Int(integer(values[2])))
        let start = position > 0 ? position - 1 : (position < 0 ? scalars.count + position : 0)
        let kept = scalars.indices.filter { $0 >= start && $0 < start + length }.map { scalars[$0] }
        return .string(String(String.UnicodeScalarView(kept)))
    case .like:
        return .boolean(isLike(Array(string(values[0]).unicodeScalars), Array(string(values[1]).unicodeScalars)))
    case .windowStart, .windowEnd:
        let (time, width) = (integer(values[0]), integer(values[1]))
        var start = time / width * width
        if start > time { start -= width }
        return .timestamp(function == .windowStart ? start : start + width)
    default: return arithmetic(function, values, type)
    }
}

private func arithmetic(_ function: Function, _ values: [Value], _ type: DataType) -> Value {
    if type == .double {
        let x = number(values[0])
        let y = values.count > 1 ? number(values[1]) : 0
        switch function {
        case .add: return .double(x + y)
        case .subtract: return .double(x - y)
        case .multiply: return .double(x * y)
        case .divide: return y == 0 ? .null : .double(x / y)
        case .remainder: return y == 0 ? .null : .double(x.truncatingRemainder(dividingBy: y))
        case .negate: return .double(-x)
        default: return .double(x.magnitude)
        }
    }
    let x = Int128(integer(values[0]))
    let y = values.count > 1 ? Int128(integer(values[1])) : 0
    let result: Int128
    switch function {
    case .add: result = x + y
    case .subtract: result = x - y
    case .multiply: result = x * y
    case .remainder:
        if y == 0 { return .null }
        result = x % y
    case .negate: result = -x
    default: result = x < 0 ? -x : x
    }
    if type == .int { return Int32(exactly: result).map { .integer(Int64($0)) } ?? .null }
    guard let whole = Int64(exactly: result) else { return .null }
    return type == .timestamp ? .timestamp(whole) : .integer(whole)
}

private func convert(_ value: Value, to type: DataType) -> Value {
    switch (value, type) {
    case (.null, _): return .null
    case (.integer(let number), .string): return .string(String(number))
    case (.boolean(let flag), .string): return .string(flag ? "true" : "false")
    case (.integer(let number), .double): return .double(Double(number))
    case (.integer(let number), .int): return Int32(exactly: number) == nil ? .null : value
    case (.integer(let number), .boolean): return .boolean(number != 0)
    case (.boolean(let flag), .int), (.boolean(let flag), .long): return .integer(flag ? 1 : 0)
    case (.string(let text), .long):
        let trimmed = text.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()
        return Int64(String(trimmed)).map { .integer($0) } ?? .null
    default: return value
    }
}

/// Backtracking, one character of text for `_`, any number for `%`.
private func isLike(_ text: [Unicode.Scalar], _ pattern: [Unicode.Scalar]) -> Bool {
    guard let first = pattern.first else { return text.isEmpty }
    let rest = Array(pattern.dropFirst())
    if first == "%" { return (0...text.count).contains { isLike(Array(text.dropFirst($0)), rest) } }
    guard let head = text.first else { return false }
    return (first == "_" || first == head) && isLike(Array(text.dropFirst()), rest)
}

private func order(_ a: Value, _ b: Value) -> Int {
    switch (a, b) {
    case (.string(let x), .string(let y)):
        return x.utf8.elementsEqual(y.utf8) ? 0 : (x.utf8.lexicographicallyPrecedes(y.utf8) ? -1 : 1)
    case (.double(let x), .double(let y)):
        if x.isNaN || y.isNaN { return (x.isNaN ? 1 : 0) - (y.isNaN ? 1 : 0) }
        return x < y ? -1 : (x > y ? 1 : 0)
    default: return (integer(a) < integer(b) ? -1 : (integer(a) > integer(b) ? 1 : 0))
    }
}

private func string(_ value: Value) -> String { if case .string(let text) = value { text } else { "" } }

private func number(_ value: Value) -> Double { if case .double(let number) = value { number } else { 0 } }

private func integer(_ value: Value) -> Int64 {
    switch value {
    case .integer(let number), .timestamp(let number), .date(let number), .duration(let number): number
    case .boolean(let flag): flag ? 1 : 0
    case .null, .string, .double, .decimal: 0
    }
}

// MARK: Random trees

private struct TreeMaker {
    static let types: [DataType] = [.boolean, .int, .long, .double, .string, .timestamp]
    var random: SplitMix64
    /// The columns of the two inputs.
    var columns: [[DataType]] = [[], []]

    init(seed: UInt64) {
        random = SplitMix64(seed: seed)
        for input in 0...1 {
            columns[input] = (0..<Int.random(in: 1...70, using: &random)).map { _ in
                Self.types.randomElement(using: &random)!
            }
        }
    }

    mutating func row(_ input: Int) -> [Value] { columns[input].map { value($0) } }

    mutating func value(_ type: DataType) -> Value {
        if Int.random(in: 0..<4, using: &random) == 0 { return .null }
        switch type {
        case .boolean: return .boolean(.random(using: &random))
        case .int:
            return .integer([-7, -1, 0, 1, 2, 7, Int64(Int32.max), Int64(Int32.min)].randomElement(using: &random)!)
        case .long: return .integer([-7, -1, 0, 1, 2, 7, .max, .min].randomElement(using: &random)!)
        case .double:
            return .double([-1.5, -0.0, 0, 0.5, 2, .infinity, -.infinity, .nan, 1e300].randomElement(using: &random)!)
        case .timestamp: return .timestamp(.random(in: -20_000_000...20_000_000, using: &random))
        default: return .string(["", "a", "ab", "A b ", " 12 ", "é", "日本", "12", "a%b"].randomElement(using: &random)!)
        }
    }

    mutating func leaf(_ type: DataType) -> Tree {
        let input = Int.random(in: 0...1, using: &random)
        let candidates = columns[input].indices.filter { columns[input][$0] == type }
        if let index = candidates.randomElement(using: &random), Int.random(in: 0..<3, using: &random) > 0 {
            return column(index, type, input: input)
        }
        return literal(value(type), type)
    }

    mutating func tree(_ type: DataType, depth: Int) -> Tree {
        if depth == 0 || Int.random(in: 0..<8, using: &random) == 0 { return leaf(type) }
        switch Int.random(in: 0..<8, using: &random) {
        case 0:
            let count = Int.random(in: 1...3, using: &random)
            let branches = (0..<count).map { _ in (tree(.boolean, depth: depth - 1), tree(type, depth: depth - 1)) }
            let otherwise = Bool.random(using: &random) ? tree(type, depth: depth - 1) : nil
            return Tree(.caseWhen(branches, otherwise: otherwise), type: type, isNullable: true, at: somewhere)
        case 1: return call(.coalesce, operands(type, 1...3, depth), type)
        default: break
        }
        switch type {
        case .boolean: return condition(depth)
        case .string: return textTree(depth)
        case .timestamp:
            if Bool.random(using: &random) {
                let width = literal(.duration([1, 7_000_000, 60_000_000].randomElement(using: &random)!), .duration)
                let function: Function = Bool.random(using: &random) ? .windowStart : .windowEnd
                return call(function, [tree(.timestamp, depth: depth - 1), width], .timestamp)
            }
            let duration = literal(.duration(.random(in: -100...100, using: &random)), .duration)
            return call(.add, [tree(.timestamp, depth: depth - 1), duration], .timestamp)
        case .int where Int.random(in: 0..<4, using: &random) == 0:
            return call(.length, [tree(.string, depth: depth - 1)], .int)
        case .int where Int.random(in: 0..<4, using: &random) == 0: return cast(tree(.long, depth: depth - 1), .int)
        case .long where Int.random(in: 0..<4, using: &random) == 0: return cast(tree(.string, depth: depth - 1), .long)
        case .double where Int.random(in: 0..<4, using: &random) == 0:
            return cast(tree(.int, depth: depth - 1), .double)
        default:
            if Int.random(in: 0..<3, using: &random) == 0 {
                return call(Bool.random(using: &random) ? .negate : .abs, [tree(type, depth: depth - 1)], type)
            }
            var functions: [Function] = [.add, .subtract, .multiply, .remainder]
            if type == .double { functions.append(.divide) }
            return call(functions.randomElement(using: &random)!, operands(type, 2...2, depth), type)
        }
    }

    private mutating func operands(_ type: DataType, _ count: ClosedRange<Int>, _ depth: Int) -> [Tree] {
        (0..<Int.random(in: count, using: &random)).map { _ in tree(type, depth: depth - 1) }
    }

    private mutating func condition(_ depth: Int) -> Tree {
        let type = Self.types.randomElement(using: &random)!
        switch Int.random(in: 0..<9, using: &random) {
        case 0, 1: return call(.and, operands(.boolean, 2...4, depth))
        case 2, 3: return call(.or, operands(.boolean, 2...4, depth))
        case 4: return call(.not, operands(.boolean, 1...1, depth))
        case 5: return call(Bool.random(using: &random) ? .isNull : .isNotNull, operands(type, 1...1, depth))
        case 6: return call(.in, operands(type, 2...5, depth))
        case 7:
            let pattern = ["%", "a%", "%b", "_", "%a%", "__", "é", "a_%", ""].randomElement(using: &random)!
            return call(.like, [tree(.string, depth: depth - 1), text(pattern)])
        default:
            let functions: [Function] = [
                .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual, .nullSafeEqual,
            ]
            return call(functions.randomElement(using: &random)!, operands(type, 2...2, depth))
        }
    }

    private mutating func textTree(_ depth: Int) -> Tree {
        switch Int.random(in: 0..<6, using: &random) {
        case 0: return call(.concat, operands(.string, 1...4, depth), .string)
        case 1: return call(.lower, operands(.string, 1...1, depth), .string)
        case 2: return call(.upper, operands(.string, 1...1, depth), .string)
        case 3: return call(.trim, operands(.string, 1...1, depth), .string)
        case 4: return cast(tree([.int, .long, .boolean].randomElement(using: &random)!, depth: depth - 1), .string)
        default:
            let bounds = (0..<2).map { _ in int(.random(in: -4...4, using: &random)) }
            return call(.substring, [tree(.string, depth: depth - 1)] + bounds, .string)
        }
    }
}

@Suite struct ExpressionRandomTests {
    private func same(_ a: Value, _ b: Value) -> Bool {
        guard case .double(let x) = a, case .double(let y) = b else { return a == b }
        return x.isNaN ? y.isNaN : x.bitPattern == y.bitPattern
    }

    @Test(arguments: 0..<40 as Range<UInt64>)
    func compiledExpressionsAgreeWithATreeWalk(seed: UInt64) {
        var maker = TreeMaker(seed: seed)
        var scratch = EvaluationScratch()
        let layouts = maker.columns.map { RowLayout(types: $0) }
        for _ in 0..<60 {
            let type = TreeMaker.types.randomElement(using: &maker.random)!
            let tree = maker.tree(type, depth: 5)
            let compiled = CompiledExpression(tree, layouts: layouts, zone: .utc, zones: systemTimeZones)
            for _ in 0..<10 {
                var values: [[Value]?] = [maker.row(0), maker.row(1)]
                if Int.random(in: 0..<5, using: &maker.random) == 0 {
                    values[.random(in: 0...1, using: &maker.random)] = nil
                }
                let rows = values.enumerated().map { input, values in values.map { TestRow(maker.columns[input], $0) } }
                let pair = RowPair(left: rows[0]?.pointer, right: rows[1]?.pointer)
                let expected = evaluate(tree, values)
                let result = Value(compiled.evaluate(pair, &scratch), type: type)
                let isTrue = type == .boolean ? compiled.isTrue(pair, &scratch) : expected == .boolean(true)
                guard same(result, expected), isTrue == (expected == .boolean(true)) else {
                    Issue.record("seed \(seed): \(result), not \(expected), of \(tree.kind) over \(values)")
                    return
                }
                withExtendedLifetime(rows) {}
            }
        }
    }
}
