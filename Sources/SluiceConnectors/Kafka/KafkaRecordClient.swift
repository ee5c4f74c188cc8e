// The client that writes records and runs transactions: librdkafka's calls, each made again until it is through or
// has failed for good. Which batch a record is of, and what to do after a failure, the sink knows.

internal import CRdKafka
internal import Glibc
internal import SluiceEngine
internal import SluiceSpec
internal import SluiceSystem

/// The headers of every record: two that are the same for a batch, and the names of those whose values records bring.
@safe struct RecordHeaders: ~Copyable {
    let query: [UInt8]
    let batch: [UInt8]
    private var names: [UnsafePointer<CChar>?] = unsafe []

    init(query: String, batch: Int64, names: [String]) {
        self.query = Array(query.utf8)
        self.batch = Array(String(batch).utf8)
        unsafe self.names = unsafe names.map { unsafe UnsafePointer(strdup($0)) }
    }

    deinit { unsafe names.forEach { unsafe free(UnsafeMutablePointer(mutating: $0)) } }

    /// Calls `body` with the form that the producing function takes.
    func withShared<Result>(_ body: (UnsafePointer<sluice_record_headers>) -> Result) -> Result {
        unsafe query.withUnsafeBytes { query in
            unsafe batch.withUnsafeBytes { batch in
                unsafe names.withUnsafeBufferPointer { names in
                    var shared = unsafe sluice_record_headers(
                        query_name: query.baseAddress?.assumingMemoryBound(to: CChar.self), query_size: query.count,
                        batch_text: batch.baseAddress?.assumingMemoryBound(to: CChar.self), batch_size: batch.count,
                        names: names.baseAddress, name_count: names.count)
                    return unsafe body(&shared)
                }
            }
        }
    }
}

@safe final class KafkaRecordClient {
    /// How a transaction ended.
    enum TransactionEnd: Hashable {
        case committed
        /// It was aborted, and nothing of it will be seen.
        case mustBeWrittenAgain
    }

    private let client: KafkaClient
    private let topicNames: [String]
    private var topics: [String: OpaquePointer] = unsafe [:]
    /// Sees that brokers are away while nothing is written.
    private let watch: KafkaClient
    private let isTransactional: Bool
    private(set) var clusterID: String?
    private var transactionStartNanos: UInt64 = 0
    private let transactionTimeoutMillis: Int64
    /// A transaction has to outlast the writing of a batch's output, which may be tens of gigabytes. Longer than this,
    /// readers of committed records would wait for a query that died and is not started again.
    private static let transactionTimeoutMillisDefault: Int64 = 300_000
    private var lastPauseMillis: Int32 = 50

    init(
        _ spec: KafkaSinkSpec, topics: [String], transactionalID: String?, environment: ConnectorEnvironment
    ) throws(KafkaFailure) {
        isTransactional = transactionalID != nil
        topicNames = topics
        let named = spec.options.last { $0.name.value == "transaction.timeout.ms" }?.value.revealed
        transactionTimeoutMillis = named.flatMap { Int64($0) } ?? Self.transactionTimeoutMillisDefault
        let timeout = ("transaction.timeout.ms", String(Self.transactionTimeoutMillisDefault))
        let settings = try KafkaSettings(
            defaults: [
                // A transaction that begins right behind another is told to come back until the other's markers are
                // written, which takes some milliseconds; librdkafka's default is to come back after 100.
                ("retry.backoff.ms", "10"),
                ("linger.ms", "5"), ("queue.buffering.max.messages", "50000"),
                ("queue.buffering.max.kbytes", "65536"), ("message.max.bytes", "16777216"),
                // Where a client of Java would put a record with this key.
                ("partitioner", "murmur2_random"),
            ] + (transactionalID == nil ? [] : [timeout]) + connectionDefaults(query: environment.query),
            options: spec.options,
            fixed: [
                ("bootstrap.servers", spec.brokers.value), ("enable.idempotence", "true"), ("acks", "all"),
                ("delivery.report.only.error", "true"),
            ] + (transactionalID.map { [("transactional.id", $0)] } ?? []))
        client = try KafkaClient(
            RD_KAFKA_PRODUCER, brokers: spec.brokers.value, settings: settings, environment: environment)
        watch = KafkaClient(
            sharing: try .lookup(
                connection(spec.brokers, isReadCommitted: true), spec.options, topic: topics.first ?? "",
                log: environment.log),
            brokers: spec.brokers.value, environment: environment)
        for name in Set(topics) {
            guard let topic = unsafe rd_kafka_topic_new(client.handle, name, nil) else {
                throw KafkaFailure(rd_kafka_last_error(), "writing to the topic `\(name)`")
            }
            unsafe self.topics[name] = unsafe topic
        }
    }

