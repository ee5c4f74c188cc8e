// What queries have in common, once all of them are read: folders and streams that two of them would spoil for each
// other, and what nobody uses.

extension SpecBuilder {
    func checkSharedResources(_ spec: Spec) {
        let folders = fileSinkFolders(spec)
        checkSinkFolders(spec, folders)
        checkCheckpoints(spec, folders)
        checkStandardInput(spec)
        checkLoops(spec)
    }

    /// By the sink's name.
    private func fileSinkFolders(_ spec: Spec) -> [String: String] {
        Dictionary(
            spec.sinks.compactMap { sink -> (String, String)? in
                sink.connector.folder.map { (sink.name.value, comparablePath($0.value)) }
            }, uniquingKeysWith: { first, _ in first })
    }

    private func checkSinkFolders(_ spec: Spec, _ folders: [String: String]) {
        var writers: [String: String] = [:]
        for query in spec.queries {
            for sink in query.sinks {
                guard let path = folders[sink.value] else { continue }
                if let other = writers.updateValue(query.name.value, forKey: path), other != query.name.value {
                    diagnostics.error(
                        .sharedSinkPath, at: sink.place,
                        "the queries `\(other)` and `\(query.name.value)` would overwrite each other's files",
                        fix: "give each query a file sink with its own `path`")
                } else if query.sinks.contains(where: { $0.value < sink.value && folders[$0.value] == path }) {
                    diagnostics.error(
                        .sharedSinkPath, at: sink.place,
                        "two sinks of the query `\(query.name.value)` write to one folder",
                        fix: "give each file sink its own `path`")
                }
            }
        }
    }

    private func checkCheckpoints(_ spec: Spec, _ folders: [String: String]) {
        var checkpoints: [String: String] = [:]
        for query in spec.queries {
            let folder = comparablePath(query.checkpoint)
            if let other = checkpoints.updateValue(query.name.value, forKey: folder) {
                diagnostics.error(
                    .sharedCheckpoint, at: query.name.place,
                    "the queries `\(other)` and `\(query.name.value)` have one checkpoint folder",
                    fix: "give each its own `checkpoint`, or leave it out")
            }
            let sink = folders.filter { $0.value == folder }.keys.min()
            let source = spec.sources.first { source in
                source.connector.path.map { comparablePath($0.value) == folder } ?? false
            }
            guard let other = sink.map({ "sink `\($0)`" }) ?? source.map({ "source `\($0.name.value)`" }) else {
                continue
            }
            diagnostics.error(
                .sharedCheckpoint, at: query.name.place,
                "the checkpoint of the query `\(query.name.value)` is in the folder of the \(other)",
                fix: "give the checkpoint a folder of its own")
        }
    }

    private func checkStandardInput(_ spec: Spec) {
        var reader: String?
        for query in spec.queries {
            for input in query.inputs where sources[input.value]?.readsStandardInput == true {
                if let other = reader {
                    diagnostics.error(
                        .sharedStandardInput, at: input.place,
                        other == query.name.value
                            ? "`\(other)` reads standard input twice"
                            : "`\(other)` reads standard input already, and its rows come only once",
                        fix: "put the rows into a file and read that")
                }
                reader = query.name.value
            }
        }
    }

    // MARK: Loops

    /// Which query reads what another writes; one that can be reached from itself is fed with its own rows.
    private func checkLoops(_ spec: Spec) {
        let streams = spec.sources.map { source in
            (source, spec.sinks.filter { source.connector.reads($0.connector, as: $0.format) }.map(\.name.value))
        }
        let feeds = Dictionary(
            streams.filter { !$0.1.isEmpty }.map { ($0.0.name.value, Set($0.1)) },
            uniquingKeysWith: { first, _ in first })
        if feeds.isEmpty { return }
        var readers: [String: [QuerySpec]] = [:]
        for query in spec.queries {
            for sink in query.sinks {
                readers[query.name.value, default: []] += spec.queries.filter { reader in
                    reader.inputs.contains { feeds[$0.value]?.contains(sink.value) == true }
                }
            }
        }
        for query in spec.queries where isReachable(query, from: query, readers) { reportLoop(query, spec, feeds) }
    }

    private func isReachable(_ goal: QuerySpec, from start: QuerySpec, _ readers: [String: [QuerySpec]]) -> Bool {
        var seen: Set<String> = []
        var next = readers[start.name.value] ?? []
        while let query = next.popLast() {
            if query.name.value == goal.name.value { return true }
            if seen.insert(query.name.value).inserted { next += readers[query.name.value] ?? [] }
        }
        return false
    }

    private func reportLoop(_ query: QuerySpec, _ spec: Spec, _ feeds: [String: Set<String>]) {
        for sink in query.sinks {
            guard let source = feeds.filter({ $0.value.contains(sink.value) }).keys.min(),
                let connector = spec.sinks.first(where: { $0.name.value == sink.value })?.connector
            else { continue }
            let message =
                "rows of `\(query.name.value)` come back to it: the source `\(source)` reads what the sink "
                + "`\(sink.value)` writes"
            if connector is KafkaSinkSpec {
                diagnostics.warning(
                    .readsOwnOutput, at: sink.place, message, fix: "write to another topic, unless that is meant")
            } else {
                diagnostics.error(.readsOwnOutput, at: sink.place, message, fix: "write to another folder")
            }
        }
    }

    func reportUnused() {
        for (name, source) in sources where !usedSources.contains(name) {
            diagnostics.warning(.unusedSource, at: source.name.place, "no query reads the source `\(name)`")
        }
        for (name, table) in tables where !usedTables.contains(name) {
            diagnostics.warning(.unusedTable, at: table.name.place, "no query looks up the table `\(name)`")
        }
        for (name, sink) in sinks where !usedSinks.contains(name) {
            diagnostics.warning(.unusedSink, at: sink.name.place, "no query writes to the sink `\(name)`")
        }
    }
}

extension Located {
    var place: Place { Place(position: position, length: length) }
}

extension QuerySpec {
    fileprivate var inputs: [Located<String>] { [from] + joins.map(\.with) }
}
