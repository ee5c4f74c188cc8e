// Two processes that believe they are the same query.

import Foundation
import KafkaTesting
import Testing

extension KafkaEndToEndTests {
    @Suite struct Fencing {
        @Test func `A second process on a checkpoint is refused with a message, and the first goes on`() throws {
            let query = try KafkaQuery(.shared())
            try query.writeSpec()
            try query.write(0..<3)
            let first = try query.startAndWait()
            let second = try SluiceProcess.run(["run", "spec.yaml"], in: query.folder)
            #expect(second.exitCode == 1)
            let errors = logLines(second.standardError, level: "error")
            #expect(errors.count == 1 && errors[0].contains("checkpoints/\(query.name)"), "\(second.standardError)")
            try query.write(3..<6)
            try query.waitForRows(6, first)
            #expect(first.stop().exitCode == 0)
            #expect(try query.numbers() == Array(0..<6))
        }

        @Test func `With a copy of the checkpoint the older process is fenced, and no row is lost or doubled`() throws {
            let query = try KafkaQuery(.shared())
            try query.writeSpec(KafkaQuery.Settings(onFailure: "restart"))
            try query.write(0..<3)
            let older = try query.startAndWait()
            try query.waitForRows(3, older)
            try query.folder.copy("\(query.folder.path)/spec.yaml", to: "copy.yaml")
            try query.folder.copy("\(query.folder.path)/checkpoints", to: "copied")
            let newer = try SluiceProcess(
                ["run", "copy.yaml", "--checkpoint", "copied", "--progress", "copy.jsonl"], in: query.folder)
            // A batch that the older one commits before the newer has taken over would make the copy an old one, which
            // is refused: that is another case.
            try newer.waitUntil("the newer process does not start") { newer.standardError.contains("Query started") }
            // Both read the same rows until the older one notices.
            var written = 3
            try newer.waitUntil("the older process goes on: \(older.standardError)") {
                try? query.write(written..<written + 1)
                written += 1
                return !logLines(older.standardError, level: "error").isEmpty
            }
            let outcome = older.stop()
            #expect(outcome.exitCode == 1, "\(outcome.standardError)")
            let error = try #require(logLines(outcome.standardError, level: "error").first)
            #expect(error.lowercased().contains("fenced") || error.contains("another process"), "\(error)")
            #expect(!outcome.standardError.contains("starts again"), "it would fence the newer one in turn")
            try query.write(written..<written + 3)
            try query.waitForRows(written + 3, newer)
            #expect(newer.stop().exitCode == 0)
            #expect(try query.numbers() == Array(0..<written + 3))
        }
    }
}
