// What a row looks like in an output format, worked out once per plan: each column with the bytes that stand before its
// value, and where the value comes from.

package import SluicePlan
package import SluiceSpec

/// A column of the output, or an object with the columns after it.
struct EncodedColumn {
    var kind: ValueKind
    var scale: UInt8
    var formatter: UInt16 = 0
    /// Number of the compiled expression; -1: the value is in `slot`.
    var expression: Int32 = -1
    var slot = SlotAddress.none
    var prefixOffset: UInt32 = 0
    var prefixByteCount: UInt32 = 0
    /// Of an object: the number of the first column behind its fields. 0: it is no object.
    var fieldsEnd: UInt32 = 0

    init(kind: ValueKind, scale: UInt8) {
        self.kind = kind
        self.scale = scale
    }

    /// Whether the prefix ends with the quote that opens the value.
    var isQuoted: Bool { kind == .string || kind == .timestamp || kind == .date }
}

/// Gathers the columns of an output.
struct EncodedColumns {
    let layouts: [RowLayout]
    let zone: TimeZoneRules
    let zones: TimeZones
    private(set) var columns: [EncodedColumn] = []
    /// Padded for the encoder, which copies them in pieces of `prefixPadding`.
    private(set) var prefixes: [UInt8] = []
    private(set) var expressions: [CompiledExpression] = []
    private(set) var formatterCount: UInt16 = 0

    init(layouts: [RowLayout], zone: TimeZoneRules, zones: TimeZones) {
        self.layouts = layouts
        self.zone = zone
        self.zones = zones
    }

    /// Adds columns that stand in the same `depth` objects, and the objects in those.
    mutating func add(_ outputs: ArraySlice<OutputColumn>, in depth: Int, _ format: EncodedFormat) {
        var rest = outputs
        while let output = rest.first {
            guard depth < output.objects.count else {
                add(output, format)
                rest.removeFirst()
                continue
            }
            let fields = rest.prefix { $0.objects.count > depth && $0.objects[depth] == output.objects[depth] }
            let object = columns.count
            let prefix = format.prefix(of: output.objects[depth], at: object, isQuoted: false)
            append(EncodedColumn(kind: .null, scale: 0), prefix)
            add(fields, in: depth + 1, format)
            columns[object].fieldsEnd = UInt32(columns.count)
            rest = rest[fields.endIndex...]
        }
    }

    private mutating func add(_ output: OutputColumn, _ format: EncodedFormat) {
        let column = makeColumn(output)
        append(column, format.prefix(of: output.name, at: columns.count, isQuoted: column.isQuoted))
    }

    /// Adds the fields of a schema, in its order; what stands behind the last is a column without a value.
    mutating func add(_ writing: AvroWriting, of outputs: [OutputColumn], isFramed: Bool) {
        let number = [UInt8](repeating: 0, count: isFramed ? ConfluentFraming.byteCount : 0)
        for field in writing.fields {
            append(makeColumn(outputs[field.column]), (columns.isEmpty ? number : []) + field.before)
        }
        let end = (columns.isEmpty ? number : []) + writing.end
        if !end.isEmpty { append(EncodedColumn(kind: .null, scale: 0), end) }
    }

    private mutating func makeColumn(_ output: OutputColumn) -> EncodedColumn {
        let type = output.expression.type
        var column = EncodedColumn(kind: type == .json ? .json : ValueKind(type), scale: type.scale)
        // The loop over columns knows no bytes that are no text: a part of a record comes as a computed value.
        if case .column(let slot) = output.expression.kind, type != .json {
            column.slot = SlotAddress(slot, layout: layouts[slot.input])
        } else {
            column.expression = Int32(expressions.count)
            expressions.append(CompiledExpression(output.expression, layouts: layouts, zone: zone, zones: zones))
        }
        if case .timestamp = type {
            column.formatter = formatterCount
            formatterCount += 1
        }
        return column
    }

    private mutating func append(_ column: EncodedColumn, _ prefix: [UInt8]) {
        var column = column
        column.prefixOffset = UInt32(prefixes.count)
        column.prefixByteCount = UInt32(prefix.count)
        prefixes += prefix + [UInt8](repeating: 0, count: prefixPadding - prefix.count % prefixPadding)
        columns.append(column)
    }
}

/// What a format means for every column.
extension OutputPlan {
    /// The line of column names that output in a format begins with, `\n` included; empty when it has none.
    package func csvHeader(_ format: OutputFormat) -> [UInt8] {
        EncodedFormat(format, isNested: false).header(columns.map(\.name))
    }
}

enum EncodedFormat {
    /// Nested where a column is an object or JSON already.
    case json(writesNulls: Bool, isNested: Bool)
    case csv(separator: UInt8, writesHeader: Bool)
    case avro

    init(_ format: OutputFormat, isNested: Bool) {
        switch format {
        case .json(_, let writesNulls): self = .json(writesNulls: writesNulls, isNested: isNested)
        case .csv(_, let separator, let writesHeader): self = .csv(separator: separator, writesHeader: writesHeader)
        case .avro: self = .avro
        }
    }

    /// The bytes before the value of column number `index`.
    func prefix(of name: String, at index: Int, isQuoted: Bool) -> [UInt8] {
        switch self {
        case .avro: return []
        case .csv(let separator, _): return index == 0 ? [] : [separator]
        case .json:
            let name = Array(name.utf8)
            var escaped = ByteBuffer(capacity: jsonTextRoom(name.count))
            let count = unsafe name.withUnsafeBytes { unsafe writeJSONText($0, to: escaped.base) }
            escaped.advance(by: count)
            return Array(",\"".utf8) + escaped.array() + Array((isQuoted ? "\":\"" : "\":").utf8)
        }
    }

    /// The line of names, `\n` included; empty when there is none.
    func header(_ names: [String]) -> [UInt8] {
        guard case .csv(let separator, true) = self else { return [] }
        var line = ByteBuffer()
        for (index, name) in names.enumerated() {
            if index > 0 { line.append(separator) }
            let name = Array(name.utf8)
            unsafe name.withUnsafeBytes {
                unsafe appendCSVText($0, separator: separator, isFirst: index == 0, to: &line)
            }
        }
        line.append(UInt8(ascii: "\n"))
        return line.array()
    }
}
