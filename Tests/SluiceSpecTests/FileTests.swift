// What YAML itself brings: anchors and merges, hostile files, encodings, references, and several files as one spec.

import SluiceSpec
import Testing

private func read(bytes: [UInt8]) -> [Diagnostic] {
    SpecReader.read(
        files: [("job.yaml", bytes)], environment: { _ in nil },
        readFile: { _ in .failure(UnreadableFile(reason: "none")) }
    ).diagnostics
}

@Suite struct FileTests {
    @Test func `anchors, aliases and merge keys work, and keys of the entry win over merged ones`() throws {
        let read = readSpec(
            """
            sluice: 1
            x-rows: &rows
              file: { path: a }
              columns: &columns { id: string, at: timestamp }
              time_zone: Europe/Paris
            sources:
              a: *rows
              b: { <<: *rows, file: { path: b }, time_zone: UTC }
              c: { <<: [ { format: csv }, *rows ], file: { path: c }, columns: *columns }
            queries:
              qa: { from: a, to: out }
              qb: { from: b, to: out }
              qc: { from: c, to: out }
            sinks: { out: { stdout: {} } }
            """)
        let spec = try #require(read.spec, "\(read.rendered)")
        #expect(spec.sources.map(\.connector.position.line) == [3, 8, 9])
        #expect(spec.sources.map(\.timeZone.value) == ["Europe/Paris", "UTC", "Europe/Paris"])
        #expect(spec.sources.map(\.format) == [.json(), .json(), .csv(CSVOptions())])
    }

    @Test func `defaults lie under each entry of their kind`() throws {
        let read = readSpec(
            """
            sluice: 1
            defaults:
              sources:
                file: { max_files_per_trigger: 3 }
                time_zone: Europe/Paris
                watermark: { delay: 5m }
              queries: { trigger: 2s, state: { shards: 4 } }
              sinks: { format: { json: { time_zone: Europe/Berlin } } }
            sources:
              a: { file: { path: a }, columns: { at: timestamp }, watermark: { column: at } }
              b: { file: { path: b, max_files_per_trigger: 1 }, columns: { at: timestamp }, time_zone: UTC }
            queries:
              qa: { from: a, to: out }
              qb: { from: b, to: out, state: { retain_batches: 7 }, trigger: once }
            sinks: { out: { stdout: {} } }
            """)
        let spec = try #require(read.spec, "\(read.rendered)")
        let files = spec.sources.compactMap { $0.connector as? FileSourceSpec }
        #expect(files.map(\.maxFilesPerTrigger) == [3, 1])
        #expect(spec.sources.map(\.timeZone.value) == ["Europe/Paris", "UTC"])
        #expect(spec.sources.map(\.watermark?.delayMicros.value) == [300_000_000, nil])
        #expect(spec.queries.map(\.trigger.value) == [.interval(micros: 2_000_000), .once])
        #expect(spec.queries.map(\.state.shards?.value) == [4, 4])
        #expect(spec.queries.map(\.state.retainBatches) == [100, 7])
        #expect(spec.sinks[0].format == .json(timeZone: "Europe/Berlin", writesNulls: false))
    }

