// What librdkafka has fetched of one partition, in offset order. A batch takes the messages up to its end offset; what
// came with them and belongs to the next batch waits here, everything else waits in librdkafka's queue, which is
// bounded.
//
// What is damaged on its way must not be taken for what is not there. librdkafka reports a batch of records whose check
// sum is wrong and goes on behind it: here nothing behind it is taken, so that it can be fetched again. A check sum
// does not cover a batch's own offset, and a wrong one looks like offsets that hold no record (control records, aborted
// or compacted ones): so a gap wider than any before it is believed when it is met a second time.

internal import CRdKafka
internal import SluiceSpec

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
        /// So wide a gap was not met before: where it ends is to be looked at, and then fetched again.
        case doubtful(gap: Range<Int64>)
        /// What was fetched is damaged: it is to be fetched again.
        case damaged(KafkaFailure)
        case failed(KafkaFailure)
    }

    let partition: TopicPartition
    private let queue: OpaquePointer
    /// Keeps the handle alive as long as there are messages.
    let client: KafkaClient
    /// Every offset before it has been taken or holds no record.
    private(set) var next: Int64
    /// Behind the message taken last: from here to `next` there is nothing.
    private var takenEnd: Int64
    /// Of the message taken last.
    private(set) var lastTimestampMillis: Int64?
    /// How many offsets in a row have been without a record at most.
    private var widestGap: Int64 = 0
    /// A wider gap that was met once, and how many of them in a row were not met again.
    private var doubt: Range<Int64>?
    private var doubtCount = 0
    private var waiting: [KafkaMessage] = unsafe []
    private var waitingStart = 0
    private let buffer: UnsafeMutablePointer<KafkaMessage?>
    private static let bufferCount = 1024

    /// The partition's queue, split off from the client's so that one partition can be left alone while another is
    /// read. It must be made before the partition is assigned.
    init(_ client: KafkaClient, _ partition: TopicPartition, next: Int64) {
        self.client = client
        self.partition = partition
        self.next = next
        takenEnd = next
        unsafe queue = rd_kafka_queue_get_partition(client.handle, partition.topic, partition.partition)
        unsafe rd_kafka_queue_forward(queue, nil)
        unsafe buffer = .allocate(capacity: Self.bufferCount)
    }

    /// The same partition from where `other` stands, over the connections of another client.
    convenience init(_ client: KafkaClient, goingOnFrom other: PartitionStream) {
        self.init(client, other.partition, next: other.next)
        (lastTimestampMillis, widestGap) = (other.lastTimestampMillis, other.widestGap)
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
            if let met = unsafe place(message, until: end, into: &messages) {
                event = met
                guard met.endsFetch else { continue }
                // What came behind it comes again.
                for later in index + 1..<count { unsafe rd_kafka_message_destroy(buffer[later]) }
                break
            }
        }
        if let last = unsafe messages.last { unsafe note(last) }
        // A message behind the end shows that nothing more is before it.
        if unsafe !waiting.isEmpty { next = max(next, end) }
        return next >= end && !event.endsFetch ? .finished : event
    }

    /// Puts a message where it belongs; returns what it says when it is none, or may not be the next one.
    private func place(_ message: KafkaMessage, until end: Int64, into messages: inout [KafkaMessage]) -> Event? {
        let offset = unsafe message.pointee.offset
        if unsafe message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR, offset >= next {
            if offset > next, isInDoubt(upTo: offset) {
                unsafe rd_kafka_message_destroy(message)
                return doubtfulEvent
            }
            if offset < end {
                unsafe messages.append(message)
                next = offset + 1
                takenEnd = next
            } else {
                unsafe waiting.append(message)
            }
            return nil
        }
        defer { unsafe rd_kafka_message_destroy(message) }
        if unsafe message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR { return nil }
        let met = unsafe meet(message)
        return met == .more ? nil : met
    }

    /// Whether what is fetched next may not be what is next: from where the stream stands to `offset` there is no
    /// record, which has not been so for so many offsets, nor at the last look.
    private func isInDoubt(upTo offset: Int64) -> Bool {
        let start = unsafe waiting.last.map { unsafe $0.pointee.offset + 1 } ?? next
        guard offset - start > widestGap else { return false }
        if doubt == start..<offset {
            widestGap = offset - start
            (doubt, doubtCount) = (nil, 0)
            return false
        }
        doubt = start..<offset
        doubtCount += 1
        return true
    }

    /// What to do about a gap: look again, unless every look has shown another one.
    private var doubtfulEvent: Event {
        guard let doubt else { preconditionFailure("a doubt is about a gap") }
        if doubtCount <= Self.doubtCountMax { return .doubtful(gap: doubt) }
        return .damaged(damaged("each answer has another gap behind it", offset: doubt.lowerBound))
    }

    /// A topic that is being compacted may show another gap at the second look.
    private static let doubtCountMax = 3

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
        let what = "reading \(partition.place)"
        let error = unsafe message.pointee.err
        switch error {
        case RD_KAFKA_RESP_ERR__PARTITION_EOF:
            // Offsets before it that never came belong to control records, aborted ones, or ones that were compacted.
            if unsafe isInDoubt(upTo: message.pointee.offset) { return doubtfulEvent }
            // What waits is before it too.
            if unsafe waiting.isEmpty { next = unsafe max(next, message.pointee.offset) }
            return .more
        case RD_KAFKA_RESP_ERR__BAD_MSG, RD_KAFKA_RESP_ERR_INVALID_MSG:
            return unsafe .damaged(damaged(detail(message), offset: message.pointee.offset))
        case RD_KAFKA_RESP_ERR__BAD_COMPRESSION, RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED:
            let failure = unsafe damaged(detail(message), offset: message.pointee.offset)
            // The number of a format that there is not was changed on the way; a codec stays the one it is.
            return unsafe detail(message).contains("MagicByte") ? .damaged(failure) : .failed(failure)
        case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET, RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
            return .outOfRange
        default:
            let failure = unsafe KafkaFailure(error, what, detail: detail(message))
            return failure.kind == .permanent ? .failed(failure) : .empty
        }
    }

    private func detail(_ message: KafkaMessage) -> String {
        unsafe String(cString: rd_kafka_message_errstr(message))
    }

    /// - Parameter offset: of the batch of records, if it is known.
    func damaged(_ detail: String, offset: Int64) -> KafkaFailure {
        KafkaFailure(
            .permanent, code: "kafka-damaged",
            "reading \(partition.place) at offset \(max(offset, next)): \(detail): the "
                + "records there are damaged, or written in a way that this librdkafka cannot read. Look at them with "
                + "`kafka-dump-log` on the broker; to go on without them, delete the partition's records up to there "
                + "(`kafka-delete-records`) and set `on_data_loss: continue` on the source")
    }
}

extension PartitionStream.Event {
    /// True when nothing that was fetched behind it may be taken.
    fileprivate var endsFetch: Bool {
        switch self {
        case .doubtful, .damaged, .failed, .outOfRange: true
        case .finished, .more, .empty: false
        }
    }
}
