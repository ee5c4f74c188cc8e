// Both plans are shown as trees of operators: this is the tree, and its printing as text, JSON and Graphviz dot.

internal import SluiceSpec

/// An operator as people see it.
struct OperatorNode {
    var name: String
    /// What it is about, in a few words; may be empty.
    var summary: String
    /// What else is to be said, in order.
    var details: [(name: String, value: String)] = []
    var children: [OperatorNode] = []

    /// The same tree without the secrets that its texts may quote.
    func hidingSecrets(_ mask: SecretMask) -> OperatorNode {
        OperatorNode(
            name: name, summary: mask.hide(summary), details: details.map { ($0.name, mask.hide($0.value)) },
            children: children.map { $0.hidingSecrets(mask) })
    }

    /// Lines of text, each without indentation for the whole tree; children hang below their operator.
    var lines: [String] {
        var lines = [summary.isEmpty ? name : "\(name) \(summary)"]
        let bar = children.isEmpty ? "    " : "│   "
        for detail in details { lines.append("\(bar)\(detail.name): \(detail.value)") }
        for (index, child) in children.enumerated() {
            let isLast = index == children.count - 1
            for (row, line) in child.lines.enumerated() {
                lines.append((row == 0 ? (isLast ? "└─ " : "├─ ") : (isLast ? "   " : "│  ")) + line)
            }
        }
        return lines
    }

    var json: JSONValue {
        var members = [JSONMember("operator", .string(name)), JSONMember("summary", .string(summary))]
        if !details.isEmpty {
            members.append(JSONMember("details", .object(details.map { JSONMember($0.name, .string($0.value)) })))
        }
        if !children.isEmpty { members.append(JSONMember("children", .array(children.map(\.json)))) }
        return .object(members)
    }

    /// Statements of a dot graph: this operator and all below it, named `prefix` and a number; rows flow upward.
    func dot(prefix: String) -> [String] {
        var count = 0
        return dot(prefix: prefix, parent: nil, &count)
    }

    private func dot(prefix: String, parent: String?, _ count: inout Int) -> [String] {
        let id = "\(prefix)\(count)"
        count += 1
        let text = [name] + (summary.isEmpty ? [] : [summary]) + details.map { "\($0.name): \($0.value)" }
        let label = text.map { Self.escaped($0) }.joined(separator: "\\l") + "\\l"
        var statements = ["\(id) [label=\"\(label)\"];"]
        if let parent { statements.append("\(id) -> \(parent);") }
        for child in children { statements += child.dot(prefix: prefix, parent: id, &count) }
        return statements
    }

    /// `text` inside a quoted dot label.
    static func escaped(_ text: String) -> String {
        text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }
}
