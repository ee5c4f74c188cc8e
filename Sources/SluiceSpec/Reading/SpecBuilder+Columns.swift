// The columns of a source: parts of its records, and what is computed from other columns, in whatever order they stand.

/// What the columns of a source are judged by.
struct ColumnContext {
    /// nil unless there is just one.
    var connector: String?
    /// nil when it has mistakes.
    var format: RecordFormat?
    /// Of the source.
    var timeZone: String
    /// Whether the source has `each`, with or without mistakes.
    var hasEach: Bool
    /// Those that are in the key of records, with or without mistakes.
    var keyColumns: [String] = []

    /// Where a column's value comes from that does not say.
    func origin(of column: String) -> ColumnSpec.Origin {
        guard keyColumns.contains(column) else { return .field(FieldPath(name: column)) }
        return .kafka(.keyField(column, isOnly: keyColumns.count == 1))
    }
}

/// A column on the way to its spec.
private enum ColumnDraft {
    case column(ColumnSpec)
    case computed(ComputedColumn)
    /// Reported.
    case broken(name: String)

    var name: String {
        switch self {
        case .column(let column): column.name
        case .computed(let computed): computed.name
        case .broken(let name): name
        }
    }
}

/// A computed column before the columns that it names have types.
private struct ComputedColumn {
    let name: String
    let position: SourcePosition
    /// Of the expression.
    let place: Place
    /// Where the spec says one.
    let type: Located<DataType>?
    let text: ExpressionText
    let syntax: Syntax
    /// The columns that the expression names.
    let names: Set<String>

    init(
        name: String, position: SourcePosition, place: Place, type: Located<DataType>?, text: ExpressionText,
        syntax: Syntax
    ) {
        self.name = name
        self.position = position
        self.place = place
        self.type = type
        self.text = text
        self.syntax = syntax
        var names: Set<String> = []
        syntax.forEachName { names.insert($0) }
        self.names = names
    }

    /// Whether it is computed from a column, over others that wait.
    func reaches(_ goal: String, in waiting: [ComputedColumn]) -> Bool {
        var seen: Set<String> = []
        var next = Array(names)
        while let name = next.popLast() {
            if name == goal { return true }
            if seen.insert(name).inserted { next += waiting.first { $0.name == name }?.names ?? [] }
        }
        return false
    }
}

extension SpecBuilder {
    func readColumns(_ node: YAMLNode, source: String, _ context: ColumnContext) -> ColumnScope.Input {
        var input = ColumnScope.Input(name: source, isUnknown: true)
        guard case .mapping(let entries) = node.kind else {
            if case .invalid = node.kind { return input }
            diagnostics.error(
                .wrongShape, at: node.place, "`columns` is a map from names to types, and this is \(node.noun)",
                fix: "write `{ page: string, event_time: timestamp }`")
            return input
        }
        input.isUnknown = false
        if entries.isEmpty {
            diagnostics.error(.missingValue, at: node.place, "a source needs at least one column")
            input.isUnknown = true
        }
        var drafts: [ColumnDraft] = []
        for entry in entries {
            if entry.key.isEmpty {
                diagnostics.error(.badName, at: entry.keyPlace, "a column needs a name")
            } else {
                drafts.append(readColumn(entry, context))
            }
        }
        compute(&drafts, source: source, context)
        for draft in drafts {
            if case .column(let column) = draft { input.add(column) } else { input.brokenColumns.insert(draft.name) }
        }
        return input
    }

    // MARK: Computed columns

    /// Types the computed columns, each after those that it names.
    private func compute(_ drafts: inout [ColumnDraft], source: String, _ context: ColumnContext) {
        while true {
            let waiting = Set(drafts.compactMap { if case .computed = $0 { $0.name } else { nil } })
            if waiting.isEmpty { return }
            // What is known so far; the columns that wait do not count as mistakes.
            var known = ColumnScope.Input(name: source)
            for draft in drafts {
                if case .column(let column) = draft {
                    known.add(column)
                } else {
                    known.brokenColumns.insert(draft.name)
                }
            }
            let ready = drafts.indices.filter { index in
                guard case .computed(let computed) = drafts[index] else { return false }
                return computed.names.isDisjoint(with: waiting)
            }
            if ready.isEmpty { return reportCircles(&drafts) }
            for index in ready {
                guard case .computed(let computed) = drafts[index] else { continue }
                let column = typed(computed, scope: ColumnScope(inputs: [known]), context)
                drafts[index] = column.map { .column($0) } ?? .broken(name: computed.name)
            }
        }
    }

