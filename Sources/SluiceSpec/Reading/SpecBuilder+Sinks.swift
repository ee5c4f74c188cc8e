// One entry of `sinks`, and the places that name one.

enum SinkKeys {
    static let connectors = ["kafka", "file", "stdout"]
    static let all = connectors + ["format"]
}

extension SpecBuilder {
    func readSink(_ named: NamedNode) -> SinkEntry {
        var entry = SinkEntry(name: named.name, spec: nil)
        guard
            let map = MapReader(
                named.node, noun: "a sink", keys: SinkKeys.all, at: named.place, diagnostics: diagnostics)
        else { return entry }
        let connector = readSinkConnector(map)
        let format =
            map.contains("format")
            ? map["format"].flatMap { readOutputFormat($0, isKafka: map.contains("kafka")) }
            : .json(timeZone: "UTC", writesNulls: false)
        if let connector, let format {
            entry.spec = SinkSpec(name: named.name, connector: connector, format: format)
        }
        return entry
    }

    /// A sink's name; it counts as used even when it is unknown.
    func sinkReference(_ node: YAMLNode) -> Located<String>? {
        guard let scalar = scalar(node, "a sink's name") else { return nil }
        usedSinks.insert(scalar.text)
        if sinks[scalar.text] == nil, !hasUnreadableFile {
            diagnostics.error(
                .unknownSink, at: node.place, "there is no sink `\(scalar.shown)`",
                fix: scalar.isSecret
                    ? nil : suggestion(for: scalar.text, in: sinks.keys.sorted(), listing: "sinks are"))
        }
        return located(scalar.text, node)
    }

    private func readSinkConnector(_ map: MapReader) -> SinkConnectorSpec? {
        let kafka = map["kafka"].flatMap { readKafkaSink($0, map.keyPlace("kafka")) }
        var path: Located<String>?
        if let node = map["file"],
            let file = MapReader(
                node, noun: "a `file` sink", keys: ["path"], at: map.keyPlace("file"), diagnostics: diagnostics)
        {
            path = file.required("path", fix: "name the folder for the files").flatMap { self.path($0, "`path`") }
        }
        if let node = map.nullable("stdout") {
            _ = MapReader(
                node, noun: "`stdout`", keys: [], at: map.keyPlace("stdout"), allowsNull: true,
                diagnostics: diagnostics)
        }
        switch onlyConnector(map, SinkKeys.connectors, noun: "a sink") {
        case "kafka": return kafka.map { .kafka($0) }
        case "file": return path.map { .file(path: $0) }
        case "stdout": return .standardOutput(position: map.keyPlace("stdout").position)
        default: return nil
        }
    }

    private func readOutputFormat(_ node: YAMLNode, isKafka: Bool) -> OutputFormat? {
        guard case .mapping(let entries) = node.kind else {
            return word(
                node, "`format`",
                [
                    "json": .json(timeZone: "UTC", writesNulls: false),
                    "csv": .csv(timeZone: "UTC", separator: UInt8(ascii: ","), writesHeader: false),
                ], foreign: ForeignWords.format)?.value
        }
        guard let entry = onlyFormat(entries, node) else { return nil }
        let isJSON = entry.key == "json"
        let keys = isJSON ? ["time_zone", "nulls"] : ["time_zone", "separator", "header"]
        guard
            let map = MapReader(
                entry.value, noun: "`\(entry.key)`", keys: keys, at: entry.keyPlace, allowsNull: true,
                diagnostics: diagnostics)
        else { return nil }
        let zone = map["time_zone"].flatMap { timeZone($0, "`time_zone`") }?.value ?? "UTC"
        if isJSON {
            let writesNulls = map["nulls"].flatMap { word($0, "`nulls`", ["omit": false, "write": true]) }
            return .json(timeZone: zone, writesNulls: writesNulls?.value ?? false)
        }
        let separator = map["separator"].flatMap { readSeparator($0) } ?? UInt8(ascii: ",")
        let header = map["header"].flatMap { boolean($0, "`header`") } ?? false
        if header, isKafka { refuseHeader(map, "columns are written in the order of `select`") }
        return .csv(timeZone: zone, separator: separator, writesHeader: header)
    }
}
