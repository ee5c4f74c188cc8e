// A watermark per partition or topic: what is late where they are not read at the same pace.

import Foundation
import KafkaTesting
import Testing

extension KafkaEndToEndTests {
    @Suite struct PartitionWatermark {
        private func visit(_ id: String, _ time: String) -> String {
            #"{"visit_id":"\#(id)","event_time":"2024-01-01T\#(time):00Z","page":"\#(id)"}"#
        }

        private func ad(_ time: String) -> String {
            #"{"page":"none","display_time":"2024-01-01T\#(time):00Z","campaign_name":"c"}"#
        }

        /// Runs the spec to the end of what is there. Returns how many rows of its first source were late.
        private func runAndCountLate(_ folder: TemporaryFolder, _ kafka: KafkaCluster) throws -> Int {
            let before = progressRecords(folder).count
            let outcome = try SluiceProcess.run(
                ["run", "spec.yaml", "--progress", "progress.jsonl", "--trigger", "available_now"], in: folder,
                environment: ["KAFKA_BROKERS": kafka.plain])
            #expect(outcome.exitCode == 0, "\(outcome.standardError)")
            return progressRecords(folder).dropFirst(before).reduce(0) { count, record in
                let sources = record["sources"] as? [[String: Any]]
                return count + (sources?.first?["numRowsDroppedByWatermark"] as? Int ?? 0)
            }
        }

        @Test(arguments: [false, true])
        func `A row is late by what its source has shown, or by what the slowest partition has`(
            isPerPartition: Bool
        ) throws {
            let kafka = try KafkaCluster.shared()
            let folder = try TemporaryFolder()
            let visits = try kafka.makeTopic("visits", partitions: 2)
            let ads = try kafka.makeTopic("ads")
            let watermark = "column: event_time, delay: 10 minutes"
            let spec = try SeedScenario.sample().replacing("topic: visits, start: latest", with: "topic: \(visits)")
                .replacing("topic: ads, start: latest", with: "topic: \(ads)")
                .replacing(watermark, with: watermark + ", per_partition: \(isPerPartition)")
                .replacing(/kafka: .* topic: visits-enriched \}/, with: "file: { path: out }")
            try folder.write("spec.yaml", spec)
            // The start is the latest offset.
            #expect(try runAndCountLate(folder, kafka) == 0)
            try kafka.kcat.produce([visit("fast", "12:00")], to: visits, partition: 0)
            try kafka.kcat.produce([visit("slow-1", "10:00")], to: visits, partition: 1)
            try kafka.kcat.produce([ad("12:00")], to: ads)
            #expect(try runAndCountLate(folder, kafka) == 0, "a batch is judged by what was known before it")
            // Behind the source's newest row by more than the delay, and ahead of all that its partition has shown.
            try kafka.kcat.produce([visit("slow-2", "10:05")], to: visits, partition: 1)
            #expect(try runAndCountLate(folder, kafka) == (isPerPartition ? 0 : 1))
            try kafka.kcat.produce([visit("fast-end", "14:00")], to: visits, partition: 0)
            try kafka.kcat.produce([visit("slow-end", "14:00")], to: visits, partition: 1)
            try kafka.kcat.produce([ad("14:00")], to: ads)
            #expect(try runAndCountLate(folder, kafka) == 0)
            let ids = folder.rows(in: "out").compactMap { jsonObject($0)?["visit_id"] as? String }
            #expect(ids.sorted() == ["fast", "slow-1"] + (isPerPartition ? ["slow-2"] : []))
        }

        @Test(arguments: [false, true])
        func `Of several topics a row is late by what any has shown, or by what the slowest has, over restarts`(
            isPerTopic: Bool
        ) throws {
            let kafka = try KafkaCluster.shared()
            let folder = try TemporaryFolder()
            // The fast topic has two partitions, one of them silent: it does not hold its topic back.
            let (fast, slow) = (try kafka.makeTopic("fast", partitions: 2), try kafka.makeTopic("slow"))
            let ads = try kafka.makeTopic("ads")
            let watermark = "column: event_time, delay: 10 minutes"
            let spec = try SeedScenario.sample()
                .replacing("topic: visits, start: latest", with: "topics: [\(fast), \(slow)], start: earliest")
                .replacing("topic: ads, start: latest", with: "topic: \(ads), start: earliest")
                .replacing(watermark, with: watermark + ", per_topic: \(isPerTopic)")
                .replacing(/kafka: .* topic: visits-enriched \}/, with: "file: { path: out }")
            try folder.write("spec.yaml", spec)
            try kafka.kcat.produce([visit("fast", "12:00")], to: fast, partition: 0)
            try kafka.kcat.produce([visit("slow-1", "10:00")], to: slow)
            try kafka.kcat.produce([ad("12:00")], to: ads)
            #expect(try runAndCountLate(folder, kafka) == 0)
            let commits = "checkpoints/visits_ads/commits"
            let newest = try #require(folder.names(in: commits).compactMap { Int($0) }.max())
            let isWrittenDown = folder.read("\(commits)/\(newest)")?.contains("\"\(slow)\":") == true
            #expect(isWrittenDown == isPerTopic)
            try kafka.kcat.produce([visit("slow-2", "10:05")], to: slow)
            #expect(try runAndCountLate(folder, kafka) == (isPerTopic ? 0 : 1))
        }
    }
}
