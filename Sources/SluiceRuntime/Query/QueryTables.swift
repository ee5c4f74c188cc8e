// The tables that a query looks up: looked at before every batch, taken whole when they have changed, and durable in
// the checkpoint before the offsets that name their version are. How each kind of table does that: FileTable,
// TopicTable.

internal import SluiceCheckpoint
internal import SluiceConnectors
internal import SluiceEngine
internal import SluicePlan
internal import SluiceSpec
internal import SluiceSystem

/// One table of a query.
protocol QueryTable: AnyObject {
    var place: TablePlace { get }
    /// The newest version that there is; -1 for none.
    var version: Int64 { get }
    /// What it takes in memory; nil before it was read.
    var size: TableSize? { get }

    /// Takes over what has changed.
    func look() throws
    /// Brings back a version that a batch has joined.
    func restore(_ version: Int64) throws
}

/// How large a table is in memory.
struct TableSize {
    var rows: Int
    /// Of rows and index.
    var byteCount: Int
}

/// Where a table stands in its query, and what it works with.
struct TablePlace {
    let number: Int
    let plan: PhysicalPlan
    let environment: QueryEnvironment
    let executor: BatchExecutor
    let checkpoint: Checkpoint
    let log: Log
    /// Whether it stays as the checkpoint has it, once it is there.
    let isFixed: Bool
    /// How rows are made of what is read, as the spec says now.
    let definition: String

    init(
        _ number: Int, _ query: RunnableQuery, _ environment: QueryEnvironment, _ executor: BatchExecutor,
        _ checkpoint: Checkpoint, _ log: Log
    ) {
        let table = query.plan.tables[number]
        self.number = number
        plan = query.plan
        self.environment = environment
        self.executor = executor
        self.checkpoint = checkpoint
        self.log = log
        isFixed = table.reload == .never || query.keepsTables
        definition = table.definition
    }

    var table: TablePlan { plan.tables[number] }
    var name: String { table.name }

    /// The keys of the lookup that reads it, without rows.
    func keys(capacity: Int) -> TableKeys {
        for stage in plan.stages {
            guard let lookup = stage.lookup, lookup.table == number else { continue }
            let left = plan.columns(of: stage)[0].map(\.type)
            return TableKeys(
                lookup, columns: table.columns, leftTypes: left, isUnique: table.isUnique, capacity: capacity)
        }
        preconditionFailure("a table is looked up")
    }

    func stored(_ version: Int64) throws(CheckpointError) -> StoredTable {
        try checkpoint.readTable(name, version: version, declared: table.columns)
    }

    /// Whether the rows of a version were made as the spec says now.
    func isCurrent(_ stored: StoredTable) -> Bool {
        stored.definition == definition && stored.parts.allSatisfy { $0.columns == table.columns }
    }

    var isMemoryShort: @Sendable () -> Bool {
        let (limit, query) = (environment.memoryLimit, plan.query)
        return { limit?.mustStop(query) ?? false }
    }

    /// Says that all of a table was read.
    func didRead(_ version: Int64, rows: Int) {
        log.info(
            "A table was read",
            [.table: .string(name), .version: .integer(version), .count: .integer(Int64(rows))])
    }

    func warn(ofBad badCount: Int, _ firstBad: RecordSample?) {
        guard badCount > 0, let firstBad else { return }
        log.warning(
            "Some rows of a table are bad",
            [
                .table: .string(name), .place: .string(firstBad.place), .reason: .string(firstBad.reason),
                .count: .integer(Int64(badCount)),
            ])
    }
}

/// The tables of one query. Used by its thread.
final class QueryTables {
    private let tables: [any QueryTable]
    private let clock: any Clock
    /// When each was taken over, in the clock's monotonic time, and as which version.
    private var taken: [(version: Int64, nanos: UInt64)]

    init(
        _ query: RunnableQuery, _ environment: QueryEnvironment, _ executor: BatchExecutor, _ checkpoint: Checkpoint,
        newest: OffsetsEntry?
    ) {
        let log = environment.log.with([.query: .string(query.plan.query)])
        clock = environment.clock
        tables = zip(query.plan.tables.indices, query.tables).map { number, input in
            let place = TablePlace(number, query, environment, executor, checkpoint, log)
            let version = newest?.tables[place.name] ?? -1
            return switch input {
            case .files(let path, let open):
                FileTable(place, path: path, open: open, version: version)
            case .topic(let topic, let open):
                TopicTable(
                    place, topic: topic, open: open, version: version, lastLookMillis: newest?.batchTimeMillis)
            }
        }
        taken = tables.map { _ in (-1, 0) }
    }

    /// Takes over what has changed. Returns the versions that the next batch joins.
    func look() throws -> [String: Int64] {
        if tables.isEmpty { return [:] }
        for table in tables { try table.look() }
        note()
        return Dictionary(tables.map { ($0.place.name, $0.version) }, uniquingKeysWith: { first, _ in first })
    }

    /// Brings back what a batch that runs again has joined.
    func restore(_ versions: [String: Int64]) throws {
        for table in tables {
            guard let version = versions[table.place.name] else {
                throw TableError(
                    code: "table-not-in-batch",
                    description: "table `\(table.place.name)` was not part of the batch that runs again: "
                        + "start the query once with the spec as it was")
            }
            try table.restore(version)
        }
        note()
    }

    private func note() {
        for (index, table) in tables.enumerated() where taken[index].version != table.version {
            taken[index] = (table.version, clock.monotonicNanos)
        }
    }

    /// What a batch has joined.
    var facts: [QueryProgress.Table] {
        tables.enumerated().map { index, table in
            QueryProgress.Table(
                name: table.place.name, rows: table.size?.rows ?? 0, byteCount: table.size?.byteCount ?? 0,
                version: table.version, ageMillis: Int64((clock.monotonicNanos - taken[index].nanos) / 1_000_000))
        }
    }
}

extension TablePlan {
    /// How rows are made of what is read: rows that were made otherwise are read anew. What a schema says that a format
    /// names is not part of it.
    fileprivate var definition: String {
        var parts = [origin, input.format.definition, input.timeZone, "\(input.badRows)", key.joined(separator: ",")]
        parts += input.columns.map { "\($0.name) \($0.type) \($0.origin) \($0.form)" }
        parts += input.computed.map { "\($0.slot) \($0.expression.text { slot in input.columns[slot.index].name })" }
        if let filter = input.filterBelowWatermark { parts.append(filter.text { input.columns[$0.index].name }) }
        return parts.joined(separator: "\n")
    }
}

extension RecordFormat {
    fileprivate var definition: String {
        switch self {
        case .json: "json"
        case .csv(let options): "csv \(options)"
        case .avro(let options): "avro \(options.framing)"
        case .protobuf(let options): "protobuf \(options.framing) \(options.message ?? "")"
        }
    }
}

extension LogKey {
    static let table = LogKey("sluice.table")
    static let version = LogKey("sluice.version")
}
