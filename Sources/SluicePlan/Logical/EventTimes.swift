// What is known of the event times in the rows that a part of a plan puts out. A source's rows are judged by the
// query's watermark W; a stage that keeps rows puts some of them out when W has long passed them, so whatever stands
// above it must be more patient. How much follows from two kinds of facts, kept here per part of a plan:
//
//     limit         rows put out in a batch have this time after W (of the batch before) + limit; limit <= 0
//     difference    what two times of one row can differ by, from the bounds of the joins below
//
//     visits ⋈ ads within 0 … 2 min      visits.t > W - 2 min - 1 ms, ads.t too; 0 <= ads.t - visits.t <= 2 min
//       ⋈ clicks on ads.t, 0 … 10 min    ads.t, clicks.t > W - 12 min - 2 ms; visits.t 2 min earlier than that
//
// Source: Spark's WatermarkPropagator gives one output watermark for an operator, which is the limit of the times that
// the operator's condition names; here every other time keeps one too, so that each join may name the time it means.

package import SluiceSpec

/// A time that a join can speak of: a column, the first of several that is there, or the end of its tumbling window.
package struct EventTime: Hashable, Sendable {
    /// One, or the operands of `coalesce`.
    package var columns: [ColumnReference]
    package var windowMicros: Int64?

    package init(_ columns: [ColumnReference], windowMicros: Int64? = nil) {
        self.columns = columns
        self.windowMicros = windowMicros
    }

    init(_ column: ColumnReference) { self.init([column]) }

    /// The time itself, without a window around it.
    var point: EventTime { EventTime(columns) }
}

/// See the head of this file.
struct EventTimes {
    /// How far behind the query's watermark the part's own is, in milliseconds (0 or less); nil when nothing below has
    /// a watermark. This is Spark's output watermark.
    private(set) var watermarkMillis: Int64?
    /// The event times of the sources whose columns are there.
    private var times: Set<EventTime> = []
    /// Per time its limit, in milliseconds.
    private var limits: [EventTime: Int64] = [:]
    private var differences: [Pair: TimeBounds] = [:]

    private struct Pair: Hashable {
        var from: EventTime
        var to: EventTime
    }

    /// Nothing at all.
    init() {}

    /// What a source's rows are known for.
    init(eventTime: ColumnReference?, watermark: EventTimeWatermark?) {
        if let eventTime { times.insert(EventTime(eventTime)) }
        guard let watermark else { return }
        watermarkMillis = 0
        times.insert(EventTime(watermark.column))
        limits[EventTime(watermark.column)] = 0
    }

    /// What is known of the pairs of two inputs, before their own condition is.
    private init(_ left: EventTimes, _ right: EventTimes) {
        times = left.times.union(right.times)
        differences = left.differences.merging(right.differences) { first, _ in first }
    }

    /// The columns whose limit is known, in the order of their names.
    var limitedColumns: [ColumnReference] {
        times.filter { limits[$0] != nil }.flatMap(\.columns).sorted { "\($0)" < "\($1)" }
    }

    /// The limit of a time; nil when rows may come out however old it is.
    func limit(of time: EventTime) -> Int64? {
        let known = limits[time]
        guard time.windowMicros != nil || time.columns.count > 1 else { return known }
        let points = time.columns.map { limits[EventTime($0)] }
        // The end of a window is not before the time, and the first time that is there is one of those that are.
        guard !points.contains(nil), let lowest = points.compactMap(\.self).min() else { return known }
        return max(known ?? lowest, lowest)
    }

    /// Bounds of `to - from`; an end is nil where nothing is known.
    private func difference(_ from: EventTime, _ to: EventTime) -> TimeBounds {
        if from == to { return TimeBounds(lower: 0, upper: 0) }
        if let known = differences[Pair(from: from, to: to)] { return known }
        // One of several: whichever of them is there.
        if to.columns.count > 1 { return hull(to.columns.map { difference(from, EventTime($0)) }) }
        if from.columns.count > 1 { return hull(from.columns.map { difference(EventTime($0), to) }) }
        return TimeBounds(lower: nil, upper: nil)
    }

    private func hull(_ bounds: [TimeBounds]) -> TimeBounds {
        func known(_ ends: [Int64?]) -> [Int64] { ends.contains(nil) ? [] : ends.compactMap(\.self) }
        return TimeBounds(lower: known(bounds.map(\.lower)).min(), upper: known(bounds.map(\.upper)).max())
    }

