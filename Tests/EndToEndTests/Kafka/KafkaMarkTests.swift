// The mark that exactly once stands on: in a group of the query's id, renewed, missed when it is gone; and marks of the
// release before this one, which stood under the query's name.

import Foundation
import KafkaTesting
import Testing

extension KafkaEndToEndTests {
    @Suite struct Marks {
        private func queryID(_ query: KafkaQuery) throws -> String {
            let text = try #require(query.folder.read("checkpoints/\(query.name)/metadata.json"))
            let line = text.split(separator: "\n").first.map(String.init) ?? ""
            return try #require(jsonObject(line)?["queryId"] as? String)
        }

        @Test func `Another job of the same name does not touch it, and a batch in hand is found in the topic`() throws
        {
            let query = try KafkaQuery(.shared())
            try query.writeSpec()
            try query.write(0..<5)
            #expect(try query.runAvailable().exitCode == 0)
            // As a crash between the topic and the commit log leaves it.
            let last = try #require(query.batches("commits").last)
            try query.folder.remove("checkpoints/\(query.name)/commits/\(last)")
            let other = try query.kafka.makeTopic("other", partitions: 1)
            let spec = try #require(query.folder.read("spec.yaml"))
            try query.folder.write("other/spec.yaml", spec.replacing(query.output, with: other))
            let elsewhere = ["run", "other/spec.yaml", "--trigger", "available_now"]
            #expect(try SluiceProcess.run(elsewhere, in: query.folder).exitCode == 0)
            let outcome = try query.runAvailable()
            #expect(outcome.exitCode == 0 && outcome.standardError.contains("is in the topic already"))
            #expect(try query.numbers() == Array(0..<5))
        }

        @Test func `When its group is deleted the start is refused, until a person accepts it`() throws {
            let query = try KafkaQuery(.shared())
            try query.writeSpec()
            try query.write(0..<5)
            #expect(try query.runAvailable().exitCode == 0)
            let group = "sluice-\(query.name)-\(try queryID(query))"
            try query.kafka.deleteGroup(group)
            let refused = try query.runAvailable()
            #expect(refused.exitCode == 1 && refused.standardError.contains("kafka-mark-missing"))
            #expect(refused.standardError.contains(group))
            #expect(try query.runAvailable(["--accept-missing-mark"]).exitCode == 0)
            // It is there again, although there was nothing to write.
            try query.write(5..<8)
            #expect(try query.runAvailable().exitCode == 0)
            #expect(try query.numbers() == Array(0..<8))
        }

        @Test func `An older copy of the checkpoint is refused, also when lag tools' group is gone`() throws {
            let query = try KafkaQuery(.shared())
            try query.writeSpec()
            try query.write(0..<3)
            #expect(try query.runAvailable().exitCode == 0)
            try query.folder.copy("\(query.folder.path)/checkpoints", to: "older")
            try query.write(3..<6)
            #expect(try query.runAvailable().exitCode == 0)
            try query.kafka.deleteGroup("sluice-\(query.name)")
            let refused = try query.runAvailable(["--checkpoint", "older"])
            #expect(refused.exitCode == 1 && refused.standardError.contains("kafka-sink-ahead"))
            #expect(try query.numbers() == Array(0..<6))
        }
    }
}
