// Calls of functions, checked by the table of functions.

extension TypeChecker {
    private static let foreignFunctions = [
        "ceiling": "ceil", "pow": "power", "signum": "sign", "sgn": "sign", "regexp": "rlike", "regexp_like": "rlike",
        "sha": "sha2", "sha1": "sha2", "sha256": "sha2", "from_unixtime": "timestamp_seconds", "dayofmonth": "day",
        "unix_timestamp": "unix_millis", "unix_micros": "unix_millis", "trunc": "date_trunc", "date": "to_date",
        "starts_with": "startswith", "ends_with": "endswith", "split": "split_part", "xxhash64": "hash",
        "json_extract": "get_json_object", "json_value": "get_json_object", "translate": "replace",
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
        guard let definition = FunctionDefinition.named(name) else {
            for operand in operands { _ = check(operand) }
            unknown(name, nameRange)
            return nil
        }
        switch definition.rule {
        case .fixed(let function, let parameters, let type, let mayFail):
            let required = parameters.count { $0.omitted == nil }
            guard hasCount(operands, required...parameters.count, definition, syntax) else { return nil }
            var values = zip(operands, parameters).map { argument($0, $1.kind, definition) }
            values += parameters.dropFirst(operands.count).compactMap(\.omitted).map {
                literal($0, .string, syntax)
            }
            let checked = values.compactMap { $0 }
            guard checked.count == parameters.count else { return nil }
            return call(function, checked, type, syntax, isNullable: mayFail ? true : nil)
        case .own(let counts, let check):
            guard hasCount(operands, counts, definition, syntax) else { return nil }
            return check(self, definition, operands, syntax)
        }
    }

    private func argument(
        _ operand: Syntax, _ kind: FunctionDefinition.Parameter.Kind, _ definition: FunctionDefinition
    ) -> TypedExpression? {
        switch kind {
        case .text: string(operand, of: definition.name)
        case .int: integer(operand, of: definition.name)
        case .integral: integral(operand, definition)
        case .double: number(operand, of: definition.name).map { converted($0, .double) }
        case .time: time(operand, definition)
        case .timestamp: time(operand, definition, takesDates: false)
        case .regularExpression: regularExpression(operand, definition)?.expression
        case .timeUnit: timeUnit(operand, definition)
        case .jsonPath: jsonPath(operand, definition)
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
        let names = FunctionDefinition.all.map(\.name)
        let foreign = Self.foreignFunctions[name.lowercased()].map { "did you mean `\($0)`?" }
        report(
            .unknownFunction, range, "no function `\(shown)`",
            fix: foreign ?? suggestion(for: name, in: names) ?? "functions are \(names.joined(separator: ", "))")
    }

    private func hasCount(
        _ operands: [Syntax], _ counts: ClosedRange<Int>, _ definition: FunctionDefinition, _ syntax: Syntax
    ) -> Bool {
        if counts.contains(operands.count) { return true }
        let given = operands.count == 1 ? "1 argument" : "\(operands.count) arguments"
        report(.badArgument, syntax.range, "\(given), where `\(definition.usage)` is the form")
        return false
    }

    func coalesce(_ operands: [Syntax], _ syntax: Syntax) -> TypedExpression? {
        let checked: [Checked] = operands.compactMap { operand in check(operand).map { ($0, operand) } }
        guard checked.count == operands.count, let values = unified(checked, what: "`coalesce`", syntax) else {
            return nil
        }
        return call(.coalesce, values, values[0].type, syntax, isNullable: values.allSatisfy(\.isNullable))
    }

    func concat(_ operands: [Syntax], _ syntax: Syntax) -> TypedExpression? {
        let texts = operands.map { asText($0, of: "concat") }
        let values = texts.compactMap { $0 }
        return values.count == texts.count ? call(.concat, values, .string, syntax) : nil
    }

    func substring(_ operands: [Syntax], _ syntax: Syntax) -> TypedExpression? {
        let text = string(operands[0], of: "substring")
        let numbers = operands.dropFirst().map { integer($0, of: "substring") }
        let values = [text] + numbers
        guard !values.contains(where: { $0 == nil }) else { return nil }
        return call(.substring, values.compactMap { $0 }, .string, syntax)
    }

    func integer(_ operand: Syntax, of what: String) -> TypedExpression? {
        guard let value = check(operand).map({ typedNull($0, .int) }) else { return nil }
        guard value.type == .int else {
            report(
                .badArgument, operand.range, "`\(what)` wants an int here, and this is \(article(value.type))",
                fix: value.type.isNumeric ? "write `cast(\(text.shown(operand.range)) as int)`" : nil)
            return nil
        }
        return value
    }

    func number(_ operand: Syntax, of what: String) -> TypedExpression? {
        guard let value = check(operand).map({ typedNull($0, .double) }) else { return nil }
        guard value.type.isNumeric else {
            report(.badArgument, operand.range, "`\(what)` wants a number, and this is \(article(value.type))")
            return nil
        }
        return value
    }

    func abs(_ operands: [Syntax], _ syntax: Syntax) -> TypedExpression? {
        return number(operands[0], of: "abs").map { call(.abs, [$0], $0.type, syntax) }
    }

    /// `round(x)` is `round(x, 0)`. The result's decimal type is that of Spark's RoundBase.
    func round(_ operands: [Syntax], _ syntax: Syntax) -> TypedExpression? {
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
        return call(.round, [value, digits], type, syntax)
    }

    func window(
        _ function: Function, _ definition: FunctionDefinition, _ operands: [Syntax], _ syntax: Syntax
    ) -> TypedExpression? {
        let name = definition.name
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
