// The rows of a table that is a topic: of the records with one key the newest counts, and one without a value takes the
// key's row away. Rows come and go between batches; the memory of those that are gone is given back when they are the
// most of it.
//
// A record is what it is in memory, in a checkpoint and in a list of changes:
//
//     0           8            12          16       24            32
//     row bytes | partition | key bytes | offset | timestamp ms | row | key, padded to 8
//
// A row of -1 bytes is none: the key has no row. The order of rows is that in which their records were put in, so what
// a start reads back (a content, then lists of changes) has the order that it had.

package import SluicePlan
internal import SluiceSpec

/// A record of a topic, beside its key and its row.
struct TopicRecord: Hashable {
    static let headByteCount = 32

    var partition: Int32
    var offset: Int64
    /// Since the epoch; negative where it has none.
    var timestampMillis: Int64

    /// Whether it is the one that counts. Producers put a key into one partition, where offsets say so; it has records
    /// in two when partitions were added, and then times do.
    func isNewer(than other: TopicRecord) -> Bool {
        if partition == other.partition { return offset > other.offset }
        return (timestampMillis, partition) > (other.timestampMillis, other.partition)
    }
}

/// Rows by the keys of their records. Used by one thread while they change.
package final class TopicRows: @unchecked Sendable {
    // @unchecked: changed by a query's thread while no worker looks rows up.
    package let columns: [RowColumn]
    private var arena = ByteBuffer()
    /// Where each record's row begins in the arena; -1 for one that does not count any more.
    private var starts: [Int] = []
    private var chains = RowChains(capacity: 0)
    /// Of the records that do not count any more.
    private var deadByteCount = 0
    private var deadCount = 0
    /// How many of the records say that a key has no row.
    private var removalCount = 0

    package init(columns: [RowColumn]) { self.columns = columns }

    /// How many rows there are.
    package var rowCount: Int { starts.count - deadCount - removalCount }
    /// Memory that they take, in bytes.
    package var byteCount: Int { arena.capacity + starts.capacity * 8 + chains.byteCount }
    /// Of the rows as they are stored.
    package var storedByteCount: Int { arena.count - deadByteCount }

    // MARK: One record

    private func integer<Integer: FixedWidthInteger & BitwiseCopyable>(_ start: Int, _ offset: Int) -> Integer {
        unsafe arena.bytes.loadUnaligned(
            fromByteOffset: start - TopicRecord.headByteCount + offset, as: Integer.self)
    }

    private func head(_ start: Int) -> TopicRecord {
        TopicRecord(partition: integer(start, 8), offset: integer(start, 16), timestampMillis: integer(start, 24))
    }

    private func hasRow(_ start: Int) -> Bool { (integer(start, 0) as Int64) >= 0 }

    private func rowByteCount(_ start: Int) -> Int { max(0, Int(integer(start, 0) as Int64)) }

    private func row(at start: Int) -> UnsafeRawBufferPointer? {
        guard hasRow(start) else { return nil }
        return unsafe UnsafeRawBufferPointer(rebasing: arena.bytes[start..<start + rowByteCount(start)])
    }

    private func key(at start: Int) -> UnsafeRawBufferPointer {
        let first = start + rowByteCount(start)
        let count = Int(integer(start, 12) as UInt32)
        return unsafe UnsafeRawBufferPointer(rebasing: arena.bytes[first..<first + count])
    }

    private func bytes(at start: Int) -> UnsafeRawBufferPointer {
        let end = start + rowByteCount(start) + Self.padded(unsafe key(at: start).count)
        return unsafe UnsafeRawBufferPointer(rebasing: arena.bytes[start - TopicRecord.headByteCount..<end])
    }

    private static func padded(_ count: Int) -> Int { (count + 7) & ~7 }

    private static func hash(_ key: UnsafeRawBufferPointer) -> UInt64 {
        unsafe hashBytes(key, seed: 0x9E37_79B9_7F4A_7C15)
    }

    private func number(_ key: UnsafeRawBufferPointer, _ hash: UInt64) -> Int? {
        chains.row(hash) { number in unsafe bytesAreEqual(self.key(at: starts[number]), key) }
    }

    /// Puts a record in, if it is the newest of its key.
    /// - Parameters:
    ///   - row: nil: the key has no row.
    ///   - keepsRemovals: whether it is to be remembered that a key has none.
    /// - Returns: whether anything is another than before.
    @discardableResult
    func put(
        _ record: TopicRecord, key: UnsafeRawBufferPointer, row: UnsafeRawBufferPointer?, keepsRemovals: Bool,
        noting changes: inout Changes
    ) -> Bool {
        let hash = unsafe Self.hash(key)
        let before = unsafe number(key, hash)
        if let before, !record.isNewer(than: head(starts[before])) { return false }
        let isKept = unsafe row != nil || keepsRemovals
        if before == nil, !isKept { return false }
        if let before {
            changes.removed.append((before, starts[before]))
            forget(before, hash)
        }
        guard isKept else { return true }
        unsafe append(record, key, row)
        chains.insert(hash, row: starts.count - 1)
        if unsafe row == nil { removalCount += 1 } else { changes.added.append(starts.count - 1) }
        return true
    }

    private func append(_ record: TopicRecord, _ key: UnsafeRawBufferPointer, _ row: UnsafeRawBufferPointer?) {
        let padding = Self.padded(key.count) - key.count
        unsafe arena.reserve(TopicRecord.headByteCount + (row?.count ?? 0) + key.count + padding)
        unsafe withUnsafeBytes(of: Int64(row?.count ?? -1)) { unsafe arena.append($0) }
        unsafe withUnsafeBytes(of: record.partition) { unsafe arena.append($0) }
        unsafe withUnsafeBytes(of: UInt32(key.count)) { unsafe arena.append($0) }
        unsafe withUnsafeBytes(of: record.offset) { unsafe arena.append($0) }
        unsafe withUnsafeBytes(of: record.timestampMillis) { unsafe arena.append($0) }
        starts.append(arena.count)
        if let row = unsafe row { unsafe arena.append(row) }
        unsafe arena.append(key)
        for _ in 0..<padding { arena.append(0) }
    }

    /// The memory stays as it is until `compact`.
    private func forget(_ number: Int, _ hash: UInt64) {
        let start = starts[number]
        if !hasRow(start) { removalCount -= 1 }
        chains.remove(hash, row: number)
        deadByteCount += unsafe bytes(at: start).count
        deadCount += 1
        starts[number] = -1
    }

    /// Where the record of a row stands, such as `devices/0@17`.
    package func place(_ number: Int, topic: String) -> String {
        let record = head(starts[number])
        return "\(topic)/\(record.partition)@\(record.offset)"
    }

    // MARK: All records

    /// The numbers of all records that count, in order.
    private var live: [Int] { starts.indices.filter { starts[$0] >= 0 } }

    /// Forgets which keys have no row.
    package func dropRemovals() {
        for number in live where !hasRow(starts[number]) {
            forget(number, unsafe Self.hash(key(at: starts[number])))
        }
    }

    /// Gives back the memory of records that do not count any more. The numbers of rows change then.
    /// - Parameter isLazy: only if they are the most of it.
    /// - Returns: whether numbers have changed.
    package func compact(isLazy: Bool) -> Bool {
        if deadCount == 0 || isLazy && deadByteCount < max(1 << 16, arena.count / 2) { return false }
        var kept = ByteBuffer(capacity: storedByteCount)
        var keptStarts: [Int] = []
        var keptChains = RowChains(capacity: starts.count - deadCount)
        for number in live {
            keptChains.insert(unsafe Self.hash(key(at: starts[number])), row: keptStarts.count)
            keptStarts.append(kept.count + TopicRecord.headByteCount)
            unsafe kept.append(bytes(at: starts[number]))
        }
        arena = kept
        (starts, chains) = (keptStarts, keptChains)
        (deadByteCount, deadCount) = (0, 0)
        return true
    }

    /// All records as bytes that `apply(stored:)` takes. `compact` has been called.
    package var stored: UnsafeRawBufferPointer {
        precondition(deadCount == 0, "what does not count is not stored")
        return unsafe arena.bytes
    }

    // MARK: Keys of lookups

    /// The first byte of a row that counts.
    private func row(_ number: Int) -> UnsafeRawPointer { unsafe UnsafeRawPointer(arena.base) + starts[number] }

    /// All rows by the keys of a lookup.
    package func insertAll(into keys: inout TableKeys) throws(DuplicateRows) {
        for number in live { unsafe try keys.insert(number) { unsafe row($0) } }
    }

    /// Brings the keys of a lookup up to date. Rows that have changed places among each other are no duplicates.
    package func update(_ keys: inout TableKeys, _ changes: Changes) throws(DuplicateRows) {
        for (number, start) in changes.removed {
            unsafe keys.remove(number, UnsafeRawPointer(arena.base) + start)
        }
        for number in changes.added { unsafe try keys.insert(number) { unsafe row($0) } }
    }

    /// What a batch looks up. It must be given up before the rows change.
    package func index(_ keys: TableKeys) -> TableIndex {
        unsafe keys.index(self, UnsafeRawPointer(arena.base), starts)
    }
}

