// Fetches partitions from given offsets on. Partitions are assigned by hand: no group decides who reads what,
// the checkpoint alone knows how far a query is. The group that the client is set up with only shows it to lag tools.
//
// What comes damaged is fetched again, from the offset that a stream stands at and over new connections, which takes a
// new client: librdkafka closes none by request.

internal import CRdKafka
internal import SluiceSpec
internal import SluiceSystem

@safe final class KafkaFetcher {
    private(set) var client: KafkaClient
    private let spec: KafkaSourceSpec
    private let failsOnDataLoss: Bool
    private let lookup: TopicLookup
    private var streams: [TopicPartition: PartitionStream] = [:]
    /// Of partitions that are gone. Their queues are emptied at the end: until then librdkafka may still put in
    /// something that refers to the partition.
    private var pastStreams: [PartitionStream] = []
    /// Of what was read in this process.
    private var readCount: Int64 = 0
    private var readByteCount: Int64 = 0
    /// True while nothing is asked of the broker.
    private(set) var isResting = false
    /// Per partition, where something came damaged, and how often.
    private var damages: [TopicPartition: (offset: Int64, count: Int)] = [:]
    private static let damagesMax = 3
    /// Of clients that were given up.
    private var pastNanos: UInt64 = 0

    init(
        _ spec: KafkaSourceSpec, lookup: TopicLookup, environment: ConnectorEnvironment
    ) throws(KafkaFailure) {
        self.spec = spec
        self.lookup = lookup
        failsOnDataLoss = spec.failsOnDataLoss
        client = try Self.makeClient(spec, environment)
    }

    private static func makeClient(
        _ spec: KafkaSourceSpec, _ environment: ConnectorEnvironment
    ) throws(KafkaFailure) -> KafkaClient {
        let prefetchCount = min(20_000, max(1000, spec.maxOffsetsPerTrigger ?? .max))
        let settings = try KafkaSettings(
            defaults: [
                // What is fetched ahead stays small: librdkafka needs some hundred bytes a message besides its text.
                ("queued.min.messages", String(prefetchCount)), ("queued.max.messages.kbytes", "8192"),
                // At the end of a partition only an answer without records says that offsets before it are control
                // records, so an answer must not take long.
                ("fetch.wait.max.ms", "100"), ("fetch.error.backoff.ms", "100"),
                // TCP's own check sums let one damaged packet in some billions pass, and a broken router more.
                ("check.crcs", "true"),
            ] + sourceDefaults(query: environment.query),
            options: spec.options,
            fixed: connection(spec.brokers, isReadCommitted: spec.isReadCommitted) + [
                ("group.id", environment.group), ("enable.auto.commit", "false"),
                ("enable.auto.offset.store", "false"),
                ("enable.partition.eof", "true"), ("auto.offset.reset", "error"),
                ("max.poll.interval.ms", "86400000"),
            ])
        return try KafkaClient(
            RD_KAFKA_CONSUMER, brokers: spec.brokers.value, settings: settings, environment: environment)
    }

    deinit {
        client.finishCommits()
        unsafe rd_kafka_assign(client.handle, nil)
    }

    /// Processor time of librdkafka's threads, so far.
    var processorNanos: UInt64 { pastNanos + client.processorNanos }

    private var what: String { "reading \(spec.selection.shown)" }

    // MARK: Fetching

    /// Sees to it that all `positions` are fetched from where they are; what is already is left alone.
    func follow(_ positions: [TopicPartition: Int64]) throws(KafkaFailure) {
        var isMoved = isResting
        for (partition, offset) in positions {
            if let stream = streams[partition] {
                if stream.isAt(offset) { continue }
                stream.restart(at: offset)
            } else {
                streams[partition] = PartitionStream(client, partition, next: offset)
            }
            isMoved = true
        }
        if isMoved { try assign() }
    }

    /// Fetches nothing until something is to be followed: a fetch that waits for records costs a request every tenth of
    /// a second, and there may be a hundred queries with nothing to do.
    func rest() {
        if isResting || streams.isEmpty { return }
        isResting = true
        client.environment.log.debug("Nothing new for a while, fetching rests", [.topic: .string("\(spec.selection)")])
        unsafe rd_kafka_assign(client.handle, nil)
    }

    /// Fetches nothing more of a partition that is gone: should it come back, it is another one.
    func forget(_ partition: TopicPartition) throws(KafkaFailure) {
        guard let stream = streams.removeValue(forKey: partition) else { return }
        pastStreams.append(stream)
        try assign()
    }

