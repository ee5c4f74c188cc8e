// The latest records of a topic, spread over its partitions, for whoever wants to see what is in it. It commits
// nothing and joins no group.

internal import SluiceEngine
internal import SluicePlan
package import SluiceSpec
package import SluiceSystem

/// The latest records of one topic.
package struct KafkaSample: Sendable {
    package struct Part: Sendable {
        /// `TOPIC/PARTITION`.
        package var partition: String
        /// In the order of their offsets; records without a value are left out.
        package var values: [[UInt8]]
        package var tombstoneCount: Int
    }

    /// Of every partition, empty ones included.
    package var parts: [Part]

    private static let millisMax: Int64 = 60_000
    /// What a partition's offsets are looked through for at most, where most of them hold no record.
    private static let spanFactors: [Int64] = [1, 16, 256]

    /// Reads about `recordCount` records.
    /// - Throws: that the topic or its broker is not there, or does not answer in time.
    package init(
        _ spec: KafkaSourceSpec, recordCount: Int, fileSystem: any FileSystem, clock: any Clock
    ) throws(ConnectorError) {
        let endNanos = clock.nanos(inMillis: Self.millisMax)
        var environment = ConnectorEnvironment.ofSample(fileSystem, clock)
        environment.shouldStop = { clock.monotonicNanos > endNanos }
        var spec = spec
        spec.failsOnDataLoss = false
        let fields = RecordFields(attributes: [], hasTimestamp: false, hasTopic: false)
        do throws(ConnectorError) {
            let source = try KafkaSource(spec, wanted: fields, environment: environment)
            let latest = try source.latestOffsets(from: SourceOffsets(), untilEnd: false)
            let ranges = try source.readable(Array(latest.next.keys))
            parts = []
            for factor in Self.spanFactors {
                let wanted = Self.latest(recordCount * Int(factor), of: ranges)
                parts = try Self.read(wanted, of: source, spec.selection, countMax: recordCount)
                let isAll = wanted.allSatisfy { $0.start == ranges[$0.partition]?.lowerBound }
                if isAll || parts.contains(where: { !$0.values.isEmpty }) { break }
            }
        } catch {
            guard error == .stopped else { throw error }
            throw ConnectorError(
                code: "kafka-unavailable",
                "\(spec.selection.shown) could not be read from \(spec.brokers.value) within "
                    + "\(Self.millisMax / 1000) s: try again when its brokers are well",
                isRetriable: true)
        }
    }

    /// The last offsets of each partition, about so many in all: what one does not have, the others give.
    private static func latest(_ count: Int, of ranges: [String: Range<Int64>]) -> [OffsetRange] {
        var left = Int64(count)
        var open = Int64(ranges.count)
        var found: [OffsetRange] = []
        for (partition, range) in ranges.sorted(by: { ($0.value.count, $0.key) < ($1.value.count, $1.key) }) {
            let taken = min(Int64(range.count), (left + open - 1) / open)
            found.append(
                OffsetRange(partition: partition, start: range.upperBound - taken, end: range.upperBound))
            left -= taken
            open -= 1
        }
        return found
    }

    private static func read(
        _ ranges: [OffsetRange], of source: KafkaSource, _ topics: KafkaTopics, countMax: Int
    ) throws(ConnectorError) -> [Part] {
        let bytes = try source.open(ranges)
        var parts: [String: Part] = [:]
        for range in ranges {
            let name = topics.partition(named: range.partition)?.description ?? range.partition
            parts[range.partition] = Part(partition: name, values: [], tombstoneCount: 0)
        }
        var next = 0
        var chunk = InputChunk()
        do {
            while true {
                let ready = try bytes.readyChunks(from: next)
                if ready.isEmpty { break }
                for number in ready {
                    chunk.removeAll()
                    try bytes.read(chunk: number, into: &chunk)
                    if let name = bytes.partition(of: number) { parts[name]?.add(chunk) }
                }
                next = ready.upperBound
            }
        } catch let error as ConnectorError {
            throw error
        } catch {
            preconditionFailure("sources fail with their own errors: \(error)")
        }
        return parts.sorted { $0.key < $1.key }.map { _, part in
            var part = part
            part.values.removeFirst(max(0, part.values.count - countMax))
            return part
        }
    }
}

extension KafkaSample.Part {
    fileprivate mutating func add(_ chunk: borrowing InputChunk) {
        let text = chunk.text.array()
        var start = 0
        for record in chunk.records {
            let end = Int(record.end)
            if record.isNull { tombstoneCount += 1 } else { values.append(Array(text[start..<end])) }
            start = end + 1
        }
    }
}
