// Computed columns: what is worked out of a row as soon as it is decoded, before the watermark looks at it, and then
// stands in the row like any other column.

internal import SluicePlan
internal import SluiceSpec

struct ColumnComputer: ~Copyable {
    private struct Column {
        let slot: Int
        let type: DataType
        let runner: ExpressionRunner
    }

    private let columns: [Column]
    /// Keep the programs alive.
    private let expressions: [CompiledExpression]
    private let side: Int
    private var builder: RowBuilder
    private var text = ByteBuffer()

    /// Of input `number` of a plan. The source's zone is that of its calendar, and of its text without a zone.
    init(_ physical: PhysicalPlan, _ number: Int, zone: TimeZoneRules, zones: TimeZones) {
        let input = physical.inputs[number]
        let layout = RowLayout(columns: input.columns)
        isEmpty = input.computed.isEmpty
        side = physical.side(ofInput: number).rawValue
        builder = RowBuilder(layout: layout)
        expressions = input.computed.map {
            CompiledExpression($0.expression, layouts: [layout, layout], zone: zone, calendarZone: zone, zones: zones)
        }
        columns = zip(input.computed, expressions).map { column, expression in
            Column(slot: column.slot, type: input.columns[column.slot].type, runner: expression.runner)
        }
    }

    let isEmpty: Bool

    /// Sets the computed columns of the only row in `arena`; returns its new byte count.
    mutating func compute(_ arena: inout ByteBuffer, _ scratch: inout EvaluationScratch) -> Int {
        builder.reopen(at: 0)
        for column in columns {
            let rows = unsafe RowPair(UnsafeRawPointer(arena.base), ofInput: side)
            let value = column.runner.evaluate(rows, &scratch)
            guard !value.isNull else { continue }
            switch column.type {
            case .string, .json:
                // The value may be bytes of the row itself, which moves when it grows.
                text.removeAll()
                unsafe text.append(value.bytes)
                unsafe builder.set(column.slot, bytes: text.bytes, in: &arena)
            case .decimal: builder.set(column.slot, decimal: value.decimal, in: &arena)
            default: builder.set(column.slot, bits: value.low, in: &arena)
            }
        }
        return builder.finish(&arena)
    }
}
