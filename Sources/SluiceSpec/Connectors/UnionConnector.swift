// A source of several with the same columns: its rows are theirs.

/// `union: [SOURCE, SOURCE]` in place of a connector.
package struct UnionSpec: SourceConnector, Hashable {
    package static let key = "union"
    package let position: SourcePosition
    /// The sources, in the order in which a batch reads them.
    package let parts: [Located<String>]
    /// Each part holds the watermark back; otherwise it runs over the rows of all.
    package let isWatermarkPerSource: Bool

    package var origin: (name: String, value: String) { ("union", parts.map(\.value).joined(separator: ", ")) }

    package init(parts: [Located<String>], isWatermarkPerSource: Bool, position: SourcePosition) {
        self.parts = parts
        self.isWatermarkPerSource = isWatermarkPerSource
        self.position = position
    }
}

extension SourceSpec {
    /// The sources that this one is made of; nil where it reads records itself.
    package var union: UnionSpec? { connector as? UnionSpec }
}

extension Spec {
    /// What a query that names a source reads: the source, or its parts.
    package func parts(of source: SourceSpec) -> [SourceSpec] {
        guard let union = source.union else { return [source] }
        return union.parts.compactMap { part in sources.first { $0.name.value == part.value } }
    }
}
