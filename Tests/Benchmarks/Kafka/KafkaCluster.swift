// What the Kafka benchmark does on a cluster besides measuring: it makes topics, fills them, reads them back and
// deletes them. Plain calls of librdkafka; the first failure ends the program.

import CRdKafka
import Glibc

struct KafkaCluster {
    let brokers: String

    /// Runs `body` with a client that is gone afterwards, so that nothing of it disturbs a measurement.
    func withClient<Value>(
        _ type: rd_kafka_type_t, _ settings: [(String, String)], _ body: (OpaquePointer) -> Value
    ) -> Value {
        let conf = rd_kafka_conf_new()
        var text = [CChar](repeating: 0, count: 512)
        for (name, value) in [("bootstrap.servers", brokers)] + settings {
            guard rd_kafka_conf_set(conf, name, value, &text, text.count) == RD_KAFKA_CONF_OK else {
                fail("\(name): \(message(text))")
            }
        }
        if type == RD_KAFKA_PRODUCER {
            rd_kafka_conf_set_dr_msg_cb(conf) { _, message, _ in
                guard let message, message.pointee.err != RD_KAFKA_RESP_ERR_NO_ERROR else { return }
                fail("a record was not written: \(String(cString: rd_kafka_err2str(message.pointee.err)))")
            }
        }
        guard let client = rd_kafka_new(type, conf, &text, text.count) else { fail(message(text)) }
        let value = body(client)
        rd_kafka_destroy_flags(client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE)
        return value
    }

    private func message(_ text: [CChar]) -> String {
        String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    static func check(_ error: rd_kafka_resp_err_t, _ what: String) {
        guard error == RD_KAFKA_RESP_ERR_NO_ERROR else { fail("\(what): \(String(cString: rd_kafka_err2str(error)))") }
    }

    static func check(_ error: OpaquePointer?, _ what: String) {
        if let error { fail("\(what): \(String(cString: rd_kafka_error_string(error)))") }
    }
}

// MARK: Topics and groups

extension KafkaCluster {
    func create(_ topics: [String], partitions: Int) {
        administer(RD_KAFKA_ADMIN_OP_CREATETOPICS, "creating topics") { client, options, queue in
            var made = topics.map { rd_kafka_NewTopic_new($0, Int32(partitions), -1, nil, 0) }
            rd_kafka_CreateTopics(client, &made, made.count, options, queue)
            rd_kafka_NewTopic_destroy_array(&made, made.count)
        } failures: { event in
            var count = 0
            let topics = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count)
            return (0..<count).map { rd_kafka_topic_result_error(topics?[$0]) }
        }
    }

    func delete(_ topics: [String]) {
        administer(RD_KAFKA_ADMIN_OP_DELETETOPICS, "deleting topics") { client, options, queue in
            var gone = topics.map { rd_kafka_DeleteTopic_new($0) }
            rd_kafka_DeleteTopics(client, &gone, gone.count, options, queue)
            rd_kafka_DeleteTopic_destroy_array(&gone, gone.count)
        } failures: { event in
            var count = 0
            let topics = rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &count)
            return (0..<count).map { rd_kafka_topic_result_error(topics?[$0]) }
        }
    }

    func deleteGroup(_ group: String) {
        administer(RD_KAFKA_ADMIN_OP_DELETEGROUPS, "deleting the group \(group)") { client, options, queue in
            var gone = rd_kafka_DeleteGroup_new(group)
            rd_kafka_DeleteGroups(client, &gone, 1, options, queue)
            rd_kafka_DeleteGroup_destroy(gone)
        } failures: { event in
            var count = 0
            let groups = rd_kafka_DeleteGroups_result_groups(rd_kafka_event_DeleteGroups_result(event), &count)
            return (0..<count).map { rd_kafka_error_code(rd_kafka_group_result_error(groups?[$0])) }
        }
    }

    private func administer(
        _ operation: rd_kafka_admin_op_t, _ what: String,
        _ call: (_ client: OpaquePointer, _ options: OpaquePointer?, _ queue: OpaquePointer?) -> Void,
        failures: (_ event: OpaquePointer) -> [rd_kafka_resp_err_t]
    ) {
        withClient(RD_KAFKA_PRODUCER, []) { client in
            let queue = rd_kafka_queue_new(client)
            let options = rd_kafka_AdminOptions_new(client, operation)
            // Brokers answer when the operation is through everywhere; groups take no such option.
            if operation != RD_KAFKA_ADMIN_OP_DELETEGROUPS {
                _ = rd_kafka_AdminOptions_set_operation_timeout(options, 30_000, nil, 0)
            }
            call(client, options, queue)
            guard let event = rd_kafka_queue_poll(queue, 60_000) else { fail("\(what): no answer in a minute") }
            Self.check(rd_kafka_event_error(event), what)
            for failure in failures(event) { Self.check(failure, what) }
            rd_kafka_event_destroy(event)
            rd_kafka_AdminOptions_destroy(options)
            rd_kafka_queue_destroy(queue)
        }
    }
}

// MARK: Records

