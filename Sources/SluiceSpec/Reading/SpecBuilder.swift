// Gathers the trees of all files into one namespace and turns them into a Spec. Sources and sinks come first, so that
// every name and type is known when queries are read. Whatever has a mistake still leaves behind what is known about it
// (a source's columns, a query's sinks), so that one run finds the mistakes of all of them and none is reported twice.

/// What is known about the event time of a source.
enum EventTimeState: Equatable {
    case declared(String)
    case none
    /// Could not be read; reported elsewhere.
    case unknown
}

/// A source, complete or not, as queries see it.
struct SourceEntry {
    var name: Located<String>
    var scope: ColumnScope.Input
    var eventTime: EventTimeState
    /// nil when it has mistakes.
    var spec: SourceSpec?
    var readsStandardInput: Bool
}

struct SinkEntry {
    var name: Located<String>
    var spec: SinkSpec?
}

/// A named part of a file, such as one source, with the defaults merged in.
struct NamedNode {
    var name: Located<String>
    var node: YAMLNode

    var place: Place { Place(position: name.position, length: name.length) }

    /// Whether it is a source of several others.
    var isUnion: Bool {
        guard case .mapping(let entries) = node.kind else { return false }
        return entries.contains { $0.key == UnionSpec.key }
    }
}

final class SpecBuilder {
    let diagnostics: DiagnosticCollector
    /// True when a file could not be read, so that a missing name may just stand there.
    var hasUnreadableFile = false
    private var hasMisspeltQueries = false
    var sources: [String: SourceEntry] = [:]
    var tables: [String: TableEntry] = [:]
    var sinks: [String: SinkEntry] = [:]
    var usedSources: Set<String> = []
    var usedTables: Set<String> = []
    var usedSinks: Set<String> = []
    private var sourceNodes: [NamedNode] = []
    private var tableNodes: [NamedNode] = []
    private var sinkNodes: [NamedNode] = []
    private var queryNodes: [NamedNode] = []
    private var anyPlace: Place?

    /// The content of a file that a spec names.
    let readFile: (String) -> Result<[UInt8], UnreadableFile>

    init(diagnostics: DiagnosticCollector, readFile: @escaping (String) -> Result<[UInt8], UnreadableFile>) {
        self.diagnostics = diagnostics
        self.readFile = readFile
    }

    /// Takes in the names of a file.
    func add(root: YAMLNode) {
        anyPlace = anyPlace ?? root.place
        guard case .mapping(let entries) = root.kind else {
            if case .invalid = root.kind { return }
            diagnostics.error(
                root.isNull ? .missingVersion : .wrongShape, at: root.place,
                root.isNull ? "the file is empty" : "a spec is a map, and this is \(root.noun)",
                fix: "a spec begins with `sluice: 1`")
            return
        }
        checkVersion(entries, root: root)
        // As in compose files, keys that begin with `x-` are the user's own, for anchors.
        guard
            let map = MapReader<SpecFileKeys>(
                YAMLNode(
                    kind: .mapping(entries.filter { !$0.key.hasPrefix("x-") }), place: root.place, size: root.size),
                at: root.place, self)
        else { return }
        hasMisspeltQueries = hasMisspeltQueries || map.isMisspelt(\.queries)
        let defaults = map[\.defaults]
        sourceNodes += named(
            map[\.sources], "source", defaultsOf(SourceKeys.self, defaults?[\.sources]), SourceKeys.connectors)
        sinkNodes += named(map[\.sinks], "sink", defaultsOf(SinkKeys.self, defaults?[\.sinks]), SinkKeys.connectors)
        queryNodes += named(map[\.queries], "query", defaultsOf(QueryKeys.self, defaults?[\.queries]), [])
        tableNodes += named(map[\.tables], "table", nil, [])
        for section in [map[\.tests]].compactMap({ $0 }) {
            if case .mapping = section.value.kind {
                unsupported(section.what, at: section.keyPlace)
            } else {
                diagnostics.error(.wrongShape, at: section.keyPlace, "\(section.what) is a map of names")
            }
        }
    }

    /// The whole spec after all files were added. It is worth using only if nothing was reported as an error.
    func finish() -> Spec {
        var spec = Spec()
        // Sinks first: a source may name one for its bad rows.
        for node in unique(sinkNodes, "sink") { sinks[node.name.value] = readSink(node) }
        // Unions after their parts.
        let nodes = unique(sourceNodes, "source")
        for node in nodes.filter({ !$0.isUnion }) { sources[node.name.value] = readSource(node) }
        for node in nodes.filter(\.isUnion) {
            sources[node.name.value] = SourceEntry(
                name: node.name, scope: ColumnScope.Input(name: node.name.value, isUnknown: true),
                eventTime: .unknown, spec: nil, readsStandardInput: false)
        }
        for node in nodes.filter(\.isUnion) { sources[node.name.value] = readSource(node) }
        for node in unique(tableNodes, "table") {
            if let source = sources[node.name.value] {
                diagnostics.error(
                    .duplicateName, at: node.place,
                    "`\(node.name.value)` is the name of a source, in line \(source.name.position.line)",
                    fix: "rename one of them")
                continue
            }
            tables[node.name.value] = readTable(node)
        }
        spec.queries = unique(queryNodes, "query").compactMap { readQuery($0) }
        spec.sources = sources.values.compactMap(\.spec).sorted { $0.name.value < $1.name.value }
        spec.tables = tables.values.compactMap(\.spec).sorted { $0.name.value < $1.name.value }
        spec.sinks = sinks.values.compactMap(\.spec).sorted { $0.name.value < $1.name.value }
        if queryNodes.isEmpty, !hasUnreadableFile, !hasMisspeltQueries, let anyPlace {
            diagnostics.error(.noQueries, at: anyPlace, "there is no query", fix: "add one below `queries:`")
        }
        checkSharedResources(spec)
        if !hasUnreadableFile, !queryNodes.isEmpty { reportUnused() }
        return spec
    }

