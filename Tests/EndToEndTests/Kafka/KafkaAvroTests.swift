// Values of a topic that are Avro, by a schema that the spec names: bare ones, and those behind Confluent's five bytes.

import Foundation
import KafkaTesting
import Testing

extension KafkaEndToEndTests {
    @Suite struct Avro {
        private static let schema = #"""
            {"type": "record", "name": "Number", "fields": [
              {"name": "text", "type": ["null", "string"]},
              {"name": "n", "type": "long"},
              {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}}]}
            """#

        /// Numbers below 64 are one byte.
        private static func datum(_ n: UInt8, _ text: String?) -> [UInt8] {
            let head: [UInt8] = text.map { [2, UInt8($0.utf8.count * 2)] + Array($0.utf8) } ?? [0]
            return head + [n * 2, 0]
        }

        @Test(arguments: ["none", "confluent"])
        func `Data are rows, and values that are none are bad`(framing: String) throws {
            let kafka = try KafkaCluster.shared()
            let query = try KafkaQuery(kafka)
            try query.folder.write("number.avsc", Self.schema)
            try query.writeSpec(
                KafkaQuery.Settings(
                    columns: "{ n: long, text: string, at: timestamp }",
                    format: "{ avro: { schema: number.avsc, framing: \(framing) } }"))
            let head: [UInt8] = framing == "confluent" ? [0, 0, 0, 1, 7] : []
            let bad: [UInt8] = framing == "confluent" ? [1, 0, 0, 1, 7] + Self.datum(3, nil) : [2, 0x7F, 0x61]
            try kafka.kcat.produce(
                bytes: [head + Self.datum(1, "é"), bad, head + Self.datum(2, nil)], to: query.input)
            let outcome = try query.runAvailable()
            #expect(outcome.exitCode == 0, "\(outcome.standardError)")
            #expect(
                try kafka.kcat.values(query.output) == [
                    #"{"n":1,"text":"é","at":"1970-01-01T00:00:00.000Z"}"#, #"{"n":2,"at":"1970-01-01T00:00:00.000Z"}"#,
                ])
            let warnings = logLines(outcome.standardError, level: "warning")
            #expect(warnings.contains { $0.contains("\(query.input)/0@1") }, "\(outcome.standardError)")
        }
    }
}