extension KafkaCluster {
    /// Writes rows `0 ..< count`, alternating over the partitions, and returns the bytes written.
    func fill(_ name: String, partitions: Int, count: Int, _ append: (Int, inout [UInt8]) -> Void) -> Int {
        let settings = [
            ("enable.idempotence", "false"), ("acks", "1"), ("linger.ms", "50"), ("batch.num.messages", "100000"),
            ("queue.buffering.max.messages", "1000000"), ("delivery.report.only.error", "true"),
            // A batch that is sent again stays in its place.
            ("max.in.flight.requests.per.connection", "1"),
        ]
        return withClient(RD_KAFKA_PRODUCER, settings) { client in
            let topic = rd_kafka_topic_new(client, name, nil)
            var total = 0
            var row: [UInt8] = []
            for index in 0..<count {
                row.removeAll(keepingCapacity: true)
                append(index, &row)
                total += row.count
                let partition = Int32(index % partitions)
                while rd_kafka_produce(topic, partition, RD_KAFKA_MSG_F_COPY, &row, row.count, nil, 0, nil) != 0 {
                    let error = rd_kafka_last_error()
                    if error != RD_KAFKA_RESP_ERR__QUEUE_FULL { Self.check(error, "writing to \(name)") }
                    rd_kafka_poll(client, 10)
                }
                if index % 10_000 == 0 { rd_kafka_poll(client, 0) }
            }
            Self.check(rd_kafka_flush(client, 120_000), "writing to \(name)")
            rd_kafka_topic_destroy(topic)
            return total
        }
    }

    /// The offsets of a topic's partitions, as far as a client can read them.
    static func offsets(_ client: OpaquePointer, _ topic: String, partitions: Int) -> [Range<Int64>] {
        (0..<partitions).map { partition in
            var (low, high) = (Int64(0), Int64(0))
            check(
                rd_kafka_query_watermark_offsets(client, topic, Int32(partition), &low, &high, 30_000),
                "asking for the end of \(topic)")
            return low..<high
        }
    }

    /// Hands out all committed records of a topic. What the last transaction wrote may become readable a moment after
    /// its end, so a partition is through when its end under `read_committed` is its end without.
    func readCommitted(_ topic: String, partitions: Int, _ body: (UnsafeRawBufferPointer) -> Void) {
        // Whether transactions are open or not.
        let written = withClient(RD_KAFKA_CONSUMER, [("isolation.level", "read_uncommitted")]) { client in
            Self.offsets(client, topic, partitions: partitions)
        }
        let settings = [
            ("group.id", "sluice-benchmark-reader"), ("enable.auto.commit", "false"), ("fetch.wait.max.ms", "50"),
            ("isolation.level", "read_committed"), ("enable.partition.eof", "true"), ("auto.offset.reset", "error"),
        ]
        withClient(RD_KAFKA_CONSUMER, settings) { client in
            let queue = Self.assign(client, written.enumerated().map { (topic, Int32($0), $1.lowerBound) })
            let messages = MessageBuffer(capacity: 4096)
            var open = Set(written.indices)
            var lastSeconds = monotonicSeconds()
            while !open.isEmpty {
                messages.fill(from: queue, timeoutMillis: 50) { message in
                    let partition = Int(message.partition)
                    if message.err == RD_KAFKA_RESP_ERR__PARTITION_EOF {
                        if message.offset >= written[partition].upperBound { open.remove(partition) }
                        return
                    }
                    Self.check(message.err, "reading \(topic)")
                    body(UnsafeRawBufferPointer(start: message.payload, count: message.len))
                    lastSeconds = monotonicSeconds()
                }
                if monotonicSeconds() - lastSeconds > 60 {
                    fail("\(topic) has records that do not become readable: a transaction was left open")
                }
            }
            rd_kafka_queue_destroy(queue)
        }
    }

    /// Makes a consumer read partitions from given offsets on, and returns the queue their records arrive in.
    static func assign(
        _ client: OpaquePointer, _ partitions: [(topic: String, partition: Int32, start: Int64)]
    ) -> OpaquePointer? {
        check(rd_kafka_poll_set_consumer(client), "starting a consumer")
        let list = rd_kafka_topic_partition_list_new(Int32(partitions.count))
        for (topic, partition, start) in partitions {
            rd_kafka_topic_partition_list_add(list, topic, partition).pointee.offset = start
        }
        check(rd_kafka_assign(client, list), "starting a consumer")
        rd_kafka_topic_partition_list_destroy(list)
        return rd_kafka_queue_get_consumer(client)
    }
}

/// Where consumed messages stand until they have been looked at.
final class MessageBuffer {
    private let messages: UnsafeMutableBufferPointer<UnsafeMutablePointer<rd_kafka_message_t>?>

    init(capacity: Int) { messages = .allocate(capacity: capacity) }

    deinit { messages.deallocate() }

    /// Waits until the buffer is full or the time is over.
    func fill(from queue: OpaquePointer?, timeoutMillis: Int32, _ body: (borrowing rd_kafka_message_t) -> Void) {
        let count = rd_kafka_consume_batch_queue(queue, timeoutMillis, messages.baseAddress, messages.count)
        for index in 0..<max(0, count) {
            guard let message = messages[index] else { continue }
            body(message.pointee)
            rd_kafka_message_destroy(message)
        }
    }
}
