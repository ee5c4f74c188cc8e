// One row of each element of an array (`each`, Spark's `explode`). The record is read once for what lies outside of the
// array, of which it keeps the text; the elements then stand as lines of their own, `{"each":ELEMENT}`, and are read as
// records are, all of them in one block. A row is put together from both.

internal import SluicePlan
internal import SluiceSpec

struct EachRecordDecoder: FormatDecoder, ~Copyable {
    private var outer: RowPart
    private var element: RowPart
    /// The slot of the array's text in the outer part.
    private let arraySlot: Int
    /// Slots of the row that get the element's place.
    private let placeSlots: [Int]
    private let keepsEmpty: Bool

    private var elements = InputChunk()
    /// Where the next element's line begins.
    private var position = 0
    private var number = 0
    private var outerIsBad = false

    init(_ input: InputPlan, zones: TimeZones) {
        guard let each = input.each else { preconditionFailure("a source without `each`") }
        keepsEmpty = each.keepsEmpty
        var outside: [(slot: Int?, column: InputColumn)] = []
        var inside: [(slot: Int?, column: InputColumn)] = []
        var places: [Int] = []
        for (slot, column) in input.columns.enumerated() {
            switch column.origin {
            case .field: outside.append((slot, column))
            case .each(let path):
                var column = column
                column.origin = .field(FieldPath([.name("each")] + (path?.steps ?? [])))
                inside.append((slot, column))
            case .eachPlace: places.append(slot)
            case .kafka, .computed, .place: break
            }
        }
        arraySlot = outside.count
        outside.append((nil, InputColumn(name: "", type: .json, origin: .field(each.path), declaredIndex: 0)))
        placeSlots = places
        outer = RowPart(outside, of: input, zones: zones)
        element = RowPart(inside, of: input, zones: zones)
    }

    mutating func begin(startsFile: Bool) {
        outer.decoder.begin(startsFile: startsFile)
        position = elements.text.count
    }

    mutating func prepare(_ text: UnsafeRawPointer, from start: Int, _ bounds: RecordBounds) {
        unsafe outer.decoder.prepare(text, from: start, bounds)
    }

    mutating func isNothing(_ text: UnsafeRawPointer, _ record: Range<Int>, isFramed: Bool) -> Bool {
        unsafe outer.decoder.isNothing(text, record, isFramed: isFramed)
    }

    var hasMoreRows: Bool { position < elements.text.count }

    mutating func decode(
        _ text: UnsafeRawPointer, _ record: Range<Int>, _ row: inout RowWriter, into arena: inout ByteBuffer
    ) -> RecordOutcome {
        switch unsafe outer.decode(text, record) {
        case .row: outerIsBad = false
        case .badRow:
            outerIsBad = true
            row.fault = outer.faultOfRow
        default:
            row.fault = outer.fault
            return .noRecord(byteCount: row.rowBesideText(&arena))
        }
        elements.removeAll()
        position = 0
        number = 0
        let array = outer.row
        if !array.isNull(arraySlot) {
            guard unsafe array.bytes(arraySlot).first == UInt8(ascii: "[") else {
                row.fault = .noArray
                return .noRecord(byteCount: row.rowBesideText(&arena))
            }
            unsafe appendElements(of: array.bytes(arraySlot), to: &elements.text)
        }
        guard elements.text.count > 0 else {
            if keepsEmpty { return outcome(emptyRow(&row, into: &arena), isBad: outerIsBad) }
            // What is wrong with it may be that the array is not to be found.
            return outerIsBad ? .noRecord(byteCount: row.rowBesideText(&arena)) : .noRows
        }
        elements.text.reserve(inputPaddingByteCount)
        element.decoder.begin(startsFile: false)
        return decodeMore(&row, into: &arena)
    }

