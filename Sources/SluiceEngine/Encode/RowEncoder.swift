// Output rows as text: one row, one line. What a row looks like is worked out once per plan: each column has the bytes
// that stand before its value, and either the slot its value comes from or a compiled expression.
//
// Every field of a JSON row is written with a comma before its name; the comma of the first one then becomes the
// opening brace. So nothing asks, field by field, whether it is the first that is not null.

internal import Glibc
package import SluicePlan
package import SluiceSpec

/// Encodes the rows of one output in one format. One per worker and format: it holds scratch memory and caches.
@safe struct RowEncoder: ~Copyable {
    /// The line of column names that a CSV file begins with, `\n` included; empty when the format has none.
    let header: [UInt8]
    private let format: Format
    private let columns: UnsafeMutablePointer<EncodedColumn>
    private let columnCount: Int
    /// What stands before values: `,"name":` with the quote that opens the value, if there is one. Padded for `write`.
    private let prefixes: UnsafeMutableRawPointer
    /// One per timestamp column: each keeps the day it is in.
    private let formatters: UnsafeMutablePointer<TimestampFormatter>
    private let formatterCount: Int
    private let expressions: [CompiledExpression]
    /// Those of `expressions`, which keep them alive.
    private let runners: UnsafeMutablePointer<ExpressionRunner>
    /// The filter's number among the expressions; -1: there is none.
    private let filter: Int
    private var scratch = EvaluationScratch()

    /// `layouts` are those of the rows that `encode` gets, left then right. `zones` knows the format's zone (the spec
    /// has been checked); an unknown one counts as UTC.
    init(output: OutputPlan, format: OutputFormat, layouts: [RowLayout], zones: TimeZones) {
        var zones = zones
        let zone = zones.rules(named: format.timeZone) ?? .utc
        self.format = Format(format, hasParts: output.columns.contains { $0.expression.type == .json })
        var columns: [EncodedColumn] = []
        var prefixes: [UInt8] = []
        var expressions: [CompiledExpression] = []
        var formatterCount: UInt16 = 0
        for (index, output) in output.columns.enumerated() {
            let type = output.expression.type
            var column = EncodedColumn(kind: type == .json ? .json : ValueKind(type), scale: type.scale)
            // The loop over columns knows no bytes that are no text: a part of a record comes as a computed value.
            if case .column(let slot) = output.expression.kind, type != .json {
                column.slot = SlotAddress(slot, layout: layouts[slot.input])
            } else {
                column.expression = Int32(expressions.count)
                expressions.append(
                    CompiledExpression(output.expression, layouts: layouts, zone: zone, zones: zones))
            }
            if case .timestamp = type {
                column.formatter = formatterCount
                formatterCount += 1
            }
            let prefix = self.format.prefix(of: output.name, at: index, isQuoted: column.isQuoted)
            column.prefixOffset = UInt32(prefixes.count)
            column.prefixByteCount = UInt32(prefix.count)
            prefixes += prefix + [UInt8](repeating: 0, count: prefixPadding - prefix.count % prefixPadding)
            columns.append(column)
        }
        filter = output.filter == nil ? -1 : expressions.count
        if let filter = output.filter {
            expressions.append(CompiledExpression(filter, layouts: layouts, zone: zone, zones: zones))
        }
        self.expressions = expressions
        unsafe runners = .allocate(capacity: max(1, expressions.count))
        for (index, expression) in expressions.enumerated() { unsafe runners[index] = expression.runner }
        header = self.format.header(output.columns.map(\.name))
        columnCount = columns.count
        self.formatterCount = Int(formatterCount)
        unsafe self.columns = .allocate(capacity: max(1, columns.count))
        for (index, column) in columns.enumerated() { unsafe self.columns[index] = column }
        unsafe self.prefixes = .allocate(byteCount: max(1, prefixes.count), alignment: 16)
        for (index, byte) in prefixes.enumerated() {
            unsafe self.prefixes.storeBytes(of: byte, toByteOffset: index, as: UInt8.self)
        }
        unsafe formatters = .allocate(capacity: max(1, self.formatterCount))
        unsafe formatters.initialize(repeating: TimestampFormatter(rules: zone), count: self.formatterCount)
    }

    deinit {
        unsafe columns.deallocate()
        unsafe prefixes.deallocate()
        unsafe runners.deallocate()
        unsafe formatters.deinitialize(count: formatterCount)
        unsafe formatters.deallocate()
    }

    /// Whether the output's filter lets the row out. Ask it once when a row goes to several formats.
    @inline(__always)
    mutating func accepts(left: UnsafeRawPointer?, right: UnsafeRawPointer?) -> Bool {
        if filter < 0 { return true }
        return unsafe runners[filter].isTrue(RowPair(left: left, right: right), &scratch)
    }

    /// Appends one row and `\n`; false, and nothing appended, when the output's filter drops it.
    @inline(__always)
    mutating func encode(left: UnsafeRawPointer?, right: UnsafeRawPointer?, into output: inout ByteBuffer) -> Bool {
        guard unsafe accepts(left: left, right: right) else { return false }
        unsafe encodeAccepted(left: left, right: right, into: &output)
        return true
    }

