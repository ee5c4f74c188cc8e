// The `kafka` connector: what a source reads, what a sink writes, and the record's own parts as columns.

extension SpecBuilder {
    // MARK: Source

    func readKafkaSource(_ node: YAMLNode, _ place: Place) -> KafkaSourceSpec? {
        let keys = [
            "brokers", "topic", "start", "max_offsets_per_trigger", "min_offsets_per_trigger", "max_trigger_delay",
            "on_data_loss", "isolation", "options",
        ]
        guard let map = MapReader(node, noun: "a `kafka` source", keys: keys, at: place, diagnostics: diagnostics)
        else { return nil }
        let brokers = map.required("brokers", fix: "write `brokers: host:9092`").flatMap { text($0, "`brokers`") }
        let topic = map.required("topic", fix: "name the topic to read").flatMap { text($0, "`topic`") }
        let start = map["start"].flatMap { readKafkaStart($0, map.keyPlace("start")) }
        let maximum = map["max_offsets_per_trigger"].flatMap { count($0, "`max_offsets_per_trigger`") }
        let minimum = map["min_offsets_per_trigger"].flatMap { count($0, "`min_offsets_per_trigger`") }
        let delay = map["max_trigger_delay"].flatMap { duration($0, "`max_trigger_delay`") }
        let fails = map["on_data_loss"].flatMap { word($0, "`on_data_loss`", ["fail": true, "continue": false]) }
        let committed = map["isolation"].flatMap {
            word($0, "`isolation`", ["read_committed": true, "read_uncommitted": false])
        }
        let options = readKafkaOptions(map)
        if let maximum, let minimum, minimum > maximum {
            diagnostics.error(
                .conflictingKeys, at: map.keyPlace("min_offsets_per_trigger"),
                "`min_offsets_per_trigger` is above `max_offsets_per_trigger`")
        }
        guard let brokers, let topic else { return nil }
        var spec = KafkaSourceSpec(position: place.position, brokers: brokers, topic: topic)
        spec.start = start ?? .latest
        spec.maxOffsetsPerTrigger = maximum
        spec.minOffsetsPerTrigger = minimum
        spec.maxTriggerDelayMicros = delay?.value
        spec.failsOnDataLoss = fails?.value ?? true
        spec.isReadCommitted = committed?.value ?? true
        spec.options = options
        return spec
    }

    private func readKafkaStart(_ node: YAMLNode, _ place: Place) -> KafkaSourceSpec.Start? {
        guard case .mapping(let entries) = node.kind else {
            return word(node, "`start`", ["latest": .latest, "earliest": .earliest])?.value
        }
        if entries.count == 1, entries[0].key == "timestamp" {
            guard let scalar = scalar(entries[0].value, "`timestamp`") else { return nil }
            if let parsed = parseTimestamp(scalar.text) { return .timestamp(parsed.micros) }
            diagnostics.error(
                .badTimestamp, at: entries[0].value.place, "`\(scalar.shown)` is not a point in time",
                fix: "write it as `2024-01-31T08:18:00Z`")
            return nil
        }
        var offsets: [Int32: KafkaSourceSpec.PartitionStart] = [:]
        for entry in entries {
            guard let partition = Int32(entry.key), partition >= 0 else {
                diagnostics.error(
                    .badCount, at: entry.keyPlace, "`\(entry.key)` is not the number of a partition",
                    fix: "write `latest`, `earliest`, `{ timestamp: … }` or offsets such as `{ 0: 23, 1: 7 }`")
                continue
            }
            offsets[partition] = count(entry.value, "an offset", in: 0...Int64.max).map { .offset($0) }
        }
        return .offsets(offsets)
    }

    // MARK: Sink

    func readKafkaSink(_ node: YAMLNode, _ place: Place) -> KafkaSinkSpec? {
        let keys = ["brokers", "topic", "key", "timestamp", "delivery", "options"]
        guard let map = MapReader(node, noun: "a `kafka` sink", keys: keys, at: place, diagnostics: diagnostics) else {
            return nil
        }
        let brokers = map.required("brokers", fix: "write `brokers: host:9092`").flatMap { text($0, "`brokers`") }
        let topic = map.required("topic", fix: "name the topic to write").flatMap { text($0, "`topic`") }
        let key = map["key"].flatMap { syntax($0, "`key`") }
        let timestamp = map["timestamp"].flatMap { text($0, "`timestamp`") }
        let delivery = map["delivery"].flatMap {
            word($0, "`delivery`", ["exactly_once": true, "at_least_once": false])
        }
        let options = readKafkaOptions(map)
        guard let brokers, let topic else { return nil }
        var spec = KafkaSinkSpec(position: place.position, brokers: brokers, topic: topic)
        spec.key = key.map { OutputExpression(text: $0.text, syntax: $0.syntax) }
        spec.timestamp = timestamp
        spec.isExactlyOnce = delivery?.value ?? true
        spec.options = options
        return spec
    }

    // MARK: Both

    /// `options` go to librdkafka as they are; any of them may be a password, so all are kept as secrets.
    func readKafkaOptions(_ map: MapReader) -> [KafkaOption] {
        guard let node = map["options"] else { return [] }
        guard case .mapping(let entries) = node.kind else {
            diagnostics.error(.wrongShape, at: node.place, "`options` is a map, and this is \(node.noun)")
            return []
        }
        return entries.compactMap { entry in
            scalar(entry.value, "`\(entry.key)`").map {
                KafkaOption(
                    name: Located(entry.key, at: entry.keyPlace.position, length: entry.keyPlace.length),
                    value: Secret($0.text), valuePosition: entry.value.place.position)
            }
        }
    }
}