    private func typed(
        _ computed: ComputedColumn, scope: ColumnScope, _ context: ColumnContext
    ) -> ColumnSpec? {
        var checker = TypeChecker(text: computed.text, scope: scope, diagnostics: diagnostics)
        checker.timeZone = context.timeZone
        guard let expression = checker.check(computed.syntax) else { return nil }
        let declared = computed.type
        if expression.type == .duration || (expression.type == .null && declared == nil) {
            diagnostics.error(
                .typeMismatch, at: computed.place,
                "a column cannot hold \(expression.type == .null ? "nothing but null" : "a duration")",
                fix: expression.type == .null ? "say which type, as in `cast(null as string)`" : nil)
            return nil
        }
        if let declared, declared.value != expression.type {
            diagnostics.error(
                .typeMismatch, at: declared.place,
                "`expr` gives \(article(expression.type)), and the column is declared as \(article(declared.value))",
                fix: "leave `type` out, or write `cast(… as \(declared.value))`")
            return nil
        }
        return ColumnSpec(
            name: computed.name, type: expression.type, origin: .computed(expression), position: computed.position)
    }

    /// What is left when none can be computed: columns in a circle, and those that name one.
    private func reportCircles(_ drafts: inout [ColumnDraft]) {
        let waiting = drafts.compactMap { draft in
            if case .computed(let computed) = draft { computed } else { nil as ComputedColumn? }
        }
        for computed in waiting where computed.reaches(computed.name, in: waiting) {
            diagnostics.error(
                .circularColumn, at: computed.place, "`\(computed.name)` is computed from itself",
                fix: "name columns that do not depend on it")
        }
        for index in drafts.indices {
            if case .computed(let computed) = drafts[index] { drafts[index] = .broken(name: computed.name) }
        }
    }

    /// A column with `expr`; nil after a report.
    private func readComputed(_ map: MapReader<ColumnKeys>, _ entry: YAMLEntry, _ context: ColumnContext)
        -> ColumnDraft?
    {
        guard let node = map[\.expr]?.value else { return nil }
        for (isThere, place, key) in [
            (map.contains(\.from), map.keyPlace(\.from), "from"), (map.contains(\.unit), map.keyPlace(\.unit), "unit"),
            (map.contains(\.pattern), map.keyPlace(\.pattern), "pattern"),
        ] where isThere {
            diagnostics.error(
                .conflictingKeys, at: place, "a computed column has no `\(key)`",
                fix: key == "from" ? "declare a column for the field, and name that in `expr`" : "remove it")
        }
        var type: Located<DataType>?
        if let typeNode = map[\.type]?.value {
            guard let declared = readType(typeNode, of: entry.key, in: context.format) else { return nil }
            type = located(declared, typeNode)
        }
        guard let parsed = syntax(node, "`expr`") else { return nil }
        return .computed(
            ComputedColumn(
                name: entry.key, position: entry.keyPlace.position, place: node.place, type: type, text: parsed.text,
                syntax: parsed.syntax))
    }

    // MARK: Columns of records

    private func readColumn(_ entry: YAMLEntry, _ context: ColumnContext) -> ColumnDraft {
        let broken = ColumnDraft.broken(name: entry.key)
        guard case .mapping = entry.value.kind else {
            guard let type = readType(entry.value, of: entry.key, in: context.format) else { return broken }
            let column = ColumnSpec(
                name: entry.key, type: type, origin: context.origin(of: entry.key),
                position: entry.keyPlace.position)
            warnOfUnitInName(column, at: entry.keyPlace)
            return .column(column)
        }
        guard let map = MapReader<ColumnKeys>(entry.value, at: entry.keyPlace, self) else { return broken }
        if map.contains(\.expr) { return readComputed(map, entry, context) ?? broken }
        guard map.contains(\.type) else {
            diagnostics.error(
                .missingKey, at: entry.keyPlace, "\(ColumnKeys.noun) needs `type`",
                fix: "say its type, as in `type: string`")
            return broken
        }
        let from = map[\.from]?.value
        guard let typeNode = map[\.type]?.value, let type = readType(typeNode, of: entry.key, in: context.format),
            let form = readForm(map, type)
        else { return broken }
        var origin: ColumnSpec.Origin? = context.origin(of: entry.key)
        if let from { origin = readOrigin(from, type: type, typeNode, context) }
        guard let origin else { return broken }
        var column = ColumnSpec(name: entry.key, type: type, origin: origin, position: entry.keyPlace.position)
        column.form = form
        warnOfUnitInName(column, at: from?.place ?? entry.keyPlace)
        return .column(column)
    }

