// Expressions back in the syntax of a spec, for `explain`. Reading the text again gives the same tree, but for
// constants that were made doubles or wider decimals: they print as plain numbers, as a reader expects.

extension Expression: CustomStringConvertible where Column == ColumnReference {
    /// The expression as a spec would write it; secret constants show as `•••`.
    package var description: String { text { $0.description } }
}

extension ColumnReference: CustomStringConvertible {
    /// `source.column`, in back quotes where a name needs them.
    package var description: String { "\(quotedName(source)).\(quotedName(column))" }
}

/// A name as expressions write it.
package func quotedName(_ name: String) -> String {
    isPlainName(name) ? name : "`\(name.replacing("`", with: "``"))`"
}

/// The name of an output column with those of the objects that it stands in: `user.id`.
package func outputName(_ objects: [String], _ name: String) -> String {
    (objects + [name]).map(quotedName).joined(separator: ".")
}

/// The digits of a decimal with their point.
package func decimalText(_ digits: Int128, scale: Int) -> String {
    let padded = zeroPadded(digits.magnitude, scale + 1)
    let whole = padded.dropLast(scale)
    return (digits < 0 ? "-" : "") + whole + (scale > 0 ? "." + padded.suffix(scale) : "")
}

extension Expression {
    /// The expression as a spec would write it, with `column` printing the columns. Only the parentheses that
    /// precedence asks for are written.
    package func text(column: (Column) -> String) -> String {
        printed(column).text
    }

    private enum Level: Int {
        case or = 1
        case and, not, comparison, sum, product, unary, primary
    }

    private typealias Printed = (text: String, level: Level)

    private func printed(_ column: (Column) -> String) -> Printed {
        switch kind {
        case .literal(let value): literalText(value)
        case .column(let reference): (column(reference), .primary)
        case .cast(let operand): ("cast(\(operand.text(column: column)) as \(type))", .primary)
        case .call(let function, let operands): callText(function, operands, column)
        case .caseWhen(let branches, let otherwise):
            (
                "case "
                    + branches.map {
                        "when \($0.condition.text(column: column)) then \($0.value.text(column: column)) "
                    }.joined() + (otherwise.map { "else \($0.text(column: column)) " } ?? "") + "end", .primary
            )
        }
    }

    private func literalText(_ value: Value) -> Printed {
        if isSecret { return ("•••", .primary) }
        return switch value {
        case .null: ("null", .primary)
        case .string(let text): ("'\(text.replacing("'", with: "''"))'", .primary)
        case .integer(let number): ("\(number)", number < 0 ? .unary : .primary)
        case .double(let number): ("\(number)", number < 0 ? .unary : .primary)
        case .boolean(let flag): (flag ? "true" : "false", .primary)
        case .timestamp(let micros): ("timestamp '\(timestampText(micros: micros))'", .primary)
        case .date(let days): ("date '\(dateText(days: days))'", .primary)
        case .decimal(let digits):
            if case .decimal(_, let scale) = type {
                (decimalText(digits, scale: scale), digits < 0 ? .unary : .primary)
            } else {
                (decimalText(digits, scale: 0), digits < 0 ? .unary : .primary)
            }
        case .duration(let micros): (durationText(micros: micros), micros < 0 ? .unary : .primary)
        }
    }

    private func callText(_ function: Function, _ operands: [Expression], _ column: (Column) -> String) -> Printed {
        func at(_ level: Level, _ operand: Expression) -> String {
            let printed = operand.printed(column)
            return printed.level.rawValue >= level.rawValue ? printed.text : "(\(printed.text))"
        }
        /// A chain of operators; those that are not associative want their right operand one level tighter.
        func infix(_ symbol: String, _ level: Level, _ right: Level) -> Printed {
            let rest = operands.dropFirst().map { at(right, $0) }
            return (([at(level, operands[0])] + rest).joined(separator: " \(symbol) "), level)
        }
        func compare(_ symbol: String) -> Printed { (infix(symbol, .sum, .sum).text, .comparison) }
        func postfix(_ suffix: String) -> Printed { (at(.comparison, operands[0]) + suffix, .comparison) }
        if operands.isEmpty { return ("\(function.rawValue)()", .primary) }
        switch function {
        case .or: return infix("or", .or, .and)
        case .and: return infix("and", .and, .not)
        case .not: return ("not " + at(.not, operands[0]), .not)
        case .equal: return compare("=")
        case .notEqual: return compare("<>")
        case .less: return compare("<")
        case .lessOrEqual: return compare("<=")
        case .greater: return compare(">")
        case .greaterOrEqual: return compare(">=")
        case .nullSafeEqual: return compare("<=>")
        case .like: return compare("like")
        case .rlike: return compare("rlike")
        case .isNull: return postfix(" is null")
        case .isNotNull: return postfix(" is not null")
        case .in:
            let items = operands.dropFirst().map { $0.text(column: column) }.joined(separator: ", ")
            return (at(.sum, operands[0]) + " in (\(items))", .comparison)
        case .add: return infix("+", .sum, .product)
        case .subtract: return infix("-", .sum, .product)
        case .concat: return infix("||", .sum, .product)
        case .multiply: return infix("*", .product, .unary)
        case .divide: return infix("/", .product, .unary)
        case .remainder: return infix("%", .product, .unary)
        case .negate: return ("-" + at(.primary, operands[0]), .unary)
        default:
            return (
                "\(function.rawValue)(\(operands.map { $0.text(column: column) }.joined(separator: ", ")))", .primary
            )
        }
    }
}
