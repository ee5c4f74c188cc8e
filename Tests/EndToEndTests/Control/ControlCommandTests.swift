// The commands that speak to a running process, over TCP and a Unix socket, and what `run` says when it cannot listen.

import Foundation
import Testing

@Suite struct ControlCommandTests {
    @Test func `A process may open as many files as the system allows`() throws {
        let folder = try TemporaryFolder()
        try folder.write("spec.yaml", StopTests.copySpec())
        try folder.write("numbers.jsonl", "")
        let served = try ServedProcess(["spec.yaml"], in: folder)
        let limits = try String(contentsOfFile: "/proc/\(served.process.processID)/limits", encoding: .utf8)
        let line = try #require(limits.split(separator: "\n").first { $0.hasPrefix("Max open files") })
        let numbers = line.split(separator: " ").compactMap { Int($0) }
        #expect(numbers.count == 2 && numbers[0] == numbers[1], "\(line)")
        let metrics = try #require(served.send("GET", "/metrics")).body
        #expect(metrics.contains("sluice_process_max_fds \(numbers[1])\n"))
        #expect(served.process.stop().exitCode == 0)
    }

    /// Queries that copy one followed file each way.
    static func spec(_ queries: [String: String]) -> String {
        var lines = [
            "sluice: 1", "sources:", "  numbers:", "    file: { path: numbers.jsonl, follow: true }",
            "    format: json", "    columns: { n: long, text: string }", "queries:",
        ]
        lines += queries.sorted { $0.key < $1.key }.map {
            "  \($0.key): { from: numbers, trigger: \($0.value), to: \($0.key)_out }"
        }
        lines += ["sinks:"]
        lines += queries.keys.sorted().map { "  \($0)_out: { file: { path: out/\($0) }, format: json }" }
        return lines.joined(separator: "\n") + "\n"
    }

    private func command(_ words: [String], to address: String, in folder: TemporaryFolder) throws -> RunOutcome {
        try SluiceProcess.run(words + ["--to", address], in: folder)
    }

    @Test func `Each command does what it says, in words and in JSON`() throws {
        let folder = try TemporaryFolder()
        try folder.write("spec.yaml", Self.spec(["copy": "1h", "other": "1s"]))
        try folder.write("numbers.jsonl", "{\"n\":1}\n")
        let served = try ServedProcess(["spec.yaml"], in: folder)
        try served.waitUntil("no batch") { served.query("copy")["batchId"] is Int }

        let status = try command(["status"], to: served.address, in: folder)
        #expect(status.exitCode == 0 && status.standardOutput.contains("\ncopy   waiting  1h"), "\(status)")
        let one = try command(["status", "copy", "--format", "json"], to: served.address, in: folder)
        #expect(jsonObject(one.standardOutput)?["plan"] is [String: Any])
        let paused = try command(["pause", "copy"], to: served.address, in: folder)
        #expect(paused.exitCode == 0 && paused.standardOutput.contains("paused"))
        #expect(try command(["resume", "copy"], to: served.address, in: folder).standardOutput.contains("waiting"))
        let trigger = try command(["trigger", "copy", "2 minutes"], to: served.address, in: folder)
        #expect(trigger.standardOutput.contains("2m (spec: 1h)"), "\(trigger)")
        try folder.write("spec.yaml", Self.spec(["copy": "1h", "third": "1s"]))
        let reload = try command(["reload"], to: served.address, in: folder)
        #expect(reload.standardOutput == "started: third\nstopped: other\nunchanged: copy\n", "\(reload)")
        #expect(served.query("copy")["trigger"] as? String == "1h")

        try folder.write("spec.yaml", Self.spec(["copy": "1"]))
        let refused = try command(["reload"], to: served.address, in: folder)
        #expect(refused.exitCode == 1 && refused.standardOutput.isEmpty)
        #expect(refused.standardError.contains("spec.yaml:8:35: error[bad-duration]"), "\(refused.standardError)")
        for (words, what) in [
            (["pause", "nobody"], "there is no query `nobody`"), (["trigger", "copy", "soon"], "is not a trigger"),
            (["trigger", "copy", "once"], "a running query takes a duration"),
        ] {
            let outcome = try command(words, to: served.address, in: folder)
            #expect(outcome.exitCode == 1 && outcome.standardError.contains(what), "\(outcome)")
        }
        #expect(served.process.stop().exitCode == 0)
        let gone = try command(["status"], to: served.address, in: folder)
        #expect(gone.exitCode == 1 && gone.standardError.contains("cannot connect"))
        for words in [["status", "--to", "nowhere"], ["status"], ["pause", "--to", "localhost:1"]] {
            #expect(try SluiceProcess.run(words, in: folder).exitCode == 2)
        }
    }

