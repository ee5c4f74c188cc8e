// Runs a program over the bytes of a message, straight into the row in hand. Nothing is allocated for what goes into slots
// as it is, and no byte is copied but into the row.
//
// A tag and a number are read before they are known to be inside: `inputPaddingByteCount` bytes are readable behind the
// end, and the place is compared with the end before the next field. Lengths are compared before they are believed.

internal import Glibc
internal import SluiceSpec

@safe struct ProtobufMachine: ~Copyable {
    /// A value that is kept for the end of the record.
    @safe struct Kept {
        var pending: Int32
        var wireType: UInt8
        /// Before its length, if it has one.
        var place: UnsafeRawPointer
        var start: UnsafeRawPointer
        var end: UnsafeRawPointer
    }

    /// Where the next byte is.
    var cursor: UnsafeRawPointer
    /// Behind the last byte of the message in hand.
    var end: UnsafeRawPointer
    /// The first column of the record in hand whose value its type does not hold; -1 for none.
    private(set) var unfitSlot: Int32 = -1
    /// True when that is a text that is not UTF-8.
    private(set) var isUnfitText = false
    /// All such columns, of which a default must not make good ones.
    private var unfitSlots: [Int32] = []
    /// What is kept for the end, in its order.
    private(set) var kept: [Kept] = []
    /// For each pending value, from where on what is kept counts: what is before has been cleared.
    private var keptFrom: [Int] = []

    /// A level was entered in the record in hand where its number is this.
    private var generation: UInt32 = 0
    private var entered: UnsafeMutablePointer<UInt32>
    private var counters: UnsafeMutablePointer<Int32>
    /// Seconds and nanoseconds of instants, by level.
    private var instants: UnsafeMutablePointer<(Int64, Int32)>
    private var stateCount = (levels: 0, counters: 0)
    private let stack: UnsafeMutablePointer<UnsafeRawPointer>

    /// As deep as protobuf itself reads.
    static let depthMax = 100
    /// Frames have two places each.
    private static let stackCount = 4 * depthMax

    init() {
        unsafe cursor = unsafe UnsafeRawPointer(bitPattern: 16)!
        unsafe end = unsafe UnsafeRawPointer(bitPattern: 16)!
        unsafe stack = .allocate(capacity: Self.stackCount)
        unsafe entered = .allocate(capacity: 1)
        unsafe counters = .allocate(capacity: 1)
        unsafe instants = .allocate(capacity: 1)
    }

    deinit {
        unsafe stack.deallocate()
        unsafe entered.deallocate()
        unsafe counters.deallocate()
        unsafe instants.deallocate()
    }

    /// Makes ready for a program.
    mutating func prepare(for program: ProtobufProgram) {
        keptFrom = [Int](repeating: 0, count: program.pending.count)
        kept.removeAll()
        generation = 0
        let wanted = (levels: program.levelCount, counters: program.counterCount)
        if wanted.levels > stateCount.levels || wanted.counters > stateCount.counters {
            unsafe entered.deallocate()
            unsafe counters.deallocate()
            unsafe instants.deallocate()
            stateCount = (max(wanted.levels, stateCount.levels), max(wanted.counters, stateCount.counters))
            unsafe entered = .allocate(capacity: stateCount.levels)
            unsafe counters = .allocate(capacity: stateCount.counters)
            unsafe instants = .allocate(capacity: stateCount.levels)
        }
        unsafe entered.update(repeating: 0, count: stateCount.levels)
        unsafe counters.update(repeating: 0, count: stateCount.counters)
        unsafe instants.update(repeating: (0, 0), count: stateCount.levels)
    }

    /// Starts on a record, or on an element of one.
    @inline(__always)
    mutating func begin(_ start: UnsafeRawPointer, end: UnsafeRawPointer, _ code: ProtobufProgram.Code, _ level: Int) {
        unsafe cursor = unsafe start
        unsafe self.end = unsafe end
        if unfitSlot >= 0 { forgetUnfit() }
        if !kept.isEmpty { forgetKept() }
        generation &+= 1
        if generation == 0 { beginAnew() }
        enterAnew(level, code)
    }

