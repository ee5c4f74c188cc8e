// The records of one batch from Kafka. The query's thread takes messages from the partitions' streams, a round at a
// time; workers copy their bytes, once, into the text they decode, and give the messages back to librdkafka.
//
//     streams ──take──▶ runs of messages, each of one partition ──▶ read: text, frames, attributes
//
// A round is bounded, so a batch of any size holds only so much of librdkafka's memory at a time.

internal import CRdKafka
internal import SluiceEngine
internal import SluiceSpec

/// A message count and a byte count that end a run, and what ends a round.
private enum RunLimit {
    static let messageCount = 8192
    static let byteCount = 512 << 10
    static let roundByteCount = 4 << 20
    static let roundMessageCount = 64 << 10
}

@safe final class KafkaInputBytes: InputBytes, @unchecked Sendable {
    // @unchecked: rounds are made by the query's thread while no chunk is read; chunks are independent of each other.

    /// What one partition has to give.
    private struct Part {
        var partition: TopicPartition
        var end: Int64
        var runCount = 0
        var isFinished = false
    }

    private let source: KafkaFetcher
    private let names: KafkaTopics
    private let wanted: RecordFields
    private let schemas: RecordSchemas?
    private var parts: [Part]
    private var runs: [MessageRun] = []
    private var firstRun = 0
    private(set) var recordsBySchema: [UInt32: Int] = [:]

    /// - Parameters:
    ///   - names: what partitions are called.
    ///   - schemas: asked for those that values name by number; nil where they name none.
    init(
        _ source: KafkaFetcher, names: KafkaTopics, wanted: RecordFields, schemas: RecordSchemas?,
        parts: [(partition: TopicPartition, end: Int64)]
    ) {
        self.source = source
        self.names = names
        self.wanted = wanted
        self.schemas = schemas
        self.parts = parts.map { Part(partition: $0.partition, end: $0.end) }
    }

    // MARK: Rounds

    func readyChunks(from first: Int) throws -> Range<Int> {
        runs.removeAll(keepingCapacity: true)
        firstRun = first
        var messageCount = 0
        var byteCount = 0
        func add(_ run: MessageRun) {
            runs.append(run)
            messageCount += run.count
            byteCount += run.byteCount
        }
        var watch = source.startWatching()
        while byteCount < RunLimit.roundByteCount, messageCount < RunLimit.roundMessageCount {
            var hasMoved = false
            for index in parts.indices where !parts[index].isFinished {
                let run = try takeRun(index, timeoutMillis: 0)
                if run != nil { source.client.wasAnswered() }
                hasMoved = hasMoved || run != nil || parts[index].isFinished
                if let run { add(run) }
            }
            guard let open = parts.firstIndex(where: { !$0.isFinished }) else { break }
            if hasMoved {
                watch.moved()
                continue
            }
            if byteCount >= RunLimit.byteCount { break }
            // Nothing is there: wait for whatever comes first, not too long in one place.
            if let run = try takeRun(open, timeoutMillis: watch.isNudged ? 20 : 2) {
                source.client.wasAnswered()
                add(run)
                watch.moved()
            } else if !watch.isNudged {
                watch.isNudged = true
                source.nudge(parts.filter { !$0.isFinished }.map(\.partition))
            } else {
                try source.wait(&watch, parts.filter { !$0.isFinished }.map { ($0.partition, $0.end) })
            }
        }
        return first..<first + runs.count
    }

    /// Messages of one partition, as many as there are within a run's limits; nil when there are none.
    private func takeRun(_ index: Int, timeoutMillis: Int32) throws(ConnectorError) -> MessageRun? {
        var timeout = timeoutMillis
        let stream = source.stream(parts[index].partition)
        var messages: [KafkaMessage] = unsafe []
        var byteCount = 0
        taking: while unsafe messages.count < RunLimit.messageCount, byteCount < RunLimit.byteCount {
            let before = unsafe messages.count
            let event = unsafe stream.take(until: parts[index].end, timeoutMillis: timeout, into: &messages)
            for number in unsafe before..<messages.count { unsafe byteCount += messages[number].pointee.len }
            timeout = 0
            switch event {
            case .more: continue
            case .empty: break taking
            case .finished:
                parts[index].isFinished = true
                break taking
            case .outOfRange, .doubtful, .damaged, .failed:
                do throws(ConnectorError) {
                    try source.meet(event, stream, before: parts[index].end)
                } catch {
                    // Gives back what was taken.
                    withExtendedLifetime(unsafe MessageRun(messages, stream, byteCount: 0, order: 0)) {}
                    throw error
                }
                break taking
            }
        }
        guard unsafe !messages.isEmpty else { return nil }
        source.didRead(unsafe messages.count, byteCount: byteCount)
        let order = index << 40 | parts[index].runCount
        parts[index].runCount += 1
        let run = unsafe MessageRun(messages, stream, byteCount: byteCount, order: order)
        if wanted.countsSchemas || schemas != nil {
            let counts = run.recordsBySchema
            if wanted.countsSchemas { recordsBySchema.merge(counts, uniquingKeysWith: +) }
            if let schemas {
                run.schemas = try schemas.schemas(counts.keys.sorted(), topic: run.partition.topic)
            }
        }
        return run
    }

