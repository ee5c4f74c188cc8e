// One librdkafka client of a source or a sink: its handle, its events, and how the query waits for brokers.
//
// librdkafka connects, and connects again, by itself; calls say that they have timed out, events say why. So a call
// that has to succeed is made again and again, with a growing pause, until it does:
//
//     call ──ok──▶ done                              (says "back" in the log if it had said "away")
//       │ failed
//       ├─ permanent (no such topic, no right, wrong password before there ever was an answer) ──▶ throw
//       └─ transient ──▶ says "away" once ──▶ pause, unless a stop was asked for ──▶ call
//
// Everything here is called by one thread at a time; librdkafka's own threads only call the log function.

internal import CRdKafka
internal import SluiceSpec
internal import SluiceSystem
internal import Synchronization

extension LogKey {
    static let brokers = LogKey("sluice.brokers")
    static let topic = LogKey("sluice.topic")
    static let partition = LogKey("sluice.partition")
    static let detail = LogKey("sluice.detail")
}

@safe final class KafkaClient: @unchecked Sendable {
    // @unchecked: used by one thread at a time, and librdkafka's handle is made for many.

    let environment: ConnectorEnvironment
    private let shared: KafkaHandle
    private let brokers: String
    /// Waits when the watch says so, whatever the client itself waits for.
    private let watching = Watching()
    private final class Watching: Sendable {}
    private var outage = Outage()
    private var isCommitFailureReported = false
    /// True after the first answer: from then on a refused connection may be a broker that is starting.
    private var hasBeenAnswered = false
    private var deliveryFailure: KafkaFailure?
    /// Commits to the consumer group whose answers have not come.
    private var openCommitCount = 0

    var handle: OpaquePointer { unsafe shared.pointer }

    /// Starts a client; nothing is waited for.
    init(
        _ type: rd_kafka_type_t, brokers: String, settings: consuming KafkaSettings, environment: ConnectorEnvironment
    ) throws(KafkaFailure) {
        self.environment = environment
        self.brokers = brokers
        shared = try KafkaHandle(type, settings: settings, log: environment.log)
    }

    /// A client that asks through a handle that others use too. It must not commit, write or fetch.
    init(sharing handle: KafkaHandle, brokers: String, environment: ConnectorEnvironment) {
        self.environment = environment
        self.brokers = brokers
        shared = handle
        handle.watch.tell(self) { [weak self] isAway in
            guard let self else { return }
            environment.waiting.note(watching, isAway ? waitText : nil)
        }
    }

    deinit {
        if openCommitCount > 0 { leaveAlone() }
        shared.watch.forget(self)
        environment.waiting.note(watching, nil)
        environment.waiting.note(self, nil)
    }

    /// Processor time of librdkafka's threads for this client, so far; of a shared handle its part.
    var processorNanos: UInt64 { shared.processorNanos / UInt64(max(1, shared.watch.observerCount)) }

    private var waitText: String { "Kafka at \(brokers)" }

    /// Nobody is to wait for the client's end.
    func leaveAlone() { shared.isLeftAlone.store(true, ordering: .relaxed) }

    // MARK: Waiting

    /// Calls `attempt` with a time limit in milliseconds until it succeeds.
    /// - Throws: what waiting does not mend; `.stopped` when a stop was asked for; the last failure when the
    ///   environment's patience is over.
    func untilAnswered<Value>(
        _ attempt: (_ timeoutMillis: Int32) -> Result<Value, KafkaFailure>
    ) throws(KafkaFailure) -> Value {
        var timeoutMillis: Int32 = 1000
        var pauseMillis: Int32 = 50
        let sinceNanos = environment.clock.monotonicNanos
        while true {
            switch attempt(timeoutMillis) {
            case .success(let value):
                wasAnswered()
                return value
            case .failure(let failure):
                try pause(after: failure, millis: pauseMillis, sinceNanos: sinceNanos)
                timeoutMillis = min(timeoutMillis * 2, 4000)
                pauseMillis = min(pauseMillis * 2, 2000)
            }
        }
    }

    /// A broker has answered.
    func wasAnswered() {
        hasBeenAnswered = true
        shared.state.withLock { $0 = KafkaHandle.State() }
        shared.watch.noteAnswer()
        if outage.isNoted { environment.waiting.note(self, nil) }
        if outage.end() {
            environment.log.info("Kafka answers again, the query goes on", [.brokers: .string(brokers)])
        }
    }

