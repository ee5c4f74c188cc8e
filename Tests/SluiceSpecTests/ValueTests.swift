// Single values: durations, sizes, counts, words, and the forms in which a spec may write them.

import SluiceSpec
import Testing

private func job(
    source: String = "", query: String = "", delay: String = "10m", sink: String = "stdout: {}"
) -> String {
    """
    sluice: 1
    sources:
      rows:
        file: { path: in }
        columns: { at: timestamp, id: int }
        watermark: { column: at, delay: \(delay) }
        \(source)
    queries:
      q:
        from: rows
        to: out
        \(query)
    sinks:
      out:
        \(sink)
    """
}

@Suite struct ValueTests {
    @Test(
        arguments: [
            ("500ms", 500_000), ("10s", 10_000_000), ("2m", 120_000_000), ("1h30m", 5_400_000_000),
            ("7d", 604_800_000_000), ("10 minutes", 600_000_000), ("2 hours", 7_200_000_000), ("PT10M", 600_000_000),
            ("1 minute", 60_000_000), ("P1DT1H", 90_000_000_000), ("1w", 604_800_000_000), ("0s", 0), ("5us", 5),
            ("1.5s", 1_500_000), ("\"1 hour 30 minutes\"", 5_400_000_000), ("10 Minutes", 600_000_000),
            ("PT1H30M0.5S", 5_400_500_000),
        ] as [(String, Int64)])
    func `a duration reads in each of its forms`(text: String, micros: Int64) throws {
        let read = readSpec(job(delay: text))
        #expect(try #require(read.spec, "\(read.rendered)").sources[0].watermark?.delayMicros.value == micros)
    }

    @Test(arguments: [
        ("10", "say the unit: `10s` or `10 seconds`"), ("5 months", "a month and a year have no fixed length"),
        ("1.0000001s", "the shortest step"), ("99999999999999d", "the longest duration"), ("soon", "write it as"),
        ("PT", "write it as"), ("P1M", "a month and a year"), ("10 minutes ago", "write it as"), ("2M", "units are"),
        ("\"\"", "write it as"),
    ])
    func `what is no duration is refused with advice`(text: String, fix: String) throws {
        let read = readSpec(job(delay: text))
        #expect(read.spec == nil)
        let diagnostic = try #require(read.errors.first)
        #expect(diagnostic.code == "bad-duration")
        #expect(diagnostic.position == SourcePosition(file: "job.yaml", line: 6, column: 37))
        #expect(diagnostic.fix?.contains(fix) == true, "\(read.rendered)")
    }

    @Test(
        arguments: [
            (0, "0s", "0 seconds"), (120_000_000, "2m", "2 minutes"), (5_400_000_000, "1h30m", "1 hour 30 minutes"),
            (500_000, "500ms", "500 milliseconds"), (1, "1us", "1 microsecond"),
            (-300_000_000, "-5m", "minus 5 minutes"),
            (90_061_001_001, "1d1h1m1s1ms1us", "1 day 1 hour 1 minute 1 second 1 millisecond 1 microsecond"),
            (
                Int64.max, "106751991d4h54s775ms807us",
                "106751991 days 4 hours 54 seconds 775 milliseconds 807 microseconds"
            ),
        ] as [(Int64, String, String)])
    func `a duration prints as a spec writes it and in words`(micros: Int64, text: String, words: String) {
        #expect(durationText(micros: micros) == text)
        #expect(durationWords(micros: micros) == words)
    }

    @Test(arguments: [
        ("10s", TriggerSpec.interval(micros: 10_000_000)), ("1ms", .interval(micros: 1000)),
        ("as_fast_as_possible", .asFastAsPossible), ("once", .once), ("available_now", .availableNow),
        ("{ every: 2s }", .interval(micros: 2_000_000)), ("PT1M", .interval(micros: 60_000_000)),
    ])
    func `a trigger reads in each of its forms`(text: String, trigger: TriggerSpec) throws {
        let read = readSpec(job(query: "trigger: \(text)"))
        #expect(try #require(read.spec, "\(read.rendered)").queries[0].trigger.value == trigger)
    }

    @Test func `without a trigger batches follow one another as fast as possible`() {
        #expect(readSpec(job()).spec?.queries[0].trigger.value == .asFastAsPossible)
    }

