// The keys of the formats, on sources and on sinks.

struct JSONFormatKeys: SpecKeys {
    static let id = "source.json"
    static let noun = "`json`"
    static let home = "inside a source's `format: { json: { … } }`"
    static let takesNull = true
    static let set = KeySet(JSONFormatKeys())

    let registry = Key(
        "registry", RegistryKeys.kind,
        "The schema registry whose schemas a topic's values name, in five bytes before the text; it is not asked.",
        example: "http://localhost:8081")
}

struct CSVFormatKeys: SpecKeys {
    static let id = "source.csv"
    static let noun = "`csv`"
    static let home = "inside a source's `format: { csv: { … } }`"
    static let takesNull = true
    static let set = KeySet(CSVFormatKeys())

    let separator = Key(
        "separator", .node("one ASCII character", .text), "What stands between two fields.", without: ",",
        example: "\";\"")
    let quote = Key(
        "quote", .node("one ASCII character, or `\"\"` for none", .text),
        "What stands around a field that holds separators, quotes or line ends.", without: "\"", example: "\"'\"")
    let escape = Key(
        "escape", .node("one ASCII character", .text),
        "What stands before a quote in quotes; with `\\` fields are read as Spark reads them by default.",
        without: "the quote, doubled", example: "'\\'")
    let header = DefaultedKey(
        "header", .boolean, default: false, "Each file's first line names its fields, and columns are found by name.")
    let multiline = DefaultedKey("multiline", .boolean, default: false, "Line ends may stand in quotes.")
    let nullValue = Key(
        "null_value", .node("text", .text, takesNull: true),
        "A field without quotes that is null; an empty one always is.", example: "NULL")
}

struct AvroFormatKeys: SpecKeys {
    static let id = "source.avro"
    static let noun = "`avro`"
    static let home = "inside a source's `format: { avro: { … } }`"
    static let takesNull = true
    static let set = KeySet(AvroFormatKeys())

    let schema = Key(
        "schema", .node("a path, relative to the spec, or the schema as text", .text),
        "The schema that a topic's values are written by; what container files, which have their own, are read as.",
        without: "each container file's own", example: "visits.avsc")
    let framing = Key(
        "framing", .word(["none": AvroOptions.Framing.none, "confluent": .confluent]),
        "What stands before a topic's values: nothing, or the five bytes that name a schema in a registry.",
        without: "none, `confluent` with a registry", example: "confluent")
    let registry = Key(
        "registry", RegistryKeys.kind,
        "The schema registry that knows the schemas which a topic's values name.",
        example: "http://localhost:8081")
}

struct ProtobufFormatKeys: SpecKeys {
    static let id = "source.protobuf"
    static let noun = "`protobuf`"
    static let home = "inside a source's `format: { protobuf: { … } }`"
    static let set = KeySet(ProtobufFormatKeys())

    let proto = Key(
        "proto", .path, "A file with the schema; what it imports is looked for in its folder.", example: "visit.proto")
    let descriptor = Key(
        "descriptor", .path, "A file with the schema as `protoc --include_imports --descriptor_set_out` writes it.",
        example: "visit.desc")
    let message = Key(
        "message", .text, "The message that a topic's values are, with its package where the name alone is not enough.",
        without: "the only one of the schema; with a registry what each value says", example: "shop.Visit")
    let framing = Key(
        "framing", .word(["none": ProtobufOptions.Framing.none, "confluent": .confluent]),
        "What stands before a topic's values: nothing, or the bytes that name a schema in a registry and a message.",
        without: "none, `confluent` with a registry", example: "confluent")
    let registry = Key(
        "registry", RegistryKeys.kind,
        "The schema registry that knows the schemas which a topic's values name.",
        example: "http://localhost:8081")
}

struct RegistryKeys: SpecKeys {
    static let id = "registry"
    static let noun = "a registry"
    static let home = "inside a format's `registry: { … }`"
    static let set = KeySet(RegistryKeys())

    /// A registry where another map has one.
    static let kind = ValueKind.node(
        "a URL, or a map", .object(["anyOf": .array([.text, .reference(to: RegistryKeys.self)])]),
        inner: [RegistryKeys.self])

