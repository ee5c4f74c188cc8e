// What a query means, as a small tree over named columns. Operators have Spark's names. The tree is first built as the
// spec was written; the rules in Rules/ rewrite it until nothing is left to decide but positions in rows.
//
//     Sink [visits_enriched]
//     └─ Project [visit_id, …]
//        └─ Join LeftOuter, …
//           ├─ EventTimeWatermark event_time, delay 10 min
//           │  └─ StreamingRelation visits [visit_id, event_time, page]
//           └─ …

package import SluiceSpec

/// An expression over `source.column` names.
package typealias LogicalExpression = Expression<ColumnReference>

/// One operator and what is below it.
package indirect enum LogicalPlan: Hashable, Sendable {
    case relation(StreamingRelation)
    case watermark(EventTimeWatermark, LogicalPlan)
    case filter(Filter, LogicalPlan)
    case deduplicate(Deduplicate, LogicalPlan)
    case project([ProjectedColumn], LogicalPlan)
    case join(Join, left: LogicalPlan, right: LogicalPlan)
    case sink([String], LogicalPlan)
}

/// Rows of one source, as they arrive.
package struct StreamingRelation: Hashable, Sendable {
    package var source: String
    /// Of a union its parts; empty for a source that reads records itself.
    package var parts: [String] = []
    /// True for a table: rows without time, which a join looks up.
    package var isTable = false
    package var position: SourcePosition
    /// The columns that are decoded, in row order.
    package var columns: [ColumnSpec]
    /// The column `within` and `window` speak of.
    package var eventTime: String?
    /// True when every declared column has to be decoded, because a bad value in any of them decides about the row.
    package var checksAllColumns: Bool
}

/// The watermark follows the maximum of a column, `delay` behind; rows below this node move it.
package struct EventTimeWatermark: Hashable, Sendable {
    package var column: ColumnReference
    package var delayMicros: Int64
    package var idleTimeoutMicros: Int64?
    package var maxAheadMicros: Int64?
    package var parts = WatermarkParts.whole

    init(_ spec: WatermarkSpec, of source: String) {
        column = ColumnReference(source: source, column: spec.column.value)
        delayMicros = spec.delayMicros.value
        idleTimeoutMicros = spec.idleTimeoutMicros?.value
        maxAheadMicros = spec.maxAheadMicros?.value
        parts = spec.parts
    }
}

/// Of rows with equal values in some columns only the first passes.
package struct Deduplicate: Hashable, Sendable {
    /// In the order of their names; nulls are equal.
    package var columns: [ColumnReference]
    /// The event time, where there is one; it says when a value is forgotten.
    package var time: ColumnReference?
    /// So long after the first row's time its values are remembered; nil for ever, or, where the time is among the
    /// columns, until the watermark reaches it.
    package var withinMicros: Int64?
    package var shards: Int?
    package var retention: Retention?

    /// Whether values are ever forgotten.
    package var evicts: Bool { withinMicros != nil || time.map(columns.contains) ?? false }
}

/// Keeps rows for which all conjuncts are true.
package struct Filter: Hashable, Sendable {
    package enum Place: Hashable, Sendable {
        /// Part of an input: a source's `where`, and what the rules move there.
        case input
        /// Over what a join gives: of the query's `where` and of joins further up.
        case query
    }

    /// Never empty.
    package var conjuncts: [LogicalExpression]
    package var place: Place
}

/// An output column, or a column that a projection lets through.
package struct ProjectedColumn: Hashable, Sendable {
    package var name: String
    /// The source whose column it is, below a join; empty for an output column.
    package var source = ""
    /// The names of the objects that an output column stands in, outermost first.
    package var objects: [String] = []
    package var expression: LogicalExpression

    /// What operators above it call it.
    var reference: ColumnReference { ColumnReference(source: source, column: name) }
}

/// Columns that must be equal.
package struct LogicalJoinKey: Hashable, Sendable {
    package var left: ColumnReference
    package var right: ColumnReference
    package var isNullSafe: Bool
    package var position: SourcePosition

    package func column(_ side: JoinInput) -> ColumnReference { side == .left ? left : right }

    /// What is equal for the same pair of columns, wherever it was written.
    struct Names: Hashable {
        var left: ColumnReference
        var right: ColumnReference
        var isNullSafe: Bool
    }

    var names: Names { Names(left: left, right: right, isNullSafe: isNullSafe) }
}

