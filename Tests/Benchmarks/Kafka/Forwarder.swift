// The least that any exactly-once program from Kafka to Kafka has to do: a plain librdkafka program that reads the same
// topics and writes every value, unchanged, to a third one. The product is measured against it, so it is written as
// well as one can without threads of its own: batches in, a transaction per 100,000 messages out, which commits the
// offsets too. The benchmark starts it as a process of its own, so its CPU and its memory are its own.

import CRdKafka

struct Forwarder {
    static let option = "--forward"
    static let messagesPerTransaction = 100_000

    /// The arguments of a program that forwards `inputs`.
    static func arguments(brokers: String, inputs: [String], partitions: Int, output: String, id: String) -> [String] {
        [CommandLine.arguments[0], option, brokers, output, id, String(partitions)] + inputs
    }

    static func main(_ arguments: [String]) {
        guard arguments.count >= 5, let partitions = Int(arguments[3]) else {
            fail("\(option) BROKERS OUTPUT ID PARTITIONS INPUT…")
        }
        let cluster = KafkaCluster(brokers: arguments[0])
        let id = arguments[2]
        cluster.withClient(RD_KAFKA_CONSUMER, reading(id)) { consumer in
            // Asked through the consumer, so that it knows the topics' leaders before it is assigned to them, and
            // starts at numbers and not at "the beginning": it would look up either again only after a while.
            let parts = arguments[4...].flatMap { topic in
                KafkaCluster.offsets(consumer, topic, partitions: partitions).enumerated().map { partition, offsets in
                    Part(topic: topic, partition: Int32(partition), next: offsets.lowerBound, end: offsets.upperBound)
                }
            }
            cluster.withClient(RD_KAFKA_PRODUCER, writing(id)) { producer in
                let topic = rd_kafka_topic_new(producer, arguments[1], nil)
                var forwarder = Forwarder(producer: producer, output: topic, group: id, parts: parts)
                forwarder.run(consumer)
                rd_kafka_topic_destroy(topic)
            }
        }
    }

    private static func reading(_ id: String) -> [(String, String)] {
        [
            ("group.id", id), ("isolation.level", "read_committed"), ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"), ("auto.offset.reset", "error"),
            // Up to 2.1 librdkafka does not fetch for up to a second once either of these is reached, so more than a
            // second's worth has to fit in.
            ("queued.min.messages", "10000000"), ("queued.max.messages.kbytes", "65536"),
            // A client that is closed waits for its last fetch.
            ("fetch.wait.max.ms", "100"),
        ]
    }

    private static func writing(_ id: String) -> [(String, String)] {
        [
            ("transactional.id", id), ("linger.ms", "5"), ("delivery.report.only.error", "true"),
            // More than a transaction holds: writing never waits for room.
            ("queue.buffering.max.messages", "200000"), ("queue.buffering.max.kbytes", "262144"),
        ]
    }

    /// A partition that is read up to where it ended at the start.
    private struct Part {
        var topic: String
        var partition: Int32
        var next: Int64
        var end: Int64
        /// The topic's handle in messages, as soon as there was one.
        var handle: OpaquePointer?
    }

    private let producer: OpaquePointer
    private let output: OpaquePointer?
    private let group: String
    private var parts: [Part]
    private var openCount = 0

    private mutating func run(_ consumer: OpaquePointer) {
        // Connected before it looks for its coordinator, or it would look again only after half a second.
        rd_kafka_mem_free(producer, rd_kafka_clusterid(producer, 30_000))
        KafkaCluster.check(rd_kafka_init_transactions(producer, 60_000), "starting transactions")
        let queue = KafkaCluster.assign(consumer, parts.map { ($0.topic, $0.partition, $0.next) })
        let messages = MessageBuffer(capacity: 10_000)
        while parts.contains(where: { $0.next < $0.end }) {
            messages.fill(from: queue, timeoutMillis: 20) { message in
                KafkaCluster.check(message.err, "reading")
                forward(message)
            }
            rd_kafka_poll(producer, 0)
        }
        if openCount > 0 { endTransaction() }
        rd_kafka_queue_destroy(queue)
    }

    private mutating func forward(_ message: borrowing rd_kafka_message_t) {
        if openCount == 0 { KafkaCluster.check(rd_kafka_begin_transaction(producer), "beginning a transaction") }
        while rd_kafka_produce(
            output, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, message.payload, message.len, nil, 0, nil) != 0
        {
            let error = rd_kafka_last_error()
            if error != RD_KAFKA_RESP_ERR__QUEUE_FULL { KafkaCluster.check(error, "writing") }
            rd_kafka_poll(producer, 1)
        }
        parts[part(of: message)].next = message.offset + 1
        openCount += 1
        if openCount == Self.messagesPerTransaction { endTransaction() }
    }

    private mutating func part(of message: borrowing rd_kafka_message_t) -> Int {
        let (topic, partition) = (message.rkt, message.partition)
        for index in parts.indices where parts[index].partition == partition && parts[index].handle == topic {
            return index
        }
        let name = String(cString: rd_kafka_topic_name(topic))
        guard let index = parts.firstIndex(where: { $0.partition == partition && $0.topic == name }) else {
            fail("a message of a partition that is not read")
        }
        parts[index].handle = topic
        return index
    }

    private mutating func endTransaction() {
        let list = rd_kafka_topic_partition_list_new(Int32(parts.count))
        for part in parts {
            rd_kafka_topic_partition_list_add(list, part.topic, part.partition).pointee.offset = part.next
        }
        let metadata = rd_kafka_consumer_group_metadata_new(group)
        KafkaCluster.check(
            rd_kafka_send_offsets_to_transaction(producer, list, metadata, 60_000), "committing offsets")
        rd_kafka_consumer_group_metadata_destroy(metadata)
        rd_kafka_topic_partition_list_destroy(list)
        KafkaCluster.check(rd_kafka_commit_transaction(producer, 60_000), "committing a transaction")
        openCount = 0
    }
}