    deinit { unsafe topics.values.forEach { unsafe rd_kafka_topic_destroy($0) } }

    /// Processor time of librdkafka's threads, so far.
    var processorNanos: UInt64 { client.processorNanos + watch.processorNanos }

    private var shownTopics: String {
        (topicNames.count == 1 ? "the topic " : "the topics ") + topicNames.map { "`\($0)`" }.joined(separator: ", ")
    }
    private var what: String { "writing to \(shownTopics)" }

    /// Makes sure that there is a topic to write to, and takes the transactional id over from whoever had it: what is
    /// open of it is aborted.
    func start() throws(KafkaFailure) {
        clusterID = try client.clusterID()
        for name in topicNames { _ = try client.partitions(of: name, "writing to the topic `\(name)`") }
        guard isTransactional else { return }
        let what = "starting transactions for \(shownTopics)"
        while let failed = unsafe try transactional(what, { unsafe rd_kafka_init_transactions($0, 2000) }) {
            try client.pause(after: failed.failure, millis: 100)
        }
        client.wasAnswered()
    }

    // MARK: Records

    /// Gives all rows of a batch to librdkafka, waiting where its queue is full. False when the transaction has failed
    /// meanwhile and has to be aborted.
    ///
    /// - Parameter schema: the number that is to stand in each value's first five bytes; nil where values have none.
    @discardableResult
    func write(
        _ parts: [OutputBytes], to topicName: String, schema: UInt32? = nil, headers: borrowing RecordHeaders
    ) throws(KafkaFailure) -> Bool {
        guard let topic = unsafe topics[topicName] else { preconditionFailure("no topic `\(topicName)`") }
        var isHeld = true
        for part in parts {
            try part.forEachSegment(
                { segment throws(KafkaFailure) in
                    if let schema { segment.write(schema: schema) }
                    if isHeld { isHeld = unsafe try write(segment, to: topic, headers) }
                },
                unreadable: { error in
                    KafkaFailure(
                        error.isRetriable ? .fatal : .permanent, code: "output-unreadable", error.description)
                })
        }
        return isHeld
    }

    private func write(
        _ segment: OutputBytes, to topic: OpaquePointer, _ headers: borrowing RecordHeaders
    ) throws(KafkaFailure) -> Bool {
        var row = 0
        while let full = unsafe writeRows(segment, from: row, to: topic, headers) {
            row = full.row
            guard full.error == RD_KAFKA_RESP_ERR__QUEUE_FULL else {
                try throwIfFatal()
                if isTransactional, full.error == RD_KAFKA_RESP_ERR__STATE { return false }
                throw KafkaFailure(full.error, what)
            }
            try waitForRoom()
        }
        return true
    }

    /// Returns the first row that could not be given away, and why; nil when all could.
    private func writeRows(
        _ part: OutputBytes, from first: Int, to topic: OpaquePointer, _ headers: borrowing RecordHeaders
    ) -> (row: Int, error: rd_kafka_resp_err_t)? {
        unsafe headers.withShared { shared in
            let records = unsafe part.outputRecords
            var start = unsafe first == 0 ? 0 : records[first - 1].end + 1
            for row in first..<records.count {
                let record = unsafe records[row]
                let keyByteCount = max(0, record.keyByteCount)
                // The values of the headers stand behind the key.
                let keyEnd = unsafe UnsafeRawPointer(part.keys.base + record.keyEnd)
                let key = unsafe record.keyByteCount < 0 ? nil : keyEnd - keyByteCount
                let error = unsafe sluice_kafka_produce(
                    client.handle, topic, part.buffer.base + start, record.end - start, key, keyByteCount,
                    max(0, record.timestampMillis), shared, keyEnd)
                guard error == RD_KAFKA_RESP_ERR_NO_ERROR else { return (row, error) }
                start = record.end + 1
            }
            return nil
        }
    }

