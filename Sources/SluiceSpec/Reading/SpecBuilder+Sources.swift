// One entry of `sources`.

extension SpecBuilder {
    func readSource(_ named: NamedNode) -> SourceEntry {
        let name = named.name
        var entry = SourceEntry(
            name: name, scope: ColumnScope.Input(name: name.value, isUnknown: true), eventTime: .unknown,
            spec: nil, readsStandardInput: false)
        guard let map = MapReader<SourceKeys>(named.node, at: named.place, self) else { return entry }
        if map.contains(\.union) { return readUnion(map, name) }
        let connector = readSourceConnector(map)
        // What the rest is judged by, even when the connector has mistakes of its own; nil unless there is just one.
        let present = map.present(SourceKeys.connectors)
        let kind = present.count == 1 ? present[0].key : nil
        entry.readsStandardInput = connector is StandardInputSpec
        let format =
            map.contains(\.format) ? map[\.format].flatMap { readRecordFormat($0.value, kind, connector) } : .json()
        let timeZone =
            map.contains(\.timeZone)
            ? map[\.timeZone] : Located("UTC", at: name.position, length: name.length)
        let columns = map.required(
            \.columns, orElse: "say which fields the rows have, as in `{ page: string }`")
        if let columns {
            let context = ColumnContext(
                connector: kind, format: format, timeZone: timeZone?.value ?? "UTC",
                hasEach: map.contains(\.each))
            entry.scope = readColumns(columns.value, source: name.value, context)
        }
        let (watermark, timeColumn) = map[\.watermark].map { readWatermark($0, entry.scope, kind) } ?? (nil, nil)
        let deduplicate = map[\.deduplicate].flatMap {
            readDeduplicate($0, entry.scope, watermark, isTimed: map.contains(\.watermark))
        }
        let eventTime = readEventTime(map, timeColumn, entry.scope)
        entry.eventTime = eventTime.state
        let each = map[\.each].flatMap { readEach($0, format) }
        if case .avro(let options)? = format, !entry.scope.isUnknown {
            checkColumns(entry.scope.columns, each, options, readsEach: map.contains(\.each))
        }
        if case .protobuf(let options)? = format, !entry.scope.isUnknown {
            checkColumns(entry.scope.columns, each, options, readsEach: map.contains(\.each))
        }
        let badRows = readBadRows(map, defaultAt: name)
        var filter: TypedExpression?
        if let node = map[\.filter]?.value {
            filter = condition(node, "`where`", scope: ColumnScope(inputs: [entry.scope]))
            if let timeZone, timeZone.value != "UTC" { warnOfZonelessTimestamps(node, timeZone.value) }
        }
        guard let connector, let format, let timeZone, let badRows else { return entry }
        entry.spec = SourceSpec(
            name: name, connector: connector, format: format, columns: entry.scope.columns,
            eventTime: eventTime.column, watermark: watermark, filter: filter, timeZone: timeZone, badRows: badRows)
        entry.spec?.each = each
        entry.spec?.deduplicate = deduplicate
        return entry
    }

    // MARK: Connectors

    /// Whether there is just one of the map's connectors; reported if not.
    func hasOneConnector<Keys>(_ map: MapReader<Keys>, _ connectors: [String]) -> Bool {
        let present = map.present(connectors)
        let list = connectors.map { "`\($0)`" }.joined(separator: ", ")
        if present.isEmpty {
            diagnostics.error(
                .connectorCount, at: map.place, "\(Keys.noun) needs a connector", fix: "add one of \(list)")
        }
        for extra in present.dropFirst() {
            diagnostics.error(
                .connectorCount, at: extra.keyPlace,
                "\(Keys.noun) has one connector, and `\(present[0].key)` is there already",
                fix: "remove one of them")
        }
        return present.count == 1
    }

    private func readSourceConnector(_ map: MapReader<SourceKeys>) -> (any SourceConnector)? {
        // All that are there are read for their mistakes, even when only one may stay.
        let kafka = map[\.kafka].flatMap { readKafkaSource($0) }
        let file = map[\.file].flatMap { readFileSource($0) }
        var standardInput: SourcePosition?
        if let inner = map[\.stdin] {
            standardInput = inner.place.position
            diagnostics.warning(
                .noReplay, at: inner.place, "standard input cannot be read again: rows in hand at a crash are lost",
                fix: "for input that survives a crash use `file` with `follow: true`")
        }
        guard hasOneConnector(map, SourceKeys.connectors) else { return nil }
        return kafka ?? file ?? standardInput.map { StandardInputSpec(position: $0) }
    }

