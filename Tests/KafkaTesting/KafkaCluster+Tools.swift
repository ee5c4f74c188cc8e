// What only Kafka's own tools can do or tell, one Java each.

import Foundation

/// A line of `consumer-groups --describe`.
package struct GroupOffset: Equatable, Sendable {
    package var topic: String
    package var partition: Int
    /// Nil where the group has committed nothing.
    package var currentOffset: Int?
    package var logEndOffset: Int
    package var lag: Int?

    package init(topic: String, partition: Int, currentOffset: Int?, logEndOffset: Int, lag: Int?) {
        (self.topic, self.partition) = (topic, partition)
        (self.currentOffset, self.logEndOffset, self.lag) = (currentOffset, logEndOffset, lag)
    }
}

extension KafkaCluster {
    // MARK: Topics

    /// Makes a topic whose name begins with `base` and is no other test's.
    package func makeTopic(_ base: String, partitions: Int = 1, configs: [String: String] = [:]) throws -> String {
        let name = uniqueName(base)
        try createTopic(name, partitions: partitions, configs: configs)
        return name
    }

    package func createTopic(_ name: String, partitions: Int = 1, configs: [String: String] = [:]) throws {
        try topics(
            ["--create", "--topic", name, "--partitions", "\(partitions)"]
                + configs.flatMap { ["--config", "\($0.key)=\($0.value)"] })
    }

    /// Makes a topic that keeps the newest record of each key, see `compact`.
    package func makeCompactedTopic(_ base: String) throws -> String {
        try makeTopic(
            base,
            configs: ["cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.001"])
    }

    /// Writes the record again and again, which closes segments, until the records of all other keys are compacted.
    package func compact(_ topic: String, with record: (key: String, value: String)) throws {
        try waitUntil("compaction of \(topic)") {
            try kcat.produce(keyed: [record], to: topic)
            let keys = try kcat.consume(topic).compactMap(\.key).filter { $0 != record.key }
            return Set(keys).count == keys.count
        }
    }

    package func addPartitions(_ topic: String, total: Int) throws {
        try topics(["--alter", "--topic", topic, "--partitions", "\(total)"])
    }

    package func deleteTopic(_ topic: String) throws { try topics(["--delete", "--topic", topic]) }

    /// Deletes a topic and makes another one of the same name.
    package func recreateTopic(_ topic: String, partitions: Int) throws {
        try deleteTopic(topic)
        try waitUntil("the end of the topic") { (try? createTopic(topic, partitions: partitions)) != nil }
    }

    private func topics(_ arguments: [String]) throws {
        _ = try runTool("org.apache.kafka.tools.TopicCommand", arguments, connects: true)
    }

    package func alterConfigs(_ topic: String, _ configs: [String: String]) throws {
        let list = configs.map { "\($0.key)=\($0.value)" }.joined(separator: ",")
        _ = try runTool(
            "kafka.admin.ConfigCommand",
            ["--alter", "--entity-type", "topics", "--entity-name", topic, "--add-config", list], connects: true)
    }

    /// Deletes, in each partition, what stands before the offset.
    package func deleteRecords(_ topic: String, before offsets: [Int: Int]) throws {
        let partitions = offsets.map { ["topic": topic, "partition": $0.key, "offset": $0.value] as [String: Any] }
        let json = try JSONSerialization.data(
            withJSONObject: ["partitions": partitions, "version": 1] as [String: Any])
        let file = try scratch.write("offsets", json)
        _ = try runTool(
            "org.apache.kafka.tools.DeleteRecordsCommand", ["--offset-json-file", file], connects: true)
    }

    /// By partition, the offset of the first record there is.
    package func startOffsets(_ topic: String) throws -> [Int: Int] { try offsets(topic, time: "earliest") }

    /// By partition, the offset that the next record gets.
    package func endOffsets(_ topic: String) throws -> [Int: Int] { try offsets(topic, time: "latest") }

    private func offsets(_ topic: String, time: String) throws -> [Int: Int] {
        let printed = try runTool(
            "org.apache.kafka.tools.GetOffsetShell", ["--topic", topic, "--time", time], connects: true)
        return printed.split(separator: "\n").reduce(into: [:]) { offsets, line in
            let parts = line.split(separator: ":")
            if parts.count == 3, let partition = Int(parts[1]), let offset = Int(parts[2]) {
                offsets[partition] = offset
            }
        }
    }

