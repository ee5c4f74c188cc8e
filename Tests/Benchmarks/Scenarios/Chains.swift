// Chains of joins, tables and deduplication: what they cost against the same query without them.

import Glibc

/// Two, three and five streams, joined left outer on one key of the first.
func measureChains(_ bench: Bench) -> [Figure] {
    let input = StreamRows(
        folder: "\(bench.folder)/input", rows: bench.size(1_000_000, quick: 20_000),
        batches: bench.size(20, quick: 5))
    input.write(StreamRows.names.count)
    defer { removeFolder(input.folder) }
    let sizes = [2, 3, 5]
    let answers = sizes.map { input.answer($0) }
    let runs = bench.inTurn(sizes.indices) { kind in
        SpecRun(bench, chainSpec(input, sizes[kind])) { expect(answers[kind], input.answer(in: $0, sizes[kind])) }
    }
    func micros(_ kind: Int) -> [Double] {
        runs[kind].map { $0.cost.seconds * 1e6 / Double(input.rows * sizes[kind]) }
    }
    func cpu(_ kind: Int) -> String {
        decimal(median(runs[kind].map { $0.cost.cpuSeconds * 1e6 / Double(input.rows * sizes[kind]) }), digits: 2)
    }
    var figures = sizes.indices.map { kind in
        Figure(
            "rows/s of input, \(sizes[kind]) streams", .number, micros(kind).map { 1e6 / $0 },
            note: "\(cpu(kind)) µs of CPU a row, \(answers[kind])")
    }
    figures.append(Figure(.threeStreams, zip(micros(0), micros(1)).map { $0 / $1 }))
    let outputRatio = Double(answers[2].rowCount) / Double(answers[0].rowCount) / 2.5
    figures.append(
        Figure(
            .fiveStreams, zip(micros(0), micros(2)).map { $1 / ($0 * 4) },
            note: "an input row of five streams makes \(decimal(outputRatio, digits: 1)) times the rows of one of two"))
    for kind in sizes.indices.dropFirst() {
        let ratios = zip(runs[0], runs[kind]).map { $1.stateBytes / ($0.stateBytes * Double(sizes[kind]) / 2) }
        let note = "pairs are kept whole: \(grouped(Int(median(runs[kind].map(\.stateRows))))) rows in state"
        figures.append(
            sizes[kind] == 5
                ? Figure(.starState, ratios, note: note)
                : Figure("state of a star of \(sizes[kind]), by the bytes of its rows", .times, ratios, note: note))
    }
    if bench.withSpark {
        figures += SparkComparison.measureChain(bench, input, answers[1], runs[1].map(\.cost.seconds))
    }
    return figures
}

/// One stream as it is, with a table of 100,000 rows, and without duplicates; and the last before a join.
func measureTables(_ bench: Bench) -> [Figure] {
    let input = StreamRows(
        folder: "\(bench.folder)/input", rows: bench.size(3_000_000, quick: 20_000),
        batches: bench.size(20, quick: 5), repeatsEvery: 100, keyCount: 100_000)
    input.write(2)
    defer { removeFolder(input.folder) }
    writeTable(input)
    let twice = input.titledAnswer(isDeduplicated: false)
    let once = input.titledAnswer(isDeduplicated: true)
    let kinds: [(spec: String, answer: StreamAnswer)] = [
        (streamSpec(input), twice), (streamSpec(input, hasTable: true), twice),
        (streamSpec(input, isDeduplicated: true), once),
    ]
    let runs = bench.inTurn(kinds.indices) { kind in
        SpecRun(bench, kinds[kind].spec) { expect(kinds[kind].answer, input.answer(in: $0, 1, hasTitle: true)) }
    }
    let joinAnswers = [false, true].map { input.answer(2, isDeduplicated: $0) }
    let joins = bench.inTurn(joinAnswers.indices) { kind in
        SpecRun(bench, chainSpec(input, 2, isDeduplicated: kind == 1)) { output in
            expect(joinAnswers[kind], input.answer(in: output, 2))
        }
    }
    func rate(_ run: SpecRun) -> Double { Double(input.rows) / run.cost.seconds }
    return [
        Figure("rows/s of one stream", .number, runs[0].map(rate)),
        Figure(.table, zip(runs[1], runs[0]).map { rate($0) / rate($1) }),
        Figure(.deduplicate, zip(runs[2], runs[0]).map { rate($0) / rate($1) }),
        Figure(
            "rate of a join with deduplication before it", .times, zip(joins[1], joins[0]).map { rate($0) / rate($1) }),
    ]
}

private func expect(_ truth: StreamAnswer, _ answer: StreamAnswer) {
    guard answer == truth else { fail("the answer is wrong:\n  \(answer)\nthe truth is\n  \(truth)") }
}

// MARK: - Specs

private func sourceLines(_ input: StreamRows, _ name: String, isDeduplicated: Bool = false) -> String {
    """
      \(name):
        file: { path: "\(input.folder)/\(name)", max_files_per_trigger: 1 }
        columns: { id: string, page: string, event_time: timestamp }
        watermark: { column: event_time, delay: \(StreamRows.delayMillis)ms }
    \(isDeduplicated ? "    deduplicate: id\n" : "")
    """
}

private func chainSpec(_ input: StreamRows, _ streams: Int, isDeduplicated: Bool = false) -> String {
    let names = StreamRows.names.prefix(streams)
    let joins = names.dropFirst().map { name in
        """
              - with: \(name)
                type: left outer
                keys: { a.page: \(name).page }
                within: \(name).event_time between a.event_time - \(StreamRows.boundMillis)ms and a.event_time + \
        \(StreamRows.boundMillis)ms

        """
    }
    return """
        sluice: 1
        sources:
        \(names.map { sourceLines(input, $0, isDeduplicated: isDeduplicated && $0 == "a") }.joined())
        queries:
          chain:
            from: a
            join:
        \(joins.joined())
            select: { \(names.map { "\($0): \($0).id" }.joined(separator: ", ")) }
            trigger: available_now
            to: out
        sinks:
          out: { file: { path: out }, format: json }

        """
}

private func streamSpec(_ input: StreamRows, hasTable: Bool = false, isDeduplicated: Bool = false) -> String {
    let table = """
        tables:
          pages:
            file: { path: "\(input.folder)/pages.jsonl" }
            columns: { page: string, title: string }

        """
    return """
        sluice: 1
        sources:
        \(sourceLines(input, "a", isDeduplicated: isDeduplicated))
        \(hasTable ? table : "")
        queries:
          stream:
            from: a
        \(hasTable ? "    join: [{ with: pages, type: left outer, keys: { a.page: pages.page } }]\n" : "")
            select: { a: a.id\(hasTable ? ", title: pages.title" : ", title: a.page") }
            trigger: available_now
            to: out
        sinks:
          out: { file: { path: out }, format: json }

        """
}

/// A row for the first 100,000 keys.
private func writeTable(_ input: StreamRows) {
    var text = ""
    for key in 0..<100_000 { text += "{\"page\":\"page-\(padded(key, 6))\",\"title\":\"page-\(padded(key, 6))\"}\n" }
    writeFile("\(input.folder)/pages.jsonl", Array(text.utf8))
}
