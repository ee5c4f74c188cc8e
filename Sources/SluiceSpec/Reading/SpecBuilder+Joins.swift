// The `join` list of a query. Each entry adds one input to what is there: what stands left of it is everything so far.

extension SpecBuilder {
    func readJoins(_ map: MapReader<QueryKeys>, _ inputs: inout QueryInputs) -> [JoinSpec] {
        guard let entry = map[\.join] else { return [] }
        let node = entry.value
        let items: [YAMLNode]
        switch node.kind {
        case .sequence(let list): items = list
        // One join needs no list.
        case .mapping: items = [node]
        case .invalid: return []
        case .scalar:
            diagnostics.error(
                .wrongShape, at: node.place, "`join` is a list of joins, and this is \(node.noun)",
                fix: "write `- with: SOURCE` below it")
            return []
        }
        if items.isEmpty { diagnostics.error(.missingValue, at: node.place, "`join` joins nothing") }
        return items.compactMap { readJoin($0, at: entry.keyPlace, &inputs) }
    }

    private func readJoin(_ node: YAMLNode, at place: Place, _ inputs: inout QueryInputs) -> JoinSpec? {
        guard let map = MapReader<JoinKeys>(node, at: place, self) else {
            append(nil, to: &inputs)
            return nil
        }
        let with = map[\.with]
        if let with, inputs.eventTimes.contains(where: { $0.source == with.value }) {
            diagnostics.error(
                .selfJoin, at: Place(position: with.position, length: with.length),
                "`\(with.value)` is already an input of this query",
                fix: "declare a second source that reads the same data, and join that")
        }
        let type = map[\.type].flatMap { readJoinType($0.value) }
        let left = inputs
        append(with, to: &inputs)
        let keys = readKeys(map, left: left.scope, inputs.scope)
        let isTable = with.map { tables[$0.value] != nil } ?? false
        if let with, isTable { checkTableJoin(map, with, type) }
        let window = isTable ? nil : map[\.window].flatMap { readWindow($0, left: left) }
        let within = isTable ? nil : map[\.within].flatMap { readWithin($0.value, left: left, inputs) }
        let filter = map[\.filter].flatMap { condition($0.value, $0.what, scope: inputs.scope) }
        if !isTable { checkTimeCondition(map, left: left, inputs) }
        // A table may be joined on a condition alone: every row of it is looked at.
        if !map.contains(\.keys), !map.contains(\.window), !isTable {
            diagnostics.error(
                .joinWithoutEquality, at: with.map { Place(position: $0.position, length: $0.length) } ?? place,
                "a join needs at least one equality", fix: "add `keys: { left.column: right.column }` or `window`")
        }
        let matchPlace = map.keyPlace(\.match)
        let match =
            map.contains(\.match)
            ? Located(map[\.match], at: matchPlace.position, length: matchPlace.length) : nil
        if let match, match.value != .all { checkMatch(map, match, type, isTable: isTable, inputs) }
        if let type { hideInputs(type.value, left: left, &inputs) }
        guard let with, let type else { return nil }
        var join = JoinSpec(
            with: with, type: type, keys: keys, within: within, windowMicros: window?.size, filter: filter)
        join.windowSource = window?.source
        join.isTable = isTable
        join.match = match
        return join
    }

    private func readJoinType(_ node: YAMLNode) -> Located<JoinType>? {
        guard let scalar = scalar(node, "`type`") else { return nil }
        let words = scalar.text.lowercased().split { $0 == " " || $0 == "_" }.joined(separator: " ")
        if let type = JoinType(rawValue: scalar.text.split(separator: " ").joined(separator: " ")) {
            return located(type, node)
        }
        let spark = ["left": "left outer", "right": "right outer", "full": "full outer", "outer": "full outer"]
        let others = [
            "semi": "left semi", "anti": "left anti", "leftouter": "left outer", "rightouter": "right outer",
            "fullouter": "full outer", "leftsemi": "left semi", "leftanti": "left anti", "cross": "inner",
        ]
        let names = JoinType.allCases.map(\.rawValue)
        let near =
            names.contains(words) ? "write `\(words)`" : (spark[words] ?? others[words]).map { "did you mean `\($0)`?" }
        diagnostics.error(
            .unknownWord, at: node.place, "`\(scalar.shown)` is not a type of join",
            fix: near ?? suggestion(for: scalar.isSecret ? "" : scalar.text, in: names, listing: "types are"))
        return nil
    }

    /// After a semi or anti join only the left inputs have columns.
    private func hideInputs(_ type: JoinType, left: QueryInputs, _ inputs: inout QueryInputs) {
        guard type == .leftSemi || type == .leftAnti, let right = inputs.scope.inputs.last else { return }
        let hidden = inputs.scope.hidden
        inputs.scope = left.scope
        inputs.scope.hidden =
            hidden + [(right.name, "a \(type.rawValue) join keeps only the columns of its left side")]
    }

    // MARK: Keys

