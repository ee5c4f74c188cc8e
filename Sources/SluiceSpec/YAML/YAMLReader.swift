// From libyaml's events to a node tree. Aliases share the nodes they name (arrays are copied on write, so an alias
// costs nothing here), but whoever walks the tree pays for each appearance; the expanded size is therefore counted and
// limited.

/// Limits on what a spec file may be; each is far beyond any honest spec.
enum YAMLLimits {
    static let bytes = 4 << 20
    static let nodes = 100_000
    static let depth = 64
}

struct YAMLReader {
    private let source: SourceText
    private let diagnostics: DiagnosticCollector
    private let references: ReferenceResolver
    private var anchors: [String: YAMLNode] = [:]
    private var openAnchors: Set<String> = []
    private var scalarSpans: [Range<Int>] = []
    private var nodeCount = 0

    /// Thrown after the reason was reported: nothing more can be read from this file.
    private struct Stop: Error {}

    /// The root of the file's only document, or nil when the file cannot be read as YAML; what is wrong is reported.
    /// A file without content has a null scalar for its root.
    static func read(
        _ source: SourceText, bytes: [UInt8], references: ReferenceResolver, diagnostics: DiagnosticCollector
    ) -> YAMLNode? {
        var reader = YAMLReader(source: source, references: references, diagnostics: diagnostics)
        return reader.readStream(bytes)
    }

    private init(source: SourceText, references: ReferenceResolver, diagnostics: DiagnosticCollector) {
        self.source = source
        self.references = references
        self.diagnostics = diagnostics
    }

    private mutating func readStream(_ bytes: [UInt8]) -> YAMLNode? {
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        guard var events = YAMLEvents(bytes[(bytes.starts(with: mark) ? 3 : 0)...]) else { return nil }
        var root: YAMLNode?
        do throws(YAMLSyntaxError) {
            reading: while true {
                switch try events.next() {
                case .documentStart(let offset):
                    if root != nil {
                        diagnostics.error(
                            .multipleDocuments, at: source.place(offset..<offset + 3),
                            "a second YAML document in one file",
                            fix: "put it into a file of its own; several files on one command line form one spec")
                        break reading
                    }
                    guard let node = try readDocument(&events) else { return nil }
                    root = node
                case .streamEnd: break reading
                default: continue
                }
            }
        } catch {
            report(error)
            return nil
        }
        reportTabs()
        let nothing = YAMLScalar(text: "", style: .plain, isNull: true, span: 0..<0, source: source)
        return root ?? YAMLNode(kind: .scalar(nothing), place: source.place(0..<1), size: 1)
    }

    private mutating func readDocument(_ events: inout YAMLEvents) throws(YAMLSyntaxError) -> YAMLNode? {
        do {
            return try readNode(try events.next(), from: &events, depth: 0)
        } catch let error as YAMLSyntaxError {
            throw error
        } catch {
            return nil
        }
    }

    private mutating func readNode(_ event: YAMLEvent, from events: inout YAMLEvents, depth: Int) throws -> YAMLNode {
        switch event {
        case .alias(let anchor, let span):
            return try resolveAlias(anchor, span: span)
        case .scalar(let anchor, let tag, let text, let style, let span):
            let node = try readScalar(tag: tag, text: text, style: style, span: span)
            if let anchor { anchors[anchor] = node }
            return node
        case .sequenceStart(let anchor, let tag, let isFlow, let span):
            checkTag(tag, at: span)
            try checkDepth(depth, at: span)
            if let anchor { openAnchors.insert(anchor) }
            let node = try readSequence(from: &events, isFlow: isFlow, span: span, depth: depth)
            close(anchor, node)
            return node
        case .mappingStart(let anchor, let tag, let isFlow, let span):
            checkTag(tag, at: span)
            try checkDepth(depth, at: span)
            if let anchor { openAnchors.insert(anchor) }
            let node = try readMapping(from: &events, isFlow: isFlow, span: span, depth: depth)
            close(anchor, node)
            return node
        default:
            // The grammar of events has a node wherever one is asked for.
            throw Stop()
        }
    }

