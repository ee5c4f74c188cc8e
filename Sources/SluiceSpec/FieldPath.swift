// Where a value is in a record that nests: `user.id`, `items[0].sku`, `['a.b'].c`. The way a spec writes it and the
// steps that a decoder takes are one type, so that what is shown is what is read.

package struct FieldPath: Hashable, Sendable {
    package enum Step: Hashable, Sendable {
        /// A field of an object.
        case name(String)
        /// An element of an array, from 0.
        case element(Int)
    }

    /// Never empty.
    package var steps: [Step]

    package init(_ steps: [Step]) {
        precondition(!steps.isEmpty)
        self.steps = steps
    }

    /// The field of that name, whatever characters it has.
    package init(name: String) { steps = [.name(name)] }
}

/// Why a text is no path.
package struct PathProblem: Error, Hashable {
    package var message: String
    package var fix: String?
}

extension FieldPath {
    /// Reads a path as a spec writes it. Throws for what cannot be one, with the form that was meant where there is
    /// one.
    package init(text: String) throws(PathProblem) {
        if let star = text.firstRange(of: "[*]") ?? text.firstRange(of: ".*") {
            let array = text[..<star.lowerBound].drop { $0 == "$" || $0 == "." }
            throw PathProblem(
                message: "`\(text)` leads to many values, and a row has one",
                fix: "set `each: \(array.isEmpty ? "PATH" : array)` on the source, which makes a row of each element, "
                    + "and take `each` or `each.NAME`; or name one, as in `items[0]`")
        }
        if let meant = Self.foreignForm(of: text) {
            throw PathProblem(message: "`\(text)` is not a path", fix: "write `\(meant)`")
        }
        var rest = Substring(text)
        var steps: [Step] = []
        while !rest.isEmpty {
            if rest.first == "[" {
                steps.append(try Self.bracketed(&rest, of: text))
                if let next = rest.first, next != ".", next != "[" {
                    throw PathProblem(
                        message: "`\(text)` has `\(next)` behind a bracket", fix: "write `.` before the next name")
                }
            } else {
                let name = rest.prefix { $0 != "." && $0 != "[" }
                rest.removeFirst(name.count)
                guard !name.isEmpty else { throw PathProblem(message: "`\(text)` has an empty step", fix: nil) }
                steps.append(.name(String(name)))
            }
            if rest.first == "." {
                rest.removeFirst()
                guard let next = rest.first, next != ".", next != "[" else {
                    throw PathProblem(
                        message: "`\(text)` has an empty step",
                        fix: "name a field between two dots and behind the last")
                }
            }
        }
        guard case .name? = steps.first else {
            throw PathProblem(message: "`\(text)` begins with an element, and a record is an object", fix: nil)
        }
        self.init(steps)
    }

    /// `[0]` or `['name']`.
    private static func bracketed(_ rest: inout Substring, of text: String) throws(PathProblem) -> Step {
        rest.removeFirst()
        if let quote = rest.first, quote == "'" || quote == "\"" {
            rest.removeFirst()
            let name = rest.prefix { $0 != quote }
            rest.removeFirst(name.count)
            guard rest.hasPrefix("\(quote)]") else {
                throw PathProblem(message: "`\(text)` has a name in brackets that does not end", fix: "write `['a.b']`")
            }
            rest.removeFirst(2)
            return .name(String(name))
        }
        let digits = rest.prefix { $0 != "]" }
        rest.removeFirst(digits.count)
        guard rest.first == "]", let index = Int32(digits), index >= 0, !digits.hasPrefix("+") else {
            throw PathProblem(
                message: "`[\(digits)` in `\(text)` is neither an element nor a name in quotes",
                fix: "write `items[0]` for the first element, or `['a.b']` for a name with a dot")
        }
        rest.removeFirst()
        return .element(Int(index))
    }

    /// What was meant by a path in another language: JSONPath, JSON Pointer, PostgreSQL's arrows, Snowflake's colons.
    private static func foreignForm(of text: String) -> String? {
        func joined(_ parts: [Substring]) -> String {
            var steps: [Step] = []
            for part in parts {
                let name = part.filter { $0 != "'" && $0 != "\"" }
                let element = steps.isEmpty ? nil : Int(name)
                steps.append(element.map { .element($0) } ?? .name(String(name)))
            }
            return steps.isEmpty ? "['\(text)']" : "\(FieldPath(steps))"
        }
        if text.hasPrefix("$.") { return String(text.dropFirst(2)) }
        if text.hasPrefix("$[") { return String(text.dropFirst()) }
        // What stands in brackets and quotes is a name, whatever it looks like.
        if text.contains("['") || text.contains("[\"") { return nil }
        if text.hasPrefix("/") { return joined(text.split(separator: "/")) }
        if text.contains("->") {
            return joined(text.replacing("->>", with: "->").replacing("->", with: "\n").split(separator: "\n"))
        }
        if !text.contains("["), text.contains(":") { return joined(text.split(separator: ":")) }
        return nil
    }
}

extension FieldPath: CustomStringConvertible {
    /// As a spec writes it.
    package var description: String {
        var text = ""
        for (index, step) in steps.enumerated() {
            switch step {
            case .element(let element): text += "[\(element)]"
            case .name(let name) where Self.needsBrackets(name, isFirst: index == 0):
                text += name.contains("'") ? "[\"\(name)\"]" : "['\(name)']"
            case .name(let name): text += (index == 0 ? "" : ".") + name
            }
        }
        return text
    }

    private static func needsBrackets(_ name: String, isFirst: Bool) -> Bool {
        name.isEmpty || name.contains { ".[:/'\"$".contains($0) } || name.contains("->")
            || isFirst && (name == "kafka" || name == "each")
    }
}
