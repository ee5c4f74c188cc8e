// The `kafka` connector: what a source reads, what a sink writes, and the record's own parts as columns.

extension SpecBuilder {
    // MARK: Source

    func readKafkaSource(_ map: MapReader<KafkaSourceKeys>) -> KafkaSourceSpec? {
        let brokers = map[\.brokers].flatMap { readBrokers($0.value) }
        let topic = map[\.topic].flatMap { readTopic($0.value) }
        let start = map[\.start].flatMap { readKafkaStart($0.value, $0.keyPlace) }
        let maximum = map[\.maxOffsetsPerTrigger]
        let minimum = map[\.minOffsetsPerTrigger]
        let delay = map[\.maxTriggerDelay]
        let fails = map[\.onDataLoss]
        let committed = map[\.isolation]
        let options = readKafkaOptions(map[\.options]?.value, refused: KafkaOptions.source)
        if let maximum, let minimum, minimum > maximum {
            diagnostics.error(
                .conflictingKeys, at: map.keyPlace(\.minOffsetsPerTrigger),
                "`min_offsets_per_trigger` is above `max_offsets_per_trigger`")
        }
        guard let brokers, let topic else { return nil }
        var spec = KafkaSourceSpec(position: map.place.position, brokers: brokers, topic: topic)
        spec.start = start ?? .latest
        spec.maxOffsetsPerTrigger = maximum
        spec.minOffsetsPerTrigger = minimum
        spec.maxTriggerDelayMicros = delay?.value
        spec.failsOnDataLoss = fails
        spec.isReadCommitted = committed
        spec.options = options
        return spec
    }

    private func readKafkaStart(_ node: YAMLNode, _ place: Place) -> KafkaSourceSpec.Start? {
        guard case .mapping(let entries) = node.kind else {
            return word(
                node, "`start`", ["latest": .latest, "earliest": .earliest],
                orElse: "a map such as `{ timestamp: … }` or `{ 0: 23, 1: 7 }`")?.value
        }
        if entries.contains(where: { $0.key == "timestamp" }) { return readStartTime(entries) }
        if entries.isEmpty {
            diagnostics.error(
                .missingValue, at: node.place, "`start` names no partition",
                fix: "write `latest`, `earliest`, `{ timestamp: … }` or offsets such as `{ 0: 23, 1: 7 }`")
            return nil
        }
        var starts: [Int32: KafkaSourceSpec.PartitionStart] = [:]
        for entry in entries {
            guard let partition = partitionNumber(entry) else { continue }
            let start = readPartitionStart(entry.value, partition)
            // `0` and `00` are two keys of the map and one partition.
            if starts.updateValue(start ?? .latest, forKey: partition) != nil {
                diagnostics.error(
                    .duplicateKey, at: entry.keyPlace, "partition \(partition) stands twice in `start`",
                    fix: "remove one of them")
            }
        }
        return .offsets(starts)
    }

    private func readStartTime(_ entries: [YAMLEntry]) -> KafkaSourceSpec.Start? {
        for entry in entries where entry.key != "timestamp" {
            diagnostics.error(
                .conflictingKeys, at: entry.keyPlace, "`start` is either a timestamp, for all partitions, or offsets",
                fix: "remove one of them")
        }
        guard let node = entries.first(where: { $0.key == "timestamp" })?.value,
            let scalar = scalar(node, "`timestamp`")
        else { return nil }
        if let parsed = parseTimestamp(scalar.text) { return .timestamp(parsed.micros) }
        diagnostics.error(
            .badTimestamp, at: node.place, "`\(scalar.shown)` is not a point in time",
            fix: "write it as `2024-01-31T08:18:00Z`")
        return nil
    }

    private func partitionNumber(_ entry: YAMLEntry) -> Int32? {
        if entry.key.utf8.allSatisfy({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }),
            let partition = Int32(entry.key)
        {
            return partition
        }
        diagnostics.error(
            .badCount, at: entry.keyPlace, "`\(entry.key)` is not the number of a partition",
            fix: "write `latest`, `earliest`, `{ timestamp: … }` or offsets such as `{ 0: 23, 1: 7 }`")
        return nil
    }

    private func readPartitionStart(_ node: YAMLNode, _ partition: Int32) -> KafkaSourceSpec.PartitionStart? {
        guard let scalar = scalar(node, "the start of partition \(partition)") else { return nil }
        switch scalar.text {
        case "earliest": return .earliest
        case "latest": return .latest
        default: break
        }
        if let first = scalar.text.unicodeScalars.first, Lexer.isNameStart(first) {
            diagnostics.error(
                .unknownWord, at: node.place, "`\(scalar.shown)` is no place to start in a partition",
                fix: "write an offset, `earliest` or `latest`")
            return nil
        }
        return count(node, "an offset", in: 0...Int64.max).map { .offset($0) }
    }

    // MARK: Sink

    func readKafkaSink(_ map: MapReader<KafkaSinkKeys>) -> KafkaSinkSpec? {
        let brokers = map[\.brokers].flatMap { readBrokers($0.value) }
        let topic = map[\.topic].flatMap { readTopic($0.value) }
        let key = map[\.key]
        let timestamp = map[\.timestamp]
        let delivery = map[\.delivery]
        let options = readKafkaOptions(map[\.options]?.value, refused: KafkaOptions.sink)
        guard let brokers, let topic else { return nil }
        var spec = KafkaSinkSpec(position: map.place.position, brokers: brokers, topic: topic)
        spec.key = key.map { OutputExpression(text: $0.text, syntax: $0.syntax) }
        spec.timestamp = timestamp
        spec.isExactlyOnce = delivery
        spec.options = options
        return spec
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
    private func readTopic(_ node: YAMLNode) -> Located<String>? {
        guard let topic = text(node, "`topic`"), let scalar = scalar(node, "`topic`") else { return nil }
        let punctuation = "._-".utf8
        let isGood =
            topic.value.utf8.count <= 249 && topic.value != "." && topic.value != ".."
            && topic.value.utf8.allSatisfy {
                ($0 | 0x20 >= 97 && $0 | 0x20 <= 122) || ($0 >= 48 && $0 <= 57) || punctuation.contains($0)
            }
        if isGood { return topic }
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
            if let refusal = KafkaOptions.refusal(of: entry.key, in: refused) {
                diagnostics.error(
                    .refusedOption, at: entry.keyPlace, "`\(entry.key)` cannot be set: \(refusal.reason)",
                    fix: refusal.instead)
                return nil
            }
            return scalar(entry.value, "`\(entry.key)`").map {
                let isFile = KafkaOptions.files.contains(entry.key) && !KafkaOptions.fileWords.contains($0.text)
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
        guard name.value.hasPrefix(KafkaField.prefix) else {
            return readPath(node, scalar, context).map { .field($0) }
        }
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

    /// A path in a format that nests; a name, whatever its characters, in one that does not.
    private func readPath(_ node: YAMLNode, _ scalar: YAMLScalar, _ context: ColumnContext) -> FieldPath? {
        if case .csv = context.format { return FieldPath(name: scalar.text) }
        do throws(PathProblem) { return try FieldPath(text: scalar.text) } catch {
            diagnostics.error(
                .badPath, at: node.place, scalar.isSecret ? "`from` is not a path" : error.message,
                fix: scalar.isSecret ? nil : error.fix)
            return nil
        }
    }
}
