// What can stand behind a key: how it is read, and what schema and reference say of it. One kind for each sort of value
// a spec has; what is read by a function of its own is a `node`, described where the key is.

struct ValueKind<Value>: Sendable {
    var words: String
    var schema: JSONValue
    var inner: [any SpecKeys.Type] = []
    var takesNull = false
    /// The value of an entry; nil after a report.
    var read: @Sendable (SpecBuilder, YAMLEntry) -> Value?
    /// A value as a spec writes it.
    var text: @Sendable (Value) -> String = { "\($0)" }

    func facts(
        _ name: String, _ sentence: String, fallback: String?, example: String?, since: String
    ) -> KeyFacts {
        KeyFacts(
            name: name, words: words, schema: schema, inner: inner, sentence: sentence, fallback: fallback,
            example: example, takesNull: takesNull, since: since)
    }
}

extension YAMLEntry {
    /// The key as messages quote it.
    var what: String { "`\(key)`" }
}

/// Text in a schema; what a reference such as `${env:NAME}` stands for is not known there.
private let textSchema: JSONValue = .object(["type": .string("string")])

extension ValueKind where Value == Located<String> {
    static let text = ValueKind(words: "text", schema: textSchema) { $0.text($1.value, $1.what) }
    static let path = ValueKind(words: "a path, relative to the spec", schema: textSchema) {
        $0.path($1.value, $1.what)
    }
    static let timeZone = ValueKind(words: "a time zone such as `Europe/Paris`", schema: textSchema) {
        $0.timeZone($1.value, $1.what)
    }
    static let source = ValueKind(words: "the name of a source", schema: textSchema) { $0.sourceReference($1.value) }
    static let input = ValueKind(words: "the name of a source or table", schema: textSchema) {
        $0.inputReference($1.value)
    }
    static let sink = ValueKind(words: "the name of a sink", schema: textSchema) { $0.sinkReference($1.value) }
}

extension ValueKind where Value == Bool {
    static let boolean = ValueKind(words: "`true` or `false`", schema: .object(["type": .string("boolean")])) {
        $0.boolean($1.value, $1.what)
    }
}

extension ValueKind where Value == Int64 {
    static var count: ValueKind { count(in: 1...Int64.max) }

    static func count(in range: ClosedRange<Int64>) -> ValueKind {
        ValueKind(
            words: "a whole number", schema: .object(["type": .array([.string("integer"), .string("string")])])
        ) { $0.count($1.value, $1.what, in: range) }
    }

    static let size = ValueKind(
        words: "a size such as `64MiB`", schema: .object(["type": .array([.string("string"), .string("integer")])])
    ) { $0.size($1.value, $1.what) }
}

extension ValueKind where Value == Located<Int64> {
    static func duration(atLeast minimum: Int64) -> ValueKind {
        ValueKind(words: "a duration such as `10 minutes`", schema: textSchema) {
            $0.duration($1.value, $1.what, atLeast: minimum)
        }
    }
    static var duration: ValueKind { duration(atLeast: 1) }
}

extension ValueKind where Value: Equatable & Sendable {
    /// One of a few words.
    static func word(
        _ words: KeyValuePairs<String, Value>, foreign: @escaping @Sendable (String) -> String? = { _ in nil }
    ) -> ValueKind {
        ValueKind(
            words: words.map { "`\($0.key)`" }.joined(separator: " or "),
            schema: .object(["enum": .array(words.map { .string($0.key) })]),
            read: { $0.word($1.value, $1.what, words, foreign: foreign)?.value },
            text: { value in words.first { $0.value == value }?.key ?? "" })
    }
}

extension ValueKind where Value == (text: ExpressionText, syntax: Syntax) {
    /// An expression that is typed when the query is planned.
    static var syntax: ValueKind {
        ValueKind(words: "an expression", schema: textSchema) { $0.syntax($1.value, $1.what) }
    }
}

extension ValueKind where Value == YAMLEntry {
    /// What is read by a function of its own.
    static func node(
        _ words: String, _ schema: JSONValue, inner: [any SpecKeys.Type] = [], takesNull: Bool = false
    ) -> ValueKind {
        ValueKind(words: words, schema: schema, inner: inner, takesNull: takesNull, read: { $1 }, text: { $0.key })
    }

    /// An expression, as text.
    static func expression(_ words: String) -> ValueKind { node(words, textSchema) }
}

extension ValueKind {
    /// A map with keys of its own.
    static func map<Keys: SpecKeys>(_ keys: Keys.Type) -> ValueKind where Value == MapReader<Keys> {
        ValueKind(
            words: "a map", schema: .reference(to: keys), inner: [keys], takesNull: keys.takesNull,
            read: { MapReader($1.value, at: $1.keyPlace, $0) }, text: { _ in "" })
    }
}

extension JSONValue {
    /// The schema of a map, by its name.
    static func reference(to keys: any SpecKeys.Type) -> JSONValue {
        .object(["$ref": .string("#/$defs/\(keys.id)")])
    }
}
