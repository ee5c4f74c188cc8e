// Kafka topics as a source: a partition is a partition, an offset an offset. What a batch reads is planned from where
// the partitions end now (under `read_committed` the last stable offset), within the spec's limits, and read exactly to
// the end of its ranges: offsets in them that hold no record (control records, aborted or compacted ones) are no loss.
//
//     new query     start offsets are looked up once, and batch 0 writes them down even when it has nothing to read:
//                   whatever comes after the start is then read, also when the process dies before (as in Spark). Where
//                   a pattern matches nothing, what is written down is just that the query has begun
//     new partition begins at its earliest record; where that is not offset 0, what was before it is loss. (Not of a
//                   topic that the spec names only now, nor of a partition that `partitions` does: nobody missed it)
//     loss          offsets that are gone, ends that went back, partitions that are gone: `on_data_loss` says what then
//                   A look that sees a loss does not judge it: it goes into the plan of the next batch, and so into the
//                   offset log, and is judged when the batch is opened. So every start judges it again, whatever the
//                   topic has become by then (as in Spark)
//
// Sources: Spark's KafkaMicroBatchStream and KafkaOffsetReader.

package import SluiceEngine
internal import SluicePlan
package import SluiceSpec
internal import SluiceSystem

package final class KafkaSource: Source {
    private let spec: KafkaSourceSpec
    private let environment: ConnectorEnvironment
    private let topics: KafkaTopics
    private let wanted: RecordFields
    private let schemas: RecordSchemas?
    private let lookup: TopicLookup
    private let fetcher: KafkaFetcher
    private let clock: any Clock
    /// For the ends of records that a query may not read yet; made when there is something to ask.
    private var writtenLookup: TopicLookup?
    /// Where partitions begin that have no position yet.
    private var starts: [TopicPartition: Int64] = [:]
    /// Partitions that have a position, and were not there at the last look.
    private var gone: Set<TopicPartition> = []
    /// Whether the first look is over: what comes up later is new.
    private var hasLooked = false
    /// When the minimum last let a look pass; nil before the first.
    private var lastPassNanos: UInt64?
    /// What the last look has found, and when.
    private var lastLook: (latest: [TopicPartition: Int64], nanos: UInt64)?

    /// When it was last asked for the latest offsets, and how many looks in a row have then found nothing new.
    private var lastAskedNanos: UInt64?
    private var quietLooks = 0

    /// Stands for the partitions of a query that has begun where there were none: no partition is called so.
    private static let nothing = "*"

    /// So many make it rest.
    private static let quietLooksMax = 10

    /// For so long a look is trusted while fetches tell of nothing new: a query with a short trigger does not ask
    /// brokers hundreds of times a second whether something has come.
    private static let lookAgeMaxNanos: UInt64 = 500_000_000

    /// Starts connecting; nothing is waited for.
    package init(
        _ spec: KafkaSourceSpec, wanted: RecordFields, source: SourceSpec? = nil, environment: ConnectorEnvironment
    ) throws(ConnectorError) {
        schemas = source.flatMap { RecordSchemas($0, in: environment) }
        self.spec = spec
        self.environment = environment
        self.wanted = wanted
        topics = spec.selection
        clock = environment.clock
        do throws(KafkaFailure) {
            lookup = try TopicLookup(spec, environment: environment)
            fetcher = try KafkaFetcher(spec, lookup: lookup, environment: environment)
        } catch { throw ConnectorError(error) }
    }

    package var description: String { "KafkaSource[\(topics)]" }
    package var isFinished: Bool { false }

    package var processorNanos: UInt64 {
        fetcher.processorNanos + lookup.client.processorNanos + (writtenLookup?.client.processorNanos ?? 0)
    }

    // MARK: Planning

    package func latestOffsets(from position: SourceOffsets, untilEnd: Bool) throws(ConnectorError) -> SourceOffsets {
        let now = clock.monotonicNanos
        // Who asks more often is to hear of news at once, and that is what a waiting fetch is for.
        let isPatient = lastAskedNanos.map { now - $0 > Self.lookAgeMaxNanos * 4 / 5 } ?? false
        lastAskedNanos = now
        if !isPatient { quietLooks = 0 }
        if !untilEnd, let latest = latestWithoutALook() { return latest }
        let latest: [TopicPartition: Int64]
        do throws(KafkaFailure) {
            latest = try look(from: partitionOffsets(position), isNewQuery: position.next.isEmpty && !hasLooked)
            lastLook = (latest, clock.monotonicNanos)
        } catch { throw ConnectorError(error) }
        if let schemas {
            // A schema that lacks a column is to be known at the start, and not when the first record comes.
            for topic in Set(latest.keys.map(\.topic)).sorted() { try schemas.open(topic) }
        }
        return sourceOffsets(latest)
    }

    private func latestWithoutALook() -> SourceOffsets? {
        fetcher.client.serveEvents(timeoutMillis: 0)
        guard !fetcher.isResting, let (latest, nanos) = lastLook, clock.monotonicNanos - nanos < Self.lookAgeMaxNanos,
            latest.allSatisfy({ partition, end in fetcher.fetchedEnd(partition).map { $0 <= end } ?? false })
        else { return nil }
        return sourceOffsets(latest)
    }

    private func look(
        from position: [TopicPartition: Int64], isNewQuery: Bool
    ) throws(KafkaFailure) -> [TopicPartition: Int64] {
        let latest: [TopicPartition: Int64]
        do throws(KafkaFailure) { latest = try ends(from: position) } catch { throw explained(error, position) }
        _ = try lookup.clusterID()
        gone = Set(position.keys).subtracting(latest.keys)
        starts = starts.filter { position[$0.key] == nil && latest[$0.key] != nil }
        let new = latest.keys.filter { position[$0] == nil && starts[$0] == nil }.sorted()
        if isNewQuery { try checkPartitions(latest) }
        if !new.isEmpty {
            let found = isNewQuery ? try startOffsets(latest) : try addedStarts(new, position)
            for partition in new { starts[partition] = found[partition] ?? latest[partition] }
        }
        if isNewQuery { try checkStarts(latest) }
        if !hasLooked || !new.isEmpty { say(new, isFirst: !hasLooked, isNewQuery: isNewQuery, latest) }
        hasLooked = true
        let known = position.merging(starts) { position, _ in position }
        quietLooks = known == latest ? quietLooks + 1 : 0
        if quietLooks > Self.quietLooksMax {
            fetcher.rest()
        } else {
            try fetcher.follow(known.filter { partition, offset in latest[partition].map { offset <= $0 } ?? false })
        }
        return latest
    }

    /// Says what was found that the query has not read from before, and that a pattern has not found anything.
    private func say(_ new: [TopicPartition], isFirst: Bool, isNewQuery: Bool, _ latest: [TopicPartition: Int64]) {
        if isFirst, latest.isEmpty {
            environment.log.warning(
                "No topic matches yet, the query waits for one", [.topic: .string("\(topics)")])
        }
        if isNewQuery, case .one = topics.names { return }
        for (topic, partitions) in Dictionary(grouping: new, by: \.topic).sorted(by: { $0.key < $1.key }) {
            let list = partitions.map { "\($0.partition)" }.joined(separator: ", ")
            environment.log.info(
                isNewQuery
                    ? "A topic is read" : "Partitions are new to the query, they are read from their first record",
                [.topic: .string(topic), .partitions: .string(list)])
        }
    }

    /// `partitions` names some that there are, in a new query.
    private func checkPartitions(_ latest: [TopicPartition: Int64]) throws(KafkaFailure) {
        guard let wanted = topics.partitions, !topics.named.isEmpty else { return }
        let missing = wanted.subtracting(latest.keys.map(\.partition)).sorted()
        guard let first = missing.first else { return }
        throw KafkaFailure(
            .permanent, code: "kafka-unknown-partition",
            "`partitions` names partition \(first), which \(topics.shown) "
                + "\(topics.named.count == 1 ? "does" : "do") not have: correct `partitions`")
    }

    /// A topic of the same name, made to please the message, would be another one.
    private func explained(_ failure: KafkaFailure, _ position: [TopicPartition: Int64]) -> KafkaFailure {
        let isOfOneThatWasRead = position.keys.contains { failure.message.contains("no topic `\($0.topic)`") }
        guard failure.code == "kafka-unknown-topic", isOfOneThatWasRead else { return failure }
        var failure = failure
        failure.message +=
            ". The query has read from it before: if it was deleted and is made again, start the query anew with "
            + "another checkpoint"
        return failure
    }

    /// Where partitions end. What would be a loss is looked at again before it is believed, as it is for good: for a
    /// moment a broker may know less than another one did.
    private func ends(from position: [TopicPartition: Int64]) throws(KafkaFailure) -> [TopicPartition: Int64] {
        var latest = try heldEnds(try lookup.ends(), position)
        var looksLeft = 2
        while looksLeft > 0, position.contains(where: { $0.value > latest[$0.key] ?? -1 }) {
            var doubt = KafkaFailure(.transient, code: "kafka-data-lost", "records of \(topics.shown) are gone")
            doubt.isAnswer = true
            try lookup.client.pause(after: doubt, millis: 1000)
            latest = try heldEnds(try lookup.ends(isFresh: true), position)
            looksLeft -= 1
        }
        return latest
    }

    /// Ends, not before the position where records are there up to it that are not to be read yet: a query that has
    /// read uncommitted records and is to read committed ones from now on waits there.
    private func heldEnds(
        _ latest: [TopicPartition: Int64], _ position: [TopicPartition: Int64]
    ) throws(KafkaFailure) -> [TopicPartition: Int64] {
        let early = latest.filter { partition, end in position[partition].map { $0 > end } ?? false }
        guard spec.isReadCommitted, !early.isEmpty else { return latest }
        let written = try writtenEnds(early.keys.sorted())
        return latest.merging(position.filter { early[$0.key] != nil && $0.value <= written[$0.key] ?? -1 }) { $1 }
    }

    /// Where partitions end, whatever may be read of them.
    private func writtenEnds(_ partitions: [TopicPartition]) throws(KafkaFailure) -> [TopicPartition: Int64] {
        if let writtenLookup { return try writtenLookup.offsets(of: .latest, in: partitions) }
        var uncommitted = spec
        uncommitted.isReadCommitted = false
        let lookup = try TopicLookup(uncommitted, environment: environment)
        writtenLookup = lookup
        return try lookup.offsets(of: .latest, in: partitions)
    }

    /// Where a new query begins.
    private func startOffsets(_ latest: [TopicPartition: Int64]) throws(KafkaFailure) -> [TopicPartition: Int64] {
        let partitions = latest.keys.sorted()
        switch spec.start {
        case .latest: return latest
        case .earliest: return try lookup.offsets(of: .earliest, in: partitions)
        case .timestamp(let micros):
            // A record is stamped in milliseconds: the first one that is not before.
            let millis = micros / 1000 + (micros % 1000 > 0 ? 1 : 0)
            return try lookup.offsets(of: .timestamp(millis: millis), in: partitions)
        case .offsets(let named):
            for partition in named.keys.sorted() where !partitions.contains(partition) {
                let count = partitions.count { $0.topic == partition.topic }
                throw KafkaFailure(
                    .permanent, code: "kafka-unknown-partition",
                    "`start` names partition \(partition.partition), and the topic `\(partition.topic)` has \(count): "
                        + "correct `start`")
            }
            let earliest =
                named.values.contains(.earliest) ? try lookup.offsets(of: .earliest, in: partitions) : [:]
            return latest.reduce(into: [:]) { starts, partition in
                switch named[partition.key] {
                case .offset(let offset): starts[partition.key] = offset
                case .earliest: starts[partition.key] = earliest[partition.key]
                case .latest, nil: starts[partition.key] = partition.value
                }
            }
        }
    }

    /// A start that is not there is a mistake to correct: unlike a loss it is not to be remembered.
    private func checkStarts(_ latest: [TopicPartition: Int64]) throws(KafkaFailure) {
        guard spec.failsOnDataLoss else { return }
        for (partition, end) in latest.sorted(by: { $0.key < $1.key }) {
            guard let start = starts[partition], start > end else { continue }
            throw KafkaFailure(
                .permanent, code: "kafka-data-lost",
                "\(partition.place) ends at offset \(end), and `start` names \(start): "
                    + "correct `start`, or set `on_data_loss: continue` on the source to begin at the end")
        }
    }

    /// Where partitions begin that came after the query's start: at their first record.
    private func addedStarts(
        _ partitions: [TopicPartition], _ position: [TopicPartition: Int64]
    ) throws(KafkaFailure) -> [TopicPartition: Int64] {
        var starts = try lookup.offsets(of: .earliest, in: partitions)
        for (partition, earliest) in starts.sorted(by: { $0.key < $1.key }) where earliest > 0 {
            if !isSelfMade(partition, position) { continue }
            if spec.failsOnDataLoss {
                // Reading will meet the loss, and meet it again after every restart.
                starts[partition] = 0
            } else {
                try fetcher.reportLoss(partition, lost: 0..<earliest)
            }
        }
        return starts
    }

    /// True for a partition that has come by itself; false where the spec has been changed to read it.
    private func isSelfMade(_ partition: TopicPartition, _ position: [TopicPartition: Int64]) -> Bool {
        if topics.partitions != nil { return false }
        if case .list = topics.names { return position.keys.contains { $0.topic == partition.topic } }
        return true
    }

    package func planBatch(
        from offsets: SourceOffsets, to latest: SourceOffsets, limit: BatchLimit
    ) -> [OffsetRange] {
        if offsets.next.isEmpty, latest.next.isEmpty { return [OffsetRange(partition: Self.nothing, start: 0, end: 0)] }
        let position = partitionOffsets(offsets)
        var ranges: [TopicPartition: Range<Int64>] = [:]
        var losses = gone.compactMap { partition in
            position[partition].map { OffsetRange.gone(partition: topics.name(of: partition), start: $0) }
        }
        for (partition, end) in partitionOffsets(latest) {
            guard let start = position[partition] ?? starts[partition] else { continue }
            if end < start {
                losses.append(OffsetRange(partition: topics.name(of: partition), start: start, end: end))
            } else {
                ranges[partition] = start..<end
            }
        }
        var ends = ranges.mapValues(\.upperBound)
        if case .spec = limit {
            if isHeldBack(ranges) {
                ends = ranges.mapValues(\.lowerBound)
            } else {
                // How many bytes a record has is known of those that were read.
                let limit = spec.maxOffsetsPerTrigger ?? batchByteCountDefault / fetcher.recordByteCount
                if ranges.values.reduce(0, { $0 + Int64($1.count) }) > limit { ends = sharedEnds(ranges, limit: limit) }
            }
        }
        // A partition that nothing was ever read from is there without a record too, so that its start is written down.
        let read = ranges.keys.sorted().compactMap { partition -> OffsetRange? in
            guard let range = ranges[partition], let end = ends[partition] else { return nil }
            guard end > range.lowerBound || position[partition] != range.lowerBound else { return nil }
            return OffsetRange(partition: topics.name(of: partition), start: range.lowerBound, end: end)
        }
        let hasBegun = !read.isEmpty && offsets.next[Self.nothing] != nil
        return read + losses.sorted { $0.partition < $1.partition }
            + (hasBegun ? [.gone(partition: Self.nothing, start: 0)] : [])
    }

    /// Spark's `minOffsetsPerTrigger` and `maxTriggerDelay`: too little is left for later, but not for ever, and the
    /// first look after a start takes what there is. As in Spark, the delay counts from the last look that was let
    /// pass, whether it took something or not.
    private func isHeldBack(_ ranges: [TopicPartition: Range<Int64>]) -> Bool {
        guard let minimum = spec.minOffsetsPerTrigger else { return false }
        let delayMicros = spec.maxTriggerDelayMicros ?? 15 * 60 * 1_000_000
        let now = clock.monotonicNanos
        let isDelayed = lastPassNanos.map { Int64((now - $0) / 1000) < delayMicros } ?? false
        if isDelayed && ranges.values.reduce(0, { $0 + Int64($1.count) }) < minimum { return true }
        lastPassNanos = now
        return false
    }

    // MARK: Reading

    package func marks(_ ranges: [OffsetRange], next: SourceOffsets) -> [String: String] { schemas?.marks ?? [:] }

    package func resume(_ marks: [String: String]) { schemas?.resume(marks) }

    package func open(_ ranges: [OffsetRange]) throws(ConnectorError) -> any InputBytes {
        let read = ranges.compactMap { range in
            topics.partition(named: range.partition).map { (partition: $0, start: range.start, end: range.end) }
        }.filter { $0.end > $0.start }
        do throws(KafkaFailure) {
            for range in ranges where range.end < range.start { try reportLoss(range) }
            try fetcher.follow(Dictionary(uniqueKeysWithValues: read.map { ($0.partition, $0.start) }))
        } catch { throw ConnectorError(error) }
        return KafkaInputBytes(
            fetcher, names: topics, wanted: wanted, schemas: schemas, parts: read.map { ($0.partition, $0.end) })
    }

    /// What a look has found is said when its batch is opened, each time anew.
    private func reportLoss(_ range: OffsetRange) throws(KafkaFailure) {
        guard let partition = topics.partition(named: range.partition) else { return }
        let place = partition.place
        if range.isGone {
            try fetcher.reportLoss(
                "\(place) is gone, with whatever it had from offset \(range.start) on: the topic was deleted"
                    + (topics.named.isEmpty ? "" : " and made again with fewer partitions"), partition)
            try fetcher.forget(partition)
        } else {
            let unread = range.end > 0 ? ", and offsets 0 to \(range.end - 1) of it are not read" : ""
            try fetcher.reportLoss(
                "\(place) ended at offset \(range.end) when the query was at \(range.start): the topic was deleted and "
                    + "made again\(unread)", partition)
        }
    }

    package func didCommit(_ position: SourceOffsets) {
        let next = partitionOffsets(position)
        // What was looked up is in the checkpoint now.
        starts = starts.filter { next[$0.key] == nil }
        fetcher.client.commitToGroup(next)
    }

    package func readable(_ partitions: [String]) throws(ConnectorError) -> [String: Range<Int64>] {
        do throws(KafkaFailure) {
            let latest = try lookup.ends()
            let there = partitions.compactMap { topics.partition(named: $0) }.filter { latest[$0] != nil }
            let earliest = try lookup.offsets(of: .earliest, in: there)
            var ranges: [String: Range<Int64>] = [:]
            for (partition, start) in earliest {
                ranges[topics.name(of: partition)] = start..<max(start, latest[partition] ?? 0)
            }
            return ranges
        } catch { throw ConnectorError(error) }
    }

    package func lag(at position: SourceOffsets, latest: SourceOffsets) -> [String: PartitionLag]? {
        let position = partitionOffsets(position)
        var lags: [String: PartitionLag] = [:]
        for (partition, end) in partitionOffsets(latest) {
            let rows = max(0, end - (position[partition] ?? end))
            let seconds = fetcher.lastTimestampMillis(partition).map { max(0, Double(clock.wallMillis - $0) / 1000) }
            lags[topics.name(of: partition)] = PartitionLag(rows: rows, seconds: rows == 0 ? 0 : seconds)
        }
        return lags
    }

    private func sourceOffsets(_ offsets: [TopicPartition: Int64]) -> SourceOffsets {
        SourceOffsets(Dictionary(uniqueKeysWithValues: offsets.map { (topics.name(of: $0.key), $0.value) }))
    }

    private func partitionOffsets(_ offsets: SourceOffsets) -> [TopicPartition: Int64] {
        var result: [TopicPartition: Int64] = [:]
        for (name, offset) in offsets.next {
            if let partition = topics.partition(named: name) { result[partition] = offset }
        }
        return result
    }
}

extension LogKey {
    static let partitions = LogKey("sluice.partitions")
}

extension KafkaSourceSpec: SourceMaker {
    func makeSource(
        _ spec: SourceSpec, for input: InputPlan, in environment: ConnectorEnvironment
    ) throws(ConnectorError) -> any Source {
        try KafkaSource(self, wanted: RecordFields(input), source: spec, environment: environment)
    }
}