    @inline(never)
    private mutating func forgetUnfit() {
        unfitSlot = -1
        unfitSlots.removeAll(keepingCapacity: true)
    }

    @inline(never)
    private mutating func forgetKept() {
        kept.removeAll(keepingCapacity: true)
        for index in keptFrom.indices { keptFrom[index] = 0 }
    }

    @inline(never)
    private mutating func beginAnew() {
        unsafe entered.update(repeating: 0, count: stateCount.levels)
        generation = 1
    }

    // MARK: - Bytes

    /// The length of bytes that follow, all of them there.
    @inline(__always)
    private mutating func byteCount(_ fault: inout ProtobufFault) -> Int? {
        unsafe readByteCount(&cursor, end, &fault)
    }

    @inline(__always)
    private mutating func tag() -> UInt32? { unsafe readTag(&cursor) }

    /// Passes over the value of a field that nobody wants.
    @inline(__always)
    private mutating func skip(_ tag: UInt32) -> ProtobufFault? { unsafe passValue(tag, &cursor, end) }

    // MARK: - The program

    /// Reads the message from `cursor` to `end`, by the steps of a level. nil at its end, else why the bytes are none:
    /// the row holds what could be read.
    mutating func run(
        _ code: ProtobufProgram.Code, _ start: Int, _ row: inout RowWriter, into arena: inout ByteBuffer
    ) -> ProtobufFault? {
        var level = unsafe code.levels + start
        var top = 0
        while true {
            guard unsafe cursor < end else {
                guard unsafe cursor == end else { return .short }
                if top == 0 { return nil }
                top &-= 2
                unsafe end = unsafe stack[top]
                unsafe level = stack[top &+ 1].assumingMemoryBound(to: ProtobufLevel.self)
                continue
            }
            guard let tag = tag() else { return .tag }
            let number = tag &>> 3
            var place: Int32 = 0
            if unsafe number < level.pointee.denseCount {
                place = unsafe code.table[Int(level.pointee.dense &+ Int32(truncatingIfNeeded: number))]
            } else if unsafe level.pointee.sparseCount > 0 {
                place = unsafe sparseStep(number, level, code)
            }
            guard place > 0 else {
                if let fault = skip(tag) { return fault }
                continue
            }
            var step = unsafe code.steps[Int(place)]
            guard step.wireType == tag & 7 else {
                let fault =
                    step.isPackable && tag & 7 == 2 ? readPacked(step, code, &row, into: &arena) : skip(tag)
                if let fault { return fault }
                continue
            }
            if step.clears | step.closed != 0 {
                if isUnknown(step, code) {
                    if let fault = skip(tag) { return fault }
                    continue
                }
                if step.clears != 0 { clear(listedAt: step.clears, code, &row, in: &arena) }
            }
            // A step may lead to another, of the same value.
            while true {
                switch step.operation {
                case .enter:
                    var fault = ProtobufFault.short
                    guard let count = byteCount(&fault) else { return fault }
                    guard top < Self.depthMax &* 2 else { return .deep }
                    unsafe stack[top] = unsafe end
                    unsafe stack[top &+ 1] = UnsafeRawPointer(level)
                    top &+= 2
                    unsafe end = unsafe cursor + count
                    unsafe level = code.levels + Int(step.a)
                    if unsafe entered[Int(step.a)] != generation { enterAnew(Int(step.a), code) }
                case .skip: if let fault = skip(tag) { return fault }
                case .text, .integer, .multiply, .divide, .double, .float, .instant, .symbol:
                    if let fault = read(step, code, &row, into: &arena) { return fault }
                case .convert, .pend:
                    if let fault = readRarely(step, code, &row, into: &arena) { return fault }
                case .several:
                    if let fault = readSeveral(&step, code, &row, into: &arena) { return fault }
                    continue
                case .element:
                    step = unsafe code.steps[nextElement(step, code)]
                    continue
                case .entry:
                    var fault = ProtobufFault.short
                    guard let count = byteCount(&fault) else { return fault }
                    let found = unsafe entryLevel(step, cursor + count, code, &row, in: &arena, &fault)
                    guard let found else { return fault }
                    guard found >= 0 else {
                        unsafe cursor += count
                        break
                    }
                    guard top < Self.depthMax &* 2 else { return .deep }
                    unsafe stack[top] = unsafe end
                    unsafe stack[top &+ 1] = UnsafeRawPointer(level)
                    top &+= 2
                    unsafe end = unsafe cursor + count
                    unsafe level = code.levels + found
                    enterAnew(found, code)
                }
                break
            }
        }
    }

