// The functions a spec can call, one line of rules each.

extension TypeChecker {
    static let functionNames = [
        "coalesce", "lower", "upper", "trim", "length", "substring", "concat", "abs", "round", "window_start",
        "window_end", "cast",
    ]

    private static let foreignFunctions = [
        "ifnull": "coalesce", "nvl": "coalesce", "isnull": "coalesce", "substr": "substring", "lcase": "lower",
        "ucase": "upper", "len": "length", "char_length": "length", "tumble_start": "window_start",
        "tumble_end": "window_end", "window": "window_start", "concat_ws": "concat", "to_lower": "lower",
    ]

    private static let aggregates: Set<String> = [
        "count", "sum", "avg", "mean", "min", "max", "first", "last", "collect_list", "collect_set", "stddev",
        "variance", "median", "approx_count_distinct", "any_value", "string_agg", "array_agg", "row_number", "rank",
        "lag", "lead",
    ]

    func function(
        _ name: String, _ nameRange: Range<Int>, _ operands: [Syntax], _ syntax: Syntax
    ) -> TypedExpression? {
        switch name.lowercased() {
        case "lower": return stringFunction(.lower, .string, name, operands, syntax)
        case "upper": return stringFunction(.upper, .string, name, operands, syntax)
        case "trim": return stringFunction(.trim, .string, name, operands, syntax)
        case "length": return stringFunction(.length, .int, name, operands, syntax)
        case "coalesce": return coalesce(operands, syntax)
        case "concat": return concat(operands, syntax)
        case "substring": return substring(operands, syntax)
        case "abs": return abs(operands, syntax)
        case "round": return round(operands, syntax)
        case "window_start": return window(.windowStart, name, operands, syntax)
        case "window_end": return window(.windowEnd, name, operands, syntax)
        default:
            for operand in operands { _ = check(operand) }
            unknown(name, nameRange)
            return nil
        }
    }

    private func unknown(_ name: String, _ range: Range<Int>) {
        let shown = text.shown(range)
        if Self.aggregates.contains(name.lowercased()) {
            report(
                .unknownFunction, range, "`\(shown)` is an aggregate, and expressions look at one joined row at a time",
                fix: "aggregate in the system that reads the sink")
            return
        }
        let foreign = Self.foreignFunctions[name.lowercased()].map { "did you mean `\($0)`?" }
        report(
            .unknownFunction, range, "no function `\(shown)`",
            fix: foreign ?? suggestion(for: name, in: Self.functionNames, listing: "functions are"))
    }

    private func hasCount(_ operands: [Syntax], _ counts: ClosedRange<Int>, _ usage: String, _ syntax: Syntax) -> Bool {
        if counts.contains(operands.count) { return true }
        report(.badArgument, syntax.range, "\(operands.count) arguments, where `\(usage)` is the form")
        return false
    }

    private func stringFunction(
        _ function: Function, _ type: DataType, _ name: String, _ operands: [Syntax], _ syntax: Syntax
    ) -> TypedExpression? {
        guard hasCount(operands, 1...1, "\(name.lowercased())(text)", syntax) else { return nil }
        return string(operands[0], of: name.lowercased()).map { call(function, [$0], type, syntax) }
    }

    private func coalesce(_ operands: [Syntax], _ syntax: Syntax) -> TypedExpression? {
        guard hasCount(operands, 1...100, "coalesce(a, b, …)", syntax) else { return nil }
        let checked: [Checked] = operands.compactMap { operand in check(operand).map { ($0, operand) } }
        guard checked.count == operands.count, let values = unified(checked, what: "`coalesce`", syntax) else {
            return nil
        }
        return call(.coalesce, values, values[0].type, syntax, isNullable: values.allSatisfy(\.isNullable))
    }

    private func concat(_ operands: [Syntax], _ syntax: Syntax) -> TypedExpression? {
        guard hasCount(operands, 1...100, "concat(a, b, …)", syntax) else { return nil }
        let texts = operands.map { asText($0, of: "concat") }
        let values = texts.compactMap { $0 }
        return values.count == texts.count ? call(.concat, values, .string, syntax) : nil
    }

