// What there is of a topic: which partitions, where they begin and end. It does not ask on the connection that fetches:
// there a question would wait behind a fetch that the broker holds until there is something to give.

internal import CRdKafka
internal import SluiceSpec
internal import SluiceSystem

@safe final class TopicLookup {
    let client: KafkaClient
    let topic: String
    private var knownPartitions: [Int32] = []
    private var partitionsAskedNanos: UInt64?
    private var knownClusterID: String?

    /// How often a running query looks for new partitions.
    private static let partitionsAgeMaxNanos: UInt64 = 1_000_000_000

    init(_ spec: KafkaSourceSpec, environment: ConnectorEnvironment) throws(KafkaFailure) {
        topic = spec.topicName.value
        client = KafkaClient(
            sharing: try .lookup(
                connection(spec.brokers, isReadCommitted: spec.isReadCommitted), spec.options, topic: topic,
                log: environment.log), brokers: spec.brokers.value, environment: environment)
    }

    private var what: String { "reading the topic `\(topic)`" }

    func clusterID() throws(KafkaFailure) -> String {
        if let knownClusterID { return knownClusterID }
        let id = try client.clusterID()
        knownClusterID = id
        return id
    }

    /// The topic's partitions, about as they are now.
    private func partitions() throws(KafkaFailure) -> [Int32] {
        let now = clock.monotonicNanos
        if let asked = partitionsAskedNanos, now - asked < Self.partitionsAgeMaxNanos { return knownPartitions }
        note(try client.partitions(of: topic, what))
        return knownPartitions
    }

    private func note(_ partitions: [Int32]) {
        knownPartitions = partitions
        partitionsAskedNanos = clock.monotonicNanos
    }

    private var clock: any Clock { client.environment.clock }

    /// Where the topic's partitions end, of all that there are.
    /// - Parameter isFresh: whether partitions are asked for that have been known for a moment only.
    func ends(isFresh: Bool = false) throws(KafkaFailure) -> [Int32: Int64] {
        if isFresh { partitionsAskedNanos = nil }
        _ = try partitions()
        var mustAskAgain = false
        var unknownSinceNanos: UInt64?
        return try client.untilAnswered { timeout in
            if mustAskAgain {
                let now = clock.monotonicNanos
                let isSure = unknownSinceNanos.map { now - $0 > unknownTopicGraceNanos } ?? false
                switch client.askForPartitions(of: topic, what, isSure: isSure, timeout) {
                case .success(let partitions): note(partitions)
                case .failure(let failure):
                    if failure.isAnswer { unknownSinceNanos = unknownSinceNanos ?? now }
                    return .failure(failure)
                }
            }
            // One that has gone with its topic would be asked for ever.
            mustAskAgain = true
            unknownSinceNanos = nil
            return ask(.latest, in: knownPartitions, timeout).flatMap { ends in
                ends.count == knownPartitions.count
                    ? .success(ends) : .failure(KafkaFailure(RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE, what))
            }
        }
    }

    /// What to look for in a partition.
    enum Place: Hashable {
        case earliest
        /// Behind the last record that a query may read: the last stable offset under `read_committed`.
        case latest
        /// The first record with this timestamp or a later one.
        case timestamp(millis: Int64)
    }

    /// The offset of a place, per partition; a partition without a record of the timestamp or a later one is absent.
    func offsets(of place: Place, in partitions: [Int32]) throws(KafkaFailure) -> [Int32: Int64] {
        try client.untilAnswered { timeout in ask(place, in: partitions, timeout) }
    }

    private func ask(
        _ place: Place, in partitions: [Int32], _ timeoutMillis: Int32
    ) -> Result<[Int32: Int64], KafkaFailure> {
        let wanted: Int64 =
            switch place {
            case .earliest: -2
            case .latest: -1
            case .timestamp(let millis): millis
            }
        if partitions.isEmpty { return .success([:]) }
        let offsets = Dictionary(uniqueKeysWithValues: partitions.map { ($0, wanted) })
        return unsafe askPartitions(
            topic, offsets, what, { unsafe rd_kafka_offsets_for_times(client.handle, $0, timeoutMillis) },
            read: { element in unsafe element.offset >= 0 ? (element.partition, element.offset) : nil }
        ).map { Dictionary(uniqueKeysWithValues: $0) }
    }
}

/// What the clients that read have in common; a spec may change it.
/// - Parameter query: whose client it is; nil for one of several.
func sourceDefaults(query: String?) -> [(String, String)] {
    connectionDefaults(query: query) + [
        ("topic.metadata.refresh.fast.interval.ms", "100"), ("socket.keepalive.enable", "true"),
    ]
}

/// What clients that read have in common whatever a spec says.
func connection(_ brokers: Located<String>, isReadCommitted: Bool) -> [(String, String)] {
    [
        ("bootstrap.servers", brokers.value),
        ("isolation.level", isReadCommitted ? "read_committed" : "read_uncommitted"),
    ]
}
