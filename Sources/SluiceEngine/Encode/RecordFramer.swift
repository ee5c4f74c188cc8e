// What a Kafka record has beside its value: where the value ends (a row of CSV may hold line ends), its key and its
// timestamp. One per worker and encoding, beside the `RowEncoder` that writes the value.

internal import SluicePlan
internal import SluiceSpec

@safe struct RecordFramer: ~Copyable {
    private let key: ExpressionRunner?
    private let timestamp: ExpressionRunner?
    /// Keep the programs of the two alive.
    private let expressions: [CompiledExpression]
    private var scratch = EvaluationScratch()

    /// `zone` is the format's: a key made from a timestamp is written in it.
    init(_ plan: RecordPlan, layouts: [RowLayout], zone: TimeZoneRules, zones: TimeZones) {
        let key = plan.key.map {
            CompiledExpression(RecordFramer.asText($0), layouts: layouts, zone: zone, zones: zones)
        }
        let timestamp = plan.timestamp.map { CompiledExpression($0, layouts: layouts, zone: zone, zones: zones) }
        expressions = [key, timestamp].compactMap { $0 }
        self.key = key?.runner
        self.timestamp = timestamp?.runner
    }

    private static func asText(_ key: Expression<ColumnSlot>) -> Expression<ColumnSlot> {
        if key.type == .string { return key }
        return Expression(.cast(key), type: .string, isNullable: true, at: key.position)
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
        if let timestamp {
            let value = timestamp.evaluate(rows, &scratch)
            if !value.isNull { record.timestampMillis = value.integer.flooredQuotient(by: 1000) }
        }
        unsafe withUnsafeBytes(of: record) { unsafe output.records.append($0) }
    }
}
