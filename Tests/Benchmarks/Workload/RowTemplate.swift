// Rows of the workload have a fixed width: text with digits in fixed places. One template both writes a row and reads
// one back, so that what comes out of a join is checked byte by byte:
//
//     pattern   {"visit_id":"visit-<visit>","event_time":"<eventTime>"}
//     text      {"visit_id":"visit-000000000","event_time":"2024-01-00T00:00:00.000Z"}
//     slots                       ~~~~~~~~~                         ~~ ~~ ~~ ~~ ~~~

import Glibc

/// What stands in the digits of a row; 0 where a row has no such field.
enum RowField: Int, CaseIterable {
    case visit, eventTime, visitPage
    case adPage, displayTime, campaign
    /// Columns that only wide rows have.
    case visitC09, visitC21, adC09, adC21

    /// Digits, where it is a number.
    var width: Int {
        switch self {
        case .visit: 9
        case .visitPage, .adPage, .visitC09, .visitC21, .adC09, .adC21: 6
        case .campaign: 4
        case .eventTime, .displayTime: 0
        }
    }
}

/// Times are milliseconds since `RowTemplate.timeOrigin`.
struct RowValues: Equatable {
    private var values = [10 of Int](repeating: 0)

    subscript(field: RowField) -> Int {
        get { values[field.rawValue] }
        set { values[field.rawValue] = newValue }
    }

    static func == (a: RowValues, b: RowValues) -> Bool { RowField.allCases.allSatisfy { a[$0] == b[$0] } }

    /// A number that differs for other values.
    var hash: UInt64 {
        var hash: UInt64 = 0
        for index in values.indices { hash = SplitMix.mixed(hash &+ UInt64(truncatingIfNeeded: values[index])) }
        return hash
    }
}

struct RowTemplate {
    /// Digits that stand for `value / unit % modulus`.
    private struct Slot {
        var field: RowField
        var offset: Int
        var width: Int
        var unit: Int
        var modulus: Int
    }

    /// The day before January 2024, so that the day of the month is a number of days.
    static let timeOrigin = "2023-12-31T00:00:00Z"
    static let dayMillis = 86_400_000

    private var text: [UInt8] = []
    private var slots: [Slot] = []
    /// Where text stands that is the same in each row.
    private var constants: [Range<Int>] = []

    var byteCount: Int { text.count }

    /// - Parameter pattern: text with `<field>` where a field's digits are.
    init(_ pattern: String) {
        for (index, part) in pattern.split(separator: "<", omittingEmptySubsequences: false).enumerated() {
            guard index > 0 else {
                text += Array(part.utf8)
                continue
            }
            let pieces = part.split(separator: ">", maxSplits: 1, omittingEmptySubsequences: false)
            guard let field = RowField.allCases.first(where: { "\($0)" == pieces[0] }) else {
                fail("a row has no field \(pieces[0])")
            }
            addSlots(field)
            text += Array(pieces[1].utf8)
        }
        var start = 0
        for slot in slots {
            if slot.offset > start { constants.append(start..<slot.offset) }
            start = slot.offset + slot.width
        }
        constants.append(start..<text.count)
    }

    private mutating func addSlots(_ field: RowField) {
        guard field.width == 0 else { return addSlot(field, width: field.width, unit: 1, modulus: .max) }
        text += Array("2024-01-".utf8)
        for (width, unit, modulus, end) in [
            (2, Self.dayMillis, 32, "T"), (2, 3_600_000, 24, ":"), (2, 60_000, 60, ":"), (2, 1000, 60, "."),
            (3, 1, 1000, "Z"),
        ] {
            addSlot(field, width: width, unit: unit, modulus: modulus)
            text += Array(end.utf8)
        }
    }

    private mutating func addSlot(_ field: RowField, width: Int, unit: Int, modulus: Int) {
        slots.append(Slot(field: field, offset: text.count, width: width, unit: unit, modulus: modulus))
        text += [UInt8](repeating: UInt8(ascii: "0"), count: width)
    }

    /// Writes a row.
    func append(_ values: RowValues, to output: inout [UInt8]) {
        let start = output.count
        output += text
        for slot in slots {
            var rest = values[slot.field] / slot.unit % slot.modulus
            var index = start + slot.offset + slot.width
            while rest > 0 {
                index -= 1
                output[index] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
                rest /= 10
            }
        }
    }

    /// Reads a row, or nil when it is not of this form.
    func read(_ line: UnsafeRawBufferPointer) -> RowValues? {
        guard line.count == text.count, let base = line.baseAddress else { return nil }
        let isSame = text.withUnsafeBytes { text in
            constants.allSatisfy { range in
                range.isEmpty || memcmp(base + range.lowerBound, text.baseAddress! + range.lowerBound, range.count) == 0
            }
        }
        guard isSame else { return nil }
        var values = RowValues()
        for slot in slots {
            var number = 0
            for index in slot.offset..<slot.offset + slot.width {
                let digit = Int(line[index]) - 48
                guard digit >= 0, digit <= 9 else { return nil }
                number = number * 10 + digit
            }
            values[slot.field] += number * slot.unit
        }
        return values
    }
}

struct SplitMix {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        return Self.scrambled(state)
    }

    /// The next number of a generator in the given state.
    static func mixed(_ state: UInt64) -> UInt64 { scrambled(state &+ 0x9E37_79B9_7F4A_7C15) }

    private static func scrambled(_ state: UInt64) -> UInt64 {
        var z = state
        z = (z ^ (z &>> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z &>> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z &>> 31)
    }
}
