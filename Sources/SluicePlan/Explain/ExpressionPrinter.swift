// Expressions and durations as explain shows them: as a spec would write them, with the symbols people use for units.

internal import SluiceSpec

/// A duration in words: `2 min`, `1 h 30 min`, `500 ms`, `0 s`, `-5 min`.
package func spoken(_ micros: Int64) -> String {
    let units: [(micros: UInt64, symbol: String)] = [
        (86_400_000_000, "d"), (3_600_000_000, "h"), (60_000_000, "min"), (1_000_000, "s"), (1000, "ms"), (1, "µs"),
    ]
    var rest = micros.magnitude
    var parts: [String] = []
    for unit in units where rest >= unit.micros {
        parts.append("\(rest / unit.micros) \(unit.symbol)")
        rest %= unit.micros
    }
    return parts.isEmpty ? "0 s" : (micros < 0 ? "-" : "") + parts.joined(separator: " ")
}
