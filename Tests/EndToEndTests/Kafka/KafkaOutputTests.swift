// What a query writes: keys, headers, and how often.

import Foundation
import KafkaTesting
import Testing

extension KafkaEndToEndTests {
    @Suite struct Output {
        @Test func `The sink's key is the record's key, and one key stays in one partition`() throws {
            let kafka = try KafkaCluster.shared()
            let query = try KafkaQuery(kafka, outputPartitions: 4)
            try query.writeSpec(
                KafkaQuery.Settings(sink: ["key": "page"], columns: "{ n: long, page: string }"))
            let pages = ["home", "cart", "help", "search", "about"]
            let lines = (0..<50).map { "{\"n\":\($0),\"page\":\"\(pages[$0 % 5])\"}" } + ["{\"n\":50}"]
            try kafka.kcat.produce(lines, to: query.input)
            let outcome = try query.runAvailable()
            #expect(outcome.exitCode == 0, "\(outcome.standardError)")
            let records = try kafka.kcat.consume(query.output)
            #expect(records.compactMap(\.value).asMultiset == lines.asMultiset)
            for record in records {
                #expect(record.key == jsonObject(record.value ?? "")?["page"] as? String, "\(record)")
            }
            let partitions = Dictionary(grouping: records.filter { $0.key != nil }) { $0.key }
            #expect(partitions.values.allSatisfy { Set($0.map(\.partition)).count == 1 })
            #expect(Set(records.map(\.partition)).count > 1)
        }

        @Test func `Every record says which query and which batch it is from`() throws {
            let kafka = try KafkaCluster.shared()
            let query = try KafkaQuery(kafka)
            try query.writeSpec(KafkaQuery.Settings(source: ["max_offsets_per_trigger": "2"]))
            try query.write(0..<6)
            let outcome = try query.runAvailable()
            #expect(outcome.exitCode == 0, "\(outcome.standardError)")
            let records = try kafka.kcat.consume(query.output)
            #expect(records.allSatisfy { $0.headers.contains(.init("sluice-query", query.name)) })
            let batches = records.compactMap { record in
                record.headers.first { $0.name == "sluice-batch" }.flatMap { Int($0.value) }
            }
            let first = try #require(batches.first)
            #expect(batches == [0, 0, 1, 1, 2, 2].map { $0 + first })
            #expect(records.allSatisfy { $0.key == nil })
        }

        @Test func `Exactly once writes in transactions, and a reader sees whole batches only`() throws {
            let kafka = try KafkaCluster.shared()
            let query = try KafkaQuery(kafka)
            try query.writeSpec()
            try query.write(0..<3)
            #expect(try query.runAvailable().exitCode == 0)
            let end = try kafka.kcat.endOffset(query.output)
            #expect(end > 3, "the end of a transaction takes an offset")
        }

        @Test func `At least once writes without transactions, and after kills no row is missing`() throws {
            let kafka = try KafkaCluster.shared()
            let query = try KafkaQuery(kafka)
            try query.writeSpec(KafkaQuery.Settings(sink: ["delivery": "at_least_once"]))
            try query.write(0..<3)
            #expect(try query.runAvailable().exitCode == 0)
            #expect(try kafka.kcat.endOffset(query.output) == 3)
            #expect(try query.numbers() == [0, 1, 2])
            var written = 3
            for _ in 0..<5 {
                let planned = query.batches("offsets").last
                let sluice = try query.start()
                try sluice.waitUntil("no batch") {
                    try? query.write(written..<written + 5)
                    written += 5
                    return query.batches("offsets").last != planned
                }
                sluice.kill()
            }
            let outcome = try query.runAvailable()
            #expect(outcome.exitCode == 0, "\(outcome.standardError)")
            #expect(Set(try query.numbers()) == Set(0..<written))
        }

        @Test func `Rows from files go to a topic once, however often the query is killed`() throws {
            let kafka = try KafkaCluster.shared()
            let folder = try TemporaryFolder()
            let topic = try kafka.makeTopic("from-files")
            try folder.write(
                "spec.yaml",
                StopTests.copySpec(sink: "kafka: { brokers: \"\(kafka.plain)\", topic: \(topic) }")
                    .replacing("copy:", with: "\(kafka.uniqueName("copy")):"))
            try folder.write("numbers.jsonl", "")
            var written = 0
            for _ in 0..<8 {
                let before = try kafka.kcat.endOffset(topic)
                let sluice = try SluiceProcess(["run", "spec.yaml"], in: folder)
                try sluice.waitUntil("no output") {
                    try? folder.append("numbers.jsonl", "{\"n\":\(written)}\n")
                    written += 1
                    return ((try? kafka.kcat.endOffset(topic)) ?? 0) > before
                }
                sluice.kill()
            }
            let last = try SluiceProcess.run(["run", "spec.yaml", "--trigger", "available_now"], in: folder)
            #expect(last.exitCode == 0, "\(last.standardError)")
            let numbers = try kafka.kcat.values(topic).compactMap { jsonObject($0)?["n"] as? Int }
            #expect(numbers == Array(0..<written))
        }
    }
}
