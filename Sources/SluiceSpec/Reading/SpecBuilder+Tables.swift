// One entry of `tables`, and which joins can look one up.

/// A table as far as it could be read.
struct TableEntry {
    var name: Located<String>
    var scope: ColumnScope.Input
    /// nil where something without which it means nothing is missing.
    var spec: TableSpec?
}

extension SpecBuilder {
    func readTable(_ named: NamedNode) -> TableEntry {
        let name = named.name
        var entry = TableEntry(name: name, scope: ColumnScope.Input(name: name.value, isUnknown: true))
        guard let map = MapReader<TableKeys>(named.node, at: named.place, self) else { return entry }
        let connector = readTableConnector(map)
        // What the rest is judged by, even when the connector has mistakes of its own; nil unless there is just one.
        let present = map.present(TableKeys.connectors)
        let kind = present.count == 1 ? present[0].key : nil
        let format =
            map.contains(\.format) ? map[\.format].flatMap { readRecordFormat($0.value, kind, connector) } : .json()
        let timeZone =
            map.contains(\.timeZone) ? map[\.timeZone] : Located("UTC", at: name.position, length: name.length)
        if let columns = map[\.columns] {
            var context = ColumnContext(
                connector: kind, format: format, timeZone: timeZone?.value ?? "UTC", hasEach: false)
            if kind == "kafka" { context.keyColumns = map[\.key].map { keyNames($0.value) } ?? [] }
            entry.scope = readColumns(columns.value, source: name.value, context)
        }
        let key = readTableKey(map, kind, entry.scope)
        if case .avro(let options)? = format, !entry.scope.isUnknown {
            checkColumns(entry.scope.columns, nil, options, readsEach: false)
        }
        if case .protobuf(let options)? = format, !entry.scope.isUnknown {
            checkColumns(entry.scope.columns, nil, options, readsEach: false)
        }
        let badRows = readTableBadRows(map, name)
        let filter = map[\.filter].flatMap { condition($0.value, $0.what, scope: ColumnScope(inputs: [entry.scope])) }
        let (reload, unique) = (map[\.reload], map[\.unique])
        guard let connector, let format, let timeZone, let badRows, let key else { return entry }
        let source = SourceSpec(
            name: name, connector: connector, format: format, columns: entry.scope.columns, eventTime: nil,
            watermark: nil, filter: filter, timeZone: timeZone, badRows: badRows)
        entry.spec = TableSpec(source: source, reload: reload, isUnique: unique, key: key)
        return entry
    }

    private func readTableConnector(_ map: MapReader<TableKeys>) -> (any SourceConnector)? {
        // All that are there are read for their mistakes, even when only one may stay.
        let kafka = map[\.kafka].flatMap { readKafkaTable($0) }
        let path = map[\.file].flatMap { $0[\.path] }
        let file = path.map {
            FileSourceSpec(
                path: $0, isFollowed: false, maxFilesPerTrigger: nil, maxBytesPerTrigger: nil, onTruncate: .fail)
        }
        guard hasOneConnector(map, TableKeys.connectors) else { return nil }
        return kafka ?? file
    }

    /// The columns that are in the keys of a topic's records; nil after a report.
    private func readTableKey(
        _ map: MapReader<TableKeys>, _ kind: String?, _ scope: ColumnScope.Input
    ) -> [Located<String>]? {
        guard let node = map[\.key]?.value else {
            guard kind == "kafka", !map.contains(\.key) else { return map.contains(\.key) ? nil : [] }
            diagnostics.error(
                .missingKey, at: map.place, "a table that is a topic needs `key`: records are told apart by it",
                fix: "name the columns that are in the key of its records, as in `key: device_id`")
            return nil
        }
        if kind == "file" {
            diagnostics.error(
                .kafkaOnly, at: map.keyPlace(\.key),
                "`key` is for topics, and this reads `file`: records of files have none",
                fix: "remove it; `unique: true` says that the columns of a join's `keys` are no two rows' own")
            return nil
        }
        let items = keyItems(node)
        if items.isEmpty {
            diagnostics.error(.missingValue, at: node.place, "`key` names no column", fix: "write `key: device_id`")
            return nil
        }
        let key = items.compactMap { readKeyColumn($0, scope) }
        guard key.count == items.count else { return nil }
        for (index, column) in key.enumerated() where key[..<index].contains(where: { $0.value == column.value }) {
            diagnostics.error(
                .duplicateKey, at: column.place, "`\(column.value)` stands twice in `key`", fix: "remove one of them")
            return nil
        }
        return key
    }

    private func keyItems(_ node: YAMLNode) -> [YAMLNode] {
        if case .sequence(let items) = node.kind { items } else { [node] }
    }

    /// The columns that `key` names, whatever is wrong with them.
    private func keyNames(_ node: YAMLNode) -> [String] {
        keyItems(node).compactMap { if case .scalar(let scalar) = $0.kind { scalar.text } else { nil } }
    }

    private func readKeyColumn(_ node: YAMLNode, _ scope: ColumnScope.Input) -> Located<String>? {
        guard let name = text(node, "`key`"), let scalar = scalar(node, "`key`") else { return nil }
        guard let column = scope.column(name.value) else {
            if scope.isUnknown || scope.brokenColumns.contains(name.value) { return name }
            diagnostics.error(
                .unknownColumn, at: node.place, "the table has no column `\(scalar.shown)`",
                fix: suggestion(for: name.value, in: scope.suggestions, listing: "its columns are"))
            return nil
        }
        if case .computed = column.origin {
            diagnostics.error(
                .conflictingKeys, at: node.place, "`\(scalar.shown)` is computed, and so in no record's key",
                fix: "name the column that it is computed from")
            return nil
        }
        if column.type == .json {
            diagnostics.error(
                .typeMismatch, at: node.place, "`\(scalar.shown)` is json, and keys are told apart as they are written",
                fix: "declare it as `string`")
            return nil
        }
        return name
    }

    private func readTableBadRows(_ map: MapReader<TableKeys>, _ name: Located<String>) -> Located<BadRowsPolicy>? {
        guard map.contains(\.badRows) else { return Located(.null, at: name.position, length: name.length) }
        guard let node = map[\.badRows]?.value else { return nil }
        if node.isNull { return located(.null, node) }
        return word(
            node, "`bad_rows`", ["null": .null, "permissive": .permissive, "drop": .drop, "fail": .fail],
            foreign: ForeignWords.badRows)
    }

    /// A source's or table's name; it counts as used even when it is unknown.
    func inputReference(_ node: YAMLNode) -> Located<String>? {
        guard let scalar = scalar(node, "a source's or table's name") else { return nil }
        guard tables[scalar.text] != nil else { return sourceReference(node) }
        usedTables.insert(scalar.text)
        return located(scalar.text, node)
    }

    /// What only a join of two streams has, or what a table on the right has no answer for.
    func checkTableJoin(_ map: MapReader<JoinKeys>, _ table: Located<String>, _ type: Located<JoinType>?) {
        for key in map.present(JoinKeys.timeConditions) {
            diagnostics.error(
                .conflictingKeys, at: key.keyPlace, "`\(table.value)` is a table, and a table has no time",
                fix: "remove \(key.what); a condition on columns is written as `where`")
        }
        guard let type, type.value == .rightOuter || type.value == .fullOuter else { return }
        diagnostics.error(
            .tableJoinType, at: type.place,
            "a \(type.value.rawValue) join with a table would put out the table's rows that nothing has matched, and "
                + "nothing says when", fix: "use `inner`, `left outer`, `left semi` or `left anti`")
    }
}
