// The typed content of one or more spec files: what section 1 to 3 of the format allow, names resolved, expressions
// typed, every value with its place. It says nothing about how a query will run; that is the planner's part.

/// All spec files of one command line, as one namespace.
package struct Spec: Sendable {
    /// In the order of their names.
    package var sources: [SourceSpec] = []
    /// In the order of their names.
    package var tables: [TableSpec] = []
    package var sinks: [SinkSpec] = []
    package var queries: [QuerySpec] = []
    /// Hides what came from `${file:…}` in any text that leaves the process, such as explain output and errors.
    package var secretMask = SecretMask()

    package init() {}

    /// All that is read: the sources, and what tables are read from.
    package var inputs: [SourceSpec] { sources + tables.map(\.source) }
}

/// A value that must never be shown, such as a password from `${file:…}`.
package struct Secret: Hashable, Sendable, CustomStringConvertible, CustomDebugStringConvertible {
    package let revealed: String
    package init(_ revealed: String) { self.revealed = revealed }
    package var description: String { "•••" }
    package var debugDescription: String { "•••" }
}

/// A column a source declares.
package struct ColumnSpec: Hashable, Sendable {
    package var name: String
    package var type: DataType
    /// Where the value comes from; the field of the column's own name unless the spec says `from:`.
    package var origin: Origin
    /// How a time is written.
    package var form = Form.usual
    package var position: SourcePosition

    /// How a timestamp or a date is written in the record.
    package enum Form: Hashable, Sendable {
        /// As ISO 8601, and numbers in seconds.
        case usual
        /// A number of units since 1970, or text of such a number.
        case epoch(EpochUnit)
        /// Text in a form of its own.
        case pattern(ColumnPattern)
    }

    package enum Origin: Hashable, Sendable {
        /// A part of the record: of one that nests by its path, of CSV by name or place.
        case field(FieldPath)
        /// `kafka.key`, `kafka.topic`, `kafka.headers.NAME` …: a part of the Kafka record beside its value's fields.
        case kafka(KafkaField)
        /// A part of the element that makes the row, by its path in it; nil is the whole element.
        case each(FieldPath?)
        /// The place of that element in its array, from 0.
        case eachPlace
        /// Computed from other columns of the source, before its watermark.
        case computed(Expression<ColumnReference>)
        /// Where the record is; no spec says this.
        case place(PlaceColumn)
    }

    package init(name: String, type: DataType, origin: Origin, position: SourcePosition) {
        self.name = name
        self.type = type
        self.origin = origin
        self.position = position
    }
}

/// One row for each element of an array, as Spark's `explode`.
package struct EachSpec: Hashable, Sendable {
    package var path: FieldPath
    /// Spark's `explode_outer`: a record without elements gives a row with nulls for what comes from them.
    package var keepsEmpty: Bool

    package init(path: FieldPath, keepsEmpty: Bool = false) {
        self.path = path
        self.keepsEmpty = keepsEmpty
    }
}

/// A pattern as a spec writes it, and what it says.
package struct ColumnPattern: Hashable, Sendable {
    package let text: String
    package let compiled: DateTimePattern

    package init(_ text: String) throws(PatternProblem) {
        self.text = text
        compiled = try DateTimePattern(text)
    }
}

/// A part of a Kafka record that a column can be taken from.
package enum KafkaField: Hashable, Sendable {
    /// A column that a table's `key` names, of that name: the field of a key that is a JSON object, or, where it is the
    /// only one, the key itself.
    case keyField(String, isOnly: Bool)
    /// The record's key. Key, value and headers are text for any column type, read as a CSV field is; a key, a value
    /// or a header that is not there is null.
    case key
    /// The whole value as one text.
    case value
    case topic
    case partition
    case offset
    /// The record's timestamp, be it the producer's or the broker's.
    case timestamp
    /// The last header of that name.
    case header(String)
}

/// The parts of a source that have a watermark each, of which the source's is the lowest.
package enum WatermarkParts: Hashable, Sendable {
    /// None: the source has one watermark.
    case whole
    /// Of a Kafka source.
    case topics
    /// Of a Kafka source.
    case partitions
}

