// The keys of a sink and of what stands inside one, but for its format.

struct SinkKeys: SpecKeys {
    static let id = "sink"
    static let noun = "a sink"
    static let home = "on a sink, below `sinks:`"
    static let set = KeySet(SinkKeys())

    let kafka = Key("kafka", .map(KafkaSinkKeys.self), "Writes to a topic of a Kafka cluster.")
    let file = Key("file", .map(FileSinkKeys.self), "Writes a file a batch into a folder.")
    let stdout = Key("stdout", .map(StandardOutputKeys.self), "Writes to standard output.", example: "{}")
    let format = Key(
        "format",
        .node(
            "a format, or a map with one",
            .format(JSONOutputKeys.self, CSVOutputKeys.self, AvroOutputKeys.self)),
        "How a row is written.", without: "json", example: "{ json: { time_zone: Europe/Paris } }")

    static let connectors = [set.keys.kafka.facts.name, set.keys.file.facts.name, set.keys.stdout.facts.name]
}

struct FileSinkKeys: SpecKeys {
    static let id = "sink.file"
    static let noun = "a `file` sink"
    static let home = "inside a sink's `file: { … }`"
    static let set = KeySet(FileSinkKeys())

    let path = RequiredKey(
        "path", .path, "The folder that gets a file a batch, `batch-<id>.jsonl`, `.csv` or `.avro`.",
        orElse: "name the folder for the files", example: "out")
    let compression = DefaultedKey(
        "compression", .word(["none": false, "gzip": true]), default: false,
        "Whether the files are compressed, and are called `….gz`; may be changed at any time.", example: "gzip")
}

struct StandardOutputKeys: SpecKeys {
    static let id = "sink.stdout"
    static let noun = "`stdout`"
    static let home = "inside `stdout: { … }`"
    static let takesNull = true
    static let set = KeySet(StandardOutputKeys())
}
