// Values that have no instruction of their own: decimals, local times, numbers as text, and whatever becomes JSON.

internal import SluiceSpec

extension AvroMachine {
    enum ConversionOutcome {
        case set
        /// The column's type does not hold the value.
        case unfit
        /// The bytes are none.
        case faulty
    }

    /// Reads a value and sets a column; of faulty bytes `fault` says what is wrong.
    @inline(never)
    mutating func convert(
        _ conversion: UnsafePointer<AvroConversion>, _ json: Unmanaged<AvroJSON>, slot: Int, _ row: inout RowWriter,
        into arena: inout ByteBuffer, _ fault: inout AvroFault
    ) -> ConversionOutcome {
        if unsafe conversion.pointee.reading == .json {
            return unsafe setJSON(conversion, json.takeUnretainedValue(), slot, &row, into: &arena, &fault)
        }
        switch unsafe conversion.pointee.source {
        case .number(let kind):
            guard let number = readNumber(kind, isRounded: unsafe conversion.pointee.isRoundedToFloat, &fault) else {
                return .faulty
            }
            let (column, reading) = unsafe (conversion.pointee.column, conversion.pointee.reading)
            return row.fields.set(number, slot, column, NumberReading(reading), in: &arena) ? .set : .unfit
        case .bytes:
            guard let count = byteCount(&fault) else { return .faulty }
            let bytes = unsafe UnsafeRawBufferPointer(start: cursor, count: count)
            unsafe cursor += count
            return unsafe set(bytes, conversion, slot, &row, into: &arena) ? .set : .unfit
        case .fixed(let count):
            guard unsafe end - cursor >= count else {
                fault = .short
                return .faulty
            }
            let bytes = unsafe UnsafeRawBufferPointer(start: cursor, count: count)
            unsafe cursor += count
            return unsafe set(bytes, conversion, slot, &row, into: &arena) ? .set : .unfit
        }
    }

    // MARK: - Numbers

    private mutating func readNumber(
        _ kind: AvroConversion.Number, isRounded: Bool, _ fault: inout AvroFault
    ) -> PlainNumber? {
        var number = PlainNumber.whole(0)
        switch kind {
        case .int, .long:
            guard let value = integer() else {
                fault = .longNumber
                return nil
            }
            if kind == .int, isInside, Int32(exactly: value) == nil {
                fault = .largeNumber
                return nil
            }
            number = isRounded ? .float(Float(value)) : .whole(value)
        case .float:
            let bits = unsafe UInt32(littleEndian: cursor.loadUnaligned(as: UInt32.self))
            unsafe cursor += 4
            number = .float(Float(bitPattern: bits))
        case .double:
            let bits = unsafe UInt64(littleEndian: cursor.loadUnaligned(as: UInt64.self))
            unsafe cursor += 8
            number = .double(Double(bitPattern: bits))
        }
        fault = .short
        return isInside ? number : nil
    }

    // MARK: - Bytes

    private func set(
        _ bytes: UnsafeRawBufferPointer, _ conversion: UnsafePointer<AvroConversion>, _ slot: Int,
        _ row: inout RowWriter, into arena: inout ByteBuffer
    ) -> Bool {
        let column = unsafe conversion.pointee.column
        switch unsafe conversion.pointee.reading {
        case .text:
            guard unsafe isUTF8(bytes) else { return false }
            unsafe row.fields.builder.set(slot, bytes: bytes, in: &arena)
            return true
        case .parsedText:
            return unsafe isUTF8(bytes) && row.fields.setJSONString(slot, column, bytes, in: &arena)
        case .uuid:
            let start = arena.count
            unsafe appendUUID(bytes, to: &arena)
            row.fields.builder.setAppended(slot, from: start, in: &arena)
            return true
        case .unscaled(let scale):
            guard let value = unsafe unscaledInteger(bytes) else { return false }
            let factor = powerOfTen(Int(column.scale) - scale)
            let (product, isOver) = value.multipliedReportingOverflow(by: factor)
            guard !isOver, product.magnitude < UInt128(powerOfTen(Int(column.precision))) else { return false }
            row.fields.builder.set(slot, decimal: product, in: &arena)
            return true
        case .unscaledDouble(let scale):
            guard let value = unsafe unscaledInteger(bytes) else { return false }
            let double = doubleFromDecimal(value, exponent: -scale)
            row.fields.builder.set(slot, bits: double.bitPattern, in: &arena)
            return true
        default: return false
        }
    }

    // MARK: - JSON

    /// A value as JSON, or, in a column of text, without its quotes.
    private mutating func setJSON(
        _ conversion: UnsafePointer<AvroConversion>, _ json: AvroJSON, _ slot: Int, _ row: inout RowWriter,
        into arena: inout ByteBuffer, _ fault: inout AvroFault
    ) -> ConversionOutcome {
        let start = arena.count
        let outcome = unsafe json.append(Int(conversion.pointee.node), of: &self, to: &arena, &fault)
        guard outcome == .set else {
            arena.truncate(to: start)
            return outcome
        }
        let isQuoted = unsafe arena.bytes[start] == UInt8(ascii: "\"")
        if unsafe isQuoted && conversion.pointee.column.kind == .string {
            // A time or a number that is none: nothing in it is escaped.
            arena.truncate(to: arena.count - 1)
            row.fields.builder.setAppended(slot, from: start + 1, in: &arena)
        } else {
            row.fields.builder.setAppended(slot, from: start, in: &arena)
        }
        return .set
    }
}

/// A number of any length, the highest byte first; nil for one beyond 128 bits. No bytes are 0.
func unscaledInteger(_ bytes: UnsafeRawBufferPointer) -> Int128? {
    guard let first = unsafe bytes.first else { return 0 }
    let sign: Int128 = first & 0x80 != 0 ? -1 : 0
    var value = sign
    var index = 0
    // What only repeats the sign says nothing.
    while bytes.count - index > 16 {
        guard unsafe bytes[index] == UInt8(truncatingIfNeeded: sign) else { return nil }
        index += 1
    }
    let isFull = bytes.count - index == 16
    if isFull, unsafe (bytes[index] & 0x80 != 0) != (sign != 0) { return nil }
    while index < bytes.count {
        value = unsafe value << 8 | Int128(bytes[index])
        index += 1
    }
    return value
}

func appendUUID(_ bytes: UnsafeRawBufferPointer, to arena: inout ByteBuffer) {
    let digits: StaticString = "0123456789abcdef"
    for (index, byte) in unsafe Array(bytes).enumerated() {
        if index == 4 || index == 6 || index == 8 || index == 10 { arena.append(UInt8(ascii: "-")) }
        unsafe arena.append(digits.utf8Start[Int(byte >> 4)])
        unsafe arena.append(digits.utf8Start[Int(byte & 15)])
    }
}

extension TimeZoneRules {
    /// The instant that a clock of the zone shows; nil beyond what a timestamp holds.
    func instant(localMicros: Int64) -> Int64? {
        let offset = span(atLocalSecond: localMicros.flooredQuotient(by: microsPerSecond)).offsetSeconds
        let (micros, isOver) = localMicros.subtractingReportingOverflow(offset * microsPerSecond)
        return isOver ? nil : micros
    }
}

extension NumberReading {
    /// nil for what is no number.
    fileprivate init?(_ reading: AvroReading) {
        switch reading {
        case .double: self = .double
        case .epoch(let unit): self = .epoch(unit)
        case .localTime(let unit): self = .localTime(unit)
        case .decimalNumber: self = .decimal
        default: return nil
        }
    }
}
