// Which topics and partitions a Kafka source reads, and what its partitions are called in offsets, lag and progress.
//
//     topic: visits                     0, 1, 2              the bare numbers that checkpoints have always had
//     topics: [a, b], topic_pattern     a/0, a/1, b/0        a topic's name holds no slash

/// A partition of a topic.
package struct TopicPartition: Hashable, Comparable, Sendable, CustomStringConvertible {
    package var topic: String
    package var partition: Int32

    package init(_ topic: String, _ partition: Int32) {
        self.topic = topic
        self.partition = partition
    }

    /// Reads `TOPIC/PARTITION`; nil for any other text.
    package init?(_ text: some StringProtocol) {
        guard let slash = text.lastIndex(of: "/"), slash != text.startIndex,
            let partition = Int32(digits: text[text.index(after: slash)...])
        else { return nil }
        self.init(String(text[..<slash]), partition)
    }

    package var description: String { "\(topic)/\(partition)" }

    package static func < (left: TopicPartition, right: TopicPartition) -> Bool {
        (left.topic, left.partition) < (right.topic, right.partition)
    }
}

/// What a Kafka source reads.
package struct KafkaTopics: Hashable, Sendable {
    package enum Names: Hashable, Sendable {
        /// `topic`.
        case one(String)
        /// `topics`, as they are listed; never empty, each once.
        case list([String])
        /// `topic_pattern`.
        case pattern(TopicPattern)
    }

    package var names: Names
    /// Only these of each topic; nil for all.
    package var partitions: Set<Int32>?

    package init(_ names: Names, partitions: Set<Int32>? = nil) {
        self.names = names
        self.partitions = partitions
    }

    /// Topics that are named; none where a pattern says which.
    package var named: [String] {
        switch names {
        case .one(let topic): [topic]
        case .list(let topics): topics
        case .pattern: []
        }
    }

    package func reads(_ topic: String) -> Bool {
        switch names {
        case .one(let name): name == topic
        case .list(let topics): topics.contains(topic)
        case .pattern(let pattern): pattern.matches(topic)
        }
    }

    package func reads(_ partition: TopicPartition) -> Bool {
        reads(partition.topic) && partitions?.contains(partition.partition) ?? true
    }

    /// What a partition is called in offsets.
    package func name(of partition: TopicPartition) -> String {
        if case .one = names { return String(partition.partition) }
        return partition.description
    }

    /// The partition that is called so in offsets; nil for a name that this source does not give.
    package func partition(named name: String) -> TopicPartition? {
        guard case .one(let topic) = names else { return TopicPartition(name) }
        return Int32(digits: name).map { TopicPartition(topic, $0) }
    }
}

extension KafkaTopics: CustomStringConvertible {
    /// Names or the pattern, as `explain` and progress show them.
    package var description: String {
        switch names {
        case .one(let topic): topic
        case .list(let topics): topics.joined(separator: ", ")
        case .pattern(let pattern): pattern.text
        }
    }
}

extension Int32 {
    /// The number that a text of digits alone is.
    package init?(digits: some StringProtocol) {
        guard digits.utf8.allSatisfy({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }) else { return nil }
        self.init(digits)
    }
}

/// Whether Kafka takes a text for the name of a topic: 1 to 249 letters, digits, `.`, `_` and `-`, not `.` or `..`.
package func isTopicName(_ text: String) -> Bool {
    let punctuation = "._-".utf8
    return (1...249).contains(text.utf8.count) && text != "." && text != ".."
        && text.utf8.allSatisfy {
            ($0 | 0x20 >= 97 && $0 | 0x20 <= 122) || ($0 >= 48 && $0 <= 57) || punctuation.contains($0)
        }
}
