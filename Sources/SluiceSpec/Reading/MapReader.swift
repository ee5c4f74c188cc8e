// Typed access to a map of the tree: unknown keys are reported once, when the map is opened, and a value that cannot be
// used is nil for its reader after it was reported. Readers therefore only say what they want.

struct MapReader<Keys: SpecKeys> {
    let place: Place
    private let entries: [String: YAMLEntry]
    private let builder: SpecBuilder
    /// Keys that something else stands for, as it seems, which was reported: they are not missing.
    private var misspelt: Set<String> = []

    /// Opens a node that has `Keys`. nil, after a report, when it is no map; a node that is null counts as an empty map
    /// where the keys allow it. `place` is what a missing key is reported at.
    init?(_ node: YAMLNode, at place: Place, _ builder: SpecBuilder) {
        self.place = place
        self.builder = builder
        switch node.kind {
        case .invalid: return nil
        case .mapping(let list):
            entries = Dictionary(list.map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first })
            builder.reportUnknownKeys(list, of: Keys.self)
            let unknown = list.map(\.key).filter { !Keys.names.contains($0) }
            misspelt = Set(unknown.compactMap { nearest(to: $0, in: Keys.names) })
        case .scalar(let scalar) where scalar.isNull && Keys.takesNull:
            entries = [:]
        case .scalar(let scalar) where scalar.isNull:
            builder.diagnostics.error(
                .missingValue, at: place, "\(Keys.noun) without content", fix: "indent its keys below it")
            return nil
        case .scalar, .sequence:
            builder.diagnostics.error(.wrongShape, at: node.place, "\(Keys.noun) is a map, and this is \(node.noun)")
            return nil
        }
    }

    private func facts(_ path: KeyPath<Keys, some DescribedKey>) -> KeyFacts { Keys.set.keys[keyPath: path].facts }

    func contains(_ path: KeyPath<Keys, some DescribedKey>) -> Bool { entries[facts(path).name] != nil }

    /// True where a key that is none was taken for this one in a report.
    func isMisspelt(_ path: KeyPath<Keys, some DescribedKey>) -> Bool { misspelt.contains(facts(path).name) }

    func keyPlace(_ path: KeyPath<Keys, some DescribedKey>) -> Place { entries[facts(path).name]?.keyPlace ?? place }

    /// Those of some keys that are there, in the order given.
    func present(_ names: [String]) -> [YAMLEntry] { names.compactMap { entries[$0] } }

    /// The value of a key; nil when it is missing, and, after a report, when it cannot be used.
    subscript<Value>(_ path: KeyPath<Keys, Key<Value>>) -> Value? {
        entry(facts(path)).flatMap { Keys.set.keys[keyPath: path].kind.read(builder, $0) }
    }

    /// The value of a key, or what holds without it.
    subscript<Value>(_ path: KeyPath<Keys, DefaultedKey<Value>>) -> Value {
        let key = Keys.set.keys[keyPath: path]
        return entry(key.facts).flatMap { key.kind.read(builder, $0) } ?? key.fallback
    }

    /// The value of a key that must be there; nil after a report.
    subscript<Value>(_ path: KeyPath<Keys, RequiredKey<Value>>) -> Value? {
        let key = Keys.set.keys[keyPath: path]
        if entries[key.facts.name] == nil, !misspelt.contains(key.facts.name) {
            builder.diagnostics.error(
                .missingKey, at: place, "\(Keys.noun) needs `\(key.facts.name)`", fix: key.remedy)
        }
        return entry(key.facts).flatMap { key.kind.read(builder, $0) }
    }

    /// The value of a key that must be there in this place, if not in every such map; nil after a report.
    func required<Value>(_ path: KeyPath<Keys, Key<Value>>, orElse remedy: String) -> Value? {
        let key = Keys.set.keys[keyPath: path]
        if entries[key.facts.name] == nil, !misspelt.contains(key.facts.name) {
            builder.diagnostics.error(.missingKey, at: place, "\(Keys.noun) needs `\(key.facts.name)`", fix: remedy)
        }
        return self[path]
    }

    /// The entry of a key; an empty value is a mistake unless it says something.
    private func entry(_ facts: KeyFacts) -> YAMLEntry? {
        guard let entry = entries[facts.name] else { return nil }
        if case .invalid = entry.value.kind { return nil }
        if entry.value.isNull, !facts.takesNull {
            builder.diagnostics.error(
                .missingValue, at: entry.keyPlace, "`\(facts.name)` has no value", fix: "give one, or remove the key")
            return nil
        }
        return entry
    }
}

extension SpecBuilder {
    /// Reports the entries that are no keys of a map.
    func reportUnknownKeys(_ entries: [YAMLEntry], of keys: (some SpecKeys).Type) {
        for entry in entries where !keys.names.contains(entry.key) {
            diagnostics.error(
                .unknownKey, at: entry.keyPlace, "`\(entry.key)` is not a key of \(keys.noun)",
                fix: ForeignWords.fix(for: entry.key, of: keys)
                    ?? (keys.names.isEmpty
                        ? nil : suggestion(for: entry.key, in: keys.names, listing: "its keys are")))
        }
    }
}
