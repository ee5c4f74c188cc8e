// The keys of a table: an input without time, that others look up.

struct TableKeys: SpecKeys {
    static let id = "table"
    static let noun = "a table"
    static let home = "on a table, below `tables:`"
    static let set = KeySet(TableKeys())

    let kafka = Key(
        "kafka", .map(KafkaTableKeys.self),
        "Reads a compacted topic: the newest record of each key counts, and one without a value takes its row away.",
        example: "{ brokers: \"localhost:9092\", topic: devices }")
    let file = Key(
        "file", .map(FileTableKeys.self), "Reads all files there are, each as a whole.", example: "{ path: devices/ }")
    let key = Key(
        "key",
        .node(
            "a column or a list of columns",
            .object(["anyOf": .array([.text, .object(["type": .string("array"), "items": .text])])])),
        "The columns that are in the key of a topic's records, and read from it unless they say `from`: the key "
            + "itself, or the fields of a key that is a JSON object.",
        example: "device_id")
    let format = Key(
        "format",
        .node(
            "a format, or a map with one",
            .format(JSONFormatKeys.self, CSVFormatKeys.self, AvroFormatKeys.self, ProtobufFormatKeys.self)),
        "How a record is read.", without: "json", example: "{ csv: { header: true } }")
    let columns = RequiredKey(
        "columns", .columns, "The columns of a row.",
        orElse: "say which fields the rows have, as in `{ id: string }`", example: "{ id: string, site: string }")
    let filter = Key(
        "where", .expression("a condition over the table's columns"), "Rows that are not part of the table.",
        example: "deleted_at is null")
    let timeZone = Key(
        "time_zone", .timeZone, "What timestamps without a zone are read in.", without: "UTC",
        example: "Europe/Paris")
    let badRows = Key(
        "bad_rows",
        .node(
            "`null`, `permissive`, `drop` or `fail`",
            .object([
                "anyOf": .array([.words(["null", "permissive", "drop", "fail"]), .object(["type": .string("null")])])
            ]), takesNull: true),
        "What becomes of a bad row, as on a source.", without: "null", example: "fail")
    let reload = DefaultedKey(
        "reload", .word(["on_change": TableSpec.Reload.onChange, "never": .never]), default: .onChange,
        "`on_change` looks at the files or the topic before every batch, and takes a change as a whole; `never` reads "
            + "them once.")
    let unique = DefaultedKey(
        "unique", .boolean, default: false,
        "No two rows may have the values of the columns that a join names in `keys`: the query fails if they do.")
}

extension TableKeys {
    static let connectors = [set.keys.kafka.facts.name, set.keys.file.facts.name]
}

struct KafkaTableKeys: SpecKeys {
    static let id = "table.kafka"
    static let noun = "a `kafka` table"
    static let home = "inside a table's `kafka: { … }`"
    static let set = KeySet(KafkaTableKeys())

    let brokers = KafkaSourceKeys.brokersKey
    let topic = RequiredKey(
        "topic", .node("the name of a topic", .text), "The topic to read, from its first record on.",
        orElse: "name the topic to read", example: "devices")
    let isolation = KafkaSourceKeys.isolationKey
    let options = KafkaSourceKeys.optionsKey
}

struct FileTableKeys: SpecKeys {
    static let id = "table.file"
    static let noun = "a `file` table"
    static let home = "inside a table's `file: { … }`"
    static let set = KeySet(FileTableKeys())

    let path = RequiredKey(
        "path", .path, "A file, a folder or a pattern; names that begin with `.` or `_` are passed over.",
        orElse: "name a file, a folder or a pattern such as `devices/*.jsonl`", example: "devices/*.jsonl")
}
