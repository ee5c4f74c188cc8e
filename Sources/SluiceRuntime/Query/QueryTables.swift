// The tables that a query looks up: looked at before every batch, taken whole when they have changed, durable in the
// checkpoint before the offsets that name their version are, and shared with the other queries of the process.

internal import SluiceCheckpoint
internal import SluiceConnectors
internal import SluiceEngine
internal import SluicePlan
internal import SluiceSpec
internal import SluiceSystem
internal import Synchronization

/// A table that cannot be read, or is not what it says.
package struct TableError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A stable name such as `table-missing`.
    package var code: String
    package var description: String
    /// Whether the same may go well a moment later.
    package var isRetriable = false
}

extension TableError {
    /// What stands in the way of reading a table.
    fileprivate init(_ table: String, _ error: any Error) {
        self.init(
            code: errorCode(error), description: "table `\(table)` cannot be read: \(error)",
            isRetriable: SluiceRuntime.isRetriable(error))
    }
}

/// Rows of tables that queries of one process use now, by what they are of.
package final class TableCache: Sendable {
    private struct Key: Hashable {
        var table: TablePlan
        var path: String
        var signature: String
    }

    private struct Weak: Sendable {
        weak var rows: TableRows?
    }

    private let known = Mutex<[Key: Weak]>([:])

    package init() {}

    /// The rows that some query has read of the same files, or what `read` gives.
    func rows(
        _ table: TablePlan, path: String, signature: String, read: () throws -> TableRows
    ) rethrows -> TableRows {
        let key = Key(table: table, path: path, signature: signature)
        if let rows = known.withLock({ $0[key]?.rows }) { return rows }
        let rows = try read()
        known.withLock { known in
            known = known.filter { $0.value.rows != nil }
            known[key] = Weak(rows: rows)
        }
        return rows
    }
}

/// The tables of one query. Used by its thread.
final class QueryTables {
    /// One table: how it is read, and what the next batch joins.
    private struct Entry {
        let number: Int
        let plan: TablePlan
        let path: String
        let read: () throws -> any InputBytes
        /// The newest version that there is; -1 for none.
        var version: Int64 = -1
        /// Of the rows that the executor has.
        var signature: String?
        /// Of the files of that version, once known.
        var rows: TableRows?
    }

    private let plan: PhysicalPlan
    private let environment: QueryEnvironment
    private let executor: BatchExecutor
    private let checkpoint: Checkpoint
    private let log: Log
    private let triesMax = 5
    private var entries: [Entry]

    init(
        _ query: RunnableQuery, _ environment: QueryEnvironment, _ executor: BatchExecutor, _ checkpoint: Checkpoint,
        newest: OffsetsEntry?
    ) {
        plan = query.plan
        self.environment = environment
        self.executor = executor
        self.checkpoint = checkpoint
        log = environment.log.with([.query: .string(query.plan.query)])
        entries = zip(query.plan.tables.indices, query.tables).map { number, table in
            Entry(
                number: number, plan: query.plan.tables[number], path: table.path, read: table.open,
                version: newest?.tables[query.plan.tables[number].name] ?? -1)
        }
    }

    /// Takes over what has changed. Returns the versions that the next batch joins.
    func look() throws -> [String: Int64] {
        if entries.isEmpty { return [:] }
        for index in entries.indices { try look(index) }
        return Dictionary(entries.map { ($0.plan.name, $0.version) }, uniquingKeysWith: { first, _ in first })
    }

    /// Brings back what a batch that runs again has joined.
    func restore(_ versions: [String: Int64]) throws {
        for index in entries.indices {
            guard let version = versions[entries[index].plan.name] else {
                throw TableError(
                    code: "table-not-in-batch",
                    description: "table `\(entries[index].plan.name)` was not part of the batch that runs again: "
                        + "start the query once with the spec as it was")
            }
            try restore(index, version)
        }
    }

    private func restore(_ index: Int, _ version: Int64) throws {
        let entry = entries[index]
        let declared = plan.columns(of: .table(entry.number))
        let stored = try checkpoint.readTable(entry.plan.name, version: version, declared: declared)
        let rows = try TableRows(stored: stored.bytes, columns: stored.columns, of: entry.plan)
        try use(rows, index)
        entries[index].signature = stored.signature
        entries[index].version = version
    }

