// The binary over compressed files, made and read by the tools that everybody has, against its own run over plain ones.

import Foundation
import Testing

@Suite struct CompressedFileTests {
    private func spec(_ input: String, _ output: String, limits: String = "") -> String {
        """
        sluice: 1
        sources:
          l:
            file: { path: \(input)/l\(limits) }
            format: json
            columns: { id: long, k: string, t: timestamp }
            watermark: { column: t, delay: 1m }
          r:
            file: { path: \(input)/r\(limits) }
            format: csv
            columns: { id: long, k: string, t: timestamp }
            watermark: { column: t, delay: 1m }
        queries:
          q:
            from: l
            join:
              - { with: r, type: left outer, keys: k, within: "r.t between l.t - 30s and l.t + 30s" }
            select: { id: l.id, other: r.id, t: l.t }
            trigger: available_now
            checkpoint: \(output)-check
            to: out
        sinks:
          out: { file: { path: \(output) }, format: json }
        """
    }

    private func time(_ second: Int) -> String {
        String(format: "2024-01-01T%02d:%02d:%02dZ", second / 3600, second / 60 % 60, second % 60)
    }

    /// Five files a side; the same rows in `plain`, `gzip` and `zstd`.
    private func makeInput(_ folder: TemporaryFolder) throws {
        for file in 0..<5 {
            let numbers = file * 400..<file * 400 + 400
            try folder.write(
                "plain/l/\(file)",
                numbers.map { "{\"id\":\($0),\"k\":\"k\($0 % 50)\",\"t\":\"\(time($0))\"}\n" }.joined())
            try folder.write("plain/r/\(file)", numbers.map { "\($0),k\($0 * 7 % 60),\(time($0))\n" }.joined())
        }
        for (tool, name) in [("gzip -c", "gzip"), ("zstd -q -c", "zstd")] {
            let script = """
                mkdir -p \(name)/l \(name)/r && for f in plain/*/*; do
                t=\(name)/${f#plain/}; (head -n 100 $f | \(tool); tail -n +101 $f | \(tool)) > $t; done
                """
            try folder.shell(script)
        }
    }

    private func run(_ folder: TemporaryFolder, _ spec: String) throws -> RunOutcome {
        try folder.write("spec.yaml", spec)
        return try SluiceProcess.run(["run", "spec.yaml"], in: folder)
    }

    @Test func `Compressed in and out is plain in and out, batch by batch`() throws {
        let folder = try TemporaryFolder()
        try makeInput(folder)
        let limits = ", max_bytes_per_trigger: 40kB"
        #expect(try run(folder, spec("plain", "out-plain", limits: limits)).exitCode == 0)
        let expected = folder.contents(of: "out-plain")
        #expect(folder.names(in: "out-plain").count >= 3)
        for name in ["gzip", "zstd"] {
            let text = spec(name, "out-\(name)", limits: limits)
                .replacing("path: out-\(name) }", with: "path: out-\(name), compression: gzip }")
            #expect(try run(folder, text).exitCode == 0)
            #expect(folder.names(in: "out-\(name)").allSatisfy { $0.hasSuffix(".jsonl.gz") })
            try folder.shell("gunzip out-\(name)/*.gz")
            var found = folder.contents(of: "out-\(name)")
            found[".sluice-owner"] = expected[".sluice-owner"]
            #expect(found == expected)
        }
        let explained = try SluiceProcess.run(["explain", "spec.yaml"], in: folder)
        #expect(explained.standardOutput.contains("compression"))
    }

    @Test func `A file that is larger than a batch goes on after a kill where it was`() throws {
        let folder = try TemporaryFolder()
        try makeInput(folder)
        try folder.shell("mkdir one one/l one/r; cat gzip/l/* > one/l/all; cat zstd/r/* > one/r/all")
        #expect(try run(folder, spec("plain", "out-plain")).exitCode == 0)
        let limits = ", max_bytes_per_trigger: 2kB"
        try folder.write("spec.yaml", spec("one", "out-one", limits: limits))
        for count in [2, 4, 7] {
            let sluice = try SluiceProcess(["run", "spec.yaml"], in: folder)
            try sluice.waitUntil("\(count) batches") { folder.names(in: "out-one").count >= count }
            sluice.kill()
        }
        #expect(try SluiceProcess.run(["run", "spec.yaml"], in: folder).exitCode == 0)
        // Smaller batches move the watermark sooner, and rows come in another order: none more and none less.
        #expect(folder.rows(in: "out-one").asMultiset == folder.rows(in: "out-plain").asMultiset)
        #expect(folder.names(in: "out-one").count > 20)
    }

    @Test func `A damaged file ends the query by its name when the others have been read, and check refuses following`()
        throws
    {
        let folder = try TemporaryFolder()
        try makeInput(folder)
        let bytes = try #require(folder.bytes("gzip/l/1"))
        try folder.write("gzip/l/1", bytes: bytes.prefix(bytes.count - 20))
        let outcome = try run(folder, spec("gzip", "out"))
        #expect(outcome.exitCode == 1)
        #expect(outcome.standardError.contains("gzip/l/1 is cut off: its gzip data ends before its text does"))
        let ids = folder.rows(in: "out").compactMap { jsonObject($0)?["id"] as? Int }
        #expect(ids.contains { $0 < 400 } && ids.contains { $0 >= 800 } && !ids.contains { 400..<800 ~= $0 })
        try folder.write("gzip/l/1", bytes: bytes)
        #expect(try SluiceProcess.run(["run", "spec.yaml"], in: folder).exitCode == 0)
        #expect(try SluiceProcess.run(["check", "spec.yaml"], in: folder).exitCode == 0)
        try folder.write("spec.yaml", spec("gzip", "out", limits: ", follow: true"))
        let check = try SluiceProcess.run(["check", "spec.yaml"], in: folder)
        #expect(check.exitCode == 1)
        #expect(check.standardOutput.contains("error[file-kind]"))
        #expect(check.standardOutput.contains("is compressed (gzip), and what is compressed cannot be followed"))
    }
}
