// Runs a program over the bytes of a datum, straight into the row in hand. Nothing is allocated, and no byte is copied
// but into the row.
//
// Each number is read before it is known to be inside: ten bytes at most, and `inputPaddingByteCount` are readable
// behind the end. The place is compared with the end afterwards, once an instruction. Lengths are compared before they
// are believed. What nests in the bytes lies on a stack of its own, which has an end.

internal import Glibc
internal import SluiceSpec

@safe struct AvroMachine: ~Copyable {
    /// Where the next byte is.
    var cursor: UnsafeRawPointer
    /// Behind the last byte.
    var end: UnsafeRawPointer
    /// The first column of the datum in hand whose value its type does not hold; -1 for none.
    private(set) var unfitSlot: Int32 = -1
    /// True when that is a text that is not UTF-8.
    private(set) var isUnfitText = false
    /// Where the array begins whose elements make rows; nil where there is none, or null.
    private(set) var eachStart: UnsafeRawPointer?
    private(set) var eachType = 0
    /// True when there was something else in its place.
    private(set) var isEachMissing = false
    private var emptyItemsLeft = AvroMachine.emptyItemsMax
    private let stack: UnsafeMutablePointer<Int>

    /// So many items may take no bytes, in one datum.
    static let emptyItemsMax = 65_536
    /// The longest part of a datum that is written as JSON.
    static let jsonByteCountMax = 64 << 20
    private static let stackCount = 1024
    /// An instruction takes no more than this of it.
    private static let stackStep = 4

    init() {
        unsafe cursor = unsafe UnsafeRawPointer(bitPattern: 16)!
        unsafe end = unsafe UnsafeRawPointer(bitPattern: 16)!
        unsafe eachStart = nil
        unsafe stack = .allocate(capacity: Self.stackCount)
    }

    deinit { unsafe stack.deallocate() }

    /// Starts on a datum.
    @inline(__always)
    mutating func begin(_ start: UnsafeRawPointer, end: UnsafeRawPointer) {
        unsafe cursor = unsafe start
        unsafe self.end = unsafe end
        unfitSlot = -1
        unsafe eachStart = nil
        isEachMissing = false
        emptyItemsLeft = Self.emptyItemsMax
    }

    /// Starts on an element of the datum in hand.
    mutating func beginElement(_ start: UnsafeRawPointer) {
        unsafe cursor = unsafe start
        unfitSlot = -1
    }

    // MARK: - Bytes

    @inline(__always)
    private mutating func number() -> UInt64? { unsafe readNumber(&cursor) }

    /// A number with its sign, which the lowest bit is.
    @inline(__always)
    mutating func integer() -> Int64? {
        guard let number = number() else { return nil }
        return Int64(bitPattern: number &>> 1) ^ -Int64(bitPattern: number & 1)
    }

    @inline(__always)
    var isInside: Bool { unsafe cursor <= end }

    /// The length of bytes that follow, all of them there.
    @inline(__always)
    mutating func byteCount(_ fault: inout AvroFault) -> Int? {
        guard let count = integer() else {
            fault = .longNumber
            return nil
        }
        guard unsafe count <= Int64(end - cursor) else {
            fault = .short
            return nil
        }
        guard count >= 0 else {
            fault = unsafe cursor <= end ? .negativeCount : .short
            return nil
        }
        return Int(count)
    }

    // MARK: - Items

    /// How many items the next block has; 0 behind the last block.
    mutating func blockCount(_ items: AvroItems, _ fault: inout AvroFault) -> Int? {
        while true {
            guard let count = integer() else {
                fault = .longNumber
                return nil
            }
            guard isInside else {
                fault = .short
                return nil
            }
            if count >= 0 { return granted(count, items, &fault) }
            // The block says how many bytes it has.
            guard count > .min, let byteCount = byteCount(&fault) else {
                if count == .min { fault = .negativeCount }
                return nil
            }
            if !items.contains(.unwanted) { return granted(-count, items, &fault) }
            unsafe cursor += byteCount
        }
    }

