// librdkafka's lists of partitions: how offsets go in, and what comes back with them.

internal import CRdKafka
internal import SluiceSpec

/// A list of librdkafka's; the caller destroys it.
func makePartitionList(
    _ offsets: [TopicPartition: Int64]
) -> UnsafeMutablePointer<rd_kafka_topic_partition_list_t>? {
    let list = unsafe rd_kafka_topic_partition_list_new(Int32(offsets.count))
    for (partition, offset) in offsets.sorted(by: { $0.key < $1.key }) {
        let added = unsafe rd_kafka_topic_partition_list_add(list, partition.topic, partition.partition)
        unsafe added?.pointee.offset = offset
    }
    return unsafe list
}

/// Makes a call that fills in a list of partitions, and reads what it found for each; elements that `read` answers with
/// nil are left out.
func askPartitions<Found>(
    _ offsets: [TopicPartition: Int64], _ what: String,
    _ call: (UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?) -> rd_kafka_resp_err_t,
    read: (rd_kafka_topic_partition_t) -> Found?
) -> Result<[Found], KafkaFailure> {
    let list = unsafe makePartitionList(offsets)
    defer { unsafe rd_kafka_topic_partition_list_destroy(list) }
    let error = unsafe call(list)
    guard error == RD_KAFKA_RESP_ERR_NO_ERROR, let list = unsafe list else {
        return .failure(KafkaFailure(error, what))
    }
    var found: [Found] = []
    for index in unsafe 0..<Int(list.pointee.cnt) {
        let element = unsafe list.pointee.elems[index]
        guard unsafe element.err == RD_KAFKA_RESP_ERR_NO_ERROR else {
            return unsafe .failure(KafkaFailure(element.err, what))
        }
        if let value = unsafe read(element) { found.append(value) }
    }
    return .success(found)
}

extension TopicPartition {
    /// Which one an element of a list speaks of.
    init(_ element: rd_kafka_topic_partition_t) {
        unsafe self.init(String(cString: element.topic), element.partition)
    }

    /// As a sentence names it.
    var place: String { "partition \(partition) of the topic `\(topic)`" }
}
