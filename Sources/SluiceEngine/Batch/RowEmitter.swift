// Where rows come out of a shard, or of a lane where there is no join: either they become the next stage's rows, or
// they meet the output filter once, then one encoder per distinct encoding, into buffers that belong to the batch.
// While rows come out, the first encoding's buffers stand in the emitter itself: a class property would cost a count
// and an exclusivity check per row.

package import SluicePlan
package import SluiceSpec

struct RowEmitter: ~Copyable {
    /// Where rows go that another stage reads; nothing else counts then.
    let next: StageRowBox?
    private var first: RowEncoder
    private let firstFramer: FramerBox?
    /// Encoders of further encodings; most queries have none.
    private var others: [EncoderBox]
    private var buffers = OutputBuffers()
    /// The batch's bytes after `finish`, one per distinct encoding; the next batch writes over them, unless they are
    /// taken.
    private(set) var outputs: [OutputBytes] = []
    /// Rows of the batch that passed the output filter.
    private(set) var rowCount = 0
    private let spill: (any OutputSpill)?
    /// Text of one encoding that stays in memory.
    private let textByteCountMax: Int
    /// Why rows could not be put away; what was to be is lost, and so is the batch.
    private(set) var failure: SpillError?

    /// - Parameter share: how many emitters share what a batch may keep in memory.
    init(
        output: OutputPlan, layouts: [RowLayout], zones: TimeZones, resources: BatchResources, share: Int,
        next: StageRowBox? = nil
    ) {
        self.next = next
        spill = resources.spill
        textByteCountMax =
            resources.spill == nil ? .max : max(resources.outputByteCountMax / max(1, share), 1 << 20)
        let encodings = output.distinctEncodings
        first = RowEncoder(output: output, format: encodings[0].format, layouts: layouts, zones: zones)
        firstFramer = FramerBox(encodings[0], layouts: layouts, zones: zones)
        others = encodings.dropFirst().map {
            EncoderBox(
                RowEncoder(output: output, format: $0.format, layouts: layouts, zones: zones),
                FramerBox($0, layouts: layouts, zones: zones))
        }
    }

    /// Starts a batch's output.
    mutating func begin() {
        rowCount = 0
        failure = nil
        next?.begin()
        if outputs.isEmpty { outputs = (0...others.count).map { _ in OutputBytes() } }
        for output in outputs { output.recycle() }
        outputs[0].exchange(with: &buffers)
    }

    /// All rows of the batch are out.
    mutating func finish() {
        outputs[0].exchange(with: &buffers)
        next?.finish()
    }

    /// Gives the batch's bytes away.
    mutating func takeOutputs() -> [OutputBytes] {
        if let lookup = next?.lookup { return lookup.driver.emitter.takeOutputs() }
        defer { outputs = [] }
        return outputs
    }

    /// The batch's bytes, where the rows that it puts out end as such, if need be after lookups.
    var lastOutputs: [OutputBytes] { next?.lookup?.driver.emitter.lastOutputs ?? outputs }

    /// Rows of the next stage that keeps state; nil where the rows end as the query's.
    var rows: DecodedChunk? {
        guard let next else { return nil }
        return next.lookup.map { $0.driver.emitter.rows } ?? next.chunk
    }

    /// Rows that have come out at the end.
    var emittedCount: Int {
        guard let next else { return rowCount }
        return next.lookup?.driver.emitter.emittedCount ?? next.writer.rowCount
    }

    /// Why rows could not be put away, here or behind lookups.
    var anyFailure: SpillError? { failure ?? next?.lookup?.driver.emitter.anyFailure }

    /// Puts out the pair of a row of side `number` and one of the other side (nil: none).
    @inline(__always)
    mutating func emit(_ number: Int, _ row: UnsafeRawPointer, _ other: UnsafeRawPointer?) {
        if number == 0 {
            unsafe emit(left: row, right: other)
        } else {
            unsafe emit(left: other, right: row)
        }
    }

    mutating func emit(left: UnsafeRawPointer?, right: UnsafeRawPointer?) {
        if let next {
            unsafe next.writer.emit(left: left, right: right)
            return
        }
        guard unsafe first.accepts(left: left, right: right) else { return }
        rowCount &+= 1
        unsafe first.encodeAccepted(left: left, right: right, into: &buffers.text)
        if let firstFramer { unsafe firstFramer.framer.finishRow(left: left, right: right, in: &buffers) }
        for (index, box) in others.enumerated() {
            unsafe box.encode(left, right, into: outputs[index + 1])
            if outputs[index + 1].buffer.count > textByteCountMax { putAway(outputs[index + 1]) }
        }
        if buffers.text.count > textByteCountMax { putAwayFirst() }
    }
}

extension RowEmitter {
    @inline(never)
    private mutating func putAwayFirst() {
        outputs[0].exchange(with: &buffers)
        putAway(outputs[0])
        outputs[0].exchange(with: &buffers)
    }

    private mutating func putAway(_ output: OutputBytes) {
        guard let spill else { return }
        do throws(SpillError) { try output.putAway(in: spill) } catch { failure = failure ?? error }
    }
}

/// Arrays cannot hold noncopyable values yet.
private final class EncoderBox {
    var encoder: RowEncoder
    private var buffers = OutputBuffers()
    let framer: FramerBox?

    init(_ encoder: consuming RowEncoder, _ framer: FramerBox?) {
        self.encoder = encoder
        self.framer = framer
    }

    func encode(_ left: UnsafeRawPointer?, _ right: UnsafeRawPointer?, into output: OutputBytes) {
        output.exchange(with: &buffers)
        unsafe encoder.encodeAccepted(left: left, right: right, into: &buffers.text)
        if let framer { unsafe framer.framer.finishRow(left: left, right: right, in: &buffers) }
        output.exchange(with: &buffers)
    }
}

private final class FramerBox {
    var framer: RecordFramer

    /// nil where rows are lines.
    init?(_ encoding: OutputEncoding, layouts: [RowLayout], zones: TimeZones) {
        guard let record = encoding.record else { return nil }
        var knownZones = zones
        let zone = knownZones.rules(named: encoding.format.timeZone) ?? .utc
        framer = RecordFramer(record, layouts: layouts, zone: zone, zones: zones)
    }
}

/// How a sink wants its rows.
package struct OutputEncoding: Hashable, Sendable {
    package var format: OutputFormat
    /// nil: rows are lines.
    package var record: RecordPlan?
}

extension OutputSink {
    package var encoding: OutputEncoding { OutputEncoding(format: format, record: record) }
}

extension OutputPlan {
    /// The encodings of the sinks, each once, in the order of their first use; never empty.
    package var distinctEncodings: [OutputEncoding] {
        var encodings: [OutputEncoding] = []
        for sink in sinks where !encodings.contains(sink.encoding) { encodings.append(sink.encoding) }
        return encodings.isEmpty
            ? [OutputEncoding(format: .json(timeZone: "UTC", writesNulls: false), record: nil)] : encodings
    }
}
