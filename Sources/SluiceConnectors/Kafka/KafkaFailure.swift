// What librdkafka and brokers answer, sorted by what a query can do about it: wait, or tell the person.

internal import CRdKafka

/// Why a call has failed.
struct KafkaFailure: Error, Hashable {
    enum Kind: Hashable {
        /// Waiting may mend it: a broker is away, or busy with itself.
        case transient
        /// It stays until a person does something.
        case permanent
        /// The client is of no use any more, and another one may be.
        case fatal
        /// A stop was asked for while it was waited for.
        case stopped
    }

    var kind: Kind
    /// A stable name, such as `kafka-unknown-topic`.
    var code: String
    /// What happened, and what to do.
    var message: String
    /// True for what a broker has answered: it is not away.
    var isAnswer = false

    init(_ kind: Kind, code: String, _ message: String) {
        self.kind = kind
        self.code = code
        self.message = message
    }

    /// True when a new start may go through.
    var isRetriable: Bool { kind == .transient || kind == .fatal }

    static let stopped = KafkaFailure(.stopped, code: "stopped", "the query was asked to stop while it waited")

    /// - Parameters:
    ///   - what: what was being done, as in `reading the topic `visits``.
    ///   - detail: what librdkafka says beyond the code's own text.
    init(_ error: rd_kafka_resp_err_t, _ what: String, detail: String? = nil) {
        let text = unsafe detail ?? String(cString: rd_kafka_err2str(error))
        if let fact = PermanentFact(error) {
            self.init(.permanent, code: fact.code, "\(what): \(text): \(fact.remedy)")
        } else {
            self.init(.transient, code: "kafka-unavailable", "\(what): \(text)")
        }
    }
}

/// Answers that stay the same however often one asks.
private struct PermanentFact {
    var code: String
    var remedy: String

    init?(_ error: rd_kafka_resp_err_t) {
        switch error {
        case RD_KAFKA_RESP_ERR__AUTHENTICATION, RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED,
            RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM, RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE:
            code = "kafka-authentication"
            remedy = "check `sasl.mechanism`, `sasl.username` and `sasl.password` under `options`"
        case RD_KAFKA_RESP_ERR__SSL:
            code = "kafka-tls"
            remedy = "check `security.protocol` and the `ssl.…` settings, such as `ssl.ca.location`, under `options`"
        case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
            code = "kafka-not-authorized"
            remedy = "grant the user of this connection the right to it (sources: READ and DESCRIBE, sinks: WRITE)"
        case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
            code = "kafka-not-authorized"
            remedy = "grant the user of this connection READ on groups with the prefix `sluice-`"
        case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
            code = "kafka-not-authorized"
            remedy =
                "grant the user of this connection WRITE on transactional ids with the prefix `sluice-`, or use "
                + "`delivery: at_least_once`"
        case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
            code = "kafka-not-authorized"
            remedy = "grant the user of this connection IDEMPOTENT_WRITE on the cluster"
        case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
            code = "kafka-record-too-large"
            remedy =
                "raise `max.message.bytes` of the topic (and `message.max.bytes` under `options`), or select fewer "
                + "columns"
        case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, RD_KAFKA_RESP_ERR__INVALID_ARG:
            code = "kafka-invalid"
            remedy = "check `topic` and `options`"
        case RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION, RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE,
            RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT:
            code = "kafka-unsupported"
            remedy = "the brokers are too old for this: Sluice needs Kafka 0.11 or later"
        case RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT:
            code = "kafka-invalid"
            remedy =
                "lower `transaction.timeout.ms` under `options`, or raise `transaction.max.timeout.ms` of the brokers"
        case RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE:
            code = "kafka-invalid"
            remedy = "raise `offset.metadata.max.bytes` of the brokers to its default of 4096"
        case RD_KAFKA_RESP_ERR_INVALID_RECORD, RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
            code = "kafka-record-refused"
            remedy = "the topic does not take such records: a compacted topic, for example, needs `key` in the sink"
        default: return nil
        }
    }
}

extension ConnectorError {
    init(_ failure: KafkaFailure) {
        self.init(code: failure.code, failure.message, isRetriable: failure.isRetriable)
    }
}
