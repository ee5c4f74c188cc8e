// The one list of what `check` can find in a spec's text. The names are part of the command line's contract: tools
// filter by them, so a code is never renamed and never gets a second meaning. The planner adds its own.

/// The stable name of a kind of finding; `rawValue` is what diagnostics print.
package enum DiagnosticCode: String, CaseIterable, Sendable {
    // YAML
    /// The text is not YAML; nothing more was read from that file.
    case yamlSyntax = "yaml-syntax"
    /// The file is not UTF-8.
    case invalidUTF8 = "invalid-utf8"
    /// A tab where YAML wants spaces.
    case tab
    /// A key that its map already has.
    case duplicateKey = "duplicate-key"
    /// A key that is not a plain text.
    case badKey = "bad-key"
    /// A second `---` document in one file.
    case multipleDocuments = "multiple-documents"
    /// `*name` without an earlier `&name`.
    case undefinedAlias = "undefined-alias"
    /// An alias inside the node it names.
    case recursiveAlias = "recursive-alias"
    /// Aliases expand to more nodes than a spec can need.
    case aliasBomb = "alias-bomb"
    /// Nesting, in YAML or in an expression, beyond the limit.
    case tooDeep = "too-deep"
    /// A file beyond the size limit.
    case tooLarge = "too-large"
    /// A comma that ends a text inside `{…}` or `[…]`, where it was meant to be part of it.
    case tornText = "torn-text"
    /// A pipe, a device or a folder where a spec file belongs.
    case notAFile = "not-a-file"
    /// `<<` with something else than a map or a list of maps.
    case badMerge = "bad-merge"
    /// A YAML tag such as `!custom`.
    case unsupportedTag = "unsupported-tag"

    // Structure
    /// `sluice: 1` is missing or not the first key.
    case missingVersion = "missing-version"
    /// A version of the format that this program does not know.
    case badVersion = "bad-version"
    /// A key that has no meaning where it stands.
    case unknownKey = "unknown-key"
    /// A key that must be there is not.
    case missingKey = "missing-key"
    /// A key without a value.
    case missingValue = "missing-value"
    /// A map where a list belongs, a list where a text belongs, and so on.
    case wrongShape = "wrong-shape"
    /// A name that was given before, maybe in another file.
    case duplicateName = "duplicate-name"
    /// A name with characters that names cannot have.
    case badName = "bad-name"
    /// No connector, or more than one.
    case connectorCount = "connector-count"
    /// No file has a query.
    case noQueries = "no-queries"
    /// Something the format has and this version cannot run.
    case notSupportedYet = "not-supported-yet"

    // Values
    /// Not a duration, or a number without its unit.
    case badDuration = "bad-duration"
    /// Not a size such as `64MiB`.
    case badSize = "bad-size"
    /// Not a whole number.
    case badCount = "bad-count"
    /// Neither `true` nor `false`.
    case badBoolean = "bad-boolean"
    /// Not a point in time.
    case badTimestamp = "bad-timestamp"
    /// Not one of the words a key allows.
    case unknownWord = "unknown-word"
    /// Not the name of a column type.
    case unknownType = "unknown-type"
    /// A column that is computed from itself.
    case circularColumn = "circular-column"
    /// Not a path into a record.
    case badPath = "bad-path"
    /// Not a schema of a format.
    case badSchema = "bad-schema"
    /// A file with a schema that could not be read.
    case unreadableSchema = "unreadable-schema"
    /// A column that the schema does not have, or has as something else.
    case schemaColumn = "schema-column"
    /// Not the form of a time zone's name.
    case badTimeZone = "bad-time-zone"
    /// A value of the right kind outside its limits.
    case outOfRange = "out-of-range"
    /// A time without a unit whose name says one.
    case unitInName = "unit-in-name"

    /// Not the address of a server.
    case badURL = "bad-url"

    // References
    /// A `${…}` that has none of the known forms.
    case badReference = "bad-reference"
    /// An environment variable that is not set.
    case missingVariable = "missing-variable"
    /// A `${file:…}` that could not be read.
    case unreadableSecret = "unreadable-secret"

    // Names
    /// No source has this name.
    case unknownSource = "unknown-source"
    /// No sink has this name.
    case unknownSink = "unknown-sink"
    /// No column has this name.
    case unknownColumn = "unknown-column"
    /// A column name that more than one input has.
    case ambiguousColumn = "ambiguous-column"
    /// No function has this name, or it is an aggregate.
    case unknownFunction = "unknown-function"

    // Expressions
    /// The text is not an expression.
    case expressionSyntax = "expression-syntax"
    /// Operands whose types do not go together.
    case typeMismatch = "type-mismatch"
    /// A function with the wrong number or kind of arguments.
    case badArgument = "bad-argument"
    /// A constant that is wrong in itself, such as a date that does not exist.
    case badLiteral = "bad-literal"
    /// A comparison with `null`, which is never true.
    case comparisonWithNull = "comparison-with-null"
    /// A timestamp without a zone in a source with a time zone.
    case zonelessTimestamp = "zoneless-timestamp"

    // Meaning
    /// Two output columns with one name.
    case duplicateOutput = "duplicate-output"
    /// A source joined with itself under one name.
    case selfJoin = "self-join"
    /// A join without `keys` and without `window`.
    case joinWithoutEquality = "join-without-equality"
    /// Key columns whose types cannot be equal.
    case keyType = "key-type"
    /// Something in `within` that is not a comparison of the two event times.
    case withinForm = "within-form"
    /// A time condition on a source that declares no event time.
    case noEventTime = "no-event-time"
    /// An event time that is not a timestamp, or not the watermark's column.
    case eventTime = "event-time"
    /// Two settings that contradict each other.
    case conflictingKeys = "conflicting-keys"
    /// A `match` of one row in a join where nothing says which one, or when it comes out.
    case matchCondition = "match-condition"
    /// A join with a table of a type that has no answer.
    case tableJoinType = "table-join-type"
    /// Something that only a Kafka source has.
    case kafkaOnly = "kafka-only"
    /// A librdkafka option that would break what Sluice promises.
    case refusedOption = "refused-option"
    /// A watermark per partition that a silent partition would hold back.
    case idlePartition = "idle-partition"
    /// Two queries that would overwrite each other's output files.
    case sharedSinkPath = "shared-sink-path"
    /// A query that reads what it writes.
    case readsOwnOutput = "reads-own-output"
    /// A checkpoint folder that something else uses too.
    case sharedCheckpoint = "shared-checkpoint"
    /// Standard input read by more than one query.
    case sharedStandardInput = "shared-stdin"
    /// Standard input cannot be read again after a crash.
    case noReplay = "no-replay"
    /// A deduplication that never forgets a value.
    case keepsForever = "keeps-forever"
    /// A source that no query reads.
    case unusedSource = "unused-source"
    /// A table that no query looks up.
    case unusedTable = "unused-table"
    /// A sink that no query writes to.
    case unusedSink = "unused-sink"
}

