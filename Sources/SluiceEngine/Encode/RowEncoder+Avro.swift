// Output rows in Avro: the fields of the schema in its order, each behind the bytes that the plan has worked out for it
// (`AvroWriting`). Source: Apache Avro 1.12.0 Specification, "Binary encoding".

internal import SluicePlan
internal import SluiceSpec

/// What becomes of a column's value.
struct AvroValueCode {
    var value: AvroWriting.Value
    /// What takes the place of the last byte before the value where that is null; negative: it never is.
    var nullBranch: Int16

    init(_ field: AvroWriting.Field) {
        value = field.value
        nullBranch = field.nullBranch.map { Int16($0) } ?? -1
    }
}

extension RowEncoder {
    /// How an output is written by its schema. The plan has been checked.
    static func writing(_ output: OutputPlan, _ schema: SchemaText) -> AvroWriting {
        do throws(AvroWritingProblem) { return try AvroSchema(planned: schema).writing(output.written) } catch {
            preconditionFailure("what a plan puts out fits its schema: \(error.message)")
        }
    }

    /// Appends a datum, and a byte in the place of a line's end.
    @inline(never)
    mutating func encodeAvro(_ rows: RowPair, into output: inout ByteBuffer) {
        for index in 0..<columnCount {
            let column = unsafe UnsafePointer(columns + index)
            unsafe appendPrefix(column, room: fixedValueRoom, to: &output)
            // Only bytes, behind the last value.
            if unsafe column.pointee.kind == .null, unsafe column.pointee.expression < 0 { continue }
            let code = unsafe values[index]
            let value = unsafe value(column, rows)
            if value.isNull {
                guard code.nullBranch >= 0 else { preconditionFailure("a value is null that never is") }
                unsafe output.base.storeBytes(
                    of: UInt8(code.nullBranch), toByteOffset: output.count &- 1, as: UInt8.self)
                continue
            }
            switch code.value {
            case .integer: append(zigzag: value.integer, to: &output)
            case .text:
                let text = unsafe value.bytes
                append(zigzag: Int64(text.count), to: &output)
                unsafe output.append(text)
            case .double:
                unsafe (output.base + output.count).storeBytes(
                    of: value.double.bitPattern.littleEndian, as: UInt64.self)
                output.advance(by: 8)
            case .boolean: output.append(value.low != 0 ? 1 : 0)
            case .milliseconds: append(zigzag: value.integer.flooredQuotient(by: 1000), to: &output)
            case .decimalBytes: append(value.decimal, byteCount: nil, to: &output)
            case .decimalFixed(let byteCount): append(value.decimal, byteCount: byteCount, to: &output)
            }
        }
        output.append(UInt8(ascii: "\n"))
    }

    /// Appends a number in groups of seven bits, for which room has been reserved.
    @inline(__always)
    private func append(zigzag value: Int64, to output: inout ByteBuffer) {
        var rest = zigzag(value)
        let place = unsafe output.base + output.count
        var count = 0
        while rest >= 0x80 {
            unsafe place.storeBytes(
                of: UInt8(truncatingIfNeeded: rest) | 0x80, toByteOffset: count, as: UInt8.self)
            rest &>>= 7
            count &+= 1
        }
        unsafe place.storeBytes(of: UInt8(truncatingIfNeeded: rest), toByteOffset: count, as: UInt8.self)
        output.advance(by: count &+ 1)
    }

    /// Appends a decimal's digits in two's complement, the highest byte first.
    ///
    /// - Parameter byteCount: nil for as few bytes as hold it, behind their count.
    private func append(_ digits: Int128, byteCount: Int?, to output: inout ByteBuffer) {
        let significant = 128 - (digits < 0 ? ~digits : digits).leadingZeroBitCount
        let count = byteCount ?? significant / 8 + 1
        output.reserve(count + fixedValueRoom)
        if byteCount == nil { append(zigzag: Int64(count), to: &output) }
        for byte in (0..<count).reversed() {
            let shifted = byte < 16 ? digits >> Int128(byte * 8) : digits < 0 ? -1 : 0
            output.append(UInt8(truncatingIfNeeded: shifted))
        }
    }
}
