// How the text of a CSV source is written: what separates, quotes and escapes, and what of it does not go together.

extension SpecBuilder {
    /// - Parameters:
    ///   - kind: the connector's key, nil unless there is just one.
    ///   - connector: nil where it has mistakes.
    func readCSVOptions(
        _ map: MapReader<CSVFormatKeys>, _ kind: String?, _ connector: (any SourceConnector)?
    ) -> CSVOptions? {
        var options = CSVOptions()
        var isGood = true
        if let node = map[\.separator]?.value {
            if let byte = readSeparator(node) { options.separator = byte } else { isGood = false }
        }
        if let node = map[\.quote]?.value {
            if let quote = readQuote(node) { options.quote = quote.byte } else { isGood = false }
        }
        if let node = map[\.escape]?.value {
            if let byte = readMark(node, "`escape`", fix: "write `\"\\\\\"` for a backslash") {
                options.escape = byte == options.quote ? nil : byte
            } else {
                isGood = false
            }
        }
        if let node = map[\.nullValue]?.value {
            if let text = readNullValue(node) { options.nullValue = text } else { isGood = false }
        }
        options.hasHeader = map[\.header]
        options.isMultiline = map[\.multiline]
        guard isGood else { return nil }
        if options.hasHeader, kind == "kafka" {
            refuseHeader(map.keyPlace(\.header), "columns are taken in the order they are declared")
        }
        checkMarks(map, options)
        checkMultiline(map, options, kind, connector)
        return options
    }

    func readSeparator(_ node: YAMLNode) -> UInt8? {
        readMark(node, "`separator`", not: UInt8(ascii: "\""), fix: "write `\";\"`, or `\"\\t\"` for a tab")
    }

    /// `byte` is nil for no quotes at all.
    private func readQuote(_ node: YAMLNode) -> (byte: UInt8?, Void)? {
        if case .scalar(let scalar) = node.kind, scalar.text.isEmpty, !scalar.isNull { return (nil, ()) }
        return readMark(node, "`quote`", fix: "write `\"'\"`, or `\"\"` where no field is in quotes").map { ($0, ()) }
    }

    /// One character that stands for something between and around fields.
    private func readMark(_ node: YAMLNode, _ what: String, not forbidden: UInt8? = nil, fix: String) -> UInt8? {
        guard let scalar = scalar(node, what) else { return nil }
        let bytes = Array(scalar.text.utf8)
        let isMark = bytes.count == 1 && bytes[0] < 128 && bytes[0] != 10 && bytes[0] != 13 && bytes[0] != 0
        guard isMark, bytes[0] != forbidden else {
            let other = forbidden == nil ? "a line break" : "a quote or a line break"
            diagnostics.error(
                .outOfRange, at: node.place, "\(what) is one ASCII character other than \(other)", fix: fix)
            return nil
        }
        return bytes[0]
    }

    /// Text that YAML takes for nothing is text here: `NULL` is what others write.
    private func readNullValue(_ node: YAMLNode) -> String? {
        guard case .scalar(let scalar) = node.kind, scalar.isNull, !scalar.text.isEmpty else {
            return text(node, "`null_value`")?.value
        }
        return scalar.text
    }

    /// What would make one character mean two things, or a text mean nothing.
    private func checkMarks(_ map: MapReader<CSVFormatKeys>, _ options: CSVOptions) {
        if options.quote == options.separator {
            diagnostics.error(
                .conflictingKeys, at: map.keyPlace(map.contains(\.quote) ? \.quote : \.separator),
                "`quote` and `separator` are the same character", fix: "give one of them another")
        }
        if let escape = options.escape, escape == options.separator {
            diagnostics.error(
                .conflictingKeys, at: map.keyPlace(\.escape), "`escape` and `separator` are the same character",
                fix: "give one of them another")
        }
        if options.quote == nil, map.contains(\.escape) {
            diagnostics.error(
                .conflictingKeys, at: map.keyPlace(\.escape), "`escape` counts in quotes, and there are no quotes",
                fix: "remove `escape`, or the empty `quote`")
        }
        let stops = [options.separator, 10, 13]
        if let text = options.nullValue, text.utf8.contains(where: stops.contains) || text.utf8.first == options.quote {
            diagnostics.error(
                .conflictingKeys, at: map.keyPlace(\.nullValue),
                "`null_value` holds what no field without quotes can hold",
                fix: "leave out separators, line ends and quotes around it")
        }
    }

    /// Where a record ends must be known without all of what follows, and all of what comes before.
    private func checkMultiline(
        _ map: MapReader<CSVFormatKeys>, _ options: CSVOptions, _ kind: String?, _ connector: (any SourceConnector)?
    ) {
        guard options.isMultiline else { return }
        let place = map.keyPlace(\.multiline)
        if options.quote == nil {
            diagnostics.error(
                .conflictingKeys, at: place, "`multiline` is about line ends in quotes, and there are no quotes",
                fix: "remove `multiline`, or the empty `quote`")
        }
        if let file = connector as? FileSourceSpec, file.isFollowed {
            diagnostics.error(
                .conflictingKeys, at: place,
                "`multiline` does not go with `follow`: whether a line end is one of a record shows only when its "
                    + "quotes are closed, and a file that grows may never close them",
                fix: "remove `follow` and let whole files be moved into a folder, or remove `multiline`")
        } else if kind == "stdin" {
            diagnostics.error(
                .conflictingKeys, at: place,
                "`multiline` does not go with `stdin`: whether a line end is one of a record shows only when its "
                    + "quotes are closed, and a pipe may never close them",
                fix: "read the text from a file, or remove `multiline`")
        }
    }
}
