// What the built binary says of rows that do not fit, of files that are no text, and of paths that match nothing: on
// standard error, in progress and by its exit code.

import Foundation
import Testing

@Suite struct RowTroubleTests {
    private static func spec(
        path: String = "l", format: String = "json", more: String = "", columns: String = "{ id: long, name: string }"
    ) -> String {
        """
        sluice: 1
        sources:
          l:
            file: { path: "\(path)" }
            format: \(format)
            columns: \(columns)
            \(more)
        queries:
          q: { from: l, select: { id: l.id }, to: out }
        sinks:
          out: { stdout: {}, format: json }
        """
    }

    private func run(_ folder: TemporaryFolder, _ more: [String] = []) throws -> RunOutcome {
        try SluiceProcess.run(
            ["run", "spec.yaml", "--trigger", "available_now", "--progress", "progress.jsonl"] + more, in: folder)
    }

    private func counts(_ folder: TemporaryFolder) throws -> [String: Int] {
        var counts: [String: Int] = [:]
        for line in try #require(folder.read("progress.jsonl")).split(separator: "\n") {
            let record = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            let source = (record?["sources"] as? [[String: Any]])?.first ?? [:]
            for name in ["numInputRows", "numBadRows", "numTombstones"] {
                counts[name, default: 0] += source[name] as? Int ?? 0
            }
        }
        return counts
    }

    @Test func `Twenty thousand undecodable rows do not go by in silence`() throws {
        let folder = try TemporaryFolder()
        try folder.write("spec.yaml", Self.spec())
        try folder.write("l/0.jsonl", String(repeating: "a secret that is no JSON\n", count: 20_000))
        let outcome = try run(folder)
        #expect(outcome.exitCode == 0 && outcome.standardOutput.isEmpty)
        let warnings = outcome.standardError.split(separator: "\n").filter { $0.contains("level=warning") }
        #expect(warnings.count == 1)
        #expect(warnings.first?.contains("l/0.jsonl:1 ") == true && warnings.first?.contains("not JSON") == true)
        #expect(warnings.first?.contains("sluice.count=20000") == true)
        #expect(!outcome.standardError.contains("secret"))
        #expect(outcome.standardError.hasSuffix("l: 20,000 read: 0 out, 0 late, 20,000 bad\n"))
        #expect(try counts(folder) == ["numInputRows": 20_000, "numBadRows": 20_000, "numTombstones": 0])
    }

    @Test func `A CSV column that nobody looks at makes no row bad, unless the policy judges rows by it`() throws {
        for (policy, expected) in [("", 0), ("bad_rows: drop", 1)] {
            let folder = try TemporaryFolder()
            try folder.write(
                "spec.yaml",
                Self.spec(format: "csv", more: policy, columns: "{ id: long, name: string, amount: double }"))
            try folder.write("l/0.csv", "1,a,1\n2,b,NULL\n3,c\n4,d,4\n")
            let outcome = try run(folder)
            // A line that ends before a column is judged the same way.
            #expect(try counts(folder)["numBadRows"] == expected * 2, "\(outcome.standardError)")
            #expect(outcome.standardOutput.split(separator: "\n").count == 4 - expected * 2)
        }
    }

    @Test(arguments: ["logfmt", "json"])
    func `The last lines say where rows went, and under a log of JSON every line is JSON`(format: String) throws {
        let folder = try TemporaryFolder()
        try folder.write("spec.yaml", Self.spec(more: "where: id > 1"))
        try folder.write("l/0.jsonl", "{\"id\":1}\n{\"id\":2}\n{\"id\":\"x\"}\n{\"id\":3}\n")
        let error = try run(folder, ["--log-format", format]).standardError
        let text = "4 read: 2 out, 2 filtered, 0 late, 1 bad"
        if format == "json" {
            for line in error.split(separator: "\n") {
                #expect((try? JSONSerialization.jsonObject(with: Data(line.utf8))) != nil, "\(line)")
            }
            #expect(error.contains(text))
        } else {
            #expect(error.hasSuffix("l: \(text)\n"), "\(error)")
        }
        // Nothing new: nothing to say.
        #expect(!(try run(folder).standardError.contains(" read")))
    }

    @Test func `What waits behind a join has a line of its own, of whatever the join puts out`() throws {
        let folder = try TemporaryFolder()
        let names = ["a", "b", "c"]
        let sources = names.map {
            "  \($0): { file: { path: \($0).jsonl }, columns: { id: long, t: timestamp }, "
                + "watermark: { column: t, delay: 1m } }"
        }
        func join(_ name: String, _ type: String) -> String {
            "{ with: \(name), type: \(type), keys: { a.id: \(name).id }, "
                + "within: \(name).t between a.t and a.t + 1m }"
        }
        for name in names { try folder.write("\(name).jsonl", "{\"id\":1,\"t\":\"2024-01-01T00:00:00Z\"}\n") }
        for (type, line) in [
            ("left semi", "a behind b: 1 still wait for c"), ("left outer", "pairs of a and b: 1 still wait for c"),
        ] {
            try folder.write(
                "spec.yaml",
                "sluice: 1\nsources:\n\(sources.joined(separator: "\n"))\n"
                    + "queries:\n  q: { from: a, join: [\(join("b", type)), \(join("c", "right outer"))], "
                    + "select: { id: a.id }, trigger: available_now, to: out }\nsinks:\n  out: { stdout: {} }\n")
            let lines = try run(folder, ["--checkpoint", "at \(type)"]).standardError.split(separator: "\n")
            #expect(lines.last.map(String.init) == line)
        }
    }

    @Test func `A file that is no text is refused by name, by check and by run`() throws {
        let folder = try TemporaryFolder()
        try folder.write("spec.yaml", Self.spec())
        try folder.write("l/a.jsonl", "{\"id\":1}\n")
        try folder.write("l/b.jsonl", "[{\"id\":2},\n{\"id\":3}]\n")
        let check = try SluiceProcess.run(["check", "spec.yaml"], in: folder)
        #expect(check.exitCode == 1 && check.standardOutput.contains("l/b.jsonl is one JSON array"))
        let outcome = try run(folder)
        #expect(outcome.exitCode == 1 && outcome.standardError.contains("l/b.jsonl is one JSON array"))
    }

    @Test(arguments: [
        ("nowhere/*.jsonl", "no-files", "/nowhere/*.jsonl"), ("nowhere.jsonl", "no-files", "/nowhere.jsonl"),
        ("$HOME/x.jsonl", "not-expanded", "${env:HOME}"), ("~/x.jsonl", "not-expanded", "${env:HOME}"),
    ])
    func `A path that matches nothing is a warning of check and run, with the resolved path`(
        path: String, code: String, says: String
    ) throws {
        let folder = try TemporaryFolder()
        // A dollar in braces is a reference; `$$` is one that is none.
        try folder.write("spec.yaml", Self.spec(path: path))
        let check = try SluiceProcess.run(["check", "spec.yaml"], in: folder)
        #expect(check.exitCode == 0, "\(check.standardOutput)")
        #expect(check.standardOutput.contains("warning[\(code)]") && check.standardOutput.contains(says))
        let outcome = try run(folder)
        #expect(outcome.exitCode == 0 && outcome.standardError.contains("warning[\(code)]"))
    }

    @Test func `A followed file in trouble keeps nobody from reading the others, and the query fails after that`()
        throws
    {
        let folder = try TemporaryFolder()
        try folder.write("spec.yaml", Self.spec(path: "*.log\", follow: true, on_truncate: \"fail"))
        try folder.write("a.log", "{\"id\":1}\n")
        try folder.write("b.log", "{\"id\":2}\n")
        #expect(try run(folder).standardOutput.split(separator: "\n").count == 2)
        try folder.write("a.log", "")
        try folder.append("b.log", "{\"id\":3}\n")
        let outcome = try run(folder)
        #expect(outcome.standardOutput == "{\"id\":3}\n")
        #expect(outcome.exitCode == 1 && outcome.standardError.contains("a.log has only 0 bytes"))
    }

    @Test func `A line beyond the limit is one bad record, and the query goes on`() throws {
        let folder = try TemporaryFolder()
        try folder.write("spec.yaml", Self.spec())
        let long = "{\"id\":2,\"name\":\"" + String(repeating: "x", count: 65 << 20) + "\"}\n"
        try folder.write("l/0.jsonl", "{\"id\":1}\n" + long + "{\"id\":3}\n")
        let outcome = try run(folder)
        #expect(outcome.exitCode == 0 && outcome.standardOutput == "{\"id\":1}\n{\"id\":3}\n")
        #expect(try counts(folder)["numBadRows"] == 1)
        #expect(outcome.standardError.contains("l/0.jsonl:2 ") && outcome.standardError.contains("too long"))
    }
}
