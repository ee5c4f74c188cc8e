// CSV as other programs write it, through the binary: headers in any order, text over several lines, and what is wrong
// with a file said before or while it is read.

import Foundation
import Testing

@Suite struct CSVTests {
    private static func spec(
        format: String = "{ csv: { header: true } }", path: String = "in",
        columns: String = "{ id: long, name: string, note: { type: string, from: remark } }",
        sink: String = "{ stdout: {}, format: json }"
    ) -> String {
        """
        sluice: 1
        sources:
          rows:
            file: { path: \(path) }
            format: \(format)
            columns: \(columns)
        queries:
          copy: { from: rows, to: out }
        sinks:
          out: \(sink)
        """
    }

    private func run(_ folder: TemporaryFolder, _ spec: String = "spec.yaml") throws -> RunOutcome {
        try SluiceProcess.run(
            ["run", spec, "--trigger", "available_now", "--checkpoint", "checkpoints/\(spec)"], in: folder)
    }

    @Test func `Each file has its columns in its own order, and others besides`() throws {
        let folder = try TemporaryFolder()
        try folder.write("spec.yaml", Self.spec())
        try folder.write("in/1.csv", "id,name,remark\n1,a,\"x\"\"y\"\n")
        try folder.write("in/2.csv", "\u{FEFF}\"remark\",size,\"id\",name\r\nb\\,9,2,c\r\n")
        let outcome = try run(folder)
        #expect(
            outcome.standardOutput
                == #"{"id":1,"name":"a","note":"x\"y"}"# + "\n" + #"{"id":2,"name":"c","note":"b\\"}"# + "\n",
            "\(outcome.standardError)")
    }

    @Test func `check and run refuse columns that the first file's header lacks, with what it has`() throws {
        let folder = try TemporaryFolder()
        try folder.write("spec.yaml", Self.spec())
        try folder.write("in/1.csv", "Id,nam,remark\n1,a,x\n")
        try folder.write("in/2.csv", "other\n")
        let check = try SluiceProcess.run(["check", "spec.yaml"], in: folder)
        #expect(check.exitCode == 1)
        let text = check.standardOutput
        #expect(text.contains("spec.yaml:6:16: error[file-header]: "), "\(text)")
        #expect(text.contains("in/1.csv has no column `id` in its header, which has `Id`, `nam`, `remark`"), "\(text)")
        #expect(text.contains("write `from: Id`") && text.contains("did you mean `nam`?") && text.contains("2 errors"))
        #expect(try run(folder).exitCode == 1)
    }

    @Test func `A later file that lacks a column ends the run, after the rows of the others`() throws {
        let folder = try TemporaryFolder()
        try folder.write("spec.yaml", Self.spec())
        try folder.write("in/1.csv", "id,name,remark\n1,a,x\n")
        try folder.write("in/2.csv", "id,name\n2,b\n")
        try folder.write("in/3.csv", "name,id,remark\nc,3,z\n")
        let outcome = try run(folder)
        #expect(outcome.exitCode == 1)
        #expect(outcome.standardOutput.split(separator: "\n").count == 2, "\(outcome.standardOutput)")
        #expect(
            outcome.standardError.contains("in/2.csv has no column `remark` in its header, which has `id`, `name`"),
            "\(outcome.standardError)")
    }

    @Test func `Text over several lines is one row where the spec says so, and bad lines are named where not`() throws {
        let folder = try TemporaryFolder()
        let text = "id,name,remark\n1,\"a\nb\",\"\"\n2,\"c\"\"\n\",\n3,\"never closed,x\n4,d,e\n"
        try folder.write("in/1.csv", text)
        try folder.write("spec.yaml", Self.spec(format: "{ csv: { header: true, multiline: true } }"))
        let outcome = try run(folder)
        #expect(
            outcome.standardOutput.split(separator: "\n")
                == [
                    #"{"id":1,"name":"a\nb","note":""}"#, #"{"id":2,"name":"c\"\n"}"#, #"{"id":3}"#,
                    #"{"id":4,"name":"d","note":"e"}"#,
                ], "\(outcome.standardError)")
        #expect(outcome.standardError.contains("1.csv:6") && outcome.standardError.contains("a quote is not closed"))
        try folder.write("lines.yaml", Self.spec())
        let lines = try run(folder, "lines.yaml")
        #expect(lines.standardError.contains("`multiline: true` reads on"), "\(lines.standardError)")
    }

    @Test func `What is written as CSV is read back, whatever the text`() throws {
        let folder = try TemporaryFolder()
        let names = ["a", " b ", "c,d", "e\"f", "\"", "", "g\\", "h\ni", "j\r\nk", "\t", "#l", "é😀", "NULL"]
        let encoder = JSONEncoder()
        let rows = try names.enumerated().map { number, name in
            "{\"id\":\(number),\"name\":" + String(decoding: try encoder.encode(name), as: UTF8.self) + "}\n"
        }
        try folder.write("in/1.jsonl", rows.joined() + "{\"id\":99}\n")
        let columns = "{ id: long, name: string }"
        try folder.write(
            "spec.yaml",
            Self.spec(
                format: "json", columns: columns, sink: "{ file: { path: out }, format: { csv: { header: true } } }"))
        #expect(try run(folder).exitCode == 0)
        try folder.write(
            "back.yaml", Self.spec(format: "{ csv: { header: true, multiline: true } }", path: "out", columns: columns))
        let back = try run(folder, "back.yaml")
        struct Row: Decodable {
            var id: Int
            var name: String?
        }
        let read = try back.standardOutput.split(separator: "\n")
            .map { try JSONDecoder().decode(Row.self, from: Data($0.utf8)) }
        #expect(
            read.map(\.name) == names + [nil] && read.map(\.id) == Array(names.indices) + [99], "\(back.standardError)")
    }
}
