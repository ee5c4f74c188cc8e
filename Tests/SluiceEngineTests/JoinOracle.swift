// The answers, the slow and obvious way: for every batch, a nested loop over all rows there have ever been. It shares
// no code with the engine; a pair meets exactly when both rows are present in one batch by Spark's rules.

import SluicePlan
import SluiceSpec

struct JoinOracle {
    struct Kept {
        var row: WorkloadRow
        var hasMatched = false
    }

    let workload: JoinWorkload
    /// Rows per side that are in state.
    var kept: [[Kept]] = [[], []]
    var sideWatermarks: [Int64?] = [nil, nil]
    /// Milliseconds since the workload's zero; the product's 0 is long before.
    var watermark = -JoinWorkload.epochMicros / 1000
    /// The eviction watermark of each batch so far.
    var evictions: [Int64] = []

    init(_ workload: JoinWorkload) { self.workload = workload }

    /// Output rows ("l r", "-" for none) and rows left in state.
    mutating func run(_ sides: [[WorkloadRow]], late: Int64, evict: Int64) -> (output: [String], state: Int) {
        var output: [String] = []
        var arrivals: [[WorkloadRow]] = [[], []]
        for side in 0..<2 {
            for row in sides[side] {
                if workload.filtersBelow, fails(row, workload.filterLimits[side]) { continue }
                if let time = row.time {
                    let millis = Int64((Double(time) / 1000).rounded(.down)) - workload.delayMillis[side]
                    sideWatermarks[side] = max(sideWatermarks[side] ?? millis, millis)
                }
                if !workload.filtersBelow, fails(row, workload.filterLimits[side]) { continue }
                if row.time != nil, let time = workload.joinTime(row), time <= late * 1000 { continue }
                arrivals[side].append(row)
            }
        }
        evictions.append(evict)
        let needsTime = if case .none = workload.condition { false } else { true }
        for side in 0..<2 {
            for row in arrivals[side] {
                if fails(row, workload.sideLimits[side]) || (needsTime && row.time == nil) {
                    if workload.isPreserved(side) { output.append(pair(side, row, nil)) }
                    continue
                }
                // The planner filters these below the watermark; here they are just not stored.
                if row.key == nil, !workload.isNullSafe, !workload.isPreserved(side) { continue }
                var new = Kept(row: row)
                for index in kept[1 - side].indices {
                    let (l, r) = side == 0 ? (row, kept[1][index].row) : (kept[0][index].row, row)
                    guard matches(l, r) else { continue }
                    new.hasMatched = true
                    switch workload.type {
                    case .leftAnti: break
                    case .leftSemi:
                        if side == 1 && !kept[0][index].hasMatched { output.append(pair(0, l, nil)) }
                    default: output.append(pair(0, l, r))
                    }
                    kept[1 - side][index].hasMatched = true
                }
                let isExistence = side == 0 && (workload.type == .leftSemi || workload.type == .leftAnti)
                if isExistence && new.hasMatched {
                    if workload.type == .leftSemi { output.append(pair(0, row, nil)) }
                    continue
                }
                kept[side].append(new)
            }
        }
        for side in 0..<2 {
            let leaving = kept[side].filter { isEvicted(side, $0, evict) }
            kept[side] = kept[side].filter { !isEvicted(side, $0, evict) }
            if workload.isPreserved(side) {
                output += leaving.filter { !$0.hasMatched }.map { pair(side, $0.row, nil) }
            }
        }
        return (output.sorted(), kept[0].count + kept[1].count)
    }

    mutating func advanceWatermark() {
        let zero = -JoinWorkload.epochMicros / 1000
        let sides = sideWatermarks.map { $0 ?? zero }
        watermark = max(watermark, workload.policy == .min ? sides.min()! : sides.max()!)
    }

    private func fails(_ row: WorkloadRow, _ limit: Int?) -> Bool {
        guard let limit else { return false }
        guard let value = row.value else { return true }
        return value <= limit
    }

    private func isEvicted(_ side: Int, _ kept: Kept, _ evict: Int64) -> Bool {
        guard let threshold = threshold(side, evict) else { return false }
        return workload.joinTime(kept.row)! <= threshold * 1000
    }

    private func threshold(_ side: Int, _ evict: Int64) -> Int64? {
        switch workload.condition {
        case .none: return nil
        case .window: return evict
        case .bounds(let bounds, let lowerIsStrict, let upperIsStrict):
            if side == 0 {
                guard let upper = bounds.upper else { return nil }
                return evict - upper / 1000 - (upperIsStrict ? 0 : 1)
            }
            guard let lower = bounds.lower else { return nil }
            return evict + lower / 1000 - (lowerIsStrict ? 0 : 1)
        }
    }

    private func matches(_ l: WorkloadRow, _ r: WorkloadRow) -> Bool {
        guard l.key == r.key, l.key != nil || workload.isNullSafe else { return false }
        if workload.hasResidual {
            guard let lv = l.value, let rv = r.value, lv < rv else { return false }
        }
        switch workload.condition {
        case .none: return true
        case .window: return workload.joinTime(l) == workload.joinTime(r)
        case .bounds(let bounds, let lowerIsStrict, let upperIsStrict):
            let gap = r.time! - l.time!
            if let lower = bounds.lower, lowerIsStrict ? gap <= lower : gap < lower { return false }
            if let upper = bounds.upper, upperIsStrict ? gap >= upper : gap > upper { return false }
            return true
        }
    }

    private func pair(_ side: Int, _ row: WorkloadRow, _ other: WorkloadRow?) -> String {
        let partner = other.map { String($0.id) } ?? "-"
        return side == 0 ? "\(row.id) \(partner)" : "\(partner) \(row.id)"
    }
}