// MARK: - Changes

extension TopicRows {
    /// What came of records: numbers of rows, and of those that are gone where they are in memory until `compact`.
    package struct Changes {
        fileprivate(set) var removed: [(number: Int, start: Int)] = []
        fileprivate(set) var added: [Int] = []

        package init() {}

        package var isEmpty: Bool { removed.isEmpty && added.isEmpty }
    }

    /// Puts the records of `news` in, in their order, those that change something.
    /// - Returns: what came of it, and the records as bytes for `apply(stored:)`.
    package func apply(_ news: TopicRows) -> (changes: Changes, stored: [UInt8]) {
        var changes = Changes()
        var stored = ByteBuffer()
        for number in news.live {
            let start = news.starts[number]
            let (record, key, row) = unsafe (news.head(start), news.key(at: start), news.row(at: start))
            if unsafe isSame(record, key, row) { continue }
            guard unsafe put(record, key: key, row: row, keepsRemovals: false, noting: &changes) else { continue }
            unsafe stored.append(news.bytes(at: start))
        }
        return (changes, stored.array())
    }

    /// A record that says what its key's row is already, in the same partition: nobody needs it.
    private func isSame(
        _ record: TopicRecord, _ key: UnsafeRawBufferPointer, _ row: UnsafeRawBufferPointer?
    ) -> Bool {
        guard let row = unsafe row, let known = unsafe number(key, Self.hash(key)),
            let other = unsafe self.row(at: starts[known])
        else { return false }
        return unsafe head(starts[known]).partition == record.partition && bytesAreEqual(row, other)
    }

