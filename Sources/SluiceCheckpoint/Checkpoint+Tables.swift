// tables/<name>-<version>.gz: what a table was when a batch first used that version of it, written and durable before
// the batch's offsets are, which name it. A replay joins what the batch joined, whatever has become of the table.
//
// A file is two gzip members: a header in JSON, then the rows. Versions count up from 0 and are removed once no batch
// that can be rolled back to names them.

internal import SluiceEngine
package import SluicePlan
internal import SluiceSpec
internal import SluiceSystem
internal import Synchronization

/// One version of a table, as the checkpoint has it.
package struct StoredTable: Sendable {
    package var version: Int64
    /// What the table's files looked like when it was read; equal while they are the same.
    package var signature: String
    package var columns: [RowColumn]
    /// `TableRows.stored`.
    package var bytes: [UInt8]

    package init(version: Int64, signature: String, columns: [RowColumn], bytes: [UInt8]) {
        self.version = version
        self.signature = signature
        self.columns = columns
        self.bytes = bytes
    }
}

extension Checkpoint {
    private func path(_ table: String, _ version: Int64) -> String {
        "\(FolderLayout.tables)/\(plainFileName(table))-\(version).gz"
    }

    /// Writes a version of a table; durable on return. The rows are borrowed until then. O(rows).
    package func writeTable(
        _ table: String, version: Int64, signature: String, columns: [RowColumn], _ rows: UnsafeRawBufferPointer
    ) throws(CheckpointError) {
        let header = JSONValue.object(
            metadata.origin(at: (book.withLock { $0.committed?.batch } ?? noBatch) + 1).members + [
                JSONMember("table", .string(table)), JSONMember("version", .integer(version)),
                JSONMember("signature", .string(signature)), JSONMember("rawBytes", .integer(Int64(rows.count))),
                JSONMember(
                    "columns",
                    .array(
                        columns.map { column in
                            .object([
                                JSONMember("name", .string(column.name.column)),
                                JSONMember("type", .string("\(column.type)")),
                            ])
                        })),
            ])
        let members = unsafe [stateFolder.compress(header.text()), stateFolder.compress(rows)]
        let name = path(table, version)
        let temporary = "\(folder)/\(name)\(FolderLayout.temporarySuffix)"
        do throws(FileError) {
            try fileSystem.makeFolders("\(folder)/\(FolderLayout.tables)")
            unsafe try fileSystem.write(temporary, members.map { unsafe $0.buffer.bytes })
            withExtendedLifetime(members) {}
            try fileSystem.sync(temporary)
            try fileSystem.rename(temporary, to: "\(folder)/\(name)")
            try fileSystem.syncFolder("\(folder)/\(FolderLayout.tables)")
            try fileSystem.syncFolder(folder)
        } catch { throw .file(error) }
    }

    /// A version of a table that a batch has used. Columns are found by name and type.
    /// - Parameter declared: the table's columns as they are now.
    package func readTable(
        _ table: String, version: Int64, declared: [RowColumn]
    ) throws(CheckpointError) -> StoredTable {
        let path = "\(folder)/\(self.path(table, version))"
        let file: [UInt8]
        do throws(FileError) { file = try fileSystem.readAll(path) } catch { throw .file(error) }
        guard let (text, rest) = stateFolder.firstMember(of: file[...], maxByteCount: 64 << 20) else {
            throw .corrupt(path: path, reason: "it does not begin with a readable header")
        }
        do throws(JSONError) {
            let json = try JSONValue(text: text[...])
            guard try json.integer("format") <= stagesFormat else { throw JSONError("a later version has written it") }
            return try storedTable(json, rest, table, version: version, declared)
        } catch {
            throw .corrupt(path: path, reason: error.description)
        }
    }

    private func storedTable(
        _ json: JSONValue, _ rows: ArraySlice<UInt8>, _ table: String, version: Int64, _ declared: [RowColumn]
    ) throws(JSONError) -> StoredTable {
        guard try json.string("table") == table, try json.integer("version") == version else {
            throw JSONError("it is of another table or version")
        }
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
        return StoredTable(version: version, signature: try json.string("signature"), columns: columns, bytes: bytes)
    }

    /// Removes versions before those that a batch has used; of tables that it does not name, nothing.
    func removeTables(before batch: Int64) throws(FileError) {
        guard book.withLock({ $0.hasTables }) else { return }
        let reader = CheckpointReader(folder: folder, fileSystem: fileSystem)
        guard case .valid(let record) = try reader.checkedOffsets(batch) else { return }
        let names = try reader.names(in: FolderLayout.tables)
        for (table, used) in record.tables {
            let start = "\(plainFileName(table))-"
            for name in names where name.hasPrefix(start) && name.hasSuffix(".gz") {
                guard let version = batchNumber(name.dropFirst(start.count).dropLast(3)), version < used else {
                    continue
                }
                try fileSystem.remove("\(folder)/\(FolderLayout.tables)/\(name)")
            }
        }
    }
}
