// From the words of the command line to a command. It behaves as swift-argument-parser does where that is defined:
// options may stand anywhere, `--` ends them, the last of a repeated option counts, help wins over mistakes behind it.

import SluiceSpec

/// What the command line asks for.
enum CommandLineOutcome: Hashable {
    case command(Command)
    /// Goes to standard output; the exit code is 0.
    case information(String)
    /// Goes to standard error; the exit code is 2.
    case wrongUsage(String)
}

/// The product's version.
let sluiceVersion = "0.1.0"

/// Reads the arguments, without the program's own name.
func parseCommandLine(_ arguments: [String]) -> CommandLineOutcome {
    guard let first = arguments.first else { return wrongUsage("There is no command.", nil, overviewHelp()) }
    let rest = arguments.dropFirst()
    switch first {
    case "-h", "--help": return .information(overviewHelp())
    case "--version": return .information(sluiceVersion)
    case "help":
        guard let name = rest.first else { return .information(overviewHelp()) }
        if name == "spec" { return specHelp(rest.dropFirst().first) }
        guard let definition = definition(of: name) else { return unknownCommand(name) }
        return .information(commandHelp(definition))
    default: break
    }
    guard let definition = definition(of: first) else {
        return first.hasPrefix("-") ? unknownOption(first, nil) : unknownCommand(first)
    }
    return parse(rest, definition)
}

private func definition(of name: String) -> CommandDefinition? {
    CommandDefinition.all.first { $0.name == name }
}

/// The reference of the spec format, whole or of one key.
private func specHelp(_ key: String?) -> CommandLineOutcome {
    guard let key else { return .information(SpecReference.text) }
    if let text = SpecReference.text(of: key) { return .information(text) }
    let meant = SpecReference.nearestKey(to: key)
    return wrongUsage(
        "There is no key '\(key)' in a spec.\(didYouMean(meant))", nil, "  See 'sluice help spec' for all of them.")
}

private func parse(_ arguments: ArraySlice<String>, _ definition: CommandDefinition) -> CommandLineOutcome {
    var parsed = ParsedArguments()
    var rest = arguments
    while let word = rest.popFirst() {
        if word == "-h" || word == "--help" { return .information(commandHelp(definition)) }
        if word == "--version" { return .information(sluiceVersion) }
        if word == "--" {
            parsed.arguments += rest
            break
        }
        // A dash alone is a name like any other.
        guard word.hasPrefix("-"), word != "-" else {
            parsed.arguments.append(word)
            continue
        }
        let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard let option = definition.options.first(where: { "--" + $0.name == parts[0] }) else {
            return unknownOption(parts[0], definition)
        }
        let value: String
        if option.valueName == nil {
            if parts.count > 1 { return wrongUsage("'--\(option.name)' takes no value.", definition) }
            value = ""
        } else if parts.count > 1 {
            value = parts[1]
        } else if let next = rest.first, !next.hasPrefix("-") || next == "-" {
            value = next
            rest.removeFirst()
        } else {
            return wrongUsage("Missing value for '\(option.usage)'.", definition)
        }
        if !option.choices.isEmpty, !option.choices.contains(value) {
            return wrongChoice(value, option.usage, option.choices, definition)
        }
        parsed.values[option.name, default: []].append(value)
    }
    return finish(parsed, definition)
}

private func finish(_ parsed: ParsedArguments, _ definition: CommandDefinition) -> CommandLineOutcome {
    let arguments = definition.arguments
    let allowed = arguments.last?.isRepeatable == true ? Int.max : arguments.count
    if parsed.arguments.count > allowed {
        return wrongUsage("Unexpected argument '\(parsed.arguments[allowed])'.", definition)
    }
    if let missing = arguments.dropFirst(parsed.arguments.count).first, !missing.isOptional {
        return wrongUsage("Missing expected argument '\(usage(of: missing))'.", definition)
    }
    for (argument, value) in zip(arguments, parsed.arguments)
    where !argument.choices.isEmpty && !argument.choices.contains(value) {
        return wrongChoice(value, usage(of: argument), argument.choices, definition)
    }
    if let option = definition.options.first(where: { $0.isRequired && parsed.values[$0.name] == nil }) {
        return wrongUsage("Missing expected option '\(option.usage)'.", definition)
    }
    return .command(definition.make(parsed))
}

// MARK: - Wrong usage

private func unknownCommand(_ name: String) -> CommandLineOutcome {
    let meant = nearest(to: name, in: CommandDefinition.all.map(\.name) + ["help"])
    return wrongUsage("Unknown command '\(name)'.\(didYouMean(meant))", nil)
}

private func unknownOption(_ word: String, _ definition: CommandDefinition?) -> CommandLineOutcome {
    let names = (definition?.options.map(\.name) ?? []) + ["help", "version"]
    let meant = nearest(to: String(word.drop { $0 == "-" }), in: names)
    return wrongUsage("Unknown option '\(word)'.\(didYouMean(meant.map { "--" + $0 }))", definition)
}

private func wrongChoice(
    _ value: String, _ usage: String, _ allowed: [String], _ definition: CommandDefinition
) -> CommandLineOutcome {
    let choices = allowed.map { "'\($0)'" }
    let first = choices.dropLast().joined(separator: ", ")
    let list = (first.isEmpty ? "" : first + " or ") + choices[choices.count - 1]
    return wrongUsage(
        "The value '\(value)' is invalid for '\(usage)'. Please provide \(list).",
        definition)
}

private func didYouMean(_ name: String?) -> String { name.map { " Did you mean '\($0)'?" } ?? "" }

private func wrongUsage(
    _ message: String, _ definition: CommandDefinition?, _ help: String? = nil
) -> CommandLineOutcome {
    if let help { return .wrongUsage("Error: \(message)\n\n\(help)") }
    let command = definition.map { "sluice \($0.name)" } ?? "sluice"
    let usage = definition.map { usageLine($0) } ?? "sluice <command>"
    return .wrongUsage("Error: \(message)\nUsage: \(usage)\n  See '\(command) --help' for more information.")
}
