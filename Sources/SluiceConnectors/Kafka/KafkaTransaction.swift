// Kafka topics as sinks with `delivery: exactly_once`. All of a query's that connect alike are written in one
// transaction a batch, which also leaves the batch's mark (CommittedBatch.swift): the offset, with metadata, that the
// consumer group `sluice-<query>-<query id>` has committed for partition 0 of the first sink's topic. The query's id is
// random, so another query, checkpoint or sink of the same name has another group. (The group that lag tools look at is
// another one and shows only: `group` in the spec.)
//
//     stage    begin ▸ records of all sinks ▸ flush ▸ mark         nothing of it can be read yet
//     (the state becomes durable)
//     commit   end of the transaction                              all of it can be read, with the mark
//
// A crash before the end leaves a transaction that the next start aborts, and a batch that is run again; a crash after
// it leaves the mark, and the batch's output is not taken again. A batch without rows leaves nothing, nor need it.
//
// Brokers forget offsets of a group without members after `offsets.retention.minutes`, so a mark that has grown old is
// written again. The commit log says which mark was the last one: a mark that should be there and is not is refused, as
// nobody could tell whether the batch in hand is in the topics.
//
// Errors: what waiting mends is waited for, here. A transaction that can only be aborted is aborted and written again
// from the batch's bytes. A client that is fenced stays so: another process has the query's transactional id. Anything
// else that is fatal to the client ends the runner, which starts again from its checkpoint with a new client.

internal import CRdKafka
package import SluiceEngine
package import SluiceSpec
internal import SluiceSystem