    private func readKeys(_ map: MapReader<JoinKeys>, left: ColumnScope, _ both: ColumnScope) -> [JoinKeySpec] {
        guard let node = map[\.keys]?.value else {
            if map.contains(\.nullSafe) {
                diagnostics.error(
                    .conflictingKeys, at: map.keyPlace(\.nullSafe), "`null_safe` without `keys` has nothing to act on")
            }
            return []
        }
        let right = ColumnScope(inputs: both.inputs.suffix(1))
        var keys: [JoinKeySpec] = []
        switch node.kind {
        case .invalid: return []
        case .scalar: keys = [commonKey(node, left, right)].compactMap { $0 }
        case .sequence(let items):
            if items.isEmpty { diagnostics.error(.missingValue, at: node.place, "`keys` names no column") }
            keys = items.compactMap { commonKey($0, left, right) }
        case .mapping(let entries):
            if entries.isEmpty { diagnostics.error(.missingValue, at: node.place, "`keys` names no column") }
            keys = entries.compactMap { mappedKey($0, left, right) }
        }
        applyNullSafety(map, &keys)
        return keys
    }

    /// A name that both sides use.
    private func commonKey(_ node: YAMLNode, _ left: ColumnScope, _ right: ColumnScope) -> JoinKeySpec? {
        guard let scalar = scalar(node, "a key") else { return nil }
        let (source, column) = columnName(scalar.text, left.inputs + right.inputs)
        if source != nil {
            diagnostics.error(
                .wrongShape, at: node.place, "a key without its counterpart",
                fix: "write `{ left.column: right.column }`, or only the name that both sides use")
            return nil
        }
        let a = keyColumn(nil, column, left, node.place, shown: scalar.shown)
        let b = keyColumn(nil, column, right, node.place, shown: scalar.shown)
        return key(a, b, node.place)
    }

    private func mappedKey(_ entry: YAMLEntry, _ left: ColumnScope, _ right: ColumnScope) -> JoinKeySpec? {
        guard let scalar = scalar(entry.value, "a key") else { return nil }
        let all = left.inputs + right.inputs
        var first = columnName(entry.key, all)
        var second = columnName(scalar.text, all)
        var (firstPlace, secondPlace) = (entry.keyPlace, entry.value.place)
        var (firstShown, secondShown) = (entry.key, scalar.shown)
        // Written the other way round it means the same.
        let rightName = right.inputs.first?.name
        if first.source != nil, first.source == rightName, second.source != rightName {
            swap(&first, &second)
            swap(&firstPlace, &secondPlace)
            swap(&firstShown, &secondShown)
        }
        let a = keyColumn(first.source, first.column, left, firstPlace, shown: firstShown)
        let b = keyColumn(second.source, second.column, right, secondPlace, shown: secondShown)
        return key(a, b, entry.value.place)
    }

    private typealias KeyColumn = (column: Located<ColumnReference>, type: DataType)

    private func keyColumn(
        _ source: String?, _ column: String, _ scope: ColumnScope, _ place: Place, shown: String
    ) -> KeyColumn? {
        switch scope.find(source: source, column: column, shown: shown) {
        case .found(let reference, let type):
            return (Located(reference, at: place.position, length: place.length), type)
        case .broken: return nil
        case .failed(let code, let message, let fix):
            if isExpression(column) || source.map(isExpression) == true {
                diagnostics.error(
                    .wrongShape, at: place, "`\(shown)` is an expression, and keys are columns",
                    fix: "write the equality as the join's `where`, beside `keys` of plain columns or a `window`")
                return nil
            }
            let side = scope.inputs.map { "`\($0.name)`" }.joined(separator: ", ")
            diagnostics.error(code, at: place, source == nil ? "\(message) (looked for in \(side))" : message, fix: fix)
            return nil
        }
    }

    /// Whether a key that names no column was meant to compute something.
    private func isExpression(_ text: String) -> Bool {
        text.contains { "()+*/%|'\"=<>".contains($0) } || text.lowercased().hasPrefix("case ")
            || text.contains(" - ")
    }

    private func key(_ left: KeyColumn?, _ right: KeyColumn?, _ place: Place) -> JoinKeySpec? {
        guard let left, let right else { return nil }
        if left.type == .json || right.type == .json {
            diagnostics.error(
                .keyType, at: place, "`json` cannot be a key: one value has many texts",
                fix: "take the key from its own path, as in `from: user.id`")
            return nil
        }
        // Numbers of unlike types meet in the type that Spark widens both to.
        if left.type != right.type, !(left.type.isNumeric && right.type.isNumeric) {
            let (text, number) = left.type == .string ? (left, right) : (right, left)
            let cast = "`\(text.column.value) = cast(\(number.column.value) as string)`"
            let isTextAndNumber = text.type == .string && number.type.isNumeric
            diagnostics.error(
                .keyType, at: place,
                "`\(left.column.value)` is \(article(left.type)) and `\(right.column.value)` is \(article(right.type))",
                fix: "declare both columns with one type"
                    + (isTextAndNumber
                        ? ", or write \(cast) as the join's `where`, beside other keys or a `window`" : ""))
            return nil
        }
        return JoinKeySpec(left: left.column, right: right.column, isNullSafe: false)
    }

