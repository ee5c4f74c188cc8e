// The keys of the `kafka` connector.

struct KafkaSourceKeys: SpecKeys {
    static let id = "source.kafka"
    static let noun = "a `kafka` source"
    static let home = "inside a source's `kafka: { … }`"
    static let set = KeySet(KafkaSourceKeys())

    let brokers = brokersKey
    let topic = Key(
        "topic", .node("the name of a topic", .text),
        "The topic to read; one of `topic`, `topics` and `topic_pattern` must be there.", example: "visits")
    let topics = Key(
        "topics", .list("a list of topics", of: .string("string")),
        "The topics to read; one that is added later is read from its first record.", example: "[visits-eu, visits-us]")
    let topicPattern = Key(
        "topic_pattern", .node("an extended regular expression", .text),
        "Reads every topic whose whole name matches; new ones are found while the query runs.",
        example: "visits-.*")
    let partitions = Key(
        "partitions", .list("a list of whole numbers", of: .array([.string("integer"), .string("string")])),
        "Only these partitions of each topic are read, to split a job over processes by hand.", without: "all",
        example: "[0, 1]")
    let start = Key(
        "start",
        .node(
            "`latest`, `earliest`, `{ timestamp: … }` or offsets by partition",
            .object(["anyOf": .array([.words(["latest", "earliest"]), .object(["type": .string("object")])])])),
        "Where a query without a checkpoint begins; with several topics offsets are `{ visits-eu/0: 23 }`.",
        without: "latest", example: "{ 0: 23, 1: 7 }")
    let maxOffsetsPerTrigger = Key(
        "max_offsets_per_trigger", .count, "How many records a batch takes at most.", without: "all there are",
        example: "100_000")
    let minOffsetsPerTrigger = Key(
        "min_offsets_per_trigger", .count, "How many records have to be there before a batch begins.",
        without: "one", example: "1000")
    let maxTriggerDelay = Key(
        "max_trigger_delay", .duration, "After this time a batch begins with fewer than `min_offsets_per_trigger`.",
        without: "15m", example: "1 minute")
    let onDataLoss = DefaultedKey(
        "on_data_loss", .word(["fail": true, "continue": false]), default: true,
        "What becomes of a query whose records are gone from the topic before they were read.")
    let isolation = isolationKey
    let options = optionsKey

    // What tables have as well.
    static let brokersKey = RequiredKey(
        "brokers", .node("addresses, separated by commas", .text), "The brokers to begin with.",
        orElse: "write `brokers: host:9092`", example: "localhost:9092")
    static let isolationKey = DefaultedKey(
        "isolation", .word(["read_committed": true, "read_uncommitted": false]), default: true,
        "Whether records of open and aborted transactions are read.")
    static let optionsKey = Key(
        "options", .options, "Settings of librdkafka, as they are: TLS, SASL, tuning.",
        example: "{ security.protocol: SASL_SSL }")
}

struct KafkaSinkKeys: SpecKeys {
    static let id = "sink.kafka"
    static let noun = "a `kafka` sink"
    static let home = "inside a sink's `kafka: { … }`"
    static let set = KeySet(KafkaSinkKeys())

    let brokers = RequiredKey(
        "brokers", .node("addresses, separated by commas", .text), "The brokers to begin with.",
        orElse: "write `brokers: host:9092`", example: "localhost:9092")
    let topic = RequiredKey(
        "topic", .node("the name of a topic", .text), "The topic to write.", orElse: "name the topic to write",
        example: "visits-enriched")
    let key = Key(
        "key", .syntax, "The record's key, over the names of the output columns, as text.", without: "no key",
        example: "visit_id")
    let headers = Key(
        "headers",
        .node(
            "a map from names to expressions",
            .object([
                "type": .string("object"), "additionalProperties": .object(["type": .string("string")]),
            ])),
        "The record's headers, over the names of the output columns, as text; null leaves a header out.",
        without: "`sluice-query` and `sluice-batch` alone", example: "{ page: page, source: \"'web'\" }")
    let timestamp = Key(
        "timestamp", .text, "The output column that becomes the record's timestamp.",
        without: "the time of writing", example: "event_time")
    let delivery = DefaultedKey(
        "delivery", .word(["exactly_once": true, "at_least_once": false]), default: true,
        "Whether batches are written in transactions, so that a reader sees each row once.")
    let options = Key(
        "options", .options, "Settings of librdkafka, as they are: TLS, SASL, tuning.",
        example: "{ compression.type: zstd }")
}

extension ValueKind where Value == YAMLEntry {
    fileprivate static func list(_ words: String, of type: JSONValue) -> ValueKind {
        node(words, .object(["type": .string("array"), "items": .object(["type": type])]))
    }

    fileprivate static var options: ValueKind {
        node("a map of librdkafka's settings", .object(["type": .string("object")]))
    }
}
