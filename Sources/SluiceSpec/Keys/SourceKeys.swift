// The keys of a source and of what stands inside one, but for its connector and format.

struct SourceKeys: SpecKeys {
    static let id = "source"
    static let noun = "a source"
    static let home = "on a source, below `sources:`"
    static let set = KeySet(SourceKeys())

    let kafka = Key("kafka", .map(KafkaSourceKeys.self), "Reads topics of a Kafka cluster.")
    let file = Key("file", .map(FileSourceKeys.self), "Reads files: each whole file once, or what is appended.")
    let stdin = Key("stdin", .map(StandardInputKeys.self), "Reads standard input, for pipes.", example: "{}")
    let union = Key(
        "union", .node("a list of sources", .object(["type": .string("array"), "items": .text])),
        "Makes one source of several that have the same columns, in place of a connector.", example: "[eu, us]")
    let format = Key(
        "format",
        .node(
            "a format, or a map with one",
            .format(JSONFormatKeys.self, CSVFormatKeys.self, AvroFormatKeys.self, ProtobufFormatKeys.self)),
        "How a record is read.", without: "json", example: "{ csv: { header: true } }")
    let columns = Key(
        "columns", .columns,
        "The columns of a row, in the order of `select` when that is left out; a union has those of its parts.",
        example: "{ page: string, event_time: timestamp }")
    let each = Key(
        "each",
        .node(
            "the path of an array, or a map", .object(["anyOf": .array([.text, .reference(to: EachKeys.self)])]),
            inner: [EachKeys.self]),
        "Makes one row of each element of an array; columns take from it as `each`, `each.NAME` and `each.#` (its "
            + "place, from 0).",
        example: "items")
    let eventTime = Key(
        "event_time", .node("the name of a column", .text),
        "The event time that `within` and `window` speak of.", without: "the watermark's column",
        example: "event_time")
    let watermark = Key(
        "watermark",
        .node(
            "a map",
            .object([
                "anyOf": .array([.reference(to: WatermarkKeys.self), .reference(to: UnionWatermarkKeys.self)])
            ]), inner: [WatermarkKeys.self, UnionWatermarkKeys.self]), "How late rows may come.",
        example: "{ column: event_time, delay: 10 minutes }")
    let filter = Key(
        "where", .expression("a condition over the source's columns"),
        "Drops rows right after the watermark; rows without regard to the event time do not advance it.",
        example: "page <> 'health'")
    let deduplicate = Key(
        "deduplicate",
        .node(
            "a column, a list of columns or a map",
            .object([
                "anyOf": .array([
                    .text, .object(["type": .string("array"), "items": .text]),
                    .reference(to: DeduplicateKeys.self),
                ])
            ]), inner: [DeduplicateKeys.self]),
        "Of rows with equal values in these columns only the first passes, for as long as the watermark's delay.",
        without: "all rows pass", example: "order_id")
    let timeZone = Key(
        "time_zone", .timeZone, "What timestamps without a zone are read in.", without: "UTC",
        example: "Europe/Paris")
    let badRows = Key(
        "bad_rows",
        .node(
            "`null`, `permissive`, `drop` or `fail`; `{ to: SINK }` is not supported yet",
            .object([
                "anyOf": .array([
                    .words(["null", "permissive", "drop", "fail"]), .object(["type": .string("null")]),
                    .reference(to: RouteKeys.self),
                ])
            ]), inner: [RouteKeys.self], takesNull: true),
        "What becomes of a bad row. `null`: a field that does not fit is null, and what is no record is dropped; "
            + "`permissive`: that is a row of nulls, as in Spark; `drop`: no bad row goes on; `fail`: the query ends.",
        without: "null",
        example: "drop")

    static let connectors = [set.keys.kafka.facts.name, set.keys.file.facts.name, set.keys.stdin.facts.name]
    /// What a union takes from its parts.
    static let partsOnly =
        connectors + [
            set.keys.format.facts.name, set.keys.columns.facts.name, set.keys.each.facts.name,
            set.keys.timeZone.facts.name, set.keys.badRows.facts.name,
        ]
}

extension ValueKind where Value == YAMLEntry {
    static let columns = node(
        "a map from names to types or maps",
        .object([
            "type": .string("object"),
            "additionalProperties": .object([
                "anyOf": .array([.object(["type": .string("string")]), .reference(to: ColumnKeys.self)])
            ]),
        ]), inner: [ColumnKeys.self])
}

struct DeduplicateKeys: SpecKeys {
    static let id = "deduplicate"
    static let noun = "`deduplicate`"
    static let home = "inside a source's `deduplicate: { … }`"
    static let set = KeySet(DeduplicateKeys())

    let columns = RequiredKey(
        "columns",
        .node(
            "a column or a list of columns",
            .object(["anyOf": .array([.text, .object(["type": .string("array"), "items": .text])])])),
        "The columns whose values make rows the same; nulls are equal.", orElse: "name a column", example: "[order_id]")
    let within = Key(
        "within", .duration, "So long after the first row's time a row is its duplicate.",
        without: "the watermark's delay", example: "1 hour")
    let keep = Key(
        "keep", .word(["forever": true]),
        "`forever` never forgets a value, unless the event time is among the columns, which is then forgotten by the "
            + "watermark.",
        without: "until the watermark has passed `within`", example: "forever")
}

struct ColumnKeys: SpecKeys {
    static let id = "column"
    static let noun = "a column"
    static let home = "inside a column's map"
    static let set = KeySet(ColumnKeys())

