// Protobuf on a source: where the schema is from, which message records are, what stands before them, and whether the
// columns are in it.

extension SpecBuilder {
    /// - Parameters:
    ///   - map: nil where the format is but a word.
    ///   - place: of the word or key.
    ///   - kind: the connector's key, nil unless there is just one.
    func readProtobufOptions(
        _ map: MapReader<ProtobufFormatKeys>?, at place: Place, _ kind: String?
    ) -> ProtobufOptions? {
        if let kind, kind != "kafka" {
            diagnostics.error(
                .conflictingKeys, at: place,
                "Protobuf does not go with `\(kind)`: a message does not say where it ends, as a topic's records do",
                fix: "read messages from a topic with `kafka`")
            return nil
        }
        let sources = map.map { map in
            [
                map.contains(\.proto) ? map.keyPlace(\.proto) : nil,
                map.contains(\.descriptor) ? map.keyPlace(\.descriptor) : nil,
                map.contains(\.registry) ? map.keyPlace(\.registry) : nil,
            ].compactMap { $0 }
        }
        if let map, sources?.isEmpty == true,
            map.isMisspelt(\.registry) || map.isMisspelt(\.proto) || map.isMisspelt(\.descriptor)
        {
            return nil
        }
        guard let map, let sources, let first = sources.first else {
            diagnostics.error(
                .missingKey, at: place, "Protobuf needs a schema, which messages do not have with them",
                fix: "write `format: { protobuf: { proto: FILE } }`, `{ descriptor: FILE }` or `{ registry: URL }`")
            return nil
        }
        if let second = sources.dropFirst().first {
            diagnostics.error(
                .conflictingKeys, at: second, "the format has one of `proto`, `descriptor` and `registry`",
                fix: "remove the others")
            return nil
        }
        let message = map[\.message]
        let framing = map[\.framing]
        if map.contains(\.registry) {
            return readRegistryOptions(map, framing, message: message?.value)
        }
        guard let schema = readSchema(map, at: first) else { return nil }
        do throws(ProtobufProblem) {
            let found: Int
            if let message {
                found = try schema.message(named: message.value)
            } else {
                found = try schema.onlyMessage()
            }
            return ProtobufOptions(schema: schema, message: schema[found].fullName, framing: framing ?? .none)
        } catch {
            let known = message.map { Place(position: $0.position, length: $0.length) }
            diagnostics.error(.badSchema, at: known ?? first, error.message, fix: error.fix)
            return nil
        }
    }

    private func readRegistryOptions(
        _ map: MapReader<ProtobufFormatKeys>, _ framing: ProtobufOptions.Framing?, message: String?
    ) -> ProtobufOptions? {
        if framing == ProtobufOptions.Framing.none {
            diagnostics.error(
                .conflictingKeys, at: map.keyPlace(\.framing),
                "with a registry each value names its schema, which `framing: none` has no place for",
                fix: "remove `framing`, or name a `proto` in place of the registry")
            return nil
        }
        return map[\.registry].flatMap { readRegistry($0) }.map {
            ProtobufOptions(schema: nil, message: message, framing: .confluent, registry: $0)
        }
    }

    /// The schema of a file, `place` being that of its key.
    private func readSchema(_ map: MapReader<ProtobufFormatKeys>, at place: Place) -> ProtobufSchema? {
        let isText = map.contains(\.proto)
        guard let path = isText ? map[\.proto] : map[\.descriptor] else { return nil }
        let valuePlace = Place(position: path.position, length: path.length)
        let name = path.value.split(separator: "/").last.map(String.init) ?? path.value
        let content = readSchemaFile(
            path.value, shown: name, at: valuePlace,
            fix: isText
                ? "write the path of a `.proto` file" : "write the path of what `protoc --descriptor_set_out` wrote")
        guard let content else { return nil }
        do throws(ProtobufProblem) {
            guard isText else { return try ProtobufSchema(descriptors: content) }
            return try ProtobufSchema(proto: content, name: name) { [readFile] imported in
                try? readFile(resolvePath(imported, besideFile: path.value)).get()
            }
        } catch {
            let fix =
                error.fix != nil
                ? error.fix
                : isText
                    ? error.message.contains(" to import")
                        ? "imports are looked for in the folder of the file; `descriptor` takes all of them in one file"
                        : nil
                    : "write it with `protoc --include_imports --descriptor_set_out=FILE`"
            diagnostics.error(.badSchema, at: valuePlace, "the schema cannot be read: \(error.message)", fix: fix)
            return nil
        }
    }

    /// What can be known before a record is read. `readsEach` says that there is an `each`, which may have a mistake of
    /// its own.
    func checkColumns(_ columns: [ColumnSpec], _ each: EachSpec?, _ options: ProtobufOptions, readsEach: Bool) {
        guard let schema = options.schema, !readsEach || each != nil,
            let message = options.message.flatMap({ try? schema.message(named: $0) })
        else { return }
        report(schema.problems(of: columns, each: each, message: message))
    }
}