/// A stream-stream join: its condition, at first as written in `conditions`, taken apart by the rules.
package struct Join: Hashable, Sendable {
    package var declaredType: Located<JoinType>
    /// Set by a rule that has found a stricter type to give the same rows.
    package var runsAs: JoinType?
    package var keys: [LogicalJoinKey]
    /// The tumbling window both event times must share; part of the key.
    package var window: JoinWindow?
    /// Which of the right rows that match a left row join it.
    package var match = JoinMatch.all
    /// Where the spec says it.
    package var matchPosition: SourcePosition?
    /// Conjuncts of `within` and `where` that no rule has looked at yet.
    package var conditions: [LogicalExpression]
    /// Conjuncts over one side's columns alone (constants go left, as in Spark).
    package var leftConditions: [LogicalExpression] = []
    package var rightConditions: [LogicalExpression] = []
    /// Conjuncts over both sides that are neither keys nor time bounds.
    package var residual: [LogicalExpression] = []
    /// What the condition says about time; nil when it says nothing.
    package var time: JoinTime?
    /// What the spec asks for; `ChooseStateLayout` fills it in.
    package var shards: Int?
    package var leftState = JoinSideState()
    package var rightState = JoinSideState()
    /// How far behind the query's watermark the join's own is, in milliseconds (0 or less): its rows are late by it,
    /// and leave state by it. nil when no input has a watermark. `DeriveStateWatermarks` fills it in.
    package var watermarkMillis: Int64?

    init(
        type: Located<JoinType>, keys: [LogicalJoinKey], window: JoinWindow?,
        conditions: [LogicalExpression], shards: Int?
    ) {
        declaredType = type
        self.keys = keys
        self.window = window
        self.conditions = conditions
        self.shards = shards
    }

    package var type: JoinType { runsAs ?? declaredType.value }

    /// Whether it gives a left row one partner, chosen when the row leaves.
    package var choosesOne: Bool { match != .all }

    package func conditions(_ side: JoinInput) -> [LogicalExpression] {
        side == .left ? leftConditions : rightConditions
    }

    package func state(_ side: JoinInput) -> JoinSideState { side == .left ? leftState : rightState }
}

package struct JoinWindow: Hashable, Sendable {
    package var micros: Int64
    /// The source of the left side's event time.
    package var source: String
    package var position: SourcePosition
}

/// The time condition of a join: `lower <= right - left <= upper` over one time of each side.
package struct JoinTime: Hashable, Sendable {
    /// What makes it a time condition, which decides how state is evicted.
    package enum Basis: Hashable, Sendable {
        /// Range comparisons of the two event times.
        case range
        /// An event time that is part of the key.
        case key
        /// Both event times in one tumbling window, which is part of the key: the times are the windows' ends.
        case window(micros: Int64)
    }

    package var basis: Basis
    /// The left time; one that is computed has a name that no column has.
    package var left: ColumnReference
    package var right: ColumnReference
    /// What the left time is computed from, where it is the first of several that is there; empty otherwise.
    package var leftOperands: [ColumnReference] = []
    /// The tightest bounds: what a pair must satisfy.
    package var bounds: TimeBounds
    /// Every comparison that gave a bound, in the order written; eviction follows the loosest.
    package var limits: [TimeLimit] = []

    package func column(_ side: JoinInput) -> ColumnReference { side == .left ? left : right }

    /// The width of the tumbling window whose end is the time.
    package var windowMicros: Int64? { if case .window(let micros) = basis { micros } else { nil } }

    /// What the time is, whatever it is called.
    func eventTime(_ side: JoinInput) -> EventTime {
        EventTime(
            side == .left && !leftOperands.isEmpty ? leftOperands : [column(side)], windowMicros: windowMicros)
    }
}

/// One comparison of the event times, as an end of `right - left`.
package struct TimeLimit: Hashable, Sendable {
    package enum End: Hashable, Sendable {
        case lower
        case upper
    }

    package var end: End
    /// As written, before a strict comparison is moved by a microsecond.
    package var micros: Int64
    package var isInclusive: Bool
    package var position: SourcePosition
}

/// What the rules find out about one side's state.
package struct JoinSideState: Hashable, Sendable {
    /// What is kept of a row, in the order of the columns' names.
    package var columns: [ColumnReference] = []
    package var eviction: EvictionRule?
    /// Why there is no eviction rule; nil when there is one.
    package var keptForever: KeptForever?
    package var retention: Retention?
    package var bucketWidthMicros: Int64?
    package var cellWidthMicros: Int64?
}

