// What a Kafka record has beside its value: where the value ends (a row of CSV may hold line ends), its key, its
// headers and its timestamp. One per worker and encoding, beside the `RowEncoder` that writes the value.

internal import SluicePlan
internal import SluiceSpec

@safe struct RecordFramer: ~Copyable {
    private let key: ExpressionRunner?
    private let timestamp: ExpressionRunner?
    private let headers: [ExpressionRunner]
    /// Keep the programs of all alive.
    private let expressions: [CompiledExpression]
    private var scratch = EvaluationScratch()

    /// `zone` is the format's: a key or header made from a timestamp is written in it.
    init(_ plan: RecordPlan, layouts: [RowLayout], zone: TimeZoneRules, zones: TimeZones) {
        let key = plan.key.map {
            CompiledExpression(RecordFramer.asText($0), layouts: layouts, zone: zone, zones: zones)
        }
        let timestamp = plan.timestamp.map { CompiledExpression($0, layouts: layouts, zone: zone, zones: zones) }
        let headers = plan.headers.map {
            CompiledExpression(RecordFramer.asText($0.value), layouts: layouts, zone: zone, zones: zones)
        }
        expressions = [key, timestamp].compactMap { $0 } + headers
        self.headers = headers.map(\.runner)
        self.key = key?.runner
        self.timestamp = timestamp?.runner
    }

    private static func asText(_ value: Expression<ColumnSlot>) -> Expression<ColumnSlot> {
        if value.type == .string { return value }
        return Expression(.cast(value), type: .string, isNullable: true, at: value.position)
    }

    /// Says that the row that `output` ends with is whole.
    mutating func finishRow(left: UnsafeRawPointer?, right: UnsafeRawPointer?, in output: inout OutputBuffers) {
        let rows = unsafe RowPair(left: left, right: right)
        var record = OutputRecord(
            end: output.text.count - 1, keyEnd: output.keys.count, keyByteCount: -1, timestampMillis: .min)
        if let key {
            let value = key.evaluate(rows, &scratch)
            if !value.isNull {
                unsafe output.keys.append(value.bytes)
                record.keyByteCount = output.keys.count - record.keyEnd
                record.keyEnd = output.keys.count
            }
        }
        if !headers.isEmpty {
            for header in headers { append(header.evaluate(rows, &scratch), to: &output.keys) }
        }
        if let timestamp {
            let value = timestamp.evaluate(rows, &scratch)
            if !value.isNull { record.timestampMillis = value.integer.flooredQuotient(by: 1000) }
        }
        unsafe withUnsafeBytes(of: record) { unsafe output.records.append($0) }
    }

    /// A header's value: its byte count (Int32, -1 for null) and its bytes.
    private func append(_ value: Register, to keys: inout ByteBuffer) {
        var count = Int32(-1)
        if !value.isNull { count = unsafe Int32(value.bytes.count) }
        unsafe withUnsafeBytes(of: &count) { unsafe keys.append($0) }
        if !value.isNull { unsafe keys.append(value.bytes) }
    }
}
