// A query that has read one Kafka topic and goes on to read several: its checkpoint has bare partition numbers, and
// from then on topics belong to them. Files stay as they were written; what is read of them is renamed on its way to
// the query.

internal import SluiceConnectors
package import SluicePlan
internal import SluiceSpec

/// What the checkpoint's names of partitions are for the query as it is now.
package struct PartitionNames: Hashable, Sendable {
    /// By input, and by source, the topic that bare numbers belong to.
    private let topics: [Int: String]
    private let topicsBySource: [String: String]

    /// - Parameter stored: what the checkpoint remembers.
    package init(_ plan: PhysicalPlan, _ stored: [StageFingerprint]) {
        topics = plan.bareTopics(stored)
        topicsBySource = Dictionary(
            topics.map { (plan.inputs[$0.key].source, $0.value) }, uniquingKeysWith: { first, _ in first })
    }

    package var isEmpty: Bool { topics.isEmpty }

    private func name(_ name: String, _ topic: String) -> String {
        Int32(digits: name).map { TopicPartition(topic, $0).description } ?? name
    }

    private func offsets(_ offsets: [String: Int64], _ topic: String) -> [String: Int64] {
        Dictionary(offsets.map { (name($0.key, topic), $0.value) }, uniquingKeysWith: { first, _ in first })
    }

    private func rename(_ ranges: inout [OffsetRange], _ topic: String) {
        for index in ranges.indices { ranges[index].partition = name(ranges[index].partition, topic) }
    }

    package func renamed(_ entry: OffsetsEntry) -> OffsetsEntry {
        if isEmpty { return entry }
        var entry = entry
        for index in entry.sources.indices {
            guard let topic = topicsBySource[entry.sources[index].source] else { continue }
            rename(&entry.sources[index].ranges, topic)
            entry.sources[index].next.next = offsets(entry.sources[index].next.next, topic)
        }
        return entry
    }

    package func renamed(_ commit: CommitEntry) -> CommitEntry {
        if isEmpty { return commit }
        var commit = commit
        for (input, topic) in topics {
            commit.partMaximaMillis[input] = commit.partMaximaMillis[input].map { offsets($0, topic) }
        }
        return commit
    }

    package func renamed(_ recovered: Recovered) -> Recovered {
        if isEmpty { return recovered }
        var recovered = recovered
        recovered.inHand = recovered.inHand.map(renamed)
        recovered.committed = recovered.committed.map {
            Recovered.Committed(offsets: renamed($0.offsets), commit: renamed($0.commit))
        }
        return recovered
    }
}