    /// Appends one row and `\n` without asking the filter.
    @inline(__always)
    mutating func encodeAccepted(left: UnsafeRawPointer?, right: UnsafeRawPointer?, into output: inout ByteBuffer) {
        let rows = unsafe RowPair(left: left, right: right)
        switch format {
        case .json(let writesNulls, hasParts: false): encodeJSON(rows, writesNulls: writesNulls, into: &output)
        case .json(let writesNulls, hasParts: true): encodeJSONOfParts(rows, writesNulls: writesNulls, into: &output)
        case .csv(let separator, _): encodeCSV(rows, separator: separator, into: &output)
        }
    }

    @inline(__always)
    private mutating func value(_ column: UnsafePointer<EncodedColumn>, _ rows: RowPair) -> Register {
        if unsafe column.pointee.expression >= 0 { return unsafe computed(column, rows) }
        let row = unsafe column.pointee.slot.row(in: rows)
        guard let row = unsafe row else { return .null }
        switch unsafe column.pointee.kind {
        case .string: return unsafe Register(bytes: column.pointee.slot.bytes(row))
        case .decimal: return unsafe Register(decimal: column.pointee.slot.bytes(row).loadUnaligned(as: Int128.self))
        default: return unsafe Register(bits: column.pointee.slot.bits(row))
        }
    }

    @inline(never)
    private mutating func computed(_ column: UnsafePointer<EncodedColumn>, _ rows: RowPair) -> Register {
        unsafe runners[Int(column.pointee.expression)].evaluate(rows, &scratch)
    }

    private mutating func encodeJSON(_ rows: RowPair, writesNulls: Bool, into output: inout ByteBuffer) {
        encodeFields(rows, hasParts: false, writesNulls: writesNulls, into: &output)
    }

    /// As `encodeJSON`, of an output with columns that are JSON already. Compiled apart, so that other rows do not pay.
    @inline(never)
    private mutating func encodeJSONOfParts(_ rows: RowPair, writesNulls: Bool, into output: inout ByteBuffer) {
        encodeFields(rows, hasParts: true, writesNulls: writesNulls, into: &output)
    }

    @inline(__always)
    private mutating func encodeFields(
        _ rows: RowPair, hasParts: Bool, writesNulls: Bool, into output: inout ByteBuffer
    ) {
        let start = output.count
        for index in 0..<columnCount {
            let column = unsafe UnsafePointer(columns + index)
            let value = unsafe value(column, rows)
            if value.isNull {
                if writesNulls { unsafe appendNull(column, to: &output) }
                continue
            }
            if hasParts, unsafe column.pointee.kind == .json {
                unsafe appendPrefix(column, room: value.bytes.count, to: &output)
                unsafe output.append(value.bytes)
                continue
            }
            switch unsafe column.pointee.kind {
            case .string:
                let text = unsafe value.bytes
                unsafe appendPrefix(column, room: jsonTextRoom(text.count) &+ 1, to: &output)
                let place = unsafe output.base + output.count
                let count = unsafe writeJSONText(text, to: place)
                unsafe place.storeBytes(of: UInt8(ascii: "\""), toByteOffset: count, as: UInt8.self)
                output.advance(by: count &+ 1)
            case .timestamp:
                unsafe appendPrefix(column, room: fixedValueRoom, to: &output)
                unsafe formatters[Int(column.pointee.formatter)].append(value.integer, to: &output)
                output.append(UInt8(ascii: "\""))
            case .date:
                unsafe appendPrefix(column, room: fixedValueRoom, to: &output)
                formatDate(value.integer, into: &output)
                output.append(UInt8(ascii: "\""))
            case .double where !value.double.isFinite:
                unsafe appendPrefix(column, room: fixedValueRoom, to: &output)
                output.append(UInt8(ascii: "\""))
                unsafe appendPlain(value, column, to: &output)
                output.append(UInt8(ascii: "\""))
            default:
                unsafe appendPrefix(column, room: fixedValueRoom, to: &output)
                unsafe appendPlain(value, column, to: &output)
            }
        }
        output.reserve(4)
        if output.count == start { output.advance(by: 1) }
        unsafe output.base.storeBytes(of: UInt8(ascii: "{"), toByteOffset: start, as: UInt8.self)
        unsafe output.base.storeBytes(of: 0x0A7D, toByteOffset: output.count, as: UInt16.self)
        output.advance(by: 2)
    }

