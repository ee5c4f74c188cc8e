// One entry of `sinks`, and the places that name one.

extension SpecBuilder {
    func readSink(_ named: NamedNode) -> SinkEntry {
        var entry = SinkEntry(name: named.name, spec: nil)
        guard let map = MapReader<SinkKeys>(named.node, at: named.place, self) else { return entry }
        let connector = readSinkConnector(map)
        let format =
            map.contains(\.format)
            ? map[\.format].flatMap { readOutputFormat($0.value, connector, isKafka: map.contains(\.kafka)) }
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

    private func readSinkConnector(_ map: MapReader<SinkKeys>) -> (any SinkConnector)? {
        let kafka = map[\.kafka].flatMap { readKafkaSink($0) }
        let file = map[\.file].flatMap { file in
            file[\.path].map { FileSinkSpec(path: $0, isCompressed: file[\.compression]) }
        }
        let standardOutput = map[\.stdout]?.place.position
        guard hasOneConnector(map, SinkKeys.connectors) else { return nil }
        return kafka ?? file ?? standardOutput.map { StandardOutputSpec(position: $0) }
    }

    /// `connector` is nil where it has mistakes.
    private func readOutputFormat(
        _ node: YAMLNode, _ connector: (any SinkConnector)?, isKafka: Bool
    ) -> OutputFormat? {
        guard case .mapping(let entries) = node.kind else {
            if case .scalar(let scalar) = node.kind, scalar.text == "protobuf" {
                unsupported("Protobuf on a sink", at: node.place, fix: "write `json` for now")
                return nil
            }
            let format = word(
                node, "`format`",
                [
                    "json": OutputFormat.json(timeZone: "UTC", writesNulls: false),
                    "csv": .csv(timeZone: "UTC", separator: UInt8(ascii: ","), writesHeader: false),
                    "avro": .avro(AvroOutput()),
                ], foreign: ForeignWords.format)?.value
            guard case .avro = format else { return format }
            return readAvroOutput(nil, at: node.place, connector).map { .avro($0) }
        }
        if let protobuf = entries.first(where: { $0.key == "protobuf" }) {
            unsupported("Protobuf on a sink", at: protobuf.keyPlace, fix: "write `json` for now")
            return nil
        }
        guard let entry = onlyFormat(["json", "csv", "avro"], entries, node) else { return nil }
        switch entry.key {
        case "json":
            return MapReader<JSONOutputKeys>(entry.value, at: entry.keyPlace, self).map {
                .json(timeZone: $0[\.timeZone]?.value ?? "UTC", writesNulls: $0[\.nulls])
            }
        case "csv":
            return MapReader<CSVOutputKeys>(entry.value, at: entry.keyPlace, self).map {
                readCSVOutput($0, isKafka: isKafka)
            }
        default:
            guard let map = MapReader<AvroOutputKeys>(entry.value, at: entry.keyPlace, self) else { return nil }
            return readAvroOutput(map, at: entry.keyPlace, connector).map { .avro($0) }
        }
    }

    private func readCSVOutput(_ map: MapReader<CSVOutputKeys>, isKafka: Bool) -> OutputFormat {
        let zone = map[\.timeZone]?.value ?? "UTC"
        let separator = map[\.separator].flatMap { readSeparator($0.value) } ?? UInt8(ascii: ",")
        let header = map[\.header]
        if header, isKafka {
            refuseHeader(map.keyPlace(\.header), "columns are written in the order of `select`")
        }
        return .csv(timeZone: zone, separator: separator, writesHeader: header)
    }
}