package struct WatermarkSpec: Hashable, Sendable {
    package var column: Located<String>
    package var delayMicros: Located<Int64>
    package var idleTimeoutMicros: Located<Int64>?
    /// How far an event time may be ahead of the batch; rows beyond are bad and leave the watermark alone.
    package var maxAheadMicros: Located<Int64>?
    package var parts: WatermarkParts

    package init(
        column: Located<String>, delayMicros: Located<Int64>, idleTimeoutMicros: Located<Int64>?,
        parts: WatermarkParts = .whole
    ) {
        self.column = column
        self.delayMicros = delayMicros
        self.idleTimeoutMicros = idleTimeoutMicros
        self.parts = parts
    }
}

/// Which rows of a source are the same, and for how long.
package struct DeduplicateSpec: Hashable, Sendable {
    package var columns: [Located<String>]
    /// nil: as long as the watermark's delay.
    package var withinMicros: Located<Int64>?
    /// Spark's `dropDuplicates`: for ever, unless the event time is among the columns.
    package var keepsForever: Bool
    package var position: SourcePosition

    package init(
        columns: [Located<String>], withinMicros: Located<Int64>? = nil, keepsForever: Bool = false,
        position: SourcePosition
    ) {
        self.columns = columns
        self.withinMicros = withinMicros
        self.keepsForever = keepsForever
        self.position = position
    }
}

/// An input without time: rows that others look up.
package struct TableSpec: Sendable {
    package enum Reload: String, Hashable, Sendable {
        case onChange = "on_change"
        case never
    }

    /// What its rows are read from, as a source without a time.
    package var source: SourceSpec
    package var reload: Reload
    /// No two rows may have the keys that a join names.
    package var isUnique: Bool
    /// Of a topic the columns that are in the key of its records; empty for files.
    package var key: [Located<String>]

    package init(
        source: SourceSpec, reload: Reload = .onChange, isUnique: Bool = false, key: [Located<String>] = []
    ) {
        self.source = source
        self.reload = reload
        self.isUnique = isUnique
        self.key = key
    }

    package var name: Located<String> { source.name }
}

package struct SourceSpec: Sendable {
    package var name: Located<String>
    package var connector: any SourceConnector
    package var format: RecordFormat
    package var columns: [ColumnSpec]
    /// `event_time`, or the watermark's column.
    package var eventTime: Located<String>?
    package var watermark: WatermarkSpec?
    package var filter: Expression<ColumnReference>?
    /// The array whose elements make rows.
    package var each: EachSpec?
    /// IANA name; text without a zone is read in it.
    package var timeZone: Located<String>
    package var badRows: Located<BadRowsPolicy>
    /// Of rows with equal values only the first passes.
    package var deduplicate: DeduplicateSpec?

    package init(
        name: Located<String>, connector: any SourceConnector, format: RecordFormat, columns: [ColumnSpec],
        eventTime: Located<String>?, watermark: WatermarkSpec?, filter: Expression<ColumnReference>?,
        timeZone: Located<String>, badRows: Located<BadRowsPolicy>
    ) {
        self.name = name
        self.connector = connector
        self.format = format
        self.columns = columns
        self.eventTime = eventTime
        self.watermark = watermark
        self.filter = filter
        self.timeZone = timeZone
        self.badRows = badRows
    }
}

/// What becomes of a row that does not fit its columns, and of a record that is none.
package enum BadRowsPolicy: Hashable, Sendable {
    /// A field that does not fit is null and the row goes on; a record that is none is dropped.
    case null
    /// Spark's way: as `null`, but a record that is none, and a Kafka tombstone, is a row of nulls.
    case permissive
    /// Both are dropped.
    case drop
    /// Either ends the query.
    case fail
    case sink(String)

    /// True when a field that does not fit keeps its row back, so that every declared column is judged.
    package var judgesAllColumns: Bool {
        switch self {
        case .null, .permissive: false
        case .drop, .fail, .sink: true
        }
    }
}

package enum LateRowsPolicy: Hashable, Sendable {
    case drop
    case sink(String)
}

package enum RecordFormat: Hashable, Sendable {
    case json(JSONOptions = JSONOptions())
    case csv(CSVOptions)
    case avro(AvroOptions)
    case protobuf(ProtobufOptions)
}

