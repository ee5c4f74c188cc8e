// The functions whose arguments want more than a type: constants that are compiled with the plan, and results whose
// type depends on the arguments.

extension TypeChecker {
    // MARK: Choices

    /// Spark compares both in their common type and gives the first as it is.
    func nullIf(_ operands: [Syntax], _ syntax: Syntax) -> TypedExpression? {
        let checked: [Checked] = operands.compactMap { operand in check(operand).map { ($0, operand) } }
        guard checked.count == 2, let values = unified(checked, what: "`nullif`", syntax) else { return nil }
        let first = typedNull(checked[0].expression, values[0].type)
        return call(.nullif, [first, values[1]], first.type, syntax, isNullable: true)
    }

    func extreme(_ function: Function, _ operands: [Syntax], _ syntax: Syntax) -> TypedExpression? {
        let checked: [Checked] = operands.compactMap { operand in check(operand).map { ($0, operand) } }
        guard checked.count == operands.count,
            let values = unified(checked, what: "`\(function.rawValue)`", syntax)
        else { return nil }
        return call(function, values, values[0].type, syntax, isNullable: values.allSatisfy(\.isNullable))
    }

    func castWithoutType(
        _ definition: FunctionDefinition, _ operands: [Syntax], _ syntax: Syntax
    ) -> TypedExpression? {
        report(.badArgument, syntax.range, "a cast without a type", fix: "write `\(definition.usage)`")
        return nil
    }

    func hash(_ operands: [Syntax], _ syntax: Syntax) -> TypedExpression? {
        let checked = operands.map { operand -> TypedExpression? in
            guard let value = check(operand) else { return nil }
            guard value.type != .duration else {
                report(.badArgument, operand.range, "`hash` wants a value of a column's type, and this is a duration")
                return nil
            }
            return typedNull(value, .int)
        }
        let values = checked.compactMap { $0 }
        return values.count == checked.count ? call(.hash, values, .int, syntax, isNullable: false) : nil
    }

    // MARK: Numbers

    /// `floor` and `ceil`: decimals stay decimals (Spark's RoundBase without places), all else becomes a long.
    func wholeNumber(
        _ function: Function, _ definition: FunctionDefinition, _ operands: [Syntax], _ syntax: Syntax
    ) -> TypedExpression? {
        guard let value = number(operands[0], of: definition.name) else { return nil }
        if case .decimal(let precision, let scale) = value.type {
            // Rounding up may take a digit more.
            let type = scale == 0 ? value.type : .decimal(precision: min(38, precision - scale + 1), scale: 0)
            return call(function, [value], type, syntax)
        }
        return call(function, [value.type == .int ? converted(value, .long) : value], .long, syntax)
    }

    func integral(_ operand: Syntax, _ definition: FunctionDefinition) -> TypedExpression? {
        guard let value = check(operand).map({ typedNull($0, .long) }) else { return nil }
        guard value.type == .int || value.type == .long else {
            report(
                .badArgument, operand.range,
                "`\(definition.name)` wants an int or a long, and this is \(article(value.type))",
                fix: value.type.isNumeric ? "write `cast(\(text.shown(operand.range)) as long)`" : nil)
            return nil
        }
        return converted(value, .long)
    }

    // MARK: Times

    /// A timestamp or a date, as it is: which of both decides what the engine does with it.
    func time(_ operand: Syntax, _ definition: FunctionDefinition, takesDates: Bool = true) -> TypedExpression? {
        guard let value = check(operand).map({ typedNull($0, .timestamp) }) else { return nil }
        guard value.type == .timestamp || (takesDates && value.type == .date) else {
            report(
                .badArgument, operand.range,
                "`\(definition.name)` wants a timestamp\(takesDates ? " or a date" : ""), and this is "
                    + article(value.type),
                fix: value.type == .string ? "write `to_timestamp(\(text.shown(operand.range)))`" : nil)
            return nil
        }
        return value
    }

    func timestampSeconds(
        _ definition: FunctionDefinition, _ operands: [Syntax], _ syntax: Syntax
    ) -> TypedExpression? {
        guard let value = number(operands[0], of: definition.name) else { return nil }
        let seconds = value.type == .int ? converted(value, .long) : value
        return call(.timestampSeconds, [seconds], .timestamp, syntax, isNullable: true)
    }

