// A table that is a compacted topic: read to its end before the first batch, and up to its end of the moment before
// each one. What a look brings is one list of changes, durable before the batch; the checkpoint has now and then a
// whole content, so that a start reads as much as the table has, and not as much as has ever changed.
//
// Where the topic does not go on from where the table is (it was deleted and made again, or records were deleted that
// the table has not seen) all of it is read anew, and the table is what the topic says now. So it is after half a day
// without a look: compaction forgets records without a value after a day (`delete.retention.ms`), and one that was
// never seen would leave its row for ever.

internal import SluiceCheckpoint
internal import SluiceConnectors
internal import SluiceEngine
internal import SluicePlan
internal import SluiceSpec
internal import SluiceSystem

final class TopicTable: QueryTable {
    let place: TablePlace
    private(set) var version: Int64
    private let topic: String
    private let open: () throws -> any Source
    private var source: (any Source)?
    /// Up to where the rows in hand are the topic's.
    private var position = SourceOffsets()
    private var rows: TopicRows?
    private var keys: TableKeys
    /// True for rows that were made as the spec says now.
    private var isCurrent = false
    /// Of the file of the version in hand.
    private var checksum: UInt32 = 0
    /// Lists of changes since the last whole content.
    private var changes = (count: 0, byteCount: 0)
    private var lastLookMillis: Int64?
    /// Bad records since the last warning, the first of them, and when that was.
    private var bad: (count: Int, first: RecordSample?, warnedNanos: UInt64?) = (0, nil, nil)

    private static let triesMax = 5
    private static let lookAgeMaxMillis: Int64 = 12 * 3600 * 1000
    /// What a list of changes weighs at least: a file takes room, and time to open.
    private static let changesByteCountMin = 4096
    private static let changesCountMax = 1000

    init(
        _ place: TablePlace, topic: String, open: @escaping () throws -> any Source, version: Int64,
        lastLookMillis: Int64?
    ) {
        self.place = place
        self.topic = topic
        self.open = open
        self.version = version
        self.lastLookMillis = lastLookMillis
        keys = place.keys(capacity: 0)
    }

    var size: TableSize? {
        rows.map { TableSize(rows: $0.rowCount, byteCount: $0.byteCount + keys.byteCount) }
    }

    // MARK: In the checkpoint

    func restore(_ version: Int64) throws {
        let stored = try place.stored(version)
        let rows = TopicRows(columns: place.table.columns)
        for part in stored.parts { try rows.apply(stored: part.bytes, columns: part.columns) }
        place.executor.setTable(place.number, nil)
        self.rows = rows
        try indexAll(rows)
        position = SourceOffsets(position(stored.signature))
        isCurrent = place.isCurrent(stored)
        checksum = stored.checksum
        let lists = stored.parts.dropFirst()
        changes = (lists.count, lists.reduce(0) { $0 + max(Self.changesByteCountMin, $1.bytes.count) })
        self.version = version
    }

    private var signature: String {
        position.next.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
    }

    private func position(_ signature: String) -> [String: Int64] {
        var next: [String: Int64] = [:]
        for part in signature.split(separator: " ") {
            guard let sign = part.lastIndex(of: "="), let offset = Int64(part[part.index(after: sign)...]) else {
                continue
            }
            next[String(part[..<sign])] = offset
        }
        return next
    }

    // MARK: Looking

    func look() throws {
        // What cannot be read there is read anew.
        if rows == nil, version >= 0 { try? restore(version) }
        if place.isFixed, rows != nil, isCurrent { return }
        let now = place.environment.clock.wallMillis
        let isOld = lastLookMillis.map { now - $0 > Self.lookAgeMaxMillis } ?? false
        if rows == nil || !isCurrent || isOld { beginAnew() }
        do {
            try read()
        } catch let error as TableError { throw error } catch let error as CheckpointError { throw error } catch {
            throw TableError(place.name, error)
        }
        lastLookMillis = now
    }

    /// All of the topic is to be read.
    private func beginAnew() {
        source = nil
        position = SourceOffsets()
        isCurrent = false
    }