    @Test(
        arguments: [
            ("64MiB", 67_108_864), ("1 GB", 1_000_000_000), ("512KiB", 524_288), ("4096", 4096), ("1_000B", 1000),
            ("2k", 2048),
        ] as [(String, Int64)])
    func `a size reads in bytes`(text: String, bytes: Int64) throws {
        let text = job().replacing("{ path: in }", with: "{ path: in, max_bytes_per_trigger: \(text) }")
        let read = readSpec(text)
        let spec = try #require(read.spec, "\(read.rendered)")
        let file = try #require(spec.sources[0].connector as? FileSourceSpec)
        #expect(file.maxBytesPerTrigger == bytes)
    }

    @Test(
        arguments: [
            ("state: { shards: 1 }", nil), ("state: { shards: 1024, retain_batches: 1_000 }", nil),
            ("state: { shards: 0 }", "out-of-range"), ("state: { shards: 2048 }", "out-of-range"),
            ("state: { shards: 6 }", "out-of-range"), ("state: { retain_batches: 0 }", "out-of-range"),
            ("state: { retain_batches: 1.5 }", "bad-count"), ("state: { max_bytes: 1GiB }", nil),
            ("state: { max_bytes: much }", "bad-size"), ("group: '${env:HOME:-x}-visits'", nil),
            ("group: ''", "missing-value"),
            ("on_failure: stop", nil), ("watermark_policy: max", nil), ("late: drop", nil),
            ("late: keep", "unknown-word"),
            ("trigger: 0s", "out-of-range"), ("trigger: 10", "bad-duration"), ("trigger: sometimes", "unknown-word"),
            ("select: { a: at, b: 5, c: 'x' }", "unknown-column"), ("select: [id, rows.at]", nil),
            ("select: [id, id]", "duplicate-output"), ("select: id", "wrong-shape"), ("select: []", "missing-value"),
            ("where: id > 1", nil), ("where: id", "type-mismatch"), ("where: on", "unknown-column"),
        ] as [(String, String?)])
    func `a query's setting is taken or refused by its code`(setting: String, code: String?) {
        let read = readSpec(job(query: setting))
        #expect(read.codes == (code.map { [$0] } ?? []), "\(read.rendered)")
    }

    @Test(arguments: [
        ("format: csv", RecordFormat.csv(CSVOptions())), ("format: json", .json()), ("format: { json: {} }", .json()),
        ("format: { csv: }", .csv(CSVOptions())),
        (
            "format: { csv: { separator: \";\", header: true } }",
            .csv(CSVOptions(separator: UInt8(ascii: ";"), hasHeader: true))
        ),
        ("format: { csv: { separator: \"\\t\" } }", .csv(CSVOptions(separator: 9))),
        ("format: { csv: { quote: \"'\", escape: \"\\\\\" } }", .csv(CSVOptions(quote: 39, escape: 92))),
        ("format: { csv: { quote: '', null_value: NULL } }", .csv(CSVOptions(quote: nil, nullValue: "NULL"))),
        ("format: { csv: { escape: '\"', null_value: ~ } }", .csv(CSVOptions(nullValue: "~"))),
        ("format: { csv: { multiline: true } }", .csv(CSVOptions(isMultiline: true))),
    ])
    func `a source's format reads in each of its forms`(text: String, format: RecordFormat) throws {
        let read = readSpec(job(source: text))
        #expect(try #require(read.spec, "\(read.rendered)").sources[0].format == format)
    }

    @Test(arguments: [
        ("separator: ''", "out-of-range"), ("separator: '::'", "out-of-range"), ("separator: é", "out-of-range"),
        ("separator: '\"'", "out-of-range"), ("separator: \"\\n\"", "out-of-range"), ("quote: ab", "out-of-range"),
        ("quote: \"\\r\"", "out-of-range"), ("escape: ''", "out-of-range"), ("quote: ','", "conflicting-keys"),
        ("escape: ','", "conflicting-keys"), ("quote: '', escape: x", "conflicting-keys"),
        ("quote: '', multiline: true", "conflicting-keys"), ("null_value: 'a,b'", "conflicting-keys"),
        ("null_value: '\"x\"'", "conflicting-keys"), ("null_value:", "missing-value"),
        ("nullValue: x", "unknown-key"), ("sep: x", "unknown-key"), ("inferSchema: true", "unknown-key"),
    ])
    func `What of CSV does not go together is refused by its code`(text: String, code: String) {
        let read = readSpec(job(source: "format: { csv: { \(text) } }"))
        #expect(read.codes == [code], "\(read.rendered)")
    }

