// Whether two queries say the same, wherever in their files they stand. Everything that a spec can say of a query, its
// sources and its sinks counts, secrets too; so a field that is added to the spec is compared without anybody thinking
// of it, which a list of fields here would not do.

internal import SluicePlan
internal import SluiceSpec

extension PlannedQuery {
    /// A text that is equal for two queries if and only if they say the same. The trigger is left out. Not for showing:
    /// it holds secrets.
    func content(_ spec: Spec) -> String {
        var query = self.spec
        // Neither of these says anything about what the query does.
        query.trigger.value = .asFastAsPossible
        query.file = ""
        let inputs = Set(result.physical?.inputs.map(\.source) ?? [])
        let sources = spec.sources.filter { inputs.contains($0.name.value) }
        let outputs = Set(result.physical?.output.sinks.map(\.name) ?? [])
        let sinks = spec.sinks.filter { outputs.contains($0.name.value) }
        var text = ""
        write(query, to: &text)
        write(sources, to: &text)
        write(sinks, to: &text)
        return text
    }
}

/// Writes a value of a spec as the tree of its fields, without places.
private func write(_ value: Any, to text: inout String) {
    switch value {
    case is SourcePosition: return
    case let secret as Secret: text += quotedJSON(secret.revealed)
    case let string as String: text += quotedJSON(string)
    default:
        let mirror = Mirror(reflecting: value)
        if mirror.children.isEmpty {
            text += "\(value)"
        } else if mirror.displayStyle == .dictionary || mirror.displayStyle == .set {
            // Their order is another one each time.
            let members = mirror.children.map { child in
                var member = ""
                write(child.value, to: &member)
                return member
            }
            text += "{\(members.sorted().joined(separator: ","))}"
        } else {
            writeFields(of: mirror, to: &text)
        }
    }
}

private func writeFields(of mirror: Mirror, to text: inout String) {
    let isLocated = mirror.children.contains { $0.value is SourcePosition }
    text += "("
    for child in mirror.children {
        // The width of a text in its file.
        if isLocated, child.label == "length" { continue }
        text += "\(child.label ?? ""):"
        write(child.value, to: &text)
        text += ","
    }
    text += ")"
}