    let url = RequiredKey(
        "url", .text, "Where it is.", orElse: "write `url: http://HOST:8081`", example: "http://localhost:8081")
    let subject = Key(
        "subject", .text, "The subject whose newest schema columns are found in, or which gets a sink's schema.",
        without: "<topic>-value", example: "visits-value")
    let user = Key("user", .text, "The name to log in with.", example: "${env:REGISTRY_USER}")
    let password = Key("password", .text, "The password to log in with.", example: "${file:registry-password}")
    let ca = Key("ca", .path, "A file of certificates to trust in place of the system's.", example: "ca.pem")
    let countsRecords = DefaultedKey(
        "records_per_schema", .boolean, default: false,
        "Whether progress and metrics say how many records name each schema (one series a schema). Of sources.")
}

struct JSONOutputKeys: SpecKeys {
    static let id = "sink.json"
    static let noun = "`json`"
    static let home = "inside a sink's `format: { json: { … } }`"
    static let takesNull = true
    static let set = KeySet(JSONOutputKeys())

    let timeZone = Key(
        "time_zone", .timeZone, "What timestamps are written in.", without: "UTC", example: "Europe/Paris")
    let nulls = DefaultedKey(
        "nulls", .word(["omit": false, "write": true]), default: false,
        "Whether a field that is null is left out or written.")
}

struct CSVOutputKeys: SpecKeys {
    static let id = "sink.csv"
    static let noun = "`csv`"
    static let home = "inside a sink's `format: { csv: { … } }`"
    static let takesNull = true
    static let set = KeySet(CSVOutputKeys())

    let timeZone = Key(
        "time_zone", .timeZone, "What timestamps are written in.", without: "UTC", example: "Europe/Paris")
    let separator = Key(
        "separator", .node("one ASCII character", .text), "What stands between two fields.", without: ",",
        example: "\";\"")
    let header = DefaultedKey("header", .boolean, default: false, "Each file begins with a line of the columns' names.")
}

struct AvroOutputKeys: SpecKeys {
    static let id = "sink.avro"
    static let noun = "`avro`"
    static let home = "inside a sink's `format: { avro: { … } }`"
    static let takesNull = true
    static let set = KeySet(AvroOutputKeys())

    let schema = Key(
        "schema", .node("a path, relative to the spec, or the schema as text", .text),
        "The schema that rows are written by; columns find its fields by name.",
        without: "one that follows from the query's columns, where every field may be null", example: "joined.avsc")
    let registry = Key(
        "registry", RegistryKeys.kind,
        "The schema registry in which the schema is registered, when the query starts; its number then stands before "
            + "each value.", example: "http://localhost:8081")
    let codec = DefaultedKey(
        "codec",
        .word([
            "none": AvroCodec.null, "deflate": .deflate, "snappy": .snappy, "zstandard": .zstandard,
        ]), default: .null, "How the blocks of files are packed.", example: "zstandard")
}

extension JSONValue {
    /// Any text.
    static let text: JSONValue = .object(["type": .string("string")])

    /// One of a few words.
    static func words(_ words: [String]) -> JSONValue { .object(["enum": .array(words.map { .string($0) })]) }

    /// A format by its name, or a map with one format and its keys.
    static func format(_ keys: any SpecKeys.Type...) -> JSONValue {
        let named = keys.map { (name: $0.formatName, keys: $0) }
        let map: JSONValue = .object([
            "type": .string("object"),
            "properties": .object(named.map { JSONMember($0.name, .nullable(.reference(to: $0.keys))) }),
            "additionalProperties": .bool(false), "minProperties": .integer(1), "maxProperties": .integer(1),
        ])
        return .object(["anyOf": .array([.words(named.map(\.name)), map])])
    }

    static func nullable(_ schema: JSONValue) -> JSONValue {
        .object(["anyOf": .array([schema, .object(["type": .string("null")])])])
    }
}

extension SpecKeys {
    /// The last part of the name, such as `csv`.
    fileprivate static var formatName: String { id.split(separator: ".").last.map(String.init) ?? id }
}
