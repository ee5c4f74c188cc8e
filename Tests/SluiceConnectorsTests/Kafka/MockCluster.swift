// librdkafka's own mock brokers, in this process: they speak the real protocol over TCP and make the errors that a real
// broker cannot be asked for. They keep no more than 5 MB a partition and know no read_committed.

import CRdKafka
import SluiceConnectors
import SluiceEngine
import SluiceSimulation
import SluiceSpec
import SluiceSystem
import Synchronization
import SystemTesting

/// A mock cluster, and a plain client that writes to it and reads from it.
@safe final class MockCluster: @unchecked Sendable {
    // @unchecked: librdkafka's handles are made for many threads.
    private let owner: OpaquePointer
    private let cluster: OpaquePointer
    let brokers: String

    init(brokerCount: Int32 = 1) {
        let conf = rd_kafka_conf_new()
        rd_kafka_conf_set(conf, "client.id", "mock", nil, 0)
        rd_kafka_conf_set_log_cb(conf) { _, _, _, _ in }
        owner = rd_kafka_new(RD_KAFKA_PRODUCER, conf, nil, 0)!
        cluster = rd_kafka_mock_cluster_new(owner, brokerCount)!
        brokers = String(cString: rd_kafka_mock_cluster_bootstraps(cluster))
    }

    deinit {
        rd_kafka_mock_cluster_destroy(cluster)
        rd_kafka_destroy(owner)
    }

    func createTopic(_ name: String, partitions: Int32) {
        precondition(rd_kafka_mock_topic_create(cluster, name, partitions, 1) == RD_KAFKA_RESP_ERR_NO_ERROR)
    }

    /// The next requests of a kind are answered with these errors, one each.
    func failNext(_ api: ApiKey, _ errors: [rd_kafka_resp_err_t]) {
        rd_kafka_mock_push_request_errors_array(cluster, api.rawValue, errors.count, errors)
    }

    func setBroker(_ id: Int32 = 1, isUp: Bool) {
        if isUp { rd_kafka_mock_broker_set_up(cluster, id) } else { rd_kafka_mock_broker_set_down(cluster, id) }
    }

    /// The protocol's numbers of requests.
    enum ApiKey: Int16 {
        case produce = 0
        case fetch = 1
        case listOffsets = 2
        case metadata = 3
        case initProducerID = 22
        case addPartitionsToTransaction = 24
        case endTransaction = 26
        case transactionOffsetCommit = 28
    }

    /// Writes records and waits until they are there.
    func write(_ topic: String, partition: Int32, _ values: [String?], key: String? = nil) {
        let conf = rd_kafka_conf_new()
        rd_kafka_conf_set(conf, "bootstrap.servers", brokers, nil, 0)
        rd_kafka_conf_set_log_cb(conf) { _, _, _, _ in }
        let client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, nil, 0)!
        let handle = rd_kafka_topic_new(client, topic, nil)
        for value in values {
            var bytes = Array((value ?? "").utf8)
            let keyBytes = Array((key ?? "").utf8)
            let code = bytes.withUnsafeMutableBytes { bytes in
                keyBytes.withUnsafeBytes { key in
                    rd_kafka_produce(
                        handle, partition, RD_KAFKA_MSG_F_COPY, value == nil ? nil : bytes.baseAddress, bytes.count,
                        key.count > 0 ? key.baseAddress : nil, key.count, nil)
                }
            }
            precondition(code == 0)
        }
        precondition(rd_kafka_flush(client, 10_000) == RD_KAFKA_RESP_ERR_NO_ERROR)
        rd_kafka_topic_destroy(handle)
        rd_kafka_destroy(client)
    }

    /// All values of a topic, partition after partition.
    func read(_ topic: String, partitions: Int32) -> [String] {
        let conf = rd_kafka_conf_new()
        for (name, value) in [
            ("bootstrap.servers", brokers), ("group.id", "reader"), ("enable.partition.eof", "true"),
            ("auto.offset.reset", "earliest"),
        ] { rd_kafka_conf_set(conf, name, value, nil, 0) }
        rd_kafka_conf_set_log_cb(conf) { _, _, _, _ in }
        let client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, nil, 0)!
        defer { rd_kafka_destroy(client) }
        let list = rd_kafka_topic_partition_list_new(partitions)
        for partition in 0..<partitions {
            rd_kafka_topic_partition_list_add(list, topic, partition)?.pointee.offset = 0
        }
        rd_kafka_assign(client, list)
        rd_kafka_topic_partition_list_destroy(list)
        var values = [[String]](repeating: [], count: Int(partitions))
        var openCount = partitions
        while openCount > 0 {
            guard let message = rd_kafka_consumer_poll(client, 10_000) else { break }
            if message.pointee.err == RD_KAFKA_RESP_ERR__PARTITION_EOF { openCount -= 1 }
            if message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR {
                let bytes = UnsafeRawBufferPointer(start: message.pointee.payload, count: message.pointee.len)
                values[Int(message.pointee.partition)].append(String(decoding: bytes, as: UTF8.self))
            }
            rd_kafka_message_destroy(message)
        }
        return values.flatMap(\.self)
    }
}

/// Connectors on a mock cluster.
struct MockEnvironment {
    let cluster: MockCluster
    let lines = LogLines()
    private let isStopped = StopFlag()

    init(_ cluster: MockCluster) { self.cluster = cluster }

    func stop() { isStopped.value.store(true, ordering: .sequentiallyConsistent) }

    func environment(patienceMillis: Int64? = 30_000) -> ConnectorEnvironment {
        let flag = isStopped
        return ConnectorEnvironment(
            query: "q", group: "sluice-q", fileSystem: SimulatedFileSystem(), clock: SystemClock(), log: lines.log,
            shouldStop: { flag.value.load(ordering: .sequentiallyConsistent) }, patienceMillis: patienceMillis)
    }

    func sourceSpec(_ topic: String) -> KafkaSourceSpec {
        KafkaSourceSpec(position: place, brokers: Located(cluster.brokers, at: place), topics: KafkaTopics(.one(topic)))
    }

    func sinkSpec(_ topic: String, isExactlyOnce: Bool = true) -> KafkaSinkSpec {
        var spec = KafkaSinkSpec(
            position: place, brokers: Located(cluster.brokers, at: place), topic: Located(topic, at: place))
        spec.isExactlyOnce = isExactlyOnce
        return spec
    }

    private var place: SourcePosition { SourcePosition(file: "test.yaml", line: 1, column: 1) }
}

private final class StopFlag: Sendable {
    let value = Atomic(false)
}
