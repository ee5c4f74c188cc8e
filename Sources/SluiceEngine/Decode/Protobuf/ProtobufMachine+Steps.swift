// The steps that few fields take: values of several columns, of lists, of maps, in other types than they have, and what
// is wrong with a record.

internal import Glibc
internal import SluiceSpec

extension ProtobufMachine {
    /// Whether the value at hand is a number that its closed enum does not have.
    @inline(never)
    func isUnknown(_ step: ProtobufStep, _ code: ProtobufProgram.Code) -> Bool {
        guard step.closed != 0, step.operation != .entry else { return false }
        var cursor = unsafe cursor
        guard let bits = unsafe readNumber(&cursor) else { return false }
        let value = Int64(Int32(truncatingIfNeeded: bits))
        return unsafe name(of: value, code.table + Int(step.closed)) == nil
    }

    /// A value by any step that goes nowhere else.
    @inline(never)
    mutating func readRarely(
        _ step: ProtobufStep, _ code: ProtobufProgram.Code, _ row: inout RowWriter, into arena: inout ByteBuffer
    ) -> ProtobufFault? {
        switch step.operation {
        case .pend: return keep(step, wireType: step.wireType)
        case .convert:
            let conversion = unsafe code.program.takeUnretainedValue().conversions[Int(step.a)]
            return convert(conversion, step.slot, &row, into: &arena)
        case .several:
            var last = step
            if let fault = readSeveral(&last, code, &row, into: &arena) { return fault }
            return readRarely(last, code, &row, into: &arena)
        case .element: return readRarely(unsafe code.steps[nextElement(step, code)], code, &row, into: &arena)
        case .enter, .entry: preconditionFailure("a message stands in no packed list")
        case .skip, .integer, .multiply, .divide, .double, .float, .text, .instant, .symbol:
            return read(step, code, &row, into: &arena)
        }
    }

    /// All steps of a value but the last, which is left in `step` with the value before it again.
    @inline(never)
    mutating func readSeveral(
        _ step: inout ProtobufStep, _ code: ProtobufProgram.Code, _ row: inout RowWriter, into arena: inout ByteBuffer
    ) -> ProtobufFault? {
        let start = unsafe cursor
        let places = unsafe code.table + Int(step.a)
        let count = unsafe Int(places[0])
        for index in 1..<count {
            if let fault = unsafe readRarely(code.steps[Int(places[index])], code, &row, into: &arena) { return fault }
            guard unsafe cursor <= end else { return .short }
            unsafe cursor = unsafe start
        }
        step = unsafe code.steps[Int(places[count])]
        return nil
    }

    /// Values of a list in one piece.
    @inline(never)
    mutating func readPacked(
        _ step: ProtobufStep, _ code: ProtobufProgram.Code, _ row: inout RowWriter, into arena: inout ByteBuffer
    ) -> ProtobufFault? {
        if step.operation == .pend { return keep(step, wireType: 2) }
        if step.operation == .several {
            let start = unsafe cursor
            let places = unsafe code.table + Int(step.a)
            for index in unsafe 1...Int(places[0]) {
                unsafe cursor = unsafe start
                if let fault = unsafe readPacked(code.steps[Int(places[index])], code, &row, into: &arena) {
                    return fault
                }
            }
            return nil
        }
        var fault = ProtobufFault.short
        guard let count = byteCount(&fault) else { return fault }
        let outerEnd = unsafe end
        unsafe end = unsafe cursor + count
        while unsafe cursor < end {
            let fault =
                isUnknown(step, code)
                ? skip(UInt32(step.wireType) | 8) : readRarely(step, code, &row, into: &arena)
            if let fault { return fault }
        }
        guard unsafe cursor == end else { return .elements }
        unsafe end = unsafe outerEnd
        return nil
    }

    /// The step for the next element of a list.
    func nextElement(_ step: ProtobufStep, _ code: ProtobufProgram.Code) -> Int {
        let number = unsafe counters[Int(step.a)]
        if number < .max { unsafe counters[Int(step.a)] = number + 1 }
        let pairs = unsafe code.table + Int(step.b)
        for index in unsafe 0..<Int(pairs[0]) where unsafe pairs[1 + index * 2] == number {
            return unsafe Int(pairs[2 + index * 2])
        }
        // The last of the list passes over a value.
        return unsafe Int(pairs[1 + Int(pairs[0]) * 2])
    }

    /// Keeps a value for the end.
    mutating func keep(_ step: ProtobufStep, wireType: UInt8) -> ProtobufFault? {
        let place = unsafe cursor
        var start = unsafe cursor
        if wireType == 2 {
            var fault = ProtobufFault.short
            guard let count = byteCount(&fault) else { return fault }
            unsafe start = unsafe cursor
            unsafe cursor += count
        } else {
            if let fault = skip(UInt32(wireType) | 8) { return fault }
            guard unsafe cursor <= end else { return .short }
        }
        unsafe kept.append(Kept(pending: step.a, wireType: wireType, place: place, start: start, end: cursor))
        return nil
    }