    private func read() throws {
        var loss: (any Error)?
        for _ in 0..<Self.triesMax {
            do {
                if try readToEnd() { return }
            } catch  where errorCode(error) == "kafka-data-lost" { loss = error }
            place.log.warning(
                "The topic of a table does not go on from where the table is, all of it is read anew",
                [.table: .string(place.name), .place: .string(topic)])
            beginAnew()
        }
        throw loss
            ?? TableError(
                code: "table-changing",
                description: "table `\(place.name)`: records of the topic `\(topic)` are deleted faster than they can "
                    + "be read (give the topic more retention, or `cleanup.policy=compact`)", isRetriable: true)
    }

    /// False when the topic does not go on from where the table is.
    private func readToEnd() throws -> Bool {
        let source = try self.source ?? open()
        self.source = source
        let latest = try source.latestOffsets(from: position, untilEnd: true)
        let ranges = try source.planBatch(from: position, to: latest, limit: .unlimited)
        if ranges.contains(where: { $0.end < $0.start }) { return false }
        if isCurrent, ranges.allSatisfy({ $0.start == $0.end }) { return true }
        let news = try TopicNews(
            place.table, from: try source.open(ranges), zones: place.environment.zones,
            isMemoryShort: place.isMemoryShort)
        position.advance(by: ranges)
        try take(news)
        return true
    }

    // MARK: Taking over

    private func take(_ news: TopicNews) throws {
        // What batches look up must not change, and memory that they share would be copied.
        place.executor.setTable(place.number, nil)
        if let rows, isCurrent {
            let (changed, stored) = rows.apply(news.rows)
            if changed.isEmpty {
                use(rows)
                return warn(of: news)
            }
            try take(changed, stored, of: rows)
            if rows.compact(isLazy: true) { try indexAll(rows) }
        } else {
            news.rows.dropRemovals()
            _ = news.rows.compact(isLazy: false)
            rows = news.rows
            try indexAll(news.rows)
            try writeAll(news.rows)
            place.didRead(version, rows: news.rows.rowCount)
        }
        isCurrent = true
        warn(of: news)
    }

    /// Once a minute at most.
    private func warn(of news: TopicNews) {
        bad.count += news.badCount
        bad.first = bad.first ?? news.firstBad
        let now = place.environment.clock.monotonicNanos
        if bad.count == 0 || bad.warnedNanos.map({ now - $0 < 60_000_000_000 }) ?? false { return }
        place.warn(ofBad: bad.count, bad.first)
        bad = (0, nil, now)
    }

    private func take(_ changed: TopicRows.Changes, _ stored: [UInt8], of rows: TopicRows) throws {
        let byteCount = changes.byteCount + max(Self.changesByteCountMin, stored.count)
        guard byteCount < max(1 << 16, rows.storedByteCount), changes.count < Self.changesCountMax else {
            _ = rows.compact(isLazy: false)
            try indexAll(rows)
            return try writeAll(rows)
        }
        try index(rows) { keys throws(DuplicateRows) in try rows.update(&keys, changed) }
        unsafe try stored.withUnsafeBytes { unsafe try write($0, changing: checksum) }
        changes = (changes.count + 1, byteCount)
    }

    private func writeAll(_ rows: TopicRows) throws {
        unsafe try write(rows.stored, changing: nil)
        changes = (0, 0)
    }

    private func write(_ bytes: UnsafeRawBufferPointer, changing: UInt32?) throws {
        let next = TableVersion(
            table: place.name, version: version + 1, signature: signature, definition: place.definition,
            columns: place.table.columns, changedChecksum: changing)
        checksum = unsafe try place.checkpoint.writeTable(next, bytes)
        version = next.version
    }

    /// Puts all rows behind the keys, anew.
    private func indexAll(_ rows: TopicRows) throws(TableError) {
        keys = place.keys(capacity: rows.rowCount)
        try index(rows) { keys throws(DuplicateRows) in try rows.insertAll(into: &keys) }
    }

    private func index(
        _ rows: TopicRows, _ change: (inout TableKeys) throws(DuplicateRows) -> Void
    ) throws(TableError) {
        do throws(DuplicateRows) { try change(&keys) } catch {
            throw TableError(place.name, error, places: error.numbers.map { rows.place($0, topic: topic) })
        }
        use(rows)
    }

    private func use(_ rows: TopicRows) { place.executor.setTable(place.number, rows.index(keys)) }
}