    /// `source.column` or `column` as a key writes it. The names of sources are known, so they may hold hyphens.
    private func columnName(_ text: String, _ inputs: [ColumnScope.Input]) -> (source: String?, column: String) {
        for input in inputs where !input.name.isEmpty && text.hasPrefix(input.name + ".") {
            return (input.name, String(text.dropFirst(input.name.count + 1)))
        }
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        let unquoted = parts.map { part in
            part.count > 2 && part.hasPrefix("`") && part.hasSuffix("`")
                ? String(part.dropFirst().dropLast()) : String(part)
        }
        return unquoted.count == 2 ? (unquoted[0], unquoted[1]) : (nil, text)
    }

    private func applyNullSafety(_ map: MapReader<JoinKeys>, _ keys: inout [JoinKeySpec]) {
        guard let node = map[\.nullSafe]?.value else { return }
        guard case .sequence(let items) = node.kind else {
            guard let isNullSafe = boolean(node, "`null_safe`") else { return }
            for index in keys.indices { keys[index].isNullSafe = isNullSafe }
            return
        }
        for item in items {
            guard let scalar = scalar(item, "a key") else { continue }
            let matches = keys.indices.filter { index in
                let (left, right) = (keys[index].left.value, keys[index].right.value)
                return [left.column, right.column, "\(left.source).\(left.column)", "\(right.source).\(right.column)"]
                    .contains(scalar.text)
            }
            for index in matches { keys[index].isNullSafe = true }
            if matches.isEmpty, !keys.isEmpty {
                diagnostics.error(
                    .unknownColumn, at: item.place, "`\(scalar.shown)` is not one of the keys",
                    fix: scalar.isSecret
                        ? nil : suggestion(for: scalar.text, in: keys.map(\.left.value.column), listing: "keys are"))
            }
        }
    }

    // MARK: Time

    private func readWindow(
        _ entry: YAMLEntry, left: QueryInputs
    ) -> (size: Located<Int64>, source: Located<String>?)? {
        guard case .mapping = entry.value.kind else {
            return duration(entry.value, entry.what, atLeast: 1).map { ($0, nil) }
        }
        guard let map = MapReader<WindowKeys>(entry.value, at: entry.keyPlace, self) else { return nil }
        var source: Located<String>?
        if let node = map[\.of]?.value, let scalar = scalar(node, "`of`") {
            source = located(scalar.text, node)
            let names = left.scope.inputs.map(\.name)
            if !names.contains(scalar.text), !left.scope.inputs.contains(where: \.isUnknown) {
                diagnostics.error(
                    .unknownSource, at: node.place, "`\(scalar.shown)` is no input before this join",
                    fix: scalar.isSecret ? nil : suggestion(for: scalar.text, in: names, listing: "inputs are"))
                return nil
            }
        }
        return map[\.size].map { ($0, source) }
    }

    private func readWithin(_ node: YAMLNode, left: QueryInputs, _ inputs: QueryInputs) -> TypedExpression? {
        guard let parsed = syntax(node, "`within`") else { return nil }
        var checker = WithinChecker(
            text: parsed.text, left: left, all: inputs, rightName: inputs.eventTimes.last?.source ?? "",
            diagnostics: diagnostics)
        guard checker.check(parsed.syntax) else { return nil }
        return TypeChecker(text: parsed.text, scope: inputs.scope, diagnostics: diagnostics)
            .boolean(parsed.syntax, of: "within")
    }

    /// `within` and `window` need an event time on both sides, and exclude each other.
    private func checkTimeCondition(_ map: MapReader<JoinKeys>, left: QueryInputs, _ inputs: QueryInputs) {
        guard let key = map.present(JoinKeys.timeConditions).first else { return }
        if map.contains(\.within), map.contains(\.window) {
            diagnostics.error(
                .conflictingKeys, at: map.keyPlace(\.window), "a join has `within` or `window`, not both",
                fix: "write the condition that is left over as `where`")
        }
        let leftStates = left.eventTimes
        let of = map.contains(\.window) ? windowSource(map) ?? leftStates.first?.source : nil
        if let state = leftStates.first(where: { $0.source == of }), state.state == .none {
            reportNoEventTime(state.source, key)
        } else if !leftStates.contains(where: { $0.state != .none }), let first = leftStates.first {
            reportNoEventTime(first.source, key)
        }
        if let right = inputs.eventTimes.last, right.state == .none {
            reportNoEventTime(right.source, key)
        }
    }

    /// The source that `window` names.
    private func windowSource(_ map: MapReader<JoinKeys>) -> String? {
        guard let node = map[\.window]?.value, case .mapping(let entries) = node.kind,
            let of = entries.first(where: { $0.key == "of" }), case .scalar(let scalar) = of.value.kind
        else { return nil }
        return scalar.text
    }

    private func reportNoEventTime(_ source: String, _ key: YAMLEntry) {
        diagnostics.error(
            .noEventTime, at: key.keyPlace, "\(key.what) needs an event time, and the source `\(source)` declares none",
            fix: "give it `watermark: { column: …, delay: … }` or `event_time: …`")
    }
}
