// Regular expressions in calls: they are constants, and wrong ones are found before anything runs.

extension TypeChecker {
    typealias CheckedRegularExpression = (expression: TypedExpression, parsed: JavaRegularExpression?)

    /// The pattern of a call; `parsed` is nil for a null pattern.
    func regularExpression(_ operand: Syntax, _ definition: FunctionDefinition) -> CheckedRegularExpression? {
        guard let value = constant(operand, definition, "regular expression") else { return nil }
        guard case .literal(.string(let written)) = value.kind else { return (value, nil) }
        do {
            return (value, try JavaRegularExpression(written))
        } catch {
            report(error.position, of: operand, error.message, fix: error.fix)
            return nil
        }
    }

    /// `text rlike pattern`.
    func rlike(_ operand: Syntax, _ pattern: Syntax, _ syntax: Syntax) -> TypedExpression? {
        guard let definition = FunctionDefinition.named("rlike") else { return nil }
        let (value, pattern) = (string(operand, of: "rlike"), regularExpression(pattern, definition))
        guard let value, let pattern else { return nil }
        return call(.rlike, [value, pattern.expression], .boolean, syntax, isNullable: true)
    }

    func regexpExtract(
        _ definition: FunctionDefinition, _ operands: [Syntax], _ syntax: Syntax
    ) -> TypedExpression? {
        let (value, pattern) = (
            string(operands[0], of: definition.name), regularExpression(operands[1], definition)
        )
        let group =
            operands.count > 2
            ? integer(operands[2], of: definition.name) : literal(.integer(1), .int, syntax)
        guard let value, let pattern, let group else { return nil }
        let place = operands.count > 2 ? operands[2].range : operands[1].range
        if case .literal(.null) = group.kind {
        } else {
            guard case .literal(.integer(let number)) = group.kind else {
                report(.badArgument, place, "`\(definition.name)` wants a constant for the number of a group")
                return nil
            }
            if let parsed = pattern.parsed, !(0...Int64(parsed.groupCount)).contains(number) {
                let groups = parsed.groupCount == 1 ? "1 group" : "\(parsed.groupCount) groups"
                report(
                    .badArgument, place, "group \(number) of a regular expression with \(groups)",
                    fix: parsed.groupCount == 0 ? "write `(…)` around the part, or 0 for the whole match" : nil)
                return nil
            }
        }
        return call(.regexpExtract, [value, pattern.expression, group], .string, syntax, isNullable: true)
    }

    /// A replacement whose groups the pattern has.
    func regexpReplace(
        _ definition: FunctionDefinition, _ operands: [Syntax], _ syntax: Syntax
    ) -> TypedExpression? {
        let (value, pattern) = (
            string(operands[0], of: definition.name), regularExpression(operands[1], definition)
        )
        let replacement = constant(operands[2], definition, "replacement")
        guard let value, let pattern, let replacement else { return nil }
        if let parsed = pattern.parsed, case .literal(.string(let written)) = replacement.kind {
            do {
                _ = try RegularExpressionReplacement(written, of: parsed)
            } catch {
                report(error.position, of: operands[2], error.message, fix: error.fix)
                return nil
            }
        }
        return call(
            .regexpReplace, [value, pattern.expression, replacement], .string, syntax, isNullable: true)
    }
}
