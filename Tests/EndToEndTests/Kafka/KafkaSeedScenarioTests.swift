// The seed scenario from topics to a topic: the sample a user starts from (plans/kafka/visits-ads.yaml), its steps
// written one by one, and the bytes that real Spark writes.

import Foundation
import KafkaTesting
import Testing

extension KafkaEndToEndTests {
    @Suite struct SeedScenario {
        /// The sample's text.
        static func sample() throws -> String {
            try String(contentsOfFile: "\(repositoryRoot)/plans/kafka/visits-ads.yaml", encoding: .utf8)
        }

        /// The topics of one run, and the files of the file scenario that they stand for.
        private struct Topics {
            var visits: String
            var ads: String
            var enriched: String

            init(_ kafka: KafkaCluster) throws {
                visits = try kafka.makeTopic("visits", partitions: 2)
                ads = try kafka.makeTopic("ads", partitions: 2)
                enriched = try kafka.makeTopic("visits-enriched", partitions: 2)
            }

            /// The sample with names of its own for topics and query.
            func spec(query: String) throws -> String {
                try SeedScenario.sample().replacing("topic: visits,", with: "topic: \(visits),")
                    .replacing("topic: ads,", with: "topic: \(ads),")
                    .replacing("topic: visits-enriched ", with: "topic: \(enriched) ")
                    .replacing("visits_ads", with: query)
            }
        }

        @Test(arguments: [false, true])
        func `The seed scenario on Kafka gives Spark's bytes, batch by batch`(restartsBetweenSteps: Bool) throws {
            let kafka = try KafkaCluster.shared()
            let folder = try TemporaryFolder()
            let topics = try Topics(kafka)
            let query = kafka.uniqueName("visits_ads")
            try folder.write("spec.yaml", try topics.spec(query: query))
            func start() throws -> SluiceProcess {
                try SluiceProcess(
                    ["run", "spec.yaml", "--trigger", "as_fast_as_possible", "--progress", "progress.jsonl"],
                    in: folder, environment: ["KAFKA_BROKERS": kafka.plain])
            }
            var sluice = try start()
            // The first batch is empty: it fixes the offsets from which the query reads.
            var expected = [
                SeedScenarioTests.Batch(watermark: "1970-01-01T00:00:00.000Z", stateRows: 0, isNoData: true)
            ]
            try sluice.waitUntil("no first batch") { progressRecords(folder).count >= 1 }
            for (number, step) in SeedScenarioTests.steps.enumerated() {
                if restartsBetweenSteps && number > 0 {
                    #expect(sluice.stop().exitCode == 0)
                    sluice = try start()
                }
                try Self.write(step, number, topics.visits, topics.ads, kafka)
                expected += step.batches
                try sluice.waitUntil("step \(step.lines) has not run") {
                    progressRecords(folder).count >= expected.count
                }
            }
            #expect(sluice.stop().exitCode == 0)
            try expectRecords(progressRecords(folder), expected)
            try expectRows(kafka.kcat.consume(topics.enriched), expected, query: query)
        }

        /// All lines of a step go to one partition, so that a batch has all or none; steps take turns.
        private static func write(
            _ step: SeedScenarioTests.Step, _ number: Int, _ visits: String, _ ads: String, _ kafka: KafkaCluster
        ) throws {
            let topic = step.file == "visits.jsonl" ? visits : ads
            if step.lines.count == 1 && number == 4 {
                try kafka.produceWithConsoleProducer(step.lines, to: topic)
            } else {
                try kafka.kcat.produce(step.lines, to: topic, partition: number / 2 % 2)
            }
        }

        private func expectRecords(_ records: [[String: Any]], _ expected: [SeedScenarioTests.Batch]) throws {
            #expect(records.count == expected.count)
            for (number, (record, batch)) in zip(records, expected).enumerated() {
                let eventTime = try #require(record["eventTime"] as? [String: Any])
                let state = try #require((record["stateOperators"] as? [[String: Any]])?.first)
                #expect(record["batchId"] as? Int == number)
                #expect(eventTime["watermark"] as? String == batch.watermark, "batch \(number)")
                #expect(state["numRowsTotal"] as? Int == batch.stateRows, "batch \(number)")
                #expect((record["numInputRows"] as? Int == 0) == batch.isNoData, "batch \(number)")
            }
        }

        private func expectRows(_ rows: [KafkaRecord], _ expected: [SeedScenarioTests.Batch], query: String) throws {
            var byBatch: [String: Set<String>] = [:]
            for row in rows {
                let batch = try #require(row.headers.first { $0.name == "sluice-batch" }, "\(row)").value
                #expect(row.headers.contains(KafkaRecord.Header("sluice-query", query)))
                byBatch[batch, default: []].insert(try #require(row.value))
            }
            #expect(rows.count == 5)
            for (number, batch) in expected.enumerated() {
                #expect(byBatch["\(number)", default: []] == batch.rows, "batch \(number)")
            }
        }
    }
}
