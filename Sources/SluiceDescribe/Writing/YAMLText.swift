// YAML as specs are written: small maps in one line, and quotes where a text would else mean something.

internal import SluiceSpec

extension JSONValue {
    /// On one line, to stand inside of a map in one line too.
    var flowYAML: String {
        switch self {
        case .object(let members) where members.isEmpty: "{}"
        case .object(let members):
            "{ " + members.map { "\(yamlScalar($0.name)): \($0.value.flowYAML)" }.joined(separator: ", ") + " }"
        case .array(let values): "[" + values.map(\.flowYAML).joined(separator: ", ") + "]"
        case .string(let text): yamlScalar(text)
        case .null, .bool, .integer, .double: String(decoding: self.text(), as: UTF8.self)
        }
    }
}

/// A text as a scalar of YAML: as it is where it can mean nothing else, in double quotes where it could.
func yamlScalar(_ text: String) -> String {
    if isCountOfUnits(text) { return text }
    let isPlain =
        text.unicodeScalars.allSatisfy { scalar in
            scalar.properties.isAlphabetic || ("0"..."9").contains(scalar) || "_-./ ".unicodeScalars.contains(scalar)
        } && (text.unicodeScalars.first.map { $0 == "_" || $0 == "/" || $0.properties.isAlphabetic } ?? false)
        && text.last != " " && !wordsOfYAML.contains(text.lowercased())
    return isPlain ? text : quoted(text)
}

/// True for a duration as people write it, `10 minutes`: no number to any reader.
private func isCountOfUnits(_ text: String) -> Bool {
    let words = text.split(separator: " ", omittingEmptySubsequences: false)
    return words.count == 2 && words.allSatisfy { !$0.isEmpty } && words[0].allSatisfy { ("0"..."9").contains($0) }
        && words[1].allSatisfy { ("a"..."z").contains($0) }
}

/// What a reader of YAML may take for something else than a text.
private let wordsOfYAML: Set<String> = ["null", "true", "false", "yes", "no", "on", "off", "y", "n", "inf", "nan"]

private func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"": result += "\\\""
        case "\\": result += "\\\\"
        case "\n": result += "\\n"
        case "\r": result += "\\r"
        case "\t": result += "\\t"
        case _ where isPrintable(scalar): result.unicodeScalars.append(scalar)
        default:
            let (letter, width) = scalar.value > 0xFFFF ? ("U", 8) : ("u", 4)
            result += "\\\(letter)" + zeroPadded(scalar.value, width, radix: 16)
        }
    }
    return result + "\""
}

/// True for what stands as it is in quotes, and is seen there.
private func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned, .surrogate: false
    default: !scalar.properties.isNoncharacterCodePoint
    }
}