    /// Reads an element that makes a row, from `cursor` to `end`, by its step.
    mutating func runElement(
        _ code: ProtobufProgram.Code, _ start: Int, _ row: inout RowWriter, into arena: inout ByteBuffer
    ) -> ProtobufFault? {
        var step = unsafe code.steps[start]
        if step.operation == .several {
            if let fault = readSeveral(&step, code, &row, into: &arena) { return fault }
        }
        guard step.operation == .enter else {
            if let fault = readRarely(step, code, &row, into: &arena) { return fault }
            return unsafe cursor == end ? nil : .short
        }
        var fault = ProtobufFault.short
        guard byteCount(&fault) != nil else { return fault }
        enterAnew(Int(step.a), code)
        return run(code, Int(step.a), &row, into: &arena)
    }

    /// Takes a level for entered, with nothing in it.
    @inline(__always)
    private mutating func enterAnew(_ level: Int, _ code: ProtobufProgram.Code) {
        unsafe entered[level] = generation
        let count = unsafe Int(code.levels[level].counterCount)
        if count > 0 {
            unsafe (counters + Int(code.levels[level].counterStart)).update(repeating: 0, count: count)
        }
    }

    @inline(never)
    private func sparseStep(
        _ number: UInt32, _ level: UnsafePointer<ProtobufLevel>, _ code: ProtobufProgram.Code
    ) -> Int32 {
        let pairs = unsafe code.table + Int(level.pointee.sparse)
        for index in unsafe 0..<Int(level.pointee.sparseCount) where unsafe pairs[index * 2] == Int32(number) {
            return unsafe pairs[index * 2 + 1]
        }
        return 0
    }

    // MARK: - Values

    @inline(__always)
    private mutating func integer(_ kind: Int32, _ isLarge: inout Bool) -> Int64? {
        let kind = ProtobufField.Kind(rawValue: UInt8(truncatingIfNeeded: kind)) ?? .int64
        return unsafe readInteger(kind, &cursor, &isLarge)
    }

