// What there is of the topics that a source reads: which partitions, where they begin and end. It does not ask on the
// connection that fetches: there a question would wait behind a fetch that the broker holds until there is something to
// give.

internal import CRdKafka
internal import SluiceSpec
internal import SluiceSystem

@safe final class TopicLookup {
    let client: KafkaClient
    let topics: KafkaTopics
    private var knownPartitions: [TopicPartition] = []
    private var partitionsAskedNanos: UInt64?
    private var knownClusterID: String?

    /// How often a running query looks for new partitions and topics.
    private static let partitionsAgeMaxNanos: UInt64 = 1_000_000_000

    /// Topics that Kafka keeps for itself. As in Spark, a pattern does not mean them.
    private static let internalTopics: Set<String> = [
        "__consumer_offsets", "__transaction_state", "__share_group_state",
    ]

    init(_ spec: KafkaSourceSpec, environment: ConnectorEnvironment) throws(KafkaFailure) {
        topics = spec.selection
        client = KafkaClient(
            sharing: try .lookup(
                connection(spec.brokers, isReadCommitted: spec.isReadCommitted), spec.options,
                topic: topics.named.first ?? "__consumer_offsets", log: environment.log), brokers: spec.brokers.value,
            environment: environment)
    }

    private var what: String { "reading \(topics.shown)" }

    func clusterID() throws(KafkaFailure) -> String {
        if let knownClusterID { return knownClusterID }
        let id = try client.clusterID()
        knownClusterID = id
        return id
    }

    /// Asks for the partitions, unless that was done a moment ago.
    private func lookForPartitions() throws(KafkaFailure) {
        let firstAsked = clock.monotonicNanos
        if let asked = partitionsAskedNanos, firstAsked - asked < Self.partitionsAgeMaxNanos { return }
        note(
            try client.untilAnswered { timeout in
                askForPartitions(isSure: clock.monotonicNanos - firstAsked > unknownTopicGraceNanos, timeout)
            })
    }

    /// Asks once for the partitions that the source reads.
    /// - Parameter isSure: whether a named topic that is not there will not come up in a moment.
    private func askForPartitions(isSure: Bool, _ timeoutMillis: Int32) -> Result<[TopicPartition], KafkaFailure> {
        var found: [TopicPartition] = []
        for topic in topics.named {
            let what = "reading the topic `\(topic)`"
            switch client.askForPartitions(of: topic, what, isSure: isSure, timeoutMillis) {
            case .success(let partitions): found += partitions.map { TopicPartition(topic, $0) }
            case .failure(let failure): return .failure(failure)
            }
        }
        guard case .pattern(let pattern) = topics.names else { return .success(found.filter(topics.reads)) }
        return client.askForAllTopics(what, timeoutMillis).flatMap { answers in
            for answer in answers where pattern.matches(answer.name) && !Self.internalTopics.contains(answer.name) {
                if answer.error == RD_KAFKA_RESP_ERR_NO_ERROR {
                    found += answer.partitions.map { TopicPartition(answer.name, $0) }
                } else if let failure = trouble(answer) {
                    return .failure(failure)
                }
            }
            return .success(found.filter(topics.reads))
        }
    }

    /// A topic that is just being made is there when it can be read, and one that is gone is not there.
    private func trouble(_ answer: KafkaClient.TopicAnswer) -> KafkaFailure? {
        if answer.error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART { return nil }
        let failure = KafkaFailure(answer.error, "reading the topic `\(answer.name)`")
        let isKnown = knownPartitions.contains { $0.topic == answer.name }
        return isKnown || failure.kind == .permanent ? failure : nil
    }

    private func note(_ partitions: [TopicPartition]) {
        knownPartitions = partitions
        partitionsAskedNanos = clock.monotonicNanos
    }

    private var clock: any Clock { client.environment.clock }

    /// Where the partitions end, of all that there are.
    /// - Parameter isFresh: whether partitions are asked for that have been known for a moment only.
    func ends(isFresh: Bool = false) throws(KafkaFailure) -> [TopicPartition: Int64] {
        if isFresh { partitionsAskedNanos = nil }
        try lookForPartitions()
        var mustAskAgain = false
        var unknownSinceNanos: UInt64?
        return try client.untilAnswered { timeout in
            if mustAskAgain {
                let now = clock.monotonicNanos
                let isSure = unknownSinceNanos.map { now - $0 > unknownTopicGraceNanos } ?? false
                switch askForPartitions(isSure: isSure, timeout) {
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
    func offsets(of place: Place, in partitions: [TopicPartition]) throws(KafkaFailure) -> [TopicPartition: Int64] {
        try client.untilAnswered { timeout in ask(place, in: partitions, timeout) }
    }

    private func ask(
        _ place: Place, in partitions: [TopicPartition], _ timeoutMillis: Int32
    ) -> Result<[TopicPartition: Int64], KafkaFailure> {
        let wanted: Int64 =
            switch place {
            case .earliest: -2
            case .latest: -1
            case .timestamp(let millis): millis
            }
        if partitions.isEmpty { return .success([:]) }
        let offsets = Dictionary(uniqueKeysWithValues: partitions.map { ($0, wanted) })
        return unsafe askPartitions(
            offsets, what, { unsafe rd_kafka_offsets_for_times(client.handle, $0, timeoutMillis) },
            read: { element in unsafe element.offset >= 0 ? (TopicPartition(element), element.offset) : nil }
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

extension KafkaTopics {
    /// As a sentence names them.
    var shown: String {
        switch names {
        case .one(let topic): "the topic `\(topic)`"
        case .list(let topics): "the topics " + topics.map { "`\($0)`" }.joined(separator: ", ")
        case .pattern(let pattern): "the topics that match `\(pattern.text)`"
        }
    }
}
