// A table of files: read whole when any of them has changed, and shared with the other queries of the process.

internal import SluiceCheckpoint
internal import SluiceConnectors
internal import SluiceEngine
internal import SluicePlan
internal import SluiceSpec
internal import SluiceSystem
internal import Synchronization

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

final class FileTable: QueryTable {
    let place: TablePlace
    private(set) var version: Int64
    private let path: String
    private let open: () throws -> any InputBytes
    /// Of the rows in hand.
    private var signature = ""
    private var rows: TableRows?
    /// True for rows that were made as the spec says now.
    private var isCurrent = false
    private var indexByteCount = 0
    private static let triesMax = 5

    init(_ place: TablePlace, path: String, open: @escaping () throws -> any InputBytes, version: Int64) {
        self.place = place
        self.path = path
        self.open = open
        self.version = version
    }

    var size: TableSize? {
        rows.map { TableSize(rows: $0.rowCount, byteCount: $0.byteCount + indexByteCount) }
    }

    func restore(_ version: Int64) throws {
        let stored = try place.stored(version)
        // A content of files is one part.
        let part = stored.parts[stored.parts.count - 1]
        let rows = try TableRows(stored: part.bytes, columns: part.columns, of: place.table)
        do throws(DuplicateRows) { try use(rows) } catch { throw TableError(place.name, error, places: nil) }
        signature = stored.signature
        isCurrent = place.isCurrent(stored)
        self.version = version
    }

    func look() throws {
        if place.isFixed, rows != nil, isCurrent { return }
        if place.isFixed, try resume(nil) { return }
        for _ in 0..<Self.triesMax {
            guard let signature = try lookAtFiles() else {
                throw TableError(
                    code: "table-missing",
                    description: "table `\(place.name)` cannot be read: there is nothing at \(path) (put the files "
                        + "there, or correct `path`)", isRetriable: true)
            }
            if rows != nil, isCurrent, self.signature == signature { return }
            if try resume(signature) { return }
            let rows = try place.environment.tables.rows(place.table, path: path, signature: signature, read: read)
            // Whole files or none: what has changed meanwhile is read again.
            guard try lookAtFiles() == signature else { continue }
            try take(rows, signature)
            return
        }
        throw TableError(
            code: "table-changing",
            description: "table `\(place.name)` changes faster than it can be read (write its files elsewhere, and "
                + "rename them to where the table is)", isRetriable: true)
    }

    private func lookAtFiles() throws -> String? {
        do throws(FileError) { return try tableSignature(path: path, place.environment.fileSystem) } catch {
            throw TableError(place.name, error)
        }
    }

    /// After a start, what the checkpoint has is used where the files are still the same.
    /// - Parameter wanted: what the files look like; nil where that does not matter.
    private func resume(_ wanted: String?) throws -> Bool {
        guard rows == nil, version >= 0, let stored = try? place.stored(version),
            wanted == nil || stored.signature == wanted, place.isCurrent(stored)
        else { return false }
        do { try restore(version) } catch let error as TableError where error.code == "table-not-unique" {
            // Reading them says where they are.
            return false
        }
        return true
    }

    private func read() throws -> TableRows {
        do {
            return try TableRows(
                place.table, from: try open(), zones: place.environment.zones, isMemoryShort: place.isMemoryShort)
        } catch { throw TableError(place.name, error) }
    }

    private func take(_ rows: TableRows, _ signature: String) throws {
        do throws(DuplicateRows) { try use(rows) } catch {
            let bytes = try? open()
            let places = bytes.map { bytes in error.numbers.compactMap { rows.place($0, in: bytes) } }
            throw TableError(place.name, error, places: places?.count == 2 ? places : nil)
        }
        let next = TableVersion(
            table: place.name, version: version + 1, signature: signature, definition: place.definition,
            columns: rows.columns)
        _ = unsafe try place.checkpoint.writeTable(next, rows.stored)
        version = next.version
        self.signature = signature
        isCurrent = true
        place.didRead(version, rows: rows.rowCount)
        place.warn(ofBad: rows.badCount, rows.firstBad)
    }

    private func use(_ rows: TableRows) throws(DuplicateRows) {
        var keys = place.keys(capacity: rows.rowCount)
        try keys.insertAll(of: rows)
        place.executor.setTable(place.number, keys.index(of: rows))
        indexByteCount = keys.byteCount
        self.rows = rows
    }
}