    private mutating func granted(_ count: Int64, _ items: AvroItems, _ fault: inout AvroFault) -> Int? {
        if items.contains(.empty) {
            guard count <= emptyItemsLeft else {
                fault = .emptyItems
                return nil
            }
            emptyItemsLeft -= Int(count)
        }
        return Int(count)
    }

    /// Counts an item that took no bytes; false when there are too many.
    mutating func countEmptyItem(_ fault: inout AvroFault) -> Bool {
        emptyItemsLeft -= 1
        fault = .emptyItems
        return emptyItemsLeft >= 0
    }

    private mutating func skipEmptyItems(_ fault: inout AvroFault) -> Bool {
        while let count = blockCount([.unwanted], &fault) { if count == 0 { return true } }
        return false
    }

    // MARK: - The program

    /// Runs the instructions from `start` on. nil at their end, else why the bytes cannot be read: the row holds what
    /// could be, and the rest of the bytes has no meaning.
    mutating func run(
        _ code: AvroProgram.Code, from start: Int, _ row: inout RowWriter, into arena: inout ByteBuffer
    ) -> AvroFault? {
        var place = start
        var top = 0
        var fault = AvroFault.short
        while true {
            let instruction = unsafe code.instructions[place]
            place &+= 1
            switch instruction.operation {
            case .end: return nil
            case .skip:
                if let fault = unsafe skip(code.table + Int(instruction.a), Int(instruction.b)) { return fault }
            case .jump: place = Int(instruction.a)
            case .choose:
                guard let branch = number() else { return .longNumber }
                guard isInside else { return .short }
                guard branch & ~2 == 0 else { return .branch }
                place = Int(branch == 0 ? instruction.a : instruction.b)
            case .chooseOfMany:
                guard let branch = integer() else { return .longNumber }
                guard isInside else { return .short }
                guard branch >= 0, branch < Int64(instruction.b) else { return .branch }
                place = unsafe Int(code.table[Int(instruction.a) &+ Int(branch)])
            case .boolean:
                let byte = unsafe cursor.load(as: UInt8.self)
                unsafe cursor += 1
                guard isInside else { return .short }
                guard byte <= 1 else { return .boolean }
                row.fields.builder.set(Int(instruction.slot), bits: UInt64(byte), in: &arena)
            case .integer:
                guard let value = integer() else { return .longNumber }
                guard isInside else { return .short }
                if Int32(truncatingIfNeeded: value) != value {
                    if instruction.a == 1 { return .largeNumber }
                    if instruction.b == 1 {
                        noteUnfit(instruction.slot)
                        continue
                    }
                }
                row.fields.builder.set(Int(instruction.slot), integer: value, in: &arena)
            case .multiply:
                guard let value = integer() else { return .longNumber }
                guard isInside else { return .short }
                let (micros, isOver) = value.multipliedReportingOverflow(by: Int64(instruction.a))
                if isOver {
                    noteUnfit(instruction.slot)
                } else {
                    row.fields.builder.set(Int(instruction.slot), integer: micros, in: &arena)
                }
            case .divide:
                guard let value = integer() else { return .longNumber }
                guard isInside else { return .short }
                let micros = value.flooredQuotient(by: Int64(instruction.a))
                row.fields.builder.set(Int(instruction.slot), integer: micros, in: &arena)
            case .double:
                let bits = unsafe UInt64(littleEndian: cursor.loadUnaligned(as: UInt64.self))
                unsafe cursor += 8
                guard isInside else { return .short }
                row.fields.builder.set(Int(instruction.slot), bits: bits, in: &arena)
            case .float:
                let bits = unsafe UInt32(littleEndian: cursor.loadUnaligned(as: UInt32.self))
                unsafe cursor += 4
                guard isInside else { return .short }
                let value = Double(Float(bitPattern: bits))
                row.fields.builder.set(Int(instruction.slot), bits: value.bitPattern, in: &arena)
            case .text:
                guard let count = byteCount(&fault) else { return fault }
                if unsafe isText(cursor, count) {
                    unsafe row.fields.builder.set(Int(instruction.slot), padded: cursor, count: count, in: &arena)
                } else {
                    noteUnfit(instruction.slot, isText: true)
                }
                unsafe cursor += count
            case .call:
                guard top &+ Self.stackStep <= Self.stackCount else { return .deep }
                unsafe stack[top] = place
                top &+= 1
                place = Int(instruction.a)
            case .comeBack:
                top &-= 1
                place = unsafe stack[top]
            case .mark:
                guard top &+ Self.stackStep <= Self.stackCount else { return .deep }
                unsafe stack[top] = Int(bitPattern: cursor)
                top &+= 1
            case .goBack: unsafe cursor = UnsafeRawPointer(bitPattern: stack[top &- 1])!
            case .forget: top &-= 1
            case .beginItems, .beginElements:
                guard top &+ Self.stackStep <= Self.stackCount else { return .deep }
                guard let count = blockCount(AvroItems(rawValue: instruction.b), &fault) else { return fault }
                guard count > 0 else {
                    place = Int(instruction.a)
                    continue
                }
                if instruction.operation == .beginElements {
                    unsafe stack[top] = -1
                    top &+= 1
                }
                unsafe stack[top] = count
                top &+= 1
            case .nextItem:
                unsafe stack[top &- 1] &-= 1
                if unsafe stack[top &- 1] > 0 {
                    place = Int(instruction.a)
                    continue
                }
                guard let count = blockCount(AvroItems(rawValue: instruction.b), &fault) else { return fault }
                if count > 0 {
                    unsafe stack[top &- 1] = count
                    place = Int(instruction.a)
                } else {
                    top &-= 1
                }
            case .element:
                unsafe stack[top &- 2] &+= 1
                unsafe place = self.place(ofElement: stack[top &- 2], code.table, instruction) ?? place
            case .key:
                guard let count = byteCount(&fault) else { return fault }
                place = self.place(ofKey: count, code, instruction) ?? place
                unsafe cursor += count
            case .emptyItems: guard skipEmptyItems(&fault) else { return fault }
            case .enterConstant:
                guard top &+ Self.stackStep <= Self.stackCount else { return .deep }
                unsafe stack[top] = Int(bitPattern: cursor)
                unsafe stack[top &+ 1] = Int(bitPattern: end)
                top &+= 2
                unsafe cursor = code.constants + Int(instruction.a)
                unsafe end = unsafe cursor + Int(instruction.b)
            case .leaveConstant:
                top &-= 2
                unsafe cursor = UnsafeRawPointer(bitPattern: stack[top])!
                unsafe end = UnsafeRawPointer(bitPattern: stack[top &+ 1])!
            case .markEach:
                unsafe eachStart = unsafe cursor
                eachType = Int(instruction.a)
            case .noEach: isEachMissing = true
            case .unfit: noteUnfit(instruction.slot)
            case .setNull: row.fields.builder.setNull(Int(instruction.slot), in: &arena)
            case .symbol:
                guard let symbol = integer() else { return .longNumber }
                guard isInside else { return .short }
                guard symbol >= 0, symbol < Int64(instruction.b) else { return .symbol }
                setSymbol(Int(symbol), code, instruction, &row, into: &arena)
            case .convert:
                let conversion = unsafe code.conversions + Int(instruction.a)
                switch unsafe convert(conversion, code.json, slot: Int(instruction.slot), &row, into: &arena, &fault) {
                case .set: continue
                case .unfit: noteUnfit(instruction.slot)
                case .faulty: return fault
                }
            }
        }
    }

