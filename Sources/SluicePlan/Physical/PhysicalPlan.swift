// What the engine runs: columns are positions, conditions are split, thresholds are numbers. Made by the planner from
// the logical plan after all rules have run; it holds no names that are looked up later and no YAML.

package import SluiceSpec

/// A column of the rows in hand: `input` 0 is the left of a stage, 1 its right. Rows of a source have the side on which
/// a stage reads them, 0 where none does.
package struct ColumnSlot: Hashable, Sendable {
    package var input: Int
    /// Position in the packed row, which is that among the columns of what the stage reads on that side.
    package var index: Int

    package init(input: Int, index: Int) {
        self.input = input
        self.index = index
    }
}

/// One query, ready to run.
package struct PhysicalPlan: Hashable, Sendable {
    package var query: String
    /// In the order in which the query names its sources.
    package var inputs: [InputPlan]
    /// In order of execution: what a stage reads stands before it, and the last one's rows are the query's. Empty where
    /// the rows of the only input are.
    package var stages: [StagePlan]
    /// What lookups read, in the order in which the query names them.
    package var tables: [TablePlan] = []
    package var output: OutputPlan
    package var watermarkPolicy: WatermarkPolicy

    package init(
        query: String, inputs: [InputPlan], stages: [StagePlan], output: OutputPlan, watermarkPolicy: WatermarkPolicy
    ) {
        self.query = query
        self.inputs = inputs
        self.stages = stages
        self.output = output
        self.watermarkPolicy = watermarkPolicy
    }
}

/// A column that is computed from others of its row.
package struct ComputedColumn: Hashable, Sendable {
    /// Its slot.
    package var slot: Int
    package var expression: Expression<ColumnSlot>

    package init(slot: Int, expression: Expression<ColumnSlot>) {
        self.slot = slot
        self.expression = expression
    }
}

/// A column that is decoded; its place in the list is its slot in the packed row.
package struct InputColumn: Hashable, Sendable {
    package var name: String
    package var type: DataType
    /// Where the value comes from in the record.
    package var origin: ColumnSpec.Origin
    /// How a time is written there.
    package var form: ColumnSpec.Form
    /// Its place among the source's declared columns, which is its CSV field when there is no header. Columns that
    /// come from a Kafka record's own parts are no such fields: they do not count, and have 0 here.
    package var declaredIndex: Int

    package init(
        name: String, type: DataType, origin: ColumnSpec.Origin, form: ColumnSpec.Form = .usual, declaredIndex: Int
    ) {
        self.name = name
        self.form = form
        self.type = type
        self.origin = origin
        self.declaredIndex = declaredIndex
    }
}

package struct WatermarkPlan: Hashable, Sendable {
    /// True where it runs over the rows of all parts of the input's union, and is one of theirs together.
    package var isOfUnion = false
    /// Slot of the event-time column the watermark follows.
    package var column: Int
    package var delayMicros: Int64
    package var idleTimeoutMicros: Int64?
    /// Rows whose time is further ahead of the batch's own are bad, and do not move the watermark.
    package var maxAheadMicros: Int64?
    /// Those that have a watermark each, of which the input's is the lowest.
    package var parts: WatermarkParts

    package init(column: Int, delayMicros: Int64, idleTimeoutMicros: Int64?, parts: WatermarkParts = .whole) {
        self.column = column
        self.delayMicros = delayMicros
        self.idleTimeoutMicros = idleTimeoutMicros
        self.parts = parts
    }
}

