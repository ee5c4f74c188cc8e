// Finds what a join's condition says about time and brings it to one form: lower <= right - left <= upper, in
// microseconds, both ends inclusive, either end possibly open.
//
// Three kinds of time condition, the first that applies:
//   window   both event times in one tumbling window: the windows' ends are equal, 0 <= right - left <= 0;
//   key      an event time that carries a watermark is (part of) a key: the same, over the key's columns. A null-safe
//            key does not count, as Spark computes another value for it that carries no watermark mark;
//   range    comparisons of the two event times, in any arrangement of sums and differences with constant durations.
//
// Matching takes the tightest of several bounds; a strict one is moved by a microsecond, the finest step a time can
// make. Eviction follows Spark's StreamingJoinHelper.getStateValueWatermark, which takes the loosest and treats
// strictness otherwise, so each comparison is kept in `limits` as written. Comparisons that a window or key leaves
// over go on filtering pairs; over the key's own columns they say nothing new and are dropped.
//
//     before   residual: ads.t >= visits.t, ads.t < visits.t + 2 min
//     after    time: range 0 <= ads.t - visits.t <= 119.999999 s, limits: lower 0 inclusive, upper 2 min strict

internal import SluiceSpec

enum NormalizeTimeBounds: RewriteRule {
    static let name = "NormalizeTimeBounds"

    static func apply(to plan: LogicalPlan, in context: RuleContext) -> LogicalPlan {
        plan.mapJoins { join, left, right in .join(normalize(join, left, right), left: left, right: right) }
    }

    private static func normalize(_ join: Join, _ left: LogicalPlan, _ right: LogicalPlan) -> Join {
        var join = join
        let equal = TimeBounds(lower: 0, upper: 0)
        let rightTime = right.eventTimes.first
        if let window = join.window {
            guard let leftTime = left.eventTime(of: window.source), let rightTime else { return join }
            join.time = JoinTime(
                basis: .window(micros: window.micros), left: leftTime, right: rightTime, bounds: equal)
            return join
        }
        let key = timeKey(of: join, left: left.watermarkedColumns, right: right.watermarkedColumns)
        if let key { join.time = JoinTime(basis: .key, left: key.left, right: key.right, bounds: equal) }
        guard let rightTime else { return join }
        let leftTime = key.map { EventTime($0.left) } ?? namedTime(in: join.residual, left.eventTimes, rightTime)
        guard let leftTime else { return join }
        if let key, !left.eventTimes.contains(key.left) || key.right != rightTime { return join }

        var limits: [TimeLimit] = []
        join.residual.removeAll { conjunct in
            let found = timeLimits(of: conjunct, left: leftTime, right: rightTime)
            limits += found
            return !found.isEmpty
        }
        if key != nil {
            join.time?.limits = limits
        } else if !limits.isEmpty {
            join.time = JoinTime(
                basis: .range, left: leftTime.name, right: rightTime,
                leftOperands: leftTime.columns.count > 1 ? leftTime.columns : [],
                bounds: TimeBounds(tightest: limits), limits: limits)
        }
        return join
    }

    /// The key that carries a watermark: the first on the left that does, else on the right (Spark:
    /// StreamingSymmetricHashJoinHelper, joinKeyOrdinalForWatermark).
    private static func timeKey(
        of join: Join, left: Set<ColumnReference>, right: Set<ColumnReference>
    ) -> LogicalJoinKey? {
        let keys = join.keys.filter { !$0.isNullSafe }
        return keys.first { left.contains($0.left) } ?? keys.first { right.contains($0.right) }
    }

    /// The left time that the first comparison with the right one names: the event time of one source, or the first of
    /// several that is there.
    private static func namedTime(
        in conjuncts: [LogicalExpression], _ left: [ColumnReference], _ right: ColumnReference
    ) -> EventTime? {
        for conjunct in conjuncts {
            let candidates = left.map { EventTime($0) } + conjunct.alternatives(among: left)
            if let named = candidates.first(where: { !timeLimits(of: conjunct, left: $0, right: right).isEmpty }) {
                return named
            }
        }
        return nil
    }

    /// The bounds a comparison puts on `right - left`; empty when it is no such comparison.
    static func timeLimits(
        of conjunct: LogicalExpression, left: EventTime, right: ColumnReference
    ) -> [TimeLimit] {
        guard case .call(let function, let operands) = conjunct.kind, operands.count == 2,
            let first = TimeSum(operands[0], left: left, right: right),
            let second = TimeSum(operands[1], left: left, right: right),
            let difference = first.minus(second)
        else { return [] }
        // (right - left) + micros  compared with 0, or the other way round.
        let isFlipped: Bool
        switch (difference.left, difference.right) {
        case (-1, 1): isFlipped = false
        case (1, -1): isFlipped = true
        default: return []
        }
        let (negated, overflow) = Int64(0).subtractingReportingOverflow(difference.micros)
        if overflow { return [] }
        let micros = isFlipped ? difference.micros : negated
        func limit(_ end: TimeLimit.End, isInclusive: Bool) -> TimeLimit {
            TimeLimit(end: end, micros: micros, isInclusive: isInclusive, position: conjunct.position)
        }
        switch function {
        case .less: return [limit(isFlipped ? .lower : .upper, isInclusive: false)]
        case .lessOrEqual: return [limit(isFlipped ? .lower : .upper, isInclusive: true)]
        case .greater: return [limit(isFlipped ? .upper : .lower, isInclusive: false)]
        case .greaterOrEqual: return [limit(isFlipped ? .upper : .lower, isInclusive: true)]
        case .equal: return [limit(.lower, isInclusive: true), limit(.upper, isInclusive: true)]
        default: return []
        }
    }
}

