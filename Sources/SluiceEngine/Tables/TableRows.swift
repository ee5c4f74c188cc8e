// The rows of a table's files as they were at one moment: decoded once, never changed, and shared by all workers and
// queries that look them up. A change of the files is another value.

package import SluicePlan
internal import SluiceSpec

/// All rows of a table, one after another, each behind its byte count.
package final class TableRows: @unchecked Sendable {
    // @unchecked: written by `init` alone.
    private let arena: ByteBuffer
    /// Where each row begins in the arena.
    let starts: [Int]
    /// In the order of the packed rows.
    package let columns: [RowColumn]
    /// Records that were bad, kept or not.
    package let badCount: Int
    /// The first of them, and of those that were dropped.
    package let firstBad: RecordSample?
    /// Of each row its chunk, and its place in that; empty where nobody wants to know, and for stored rows.
    private let places: [(chunk: Int32, byteOffset: Int32)]

    package var rowCount: Int { starts.count }
    /// Memory that the rows take.
    package var byteCount: Int { arena.count + starts.count * 8 + places.count * 8 }

    /// The bytes of a row's head: its byte count.
    private static let headByteCount = 8

    /// Reads all records of a table.
    /// - Throws: `BatchError` for a bad record under `bad_rows: fail`, and for what cannot be read.
    package convenience init(
        _ table: TablePlan, from bytes: any InputBytes, zones: TimeZones, isMemoryShort: @escaping @Sendable () -> Bool
    ) throws(BatchError) {
        let reading = TableReading(table, zones: zones, isMemoryShort: isMemoryShort)
        var rows = ByteBuffer()
        var starts: [Int] = []
        var places: [(chunk: Int32, byteOffset: Int32)] = []
        unsafe try reading.read(bytes) { chunk, decoded throws(BatchError) in
            unsafe TableReading.forEachRow(decoded) { place, row in
                unsafe Self.append(row, to: &rows, &starts)
                if table.isUnique { places.append((Int32(chunk), Int32(clamping: place))) }
            }
        }
        self.init(
            rows, starts, columns: reading.columns, badCount: reading.counters.badRows,
            firstBad: reading.counters.firstBad, places: places)
    }

    private init(
        _ arena: consuming ByteBuffer, _ starts: [Int], columns: [RowColumn], badCount: Int = 0,
        firstBad: RecordSample? = nil, places: [(chunk: Int32, byteOffset: Int32)] = []
    ) {
        self.arena = arena
        self.starts = starts
        self.columns = columns
        self.badCount = badCount
        self.firstBad = firstBad
        self.places = places
    }

    private static func append(_ row: UnsafeRawBufferPointer, to arena: inout ByteBuffer, _ starts: inout [Int]) {
        arena.reserve(headByteCount + row.count)
        unsafe withUnsafeBytes(of: UInt64(row.count)) { unsafe arena.append($0) }
        starts.append(arena.count)
        unsafe arena.append(row)
    }

    /// What `starts` counts from.
    var base: UnsafeRawPointer { unsafe UnsafeRawPointer(arena.base) }

    /// The first byte of a row.
    func row(_ number: Int) -> UnsafeRawPointer { unsafe base + starts[number] }

    /// Where a row stands in what it was read from; nil where that is not known.
    /// - Parameter bytes: what the rows were read from, or has the same chunks.
    package func place(_ number: Int, in bytes: any InputBytes) -> String? {
        guard places.indices.contains(number) else { return nil }
        let (chunk, byteOffset) = places[number]
        // It is known where a chunk begins once it has been read.
        var content = InputChunk()
        guard let ready = try? bytes.readyChunks(from: 0), ready.contains(Int(chunk)),
            (try? bytes.read(chunk: Int(chunk), into: &content)) != nil
        else { return nil }
        let place =
            content.isFramed
            ? RecordPlace(byteOffset: 0, offset: Int64(byteOffset)) : RecordPlace(byteOffset: Int(byteOffset))
        return bytes.place(chunk: Int(chunk), record: place)
    }

    // MARK: In a checkpoint

    /// The rows as bytes that `init(stored:)` takes.
    package var stored: UnsafeRawBufferPointer { unsafe arena.bytes }

    /// Rows that were stored with these columns, as those of a table that may have other columns by now: they are found
    /// by name and type, and what was not stored is null.
    /// - Throws: `StateError` for bytes that are no rows.
    package convenience init(
        stored bytes: [UInt8], columns: [RowColumn], of table: TablePlan
    ) throws(StateError) {
        var rows = StoredRows(columns: columns, wanted: table.columns)
        var arena = ByteBuffer()
        var starts: [Int] = []
        var failure: StateError?
        unsafe bytes.withUnsafeBytes { bytes in
            do throws(StateError) {
                var place = 0
                while place < bytes.count {
                    guard place + Self.headByteCount <= bytes.count else {
                        throw StateError(description: "a table's row is cut off")
                    }
                    let count = Int(clamping: unsafe bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self))
                    place += Self.headByteCount
                    guard count <= bytes.count - place else {
                        throw StateError(description: "a table's row is cut off")
                    }
                    try unsafe rows.take(UnsafeRawBufferPointer(rebasing: bytes[place..<place + count])) { row in
                        unsafe Self.append(row, to: &arena, &starts)
                    }
                    place += count
                }
            } catch { failure = error }
        }
        if let failure { throw failure }
        self.init(arena, starts, columns: table.columns)
    }
}
