// Durations as explain and diagnostics say them, with the symbols of the units.

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

/// What is added to a time: ` + 2 min`, ` - 5 s`, or nothing for 0.
func spokenOffset(_ micros: Int64) -> String {
    if micros == 0 { return "" }
    return micros < 0 ? " - " + spoken(micros).dropFirst() : " + " + spoken(micros)
}

extension TimeBounds {
    /// The bounds around what they bound: `0 s <= ads.t - visits.t <= 2 min`, one part less per open end.
    func spoken(_ difference: String) -> String {
        let start = lower.map { SluicePlan.spoken($0) + " <= " } ?? ""
        let end = upper.map { " <= " + SluicePlan.spoken($0) } ?? ""
        return start + difference + end
    }
}
