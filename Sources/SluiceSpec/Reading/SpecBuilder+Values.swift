// Scalars: one function per kind of value. Each returns nil after reporting what is wrong.

extension SpecBuilder {
    /// The scalar of a node that must be one; `what` names it for messages.
    func scalar(_ node: YAMLNode, _ what: String) -> YAMLScalar? {
        switch node.kind {
        case .invalid: return nil
        case .scalar(let scalar) where !scalar.isNull: return scalar
        case .scalar:
            diagnostics.error(.missingValue, at: node.place, "\(what) has no value")
            return nil
        case .sequence, .mapping:
            diagnostics.error(.wrongShape, at: node.place, "\(what) is a single value, and this is \(node.noun)")
            return nil
        }
    }

    /// Any text but the empty one.
    func text(_ node: YAMLNode, _ what: String) -> Located<String>? {
        guard let scalar = scalar(node, what) else { return nil }
        if scalar.text.isEmpty {
            diagnostics.error(.missingValue, at: node.place, "\(what) is empty")
            return nil
        }
        return located(scalar.text, node)
    }

    func located<T>(_ value: T, _ node: YAMLNode) -> Located<T> {
        Located(value, at: node.place.position, length: node.place.length)
    }

    /// A path, resolved against the folder of the file it stands in.
    func path(_ node: YAMLNode, _ what: String) -> Located<String>? {
        guard var path = text(node, what) else { return nil }
        path.value = resolvePath(path.value, besideFile: node.place.position.file)
        return path
    }

    func boolean(_ node: YAMLNode, _ what: String) -> Bool? {
        guard let scalar = scalar(node, what) else { return nil }
        switch scalar.text {
        case "true", "True", "TRUE": return true
        case "false", "False", "FALSE": return false
        default:
            let fix =
                switch scalar.text.lowercased() {
                case "yes", "on", "y", "1": "write `true`"
                case "no", "off", "n", "0": "write `false`"
                default: "write `true` or `false`"
                }
            diagnostics.error(
                .badBoolean, at: node.place, "`\(scalar.shown)` is neither `true` nor `false`",
                fix: scalar.isSecret ? nil : fix)
            return nil
        }
    }

    /// A whole number such as `100_000` inside `range`.
    func count(_ node: YAMLNode, _ what: String, in range: ClosedRange<Int64> = 1...Int64.max) -> Int64? {
        guard let scalar = scalar(node, what) else { return nil }
        let digits = scalar.text.filter { $0 != "_" }
        guard let value = Int64(digits), scalar.text.first != "_", scalar.text.last != "_" else {
            diagnostics.error(
                .badCount, at: node.place, "\(what) is a whole number, and `\(scalar.shown)` is not",
                fix: "write it as `1000` or `100_000`")
            return nil
        }
        guard range.contains(value) else {
            let limit =
                range.upperBound >= Int64(Int32.max)
                ? "at least \(range.lowerBound)" : "between \(range.lowerBound) and \(range.upperBound)"
            diagnostics.error(.outOfRange, at: node.place, "\(what) must be \(limit), and this is \(scalar.shown)")
            return nil
        }
        return value
    }

    /// Bytes of `64MiB`, `1 GB`, `4096`; above zero.
    func size(_ node: YAMLNode, _ what: String) -> Int64? {
        guard let scalar = scalar(node, what) else { return nil }
        do throws(SizeProblem) { return try parseSize(scalar.text) } catch {
            switch error {
            case .noSize:
                diagnostics.error(
                    .badSize, at: node.place, "\(what) is a size, and `\(scalar.shown)` is not",
                    fix: "write it as `64MiB`, `1GiB` or `500KB`")
            case .outOfRange:
                diagnostics.error(.outOfRange, at: node.place, "\(what) must be a size between 1 byte and 8 EiB")
            }
            return nil
        }
    }

    /// Microseconds of a duration that is at least `minimum`.
    func duration(_ node: YAMLNode, _ what: String, atLeast minimum: Int64 = 1) -> Located<Int64>? {
        guard let scalar = scalar(node, what) else { return nil }
        switch parseDuration(scalar.text) {
        case .failure(let problem):
            let message =
                problem == .noUnit
                ? "\(what) is a duration, and `\(scalar.shown)` lacks its unit"
                : "\(what) is a duration, and `\(scalar.shown)` is not"
            diagnostics.error(
                .badDuration, at: node.place, message, fix: problem.fix(for: scalar.isSecret ? nil : scalar.text))
            return nil
        case .success(let micros):
            if micros >= minimum { return located(micros, node) }
            let message =
                switch minimum {
                case 0: "\(what) cannot be negative"
                case 1: "\(what) must be longer than nothing"
                default: "\(what) must be at least \(durationText(micros: minimum))"
                }
            diagnostics.error(.outOfRange, at: node.place, message)
            return nil
        }
    }

    /// One of a few words.
    func word<T>(
        _ node: YAMLNode, _ what: String, _ words: KeyValuePairs<String, T>, orElse other: String? = nil,
        foreign: (String) -> String? = { _ in nil }
    ) -> Located<T>? {
        guard let scalar = scalar(node, what) else { return nil }
        let normalized = scalar.text.split(separator: " ").joined(separator: " ")
        if let match = words.first(where: { $0.key == normalized }) { return located(match.value, node) }
        let near = scalar.isSecret ? nil : nearest(to: scalar.text, in: words.map(\.key))
        let meant = scalar.isSecret ? nil : foreign(scalar.text)
        let list = "values are " + words.map { "`\($0.key)`" }.joined(separator: ", ")
        diagnostics.error(
            .unknownWord, at: node.place, "`\(scalar.shown)` is not a value of \(what)",
            fix: meant ?? near.map { "did you mean `\($0)`?" } ?? list + (other.map { " or \($0)" } ?? ""))
        return nil
    }

    func timeZone(_ node: YAMLNode, _ what: String) -> Located<String>? {
        guard let name = text(node, what), let scalar = scalar(node, what) else { return nil }
        guard isTimeZoneName(name.value) else {
            diagnostics.error(
                .badTimeZone, at: node.place, "`\(scalar.shown)` is not the name of a time zone",
                fix: "write a name such as `Europe/Paris`, `UTC` or `+01:00`")
            return nil
        }
        return name
    }

    /// The typed form of the expression in `node`.
    func expression(_ node: YAMLNode, _ what: String, scope: ColumnScope) -> TypedExpression? {
        guard let parsed = syntax(node, what) else { return nil }
        return TypeChecker(text: parsed.text, scope: scope, diagnostics: diagnostics).check(parsed.syntax)
    }

    /// The typed form of a condition.
    func condition(_ node: YAMLNode, _ what: String, scope: ColumnScope) -> TypedExpression? {
        guard let parsed = syntax(node, what) else { return nil }
        return TypeChecker(text: parsed.text, scope: scope, diagnostics: diagnostics)
            .boolean(parsed.syntax, of: what.filter { $0 != "`" })
    }

    func syntax(_ node: YAMLNode, _ what: String) -> (text: ExpressionText, syntax: Syntax)? {
        guard let scalar = scalar(node, what) else { return nil }
        let text = ExpressionText(scalar)
        do throws(ExpressionError) {
            return (text, try ExpressionParser.parse(text))
        } catch {
            diagnostics.error(error.code, at: text.place(error.range), error.message, fix: error.fix)
            return nil
        }
    }
}
