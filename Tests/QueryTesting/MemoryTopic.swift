// A topic in memory that a table reads as it would read Kafka's: records with keys in partitions, compaction, deletion.

package import SluiceConnectors
internal import SluiceEngine
internal import Synchronization

/// A topic of a test. From any thread.
package final class MemoryTopic: Sendable {
    package struct Record: Hashable, Sendable {
        package var offset: Int64
        package var key: String?
        /// nil: a tombstone.
        package var value: String?
        package var timestampMillis: Int64
    }

    private struct Content {
        var partitions: [[Record]]
        /// The next offset, and the first that is not deleted.
        var ends: [Int64]
        var starts: [Int64]
        var isThere = true
        var clock: Int64 = 1_700_000_000_000
    }

    package let name: String
    private let content: Mutex<Content>

    package init(_ name: String, partitions: Int = 1) {
        self.name = name
        content = Mutex(Self.empty(partitions))
    }

    private static func empty(_ partitions: Int) -> Content {
        Content(
            partitions: Array(repeating: [], count: partitions), ends: Array(repeating: 0, count: partitions),
            starts: Array(repeating: 0, count: partitions))
    }

    package func put(_ key: String?, _ value: String?, partition: Int = 0, timestampMillis: Int64? = nil) {
        content.withLock { content in
            content.clock += 1
            content.partitions[partition].append(
                Record(
                    offset: content.ends[partition], key: key, value: value,
                    timestampMillis: timestampMillis ?? content.clock))
            content.ends[partition] += 1
        }
    }

    /// Keeps the newest record of each key.
    /// - Parameter forgetsTombstones: as compaction does after `delete.retention.ms`.
    package func compact(forgetsTombstones: Bool = false) {
        content.withLock { content in
            for partition in content.partitions.indices {
                let records = content.partitions[partition]
                content.partitions[partition] = records.enumerated().filter { index, record in
                    (record.value != nil || !forgetsTombstones)
                        && !records[(index + 1)...].contains { $0.key == record.key }
                }.map(\.element)
            }
        }
    }

    /// Deletes all records there are.
    package func truncate() {
        content.withLock { content in
            content.starts = content.ends
            content.partitions = content.partitions.map { _ in [] }
        }
    }

    package func delete() { content.withLock { $0.isThere = false } }

    package func makeAgain() { content.withLock { $0 = Self.empty($0.partitions.count) } }

    /// What reads it.
    package func source() -> any Source { MemoryTopicSource(self) }

    fileprivate func ends() throws(ConnectorError) -> [Int64] {
        let (ends, isThere) = content.withLock { ($0.ends, $0.isThere) }
        if isThere { return ends }
        throw ConnectorError(
            code: "kafka-unknown-topic", "reading the topic `\(name)`: there is no topic `\(name)`", isRetriable: false)
    }

    fileprivate func records(_ partition: Int, _ range: Range<Int64>) throws(ConnectorError) -> [Record] {
        let (records, start) = content.withLock { ($0.partitions[partition], $0.starts[partition]) }
        guard range.lowerBound >= start || range.lowerBound == 0 else {
            throw ConnectorError(code: "kafka-data-lost", "offsets are gone", isRetriable: false)
        }
        return records.filter { range.contains($0.offset) }
    }
}

private final class MemoryTopicSource: Source {
    private let topic: MemoryTopic

    init(_ topic: MemoryTopic) { self.topic = topic }

    var description: String { "MemoryTopic[\(topic.name)]" }
    var isFinished: Bool { false }

    func latestOffsets(from position: SourceOffsets, untilEnd: Bool) throws(ConnectorError) -> SourceOffsets {
        let ends = try topic.ends()
        return SourceOffsets(Dictionary(uniqueKeysWithValues: ends.indices.map { ("\($0)", ends[$0]) }))
    }

    func planBatch(
        from position: SourceOffsets, to latest: SourceOffsets, limit: BatchLimit
    ) throws(ConnectorError) -> [OffsetRange] {
        latest.next.sorted { $0.key < $1.key }.map { partition, end in
            OffsetRange(partition: partition, start: position.next[partition] ?? 0, end: end)
        }
    }

    func open(_ ranges: [OffsetRange]) throws(ConnectorError) -> any InputBytes {
        var parts: [(partition: Int32, records: [MemoryTopic.Record])] = []
        for range in ranges where range.end > range.start {
            let partition = Int32(range.partition) ?? 0
            parts.append((partition, try topic.records(Int(partition), range.start..<range.end)))
        }
        return MemoryTopicBytes(topic.name, parts)
    }

    func didCommit(_ position: SourceOffsets) {}
    func readable(_ partitions: [String]) throws(ConnectorError) -> [String: Range<Int64>] { [:] }
}

/// Records of partitions, two of one in a chunk at most.
private final class MemoryTopicBytes: InputBytes {
    private let topic: String
    private let chunks: [(partition: Int32, records: ArraySlice<MemoryTopic.Record>)]

    init(_ topic: String, _ parts: [(partition: Int32, records: [MemoryTopic.Record])]) {
        self.topic = topic
        chunks = parts.flatMap { partition, records in
            stride(from: 0, to: records.count, by: 2).map { (partition, records[$0..<min($0 + 2, records.count)]) }
        }
    }

    func readyChunks(from first: Int) -> Range<Int> { first..<chunks.count }

    func read(chunk number: Int, into chunk: inout InputChunk) {
        chunk.isFramed = true
        chunk.partition = chunks[number].partition
        for record in chunks[number].records {
            chunk.text.append(contentsOf: Array((record.value ?? "").utf8))
            chunk.records.append(
                InputRecord(
                    end: UInt32(chunk.text.count), isNull: record.value == nil, offset: record.offset,
                    timestampMillis: record.timestampMillis, attributesStart: UInt32(chunk.attributes.count)))
            chunk.text.append(UInt8(ascii: "\n"))
            guard let key = record.key else {
                unsafe chunk.appendAttribute(nil)
                continue
            }
            unsafe Array(key.utf8).withUnsafeBytes { unsafe chunk.appendAttribute($0) }
        }
        chunk.text.reserve(inputPaddingByteCount)
    }

    func place(chunk: Int, record: RecordPlace) -> String {
        "\(topic)/\(chunks[chunk].partition)@\(record.offset ?? -1)"
    }
}
