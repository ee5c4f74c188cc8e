// Computed columns: what is worked out of a row as soon as it is decoded, before the watermark looks at it, and then
// stands in the row like any other column. The place of the row's record, where a plan keeps it, is one of them.

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
    private var places: PlaceWriter
    private var builder: RowBuilder
    private var text = ByteBuffer()

    /// Of input `number` of a plan. The source's zone is that of its calendar, and of its text without a zone.
    init(_ physical: PhysicalPlan, _ number: Int, zone: TimeZoneRules, zones: TimeZones) {
        let input = physical.inputs[number]
        let layout = RowLayout(columns: input.columns)
        places = PlaceWriter(input, part: physical.partNumber(ofInput: number))
        isEmpty = input.computed.isEmpty && !input.keepsPlaces
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

    /// Starts on a chunk.
    mutating func begin(_ chunk: borrowing InputChunk) { if !places.isEmpty { places.begin(chunk.origin) } }

    /// Sets the computed columns of the only row in `arena`; returns its new byte count.
    /// - Parameter place: of its record.
    mutating func compute(
        _ arena: inout ByteBuffer, _ place: RecordPlace, _ scratch: inout EvaluationScratch
    ) -> Int {
        builder.reopen(at: 0)
        if !places.isEmpty { places.write(place, builder, into: &arena) }
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

/// Writes the places of records into their rows, see `PlaceColumn`.
struct PlaceWriter {
    private let offset: Int?
    private let partition: Int?
    private let path: Int?
    /// The number of a union's part, above the 32 bits of a partition's.
    private let part: Int64
    /// Of the chunk.
    private var partitionValue: Int64 = 0
    private var firstOffset: Int64 = 0
    private var pathBytes: [UInt8] = []

    init(_ input: InputPlan, part: Int) {
        func slot(_ column: PlaceColumn) -> Int? { input.columns.firstIndex { $0.origin == .place(column) } }
        offset = slot(.offset)
        partition = slot(.partition)
        path = slot(.path)
        self.part = Int64(part) << 32
        isEmpty = !input.keepsPlaces
    }

    /// Whether the plan keeps no places.
    let isEmpty: Bool

    /// Starts on a chunk.
    mutating func begin(_ origin: ChunkOrigin) {
        partitionValue = part | Int64(origin.partition)
        firstOffset = origin.firstOffset
        pathBytes = Array(origin.path.utf8)
    }

    /// Sets the columns of the row that `builder` has open.
    func write(_ place: RecordPlace, _ builder: RowBuilder, into arena: inout ByteBuffer) {
        if let offset {
            builder.set(offset, integer: place.offset ?? (firstOffset + Int64(place.byteOffset)), in: &arena)
        }
        if let partition { builder.set(partition, integer: partitionValue, in: &arena) }
        if let path { unsafe pathBytes.withUnsafeBytes { unsafe builder.set(path, bytes: $0, in: &arena) } }
    }
}
