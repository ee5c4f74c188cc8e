// Values of binary formats as JSON text.

internal import SluiceSpec

extension ByteBuffer {
    /// A whole number's digits.
    mutating func appendText(of value: Int64) {
        reserve(integerRoom)
        advance(by: unsafe writeInteger(value, to: base + count))
    }

    /// An instant in units since 1970 as ISO 8601, in quotes, with all the digits of a second that say something, in
    /// threes and three at least; `isLocal` leaves out the zone.
    mutating func appendJSON(time value: Int64, _ unit: EpochUnit, isLocal: Bool) {
        let perSecond = unit.perSecond
        let second = value.flooredQuotient(by: perSecond)
        append(UInt8(ascii: "\""))
        appendDateAndTime(second: second)
        appendFraction(nanos: (value - second * perSecond) * (1_000_000_000 / perSecond), isAlways: true)
        if !isLocal { append(UInt8(ascii: "Z")) }
        append(UInt8(ascii: "\""))
    }

    /// `2024-01-31T08:18:00` of a second since 1970.
    mutating func appendDateAndTime(second: Int64) {
        let day = second.flooredQuotient(by: secondsPerDay)
        let rest = second - day * secondsPerDay
        formatDate(day, into: &self)
        append(UInt8(ascii: "T"))
        appendDigits(rest / 3600, 2)
        append(UInt8(ascii: ":"))
        appendDigits(rest / 60 % 60, 2)
        append(UInt8(ascii: ":"))
        appendDigits(rest % 60, 2)
    }

    /// A part of a second: a point and three, six or nine digits; without any nothing, unless `isAlways`.
    mutating func appendFraction(nanos: Int64, isAlways: Bool) {
        if nanos == 0, !isAlways { return }
        append(UInt8(ascii: "."))
        if nanos % 1_000_000 == 0 {
            appendDigits(nanos / 1_000_000, 3)
        } else if nanos % 1000 == 0 {
            appendDigits(nanos / 1000, 6)
        } else {
            appendDigits(nanos, 9)
        }
    }

    private mutating func appendDigits(_ value: Int64, _ count: Int) {
        var divisor: Int64 = 1
        for _ in 1..<count { divisor *= 10 }
        while divisor > 0 {
            append(UInt8(ascii: "0") + UInt8(value / divisor % 10))
            divisor /= 10
        }
    }

    mutating func appendJSON(float: Float) {
        guard float.isFinite else { return appendJSON(double: Double(float)) }
        reserve(doubleTextRoom)
        advance(by: unsafe writeFloat(float, to: base + count))
    }

    /// What is no number stands in quotes.
    mutating func appendJSON(double: Double) {
        reserve(doubleTextRoom + 2)
        if !double.isFinite { append(UInt8(ascii: "\"")) }
        advance(by: unsafe writeDouble(double, to: base + count))
        if !double.isFinite { append(UInt8(ascii: "\"")) }
    }

    /// Bytes as a text; false, and an empty one, where they are none.
    mutating func appendJSON(text: UnsafeRawBufferPointer) -> Bool {
        append(UInt8(ascii: "\""))
        let isText = unsafe isUTF8(text)
        if isText {
            reserve(jsonTextRoom(text.count))
            advance(by: unsafe writeJSONText(text, to: base + count))
        }
        append(UInt8(ascii: "\""))
        return isText
    }

    /// Bytes in base64, in quotes.
    mutating func appendJSON(base64 bytes: UnsafeRawBufferPointer) {
        let digits: StaticString = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        reserve((bytes.count + 2) / 3 * 4 + 2)
        append(UInt8(ascii: "\""))
        var index = 0
        while index < bytes.count {
            let count = min(3, bytes.count - index)
            var group: UInt32 = 0
            for offset in 0..<3 { group = unsafe group << 8 | (offset < count ? UInt32(bytes[index + offset]) : 0) }
            for digit in 0..<4 {
                let place = Int(group >> UInt32(18 - 6 * digit) & 63)
                unsafe append(digit <= count ? digits.utf8Start[place] : UInt8(ascii: "="))
            }
            index += count
        }
        append(UInt8(ascii: "\""))
    }

    /// The comma before the first member of what began at `start` becomes its opening bracket.
    mutating func closeJSON(from start: Int, _ open: UInt8, _ end: UInt8) {
        if count == start {
            append(open)
        } else {
            unsafe base.storeBytes(of: open, toByteOffset: start, as: UInt8.self)
        }
        append(end)
    }
}

private let integerRoom = 32
