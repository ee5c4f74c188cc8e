// Records that go before they are read, with their topic or by themselves: they are missed, their range is said, and a
// query that is not to go on without them does not, however often it is started.

import Foundation
import KafkaTesting
import Testing

extension KafkaEndToEndTests {
    @Suite struct Loss {
        private static let goesOn = ["on_data_loss": "continue"]

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
