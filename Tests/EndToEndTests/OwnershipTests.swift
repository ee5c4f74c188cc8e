// A file sink's folder and a checkpoint belong to one query: whoever else comes is refused, and no row is replaced,
// lost or doubled by it.

import Foundation
import Testing

@Suite struct OwnershipTests {
    private func spec(query: String = "q", checkpoint: String = "check", trigger: String = "available_now") -> String {
        """
        sluice: 1
        sources:
          rows: { file: { path: in, max_files_per_trigger: 1 }, format: json, columns: { n: long } }
        queries:
          \(query): { from: rows, trigger: \(trigger), checkpoint: \(checkpoint), to: out }
        sinks:
          out: { file: { path: out }, format: json }
        """
    }

    /// Three batches of one row.
    private func folder() throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        for number in 0..<3 { try folder.write("in/\(number).jsonl", "{\"n\":\(number)}\n") }
        try folder.write("spec.yaml", spec())
        #expect(try SluiceProcess.run(["run", "spec.yaml"], in: folder).exitCode == 0)
        #expect(folder.rows(in: "out").count == 3)
        return folder
    }

    private func refusal(_ folder: TemporaryFolder, _ arguments: [String] = ["run", "spec.yaml"]) throws -> String {
        let rows = folder.rows(in: "out")
        let outcome = try SluiceProcess.run(arguments, in: folder)
        #expect(outcome.exitCode == 1 && folder.rows(in: "out") == rows)
        let lines = outcome.standardError.split(separator: "\n").filter { $0.contains("level=error") }
        #expect(lines.count == 1, "\(outcome.standardError)")
        return String(lines.first ?? "")
    }

    @Test func `Another query's folder is refused by its owner's name`() throws {
        let folder = try folder()
        try folder.write("spec.yaml", spec(query: "other", checkpoint: "other"))
        let error = try refusal(folder)
        #expect(error.contains("sink-folder-of-another-query") && error.contains("the query `q`"), "\(error)")
        #expect(error.contains("folder of its own"))
    }

    @Test func `A new checkpoint does not write over the output of an old one`() throws {
        let folder = try folder()
        try folder.remove("check")
        #expect(try refusal(folder).contains("sink-folder-of-another-query"))
        for name in folder.names(in: "out") { try folder.remove("out/\(name)") }
        #expect(try SluiceProcess.run(["run", "spec.yaml"], in: folder).exitCode == 0)
        #expect(folder.rows(in: "out").count == 3)
    }

    @Test func `An older copy of a checkpoint is refused, and the newer one goes on`() throws {
        let folder = try folder()
        try folder.copy("\(folder.path)/check", to: "older")
        try folder.write("in/3.jsonl", "{\"n\":3}\n")
        #expect(try SluiceProcess.run(["run", "spec.yaml"], in: folder).exitCode == 0)
        try folder.rename("check", to: "newer")
        try folder.rename("older", to: "check")
        #expect(try refusal(folder).contains("sink-folder-ahead"))
        try folder.remove("check")
        try folder.rename("newer", to: "check")
        try folder.write("in/4.jsonl", "{\"n\":4}\n")
        #expect(try SluiceProcess.run(["run", "spec.yaml"], in: folder).exitCode == 0)
        #expect(folder.rows(in: "out").sorted() == (0..<5).map { "{\"n\":\($0)}" })
    }

    @Test func `Two queries of one process cannot write to one folder`() throws {
        let folder = try TemporaryFolder()
        try folder.write("in/0.jsonl", "{\"n\":0}\n")
        let other = "  p: { from: rows, trigger: available_now, checkpoint: p, to: out }"
        let both = spec().replacing("sinks:", with: "\(other)\nsinks:")
        try folder.write("spec.yaml", both)
        let outcome = try SluiceProcess.run(["run", "spec.yaml"], in: folder)
        #expect(outcome.exitCode == 1 && folder.rows(in: "out").count <= 1)
    }

    @Test func `A second process is refused, whatever files are deleted in the checkpoint and the sink's folder`()
        throws
    {
        let folder = try TemporaryFolder()
        try folder.write("in/0.jsonl", "{\"n\":0}\n")
        try folder.write("spec.yaml", spec(trigger: "20ms"))
        let first = try SluiceProcess(["run", "spec.yaml"], in: folder)
        try first.waitUntil("no row") { folder.rows(in: "out").count == 1 }
        try folder.remove("check/lock")
        #expect(try refusal(folder).contains("in use"))
        try folder.copy("\(folder.path)/check", to: "copy")
        try folder.write("copy.yaml", spec(checkpoint: "copy", trigger: "20ms"))
        try folder.remove("out/.sluice-owner")
        #expect(try refusal(folder, ["run", "copy.yaml"]).contains("sink-folder-in-use"))
        #expect(first.stop().exitCode == 0)
    }

    @Test func `A state file of another query with the same columns is refused by its name`() throws {
        let folder = try TemporaryFolder()
        func join(_ name: String) -> String {
            """
            sluice: 1
            sources:
              l: { file: { path: l, max_files_per_trigger: 1 }, format: json, columns: { k: string, n: long } }
              r: { file: { path: r, max_files_per_trigger: 1 }, format: json, columns: { k: string, m: long } }
            queries:
              \(name):
                from: l
                join: [{ with: r, type: inner, keys: k }]
                select: { n: l.n, m: r.m }
                trigger: available_now
                checkpoint: \(name)
                to: \(name)_out
            sinks:
              \(name)_out: { file: { path: \(name)_out }, format: json }
            """
        }
        for number in 0..<3 {
            try folder.write("l/\(number).jsonl", "{\"k\":\"a\(number)\",\"n\":\(number)}\n")
            try folder.write("r/\(number).jsonl", "{\"k\":\"b\(number)\",\"m\":\(number)}\n")
        }
        for name in ["a", "b"] {
            try folder.write("\(name).yaml", join(name))
            #expect(try SluiceProcess.run(["run", "\(name).yaml"], in: folder).exitCode == 0)
        }
        for batch in 0..<3 {
            try folder.remove("a/state/\(batch).delta.gz")
            try folder.copy("\(folder.path)/b/state/\(batch).delta.gz", to: "a/state/\(batch).delta.gz")
            let outcome = try SluiceProcess.run(["run", "a.yaml"], in: folder)
            #expect(outcome.exitCode == 1)
            #expect(outcome.standardError.contains("a/state/0.delta.gz does not belong"), "\(outcome.standardError)")
        }
    }
}
