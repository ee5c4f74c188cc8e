// `sluice describe` by the real binary: what it prints is pasted into a spec, which `check` has nothing to say of, and
// which reads every row that was described.

import Foundation
import Testing

@Suite struct DescribeTests {
    /// Describes, pastes, checks and runs; the rows that come out.
    private func rows(
        _ path: String, in folder: TemporaryFolder, workingFolder: String = "."
    ) throws -> (yaml: String, rows: [Substring]) {
        let described = try SluiceProcess.run(["describe", path], in: folder, workingFolder: workingFolder)
        #expect(described.exitCode == 0 && described.standardError == "", "\(described.standardError)")
        let yaml = described.standardOutput
        let name = try #require(yaml.split(separator: "\n").first { $0.hasPrefix("  ") && !$0.hasPrefix("   ") })
        try folder.write(
            "\(workingFolder)/spec.yaml",
            "sluice: 1\n\(yaml)queries:\n  q: { from: \(name.dropFirst(2).dropLast()), to: o, trigger: available_now }\n"
                + "sinks:\n  o: { stdout: {} }\n")
        let check = try SluiceProcess.run(["check", "spec.yaml"], in: folder, workingFolder: workingFolder)
        #expect(check.standardOutput == "no mistakes: 1 query\n", "\(check.standardOutput)\(yaml)")
        let run = try SluiceProcess.run(["run", "spec.yaml"], in: folder, workingFolder: workingFolder)
        #expect(run.exitCode == 0 && !run.standardError.contains("bad row"), "\(run.standardError)")
        return (yaml, run.standardOutput.split(separator: "\n"))
    }

    private static func events(_ range: Range<Int>) -> String {
        range.map { number in
            #"{"id":"\#(number)","actor":{"id":\#(number),"login":"u"},"payload":{"commits":[{"sha":"a"}]},"#
                + #""at":"2015-01-01T15:\#(10 + number / 60 % 50):\#(10 + number % 50)Z","public":true}"# + "\n"
        }.joined()
    }

    /// Written by the product, from what it has described before.
    @Test(arguments: ["none", "deflate", "zstandard"])
    func `A container file of Avro runs as it was described`(codec: String) throws {
        let folder = try TemporaryFolder()
        try folder.write("events.json", Self.events(0..<2500))
        let described = try SluiceProcess.run(["describe", "events.json"], in: folder).standardOutput
        try folder.write(
            "copy.yaml",
            "sluice: 1\n\(described)queries:\n  q: { from: events, to: o, trigger: available_now }\n"
                + "sinks:\n  o: { file: { path: out }, format: { avro: { codec: \(codec) } } }\n")
        #expect(try SluiceProcess.run(["run", "copy.yaml"], in: folder).exitCode == 0)
        try FileManager.default.removeItem(atPath: "\(folder.path)/checkpoints")
        let (yaml, rows) = try rows("out", in: folder)
        #expect(rows.count == 2500 && yaml.hasPrefix("# 1,000 records, the first of out: none"), "\(yaml)")
        #expect(yaml.contains("format: avro\n") && yaml.contains("at:       timestamp\n"), "\(yaml)")
        #expect(yaml.contains("watermark: { column: at, delay: "), "\(yaml)")
    }

