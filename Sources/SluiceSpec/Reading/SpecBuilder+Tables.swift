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
        let path = map[\.file].flatMap { $0[\.path] }
        let connector = path.map {
            FileSourceSpec(
                path: $0, isFollowed: false, maxFilesPerTrigger: nil, maxBytesPerTrigger: nil, onTruncate: .fail)
        }
        let format =
            map.contains(\.format) ? map[\.format].flatMap { readRecordFormat($0.value, "file", connector) } : .json()
        let timeZone =
            map.contains(\.timeZone) ? map[\.timeZone] : Located("UTC", at: name.position, length: name.length)
        if let columns = map[\.columns] {
            entry.scope = readColumns(
                columns.value, source: name.value,
                ColumnContext(connector: "file", format: format, timeZone: timeZone?.value ?? "UTC", hasEach: false))
        }
        if case .avro(let options)? = format, !entry.scope.isUnknown {
            checkColumns(entry.scope.columns, nil, options, readsEach: false)
        }
        if case .protobuf(let options)? = format, !entry.scope.isUnknown {
            checkColumns(entry.scope.columns, nil, options, readsEach: false)
        }
        let badRows = readTableBadRows(map, name)
        let filter = map[\.filter].flatMap { condition($0.value, $0.what, scope: ColumnScope(inputs: [entry.scope])) }
        let (reload, unique) = (map[\.reload], map[\.unique])
        guard let connector, let format, let timeZone, let badRows else { return entry }
        let source = SourceSpec(
            name: name, connector: connector, format: format, columns: entry.scope.columns, eventTime: nil,
            watermark: nil, filter: filter, timeZone: timeZone, badRows: badRows)
        entry.spec = TableSpec(source: source, reload: reload, isUnique: unique)
        return entry
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
