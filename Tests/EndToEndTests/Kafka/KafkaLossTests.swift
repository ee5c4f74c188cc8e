// Records that go before they are read, with their topic or by themselves: they are missed, their range is said, and a
// query that is not to go on without them does not, however often it is started.

import Foundation
import KafkaTesting
import Testing

extension KafkaEndToEndTests {
    @Suite struct Loss {
        private static let goesOn = ["on_data_loss": "continue"]

        /// What a log says of losses, at one level.
        private func losses(_ outcome: RunOutcome, level: String) -> [Substring] {
            logLines(outcome.standardError, level: level).filter { $0.contains("partition") }
        }

        @Test func `A partition that goes and comes back while a query runs is read from its beginning`() throws {
            let kafka = try KafkaCluster.shared()
            let query = try KafkaQuery(kafka, inputPartitions: 2)
            try query.writeSpec(KafkaQuery.Settings(source: Self.goesOn))
            try query.write(0..<3, partition: 0)
            try query.write(10..<13, partition: 1)
            let sluice = try query.startAndWait()
            try query.waitForRows(6, sluice)
            // It is not to see the moment in which there is no such topic at all.
            sluice.send(SIGSTOP)
            try kafka.recreateTopic(query.input, partitions: 1)
            sluice.send(SIGCONT)
            try sluice.waitUntil("the partition is not missed") { sluice.standardError.contains("offset 3 on") }
            try kafka.addPartitions(query.input, total: 2)
            try query.write(20..<25, partition: 1)
            try query.waitForRows(11, sluice)
            let outcome = sluice.stop()
            #expect(outcome.exitCode == 0)
            #expect(try query.numbers() == [0, 1, 2, 10, 11, 12] + Array(20..<25))
            let warnings = losses(outcome, level: "warning")
            #expect(warnings.contains { $0.contains("partition 1") && $0.contains("is gone") }, "\(warnings)")
            #expect(warnings.contains { $0.contains("partition 0") && $0.contains("at offset 0") }, "\(warnings)")
        }

        @Test func `What was written to a partition that came back while a query was down is read`() throws {
            let kafka = try KafkaCluster.shared()
            let query = try KafkaQuery(kafka, inputPartitions: 2)
            try query.writeSpec(KafkaQuery.Settings(source: Self.goesOn))
            try query.write(10..<13, partition: 1)
            #expect(try query.runAvailable().exitCode == 0)
            try kafka.recreateTopic(query.input, partitions: 1)
            // Nothing to read: that the partition is gone is written down all the same.
            #expect(losses(try query.runAvailable(), level: "warning").count == 1)
            #expect(losses(try query.runAvailable(), level: "warning").isEmpty)
            try kafka.addPartitions(query.input, total: 2)
            try query.write(20..<25, partition: 1)
            #expect(try query.runAvailable().exitCode == 0)
            #expect(try query.numbers() == [10, 11, 12] + Array(20..<25))
        }

        @Test func `A loss that was seen stops a query until it is told to go on, also when the topic has grown since`()
            throws
        {
            let kafka = try KafkaCluster.shared()
            let query = try KafkaQuery(kafka)
            try query.writeSpec()
            try query.write(0..<6)
            #expect(try query.runAvailable().exitCode == 0)
            try kafka.recreateTopic(query.input, partitions: 1)
            try query.write(20..<22)
            for rest in [22..<22, 22..<29] {
                if !rest.isEmpty { try query.write(rest) }
                let failed = try query.runAvailable()
                #expect(failed.exitCode == 1, "\(rest)")
                let errors = losses(failed, level: "error")
                #expect(errors.count == 1 && errors[0].contains(query.input) && errors[0].contains("on_data_loss"))
                #expect(errors.first?.contains("ended at offset 2 when the query was at 6") == true, "\(errors)")
            }
            #expect(try query.numbers() == Array(0..<6))

            try query.writeSpec(KafkaQuery.Settings(source: Self.goesOn))
            let continued = try query.runAvailable()
            #expect(continued.exitCode == 0, "\(continued.standardError)")
            #expect(losses(continued, level: "warning").contains { $0.contains("offsets 0 to 1") })
            #expect(try query.numbers() == Array(0..<6) + Array(22..<29))
            try query.writeSpec()
            try query.write(29..<30)
            #expect(try query.runAvailable().exitCode == 0)
            #expect(try query.numbers() == Array(0..<6) + Array(22..<30))
        }

        @Test(arguments: [false, true])
        func `A new partition whose first records are gone is a loss with its exact range`(failsFirst: Bool) throws {
            let kafka = try KafkaCluster.shared()
            let query = try KafkaQuery(kafka)
            try query.writeSpec(KafkaQuery.Settings(source: ["max_offsets_per_trigger": "2"]))
            try query.write(0..<3)
            #expect(try query.runAvailable().exitCode == 0)
            try kafka.addPartitions(query.input, total: 2)
            try query.write(10..<15, partition: 1)
            try kafka.deleteRecords(query.input, before: [1: 3])
            for _ in 0..<(failsFirst ? 2 : 0) {
                let failed = try query.runAvailable()
                #expect(failed.exitCode == 1)
                let errors = losses(failed, level: "error")
                #expect(errors.count == 1 && errors[0].contains("offsets 0 to 2 of partition 1"), "\(errors)")
            }
            try query.writeSpec(KafkaQuery.Settings(source: Self.goesOn))
            let continued = try query.runAvailable()
            #expect(continued.exitCode == 0, "\(continued.standardError)")
            let warnings = losses(continued, level: "warning")
            #expect(warnings.contains { $0.contains("of partition 1") && $0.contains("offsets 0 to") }, "\(warnings)")
            #expect(try query.numbers() == [0, 1, 2, 13, 14])
        }

        @Test func `Records read before their transaction ended are no loss to a query that from now on waits for it`()
            throws
        {
            let kafka = try KafkaCluster.shared()
            let query = try KafkaQuery(kafka)
            try query.writeSpec(KafkaQuery.Settings(source: ["isolation": "read_uncommitted"]))
            let id = kafka.uniqueName("transaction")
            let open = try kafka.kcat.beginTransaction([KafkaQuery.line(1)], to: query.input, transactionalID: id)
            try query.write(2..<3)
            #expect(try query.runAvailable().exitCode == 0)
            try query.writeSpec()
            let waiting = try query.runAvailable()
            #expect(waiting.exitCode == 0, "\(waiting.standardError)")
            try open.commit()
            try query.write(3..<4)
            #expect(try query.runAvailable().exitCode == 0)
            #expect(try query.numbers() == [1, 2, 3])
        }

        @Test func `A topic that is deleted while a query reads it ends the query with its name`() throws {
            let kafka = try KafkaCluster.shared()
            let query = try KafkaQuery(kafka, inputPartitions: 2)
            try query.writeSpec(KafkaQuery.Settings(source: Self.goesOn))
            try query.write(0..<3)
            let sluice = try query.startAndWait()
            try query.waitForRows(3, sluice)
            try kafka.deleteTopic(query.input)
            let outcome = sluice.wait()
            #expect(outcome.exitCode == 1)
            let errors = logLines(outcome.standardError, level: "error")
            #expect(errors.count == 1 && errors[0].contains("no topic `\(query.input)`"), "\(outcome.standardError)")
            #expect(errors.first?.contains("another checkpoint") == true, "\(errors)")
        }
    }
}
