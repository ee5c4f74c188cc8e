// A source as a spec has it: as values, which JSON and YAML are both written from.

internal import SluiceSpec

/// A source, ready to be written.
struct SourceDraft {
    var name: String
    var connector: (key: String, value: JSONValue)
    var format: JSONValue
    var columns: [JSONMember]
    /// What stands behind columns, by their names.
    var remarks: [String: String] = [:]
    var each: String?
    var watermark: JSONValue?
    /// What stands before the watermark, a sentence a line.
    var watermarkRemarks: [String] = []

    /// What stands below the source's name.
    var value: JSONValue {
        var members = [JSONMember(connector.key, connector.value), JSONMember("format", format)]
        if let each { members.append(JSONMember("each", .string(escapingReferences(each)))) }
        members.append(JSONMember("columns", .object(columns)))
        if let watermark { members.append(JSONMember("watermark", watermark)) }
        return .object(members)
    }

    /// The map `sources` with this source, in lines.
    var yaml: String {
        var lines = ["sources:", "  \(yamlScalar(name)):"]
        lines.append("    \(connector.key): \(connector.value.flowYAML)")
        lines.append("    format: \(format.flowYAML)")
        if let each { lines.append("    each: \(yamlScalar(escapingReferences(each)))") }
        lines.append("    columns:")
        let keys = columns.map { yamlScalar($0.name) + ":" }
        let width = keys.map(\.count).filter { $0 <= 24 }.max() ?? 0
        for (key, column) in zip(keys, columns) {
            let padding = String(repeating: " ", count: max(0, width - key.count))
            let remark = remarks[column.name].map { "   # \($0)" } ?? ""
            lines.append("      \(key)\(padding) \(column.value.flowYAML)\(remark)")
        }
        if watermark != nil || !watermarkRemarks.isEmpty { lines += watermarkRemarks.map { "    # \($0)" } }
        if let watermark { lines.append("    watermark: \(watermark.flowYAML)") }
        return lines.joined(separator: "\n") + "\n"
    }
}
