// The keys of a query and of what stands inside one.

struct QueryKeys: SpecKeys {
    static let id = "query"
    static let noun = "a query"
    static let home = "on a query, below `queries:`"
    static let set = KeySet(QueryKeys())

    let from = RequiredKey(
        "from", .source, "The source that the joins begin with.", orElse: "name the source to read", example: "visits")
    let join = Key(
        "join",
        .node(
            "a list of joins",
            .object([
                "anyOf": .array([
                    .object(["type": .string("array"), "items": .reference(to: JoinKeys.self)]),
                    .reference(to: JoinKeys.self),
                ])
            ]), inner: [JoinKeys.self]),
        "What is joined to it, each entry one input.", without: "nothing")
    let filter = Key(
        "where", .expression("a condition over the columns of all inputs"), "Drops rows of the result.",
        example: "ads.campaign_name is not null")
    let select = Key(
        "select",
        .node(
            "a map from names to expressions or to such maps, or a list of columns",
            .object(["type": .array([.string("object"), .string("array")])])),
        "The columns that come out; a map in an expression's place makes an object.",
        without: "all columns, left then right",
        example: "{ visit_id: visits.visit_id, user: { id: visits.user, page: upper(visits.page) } }")
    let trigger = Key(
        "trigger",
        .node(
            "a duration, `as_fast_as_possible`, `once`, `available_now` or `{ every: … }`",
            .object(["anyOf": .array([.text, .reference(to: TriggerKeys.self)])]), inner: [TriggerKeys.self]),
        "When batches begin.", without: "as_fast_as_possible", example: "10 seconds")
    let checkpoint = Key(
        "checkpoint", .path, "The query's own folder for offsets and state.",
        without: "checkpoints/<query> beside the spec", example: "checkpoints/visits_ads")
    let watermarkPolicy = DefaultedKey(
        "watermark_policy", .word(["min": WatermarkPolicy.min, "max": .max]), default: .min,
        "Which of the sources' watermarks is the query's.")
    let late = Key(
        "late",
        .node(
            "`drop` or `{ to: SINK }`",
            .object(["anyOf": .array([.words(["drop"]), .reference(to: RouteKeys.self)])]), inner: [RouteKeys.self]),
        "What becomes of late rows.", without: "drop")
    let to = RequiredKey(
        "to",
        .node(
            "the name of a sink, or a list",
            .object(["type": .array([.string("string"), .string("array")])])),
        "Where the rows go.", orElse: "name the sink for the results", example: "visits_enriched")
    let state = Key("state", .map(StateKeys.self), "Limits of what the query keeps.", example: "{ max_bytes: 4GiB }")
    let onFailure = DefaultedKey(
        "on_failure", .word(["restart": QuerySpec.FailurePolicy.restart, "stop": .stop]), default: .restart,
        "Whether a query that failed tries again.")
    let group = Key(
        "group", .node("the name of a consumer group", .text), "The group in which lag tools see the progress.",
        without: "sluice-<query>", example: "visits-ads")
}

struct JoinKeys: SpecKeys {
    static let id = "join"
    static let noun = "a join"
    static let home = "inside an entry of a query's `join`"
    static let set = KeySet(JoinKeys())

    let with = RequiredKey(
        "with", .input, "The source or table that is joined.", orElse: "name the source to join", example: "ads")
    let type = RequiredKey(
        "type", .node("a type of join", .words(JoinType.allCases.map(\.rawValue))), "Which rows come out.",
        orElse: "write `type: inner`, `left outer`, …", example: "left outer")
    let keys = Key(
        "keys",
        .node(
            "a name, a list of names, or a map left: right",
            .object(["type": .array([.string("string"), .string("array"), .string("object")])])),
        "The columns that are equal.", example: "{ visits.page: ads.page }")
    let nullSafe = Key(
        "null_safe",
        .node(
            "`true`, `false` or a list of keys", .object(["type": .array([.string("boolean"), .string("array")])])),
        "Whether two nulls are equal, as Spark's `<=>`.", without: "false", example: "[page]")
    let within = Key(
        "within", .expression("comparisons between the two event times"), "The time bounds.",
        example: "ads.display_time between visits.event_time and visits.event_time + 2 minutes")
    let window = Key(
        "window",
        .node(
            "a duration, or `{ size: …, of: SOURCE }`",
            .object(["anyOf": .array([.text, .reference(to: WindowKeys.self)])]), inner: [WindowKeys.self]),
        "Both event times lie in one tumbling window of this size.", example: "10 seconds")
    let match = DefaultedKey(
        "match",
        .word(["all": JoinMatch.all, "nearest": .nearest, "latest": .latest, "earliest": .earliest]), default: .all,
        "Which rows of the new input join a row: all that match it, or of them the nearest, latest or earliest by "
            + "event time. One comes out once the watermark proves that no better one can come; it needs a closed "
            + "`within`, and `type` to be `inner` or `left outer`.", example: "latest")
    let filter = Key(
        "where", .expression("a condition over the columns of both sides"), "What else a pair of rows must satisfy.",
        example: "ads.price > visits.budget")

    static let timeConditions = [set.keys.within.facts.name, set.keys.window.facts.name]
}

struct WindowKeys: SpecKeys {
    static let id = "window"
    static let noun = "a window"
    static let home = "inside a join's `window: { … }`"
    static let set = KeySet(WindowKeys())

    let size = RequiredKey(
        "size", .duration, "How long each window is.", orElse: "write `size: 10 seconds`", example: "10 seconds")
    let of = Key(
        "of", .node("the name of an input before this join", .text),
        "The input whose event time is compared.", without: "the source of `from`", example: "payments")
}

struct TriggerKeys: SpecKeys {
    static let id = "trigger"
    static let noun = "a trigger"
    static let home = "inside a query's `trigger: { … }`"
    static let set = KeySet(TriggerKeys())

    let every = RequiredKey(
        "every", .node("a duration", .text), "The time from one batch's begin to the next.",
        orElse: "write `{ every: 2s }`", example: "2s")
}

struct StateKeys: SpecKeys {
    static let id = "state"
    static let noun = "`state`"
    static let home = "inside a query's `state: { … }`"
    static let set = KeySet(StateKeys())

    let shards = Key(
        "shards", .node("a power of two", .object(["type": .string("integer")])),
        "In how many parts the state is kept and joined.", without: "the planner's choice", example: "8")
    let maxBytes = Key(
        "max_bytes", .size, "The memory at which the query stops rather than grow on.",
        without: "no limit", example: "4GiB")
    let retainBatches = DefaultedKey(
        "retain_batches", .count(in: 1...Int64(Int32.max)), default: 100,
        "How many of the last batches a rollback can go back to.")
}
