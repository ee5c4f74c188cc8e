// A Kafka topic as a sink with `delivery: at_least_once`: an idempotent client, whose records are written when the
// batch is committed. A batch that a crash interrupts in that is written again. (`exactly_once`:
// KafkaTransaction.swift.)

internal import CRdKafka
package import SluiceEngine
package import SluiceSpec
internal import SluiceSystem

package final class KafkaSink: Sink, @unchecked Sendable {
    // @unchecked: calls never overlap; `stage` may come from another thread while the query's thread waits for it.

    private let spec: KafkaSinkSpec
    private let environment: ConnectorEnvironment
    private var client: KafkaRecordClient?
    private var staged: (batch: SinkBatch, parts: [OutputBytes])?
    private let schema: SinkSchema?
    private var schemaNumber: UInt32?

    /// - Parameter schema: nil where values name none.
    init(_ spec: KafkaSinkSpec, schema: SinkSchema?, environment: ConnectorEnvironment) {
        self.spec = spec
        self.schema = schema
        self.environment = environment
    }

    package var description: String { "KafkaSink[\(spec.topic.value)]" }

    package var processorNanos: UInt64 { client?.processorNanos ?? 0 }

    package func recover(_ start: SinkStart) throws(ConnectorError) {
        do throws(KafkaFailure) {
            let client = try KafkaRecordClient(
                spec, topics: [spec.topic.value], transactionalID: nil, environment: environment)
            self.client = client
            try client.start()
        } catch { throw ConnectorError(error) }
    }

    package func begin() throws(ConnectorError) { schemaNumber = try schema?.number() }

    package func stage(_ batch: SinkBatch, parts: [OutputBytes], rowCount: Int) throws(ConnectorError) {
        precondition(
            parts.reduce(0) { $0 + $1.recordCount } == rowCount, "a record for every row")
        staged = rowCount > 0 ? (batch, parts) : nil
    }

    package func commit(batch: Int64) throws(ConnectorError) {
        guard let staged, staged.batch.id == batch, let client else { return }
        do throws(KafkaFailure) {
            let headers = RecordHeaders(
                query: environment.query, batch: batch, names: spec.headers.map(\.name))
            try client.write(staged.parts, to: spec.topic.value, schema: schemaNumber, headers: headers)
            try client.flush()
        } catch { throw ConnectorError(error) }
        self.staged = nil
    }

    /// Nothing to wait for: what brokers have acknowledged is as durable as the topic is set up to be.
    package func sync() throws(ConnectorError) {}
}

extension KafkaSinkSpec: SinkMaker {
    func makeSink(_ spec: SinkSpec, _ setup: inout SinkSetup, in environment: ConnectorEnvironment) -> any Sink {
        let schema = SinkSchema(spec, setup.schema, topic: topic.value, in: environment)
        guard isExactlyOnce else { return KafkaSink(self, schema: schema, environment: environment) }
        if let shared = setup.transactions.first(where: { $0.connects(as: self) }) {
            return KafkaTransactionSink(name: spec.name.value, self, schema: schema, in: shared)
        }
        let transaction = KafkaTransaction(
            self, number: setup.transactions.count, sourceTopics: setup.sourceTopics, environment: environment)
        setup.transactions.append(transaction)
        return KafkaTransactionSink(name: spec.name.value, self, schema: schema, in: transaction)
    }
}
