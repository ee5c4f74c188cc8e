// Typed access to a map of the tree: unknown keys are reported once, when the map is opened, and a value that cannot be
// used is nil for its reader after it was reported. Readers therefore only say what they want.

struct MapReader {
    let place: Place
    private let noun: String
    private let entries: [String: YAMLEntry]
    private let diagnostics: DiagnosticCollector

    /// Opens `node`, which is `noun` ("a source") and may have `keys`. nil, after a report, when it is no map; a node
    /// that is null counts as an empty map if `allowsNull`. `place` is what a missing key is reported at.
    init?(
        _ node: YAMLNode, noun: String, keys: [String], at place: Place, allowsNull: Bool = false,
        diagnostics: DiagnosticCollector
    ) {
        self.place = place
        self.noun = noun
        self.diagnostics = diagnostics
        switch node.kind {
        case .invalid: return nil
        case .mapping(let list):
            entries = Dictionary(list.map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first })
            for entry in list where !keys.contains(entry.key) {
                diagnostics.error(
                    .unknownKey, at: entry.keyPlace, "`\(entry.key)` is not a key of \(noun)",
                    fix: ForeignWords.fix(for: entry.key, of: noun, keys: keys)
                        ?? (keys.isEmpty ? nil : suggestion(for: entry.key, in: keys, listing: "its keys are")))
            }
        case .scalar(let scalar) where scalar.isNull && allowsNull:
            entries = [:]
        case .scalar(let scalar) where scalar.isNull:
            diagnostics.error(.missingValue, at: place, "\(noun) without content", fix: "indent its keys below it")
            return nil
        case .scalar, .sequence:
            diagnostics.error(.wrongShape, at: node.place, "\(noun) is a map, and this is \(node.noun)")
            return nil
        }
    }

    func contains(_ key: String) -> Bool { entries[key] != nil }

    func keyPlace(_ key: String) -> Place { entries[key]?.keyPlace ?? place }

    /// The value of a key that may be missing; an empty value is a mistake.
    subscript(_ key: String) -> YAMLNode? {
        guard let entry = entries[key] else { return nil }
        if case .invalid = entry.value.kind { return nil }
        if entry.value.isNull {
            diagnostics.error(
                .missingValue, at: entry.keyPlace, "`\(key)` has no value", fix: "give one, or remove the key")
            return nil
        }
        return entry.value
    }

    /// The value of a key for which null is a value.
    func nullable(_ key: String) -> YAMLNode? { entries[key]?.value }

    /// The value of a key that must be there.
    func required(_ key: String, fix: String) -> YAMLNode? {
        if !contains(key) {
            diagnostics.error(.missingKey, at: place, "\(noun) needs `\(key)`", fix: fix)
        }
        return self[key]
    }
}
