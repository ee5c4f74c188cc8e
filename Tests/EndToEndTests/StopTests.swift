// SIGTERM and SIGINT end a run after the batch in hand, a second one ends it at once, and neither loses a row.

import Foundation
import Testing

@Suite struct StopTests {
    /// A query without a join: what comes in goes out.
    static func copySpec(sink: String = "file: { path: out }", trigger: String = "as_fast_as_possible") -> String {
        """
        sluice: 1
        sources:
          numbers:
            file: { path: numbers.jsonl, follow: true }
            format: json
            columns: { n: long, text: string }
        queries:
          copy: { from: numbers, trigger: \(trigger), to: out }
        sinks:
          out: { \(sink), format: json }
        """
    }

    private static func line(_ number: Int, _ text: String = "") -> String {
        "{\"n\":\(number),\"text\":\"\(text)\"}\n"
    }

    @Test(arguments: [SIGTERM, SIGINT], [false, true])
    func `A signal finishes the batch in hand, and the next start goes on behind it`(
        signal: Int32, blocksSignals: Bool
    ) throws {
        let folder = try TemporaryFolder()
        try folder.write("spec.yaml", Self.copySpec())
        try folder.write("numbers.jsonl", "")
        var written = 0
        for start in 0..<4 {
            let sluice = try SluiceProcess(["run", "spec.yaml"], in: folder, blocksSignals: blocksSignals)
            let before = folder.names(in: "out").count
            try sluice.waitUntil("no batches in start \(start)") {
                try? folder.append("numbers.jsonl", Self.line(written))
                written += 1
                return folder.names(in: "out").count >= before + 3
            }
            let outcome = sluice.stop(signal)
            #expect(outcome.exitCode == 0, "\(outcome.standardError)")
            #expect(!outcome.standardError.contains("interrupted runs again"))
            let offsets = folder.names(in: "checkpoints/copy/offsets")
            #expect(folder.names(in: "checkpoints/copy/commits") == offsets, "the batch in hand is committed")
        }
        let last = try SluiceProcess.run(["run", "spec.yaml", "--trigger", "available_now"], in: folder)
        #expect(last.exitCode == 0, "\(last.standardError)")
        let numbers = folder.rows(in: "out").compactMap { jsonObject($0)?["n"] as? Int }
        #expect(numbers == Array(0..<written))
    }

    /// Set in /proc's mask of the signals that a process catches.
    private static func catches(_ signal: Int32, _ processID: pid_t) -> Bool {
        let status = (try? String(contentsOfFile: "/proc/\(processID)/status", encoding: .utf8)) ?? ""
        let mask = status.split(separator: "\n").first { $0.hasPrefix("SigCgt:") }?.split(separator: "\t").last
        return (mask.flatMap { UInt64($0, radix: 16) } ?? 0) >> UInt64(signal - 1) & 1 == 1
    }

    @Test(arguments: [SIGTERM, SIGINT])
    func `A signal that comes while specs are still read ends the run well`(signal: Int32) throws {
        let folder = try TemporaryFolder()
        try folder.write("numbers.jsonl", Self.line(1))
        // Long enough to read that the signal comes before there is a query.
        let condition = (0..<20_000).map { "n <> -\($0)" }.joined(separator: " and ")
        try folder.write(
            "spec.yaml", Self.copySpec().replacing("from: numbers,", with: "from: numbers, where: \(condition),"))
        let sluice = try SluiceProcess(["run", "spec.yaml"], in: folder)
        try sluice.waitUntil("it does not listen to signals") { Self.catches(signal, sluice.processID) }
        let outcome = sluice.stop(signal)
        #expect(outcome.exitCode == 0, "\(outcome.standardError)")
        #expect(!folder.exists("checkpoints") && !outcome.standardError.contains("Query started"))
    }

    @Test func `A signal ends a query that waits for its trigger without waiting for it`() throws {
        let folder = try TemporaryFolder()
        try folder.write("spec.yaml", Self.copySpec(trigger: "1h"))
        try folder.write("numbers.jsonl", Self.line(1))
        let sluice = try SluiceProcess(["run", "spec.yaml"], in: folder)
        try sluice.waitUntil("no first batch") { folder.names(in: "out").contains("batch-0000000000.jsonl") }
        #expect(sluice.stop().exitCode == 0)
    }

    @Test func `A signal ends a run that waits for the end of standard input`() throws {
        let folder = try TemporaryFolder()
        try folder.write(
            "spec.yaml",
            Self.copySpec().replacing("file: { path: numbers.jsonl, follow: true }", with: "stdin: {}"))
        let sluice = try SluiceProcess(
            ["run", "spec.yaml", "--trigger", "available_now"], in: folder, input: .pipe)
        try sluice.waitUntil("the query has not started") { folder.exists("checkpoints/copy/metadata.json") }
        sluice.writeInput(Self.line(1))
        #expect(sluice.stop().exitCode == 0)
    }

    @Test(arguments: [SIGTERM, SIGINT])
    func `A second signal ends the process at once, and its batch runs again`(signal: Int32) throws {
        let folder = try TemporaryFolder()
        // Nobody reads the pipe, so a batch larger than a pipe holds stands in the middle of its sink's commit.
        let text = String(repeating: "x", count: 1000)
        try folder.write("spec.yaml", Self.copySpec(sink: "stdout: {}"))
        try folder.write("numbers.jsonl", (0..<500).map { Self.line($0, text) }.joined())
        let stuck = try SluiceProcess(["run", "spec.yaml"], in: folder, output: .pipe)
        try stuck.waitUntil("the batch has not begun") { folder.exists("checkpoints/copy/offsets/0") }
        stuck.send(signal)
        usleep(50_000)
        #expect(stuck.isRunning, "the batch in hand cannot finish, so the first signal waits for it")
        stuck.send(signal)
        let ended = stuck.wait()
        #expect(ended.exitCode == 130)
        #expect(ended.standardError.contains("stopped at once by a second signal"))
        #expect(!folder.exists("checkpoints/copy/commits/0"))

        let again = try SluiceProcess.run(["run", "spec.yaml", "--trigger", "available_now"], in: folder)
        #expect(again.exitCode == 0 && again.standardError.contains("interrupted runs again"))
        let numbers = again.standardOutput.split(separator: "\n").compactMap { jsonObject($0)?["n"] as? Int }
        #expect(numbers == Array(0..<500))
    }
}
