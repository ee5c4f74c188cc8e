// `check` and the words around it: every mistake with its place, exit codes, several files as one spec, references and
// secrets, help and the demo.

import Foundation
import Testing

@Suite struct CheckTests {
    static let mistakes = """
        sluice: 1
        sources:
          visits:
            file: { path: visits.jsonl, folow: true }
            format: json
            columns: { id: strin, t: timestamp }
            watermark: { column: t, delay: 10 }
        queries:
          copy:
            from: visitors
            to: out
          other: { from: visits, to: shown }
        sinks:
          out: { file: { path: out }, format: json }
          shown: { stdout: {}, format: json }
        """

    /// Line, column, code, what the caret line underlines, the fix.
    static let places: [(line: Int, column: Int, code: String, marked: String, fix: String)] = [
        (4, 33, "unknown-key", "folow", "did you mean `follow`?"),
        (6, 20, "unknown-type", "strin", "did you mean `string`?"),
        (7, 36, "bad-duration", "10", "say the unit"),
        (10, 11, "unknown-source", "visitors", "did you mean `visits`?"),
    ]

    @Test func `check reports all mistakes at once, with place, line, caret and fix`() throws {
        let folder = try TemporaryFolder()
        try folder.write("spec.yaml", Self.mistakes)
        let outcome = try SluiceProcess.run(["check", "spec.yaml"], in: folder)
        #expect(outcome.exitCode == 1)
        #expect(outcome.standardError.isEmpty, "the report is the result")
        let lines = outcome.standardOutput.split(separator: "\n").map(String.init)
        for place in Self.places {
            let start = "spec.yaml:\(place.line):\(place.column): error[\(place.code)]: "
            let index = try #require(lines.firstIndex { $0.hasPrefix(start) }, "\(start) in \(lines)")
            let caret = lines[index + 2]
            let marked = zip(lines[index + 1], caret).filter { $0.1 == "^" }.map(\.0)
            #expect(String(marked) == place.marked)
            #expect(lines[index + 3].contains(place.fix))
        }
        #expect(lines.last == "4 errors")
    }

    @Test func `What is no regular file, or too large, is no spec and no secret, and is not waited for`() throws {
        let folder = try TemporaryFolder()
        #expect(mkfifo("\(folder.path)/pipe.yaml", 0o600) == 0)
        try folder.write("large.yaml", "")
        #expect(truncate("\(folder.path)/large.yaml", 5 << 30) == 0)
        try folder.write("good.yaml", StopTests.copySpec())
        for (name, code) in [("pipe.yaml", "not-a-file"), ("/dev/zero", "not-a-file"), ("large.yaml", "too-large")] {
            let outcome = try SluiceProcess.run(["check", "good.yaml", name], in: folder)
            #expect(outcome.exitCode == 1)
            #expect(outcome.standardOutput.hasPrefix("\(name):1:1: error[\(code)]: this is no spec"), "\(outcome)")
            try folder.write("secret.yaml", StopTests.copySpec().replacing("out }", with: "\"${file:\(name)}\" }"))
            let secret = try SluiceProcess.run(["check", "secret.yaml"], in: folder)
            #expect(secret.exitCode == 1)
            #expect(secret.standardOutput.contains("error[unreadable-secret]: the file `\(name)` cannot be read: it"))
            let token = ["run", "good.yaml", "--listen", "127.0.0.1:0", "--token-file", name]
            #expect(try SluiceProcess.run(token, in: folder).standardError.contains("cannot read \(name): it"))
        }
    }

    @Test func `No command at all is wrong usage`() throws {
        let outcome = try SluiceProcess.run([], in: try TemporaryFolder())
        #expect(outcome.exitCode == 2 && outcome.standardOutput.isEmpty)
        #expect(outcome.standardError.contains("There is no command") && outcome.standardError.contains("COMMANDS:"))
    }

    @Test func `check gives the same as JSON`() throws {
        let folder = try TemporaryFolder()
        try folder.write("spec.yaml", Self.mistakes)
        let outcome = try SluiceProcess.run(["check", "spec.yaml", "--format", "json"], in: folder)
        #expect(outcome.exitCode == 1)
        let parsed = try JSONSerialization.jsonObject(with: Data(outcome.standardOutput.utf8))
        let found = try #require(parsed as? [[String: Any]])
        #expect(found.map { $0["code"] as? String } == Self.places.map(\.code))
        #expect(found.map { $0["line"] as? Int } == Self.places.map(\.line))
        #expect(found.map { $0["column"] as? Int } == Self.places.map(\.column))
        #expect(found.allSatisfy { $0["file"] as? String == "spec.yaml" && $0["severity"] as? String == "error" })
    }