    private func substring(_ operands: [Syntax], _ syntax: Syntax) -> TypedExpression? {
        guard hasCount(operands, 2...3, "substring(text, position, length)", syntax) else { return nil }
        let text = string(operands[0], of: "substring")
        let numbers = operands.dropFirst().map { integer($0, of: "substring") }
        let values = [text] + numbers
        guard !values.contains(where: { $0 == nil }) else { return nil }
        return call(.substring, values.compactMap { $0 }, .string, syntax)
    }

    private func integer(_ operand: Syntax, of what: String) -> TypedExpression? {
        guard let value = check(operand).map({ typedNull($0, .int) }) else { return nil }
        guard value.type == .int else {
            report(
                .badArgument, operand.range, "`\(what)` wants an int here, and this is \(article(value.type))",
                fix: value.type.isNumeric ? "write `cast(\(text.shown(operand.range)) as int)`" : nil)
            return nil
        }
        return value
    }

    private func number(_ operand: Syntax, of what: String) -> TypedExpression? {
        guard let value = check(operand).map({ typedNull($0, .double) }) else { return nil }
        guard value.type.isNumeric else {
            report(.badArgument, operand.range, "`\(what)` wants a number, and this is \(article(value.type))")
            return nil
        }
        return value
    }

    private func abs(_ operands: [Syntax], _ syntax: Syntax) -> TypedExpression? {
        guard hasCount(operands, 1...1, "abs(number)", syntax) else { return nil }
        return number(operands[0], of: "abs").map { call(.abs, [$0], $0.type, syntax) }
    }

    /// `round(x)` is `round(x, 0)`. The result's decimal type is that of Spark's RoundBase.
    private func round(_ operands: [Syntax], _ syntax: Syntax) -> TypedExpression? {
        guard hasCount(operands, 1...2, "round(number, digits)", syntax) else { return nil }
        guard let value = number(operands[0], of: "round") else { return nil }
        var places: Int64 = 0
        if operands.count == 2 {
            guard let digits = integer(operands[1], of: "round") else { return nil }
            guard case .literal(.integer(let constant)) = digits.kind, (-38...38).contains(constant) else {
                report(.badArgument, operands[1].range, "`round` wants a constant between -38 and 38 here")
                return nil
            }
            places = constant
        }
        var type = value.type
        if case .decimal(let precision, let scale) = value.type {
            let whole = precision - scale + 1
            let kept = min(scale, max(0, Int(places)))
            type =
                places < 0
                ? .decimal(precision: min(38, max(whole, 1 - Int(places))), scale: 0)
                : .decimal(precision: min(38, whole + kept), scale: kept)
        }
        let digits = TypedExpression(.literal(.integer(places)), type: .int, isNullable: false, at: value.position)
        return call(.round, [value, digits], type, syntax, isNullable: value.isNullable)
    }

    private func window(
        _ function: Function, _ name: String, _ operands: [Syntax], _ syntax: Syntax
    ) -> TypedExpression? {
        let name = name.lowercased()
        guard hasCount(operands, 2...2, "\(name)(timestamp, duration)", syntax) else { return nil }
        let time = check(operands[0]).map { $0.type == .date ? converted($0, .timestamp) : typedNull($0, .timestamp) }
        let width = check(operands[1])
        guard let time, let width else { return nil }
        guard time.type == .timestamp else {
            report(.badArgument, operands[0].range, "`\(name)` wants a timestamp, and this is \(article(time.type))")
            return nil
        }
        guard case .literal(.duration(let micros)) = width.kind, micros > 0 else {
            report(
                .badArgument, operands[1].range, "`\(name)` wants a constant duration above zero here",
                fix: "write, for example, `\(name)(\(text.shown(operands[0].range)), 10s)`")
            return nil
        }
        return call(function, [time, width], .timestamp, syntax)
    }
}