    private func readFileSource(_ map: MapReader<FileSourceKeys>) -> FileSourceSpec? {
        let path = map[\.path]
        let follow = map[\.follow]
        let maxFiles = map[\.maxFilesPerTrigger]
        let maxBytes = map[\.maxBytesPerTrigger]
        let onTruncate = map[\.onTruncate]
        if !follow, map.contains(\.onTruncate) {
            diagnostics.error(
                .conflictingKeys, at: map.keyPlace(\.onTruncate),
                "`on_truncate` is for followed files, and whole files are taken once as they are",
                fix: "remove it, or add `follow: true`")
        }
        if follow, map.contains(\.maxFilesPerTrigger) {
            diagnostics.error(
                .conflictingKeys, at: map.keyPlace(\.maxFilesPerTrigger),
                "`max_files_per_trigger` counts whole files, and with `follow` files have no end",
                fix: "use `max_bytes_per_trigger`")
        }
        return path.map {
            FileSourceSpec(
                path: $0, isFollowed: follow, maxFilesPerTrigger: maxFiles.map { Int($0) },
                maxBytesPerTrigger: maxBytes, onTruncate: onTruncate)
        }
    }

    // MARK: Rows

    func readRecordFormat(
        _ node: YAMLNode, _ kind: String?, _ connector: (any SourceConnector)?
    ) -> RecordFormat? {
        guard case .mapping(let entries) = node.kind else {
            let words: KeyValuePairs<String, RecordFormat> = [
                "json": .json(), "csv": .csv(CSVOptions()), "avro": .avro(AvroOptions(schema: nil, framing: .none)),
                "protobuf": .protobuf(ProtobufOptions(schema: nil, message: nil, framing: .none)),
            ]
            guard let format = word(node, "`format`", words, foreign: ForeignWords.format)?.value else { return nil }
            if case .avro = format { return readAvroOptions(nil, at: node.place, kind, connector).map { .avro($0) } }
            guard case .protobuf = format else { return format }
            return readProtobufOptions(nil, at: node.place, kind).map { .protobuf($0) }
        }
        guard let entry = onlyFormat(["json", "csv", "avro", "protobuf"], entries, node) else { return nil }
        switch entry.key {
        case "json":
            guard let map = MapReader<JSONFormatKeys>(entry.value, at: entry.keyPlace, self) else { return nil }
            return readJSONOptions(map, kind).map { .json($0) }
        case "csv":
            guard let map = MapReader<CSVFormatKeys>(entry.value, at: entry.keyPlace, self) else { return nil }
            return readCSVOptions(map, kind, connector).map { .csv($0) }
        case "protobuf":
            guard let map = MapReader<ProtobufFormatKeys>(entry.value, at: entry.keyPlace, self) else { return nil }
            return readProtobufOptions(map, at: entry.keyPlace, kind).map { .protobuf($0) }
        default:
            guard let map = MapReader<AvroFormatKeys>(entry.value, at: entry.keyPlace, self) else { return nil }
            return readAvroOptions(map, at: entry.keyPlace, kind, connector).map { .avro($0) }
        }
    }

    private func readJSONOptions(_ map: MapReader<JSONFormatKeys>, _ kind: String?) -> JSONOptions? {
        guard map.contains(\.registry) else { return JSONOptions() }
        let registry = map[\.registry].flatMap { readRegistry($0) }
        if let kind, kind != "kafka" {
            diagnostics.error(
                .conflictingKeys, at: map.keyPlace(\.registry), "a registry is for topics, and this reads `\(kind)`",
                fix: "remove it")
            return nil
        }
        return registry.map { JSONOptions(registry: $0) }
    }

    /// A header line is the first of a file, and a topic has no first message to everyone.
    func refuseHeader(_ place: Place, _ instead: String) {
        diagnostics.error(
            .conflictingKeys, at: place, "Kafka messages have no header line",
            fix: "remove `header`: \(instead)")
    }

    /// The only entry of a `format` map, if it names a format.
    func onlyFormat(_ formats: [String], _ entries: [YAMLEntry], _ node: YAMLNode) -> YAMLEntry? {
        for entry in entries where !formats.contains(entry.key) {
            diagnostics.error(
                .unknownKey, at: entry.keyPlace, "`\(entry.key)` is not a format",
                fix: ForeignWords.format(entry.key) ?? suggestion(for: entry.key, in: formats, listing: "formats are"))
        }
        let known = entries.filter { formats.contains($0.key) }
        if known.count != 1, known.count == entries.count {
            diagnostics.error(
                .wrongShape, at: node.place, "`format` names one format", fix: "write `format: json` or `format: csv`")
        }
        return known.count == 1 ? known[0] : nil
    }

