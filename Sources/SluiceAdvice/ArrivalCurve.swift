// What arrived when, as far as batches tell: the rows of a batch came after the trigger of the batch before. In between
// they are taken to have come evenly.

/// Rows that have arrived, over time: straight lines between the batches' triggers. A value; pure.
package struct ArrivalCurve: Hashable, Sendable {
    /// Microseconds since the first batch, strictly ascending, and the rows that had arrived by then.
    private(set) var points: [(micros: Double, rows: Double)]

    package static func == (left: ArrivalCurve, right: ArrivalCurve) -> Bool {
        left.points.elementsEqual(right.points) { $0 == $1 }
    }

    package func hash(into hasher: inout Hasher) {
        for point in points {
            hasher.combine(point.micros)
            hasher.combine(point.rows)
        }
    }

    /// nil when the records span no time or have no rows behind the first batch, whose rows may have waited for ever.
    package init?(_ records: [BatchRecord]) {
        let records = records.sorted { $0.batch < $1.batch }
        guard let first = records.first else { return nil }
        points = [(0, 0)]
        var rows = 0.0
        for record in records.dropFirst() {
            rows += Double(record.inputRows)
            let micros = Double(record.timeMillis - first.timeMillis) * 1000
            // A clock that was set back, or two batches in one millisecond.
            if micros > points[points.count - 1].micros {
                points.append((micros, rows))
            } else {
                points[points.count - 1].rows = rows
            }
        }
        guard spanMicros > 0, rows > 0 else { return nil }
    }

    package var spanMicros: Double { points[points.count - 1].micros }
    package var rowCount: Double { points[points.count - 1].rows }
    package var rowsPerSecond: Double { rowCount / spanMicros * 1e6 }

    /// Rows that have arrived by then; behind its end the past comes again and again. O(log points).
    func rows(atMicros micros: Double) -> Double {
        let rounds = (micros / spanMicros).rounded(.down)
        return rounds * rowCount + rowsInPast(atMicros: micros - rounds * spanMicros)
    }

    /// When so many rows had arrived. O(log points).
    func micros(atRows rows: Double) -> Double {
        let rounds = (rows / rowCount).rounded(.down)
        return rounds * spanMicros + microsInPast(atRows: rows - rounds * rowCount)
    }

    private func rowsInPast(atMicros micros: Double) -> Double {
        let index = firstIndex { $0.micros >= micros }
        guard index < points.count else { return rowCount }
        guard index > 0 else { return points[0].rows }
        let (before, after) = (points[index - 1], points[index])
        let share = (micros - before.micros) / (after.micros - before.micros)
        return before.rows + share * (after.rows - before.rows)
    }

    private func microsInPast(atRows rows: Double) -> Double {
        let index = firstIndex { $0.rows >= rows }
        guard index < points.count else { return spanMicros }
        guard index > 0 else { return 0 }
        let (before, after) = (points[index - 1], points[index])
        guard after.rows > before.rows else { return before.micros }
        return before.micros + (rows - before.rows) / (after.rows - before.rows) * (after.micros - before.micros)
    }

    private func firstIndex(where isBehind: ((micros: Double, rows: Double)) -> Bool) -> Int {
        var (low, high) = (0, points.count)
        while low < high {
            let middle = (low + high) / 2
            if isBehind(points[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