    @Test func `run refuses a spec with mistakes and runs nothing of it`() throws {
        let folder = try TemporaryFolder()
        try folder.write("bad.yaml", Self.mistakes)
        try folder.write("good.yaml", StopTests.copySpec().replacing("out", with: "fine"))
        try folder.write("numbers.jsonl", "{\"n\":1}\n")
        let outcome = try SluiceProcess.run(["run", "good.yaml", "bad.yaml", "--trigger", "once"], in: folder)
        #expect(outcome.exitCode == 1)
        #expect(outcome.standardOutput.isEmpty)
        #expect(outcome.standardError.contains("bad.yaml:4:33: error[unknown-key]"))
        #expect(!folder.exists("checkpoints") && !folder.exists("fine"))
    }

    @Test(arguments: [
        (["check", "spec.yaml", "--nope"], "--nope"), (["run", "spec.yaml", "--triger", "once"], "--trigger"),
        (["run", "spec.yaml", "--trigger", "soon"], "--trigger"), (["run"], "spec"), (["chekc"], "check"),
        (["explain", "spec.yaml", "--format", "xml"], "dot"),
    ])
    func `Wrong usage is said on standard error and exits with 2`(arguments: [String], says: String) throws {
        let folder = try TemporaryFolder()
        try folder.write("spec.yaml", StopTests.copySpec())
        let outcome = try SluiceProcess.run(arguments, in: folder)
        #expect(outcome.exitCode == 2, "\(outcome.standardError)")
        #expect(outcome.standardOutput.isEmpty && outcome.standardError.contains(says), "\(outcome.standardError)")
        #expect(folder.names(in: ".").allSatisfy { $0.hasPrefix("std") || $0 == "spec.yaml" })
    }

    @Test(arguments: ["check", "run", "explain"])
    func `A spec that is not there is an error with its name`(command: String) throws {
        let outcome = try SluiceProcess.run([command, "nowhere.yaml"], in: try TemporaryFolder())
        #expect(outcome.exitCode == 1)
        #expect(outcome.standardError.contains("nowhere.yaml"))
    }

    @Test(arguments: ["check", "run", "explain"])
    func `A folder without specs is an error, not a run of nothing`(command: String) throws {
        let folder = try TemporaryFolder()
        try folder.write("specs/notes.txt", "nothing to run")
        let outcome = try SluiceProcess.run([command, "specs"], in: folder)
        #expect(outcome.exitCode == 1 && outcome.standardOutput.isEmpty)
        #expect(outcome.standardError.contains("cannot find a *.yaml file in specs"), "\(outcome.standardError)")
    }

    @Test(arguments: [["parts"], ["parts/sources.yaml", "parts/queries.yaml", "parts/sinks.yaml"]])
    func `Several files, or a folder of them, are one spec`(paths: [String]) throws {
        let folder = try TemporaryFolder()
        try folder.write(
            "parts/sources.yaml",
            """
            sluice: 1
            sources:
              numbers: { file: { path: ../numbers.jsonl }, format: json, columns: { n: long } }
            """)
        try folder.write(
            "parts/queries.yaml", "sluice: 1\nqueries: { copy: { from: numbers, trigger: once, to: out } }\n")
        try folder.write("parts/sinks.yaml", "sluice: 1\nsinks: { out: { stdout: {}, format: json } }\n")
        try folder.write("numbers.jsonl", "{\"n\":7}\n")
        #expect(try SluiceProcess.run(["check"] + paths, in: folder).exitCode == 0)
        let outcome = try SluiceProcess.run(["run"] + paths, in: folder)
        #expect(outcome.exitCode == 0 && outcome.standardOutput == "{\"n\":7}\n", "\(outcome.standardError)")
        let part = try SluiceProcess.run(["check", "parts/queries.yaml"], in: folder)
        #expect(part.exitCode == 1 && part.standardOutput.contains("numbers"))
    }

    @Test func `A reference takes the variable's value, its default, or says what to set`() throws {
        let folder = try TemporaryFolder()
        func spec(_ reference: String) -> String {
            StopTests.copySpec(sink: "stdout: {}", trigger: "once").replacing("numbers.jsonl", with: reference)
        }
        try folder.write("input.jsonl", "{\"n\":1}\n")
        try folder.write("set.yaml", spec("\"${env:SLUICE_TEST_INPUT}\""))
        let set = try SluiceProcess.run(
            ["run", "set.yaml"], in: folder, environment: ["SLUICE_TEST_INPUT": "input.jsonl"])
        #expect(set.exitCode == 0 && set.standardOutput == "{\"n\":1}\n", "\(set.standardError)")
        let unset = try SluiceProcess.run(["check", "set.yaml"], in: folder)
        #expect(unset.exitCode == 1 && unset.standardOutput.contains("SLUICE_TEST_INPUT"))
        try folder.write("default.yaml", spec("\"${env:SLUICE_TEST_INPUT:-input.jsonl}\""))
        let other = try SluiceProcess.run(["run", "default.yaml", "--checkpoint", "other"], in: folder)
        #expect(other.exitCode == 0 && other.standardOutput == "{\"n\":1}\n", "\(other.standardError)")
        try folder.write("message.yaml", spec("\"${env:SLUICE_TEST_INPUT:?name the input}\""))
        let message = try SluiceProcess.run(["check", "message.yaml"], in: folder)
        #expect(message.exitCode == 1 && message.standardOutput.contains("name the input"))
    }

