// What a Kafka record has beside its value: where the value ends (a row of CSV may hold line ends), its key and its
// timestamp. One per worker and encoding, beside the `RowEncoder` that writes the value.

internal import SluicePlan
internal import SluiceSpec

@safe struct RecordFramer: ~Copyable {
    private let key: CompiledExpression?
    private let timestamp: CompiledExpression?
    private var scratch = EvaluationScratch()

    /// `zone` is the format's: a key made from a timestamp is written in it.
    init(_ plan: RecordPlan, layouts: [RowLayout], zone: TimeZoneRules, zones: TimeZones) {
        func compiled(_ expression: Expression<ColumnSlot>?) -> CompiledExpression? {
            expression.map { CompiledExpression($0, layouts: layouts, zone: zone, zones: zones) }
        }
        key = compiled(plan.key.map(RecordFramer.asText))
        timestamp = compiled(plan.timestamp)
    }

    private static func asText(_ key: Expression<ColumnSlot>) -> Expression<ColumnSlot> {
        if key.type == .string { return key }
        return Expression(.cast(key), type: .string, isNullable: true, at: key.position)
    }

    /// Says that the row that `output` ends with is whole.
    mutating func finishRow(left: UnsafeRawPointer?, right: UnsafeRawPointer?, in output: OutputBytes) {
        let rows = unsafe RowPair(left: left, right: right)
        var record = OutputRecord(
            end: output.buffer.count - 1, keyEnd: output.keys.count, keyByteCount: -1, timestampMillis: .min)
        if let key {
            let value = key.evaluate(rows, &scratch)
            if !value.isNull {
                unsafe output.keys.append(value.bytes)
                record.keyByteCount = output.keys.count - record.keyEnd
                record.keyEnd = output.keys.count
            }
        }
        if let timestamp {
            let value = timestamp.evaluate(rows, &scratch)
            if !value.isNull { record.timestampMillis = value.integer.flooredQuotient(by: 1000) }
        }
        unsafe withUnsafeBytes(of: record) { unsafe output.records.append($0) }
    }
}
