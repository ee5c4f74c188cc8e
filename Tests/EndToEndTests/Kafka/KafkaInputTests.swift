// What stands in real topics: gaps, markers, transactions that nobody ends, partitions that come, records that go, and
// values of every kind.

import Foundation
import KafkaTesting
import Testing

extension KafkaEndToEndTests {
    @Suite struct Input {
        @Test func `Lost records stop a query with their exact range, or are passed over if it is told to`() throws {
            let kafka = try KafkaCluster.shared()
            let query = try KafkaQuery(kafka, inputPartitions: 2)
            try query.writeSpec()
            try query.write(0..<10, partition: 1)
            #expect(try query.runAvailable().exitCode == 0)
            try query.write(10..<20, partition: 1)
            try query.write(100..<103, partition: 0)
            try kafka.deleteRecords(query.input, before: [1: 15])

            let failed = try query.runAvailable()
            #expect(failed.exitCode == 1)
            let errors = logLines(failed.standardError, level: "error")
            let error = try #require(errors.first)
            #expect(errors.count == 1 && error.contains(query.input) && error.contains("on_data_loss"))
            #expect(error.contains(/\b10\b.*\b1[45]\b/) && error.contains(/partition\W+1\b/), "\(error)")
            #expect(try query.numbers() == Array(0..<10))

            try query.writeSpec(KafkaQuery.Settings(source: ["on_data_loss": "continue"]))
            let continued = try query.runAvailable()
            #expect(continued.exitCode == 0, "\(continued.standardError)")
            #expect(logLines(continued.standardError, level: "warning").contains { $0.contains(query.input) })
            #expect(try query.numbers() == Array(0..<10) + Array(15..<20) + Array(100..<103))
        }

        @Test func `Records deleted before a query's first start are no loss`() throws {
            let kafka = try KafkaCluster.shared()
            let query = try KafkaQuery(kafka)
            try query.writeSpec()
            try query.write(0..<10)
            try kafka.deleteRecords(query.input, before: [0: 4])
            let outcome = try query.runAvailable()
            #expect(outcome.exitCode == 0, "\(outcome.standardError)")
            #expect(try query.numbers() == Array(4..<10))
        }

        @Test func `Partitions that are added while a query runs are read from their beginning`() throws {
            let kafka = try KafkaCluster.shared()
            let query = try KafkaQuery(kafka)
            try query.writeSpec(KafkaQuery.Settings(start: "latest"))
            try query.write(0..<3)
            let sluice = try query.startAndWait()
            try kafka.addPartitions(query.input, total: 3)
            for partition in 0..<3 {
                try query.write(10 * (partition + 1)..<10 * (partition + 1) + 2, partition: partition)
            }
            try query.waitForRows(6, sluice)
            #expect(sluice.stop().exitCode == 0)
            #expect(try query.numbers() == [10, 11, 20, 21, 30, 31])
        }

        @Test func `Partitions that are added while a query is down are read from their beginning`() throws {
            let kafka = try KafkaCluster.shared()
            let query = try KafkaQuery(kafka)
            try query.writeSpec(KafkaQuery.Settings(start: "latest"))
            #expect(try query.startAndWait().stop().exitCode == 0)
            try kafka.addPartitions(query.input, total: 2)
            try query.write(0..<3, partition: 1)
            let outcome = try query.runAvailable()
            #expect(outcome.exitCode == 0, "\(outcome.standardError)")
            #expect(try query.numbers() == [0, 1, 2])
        }

        @Test func `Aborted transactions are no rows and no loss, and an open one is waited for`() throws {
            let kafka = try KafkaCluster.shared()
            let query = try KafkaQuery(kafka)
            try query.writeSpec()
            let id = kafka.uniqueName("transaction")
            let lines = (0..<8).map(KafkaQuery.line)
            try kafka.kcat.produce([lines[0]], to: query.input)
            try kafka.kcat.beginTransaction([lines[6]], to: query.input, transactionalID: id).abort()
            try kafka.kcat.produce([lines[1], lines[2]], to: query.input, transactionalID: id)
            try kafka.kcat.beginTransaction([lines[7]], to: query.input, transactionalID: id).abort()
            let first = try query.runAvailable()
            #expect(first.exitCode == 0, "\(first.standardError)")
            #expect(
                try query.numbers() == [0, 1, 2], "and it ends although the last record of the topic is none for it")

            let open = try kafka.kcat.beginTransaction([lines[3]], to: query.input, transactionalID: id)
            try kafka.kcat.produce([lines[4]], to: query.input)
            let second = try query.runAvailable()
            #expect(second.exitCode == 0, "\(second.standardError)")
            #expect(try query.numbers() == [0, 1, 2], "what follows an open transaction is not read before its end")
            let sluice = try query.start()
            try open.commit()
            try query.waitForRows(5, sluice)
            #expect(sluice.stop().exitCode == 0)
            #expect(try query.numbers() == [0, 1, 2, 3, 4])
        }

