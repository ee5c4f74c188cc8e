// tables/<name>-<version>.gz: what a table was when a batch first used that version of it, written and durable before
// the batch's offsets are, which name it. A replay joins what the batch joined, whatever has become of the table.
//
//     devices-7.gz            all rows
//     devices-8.changes.gz    what has changed since version 7
//
// A file is two gzip members: a header in JSON, then the rows or the changes. Changes name the checksum of the file
// that they change. Versions count up from 0, and are removed once no batch that can be rolled back to needs them: it
// needs the newest content up to the version that it names, and the changes behind that.

internal import SluiceEngine
package import SluicePlan
internal import SluiceSpec
internal import SluiceSystem
internal import Synchronization

/// One version of a table, as the checkpoint has it.
package struct StoredTable: Sendable {
    package struct Part: Sendable {
        package var columns: [RowColumn]
        /// Of a content `TableRows.stored` or `TopicRows.stored`, of changes those of `TopicRows.apply`.
        package var bytes: [UInt8]
    }

    package var version: Int64
    /// What the table's files looked like when it was read, or up to where its topic was: equal while they are the
    /// same.
    package var signature: String
    /// How its rows are made from what is read, in a form of the runtime's own; "" in files of earlier versions.
    package var definition: String
    /// A content, then lists of changes.
    package var parts: [Part]
    /// Of the newest file.
    package var checksum: UInt32
}

/// A version of a table on its way to the checkpoint.
package struct TableVersion {
    package var table: String
    package var version: Int64
    package var signature: String
    package var definition: String
    package var columns: [RowColumn]
    /// Of the file of the version before, where only changes are written; nil for a content.
    package var changedChecksum: UInt32?

    package init(
        table: String, version: Int64, signature: String, definition: String, columns: [RowColumn],
        changedChecksum: UInt32? = nil
    ) {
        self.table = table
        self.version = version
        self.signature = signature
        self.definition = definition
        self.columns = columns
        self.changedChecksum = changedChecksum
    }
}

/// The name of a file in `tables/`.
struct TableFileName: Hashable, CustomStringConvertible {
    /// `plainFileName` of the table.
    var table: String
    var version: Int64
    var isChanges: Bool

    init(_ table: String, _ version: Int64, isChanges: Bool) {
        self.table = plainFileName(table)
        self.version = version
        self.isChanges = isChanges
    }

    init?(_ name: String) {
        guard name.hasSuffix(Self.suffix) else { return nil }
        var rest = name.dropLast(Self.suffix.count)
        isChanges = rest.hasSuffix(Self.changes)
        if isChanges { rest = rest.dropLast(Self.changes.count) }
        guard let dash = rest.lastIndex(of: "-"), let version = batchNumber(rest[rest.index(after: dash)...]) else {
            return nil
        }
        table = String(rest[..<dash])
        self.version = version
    }

    var description: String { "\(table)-\(version)\(isChanges ? Self.changes : "")\(Self.suffix)" }

    private static let suffix = ".gz"
    private static let changes = ".changes"

    /// Which of the files make up a version, oldest first; nil when one of them is not there.
    static func chain(of version: Int64, table: String, in names: [TableFileName]) -> [TableFileName]? {
        let own = names.filter { $0.table == plainFileName(table) && $0.version <= version }
        guard let content = own.filter({ !$0.isChanges }).map(\.version).max() else { return nil }
        var chain = [TableFileName(table, content, isChanges: false)]
        for number in content..<version { chain.append(TableFileName(table, number + 1, isChanges: true)) }
        return Set(chain).isSubset(of: own) ? chain : nil
    }
}

extension Checkpoint {
    // MARK: Writing

    /// Writes a version of a table; durable on return. The rows are borrowed until then. O(rows).
    /// - Returns: the checksum that changes of it name.
    package func writeTable(
        _ table: TableVersion, _ rows: UnsafeRawBufferPointer
    ) throws(CheckpointError) -> UInt32 {
        let text = unsafe header(table, rows).text()
        let members = unsafe [stateFolder.compress(text), stateFolder.compress(rows)]
        let name = TableFileName(table.table, table.version, isChanges: table.changedChecksum != nil)
        let other = TableFileName(table.table, table.version, isChanges: table.changedChecksum == nil)
        let path = "\(folder)/\(FolderLayout.tables)/\(name)"
        do throws(FileError) {
            try fileSystem.makeFolders("\(folder)/\(FolderLayout.tables)")
            // What a crash or a rollback has left of this version, and no batch names.
            try fileSystem.remove("\(folder)/\(FolderLayout.tables)/\(other)")
            let temporary = path + FolderLayout.temporarySuffix
            unsafe try fileSystem.write(temporary, members.map { unsafe $0.buffer.bytes })
            withExtendedLifetime(members) {}
            try fileSystem.sync(temporary)
            try fileSystem.rename(temporary, to: path)
            try fileSystem.syncFolder("\(folder)/\(FolderLayout.tables)")
            try fileSystem.syncFolder(folder)
        } catch { throw .file(error) }
        return crc32(text)
    }