    /// Waits a little after a failure, unless waiting is of no use.
    /// - Parameter sinceNanos: when the waiting began, if not now.
    func pause(after failure: KafkaFailure, millis: Int32, sinceNanos: UInt64? = nil) throws(KafkaFailure) {
        serveEvents(timeoutMillis: 0)
        if !hasBeenAnswered, let refusal = shared.state.withLock({ $0.refusal }) { throw refusal }
        guard failure.kind == .transient else { throw failure }
        var left = millis
        repeat {
            try waitOn(failure, sinceNanos: sinceNanos ?? environment.clock.monotonicNanos)
            // Not in librdkafka, whose waits are on the wall clock.
            let clock = environment.clock
            if left > 0 { clock.wait(untilNanos: clock.nanos(inMillis: Int64(min(left, 100))), wakeup: Wakeup()) }
            serveEvents(timeoutMillis: 0)
            left -= 100
        } while left > 0
    }

    /// Says that the query waits, once it has for a moment.
    /// - Parameter sinceNanos: when the waiting began, if not before.
    /// - Throws: `.stopped` when a stop was asked for, after a moment in which a broker that is well would have
    ///   answered; the failure when the environment's patience is over.
    func waitOn(_ failure: KafkaFailure, sinceNanos: UInt64) throws(KafkaFailure) {
        let now = environment.clock.monotonicNanos
        let isToBeReported = !failure.isAnswer && outage.note(sinceNanos: sinceNanos, atNanos: now)
        if outage.isNoted, outage.millis(atNanos: now) >= 900 { environment.waiting.note(self, waitText) }
        if environment.shouldStop(), failure.isAnswer || outage.millis(atNanos: now) >= 500 { throw .stopped }
        if isToBeReported {
            environment.log.warning(
                "Kafka does not answer, the query waits",
                [.brokers: .string(brokers), .error: .string(explained(failure).message)])
        }
        if let patience = environment.patienceMillis, outage.millis(atNanos: now) > patience {
            var failure = explained(failure)
            failure.kind = .permanent
            failure.message += environment.gaveUp(afterMillis: patience)
            throw failure
        }
    }

    /// A failure with what the events have said of its cause.
    private func explained(_ failure: KafkaFailure) -> KafkaFailure {
        guard let trouble = shared.state.withLock({ $0.trouble }) else { return failure }
        var failure = failure
        failure.message += " (\(trouble))"
        // A broker that is well hangs up on whoever does not speak as its port expects.
        if !hasBeenAnswered, shared.isPlain, trouble.contains("isconnected") {
            failure.message +=
                ": the port seems to be one for TLS or for a login: set `security.protocol` (and `sasl.…` or `ssl.…`) "
                + "under `options`, or use the brokers' plain port"
        }
        return failure
    }

    // MARK: Events

    /// Takes what librdkafka has to say, waiting for the first event so long at most.
    func serveEvents(timeoutMillis: Int32) {
        var timeout = timeoutMillis
        while let event = unsafe rd_kafka_queue_poll(shared.events, timeout) {
            unsafe serve(event)
            unsafe rd_kafka_event_destroy(event)
            timeout = 0
        }
    }

    private func serve(_ event: OpaquePointer) {
        switch unsafe rd_kafka_event_type(event) {
        case RD_KAFKA_EVENT_ERROR: unsafe serveError(event)
        case RD_KAFKA_EVENT_DR: unsafe serveDeliveries(event)
        case RD_KAFKA_EVENT_OFFSET_COMMIT: unsafe serveCommit(event)
        default: break
        }
    }

    private func serveError(_ event: OpaquePointer) {
        let code = unsafe rd_kafka_event_error(event)
        let text = unsafe String(cString: rd_kafka_event_error_string(event))
        environment.log.debug("librdkafka reports an error", [.detail: .string(text)])
        let failure = KafkaFailure(code, "connecting to \(brokers)", detail: text)
        shared.state.withLock { state in
            // That all are down comes behind why each of them is.
            if code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || state.trouble == nil { state.trouble = text }
            if failure.kind == .permanent { state.refusal = failure }
        }
    }

    private func serveDeliveries(_ event: OpaquePointer) {
        while let message = unsafe rd_kafka_event_message_next(event) {
            let code = unsafe message.pointee.err
            // What was purged or belongs to an aborted transaction has failed because of something else.
            guard code != RD_KAFKA_RESP_ERR_NO_ERROR, code != RD_KAFKA_RESP_ERR__PURGE_QUEUE,
                code != RD_KAFKA_RESP_ERR__PURGE_INFLIGHT
            else { continue }
            let topic = unsafe String(cString: rd_kafka_topic_name(message.pointee.rkt))
            let failure = KafkaFailure(code, "writing to the topic `\(topic)`")
            if deliveryFailure == nil || failure.kind == .permanent { deliveryFailure = failure }
        }
    }

    /// Why a record could not be written, since the last call.
    func takeDeliveryFailure() -> KafkaFailure? {
        serveEvents(timeoutMillis: 0)
        defer { deliveryFailure = nil }
        return deliveryFailure
    }

