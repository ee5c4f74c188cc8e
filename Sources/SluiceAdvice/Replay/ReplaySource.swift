// A query's source as it was: it shows what had arrived by the replay's clock, and reads that from the real source. It
// commits nothing, to nobody.

internal import SluiceConnectors
internal import SluiceEngine
internal import SluiceSimulation
internal import SluiceSystem

/// Wraps a source of which only `planBatch` and `open` are used.
final class ReplaySource: Source {
    private let source: any Source
    private let log: ArrivalLog
    private let clock: SimulatedClock
    /// For finding line ends; nil where every offset can end a range.
    private let lines: (any FileSystem)?
    private var latest: [String: Int64] = [:]
    /// Arrivals before it are all there.
    private var arrivedCount = 0
    /// Of the batch that was opened last.
    private(set) var ranges: [OffsetRange] = []

    init(_ source: any Source, log: ArrivalLog, clock: SimulatedClock, lines: (any FileSystem)?) {
        self.source = source
        self.log = log
        self.clock = clock
        self.lines = lines
    }

    var description: String { source.description }
    var isFinished: Bool { false }

    func latestOffsets(from position: SourceOffsets, untilEnd: Bool) throws(ConnectorError) -> SourceOffsets {
        let now = clock.wallMicros
        var isComplete = true
        for index in arrivedCount..<log.arrivals.count {
            let arrival = log.arrivals[index]
            if arrival.fromMicros >= now { break }
            if arrival.toMicros <= now {
                latest[arrival.partition] = arrival.end
                if isComplete { arrivedCount = index + 1 }
            } else {
                isComplete = false
                if !log.isWhole { try show(arrival, position.next[arrival.partition] ?? arrival.start, now) }
            }
        }
        var answer = position
        for (partition, end) in latest where end > position.next[partition] ?? -1 { answer.next[partition] = end }
        return answer
    }

    /// Shows as much of an arrival as is there, in whole lines.
    private func show(_ arrival: ArrivalLog.Arrival, _ position: Int64, _ now: Int64) throws(ConnectorError) {
        let offset = arrival.offset(atMicros: now)
        let shown = max(position, latest[arrival.partition] ?? position)
        guard offset > shown else { return }
        guard let lines else {
            latest[arrival.partition] = offset
            return
        }
        do throws(FileError) {
            if let end = try lastLineEnd(arrival.partition, shown..<offset, lines) { latest[arrival.partition] = end }
        } catch {
            throw ConnectorError(code: "file-unreadable", "\(error)", isRetriable: false)
        }
    }

    private func lastLineEnd(
        _ path: String, _ range: Range<Int64>, _ files: any FileSystem
    ) throws(FileError) -> Int64? {
        let file = try files.open(path)
        var end = range.upperBound
        while end > range.lowerBound {
            let start = max(range.lowerBound, end - 4096)
            var failure: FileError?
            let block = unsafe [UInt8](unsafeUninitializedCapacity: Int(end - start)) { buffer, count in
                do throws(FileError) {
                    count = unsafe try file.read(at: start, into: UnsafeMutableRawBufferPointer(buffer))
                } catch { failure = error }
            }
            if let failure { throw failure }
            if let index = block.lastIndex(of: UInt8(ascii: "\n")) { return start + Int64(index) + 1 }
            end = start
        }
        return nil
    }

    func planBatch(
        from position: SourceOffsets, to latest: SourceOffsets, limit: BatchLimit
    ) throws(ConnectorError) -> [OffsetRange] {
        ranges = []
        return try source.planBatch(from: position, to: latest, limit: limit)
    }

    func open(_ ranges: [OffsetRange]) throws(ConnectorError) -> any InputBytes {
        self.ranges = ranges
        return try source.open(ranges)
    }

    func didCommit(_ position: SourceOffsets) {}

    func readable(_ partitions: [String]) throws(ConnectorError) -> [String: Range<Int64>] {
        try source.readable(partitions)
    }

    /// How long the rows of the last batch had waited when they came out.
    /// - Parameters:
    ///   - weight: of all of them together.
    ///   - number: another one for each batch: its rows stand for all of them at other places.
    func addLatencies(
        to latencies: inout WeightedQuantiles, visibleMicros: Double, weight: Double, number: Int
    ) {
        let offsets = ranges.reduce(0.0) { $0 + Double(max(0, $1.end - $1.start)) }
        guard offsets > 0 else { return }
        let phase = (Double(number) * 0.618_034).truncatingRemainder(dividingBy: 1)
        for range in ranges where range.end > range.start {
            let (start, count) = (Double(range.start), Double(range.end - range.start))
            for sample in 0..<8 {
                let offset = start + count * (Double(sample) + phase) / 8
                guard let arrived = log.micros(partition: range.partition, offset: offset) else { continue }
                latencies.add(visibleMicros - arrived, weight: weight * count / offsets / 8)
            }
        }
    }
}
