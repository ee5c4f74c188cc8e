// The row in hand while a record is decoded: its fields, and what a record says beside its text, which goes in first so
// that a text that cannot be read does not take it along.

internal import SluicePlan

struct RowWriter {
    var fields: FieldWriter
    var attributes: RecordAttributes
    /// What is wrong with the record, if its outcome says that something is.
    var fault = RecordFault.malformed

    /// `zones` finds the input's time zone, which must exist, and those that text may name.
    init(_ input: InputPlan, zones: TimeZones) {
        var zones = zones
        guard let rules = zones.rules(named: input.timeZone) else {
            preconditionFailure("the planner let an unknown time zone pass: \(input.timeZone)")
        }
        attributes = RecordAttributes(input)
        fields = FieldWriter(
            input.columns, timestamps: TimestampReader(rules: rules, zones: zones), zones: zones)
    }

    /// Starts a row with what the record says beside its text.
    @inline(__always)
    mutating func begin(_ arena: inout ByteBuffer) {
        fields.builder.begin(&arena)
        if attributes.hasColumns { attributes.set(&fields, into: &arena) }
    }

    /// A row of what the record says beside its text alone; returns its byte count.
    mutating func rowBesideText(_ arena: inout ByteBuffer) -> Int {
        begin(&arena)
        return fields.builder.finish(&arena)
    }
}
