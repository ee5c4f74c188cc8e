// A checkpoint of one topic under a query that reads several: bare numbers belong to the topic, whatever else is there.

import SluiceConnectors
import SluicePlan
import SluiceSpec
import Testing

@testable import SluiceCheckpoint

@Suite struct PartitionNamesTests {
    private func plan(_ topics: KafkaTopics.Names) -> PhysicalPlan {
        func input(_ name: String, _ topics: KafkaTopics?) -> InputPlan {
            InputPlan(
                source: name, topics: topics, format: .json(), timeZone: "UTC", badRows: .null, fieldCount: 0,
                columns: [])
        }
        return PhysicalPlan(
            query: "q", inputs: [input("s", KafkaTopics(topics))], stages: [],
            output: OutputPlan(filter: nil, columns: [], sinks: []), watermarkPolicy: .min)
    }

    private func entry(_ names: [String]) -> OffsetsEntry {
        let ranges = names.map { OffsetRange(partition: $0, start: 1, end: 2) }
        let next = SourceOffsets(Dictionary(uniqueKeysWithValues: names.map { ($0, 2) }))
        return OffsetsEntry(
            batch: 3, batchTimeMillis: 0, lateWatermarkMillis: 0, evictionWatermarkMillis: 0, isNoData: false,
            sources: [SourceBatch(source: "s", ranges: ranges, next: next)])
    }

    @Test func `Bare numbers get the topic they belong to, and other names stay`() {
        let old = plan(.one("a")).fingerprint
        let several = plan(.list(["b", "a"]))
        let names = PartitionNames(several, PhysicalPlan.remembered(several.fingerprint, over: old))
        let renamed = names.renamed(entry(["0", "12", "b/0"]))
        #expect(renamed.sources[0].ranges.map(\.partition) == ["a/0", "a/12", "b/0"])
        #expect(renamed.sources[0].next.next == ["a/0": 2, "a/12": 2, "b/0": 2])
        var commit = CommitEntry(
            batch: 3, nextWatermarkMillis: 0, inputMaximaMillis: [nil], evictedThroughMicros: [], counters: [:])
        commit.partMaximaMillis = [0: ["0": 5, "b/0": 7]]
        #expect(names.renamed(commit).partMaximaMillis == [0: ["a/0": 5, "b/0": 7]])
    }

    @Test func `A query of one topic keeps its numbers, and so does one that never had another`() {
        for topics in [KafkaTopics.Names.one("a"), .list(["a", "b"])] {
            let plan = plan(topics)
            let names = PartitionNames(plan, plan.fingerprint)
            #expect(names.isEmpty && names.renamed(entry(["0"])) == entry(["0"]))
        }
    }
}
