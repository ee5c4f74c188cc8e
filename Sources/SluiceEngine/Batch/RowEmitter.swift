// Where joined rows come out of a shard: the output filter once, then one encoder per distinct format, into buffers
// that belong to the batch.

package import SluicePlan
package import SluiceSpec

struct RowEmitter: ~Copyable {
    private var first: RowEncoder
    /// Encoders of further formats; most queries have none.
    private var others: [EncoderBox]
    private var outputs: [OutputBytes] = []
    /// Rows of the batch that passed the output filter.
    private(set) var rowCount = 0

    init(output: OutputPlan, layouts: [RowLayout], zones: TimeZones) {
        let formats = output.distinctFormats
        first = RowEncoder(output: output, format: formats[0], layouts: layouts, zones: zones)
        others = formats.dropFirst().map {
            EncoderBox(RowEncoder(output: output, format: $0, layouts: layouts, zones: zones))
        }
    }

    /// Starts a batch's output.
    mutating func begin() {
        rowCount = 0
        outputs = (0...others.count).map { _ in OutputBytes() }
    }

    /// The batch's bytes, one buffer per distinct format.
    mutating func takeOutputs() -> [OutputBytes] {
        defer { outputs = [] }
        return outputs
    }

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
        guard unsafe first.accepts(left: left, right: right) else { return }
        rowCount &+= 1
        unsafe first.encodeAccepted(left: left, right: right, into: &outputs[0].buffer)
        for (index, box) in others.enumerated() {
            unsafe box.encoder.encodeAccepted(left: left, right: right, into: &outputs[index + 1].buffer)
        }
    }
}

/// Arrays cannot hold noncopyable values yet.
private final class EncoderBox {
    var encoder: RowEncoder
    init(_ encoder: consuming RowEncoder) { self.encoder = encoder }
}

extension OutputPlan {
    /// The formats of the sinks, each once, in the order of their first use; never empty.
    package var distinctFormats: [OutputFormat] {
        var formats: [OutputFormat] = []
        for sink in sinks where !formats.contains(sink.format) { formats.append(sink.format) }
        return formats.isEmpty ? [.json(timeZone: "UTC", writesNulls: false)] : formats
    }
}
