// The `kafka` connector: what a source reads, what a sink writes, and the record's own parts as columns.

extension SpecBuilder {
    // MARK: Source

    func readKafkaSource(_ map: MapReader<KafkaSourceKeys>) -> KafkaSourceSpec? {
        let brokers = map[\.brokers].flatMap { readBrokers($0.value) }
        let topics = readTopics(map)
        let start = map[\.start].flatMap { readKafkaStart($0.value, topics) }
        let maximum = map[\.maxOffsetsPerTrigger]
        let minimum = map[\.minOffsetsPerTrigger]
        let delay = map[\.maxTriggerDelay]
        let fails = map[\.onDataLoss]
        let committed = map[\.isolation]
        let options = readKafkaOptions(map[\.options]?.value, refused: RefusedOptions.source)
        if let maximum, let minimum, minimum > maximum {
            diagnostics.error(
                .conflictingKeys, at: map.keyPlace(\.minOffsetsPerTrigger),
                "`min_offsets_per_trigger` is above `max_offsets_per_trigger`")
        }
        guard let brokers, let topics else { return nil }
        var spec = KafkaSourceSpec(position: map.place.position, brokers: brokers, topics: topics)
        spec.start = start ?? .latest
        spec.maxOffsetsPerTrigger = maximum
        spec.minOffsetsPerTrigger = minimum
        spec.maxTriggerDelayMicros = delay?.value
        spec.failsOnDataLoss = fails
        spec.isReadCommitted = committed
        spec.options = options
        return spec
    }

    // MARK: Table

    /// A topic that is a table: all of it, from its first record on.
    func readKafkaTable(_ map: MapReader<KafkaTableKeys>) -> KafkaSourceSpec? {
        let brokers = map[\.brokers].flatMap { readBrokers($0.value) }
        let topic = map[\.topic].flatMap { readTopic($0.value) }
        let committed = map[\.isolation]
        let options = readKafkaOptions(map[\.options]?.value, refused: RefusedOptions.source)
        guard let brokers, let topic else { return nil }
        var spec = KafkaSourceSpec(
            position: map.place.position, brokers: brokers, topics: KafkaTopics(.one(topic.value), partitions: nil))
        spec.start = .earliest
        spec.isReadCommitted = committed
        spec.options = options
        return spec
    }

    // MARK: Sink

    func readKafkaSink(_ map: MapReader<KafkaSinkKeys>) -> KafkaSinkSpec? {
        let brokers = map[\.brokers].flatMap { readBrokers($0.value) }
        let topic = map[\.topic].flatMap { readTopic($0.value) }
        let key = map[\.key]
        let headers = map[\.headers].map { readHeaders($0.value) } ?? []
        let timestamp = map[\.timestamp]
        let delivery = map[\.delivery]
        let options = readKafkaOptions(map[\.options]?.value, refused: RefusedOptions.sink)
        guard let brokers, let topic else { return nil }
        var spec = KafkaSinkSpec(position: map.place.position, brokers: brokers, topic: topic)
        spec.key = key.map { OutputExpression(text: $0.text, syntax: $0.syntax) }
        spec.headers = headers
        spec.timestamp = timestamp
        spec.isExactlyOnce = delivery
        spec.options = options
        return spec
    }

    /// `{ NAME: EXPR, … }`; those with mistakes are left out.
    private func readHeaders(_ node: YAMLNode) -> [KafkaHeaderSpec] {
        guard case .mapping(let entries) = node.kind else {
            diagnostics.error(
                .wrongShape, at: node.place, "`headers` is a map from names to expressions, and this is \(node.noun)",
                fix: "write `{ page: page }`")
            return []
        }
        return entries.compactMap { entry in
            let parsed = syntax(entry.value, "the header `\(entry.key)`")
            if entry.key.isEmpty || entry.key.contains("\0") {
                diagnostics.error(.badName, at: entry.keyPlace, "a header needs a name, without NUL")
                return nil
            }
            if entry.key == "sluice-query" || entry.key == "sluice-batch" {
                diagnostics.error(
                    .badName, at: entry.keyPlace, "every record has a header `\(entry.key)` already",
                    fix: "give this one another name")
                return nil
            }
            return parsed.map {
                KafkaHeaderSpec(name: entry.key, value: OutputExpression(text: $0.text, syntax: $0.syntax))
            }
        }
    }

    // MARK: Both

    private func readBrokers(_ node: YAMLNode) -> Located<String>? {
        guard let brokers = text(node, "`brokers`") else { return nil }
        if brokers.value.contains(where: { $0 != "," && !$0.isWhitespace }) { return brokers }
        diagnostics.error(
            .missingValue, at: node.place, "`brokers` names no broker", fix: "write `brokers: host:9092`")
        return nil
    }

    /// A topic's name, by the rule that brokers hold it against.
    func readTopic(_ node: YAMLNode, _ what: String = "`topic`") -> Located<String>? {
        guard let topic = text(node, what), let scalar = scalar(node, what) else { return nil }
        if isTopicName(topic.value) { return topic }
        diagnostics.error(
            .badName, at: node.place, "`\(scalar.shown)` cannot be the name of a topic",
            fix: "use letters, digits, `.`, `_` and `-`, at most 249, and not just `.` or `..`")
        return nil
    }