    /// `to_timestamp` and `to_date`, of text or of the other type of time.
    func readTime(
        _ function: Function, _ definition: FunctionDefinition, _ operands: [Syntax], _ syntax: Syntax
    ) -> TypedExpression? {
        let type: DataType = function == .toDate ? .date : .timestamp
        guard let value = check(operands[0]).map({ typedNull($0, .string) }) else { return nil }
        if value.type.isNumeric, function == .toTimestamp, operands.count == 1 { return converted(value, .timestamp) }
        guard [.string, .date, .timestamp].contains(value.type) else {
            report(
                .badArgument, operands[0].range,
                "`\(definition.name)` reads a text, and this is \(article(value.type))",
                fix: value.type.isNumeric ? "write `timestamp_seconds(\(text.shown(operands[0].range)))`" : nil)
            return nil
        }
        if operands.count == 1 {
            if value.type == type { return value }
            return call(function, [value], type, syntax, isNullable: value.type == .string ? true : nil)
        }
        guard let pattern = constant(operands[1], definition, "pattern") else { return nil }
        guard value.type == .string else {
            report(
                .badArgument, operands[0].range,
                "`\(definition.name)` reads text by a pattern, and this is \(article(value.type))",
                fix: "leave the pattern out")
            return nil
        }
        if case .literal(.string(let written)) = pattern.kind {
            do {
                _ = try DateTimePattern(written)
            } catch {
                report(error.position, of: operands[1], "\(error.message)", fix: error.fix)
                return nil
            }
        }
        return call(function, [value, pattern], type, syntax, isNullable: true)
    }

    func timeUnit(_ operand: Syntax, _ definition: FunctionDefinition) -> TypedExpression? {
        guard let value = constant(operand, definition, "unit") else { return nil }
        guard case .literal(.string(let written)) = value.kind else { return value }
        guard TruncationUnit(written) != nil else {
            let names = TruncationUnit.names
            report(
                .badArgument, operand.range, "`\(text.shown(operand.range))` is not a unit of `\(definition.name)`",
                fix: nearest(to: written, in: names).map { "did you mean `'\($0)'`?" }
                    ?? "units are \(names.joined(separator: ", "))")
            return nil
        }
        return value
    }

    // MARK: Constants

    /// A text that stands in the spec, because it is compiled once with the plan; null is one too.
    func constant(_ operand: Syntax, _ definition: FunctionDefinition, _ what: String) -> TypedExpression? {
        guard let value = string(operand, of: definition.name) else { return nil }
        guard case .literal = value.kind else {
            report(
                .badArgument, operand.range,
                "`\(definition.name)` wants its \(what) as a constant text, which is compiled once, not for each row",
                fix: "write the \(what) between single quotes")
            return nil
        }
        return value
    }

    /// Reports a mistake at a character of a constant text.
    func report(_ position: Int, of operand: Syntax, _ message: String, fix: String?) {
        let isSecret = text.isSecret(operand.range)
        report(
            .badArgument, place(ofCharacter: position, in: operand),
            isSecret ? "there is a mistake in `•••`" : message, fix: isSecret ? nil : fix)
    }

    /// The place of a character of a quoted text, where a quote is written twice.
    private func place(ofCharacter number: Int, in operand: Syntax) -> Range<Int> {
        var index = operand.range.lowerBound + 1
        for _ in 0..<number where index < operand.range.upperBound - 1 {
            let isQuote = text.scalars[index] == "'"
            index += isQuote ? 2 : 1
        }
        let end = max(operand.range.lowerBound + 1, operand.range.upperBound)
        return min(index, end - 1)..<min(index, end - 1) + 1
    }

    func jsonPath(_ operand: Syntax, _ definition: FunctionDefinition) -> TypedExpression? {
        guard let value = constant(operand, definition, "path") else { return nil }
        if case .literal(.string(let written)) = value.kind {
            do {
                _ = try JSONPath(written)
            } catch {
                report(error.position, of: operand, error.message, fix: error.fix)
                return nil
            }
        }
        return value
    }
}

/// What `date_trunc` cuts to.
package enum TruncationUnit: UInt8, Sendable {
    case microsecond, millisecond, second, minute, hour, day, week, month, quarter, year

    static let names = [
        "year", "quarter", "month", "week", "day", "hour", "minute", "second", "millisecond", "microsecond",
    ]

    /// The unit of that name, or of one of Spark's other names for it, in any case; nil if there is none.
    package init?(_ name: String) {
        switch name.lowercased() {
        case "microsecond": self = .microsecond
        case "millisecond": self = .millisecond
        case "second": self = .second
        case "minute": self = .minute
        case "hour": self = .hour
        case "day", "dd": self = .day
        case "week": self = .week
        case "month", "mon", "mm": self = .month
        case "quarter": self = .quarter
        case "year", "yyyy", "yy": self = .year
        default: return nil
        }
    }
}
