// The advice for a person at a terminal: a table whose bars are the curve, then the reasons.

internal import SluiceSpec

extension TriggerAdvice {
    /// A table and sentences; ends in a line break.
    package var text: String {
        var lines = ["\(query): trigger \(trigger.text)"]
        if !candidates.isEmpty { lines += [""] + table + [""] }
        for reason in reasons { lines += Self.wrapped(reason) }
        if let recommended, recommended != trigger {
            lines += ["", "To take it, in the spec: trigger: \(recommended.text)"]
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private var table: [String] {
        let header = [
            "", "trigger", "batch", "busy", "", "p50", "p99", "", "CPU", "batches/h", "checkpoint/h", "catch-up",
        ]
        let longest = candidates.map(\.latency.p99Micros).max() ?? 1
        var rows = [header] + candidates.map { row($0, longestMicros: longest) }
        let widths = header.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        // Bars and the mark stand left, numbers right.
        let isLeft: Set<Int> = [0, 4, 7]
        rows = rows.map { row in
            row.enumerated().map { column, cell in
                let padding = String(repeating: " ", count: widths[column] - cell.count)
                return isLeft.contains(column) ? cell + padding : padding + cell
            }
        }
        return rows.map { row in
            var line = row.joined(separator: "  ")
            while line.last == " " { line.removeLast() }
            return line
        } + ["", "> recommended   = today   ! not stable at twice today's rate"]
    }

    private func row(_ forecast: TriggerForecast, longestMicros: Double) -> [String] {
        let isToday = forecast.trigger == trigger
        let mark = (forecast.trigger == recommended ? ">" : "") + (isToday ? "=" : "") + (forecast.isStable ? "" : "!")
        return [
            mark, forecast.trigger.text, roundedDuration(micros: forecast.batchMicros),
            forecast.utilisation.map(roundedPercent) ?? "", Self.bar(forecast.utilisation ?? 0, cells: 8),
            roundedDuration(micros: forecast.latency.p50Micros), roundedDuration(micros: forecast.latency.p99Micros),
            Self.bar(Self.logarithmic(forecast.latency.p99Micros, of: longestMicros), cells: 16),
            roundedPercent(forecast.cpuShare), roundedNumber(forecast.batchesPerHour),
            roundedBytes(forecast.checkpointBytesPerHour),
            forecast.catchUpSeconds.map { roundedDuration(micros: $0 * 1e6) } ?? "never",
        ]
    }

    /// So many cells, filled by eighths; a share above 1 fills them all.
    private static func bar(_ share: Double, cells: Int) -> String {
        let eighths = Int((min(1, max(0, share)) * Double(cells * 8)).rounded())
        let partial = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8]
        let bar = String(repeating: "█", count: eighths / 8) + partial
        return bar + String(repeating: " ", count: cells - bar.count)
    }

    /// A millisecond is nothing, the longest is everything, and ten times as long is always as much more.
    private static func logarithmic(_ micros: Double, of longest: Double) -> Double {
        func magnitude(_ micros: Double) -> Double {
            // Base 2 by halving: no logarithm without a C library.
            var (value, result) = (max(1, micros / 1000), 0.0)
            while value >= 2 { (value, result) = (value / 2, result + 1) }
            return result + value - 1
        }
        return longest > 1000 ? magnitude(micros) / max(1, magnitude(longest)) : 0
    }

    /// A sentence as a list item, at most 100 columns wide.
    private static func wrapped(_ sentence: String) -> [String] {
        var lines = [""]
        for word in sentence.split(separator: " ") {
            let last = lines[lines.count - 1]
            if last.isEmpty {
                lines[lines.count - 1] = String(word)
            } else if last.count + word.count + 1 <= 98 {
                lines[lines.count - 1] = "\(last) \(word)"
            } else {
                lines.append(String(word))
            }
        }
        return lines.enumerated().map { ($0 == 0 ? "- " : "  ") + $1 }
    }
}
