import SluiceSystem
import Testing

@testable import sluice

@Suite("The command line")
struct CommandLineTests {
    @Test("Options may stand anywhere, with a space or an equals sign, and the last one counts")
    func options() {
        let expected = RunOptions(
            specs: ["a.yaml", "b.yaml"], queries: ["q1", "q2"], trigger: "10 seconds", checkpoint: "dir",
            progress: "p.jsonl", progressMax: "1MiB", listen: "127.0.0.1:0", allowedHosts: ["a", "b"], logLevel: .debug,
            logFormat: .json)
        #expect(
            parseCommandLine([
                "run", "--query", "q1", "a.yaml", "--trigger=once", "--query=q2", "--trigger", "10 seconds", "b.yaml",
                "--checkpoint", "dir", "--progress=p.jsonl", "--progress-max", "1MiB", "--allow-host", "a",
                "--allow-host=b", "--listen", "127.0.0.1:0", "--log-level=debug",
                "--log-format", "json",
            ]) == .command(.run(expected)))
        #expect(parseCommandLine(["run", "a.yaml"]) == .command(.run(RunOptions(specs: ["a.yaml"]))))
    }

    @Test("Every command has its own payload")
    func commands() {
        #expect(parseCommandLine(["demo"]) == .command(.demo))
        #expect(
            parseCommandLine(["check", "a", "b", "--format", "json"])
                == .command(.check(CheckOptions(specs: ["a", "b"], format: .json))))
        #expect(
            parseCommandLine(["explain", "--format=dot", "a"])
                == .command(.explain(ExplainOptions(spec: "a", format: .dot))))
        #expect(
            parseCommandLine(["describe", "kafka://h:9092/t", "--format", "json"])
                == .command(.describe(DescribeOptions(target: "kafka://h:9092/t", format: .json))))
        #expect(parseCommandLine(["describe", "a"]) == .command(.describe(DescribeOptions(target: "a"))))
        #expect(
            parseCommandLine([
                "tune", "a", "--query", "q", "--latency=1s", "--intervals", "1s,2s", "--checkpoint", "c",
                "--format", "json",
            ])
                == .command(
                    .tune(
                        TuneOptions(
                            spec: "a", query: "q", latency: "1s", intervals: "1s,2s", checkpoint: "c", format: .json))))
    }

    @Test("Two dashes end the options, a dash alone is a name, and a value may hold an equals sign or be empty")
    func edges() {
        #expect(
            parseCommandLine(["check", "-", "--", "--format", "-h"])
                == .command(.check(CheckOptions(specs: ["-", "--format", "-h"]))))
        #expect(
            parseCommandLine(["run", "a", "--query=a=b", "--trigger="])
                == .command(.run(RunOptions(specs: ["a"], queries: ["a=b"], trigger: ""))))
    }

    @Test(
        "Wrong usage names the mistake, what was meant, and the usage",
        arguments: [
            (["run"], "Missing expected argument '<spec> ...'.", "sluice run"),
            (["run", "a", "--querry", "q"], "Unknown option '--querry'. Did you mean '--query'?", "sluice run"),
            (["run", "a", "--zzz=1"], "Unknown option '--zzz'.", "sluice run"),
            (["run", "a", "-x"], "Unknown option '-x'.", "sluice run"),
            (["run", "a", "--query"], "Missing value for '--query <name>'.", "sluice run"),
            (["run", "a", "--query", "--trigger", "1s"], "Missing value for '--query <name>'.", "sluice run"),
            (
                ["check", "a", "--format", "xml"],
                "The value 'xml' is invalid for '--format <format>'. Please provide 'text' or 'json'.", "sluice check"
            ),
            (["explain", "a", "b"], "Unexpected argument 'b'.", "sluice explain"),
            (["describe"], "Missing expected argument '<from>'.", "sluice describe"),
            (["tune", "a"], "Missing expected option '--query <name>'.", "sluice tune"),
            (["demo", "x"], "Unexpected argument 'x'.", "sluice demo"),
            (["rnu", "a"], "Unknown command 'rnu'. Did you mean 'run'?", "sluice"),
            (["frobnicate"], "Unknown command 'frobnicate'.", "sluice"),
            (["--verison"], "Unknown option '--verison'. Did you mean '--version'?", "sluice"),
        ] as [([String], String, String)])
    func wrongUsage(arguments: [String], message: String, command: String) {
        guard case .wrongUsage(let text) = parseCommandLine(arguments) else {
            Issue.record("\(arguments) were taken")
            return
        }
        let lines = text.split(separator: "\n")
        #expect(lines.count == 3)
        #expect(lines[0] == "Error: \(message)")
        #expect(lines[1].hasPrefix("Usage: \(command)"), "\(lines[1])")
        #expect(lines[2] == "  See '\(command) --help' for more information.")
    }

    @Test("Help and version win wherever they stand, and fit the screen")
    func help() {
        #expect(parseCommandLine(["--version"]) == .information(sluiceVersion))
        #expect(parseCommandLine(["run", "--version"]) == .information(sluiceVersion))
        for arguments in [["--help"], ["-h"], ["help"]] {
            #expect(parseCommandLine(arguments) == .information(overviewHelp()))
        }
        for definition in CommandDefinition.all {
            let text = commandHelp(definition)
            for arguments in [[definition.name, "--help"], [definition.name, "x", "-h"], ["help", definition.name]] {
                #expect(parseCommandLine(arguments) == .information(text))
            }
            for option in definition.options { #expect(text.contains(option.usage)) }
            #expect(text.split(separator: "\n").allSatisfy { $0.count <= 80 }, "\(text)")
        }
    }

    @Test("No command at all is wrong usage, and shows what there is")
    func nothing() {
        #expect(parseCommandLine([]) == .wrongUsage("Error: There is no command.\n\n" + overviewHelp()))
    }

    @Test("The help of a command, word for word")
    func checkHelp() {
        #expect(
            parseCommandLine(["check", "-h"])
                == .information(
                    """
                    OVERVIEW: Report every mistake of one or more specs.

                    USAGE: sluice check <spec> ... [--format <format>]

                    ARGUMENTS:
                      <spec>                  Spec files, or folders whose *.yaml files are taken.

                    OPTIONS:
                      --format <format>       How the report is written. (values: text, json)
                      --version               Show the version.
                      -h, --help              Show help information.
                    """))
    }
}
