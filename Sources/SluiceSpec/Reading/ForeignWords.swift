// What to write in place of a key that is none where it stands: because it is Spark's word for something that has
// another name here, or because it is a key of ours that belongs elsewhere.

enum ForeignWords {
    /// What to do about `key`, which a map of `keys` does not have. nil when the key means nothing to us.
    static func fix(for key: String, of keys: (some SpecKeys).Type) -> String? {
        let word = normalized(key)
        // `maxFilesPerTrigger`, `time-zone`
        if let own = keys.names.first(where: { normalized($0) == word }) { return "did you mean `\(own)`?" }
        if let special = special(word, keys.noun) { return special }
        if keys is ColumnKeys.Type { return columnWords[word] }
        return sparkWords[word] ?? home(of: word).map { "it stands \($0)" }
    }

    /// Where a key of ours is at home, by the normalized key.
    private static func home(of word: String) -> String? {
        let holders = SpecReference.maps.filter { $0.names.contains { normalized($0) == word } }
        let homes = holders.map { $0.home }
        // `brokers` is a source's and a sink's: inside `kafka: { … }`.
        var unowned: [String] = []
        for home in homes {
            let short = home.replacing("inside a source's", with: "inside").replacing("inside a sink's", with: "inside")
            if !unowned.contains(short) { unowned.append(short) }
        }
        let named = unowned.count < homes.count ? unowned : homes
        return named.isEmpty || named.count > 3 ? nil : named.joined(separator: ", or ")
    }

    /// In lower case, without what words are put together with.
    static func normalized(_ text: String) -> String { text.lowercased().filter { !"_-. ".contains($0) } }

    /// Keys that are to be found in another place depending on where they were looked for.
    private static func special(_ word: String, _ noun: String) -> String? {
        switch (word, noun) {
        case ("timezone", "a sink"), ("nulls", "a sink"):
            "on a sink it is the format's: `format: { json: { \(word == "nulls" ? "nulls" : "time_zone"): … } }`"
        case ("timezone", _): "on a source it stands beside `format`"
        case ("header", "a source"), ("separator", "a source"), ("header", "a sink"), ("separator", "a sink"),
            ("quote", "a source"), ("escape", "a source"), ("multiline", "a source"):
            "it is the format's: `format: { csv: { \(word): … } }`"
        case ("nullvalue", "a source"): "it is the format's: `format: { csv: { null_value: … } }`"
        case ("multiline", _): "only CSV has it (`format: { csv: { multiline: true } }`); another record is one line"
        case ("mode", "a query"), ("mode", "a sink"): sparkWords["outputmode"]
        case ("options", "a source"), ("options", "a sink"), ("options", "a query"), ("option", _):
            "each setting is a key of its own; only what is librdkafka's stands in `kafka: { options: { … } }`"
        case ("columns", "a query"), ("columns", "a join"): "write `select: { name: expression }`, or a list of columns"
        case ("where", "a sink"), ("filter", "a sink"): "a sink takes all rows of a query: write `where` on the query"
        case ("timestamp", "a `kafka` source"): "write `start: { timestamp: … }`"
        case ("includeheaders", "a `kafka` sink"), ("includeheaders", "a sink"), ("header", "a `kafka` sink"):
            "write `headers: { NAME: EXPRESSION }` in `kafka: { … }`"
        case ("headers", "a `kafka` source"), ("headers", "a source"): sparkWords["includeheaders"]
        default: nil
        }
    }

    private static let columnWords = [
        "path": "write `from: NAME`", "field": "write `from: NAME`", "name": "the column's name is its key",
        "source": "write `from: NAME`", "nullable": "leave it out: every column may be null",
        "datatype": "write `type: string`", "precision": "write `type: \"decimal(10,2)\"`",
        "scale": "write `type: \"decimal(10,2)\"`",
    ]