    // MARK: Time

    /// The watermark, and its column even when the rest has mistakes.
    func readWatermark(
        _ entry: YAMLEntry, _ scope: ColumnScope.Input, _ connector: String?
    ) -> (spec: WatermarkSpec?, column: Located<String>?) {
        guard let map = MapReader<WatermarkKeys>(entry.value, at: entry.keyPlace, self) else { return (nil, nil) }
        let node = map[\.column]?.value
        let column = node.flatMap { text($0, "`column`") }
        let delay = map[\.delay]
        let idle = map[\.idleTimeout]
        let maxAhead = map[\.maxAhead]
        let parts = readWatermarkParts(map, connector)
        guard let column, checkTimeColumn(column, node, scope, "the watermark's column") else { return (nil, nil) }
        var spec = delay.map {
            WatermarkSpec(column: column, delayMicros: $0, idleTimeoutMicros: idle, parts: parts)
        }
        spec?.maxAheadMicros = maxAhead
        return (spec, column)
    }

    /// Whether a column exists and is a timestamp; a column with a mistake of its own passes.
    func checkTimeColumn(
        _ column: Located<String>, _ node: YAMLNode?, _ scope: ColumnScope.Input, _ what: String
    ) -> Bool {
        guard let node, let scalar = scalar(node, what) else { return false }
        if let declared = scope.column(column.value) {
            if declared.type == .timestamp { return true }
            diagnostics.error(
                .eventTime, at: node.place,
                "\(what) must be a timestamp, and `\(scalar.shown)` is \(article(declared.type))",
                fix: "declare it as `timestamp`")
            return false
        }
        if scope.isUnknown || scope.brokenColumns.contains(column.value) { return true }
        diagnostics.error(
            .unknownColumn, at: node.place, "the source has no column `\(scalar.shown)`",
            fix: suggestion(for: column.value, in: scope.suggestions, listing: "its columns are"))
        return false
    }

    func readEventTime(
        _ map: MapReader<SourceKeys>, _ watermark: Located<String>?, _ scope: ColumnScope.Input
    ) -> (column: Located<String>?, state: EventTimeState) {
        guard map.contains(\.eventTime) else {
            if let watermark { return (watermark, .declared(watermark.value)) }
            return (nil, map.contains(\.watermark) ? .unknown : .none)
        }
        guard let node = map[\.eventTime]?.value, let column = text(node, "`event_time`"),
            checkTimeColumn(column, node, scope, "`event_time`")
        else { return (nil, .unknown) }
        if let watermark, watermark.value != column.value {
            diagnostics.error(
                .eventTime, at: node.place, "`event_time` and the watermark name different columns",
                fix: "with a watermark leave `event_time` out")
        }
        return (column, .declared(column.value))
    }

    private func readBadRows(_ map: MapReader<SourceKeys>, defaultAt name: Located<String>) -> Located<BadRowsPolicy>? {
        guard map.contains(\.badRows) else { return Located(.null, at: name.position, length: name.length) }
        guard let node = map[\.badRows]?.value else { return nil }
        if node.isNull { return located(.null, node) }
        if case .mapping = node.kind {
            guard let sink = readRowsToSink(node, map.keyPlace(\.badRows)) else { return nil }
            unsupported(
                "`bad_rows` to a sink", at: map.keyPlace(\.badRows),
                fix: "use `null`, `permissive`, `drop` or `fail` for now")
            return located(.sink(sink.value), node)
        }
        return word(
            node, "`bad_rows`", ["null": .null, "permissive": .permissive, "drop": .drop, "fail": .fail],
            foreign: ForeignWords.badRows)
    }

    /// `{ to: SINK }`.
    func readRowsToSink(_ node: YAMLNode, _ place: Place) -> Located<String>? {
        MapReader<RouteKeys>(node, at: place, self).flatMap { $0[\.to] }
    }

    private func warnOfZonelessTimestamps(_ node: YAMLNode, _ zone: String) {
        guard let scalar = scalar(node, "`where`") else { return }
        let text = ExpressionText(scalar)
        guard let tokens = try? Lexer.tokens(of: text) else { return }
        for (word, literal) in zip(tokens, tokens.dropFirst()) {
            guard case .identifier(let name) = word.kind, name.lowercased() == "timestamp",
                case .string(let value) = literal.kind, parseTimestamp(value)?.hasZone == false
            else { continue }
            diagnostics.warning(
                .zonelessTimestamp, at: text.place(literal.range),
                "a constant without a zone is UTC, although the source's texts are read as \(zone)",
                fix: "say the zone, as in `'2024-01-31 08:18:00Z'` or `+01:00`")
        }
    }
}
