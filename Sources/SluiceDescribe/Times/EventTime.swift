// Which column is the event time, and how late rows come: from the times that the engine reads in the sample, in the
// order of the records.

/// A column that may be the event time.
package struct EventTimeCandidate: Hashable, Sendable {
    package var column: String
    /// How far a row is behind the newest before it, at most.
    package var disorderMicros: Int64
    /// Rows that are behind one before them.
    package var lateCount: Int
    package var newestMicros: Int64
    package var oldestMicros: Int64
    /// How likely it is that time; only to compare.
    var score: Double

    /// - Parameter times: of each row in its order, with the number of its part; all that there are.
    init?(_ draft: ColumnDraft, _ times: [(part: Int, micros: Int64)], nowMillis: Int64) {
        guard let first = times.first else { return nil }
        column = draft.name
        (newestMicros, oldestMicros) = (first.micros, first.micros)
        (disorderMicros, lateCount) = (0, 0)
        var newest: [Int: Int64] = [:]
        for (part, micros) in times {
            newestMicros = max(newestMicros, micros)
            oldestMicros = min(oldestMicros, micros)
            if let before = newest[part], micros < before {
                disorderMicros = max(disorderMicros, before - micros)
                lateCount += 1
            } else {
                newest[part] = micros
            }
        }
        score = Double(draft.timeName.eventRank) - 0.5 * Double(draft.depth - 1)
        score += isForward ? 4 : 0
        let (start, year): (Int64, Int64) = (315_532_800_000_000, 366 * 86_400_000_000)
        if oldestMicros >= start, newestMicros < nowMillis * 1000 + year { score += 3 }
    }

    /// Whether it moves forward through the sample, as the time of events does.
    var isForward: Bool { disorderMicros <= (newestMicros - oldestMicros) / 2 }
}

/// Durations that people write, in seconds.
private let plainSeconds: [Int64] = [
    10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800, 1_209_600,
    2_592_000,
]

/// The next plain duration that is not shorter, as a spec writes it; ten seconds at least.
func plainDuration(atLeastMicros micros: Int64) -> String {
    let seconds = micros / 1_000_000 + (micros % 1_000_000 > 0 ? 1 : 0)
    return spokenDuration(
        seconds: plainSeconds.first { $0 >= seconds } ?? (seconds + 86_399) / 86_400 * 86_400, isRounded: true)
}

/// In words, the two largest units; or one, which has to do.
func spokenDuration(seconds: Int64, isRounded: Bool = false) -> String {
    let units: [(name: String, seconds: Int64)] = [("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1)]
    var left = seconds
    var words: [String] = []
    for unit in units where left >= unit.seconds && words.count < 2 {
        let count = left / unit.seconds
        words.append("\(count) \(unit.name)\(count == 1 ? "" : "s")")
        left %= unit.seconds
    }
    return words.isEmpty ? "0 seconds" : words.joined(separator: " ")
}