    private static let toBrokers = "write `brokers: HOST:9092` in `kafka: { … }`"
    private static let toTopics = "write `topic: NAME`, or `topics: [NAME, …]`, in `kafka: { … }`"
    private static let toPattern =
        "write `topic_pattern: REGEX` in `kafka: { … }`, an extended regular expression for the whole name"
    private static let toPartitions = "write `partitions: [0, 1]` beside `topic` or `topics` in `kafka: { … }`"
    private static let toStart =
        "write `start: earliest`, `latest`, `{ timestamp: … }` or `{ 0: 23, 1: 7 }` in `kafka: { … }`"
    private static let toEnd = "leave it out: `trigger: available_now` ends with what is there when it starts"
    private static let toWatermark = "write `watermark: { column: …, delay: … }` on the source"
    private static let toKeys =
        "write equalities as `keys: { left.column: right.column }`, and bounds on the event times as `within`"
    private static let toTrigger = "write `trigger: 10 seconds`, `available_now` or `once` on the query"
    private static let toGlob = "write a pattern as `path`, such as `in/*/*.jsonl`"
    private static let toOrder = "leave it out: each file is taken once, in the order of the paths"
    private static let toAggregate = "there are no aggregates: aggregate in the system that reads the sink"
    private static let toBadRows = "write `bad_rows: null`, `drop` or `fail` on the source"
    private static let toTrim =
        "leave it out: blanks are text; take them off with `trim(…)` where the column is used"
    private static let toUTF8 = "leave it out: text is UTF-8; convert it before (`iconv -t UTF-8`)"
    private static let toQuotes = "leave it out: what needs quotes is quoted"
    private static let toNumbers = "leave it out: numbers are `NaN`, `Inf` and `-Inf` where they are none"
    private static let toTimePattern = "write `pattern: …` on the column, or `unit: ms` for a number since 1970"
    private static let toWhere = "write `where: CONDITION`"
    private static let toGroup = "leave it out: lag tools see the progress in the group `sluice-<query>`"

