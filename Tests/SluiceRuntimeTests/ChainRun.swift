// A recorded run of real Spark over chains of joins, tables, deduplication and unions: a query, its input batch by
// batch, and what Spark did in each batch, operator by operator. Read from Spark/Chains, and put into Sluice's words.

import Foundation
import Testing

struct ChainRun: CustomTestStringConvertible, @unchecked Sendable {
    // @unchecked: JSON values that nobody changes.
    let name: String
    let claim: String
    private let json: [String: Any]

    var testDescription: String { "\(name) (\(claim))" }

    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Spark/Chains")

    static let all: [ChainRun] = {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.filter { $0.hasSuffix(".json") }.sorted().compactMap { name in
            guard let data = try? Data(contentsOf: folder.appending(path: name)),
                let json = try? JSONSerialization.jsonObject(with: data) as? [String: Any]
            else { return nil }
            return ChainRun(
                name: json["name"] as? String ?? "", claim: json["claim"] as? String ?? "", json: json)
        }
    }()

    static func named(_ name: String) throws -> ChainRun { try #require(all.first { $0.name == name }) }

    // MARK: What it is

    var inputs: [String: [String: Any]] { json["inputs"] as? [String: [String: Any]] ?? [:] }
    var tables: [String: [String: Any]] { json["tables"] as? [String: [String: Any]] ?? [:] }
    var steps: [[String: Any]] { json["steps"] as? [[String: Any]] ?? [] }
    /// What Spark refuses it for.
    var error: String? { json["error"] as? String }
    var isStepped: Bool { json["mode"] as? String == "stepped" && hasNoDataBatches }
    var hasNoDataBatches: Bool { json["noDataBatches"] as? Bool ?? true }

    /// The names of all file sources: inputs, or their parts.
    var leaves: [String] {
        inputs.flatMap { name, input in input["union"] as? [String] ?? [name] }.sorted()
    }

    struct Batch {
        /// By file source; one that is absent gets no file.
        var rows: [String: [String]]
        /// By table and then file; nil removes it.
        var tables: [String: [String: [String]?]]
        var restartsBefore: Bool
        /// New steps from here on.
        var changedSteps: [[String: Any]]?
    }

    var batches: [Batch] {
        (json["batches"] as? [[String: Any]] ?? []).map { batch in
            var tables: [String: [String: [String]?]] = [:]
            for (name, content) in batch["tables"] as? [String: Any] ?? [:] {
                if let rows = content as? [String] {
                    tables[name] = ["rows.json": rows]
                } else if let files = content as? [String: Any] {
                    tables[name] = files.mapValues { $0 as? [String] }
                }
            }
            return Batch(
                rows: batch.compactMapValues { $0 as? [String] }.filter { leaves.contains($0.key) }, tables: tables,
                restartsBefore: batch["restart"] as? Bool ?? false,
                changedSteps: (batch["change"] as? [String: Any])?["steps"] as? [[String: Any]])
        }
    }

    struct Operator {
        var name: String
        var evictAt: String
        var stateRows: Int
        var late: Int
        var duplicates: Int?
    }

    struct Expected {
        var batch: Int
        var isNoData: Bool
        var watermark: String?
        var stateRows: Int
        /// In Spark's order, from the top.
        var operators: [Operator]
        var rows: [String]
    }

    var expected: [Expected] {
        (json["expected"] as? [[String: Any]] ?? []).map { batch in
            Expected(
                batch: batch["batch"] as? Int ?? -1, isNoData: batch["noData"] as? Bool ?? false,
                watermark: batch["watermark"] as? String, stateRows: batch["stateRows"] as? Int ?? 0,
                operators: (batch["operators"] as? [[String: Any]] ?? []).map { entry in
                    Operator(
                        name: entry["op"] as? String ?? "", evictAt: entry["evictAt"] as? String ?? "",
                        stateRows: entry["stateRows"] as? Int ?? 0, late: entry["late"] as? Int ?? 0,
                        duplicates: entry["duplicates"] as? Int)
                },
                rows: batch["output"] as? [String] ?? [])
        }
    }

    // MARK: In Sluice's words

    /// The query over whole files, one of each source a batch; nil for what the language cannot say.
    /// - Parameter changed: steps in place of its own.
    func spec(_ changed: [[String: Any]]? = nil, badRows: String = "permissive") -> String? {
        let steps = changed ?? self.steps
        guard let joins = joins(steps) else { return nil }
        var lines = ["sluice: 1", "sources:"]
        for (name, input) in inputs.sorted(by: { $0.key < $1.key }) {
            guard let source = source(name, input, steps, badRows) else { return nil }
            lines += source
        }
        if !tables.isEmpty { lines.append("tables:") }
        for (name, table) in tables.sorted(by: { $0.key < $1.key }) {
            lines += [
                "  \(name):", "    file: { path: /tables/\(name) }", "    format: json", "    bad_rows: permissive",
            ]
            if table["cache"] as? Bool == true { lines.append("    reload: never") }
            lines += columns(table)
        }
        lines += ["queries:", "  q:", "    from: \(json["from"] as? String ?? "")"]
        if !joins.isEmpty { lines += ["    join:"] + joins }
        for filter in steps.compactMap({ $0["where"] as? String }) where steps.last?["with"] == nil {
            lines.append("    where: \(quoted(filter))")
        }
        let select = json["select"] as? [String: String] ?? [:]
        lines += ["    select:"] + select.map { "      \($0.key): \($0.value)" }.sorted()
        lines += [
            "    trigger: available_now", "    watermark_policy: \(json["watermarkPolicy"] as? String ?? "min")",
            "    checkpoint: /check", "    to: out", "sinks:", "  out:", "    file: { path: /out }", "    format: json",
        ]
        return lines.joined(separator: "\n") + "\n"
    }

    private func columns(_ source: [String: Any]) -> [String] {
        let columns = source["columns"] as? [String: String] ?? [:]
        return ["    columns:"] + columns.sorted { $0.key < $1.key }.map { "      \($0.key): \($0.value)" }
    }

    private func source(
        _ name: String, _ input: [String: Any], _ steps: [[String: Any]], _ badRows: String
    ) -> [String]? {
        var lines: [String] = []
        let marks = input["watermarks"] as? [String: [String: String]] ?? [:]
        func file(_ name: String) -> [String] {
            ["  \(name):", "    file: { path: /in/\(name), max_files_per_trigger: 1 }", "    format: json"]
                + ["    bad_rows: \(badRows)"] + columns(input)
        }
        func watermark(_ mark: [String: Any]?) -> [String] {
            if let mark, let column = mark["column"], let delay = mark["delay"] {
                return ["    watermark: { column: \(column), delay: \(delay) }"]
            }
            return (input["eventTime"] as? String).map { ["    event_time: \($0)"] } ?? []
        }
        if let parts = input["union"] as? [String] {
            if !marks.isEmpty, Set(marks.keys) != Set(parts) { return nil }
            for part in parts { lines += file(part) + (marks.isEmpty ? watermark(nil) : watermark(marks[part])) }
            lines += ["  \(name):", "    union: [\(parts.joined(separator: ", "))]"]
            if marks.isEmpty {
                lines += watermark(input["watermark"] as? [String: Any])
            } else {
                lines.append("    watermark: { per_source: true }")
            }
        } else {
            lines += file(name) + watermark(input["watermark"] as? [String: Any])
        }
        if let filter = input["where"] as? String { lines.append("    where: \(quoted(filter))") }
        // Of a query without joins the step is the source's.
        let step = steps.count == 1 ? steps[0]["dedup"] as? [String: Any] : nil
        if let dedup = input["dedup"] as? [String: Any] ?? step {
            let all = (input["columns"] as? [String: String] ?? [:]).keys.sorted()
            let keys = (dedup["keys"] as? [String])?.map { String($0.split(separator: ".")[1]) } ?? all
            let keep = dedup["kind"] as? String == "watermark" ? ", keep: forever" : ""
            lines.append("    deduplicate: { columns: [\(keys.joined(separator: ", "))]\(keep) }")
        }
        return lines
    }

    /// The entries of `join`; marks are not in the language, as each join names the time it means.
    private func joins(_ steps: [[String: Any]]) -> [String]? {
        var lines: [String] = []
        // A window that is kept under a name is that of its source.
        var windows: [String: String] = [:]
        for (index, step) in steps.enumerated() {
            if step["unmark"] != nil || step["mark"] != nil && step["with"] == nil { continue }
            if step["dedup"] != nil, steps.count == 1 { continue }
            if step["where"] != nil, step["with"] == nil, index == steps.count - 1 { continue }
            guard let with = step["with"] as? String, step["side"] == nil else { return nil }
            lines += ["      - with: \(with)", "        type: \(step["type"] as? String ?? "")"]
            if let keys = step["keys"] as? [String: String], !keys.isEmpty {
                let text = keys.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
                lines.append("        keys: { \(text.joined(separator: ", ")) }")
            }
            if step["nullSafe"] as? Bool == true { lines.append("        null_safe: true") }
            if let within = step["within"] as? String { lines.append("        within: \(quoted(within))") }
            if let size = step["window"] as? String {
                let of = step["windowOf"] as? [String] ?? []
                let left = windows[of.first ?? ""] ?? String((of.first ?? "").prefix { $0 != "." })
                if let kept = step["keepWindow"] as? String { windows[kept] = left }
                lines.append("        window: { size: \(size), of: \(left) }")
            }
            if let filter = step["where"] as? String { lines.append("        where: \(quoted(filter))") }
        }
        return lines
    }

    private func quoted(_ text: String) -> String { "\"" + text.replacing("\"", with: "\\\"") + "\"" }
}