    private mutating func encodeCSV(_ rows: RowPair, separator: UInt8, into output: inout ByteBuffer) {
        for index in 0..<columnCount {
            let column = unsafe UnsafePointer(columns + index)
            let value = unsafe value(column, rows)
            unsafe appendPrefix(column, room: fixedValueRoom, to: &output)
            if value.isNull { continue }
            if unsafe column.pointee.kind == .string || column.pointee.kind == .json {
                unsafe appendCSVText(value.bytes, separator: separator, isFirst: index == 0, to: &output)
                continue
            }
            let start = output.count
            switch unsafe column.pointee.kind {
            case .timestamp: unsafe formatters[Int(column.pointee.formatter)].append(value.integer, to: &output)
            case .date: formatDate(value.integer, into: &output)
            default: unsafe appendPlain(value, column, to: &output)
            }
            if mayBeInValues(separator) { quoteIfNeeded(from: start, separator, in: &output) }
        }
        output.append(UInt8(ascii: "\n"))
    }

    /// Separators such as `-` and `:` stand in numbers and times too.
    @inline(never)
    private func quoteIfNeeded(from start: Int, _ separator: UInt8, in output: inout ByteBuffer) {
        let value = unsafe Array(output.bytes[start...])
        guard value.contains(separator) else { return }
        output.truncate(to: start)
        output.append(UInt8(ascii: "\""))
        output.append(contentsOf: value)
        output.append(UInt8(ascii: "\""))
    }

    /// Appends what stands before the column's value, with `room` more bytes reserved.
    @inline(__always)
    private func appendPrefix(_ column: UnsafePointer<EncodedColumn>, room: Int, to output: inout ByteBuffer) {
        let count = unsafe Int(column.pointee.prefixByteCount)
        output.reserve(count &+ prefixPadding &+ room)
        let place = unsafe output.base + output.count
        let prefix = unsafe prefixes + Int(column.pointee.prefixOffset)
        // Names are short: two pieces without asking, the padding is there for it, and a loop for what is longer.
        unsafe place.storeBytes(of: prefix.load(as: SIMD2<UInt64>.self), as: SIMD2<UInt64>.self)
        unsafe place.storeBytes(
            of: prefix.load(fromByteOffset: 16, as: SIMD2<UInt64>.self), toByteOffset: 16, as: SIMD2<UInt64>.self)
        if count > prefixPadding {
            unsafe (place + prefixPadding).copyMemory(from: prefix + prefixPadding, byteCount: count &- prefixPadding)
        }
        output.advance(by: count)
    }

    private func appendNull(_ column: UnsafePointer<EncodedColumn>, to output: inout ByteBuffer) {
        unsafe appendPrefix(column, room: fixedValueRoom, to: &output)
        if unsafe column.pointee.isQuoted { output.truncate(to: output.count - 1) }
        output.append("null")
    }

    /// Appends a number or boolean, for which room has been reserved.
    @inline(__always)
    private func appendPlain(_ value: Register, _ column: UnsafePointer<EncodedColumn>, to output: inout ByteBuffer) {
        output.reserve(fixedValueRoom)
        let place = unsafe output.base + output.count
        let count: Int
        switch unsafe column.pointee.kind {
        case .int, .long, .duration: unsafe count = writeInteger(value.integer, to: place)
        case .boolean: unsafe count = writeBoolean(value.low != 0, to: place)
        case .double: unsafe count = writeDouble(value.double, to: place)
        case .decimal: unsafe count = writeJavaDecimal(value.decimal, scale: Int(column.pointee.scale), to: place)
        case .string, .timestamp, .date, .null, .json: count = 0
        }
        output.advance(by: count)
    }
}

/// Prefixes are padded to multiples of so many bytes, the first of which are copied without a look at the length.
private let prefixPadding = 32
/// More than any value takes that is no string, with the room its writer asks for.
private let fixedValueRoom = 160

private struct EncodedColumn {
    var kind: ValueKind
    var scale: UInt8
    var formatter: UInt16 = 0
    /// Number of the compiled expression; -1: the value is in `slot`.
    var expression: Int32 = -1
    var slot = SlotAddress.none
    var prefixOffset: UInt32 = 0
    var prefixByteCount: UInt32 = 0

    init(kind: ValueKind, scale: UInt8) {
        self.kind = kind
        self.scale = scale
    }

    /// Whether the prefix ends with the quote that opens the value.
    var isQuoted: Bool { kind == .string || kind == .timestamp || kind == .date }
}

/// What a format means for every column.
extension OutputPlan {
    /// The line of column names that output in a format begins with, `\n` included; empty when it has none.
    package func csvHeader(_ format: OutputFormat) -> [UInt8] { Format(format).header(columns.map(\.name)) }
}

private enum Format {
    /// With parts where a column is JSON already.
    case json(writesNulls: Bool, hasParts: Bool)
    case csv(separator: UInt8, writesHeader: Bool)

    init(_ format: OutputFormat, hasParts: Bool = false) {
        switch format {
        case .json(_, let writesNulls): self = .json(writesNulls: writesNulls, hasParts: hasParts)
        case .csv(_, let separator, let writesHeader): self = .csv(separator: separator, writesHeader: writesHeader)
        }
    }

    /// The bytes before the value of column number `index`.
    func prefix(of name: String, at index: Int, isQuoted: Bool) -> [UInt8] {
        switch self {
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
