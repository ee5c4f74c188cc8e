// The keys of a spec as values. What a key is called, what may stand behind it, what holds without it and a sentence
// on what it does stand in one place, as a stored property of its map; the reader, the suggestions for slips, the JSON
// Schema and the reference are made from that. A key is named by its property, so that a slip does not compile.

/// What is said of a key, whatever it reads.
struct KeyFacts: Sendable {
    let name: String
    /// What stands behind it, as in "a duration such as `10 minutes`".
    var words: String
    /// Its JSON Schema, without the sentence.
    var schema: JSONValue
    /// The maps that may stand behind it.
    var inner: [any SpecKeys.Type]
    /// What it does, as a sentence.
    let sentence: String
    /// What holds without it, in words or as a spec writes it; nil when nothing is to be said.
    var fallback: String?
    /// As a spec writes it.
    let example: String?
    /// True when the map means nothing without it.
    var isRequired = false
    /// True when the key alone, or null, says something.
    var takesNull: Bool
    /// The first release that has it.
    let since: String
}

/// A key of any kind, as the schema and the reference see it. A class, because finding a key among the properties of a
/// map is then a look at its superclass and not a search for a conformance, which every start of the program would pay.
class DescribedKey: @unchecked Sendable {
    // @unchecked: it is a constant, and so is all that its three subclasses add.
    let facts: KeyFacts

    fileprivate init(_ facts: KeyFacts) { self.facts = facts }
}

/// A key that may be left out; without it there is no value.
final class Key<Value>: DescribedKey, @unchecked Sendable {
    let kind: ValueKind<Value>

    init(
        _ name: String, _ kind: ValueKind<Value>, _ sentence: String, without fallback: String? = nil,
        example: String? = nil, since: String = "0.1"
    ) {
        self.kind = kind
        super.init(kind.facts(name, sentence, fallback: fallback, example: example, since: since))
    }
}

/// A key with a value of its own when it is left out.
final class DefaultedKey<Value: Sendable>: DescribedKey, @unchecked Sendable {
    let kind: ValueKind<Value>
    let fallback: Value

    init(
        _ name: String, _ kind: ValueKind<Value>, default fallback: Value, _ sentence: String, example: String? = nil,
        since: String = "0.1"
    ) {
        self.kind = kind
        self.fallback = fallback
        super.init(kind.facts(name, sentence, fallback: kind.text(fallback), example: example, since: since))
    }
}

/// A key without which its map means nothing.
final class RequiredKey<Value>: DescribedKey, @unchecked Sendable {
    let kind: ValueKind<Value>
    /// What to do when it is missing.
    let remedy: String

    init(
        _ name: String, _ kind: ValueKind<Value>, _ sentence: String, orElse remedy: String, example: String? = nil,
        since: String = "0.1"
    ) {
        self.kind = kind
        self.remedy = remedy
        var facts = kind.facts(name, sentence, fallback: nil, example: example, since: since)
        facts.isRequired = true
        super.init(facts)
    }
}

/// The keys of one map of a spec, each a stored property.
protocol SpecKeys: Sendable {
    /// The name under which schema and reference know the map.
    static var id: String { get }
    /// "a source", as messages call the map.
    static var noun: String { get }
    /// Where the map stands, to follow "it stands".
    static var home: String { get }
    /// True when null is an empty map.
    static var takesNull: Bool { get }
    static var set: KeySet<Self> { get }
}

extension SpecKeys {
    static var takesNull: Bool { false }
    static var described: [DescribedKey] { Self.set.described }
    static var names: [String] { Self.set.names }
}

/// The keys of a map, and the same as lists in the order of their declaration.
struct KeySet<Keys: Sendable>: Sendable {
    let keys: Keys
    let described: [DescribedKey]
    let names: [String]

    init(_ keys: Keys) {
        self.keys = keys
        described = Mirror(reflecting: keys).children.compactMap { $0.value as? DescribedKey }
        names = described.map(\.facts.name)
    }
}
