// One entry of `queries`.

/// The inputs of a query while its joins are read, left to right.
struct QueryInputs {
    /// What expressions can name after the joins so far.
    var scope: ColumnScope
    /// Event times of all inputs, also of those that a semi join hides.
    var eventTimes: [(source: String, state: EventTimeState)]
}

extension SpecBuilder {
    /// The query, or nil if a part without which it means nothing is missing; what is wrong is reported.
    func readQuery(_ named: NamedNode) -> QuerySpec? {
        guard let map = MapReader<QueryKeys>(named.node, at: named.place, self) else { return nil }
        let from = map[\.from]
        var inputs = QueryInputs(scope: ColumnScope(inputs: []), eventTimes: [])
        append(from, to: &inputs)
        let joins = readJoins(map, &inputs)
        let filter = map[\.filter].flatMap { condition($0.value, $0.what, scope: inputs.scope) }
        let select = readSelect(map, inputs.scope)
        let sinks = readSinkReferences(map)
        let trigger = readTrigger(map)
        let late = readLate(map)
        let policy = map[\.watermarkPolicy]
        let onFailure = map[\.onFailure]
        let file = named.name.position.file
        let checkpoint =
            map[\.checkpoint]?.value
            ?? resolvePath("checkpoints/\(named.name.value)", besideFile: file)
        let state = readState(map)
        guard let from else { return nil }
        var query = QuerySpec(
            name: named.name, file: file, from: from, trigger: trigger, checkpoint: checkpoint, late: late)
        query.joins = joins
        query.filter = filter
        query.select = select
        query.watermarkPolicy = policy
        query.sinks = sinks
        query.state = state
        query.onFailure = onFailure
        if let group = readGroup(map) { query.group = group }
        return query
    }

    /// The group that shows the query's progress.
    private func readGroup(_ map: MapReader<QueryKeys>) -> String? {
        guard let node = map[\.group]?.value, let group = scalar(node, "the name of a consumer group") else {
            return nil
        }
        if group.text.isEmpty { diagnostics.error(.missingValue, at: node.place, "`group` names no consumer group") }
        return group.text
    }

    /// A source's name; it counts as used even when it is unknown.
    func sourceReference(_ node: YAMLNode) -> Located<String>? {
        guard let scalar = scalar(node, "a source's name") else { return nil }
        usedSources.insert(scalar.text)
        if tables[scalar.text] != nil {
            diagnostics.error(
                .unknownSource, at: node.place, "`\(scalar.shown)` is a table, and rows come from a source",
                fix: "begin with a source, and join the table to it")
        } else if sources[scalar.text] == nil, !hasUnreadableFile {
            diagnostics.error(
                .unknownSource, at: node.place, "there is no source `\(scalar.shown)`",
                fix: scalar.isSecret
                    ? nil : suggestion(for: scalar.text, in: sources.keys.sorted(), listing: "sources are"))
        }
        return located(scalar.text, node)
    }

    /// Adds an input; one that is missing or unknown is added as such, so that its columns are not called unknown.
    func append(_ source: Located<String>?, to inputs: inout QueryInputs) {
        let name = source?.value ?? ""
        if let table = tables[name] {
            inputs.scope.inputs.append(table.scope)
            inputs.eventTimes.append((name, .none))
            return
        }
        let entry = sources[name]
        inputs.scope.inputs.append(entry?.scope ?? ColumnScope.Input(name: name, isUnknown: true))
        inputs.eventTimes.append((name, entry?.eventTime ?? .unknown))
    }

    // MARK: Output