    private func look(_ index: Int) throws {
        if entries[index].plan.reload == .never, entries[index].rows != nil { return }
        let (name, path) = (entries[index].plan.name, entries[index].path)
        for _ in 0..<triesMax {
            guard let signature = try signature(name, path) else {
                throw TableError(
                    code: "table-missing",
                    description: "table `\(name)` cannot be read: there is nothing at \(path) (put the files there, or "
                        + "correct `path`)", isRetriable: true)
            }
            if entries[index].rows != nil, entries[index].signature == signature { return }
            if try resume(index, signature) { return }
            let rows = try environment.tables.rows(entries[index].plan, path: path, signature: signature) {
                try read(index)
            }
            // Whole files or none: what has changed meanwhile is read again.
            guard try self.signature(name, path) == signature else { continue }
            try take(rows, signature, index)
            return
        }
        throw TableError(
            code: "table-changing",
            description: "table `\(name)` changes faster than it can be read (write its files elsewhere, and "
                + "rename them to where the table is)", isRetriable: true)
    }

    private func signature(_ name: String, _ path: String) throws -> String? {
        do throws(FileError) { return try tableSignature(path: path, environment.fileSystem) } catch {
            throw TableError(name, error)
        }
    }

    /// After a start, what the checkpoint has is used where the files are still the same.
    private func resume(_ index: Int, _ signature: String) throws -> Bool {
        let entry = entries[index]
        guard entry.rows == nil, entry.version >= 0 else { return false }
        let declared = plan.columns(of: .table(entry.number))
        guard let stored = try? checkpoint.readTable(entry.plan.name, version: entry.version, declared: declared),
            entry.plan.reload == .never || stored.signature == signature, stored.columns == declared
        else { return false }
        try restore(index, entry.version)
        return true
    }

    private func read(_ index: Int) throws -> TableRows {
        let entry = entries[index]
        do {
            let (limit, query) = (environment.memoryLimit, plan.query)
            return try TableRows(entry.plan, from: try entry.read(), zones: environment.zones) {
                limit?.mustStop(query) ?? false
            }
        } catch { throw TableError(entry.plan.name, error) }
    }

    private func take(_ rows: TableRows, _ signature: String, _ index: Int) throws {
        try use(rows, index)
        let version = entries[index].version + 1
        unsafe try checkpoint.writeTable(
            entries[index].plan.name, version: version, signature: signature, columns: rows.columns, rows.stored)
        entries[index].version = version
        entries[index].signature = signature
        log.info(
            "A table was read",
            [
                .table: .string(entries[index].plan.name), .version: .integer(version),
                .count: .integer(Int64(rows.rowCount)),
            ])
        guard rows.badCount > 0, let first = rows.firstBad else { return }
        log.warning(
            "Some rows of a table are bad",
            [
                .table: .string(entries[index].plan.name), .place: .string(first.place),
                .reason: .string(first.reason), .count: .integer(Int64(rows.badCount)),
            ])
    }

    private func use(_ rows: TableRows, _ index: Int) throws {
        let number = entries[index].number
        for stage in plan.stages {
            guard let lookup = stage.lookup, lookup.table == number else { continue }
            let left = plan.columns(of: stage)[0].map(\.type)
            do throws(TableIndex.Duplicate) {
                executor.setTable(
                    number,
                    try TableIndex(rows, lookup, leftTypes: left, isUnique: entries[index].plan.isUnique))
            } catch {
                throw TableError(
                    code: "table-not-unique",
                    description: "table `\(entries[index].plan.name)` says `unique: true`, and its rows "
                        + "\(error.numbers[0]) and \(error.numbers[1]) both have \(error.values) (remove one of "
                        + "them, or `unique: true`: every row then joins)")
            }
        }
        entries[index].rows = rows
    }
}

extension LogKey {
    static let table = LogKey("sluice.table")
    static let version = LogKey("sluice.version")
}