    @Test func `A compressed file of nested events runs as it was described`() throws {
        let folder = try TemporaryFolder()
        try folder.write("2015-01-01-15.json", Self.events(0..<2500))
        for (tool, end) in [("gzip", "gz"), ("zstd", "zst")] {
            let pack = Process()
            pack.executableURL = URL(filePath: "/usr/bin/env")
            pack.arguments = [tool, "-q", "-k", "\(folder.path)/2015-01-01-15.json"]
            try pack.run()
            pack.waitUntilExit()
            let (yaml, rows) = try rows("2015-01-01-15.json.\(end)", in: folder)
            #expect(
                rows.count == 2500 && yaml.hasPrefix("# 1,000 records, the first of 2015-01-01-15.json.\(end): none"))
            #expect(yaml.contains("actor_id: { type: int, from: actor.id }"), "\(yaml)")
            try FileManager.default.removeItem(atPath: "\(folder.path)/checkpoints")
        }
    }

    @Test func `CSV with quotes, line ends in them and a mark before it runs as it was described`() throws {
        let folder = try TemporaryFolder()
        let lines = (0..<30).map { "\($0);\"Smith; \"\"J\"\"\n\($0)\";\(10 + $0 % 18)/03/2024 08:15:00;NULL\n" }
        try folder.write("data/sales.csv", "\u{FEFF}Order ID;customer;ordered;note\n" + lines.joined())
        let (yaml, rows) = try rows("sales.csv", in: folder, workingFolder: "data")
        #expect(
            yaml.contains(#"csv: { separator: ";", header: true, multiline: true, null_value: "NULL" }"#), "\(yaml)")
        #expect(rows.count == 30)
        #expect(
            rows[3] == #"{"Order_ID":3,"customer":"Smith; \"J\"\n3","ordered":"2024-03-13T08:15:00.000Z"}"#,
            "\(rows[3])")
    }

    @Test func `A folder and a pattern are described by all their files`() throws {
        let folder = try TemporaryFolder()
        for number in 0..<120 {
            try folder.write("in/\(100 + number).jsonl", Self.events(number * 20..<number * 20 + 20))
        }
        try folder.write("in/_tmp.jsonl", "nothing")
        try folder.write("in/900.jsonl", #"{"id":"x","late":1,"at":"2015-01-01T16:00:00Z"}"# + "\n")
        for path in ["in", "in/*.jsonl"] {
            let (yaml, rows) = try rows(path, in: folder)
            #expect(yaml.contains("(100 of 121 files)") && yaml.contains("  in:\n"), "\(yaml)")
            // The last file is among them.
            #expect(yaml.contains("late:") && rows.count == 2401)
            try FileManager.default.removeItem(atPath: "\(folder.path)/checkpoints")
        }
    }

    @Test func `As JSON the source stands in a spec too, with the facts beside it`() throws {
        let folder = try TemporaryFolder()
        try folder.write(
            "visits.jsonl", #"{"id":1,"at":1700000000000}"# + "\nbroken\n" + #"{"id":2,"at":1699999999000}"#)
        let described = try SluiceProcess.run(["describe", "visits.jsonl", "--format=json"], in: folder)
        let object = try #require(jsonObject(described.standardOutput))
        let facts = try #require(object["sample"] as? [String: Any])
        #expect(facts["records"] as? Int == 3 && facts["badRecords"] as? Int == 1)
        #expect((facts["badReasons"] as? [String: Int]) == ["it is not JSON, or was cut off": 1])
        let time = try #require((facts["eventTimes"] as? [[String: Any]])?.first)
        #expect(time["column"] as? String == "at" && time["disorderMs"] as? Int == 1000)
        let spec: [String: Any] = [
            "sources": object["sources"] ?? [], "queries": ["q": ["from": "visits", "to": "o"]],
            "sinks": ["o": ["stdout": [String: String]()]],
        ]
        let text = String(decoding: try JSONSerialization.data(withJSONObject: spec), as: UTF8.self)
        try folder.write("spec.yaml", "{\"sluice\":1," + text.dropFirst())
        let run = try SluiceProcess.run(["run", "spec.yaml", "--trigger", "available_now"], in: folder)
        #expect(run.standardOutput.split(separator: "\n").count == 2, "\(run.standardError)")
    }

    @Test func `Of a large file only the beginning is read`() throws {
        let folder = try TemporaryFolder()
        try folder.write("large.jsonl", Self.events(0..<3000))
        // A hole of a terabyte: whoever read it would not end.
        #expect(truncate("\(folder.path)/large.jsonl", 1 << 40) == 0)
        let described = try SluiceProcess.run(["describe", "large.jsonl"], in: folder)
        #expect(described.standardOutput.hasPrefix("# 1,000 records, the first of large.jsonl: none"))
    }

    @Test(
        arguments: [
            (
                ["describe", "missing.jsonl"], 1,
                "there is no file or folder missing.jsonl: check the path (a topic is written kafka://"
            ),
            (["describe", "none/*.jsonl"], 1, "no file matches none/*.jsonl: check the path"),
            (["describe", "hollow"], 1, "the folder hollow has no files"),
            (["describe", "empty.jsonl"], 1, "empty.jsonl is empty"),
            (
                ["describe", "utf16.jsonl"], 1,
                "utf16.jsonl is UTF-16 text, and text is read as UTF-8: convert it (`iconv"
            ),
            (["describe", "array.json"], 1, "array.json is one JSON array, and records are JSON objects, one a line"),
            (["describe", "pretty.json"], 1, "objects over several lines"),
            (["describe", "binary"], 1, "binary is no text"), (["describe", "words.txt"], 1, "is neither JSON"),
            (["describe", "cut.gz"], 1, "cut.gz is cut off"), (["describe", "packed.xz"], 1, "is compressed (xz)"),
            (["describe", "pipe"], 1, "is not a regular file"),
            (["describe", "kafka://localhost:9092"], 2, "names no topic: write kafka://HOST:PORT/TOPIC"),
            (["describe"], 2, "Missing expected argument '<from>'."),
            (["describe", "a", "--formt", "json"], 2, "Unknown option '--formt'. Did you mean '--format'?"),
            (["describe", "a", "--format", "xml"], 2, "Please provide 'yaml' or 'json'."),
        ] as [([String], Int32, String)])
    func `What cannot be described is one clear error`(arguments: [String], code: Int32, expected: String) throws {
        let folder = try TemporaryFolder()
        try folder.write("hollow/_x", "")
        try folder.write("empty.jsonl", "")
        try folder.write("utf16.jsonl", bytes: #"{"a":1}"#.data(using: .utf16) ?? Data())
        try folder.write("array.json", #"[{"a":1},{"a":2}]"#)
        try folder.write("pretty.json", "{\n  \"a\": 1,\n  \"b\": [\n    1\n  ]\n}\n")
        try folder.write("binary", bytes: Data((0..<4000).map { UInt8(truncatingIfNeeded: $0 * 7) }))
        try folder.write("words.txt", (0..<20).map { "line \($0) of a log\n" }.joined())
        try folder.write("packed.xz", bytes: Data([0xFD, 0x37, 0x7A, 0x58, 0x5A, 0, 1, 2, 3]))
        try folder.write("cut.gz", bytes: Data([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3]))
        #expect(mkfifo("\(folder.path)/pipe", 0o600) == 0)
        let outcome = try SluiceProcess.run(arguments, in: folder)
        #expect(outcome.exitCode == code && outcome.standardOutput == "")
        #expect(outcome.standardError.contains(expected), "\(outcome.standardError)")
        if code == 1 {
            #expect(
                outcome.standardError.split(separator: "\n").count == 1 && outcome.standardError.hasPrefix("error: "))
        }
    }
}
