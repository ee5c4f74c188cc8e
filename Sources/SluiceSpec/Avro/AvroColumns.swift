// What a source's columns ask of a schema: whether there is what their paths lead to, and whether it can be read as
// what they declare. Looked at once, before a row is read; where a union or a reader's default leaves it open what a
// record will have, one way that works is enough.

extension AvroResolution {
    /// What is wrong, column by column.
    package func problems(of columns: [ColumnSpec], each: EachSpec?) -> [SchemaColumnProblem] {
        var problems: [SchemaColumnProblem] = []
        var elements = AvroEnds(nodes: [root])
        if let each {
            elements = ends(of: each.path.steps, from: [root])
            let arrays = elements.nodes.compactMap { if case .array(let items) = self[$0].shape { items } else { nil } }
            if arrays.isEmpty, !elements.mayBeMissing, let column = columns.first {
                let found = elements.nodes.first.map { "`\(each.path)` is \(self[$0].noun)" }
                problems.append(
                    SchemaColumnProblem(
                        column: column,
                        message: elements.reason ?? "`each` needs an array, and \(found ?? "it is null")",
                        fix: elements.fix ?? "name an array of the schema in `each`"))
            }
            elements.nodes = expanded(arrays)
        }
        for column in columns {
            let problem: AvroReadingProblem?
            switch column.origin {
            case .field(let path): problem = self.problem(column, path.steps, from: [root])
            case .each(let path):
                // Without elements there is nothing to say but what was said of `each`.
                problem = elements.nodes.isEmpty ? nil : self.problem(column, path?.steps ?? [], from: elements.nodes)
            case .eachPlace, .kafka, .computed, .place: problem = nil
            }
            if let problem {
                problems.append(SchemaColumnProblem(column: column, message: problem.message, fix: problem.fix))
            }
        }
        return problems
    }

    private func problem(
        _ column: ColumnSpec, _ steps: [FieldPath.Step], from start: [Int]
    ) -> AvroReadingProblem? {
        let found = ends(of: steps, from: start)
        if found.nodes.isEmpty {
            return found.mayBeMissing
                ? nil : AvroReadingProblem(message: found.reason ?? "there is nothing but null", fix: found.fix)
        }
        var first: AvroReadingProblem?
        for node in found.nodes {
            do throws(AvroReadingProblem) {
                if try self[node].reading(as: column.type, column.form) != .null { return nil }
            } catch {
                first = first ?? error
            }
        }
        return first.map {
            let path = steps.isEmpty ? "" : "`\(FieldPath(steps))` is of another type: "
            return AvroReadingProblem(message: path + $0.message, fix: $0.fix)
        }
    }

    // MARK: - Paths

    /// Where a path may lead to. O(steps * nodes).
    private func ends(of steps: [FieldPath.Step], from start: [Int]) -> AvroEnds {
        var ends = AvroEnds(nodes: expanded(start))
        for (index, step) in steps.enumerated() {
            var next: [Int] = []
            for node in ends.nodes {
                switch inner(step, of: node) {
                case .node(let inner): next.append(inner)
                case .missing: ends.mayBeMissing = true
                case .none(let reason, let fix):
                    if case .null = self[node].shape { continue }
                    let path = index == 0 ? "" : "`\(FieldPath(Array(steps[..<index])))`: "
                    ends.note(path + reason, fix)
                }
            }
            ends.nodes = expanded(next)
        }
        return ends
    }

    /// A set of nodes, with branches in place of unions.
    private func expanded(_ nodes: [Int]) -> [Int] {
        var seen: Set<Int> = []
        var result: [Int] = []
        for node in nodes {
            var inner = [node]
            if case .union(let branches) = self[node].shape { inner = branches }
            for node in inner where seen.insert(node).inserted { result.append(node) }
        }
        return result
    }

    private enum Inner {
        case node(Int)
        case missing
        case none(reason: String, fix: String?)
    }

    private func inner(_ step: FieldPath.Step, of node: Int) -> Inner {
        switch (self[node].shape, step) {
        case (.record(let fields), .name(let name)):
            guard let field = fields.first(where: { $0.name == name }) else {
                let names = fields.map(\.name)
                return .none(
                    reason: "\(self[node].noun) has no field `\(name)`; it has \(shownFields(names))",
                    fix: suggestion(for: name, in: names)
                        ?? "write `from: PATH` where the schema calls it otherwise")
            }
            switch field.source {
            case .written(let inner), .constant(let inner, _): return .node(inner)
            case .missing: return .missing
            case .badDefault:
                return .none(
                    reason: "the default of `\(name)` in \(self[node].noun) is no value of its type",
                    fix: "mend the default in the schema")
            }
        case (.map(let values), .name): return .node(values)
        case (.array(let items), .element): return .node(items)
        case (.array, .name(let name)):
            return .none(
                reason: "an array has no fields, and so no `\(name)`",
                fix: "name an element (`[0].\(name)`), or make a row of each with `each`")
        case (.mismatch(let problem), _): return .none(reason: problem, fix: nil)
        case (_, .name(let name)):
            return .none(reason: "\(self[node].noun) has no fields, and so no `\(name)`", fix: nil)
        case (_, .element(let place)):
            return .none(reason: "\(self[node].noun) has no elements, and so no `[\(place)]`", fix: nil)
        }
    }
}

/// Where a path leads.
private struct AvroEnds {
    var nodes: [Int]
    /// True where a writer may lack what a reader has, which is null then.
    var mayBeMissing = false
    private(set) var reason: String?
    private(set) var fix: String?

    init(nodes: [Int]) { self.nodes = nodes }

    mutating func note(_ reason: String, _ fix: String?) {
        guard self.reason == nil else { return }
        self.reason = reason
        self.fix = fix
    }
}
