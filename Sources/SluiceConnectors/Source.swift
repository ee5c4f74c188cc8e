// Sources give bytes by offset range, and know nothing of batches or progress: the checkpoint owns the offsets.

package import SluiceEngine

/// What one batch reads from one partition of a source: `start ..< end`. An end before the start says that the
/// partition ended there when the batch was planned: nothing is read, and the next batch goes on at the end.
package struct OffsetRange: Hashable, Sendable {
    /// A file's path, or a Kafka partition's number.
    package var partition: String
    package var start: Int64
    /// The next offset to read afterwards.
    package var end: Int64

    package init(partition: String, start: Int64, end: Int64) {
        self.partition = partition
        self.start = start
        self.end = end
    }

    /// A partition that was read up to `start` and is not there any more: its position is forgotten.
    package static func gone(partition: String, start: Int64) -> OffsetRange {
        OffsetRange(partition: partition, start: start, end: -1)
    }

    package var isGone: Bool { end < 0 }
}

/// The next offset to read, per partition. A partition that is absent has not been read from.
package struct SourceOffsets: Hashable, Sendable {
    package var next: [String: Int64]

    package init(_ next: [String: Int64] = [:]) { self.next = next }

    /// Moves every partition of `ranges` to its end, and forgets those that are gone.
    package mutating func advance(by ranges: [OffsetRange]) {
        for range in ranges { next[range.partition] = range.isGone ? nil : range.end }
    }
}

/// What a batch takes of one source where the spec sets no limit: about so many bytes. A backlog of terabytes is then
/// many batches, and not one that never fits into memory.
let batchByteCountDefault: Int64 = 1 << 30

/// How much a batch may take.
package enum BatchLimit: Sendable {
    /// The limits of the spec.
    case spec
    /// All there is (trigger `once`).
    case unlimited
}

/// How far a partition is behind its end.
package struct PartitionLag: Hashable, Sendable {
    /// Offsets between what was read and what there is.
    package var rows: Int64
    /// Seconds between now and the last record that was read; 0 where nothing is left to read, nil when none was read.
    package var seconds: Double?

    package init(rows: Int64, seconds: Double?) {
        self.rows = rows
        self.seconds = seconds
    }
}

/// One source of one query. Used by the query's thread only, but for `InputBytes`.
package protocol Source: AnyObject {
    /// For progress records, such as `FileSource[/data/visits.jsonl]`.
    var description: String { get }
    /// True when nothing more will ever come (standard input at its end).
    var isFinished: Bool { get }
    /// Why the last answer of `latestOffsets` leaves out a part of the source (one file among many): what else there is
    /// is read first, and then the query cannot go on.
    var trouble: ConnectorError? { get }
    /// True when the last answer for `untilEnd` is not final: whoever wants the end asks again in a while.
    var isAwaitingEnd: Bool { get }

    /// The end of what is there now, per partition. With `untilEnd`, a source that has an end (standard input under
    /// `available_now` and `once`) answers `position` until it is there.
    func latestOffsets(from position: SourceOffsets, untilEnd: Bool) throws(ConnectorError) -> SourceOffsets
    /// The ranges the next batch reads: between `position` and `latest`, within the limits; empty when nothing is new.
    /// A function of its arguments, of the time, and of what `latestOffsets` has found; compressed files are unpacked
    /// for it, and one that turns out to be damaged is trouble. Throws what may pass by itself.
    func planBatch(
        from position: SourceOffsets, to latest: SourceOffsets, limit: BatchLimit
    ) throws(ConnectorError) -> [OffsetRange]
    /// What tells the partitions of a batch apart from others that may come to have their names, in the source's own
    /// words: kept beside the ranges and handed back to `resume`.
    func marks(_ ranges: [OffsetRange], next: SourceOffsets) -> [String: String]
    /// Before all else in a process, where there is a checkpoint: what the newest entry of the offset log has.
    func resume(_ marks: [String: String])
    /// Opens the ranges of a batch; `read` gives their text. Replays hand in the ranges of the offset log.
    /// Throws when the data is no longer there as it was (truncated, rotated, deleted).
    func open(_ ranges: [OffsetRange]) throws(ConnectorError) -> any InputBytes
    /// The batch is committed: what lies before its end will not be asked for again.
    func didCommit(_ position: SourceOffsets)
    /// What can be read now, of those of the partitions that are there.
    func readable(_ partitions: [String]) throws(ConnectorError) -> [String: Range<Int64>]
    /// Per partition, how far a position is behind `latest`; nil where the source cannot tell.
    func lag(at position: SourceOffsets, latest: SourceOffsets) -> [String: PartitionLag]?
    /// Processor time so far of threads that a library has for it. May go back.
    var processorNanos: UInt64 { get }
}

extension Source {
    package var isAwaitingEnd: Bool { false }
    package var trouble: ConnectorError? { nil }
    package func marks(_ ranges: [OffsetRange], next: SourceOffsets) -> [String: String] { [:] }
    package func resume(_ marks: [String: String]) {}
    package func lag(at position: SourceOffsets, latest: SourceOffsets) -> [String: PartitionLag]? { nil }
    package var processorNanos: UInt64 { 0 }
}