    /// Passes over fields: what has many columns that nobody asks for spends its time here. Of each field that is as
    /// most are one word is looked at: the byte of the branch and a length of one byte together, a number by the bit
    /// that ends it.
    @inline(never)
    private mutating func skip(_ fields: UnsafePointer<Int32>, _ count: Int) -> AvroFault? {
        var place = unsafe cursor
        let end = unsafe self.end
        var next = unsafe fields
        let last = unsafe fields + count
        while unsafe next < last {
            let field = unsafe SkippedField(code: next.pointee)
            let word = unsafe UInt64(littleEndian: place.loadUnaligned(as: UInt64.self))
            let branch = word & 0xFF
            let start = unsafe place
            unsafe next += 1
            var isKnown = true
            switch field.form {
            case SkippedField.number:
                let ends = ~word & 0x8080_8080_8080_8080
                unsafe place += ends.trailingZeroBitCount &>> 3 &+ 1
                isKnown = ends != 0
            case SkippedField.text:
                unsafe place += 1 &+ Int(truncatingIfNeeded: word &>> 1 & 0x3F)
                isKnown = word & 0x81 == 0
            case SkippedField.bytes: unsafe place += field.byteCount
            case SkippedField.number | SkippedField.mayBeNull:
                let ends = ~word & 0x8080_8080_8080_8000
                isKnown = branch == field.valueBranch && ends != 0
                unsafe place += ends.trailingZeroBitCount &>> 3 &+ 1
            case SkippedField.text | SkippedField.mayBeNull:
                isKnown = word & 0x81FF == field.valueBranch
                unsafe place += 2 &+ Int(truncatingIfNeeded: word &>> 9 & 0x3F)
            default:
                isKnown = branch == field.valueBranch
                unsafe place += 1 &+ field.byteCount
            }
            if !isKnown, field.mayBeNull, branch ^ 2 == field.valueBranch {
                unsafe place = unsafe start + 1
                isKnown = true
            }
            if isKnown, unsafe place <= end { continue }
            unsafe cursor = unsafe start
            if let fault = skipRare(field) { return fault }
            unsafe place = unsafe cursor
        }
        unsafe cursor = unsafe place
        return nil
    }

