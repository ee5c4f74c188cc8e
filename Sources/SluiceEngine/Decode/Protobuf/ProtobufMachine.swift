// Runs a program over the bytes of a message, straight into the row in hand. Nothing is allocated for what goes into
// slots as it is, and no byte is copied but into the row.
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
    var unfitSlot: Int32 = -1
    /// True when that is a text that is not UTF-8.
    var isUnfitText = false
    /// All such columns, of which a default must not make good ones.
    var unfitSlots: [Int32] = []
    /// What is kept for the end, in its order.
    var kept: [Kept] = []
    /// For each pending value, from where on what is kept counts: what is before has been cleared.
    var keptFrom: [Int] = []

    /// A level was entered in the record in hand where its number is this.
    var generation: UInt32 = 0
    var entered: UnsafeMutablePointer<UInt32>
    var counters: UnsafeMutablePointer<Int32>
    /// Seconds and nanoseconds of instants, by level.
    var instants: UnsafeMutablePointer<(Int64, Int32)>
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
    mutating func byteCount(_ fault: inout ProtobufFault) -> Int? {
        unsafe readByteCount(&cursor, end, &fault)
    }

    @inline(__always)
    mutating func tag() -> UInt32? { unsafe readTag(&cursor) }

    /// Passes over the value of a field that nobody wants.
    @inline(__always)
    mutating func skip(_ tag: UInt32) -> ProtobufFault? { unsafe passValue(tag, &cursor, end) }

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
                    guard unsafe push(count, &level, &top) else { return .deep }
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
                    guard unsafe push(count, &level, &top) else { return .deep }
                    unsafe level = code.levels + found
                    enterAnew(found, code)
                }
                break
            }
        }
    }

    /// Keeps the message in hand for when the one of so many bytes, which is in it, has ended.
    @inline(__always)
    private mutating func push(
        _ count: Int, _ level: inout UnsafePointer<ProtobufLevel>, _ top: inout Int
    ) -> Bool {
        guard top < Self.depthMax &* 2 else { return false }
        unsafe stack[top] = unsafe end
        unsafe stack[top &+ 1] = UnsafeRawPointer(level)
        top &+= 2
        unsafe end = unsafe cursor + count
        return true
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
    mutating func integer(_ kind: Int32, _ isLarge: inout Bool) -> Int64? {
        let kind = ProtobufField.Kind(rawValue: UInt8(truncatingIfNeeded: kind)) ?? .int64
        return unsafe readInteger(kind, &cursor, &isLarge)
    }

    /// Reads a value into its slot. What it has read may go beyond the end, which is looked at before the next field.
    @inline(__always)
    mutating func read(
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

    /// At `a` in the table stand whether the enum is closed, the count of its names, and of each its number and where
    /// it is among the constants, by number.
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
    func name(of value: Int64, _ names: UnsafePointer<Int32>) -> UnsafePointer<Int32>? {
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
}