    /// `options` go to librdkafka as they are, but for the refused; any of them may be a password, so all are kept as
    /// secrets.
    private func readKafkaOptions(_ node: YAMLNode?, refused: [RefusedOption]) -> [KafkaOption] {
        guard let node else { return [] }
        guard case .mapping(let entries) = node.kind else {
            diagnostics.error(.wrongShape, at: node.place, "`options` is a map, and this is \(node.noun)")
            return []
        }
        return entries.compactMap { entry in
            if let refusal = RefusedOptions.refusal(of: entry.key, in: refused) {
                diagnostics.error(
                    .refusedOption, at: entry.keyPlace, "`\(entry.key)` cannot be set: \(refusal.reason)",
                    fix: refusal.instead)
                return nil
            }
            return scalar(entry.value, "`\(entry.key)`").map {
                let isFile = RefusedOptions.files.contains(entry.key) && !RefusedOptions.fileWords.contains($0.text)
                let file = entry.value.place.position.file
                return KafkaOption(
                    name: Located(entry.key, at: entry.keyPlace.position, length: entry.keyPlace.length),
                    value: Secret(isFile ? resolvePath($0.text, besideFile: file) : $0.text),
                    valuePosition: entry.value.place.position, isFile: isFile)
            }
        }
    }

    // MARK: Columns

    /// Where a column's value comes from, as `from` says it; nil after a report.
    func readOrigin(
        _ node: YAMLNode, type: DataType, _ typeNode: YAMLNode, _ context: ColumnContext
    ) -> ColumnSpec.Origin? {
        guard let name = text(node, "`from`"), let scalar = scalar(node, "`from`") else { return nil }
        guard name.value.hasPrefix(KafkaField.prefix) else { return readPart(node, scalar, type, typeNode, context) }
        guard let field = KafkaField(name.value) else {
            diagnostics.error(
                .unknownWord, at: node.place, "`\(scalar.shown)` is no part of a Kafka record",
                fix: scalar.isSecret ? nil : KafkaField.fix(for: name.value))
            return nil
        }
        if let connector = context.connector, connector != "kafka" {
            diagnostics.error(
                .kafkaOnly, at: node.place,
                "only a `kafka` source has `\(scalar.shown)`, and this reads `\(connector)`",
                fix: "take the column from a field of the row")
            return nil
        }
        if type == .json {
            diagnostics.error(
                .typeMismatch, at: typeNode.place, "`\(scalar.shown)` is no part of a record that nests",
                fix: "declare it as `string`, and read it with `get_json_object`")
            return nil
        }
        if let types = field.types, !types.contains(type) {
            let words = types.map { "`\($0)`" }.joined(separator: " or ")
            diagnostics.error(
                .typeMismatch, at: typeNode.place,
                "`\(scalar.shown)` is \(article(types[0])), and the column is declared as \(article(type))",
                fix: "declare it as \(words)")
            return nil
        }
        return .kafka(field)
    }

    /// A part of the record, or of the element that makes the row.
    private func readPart(
        _ node: YAMLNode, _ scalar: YAMLScalar, _ type: DataType, _ typeNode: YAMLNode, _ context: ColumnContext
    ) -> ColumnSpec.Origin? {
        let isPlace = scalar.text == "each.#"
        let isEach = isPlace || ["each.", "each["].contains { scalar.text.hasPrefix($0) }
        guard isEach || scalar.text == "each" && context.hasEach else {
            return readPath(node, scalar, context.format).map { .field($0) }
        }
        guard context.hasEach else {
            diagnostics.error(
                .conflictingKeys, at: node.place,
                "`\(scalar.shown)` is a part of an element, and the source has no `each`",
                fix: "add `each: PATH` to the source, or write `['each']` for a field of that name")
            return nil
        }
        if isPlace {
            if type == .int || type == .long { return .eachPlace }
            diagnostics.error(
                .typeMismatch, at: typeNode.place, "`each.#` is an int, and the column is declared as \(article(type))",
                fix: "declare it as `int` or `long`")
            return nil
        }
        return readPath(node, scalar, context.format).map { path in
            let steps = Array(path.steps.dropFirst())
            return .each(steps.isEmpty ? nil : FieldPath(steps))
        }
    }

    /// A path in a format that nests; a name, whatever its characters, in one that does not.
    func readPath(_ node: YAMLNode, _ scalar: YAMLScalar, _ format: RecordFormat?) -> FieldPath? {
        if case .csv = format { return FieldPath(name: scalar.text) }
        do throws(PathProblem) { return try FieldPath(text: scalar.text) } catch {
            diagnostics.error(
                .badPath, at: node.place, scalar.isSecret ? "`from` is not a path" : error.message,
                fix: scalar.isSecret ? nil : error.fix)
            return nil
        }
    }
}