    private mutating func close(_ anchor: String?, _ node: YAMLNode) {
        guard let anchor else { return }
        openAnchors.remove(anchor)
        anchors[anchor] = node
    }

    private mutating func readScalar(
        tag: String?, text: String, style: YAMLScalar.Style, span: Range<Int>
    ) throws -> YAMLNode {
        checkTag(tag, at: span)
        scalarSpans.append(span)
        let isNull = style == .plain && tag == nil && ["", "~", "null", "Null", "NULL"].contains(text)
        let scalar = YAMLScalar(text: text, style: style, isNull: isNull, span: span, source: source)
        return try counted(YAMLNode(kind: references.resolve(scalar), place: source.place(span), size: 1))
    }

    private mutating func readSequence(
        from events: inout YAMLEvents, isFlow: Bool, span: Range<Int>, depth: Int
    ) throws -> YAMLNode {
        var items: [YAMLNode] = []
        var texts: [FlowText] = []
        var size = 1
        while true {
            let event = try events.next()
            if case .sequenceEnd = event { break }
            texts.append(FlowText(event))
            let item = try readNode(event, from: &events, depth: depth + 1)
            size += item.size
            items.append(item)
        }
        // One item in the place of the parts, so that what is right beside them is still read.
        for torn in isFlow ? FlowText.torn(texts, rests: texts).reversed() : [] {
            report(torn.map { texts[$0] }, "[…]")
            items.replaceSubrange(torn, with: [YAMLNode(kind: .invalid, place: items[torn.lowerBound].place, size: 1)])
        }
        return try counted(YAMLNode(kind: .sequence(items), place: source.place(span), size: size))
    }

    private mutating func readMapping(
        from events: inout YAMLEvents, isFlow: Bool, span: Range<Int>, depth: Int
    ) throws -> YAMLNode {
        var read: [MappingEntry] = []
        while true {
            let event = try events.next()
            if case .mappingEnd = event { break }
            guard case .scalar(_, _, let key, let style, let keySpan) = event else {
                let node = try readNode(event, from: &events, depth: depth + 1)
                diagnostics.error(.badKey, at: node.place, "a key must be a plain text")
                _ = try readNode(try events.next(), from: &events, depth: depth + 1)
                continue
            }
            scalarSpans.append(keySpan)
            let valueEvent = try events.next()
            let value = try readNode(valueEvent, from: &events, depth: depth + 1)
            let entry = YAMLEntry(key: key, keyPlace: source.place(keySpan), value: value)
            read.append(
                MappingEntry(entry: entry, isPlain: style == .plain, key: FlowText(event), value: FlowText(valueEvent)))
        }
        if isFlow, reportTornEntries(&read) {
            return try counted(YAMLNode(kind: .invalid, place: source.place(span), size: 1))
        }
        let entries = try uniqueEntries(read)
        let size = entries.reduce(1) { $0 + 1 + $1.value.size }
        return try counted(YAMLNode(kind: .mapping(entries), place: source.place(span), size: size))
    }

    /// Entries whose keys are there once, merged ones last.
    private mutating func uniqueEntries(_ read: [MappingEntry]) throws -> [YAMLEntry] {
        var entries: [YAMLEntry] = []
        var merged: [YAMLEntry] = []
        var places: [String: Place] = [:]
        for item in read {
            let entry = item.entry
            if entry.key == "<<", item.isPlain {
                merged += try mergedEntries(entry.value)
            } else if let first = places[entry.key] {
                diagnostics.error(
                    .duplicateKey, at: entry.keyPlace, "the key `\(entry.key)` stands twice in this map",
                    fix: "remove one; the other is in line \(first.position.line)")
            } else {
                places[entry.key] = entry.keyPlace
                entries.append(entry)
            }
        }
        for entry in merged where places.updateValue(entry.keyPlace, forKey: entry.key) == nil { entries.append(entry) }
        return entries
    }