    private mutating func note(_ from: EventTime, _ to: EventTime, _ bounds: TimeBounds) {
        let known = difference(from, to)
        let lower = [known.lower, bounds.lower].compactMap(\.self).max()
        let upper = [known.upper, bounds.upper].compactMap(\.self).min()
        differences[Pair(from: from, to: to)] = TimeBounds(lower: lower, upper: upper)
        differences[Pair(from: to, to: from)] = TimeBounds(lower: upper.map(negated), upper: lower.map(negated))
    }

    /// Draws every conclusion from the differences that are known. The cube of the number of sources.
    private mutating func closeDifferences() {
        for middle in times {
            for from in times where from != middle {
                for to in times where to != middle && to != from {
                    let (a, b) = (difference(from, middle), difference(middle, to))
                    let lower = a.lower.flatMap { low in b.lower.map { saturatingSum(low, $0) } }
                    let upper = a.upper.flatMap { high in b.upper.map { saturatingSum(high, $0) } }
                    note(from, to, TimeBounds(lower: lower, upper: upper))
                }
            }
        }
    }
}

/// When a join's rows are late and when they leave, and what is known of the rows it puts out.
struct JoinTimes {
    /// How far behind the query's watermark the join's own is, in milliseconds; nil when it has none.
    private(set) var watermarkMillis: Int64?
    /// By side, when its rows leave state.
    private(set) var evictions: [EvictionRule?] = [nil, nil]
    /// By side, why its rows never leave; nil where they do.
    private(set) var keptForever: [KeptForever?] = [nil, nil]
    private(set) var output: EventTimes

    private let join: Join
    private let inputs: [EventTimes]

    /// - Parameter watermarked: the columns below that a watermark follows.
    init(_ join: Join, _ left: EventTimes, _ right: EventTimes, watermarked: Set<ColumnReference>) {
        self.join = join
        inputs = [left, right]
        output = EventTimes()
        guard let time = join.time else {
            watermarkMillis = inputs.compactMap(\.watermarkMillis).min()
            keptForever = [.noTimeCondition, .noTimeCondition]
            output = EventTimes(joined: join, inputs, stays: watermarkMillis)
            return
        }
        let named = JoinInput.allCases.map { time.eventTime($0) }
        let limits = zip(inputs, named).map { $0.limit(of: $1) }
        watermarkMillis = limits.compactMap(\.self).min() ?? inputs.compactMap(\.watermarkMillis).min()
        if let reason = Self.objection(time, limits, inputs, watermarked) {
            keptForever = [reason, reason]
            output = EventTimes(joined: join, inputs, stays: watermarkMillis)
            return
        }
        for side in JoinInput.allCases {
            evictions[side.rawValue] =
                time.basis == .range
                ? DeriveStateWatermarks.rule(from: time.limits, side)
                : EvictionRule(offsetMicros: 0, isInclusive: false)
            if evictions[side.rawValue] == nil { keptForever[side.rawValue] = .openEnd }
        }
        if join.choosesOne { keepCandidates(time) }
        output = EventTimes(joined: join, inputs, time, limits, evictions, watermarkMillis: watermarkMillis ?? 0)
    }

    /// A row that gets one partner is given it when it leaves, so right rows stay until all left rows that they could
    /// be chosen for have left. With T the left threshold and `lower` the least that a right row may be after a left
    /// one, that is at T + lower: right - left >= lower, so every left row in reach is at or below T. Thresholds are
    /// rounded down to whole milliseconds, or a left row before 1970 would leave a millisecond early.
    private mutating func keepCandidates(_ time: JoinTime) {
        guard let left = evictions[0], let right = evictions[1], let lower = time.bounds.lower else { return }
        let leaves = EvictionRule(offsetMicros: floorMillis(left.offsetMicros) * 1000, isInclusive: left.isInclusive)
        let reached = EvictionRule(
            offsetMicros: saturatingSum(leaves.offsetMicros, floorMillis(lower) * 1000), isInclusive: left.isInclusive)
        let own = EvictionRule(offsetMicros: floorMillis(right.offsetMicros) * 1000, isInclusive: right.isInclusive)
        evictions = [leaves, reached.offsetFloorMillis < own.offsetFloorMillis ? reached : own]
    }