    /// Fetches every stream from where it is. What was fetched ahead is fetched again; a seek would spare that, but it
    /// is refused for a partition whose offset was out of range.
    private func assign() throws(KafkaFailure) {
        isResting = false
        for stream in streams.values { stream.restart(at: stream.next) }
        // A client that has not heard of the topic looks for it once a second.
        nudge(Array(streams.keys))
        let list = unsafe makePartitionList(streams.mapValues(\.next))
        defer { unsafe rd_kafka_topic_partition_list_destroy(list) }
        let error = unsafe rd_kafka_assign(client.handle, list)
        if error != RD_KAFKA_RESP_ERR_NO_ERROR { throw KafkaFailure(error, what) }
    }

    // MARK: Sizes

    func didRead(_ count: Int, byteCount: Int) {
        readCount += Int64(count)
        readByteCount += Int64(byteCount)
    }

    /// The mean of the records read, as far as that is known; with what one costs in memory besides its value.
    var recordByteCount: Int64 { 64 + (readCount < 1000 ? 1024 : readByteCount / readCount) }

    /// The stream of a partition that is followed.
    func stream(_ partition: TopicPartition) -> PartitionStream {
        guard let stream = streams[partition] else { preconditionFailure("a partition that is not followed") }
        return stream
    }

    /// The newest end that a fetch has been told of, whatever may be read of it; nil where there was no answer yet.
    func fetchedEnd(_ partition: TopicPartition) -> Int64? {
        var (low, high) = (Int64(-1), Int64(-1))
        let error = unsafe rd_kafka_get_watermark_offsets(
            client.handle, partition.topic, partition.partition, &low, &high)
        return error == RD_KAFKA_RESP_ERR_NO_ERROR && high >= 0 ? high : nil
    }

    /// The timestamp of the last record read from a partition.
    func lastTimestampMillis(_ partition: TopicPartition) -> Int64? { streams[partition]?.lastTimestampMillis }

    // MARK: Waiting for records

    /// Since when a batch has waited for records that must come.
    struct Watch {
        private var sinceNanos: UInt64
        /// Since when no record has come, whatever brokers have answered.
        private(set) var silentSinceNanos: UInt64
        /// True when fetching has been nudged since the last record came.
        var isNudged = false
        private let clock: any Clock

        init(_ clock: any Clock) {
            self.clock = clock
            sinceNanos = clock.monotonicNanos
            silentSinceNanos = sinceNanos
        }

        mutating func moved() {
            wasAnswered()
            silentSinceNanos = sinceNanos
        }

        mutating func wasAnswered() {
            sinceNanos = clock.monotonicNanos
            isNudged = false
        }

        var millis: Int64 { Int64((clock.monotonicNanos - sinceNanos) / 1_000_000) }
    }

    func startWatching() -> Watch { Watch(client.environment.clock) }

    /// Makes librdkafka look at once whether it should fetch again. It stops when a partition's queue is full, and the
    /// broker's thread then sleeps for up to a second, however soon the queue is drained (up to librdkafka 2.1). Any
    /// answer from the broker wakes it. (Not `rd_kafka_query_watermark_offsets`: that one keeps to no time limit while
    /// a broker is away.)
    func nudge(_ partitions: [TopicPartition]) {
        let list = unsafe makePartitionList(Dictionary(uniqueKeysWithValues: partitions.map { ($0, -1) }))
        _ = unsafe rd_kafka_offsets_for_times(client.handle, list, 100)
        unsafe rd_kafka_topic_partition_list_destroy(list)
    }

    /// Called after a moment in which none of the streams had anything, although offsets up to their ends exist. Finds
    /// out from time to time whether the broker answers, and whether the offsets still exist.
    func wait(_ watch: inout Watch, _ open: [(partition: TopicPartition, end: Int64)]) throws(ConnectorError) {
        client.serveEvents(timeoutMillis: 0)
        guard watch.millis >= 1000 else { return }
        do throws(KafkaFailure) {
            // Says that Kafka is away if it is, and returns when it is back.
            let before = watch.millis
            let latest = try lookup.offsets(of: .latest, in: open.map(\.partition))
            // After an outage the connection that fetches gets a moment, too.
            if watch.millis - before > 500 { return watch.moved() }
            watch.wasAnswered()
            var hasLost = false
            for (partition, end) in open {
                guard let latest = latest[partition], latest < end else { continue }
                let stream = stream(partition)
                try reportLoss(partition, lost: max(latest, stream.next)..<end)
                stream.restart(at: end)
                try assign()
                hasLost = true
            }
            // The records are there and do not come: the connection that fetches has a trouble of its own.
            if !hasLost {
                let failure = KafkaFailure(RD_KAFKA_RESP_ERR__TIMED_OUT, what)
                try client.pause(after: failure, millis: 0, sinceNanos: watch.silentSinceNanos)
            }
        } catch {
            throw ConnectorError(error)
        }
    }

