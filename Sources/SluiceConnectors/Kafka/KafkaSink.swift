// A Kafka topic as a sink.
//
// exactly_once    one transaction a batch, which also commits what the batch has read of Kafka to the query's consumer
//                 group, with the batch's mark (CommittedBatch.swift) as the metadata:
//
//                     stage    begin ▸ records ▸ flush ▸ offsets and mark         nothing of it can be read yet
//                     (the state becomes durable)
//                     commit   end of the transaction                             all of it can be read, with the mark
//
//                 A crash before the end leaves a transaction that the next start aborts, and a batch that is run
//                 again; a crash after it leaves the mark, and the batch's output is not taken again. What has no
//                 Kafka source on the sink's cluster puts its mark on partition 0 of the output topic, in a group of
//                 the sink's own.
//
// at_least_once   an idempotent client, whose records are written when the batch is committed.
//
// Errors: what waiting mends is waited for, here. A transaction that can only be aborted is aborted and written again
// from the batch's bytes. A client that is fenced stays so: another process has the query's transactional id. Anything
// else that is fatal to the client ends the runner, which starts again from its checkpoint with a new client.

internal import CRdKafka
package import SluiceEngine
package import SluiceSpec
internal import SluiceSystem

package final class KafkaSink: Sink, @unchecked Sendable {
    // @unchecked: calls never overlap; `stage` may come from another thread while the query's thread waits for it.

    private struct Staged {
        var batch: SinkBatch
        var parts: [OutputBytes]
        var rowCount: Int
        /// True when a transaction holds it.
        var isInTransaction = false
    }

    private let name: String
    private let spec: KafkaSinkSpec
    private let sourceTopics: [String]?
    private let environment: ConnectorEnvironment
    private var queryID = ""
    private var client: KafkaRecordClient?
    private var staged: Staged?
    /// A batch that was visible before this start.
    private var visibleBatch: Int64?
    /// What the consumer group says, as far as this sink has committed it.
    private var committedOffsets: [ConsumedOffsets] = []

    /// - Parameter sourceTopics: for the one sink of a query whose transactions move its consumer group, the topics
    ///   that the query reads; else nil.
    package init(
        name: String, _ spec: KafkaSinkSpec, sourceTopics: [String]?, environment: ConnectorEnvironment
    ) {
        self.name = name
        self.spec = spec
        self.sourceTopics = sourceTopics
        self.environment = environment
    }

    package var description: String { "KafkaSink[\(spec.topic.value)]" }

    package var processorNanos: UInt64 { client?.processorNanos ?? 0 }

    package func reports(_ consumed: ConsumedOffsets) -> Bool {
        spec.isExactlyOnce && sourceTopics != nil && consumed.clusterID == client?.clusterID
    }

    // MARK: Recovery

    package func recover(queryID: String, lastCommitted: Int64?, inHand: SinkBatch?) throws(ConnectorError) {
        self.queryID = queryID
        do throws(KafkaFailure) {
            let client = try KafkaRecordClient(spec, transactionalID: transactionalID, environment: environment)
            self.client = client
            try client.start()
            guard spec.isExactlyOnce else { return }
            let marks = try marks(client)
            switch RecoveredSink(marks, lastCommitted: lastCommitted, inHand: inHand) {
            case .clean: break
            case .inHandIsVisible:
                visibleBatch = inHand?.id
                environment.log.info(
                    "The interrupted batch is in the topic already, its rows are not written again",
                    [.topic: .string(spec.topic.value), .batch: .integer(inHand?.id ?? 0)])
            case .ahead(let mark): throw ahead(mark, lastCommitted)
            }
        } catch { throw ConnectorError(error) }
    }

    /// The marks of this sink and checkpoint that committed transactions have left.
    private func marks(_ client: KafkaRecordClient) throws(KafkaFailure) -> [CommittedBatch] {
        var texts = try GroupOffsets(ownGroup, spec, environment: environment).metadata(spec.topic.value, [0])
        if let sourceTopics {
            let group = try GroupOffsets(queryGroup, spec, environment: environment)
            for topic in sourceTopics { texts += try group.metadata(topic, client.partitionsIfAny(of: topic)) }
        }
        return texts.compactMap { CommittedBatch($0) }.filter { $0.queryID == queryID && $0.sink == name }
    }

    private func ahead(_ mark: CommittedBatch, _ lastCommitted: Int64?) -> KafkaFailure {
        KafkaFailure(
            .permanent, code: "kafka-sink-ahead",
            "the topic `\(spec.topic.value)` has batch \(mark.batch) of this query, and the checkpoint ends with "
                + (lastCommitted.map { "batch \($0)" } ?? "none")
                + ": it is an older copy, or another process has gone on from it, and its rows would come twice. "
                + "Use the newer checkpoint, or start the query anew with an empty one")
    }

    private var queryGroup: String { consumerGroup(query: environment.query) }
    private var ownGroup: String { "\(queryGroup).\(name)" }
    private var transactionalID: String? {
        spec.isExactlyOnce ? "sluice-\(environment.query)-\(name)-\(queryID)" : nil
    }

    // MARK: A batch

    package func stage(_ batch: SinkBatch, parts: [OutputBytes], rowCount: Int) throws(ConnectorError) {
        precondition(
            parts.reduce(0) { unsafe $0 + $1.outputRecords.count } == rowCount, "a record for every row")
        staged = nil
        if batch.id == visibleBatch { return }
        var staged = Staged(batch: batch, parts: parts, rowCount: rowCount)
        if spec.isExactlyOnce {
            // A batch that neither read nor wrote anything leaves no trace.
            guard rowCount > 0 || batch.consumed != committedOffsets else { return }
            do throws(KafkaFailure) { try writeTransaction(staged) } catch { throw ConnectorError(error) }
            staged.isInTransaction = true
        } else if rowCount == 0 {
            return
        }
        self.staged = staged
    }

    package func commit(batch: Int64) throws(ConnectorError) {
        guard let staged, staged.batch.id == batch, let client else { return }
        do throws(KafkaFailure) {
            if staged.isInTransaction {
                while try client.endTransaction() == .mustBeWrittenAgain { try writeTransaction(staged) }
                committedOffsets = staged.batch.consumed
            } else {
                try client.write(staged.parts, headers: headers(staged.batch))
                try client.flush()
            }
        } catch { throw ConnectorError(error) }
        self.staged = nil
    }

    /// Nothing to wait for: what brokers have acknowledged is as durable as the topic is set up to be.
    package func sync() throws(ConnectorError) {}

    /// Puts all of a batch into a transaction, again and again until one holds it.
    private func writeTransaction(_ staged: Staged) throws(KafkaFailure) {
        guard let client else { preconditionFailure("a sink is recovered before it is written to") }
        while true {
            try client.beginTransaction()
            let isWritten = try client.write(staged.parts, headers: headers(staged.batch))
            if isWritten, try client.flush(), try sendMark(staged.batch, client) { return }
            try client.abortTransaction()
        }
    }

    private func headers(_ batch: SinkBatch) -> RecordHeaders {
        RecordHeaders(query: environment.query, batch: batch.id)
    }

    /// False when the transaction has to be aborted.
    private func sendMark(_ batch: SinkBatch, _ client: KafkaRecordClient) throws(KafkaFailure) -> Bool {
        let mark = CommittedBatch(queryID: queryID, sink: name, batch: batch.id, fingerprint: batch.fingerprint)
        let consumed = batch.consumed.filter { reports($0) && !$0.next.isEmpty }
        if consumed.isEmpty {
            let here = ConsumedOffsets(
                clusterID: client.clusterID ?? "", topic: spec.topic.value, next: [0: batch.id + 1])
            return try client.sendOffsets([here], mark: mark.text, group: ownGroup)
        }
        return try client.sendOffsets(consumed, mark: mark.text, group: queryGroup)
    }
}
