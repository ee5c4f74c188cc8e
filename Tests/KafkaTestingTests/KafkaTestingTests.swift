// The test broker itself: what other tests take for granted about it, tried once.

import Foundation
import KafkaTesting
import Testing

@Suite(.requiresKafka) struct KafkaTestingTests {
    @Test func `Records come back with partition, key, headers and value as they were written`() throws {
        let kafka = try KafkaCluster.shared()
        let topic = try kafka.makeTopic("records", partitions: 2)
        let headers = [KafkaRecord.Header("trace", "a=b"), KafkaRecord.Header("trace", "")]
        try kafka.kcat.produce(["{\n \"n\": 1\n}", "né"], to: topic, partition: 1, headers: headers)
        try kafka.kcat.produce(keyed: [("k", "v"), ("k", ""), ("k", nil), ("", "w")], to: topic, partition: 0)
        let records = try kafka.kcat.consume(topic)
        #expect(records.map(\.partition) == [0, 0, 0, 0, 1, 1])
        #expect(records.map(\.offset) == [0, 1, 2, 3, 0, 1])
        #expect(records.map(\.key) == ["k", "k", "k", "", nil, nil])
        #expect(records.map(\.value) == ["v", "", nil, "w", "{\n \"n\": 1\n}", "né"])
        #expect(records.map(\.headers) == [[], [], [], [], headers, headers])
        let now = Date().timeIntervalSince1970 * 1000
        #expect(records.allSatisfy { abs(Double($0.timestampMillis) - now) < 60_000 })
        #expect(try kafka.endOffsets(topic) == [0: 4, 1: 2])
        #expect(try kafka.kcat.endOffset(topic, partition: 1) == 2)
    }

    @Test func `Megabyte messages and many messages pass whole`() throws {
        let kafka = try KafkaCluster.shared()
        let topic = try kafka.makeTopic("large")
        let values = [String(repeating: "x", count: 1 << 20)] + (0..<20_000).map { "\($0)" }
        try kafka.kcat.produce(values, to: topic)
        #expect(try kafka.kcat.values(topic) == values)
    }

    @Test func `Kafka's own producer writes a record per line`() throws {
        let kafka = try KafkaCluster.shared()
        let topic = try kafka.makeTopic("console")
        try kafka.produceWithConsoleProducer(["one", "two"], to: topic)
        #expect(try kafka.kcat.values(topic) == ["one", "two"])
    }

    @Test func `Of transactions, committed ones are read, open ones hold back what follows, aborted ones leave gaps`()
        throws
    {
        let kafka = try KafkaCluster.shared()
        let topic = try kafka.makeTopic("transactions")
        let id = kafka.uniqueName("transaction")
        try kafka.kcat.produce(["a", "b"], to: topic, transactionalID: id)
        let open = try kafka.kcat.beginTransaction(["c"], to: topic, transactionalID: id)
        try kafka.kcat.produce(["d"], to: topic)
        #expect(try kafka.kcat.values(topic) == ["a", "b"])
        #expect(try kafka.kcat.consume(topic, isolation: .readUncommitted).map(\.value) == ["a", "b", "c", "d"])
        #expect(try kafka.transactionStates()[id] == "Ongoing")
        try open.abort()
        try waitUntil("the abort") { try kafka.kcat.values(topic) == ["a", "b", "d"] }
        try kafka.kcat.beginTransaction(["e"], to: topic, transactionalID: id).commit()
        let records = try kafka.kcat.consume(topic)
        #expect(records.map(\.value) == ["a", "b", "d", "e"])
        // Markers of a transaction's end take an offset each: 2, 5 and, last, 7.
        #expect(records.map(\.offset) == [0, 1, 4, 6])
        #expect(try kafka.endOffsets(topic) == [0: 8])
    }

    @Test func `Partitions are added, records deleted, topics removed`() throws {
        let kafka = try KafkaCluster.shared()
        let topic = try kafka.makeTopic("changes")
        try kafka.kcat.produce(["a", "b", "c"], to: topic, partition: 0)
        try kafka.addPartitions(topic, total: 3)
        try kafka.deleteRecords(topic, before: [0: 2])
        #expect(try kafka.startOffsets(topic) == [0: 2, 1: 0, 2: 0])
        #expect(try kafka.kcat.values(topic) == ["c"])
        try kafka.alterConfigs(topic, ["retention.ms": "1000000"])
        try kafka.deleteTopic(topic)
        try waitUntil("the end of the topic") { (try? kafka.kcat.consume(topic)) == nil }
    }

    @Test func `Compaction leaves the newest record of a key, and gaps`() throws {
        let kafka = try KafkaCluster.shared()
        let topic = try kafka.makeCompactedTopic("compacted")
        try kafka.kcat.produce(keyed: (0..<20).map { ("k\($0 % 2)", "\($0)") }, to: topic)
        try kafka.compact(topic, with: ("end", "end"))
        let left = try kafka.kcat.consume(topic)
        #expect(left.prefix(2).map(\.value) == ["18", "19"])
        #expect(left.prefix(2).map(\.offset) == [18, 19])
    }

