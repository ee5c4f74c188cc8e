// The paths of `get_json_object`: `$`, then fields (`.name`, `['name']`), elements (`[0]`) and all elements (`[*]`).
// Where Spark takes a path for none it gives null for every row; here the path is refused, with its place. So is a
// wildcard over the fields of an object, which Spark reads and which never meets anything.
// Source: Spark's JsonPathParser.

/// A path into JSON text.
package struct JSONPath: Hashable, Sendable {
    package enum Step: Hashable, Sendable {
        case field(String)
        /// From 0.
        case element(Int)
        case everyElement
    }

    package let steps: [Step]

    /// Reads a path as `get_json_object` takes it. O(length).
    package init(_ text: String) throws(PatternProblem) {
        let scalars = Array(text.unicodeScalars)
        guard scalars.first == "$" else {
            throw PatternProblem(0, "a path into JSON begins with `$`", fix: "write `$.field` or `$[0]`")
        }
        var steps: [Step] = []
        var index = 1
        while index < scalars.count {
            let rest = scalars[index...]
            switch scalars[index] {
            case ".": steps.append(try Self.field(rest, &index))
            case "[" where rest.dropFirst().first == "'": steps.append(try Self.quotedField(rest, &index))
            case "[": steps.append(try Self.element(rest, &index))
            default:
                throw PatternProblem(
                    index, "`\(scalars[index])` where `.` or `[` belongs in a path into JSON",
                    fix: "write `.field`, `['field']`, `[0]` or `[*]`")
            }
        }
        self.steps = steps
    }

    private static func field(
        _ rest: ArraySlice<Unicode.Scalar>, _ index: inout Int
    ) throws(PatternProblem) -> Step {
        let name = rest.dropFirst().prefix { $0 != "." && $0 != "[" }
        guard !name.isEmpty else {
            throw PatternProblem(index, "a path into JSON with a `.` and no name behind it")
        }
        if name.elementsEqual("*".unicodeScalars) { throw fieldWildcard(index) }
        index = name.endIndex
        return .field(String(String.UnicodeScalarView(name)))
    }

    private static func quotedField(
        _ rest: ArraySlice<Unicode.Scalar>, _ index: inout Int
    ) throws(PatternProblem) -> Step {
        let name = rest.dropFirst(2).prefix { $0 != "'" }
        guard !name.isEmpty else {
            throw PatternProblem(index, "a path into JSON with an empty name")
        }
        guard rest[name.endIndex...].starts(with: "']".unicodeScalars) else {
            throw PatternProblem(index, "a name in a path into JSON that never ends", fix: "close it with `']`")
        }
        if name.elementsEqual("*".unicodeScalars) { throw fieldWildcard(index) }
        index = name.endIndex + 2
        return .field(String(String.UnicodeScalarView(name)))
    }

    private static func element(
        _ rest: ArraySlice<Unicode.Scalar>, _ index: inout Int
    ) throws(PatternProblem) -> Step {
        let inside = rest.dropFirst().prefix { $0 != "]" }
        guard inside.endIndex < rest.endIndex else {
            throw PatternProblem(index, "a `[` in a path into JSON without its `]`")
        }
        let start = index
        index = inside.endIndex + 1
        if inside.elementsEqual("*".unicodeScalars) { return .everyElement }
        let digits = String(String.UnicodeScalarView(inside))
        guard !digits.isEmpty, digits.utf8.allSatisfy({ $0 >= 48 && $0 <= 57 }), let number = Int(digits) else {
            throw PatternProblem(
                start, "`[\(digits)]` is no element in a path into JSON",
                fix: "elements are `[0]`, `[1]`, … and `[*]`; a field is `['\(digits)']`")
        }
        return .element(number)
    }

    private static func fieldWildcard(_ index: Int) -> PatternProblem {
        PatternProblem(index, "a path into JSON cannot mean every field of an object", fix: "name the field")
    }
}