        @Test func `read_uncommitted takes what transactions have not committed`() throws {
            let kafka = try KafkaCluster.shared()
            let query = try KafkaQuery(kafka)
            try query.writeSpec(KafkaQuery.Settings(source: ["isolation": "read_uncommitted"]))
            let id = kafka.uniqueName("transaction")
            let open = try kafka.kcat.beginTransaction([KafkaQuery.line(1)], to: query.input, transactionalID: id)
            try query.write(2..<3)
            let outcome = try query.runAvailable()
            #expect(outcome.exitCode == 0, "\(outcome.standardError)")
            #expect(try query.numbers() == [1, 2])
            try open.abort()
        }

        @Test func `A topic of nothing but aborted transactions is empty and holds nobody up`() throws {
            let kafka = try KafkaCluster.shared()
            let query = try KafkaQuery(kafka)
            try query.writeSpec()
            let id = kafka.uniqueName("transaction")
            try kafka.kcat.beginTransaction(["{\"n\":1}"], to: query.input, transactionalID: id).abort()
            let outcome = try query.runAvailable()
            #expect(outcome.exitCode == 0, "\(outcome.standardError)")
            #expect(try query.numbers().isEmpty)
        }

        @Test func `Gaps that compaction left are no loss`() throws {
            let kafka = try KafkaCluster.shared()
            let query = try KafkaQuery(kafka)
            let topic = try kafka.makeCompactedTopic("compacted")
            try query.writeSpec(KafkaQuery.Settings(source: ["topic": topic, "max_offsets_per_trigger": "7"]))
            try kafka.kcat.produce(keyed: (0..<40).map { ("k\($0 % 4)", KafkaQuery.line($0)) }, to: topic)
            try kafka.compact(topic, with: ("last", KafkaQuery.line(1000)))
            let outcome = try query.runAvailable()
            #expect(outcome.exitCode == 0, "\(outcome.standardError)")
            let numbers = try query.numbers()
            #expect(numbers.prefix(4) == [36, 37, 38, 39] && numbers.dropFirst(4).allSatisfy { $0 == 1000 })
        }