/// A sum of event times and durations: `left` times the left time + `right` times the right time + `micros`.
private struct TimeSum {
    var left = 0
    var right = 0
    var micros: Int64 = 0

    /// nil when the expression is anything else, or too large.
    init?(_ expression: LogicalExpression, left: EventTime, right: ColumnReference) {
        switch expression.kind {
        case .literal(.duration(let micros)): self.micros = micros
        case .column(right): self.right = 1
        case .column(let column) where left.columns == [column]: self.left = 1
        case .call(.coalesce, let operands) where left.columns.count > 1 && operands.plainColumns == left.columns:
            self.left = 1
        case .cast(let operand) where operand.type == expression.type:
            guard let sum = TimeSum(operand, left: left, right: right) else { return nil }
            self = sum
        case .call(let function, let operands):
            let terms = operands.compactMap { TimeSum($0, left: left, right: right) }
            guard terms.count == operands.count else { return nil }
            guard let sum = Self.combined(function, terms) else { return nil }
            self = sum
        default: return nil
        }
    }

    private init() {}

    private static func combined(_ function: Function, _ terms: [TimeSum]) -> TimeSum? {
        guard let first = terms.first else { return nil }
        let rest = terms.dropFirst()
        switch function {
        case .add: return rest.reduce(first) { sum, term in TimeSum().minus(term).flatMap { sum?.minus($0) } }
        case .subtract: return rest.reduce(first) { difference, term in difference?.minus(term) }
        case .negate: return TimeSum().minus(first)
        default: return nil
        }
    }

    func minus(_ other: TimeSum) -> TimeSum? {
        let (micros, overflow) = micros.subtractingReportingOverflow(other.micros)
        if overflow { return nil }
        var difference = TimeSum()
        difference.left = left - other.left
        difference.right = right - other.right
        difference.micros = micros
        return difference
    }
}

extension [LogicalExpression] {
    /// The columns that they are; nil when one of them is something else.
    fileprivate var plainColumns: [ColumnReference]? {
        let columns = compactMap { if case .column(let column) = $0.kind { column } else { nil } }
        return columns.count == count ? columns : nil
    }
}

extension LogicalExpression {
    /// Each `coalesce` in it whose operands are all among these columns, as a time.
    fileprivate func alternatives(among columns: [ColumnReference]) -> [EventTime] {
        guard case .call(let function, let operands) = kind else {
            if case .cast(let operand) = kind { return operand.alternatives(among: columns) }
            return []
        }
        if function == .coalesce, let own = operands.plainColumns, own.count > 1, own.allSatisfy(columns.contains) {
            return [EventTime(own)]
        }
        return operands.flatMap { $0.alternatives(among: columns) }
    }
}

extension EventTime {
    /// What a computed time is called: no column has such a name.
    fileprivate var name: ColumnReference {
        guard columns.count > 1 else { return columns[0] }
        return ColumnReference(
            source: columns[0].source, column: "coalesce(\(columns.map(\.description).joined(separator: ", ")))")
    }
}

extension JoinTime {
    /// The left time as a column that has to be worked out below the join; nil where it is a column.
    var computedLeft: ProjectedColumn? {
        guard let position = limits.first?.position, !leftOperands.isEmpty else { return nil }
        let operands = leftOperands.map {
            LogicalExpression(.column($0), type: .timestamp, isNullable: true, at: position)
        }
        return ProjectedColumn(
            name: left.column, source: left.source,
            expression: LogicalExpression(
                .call(.coalesce, operands), type: .timestamp, isNullable: true, at: position))
    }
}

extension TimeBounds {
    /// What all `limits` together allow.
    init(tightest limits: [TimeLimit]) {
        self.init(lower: nil, upper: nil)
        for limit in limits {
            switch limit.end {
            case .lower:
                let inclusive = limit.isInclusive ? limit.micros : saturatingSum(limit.micros, 1)
                lower = max(lower ?? inclusive, inclusive)
            case .upper:
                let inclusive = limit.isInclusive ? limit.micros : saturatingSum(limit.micros, -1)
                upper = min(upper ?? inclusive, inclusive)
            }
        }
    }

    /// True when no pair can satisfy them.
    package var isEmpty: Bool {
        guard let lower, let upper else { return false }
        return lower > upper
    }
}