    /// Takes out what is the rest of a text that a comma has torn apart. True when a key is torn, so that nothing is
    /// known of the map.
    private func reportTornEntries(_ read: inout [MappingEntry]) -> Bool {
        // A text begins as a value, or as a key without one, and its rests are keys without values.
        let texts = read.map { $0.entry.value.isNull ? $0.key : $0.value }
        var isKeyTorn = false
        for torn in FlowText.torn(texts, rests: read.map(\.key)).reversed() {
            let (first, last) = (torn.lowerBound, torn.upperBound - 1)
            guard torn.dropFirst().dropLast().allSatisfy({ read[$0].entry.value.isNull }) else { continue }
            report([texts[first]] + torn.dropFirst().map { read[$0].key }, "{…}")
            isKeyTorn = isKeyTorn || read[first].entry.value.isNull || !read[last].entry.value.isNull
            read[first].entry.value.kind = .invalid
            read.removeSubrange(first + 1...last)
        }
        return isKeyTorn
    }

    private func report(_ parts: [FlowText], _ brackets: String) {
        let spans = parts.compactMap(\.span)
        guard let first = spans.first, let last = spans.last else { return }
        let whole = String(String.UnicodeScalarView(source.scalars[first.lowerBound..<last.upperBound]))
        diagnostics.error(
            .tornText, at: source.place(first.lowerBound..<last.upperBound),
            "a comma ends a text inside `\(brackets)`, so this is taken as "
                + parts.map { "`\($0.text)`" }.joined(separator: " and "),
            fix: "put quotes around it: `\"\(whole)\"`")
    }

    /// What `<<` adds; of several maps the first that has a key wins.
    private mutating func mergedEntries(_ value: YAMLNode) throws -> [YAMLEntry] {
        switch value.kind {
        case .mapping(let entries):
            nodeCount += value.size
            return entries
        case .sequence(let nodes):
            return try nodes.flatMap { try mergedEntries($0) }
        case .invalid:
            return []
        case .scalar:
            diagnostics.error(
                .badMerge, at: value.place, "`<<` merges a map, and this is \(value.noun)",
                fix: "name an anchor on a map, such as `<<: *defaults`")
            return []
        }
    }

    private mutating func resolveAlias(_ anchor: String, span: Range<Int>) throws -> YAMLNode {
        let place = source.place(span)
        if var node = anchors[anchor], !openAnchors.contains(anchor) {
            node = try counted(node, adding: node.size, at: place)
            return node
        }
        if openAnchors.contains(anchor) {
            diagnostics.error(.recursiveAlias, at: place, "`*\(anchor)` stands inside the node it names")
        } else {
            let fix = suggestion(for: anchor, in: anchors.keys.sorted(), listing: "the anchors so far are")
            diagnostics.error(.undefinedAlias, at: place, "no anchor `&\(anchor)` stands before this alias", fix: fix)
        }
        return YAMLNode(kind: .invalid, place: place, size: 1)
    }

    private mutating func counted(_ node: YAMLNode, adding: Int = 1, at place: Place? = nil) throws -> YAMLNode {
        nodeCount += adding
        guard nodeCount <= YAMLLimits.nodes, node.size <= YAMLLimits.nodes else {
            diagnostics.error(
                .aliasBomb, at: place ?? node.place,
                "with its aliases expanded this file has more than \(YAMLLimits.nodes) nodes",
                fix: "repeat less: aliases of aliases multiply")
            throw Stop()
        }
        return node
    }

    private func checkDepth(_ depth: Int, at span: Range<Int>) throws {
        guard depth >= YAMLLimits.depth else { return }
        diagnostics.error(.tooDeep, at: source.place(span), "nested deeper than \(YAMLLimits.depth) levels")
        throw Stop()
    }

    private func checkTag(_ tag: String?, at span: Range<Int>) {
        guard let tag, tag != "!", !tag.hasPrefix("tag:yaml.org,2002:") else { return }
        diagnostics.error(
            .unsupportedTag, at: source.place(span), "the tag `\(tag)` has no meaning in a spec", fix: "remove the tag")
    }