    private func serveCommit(_ event: OpaquePointer) {
        openCommitCount -= 1
        let code = unsafe rd_kafka_event_error(event)
        guard code != RD_KAFKA_RESP_ERR_NO_ERROR, code != RD_KAFKA_RESP_ERR__NO_OFFSET else { return }
        let text = unsafe String(cString: rd_kafka_err2str(code))
        if !isCommitFailureReported {
            isCommitFailureReported = true
            environment.log.warning(
                "The consumer group's offsets cannot be committed, lag tools do not see this query",
                [.brokers: .string(brokers), .error: .string(text)])
        }
    }

    /// Commits offsets to the client's consumer group, without waiting.
    func commitToGroup(_ next: [TopicPartition: Int64]) {
        serveEvents(timeoutMillis: 0)
        let list = unsafe makePartitionList(next)
        if unsafe rd_kafka_commit_queue(handle, list, shared.events, nil, nil) == RD_KAFKA_RESP_ERR_NO_ERROR {
            openCommitCount += 1
        }
        unsafe rd_kafka_topic_partition_list_destroy(list)
    }

    /// Gives commits that are on their way a moment to arrive.
    func finishCommits() {
        var triesLeft = 10
        while openCommitCount > 0, triesLeft > 0 {
            serveEvents(timeoutMillis: 100)
            triesLeft -= 1
        }
    }

    /// The id of the cluster the client talks to.
    func clusterID() throws(KafkaFailure) -> String {
        try untilAnswered { timeout -> Result<String, KafkaFailure> in
            guard let id = unsafe rd_kafka_clusterid(handle, timeout) else {
                return .failure(KafkaFailure(RD_KAFKA_RESP_ERR__TIMED_OUT, "connecting to \(brokers)"))
            }
            defer { unsafe rd_kafka_mem_free(handle, id) }
            return unsafe .success(String(cString: id))
        }
    }

    /// The partitions of a topic, ascending.
    func partitions(of topic: String, _ what: String) throws(KafkaFailure) -> [Int32] {
        let firstAsked = environment.clock.monotonicNanos
        return try untilAnswered { timeout in
            let isSure = environment.clock.monotonicNanos - firstAsked > unknownTopicGraceNanos
            return askForPartitions(of: topic, what, isSure: isSure, timeout)
        }
    }

    /// Asks once.
    /// - Parameter isSure: whether a topic that is not there will not come up in a moment.
    func askForPartitions(
        of name: String, _ what: String, isSure: Bool, _ timeoutMillis: Int32
    ) -> Result<[Int32], KafkaFailure> {
        let topic = unsafe rd_kafka_topic_new(handle, name, nil)
        defer { unsafe rd_kafka_topic_destroy(topic) }
        return unsafe askForTopics(topic, what, timeoutMillis).flatMap { topics in
            guard let found = topics.first, topics.count == 1 else {
                return .failure(KafkaFailure(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, what))
            }
            switch found.error {
            case RD_KAFKA_RESP_ERR_NO_ERROR: return .success(found.partitions)
            case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
                var failure = KafkaFailure(
                    isSure ? .permanent : .transient, code: "kafka-unknown-topic",
                    "\(what): \(brokers) has no topic `\(name)`: check `topic`, or create it")
                failure.isAnswer = true
                return .failure(failure)
            default: return .failure(KafkaFailure(found.error, what))
            }
        }
    }

    /// A topic as brokers describe it.
    struct TopicAnswer {
        var name: String
        var error: rd_kafka_resp_err_t
        /// Ascending.
        var partitions: [Int32]
    }

    /// Asks once for all topics that this user may see.
    func askForAllTopics(_ what: String, _ timeoutMillis: Int32) -> Result<[TopicAnswer], KafkaFailure> {
        unsafe askForTopics(nil, what, timeoutMillis)
    }

    /// Asks once.
    /// - Parameter topic: nil for all topics.
    private func askForTopics(
        _ topic: OpaquePointer?, _ what: String, _ timeoutMillis: Int32
    ) -> Result<[TopicAnswer], KafkaFailure> {
        var metadata: UnsafePointer<rd_kafka_metadata>?
        let error = unsafe rd_kafka_metadata(handle, topic == nil ? 1 : 0, topic, &metadata, timeoutMillis)
        guard error == RD_KAFKA_RESP_ERR_NO_ERROR, let metadata = unsafe metadata else {
            return .failure(KafkaFailure(error, what))
        }
        defer { unsafe rd_kafka_metadata_destroy(metadata) }
        var answers: [TopicAnswer] = []
        for index in unsafe 0..<Int(metadata.pointee.topic_cnt) {
            guard let found = unsafe metadata.pointee.topics?[index] else { continue }
            let partitions = unsafe (0..<Int(found.partition_cnt)).map { unsafe found.partitions[$0].id }.sorted()
            unsafe answers.append(
                TopicAnswer(name: String(cString: found.topic), error: found.err, partitions: partitions))
        }
        return .success(answers)
    }
}

/// A broker that is starting, or a topic just made, is unknown for a moment.
let unknownTopicGraceNanos: UInt64 = 3_000_000_000
