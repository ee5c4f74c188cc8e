// The server's answers for a person at a terminal.

internal import SluicePlan
internal import SluiceSpec

package enum StatusText {
    /// A table of queries, out of `/api/queries` or of one query's object. nil when it is neither.
    package static func queries(_ json: [UInt8]) -> String? {
        guard let value = try? JSONValue(report: json[...]) else { return nil }
        let queries: [JSONValue]
        if let list = try? value.array("queries") { queries = list } else { queries = [value] }
        var rows = [["QUERY", "STATUS", "TRIGGER", "BATCH", "ROWS IN", "ROWS OUT", "STATE", "MS", "WATERMARK"]]
        // What does not fit in a column.
        var errors: [String] = []
        for query in queries {
            guard let row = row(query) else { return nil }
            rows.append(row)
            if let error = text(query["error"]) { errors.append("\(row[0]): \(error)") }
            if let backlog = backlog(query["backlog"]) { errors.append("\(row[0]): not read yet: \(backlog)") }
            if let what = text(query["waitingFor"]) { errors.append("\(row[0]): waits for \(what)") }
            errors += tables(query["lastProgress"]?["tables"]).map { "\(row[0]): \($0)" }
        }
        return (table(rows) + errors).joined(separator: "\n")
    }

    /// What a reload has done.
    package static func reload(_ json: [UInt8]) -> String? {
        guard let value = try? JSONValue(report: json[...]) else { return nil }
        var lines: [String] = []
        for part in ["started", "stopped", "changed", "unchanged"] {
            guard let names = try? value.array(part) else { return nil }
            if !names.isEmpty { lines.append("\(part): \(names.compactMap(text).joined(separator: ", "))") }
        }
        return lines.joined(separator: "\n")
    }

    /// Why a request was refused, with what a reload found wrong.
    package static func error(_ json: [UInt8]) -> String? {
        guard let value = try? JSONValue(report: json[...]), let message = text(value["error"]?["message"]) else {
            return nil
        }
        guard let diagnostics = try? value.array("diagnostics") else { return "error: \(message)" }
        return (diagnostics.map(diagnostic) + ["error: \(message)"]).joined(separator: "\n")
    }

    private static func diagnostic(_ value: JSONValue) -> String {
        func part(_ name: String) -> String { text(value[name]) ?? "" }
        let fix = text(value["fix"]).map { "\n    \($0)" } ?? ""
        return "\(part("file")):\(part("line")):\(part("column")): \(part("severity"))[\(part("code"))]: "
            + part("message") + fix
    }

    private static func row(_ query: JSONValue) -> [String]? {
        guard let name = text(query["name"]), let status = text(query["status"]), let trigger = text(query["trigger"])
        else { return nil }
        let spec = text(query["specTrigger"]) ?? trigger
        let progress = query["lastProgress"]
        var state: String?
        // Of all stages; a query without any has no state.
        if case .array(let stages)? = progress?["stateOperators"], !stages.isEmpty {
            state = "\(stages.compactMap { text($0["numRowsTotal"]).flatMap { Int($0) } }.reduce(0, +))"
        }
        return [
            name, status, trigger == spec ? trigger : "\(trigger) (spec: \(spec))", text(query["batchId"]) ?? "-",
            text(progress?["numInputRows"]) ?? "-", text(progress?["sink"]?["numOutputRows"]) ?? "-", state ?? "-",
            text(progress?["batchDuration"]) ?? "-", text(progress?["eventTime"]?["watermark"]) ?? "-",
        ]
    }

    /// Of what has something; nil where nothing has, or it is not known.
    private static func backlog(_ value: JSONValue?) -> String? {
        guard case .object(let sources)? = value else { return nil }
        let parts = sources.compactMap { source -> String? in
            guard case .object(let amounts) = source.value, let amount = amounts.first,
                case .integer(let count) = amount.value, count > 0
            else { return nil }
            return "\(counted(Int(count), "\(amount.name.dropLast())", amount.name)) of \(source.name)"
        }
        return parts.isEmpty ? nil : parts.joined(separator: ", ")
    }

    /// A line for each table that a query has joined.
    private static func tables(_ value: JSONValue?) -> [String] {
        guard case .array(let tables)? = value else { return [] }
        return tables.compactMap { table in
            guard let name = text(table["name"]), let rows = try? table.integer("numRows"),
                let bytes = try? table.integer("memoryUsedBytes"), let version = try? table.integer("version"),
                let age = try? table.integer("ageMs")
            else { return nil }
            return "table \(name): \(counted(Int(rows), "row", "rows")), \(counted(Int(bytes), "byte", "bytes")), "
                + "version \(version), \(spoken(age / 1000 * 1_000_000)) old"
        }
    }

    private static func text(_ value: JSONValue?) -> String? {
        switch value {
        case .string(let text): text
        case .integer(let number): "\(number)"
        case .double(let number): "\(number)"
        default: nil
        }
    }

    private static func table(_ rows: [[String]]) -> [String] {
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            let cells = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
            let line = cells.joined(separator: "  ")
            return String(line.reversed().drop { $0 == " " }.reversed())
        }
    }
}
