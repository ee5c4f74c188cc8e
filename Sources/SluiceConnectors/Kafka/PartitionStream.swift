// What librdkafka has fetched of one partition, in offset order. A batch takes the messages up to its end offset; what
// came with them and belongs to the next batch waits here, everything else waits in librdkafka's queue, which is
// bounded.

internal import CRdKafka

typealias KafkaMessage = UnsafeMutablePointer<rd_kafka_message_t>

@safe final class PartitionStream {
    /// What the next take has met.
    enum Event: Hashable {
        /// The end offset has been reached.
        case finished
        /// There may be more at once.
        case more
        /// Nothing is there now.
        case empty
        /// The offset to read next does not exist (any more).
        case outOfRange
        case failed(KafkaFailure)
    }

    let partition: Int32
    private let topic: String
    private let queue: OpaquePointer
    /// Keeps the handle alive as long as there are messages.
    private let client: KafkaClient
    /// Every offset before it has been taken or holds no record.
    private(set) var next: Int64
    /// Behind the message taken last: from here to `next` there is nothing.
    private var takenEnd: Int64
    /// Of the message taken last.
    private(set) var lastTimestampMillis: Int64?
    private var waiting: [KafkaMessage] = unsafe []
    private var waitingStart = 0
    private let buffer: UnsafeMutablePointer<KafkaMessage?>
    private static let bufferCount = 1024

    /// The partition's queue, split off from the client's so that one partition can be left alone while another is
    /// read. It must be made before the partition is assigned.
    init(_ client: KafkaClient, topic: String, partition: Int32, next: Int64) {
        self.client = client
        self.topic = topic
        self.partition = partition
        self.next = next
        takenEnd = next
        unsafe queue = rd_kafka_queue_get_partition(client.handle, topic, partition)
        unsafe rd_kafka_queue_forward(queue, nil)
        unsafe buffer = .allocate(capacity: Self.bufferCount)
    }

    deinit {
        dropWaiting()
        // An event in the queue of a partition that is gone refers to the partition, which has the queue: left there,
        // it would keep the client from ever being destroyed (librdkafka's pull request 4724).
        while case let count = unsafe rd_kafka_consume_batch_queue(queue, 0, buffer, Self.bufferCount), count > 0 {
            for index in 0..<count { unsafe rd_kafka_message_destroy(buffer[index]) }
        }
        unsafe rd_kafka_queue_destroy(queue)
        unsafe buffer.deallocate()
    }

    /// The next message to be fetched has another offset: what was waiting is out of place.
    func restart(at offset: Int64) {
        dropWaiting()
        next = offset
        takenEnd = offset
    }

    /// True when what comes next is the first record at or behind an offset.
    func isAt(_ offset: Int64) -> Bool { takenEnd <= offset && offset <= next }

    private func dropWaiting() {
        for index in unsafe waiting.indices.dropFirst(waitingStart) { unsafe rd_kafka_message_destroy(waiting[index]) }
        unsafe waiting.removeAll()
        waitingStart = 0
    }

    /// Moves messages below `end` to `messages`, some at a time.
    func take(until end: Int64, timeoutMillis: Int32, into messages: inout [KafkaMessage]) -> Event {
        if next >= end { return .finished }
        if unsafe waitingStart < waiting.count { return unsafe takeWaiting(until: end, into: &messages) }
        let wanted = min(Self.bufferCount, Int(clamping: end - next))
        let count = unsafe rd_kafka_consume_batch_queue(queue, timeoutMillis, buffer, wanted)
        if count <= 0 { return .empty }
        var event = Event.more
        for index in 0..<count {
            guard let message = unsafe buffer[index] else { continue }
            if unsafe message.pointee.err != RD_KAFKA_RESP_ERR_NO_ERROR {
                let met = unsafe meet(message)
                unsafe rd_kafka_message_destroy(message)
                if met != .more { event = met }
            } else if unsafe message.pointee.offset >= end {
                unsafe waiting.append(message)
            } else if unsafe message.pointee.offset >= next {
                unsafe messages.append(message)
                unsafe next = message.pointee.offset + 1
                takenEnd = next
            } else {
                unsafe rd_kafka_message_destroy(message)
            }
        }
        if let last = unsafe messages.last { unsafe note(last) }
        // A message behind the end shows that nothing more is before it.
        if unsafe !waiting.isEmpty { next = max(next, end) }
        return next >= end ? .finished : event
    }

    private func takeWaiting(until end: Int64, into messages: inout [KafkaMessage]) -> Event {
        while unsafe waitingStart < waiting.count {
            let message = unsafe waiting[waitingStart]
            guard unsafe message.pointee.offset < end else {
                next = end
                return .finished
            }
            unsafe messages.append(message)
            unsafe next = message.pointee.offset + 1
            takenEnd = next
            unsafe note(message)
            waitingStart += 1
        }
        unsafe waiting.removeAll(keepingCapacity: true)
        waitingStart = 0
        return next >= end ? .finished : .more
    }

    private func note(_ message: KafkaMessage) {
        var type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
        let millis = unsafe rd_kafka_message_timestamp(message, &type)
        if millis >= 0 { lastTimestampMillis = millis }
    }

    /// What a message that is none says.
    private func meet(_ message: KafkaMessage) -> Event {
        let what = "reading partition \(partition) of the topic `\(topic)`"
        let error = unsafe message.pointee.err
        switch error {
        case RD_KAFKA_RESP_ERR__PARTITION_EOF:
            // Offsets before it that never came belong to control records, aborted ones, or ones that were compacted.
            next = unsafe max(next, message.pointee.offset)
            return .more
        case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET, RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
            return .outOfRange
        default:
            let failure = KafkaFailure(error, what, detail: unsafe String(cString: rd_kafka_message_errstr(message)))
            return failure.kind == .permanent ? .failed(failure) : .empty
        }
    }
}
