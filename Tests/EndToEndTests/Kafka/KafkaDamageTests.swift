// Bytes that change between broker and client: what a check sum covers, what it does not, and what is damaged for good.
// Whatever comes out is right, or nothing does.

import Foundation
import KafkaTesting
import Testing

extension KafkaEndToEndTests {
    @Suite struct Damage {
        /// A copy of 1,000 rows whose source is behind a proxy.
        private struct Copy {
            let kafka: KafkaCluster
            let proxy: KafkaProxy
            let query: KafkaQuery

            init(options: String = "", isRead: Bool = true, trigger: String = "as_fast_as_possible") throws {
                kafka = try KafkaCluster()
                proxy = try KafkaProxy(kafka.brokers[0])
                query = try KafkaQuery(kafka)
                var source = ["brokers": "\"\(proxy.address)\""]
                if !options.isEmpty { source["options"] = "{ \(options) }" }
                try query.writeSpec(KafkaQuery.Settings(source: source, trigger: trigger))
                if isRead { try query.write(0..<1000) }
            }

            /// A transaction is over before its marker lets readers see it, on a busy machine by a while.
            func expectRows(_ count: Int) throws {
                let deadline = Date(timeIntervalSinceNow: 30)
                while try query.numbers().count < count, Date() < deadline {}
                let numbers = try query.numbers()
                #expect(numbers == Array(0..<count), "\(numbers.count) rows")
            }

            func warnings(_ outcome: RunOutcome) -> Int {
                logLines(outcome.standardError, level: "warning").count { $0.contains("damaged") }
            }
        }

        @Test(arguments: [1, 3])
        func `A byte that changes on the way is noticed, and the records are fetched again`(times: Int) throws {
            let copy = try Copy()
            copy.proxy.damage(.toClient, KafkaProxy.damage(KafkaQuery.line(500), count: times))
            let outcome = try copy.query.runAvailable()
            #expect(outcome.exitCode == 0, "\(outcome.standardError)")
            #expect(copy.proxy.damageCount == times)
            // What was asked for before the query looked elsewhere may come damaged and be dropped unseen.
            #expect((1...times).contains(copy.warnings(outcome)), "\(outcome.standardError)")
            try copy.expectRows(1000)
        }

        @Test func `A record that comes damaged each time ends the query, and says where it is`() throws {
            let copy = try Copy()
            copy.proxy.damage(.toClient, KafkaProxy.damage(KafkaQuery.line(500)))
            let outcome = try copy.query.start().wait()
            #expect(outcome.exitCode == 1, "\(outcome.standardError)")
            let errors = logLines(outcome.standardError, level: "error")
            #expect(errors.count == 1 && copy.warnings(outcome) == 3, "\(outcome.standardError)")
            let error = errors.first ?? ""
            #expect(error.contains("kafka-damaged") && error.contains("partition 0 of the topic `\(copy.query.input)`"))
            #expect(error.contains("at offset ") && error.contains("CRC"), "\(error)")
            #expect(try copy.query.numbers().isEmpty)
        }

        @Test(arguments: [1, 2])
        func `A batch of records whose offset changes on the way does not pass for a gap`(times: Int) throws {
            let copy = try Copy(isRead: false)
            // Three pieces, each a batch of records of its own.
            try copy.query.write(0..<300)
            try copy.query.write(500..<600)
            try copy.query.write(300..<500)
            copy.proxy.damage(.toClient, KafkaProxy.damageOffset(KafkaQuery.line(500), count: times))
            let outcome = try copy.query.runAvailable()
            #expect(outcome.exitCode == 0, "\(outcome.standardError)")
            #expect(copy.proxy.damageCount == times)
            try copy.expectRows(600)
        }

        @Test func `What cannot be decompressed ends the query at once, with its place`() throws {
            let copy = try Copy(options: "check.crcs: false", isRead: false)
            var kcat = copy.kafka.kcat
            kcat.options["compression.codec"] = "gzip"
            try kcat.produce((0..<1000).map(KafkaQuery.line), to: copy.query.input)
            // The first bytes of everything that is packed so.
            copy.proxy.damage(.toClient) { bytes in
                guard let place = bytes.firstRange(of: [0x1F, 0x8B, 0x08])?.lowerBound else { return false }
                bytes[place] ^= 1
                return true
            }
            let outcome = try copy.query.start().wait()
            #expect(outcome.exitCode == 1, "\(outcome.standardError)")
            let error = logLines(outcome.standardError, level: "error").first ?? ""
            #expect(error.contains("kafka-damaged") && error.contains("partition 0 of the topic `\(copy.query.input)`"))
            // The first record may have been sent by itself, and a single one is not packed.
            #expect(error.contains("at offset 0") || error.contains("at offset 1"), "\(error)")
            #expect(copy.warnings(outcome) == 0)
        }

        @Test func `A gap in the middle of a batch's range hides none of the records behind it`() throws {
            let copy = try Copy(isRead: false, trigger: "2s")
            let query = copy.query
            try query.writeSpec(
                KafkaQuery.Settings(source: ["max_offsets_per_trigger": "5"], trigger: "2s"))
            let sluice = try query.startAndWait()
            // Offsets 0 to 2, then six that no reader gets, then the last record, all fetched before the trigger.
            try query.write(0..<3)
            let open = try query.kafka.kcat.beginTransaction(
                (90..<94).map(KafkaQuery.line), to: query.input, transactionalID: query.kafka.uniqueName("gap"))
            try open.abort()
            try query.write(3..<4)
            try query.waitForRows(4, sluice)
            #expect(sluice.stop().exitCode == 0)
            try copy.expectRows(4)
        }
    }
}
