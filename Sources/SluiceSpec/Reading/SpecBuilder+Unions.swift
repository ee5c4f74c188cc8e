// A source that is made of several, and which of a source's rows are the same.

extension SpecBuilder {
    /// A source with `union`; its parts have been read before it.
    func readUnion(_ map: MapReader<SourceKeys>, _ name: Located<String>) -> SourceEntry {
        var entry = SourceEntry(
            name: name, scope: ColumnScope.Input(name: name.value, isUnknown: true), eventTime: .unknown,
            spec: nil, readsStandardInput: false)
        for extra in map.present(SourceKeys.partsOnly) {
            diagnostics.error(
                .conflictingKeys, at: extra.keyPlace, "a union has \(extra.what) of its parts",
                fix: "remove it here, and say it on each part")
        }
        let parts = readParts(map)
        entry.readsStandardInput = parts.contains { sources[$0.value]?.readsStandardInput ?? false }
        let specs = parts.compactMap { sources[$0.value]?.spec }
        guard let first = specs.first, specs.count == parts.count, haveSameColumns(parts, specs) else { return entry }
        var scope = ColumnScope.Input(name: name.value)
        for column in first.columns { scope.add(column) }
        entry.scope = scope
        let isPerSource = isWatermarkPerSource(map)
        let (watermark, column) =
            isPerSource
            ? readWatermarkOfParts(map, scope, specs)
            : map[\.watermark].map { readWatermark($0, scope, nil) } ?? (nil, nil)
        if !isPerSource { refuseWatermarks(of: specs) }
        if let watermark, !isPerSource, watermark.parts != .whole {
            diagnostics.error(
                .conflictingKeys, at: map.keyPlace(\.watermark),
                "a union's watermark runs over all rows, or is that of its parts",
                fix: "write `watermark: { per_source: true }`, and say the rest on each part")
        }
        let eventTime = readEventTime(map, column, scope)
        entry.eventTime = eventTime.state
        let deduplicate = map[\.deduplicate].flatMap {
            readDeduplicate($0, scope, watermark, isTimed: map.contains(\.watermark))
        }
        let filter = map[\.filter].flatMap { condition($0.value, "`where`", scope: ColumnScope(inputs: [scope])) }
        entry.spec = SourceSpec(
            name: name,
            connector: UnionSpec(
                parts: parts, isWatermarkPerSource: isPerSource, position: map.keyPlace(\.union).position),
            format: .json(), columns: first.columns, eventTime: eventTime.column, watermark: watermark,
            filter: filter, timeZone: Located("UTC", at: name.position, length: name.length),
            badRows: Located(.null, at: name.position, length: name.length))
        entry.spec?.deduplicate = deduplicate
        return entry
    }

    private func readParts(_ map: MapReader<SourceKeys>) -> [Located<String>] {
        guard let node = map[\.union]?.value else { return [] }
        guard case .sequence(let items) = node.kind else {
            diagnostics.error(
                .wrongShape, at: node.place, "`union` is a list of sources, and this is \(node.noun)",
                fix: "write `union: [SOURCE, SOURCE]`")
            return []
        }
        if items.count < 2 {
            diagnostics.error(.missingValue, at: node.place, "`union` needs at least two sources")
        }
        var seen: Set<String> = []
        return items.compactMap { item in
            guard let part = sourceReference(item) else { return nil }
            if !seen.insert(part.value).inserted {
                diagnostics.error(.duplicateName, at: item.place, "the source `\(part.value)` stands twice in `union`")
                return nil
            }
            guard let spec = sources[part.value]?.spec else { return part }
            if spec.union != nil {
                diagnostics.error(
                    .wrongShape, at: item.place, "`\(part.value)` is a union itself",
                    fix: "name its parts here: " + (spec.union?.parts.map(\.value) ?? []).joined(separator: ", "))
            }
            if let deduplicate = spec.deduplicate {
                diagnostics.error(
                    .conflictingKeys, at: Place(position: deduplicate.position, length: 1),
                    "a part of a union has no `deduplicate` of its own", fix: "say it on the union")
            }
            return part
        }
    }

    /// By name and type; their order means nothing.
    private func haveSameColumns(_ parts: [Located<String>], _ specs: [SourceSpec]) -> Bool {
        func types(_ spec: SourceSpec) -> [String: DataType] {
            Dictionary(spec.columns.map { ($0.name, $0.type) }, uniquingKeysWith: { first, _ in first })
        }
        let first = types(specs[0])
        var isGood = true
        for (part, spec) in zip(parts, specs).dropFirst() {
            let own = types(spec)
            let names = Set(first.keys).union(own.keys).filter { first[$0] != own[$0] }.sorted()
            guard let name = names.first else { continue }
            isGood = false
            func said(_ type: DataType?) -> String { type.map { "\($0)" } ?? "not there" }
            diagnostics.error(
                .typeMismatch, at: part.place,
                "the parts of a union have the same columns, and `\(name)` is \(said(first[name])) in "
                    + "`\(parts[0].value)` and \(said(own[name])) in `\(part.value)`",
                fix: "declare it in both, with one type")
        }
        return isGood
    }

    // MARK: Time

    private func isWatermarkPerSource(_ map: MapReader<SourceKeys>) -> Bool {
        guard let node = map[\.watermark]?.value, case .mapping(let entries) = node.kind,
            let entry = entries.first(where: { $0.key == "per_source" })
        else { return false }
        return boolean(entry.value, "`per_source`") ?? false
    }