    private func header(_ table: TableVersion, _ rows: UnsafeRawBufferPointer) -> JSONValue {
        let batch = (book.withLock { $0.committed?.batch } ?? noBatch) + 1
        let columns = table.columns.map { column in
            JSONValue.object([
                JSONMember("name", .string(column.name.column)), JSONMember("type", .string("\(column.type)")),
            ])
        }
        return .object(
            metadata.origin(at: batch).members + [
                JSONMember("batch", .integer(batch)), JSONMember("table", .string(table.table)),
                JSONMember("version", .integer(table.version)), JSONMember("signature", .string(table.signature)),
                JSONMember("definition", .string(table.definition)),
                JSONMember("rawBytes", .integer(Int64(rows.count))),
                JSONMember("rowsChecksum", .integer(Int64(unsafe crc32(rows)))),
                JSONMember("changed", .optional(table.changedChecksum.map { Int64($0) })),
                JSONMember("columns", .array(columns)),
            ])
    }

    // MARK: Reading

    /// A version of a table that a batch has used. Columns are found by name and type.
    /// - Parameter declared: the table's columns as they are now.
    package func readTable(
        _ table: String, version: Int64, declared: [RowColumn]
    ) throws(CheckpointError) -> StoredTable {
        let subfolder = "\(folder)/\(FolderLayout.tables)"
        let names: [TableFileName]
        do throws(FileError) { names = try fileSystem.list(subfolder).compactMap { TableFileName($0) } } catch {
            throw .file(error)
        }
        guard let chain = TableFileName.chain(of: version, table: table, in: names) else {
            throw .missing(
                path: "\(subfolder)/\(TableFileName(table, version, isChanges: false))",
                reason: "a batch has joined this version of the table, or changes lead to it")
        }
        var stored: StoredTable?
        for name in chain {
            let path = "\(subfolder)/\(name)"
            let (json, checksum, part) = try readPart(path, table, name, declared)
            do throws(JSONError) {
                if let stored, try json.integer("changed") != Int64(stored.checksum) {
                    throw JSONError("it changes another version \(stored.version) than is there")
                }
                stored = StoredTable(
                    version: name.version, signature: try json.string("signature"),
                    definition: json["definition"] == nil ? "" : try json.string("definition"),
                    parts: (stored?.parts ?? []) + [part], checksum: checksum)
            } catch { throw .corrupt(path: path, reason: error.description) }
        }
        guard let stored else { preconditionFailure("a chain has a content") }
        return stored
    }

    private func readPart(
        _ path: String, _ table: String, _ name: TableFileName, _ declared: [RowColumn]
    ) throws(CheckpointError) -> (JSONValue, UInt32, StoredTable.Part) {
        let file: [UInt8]
        do throws(FileError) { file = try fileSystem.readAll(path) } catch { throw .file(error) }
        guard let (text, rest) = stateFolder.firstMember(of: file[...], maxByteCount: 8 << 20) else {
            throw .corrupt(path: path, reason: "it does not begin with a readable header")
        }
        do throws(JSONError) {
            let json = try JSONValue(text: text[...])
            guard try json.integer("format") <= stagesFormat else { throw JSONError("a later version has written it") }
            guard try json.string("table") == table, try json.integer("version") == name.version,
                (json["changed"] ?? .null) != .null || !name.isChanges
            else { throw JSONError("it is of another table or version") }
            if let batch = try json.optionalInteger("batch"),
                let reason = metadata.objection(to: try FileOrigin.read(json), batch: batch)
            {
                throw JSONError(reason)
            }
            return (json, crc32(text), try part(json, rest, declared))
        } catch {
            throw .corrupt(path: path, reason: error.description)
        }
    }

    private func part(
        _ json: JSONValue, _ rows: ArraySlice<UInt8>, _ declared: [RowColumn]
    ) throws(JSONError) -> StoredTable.Part {
        var columns: [RowColumn] = []
        for column in try json.array("columns") {
            let (name, type) = (try column.string("name"), try column.string("type"))
            // What nobody reads any more still has its place in the rows.
            columns.append(
                declared.first { $0.name.column == name && "\($0.type)" == type } ?? RowColumn(unread: name))
        }
        let rawByteCount = Int(clamping: try json.integer("rawBytes"))
        guard let (bytes, _) = stateFolder.firstMember(of: rows, maxByteCount: max(1, rawByteCount)),
            bytes.count == rawByteCount
        else { throw JSONError("its rows do not match their checksum") }
        if let checksum = try json.optionalInteger("rowsChecksum"), checksum != Int64(crc32(bytes)) {
            throw JSONError("its rows are others than its header says")
        }
        return StoredTable.Part(columns: columns, bytes: bytes)
    }

    // MARK: Keeping it small

    /// Removes versions that no batch from this one on needs; of tables that it does not name, nothing.
    func removeTables(before batch: Int64) throws(FileError) {
        guard book.withLock({ $0.hasTables }) else { return }
        let reader = CheckpointReader(folder: folder, fileSystem: fileSystem)
        guard case .valid(let record) = try reader.checkedOffsets(batch) else { return }
        let names = try reader.names(in: FolderLayout.tables).compactMap { TableFileName($0) }
        for (table, used) in record.tables {
            guard let content = TableFileName.chain(of: used, table: table, in: names)?.first else { continue }
            for name in names where name.table == content.table && name.version < content.version {
                try fileSystem.remove("\(folder)/\(FolderLayout.tables)/\(name)")
            }
        }
    }
}
