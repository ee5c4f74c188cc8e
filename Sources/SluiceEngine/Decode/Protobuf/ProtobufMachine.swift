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
                unsafe passUnwanted(level.pointee.wanted)
                continue
            }
            let wanted = unsafe code.steps + Int(place)
            guard unsafe wanted.pointee.wireType == tag & 7 else {
                let fault =
                    unsafe wanted.pointee.isPackable && tag & 7 == 2
                    ? readPacked(wanted.pointee, code, &row, into: &arena) : skip(tag)
                if let fault { return fault }
                continue
            }
            if unsafe wanted.pointee.clears | wanted.pointee.closed != 0 {
                if unsafe isUnknown(wanted.pointee, code) {
                    if let fault = skip(tag) { return fault }
                    continue
                }
                let clears = unsafe wanted.pointee.clears
                if clears != 0 { clear(listedAt: clears, code, &row, in: &arena) }
            }
            // What most columns are.
            switch unsafe wanted.pointee.operation {
            case .text:
                if let fault = unsafe readText(wanted.pointee.slot, &row, into: &arena) { return fault }
                continue
            case .integer:
                if let fault = unsafe readWhole(wanted, &row, into: &arena) { return fault }
                continue
            case .instant:
                if let fault = unsafe readInstant(wanted, &row, into: &arena) { return fault }
                continue
            default: break
            }
            var step = unsafe wanted.pointee
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

    /// Passes over the fields that follow and nobody wants, as long as they are plain: numbers below 64, values of up
    /// to six bytes, texts of less than 128. What is broken is left to whoever reads on.
    @inline(__always)
    private mutating func passUnwanted(_ wanted: UInt64) {
        var place = unsafe cursor
        let end = unsafe self.end
        passing: while unsafe place < end {
            let word = unsafe UInt64(littleEndian: place.loadUnaligned(as: UInt64.self))
            var tag = word & 0x7F
            var tagByteCount: UInt64 = 1
            if word & 0x80 != 0 {
                tag |= word &>> 1 & 0x3F80
                tagByteCount = 2
                guard word & 0x8000 == 0 else { break }
            }
            guard tag >= 1 &<< 3, tag < 64 &<< 3, wanted &>> (tag &>> 3) & 1 == 0 else { break }
            let rest = word &>> (tagByteCount &* 8)
            var byteCount = tagByteCount
            switch tag & 7 {
            case 0:
                let ends = ~rest & 0x8080_8080_8080
                guard ends != 0 else { break passing }
                byteCount &+= UInt64(ends.trailingZeroBitCount) &>> 3 &+ 1
            case 1: byteCount &+= 8
            case 2:
                byteCount &+= (rest & 0x7F) &+ 1
                guard rest & 0x80 == 0, unsafe byteCount <= UInt64(end - place) else { break passing }
            case 5: byteCount &+= 4
            default: break passing
            }
            unsafe place += Int(truncatingIfNeeded: byteCount)
        }
        unsafe cursor = unsafe place
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

    @inline(__always)
    private mutating func readText(
        _ slot: Int32, _ row: inout RowWriter, into arena: inout ByteBuffer
    ) -> ProtobufFault? {
        var fault = ProtobufFault.short
        var place = unsafe cursor
        guard let count = unsafe readByteCount(&place, end, &fault) else { return fault }
        if unsafe isText(place, count) {
            unsafe row.fields.builder.set(Int(slot), padded: place, count: count, in: &arena)
        } else {
            noteUnfit(slot, isText: true, &row, in: &arena)
        }
        unsafe cursor = unsafe place + count
        return nil
    }

    @inline(__always)
    private mutating func readWhole(
        _ step: UnsafePointer<ProtobufStep>, _ row: inout RowWriter, into arena: inout ByteBuffer
    ) -> ProtobufFault? {
        var isLarge = false
        guard let value = unsafe integer(step.pointee.a, &isLarge) else { return .longNumber }
        if unsafe isLarge || (step.pointee.b == 1 && Int64(Int32(truncatingIfNeeded: value)) != value) {
            unsafe noteUnfit(step.pointee.slot, &row, in: &arena)
        } else {
            unsafe row.fields.builder.set(Int(step.pointee.slot), integer: value, in: &arena)
        }
        return nil
    }

    /// Reads a value into its slot. What it has read may go beyond the end, which is looked at before the next field.
    @inline(never)
    mutating func read(
        _ step: ProtobufStep, _ code: ProtobufProgram.Code, _ row: inout RowWriter, into arena: inout ByteBuffer
    ) -> ProtobufFault? {
        switch step.operation {
        case .text: return readText(step.slot, &row, into: &arena)
        case .integer: return unsafe withUnsafePointer(to: step) { unsafe readWhole($0, &row, into: &arena) }
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
        case .instant: return unsafe withUnsafePointer(to: step) { unsafe readInstant($0, &row, into: &arena) }
        case .symbol: return readSymbol(step, code, &row, into: &arena)
        case .skip: return skip(UInt32(step.wireType) | 8)
        case .enter, .convert, .pend, .element, .entry, .several: preconditionFailure("no value of its own")
        }
        return nil
    }

    /// The parts of an instant, which may come in two messages as those of any other.
    @inline(__always)
    private mutating func readInstant(
        _ step: UnsafePointer<ProtobufStep>, _ row: inout RowWriter, into arena: inout ByteBuffer
    ) -> ProtobufFault? {
        var fault = ProtobufFault.short
        var place = unsafe cursor
        guard let count = unsafe readByteCount(&place, end, &fault) else { return fault }
        let instantEnd = unsafe place + count
        let level = unsafe Int(step.pointee.a)
        var (seconds, nanos) = (Int64(0), Int32(0))
        if unsafe entered[level] == generation { unsafe (seconds, nanos) = instants[level] }
        while unsafe place < instantEnd {
            let tag = unsafe place.load(as: UInt8.self)
            guard tag == 1 << 3 || tag == 2 << 3 else {
                guard let other = unsafe readTag(&place) else { return .tag }
                if let fault = unsafe passValue(other, &place, instantEnd) { return fault }
                continue
            }
            unsafe place += 1
            guard let value = unsafe readNumber(&place) else { return .longNumber }
            if tag == 1 << 3 { seconds = Int64(bitPattern: value) } else { nanos = Int32(truncatingIfNeeded: value) }
        }
        guard unsafe place == instantEnd else { return .short }
        unsafe cursor = unsafe place
        unsafe entered[level] = generation
        unsafe instants[level] = (seconds, nanos)
        let (product, isOver) = seconds.multipliedReportingOverflow(by: microsPerSecond)
        let part = nanos >= 0 ? Int64(UInt32(nanos) / 1000) : Int64(nanos).flooredQuotient(by: 1000)
        let (micros, isBeyond) = product.addingReportingOverflow(part)
        if isOver || isBeyond {
            unsafe noteUnfit(step.pointee.slot, &row, in: &arena)
        } else {
            unsafe row.fields.builder.set(Int(step.pointee.slot), integer: micros, in: &arena)
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