extension Diagnostic {
    /// A finding with a code of the list.
    package init(
        _ severity: Severity, _ code: DiagnosticCode, at position: SourcePosition, length: Int = 1, _ message: String,
        fix: String? = nil
    ) {
        self.init(severity, code: code.rawValue, at: position, length: length, message, fix: fix)
    }
}

/// Gathers findings from all stages of one reading.
final class DiagnosticCollector {
    private(set) var all: [Diagnostic] = []

    func error(_ code: DiagnosticCode, at place: Place, _ message: String, fix: String? = nil) {
        all.append(Diagnostic(.error, code, at: place.position, length: place.length, message, fix: fix))
    }

    func add(_ diagnostic: Diagnostic) { all.append(diagnostic) }

    func warning(_ code: DiagnosticCode, at place: Place, _ message: String, fix: String? = nil) {
        all.append(Diagnostic(.warning, code, at: place.position, length: place.length, message, fix: fix))
    }

    /// Sorted by place, each finding once: an anchor's content is read at each of its aliases.
    func sorted() -> [Diagnostic] {
        var seen: Set<Diagnostic> = []
        return all.filter { seen.insert($0).inserted }.enumerated()
            .sorted { ($0.element.position, $0.offset) < ($1.element.position, $1.offset) }
            .map(\.element)
    }
}