    /// Sees to it that a stream goes on after what it has met.
    func meet(
        _ event: PartitionStream.Event, _ stream: PartitionStream, before end: Int64
    ) throws(ConnectorError) {
        do throws(KafkaFailure) {
            switch event {
            case .finished, .more, .empty: break
            case .outOfRange: try skipLost(stream, before: end)
            case .doubtful(let gap): try doubt(gap, stream)
            case .damaged(let failure): try fetchAgain(stream, after: failure)
            case .failed(let failure): throw failure
            }
        } catch {
            throw ConnectorError(error)
        }
    }

    /// A gap that ends behind all that there is cannot be one; others may be, and show when they are met again.
    private func doubt(_ gap: Range<Int64>, _ stream: PartitionStream) throws(KafkaFailure) {
        let latest = try lookup.offsets(of: .latest, in: [stream.partition])[stream.partition] ?? gap.upperBound
        if gap.upperBound > latest {
            let detail = "the answer goes on at offset \(gap.upperBound), and the partition ends at \(latest)"
            try fetchAgain(stream, after: stream.damaged(detail, offset: gap.lowerBound))
        } else {
            try assign()
        }
    }

    /// What was fetched of a stream is damaged, or cannot be.
    private func fetchAgain(_ stream: PartitionStream, after failure: KafkaFailure) throws(KafkaFailure) {
        let partition = stream.partition
        let before = damages[partition].map { $0.offset == stream.next ? $0.count : 0 } ?? 0
        damages[partition] = (stream.next, before + 1)
        var failure = failure
        if before >= Self.damagesMax {
            failure.message += ". It was fetched \(before + 1) times, over new connections each time"
            throw failure
        }
        client.environment.log.warning(
            "What came from Kafka is damaged, it is fetched again over a new connection",
            [
                .topic: .string(partition.topic), .partition: .integer(Int64(partition.partition)),
                .errorCode: .string(failure.code), .detail: .string(failure.message),
            ])
        var pause = failure
        (pause.kind, pause.isAnswer) = (.transient, true)
        try client.pause(after: pause, millis: Int32(before) * 200)
        try reconnect()
    }

    /// Goes on with a new client where the old one is.
    private func reconnect() throws(KafkaFailure) {
        let new = try Self.makeClient(spec, client.environment)
        unsafe rd_kafka_assign(client.handle, nil)
        client.leaveAlone()
        pastNanos += client.processorNanos
        streams = streams.mapValues { PartitionStream(new, goingOnFrom: $0) }
        pastStreams = []
        client = new
        try assign()
    }

    /// The offset that a stream stands at does not exist any more, perhaps nothing before `end` does.
    private func skipLost(_ stream: PartitionStream, before end: Int64) throws(KafkaFailure) {
        let earliest = try lookup.offsets(of: .earliest, in: [stream.partition])[stream.partition] ?? end
        let latest = try lookup.offsets(of: .latest, in: [stream.partition])[stream.partition] ?? -1
        if earliest <= stream.next, stream.next < latest {
            return try fetchAgain(
                stream,
                after: KafkaFailure(
                    .permanent, code: "kafka-damaged",
                    "reading the topic `\(stream.partition.topic)`: a broker says that offset \(stream.next) of "
                        + "partition \(stream.partition.partition) does not exist, and that there are those from "
                        + "\(earliest) to \(latest)"))
        }
        let lostEnd = earliest > stream.next ? min(earliest, end) : end
        // A query that stops is told all that is lost, one that goes on what this batch has lost.
        let reportedEnd = failsOnDataLoss && earliest > stream.next ? earliest : lostEnd
        try reportLoss(stream.partition, lost: stream.next..<reportedEnd)
        stream.restart(at: lostEnd)
        try assign()
    }

    /// - Throws: under `on_data_loss: fail`.
    func reportLoss(_ partition: TopicPartition, lost: Range<Int64>) throws(KafkaFailure) {
        let fact =
            "offsets \(lost.lowerBound) to \(lost.upperBound - 1) of \(partition.place) are gone before they "
            + "were read: the topic's retention has removed them, or it was deleted and made again"
        try reportLoss(fact, partition)
    }

    func reportLoss(_ fact: String, _ partition: TopicPartition) throws(KafkaFailure) {
        if failsOnDataLoss {
            throw KafkaFailure(
                .permanent, code: "kafka-data-lost",
                fact
                    + ". To go on without them set `on_data_loss: continue` on the source, or start the query anew "
                    + "with another checkpoint")
        }
        client.environment.log.warning(
            "Records were lost, the query goes on without them",
            [
                .topic: .string(partition.topic), .partition: .integer(Int64(partition.partition)),
                .detail: .string(fact),
            ])
    }
}