package struct ProtobufOptions: Hashable, Sendable {
    package enum Framing: Hashable, Sendable {
        /// A value is a message and nothing else.
        case none
        /// Before each message five bytes, which name its schema, and the message's place in that.
        case confluent
    }

    /// The schema that the spec names; nil with a registry.
    package var schema: ProtobufSchema?
    /// With a schema what records are, by its whole name. With a registry nil: what each record says.
    package var message: String?
    package var framing: Framing
    /// Who knows the schemas that a topic's values name by number.
    package var registry: RegistrySpec?

    package init(
        schema: ProtobufSchema?, message: String?, framing: Framing, registry: RegistrySpec? = nil
    ) {
        self.schema = schema
        self.message = message
        self.framing = framing
        self.registry = registry
    }
}

package struct JSONOptions: Hashable, Sendable {
    /// Whose schemas a topic's values name: five bytes stand before the text. It is not asked, as JSON is read without.
    package var registry: RegistrySpec?

    package init(registry: RegistrySpec? = nil) { self.registry = registry }
}

package struct AvroOptions: Hashable, Sendable {
    package enum Framing: Hashable, Sendable {
        /// A value is a datum and nothing else.
        case none
        /// Five bytes before each datum, which name its schema.
        case confluent
        /// Container files, which have a schema of their own.
        case container
    }

    /// What a topic's values are written by; of container files what they are read as. nil: as each file says.
    package var schema: AvroSchema?
    package var framing: Framing
    /// Who knows the schemas that a topic's values name by number; then there is no `schema`.
    package var registry: RegistrySpec?

    package init(schema: AvroSchema?, framing: Framing, registry: RegistrySpec? = nil) {
        self.schema = schema
        self.framing = framing
        self.registry = registry
    }
}

package struct CSVOptions: Hashable, Sendable {
    /// One byte of ASCII, as are the next two; all different, but that the escape may be the quote.
    package var separator: UInt8 = UInt8(ascii: ",")
    /// nil: no field is in quotes.
    package var quote: UInt8? = UInt8(ascii: "\"")
    /// What makes a quote in quotes a part of the text. nil: a quote before it, as RFC 4180 has it; anything else is
    /// read as Spark reads it.
    package var escape: UInt8?
    /// True when each file's first line names the columns.
    package var hasHeader = false
    /// True when quotes may hold line ends.
    package var isMultiline = false
    /// A field without quotes that is null, besides an empty one.
    package var nullValue: String?

    package init(
        separator: UInt8 = UInt8(ascii: ","), quote: UInt8? = UInt8(ascii: "\""), escape: UInt8? = nil,
        hasHeader: Bool = false, isMultiline: Bool = false, nullValue: String? = nil
    ) {
        self.separator = separator
        self.quote = quote
        self.escape = escape
        self.hasHeader = hasHeader
        self.isMultiline = isMultiline
        self.nullValue = nullValue
    }
}

package enum JoinType: String, Hashable, Sendable, CaseIterable {
    case inner
    case leftOuter = "left outer"
    case rightOuter = "right outer"
    case fullOuter = "full outer"
    case leftSemi = "left semi"
    case leftAnti = "left anti"
}

/// Which of the rows of the new input that match a row are joined to it.
package enum JoinMatch: String, Hashable, Sendable, CaseIterable {
    case all
    /// One: the nearest in time, of two equally near the earlier.
    case nearest
    /// One: the last by event time.
    case latest
    /// One: the first by event time.
    case earliest
}

/// A pair of columns that must be equal.
package struct JoinKeySpec: Hashable, Sendable {
    package var left: Located<ColumnReference>
    package var right: Located<ColumnReference>
    /// Spark's `<=>`.
    package var isNullSafe: Bool

    package init(left: Located<ColumnReference>, right: Located<ColumnReference>, isNullSafe: Bool) {
        self.left = left
        self.right = right
        self.isNullSafe = isNullSafe
    }
}

package struct JoinSpec: Sendable {
    package var with: Located<String>
    /// Whether `with` is a table.
    package var isTable = false
    package var type: Located<JoinType>
    package var keys: [JoinKeySpec]
    /// A boolean expression over the two event times and durations only.
    package var within: Expression<ColumnReference>?
    package var windowMicros: Located<Int64>?
    /// The source whose event time stands for the left side in `window`; nil for that of `from`.
    package var windowSource: Located<String>?
    /// nil where the spec does not say it, which is `all`.
    package var match: Located<JoinMatch>?
    /// The residual predicate over both sides.
    package var filter: Expression<ColumnReference>?

    package init(
        with: Located<String>, type: Located<JoinType>, keys: [JoinKeySpec], within: Expression<ColumnReference>?,
        windowMicros: Located<Int64>?, filter: Expression<ColumnReference>?
    ) {
        self.with = with
        self.type = type
        self.keys = keys
        self.within = within
        self.windowMicros = windowMicros
        self.filter = filter
    }
}