    /// Reads a value into its slot. What it has read may go beyond the end, which is looked at before the next field.
    @inline(__always)
    private mutating func read(
        _ step: ProtobufStep, _ code: ProtobufProgram.Code, _ row: inout RowWriter, into arena: inout ByteBuffer
    ) -> ProtobufFault? {
        switch step.operation {
        case .text:
            var fault = ProtobufFault.short
            guard let count = byteCount(&fault) else { return fault }
            if unsafe isText(cursor, count) {
                unsafe row.fields.builder.set(Int(step.slot), padded: cursor, count: count, in: &arena)
            } else {
                noteUnfit(step.slot, isText: true, &row, in: &arena)
            }
            unsafe cursor += count
        case .integer:
            var isLarge = false
            guard let value = integer(step.a, &isLarge) else { return .longNumber }
            if isLarge || (step.b == 1 && Int64(Int32(truncatingIfNeeded: value)) != value) {
                noteUnfit(step.slot, &row, in: &arena)
            } else {
                row.fields.builder.set(Int(step.slot), integer: value, in: &arena)
            }
        case .multiply:
            var isLarge = false
            guard let value = integer(step.b, &isLarge) else { return .longNumber }
            let (micros, isOver) = value.multipliedReportingOverflow(by: Int64(step.a))
            if isOver || isLarge {
                noteUnfit(step.slot, &row, in: &arena)
            } else {
                row.fields.builder.set(Int(step.slot), integer: micros, in: &arena)
            }
        case .divide:
            var isLarge = false
            guard let value = integer(step.b, &isLarge) else { return .longNumber }
            if isLarge {
                noteUnfit(step.slot, &row, in: &arena)
            } else {
                let micros = value.flooredQuotient(by: Int64(step.a))
                row.fields.builder.set(Int(step.slot), integer: micros, in: &arena)
            }
        case .double:
            let bits = unsafe UInt64(littleEndian: cursor.loadUnaligned(as: UInt64.self))
            unsafe cursor += 8
            row.fields.builder.set(Int(step.slot), bits: bits, in: &arena)
        case .float:
            let bits = unsafe UInt32(littleEndian: cursor.loadUnaligned(as: UInt32.self))
            unsafe cursor += 4
            row.fields.builder.set(Int(step.slot), bits: Double(Float(bitPattern: bits)).bitPattern, in: &arena)
        case .instant: return readInstant(step, &row, into: &arena)
        case .symbol: return readSymbol(step, code, &row, into: &arena)
        case .skip: return skip(UInt32(step.wireType) | 8)
        case .enter, .convert, .pend, .element, .entry, .several: preconditionFailure("no value of its own")
        }
        return nil
    }

    /// The parts of an instant, which may come in two messages as those of any other.
    @inline(__always)
    private mutating func readInstant(
        _ step: ProtobufStep, _ row: inout RowWriter, into arena: inout ByteBuffer
    ) -> ProtobufFault? {
        var fault = ProtobufFault.short
        guard let count = byteCount(&fault) else { return fault }
        let level = Int(step.a)
        let outerEnd = unsafe end
        unsafe end = unsafe cursor + count
        var (seconds, nanos) = unsafe entered[level] == generation ? instants[level] : (0, 0)
        while unsafe cursor < end {
            guard let tag = tag() else { return .tag }
            switch tag {
            case 1 << 3:
                guard let value = unsafe readNumber(&cursor) else { return .longNumber }
                seconds = Int64(bitPattern: value)
            case 2 << 3:
                guard let value = unsafe readNumber(&cursor) else { return .longNumber }
                nanos = Int32(truncatingIfNeeded: value)
            default: if let fault = skip(tag) { return fault }
            }
        }
        guard unsafe cursor == end else { return .short }
        unsafe end = unsafe outerEnd
        unsafe entered[level] = generation
        unsafe instants[level] = (seconds, nanos)
        let (product, isOver) = seconds.multipliedReportingOverflow(by: microsPerSecond)
        let (micros, isBeyond) = product.addingReportingOverflow(Int64(nanos).flooredQuotient(by: 1000))
        if isOver || isBeyond {
            noteUnfit(step.slot, &row, in: &arena)
        } else {
            row.fields.builder.set(Int(step.slot), integer: micros, in: &arena)
        }
        return nil
    }

    /// At `a` in the table stand whether the enum is closed, the count of its names, and of each its number and where it
    /// is among the constants, by number.
    private mutating func readSymbol(
        _ step: ProtobufStep, _ code: ProtobufProgram.Code, _ row: inout RowWriter, into arena: inout ByteBuffer
    ) -> ProtobufFault? {
        var isLarge = false
        guard let value = integer(Int32(ProtobufField.Kind.enumeration.rawValue), &isLarge) else { return .longNumber }
        let name = unsafe name(of: value, code.table + Int(step.a))
        // What a closed enum does not have is as if it were not there.
        if unsafe name == nil && code.table[Int(step.a)] == 1 { return nil }
        if step.b == 1 {
            row.fields.builder.set(Int(step.slot), integer: value, in: &arena)
        } else if let name = unsafe name {
            unsafe row.fields.builder.set(
                Int(step.slot), padded: code.constants + Int(name[1]), count: Int(name[2]), in: &arena)
        } else {
            let start = arena.count
            arena.appendText(of: value)
            row.fields.builder.setAppended(Int(step.slot), from: start, in: &arena)
        }
        return nil
    }

