// The librdkafka options a spec may not set: those whose other values would lose rows, write rows twice, move a source
// behind the checkpoint's back, or hand the library a function that text cannot name. Every other option goes through;
// whether there is one of that name and what its values are is librdkafka's to say.

/// Options that cannot be set, for one reason.
struct RefusedOption {
    /// An option and its other names.
    var names: [String]
    /// Follows "cannot be set: ".
    var reason: String
    /// What to use instead.
    var instead: String
}

enum RefusedOptions {
    /// Options whose value is the path of a file, which is relative to the spec as every path in it is.
    static let files: Set<String> = [
        "ssl.ca.location", "ssl.certificate.location", "ssl.key.location", "ssl.keystore.location", "ssl.crl.location",
        "ssl.engine.location", "sasl.kerberos.keytab",
    ]

    /// Words that librdkafka takes in place of a path.
    static let fileWords: Set<String> = ["probe", "dynamic", ""]

    /// Why `option` cannot be set, nil if it can; `side` is `source` or `sink`.
    static func refusal(of option: String, in side: [RefusedOption]) -> RefusedOption? {
        if let refused = (side + both).first(where: { $0.names.contains(option) }) { return refused }
        return option.hasSuffix("_cb") ? callback : nil
    }

    static let source = [
        brokers,
        RefusedOption(
            names: ["group.id"],
            reason: "what is read is decided by the checkpoint, not by a consumer group",
            instead: "leave it out"),
        RefusedOption(
            names: ["group.instance.id"],
            reason: "the query assigns its partitions itself and joins no consumer group", instead: "leave it out"),
        RefusedOption(
            names: ["enable.auto.commit", "auto.commit.enable", "enable.auto.offset.store"],
            reason: "an offset counts as read only when its batch is committed",
            instead: "leave it out: progress is in the checkpoint, and with `delivery: exactly_once` in Kafka too"),
        RefusedOption(
            names: ["auto.offset.reset"],
            reason: "it would jump over lost records without a word, or read old ones again",
            instead: "use `start` for where a new query begins and `on_data_loss` for records that are gone"),
        RefusedOption(
            names: ["isolation.level"],
            reason: "it has a key of its own, which batches and offsets follow", instead: "use `isolation`"),
        RefusedOption(
            names: ["enable.partition.eof"],
            reason: "the end of a batch is planned before it is read, and end marks are no records",
            instead: "leave it out"),
        RefusedOption(
            names: ["max.poll.interval.ms"],
            reason: "a query reads at its trigger, and a pause between two batches is no failure",
            instead: "leave it out, and set `trigger` to how often to read"),
    ]

    static let sink = [
        brokers,
        RefusedOption(
            names: ["transactional.id"],
            reason: "it is made from the query's id, and fences an older process that still writes",
            instead: "use `delivery` to say whether to write in transactions"),
        RefusedOption(
            names: ["enable.idempotence"],
            reason: "without it a retry could write a record twice or out of order",
            instead: "leave it out: it is always on"),
        RefusedOption(
            names: ["acks", "request.required.acks"],
            reason: "a batch is committed only when all in-sync replicas have it",
            instead: "leave it out: it is `all`"),
        RefusedOption(
            names: ["max.in.flight", "max.in.flight.requests.per.connection"],
            reason: "idempotent writing allows five requests at most, and fewer are only slower",
            instead: "use `linger.ms` and `batch.size` to tune requests"),
        RefusedOption(
            names: ["retries", "message.send.max.retries"],
            reason: "a record is sent again until its time is up, so that none is lost on a short failure",
            instead: "use `message.timeout.ms` to say how long"),
        RefusedOption(
            names: ["enable.gapless.guarantee"],
            reason: "a record that fails makes its whole batch run again, which leaves no gap anyway",
            instead: "leave it out"),
        RefusedOption(
            names: ["queuing.strategy"], reason: "another strategy could change the order of records",
            instead: "leave it out"),
        RefusedOption(
            names: ["delivery.report.only.error"],
            reason: "a batch is done when every record is reported as written", instead: "leave it out"),
    ]

    private static let brokers = RefusedOption(
        names: ["bootstrap.servers", "metadata.broker.list"],
        reason: "it would take the place of the brokers that the spec shows", instead: "use `brokers`")

    private static let callback = RefusedOption(
        names: [], reason: "its value is a function inside the program, which a text cannot name",
        instead: "leave it out")

    private static let both = [
        RefusedOption(names: ["opaque"], reason: callback.reason, instead: callback.instead),
        RefusedOption(
            names: ["log.queue", "enabled_events"],
            reason: "it would send the library's messages where nobody takes them",
            instead: "leave it out; `debug` and `log_level` say what is logged"),
        RefusedOption(
            names: ["plugin.library.paths"],
            reason: "a plugin could change or drop records where no promise covers it", instead: "leave it out"),
        RefusedOption(
            names: ["builtin.features"], reason: "it says what the library was built with and changes nothing",
            instead: "leave it out"),
    ]
}
