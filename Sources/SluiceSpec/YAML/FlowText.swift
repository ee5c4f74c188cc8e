// Inside `{…}` and `[…]` a comma ends a text, also one that was meant to be `decimal(10,2)` or `coalesce(a, b)`. What
// comes out is good YAML of another meaning, so the parts are looked for where they can still be seen side by side.

/// A scalar of a flow collection; anything else has no text.
struct FlowText {
    var text = ""
    /// nil for what is no plain scalar.
    var span: Range<Int>?

    init(_ event: YAMLEvent) {
        if case .scalar(_, _, let text, .plain, let span) = event { (self.text, self.span) = (text, span) }
    }

    /// More opening parentheses than closing ones.
    private var depth: Int {
        span == nil ? 0 : text.reduce(0) { $0 + ($1 == "(" ? 1 : $1 == ")" ? -1 : 0) }
    }

    /// Ranges of neighbours that are whole only together: one opens parentheses and another closes them. `rests` are
    /// the texts in their other part: that of going on with what was begun.
    static func torn(_ texts: [FlowText], rests: [FlowText]) -> [Range<Int>] {
        var found: [Range<Int>] = []
        var start = 0
        while start < texts.count {
            var depth = texts[start].depth
            var end = start + 1
            while depth > 0, end < texts.count, rests[end].span != nil {
                depth += rests[end].depth
                end += 1
            }
            if end > start + 1, depth == 0 { found.append(start..<end) } else { end = start + 1 }
            start = end
        }
        return found
    }
}

/// An entry of a mapping as it is read.
struct MappingEntry {
    var entry: YAMLEntry
    /// Whether the key is written without quotes.
    var isPlain: Bool
    var key: FlowText
    var value: FlowText
}