    // MARK: Rights

    /// Gives a SASL user rights on topics, groups or transactional ids, by name: the arguments of `kafka-acls`, such as
    /// `["--operation", "Read", "--topic", "visits"]`.
    package func allow(_ user: SASLUser, _ arguments: [String]) throws {
        _ = try runTool(
            "org.apache.kafka.tools.AclCommand",
            ["--add", "--force", "--allow-principal", "User:\(user.rawValue)"] + arguments, connects: true)
    }

    // MARK: Groups and transactions

    /// What lag tools see of a group, by topic and partition; nothing for a group that does not exist.
    package func describeGroup(_ group: String) throws -> [GroupOffset] {
        let outcome = try toolOutcome(
            "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", ["--describe", "--group", group],
            connects: true)
        return outcome.output.split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ", omittingEmptySubsequences: true)
            guard words.count >= 6, words[0] == group, let partition = Int(words[2]), let end = Int(words[4]) else {
                return nil
            }
            return GroupOffset(
                topic: String(words[1]), partition: partition, currentOffset: Int(words[3]), logEndOffset: end,
                lag: Int(words[5]))
        }.sorted { ($0.topic, $0.partition) < ($1.topic, $1.partition) }
    }

    /// Deletes a consumer group with its offsets.
    package func deleteGroup(_ group: String) throws {
        _ = try runTool(
            "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
            ["--delete", "--group", group], connects: true)
    }

    /// As `kafka-consumer-groups --reset-offsets`: the group need not exist, but nobody may be in it.
    package func setGroupOffsets(_ group: String, _ topic: String, to position: String) throws {
        _ = try runTool(
            "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
            ["--reset-offsets", "--group", group, "--topic", topic, position, "--execute"], connects: true)
    }

    /// Every transactional id with the state of its newest transaction, such as `Ongoing` or `CompleteAbort`.
    package func transactionStates() throws -> [String: String] {
        let printed = try runTool("org.apache.kafka.tools.TransactionsCommand", ["list"], connects: true, leads: true)
        return printed.split(separator: "\n").dropFirst().reduce(into: [:]) { states, line in
            let words = line.split { $0 == " " || $0 == "\t" }
            if words.count == 4 { states[String(words[0])] = String(words[3]) }
        }
    }

    // MARK: Kafka's own producer

    /// One record per line, without keys.
    package func produceWithConsoleProducer(_ lines: [String], to topic: String) throws {
        let input = try scratch.write("lines", Data(lines.map { $0 + "\n" }.joined().utf8))
        _ = try runTool(
            "org.apache.kafka.tools.ConsoleProducer", ["--topic", topic], input: input, connects: true)
    }

    // MARK: Running them

    /// Standard output of a tool that ended well; throws with all that it printed if it did not.
    /// - Parameters:
    ///   - connects: the tool takes the brokers' address.
    ///   - leads: it takes that before its other arguments.
    func runTool(
        _ mainClass: String, _ arguments: [String], input: String? = nil, connects: Bool = false, leads: Bool = false
    ) throws -> String {
        let outcome = try toolOutcome(mainClass, arguments, input: input, connects: connects, leads: leads)
        guard outcome.exitCode == 0 else {
            throw KafkaTestError(
                "\(mainClass) \(arguments) ended with \(outcome.exitCode): \(outcome.output)\(outcome.error)")
        }
        return outcome.output
    }

    private func toolOutcome(
        _ mainClass: String, _ arguments: [String], input: String? = nil, connects: Bool = false, leads: Bool = false
    ) throws -> ProgramOutcome {
        let address = connects ? ["--bootstrap-server", plain] : []
        let all = leads ? address + arguments : arguments + address
        let (command, newArchive) = Java(home: home, mainClass: mainClass, heapMegabytes: 192)
            .command(all, logSettings: "\(brokers[0].folder)/log4j2.properties")
        let outcome = try ChildProcess.run(command, input: input.map { .file($0) } ?? .nothing, scratch: scratch)
        newArchive?.keep()
        return outcome
    }
}
