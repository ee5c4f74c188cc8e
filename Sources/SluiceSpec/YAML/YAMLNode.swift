// The tree that a spec file's YAML becomes: every node knows its place, aliases and merge keys are already expanded,
// references are already resolved. What a scalar means (number, duration, expression) is for its reader to say, so the
// core rules of YAML 1.2 hold by construction: `on`, `off`, `yes` and `no` are just text.

struct YAMLNode: Sendable {
    enum Kind: Sendable {
        case scalar(YAMLScalar)
        case sequence([YAMLNode])
        case mapping([YAMLEntry])
        /// Something that was reported already; readers pass over it in silence.
        case invalid
    }

    var kind: Kind
    var place: Place
    /// Nodes in the expanded tree, this one included.
    var size: Int

    var isNull: Bool {
        if case .scalar(let scalar) = kind { scalar.isNull } else { false }
    }

    /// What it is, for messages.
    var noun: String {
        switch kind {
        case .scalar(let scalar): scalar.isNull ? "nothing" : "a text"
        case .sequence: "a list"
        case .mapping: "a map"
        case .invalid: "nothing"
        }
    }
}

struct YAMLEntry: Sendable {
    var key: String
    var keyPlace: Place
    var value: YAMLNode
}

struct YAMLScalar: Sendable {
    enum Style: Sendable {
        case plain, singleQuoted, doubleQuoted, block
    }

    /// After references.
    var text: String
    var style: Style
    /// `null`, `~` or nothing at all, written plainly.
    var isNull: Bool
    /// The characters in the source, quotes or block header included.
    var span: Range<Int>
    let source: SourceText
    /// For each character of `text` where it stands in the source; nil until a reference changed the text.
    var origins: [Int]?
    /// Characters of `text` that came from `${file:…}`.
    var secretRanges: [Range<Int>] = []

    var isSecret: Bool { !secretRanges.isEmpty }

    /// The text as messages may show it.
    var shown: String { isSecret ? "•••" : text }
}
