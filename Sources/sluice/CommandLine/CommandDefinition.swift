// The commands as data: parsing, help and suggestions all come from this one list.

import SluiceSystem

/// An option that takes a value (`--name value` or `--name=value`), or is a flag (`--name`).
struct OptionDefinition: Sendable {
    /// Without its dashes.
    var name: String
    /// What stands for the value in usage and help; nil for a flag.
    var valueName: String?
    var help: String
    /// The values that are allowed; empty for any.
    var choices: [String] = []
    var isRepeatable = false
    /// True for one that has to be given.
    var isRequired = false

    /// As help and usage show it.
    var usage: String { "--\(name)" + (valueName.map { " <\($0)>" } ?? "") }
}

/// What a command takes besides options.
struct ArgumentDefinition: Sendable {
    var name: String
    var help: String
    /// True for one or more, false for exactly one.
    var isRepeatable = false
    var isOptional = false
    /// The words that are allowed; empty for any.
    var choices: [String] = []
}

struct CommandDefinition: Sendable {
    var name: String
    var abstract: String
    /// In order; only the last may be optional or repeatable.
    var arguments: [ArgumentDefinition] = []
    var options: [OptionDefinition] = []
    /// Puts the command together; everything required is there and every choice is one of the allowed ones.
    var make: @Sendable (ParsedArguments) -> Command
}

/// What was typed, checked against a definition.
struct ParsedArguments {
    var arguments: [String] = []
    /// By option name, in the order typed.
    var values: [String: [String]] = [:]

    /// The value that counts when an option was given more than once: the last, as everywhere.
    func last(_ name: String) -> String? { values[name]?.last }

    /// The value of an option with choices.
    func choice<Choice: RawRepresentable<String>>(_ name: String, default: Choice) -> Choice {
        last(name).flatMap(Choice.init(rawValue:)) ?? `default`
    }
}

private func choices<Choice: RawRepresentable<String> & CaseIterable>(_ type: Choice.Type) -> [String] {
    Choice.allCases.map(\.rawValue)
}

extension CommandDefinition {
    static let all = [
        run, check, explain, describe, tune, checkpoint, schema, demo, status, pause, resume, trigger, reload,
    ]

    private static let specs = ArgumentDefinition(
        name: "spec", help: "Spec files, or folders whose *.yaml files are taken.", isRepeatable: true)

    private static let run = CommandDefinition(
        name: "run", abstract: "Run the queries of one or more specs.", arguments: [specs],
        options: [
            OptionDefinition(
                name: "query", valueName: "name", help: "Run this query only; may be given several times.",
                isRepeatable: true),
            OptionDefinition(
                name: "trigger", valueName: "trigger",
                help: "Use this trigger for all queries: a duration, as_fast_as_possible, once or available_now."),
            OptionDefinition(
                name: "checkpoint", valueName: "folder",
                help: "Keep the checkpoints of all queries below this folder, each under its query's name."),
            OptionDefinition(
                name: "progress", valueName: "file", help: "Append one JSON object per batch to this file."),
            OptionDefinition(
                name: "progress-max", valueName: "size",
                help: "Let that file grow to this size (64MiB by default), then begin it anew and keep it as FILE.1."),
            OptionDefinition(
                name: "listen", valueName: "address",
                help: "Serve status and control at HOST:PORT or unix:PATH; port 0 picks a free one."),
            tokenFile(help: "Answer only requests that carry the token in this file."),
            OptionDefinition(
                name: "max-memory", valueName: "size",
                help: "Stop the query that would make the process use more; by default nine tenths of what there is."),
            OptionDefinition(
                name: "accept-missing-mark",
                help:
                    "Start although Kafka has lost the mark of a query's last batch: no later batch is in its topics."
            ),
            OptionDefinition(
                name: "allow-host", valueName: "name",
                help:
                    "Also answer requests for this host, as a proxy passes them on; may be given several times.",
                isRepeatable: true),
            OptionDefinition(
                name: "log-level", valueName: "level", help: "Log events from this level on.",
                choices: choices(LogLevel.self)),
            OptionDefinition(
                name: "log-format", valueName: "format", help: "How a line of the log is written.",
                choices: choices(LogFormat.self)),
        ],
        make: { parsed in
            .run(
                RunOptions(
                    specs: parsed.arguments, queries: parsed.values["query"] ?? [], trigger: parsed.last("trigger"),
                    checkpoint: parsed.last("checkpoint"), progress: parsed.last("progress"),
                    progressMax: parsed.last("progress-max"), listen: parsed.last("listen"),
                    tokenFile: parsed.last("token-file"), allowedHosts: parsed.values["allow-host"] ?? [],
                    maxMemory: parsed.last("max-memory"),
                    acceptsMissingMark: parsed.values["accept-missing-mark"] != nil,
                    logLevel: parsed.choice("log-level", default: .info),
                    logFormat: parsed.choice("log-format", default: .logfmt)))
        })

