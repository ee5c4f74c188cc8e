// A query that needs more memory than it may have stops alone, before its batch is committed, and says what to do; what
// it says works.

import Foundation
import Testing

@Suite struct MemoryTests {
    private static let rowCount = 20_000

    private func spec(maxBytes: String, files: Int = 100) -> String {
        """
        sluice: 1
        sources:
          l: { file: { path: l, max_files_per_trigger: \(files) }, format: json, columns: { k: string, n: long } }
          r: { file: { path: r, max_files_per_trigger: \(files) }, format: json, columns: { k: string, m: long } }
        queries:
          large:
            from: l
            join: [{ with: r, type: inner, keys: k }]
            select: { n: l.n, m: r.m }
            state: { max_bytes: \(maxBytes) }
            trigger: available_now
            to: large_out
          small: { from: l, where: l.n < 3, select: { n: l.n }, trigger: available_now, to: small_out }
        sinks:
          large_out: { file: { path: large_out }, format: json }
          small_out: { file: { path: small_out }, format: json }
        """
    }

    private func folder(maxBytes: String) throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        for file in 0..<2 {
            let numbers = (file * Self.rowCount / 2)..<((file + 1) * Self.rowCount / 2)
            try folder.write("l/\(file).jsonl", numbers.map { "{\"k\":\"key-\($0)\",\"n\":\($0)}\n" }.joined())
            try folder.write("r/\(file).jsonl", numbers.map { "{\"k\":\"key-\($0)\",\"m\":\($0)}\n" }.joined())
        }
        try folder.write("spec.yaml", spec(maxBytes: maxBytes))
        return folder
    }

    @Test func `State beyond its limit stops its query, alone, and goes on when it may have more`() throws {
        let folder = try folder(maxBytes: "1MiB")
        for _ in 0..<2 {
            let outcome = try SluiceProcess.run(["run", "spec.yaml"], in: folder)
            #expect(outcome.exitCode == 1 && folder.rows(in: "large_out").isEmpty)
            #expect(folder.rows(in: "small_out").count == 3, "the other query is not touched")
            let error = outcome.standardError
            #expect(error.contains("state-too-large") && error.contains("40000 rows in state"), "\(error)")
            #expect(error.contains("`state.max_bytes`") && error.contains("checkpoint replan"))
        }
        try folder.write("spec.yaml", spec(maxBytes: "1GiB"))
        #expect(try SluiceProcess.run(["run", "spec.yaml"], in: folder).exitCode == 0)
        #expect(folder.rows(in: "large_out").count == Self.rowCount)
    }

    @Test func `A planned batch that cannot run is planned anew, unless it can be seen`() throws {
        let folder = try folder(maxBytes: "1MiB")
        let replan = ["checkpoint", "replan", "spec.yaml", "--query", "large"]
        let nothing = try SluiceProcess.run(replan, in: folder)
        #expect(nothing.exitCode == 1 && nothing.standardError.contains("no batch that is planned"))
        #expect(try SluiceProcess.run(["run", "spec.yaml"], in: folder).exitCode == 1)
        try folder.write("spec.yaml", spec(maxBytes: "1GiB", files: 1))
        let forgotten = try SluiceProcess.run(replan, in: folder)
        #expect(forgotten.exitCode == 0 && forgotten.standardOutput.contains("batch 0 of large is forgotten"))
        #expect(try SluiceProcess.run(["run", "spec.yaml"], in: folder).exitCode == 0)
        #expect(folder.names(in: "large_out") == ["batch-0000000000.jsonl", "batch-0000000001.jsonl"])
        #expect(folder.rows(in: "large_out").count == Self.rowCount)
        // As a crash between the sink and the commit leaves it.
        try folder.remove("checkpoints/large/commits/1")
        let visible = try SluiceProcess.run(replan, in: folder)
        #expect(visible.exitCode == 1 && visible.standardError.contains("batch 1 can be seen in the sink `large_out`"))
        #expect(try SluiceProcess.run(["run", "spec.yaml"], in: folder).exitCode == 0)
        #expect(folder.rows(in: "large_out").count == Self.rowCount)
    }

    @Test func `A process that uses more than it may stops the query that wants more`() throws {
        let folder = try folder(maxBytes: "1GiB")
        let outcome = try SluiceProcess.run(
            ["run", "spec.yaml", "--query", "large", "--max-memory", "1MiB"], in: folder)
        #expect(outcome.exitCode == 1 && outcome.standardError.contains("out-of-memory"))
        #expect(outcome.standardError.contains("of 1.0 MiB that it may (`run --max-memory`)"))
        #expect(try SluiceProcess.run(["run", "spec.yaml"], in: folder).exitCode == 0)
        #expect(folder.rows(in: "large_out").count == Self.rowCount)
    }

    @Test func `A size that is none is wrong usage`() throws {
        let folder = try folder(maxBytes: "1GiB")
        let outcome = try SluiceProcess.run(["run", "spec.yaml", "--max-memory", "lots"], in: folder)
        #expect(outcome.exitCode == 2 && outcome.standardError.contains("--max-memory"))
    }
}
