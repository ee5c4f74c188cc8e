// The names of a Kafka record's own parts, as `from:` writes them.

extension KafkaField: CustomStringConvertible {
    /// What every name begins with.
    static let prefix = "kafka."
    private static let headerPrefix = "kafka.headers."
    private static let words: [(name: String, field: KafkaField)] = [
        ("kafka.key", .key), ("kafka.value", .value), ("kafka.topic", .topic), ("kafka.partition", .partition),
        ("kafka.offset", .offset), ("kafka.timestamp", .timestamp),
    ]

    /// Reads `kafka.key`, `kafka.headers.NAME` …; the name of a header is all the rest and may contain dots.
    init?(_ text: String) {
        if text.hasPrefix(Self.headerPrefix), text != Self.headerPrefix {
            self = .header(String(text.dropFirst(Self.headerPrefix.count)))
            return
        }
        guard let word = Self.words.first(where: { $0.name == text }) else { return nil }
        self = word.field
    }

    /// The types a column of it can have, the natural one first; nil when it is text that any type is read from.
    var types: [DataType]? {
        switch self {
        case .key, .keyField, .value, .header: nil
        case .topic: [.string]
        case .partition: [.int, .long]
        case .offset: [.long]
        case .timestamp: [.timestamp]
        }
    }

    /// What may have been meant by a name that is none.
    static func fix(for text: String) -> String? {
        if text.hasPrefix("kafka.header") { return "write `kafka.headers.NAME` with the name of a header" }
        let names = words.map(\.name)
        if let near = nearest(to: text, in: names) { return "did you mean `\(near)`?" }
        return "there are " + (names + ["kafka.headers.NAME"]).map { "`\($0)`" }.joined(separator: ", ")
    }

    /// The name as a spec writes it.
    package var description: String {
        if case .header(let name) = self { return Self.headerPrefix + name }
        if case .keyField = self { return KafkaField.key.description }
        return Self.words.first { $0.field == self }?.name ?? ""
    }
}
