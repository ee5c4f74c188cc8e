// The records of a topic that is a table, on their way to its rows. A record whose value makes no row (none, one that
// `where` refuses, a bad one) takes the row of its key away as well: it is the newest.

package import SluicePlan
internal import SluiceSpec

/// What some records of a topic say: the newest of each key, with or without a row.
package struct TopicNews {
    /// Removals included.
    package let rows: TopicRows
    package private(set) var recordCount = 0
    /// Records that were bad, kept or not, and those without a key, which are nobody's.
    package private(set) var badCount = 0
    package private(set) var firstBad: RecordSample?

    /// Reads records.
    /// - Throws: `BatchError` for a bad record under `bad_rows: fail`, and for what cannot be read.
    package init(
        _ table: TablePlan, from bytes: any InputBytes, zones: TimeZones, isMemoryShort: @escaping @Sendable () -> Bool
    ) throws(BatchError) {
        precondition(table.input.isKeyed, "a topic's records have keys")
        let reading = TableReading(table, zones: zones, isMemoryShort: isMemoryShort)
        rows = TopicRows(columns: reading.columns)
        let keyed = KeyedRecords(bytes, keyPlace: table.input.wantedAttributes.firstIndex(of: .key) ?? 0)
        var (count, keyless) = (0, 0)
        var firstKeyless: RecordSample?
        unsafe try reading.read(keyed) { [rows] chunk, decoded throws(BatchError) in
            count += keyed.count
            unsafe keyed.forEach(decoded) { record, key, row in
                var changes = TopicRows.Changes()
                if let key = unsafe key {
                    unsafe rows.put(record, key: key, row: row, keepsRemovals: true, noting: &changes)
                    return
                }
                keyless += 1
                guard firstKeyless == nil else { return }
                let place = bytes.place(chunk: chunk, record: RecordPlace(byteOffset: 0, offset: record.offset))
                firstKeyless = RecordSample(
                    order: bytes.order(of: chunk), place: place, column: nil, reason: "it has no key")
            }
            // Records that are superseded within a read may be many.
            _ = rows.compact(isLazy: true)
            if let firstKeyless, table.input.badRows == .fail { throw .badRow(source: table.name, firstKeyless) }
        }
        recordCount = count
        badCount = reading.counters.badRows + keyless
        firstBad = RecordSample.first(reading.counters.firstBad, firstKeyless)
    }
}

/// Passes records on, and notes what stands beside their values.
private final class KeyedRecords: InputBytes, @unchecked Sendable {
    // @unchecked: one thread reads a table.
    private struct Noted {
        var records: [InputRecord] = []
        /// Per record where its key is in `keys`; nil for none.
        var ranges: [Range<Int>?] = []
        var keys: [UInt8] = []
        var partition: Int32 = 0
    }

    private let base: any InputBytes
    private let keyPlace: Int
    /// Of the chunk read last.
    private var noted = Noted()

    init(_ base: any InputBytes, keyPlace: Int) {
        self.base = base
        self.keyPlace = keyPlace
    }

    /// The records of the chunk read last.
    var count: Int { noted.records.count }

    func readyChunks(from first: Int) throws -> Range<Int> { try base.readyChunks(from: first) }
    func order(of chunk: Int) -> Int { base.order(of: chunk) }
    func startsFile(_ chunk: Int) -> Bool { base.startsFile(chunk) }
    func partition(of chunk: Int) -> String? { base.partition(of: chunk) }
    func topic(of chunk: Int) -> String? { base.topic(of: chunk) }
    func place(chunk: Int, record: RecordPlace) -> String { base.place(chunk: chunk, record: record) }

    func read(chunk number: Int, into chunk: inout InputChunk) throws {
        try base.read(chunk: number, into: &chunk)
        var notes = Noted()
        notes.records = chunk.records
        notes.partition = chunk.partition
        for record in chunk.records {
            guard let key = unsafe chunk.attribute(keyPlace, of: record) else {
                notes.ranges.append(nil)
                continue
            }
            let start = notes.keys.count
            unsafe notes.keys.append(contentsOf: key)
            notes.ranges.append(start..<notes.keys.count)
        }
        noted = notes
    }

    /// Every record of the chunk read last, in order, with its row among those that came of it.
    func forEach(
        _ decoded: UnsafeRawBufferPointer,
        _ body: (TopicRecord, _ key: UnsafeRawBufferPointer?, _ row: UnsafeRawBufferPointer?) -> Void
    ) {
        var rows: [(offset: Int64, row: UnsafeRawBufferPointer)] = unsafe []
        unsafe TableReading.forEachRow(decoded) { unsafe rows.append(($0, $1)) }
        let notes = noted
        var next = 0
        unsafe notes.keys.withUnsafeBytes { keys in
            for (record, range) in zip(notes.records, notes.ranges) {
                var row: UnsafeRawBufferPointer?
                if unsafe next < rows.count, unsafe rows[next].offset == record.offset {
                    // A tombstone is no row, also where `bad_rows: permissive` makes one of it.
                    if !record.isNull { unsafe row = unsafe rows[next].row }
                    next += 1
                }
                unsafe body(
                    TopicRecord(
                        partition: notes.partition, offset: record.offset, timestampMillis: record.timestampMillis),
                    range.map { unsafe UnsafeRawBufferPointer(rebasing: keys[$0]) }, row)
            }
        }
    }
}