package final class KafkaTransaction: @unchecked Sendable {
    // @unchecked: guarded by the monitor; what is written is written by the last of the sinks to stage a batch, or by
    // the query's thread.

    /// What one sink has of a batch.
    struct Part {
        var topic: String
        /// The names of the headers whose values the records bring.
        var headers: [String]
        /// The number of the schema that the values name; nil where they name none.
        var schema: UInt32?
        var parts: [OutputBytes]
        var rowCount: Int
    }

    private let spec: KafkaSinkSpec
    private let number: Int
    private let sourceTopics: [String]
    private let environment: ConnectorEnvironment
    private let monitor = Monitor()
    private var members: [(sink: String, topic: String)] = []
    private var client: KafkaRecordClient?
    private var start: SinkStart?
    private var staged: [String: Part] = [:]
    private var openBatch: SinkBatch?
    /// A batch that was visible before this start.
    private(set) var visibleBatch: Int64?
    /// The newest mark, as it stands in the group.
    private var newest: CommittedBatch?
    private var newestTopic = ""
    private var markedNanos: UInt64?

    /// Offsets of a group are kept for a day at least by any sensible broker, and for seven by default.
    private static let markAgeMaxNanos: UInt64 = 24 * 3600 * 1_000_000_000

    /// - Parameters:
    ///   - spec: how to connect.
    ///   - number: 0 for the first transaction of a query; others connect in another way, maybe to the same cluster.
    package init(
        _ spec: KafkaSinkSpec, number: Int, sourceTopics: [String], environment: ConnectorEnvironment
    ) {
        self.spec = spec
        self.number = number
        self.sourceTopics = sourceTopics
        self.environment = environment
    }

    /// Whether another sink's connection is written in the same way.
    package func connects(as other: KafkaSinkSpec) -> Bool {
        func settings(_ spec: KafkaSinkSpec) -> [[String]] {
            spec.options.map { [$0.name.value, $0.value.revealed] }.sorted { $0[0] < $1[0] }
        }
        func brokers(_ spec: KafkaSinkSpec) -> Set<Substring> { Set(spec.brokers.value.split(separator: ",")) }
        return brokers(spec) == brokers(other) && settings(spec) == settings(other)
    }

    func add(sink: String, topic: String) { members.append((sink, topic)) }

    private var markTopic: String { members[0].topic }
    private var topics: [String] { members.map(\.topic) }

    private func markGroup(_ queryID: String) -> String { "sluice-\(environment.query)-\(queryID)" }

    private func transactionalID(_ queryID: String) -> String {
        "sluice-\(environment.query)-\(queryID)" + (number == 0 ? "" : "-\(number)")
    }

    /// Of the client that all share; its first sink answers for it.
    func processorNanos(of sink: String) -> UInt64 { sink == members[0].sink ? client?.processorNanos ?? 0 : 0 }

    var mark: SinkMark? {
        guard let newest, let clusterID = client?.clusterID else { return nil }
        return SinkMark(clusterID: clusterID, topic: newestTopic, batch: newest.batch)
    }

    // MARK: Recovery

    /// Called for each sink; the first call does it for all.
    func recover(_ start: SinkStart) throws(KafkaFailure) {
        if client != nil { return }
        self.start = start
        let client = try KafkaRecordClient(
            spec, topics: topics, transactionalID: transactionalID(start.queryID), environment: environment)
        try client.start()
        self.client = client
        if start.marks == nil { try abortOfEarlierVersion(start.queryID) }
        let marks = try marks(start, client)
        let recovered = RecoveredTransaction(
            marks.map(\.mark), start, expected: expectedMarks(start, client).map(\.batch).max())
        switch recovered {
        case .clean: break
        case .inHandIsVisible:
            visibleBatch = start.inHand?.id
            environment.log.info(
                "The interrupted batch is in the topic already, its rows are not written again",
                [.topic: .string(topics.joined(separator: ", ")), .batch: .integer(start.inHand?.id ?? 0)])
        case .repeatsAfterRollback(let mark):
            environment.log.warning(
                "The checkpoint was rolled back: batches that come again are in the topic already",
                [.topic: .string(topics.joined(separator: ", ")), .batch: .integer(mark.batch)])
        case .missing(let batch):
            guard start.acceptsMissingMark else { throw missing(batch, start) }
            environment.log.warning(
                "The mark of the last batch is missing, as was accepted", [.batch: .integer(batch)])
            // It is written anew at the first look, so that the next start finds one.
            newest = mark(of: SinkBatch(id: start.lastCommitted ?? batch, fingerprint: "unknown"))
            newestTopic = markTopic
            return
        case .ahead(let mark): throw ahead(mark, start)
        }
        guard let found = marks.max(by: { $0.mark.batch < $1.mark.batch }), found.mark.isOfThisFormat else { return }
        (newest, newestTopic) = (found.mark, found.topic)
    }

    /// What the commit log says of marks under the topics that are written to now.
    private func expectedMarks(_ start: SinkStart, _ client: KafkaRecordClient) -> [SinkMark] {
        (start.marks ?? []).filter { $0.clusterID == client.clusterID && topics.contains($0.topic) }
    }

    /// The marks of this checkpoint that committed transactions have left, and where.
    private func marks(
        _ start: SinkStart, _ client: KafkaRecordClient
    ) throws(KafkaFailure) -> [(topic: String, mark: CommittedBatch)] {
        let places = Set(expectedMarks(start, client).map(\.topic) + [markTopic]).sorted()
        let group = try GroupOffsets(markGroup(start.queryID), spec, environment: environment)
        var found: [(topic: String, text: String)] = []
        for topic in places { found += try group.metadata(topic, [0]).map { (topic, $0) } }
        if start.marks == nil { found += try marksOfEarlierVersion(client).map { (markTopic, $0) } }
        return found.compactMap { topic, text in CommittedBatch(text).map { (topic, $0) } }.filter {
            $0.mark.queryID == start.queryID
        }
    }

    private func missing(_ batch: Int64, _ start: SinkStart) -> KafkaFailure {
        KafkaFailure(
            .permanent, code: "kafka-mark-missing",
            "the mark of batch \(batch), which the consumer group `\(markGroup(start.queryID))` should have, is not "
                + "there: the group was deleted, or its offsets have expired (`offsets.retention.minutes` of the "
                + "brokers) while the query was stopped, or the cluster was made anew. Without it nobody can tell "
                + "whether the topic \(topics.map { "`\($0)`" }.joined(separator: ", ")) has rows of a later batch, "
                + "which would then come twice. If it has none, start once with `run --accept-missing-mark`")
    }

    private func ahead(_ mark: CommittedBatch, _ start: SinkStart) -> KafkaFailure {
        KafkaFailure(
            .permanent, code: "kafka-sink-ahead",
            "the topic `\(markTopic)` has batch \(mark.batch) of this query, and the checkpoint ends with "
                + (start.lastCommitted.map { "batch \($0)" } ?? "none")
                + ": it is an older copy, or another process has gone on from it, and its rows would come twice. "
                + "Use the newer checkpoint, or start the query anew with an empty one")
    }

    // MARK: What earlier versions have left

    /// Before format 2 each sink had a transactional id of its own. What is open of it would keep readers of committed
    /// records waiting, and who still uses it must not go on.
    private func abortOfEarlierVersion(_ queryID: String) throws(KafkaFailure) {
        for member in members {
            let id = "sluice-\(environment.query)-\(member.sink)-\(queryID)"
            try KafkaRecordClient(spec, topics: [member.topic], transactionalID: id, environment: environment).start()
        }
    }

    /// They stood under the query's name alone, at the offsets of what it reads or in a group a sink.
    private func marksOfEarlierVersion(_ client: KafkaRecordClient) throws(KafkaFailure) -> [String] {
        var texts: [String] = []
        for member in members {
            texts += try GroupOffsets("sluice-\(environment.query).\(member.sink)", spec, environment: environment)
                .metadata(member.topic, [0])
        }
        let group = try GroupOffsets("sluice-\(environment.query)", spec, environment: environment)
        for topic in sourceTopics { texts += try group.metadata(topic, client.partitionsIfAny(of: topic)) }
        return texts.filter { text in
            CommittedBatch(text)?.sink.map { sink in members.contains { $0.sink == sink } } ?? false
        }
    }

    // MARK: A batch

    /// Takes one sink's part of a batch; with the last one the transaction is written.
    func stage(_ batch: SinkBatch, sink: String, _ part: Part) throws(KafkaFailure) {
        precondition(
            part.parts.reduce(0) { $0 + $1.recordCount } == part.rowCount, "a record for every row")
        if batch.id == visibleBatch { return }
        let isLast = monitor.withLock {
            if openBatch?.id != batch.id || staged[sink] != nil { staged = [:] }
            openBatch = batch
            staged[sink] = part
            return staged.count == members.count
        }
        guard isLast, staged.values.contains(where: { $0.rowCount > 0 }) else { return }
        try writeTransaction(batch)
    }

    /// Makes a batch visible; the first call does it for all sinks.
    func commit(batch: Int64) throws(KafkaFailure) {
        guard let openBatch, openBatch.id == batch, let client else { return }
        if staged.values.contains(where: { $0.rowCount > 0 }) {
            while try client.endTransaction() == .mustBeWrittenAgain { try writeTransaction(openBatch) }
            noteMark(mark(of: openBatch))
        }
        self.openBatch = nil
        staged = [:]
    }

    /// Puts all of a batch into a transaction, again and again until one holds it.
    private func writeTransaction(_ batch: SinkBatch) throws(KafkaFailure) {
        guard let client else { preconditionFailure("a sink is recovered before it is written to") }
        repeat { try client.beginTransaction() } while try !hold(batch, client)
    }

    /// False when the transaction could not hold it all and was aborted.
    private func hold(_ batch: SinkBatch, _ client: KafkaRecordClient) throws(KafkaFailure) -> Bool {
        var isHeld = true
        for member in members where isHeld {
            guard let part = staged[member.sink], part.rowCount > 0 else { continue }
            let headers = RecordHeaders(query: environment.query, batch: batch.id, names: part.headers)
            isHeld = try client.write(part.parts, to: part.topic, schema: part.schema, headers: headers)
        }
        if isHeld, try client.flush(), try send(mark(of: batch), client) { return true }
        try client.abortTransaction()
        return false
    }

    private func mark(of batch: SinkBatch) -> CommittedBatch {
        guard let start, let life = start.life(at: batch.id) else {
            preconditionFailure("a sink is recovered before it is written to")
        }
        return CommittedBatch(queryID: start.queryID, life: life, batch: batch.id, fingerprint: batch.fingerprint)
    }

    /// False when the transaction has to be aborted.
    private func send(_ mark: CommittedBatch, _ client: KafkaRecordClient) throws(KafkaFailure) -> Bool {
        try client.sendMark(mark.text, offset: mark.batch + 1, topic: markTopic, group: markGroup(mark.queryID))
    }

    private func noteMark(_ mark: CommittedBatch) {
        (newest, newestTopic) = (mark, markTopic)
        markedNanos = environment.clock.monotonicNanos
    }

    /// Writes the newest mark again when it has stood for a day, or for nobody knows how long.
    func keepAlive() throws(KafkaFailure) {
        guard let newest, let client, openBatch == nil else { return }
        let now = environment.clock.monotonicNanos
        if let markedNanos, now - markedNanos < Self.markAgeMaxNanos { return }
        var isWritten = false
        while !isWritten {
            try client.beginTransaction()
            if try send(newest, client) {
                isWritten = try client.endTransaction() == .committed
            } else {
                try client.abortTransaction()
            }
        }
        noteMark(newest)
    }
}

