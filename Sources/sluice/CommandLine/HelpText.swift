// Help, generated from the definitions, in swift-argument-parser's layout.

/// Help texts are at most this wide, in characters.
private let helpWidth = 80
/// Where descriptions begin, in characters from the left.
private let descriptionColumn = 26

func overviewHelp() -> String {
    var lines = [
        "OVERVIEW: Join event streams in micro-batches.", "", "USAGE: sluice <command>", "", "OPTIONS:",
        entry("--version", "Show the version."), entry("-h, --help", "Show help information."), "", "COMMANDS:",
    ]
    lines += CommandDefinition.all.map { entry($0.name, $0.abstract) }
    lines += ["", "  See 'sluice help <command>' for detailed help, 'sluice help spec' for the keys of a spec."]
    return lines.joined(separator: "\n")
}

func commandHelp(_ definition: CommandDefinition) -> String {
    var lines = ["OVERVIEW: \(definition.abstract)", ""]
    lines += wrapped("USAGE: " + usageLine(definition), indent: 7)
    if !definition.arguments.isEmpty {
        lines +=
            ["", "ARGUMENTS:"]
            + definition.arguments.map { argument in
                let choices = argument.choices.isEmpty ? "" : " (values: \(argument.choices.joined(separator: ", ")))"
                return entry("<\(argument.name)>", argument.help + choices)
            }
    }
    lines += ["", "OPTIONS:"]
    for option in definition.options {
        var help = option.help
        if !option.choices.isEmpty { help += " (values: \(option.choices.joined(separator: ", ")))" }
        lines.append(entry(option.usage, help))
    }
    lines += [entry("--version", "Show the version."), entry("-h, --help", "Show help information.")]
    return lines.joined(separator: "\n")
}

/// One line that shows everything a command takes.
func usageLine(_ definition: CommandDefinition) -> String {
    var parts = ["sluice \(definition.name)"]
    parts += definition.arguments.map(usage)
    for option in definition.options {
        let usage = option.isRequired ? option.usage : "[\(option.usage)]"
        parts.append(usage + (option.isRepeatable ? " ..." : ""))
    }
    return parts.joined(separator: " ")
}

func usage(of argument: ArgumentDefinition) -> String {
    let text = "<\(argument.name)>" + (argument.isRepeatable ? " ..." : "")
    return argument.isOptional ? "[\(text)]" : text
}

private func entry(_ label: String, _ description: String) -> String {
    let indented = "  " + label
    let lines = wrapped(String(repeating: " ", count: descriptionColumn) + description, indent: descriptionColumn)
    if indented.count + 1 > descriptionColumn { return ([indented] + lines).joined(separator: "\n") }
    let first = indented + lines[0].dropFirst(indented.count)
    return ([first] + lines.dropFirst()).joined(separator: "\n")
}

/// Breaks a line at spaces, `[--option <value>]` counting as one word; later lines are indented.
private func wrapped(_ text: String, indent: Int) -> [String] {
    let margin = String(text.prefix { $0 == " " })
    var lines: [String] = []
    var line = margin
    for word in words(text) {
        if line.count > indent, line.count + 1 + word.count > helpWidth {
            lines.append(line)
            line = String(repeating: " ", count: indent) + word
        } else {
            line += line.count == margin.count ? word : " " + word
        }
    }
    return lines + [line]
}

private func words(_ text: String) -> [String] {
    var words: [String] = []
    var isInside = false
    for part in text.split(separator: " ") {
        if isInside, let last = words.popLast() { words.append(last + " " + part) } else { words.append(String(part)) }
        if part.hasPrefix("[") { isInside = true }
        if part.hasSuffix("]") { isInside = false }
    }
    return words
}
