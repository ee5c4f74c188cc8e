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

    /// The metadata of the offsets committed for partitions of a topic; those without any are left out.
    func metadata(_ topic: String, _ partitions: [Int32]) throws(KafkaFailure) -> [String] {
        if partitions.isEmpty { return [] }
        return try client.untilAnswered { timeout in ask(topic, partitions, timeout) }
    }

    private func ask(
        _ topic: String, _ partitions: [Int32], _ timeoutMillis: Int32
    ) -> Result<[String], KafkaFailure> {
        let what = "reading the offsets of the group `\(group)`"
        let list = unsafe makePartitionList(topic, Dictionary(uniqueKeysWithValues: partitions.map { ($0, -1001) }))
        defer { unsafe rd_kafka_topic_partition_list_destroy(list) }
        let error = unsafe rd_kafka_committed(client.handle, list, timeoutMillis)
        guard error == RD_KAFKA_RESP_ERR_NO_ERROR, let list = unsafe list else {
            return .failure(KafkaFailure(error, what))
        }
        var found: [String] = []
        for index in unsafe 0..<Int(list.pointee.cnt) {
            let element = unsafe list.pointee.elems[index]
            guard unsafe element.err == RD_KAFKA_RESP_ERR_NO_ERROR else {
                return unsafe .failure(KafkaFailure(element.err, what))
            }
            guard let metadata = unsafe element.metadata else { continue }
            let bytes = unsafe UnsafeRawBufferPointer(start: metadata, count: element.metadata_size)
            unsafe found.append(String(decoding: bytes, as: UTF8.self))
        }
        return .success(found)
    }
}