    private func readSelect(_ map: MapReader<QueryKeys>, _ scope: ColumnScope) -> [OutputColumnSpec] {
        guard map.contains(\.select) else { return defaultSelect(map.place, scope) }
        guard let node = map[\.select]?.value else { return [] }
        switch node.kind {
        case .mapping(let entries):
            if entries.isEmpty { diagnostics.error(.missingValue, at: node.place, "`select` names no column") }
            return entries.flatMap { selected($0, scope) }
        case .sequence(let items):
            if items.isEmpty { diagnostics.error(.missingValue, at: node.place, "`select` names no column") }
            var seen: [String: Place] = [:]
            return items.flatMap { item -> [OutputColumnSpec] in
                if case .mapping(let entries) = item.kind, entries.count == 1 {
                    return unlessDuplicate(selected(entries[0], scope), entries[0].keyPlace, &seen)
                }
                guard let parsed = syntax(item, "a column of `select`") else { return [] }
                guard case .name(_, let column) = parsed.syntax.kind else {
                    diagnostics.error(
                        .wrongShape, at: item.place, "an expression in a list of columns has no name",
                        fix: "make `select` a map: `name: expression`")
                    return []
                }
                let expression = TypeChecker(text: parsed.text, scope: scope, diagnostics: diagnostics)
                    .check(parsed.syntax)
                let output = expression.map {
                    OutputColumnSpec(name: column, expression: $0, position: item.place.position)
                }
                return unlessDuplicate(output.map { [$0] } ?? [], item.place, &seen)
            }
        case .scalar:
            diagnostics.error(
                .wrongShape, at: node.place, "`select` is a map from names to expressions, or a list of columns",
                fix: "leave `select` out for all columns")
            return []
        case .invalid: return []
        }
    }

    /// The columns of an entry: one, or those of an object. `objects` are the names of those that it stands in.
    private func selected(_ entry: YAMLEntry, _ scope: ColumnScope, in objects: [String] = []) -> [OutputColumnSpec] {
        if entry.key.isEmpty {
            diagnostics.error(.badName, at: entry.keyPlace, "an output column needs a name")
        }
        guard case .mapping(let entries) = entry.value.kind else {
            return selectedColumn(entry, scope, in: objects).map { [$0] } ?? []
        }
        if entries.isEmpty {
            diagnostics.error(
                .missingValue, at: entry.value.place, "the object `\(entry.key)` has no field",
                fix: "write its fields as `name: expression`, or leave it out")
        }
        return entries.flatMap { selected($0, scope, in: objects + [entry.key]) }
    }

    private func selectedColumn(_ entry: YAMLEntry, _ scope: ColumnScope, in objects: [String]) -> OutputColumnSpec? {
        guard var expression = expression(entry.value, "`\(entry.key)`", scope: scope) else { return nil }
        if expression.type == .duration {
            diagnostics.error(
                .typeMismatch, at: entry.value.place, "a duration cannot be an output column",
                fix: "write the two timestamps instead")
            return nil
        }
        if expression.type == .null {
            expression.type = .string
        }
        return OutputColumnSpec(
            name: entry.key, objects: objects, expression: expression, position: entry.keyPlace.position)
    }

    /// What one item of a list gives, unless its name was there before.
    private func unlessDuplicate(
        _ outputs: [OutputColumnSpec], _ place: Place, _ seen: inout [String: Place]
    ) -> [OutputColumnSpec] {
        guard let output = outputs.first else { return [] }
        let name = output.objects.first ?? output.name
        if let first = seen[name] {
            let value = output.objects.isEmpty ? "\(output.expression)" : "{ … }"
            diagnostics.error(
                .duplicateOutput, at: place, "a second output column `\(name)`",
                fix: "the other is in line \(first.position.line); make `select` a map and rename one:"
                    + " `other_\(name): \(value)`")
            return []
        }
        seen[name] = place
        return outputs
    }

    /// All columns, left then right, as Spark's `select *`. Two columns of one name would be written twice.
    private func defaultSelect(_ place: Place, _ scope: ColumnScope) -> [OutputColumnSpec] {
        var outputs: [OutputColumnSpec] = []
        var owners: [String: String] = [:]
        for input in scope.inputs {
            reportCommonColumns(of: input, owners, at: place)
            for column in input.columns where owners[column.name] == nil {
                let reference = ColumnReference(source: input.name, column: column.name)
                owners[column.name] = input.name
                outputs.append(
                    OutputColumnSpec(
                        name: column.name,
                        expression: TypedExpression(
                            .column(reference), type: column.type, isNullable: true, at: place.position),
                        position: place.position))
            }
        }
        return outputs
    }

