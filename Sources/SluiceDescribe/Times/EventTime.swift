// Which column is the event time, and how late rows come: from the times that the engine reads in the sample, in the
// order of the records.

internal import SluiceSpec

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
        let start = EpochUnit.plausibleSeconds.lowerBound * 1_000_000
        let year: Int64 = 366 * 86_400_000_000
        if oldestMicros >= start, newestMicros < nowMillis * 1000 + year { score += 3 }
    }

    /// Whether it moves forward through the sample, as the time of events does.
    var isForward: Bool { disorderMicros <= (newestMicros - oldestMicros) / 2 }
}

/// Durations that people write.
private let plainDurations: [(micros: Int64, text: String)] = [
    (10, "10 seconds"), (30, "30 seconds"), (60, "1 minute"), (120, "2 minutes"), (300, "5 minutes"),
    (600, "10 minutes"), (900, "15 minutes"), (1800, "30 minutes"), (3600, "1 hour"), (7200, "2 hours"),
    (10_800, "3 hours"), (21_600, "6 hours"), (43_200, "12 hours"), (86_400, "1 day"),
].map { ($0.0 * 1_000_000, $0.1) }

/// The next of them that is not shorter, or so many days.
func plainDuration(atLeastMicros micros: Int64) -> String {
    let day: Int64 = 86_400_000_000
    return plainDurations.first { $0.micros >= micros }?.text ?? "\(micros / day + (micros % day > 0 ? 1 : 0)) days"
}
