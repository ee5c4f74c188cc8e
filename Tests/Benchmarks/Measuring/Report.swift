// The figures as a table for people and as JSON for programs.

import Glibc

struct Report {
    /// A scenario's figures.
    struct Section {
        var scenario: String
        var figures: [Figure]
        var seconds: Double
    }

    var sections: [Section] = []
    /// What the figures were measured with, as JSON members.
    var settings: [(name: String, value: String)] = []

    /// A scenario's figures, one a line, each with its note.
    static func lines(_ section: Section) -> String {
        let width = section.figures.map(\.name.count).max() ?? 0
        return section.figures.map { figure in
            let value = left(figure.unit.text(figure.value), 14)
            return "  \(right(figure.name, width))  \(value)  \(figure.note)".trimmedEnd
        }.joined(separator: "\n")
    }

    /// Every budget that was measured: must, goal, figure, ratio and verdict.
    var table: String {
        let header = ["budget", "must", "goal", "measured", "ratio", "met"]
        var rows = [header]
        for figure in sections.flatMap(\.figures) {
            guard let budget = figure.budget, let ratio = figure.ratio, let verdict = figure.verdict else { continue }
            let sign = budget.direction == .atLeast ? "≥" : "≤"
            rows.append([
                budget.name, "\(sign) \(budget.unit.text(budget.must))", "\(sign) \(budget.unit.text(budget.goal))",
                figure.unit.text(figure.value), decimal(ratio, digits: 2), verdict,
            ])
        }
        let widths = header.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        var lines = rows.map { row in
            row.indices.map { $0 == 0 || $0 == 5 ? Self.right(row[$0], widths[$0]) : Self.left(row[$0], widths[$0]) }
                .joined(separator: "  ").trimmedEnd
        }
        lines.insert(String(repeating: "-", count: widths.reduce(10, +)), at: 1)
        return lines.joined(separator: "\n")
    }

    private static func left(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }

    private static func right(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    var json: String {
        let figures = sections.flatMap { section in
            section.figures.map { json($0, scenario: section.scenario) }
        }
        let members = settings.map { "  \(quoted($0.name)): \($0.value)" }
        let last = "  \"figures\": [\n\(figures.joined(separator: ",\n"))\n  ]"
        return "{\n\((members + [last]).joined(separator: ",\n"))\n}\n"
    }

    private func json(_ figure: Figure, scenario: String) -> String {
        var members = [
            "\"scenario\": \(quoted(scenario))", "\"name\": \(quoted(figure.name))",
            "\"unit\": \(quoted(figure.unit.rawValue))", "\"measured\": \(figure.value)",
            "\"samples\": [\(figure.samples.prefix(100).map { "\($0)" }.joined(separator: ", "))]",
        ]
        if let budget = figure.budget, let ratio = figure.ratio, let verdict = figure.verdict {
            members += [
                "\"must\": \(budget.must)", "\"goal\": \(budget.goal)",
                "\"direction\": \(quoted(budget.direction == .atLeast ? "at least" : "at most"))",
                "\"ratio\": \(ratio)", "\"met\": \(quoted(verdict))",
            ]
        }
        if !figure.note.isEmpty { members.append("\"note\": \(quoted(figure.note))") }
        return "    { \(members.joined(separator: ", ")) }"
    }
}

/// A JSON string.
func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"", "\\": result += "\\\(scalar)"
        case "\n": result += "\\n"
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result + "\""
}

extension String {
    fileprivate var trimmedEnd: String {
        var text = self[...]
        while text.last == " " { text = text.dropLast() }
        return String(text)
    }
}