    private func reportCommonColumns(of input: ColumnScope.Input, _ owners: [String: String], at place: Place) {
        let common = input.columns.map(\.name).filter { owners[$0] != nil }
        // A source joined with itself is a mistake of its own.
        guard let first = common.first, let other = owners[first], other != input.name else { return }
        let names = common.map { "`\($0)`" }.joined(separator: ", ")
        let renamed = quotedName(input.name + "_" + first)
        diagnostics.error(
            .duplicateOutput, at: place,
            "without `select` the output would have two columns named \(names), from `\(other)` and `\(input.name)`",
            fix: "add `select` and rename one: `\(renamed): \(ColumnReference(source: input.name, column: first))`")
    }

    // MARK: Settings

    private func readSinkReferences(_ map: MapReader<QueryKeys>) -> [Located<String>] {
        guard let node = map[\.to]?.value else { return [] }
        guard case .sequence(let items) = node.kind else { return [sinkReference(node)].compactMap { $0 } }
        if items.isEmpty { diagnostics.error(.missingValue, at: node.place, "`to` names no sink") }
        var seen: Set<String> = []
        return items.compactMap { item in
            guard let sink = sinkReference(item) else { return nil }
            if seen.insert(sink.value).inserted { return sink }
            diagnostics.error(.duplicateName, at: item.place, "the sink `\(sink.value)` stands twice in `to`")
            return nil
        }
    }

    /// Without `trigger` batches follow one another as fast as possible, as in Spark.
    private func readTrigger(_ map: MapReader<QueryKeys>) -> Located<TriggerSpec> {
        let fallback = Located(TriggerSpec.asFastAsPossible, at: map.place.position, length: map.place.length)
        guard let entry = map[\.trigger] else { return fallback }
        guard case .mapping = entry.value.kind else { return triggerValue(entry.value) ?? fallback }
        let every = MapReader<TriggerKeys>(entry.value, at: entry.keyPlace, self).flatMap { $0[\.every] }
        return every.flatMap { triggerInterval($0.value) } ?? fallback
    }

    private func triggerValue(_ node: YAMLNode) -> Located<TriggerSpec>? {
        guard let scalar = scalar(node, "`trigger`") else { return nil }
        let isWord = scalar.text.unicodeScalars.first.map { Lexer.isNameStart($0) && $0 != "P" } ?? false
        return isWord || ForeignWords.trigger(scalar.text) != nil
            ? word(
                node, "`trigger`", TriggerSpec.words, orElse: "a duration such as `10s`", foreign: ForeignWords.trigger)
            : triggerInterval(node)
    }

    private func triggerInterval(_ node: YAMLNode) -> Located<TriggerSpec>? {
        // Batches start at multiples of the interval on a millisecond clock.
        guard let interval = duration(node, "`trigger`", atLeast: 1000) else { return nil }
        return located(.interval(micros: interval.value), node)
    }

    private func readLate(_ map: MapReader<QueryKeys>) -> Located<LateRowsPolicy> {
        let fallback = Located(LateRowsPolicy.drop, at: map.place.position, length: map.place.length)
        guard let node = map[\.late]?.value else { return fallback }
        guard case .mapping = node.kind else { return word(node, "`late`", ["drop": .drop]) ?? fallback }
        unsupported("`late` to a sink", at: map.keyPlace(\.late), fix: "use `late: drop` for now")
        return readRowsToSink(node, map.keyPlace(\.late)).map { located(.sink($0.value), node) } ?? fallback
    }

    private func readState(_ map: MapReader<QueryKeys>) -> StateSpec {
        var state = StateSpec()
        guard let inner = map[\.state] else { return state }
        if let node = inner[\.shards]?.value, let shards = count(node, "`shards`", in: 1...1024) {
            if shards.nonzeroBitCount == 1 {
                state.shards = located(Int(shards), node)
            } else {
                let above = 1 << (64 - shards.leadingZeroBitCount)
                diagnostics.error(
                    .outOfRange, at: node.place, "`shards` is a power of two, and \(shards) is not",
                    fix: "write \(above / 2)\(above <= 1024 ? " or \(above)" : "")")
            }
        }
        state.maxBytes = inner[\.maxBytes]
        state.retainBatches = Int(inner[\.retainBatches])
        return state
    }
}
