// What a Kafka source reads and where it begins: topics, partitions, `start`, and the parts of its watermark.

extension SpecBuilder {
    // MARK: Topics

    func readTopics(_ map: MapReader<KafkaSourceKeys>) -> KafkaTopics? {
        // All that are there are read for their mistakes, even when only one may stay.
        let one = map[\.topic].flatMap { readTopic($0.value) }.map { KafkaTopics.Names.one($0.value) }
        let list = map[\.topics].flatMap { readTopicList($0.value) }.map { KafkaTopics.Names.list($0) }
        let pattern = map[\.topicPattern].flatMap { readTopicPattern($0.value) }.map { KafkaTopics.Names.pattern($0) }
        let partitions = map[\.partitions].flatMap { readPartitions($0.value) }
        let keys = KafkaSourceKeys.set.keys
        let present = map.present([keys.topic, keys.topics, keys.topicPattern].map(\.facts.name))
        if present.isEmpty {
            diagnostics.error(
                .missingKey, at: map.place, "a `kafka` source needs `topic`, `topics` or `topic_pattern`",
                fix: "name the topic to read, as in `topic: visits`")
        }
        if present.count > 1 {
            diagnostics.error(
                .conflictingKeys, at: present[1].keyPlace,
                "a `kafka` source has one of `topic`, `topics` and `topic_pattern`, and `\(present[0].key)` is there "
                    + "already",
                fix: "keep one of them: `topics` may list any number")
            return nil
        }
        return (one ?? list ?? pattern).map { KafkaTopics($0, partitions: partitions) }
    }

    /// The items of a list that is not empty; nil after a report.
    private func items(_ node: YAMLNode, _ what: String, fix: String) -> [YAMLNode]? {
        switch node.kind {
        case .sequence(let items) where !items.isEmpty: return items
        case .sequence: diagnostics.error(.missingValue, at: node.place, "\(what) is empty", fix: fix)
        case .invalid: break
        case .scalar, .mapping:
            diagnostics.error(.wrongShape, at: node.place, "\(what) is a list, and this is \(node.noun)", fix: fix)
        }
        return nil
    }

    private func readTopicList(_ node: YAMLNode) -> [String]? {
        guard let items = items(node, "`topics`", fix: "write `topics: [visits-eu, visits-us]`") else { return nil }
        var topics: [String] = []
        var isWhole = true
        for item in items {
            guard let topic = readTopic(item, "a topic") else {
                isWhole = false
                continue
            }
            if topics.contains(topic.value) {
                diagnostics.error(
                    .duplicateKey, at: item.place, "`\(topic.value)` stands twice in `topics`",
                    fix: "remove one of them")
            } else {
                topics.append(topic.value)
            }
        }
        return isWhole ? topics : nil
    }

    private func readTopicPattern(_ node: YAMLNode) -> TopicPattern? {
        guard let pattern = text(node, "`topic_pattern`"), let scalar = scalar(node, "`topic_pattern`") else {
            return nil
        }
        do throws(TopicPatternError) { return try TopicPattern(pattern.value) } catch {
            diagnostics.error(
                .badArgument, at: node.place,
                "`\(scalar.shown)` is not an extended regular expression"
                    + (scalar.isSecret ? "" : ": \(error.reason)"),
                fix: error.fix ?? "write it as POSIX has it, as in `visits-.*` or `visits-(eu|us)`")
            return nil
        }
    }

    private func readPartitions(_ node: YAMLNode) -> Set<Int32>? {
        guard let items = items(node, "`partitions`", fix: "write `partitions: [0, 1]`") else { return nil }
        var partitions: Set<Int32> = []
        for item in items {
            guard let number = count(item, "a partition", in: 0...Int64(Int32.max)) else { continue }
            if !partitions.insert(Int32(number)).inserted {
                diagnostics.error(
                    .duplicateKey, at: item.place, "\(number) stands twice in `partitions`", fix: "remove one of them")
            }
        }
        return partitions
    }

    // MARK: Start

    /// - Parameter topics: nil where they have a mistake of their own.
    func readKafkaStart(_ node: YAMLNode, _ topics: KafkaTopics?) -> KafkaSourceSpec.Start? {
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
        var starts: [TopicPartition: KafkaSourceSpec.PartitionStart] = [:]
        for entry in entries {
            guard let partition = startPartition(entry, topics) else { continue }
            let start = readPartitionStart(entry.value, entry.key)
            // `0` and `00` are two keys of the map and one partition.
            if starts.updateValue(start ?? .latest, forKey: partition) != nil {
                let shown = Int32(entry.key).map { "\($0)" } ?? entry.key
                diagnostics.error(
                    .duplicateKey, at: entry.keyPlace, "partition \(shown) stands twice in `start`",
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

    /// The partition that a key of `start` names: a number where there is one topic, `TOPIC/PARTITION` for any.
    private func startPartition(_ entry: YAMLEntry, _ topics: KafkaTopics?) -> TopicPartition? {
        let partition: TopicPartition
        if let number = Int32(digits: entry.key) {
            switch topics?.names {
            case .one(let topic): partition = TopicPartition(topic, number)
            case nil: partition = TopicPartition("", number)
            case .list, .pattern:
                diagnostics.error(
                    .badCount, at: entry.keyPlace, "`start` does not say of which topic it means partition \(number)",
                    fix: "write `TOPIC/\(number)`, as in `{ visits-eu/0: 23 }`")
                return nil
            }
        } else if let named = TopicPartition(entry.key) {
            partition = named
        } else {
            diagnostics.error(
                .badCount, at: entry.keyPlace, "`\(entry.key)` is not the number of a partition",
                fix: "write `latest`, `earliest`, `{ timestamp: … }` or offsets such as `{ 0: 23, 1: 7 }`")
            return nil
        }
        if let topics, !topics.reads(partition) {
            diagnostics.error(
                .unknownWord, at: entry.keyPlace, "`start` names `\(entry.key)`, which this source does not read",
                fix: topics.reads(partition.topic) ? "`partitions` leaves it out" : "the source reads `\(topics)`")
            return nil
        }
        return partition
    }

    private func readPartitionStart(_ node: YAMLNode, _ partition: String) -> KafkaSourceSpec.PartitionStart? {
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

    // MARK: Watermark

    /// The parts of a source that have a watermark of their own.
    func readWatermarkParts(_ map: MapReader<WatermarkKeys>, _ connector: String?) -> WatermarkParts {
        let (perPartition, perTopic) = (map[\.perPartition], map[\.perTopic])
        if perPartition, perTopic {
            diagnostics.error(
                .conflictingKeys, at: map.keyPlace(\.perTopic),
                "a watermark is either per partition or per topic", fix: "keep one: every partition is of one topic")
        } else if perPartition {
            checkParts("partition", map, at: map.keyPlace(\.perPartition), connector)
        } else if perTopic {
            checkParts("topic", map, at: map.keyPlace(\.perTopic), connector)
        }
        return perPartition ? .partitions : perTopic ? .topics : .whole
    }

    private func checkParts(_ part: String, _ map: MapReader<WatermarkKeys>, at place: Place, _ connector: String?) {
        if let connector, connector != "kafka" {
            diagnostics.error(
                .kafkaOnly, at: place, "only a `kafka` source has \(part)s, and this reads `\(connector)`",
                fix: "remove `per_\(part)`")
        } else if !map.contains(\.idleTimeout) {
            diagnostics.warning(
                .idlePartition, at: place,
                "a \(part) that gets no rows holds the watermark back for ever",
                fix: "add `idle_timeout: 5 minutes`, or how long a \(part) may be silent before it no longer counts")
        }
    }
}