/// How one source's bytes become rows, and what happens to them before the join.
package struct InputPlan: Hashable, Sendable {
    package var source: String
    /// The union whose part it is.
    package var union: String?
    /// What a Kafka source reads; nil for every other connector.
    package var topics: KafkaTopics?
    package var format: RecordFormat
    /// IANA name; text without a zone is read in it.
    package var timeZone: String
    package var badRows: BadRowsPolicy
    /// How many columns the source declares that are fields of its records' text, decoded or not: so many values a CSV
    /// line has. Where there are none nothing is read from the text, and none of it can be bad.
    package var fieldCount: Int
    /// The columns to decode. The first `JoinSidePlan.stateColumnCount` of them are what state keeps.
    /// With a `badRows` policy that keeps rows back for a bad field all declared columns are here, each to be checked.
    package var columns: [InputColumn]
    /// The array whose elements make rows.
    package var each: EachSpec?
    /// Whether records are told apart by their keys: those of a topic that is a table.
    package var isKeyed = false
    /// What is computed of each row, each after what it is computed from.
    package var computed: [ComputedColumn] = []
    /// Rows for which this is not true vanish before the watermark sees them.
    package var filterBelowWatermark: Expression<ColumnSlot>?
    package var watermark: WatermarkPlan?
    /// Rows for which this is not true vanish after they have moved the watermark, before lateness is judged.
    package var filterAboveWatermark: Expression<ColumnSlot>?
    /// When set, lateness compares the end of the tumbling window the watermark column falls into.
    package var latenessWindowMicros: Int64?

    /// Whether rows have the places of their records among their columns.
    package var keepsPlaces: Bool {
        columns.contains { column in if case .place = column.origin { true } else { false } }
    }

    package init(
        source: String, topics: KafkaTopics? = nil, format: RecordFormat, timeZone: String, badRows: BadRowsPolicy,
        fieldCount: Int, columns: [InputColumn],
        filterBelowWatermark: Expression<ColumnSlot>? = nil, watermark: WatermarkPlan? = nil,
        filterAboveWatermark: Expression<ColumnSlot>? = nil, latenessWindowMicros: Int64? = nil
    ) {
        self.source = source
        self.topics = topics
        self.format = format
        self.timeZone = timeZone
        self.badRows = badRows
        self.fieldCount = fieldCount
        self.columns = columns
        self.filterBelowWatermark = filterBelowWatermark
        self.watermark = watermark
        self.filterAboveWatermark = filterAboveWatermark
        self.latenessWindowMicros = latenessWindowMicros
    }
}

/// A pair of slots that must be equal; both have the same type, but for int with long.
package struct JoinKey: Hashable, Sendable {
    package var left: Int
    package var right: Int
    package var isNullSafe: Bool

    package init(left: Int, right: Int, isNullSafe: Bool) {
        self.left = left
        self.right = right
        self.isNullSafe = isNullSafe
    }
}

/// Which right join times a left join time meets: `lower <= right - left <= upper`, in microseconds, both inclusive
/// (a strict bound of the spec has been moved by one microsecond). nil is an open end.
package struct TimeBounds: Hashable, Sendable {
    package var lower: Int64?
    package var upper: Int64?

    package init(lower: Int64?, upper: Int64?) {
        self.lower = lower
        self.upper = upper
    }
}

/// When a side's rows leave state: at or below
/// `T = truncate((evictionWatermark + offset) to ms) - (1 ms if inclusive)`.
/// Source: Spark's StreamingJoinHelper.getStateValueWatermark.
package struct EvictionRule: Hashable, Sendable {
    package var offsetMicros: Int64
    /// True when the bound it comes from was inclusive.
    package var isInclusive: Bool

    package init(offsetMicros: Int64, isInclusive: Bool) {
        self.offsetMicros = offsetMicros
        self.isInclusive = isInclusive
    }

    /// The state watermark in milliseconds: rows whose join time is at or below it leave.
    package func thresholdMillis(evictionWatermarkMillis: Int64) -> Int64 {
        let micros = Double(evictionWatermarkMillis) * 1000 + Double(offsetMicros)
        return Int64((micros / 1000).rounded(.towardZero)) - (isInclusive ? 1 : 0)
    }
}

/// What is particular to one side of a join.
package struct JoinSidePlan: Hashable, Sendable {
    /// Slot of the time that bounds and eviction speak of; nil when the join has no time condition.
    package var joinTime: Int?
    /// When set, the join time is the end of the tumbling window that `joinTime` falls into.
    package var windowMicros: Int64?
    /// True where unmatched rows of this side come out (left outer, right outer, full outer; left side of left anti).
    package var isPreserved: Bool
    /// The single-side predicate of the join condition on a preserved side (or the left of a semi or anti join): a row
    /// that fails it matches nothing and is never stored.
    package var predicate: Expression<ColumnSlot>?
    /// nil: rows of this side are never evicted.
    package var eviction: EvictionRule?
    /// The first so many of the input's columns are kept in state.
    package var stateColumnCount: Int
    /// Width of a time bucket; nil when one bucket holds all rows. A multiple of `cellWidthMicros`.
    package var bucketWidthMicros: Int64?
    /// Rows are indexed by key and by time cell, so that a probe reads only cells that its bounds overlap.
    /// nil when time does not narrow a probe.
    package var cellWidthMicros: Int64?

    package init(
        joinTime: Int?, windowMicros: Int64?, isPreserved: Bool, predicate: Expression<ColumnSlot>?,
        eviction: EvictionRule?, stateColumnCount: Int, bucketWidthMicros: Int64?, cellWidthMicros: Int64?
    ) {
        self.joinTime = joinTime
        self.windowMicros = windowMicros
        self.isPreserved = isPreserved
        self.predicate = predicate
        self.eviction = eviction
        self.stateColumnCount = stateColumnCount
        self.bucketWidthMicros = bucketWidthMicros
        self.cellWidthMicros = cellWidthMicros
    }
}