    private static let checkpoint = CommandDefinition(
        name: "checkpoint",
        abstract: "Change the checkpoint of a query that does not run.",
        arguments: [
            ArgumentDefinition(
                name: "action", help: "replan: forget a planned batch that cannot run.",
                choices: choices(CheckpointCommandOptions.Action.self)),
            ArgumentDefinition(name: "spec", help: "The spec file, or a folder of them."),
        ],
        options: [
            OptionDefinition(
                name: "query", valueName: "name", help: "The query whose checkpoint it is.", isRequired: true),
            OptionDefinition(
                name: "checkpoint", valueName: "folder",
                help: "The query's checkpoint is below this folder, under the query's name."),
        ],
        make: { parsed in
            guard let action = CheckpointCommandOptions.Action(rawValue: parsed.arguments[0]) else {
                preconditionFailure("an argument is one of its choices")
            }
            return .checkpoint(
                CheckpointCommandOptions(
                    action: action, spec: parsed.arguments[1], query: parsed.last("query") ?? "",
                    checkpoint: parsed.last("checkpoint")))
        })

    private static let check = CommandDefinition(
        name: "check", abstract: "Report every mistake of one or more specs.", arguments: [specs],
        options: [
            OptionDefinition(
                name: "format", valueName: "format", help: "How the report is written.",
                choices: choices(CheckOptions.Format.self))
        ],
        make: { parsed in
            .check(CheckOptions(specs: parsed.arguments, format: parsed.choice("format", default: .text)))
        })

    private static let explain = CommandDefinition(
        name: "explain", abstract: "Show how the queries of a spec will run and what their state holds.",
        arguments: [
            ArgumentDefinition(name: "spec", help: "A spec file, or a folder whose *.yaml files are taken.")
        ],
        options: [
            OptionDefinition(
                name: "format", valueName: "format", help: "How the plans are written.",
                choices: choices(ExplainOptions.Format.self))
        ],
        make: { parsed in
            .explain(
                ExplainOptions(spec: parsed.arguments[0], format: parsed.choice("format", default: .text)))
        })

    private static let describe = CommandDefinition(
        name: "describe", abstract: "Read a sample of a file or a topic, and write a source for it.",
        arguments: [
            ArgumentDefinition(
                name: "from", help: "A file, a folder or a pattern in quotes, or kafka://HOST:PORT/TOPIC.")
        ],
        options: [
            OptionDefinition(
                name: "format", valueName: "format", help: "How the source is written; json has the facts beside it.",
                choices: choices(DescribeOptions.Format.self)),
            OptionDefinition(
                name: "registry", valueName: "url", help: "The schema registry that a topic's values name schemas of."),
            OptionDefinition(
                name: "subject", valueName: "name", help: "Its subject; by default that of the topic, `TOPIC-value`."),
            OptionDefinition(name: "registry-user", valueName: "name", help: "The login to the registry."),
            OptionDefinition(
                name: "registry-password-file", valueName: "file", help: "The file with the password of that login."),
            OptionDefinition(
                name: "registry-ca", valueName: "file", help: "Certificates to trust in place of the system's."),
            OptionDefinition(
                name: "schema", valueName: "file",
                help: "In place of a registry: a schema of Avro, a .proto, or a set of descriptors of Protobuf."),
            OptionDefinition(
                name: "message", valueName: "name", help: "Of a schema of Protobuf: the message that records are."),
        ],
        make: { parsed in
            .describe(
                DescribeOptions(
                    target: parsed.arguments[0], format: parsed.choice("format", default: .yaml),
                    registry: parsed.last("registry"), subject: parsed.last("subject"),
                    registryUser: parsed.last("registry-user"),
                    registryPasswordFile: parsed.last("registry-password-file"),
                    registryCA: parsed.last("registry-ca"), schema: parsed.last("schema"),
                    message: parsed.last("message")))
        })