    /// A field that is longer than most are, or has no end.
    @inline(never)
    private mutating func skipRare(_ field: SkippedField) -> AvroFault? {
        if field.mayBeNull {
            guard let branch = number() else { return .longNumber }
            guard isInside else { return .short }
            guard branch & ~2 == 0 else { return .branch }
            if branch != field.valueBranch { return nil }
        }
        switch field.form & ~SkippedField.mayBeNull {
        case SkippedField.number:
            guard number() != nil else { return .longNumber }
            guard isInside else { return .short }
        case SkippedField.text:
            var fault = AvroFault.short
            guard let count = byteCount(&fault) else { return fault }
            unsafe cursor += count
        default:
            guard unsafe end - cursor >= field.byteCount else { return .short }
            unsafe cursor += field.byteCount
        }
        return nil
    }

    @inline(never)
    private mutating func noteUnfit(_ slot: Int32, isText: Bool = false) {
        guard unfitSlot < 0 else { return }
        unfitSlot = slot
        isUnfitText = isText
    }

    /// What is wrong with the datum in hand where a slot is unfit.
    var unfitFault: RecordFault {
        isUnfitText ? .fieldEncoding(slot: Int(unfitSlot)) : .field(slot: Int(unfitSlot))
    }

    // MARK: - What is rare

    @inline(never)
    private func place(
        ofElement element: Int, _ table: UnsafePointer<Int32>, _ instruction: AvroInstruction
    ) -> Int? {
        let pairs = unsafe table + Int(instruction.a)
        for index in 0..<Int(instruction.b) where unsafe Int(pairs[index * 2]) == element {
            return unsafe Int(pairs[index * 2 + 1])
        }
        return nil
    }

    @inline(never)
    private func place(ofKey count: Int, _ code: AvroProgram.Code, _ instruction: AvroInstruction) -> Int? {
        let pairs = unsafe code.table + Int(instruction.a)
        for index in 0..<Int(instruction.b) {
            let text = unsafe code.table + Int(pairs[index * 2])
            if unsafe Int(text[1]) == count, unsafe memcmp(cursor, code.constants + Int(text[0]), count) == 0 {
                return unsafe Int(pairs[index * 2 + 1])
            }
        }
        return nil
    }

    @inline(never)
    private mutating func setSymbol(
        _ symbol: Int, _ code: AvroProgram.Code, _ instruction: AvroInstruction, _ row: inout RowWriter,
        into arena: inout ByteBuffer
    ) {
        let text = unsafe code.table + (Int(instruction.a) + symbol * 2)
        guard unsafe text[1] >= 0 else { return noteUnfit(instruction.slot) }
        unsafe row.fields.builder.set(
            Int(instruction.slot), padded: code.constants + Int(text[0]), count: Int(text[1]), in: &arena)
    }
}
