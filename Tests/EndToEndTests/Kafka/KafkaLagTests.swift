// What lag tools and the progress file say about how far a query has come, against each other.

import Foundation
import KafkaTesting
import Testing

extension KafkaEndToEndTests {
    @Suite struct Lag {
        /// What a progress record says of one source.
        private struct Report {
            var endOffset: [Int: Int]
            var latestOffset: [Int: Int]
            var rowsBehind: [Int: Int]
            var secondsBehind: [Int: Double]
            var metrics: [String: String]

            init(_ record: [String: Any], topic: String) throws {
                let source = try #require((record["sources"] as? [[String: Any]])?.first)
                func offsets(_ name: String) throws -> [Int: Int] {
                    let byTopic = try #require(source[name] as? [String: [String: Int]], "\(source)")
                    #expect(Array(byTopic.keys) == [topic])
                    return Report.byPartition(try #require(byTopic[topic]))
                }
                endOffset = try offsets("endOffset")
                latestOffset = try offsets("latestOffset")
                metrics = try #require(source["metrics"] as? [String: String], "\(source)")
                let lag = try #require(source["lag"] as? [String: [String: Any]], "\(source)")
                rowsBehind = Report.byPartition(lag.compactMapValues { $0["rows"] as? Int })
                secondsBehind = Report.byPartition(lag.compactMapValues { ($0["seconds"] as? NSNumber)?.doubleValue })
            }

            private static func byPartition<Value>(_ values: [String: Value]) -> [Int: Value] {
                Dictionary(values.compactMap { name, value in Int(name).map { ($0, value) } }) { first, _ in first }
            }
        }

        @Test func `Lag in the progress record is the lag that consumer-groups shows`() throws {
            let kafka = try KafkaCluster.shared()
            let query = try KafkaQuery(kafka, inputPartitions: 3)
            try query.writeSpec(
                KafkaQuery.Settings(source: ["max_offsets_per_trigger": "60"], trigger: "1h"))
            try query.write(0..<100, partition: 0)
            try query.write(100..<140, partition: 1)
            let sluice = try query.startAndWait()
            try query.waitForRows(1, sluice)
            let record = try #require(query.records.first)
            let report = try Report(record, topic: query.input)
            let group = try kafka.describeGroup("sluice-\(query.name)")
            #expect(sluice.stop().exitCode == 0)

            #expect(report.latestOffset == [0: 100, 1: 40, 2: 0])
            let behind = report.latestOffset.merging(report.endOffset) { $0 - $1 }
            #expect(report.rowsBehind == behind)
            let read = try #require(record["numInputRows"] as? Int)
            #expect(read > 0 && read <= 62 && report.endOffset.values.reduce(0, +) == read)
            #expect(report.metrics["minOffsetsBehindLatest"] == "0")
            #expect(report.metrics["maxOffsetsBehindLatest"] == behind.values.max().map { "\($0)" })
            let average = try #require(report.metrics["avgOffsetsBehindLatest"].flatMap { Double($0) })
            #expect(abs(average - Double(behind.values.reduce(0, +)) / 3) < 0.01)
            #expect(report.secondsBehind.keys.sorted() == [0, 1, 2])
            #expect(report.secondsBehind[2] == 0, "a partition that is read to its end is not behind")
            #expect(report.secondsBehind.values.allSatisfy { $0 >= 0 && $0 < 120 })

            #expect(group.map(\.topic).allSatisfy { $0 == query.input })
            for line in group {
                // A lag tool says nothing of a partition without a committed offset, which is one without records.
                #expect((line.currentOffset ?? 0) == report.endOffset[line.partition])
                #expect(line.logEndOffset == report.latestOffset[line.partition])
                #expect((line.lag ?? 0) == report.rowsBehind[line.partition])
            }
            #expect(group.count >= 2 && group.count { $0.currentOffset != nil } >= 2, "\(group)")
        }

        @Test func `A query that has read everything is not behind, and its group is at the end`() throws {
            let kafka = try KafkaCluster.shared()
            let query = try KafkaQuery(kafka, inputPartitions: 2)
            try query.writeSpec()
            try query.write(0..<10, partition: 0)
            try query.write(10..<15, partition: 1)
            for rest in [15..<15, 15..<20] {
                if !rest.isEmpty { try query.write(rest, partition: 1) }
                let outcome = try query.runAvailable()
                #expect(outcome.exitCode == 0, "\(outcome.standardError)")
                let report = try Report(try #require(query.records.last), topic: query.input)
                #expect(report.endOffset == [0: 10, 1: 5 + rest.count])
                #expect(report.rowsBehind == [0: 0, 1: 0])
                #expect(report.metrics["maxOffsetsBehindLatest"] == "0")
                let group = try kafka.describeGroup("sluice-\(query.name)")
                #expect(group.map(\.currentOffset) == [10, 5 + rest.count])
                #expect(group.map(\.lag) == [0, 0])
            }
            #expect(try query.numbers() == Array(0..<20))
        }
    }
}