    private static let tune = CommandDefinition(
        name: "tune", abstract: "Say what other trigger intervals would bring a query.",
        arguments: [
            ArgumentDefinition(name: "spec", help: "A spec file, or a folder whose *.yaml files are taken.")
        ],
        options: [
            OptionDefinition(
                name: "query", valueName: "name", help: "The query to advise on.", isRequired: true),
            OptionDefinition(
                name: "latency", valueName: "duration",
                help: "Recommend the cheapest interval that brings 99 of 100 rows out within this time."),
            OptionDefinition(
                name: "intervals", valueName: "durations", help: "Look at these intervals too, as in 250ms,3s."),
            OptionDefinition(
                name: "replay",
                help: "Measure: run what the last batches read again at each interval, beside the query."),
            OptionDefinition(
                name: "checkpoint", valueName: "folder",
                help: "The query's checkpoint is below this folder, under the query's name."),
            OptionDefinition(
                name: "format", valueName: "format", help: "How the advice is written.",
                choices: choices(TuneOptions.Format.self)),
        ],
        make: { parsed in
            .tune(
                TuneOptions(
                    spec: parsed.arguments[0], query: parsed.last("query") ?? "", latency: parsed.last("latency"),
                    intervals: parsed.last("intervals"), checkpoint: parsed.last("checkpoint"),
                    replays: parsed.last("replay") != nil, format: parsed.choice("format", default: .text)))
        })

    private static let schema = CommandDefinition(
        name: "schema", abstract: "Print the JSON Schema of spec files, for editors.", make: { _ in .schema })

    private static let demo = CommandDefinition(
        name: "demo", abstract: "Play a join of visits and ads step by step; needs nothing.", make: { _ in .demo })

    // MARK: Commands that speak to a running process

    private static let query = ArgumentDefinition(name: "query", help: "The query's name.")

    private static func tokenFile(help: String) -> OptionDefinition {
        OptionDefinition(name: "token-file", valueName: "file", help: help)
    }

    private static let controlOptions = [
        OptionDefinition(
            name: "to", valueName: "address", help: "Where the process listens: HOST:PORT or unix:PATH.",
            isRequired: true),
        tokenFile(help: "The file with the token that the process asks for."),
        OptionDefinition(
            name: "format", valueName: "format", help: "How the answer is written.",
            choices: choices(ControlOptions.Format.self)),
    ]

    private static func control(
        _ name: String, _ abstract: String, _ arguments: [ArgumentDefinition],
        _ action: @escaping @Sendable ([String]) -> ControlAction
    ) -> CommandDefinition {
        CommandDefinition(name: name, abstract: abstract, arguments: arguments, options: controlOptions) { parsed in
            .control(
                ControlOptions(
                    action: action(parsed.arguments), address: parsed.last("to") ?? "",
                    tokenFile: parsed.last("token-file"), format: parsed.choice("format", default: .text)))
        }
    }

    private static let status = control(
        "status", "Show what the queries of a running process do.",
        [ArgumentDefinition(name: "query", help: "Only this query.", isOptional: true)]
    ) { .status($0.first) }

    private static let pause = control("pause", "Pause a query after the batch in hand.", [query]) { .pause($0[0]) }

    private static let resume = control("resume", "Let a paused query go on.", [query]) { .resume($0[0]) }

    private static let trigger = control(
        "trigger", "Change a query's trigger until the next reload or start.",
        [query, ArgumentDefinition(name: "trigger", help: "A duration such as 2s, or as_fast_as_possible.")]
    ) { .trigger($0[0], $0[1]) }

    private static let reload = control(
        "reload", "Read the specs again: start, stop and change queries, all or nothing.", []
    ) { _ in .reload }
}