    /// librdkafka's queue is full: waits until some records are written.
    private func waitForRoom() throws(KafkaFailure) {
        let before = unsafe rd_kafka_outq_len(client.handle)
        client.serveEvents(timeoutMillis: 5)
        if unsafe rd_kafka_outq_len(client.handle) < before {
            client.wasAnswered()
        } else {
            try noteSilence(millis: 20)
        }
    }

    /// Waits until brokers have all records. False when the transaction has to be aborted.
    @discardableResult
    func flush() throws(KafkaFailure) -> Bool {
        while true {
            let before = unsafe rd_kafka_outq_len(client.handle)
            let error = unsafe rd_kafka_flush(client.handle, 500)
            if let failure = client.takeDeliveryFailure() {
                if failure.kind == .permanent { throw failure }
                if isTransactional {
                    try client.pause(after: failure, millis: nextPause())
                    return false
                }
                // The queue has given the record up: only a new start writes it again.
                throw failure
            }
            try throwIfFatal()
            if error == RD_KAFKA_RESP_ERR_NO_ERROR {
                client.wasAnswered()
                return true
            }
            if unsafe rd_kafka_outq_len(client.handle) >= before { try noteSilence(millis: 100) }
        }
    }

    private func noteSilence(millis: Int32) throws(KafkaFailure) {
        try client.pause(after: KafkaFailure(RD_KAFKA_RESP_ERR__TIMED_OUT, what), millis: millis)
    }

    private func nextPause() -> Int32 {
        defer { lastPauseMillis = min(lastPauseMillis * 2, 2000) }
        return lastPauseMillis
    }

    /// - Throws: when the client is of no use any more.
    private func throwIfFatal() throws(KafkaFailure) {
        var code = RD_KAFKA_RESP_ERR_NO_ERROR
        let text = unsafe withErrorText { text, count in
            code = unsafe rd_kafka_fatal_error(client.handle, text, count)
            return code != RD_KAFKA_RESP_ERR_NO_ERROR
        }
        if let text { throw fatal(code, text) }
    }

    // MARK: Transactions

    func beginTransaction() throws(KafkaFailure) {
        if let error = unsafe rd_kafka_begin_transaction(client.handle) {
            throw unsafe takeFailure(error, what).failure
        }
        transactionStartNanos = client.environment.clock.monotonicNanos
    }

    /// Makes the transaction commit an offset with metadata for partition 0 of a topic. False when it has to be
    /// aborted.
    func sendMark(_ mark: String, offset: Int64, topic: String, group: String) throws(KafkaFailure) -> Bool {
        unsafe try untilDone("committing offsets to the group `\(group)`") { client in
            let list = unsafe makePartitionList([TopicPartition(topic, 0): offset])
            defer { unsafe rd_kafka_topic_partition_list_destroy(list) }
            unsafe list?.pointee.elems[0].metadata = unsafe UnsafeMutableRawPointer(strdup(mark))
            unsafe list?.pointee.elems[0].metadata_size = mark.utf8.count
            let metadata = unsafe rd_kafka_consumer_group_metadata_new(group)
            defer { unsafe rd_kafka_consumer_group_metadata_destroy(metadata) }
            return unsafe rd_kafka_send_offsets_to_transaction(client, list, metadata, 2000)
        }
    }

    /// Ends the transaction, visibly and durably.
    func endTransaction() throws(KafkaFailure) -> TransactionEnd {
        let isDone = unsafe try untilDone("committing a transaction for \(shownTopics)") { client in
            unsafe rd_kafka_commit_transaction(client, 2000)
        }
        if isDone {
            lastPauseMillis = 50
            return .committed
        }
        try abortTransaction()
        return .mustBeWrittenAgain
    }

    func abortTransaction() throws(KafkaFailure) {
        _ = unsafe try untilDone("aborting a transaction for \(shownTopics)") { client in
            unsafe rd_kafka_abort_transaction(client, 2000)
        }
        // What was purged has been reported as failed.
        _ = client.takeDeliveryFailure()
    }