    /// Puts in what was stored: all records, or a list of changes.
    /// - Parameter stored: the columns that its rows have.
    /// - Throws: `StateError` for bytes that are no records.
    package func apply(stored bytes: [UInt8], columns stored: [RowColumn]) throws(StateError) {
        var rows = StoredRows(columns: stored, wanted: columns)
        var failure: StateError?
        unsafe bytes.withUnsafeBytes { bytes in
            do throws(StateError) { unsafe try read(bytes, &rows) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    private func read(_ bytes: UnsafeRawBufferPointer, _ rows: inout StoredRows) throws(StateError) {
        let cutOff = StateError(description: "a record of a table is cut off")
        var changes = Changes()
        var place = 0
        while place < bytes.count {
            guard bytes.count - place >= TopicRecord.headByteCount else { throw cutOff }
            let rowCount = unsafe Int(clamping: bytes.loadUnaligned(fromByteOffset: place, as: Int64.self))
            let keyCount = unsafe Int(bytes.loadUnaligned(fromByteOffset: place + 12, as: UInt32.self))
            let record = unsafe TopicRecord(
                partition: bytes.loadUnaligned(fromByteOffset: place + 8, as: Int32.self),
                offset: bytes.loadUnaligned(fromByteOffset: place + 16, as: Int64.self),
                timestampMillis: bytes.loadUnaligned(fromByteOffset: place + 24, as: Int64.self))
            place += TopicRecord.headByteCount
            guard rowCount >= -1, rowCount <= bytes.count - place,
                Self.padded(keyCount) <= bytes.count - place - max(0, rowCount)
            else { throw cutOff }
            let rowEnd = place + max(0, rowCount)
            let key = unsafe UnsafeRawBufferPointer(rebasing: bytes[rowEnd..<rowEnd + keyCount])
            if rowCount < 0 {
                unsafe put(record, key: key, row: nil, keepsRemovals: false, noting: &changes)
            } else {
                unsafe try rows.take(UnsafeRawBufferPointer(rebasing: bytes[place..<rowEnd])) { row in
                    unsafe put(record, key: key, row: row, keepsRemovals: false, noting: &changes)
                }
            }
            place = rowEnd + Self.padded(keyCount)
        }
    }
}