    @Test func `an alias bomb is refused`() {
        var text = "sluice: 1\nx-a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1...9 {
            let alias = Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
            text += "x-a\(level): &a\(level) [\(alias)]\n"
        }
        let read = readSpec(text)
        #expect(read.codes == ["alias-bomb"])
        #expect(read.diagnostics[0].position.line <= 8)
    }

    @Test func `a bomb of merge keys is refused`() {
        var text = "sluice: 1\nx-a0: &a0 { k: [" + Array(repeating: "x", count: 1000).joined(separator: ", ") + "] }\n"
        for level in 1...200 { text += "x-a\(level): { k\(level): { <<: *a0 } }\n" }
        #expect(readSpec(text).codes == ["alias-bomb"])
    }

    @Test func `nesting without end is refused`() {
        #expect(readSpec("sluice: 1\nx: " + String(repeating: "[", count: 500)).codes == ["too-deep"])
        #expect(readSpec("sluice: 1\nx: " + String(repeating: "{a: ", count: 100_000)).codes == ["too-deep"])
        let block = (0..<300).map { String(repeating: " ", count: $0) + "a:" }.joined(separator: "\n")
        #expect(readSpec("sluice: 1\n" + block).codes == ["too-deep"])
    }

    @Test func `a file beyond the limit is refused`() {
        #expect(readSpec("# " + String(repeating: "x", count: 5 << 20)).codes == ["too-large"])
    }

    @Test func `bytes that are not UTF-8 are shown where they stand`() throws {
        let diagnostics = read(bytes: Array("sluice: 1\n# é".utf8) + [0xFF, 0xFE] + Array("\n".utf8))
        #expect(diagnostics.map(\.code) == ["invalid-utf8"])
        #expect(diagnostics[0].position == SourcePosition(file: "job.yaml", line: 2, column: 4))
        #expect(read(bytes: [0xFF, 0xFE, 0x61, 0x00]).map(\.code) == ["invalid-utf8"])
    }

    @Test func `a control character is shown where it stands`() {
        let diagnostics = read(bytes: Array("sluice: 1\n# é\nx: a\u{1}b\n".utf8))
        #expect(diagnostics.map(\.code) == ["yaml-syntax"])
        #expect(diagnostics[0].position == SourcePosition(file: "job.yaml", line: 3, column: 5))
    }

    @Test(arguments: ["", "\n\n", "# nothing\n", "---\n", "\u{FEFF}"])
    func `an empty file is refused at its start`(text: String) {
        let diagnostics = read(bytes: Array(text.utf8))
        #expect(diagnostics.map(\.code) == ["missing-version", "no-queries"])
        #expect(diagnostics[0].position.column == 1)
    }

    @Test func `a byte-order mark and carriage returns change nothing`() {
        let text = "\u{FEFF}" + fileJob.replacing("\n", with: "\r\n")
        #expect(readSpec(text).rendered == "")
        let broken = readSpec(text.replacing("visits.event_time + 2 minutes", with: "visits.event_tme + 2 minutes"))
        #expect(broken.diagnostics.map(\.position) == [SourcePosition(file: "job.yaml", line: 22, column: 64)])
    }

    @Test func `columns count characters, not bytes`() {
        let text = typedJob(select: "s = 'ééé😀' and nothing = 1")
        let position = readSpec(text).diagnostics[0].position
        #expect(position.column == "  q: { from: r, to: out, select: { x: \"s = 'ééé😀' and ".count + 1)
    }

    @Test func `several files form one namespace`() throws {
        let parts = fileJob.split(separator: "\nqueries:\n", maxSplits: 1).map(String.init)
        let read = readSpec([("a/sources.yaml", parts[0]), ("b/queries.yaml", "sluice: 1\nqueries:\n" + parts[1])])
        let spec = try #require(read.spec, "\(read.rendered)")
        #expect(spec.queries[0].file == "b/queries.yaml")
        #expect(spec.queries[0].checkpoint == "b/checkpoints/visits_ads")
        let path = try #require(spec.sinks[0].connector.folder)
        #expect(path.value == "b/out")
    }

    @Test func `a name in two files is reported once, with both places`() {
        let read = readSpec([("a.yaml", fileJob), ("b.yaml", fileJob)])
        let duplicates = read.diagnostics.filter { $0.code == "duplicate-name" }
        #expect(duplicates.count == 4)
        #expect(duplicates.allSatisfy { $0.position.file == "b.yaml" })
        #expect(duplicates[0].message == "the source `visits` is defined twice: here and at a.yaml:4")
    }

    @Test func `a file with broken YAML does not make the others' names unknown`() {
        let parts = fileJob.split(separator: "\nqueries:\n", maxSplits: 1).map(String.init)
        let queries = "sluice: 1\nqueries:\n" + parts[1] + "oops: 1\n"
        let read = readSpec([("sources.yaml", parts[0] + "\n  }"), ("queries.yaml", queries)])
        #expect(read.codes == ["unknown-key", "yaml-syntax"])
    }

    @Test func `the words on, off, yes and no are texts`() throws {
        let read = readSpec(
            """
            sluice: 1
            sources:
              on: { file: { path: no }, columns: { yes: string, off: timestamp } }
            queries:
              y: { from: on, to: no, select: { n: yes } }
            sinks: { no: { stdout: {} } }
            """)
        let spec = try #require(read.spec, "\(read.rendered)")
        #expect(spec.sources[0].columns.map(\.name) == ["yes", "off"])
        #expect(spec.queries[0].select[0].name == "n")
    }

    @Test func `references are resolved after the parse and cannot change its structure`() throws {
        let read = readSpec(
            """
            sluice: 1
            sources:
              a:
                file: { path: "${env:FOLDER}/in$${x}", max_files_per_trigger: ${env:COUNT:-7} }
                columns: { id: "${env:EMPTY:-string}", "${env:KEY}": int }
            queries:
              q: { from: a, to: out, where: "id = '${env:VALUE}'" }
            sinks: { out: { stdout: {} } }
            """.replacing("${env:COUNT:-7}", with: "\"${env:COUNT:-7}\""),
            environment: ["FOLDER": "/data: {x}", "EMPTY": "", "VALUE": "a: b # c\nd"])
        let spec = try #require(read.spec, "\(read.rendered)")
        let file = try #require(spec.sources[0].connector as? FileSourceSpec)
        #expect(file.files.value == "/data: {x}/in${x}")
        #expect(file.maxFilesPerTrigger == 7)
        #expect(spec.sources[0].columns.map(\.name) == ["id", "${env:KEY}"])
        #expect(spec.queries[0].filter?.description == "a.id = 'a: b # c\nd'")
    }

    @Test func `relative paths stand beside their file`() throws {
        let job = fileJob.replacing("path: in/visits", with: "path: ./in/../visits")
            .replacing("path: out", with: "path: /srv/out")
        let spec = try #require(readSpec([("/etc/sluice/job.yaml", job)]).spec)
        let files = spec.sources.compactMap { $0.connector.path?.value }
        #expect(files == ["/etc/sluice/in/ads.jsonl", "/etc/sluice/in/../visits"])
        let path = try #require(spec.sinks[0].connector.folder)
        #expect(path.value == "/srv/out")
    }
}