    /// What stands in an enum's table of a number; nil where it does not have it.
    private func name(of value: Int64, _ names: UnsafePointer<Int32>) -> UnsafePointer<Int32>? {
        let count = unsafe Int(names[1])
        let entries = unsafe names + 2
        // Most enums begin with 0 and leave no number out.
        if value >= 0, value < count, unsafe Int64(entries[Int(value) &* 3]) == value {
            return unsafe entries + Int(value) &* 3
        }
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if unsafe Int64(entries[middle &* 3]) < value { low = middle + 1 } else { high = middle }
        }
        return unsafe low < count && Int64(entries[low &* 3]) == value ? entries + low &* 3 : nil
    }

    // MARK: - What is rare

    /// Whether the value at hand is a number that its closed enum does not have.
    @inline(never)
    private func isUnknown(_ step: ProtobufStep, _ code: ProtobufProgram.Code) -> Bool {
        guard step.closed != 0, step.operation != .entry else { return false }
        var cursor = unsafe cursor
        guard let bits = unsafe readNumber(&cursor) else { return false }
        let value = Int64(Int32(truncatingIfNeeded: bits))
        return unsafe name(of: value, code.table + Int(step.closed)) == nil
    }

    /// A value by any step that goes nowhere else.
    @inline(never)
    private mutating func readRarely(
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
    private mutating func readSeveral(
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
    private mutating func readPacked(
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
    private func nextElement(_ step: ProtobufStep, _ code: ProtobufProgram.Code) -> Int {
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
    private mutating func keep(_ step: ProtobufStep, wireType: UInt8) -> ProtobufFault? {
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

    private mutating func convert(
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
            if unsafe !row.fields.setJSONString(Int(slot), conversion.column, text, in: &arena) { noteUnfit(slot, &row, in: &arena) }
        case .number(let reading):
            guard let number = unsafe readPlainNumber(conversion.kind, &cursor) else { return .longNumber }
            guard unsafe cursor <= end else { return .short }
            if !row.fields.set(number, Int(slot), conversion.column, reading, in: &arena) { noteUnfit(slot, &row, in: &arena) }
        }
        return nil
    }

    /// Takes a column's value for one that its type does not hold, whatever the record had in it before.
    @inline(never)
    private mutating func noteUnfit(
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

    /// The level for a pair of a map whose key is wanted, with what an earlier pair of that key has left cleared; -1 for
    /// another key. At `a` in the table stand the kind of keys, how many are wanted, and of each where it is among the
    /// constants (or, as two halves, its number), its level and its part.
    private mutating func entryLevel(
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
    private mutating func clear(
        listedAt list: Int32, _ code: ProtobufProgram.Code, _ row: inout RowWriter, in arena: inout ByteBuffer
    ) {
        let parts = unsafe code.table + Int(list)
        for index in unsafe 0..<Int(parts[0]) { unsafe clear(Int(parts[1 + index]), code, &row, in: &arena) }
    }

    /// Forgets what has been read of a part.
    private mutating func clear(
        _ number: Int, _ code: ProtobufProgram.Code, _ row: inout RowWriter, in arena: inout ByteBuffer
    ) {
        let part = unsafe code.program.takeUnretainedValue().parts[number]
        for slot in part.slots { row.fields.builder.setNull(Int(slot), in: &arena) }
        for level in part.levels { unsafe entered[level] = 0 }
        for counter in part.counters { unsafe counters[counter] = 0 }
        for pending in part.pending { keptFrom[pending] = kept.count }
    }

    // MARK: - The end of a record

    /// Sets what was pending, and what the record lacks. nil, or why the bytes are none.
    @inline(__always)
    mutating func finish(
        _ section: ProtobufSection, _ code: ProtobufProgram.Code, _ row: inout RowWriter, into arena: inout ByteBuffer
    ) -> ProtobufFault? {
        if section.defaultMask != 0 {
            let nulls = unsafe (arena.base + row.fields.builder.start).load(as: UInt64.self)
            if section.defaultMask == .max || nulls & section.defaultMask != 0 {
                if let fault = setDefaults(section.defaults, code, &row, into: &arena) { return fault }
            }
        }
        return section.pending.isEmpty ? nil : setPending(section.pending, code, &row, into: &arena)
    }

    @inline(never)
    private mutating func setDefaults(
        _ defaults: Range<Int>, _ code: ProtobufProgram.Code, _ row: inout RowWriter, into arena: inout ByteBuffer
    ) -> ProtobufFault? {
        let program = unsafe code.program.takeUnretainedValue()
        let start = row.fields.builder.start
        for index in defaults {
            let entry = program.defaults[index]
            guard unsafe entered[entry.level] == generation else { continue }
            let base = unsafe UnsafeRawPointer(arena.base) + start
            guard unsafe PackedRow(base: base, layout: row.fields.builder.layout).isNull(entry.slot) else { continue }
            if !unfitSlots.isEmpty, unfitSlots.contains(Int32(entry.slot)) { continue }
            switch entry.value {
            case .bits(let bits): row.fields.builder.set(entry.slot, bits: bits, in: &arena)
            case .text(let place, let count):
                unsafe row.fields.builder.set(entry.slot, padded: code.constants + place, count: count, in: &arena)
            case .step(let number, let place, let count):
                let (outer, outerEnd) = unsafe (cursor, end)
                unsafe cursor = code.constants + place
                unsafe end = unsafe cursor + count
                let fault = unsafe readRarely(code.steps[number], code, &row, into: &arena)
                unsafe cursor = unsafe outer
                unsafe end = unsafe outerEnd
                if let fault { return fault }
            }
        }
        return nil
    }

    @inline(never)
    private mutating func setPending(
        _ numbers: Range<Int>, _ code: ProtobufProgram.Code, _ row: inout RowWriter, into arena: inout ByteBuffer
    ) -> ProtobufFault? {
        let program = unsafe code.program.takeUnretainedValue()
        for number in numbers {
            let pending = program.pending[number]
            guard pending.form != .elements, unsafe entered[pending.level] == generation else { continue }
            var values = values(of: number)
            if values.isEmpty {
                if let fallback = pending.fallback, case .value(let type) = pending.place {
                    let start = unsafe code.constants + fallback.lowerBound
                    unsafe values.append(
                        ProtobufJSON.Value(
                            wireType: type.kind.wireType, start: start, end: start + fallback.count))
                } else if case .value = pending.place {
                    continue
                }
            }
            switch program.json.set(pending, values, &row, into: &arena) {
            case .set, .nothing: continue
            case .unfit: noteUnfit(Int32(pending.slot), &row, in: &arena)
            case .faulty(let fault): return fault
            }
        }
        return nil
    }

    /// What is kept of a pending value; `withLength` begins each where its length stands.
    func values(of pending: Int, withLength: Bool = false) -> [ProtobufJSON.Value] {
        guard keptFrom[pending] < kept.count else { return [] }
        var values: [ProtobufJSON.Value] = []
        for index in keptFrom[pending]..<kept.count where Int(kept[index].pending) == pending {
            let value = kept[index]
            let start = unsafe withLength ? value.place : value.start
            unsafe values.append(ProtobufJSON.Value(wireType: value.wireType, start: start, end: value.end))
        }
        return values
    }
}
