// What a person can ask for, as values. What each command does stands elsewhere.

import SluiceSystem

/// A command with its options, as typed.
enum Command: Hashable {
    case run(RunOptions)
    case check(CheckOptions)
    case explain(ExplainOptions)
    case describe(DescribeOptions)
    case tune(TuneOptions)
    case checkpoint(CheckpointCommandOptions)
    case schema
    case demo
    case control(ControlOptions)
}

/// What is wrong with options beyond what their definitions say.
struct WrongUsage: Error {
    var message: String

    init(_ message: String) { self.message = message }
}

struct RunOptions: Hashable {
    /// Spec files, or folders of them; at least one.
    var specs: [String]
    /// The queries to run; empty for all.
    var queries: [String] = []
    /// In place of the specs' own, as a spec would write it.
    var trigger: String?
    /// The folder for every query's checkpoint folder.
    var checkpoint: String?
    /// Where one JSON object per batch is appended.
    var progress: String?
    /// How large that file may become, as a spec would write a size.
    var progressMax: String?
    /// `HOST:PORT` or `unix:PATH`.
    var listen: String?
    /// The file with what requests must carry.
    var tokenFile: String?
    /// Further names by which clients may call the listener.
    var allowedHosts: [String] = []
    /// What all queries together may use, as a spec would write a size.
    var maxMemory: String?
    /// Start although the mark of a query's last batch is gone from Kafka.
    var acceptsMissingMark = false
    var logLevel: LogLevel = .info
    var logFormat: LogFormat = .logfmt
}

struct CheckOptions: Hashable {
    enum Format: String, CaseIterable {
        case text
        case json
    }

    /// Spec files, or folders of them; at least one.
    var specs: [String]
    var format: Format = .text
}

struct CheckpointCommandOptions: Hashable {
    enum Action: String, CaseIterable {
        case replan
    }

    var action: Action
    /// A spec file, or a folder of them.
    var spec: String
    var query: String
    /// The folder for every query's checkpoint folder.
    var checkpoint: String?
}

struct ExplainOptions: Hashable {
    enum Format: String, CaseIterable {
        case text
        case json
        case dot
    }

    var spec: String
    var format: Format = .text
}

struct DescribeOptions: Hashable {
    enum Format: String, CaseIterable {
        case yaml
        case json
    }

    /// A file, a folder, a glob, or `kafka://HOST:PORT/TOPIC`.
    var target: String
    var format: Format = .yaml
    var registry: String?
    var subject: String?
    var registryUser: String?
    var registryPasswordFile: String?
    var registryCA: String?
    /// The file of a schema.
    var schema: String?
    var message: String?
}

struct TuneOptions: Hashable {
    enum Format: String, CaseIterable {
        case text
        case json
    }

    var spec: String
    /// The query to advise on.
    var query: String
    /// As a spec would write it.
    var latency: String?
    /// As spec durations, with commas between them.
    var intervals: String?
    /// The folder for every query's checkpoint folder.
    var checkpoint: String?
    var replays = false
    var format: Format = .text
}

/// What is asked of a running process.
enum ControlAction: Hashable {
    /// Of one query, or of all.
    case status(String?)
    case pause(String)
    case resume(String)
    case trigger(String, String)
    case reload
}

struct ControlOptions: Hashable {
    enum Format: String, CaseIterable {
        case text
        case json
    }

    var action: ControlAction
    /// `HOST:PORT` or `unix:PATH`.
    var address: String
    var tokenFile: String?
    var format: Format = .text
}
