// `sluice describe` of a topic: the latest records of all its partitions, and one clear error where there are none.

import Foundation
import KafkaTesting
import Testing

extension KafkaEndToEndTests {
    @Suite struct Describe {
        private static func record(_ number: Int, _ value: String) -> String {
            #"{"payload":{"op":"c","after":{"id":\#(number),"v":\#(value)},"source":{"db":"x"},"ts_ms":"#
                + #"\#(1_700_000_000_000 + number * 1000)}}"#
        }

        private func describe(_ topic: String, _ folder: TemporaryFolder, _ more: [String] = []) throws -> RunOutcome {
            let kafka = try KafkaCluster.shared()
            return try SluiceProcess.run(["describe", "kafka://\(kafka.plain)/\(topic)"] + more, in: folder)
        }

        @Test func `The latest records of all partitions make a source that runs`() throws {
            let kafka = try KafkaCluster.shared()
            let topic = try kafka.makeTopic("described", partitions: 3)
            // What is further back than the sample is of another type, and one partition has next to nothing.
            try kafka.kcat.produce((0..<500).map { Self.record($0, "\"old\"") }, to: topic, partition: 0)
            for partition in 0..<2 {
                let values = (0..<600).map { Self.record(1000 + $0, "\($0).5") }
                try kafka.kcat.produce(values, to: topic, partition: partition)
            }
            try kafka.kcat.produce([Self.record(2000, "1")], to: topic, partition: 2)
            let folder = try TemporaryFolder()
            let described = try describe(topic, folder)
            let yaml = described.standardOutput
            #expect(described.exitCode == 0 && described.standardError == "", "\(described.standardError)")
            #expect(yaml.hasPrefix("# 1,000 records, the latest of the topic \(topic) (3 partitions): none"), "\(yaml)")
            #expect(yaml.contains("v:     { type: double, from: payload.after.v }"), "\(yaml)")
            #expect(yaml.contains("watermark: { column: ts_ms, delay: 10 seconds, max_ahead: 1 hour }"), "\(yaml)")
            let name = topic.map { $0.isLetter || $0.isNumber ? String($0) : "_" }.joined()
            try folder.write(
                "spec.yaml",
                "sluice: 1\n"
                    + yaml.replacing("topic: \(topic)", with: "topic: \(topic), start: { 0: 500, 1: earliest }")
                    + "queries:\n  \(name): { from: \(name), to: o }\nsinks:\n  o: { stdout: {} }\n")
            let check = try SluiceProcess.run(["check", "spec.yaml"], in: folder)
            #expect(check.standardOutput == "no mistakes: 1 query\n", "\(check.standardOutput)")
            let run = try SluiceProcess.run(["run", "spec.yaml", "--trigger", "available_now"], in: folder)
            #expect(
                run.exitCode == 0 && run.standardOutput.split(separator: "\n").count == 1200, "\(run.standardError)")
            #expect(!run.standardError.contains("bad row"))
        }

        @Test func `Tombstones and what was aborted are passed over, CSV has no header`() throws {
            let kafka = try KafkaCluster.shared()
            let topic = try kafka.makeTopic("described")
            try kafka.kcat.produce((0..<5).map { "\($0);a\($0);31/12/2024" }, to: topic)
            try kafka.kcat.produce(keyed: [(key: "k", value: nil)], to: topic)
            let aborted = try kafka.kcat.beginTransaction(["{\"never\":1}"], to: topic, transactionalID: topic)
            try aborted.abort()
            let described = try describe(topic, try TemporaryFolder(), ["--format", "json"])
            let object = jsonObject(described.standardOutput)
            #expect((object?["sample"] as? [String: Any])?["records"] as? Int == 5, "\(described)")
            #expect(described.standardOutput.contains("1 record without a value (a tombstone) beside these"))
            #expect(described.standardOutput.contains("column_3") && described.standardOutput.contains("dd/MM/yyyy"))
        }

        @Test func `A topic or a broker that is not there, or has nothing, is one error`() throws {
            let kafka = try KafkaCluster.shared()
            let folder = try TemporaryFolder()
            let empty = try kafka.makeTopic("described", partitions: 2)
            for (outcome, expected) in [
                (try describe("no-such-topic", folder), "has no topic `no-such-topic`"),
                (try describe(empty, folder), "has no records: there is nothing to describe yet"),
                (try SluiceProcess.run(["describe", "kafka://127.0.0.1:1/t"], in: folder), "gave up after 10 s"),
            ] {
                #expect(outcome.exitCode == 1 && outcome.standardOutput == "")
                #expect(outcome.standardError.hasPrefix("error: ") && outcome.standardError.contains(expected))
                #expect(outcome.standardError.split(separator: "\n").count == 1, "\(outcome.standardError)")
            }
        }
    }
}