package struct OutputColumnSpec: Sendable {
    package var name: String
    /// The names of the objects that it stands in, outermost first. Columns of one object follow one another.
    package var objects: [String]
    package var expression: Expression<ColumnReference>
    package var position: SourcePosition

    package init(
        name: String, objects: [String] = [], expression: Expression<ColumnReference>, position: SourcePosition
    ) {
        self.name = name
        self.objects = objects
        self.expression = expression
        self.position = position
    }
}

package enum TriggerSpec: Hashable, Sendable {
    case interval(micros: Int64)
    case asFastAsPossible
    case once
    case availableNow
}

package enum WatermarkPolicy: String, Hashable, Sendable {
    case min
    case max
}

package struct StateSpec: Hashable, Sendable {
    /// A power of two, or nil for the planner's choice.
    package var shards: Located<Int>?
    package var maxBytes: Int64?
    package var retainBatches = 100

    package init() {}
}

package struct QuerySpec: Sendable {
    package enum FailurePolicy: String, Hashable, Sendable {
        case restart
        case stop
    }

    package var name: Located<String>
    /// The spec file it stands in.
    package var file: String
    package var from: Located<String>
    package var joins: [JoinSpec] = []
    /// After the joins.
    package var filter: Expression<ColumnReference>?
    /// Never empty: all columns, left then right, unless the spec selects.
    package var select: [OutputColumnSpec] = []
    package var trigger: Located<TriggerSpec>
    /// The query's own folder; resolved against the spec file's folder.
    package var checkpoint: String
    package var watermarkPolicy: WatermarkPolicy = .min
    package var late: Located<LateRowsPolicy>
    package var sinks: [Located<String>] = []
    package var state = StateSpec()
    package var onFailure: FailurePolicy = .restart
    /// The consumer group that shows how far the query is; it shows only.
    package var group: String

    package init(
        name: Located<String>, file: String, from: Located<String>, trigger: Located<TriggerSpec>, checkpoint: String,
        late: Located<LateRowsPolicy>
    ) {
        self.name = name
        self.file = file
        self.from = from
        self.trigger = trigger
        self.checkpoint = checkpoint
        self.late = late
        group = "sluice-\(name.value)"
    }
}

package struct SinkSpec: Sendable {
    package var name: Located<String>
    package var connector: any SinkConnector
    package var format: OutputFormat

    package init(name: Located<String>, connector: any SinkConnector, format: OutputFormat) {
        self.name = name
        self.connector = connector
        self.format = format
    }
}

package enum OutputFormat: Hashable, Sendable {
    case json(timeZone: String, writesNulls: Bool)
    case csv(timeZone: String, separator: UInt8, writesHeader: Bool)
    case avro(AvroOutput)
}

package struct AvroOutput: Hashable, Sendable {
    /// What rows are written by; nil in a spec where it follows from the query's columns, never in a plan.
    package var schema: SchemaText?
    /// Who gives the schema its number, which then stands before each value.
    package var registry: RegistrySpec?
    /// How the blocks of container files are packed.
    package var codec: AvroCodec

    package init(schema: SchemaText? = nil, registry: RegistrySpec? = nil, codec: AvroCodec = .null) {
        self.schema = schema
        self.registry = registry
        self.codec = codec
    }
}

extension RecordFormat {
    /// As a spec names it.
    package var name: String {
        switch self {
        case .json: "json"
        case .csv: "csv"
        case .avro: "avro"
        case .protobuf: "protobuf"
        }
    }
}

extension OutputFormat {
    /// As a spec names it.
    package var name: String {
        switch self {
        case .json: "json"
        case .csv: "csv"
        case .avro: "avro"
        }
    }

    /// Of the files that a file sink writes.
    package var fileExtension: String {
        switch self {
        case .json: "jsonl"
        case .csv: "csv"
        case .avro: "avro"
        }
    }

    /// Whether a column may stand in an object.
    package var hasObjects: Bool {
        switch self {
        case .json, .avro: true
        case .csv: false
        }
    }

    package var timeZone: String {
        switch self {
        case .json(let timeZone, _), .csv(let timeZone, _, _): timeZone
        case .avro: "UTC"
        }
    }
}