    private func refuseWatermarks(of specs: [SourceSpec]) {
        for spec in specs {
            guard let watermark = spec.watermark else { continue }
            diagnostics.error(
                .conflictingKeys, at: watermark.column.place,
                "`\(spec.name.value)` is part of a union, whose watermark runs over the rows of all parts",
                fix: "move it to the union, or write `watermark: { per_source: true }` there")
        }
    }

    /// Each part has a watermark of its own, on one column: declared by each, or here for all.
    private func readWatermarkOfParts(
        _ map: MapReader<SourceKeys>, _ scope: ColumnScope.Input, _ specs: [SourceSpec]
    ) -> (spec: WatermarkSpec?, column: Located<String>?) {
        guard let entry = map[\.watermark],
            let inner = MapReader<UnionWatermarkKeys>(entry.value, at: entry.keyPlace, self)
        else { return (nil, nil) }
        let column = inner[\.column].flatMap { text($0.value, "`column`") }
        let (delay, idle) = (inner[\.delay], inner[\.idleTimeout])
        if let column {
            refuseWatermarks(of: specs)
            guard checkTimeColumn(column, inner[\.column]?.value, scope, "the watermark's column") else {
                return (nil, nil)
            }
            guard let delay else {
                diagnostics.error(
                    .missingKey, at: entry.keyPlace, "a watermark needs `delay`",
                    fix: "say how late rows may come, as in `delay: 10 minutes`")
                return (nil, column)
            }
            return (WatermarkSpec(column: column, delayMicros: delay, idleTimeoutMicros: idle), column)
        }
        for spec in specs where spec.watermark == nil {
            diagnostics.error(
                .missingKey, at: spec.name.place,
                "`\(spec.name.value)` is part of a union with a watermark per "
                    + "source, and declares none", fix: "give it a `watermark`, or say column and delay on the union")
            return (nil, nil)
        }
        guard let first = specs[0].watermark else { return (nil, nil) }
        for spec in specs {
            guard let watermark = spec.watermark, watermark.column.value != first.column.value else { continue }
            diagnostics.error(
                .eventTime, at: watermark.column.place, "the parts of a union have one event time, and this is another",
                fix: "name `\(first.column.value)`, or give the column that name")
            return (nil, nil)
        }
        return (first, first.column)
    }

    // MARK: Deduplication

    /// - Parameter isTimed: whether there is a watermark, perhaps with a mistake of its own.
    func readDeduplicate(
        _ entry: YAMLEntry, _ scope: ColumnScope.Input, _ watermark: WatermarkSpec?, isTimed: Bool
    ) -> DeduplicateSpec? {
        guard case .mapping = entry.value.kind else {
            let columns = readDuplicateColumns(entry.value, scope)
            let spec = DeduplicateSpec(columns: columns, position: entry.keyPlace.position)
            return check(spec, entry.keyPlace, scope, watermark, isTimed: isTimed)
        }
        guard let map = MapReader<DeduplicateKeys>(entry.value, at: entry.keyPlace, self) else { return nil }
        let columns = map[\.columns].map { readDuplicateColumns($0.value, scope) } ?? []
        let (within, keep) = (map[\.within], map[\.keep])
        if within != nil, keep != nil {
            diagnostics.error(
                .conflictingKeys, at: map.keyPlace(\.within), "`keep: forever` forgets nothing after a time",
                fix: "remove one of them")
        }
        let spec = DeduplicateSpec(
            columns: columns, withinMicros: within, keepsForever: keep ?? false, position: entry.keyPlace.position)
        return check(spec, entry.keyPlace, scope, watermark, isTimed: isTimed)
    }

    private func readDuplicateColumns(_ node: YAMLNode, _ scope: ColumnScope.Input) -> [Located<String>] {
        let items: [YAMLNode]
        if case .sequence(let list) = node.kind { items = list } else { items = [node] }
        if items.isEmpty { diagnostics.error(.missingValue, at: node.place, "`deduplicate` names no column") }
        var seen: Set<String> = []
        return items.compactMap { item in
            guard let column = text(item, "a column of `deduplicate`"), let scalar = scalar(item, "a column") else {
                return nil
            }
            if !seen.insert(column.value).inserted { return nil }
            if let declared = scope.column(column.value) {
                if declared.type != .json { return column }
                diagnostics.error(
                    .keyType, at: item.place, "`json` cannot be compared: one value has many texts",
                    fix: "take the value from its own path, as in `from: user.id`")
            } else if !scope.isUnknown, !scope.brokenColumns.contains(column.value) {
                diagnostics.error(
                    .unknownColumn, at: item.place, "the source has no column `\(scalar.shown)`",
                    fix: suggestion(for: column.value, in: scope.suggestions, listing: "its columns are"))
            }
            return nil
        }
    }

    private func check(
        _ spec: DeduplicateSpec, _ place: Place, _ scope: ColumnScope.Input, _ watermark: WatermarkSpec?,
        isTimed: Bool
    ) -> DeduplicateSpec? {
        if spec.columns.isEmpty { return nil }
        if spec.keepsForever {
            let isForgotten = watermark.map { mark in spec.columns.contains { $0.value == mark.column.value } } ?? false
            if !isForgotten {
                diagnostics.warning(
                    .keepsForever, at: place, "state grows for ever: no value of these columns is ever forgotten",
                    fix: "leave out `keep: forever`, or add the event time to the columns")
            }
            return spec
        }
        guard isTimed || scope.isUnknown else {
            diagnostics.error(
                .noEventTime, at: place, "without a watermark nothing says for how long a row has duplicates",
                fix: "give the source a `watermark`, or write `deduplicate: { columns: …, keep: forever }`")
            return nil
        }
        return spec
    }
}
