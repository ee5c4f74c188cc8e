// What a consumer group says about partitions, metadata included. A client of its own for each look: a group is set up
// with the client. (librdkafka's admin call for this ends the process in 2.0.2 when a coordinator is being elected.)

internal import CRdKafka
internal import SluiceSpec

@safe struct GroupOffsets: ~Copyable {
    private let client: KafkaClient
    private let group: String

    /// A look with the connection of a sink.
    init(_ group: String, _ spec: KafkaSinkSpec, environment: ConnectorEnvironment) throws(KafkaFailure) {
        self.group = group
        let settings = try KafkaSettings(
            defaults: sourceDefaults(query: environment.query), options: spec.options,
            fixed: [
                ("bootstrap.servers", spec.brokers.value), ("group.id", group), ("enable.auto.commit", "false"),
                // Offsets of a transaction that is just being ended are waited for.
                ("isolation.level", "read_committed"),
            ])
        client = try KafkaClient(
            RD_KAFKA_CONSUMER, brokers: spec.brokers.value, settings: settings, environment: environment)
    }

    /// What keeps the client from its group for good.
    private func refusal(_ what: String) -> KafkaFailure? {
        while let message = unsafe rd_kafka_consumer_poll(client.handle, 0) {
            defer { unsafe rd_kafka_message_destroy(message) }
            let failure = unsafe KafkaFailure(
                message.pointee.err, what, detail: String(cString: rd_kafka_message_errstr(message)))
            if failure.kind == .permanent { return failure }
        }
        return nil
    }

    /// The metadata of the offsets committed for partitions of a topic; those without any are left out.
    func metadata(_ topic: String, _ partitions: [Int32]) throws(KafkaFailure) -> [String] {
        if partitions.isEmpty { return [] }
        let what = "reading the offsets of the group `\(group)`"
        let offsets = Dictionary(
            uniqueKeysWithValues: partitions.map { (TopicPartition(topic, $0), Int64(RD_KAFKA_OFFSET_INVALID)) })
        return try client.untilAnswered { timeout in
            // Without the right to the group librdkafka asks for its coordinator for ever, and says why elsewhere.
            if let refusal = refusal(what) { return .failure(refusal) }
            return unsafe askPartitions(
                offsets, what, { unsafe rd_kafka_committed(client.handle, $0, timeout) },
                read: { element in
                    unsafe element.metadata.map { metadata in
                        let bytes = unsafe UnsafeRawBufferPointer(start: metadata, count: element.metadata_size)
                        return unsafe String(decoding: bytes, as: UTF8.self)
                    }
                })
        }
    }
}