    private func readType(_ node: YAMLNode, of column: String, in format: RecordFormat?) -> DataType? {
        guard let scalar = scalar(node, "the type of `\(column)`") else { return nil }
        if let type = DataType(scalar.text) {
            guard type == .json, case .csv = format else { return type }
            diagnostics.error(
                .typeMismatch, at: node.place, "`json` is a part of a record that nests, and CSV does not",
                fix: "declare it as `string`, and read it with `get_json_object`")
            return nil
        }
        diagnostics.error(
            .unknownType, at: node.place, "`\(scalar.shown)` is not a type",
            fix: scalar.isSecret ? nil : DataType.fix(for: scalar.text))
        return nil
    }

    /// A number without a unit is seconds, as in Spark; a field that is called `ts_ms` holds none.
    private func warnOfUnitInName(_ column: ColumnSpec, at place: Place) {
        guard column.type == .timestamp, column.form == .usual, case .field(let path) = column.origin,
            case .name(let field)? = path.steps.last, let unit = EpochUnit(inName: field)
        else { return }
        let isPlain = isPlainName(field) && path.steps.count == 1
        let text = isPlain ? "\(path)" : "\"\(path)\""
        let from = path == FieldPath(name: column.name) ? "" : ", from: \(text)"
        diagnostics.warning(
            .unitInName, at: place,
            "`\(field)` sounds like \(unit.noun) since 1970, and a number without a unit is read as seconds",
            fix: "write `\(quotedName(column.name)): { type: timestamp\(from), unit: \(unit.rawValue) }`")
    }

    /// How a time is written; nil after a report.
    private func readForm(_ map: MapReader<ColumnKeys>, _ type: DataType) -> ColumnSpec.Form? {
        if map.contains(\.unit), map.contains(\.pattern) {
            diagnostics.error(
                .conflictingKeys, at: map.keyPlace(\.pattern), "a column has a `unit` or a `pattern`, not both",
                fix: "`unit` is for numbers, `pattern` for text")
            return nil
        }
        if map.contains(\.unit) {
            guard let unit = map[\.unit] else { return nil }
            if type == .timestamp { return .epoch(unit) }
            diagnostics.error(
                .typeMismatch, at: map.keyPlace(\.unit), "`unit` is for timestamps, and this is \(article(type))",
                fix: type == .date ? "declare a `timestamp`, and a date of it as a column of its own" : "remove it")
            return nil
        }
        guard map.contains(\.pattern) else { return .usual }
        guard let node = map[\.pattern]?.value, let text = text(node, "`pattern`") else { return nil }
        guard type == .timestamp || type == .date else {
            diagnostics.error(
                .typeMismatch, at: map.keyPlace(\.pattern),
                "`pattern` is for timestamps and dates, and this is \(article(type))", fix: "remove it")
            return nil
        }
        do throws(PatternProblem) {
            return .pattern(try ColumnPattern(text.value))
        } catch {
            diagnostics.error(.badArgument, at: node.place, error.message, fix: error.fix)
            return nil
        }
    }

    // MARK: Elements

    /// `each: PATH` or `{ path, keep_empty }`; nil after a report.
    func readEach(_ entry: YAMLEntry, _ format: RecordFormat?) -> EachSpec? {
        var node = entry.value
        var keepsEmpty = false
        if case .mapping = node.kind {
            guard let map = MapReader<EachKeys>(node, at: entry.keyPlace, self) else { return nil }
            keepsEmpty = map[\.keepEmpty]
            guard let path = map[\.path] else { return nil }
            node = path.value
        }
        guard let scalar = scalar(node, entry.what) else { return nil }
        if case .csv = format {
            diagnostics.error(
                .conflictingKeys, at: entry.keyPlace, "`each` is for records that nest, and CSV does not",
                fix: "remove it, or read the array's column as text and split it")
            return nil
        }
        return readPath(node, scalar, format).map { EachSpec(path: $0, keepsEmpty: keepsEmpty) }
    }
}