    @Test(arguments: ["file: { path: in, follow: true }", "stdin: {}"])
    func `Records of several lines are read from whole files only`(connector: String) {
        let text = job(source: "format: { csv: { multiline: true } }").replacing("file: { path: in }", with: connector)
        let read = readSpec(text)
        #expect(
            read.codes.contains("conflicting-keys") && read.rendered.contains("may never close"), "\(read.rendered)")
    }

    @Test(arguments: [
        ("{ stdout: , format: csv }", OutputFormat.csv(timeZone: "UTC", separator: 44, writesHeader: false)),
        ("{ stdout: {} }", .json(timeZone: "UTC", writesNulls: false)),
        ("{ stdout: {}, format: { json: { nulls: write } } }", .json(timeZone: "UTC", writesNulls: true)),
        (
            "{ stdout: {}, format: { csv: { header: true, time_zone: \"+01:00\", separator: \"|\" } } }",
            .csv(timeZone: "+01:00", separator: 124, writesHeader: true)
        ),
    ])
    func `a sink's format reads in each of its forms`(text: String, format: OutputFormat) throws {
        let read = readSpec(job().replacing("    stdout: {}", with: "    <<: \(text)"))
        #expect(try #require(read.spec, "\(read.rendered)").sinks[0].format == format)
    }

    @Test(arguments: [
        ("bad_rows: null", BadRowsPolicy.null), ("bad_rows:", .null), ("bad_rows: drop", .drop),
        ("bad_rows: fail", .fail),
        ("bad_rows: 'null'", .null), ("time_zone: Europe/Paris", .null),
    ])
    func `bad rows have a policy`(text: String, policy: BadRowsPolicy) throws {
        let read = readSpec(job(source: text))
        #expect(try #require(read.spec, "\(read.rendered)").sources[0].badRows.value == policy)
    }

    @Test(arguments: ["UTC", "Z", "+01:00", "Europe/Paris", "America/Argentina/Buenos_Aires", "Etc/GMT+5", "CET"])
    func `the form of a time zone's name is accepted`(name: String) {
        #expect(readSpec(job(source: "time_zone: \"\(name)\"")).rendered == "")
    }

    @Test func `a constant without a zone is pointed out where the source has one`() {
        let filter = "where: at > timestamp '2024-01-01 08:00' and at < timestamp '2024-01-01 09:00Z'"
        #expect(readSpec(job(source: filter)).codes == [])
        let read = readSpec(job(source: "time_zone: Europe/Paris\n    \(filter)"))
        #expect(read.codes == ["zoneless-timestamp"])
        #expect(read.diagnostics[0].position.column == 27)
        #expect(read.diagnostics[0].length == 18)
    }

    @Test(arguments: ["/etc/passwd", "../UTC", "Europe//Paris", "Europe/", "5", "+25:00", "a/b/c/d", "Europe/Pa ris"])
    func `what is no time zone's name is refused`(name: String) {
        #expect(readSpec(job(source: "time_zone: \"\(name)\"")).codes == ["bad-time-zone"])
    }

    @Test(arguments: ["string", "int", "LONG", "double", "boolean", "timestamp", "date", "decimal(10, 2)", "decimal"])
    func `a type's name prints as it reads`(name: String) throws {
        let type = try #require(DataType(name))
        #expect(DataType(type.description) == type)
    }

    @Test(arguments: [
        "bigint", "decimal(39,0)", "decimal(5,6)", "decimal()", "decimal(0,0)", "null", "duration", "", "int[]",
    ])
    func `what is no type's name is refused`(name: String) {
        #expect(DataType(name) == nil)
    }

    @Test func `a file sink's files may be compressed`() throws {
        for (text, isCompressed) in [("", false), (", compression: gzip", true), (", compression: none", false)] {
            let read = readSpec(job(sink: "file: { path: out\(text) }"))
            let spec = try #require(read.spec, "\(read.rendered)")
            let file = try #require(spec.sinks[0].connector as? FileSinkSpec)
            #expect(file.isCompressed == isCompressed)
        }
        let read = readSpec(job(sink: "file: { path: out, compression: gzp }"))
        #expect(read.diagnostics.map(\.code) == ["unknown-word"])
        #expect(read.diagnostics.first?.fix == "did you mean `gzip`?")
    }
}
