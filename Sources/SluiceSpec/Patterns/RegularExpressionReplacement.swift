/// What matches of a regular expression are replaced by: text with `$1` and `${name}` for groups, where `\` takes the
/// next character as it is. Source: java.util.regex.Matcher.appendReplacement.
package struct RegularExpressionReplacement: Hashable, Sendable {
    package enum Part: Hashable, Sendable {
        case text([UInt8])
        case group(Int)
    }

    package private(set) var parts: [Part] = []

    /// Reads a replacement for matches of `expression`. Throws with the place of a group that it does not have.
    package init(_ text: String, of expression: JavaRegularExpression) throws(PatternProblem) {
        let scalars = Array(text.unicodeScalars)
        var index = 0
        while index < scalars.count {
            if scalars[index] == "$" {
                parts.append(.group(try Self.group(scalars, &index, expression)))
                continue
            }
            if scalars[index] == "\\" {
                index += 1
                guard index < scalars.count else {
                    throw PatternProblem(index - 1, "a replacement that ends with `\\`", fix: "write `\\\\`")
                }
            }
            append(scalars[index])
            index += 1
        }
    }

    private mutating func append(_ scalar: Unicode.Scalar) {
        if case .text(let bytes)? = parts.last {
            parts[parts.count - 1] = .text(bytes + Array(String(scalar).utf8))
        } else {
            parts.append(.text(Array(String(scalar).utf8)))
        }
    }

    /// The group that a `$` at `index` means; as many digits count as make the number of a group.
    private static func group(
        _ text: [Unicode.Scalar], _ index: inout Int, _ expression: JavaRegularExpression
    ) throws(PatternProblem) -> Int {
        let start = index
        index += 1
        if index < text.count, text[index] == "{" {
            let name = text[(index + 1)...].prefix { $0 != "}" }
            let written = String(String.UnicodeScalarView(name))
            guard name.endIndex < text.count, let group = expression.groupNames[written] else {
                throw PatternProblem(
                    start, "`${\(written)}` names no group of the regular expression",
                    fix: "`$1` is the first group, `\\$` a dollar sign")
            }
            index = name.endIndex + 1
            return group
        }
        func digit() -> Int? {
            guard index < text.count, text[index].value >= 48, text[index].value <= 57 else { return nil }
            return Int(text[index].value) - 48
        }
        guard var group = digit() else {
            throw PatternProblem(
                start, "`$` in a replacement without a group behind it", fix: "write `\\$` for the character")
        }
        index += 1
        guard group <= expression.groupCount else {
            throw PatternProblem(start, "`$\(group)` is a group that the regular expression does not have")
        }
        while let next = digit(), group * 10 + next <= expression.groupCount {
            group = group * 10 + next
            index += 1
        }
        return group
    }
}