    @Test func `A guest may do what it was allowed and nothing else, and a wrong password gets nowhere`() throws {
        let kafka = try KafkaCluster.shared()
        let topic = try kafka.makeTopic("secret")
        try kafka.kcat.produce(["a"], to: topic)
        var client = kafka.kcat
        client.bootstrap = kafka.sasl
        client.options = SASLUser.admin.clientOptions
        #expect(try client.values(topic) == ["a"])
        client.options = SASLUser.guest.clientOptions
        #expect(throws: KafkaTestError.self) { try client.values(topic) }
        try kafka.allow(.guest, ["--operation", "Read", "--topic", topic])
        try waitUntil("the right to read") { (try? client.values(topic)) == ["a"] }
        #expect(throws: KafkaTestError.self) { try client.produce(["b"], to: topic) }
        client.options["sasl.password"] = "wrong"
        #expect(throws: KafkaTestError.self) { try client.values(topic) }
    }

    @Test func `The TLS listener serves those who trust its authority`() throws {
        let kafka = try KafkaCluster.shared()
        let topic = try kafka.makeTopic("tls")
        try kafka.kcat.produce(["a"], to: topic)
        var client = kafka.kcat
        client.bootstrap = kafka.tls
        client.options = ["security.protocol": "ssl", "ssl.ca.location": kafka.authorityPath]
        #expect(try client.values(topic) == ["a"])
        client.options = ["security.protocol": "ssl", "ssl.ca.location": try kafka.foreignAuthorityPath()]
        #expect(throws: KafkaTestError.self) { try client.values(topic) }
    }

    @Test func `A group is described by topic and partition, and one that does not exist has no lines`() throws {
        let kafka = try KafkaCluster.shared()
        let topic = try kafka.makeTopic("group", partitions: 2)
        try kafka.kcat.produce(["a", "b", "c"], to: topic, partition: 1)
        #expect(try kafka.describeGroup("nobody").isEmpty)
        let group = kafka.uniqueName("group")
        try kafka.setGroupOffsets(group, topic, to: "--to-earliest")
        #expect(
            try kafka.describeGroup(group) == [
                GroupOffset(topic: topic, partition: 0, currentOffset: 0, logEndOffset: 0, lag: 0),
                GroupOffset(topic: topic, partition: 1, currentOffset: 0, logEndOffset: 3, lag: 3),
            ])
    }

    @Test func `A broker that was stopped, killed or paused goes on with its data at its address`() throws {
        let kafka = try KafkaCluster()
        let topic = try kafka.makeTopic("lives")
        try kafka.kcat.produce(["a"], to: topic)
        try kafka.stop()
        #expect(!kafka.brokers[0].isRunning)
        try kafka.resume()
        try kafka.kcat.produce(["b"], to: topic)
        kafka.kill()
        #expect(!kafka.brokers[0].isRunning)
        try kafka.resume()
        kafka.pause()
        kafka.unpause()
        #expect(try kafka.kcat.values(topic) == ["a", "b"])
    }

    @Test func `A producer waits for a broker that is away, and writes every record once`() throws {
        let kafka = try KafkaCluster()
        let topic = try kafka.makeTopic("patient")
        let values = (0..<200_000).map { "\($0)" }
        let producer = try kafka.kcat.startProducing(values, to: topic)
        kafka.kill()
        #expect(try producer.isWriting)
        try kafka.resume()
        try producer.finish()
        #expect(try kafka.kcat.values(topic) == values)
    }

    @Test func `A cluster of three survives the death of one`() throws {
        let kafka = try KafkaCluster(brokerCount: 3)
        let topic = try kafka.makeTopic("three", partitions: 3)
        try kafka.kcat.produce(["a", "b", "c"], to: topic)
        kafka.brokers[1].kill()
        try kafka.kcat.produce(["d"], to: topic)
        // The leaders that take over do not know at once how far all replicas have come.
        try waitUntil("all records") { Set(try kafka.kcat.values(topic)) == ["a", "b", "c", "d"] }
        try kafka.brokers[1].resume()
        try waitUntil("all records again") { try kafka.kcat.values(topic).count == 4 }
    }

    @Test func `What goes out of scope leaves no process, no folder and no port behind`() throws {
        var kafka: KafkaCluster? = try KafkaCluster()
        let folder = URL(filePath: try #require(kafka).authorityPath).deletingLastPathComponent().path
        let processIDs = try #require(kafka).brokers.compactMap(\.processID)
        #expect(processIDs.count == 1 && FileManager.default.fileExists(atPath: folder))
        kafka = nil
        #expect(processIDs.allSatisfy { kill($0, 0) != 0 })
        #expect(!FileManager.default.fileExists(atPath: folder))
    }
}