    /// Why nothing can be evicted by a time condition; nil when it can.
    private static func objection(
        _ time: JoinTime, _ limits: [Int64?], _ inputs: [EventTimes], _ watermarked: Set<ColumnReference>
    ) -> KeptForever? {
        let unlimited = JoinInput.allCases.filter { limits[$0.rawValue] == nil }
        // Windows and equal times need one side's watermark, ranges both sides'.
        if unlimited.isEmpty || (time.basis != .range && unlimited.count == 1) {
            let behind = unlimited.first.map { time.eventTime($0).columns.allSatisfy(watermarked.contains) } ?? false
            if !behind { return nil }
        }
        let columns = unlimited.flatMap { time.eventTime($0).columns }
        let missing = columns.filter { !watermarked.contains($0) }
        if !missing.isEmpty { return .missingWatermark(missing.map(\.source)) }
        return .timeWithoutLimit(columns, unlimited.flatMap { inputs[$0.rawValue].limitedColumns })
    }
}

extension EventTimes {
    /// The rows of a join that never evicts: they may come out however old they are.
    fileprivate init(joined join: Join, _ inputs: [EventTimes], stays watermarkMillis: Int64?) {
        self.init(inputs[0], join.type.outputs(.right) ? inputs[1] : EventTimes())
        self.watermarkMillis = watermarkMillis
    }

    /// The rows of a join that evicts at least one side.
    fileprivate init(
        joined join: Join, _ inputs: [EventTimes], _ time: JoinTime, _ named: [Int64?], _ evictions: [EvictionRule?],
        watermarkMillis: Int64
    ) {
        self.init(inputs[0], join.type.outputs(.right) ? inputs[1] : EventTimes())
        // Spark's output watermark: the lowest state watermark, or the operator's own.
        let thresholds = evictions.compactMap(\.self).map { watermarkMillis + $0.offsetFloorMillis }
        let output = min(watermarkMillis, thresholds.min() ?? watermarkMillis)
        self.watermarkMillis = output
        let sides = JoinInput.allCases.filter { join.type.outputs($0) }
        if sides.count == 2 {
            let bounds = time.windowMicros.map { TimeBounds(lower: 1 - $0, upper: $0 - 1) } ?? time.bounds
            note(time.eventTime(.left).point, time.eventTime(.right).point, bounds)
        }
        closeDifferences()
        // Rows of a side that is not late-filtered come out as old as they are, where they come out alone.
        for side in sides where named[side.rawValue] != nil || !join.type.preserves(side) {
            guard evictions[side.rawValue] != nil else { continue }
            let time = time.eventTime(side)
            limits[time] = output
            limits[EventTime(time.columns[0])] = output - (time.windowMicros.map(ceilingMillis) ?? 0)
        }
        if join.choosesOne, let left = evictions[0] {
            limitChosen(time, min(watermarkMillis, watermarkMillis + left.offsetFloorMillis))
        }
        limitOthers(inputs, sides.map { time.eventTime($0).point })
    }

    /// A row comes out with the one that is chosen for it when it leaves, and not before: in a batch after the one in
    /// which the left threshold, or the watermark where that is lower, was still behind it.
    private mutating func limitChosen(_ time: JoinTime, _ leaving: Int64) {
        let chosen = time.bounds.lower.map { saturatingSum(leaving, floorMillis($0)) } ?? leaving
        for (side, limit) in [(JoinInput.left, leaving), (.right, chosen)] {
            limits[time.eventTime(side)] = limit
            limits[EventTime(time.eventTime(side).columns[0])] = limit
        }
        watermarkMillis = min(leaving, chosen)
    }

    /// Times that the join does not name are as old as the named ones of their row let them be; a row whose named time
    /// is missing does not wait, and keeps the limit that it came with.
    private mutating func limitOthers(_ inputs: [EventTimes], _ named: [EventTime]) {
        let anchors = named.compactMap { anchor in
            (limits[anchor] ?? limits[EventTime(anchor.columns[0])]).map { (anchor, $0) }
        }
        for other in times where limits[other] == nil {
            let reached = anchors.compactMap { anchor, limit in
                difference(anchor, other).lower.map { saturatingSum(limit, floorMillis($0)) }
            }.max()
            let came = inputs.compactMap { $0.limits[other] }.min()
            if let reached, let came { limits[other] = min(reached, came) }
        }
    }
}

extension EvictionRule {
    /// How far the state watermark is above the eviction watermark, in milliseconds, rounded down.
    fileprivate var offsetFloorMillis: Int64 { floorMillis(offsetMicros) - (isInclusive ? 1 : 0) }
}

/// Microseconds as milliseconds, rounded down.
private func floorMillis(_ micros: Int64) -> Int64 {
    let (quotient, remainder) = micros.quotientAndRemainder(dividingBy: 1000)
    return quotient - (remainder < 0 ? 1 : 0)
}

private func ceilingMillis(_ micros: Int64) -> Int64 { -floorMillis(-micros) }

private func negated(_ micros: Int64) -> Int64 { micros == .min ? .max : -micros }