    mutating func decodeMore(_ row: inout RowWriter, into arena: inout ByteBuffer) -> RecordOutcome {
        let text = unsafe UnsafeRawPointer(elements.text.base)
        let end = unsafe findByte(UInt8(ascii: "\n"), in: text, from: position, to: elements.text.count)
        let line = position..<end
        let bounds = unsafe RecordBounds(elements, records: UnsafeBufferPointer(start: nil, count: 0))
        unsafe element.decoder.prepare(text, from: position, bounds)
        let elementOutcome = unsafe element.decode(text, line)
        position = end + 1
        defer { number += 1 }
        row.begin(&arena)
        outer.copy(to: &row, in: &arena)
        element.copy(to: &row, in: &arena)
        for slot in placeSlots { row.fields.builder.set(slot, integer: Int64(number), in: &arena) }
        let byteCount = row.fields.builder.finish(&arena)
        guard case .row = elementOutcome else {
            row.fault = .element(number: number, slot: element.slot(element.fault.slot) ?? placeSlots.first ?? 0)
            return .badRow(byteCount: byteCount)
        }
        if outerIsBad { row.fault = outer.faultOfRow }
        return outcome(byteCount, isBad: outerIsBad)
    }

    private func outcome(_ byteCount: Int, isBad: Bool) -> RecordOutcome {
        isBad ? .badRow(byteCount: byteCount) : .row(byteCount: byteCount)
    }

    /// The row of a record without elements.
    private mutating func emptyRow(_ row: inout RowWriter, into arena: inout ByteBuffer) -> Int {
        row.begin(&arena)
        outer.copy(to: &row, in: &arena)
        return row.fields.builder.finish(&arena)
    }
}

/// A row of some of the columns of a row, and what reads it.
private struct RowPart: ~Copyable {
    var decoder: JSONRecordDecoder
    private var writer: RowWriter
    private var arena = ByteBuffer()
    private let slotsOffset: Int
    /// For each column its slot in the row, or -1, and whether its value is bytes beside the slots.
    private let columns: [(slot: Int, isBytes: Bool)]

    init(_ columns: [(slot: Int?, column: InputColumn)], of input: InputPlan, zones: TimeZones) {
        var plan = input
        plan.columns = columns.map(\.column)
        plan.fieldCount = columns.count
        decoder = JSONRecordDecoder(plan)
        writer = RowWriter(plan, zones: zones)
        slotsOffset = RowLayout(columns: plan.columns).slotsOffset
        self.columns = columns.map { slot, column in
            if case .bytes = KeyKind(column.type) { return (slot ?? -1, true) }
            return (slot ?? -1, false)
        }
    }

    var fault: RecordFault { writer.fault }
    /// The same in the words of the row that this is a part of.
    var faultOfRow: RecordFault {
        guard case .field(let part) = writer.fault else { return writer.fault }
        return slot(part).map { .field(slot: $0) } ?? .noArray
    }

    /// The place in the whole row of a column of this part.
    func slot(_ part: Int?) -> Int? { part.flatMap { columns[$0].slot >= 0 ? columns[$0].slot : nil } }

    /// The row that was decoded last.
    var row: PackedRow { unsafe PackedRow(base: UnsafeRawPointer(arena.base), slotsOffset: slotsOffset) }

    mutating func decode(_ text: UnsafeRawPointer, _ record: Range<Int>) -> RecordOutcome {
        arena.removeAll()
        return unsafe decoder.decode(text, record, &writer, into: &arena)
    }

    func copy(to row: inout RowWriter, in target: inout ByteBuffer) {
        let part = self.row
        for (index, column) in columns.enumerated() where column.slot >= 0 && !part.isNull(index) {
            if column.isBytes {
                unsafe row.fields.builder.set(column.slot, bytes: part.bytes(index), in: &target)
            } else {
                row.fields.builder.set(column.slot, bits: part.slot(index), in: &target)
            }
        }
    }
}

/// Appends a line `{"each":ELEMENT}` for each element of an array, whose text is strict JSON without blanks.
private func appendElements(of array: UnsafeRawBufferPointer, to lines: inout ByteBuffer) {
    var start = 1
    var depth = 0
    var isInString = false
    var index = 1
    while index < array.count {
        let byte = unsafe array[index]
        if isInString {
            if byte == UInt8(ascii: "\\") { index += 1 } else if byte == UInt8(ascii: "\"") { isInString = false }
        } else {
            switch byte {
            case UInt8(ascii: "\""): isInString = true
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: ","), UInt8(ascii: "]"):
                if depth == 0, index > start {
                    lines.append("{\"each\":")
                    unsafe lines.append(UnsafeRawBufferPointer(rebasing: array[start..<index]))
                    lines.append("}\n")
                }
                if byte == UInt8(ascii: "]") { depth -= 1 } else if depth == 0 { start = index + 1 }
            case UInt8(ascii: "}"): depth -= 1
            default: break
            }
        }
        index += 1
    }
}