    @Test(arguments: [
        ["check"], ["check", "--format", "json"], ["explain"], ["explain", "--format", "json"], ["run"],
    ])
    func `A secret from a file is in no output of any command`(command: [String]) throws {
        let folder = try TemporaryFolder()
        let secret = "hunter2-very-secret"
        try folder.write("secret.txt", "\(secret)\n")
        try folder.write(secret, "{\"n\":1}\n")
        // Places where its value would be quoted: a path that is read, one that fails, a duration that is none, a file
        // that librdkafka cannot use.
        for (name, text) in [
            ("path", StopTests.copySpec(sink: "file: { path: \"numbers.jsonl/${file:secret.txt}\" }", trigger: "once")),
            (
                "source",
                StopTests.copySpec(trigger: "once").replacing(
                    "path: numbers.jsonl", with: "path: \"${file:secret.txt}\"")
            ),
            ("trigger", StopTests.copySpec(trigger: "\"${file:secret.txt}\"")),
            (
                "kafka",
                StopTests.copySpec(
                    sink: "kafka: { brokers: b, topic: t, options: { security.protocol: ssl, "
                        + "ssl.ca.location: \"${file:secret.txt}\" } }",
                    trigger: "once")
            ),
        ] {
            try folder.write("\(name).yaml", text)
            try folder.write("numbers.jsonl", "{\"n\":1}\n")
            let options = command == ["run"] ? ["--progress", "p", "--log-level", "debug"] : []
            let outcome = try SluiceProcess.run(command + ["\(name).yaml"] + options, in: folder)
            #expect(!outcome.standardOutput.contains(secret), "\(name): \(outcome.standardOutput)")
            #expect(!outcome.standardError.contains(secret), "\(name): \(outcome.standardError)")
            #expect(!(folder.read("p") ?? "").contains(secret), "\(name)")
        }
    }

    @Test func `What cannot run yet is refused by name, not ignored`() throws {
        let folder = try TemporaryFolder()
        let spec = SeedScenarioTests.spec.replacing("    to: ", with: "    late: { to: visits_enriched }\n    to: ")
        try folder.write("seed.yaml", spec)
        let check = try SluiceProcess.run(["check", "seed.yaml"], in: folder)
        #expect(check.exitCode == 1)
        #expect(check.standardOutput.split(separator: "\n").count { $0.contains("error[not-supported-yet]") } == 1)
        let run = try SluiceProcess.run(["run", "seed.yaml"], in: folder)
        #expect(run.exitCode == 1 && run.standardError.contains("error[not-supported-yet]"))
    }

    @Test func `The demo plays the seed scenario and leaves nothing behind`() throws {
        let folder = try TemporaryFolder()
        let outcome = try SluiceProcess.run(["demo"], in: folder, environment: ["TMPDIR": folder.path])
        #expect(outcome.exitCode == 0, "\(outcome.standardError)")
        #expect(outcome.standardOutput.hasSuffix("All five rows came out as expected.\n"))
        for row in SampleSpecTests.samples[0].rows { #expect(outcome.standardOutput.contains("-> \(row)\n")) }
        #expect(folder.names(in: ".").allSatisfy { $0.hasPrefix("std") })
    }

    @Test func `Help and version are results`() throws {
        let folder = try TemporaryFolder()
        let help = try SluiceProcess.run(["--help"], in: folder)
        #expect(help.exitCode == 0 && help.standardError.isEmpty)
        for command in ["run", "check", "explain", "demo"] {
            #expect(help.standardOutput.contains("  \(command) "))
            let its = try SluiceProcess.run([command, "--help"], in: folder)
            #expect(its.exitCode == 0 && its.standardOutput.contains("USAGE: sluice \(command)"))
        }
        let version = try SluiceProcess.run(["--version"], in: folder)
        #expect(version.exitCode == 0)
        #expect(version.standardOutput.wholeMatch(of: /\d+\.\d+\.\d+\n/) != nil)
    }
}
