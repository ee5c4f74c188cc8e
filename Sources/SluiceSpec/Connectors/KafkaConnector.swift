// The `kafka` connector as a spec has it: what a source reads, what a sink writes.

/// A setting that goes to librdkafka as it is, such as `sasl.password`.
package struct KafkaOption: Hashable, Sendable {
    package var name: Located<String>
    /// Any option may be a password.
    package var value: Secret
    package var valuePosition: SourcePosition
    /// True when the value is the path of a file, resolved against the spec's folder.
    package var isFile: Bool

    package init(name: Located<String>, value: Secret, valuePosition: SourcePosition, isFile: Bool = false) {
        self.name = name
        self.value = value
        self.valuePosition = valuePosition
        self.isFile = isFile
    }
}

package struct KafkaSourceSpec: Sendable {
    /// Where a query without a checkpoint begins to read.
    package enum Start: Hashable, Sendable {
        case latest
        case earliest
        /// Microseconds since the epoch.
        case timestamp(Int64)
        /// Per partition; never empty. Partitions that are not named start at their latest offset.
        case offsets([TopicPartition: PartitionStart])
    }

    /// Where one partition begins.
    package enum PartitionStart: Hashable, Sendable {
        case earliest
        case latest
        /// The first offset that is read.
        case offset(Int64)
    }

    package var position: SourcePosition
    package var brokers: Located<String>
    /// What it reads.
    package var selection: KafkaTopics
    package var start: Start = .latest
    package var maxOffsetsPerTrigger: Int64?
    package var minOffsetsPerTrigger: Int64?
    package var maxTriggerDelayMicros: Int64?
    package var failsOnDataLoss = true
    package var isReadCommitted = true
    /// In the order of the file; none that would break what Sluice promises.
    package var options: [KafkaOption] = []

    package init(position: SourcePosition, brokers: Located<String>, topics: KafkaTopics) {
        self.position = position
        self.brokers = brokers
        selection = topics
    }
}

extension KafkaSourceSpec: SourceConnector {
    package static var key: String { SourceKeys.set.keys.kafka.facts.name }
    package var topics: KafkaTopics? { selection }

    package var origin: (name: String, value: String) {
        let name =
            switch selection.names {
            case .one: "kafka topic"
            case .list: "kafka topics"
            case .pattern: "kafka topic pattern"
            }
        guard let partitions = selection.partitions else { return (name, "\(selection)") }
        let list = partitions.sorted().map { "\($0)" }.joined(separator: ", ")
        return (name, "\(selection) (only \(partitions.count == 1 ? "partition" : "partitions") \(list))")
    }

    package var limits: [TriggerLimit] {
        guard let offsets = maxOffsetsPerTrigger else { return [] }
        let name = KafkaSourceKeys.set.keys.maxOffsetsPerTrigger.facts.name
        return [TriggerLimit(key: name, limit: offsets, unit: .offsets)]
    }

    package func reads(_ sink: any SinkConnector, as format: OutputFormat) -> Bool {
        guard let sink = sink as? KafkaSinkSpec, selection.reads(sink.topic.value) else { return false }
        return !Set(hosts(brokers.value)).isDisjoint(with: hosts(sink.brokers.value))
    }

    private func hosts(_ brokers: String) -> [String] {
        brokers.lowercased().split { $0 == "," || $0.isWhitespace }.map(String.init)
    }
}

/// A header of each record that a sink writes.
package struct KafkaHeaderSpec: Sendable {
    package var name: String
    package var value: OutputExpression

    package init(name: String, value: OutputExpression) {
        self.name = name
        self.value = value
    }
}

package struct KafkaSinkSpec: Sendable {
    package var position: SourcePosition
    package var brokers: Located<String>
    package var topic: Located<String>
    /// Over the names of the query's output columns; typed when a query is planned. It is written as plain text: a
    /// string's bytes, other types as CSV would write them. Null gives a record without a key.
    package var key: OutputExpression?
    /// Each as the key is; null leaves the header out.
    package var headers: [KafkaHeaderSpec] = []
    /// The output column that becomes the record's timestamp; without it the record has the time of writing.
    package var timestamp: Located<String>?
    package var isExactlyOnce = true
    /// In the order of the file; none that would break what Sluice promises.
    package var options: [KafkaOption] = []

    package init(position: SourcePosition, brokers: Located<String>, topic: Located<String>) {
        self.position = position
        self.brokers = brokers
        self.topic = topic
    }
}

extension KafkaSinkSpec: SinkConnector {
    package static var key: String { SinkKeys.set.keys.kafka.facts.name }
    package var details: [(name: String, value: String)] {
        [("kafka topic", topic.value), ("delivery", isExactlyOnce ? "exactly once" : "at least once")]
    }
}
