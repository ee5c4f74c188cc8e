// Several queries of several files in one process: one that fails is reported and stands alone, the others go on.

import Foundation
import Testing

@Suite struct FailureTests {
    /// What goes wrong with one query, and what the report has to say.
    struct Trouble: CustomTestStringConvertible {
        var name: String
        var source = "file: { path: bad.jsonl, follow: true }"
        var more = ""
        var sink = "file: { path: bad-out }"
        /// Done to the folder after a first, good run; nil when the first run itself is to fail.
        var damage: (@Sendable (TemporaryFolder) throws -> Void)?
        /// What the error names: the file, the place, the remedy.
        var says: [String]

        var testDescription: String { name }
    }

    static let troubles = [
        Trouble(
            name: "a followed file was truncated", damage: { try $0.write("bad.jsonl", "{\"n\":1}\n") },
            says: ["bad.jsonl", "put the content back"]),
        Trouble(
            name: "a followed file is gone", damage: { try $0.remove("bad.jsonl") },
            says: ["bad.jsonl", "put"]),
        Trouble(
            name: "a followed file was replaced by another as long",
            damage: { try $0.write("bad.jsonl", "{\"n\":1,\"text\":\"no line ends where one did\"}\n") },
            says: ["bad.jsonl", "put the old file back"]),
        Trouble(
            name: "bad_rows: fail", more: "bad_rows: fail", damage: { try $0.append("bad.jsonl", "nonsense\n") },
            says: ["bad.jsonl@16", "it is not JSON", "bad_rows"]),
        Trouble(
            name: "the sink's folder is a file", sink: "file: { path: spec-good.yaml }",
            says: ["spec-good.yaml", "a folder"]),
        Trouble(
            name: "the sink's folder has become a file",
            damage: {
                try $0.remove("bad-out")
                try $0.write("bad-out", "")
                try $0.append("bad.jsonl", "{\"n\":3}\n")
            }, says: ["bad-out", "a folder"]),
        Trouble(
            name: "the checkpoint is damaged", damage: { try $0.write("checkpoints/bad/metadata.json", "{}") },
            says: ["checkpoints/bad/metadata.json", "Put back a copy"]),
    ]

    static let goodSpec = """
        sluice: 1
        sources:
          good:
            file: { path: good.jsonl, follow: true }
            format: json
            columns: { n: long }
        queries:
          good: { from: good, trigger: 50ms, to: good }
          good_too: { from: good, trigger: as_fast_as_possible, to: good_too }
        sinks:
          good: { file: { path: good-out }, format: json }
          good_too: { file: { path: good-too-out }, format: json }
        """

    private func badSpec(_ trouble: Trouble, onFailure: String) -> String {
        """
        sluice: 1
        sources:
          bad:
            \(trouble.source)
            format: json
            columns: { n: long }
            \(trouble.more)
        queries:
          bad: { from: bad, trigger: 50ms, on_failure: \(onFailure), to: bad }
        sinks:
          bad: { \(trouble.sink), format: json }
        """
    }