    // MARK: Chunks

    private func run(_ chunk: Int) -> MessageRun {
        precondition(chunk >= firstRun && chunk < firstRun + runs.count, "a chunk of another round")
        return runs[chunk - firstRun]
    }

    func read(chunk number: Int, into chunk: inout InputChunk) throws {
        run(number).move(into: &chunk, wanted)
    }

    func order(of chunk: Int) -> Int { run(chunk).order }

    func partition(of chunk: Int) -> String? { names.name(of: run(chunk).partition) }

    func topic(of chunk: Int) -> String? { run(chunk).partition.topic }

    func origin(of chunk: Int) -> ChunkOrigin {
        let partition = run(chunk).partition
        return ChunkOrigin(partition: partition.partition, path: partition.topic)
    }

    func place(chunk: Int, record: RecordPlace) -> String { "\(run(chunk).partition)@\(record.offset ?? -1)" }
}

/// Messages of one partition, in offset order. Gives them back to librdkafka when they have been read, or with itself.
@safe private final class MessageRun: @unchecked Sendable {
    // @unchecked: made by the query's thread, then read by one worker.

    let partition: TopicPartition
    let order: Int
    let byteCount: Int
    let count: Int
    private var messages: [KafkaMessage]
    /// Those that the messages name by number.
    var schemas: [RecordSchema] = []
    /// Messages must not outlive the handle.
    private let client: KafkaClient

    /// - Parameter stream: what they were taken from.
    init(_ messages: [KafkaMessage], _ stream: PartitionStream, byteCount: Int, order: Int) {
        unsafe self.messages = unsafe messages
        partition = stream.partition
        count = unsafe messages.count
        self.byteCount = byteCount
        self.order = order
        client = stream.client
    }

    deinit {
        for index in unsafe messages.indices { unsafe rd_kafka_message_destroy(messages[index]) }
    }

    /// How many values name each schema, by its number.
    var recordsBySchema: [UInt32: Int] {
        var counts: [UInt32: Int] = [:]
        // Neighbours mostly name the same.
        var (last, count): (UInt32?, Int) = (nil, 0)
        for index in unsafe messages.indices {
            let message = unsafe messages[index].pointee
            let value = unsafe UnsafeRawBufferPointer(start: message.payload, count: message.len)
            guard let number = unsafe ConfluentFraming.schemaNumber(value) else { continue }
            if number != last {
                if let last { counts[last, default: 0] += count }
                (last, count) = (number, 0)
            }
            count += 1
        }
        if let last { counts[last, default: 0] += count }
        return counts
    }

    /// Copies all records and gives the messages back.
    func move(into chunk: inout InputChunk, _ wanted: RecordFields) {
        chunk.isFramed = true
        chunk.schemas = schemas
        chunk.partition = partition.partition
        if wanted.hasTopic { chunk.topic = Array(partition.topic.utf8) }
        chunk.text.reserve(byteCount + count + inputPaddingByteCount)
        chunk.records.reserveCapacity(count)
        for index in unsafe messages.indices {
            let message = unsafe messages[index]
            if let payload = unsafe message.pointee.payload {
                var value = unsafe UnsafeRawBufferPointer(start: payload, count: message.pointee.len)
                if wanted.hasUnusedSchema, unsafe ConfluentFraming.schemaNumber(value) != nil {
                    unsafe value = unsafe UnsafeRawBufferPointer(rebasing: value.dropFirst(ConfluentFraming.byteCount))
                }
                unsafe chunk.text.append(value)
            }
            var timestamp: Int64 = -1
            if wanted.hasTimestamp {
                var type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
                timestamp = unsafe rd_kafka_message_timestamp(message, &type)
            }
            unsafe chunk.records.append(
                InputRecord(
                    end: UInt32(chunk.text.count), isNull: message.pointee.payload == nil,
                    offset: message.pointee.offset, timestampMillis: timestamp,
                    attributesStart: UInt32(chunk.attributes.count)))
            chunk.text.append(UInt8(ascii: "\n"))
            for field in wanted.attributes { unsafe chunk.appendAttribute(attribute(field, of: message)) }
            unsafe rd_kafka_message_destroy(message)
        }
        unsafe messages.removeAll()
    }

    private func attribute(_ field: KafkaField, of message: KafkaMessage) -> UnsafeRawBufferPointer? {
        switch field {
        case .key:
            guard let key = unsafe message.pointee.key else { return nil }
            return unsafe UnsafeRawBufferPointer(start: key, count: message.pointee.key_len)
        case .header(let name):
            var headers: OpaquePointer?
            var value: UnsafeRawPointer?
            var size = 0
            guard unsafe rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR,
                unsafe rd_kafka_header_get_last(headers, name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR
            else { return nil }
            return unsafe value.map { unsafe UnsafeRawBufferPointer(start: $0, count: size) }
        case .keyField, .value, .topic, .partition, .offset, .timestamp: return nil
        }
    }
}