        @Test(arguments: [false, true])
        func `Tombstones are no rows, what is no record is dropped, and under permissive all are rows as in Spark`(
            isPermissive: Bool
        ) throws {
            let kafka = try KafkaCluster.shared()
            let query = try KafkaQuery(kafka)
            try query.writeSpec(
                KafkaQuery.Settings(
                    sourceMore: isPermissive ? "bad_rows: permissive" : "",
                    sink: ["options": "{ message.max.bytes: 2000000 }"],
                    columns:
                        "{ n: long, text: string, key: { type: string, from: kafka.key }, offset: { type: long, from: kafka.offset } }"
                ))
            let large = String(repeating: "y", count: 1_000_000)
            try kafka.kcat.produce(
                keyed: [
                    ("tombstone", nil), ("empty", ""), ("pretty", "{\n  \"n\": 3,\n  \"text\": \"a\\nb\"\n}\n"),
                    ("bad", "no\njson"), ("large", "{\"n\":5,\"text\":\"\(large)\"}"),
                ], to: query.input)
            try kafka.kcat.produce(["{\"n\":6}"], to: query.input)
            let outcome = try query.runAvailable()
            #expect(outcome.exitCode == 0, "\(outcome.standardError)")
            let rows = try kafka.kcat.values(query.output)
            let records = [
                #"{"n":3,"text":"a\nb","key":"pretty","offset":2}"#,
                "{\"n\":5,\"text\":\"\(large)\",\"key\":\"large\",\"offset\":4}", #"{"n":6,"offset":5}"#,
            ]
            let others = [
                #"{"key":"tombstone","offset":0}"#, #"{"key":"empty","offset":1}"#, #"{"key":"bad","offset":3}"#,
            ]
            #expect(
                rows.sorted() == (records + (isPermissive ? others : [])).sorted(), "\(rows.map { $0.prefix(100) })")
            let sources = query.records.compactMap { ($0["sources"] as? [[String: Any]])?.first }
            func sum(_ name: String) -> Int { sources.reduce(0) { $0 + ($1[name] as? Int ?? 0) } }
            #expect(sum("numTombstones") == 1 && sum("numBadRows") == 2)
            #expect(sum("numInputRows") == (isPermissive ? 6 : 5))
            #expect(outcome.standardError.contains("sluice.place=\(query.input)/0@1 "), "\(outcome.standardError)")
            #expect(outcome.standardError.contains("1 tombstone\n"))
        }

        @Test func `A record's own parts can be columns`() throws {
            let kafka = try KafkaCluster.shared()
            let query = try KafkaQuery(kafka, inputPartitions: 2)
            try query.writeSpec(
                KafkaQuery.Settings(
                    columns: """
                        { n: long, key: { type: string, from: kafka.key }, \
                        trace: { type: string, from: kafka.headers.trace-id }, \
                        level: { type: int, from: kafka.headers.level }, topic: { type: string, from: kafka.topic }, \
                        partition: { type: int, from: kafka.partition }, offset: { type: long, from: kafka.offset }, \
                        at: { type: timestamp, from: kafka.timestamp }, raw: { type: string, from: kafka.value } }
                        """))
            try kafka.kcat.produce(
                keyed: [("a", "{\"n\": 1}")], to: query.input, partition: 1,
                headers: [.init("trace-id", "x-1"), .init("level", "3")])
            try kafka.kcat.produce(["{\"n\": 2}"], to: query.input, partition: 1)
            let outcome = try query.runAvailable()
            #expect(outcome.exitCode == 0, "\(outcome.standardError)")
            let input = try kafka.kcat.consume(query.input)
            let rows = try kafka.kcat.values(query.output).compactMap { jsonObject($0) }
                .sorted { ($0["n"] as? Int ?? 0) < ($1["n"] as? Int ?? 0) }
            try #require(rows.count == 2 && input.count == 2)
            #expect(rows.map { $0["key"] as? String } == ["a", nil])
            #expect(rows.map { $0["trace"] as? String } == ["x-1", nil])
            #expect(rows.map { $0["level"] as? Int } == [3, nil])
            #expect(rows.map { $0["topic"] as? String } == [query.input, query.input])
            #expect(rows.map { $0["partition"] as? Int } == [1, 1])
            #expect(rows.map { $0["offset"] as? Int } == [0, 1])
            #expect(rows.map { $0["raw"] as? String } == ["{\"n\": 1}", "{\"n\": 2}"])
            let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
            let times = try rows.map { try style.parse($0["at"] as? String ?? "") }
            let millis = times.map { Int64(($0.timeIntervalSince1970 * 1000).rounded()) }
            #expect(millis == input.map(\.timestampMillis))
        }

        @Test func `A query starts where it is told to, and never again`() throws {
            let kafka = try KafkaCluster.shared()
            for (start, first) in [("earliest", 0), ("latest", 6), ("{ 0: 4 }", 4), ("timestamp", 3)] {
                let query = try KafkaQuery(kafka)
                try query.write(0..<3)
                // A later timestamp than those before.
                let before = try #require(kafka.kcat.consume(query.input).last).timestampMillis
                try waitUntil("the next millisecond") { Int64(Date().timeIntervalSince1970 * 1000) > before }
                try query.write(3..<6)
                let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
                let third = Date(
                    timeIntervalSince1970: Double(try kafka.kcat.consume(query.input)[3].timestampMillis) / 1000)
                let place = start == "timestamp" ? "{ timestamp: \"\(style.format(third))\" }" : start
                try query.writeSpec(KafkaQuery.Settings(start: place))
                for rest in [6..<6, 6..<8] {
                    if !rest.isEmpty { try query.write(rest) }
                    let outcome = try query.runAvailable()
                    #expect(outcome.exitCode == 0, "\(start): \(outcome.standardError)")
                    #expect(try query.numbers() == Array(first..<rest.upperBound), "\(start)")
                }
            }
        }

        /// Who runs it over what is there sees nothing, and would not know why.
        @Test func `A run that begins at the end of its topic says so, once`() throws {
            let kafka = try KafkaCluster.shared()
            let query = try KafkaQuery(kafka)
            try query.writeSpec(KafkaQuery.Settings(start: "latest"))
            try query.write(0..<5)
            let words = "\nnothing was read: `numbers` begins at the end of its topic, "
            #expect(try query.runAvailable().standardError.contains(words))
            let second = try query.runAvailable().standardError
            #expect(!second.contains(words) && second.contains("nothing new"), "\(second)")
            try query.write(5..<7)
            #expect(!(try query.runAvailable().standardError.contains("nothing")))
            #expect(try query.numbers() == [5, 6])
        }

        @Test func `A batch takes no more records than it is told to`() throws {
            let kafka = try KafkaCluster.shared()
            let query = try KafkaQuery(kafka)
            try query.writeSpec(KafkaQuery.Settings(source: ["max_offsets_per_trigger": "10"]))
            try query.write(0..<25)
            let outcome = try query.runAvailable()
            #expect(outcome.exitCode == 0, "\(outcome.standardError)")
            #expect(query.records.compactMap { $0["numInputRows"] as? Int }.filter { $0 > 0 } == [10, 10, 5])
            #expect(try query.numbers() == Array(0..<25))
        }
    }
}
