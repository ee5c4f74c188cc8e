// Standard error: with a JSON log every line of it is an object, whoever writes it; without, a run that has found
// nothing to do says so.

import Foundation
import Testing

@Suite struct StandardErrorTests {
    /// The lines as objects; a line that is none is an issue.
    private func objects(_ outcome: RunOutcome) -> [[String: Any]] {
        let lines = outcome.standardError.split(separator: "\n")
        #expect(!lines.isEmpty)
        return lines.compactMap { line in
            let object = jsonObject(line)
            #expect(object?["message"] is String && object?["level"] is String && object?["time"] is String, "\(line)")
            return object
        }
    }

    private func messages(_ outcome: RunOutcome) -> [String] {
        objects(outcome).compactMap { $0["message"] as? String }
    }

    private static let warned = StopTests.copySpec() + "\n  unused: { stdout: {} }\n"

    @Test(arguments: [
        (["--bogus"], 2, "Unknown option"), (["--trigger", "soon"], 2, "--trigger"), (["--query", "x"], 2, "--query"),
        (["--listen", "nowhere"], 2, "--listen"), (["--listen", "0.0.0.0:0"], 2, "--token-file"),
        (["--listen", "127.0.0.1:0", "--token-file", "none"], 1, "none"),
        (["--trigger", "once"], 0, "no query writes"),
    ])
    func `With a JSON log every line is an object, also of what ends the run`(
        options: [String], exitCode: Int32, word: String
    ) throws {
        let folder = try TemporaryFolder()
        try folder.write("spec.yaml", Self.warned)
        try folder.write("numbers.jsonl", "{\"n\":1}\n")
        let outcome = try SluiceProcess.run(["run", "spec.yaml", "--log-format", "json"] + options, in: folder)
        #expect(outcome.exitCode == exitCode)
        #expect(messages(outcome).contains { $0.contains(word) }, "\(outcome.standardError)")
    }

    @Test func `With a JSON log mistakes of a spec are objects with their places`() throws {
        let folder = try TemporaryFolder()
        try folder.write("spec.yaml", CheckTests.mistakes)
        let outcome = try SluiceProcess.run(["run", "--log-format=json", "spec.yaml"], in: folder)
        let found = objects(outcome)
        #expect(outcome.exitCode == 1)
        #expect(found.map { $0["sluice.error_code"] as? String } == CheckTests.places.map(\.code))
        #expect(found.map { $0["sluice.line"] as? Int } == CheckTests.places.map(\.line))
        let missing = try SluiceProcess.run(["run", "--log-format=json", "none.yaml"], in: folder)
        #expect(missing.exitCode == 1 && messages(missing).first?.contains("none.yaml") == true)
    }

    @Test func `With a JSON log the listener's line and a second signal's are objects`() throws {
        let folder = try TemporaryFolder()
        try folder.write("spec.yaml", StopTests.copySpec(sink: "stdout: {}"))
        try folder.write("numbers.jsonl", String(repeating: "{\"n\":1,\"text\":\"xxxxxxxxxx\"}\n", count: 20_000))
        let sluice = try SluiceProcess(
            ["run", "spec.yaml", "--listen", "127.0.0.1:0", "--log-format", "json"], in: folder, output: .pipe)
        try sluice.waitUntil("the batch has not begun") { folder.exists("checkpoints/copy/offsets/0") }
        sluice.send(SIGTERM)
        usleep(50_000)
        let words = messages(sluice.stop(SIGTERM))
        #expect(words.contains { $0.hasPrefix("listening on http://127.0.0.1:") })
        #expect(words.contains { $0.hasPrefix("stopped at once by a second signal") })
    }

    @Test func `A run that finds nothing new says which batch was the last, and where`() throws {
        let folder = try TemporaryFolder()
        try folder.write("spec.yaml", StopTests.copySpec())
        try folder.write("numbers.jsonl", "")
        let arguments = ["run", "spec.yaml", "--trigger", "available_now"]
        let empty = try SluiceProcess.run(arguments, in: folder)
        #expect(empty.standardError.contains("\nnothing to read yet: no batch has run, checkpoints/copy\n"))
        try folder.append("numbers.jsonl", "{\"n\":1}\n")
        #expect(!(try SluiceProcess.run(arguments, in: folder)).standardError.contains("nothing"))
        let last = "\nnothing new: batch 0 was the last, checkpoints/copy\n"
        #expect(try SluiceProcess.run(arguments, in: folder).standardError.contains(last))
        #expect(
            !(try SluiceProcess.run(arguments + ["--log-level", "warning"], in: folder)).standardError.contains(last))
    }
}