    let type = Key(
        "type", .node("a type", .text), "The type of the column; only a computed one goes without.",
        example: "decimal(10,2)")
    let from = Key(
        "from", .node("a path such as `user.id` or `items[0].sku`, or a part of a Kafka record", .text),
        "Where the value comes from.", without: "the field of the column's name", example: "user.id")
    let unit = Key(
        "unit", .word(["s": EpochUnit.seconds, "ms": .milliseconds, "us": .microseconds, "ns": .nanoseconds]),
        "What a number counts, since 1970, that is a timestamp; text of a number too.",
        without: "a number is in seconds, text is ISO 8601", example: "ms")
    let pattern = Key(
        "pattern", .node("one of Spark's datetime patterns", .text),
        "How text of a timestamp or a date is written.", without: "ISO 8601", example: "dd/MM/yyyy")
    let expr = Key(
        "expr", .expression("an expression over other columns of the source"),
        "Computes the column, before the watermark; its type is that of the expression.",
        example: "lower(trim(email))")
}

struct EachKeys: SpecKeys {
    static let id = "each"
    static let noun = "`each`"
    static let home = "inside a source's `each: { … }`"
    static let set = KeySet(EachKeys())

    let path = RequiredKey(
        "path", .node("the path of an array", .text), "The array.", orElse: "name the array", example: "items")
    let keepEmpty = DefaultedKey(
        "keep_empty", .boolean, default: false,
        "A record without elements gives one row, with nulls for what comes from them.")
}

struct WatermarkKeys: SpecKeys {
    static let id = "watermark"
    static let noun = "a watermark"
    static let home = "inside a source's `watermark: { … }`"
    static let set = KeySet(WatermarkKeys())

    let column = RequiredKey(
        "column", .node("the name of a timestamp column", .text), "The event time.",
        orElse: "name the event-time column", example: "event_time")
    let delay = RequiredKey(
        "delay", .duration(atLeast: 0), "How far behind the newest row the watermark stays: how late rows may come.",
        orElse: "say how late rows may come, as in `delay: 10 minutes`", example: "10 minutes")
    let idleTimeout = Key(
        "idle_timeout", .duration, "After this time without rows the source no longer holds the others back.",
        without: "never", example: "5 minutes")
    let maxAhead = Key(
        "max_ahead", .duration(atLeast: 0),
        "A row whose time is further ahead of the clock than this is bad, and does not move the watermark.",
        without: "no row is too far ahead", example: "1 hour")
    let perPartition = DefaultedKey(
        "per_partition", .boolean, default: false,
        "Each partition of a Kafka source has its own watermark, and the source's is the lowest of them.")
    let perTopic = DefaultedKey(
        "per_topic", .boolean, default: false,
        "Each topic of a Kafka source has its own watermark, and the source's is the lowest of them.")
}

/// A union's watermark that its parts have.
struct UnionWatermarkKeys: SpecKeys {
    static let id = "union.watermark"
    static let noun = "a union's watermark"
    static let home = "inside a union's `watermark: { per_source: true }`"
    static let set = KeySet(UnionWatermarkKeys())

    let perSource = RequiredKey(
        "per_source", .boolean,
        "Each part of the union has its own watermark, and the union's is the lowest of them.",
        orElse: "write `per_source: true`", example: "true")
    let column = Key(
        "column", .node("the name of a timestamp column", .text),
        "The event time, for parts that declare no watermark.", without: "each part declares its own",
        example: "event_time")
    let delay = Key(
        "delay", .duration(atLeast: 0), "How late rows may come, for parts that declare no watermark.",
        without: "each part declares its own", example: "10 minutes")
    let idleTimeout = Key(
        "idle_timeout", .duration, "After this time without rows a part no longer holds the others back.",
        without: "never", example: "5 minutes")
}

/// `{ to: SINK }`.
struct RouteKeys: SpecKeys {
    static let id = "route"
    static let noun = "`{ to: SINK }`"
    static let home = "inside `bad_rows: { … }` or `late: { … }`"
    static let set = KeySet(RouteKeys())

    let to = RequiredKey("to", .sink, "The sink that takes the rows.", orElse: "name the sink", example: "dead_letters")
}

struct FileSourceKeys: SpecKeys {
    static let id = "source.file"
    static let noun = "a `file` source"
    static let home = "inside a source's `file: { … }`"
    static let set = KeySet(FileSourceKeys())

    let path = RequiredKey(
        "path", .path, "A file, a folder or a pattern; names that begin with `.` or `_` are passed over.",
        orElse: "name a file, a folder or a pattern such as `in/*.jsonl`", example: "in/*.jsonl")
    let follow = DefaultedKey(
        "follow", .boolean, default: false,
        "The files are logs: what is appended is read, and a last line without its line break waits.")
    let maxFilesPerTrigger = Key(
        "max_files_per_trigger", .count(in: 1...Int64(Int32.max)), "How many files a batch takes at most.",
        without: "all there are", example: "1")
    let maxBytesPerTrigger = Key(
        "max_bytes_per_trigger", .size, "How many bytes a batch takes at most.", without: "all there are",
        example: "64MiB")
    let onTruncate = DefaultedKey(
        "on_truncate", .word(["fail": FileSourceSpec.TruncatePolicy.fail, "restart": .restart]), default: .fail,
        "What becomes of a followed file that was emptied or replaced.")
}

struct StandardInputKeys: SpecKeys {
    static let id = "source.stdin"
    static let noun = "`stdin`"
    static let home = "inside `stdin: { … }`"
    static let takesNull = true
    static let set = KeySet(StandardInputKeys())
}