    @Test func `A Unix socket is its owner's, is taken over from a process that was killed, and goes at the end`()
        throws
    {
        let folder = try TemporaryFolder()
        try folder.write("spec.yaml", Self.spec(["copy": "1h"]))
        try folder.write("numbers.jsonl", "")
        func start() throws -> SluiceProcess {
            let process = try SluiceProcess(["run", "spec.yaml", "--listen", "unix:s.sock"], in: folder)
            try process.waitUntil("it does not listen") { process.standardError.contains("listening on unix:s.sock\n") }
            return process
        }
        try start().kill()
        #expect(folder.exists("s.sock"))
        let process = try start()
        var facts = stat()
        #expect(stat("\(folder.path)/s.sock", &facts) == 0 && facts.st_mode & 0o777 == 0o600)
        let status = try command(["status", "copy"], to: "unix:\(folder.path)/s.sock", in: folder)
        #expect(status.exitCode == 0 && status.standardOutput.contains("copy"), "\(status)")
        let second = try SluiceProcess.run(
            ["run", "spec.yaml", "--listen", "unix:s.sock", "--checkpoint", "other"], in: folder)
        #expect(second.exitCode == 1 && second.standardError.contains("another process does"))
        #expect(process.stop().exitCode == 0)
        #expect(!folder.exists("s.sock"))
    }

    @Test func `An address that others can reach needs a token, and then nothing goes without it`() throws {
        let folder = try TemporaryFolder()
        try folder.write("spec.yaml", Self.spec(["copy": "1h"]))
        try folder.write("numbers.jsonl", "")
        try folder.write("token", "correct-horse\n")
        let open = try SluiceProcess.run(["run", "spec.yaml", "--listen", "0.0.0.0:0"], in: folder)
        #expect(open.exitCode == 2 && open.standardError.contains("needs --token-file"))
        #expect(!folder.exists("checkpoints"))
        for (name, text) in [("empty", ""), ("two", "a b")] {
            try folder.write(name, text)
            let outcome = try SluiceProcess.run(
                ["run", "spec.yaml", "--listen", "127.0.0.1:0", "--token-file", name], in: folder)
            #expect(outcome.exitCode == 1 && outcome.standardError.contains("does not hold one token"))
        }
        let process = try SluiceProcess(
            ["run", "spec.yaml", "--listen", "0.0.0.0:0", "--token-file", "token"], in: folder)
        try process.waitUntil("it does not listen") { process.standardError.contains("listening on http://0.0.0.0:") }
        let port = try #require(process.standardError.firstMatch(of: /listening on http:\/\/0.0.0.0:(\d+)/)?.1)
        let address = "127.0.0.1:\(port)"
        let without = try command(["status"], to: address, in: folder)
        #expect(without.exitCode == 1 && without.standardError.contains("Authorization"))
        let with = try command(["status", "--token-file", "token"], to: address, in: folder)
        #expect(with.exitCode == 0, "\(with.standardError)")
        let outcome = process.stop()
        #expect(outcome.exitCode == 0 && !outcome.standardError.contains("correct-horse"))
    }

    @Test(arguments: ["nowhere", "127.0.0.1:x", "unix:"])
    func `What is no address is wrong usage`(address: String) throws {
        let folder = try TemporaryFolder()
        try folder.write("spec.yaml", Self.spec(["copy": "1h"]))
        #expect(try SluiceProcess.run(["run", "spec.yaml", "--listen", address], in: folder).exitCode == 2)
    }

    @Test func `A port that is taken is an error, and nothing has run`() throws {
        let folder = try TemporaryFolder()
        try folder.write("spec.yaml", Self.spec(["copy": "1h"]))
        try folder.write("numbers.jsonl", "")
        let served = try ServedProcess(["spec.yaml"], in: folder)
        let second = try SluiceProcess.run(
            ["run", "spec.yaml", "--listen", "127.0.0.1:\(served.port)", "--checkpoint", "other"], in: folder)
        #expect(second.exitCode == 1 && second.standardError.contains("cannot listen on"))
        #expect(!folder.exists("other"))
    }

    @Test func `A hang-up reads the specs again`() throws {
        let folder = try TemporaryFolder()
        try folder.write("spec.yaml", Self.spec(["copy": "1h"]))
        try folder.write("numbers.jsonl", "{\"n\":1}\n")
        let process = try SluiceProcess(["run", "spec.yaml"], in: folder)
        try process.waitUntil("no batch") { !folder.names(in: "out/copy").isEmpty }
        try folder.write("spec.yaml", Self.spec(["copy": "1h", "more": "1h"]))
        process.send(SIGHUP)
        try process.waitUntil("no batch of the new query") { !folder.names(in: "out/more").isEmpty }
        try folder.write("spec.yaml", "sluice: 2\n")
        process.send(SIGHUP)
        try process.waitUntil("no refusal") { process.standardError.contains("refused, nothing has changed") }
        #expect(process.stop().exitCode == 0)
    }

    @Test func `A run that ends by itself ends with its server`() throws {
        let folder = try TemporaryFolder()
        try folder.write("spec.yaml", Self.spec(["copy": "available_now"]))
        try folder.write("numbers.jsonl", "{\"n\":1}\n")
        let outcome = try SluiceProcess.run(["run", "spec.yaml", "--listen", "127.0.0.1:0"], in: folder)
        #expect(outcome.exitCode == 0 && outcome.standardError.contains("listening on http://127.0.0.1:"))
    }
}
