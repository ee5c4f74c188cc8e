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

    /// The name as a spec writes it.
    package var description: String {
        if case .header(let name) = self { return Self.headerPrefix + name }
        return Self.words.first { $0.field == self }?.name ?? ""
    }
}