    /// By the normalized word.
    private static let sparkWords = [
        "outputmode": "leave it out: every query appends, as Spark does in append mode",
        "withwatermark": toWatermark, "eventtimecolumn": toWatermark, "delaythreshold": toWatermark,
        "checkpointlocation": "write `checkpoint: FOLDER` on the query",
        "checkpointdir": "write `checkpoint: FOLDER` on the query", "on": toKeys, "using": toKeys,
        "condition": toKeys, "joinexpr": toKeys, "how": "write `type: inner`, `left outer`, …",
        "jointype": "write `type: inner`, `left outer`, …",
        "readstream": "write what is read below `sources:`, and `from: SOURCE` on the query",
        "writestream": "write what is written to below `sinks:`, and `to: SINK` on the query",
        "processingtime": toTrigger, "availablenow": toTrigger, "once": toTrigger, "continuous": toTrigger,
        "queryname": "the query's name is its key below `queries:`",
        "foreach": "write `to: SINK`: rows go to a sink", "foreachbatch": "write `to: SINK`: rows go to a sink",
        "startingoffsets": toStart, "startingtimestamp": toStart, "startingoffsetsbytimestamp": toStart,
        "autooffsetreset": toStart, "endingoffsets": toEnd, "endingtimestamp": toEnd,
        "maxoffsetspertrigger": "write `max_offsets_per_trigger` in `kafka: { … }`",
        "minoffsetspertrigger": "write `min_offsets_per_trigger` in `kafka: { … }`",
        "maxtriggerdelay": "write `max_trigger_delay` in `kafka: { … }`",
        "subscribe": toTopics, "subscribepattern": toPattern, "topicregex": toPattern, "topicspattern": toPattern,
        "assign": toPartitions,
        "failondataloss": "write `on_data_loss: fail` or `continue` in `kafka: { … }`",
        "kafkabootstrapservers": toBrokers, "bootstrapservers": toBrokers, "servers": toBrokers,
        "groupidprefix": toGroup, "kafkagroupid": toGroup, "groupid": toGroup,
        "isolationlevel": "write `isolation: read_committed` in `kafka: { … }`",
        "kafkaisolationlevel": "write `isolation: read_committed` in `kafka: { … }`",
        "includeheaders": "declare a column `{ type: string, from: kafka.headers.NAME }`",
        "truncate": "leave it out: rows are written whole", "numrows": "leave it out: all rows are written",
        "console": "write `stdout: {}`", "maxfilespertrigger": "write `max_files_per_trigger` in `file: { … }`",
        "maxbytespertrigger": "write `max_bytes_per_trigger` in `file: { … }`", "latestfirst": toOrder,
        "maxfileage": toOrder, "filenameonly": toOrder, "cleansource": toOrder, "pathglobfilter": toGlob,
        "recursivefilelookup": toGlob, "schema": "write `columns: { name: type }` on the source",
        "nullvalue": "only CSV that is read has it: `format: { csv: { null_value: NULL } }`",
        "emptyvalue": "leave it out: an empty field in quotes is empty text, one without quotes is null",
        "inferschema": "leave it out: write `columns: { name: type }` on the source",
        "enforceschema": "leave it out: with `header: true` columns are found by their names",
        "ignoreleadingwhitespace": toTrim, "ignoretrailingwhitespace": toTrim,
        "comment": "leave it out: every line is a record; drop rows with `where` on the source",
        "encoding": toUTF8, "charset": toUTF8, "linesep": "leave it out: lines end with LF or CR LF",
        "chartoescapequoteescaping": "leave it out: an escape is written twice",
        "unescapedquotehandling": "leave it out: a quote that is not closed is a bad row",
        "maxcolumns": "leave it out: there is no limit", "maxcharspercolumn": "leave it out: a line may have 64 MiB",
        "quoteall": toQuotes, "escapequotes": toQuotes,
        "nanvalue": toNumbers, "positiveinf": toNumbers, "negativeinf": toNumbers,
        "samplingratio": "leave it out: types stand in `columns`", "locale": "leave it out: numbers have no locale",
        "sep": "write `format: { csv: { separator: \";\" } }`",
        "delimiter": "write `format: { csv: { separator: \";\" } }`",
        "timestampformat": toTimePattern, "dateformat": toTimePattern,
        "mode": toBadRows, "columnnameofcorruptrecord": toBadRows, "filter": toWhere, "having": toWhere,
        "selectexpr": "write `select: { name: expression }`", "groupby": toAggregate, "agg": toAggregate,
        "aggregate": toAggregate, "multiplewatermarkpolicy": "write `watermark_policy: min` or `max` on the query",
        "sparksqlstreamingmultiplewatermarkpolicy": "write `watermark_policy: min` or `max` on the query",
    ]

    // MARK: Values

    /// What to write in place of a format that is a connector, or one of Spark's.
    static func format(_ text: String) -> String? {
        switch normalized(text) {
        case "kafka":
            "what is read or written is a key of its own: `kafka: { brokers: …, topic: … }`; `format` says how"
        case "file", "files": "what is read or written is a key of its own: `file: { path: … }`; `format` says how"
        case "console", "memory", "stdout": "where rows go is a key of its own: `stdout: {}`; `format` says how"
        case "socket", "rate", "stdin": "what is read is a key of its own: `stdin: {}`; `format` says how"
        case "jsonl", "ndjson", "jsonlines": "write `json`: files hold one record a line"
        default: nil
        }
    }

    static func trigger(_ text: String) -> String? {
        let word = normalized(text)
        if word.contains("availablenow") { return "write `available_now`" }
        if word.contains("processingtime") { return "write the duration alone, as in `10 seconds`" }
        if word.contains("continuous") { return "there is no continuous mode: write `as_fast_as_possible`" }
        if word.contains("once") { return "write `once`" }
        return nil
    }

    static func badRows(_ text: String) -> String? {
        [
            "permissive": "write `null`: a field that does not fit is then null", "dropmalformed": "write `drop`",
            "failfast": "write `fail`",
        ][normalized(text)]
    }
}
