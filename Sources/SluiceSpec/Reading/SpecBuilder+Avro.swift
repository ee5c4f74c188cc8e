// Avro on a source: where the schema is from, what stands before a datum, and whether the columns are in the schema.
// And on a sink.

extension SpecBuilder {
    /// - Parameters:
    ///   - map: nil where the format is but a word.
    ///   - place: of the word or key.
    ///   - kind: the connector's key, nil unless there is just one.
    ///   - connector: nil where it has mistakes.
    func readAvroOptions(
        _ map: MapReader<AvroFormatKeys>?, at place: Place, _ kind: String?, _ connector: (any SourceConnector)?
    ) -> AvroOptions? {
        var schema: AvroSchema?
        if let map, map.contains(\.schema) {
            guard let node = map[\.schema]?.value, let read = readSchema(node) else { return nil }
            schema = read.schema
        }
        let framing = map?[\.framing]
        if let map, map.contains(\.registry) { return readRegistryOptions(map, framing, kind) }
        switch kind {
        case "kafka":
            guard schema != nil else {
                if let map, map.isMisspelt(\.registry) || map.isMisspelt(\.schema) { return nil }
                diagnostics.error(
                    .missingKey, at: place, "Avro in a topic needs a schema, which its values do not have with them",
                    fix: "write `format: { avro: { registry: URL } }`, or `{ avro: { schema: FILE } }`")
                return nil
            }
            return AvroOptions(schema: schema, framing: framing ?? .none)
        case "stdin":
            diagnostics.error(
                .conflictingKeys, at: place, "Avro does not go with `stdin`: a pipe has lines, and Avro has none",
                fix: "read container files with `file`")
            return nil
        default: break
        }
        if let map, framing != nil {
            diagnostics.error(
                .conflictingKeys, at: map.keyPlace(\.framing),
                "`framing` is for topics: container files have a framing of their own", fix: "remove it")
            return nil
        }
        if let file = connector as? FileSourceSpec, file.isFollowed {
            diagnostics.error(
                .conflictingKeys, at: place, "Avro does not go with `follow`: container files do not grow by lines",
                fix: "remove `follow` and let whole files be moved into a folder")
            return nil
        }
        return AvroOptions(schema: schema, framing: .container)
    }

    /// Options with a registry.
    private func readRegistryOptions(
        _ map: MapReader<AvroFormatKeys>, _ framing: AvroOptions.Framing?, _ kind: String?
    ) -> AvroOptions? {
        let place = map.keyPlace(\.registry)
        let registry = map[\.registry].flatMap { readRegistry($0) }
        if map.contains(\.schema) {
            diagnostics.error(
                .conflictingKeys, at: map.keyPlace(\.schema), "the format has a `schema` or a `registry`, not both",
                fix: "remove `schema`: the registry has those that values are written by")
            return nil
        }
        if let kind, kind != "kafka" {
            diagnostics.error(
                .conflictingKeys, at: place, "a registry is for topics, and this reads `\(kind)`",
                fix: "remove it: container files have their schemas with them")
            return nil
        }
        if framing == AvroOptions.Framing.none {
            diagnostics.error(
                .conflictingKeys, at: map.keyPlace(\.framing),
                "with a registry each value names its schema, which `framing: none` has no place for",
                fix: "remove `framing`, or name the one `schema` in place of the registry")
            return nil
        }
        return registry.map { AvroOptions(schema: nil, framing: .confluent, registry: $0) }
    }

    /// - Parameters: as `readAvroOptions`.
    func readAvroOutput(
        _ map: MapReader<AvroOutputKeys>?, at place: Place, _ connector: (any SinkConnector)?
    ) -> AvroOutput? {
        var output = AvroOutput(codec: map?[\.codec] ?? .null)
        if let map, map.contains(\.schema) {
            guard let node = map[\.schema]?.value, let read = readSchema(node) else { return nil }
            output.schema = SchemaText(read.text)
        }
        if let map, map.contains(\.registry) {
            guard let registry = map[\.registry].flatMap({ readRegistry($0) }) else { return nil }
            if registry.countsRecords {
                diagnostics.error(
                    .conflictingKeys, at: map.keyPlace(\.registry),
                    "`records_per_schema` counts what a source reads, and this is a sink", fix: "remove it")
            }
            output.registry = registry
        }
        func refuse(_ key: Place?, _ message: String, fix: String) -> AvroOutput? {
            diagnostics.error(.conflictingKeys, at: key ?? place, message, fix: fix)
            return nil
        }
        switch connector {
        case is KafkaSinkSpec:
            if let map, output.codec != .null {
                return refuse(
                    map.keyPlace(\.codec), "`codec` is for files: a topic's records are packed by the client",
                    fix: "write `options: { compression.type: zstd }` under `kafka`")
            }
            if output.schema == nil, output.registry == nil {
                if let map, map.isMisspelt(\.registry) || map.isMisspelt(\.schema) { return nil }
                diagnostics.error(
                    .missingKey, at: place, "nobody could read Avro in a topic without its schema",
                    fix: "write `format: { avro: { registry: URL } }`, or `{ avro: { schema: FILE } }`")
                return nil
            }
        case let file as FileSinkSpec:
            if file.isCompressed {
                return refuse(
                    nil, "container files of Avro are packed block by block, and not as a whole",
                    fix: "remove `compression`, and write `format: { avro: { codec: zstandard } }`")
            }
            if let map, output.registry != nil {
                return refuse(
                    map.keyPlace(\.registry), "a registry is for topics: container files have their schemas with them",
                    fix: "remove it")
            }
        case is StandardOutputSpec:
            return refuse(
                nil, "Avro does not go with `stdout`: a pipe has lines, and Avro has none",
                fix: "write `json`, or to a `file`")
        default: break
        }
        return output
    }

    /// A schema, by its text or by its file.
    private func readSchema(_ node: YAMLNode) -> (schema: AvroSchema, text: [UInt8])? {
        guard let value = text(node, "`schema`") else { return nil }
        let isText = value.value.first { !$0.isWhitespace }.map { "{[\"".contains($0) } ?? false
        let bytes: [UInt8]
        if isText {
            bytes = Array(value.value.utf8)
        } else {
            guard let path = path(node, "`schema`") else { return nil }
            let content = readSchemaFile(
                path.value, shown: value.value, at: node.place,
                fix: "write the path of an `.avsc` file, or the schema itself")
            guard let content else { return nil }
            bytes = content
        }
        do throws(AvroSchemaProblem) { return (try AvroSchema(text: bytes), bytes) } catch {
            let file = isText ? "" : "`\(value.value)`: "
            diagnostics.error(.badSchema, at: node.place, file + error.sentence, fix: error.fix)
            return nil
        }
    }

    /// What can be known before a file is opened: what a topic's values have. `readsEach` says that there is an `each`,
    /// which may have a mistake of its own.
    func checkColumns(_ columns: [ColumnSpec], _ each: EachSpec?, _ options: AvroOptions, readsEach: Bool) {
        guard let schema = options.schema, options.framing != .container, !readsEach || each != nil else { return }
        report(AvroResolution(writer: schema).problems(of: columns, each: each))
    }
}