    func unsupported(_ what: String, at place: Place, fix: String? = nil) {
        diagnostics.error(.notSupportedYet, at: place, "\(what) is not supported yet", fix: fix ?? "remove it for now")
    }

    // MARK: Files

    private func checkVersion(_ entries: [YAMLEntry], root: YAMLNode) {
        guard let version = entries.first(where: { $0.key == "sluice" }) else {
            diagnostics.error(
                .missingVersion, at: root.place, "the file does not say its version", fix: "begin it with `sluice: 1`")
            return
        }
        if entries.first?.key != "sluice" {
            diagnostics.error(
                .missingVersion, at: version.keyPlace, "`sluice` is not the first key", fix: "begin the file with it")
        }
        guard case .scalar(let scalar) = version.value.kind else {
            if case .invalid = version.value.kind { return }
            diagnostics.error(
                .badVersion, at: version.keyPlace, "`sluice` is a version number", fix: "write `sluice: 1`")
            return
        }
        if scalar.text != "1" {
            diagnostics.error(
                .badVersion, at: version.value.place, "`\(scalar.shown)` is not a version of the format",
                fix: "write `sluice: 1`")
        }
    }

    /// `defaults: { sources: {…}, queries: {…}, sinks: {…} }`: what every source, query or sink of the same file has
    /// unless it says something else. Maps are merged key by key; everything else is replaced. A connector's defaults
    /// only reach those who use that connector, and a watermark without its column only those who have a watermark.
    private func defaultsOf<Keys: SpecKeys>(_ keys: Keys.Type, _ entry: YAMLEntry?) -> [YAMLEntry]? {
        guard let entry else { return nil }
        _ = MapReader<Keys>(entry.value, at: entry.keyPlace, self)
        guard case .mapping(let entries) = entry.value.kind else { return nil }
        return entries.filter { keys.names.contains($0.key) }
    }

    private func named(
        _ section: YAMLEntry?, _ noun: String, _ defaults: [YAMLEntry]?, _ connectors: [String]
    ) -> [NamedNode] {
        guard let section else { return [] }
        switch section.value.kind {
        case .invalid: return []
        case .mapping(let entries):
            return entries.map { entry in
                checkName(entry, noun)
                let node = defaults.map { Self.merged(entry.value, under: $0, connectors: connectors) } ?? entry.value
                let position = entry.keyPlace
                return NamedNode(
                    name: Located(entry.key, at: position.position, length: position.length), node: node)
            }
        case .scalar(let scalar) where scalar.isNull: return []
        case .scalar, .sequence:
            diagnostics.error(
                .wrongShape, at: section.value.place,
                "`\(section.key)` is a map from names to their content, and this is \(section.value.noun)",
                fix: "write each name as a key")
            return []
        }
    }

    private static func merged(_ node: YAMLNode, under defaults: [YAMLEntry], connectors: [String]) -> YAMLNode {
        guard case .mapping(var entries) = node.kind else { return node }
        for entry in defaults {
            if let index = entries.firstIndex(where: { $0.key == entry.key }) {
                guard case .mapping(let inner) = entry.value.kind else { continue }
                entries[index].value = merged(entries[index].value, under: inner, connectors: [])
            } else if !connectors.contains(entry.key), !isOpenWatermark(entry) {
                entries.append(entry)
            }
        }
        return YAMLNode(kind: .mapping(entries), place: node.place, size: node.size)
    }

    private static func isOpenWatermark(_ entry: YAMLEntry) -> Bool {
        guard entry.key == "watermark", case .mapping(let inner) = entry.value.kind else { return false }
        return !inner.contains { $0.key == "column" }
    }

    private func checkName(_ entry: YAMLEntry, _ noun: String) {
        let isGood =
            !entry.key.isEmpty && entry.key.utf8.count <= 100
            && entry.key.utf8.allSatisfy {
                ($0 | 0x20 >= 97 && $0 | 0x20 <= 122) || ($0 >= 48 && $0 <= 57) || $0 == 95 || $0 == 45
            } && !entry.key.hasPrefix("-")
        if !isGood {
            diagnostics.error(
                .badName, at: entry.keyPlace, "`\(entry.key)` cannot be the name of a \(noun)",
                fix: "use letters, digits, `_` and `-`, at most 100")
        }
    }

    /// In the order of their names; a name that comes again is reported where it does, with the first place.
    private func unique(_ nodes: [NamedNode], _ noun: String) -> [NamedNode] {
        var first: [String: NamedNode] = [:]
        for node in nodes {
            guard let earlier = first[node.name.value]?.name.position else {
                first[node.name.value] = node
                continue
            }
            diagnostics.error(
                .duplicateName, at: node.place,
                "the \(noun) `\(node.name.value)` is defined twice: here and at \(earlier.file):\(earlier.line)",
                fix: "rename one, or remove it")
        }
        return first.values.sorted { $0.name.value < $1.name.value }
    }
}
