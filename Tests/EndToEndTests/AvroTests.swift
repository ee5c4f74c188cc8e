// Container files of Avro through the binary: joined with JSON, cut off, with data that are none, and refused where a
// column is not in them.

import Foundation
import Testing

@Suite struct AvroTests {
    private static let containers: [String: Data] = {
        let path = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../SluiceConnectorsTests/Avro/containers.json")
        let files = (try? Data(contentsOf: path)).flatMap { try? JSONDecoder().decode([String: String].self, from: $0) }
        return (files ?? [:]).compactMapValues { Data(base64Encoded: $0) }
    }()

    private func put(_ name: String, as file: String, in folder: TemporaryFolder) throws {
        let data = try #require(Self.containers[name])
        try folder.write(file, bytes: data)
    }

    private func run(_ folder: TemporaryFolder) throws -> RunOutcome {
        try SluiceProcess.run(["run", "spec.yaml", "--trigger", "available_now"], in: folder)
    }

    private static func spec(
        columns: String = "{ visit_id: string, event_time: timestamp, page: string, n: int }",
        format: String = "avro", rest: String = ""
    ) -> String {
        """
        sluice: 1
        sources:
          visits:
            file: { path: in }
            format: \(format)
            columns: \(columns)
            \(rest)
        queries:
          copy: { from: visits, to: out }
        sinks:
          out: { stdout: {}, format: json }
        """
    }

    @Test(arguments: ["null", "deflate", "snappy", "zstandard"])
    func `Rows come out as they were written`(codec: String) throws {
        let folder = try TemporaryFolder()
        try folder.write("spec.yaml", Self.spec())
        try put(codec, as: "in/a.avro", in: folder)
        let outcome = try run(folder)
        let lines = outcome.standardOutput.split(separator: "\n")
        #expect(lines.count == 200, "\(outcome.standardError)")
        #expect(lines[0] == #"{"visit_id":"v0","event_time":"2024-01-01T08:00:00.000Z","n":0}"#)
        #expect(lines[198] == #"{"visit_id":"v198","event_time":"2024-01-01T08:03:18.000Z","page":"page2","n":198}"#)
    }

    @Test func `Files of two schemas are read into the same columns with a reader's schema`() throws {
        let folder = try TemporaryFolder()
        try folder.write(
            "visit.avsc",
            #"""
            {"type": "record", "name": "Visit", "fields": [
              {"name": "visit_id", "aliases": ["id"], "type": "string"},
              {"name": "site", "type": "string", "default": "nowhere"},
              {"name": "n", "type": "long"}]}
            """#)
        try folder.write(
            "spec.yaml",
            Self.spec(
                columns: "{ visit_id: string, site: string, n: long }", format: "{ avro: { schema: visit.avsc } }"))
        try put("zstandard", as: "in/1.avro", in: folder)
        try put("later", as: "in/2.avro", in: folder)
        let outcome = try run(folder)
        let lines = outcome.standardOutput.split(separator: "\n")
        #expect(lines.count == 250, "\(outcome.standardError)")
        #expect(lines[199] == #"{"visit_id":"v199","site":"nowhere","n":199}"#)
        #expect(lines[249] == #"{"visit_id":"v249","site":"a","n":249}"#)
    }

    @Test func `check and run say which column a file does not have, and what it has`() throws {
        let folder = try TemporaryFolder()
        try folder.write("spec.yaml", Self.spec(columns: "{ visit: string, n: string, event_time: long }"))
        try put("null", as: "in/a.avro", in: folder)
        let check = try SluiceProcess.run(["check", "spec.yaml"], in: folder)
        #expect(check.exitCode == 1)
        let text = check.standardOutput
        #expect(
            text.contains("has no field `visit`; it has `visit_id`, `event_time`, `page`, `n`")
                && text.contains("a long (timestamp-millis) cannot be read as long")
                && text.contains("declare it as `timestamp`") && text.contains("2 errors"), "\(text)")
        let outcome = try run(folder)
        #expect(outcome.exitCode == 1 && outcome.standardError.contains("has no field `visit`"))
    }

    @Test func `A damaged file ends the run before a row of it is out, and names the place`() throws {
        let folder = try TemporaryFolder()
        try folder.write("spec.yaml", Self.spec())
        try put("snappy", as: "in/1.avro", in: folder)
        var bad = try #require(Self.containers["snappy"])
        bad[bad.count - 40] ^= 0x10
        try folder.write("in/2.avro", bytes: bad)
        let outcome = try run(folder)
        #expect(outcome.exitCode == 1)
        #expect(outcome.standardOutput.split(separator: "\n").count == 200)
        #expect(
            outcome.standardError.contains("2.avro is damaged") && outcome.standardError.contains("the block at byte"),
            "\(outcome.standardError)")
    }

    @Test(arguments: [("null", 199, 0), ("drop", 198, 0), ("fail", 0, 1)])
    func `A datum that is none is bad by policy, with its block`(policy: String, rowCount: Int, code: Int32) throws {
        let folder = try TemporaryFolder()
        try folder.write("spec.yaml", Self.spec(rest: "bad_rows: \(policy)"))
        var data = try #require(Self.containers["null"])
        // The last datum: its page's branch becomes one that there is not; another's text stops being text.
        let text = try #require(data.range(of: Data("v100".utf8)))
        data[text.lowerBound] = 0xFF
        let last = try #require(data.range(of: Data("page3".utf8), options: .backwards))
        data[last.lowerBound - 2] = 9
        try folder.write("in/a.avro", bytes: data)
        let outcome = try run(folder)
        #expect(outcome.exitCode == code)
        #expect(outcome.standardOutput.split(separator: "\n").count == rowCount, "\(outcome.standardError)")
        #expect(outcome.standardError.contains("in/a.avro@"), "\(outcome.standardError)")
    }
}
