// What a source's columns ask of a message: whether there is what their paths lead to, and whether it can be read as
// what they declare. Looked at once, before a record is read.

extension ProtobufSchema {
    /// What is wrong, column by column, where records are a message.
    package func problems(of columns: [ColumnSpec], each: EachSpec?, message: Int) -> [SchemaColumnProblem] {
        let root = ProtobufPlace.value(ProtobufType(kind: .message, index: message))
        var problems: [SchemaColumnProblem] = []
        var element: ProtobufPlace?
        if let each {
            do throws(ProtobufProblem) {
                let found = try place(of: each.path.steps, from: root)
                guard case .list(let type) = found else {
                    throw ProtobufProblem(
                        message: "`each` needs a list, and `\(each.path)` is \(noun(found))",
                        fix: "name a repeated field in `each`")
                }
                element = .value(type)
            } catch {
                if let column = columns.first { problems.append(SchemaColumnProblem(column, error)) }
            }
        }
        for column in columns {
            do throws(ProtobufProblem) {
                switch column.origin {
                case .field(let path): try check(column, path.steps, from: root)
                // Without elements there is nothing to say but what was said of `each`.
                case .each(let path): if let element { try check(column, path?.steps ?? [], from: element) }
                case .eachPlace, .kafka, .computed, .place: break
                }
            } catch { problems.append(SchemaColumnProblem(column, error)) }
        }
        return problems
    }

    private func check(
        _ column: ColumnSpec, _ steps: [FieldPath.Step], from start: ProtobufPlace
    ) throws(ProtobufProblem) {
        let found = try place(of: steps, from: start)
        do throws(ProtobufProblem) { _ = try reading(found, as: column.type, column.form) } catch {
            let path = steps.isEmpty ? "" : "`\(FieldPath(steps))` is of another type: "
            throw ProtobufProblem(message: path + error.message, fix: error.fix)
        }
    }

    /// Where a path leads to.
    /// - Throws: where there is no such way.
    package func place(
        of steps: some Collection<FieldPath.Step>, from start: ProtobufPlace
    ) throws(ProtobufProblem) -> ProtobufPlace {
        var place = start
        var taken: [FieldPath.Step] = []
        for step in steps {
            do throws(ProtobufProblem) { place = try inner(step, of: place) } catch {
                let path = taken.isEmpty ? "" : "`\(FieldPath(taken))`: "
                throw ProtobufProblem(message: path + error.message, fix: error.fix)
            }
            taken.append(step)
        }
        return place
    }

    private func inner(_ step: FieldPath.Step, of place: ProtobufPlace) throws(ProtobufProblem) -> ProtobufPlace {
        switch (place, step) {
        case (.value(let type), .name(let name)) where type.kind == .message:
            let fields = messages[type.index].fields
            if let field = fields.first(where: { $0.name == name }) { return ProtobufPlace(field, self) }
            let names = fields.map(\.name)
            throw ProtobufProblem(
                message: "\(noun(place)) has no field `\(name)`; it has \(shownFields(names))",
                fix: suggestion(for: name, in: names) ?? "write `from: PATH` where the schema calls it otherwise")
        case (.map(let entry), .name):
            guard let value = messages[entry].fields.first(where: { $0.number == 2 }) else { break }
            return .value(value.valueType)
        case (.list(let type), .element): return .value(type)
        case (.list, .name(let name)):
            throw ProtobufProblem(
                message: "a list has no fields, and so no `\(name)`",
                fix: "name an element (`[0].\(name)`), or make a row of each with `each`")
        case (_, .name(let name)):
            throw ProtobufProblem(message: "\(noun(place)) has no fields, and so no `\(name)`")
        case (_, .element): break
        }
        throw ProtobufProblem(message: "\(noun(place)) has no elements, and so no `\(FieldPath([step]))`")
    }
}

extension ProtobufOptions {
    /// Whether a schema has the columns: in the message that the spec names, else in one at least of its messages, as
    /// each record says which it is.
    /// - Throws: where it has not, or where it is none.
    package func check(_ written: SchemaText, _ columns: [ColumnSpec], each: EachSpec?) throws(ProtobufProblem) {
        let schema: ProtobufSchema
        do throws(ProtobufProblem) { schema = try ProtobufSchema(written) } catch {
            throw ProtobufProblem(message: "it cannot be read: \(error.message)", fix: error.fix)
        }
        var messages = schema.messages.indices.filter { schema[$0].isOwn && !schema[$0].isMapEntry }
        if let message { messages = [try schema.message(named: message)] }
        guard !messages.isEmpty else { throw ProtobufProblem(message: "it has no message") }
        let problems = messages.map { schema.problems(of: columns, each: each, message: $0) }
        // Where none has all of the columns, the one that lacks the fewest is meant.
        guard let problem = problems.min(by: { $0.count < $1.count })?.first else { return }
        throw ProtobufProblem(
            message: "`\(problem.column.name)` cannot be read with it: \(problem.message)", fix: problem.fix)
    }
}

extension SchemaColumnProblem {
    fileprivate init(_ column: ColumnSpec, _ problem: ProtobufProblem) {
        self.init(column: column, message: problem.message, fix: problem.fix)
    }
}