/// Why rows of a side never leave state.
package enum KeptForever: Hashable, Sendable {
    /// The join says nothing about time.
    case noTimeCondition
    /// No comparison bounds this side's rows.
    case openEnd
    /// These sources lack the watermark that eviction needs.
    case missingWatermark([String])
    /// Rows of these times may still come out of a join below, however old they are; those of the other times may not.
    case timeWithoutLimit([ColumnReference], [ColumnReference])
}

extension LogicalPlan {
    /// The operators directly below, left before right.
    package var children: [LogicalPlan] {
        switch self {
        case .relation: []
        case .watermark(_, let child), .filter(_, let child), .deduplicate(_, let child), .project(_, let child),
            .sink(_, let child):
            [child]
        case .join(_, let left, let right): [left, right]
        }
    }

    /// The same operator over other children, given in the order of `children`.
    func replacingChildren(_ transform: (LogicalPlan) -> LogicalPlan) -> LogicalPlan {
        switch self {
        case .relation: self
        case .watermark(let watermark, let child): .watermark(watermark, transform(child))
        case .filter(let filter, let child): .filter(filter, transform(child))
        case .deduplicate(let deduplicate, let child): .deduplicate(deduplicate, transform(child))
        case .project(let columns, let child): .project(columns, transform(child))
        case .join(let join, let left, let right): .join(join, left: transform(left), right: transform(right))
        case .sink(let sinks, let child): .sink(sinks, transform(child))
        }
    }

    /// Rewrites every join, the lowest first.
    func mapJoins(_ transform: (Join, LogicalPlan, LogicalPlan) -> LogicalPlan) -> LogicalPlan {
        let rewritten = replacingChildren { $0.mapJoins(transform) }
        guard case .join(let join, let left, let right) = rewritten else { return rewritten }
        return transform(join, left, right)
    }

    /// All relations, from left to right.
    package var relations: [StreamingRelation] {
        if case .relation(let relation) = self { return [relation] }
        return children.flatMap(\.relations)
    }

    /// All watermarks, from left to right.
    package var watermarks: [EventTimeWatermark] {
        var own: [EventTimeWatermark] = []
        if case .watermark(let watermark, _) = self { own = [watermark] }
        return own + children.flatMap(\.watermarks)
    }

    /// The columns that watermarks below follow and that are still there.
    var watermarkedColumns: Set<ColumnReference> {
        switch self {
        case .relation: return []
        case .watermark(let watermark, _): return [watermark.column]
        case .join(let join, let left, let right):
            return left.watermarkedColumns.union(join.type.outputs(.right) ? right.watermarkedColumns : [])
        case .filter(_, let child), .deduplicate(_, let child), .project(_, let child), .sink(_, let child):
            return child.watermarkedColumns
        }
    }

    /// All joins, from the top down.
    package var joins: [Join] {
        var own: [Join] = []
        if case .join(let join, _, _) = self { own = [join] }
        return own + children.flatMap(\.joins)
    }

    /// The type of a column of one of the sources below; nil if there is none of that name.
    func columnType(_ column: ColumnReference) -> DataType? {
        relations.first { $0.source == column.source }?.columns.first { $0.name == column.column }?.type
            ?? PlaceColumn(named: column.column)?.type
    }

    /// What the stage of a join is called: by the streams it joins.
    var stageName: String { relations.filter { !$0.isTable }.map(\.source).joined(separator: "+") }

    /// Whether it is a table.
    var isTable: Bool { InputChain(self)?.relation.isTable ?? false }

    /// What the stage of a deduplication is called.
    static func deduplicationName(_ source: String) -> String { "deduplicate \(source)" }

    /// The names of the sources below.
    var sources: Set<String> { Set(relations.map(\.source)) }

    /// The event times of the sources below whose columns are there, from left to right.
    var eventTimes: [ColumnReference] {
        switch self {
        case .relation(let relation):
            return relation.eventTime.map { [ColumnReference(source: relation.source, column: $0)] } ?? []
        case .join(let join, let left, let right):
            return left.eventTimes + (join.type.outputs(.right) ? right.eventTimes : [])
        default: return children.flatMap(\.eventTimes)
        }
    }

    /// The event time of the source below that is asked for, if it has one.
    func eventTime(of source: String) -> ColumnReference? { eventTimes.first { $0.source == source } }
}