    /// Makes a call until it is through. False when the transaction has to be aborted.
    private func untilDone(
        _ what: String, _ call: @escaping @Sendable (_ client: OpaquePointer) -> OpaquePointer?
    ) throws(KafkaFailure) -> Bool {
        var pauseMillis: Int32 = 20
        while true {
            guard let failed = unsafe try transactional(what, call) else {
                client.wasAnswered()
                return true
            }
            if failed.mustAbort {
                environment.log.debug("A transaction is aborted", [.detail: .string(failed.failure.message)])
                if let failure = client.takeDeliveryFailure(), failure.kind == .permanent { throw failure }
                if failed.failure.kind == .permanent { throw failed.failure }
                try client.pause(after: failed.failure, millis: nextPause())
                return false
            }
            try client.pause(after: failed.failure, millis: pauseMillis)
            pauseMillis = min(pauseMillis * 2, 1000)
        }
    }

    private var environment: ConnectorEnvironment { client.environment }

    private struct TransactionFailure {
        var failure: KafkaFailure
        var mustAbort: Bool
    }

    /// Makes a call that may take long; nil when it is through.
    private func transactional(
        _ what: String, _ call: @escaping @Sendable (_ client: OpaquePointer) -> OpaquePointer?
    ) throws(KafkaFailure) -> TransactionFailure? {
        // The call holds on to the client: it may still run when nobody waits for it any more.
        let patient = PatientCall { [client] in
            unsafe PatientCall.Answer(pointer: call(client.handle))
        }
        let startNanos = environment.clock.monotonicNanos
        while true {
            if let answer = patient.wait(millis: 200) {
                return unsafe answer.pointer.map { unsafe takeFailure($0, what) }
            }
            let waitedNanos = environment.clock.monotonicNanos - startNanos
            if waitedNanos > 1_000_000_000 {
                try client.waitOn(KafkaFailure(RD_KAFKA_RESP_ERR__TIMED_OUT, what), sinceNanos: startNanos)
            }
        }
    }

    private func takeFailure(_ error: OpaquePointer, _ what: String) -> TransactionFailure {
        defer { unsafe rd_kafka_error_destroy(error) }
        let code = unsafe rd_kafka_error_code(error)
        let text = unsafe String(cString: rd_kafka_error_string(error))
        if unsafe rd_kafka_error_is_fatal(error) != 0 {
            return TransactionFailure(failure: fatal(code, text), mustAbort: false)
        }
        var failure = KafkaFailure(code, what, detail: text)
        if unsafe rd_kafka_error_is_retriable(error) != 0 { failure.kind = .transient }
        return unsafe TransactionFailure(
            failure: failure, mustAbort: rd_kafka_error_txn_requires_abort(error) != 0)
    }

    /// A transaction that was open longer than brokers allow has been given up by them, which looks like being fenced.
    private func fatal(_ code: rd_kafka_resp_err_t, _ text: String) -> KafkaFailure {
        let isFenced =
            code == RD_KAFKA_RESP_ERR__FENCED || code == RD_KAFKA_RESP_ERR_PRODUCER_FENCED
            || code == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH
        let ageMillis = Int64((environment.clock.monotonicNanos - transactionStartNanos) / 1_000_000)
        if isFenced, ageMillis < transactionTimeoutMillis - 1000 {
            return KafkaFailure(
                .permanent, code: "kafka-fenced",
                "\(what): another process has taken over this query's transactional id (\(text)): it runs from a copy "
                    + "of this checkpoint. Stop one of the two")
        }
        // What a person has to mend stays so for a new client.
        let failure = KafkaFailure(code, what, detail: text)
        if failure.kind == .permanent { return failure }
        return KafkaFailure(.fatal, code: "kafka-client-failed", "\(what): \(text)")
    }

    // MARK: Reading back

    /// The partitions of a topic on this cluster; none where the cluster has no such topic.
    func partitionsIfAny(of topic: String) throws(KafkaFailure) -> [Int32] {
        do throws(KafkaFailure) {
            return try client.partitions(of: topic, "reading the group's offsets")
        } catch  where error.code == "kafka-unknown-topic" {
            return []
        } catch { throw error }
    }
}

extension OutputBytes {
    /// Writes the number of a schema behind the first byte of each value, in the room that its encoder has left there.
    fileprivate func write(schema: UInt32) {
        var start = 0
        let records = unsafe outputRecords
        for index in records.indices {
            let end = unsafe records[index].end
            precondition(end - start >= ConfluentFraming.byteCount, "room for a number")
            unsafe buffer.base.storeBytes(of: schema.bigEndian, toByteOffset: start + 1, as: UInt32.self)
            start = end + 1
        }
    }
}