package struct JoinPlan: Hashable, Sendable {
    package var type: JoinType
    /// What the spec says, where a rule has found that a stricter type gives the same rows; nil where it is `type`.
    package var declaredType: JoinType?
    package var keys: [JoinKey]
    /// nil: no time condition. Windows and equal event times are `0 ... 0` over the join times.
    package var bounds: TimeBounds?
    package var left: JoinSidePlan
    package var right: JoinSidePlan
    /// What else a pair must satisfy; evaluated after keys and bounds, over state columns only.
    package var residual: Expression<ColumnSlot>?
    /// How one right row is chosen for a left row when that leaves; nil where all that match join it.
    package var choice: ChoicePlan?
    /// A power of two; fixed for the life of a checkpoint.
    package var shards: Int

    package init(
        type: JoinType, keys: [JoinKey], bounds: TimeBounds?, left: JoinSidePlan, right: JoinSidePlan,
        residual: Expression<ColumnSlot>?, shards: Int
    ) {
        self.type = type
        self.keys = keys
        self.bounds = bounds
        self.left = left
        self.right = right
        self.residual = residual
        self.shards = shards
    }
}

/// Which of the right rows that match joins a left row.
package struct ChoicePlan: Hashable, Sendable {
    /// By time; not `all`.
    package var match: JoinMatch
    /// Right slots of the place of its record, which decides among rows of one time: the lower partition, the path
    /// that sorts first, the lower offset.
    package var partition: Int
    package var path: Int
    package var offset: Int

    package init(match: JoinMatch, partition: Int, path: Int, offset: Int) {
        self.match = match
        self.partition = partition
        self.path = path
        self.offset = offset
    }
}

package struct OutputColumn: Hashable, Sendable {
    package var name: String
    /// The names of the objects that it stands in, outermost first. Columns of one object follow one another.
    package var objects: [String]
    package var expression: Expression<ColumnSlot>

    package init(name: String, objects: [String] = [], expression: Expression<ColumnSlot>) {
        self.name = name
        self.objects = objects
        self.expression = expression
    }
}

/// What comes out, over the pair that the last stage gives: slots of an absent side read as null.
package struct OutputPlan: Hashable, Sendable {
    package var filter: Expression<ColumnSlot>?
    package var columns: [OutputColumn]
    /// One per sink, in the order of the query's `to`; a batch is encoded once per distinct format.
    package var sinks: [OutputSink]

    package init(filter: Expression<ColumnSlot>?, columns: [OutputColumn], sinks: [OutputSink]) {
        self.filter = filter
        self.columns = columns
        self.sinks = sinks
    }
}

package struct OutputSink: Hashable, Sendable {
    package var name: String
    package var format: OutputFormat
    /// What a record has beside its value; nil where rows are not records, that is for every sink but a Kafka sink.
    package var record: RecordPlan?

    package init(name: String, format: OutputFormat, record: RecordPlan? = nil) {
        self.name = name
        self.format = format
        self.record = record
    }
}

/// What a Kafka record has beside its value, over the same joined row as the output columns.
package struct RecordPlan: Hashable, Sendable {
    /// Of any type, written as plain text; nil, or null for a row, is a record without a key.
    package var key: Expression<ColumnSlot>?
    /// A timestamp; nil, or null for a row, leaves the record's timestamp to the time of writing.
    package var timestamp: Expression<ColumnSlot>?
    /// In the order of the spec.
    package var headers: [RecordHeaderPlan]

    package init(
        key: Expression<ColumnSlot>?, timestamp: Expression<ColumnSlot>?, headers: [RecordHeaderPlan] = []
    ) {
        self.key = key
        self.headers = headers
        self.timestamp = timestamp
    }
}

/// A header of a Kafka record.
package struct RecordHeaderPlan: Hashable, Sendable {
    package var name: String
    /// Of any type, written as plain text; null for a row leaves the header out.
    package var value: Expression<ColumnSlot>

    package init(name: String, value: Expression<ColumnSlot>) {
        self.name = name
        self.value = value
    }
}