    @Test(arguments: troubles, ["stop", "restart"])
    func `A query that fails is reported with file and remedy, and the others finish`(
        trouble: Trouble, onFailure: String
    ) throws {
        let folder = try TemporaryFolder()
        try folder.write("spec-good.yaml", Self.goodSpec)
        try folder.write("spec-bad.yaml", badSpec(trouble, onFailure: onFailure))
        try folder.write("good.jsonl", "{\"n\":1}\n")
        try folder.write("bad.jsonl", "{\"n\":1}\n{\"n\":2}\n")
        let arguments = ["run", "spec-good.yaml", "spec-bad.yaml", "--trigger", "available_now"]
        if let damage = trouble.damage {
            let before = try SluiceProcess.run(arguments, in: folder)
            #expect(before.exitCode == 0, "\(before.standardError)")
            try damage(folder)
            try folder.append("good.jsonl", "{\"n\":2}\n")
        }
        let outcome = try SluiceProcess.run(arguments, in: folder)
        #expect(outcome.exitCode == 1)
        let lines = outcome.standardError.split(separator: "\n")
        let line = try #require(lines.first { $0.contains("level=error") }, "\(outcome.standardError)")
        #expect(line.contains("sluice.query=bad "))
        for words in trouble.says { #expect(line.contains(words), "\(line)") }
        let expected = trouble.damage == nil ? ["{\"n\":1}"] : ["{\"n\":1}", "{\"n\":2}"]
        #expect(folder.rows(in: "good-out") == expected && folder.rows(in: "good-too-out") == expected)
    }

    @Test func `While one query has failed, the others of the process keep running until they are stopped`() throws {
        let folder = try TemporaryFolder()
        try folder.write("specs/good.yaml", Self.goodSpec.replacing("path: good", with: "path: ../good"))
        let trouble = Trouble(name: "", sink: "file: { path: ../good.jsonl }", says: [])
        try folder.write("specs/bad.yaml", badSpec(trouble, onFailure: "stop"))
        try folder.write("good.jsonl", "{\"n\":1}\n")
        let sluice = try SluiceProcess(["run", "specs"], in: folder)
        try sluice.waitUntil("no failure") { sluice.standardError.contains("Query failed") }
        for n in 2...4 {
            try folder.append("good.jsonl", "{\"n\":\(n)}\n")
            try sluice.waitUntil("row \(n)") {
                folder.rows(in: "good-out").count == n && folder.rows(in: "good-too-out").count == n
            }
        }
        #expect(sluice.stop().exitCode == 1, "a query has failed, which the exit code tells")
    }

    /// A full disk, or here: a name that cannot be made for a while.
    @Test func `A query that restarts tries again with growing pauses, and goes on when the trouble is over`() throws {
        let folder = try TemporaryFolder()
        try folder.write("spec.yaml", StopTests.copySpec())
        try folder.write("numbers.jsonl", "{\"n\":1}\n")
        // A folder stands where the batch's temporary file is to be written.
        let inTheWay = "out/.batch-0000000001.jsonl.tmp"
        let served = try ServedProcess(["spec.yaml"], in: folder)
        let sluice = served.process
        try sluice.waitUntil("no first batch") { folder.exists("out/batch-0000000000.jsonl") }
        #expect(served.query("copy")["restarts"] == nil)
        try folder.write("\(inTheWay)/x", "")
        try folder.append("numbers.jsonl", "{\"n\":2}\n")
        try sluice.waitUntil("no second try") {
            sluice.standardError.split(separator: "\n").count { $0.contains("starts again") } >= 2
        }
        let pauses = sluice.standardError.split(separator: "\n").filter { $0.contains("starts again") }
        #expect(pauses[0].contains("sluice.delay_ms=1000") && pauses[1].contains("sluice.delay_ms=2000"))
        #expect(pauses.allSatisfy { $0.contains("sluice.query=copy") && $0.contains(inTheWay) })
        try folder.remove(inTheWay)
        try sluice.waitUntil("the query has not gone on") { folder.exists("out/batch-0000000001.jsonl") }
        #expect(served.query("copy")["restarts"] as? Int ?? 0 >= 2)
        #expect(sluice.stop().exitCode == 0)
        #expect(folder.rows(in: "out") == ["{\"n\":1}", "{\"n\":2}"])
    }

    @Test func `A query that is told to stop on failure does not try again`() throws {
        let folder = try TemporaryFolder()
        let spec = StopTests.copySpec().replacing("to: out }", with: "on_failure: stop, to: out }")
        try folder.write("spec.yaml", spec)
        try folder.write("numbers.jsonl", "{\"n\":1}\n")
        try folder.write("out/.batch-0000000000.jsonl.tmp/x", "")
        let outcome = try SluiceProcess.run(["run", "spec.yaml"], in: folder)
        #expect(outcome.exitCode == 1)
        #expect(!outcome.standardError.contains("starts again"))
    }
}
