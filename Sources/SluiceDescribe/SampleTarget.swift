// What a person asks to have described: files, or a topic.

internal import SluiceSpec

/// Where a sample is from.
package enum SampleTarget: Hashable, Sendable {
    /// A file, a folder or a glob, as it was typed.
    case files(String)
    case topic(brokers: String, name: String)
}

/// Why an address is none.
package struct BadAddress: Error, Hashable, CustomStringConvertible {
    package var description: String
}

extension SampleTarget {
    private static let scheme = "kafka://"

    /// Reads `kafka://HOST:PORT/TOPIC`, with commas between several hosts; anything else is a path.
    package init(_ text: String) throws(BadAddress) {
        guard text.lowercased().hasPrefix(Self.scheme) else {
            self = .files(text)
            return
        }
        let form = "write kafka://HOST:PORT/TOPIC"
        let rest = text.dropFirst(Self.scheme.count)
        guard let slash = rest.firstIndex(of: "/"), rest.index(after: slash) < rest.endIndex else {
            throw BadAddress(description: "`\(text)` names no topic: \(form)")
        }
        let (brokers, topic) = (rest[..<slash], rest[rest.index(after: slash)...])
        let hosts = brokers.split(separator: ",", omittingEmptySubsequences: false)
        guard hosts.allSatisfy({ !$0.isEmpty && $0.first != ":" && !$0.contains(where: \.isWhitespace) }) else {
            throw BadAddress(description: "`\(text)` names no broker: \(form)")
        }
        if brokers.contains("@") {
            throw BadAddress(
                description: "an address holds no password: describe a broker's plain port, and put the login under "
                    + "`options` of the source")
        }
        guard isTopicName(String(topic)) else {
            throw BadAddress(description: "`\(topic)` cannot be the name of a topic: \(form)")
        }
        self = .topic(brokers: String(brokers), name: String(topic))
    }

    /// What the source is called: after the file, the folder or the topic, in letters, digits and `_`.
    package var sourceName: String {
        switch self {
        case .topic(_, let topic):
            let parts = topic.split(separator: ".").map(String.init)
            return plainName(parts.last { !Self.isVersion($0) } ?? topic) ?? "records"
        case .files(let path):
            // What a pattern stands for is called after the folder that it is in.
            let steps = path.split(separator: "/").map(String.init)
            for step in steps.reversed() where !step.contains(where: { "*?[{".contains($0) }) {
                let stem = step.hasPrefix(".") ? "" : String(step.prefix { $0 != "." })
                if let name = plainName(stem), name.contains(where: \.isLetter) {
                    return name.first?.isNumber == true ? "records_\(name)" : name
                }
            }
            return "records"
        }
    }

    private static func isVersion(_ part: String) -> Bool {
        part.first == "v" && part.count > 1 && part.dropFirst().allSatisfy(\.isNumber)
    }
}

/// A text with `_` in place of all that is no ASCII letter or digit; nil where nothing is left. At most 60 characters.
func plainName(_ text: String) -> String? {
    var name = ""
    for character in text {
        let isPlain = character.isASCII && (character.isLetter || character.isNumber)
        if isPlain { name.append(character) } else if name.last != "_" { name.append("_") }
    }
    while name.last == "_" { name.removeLast() }
    // One that stood first is kept: `_id` is a name.
    while name.hasPrefix("_"), !text.hasPrefix("_") { name.removeFirst() }
    return name.isEmpty ? nil : String(name.prefix(60))
}

extension SampleTarget {
    /// The connector as a spec writes it.
    var connector: (key: String, value: JSONValue) {
        switch self {
        case .files(let path): ("file", .object(["path": .string(escapingReferences(path))]))
        case .topic(let brokers, let name):
            // Without it a query begins at the end, and reads nothing of what was described.
            ("kafka", .object(["brokers": .string(brokers), "topic": .string(name), "start": .string("earliest")]))
        }
    }

    /// As a sentence names it.
    var shown: String {
        switch self {
        case .files(let path): path
        case .topic(_, let name): "the topic \(name)"
        }
    }
}