/// One topic of a transaction.
package final class KafkaTransactionSink: Sink, @unchecked Sendable {
    // @unchecked: everything is set once, before the first batch.
    private let name: String
    private let topic: String
    private let headers: [String]
    private let transaction: KafkaTransaction
    private let schema: SinkSchema?
    private var schemaNumber: UInt32?

    /// - Parameter schema: nil where values name none.
    init(name: String, _ spec: KafkaSinkSpec, schema: SinkSchema?, in transaction: KafkaTransaction) {
        self.schema = schema
        self.name = name
        topic = spec.topic.value
        headers = spec.headers.map(\.name)
        self.transaction = transaction
        transaction.add(sink: name, topic: topic)
    }

    package var description: String { "KafkaSink[\(topic)]" }
    package var mark: SinkMark? { transaction.mark }
    package var processorNanos: UInt64 { transaction.processorNanos(of: name) }

    package func recover(_ start: SinkStart) throws(ConnectorError) {
        do throws(KafkaFailure) { try transaction.recover(start) } catch { throw ConnectorError(error) }
    }

    package func begin() throws(ConnectorError) { schemaNumber = try schema?.number() }

    package func stage(_ batch: SinkBatch, parts: [OutputBytes], rowCount: Int) throws(ConnectorError) {
        do throws(KafkaFailure) {
            try transaction.stage(
                batch, sink: name,
                KafkaTransaction.Part(
                    topic: topic, headers: headers, schema: schemaNumber, parts: parts, rowCount: rowCount))
        } catch { throw ConnectorError(error) }
    }

    package func commit(batch: Int64) throws(ConnectorError) {
        do throws(KafkaFailure) { try transaction.commit(batch: batch) } catch { throw ConnectorError(error) }
    }

    /// Nothing to wait for: what brokers have acknowledged is as durable as the topic is set up to be.
    package func sync() throws(ConnectorError) {}

    package func shows(batch: Int64) -> Bool { transaction.visibleBatch == batch }

    package func keepAlive() throws(ConnectorError) {
        do throws(KafkaFailure) { try transaction.keepAlive() } catch { throw ConnectorError(error) }
    }
}
