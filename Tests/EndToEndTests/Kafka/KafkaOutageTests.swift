// Brokers that are away: at the start, while nothing happens, in the middle of a batch. The query waits, says so once,
// and goes on; it can be stopped all the while; it loses nothing and doubles nothing.

import Foundation
import KafkaTesting
import Testing

extension KafkaEndToEndTests {
    @Suite struct Outages {
        /// How a broker is away: its connections break, or nobody answers on them.
        enum Absence: CaseIterable {
            case killed, paused

            func begin(_ kafka: KafkaCluster) {
                switch self {
                case .killed: kafka.kill()
                case .paused: kafka.pause()
                }
            }

            func end(_ kafka: KafkaCluster) throws {
                switch self {
                case .killed: try kafka.resume()
                case .paused: kafka.unpause()
                }
            }
        }

        /// How often the log has said that the broker is away.
        private static func warningCount(_ sluice: SluiceProcess, _ kafka: KafkaCluster) -> Int {
            logLines(sluice.standardError, level: "warning").count { $0.contains(kafka.plain) }
        }

        /// Until the newest line of the log about the broker says that it is away. On a busy machine there may be such
        /// lines of their own accord, each followed by one that says that it answers again.
        private static func waitForWarning(_ sluice: SluiceProcess, _ kafka: KafkaCluster) throws {
            try sluice.waitUntil("the query does not say that it waits") {
                sluice.standardError.split(separator: "\n").last { $0.contains(kafka.plain) }?.contains("level=warning")
                    == true
            }
        }

        /// Calls are made again several times a second; the log has one line for all of them. A second one may speak of
        /// the broker that is back and not yet ready.
        private static let warningCountsOfOneOutage = 1...2

        @Test func `A query that starts before its broker waits, says so once, and goes on when it comes`() throws {
            let kafka = try KafkaCluster()
            let query = try KafkaQuery(kafka)
            try query.writeSpec()
            try query.write(0..<5)
            kafka.kill()
            let sluice = try query.start()
            try Self.waitForWarning(sluice, kafka)
            try kafka.resume()
            try query.waitForRows(5, sluice)
            #expect(
                Self.warningCountsOfOneOutage.contains(Self.warningCount(sluice, kafka)), "\(sluice.standardError)")
            #expect(logLines(sluice.standardError, level: "error").isEmpty)
            #expect(sluice.stop().exitCode == 0)
            #expect(try query.numbers() == Array(0..<5))
        }

        @Test(arguments: Absence.allCases)
        func `A query goes on by itself after its broker was away between two batches`(absence: Absence) throws {
            let kafka = try KafkaCluster()
            let query = try KafkaQuery(kafka)
            try query.writeSpec()
            try query.write(0..<5)
            let sluice = try query.startAndWait()
            try query.waitForRows(5, sluice)
            let before = Self.warningCount(sluice, kafka)
            absence.begin(kafka)
            try Self.waitForWarning(sluice, kafka)
            try absence.end(kafka)
            try query.write(5..<10)
            try query.waitForRows(10, sluice)
            let count = Self.warningCount(sluice, kafka) - before
            #expect(Self.warningCountsOfOneOutage.contains(count), "\(sluice.standardError)")
            #expect(sluice.stop().exitCode == 0)
            #expect(try query.numbers() == Array(0..<10))
        }

        /// Rows so large that writing them takes a while, so that their batch's transaction is open for that long.
        private static func largeRows(_ numbers: Range<Int>) -> [String] {
            let text = String(repeating: "x", count: 2000)
            return numbers.map { "{\"n\":\($0),\"text\":\"\(text)\"}" }
        }

        @Test(arguments: Absence.allCases)
        func `A broker that goes away in the middle of a transaction costs no row and doubles none`(absence: Absence)
            throws
        {
            let kafka = try KafkaCluster()
            let query = try KafkaQuery(kafka)
            try query.writeSpec(KafkaQuery.Settings(columns: "{ n: long, text: string }"))
            let sluice = try query.startAndWait()
            let count = 8000
            try kafka.kcat.produce(Self.largeRows(0..<count), to: query.input)
            // The first records of a batch that is not committed are in the output.
            try sluice.waitUntil("no output") {
                ((try? kafka.kcat.endOffset(query.output)) ?? 0) > 0
            }
            absence.begin(kafka)
            let isInBatch = query.batches("offsets").last != query.batches("commits").last
            // A while in which it tries in vain, as its log shows.
            try Self.waitForWarning(sluice, kafka)
            try absence.end(kafka)
            try query.write(count..<count + 5)
            try query.waitForRows(count + 5, sluice)
            #expect(isInBatch, "the batch was over before the broker was away: the test needs larger rows")
            #expect(sluice.stop().exitCode == 0)
            #expect(try query.numbers() == Array(0..<count + 5))
        }

        /// Where a query is when its broker goes away and it is told to stop.
        enum Moment: CaseIterable {
            case start, idle, batch
        }

        @Test(arguments: Moment.allCases, Absence.allCases)
        func `While the broker is away, SIGTERM ends the query soon, and the next start loses nothing`(
            moment: Moment, absence: Absence
        ) throws {
            let kafka = try KafkaCluster()
            let query = try KafkaQuery(kafka)
            try query.writeSpec(KafkaQuery.Settings(columns: "{ n: long, text: string }"))
            let count = moment == .batch ? 8000 : 5
            if moment != .idle { try kafka.kcat.produce(Self.largeRows(0..<count), to: query.input) }
            if moment == .start { absence.begin(kafka) }
            let sluice = try query.start()
            switch moment {
            case .start: break
            case .idle: try sluice.waitUntil("no first batch") { !query.records.isEmpty }
            case .batch:
                try sluice.waitUntil("no output") { ((try? kafka.kcat.endOffset(query.output)) ?? 0) > 0 }
            }
            if moment != .start { absence.begin(kafka) }
            if moment != .batch { try Self.waitForWarning(sluice, kafka) }
            let asked = Date()
            let outcome = sluice.stop()
            let seconds = Date().timeIntervalSince(asked)
            #expect(outcome.exitCode == 0, "\(outcome.standardError)")
            #expect(seconds < 6, "it took \(seconds) s")
            try absence.end(kafka)
            if moment == .idle { try kafka.kcat.produce(Self.largeRows(0..<count), to: query.input) }
            let again = try query.runAvailable()
            #expect(again.exitCode == 0, "\(again.standardError)")
            // A transaction is over before its marker lets readers see it, on a busy machine by a while.
            let deadline = Date().addingTimeInterval(30)
            while try query.numbers().count < count, Date() < deadline {}
            #expect(try query.numbers() == Array(0..<count))
        }

        @Test func `In a cluster of three the death of a broker stops nothing`() throws {
            let kafka = try KafkaCluster(brokerCount: 3)
            let query = try KafkaQuery(kafka, inputPartitions: 3, outputPartitions: 3)
            try query.writeSpec()
            try query.write(0..<9)
            let sluice = try query.startAndWait()
            try query.waitForRows(9, sluice)
            for number in 0..<2 {
                kafka.brokers[number].kill()
                let rows = (number + 1) * 9..<(number + 2) * 9
                try query.write(rows)
                try query.waitForRows(rows.upperBound, sluice)
                try kafka.brokers[number].resume()
            }
            #expect(sluice.stop().exitCode == 0)
            #expect(try query.numbers() == Array(0..<27))
        }
    }
}