    /// libyaml lets tabs stand between tokens; here they are always a mistake, outside texts and comments.
    private func reportTabs() {
        var spans = scalarSpans.makeIterator()
        var text = spans.next()
        var index = 0
        var reportedLine = 0
        let scalars = source.scalars
        while index < scalars.count {
            while let span = text, span.upperBound <= index { text = spans.next() }
            if let span = text, span.contains(index) {
                index = span.upperBound
            } else if scalars[index] == "#" {
                while index < scalars.count, scalars[index] != "\n" { index += 1 }
            } else {
                if scalars[index] == "\t", source.position(at: index).line != reportedLine {
                    reportedLine = source.position(at: index).line
                    reportTab(at: index)
                }
                index += 1
            }
        }
    }

    private func reportTab(at index: Int) {
        diagnostics.error(
            .tab, at: source.place(index..<index + 1), "a tab, where YAML wants spaces", fix: "replace it by spaces")
    }
}

extension YAMLReader {
    /// Turns libyaml's terms into what a writer of specs can act on.
    private func report(_ error: YAMLSyntaxError) {
        if let byteOffset = error.byteOffset {
            let offset = characterOffset(ofByte: byteOffset)
            diagnostics.error(
                .yamlSyntax, at: source.place(offset..<offset + 1),
                "a control character cannot stand in YAML",
                fix: "remove it, or write it as an escape between double quotes, such as \"\\x1F\"")
            return
        }
        let offset = min(error.offset, source.scalars.count)
        if let tab = tabBefore(offset) { return reportTab(at: tab) }
        let (message, fix, atContext) = Self.explain(error)
        let start = atContext ? error.contextOffset : offset
        let opening = source.position(at: error.contextOffset).line
        diagnostics.error(
            .yamlSyntax, at: source.place(start..<start + 1),
            error.problem.contains("','") ? "\(message); it opens in line \(opening)" : message, fix: fix)
    }

    /// The tab that indents the line of `offset`, or the one before it.
    private func tabBefore(_ offset: Int) -> Int? {
        let line = source.position(at: offset).line
        for candidate in [line, line - 1] {
            let range = source.range(ofLine: candidate)
            let blanks = source.scalars[range].prefix { $0 == " " || $0 == "\t" }
            if let tab = blanks.firstIndex(of: "\t") { return tab }
        }
        return offset < source.scalars.count && source.scalars[offset] == "\t" ? offset : nil
    }

    private func characterOffset(ofByte byteOffset: Int) -> Int {
        var bytes = 0
        for (index, scalar) in source.scalars.enumerated() {
            if bytes >= byteOffset { return index }
            bytes += UTF8.width(scalar)
        }
        return max(0, source.scalars.count - 1)
    }

    private static func explain(_ error: YAMLSyntaxError) -> (message: String, fix: String?, atContext: Bool) {
        switch error.problem {
        case let problem where problem.contains("unexpected end of stream") && error.context.contains("quoted scalar"):
            ("a quoted text that never ends", "close the quote", true)
        case "found unexpected end of stream", "found unexpected document indicator":
            ("the file ends in the middle of \(error.context.replacing("while parsing ", with: ""))", nil, true)
        case "mapping values are not allowed in this context":
            (
                "a `:` where no key can stand",
                "put quotes around a text that contains `: `, or check the indentation of this line", false
            )
        case "could not find expected ':'":
            ("a key without its `:`", "write `key: value`, and check the indentation", true)
        case "did not find expected key", "did not find expected '-' indicator":
            (
                "this does not fit the lines above it", "check the indentation: keys of one map start in one column",
                false
            )
        case "did not find expected ',' or '}'", "did not find expected ',' or ']'":
            (
                "a `{…}` or `[…]` that is not closed or lacks a comma",
                "put quotes around a text that contains `{`, `}`, `[`, `]` or `,`", false
            )
        case "found character that cannot start any token":
            ("a character that cannot start a text", "put quotes around the text", false)
        case "did not find expected alphabetic or numeric character" where error.context.contains("alias"):
            (
                "`*` begins the name of an anchor, and none follows",
                "leave `select` out for all columns, and put quotes around a text that begins with `*`", true
            )
        case "found unknown escape character":
            ("an unknown escape between double quotes", "write `\\\\` for a backslash, or use single quotes", false)
        default:
            (
                error.context.isEmpty
                    ? "not readable as YAML: \(error.problem)"
                    : "not readable as YAML: \(error.problem) \(error.context)", nil, false
            )
        }
    }
}