    mutating func convert(
        _ conversion: ProtobufConversion, _ slot: Int32, _ row: inout RowWriter, into arena: inout ByteBuffer
    ) -> ProtobufFault? {
        switch conversion.form {
        case .text:
            var fault = ProtobufFault.short
            guard let count = byteCount(&fault) else { return fault }
            let text = unsafe UnsafeRawBufferPointer(start: cursor, count: count)
            unsafe cursor += count
            guard unsafe isUTF8(text) else {
                noteUnfit(slot, isText: true, &row, in: &arena)
                return nil
            }
            if unsafe !row.fields.setJSONString(Int(slot), conversion.column, text, in: &arena) {
                noteUnfit(slot, &row, in: &arena)
            }
        case .number(let reading):
            guard let number = unsafe readPlainNumber(conversion.kind, &cursor) else { return .longNumber }
            guard unsafe cursor <= end else { return .short }
            if !row.fields.set(number, Int(slot), conversion.column, reading, in: &arena) {
                noteUnfit(slot, &row, in: &arena)
            }
        }
        return nil
    }

    /// Takes a column's value for one that its type does not hold, whatever the record had in it before.
    @inline(never)
    mutating func noteUnfit(
        _ slot: Int32, isText: Bool = false, _ row: inout RowWriter, in arena: inout ByteBuffer
    ) {
        row.fields.builder.setNull(Int(slot), in: &arena)
        unfitSlots.append(slot)
        guard unfitSlot < 0 else { return }
        unfitSlot = slot
        isUnfitText = isText
    }

    /// What is wrong with the record in hand where a slot is unfit.
    var unfitFault: RecordFault {
        isUnfitText ? .fieldEncoding(slot: Int(unfitSlot)) : .field(slot: Int(unfitSlot))
    }

    // MARK: - Maps

    /// The level for a pair of a map whose key is wanted, with what an earlier pair of that key has left cleared; -1
    /// for another key. At `a` in the table stand the kind of keys, how many are wanted, and of each where it is among
    /// the constants (or, as two halves, its number), its level and its part.
    mutating func entryLevel(
        _ step: ProtobufStep, _ entryEnd: UnsafeRawPointer, _ code: ProtobufProgram.Code, _ row: inout RowWriter,
        in arena: inout ByteBuffer, _ fault: inout ProtobufFault
    ) -> Int? {
        let wanted = unsafe code.table + Int(step.a)
        let kind = unsafe wanted[0]
        let (start, outerEnd) = unsafe (cursor, end)
        var text = unsafe UnsafeRawBufferPointer(start: cursor, count: 0)
        var number: Int64 = 0
        var isUnknown = false
        let isText = kind == Int32(ProtobufField.Kind.string.rawValue)
        let wireType = UInt32((ProtobufField.Kind(rawValue: UInt8(kind)) ?? .string).wireType)
        unsafe end = unsafe entryEnd
        defer {
            unsafe cursor = unsafe start
            unsafe end = unsafe outerEnd
        }
        while unsafe cursor < end {
            guard let tag = tag() else {
                fault = .tag
                return nil
            }
            if tag == 2 << 3, step.closed != 0 {
                var isLarge = false
                guard let value = integer(Int32(ProtobufField.Kind.enumeration.rawValue), &isLarge) else {
                    fault = .longNumber
                    return nil
                }
                isUnknown = unsafe name(of: value, code.table + Int(step.closed)) == nil
                continue
            }
            guard tag == 1 << 3 | wireType else {
                if let found = skip(tag) {
                    fault = found
                    return nil
                }
                continue
            }
            if isText {
                guard let count = byteCount(&fault) else { return nil }
                unsafe text = UnsafeRawBufferPointer(start: cursor, count: count)
                unsafe cursor += count
            } else {
                var isLarge = false
                guard let value = integer(kind, &isLarge) else {
                    fault = .longNumber
                    return nil
                }
                number = value
            }
        }
        guard unsafe cursor == end else {
            fault = .short
            return nil
        }
        if isUnknown { return -1 }
        for index in unsafe 0..<Int(wanted[1]) {
            let entry = unsafe wanted + (2 + index * 4)
            let isFound: Bool
            if isText {
                isFound =
                    unsafe Int(entry[1]) == text.count
                    && (text.count == 0 || memcmp(text.baseAddress!, code.constants + Int(entry[0]), text.count) == 0)
            } else {
                unsafe isFound =
                    number == Int64(entry[1]) << 32 | Int64(UInt32(bitPattern: entry[0]))
            }
            guard isFound else { continue }
            unsafe clear(Int(entry[3]), code, &row, in: &arena)
            return unsafe Int(entry[2])
        }
        return -1
    }

    // MARK: - Clearing

    @inline(never)
    mutating func clear(
        listedAt list: Int32, _ code: ProtobufProgram.Code, _ row: inout RowWriter, in arena: inout ByteBuffer
    ) {
        let parts = unsafe code.table + Int(list)
        for index in unsafe 0..<Int(parts[0]) { unsafe clear(Int(parts[1 + index]), code, &row, in: &arena) }
    }

    /// Forgets what has been read of a part.
    mutating func clear(
        _ number: Int, _ code: ProtobufProgram.Code, _ row: inout RowWriter, in arena: inout ByteBuffer
    ) {
        let part = unsafe code.program.takeUnretainedValue().parts[number]
        for slot in part.slots { row.fields.builder.setNull(Int(slot), in: &arena) }
        for level in part.levels { unsafe entered[level] = 0 }
        for counter in part.counters { unsafe counters[counter] = 0 }
        for pending in part.pending { keptFrom[pending] = kept.count }
    }
}
