// Numbers of binary formats on their way to columns that do not hold them as they are.

internal import SluiceSpec

/// A number as a record has it.
enum PlainNumber {
    case whole(Int64)
    /// One that no `Int64` holds, too.
    case natural(UInt64)
    case float(Float)
    case double(Double)

    var double: Double {
        switch self {
        case .whole(let value): Double(value)
        case .natural(let value): Double(value)
        case .float(let value): Double(value)
        case .double(let value): value
        }
    }

    /// Calls `body` with the number as JSON has it.
    func withText<Result>(_ body: (UnsafeRawBufferPointer) -> Result?) -> Result? {
        unsafe withUnsafeTemporaryAllocation(byteCount: doubleTextRoom, alignment: 8) { text in
            guard let place = text.baseAddress else { return nil }
            let count = unsafe write(to: place)
            return unsafe body(UnsafeRawBufferPointer(start: place, count: count))
        }
    }

    /// Writes the number as JSON has it, to `doubleTextRoom` bytes; returns their count.
    private func write(to place: UnsafeMutableRawPointer) -> Int {
        switch self {
        case .whole(let value): return unsafe writeInteger(value, to: place)
        case .double(let value): return unsafe writeDouble(value, to: place)
        case .float(let value): return unsafe writeFloat(value, to: place)
        case .natural(let value):
            if let whole = Int64(exactly: value) { return unsafe writeInteger(whole, to: place) }
            let count = unsafe writeInteger(Int64(value / 10), to: place)
            unsafe place.storeBytes(of: UInt8(ascii: "0") + UInt8(value % 10), toByteOffset: count, as: UInt8.self)
            return count + 1
        }
    }
}

/// How a number is put into a column.
enum NumberReading {
    case double
    /// Units since 1970.
    case epoch(EpochUnit)
    /// The same of a local time, which is of the source's time zone.
    case localTime(EpochUnit)
    case decimal
}

extension FieldWriter {
    /// Sets a column to a number; false where its type does not hold it.
    mutating func set(
        _ number: PlainNumber, _ slot: Int, _ column: DecodedColumn, _ reading: NumberReading?,
        in arena: inout ByteBuffer
    ) -> Bool {
        switch reading {
        case .double: builder.set(slot, bits: number.double.bitPattern, in: &arena)
        case .epoch(let unit):
            guard let micros = unsafe number.withText({ unsafe epochMicros($0, unit) }) else { return false }
            builder.set(slot, integer: micros, in: &arena)
        case .localTime(let unit):
            guard let local = unsafe number.withText({ unsafe epochMicros($0, unit) }),
                let micros = timestamps.rules.instant(localMicros: local)
            else { return false }
            builder.set(slot, integer: micros, in: &arena)
        case .decimal:
            let value = unsafe number.withText {
                unsafe decimalValue($0, precision: Int(column.precision), scale: Int(column.scale))
            }
            guard let value else { return false }
            builder.set(slot, decimal: value, in: &arena)
        case nil: return false
        }
        return true
    }
}

/// As `Float.toString` of Java 19: the fewest digits that read back as the same float.
func writeFloat(_ value: Float, to place: UnsafeMutableRawPointer) -> Int {
    guard value.isFinite, value != 0 else { return unsafe writeDouble(Double(value), to: place) }
    // A double with the same digits prints them.
    let digits = "\(value)"
    return unsafe writeDouble(Double(digits) ?? Double(value), to: place)
}
