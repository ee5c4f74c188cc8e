// Output rows as bytes: one row, one line, or in Avro (RowEncoder+Avro.swift) one datum and a byte that stands in place
// of the line's end. What a row looks like is worked out once per plan: each column has the bytes that stand before its
// value, and either the slot its value comes from or a compiled expression.
//
// Every field of a JSON row is written with a comma before its name; the comma of the first one then becomes the
// opening brace. So nothing asks, field by field, whether it is the first that is not null.

internal import Glibc
internal import SluicePlan
internal import SluiceSpec

/// Encodes the rows of one output in one format. One per worker and format: it holds scratch memory and caches.
@safe struct RowEncoder: ~Copyable {
    /// The line of column names that a CSV file begins with, `\n` included; empty when the format has none.
    let header: [UInt8]
    private let format: EncodedFormat
    let columns: UnsafeMutablePointer<EncodedColumn>
    let columnCount: Int
    /// Of Avro, what becomes of each column's value.
    let values: UnsafeMutablePointer<AvroValueCode>
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
        self.format = EncodedFormat(
            format, isNested: output.columns.contains { $0.expression.type == .json || !$0.objects.isEmpty })
        var builder = EncodedColumns(layouts: layouts, zone: zone, zones: zones)
        var values: [AvroValueCode] = []
        if case .avro(let avro) = format, let schema = avro.schema {
            let writing = Self.writing(output, schema)
            builder.add(writing, of: output.columns, isFramed: avro.registry != nil)
            values = writing.fields.map { AvroValueCode($0) }
        } else {
            builder.add(output.columns[...], in: 0, self.format)
        }
        unsafe self.values = .allocate(capacity: max(1, values.count))
        for (index, value) in values.enumerated() { unsafe self.values[index] = value }
        let columns = builder.columns
        let prefixes = builder.prefixes
        var expressions = builder.expressions
        filter = output.filter == nil ? -1 : expressions.count
        if let filter = output.filter {
            expressions.append(CompiledExpression(filter, layouts: layouts, zone: zone, zones: zones))
        }
        self.expressions = expressions
        unsafe runners = .allocate(capacity: max(1, expressions.count))
        for (index, expression) in expressions.enumerated() { unsafe runners[index] = expression.runner }
        header = self.format.header(output.columns.map(\.name))
        columnCount = columns.count
        formatterCount = Int(builder.formatterCount)
        unsafe self.columns = .allocate(capacity: max(1, columns.count))
        for (index, column) in columns.enumerated() { unsafe self.columns[index] = column }
        unsafe self.prefixes = .allocate(byteCount: max(1, prefixes.count), alignment: 16)
        for (index, byte) in prefixes.enumerated() {
            unsafe self.prefixes.storeBytes(of: byte, toByteOffset: index, as: UInt8.self)
        }
        unsafe formatters = .allocate(capacity: max(1, formatterCount))
        unsafe formatters.initialize(repeating: TimestampFormatter(rules: zone), count: formatterCount)
    }

    deinit {
        unsafe columns.deallocate()
        unsafe values.deallocate()
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
        case .json(let writesNulls, isNested: false): encodeJSON(rows, writesNulls: writesNulls, into: &output)
        case .json(let writesNulls, isNested: true):
            encodeObject(rows, 0..<columnCount, writesNulls: writesNulls, into: &output)
            output.append(UInt8(ascii: "\n"))
        case .csv(let separator, _): encodeCSV(rows, separator: separator, into: &output)
        case .avro: encodeAvro(rows, into: &output)
        }
    }

    @inline(__always)
    mutating func value(_ column: UnsafePointer<EncodedColumn>, _ rows: RowPair) -> Register {
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
        let start = output.count
        for index in 0..<columnCount {
            unsafe encodeField(UnsafePointer(columns + index), rows, writesNulls: writesNulls, into: &output)
        }
        openAndClose(from: start, in: &output)
        unsafe output.base.storeBytes(of: UInt8(ascii: "\n"), toByteOffset: output.count, as: UInt8.self)
        output.advance(by: 1)
    }

    /// As `encodeJSON`, without the line's end, of columns some of which are objects or JSON already. Compiled apart,
    /// so that other rows do not pay. An object whose fields are all left out is `{}`, as Spark writes a struct.
    @inline(never)
    private mutating func encodeObject(
        _ rows: RowPair, _ fields: Range<Int>, writesNulls: Bool, into output: inout ByteBuffer
    ) {
        let start = output.count
        var index = fields.lowerBound
        while index < fields.upperBound {
            let column = unsafe UnsafePointer(columns + index)
            index += 1
            if unsafe column.pointee.fieldsEnd > 0 {
                unsafe appendPrefix(column, room: 0, to: &output)
                let end = unsafe Int(column.pointee.fieldsEnd)
                encodeObject(rows, index..<end, writesNulls: writesNulls, into: &output)
                index = end
            } else if unsafe column.pointee.kind == .json {
                unsafe encodePart(column, rows, writesNulls: writesNulls, into: &output)
            } else {
                unsafe encodeField(column, rows, writesNulls: writesNulls, into: &output)
            }
        }
        openAndClose(from: start, in: &output)
    }

    /// A value that is JSON as it is.
    private mutating func encodePart(
        _ column: UnsafePointer<EncodedColumn>, _ rows: RowPair, writesNulls: Bool, into output: inout ByteBuffer
    ) {
        let value = unsafe value(column, rows)
        if value.isNull {
            if writesNulls { unsafe appendNull(column, to: &output) }
            return
        }
        unsafe appendPrefix(column, room: value.bytes.count, to: &output)
        unsafe output.append(value.bytes)
    }

    /// Makes an object of the fields from `start` on: the comma before the first of them becomes its opening brace.
    /// Keeps room for a byte more.
    @inline(__always)
    private func openAndClose(from start: Int, in output: inout ByteBuffer) {
        output.reserve(4)
        if output.count == start { output.advance(by: 1) }
        unsafe output.base.storeBytes(of: UInt8(ascii: "{"), toByteOffset: start, as: UInt8.self)
        unsafe output.base.storeBytes(of: UInt8(ascii: "}"), toByteOffset: output.count, as: UInt8.self)
        output.advance(by: 1)
    }

    @inline(__always)
    private mutating func encodeField(
        _ column: UnsafePointer<EncodedColumn>, _ rows: RowPair, writesNulls: Bool, into output: inout ByteBuffer
    ) {
        let value = unsafe value(column, rows)
        if value.isNull {
            if writesNulls { unsafe appendNull(column, to: &output) }
            return
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
    func appendPrefix(_ column: UnsafePointer<EncodedColumn>, room: Int, to output: inout ByteBuffer) {
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
let prefixPadding = 32
/// More than any value takes that is no string, with the room its writer asks for.
let fixedValueRoom = 160
