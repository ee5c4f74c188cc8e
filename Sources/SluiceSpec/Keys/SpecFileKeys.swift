// The keys at the top of a file.

struct SpecFileKeys: SpecKeys {
    static let id = "spec"
    static let noun = "a spec"
    static let home = "at the top of the file"
    static let set = KeySet(SpecFileKeys())

    /// Read before the map is opened.
    let sluice = RequiredKey(
        "sluice", .node("the version of the format, `1`", .object(["const": .integer(1)])),
        "The version of the format; the first key of every file.", orElse: "begin it with `sluice: 1`", example: "1")
    let defaults = Key(
        "defaults", .map(DefaultsKeys.self),
        "What every source, query or sink of the same file has unless it says something else.",
        example: "{ queries: { trigger: 10 seconds } }")
    let sources = Key("sources", .names(of: SourceKeys.self), "The inputs, by name: what is read, and its columns.")
    let tables = Key(
        "tables", .names(of: TableKeys.self), "Inputs without time, by name: rows that others look up.")
    let queries = Key("queries", .names(of: QueryKeys.self), "The queries, by name: what is joined, and when.")
    let sinks = Key("sinks", .names(of: SinkKeys.self), "The outputs, by name: where rows go.")
    let tests = Key(
        "tests", .node("a map of names", .object(["type": .string("object")])),
        "Tests of the queries; not supported yet.")
}

struct DefaultsKeys: SpecKeys {
    static let id = "defaults"
    static let noun = "`defaults`"
    static let home = "inside `defaults: { … }`"
    static let set = KeySet(DefaultsKeys())

    let sources = Key("sources", .partial(SourceKeys.self), "What every source of the file has.")
    let queries = Key("queries", .partial(QueryKeys.self), "What every query of the file has.")
    let sinks = Key("sinks", .partial(SinkKeys.self), "What every sink of the file has.")
}

extension ValueKind where Value == YAMLEntry {
    /// A map whose keys are names and whose values are maps of one kind.
    fileprivate static func names(of keys: any SpecKeys.Type) -> ValueKind {
        node(
            "a map from names to their content",
            .object(["type": .string("object"), "additionalProperties": .reference(to: keys)]), inner: [keys],
            takesNull: true)
    }

    /// Some keys of a map, where what it needs may be missing.
    fileprivate static func partial(_ keys: any SpecKeys.Type) -> ValueKind {
        node("a map", .object(["type": .string("object")]), inner: [keys])
    }
}
