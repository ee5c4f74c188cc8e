// From two schemas and the columns that are wanted to a program. The columns' paths make a tree; the compiler goes down
// the writer's schema and the tree together. What nobody wants is skipped, neighbours of a kind by one instruction, and
// a record by a routine, so that a type that is used in many places, or in itself, is there once.

internal import SluiceSpec
internal import SluicePlan

struct AvroCompiler {
    private let resolution: AvroResolution
    private let columns: [InputColumn]
    private var instructions: [AvroInstruction] = []
    /// Nothing before it is merged with what comes: something jumps there.
    private var barrier = 0
    private var table: [Int32] = []
    private var constants: [UInt8]
    private var conversions: [AvroConversion] = []
    private var routines: [Routine: Int] = [:]
    private var unwritten: [Routine] = []
    private var emptiness: [Routine: Bool] = [:]
    /// Of the arrays whose elements make rows, and where the instructions for them begin.
    private var elementItems: [Int] = []
    private var elementStarts: [Int] = []
    private var depth = 0
    private var isTooLarge = false

    /// A record that is skipped.
    private struct Routine: Hashable {
        var type: Int
        var isOfDefault: Bool
    }

    private static let instructionCountMax = 1 << 17

    private init(_ resolution: AvroResolution, _ columns: [InputColumn]) {
        self.resolution = resolution
        self.columns = columns
        constants = resolution.constants
    }

    /// nil for a schema so intricate that the program would have no end.
    static func program(_ resolution: AvroResolution, _ columns: [InputColumn], each: EachSpec?) -> AvroProgram? {
        var compiler = AvroCompiler(resolution, columns)
        let (record, element) = WantedPart.parts(columns, each: each)
        compiler.read(resolution.root, record)
        compiler.add(.end)
        for item in compiler.elementItems {
            compiler.elementStarts.append(compiler.label())
            compiler.read(item, element)
            compiler.add(.end)
        }
        compiler.writeRoutines()
        guard !compiler.isTooLarge else { return nil }
        let root = resolution[resolution.root]
        return AvroProgram(
            compiler.instructions, table: compiler.table, constants: compiler.constants,
            conversions: compiler.conversions, elementStarts: compiler.elementStarts, json: AvroJSON(resolution),
            isEmpty: compiler.isEmpty(root.writerType, isOfDefault: false))
    }

    // MARK: - Instructions

    @discardableResult
    private mutating func add(
        _ operation: AvroInstruction.Operation, slot: Int = 0, _ a: Int = 0, _ b: Int = 0
    ) -> Int {
        guard instructions.count < Self.instructionCountMax, table.count < Self.instructionCountMax else {
            isTooLarge = true
            return 0
        }
        instructions.append(
            AvroInstruction(operation: operation, slot: Int32(slot), a: Int32(clamping: a), b: Int32(clamping: b)))
        return instructions.count - 1
    }

    /// Skips a field; those that follow one another are one instruction.
    private mutating func skip(_ field: SkippedField) {
        guard let last = instructions.last, last.operation == .skip, instructions.count > barrier,
            Int(last.a + last.b) == table.count
        else {
            add(.skip, table.count, 1)
            table.append(field.code)
            return
        }
        let before = SkippedField(code: table[table.count - 1])
        let byteCount = before.byteCount + field.byteCount
        if before.form == SkippedField.bytes, field.form == SkippedField.bytes, byteCount <= SkippedField.byteCountMax {
            table[table.count - 1] = SkippedField(SkippedField.bytes, byteCount: byteCount).code
            return
        }
        instructions[instructions.count - 1].b += 1
        table.append(field.code)
    }

    /// What is to be done for a value that is no more than one; nil for any other.
    private func skippedField(_ type: AvroType, nullBranch: Int? = nil) -> SkippedField? {
        func bytes(_ count: Int) -> SkippedField? {
            guard count <= SkippedField.byteCountMax else { return nil }
            return SkippedField(SkippedField.bytes, nullBranch: nullBranch, byteCount: count)
        }
        switch type.shape {
        case .int, .long, .enumeration: return SkippedField(SkippedField.number, nullBranch: nullBranch)
        case .bytes, .string: return SkippedField(SkippedField.text, nullBranch: nullBranch)
        case .boolean: return bytes(1)
        case .float: return bytes(4)
        case .double: return bytes(8)
        case .fixed(let byteCount): return bytes(byteCount)
        case .null, .record, .array, .map, .union: return nil
        }
    }

    /// The same of a union of null and such a value.
    private func skippedField(_ branches: [Int], isOfDefault: Bool) -> SkippedField? {
        let schema = schema(isOfDefault)
        guard branches.count == 2, let null = branches.firstIndex(where: { schema[$0].shape == .null }) else {
            return nil
        }
        return skippedField(schema[branches[1 - null]], nullBranch: null)
    }

    /// The place of the next instruction, for something to go to.
    private mutating func label() -> Int {
        barrier = instructions.count
        return barrier
    }

    // MARK: - Skipping

    private mutating func skip(_ node: Int) {
        skip(resolution[node].writerType, isOfDefault: resolution[node].isOfDefault)
    }

    private func schema(_ isOfDefault: Bool) -> AvroSchema {
        isOfDefault ? resolution.reader ?? resolution.writer : resolution.writer
    }

    private mutating func skip(_ type: Int, isOfDefault: Bool) {
        if isTooLarge || isEmpty(type, isOfDefault: isOfDefault) { return }
        if let field = skippedField(schema(isOfDefault)[type]) { return skip(field) }
        switch schema(isOfDefault)[type].shape {
        case .null, .boolean, .int, .long, .float, .double, .bytes, .string, .enumeration: break
        case .fixed(var byteCount):
            while byteCount > 0 {
                let part = min(byteCount, SkippedField.byteCountMax)
                skip(SkippedField(SkippedField.bytes, byteCount: part))
                byteCount -= part
            }
        case .array(let items):
            if isEmpty(items, isOfDefault: isOfDefault) {
                add(.emptyItems)
            } else {
                forEachItem([.unwanted]) { $0.skip(items, isOfDefault: isOfDefault) }
            }
        case .map(let values):
            forEachItem([.unwanted]) { compiler in
                compiler.skip(SkippedField(SkippedField.text))
                compiler.skip(values, isOfDefault: isOfDefault)
            }
        case .union(let branches):
            if let field = skippedField(branches, isOfDefault: isOfDefault) { return skip(field) }
            choose(branches) { compiler, branch in compiler.skip(branch, isOfDefault: isOfDefault) }
        case .record: add(.call, routine(Routine(type: type, isOfDefault: isOfDefault)))
        }
    }

    private mutating func routine(_ routine: Routine) -> Int {
        if let known = routines[routine] { return known }
        routines[routine] = routines.count
        unwritten.append(routine)
        return routines.count - 1
    }

    /// Writes what is called, and what that calls, and puts addresses in place of numbers.
    private mutating func writeRoutines() {
        var starts: [Int] = []
        var next = 0
        while next < unwritten.count, !isTooLarge {
            let routine = unwritten[next]
            next += 1
            starts.append(label())
            if case .record(let fields) = schema(routine.isOfDefault)[routine.type].shape {
                for field in fields { skip(field.type, isOfDefault: routine.isOfDefault) }
            }
            add(.comeBack)
        }
        guard !isTooLarge else { return }
        for index in instructions.indices where instructions[index].operation == .call {
            instructions[index].a = Int32(starts[Int(instructions[index].a)])
        }
    }

    /// Whether a value of a type takes no bytes at all. What holds itself takes some, or has no end.
    private mutating func isEmpty(_ type: Int, isOfDefault: Bool, depth: Int = 0) -> Bool {
        let place = Routine(type: type, isOfDefault: isOfDefault)
        if let known = emptiness[place] { return known }
        guard depth <= AvroResolution.depthMax else { return false }
        switch schema(isOfDefault)[type].shape {
        case .null: return true
        case .fixed(let byteCount): return byteCount == 0
        case .record(let fields):
            emptiness[place] = false
            for field in fields where !isEmpty(field.type, isOfDefault: isOfDefault, depth: depth + 1) { return false }
            emptiness[place] = true
            return true
        default: return false
        }
    }

    // MARK: - Jumps

    private mutating func choose(_ branches: [Int], _ body: (inout AvroCompiler, Int) -> Void) {
        if branches.count == 2 { return chooseOfTwo(branches, body) }
        let start = table.count
        table += [Int32](repeating: 0, count: branches.count)
        add(.chooseOfMany, start, branches.count)
        var jumps: [Int] = []
        for (number, branch) in branches.enumerated() where !isTooLarge {
            table[start + number] = Int32(label())
            body(&self, branch)
            if number < branches.count - 1 { jumps.append(add(.jump)) }
        }
        leadJumps(jumps, to: label())
    }

    /// A branch without instructions is the way out.
    private mutating func chooseOfTwo(_ branches: [Int], _ body: (inout AvroCompiler, Int) -> Void) {
        let choice = add(.choose)
        let first = label()
        body(&self, branches[0])
        guard !isTooLarge else { return }
        if instructions.count == first {
            body(&self, branches[1])
            guard !isTooLarge else { return }
            instructions[choice].b = Int32(first)
            instructions[choice].a = Int32(label())
            return
        }
        let jump = add(.jump)
        let second = label()
        body(&self, branches[1])
        guard !isTooLarge else { return }
        instructions[choice].a = Int32(first)
        if instructions.count == second {
            instructions.removeLast()
            instructions[choice].b = Int32(label())
        } else {
            instructions[choice].b = Int32(second)
            instructions[jump].a = Int32(label())
        }
    }

    private mutating func leadJumps(_ jumps: [Int], to place: Int) {
        guard !isTooLarge else { return }
        for jump in jumps { instructions[jump].a = Int32(place) }
    }

    private mutating func forEachItem(_ items: AvroItems, _ body: (inout AvroCompiler) -> Void) {
        let start = add(.beginItems, 0, Int(items.rawValue))
        let first = label()
        body(&self)
        add(.nextItem, first, Int(items.rawValue))
        let end = label()
        if !isTooLarge { instructions[start].a = Int32(end) }
    }

    // MARK: - Reading

    /// Reads a value for all that want it: each reads it from its start.
    private mutating func read(_ node: Int, _ part: WantedPart) {
        guard !isTooLarge else { return }
        guard depth < AvroResolution.depthMax else {
            isTooLarge = true
            return
        }
        depth += 1
        defer { depth -= 1 }
        var readers: [(inout AvroCompiler) -> Void] = part.slots.map { slot in
            { $0.readValue(node, slot) }
        }
        if !part.fields.isEmpty { readers.append { $0.readFields(node, part) } }
        if !part.elements.isEmpty { readers.append { $0.readElements(node, part) } }
        if part.isEach { readers.append { $0.markEach(node) } }
        guard readers.count > 1 else {
            if let only = readers.first { only(&self) } else { skip(node) }
            return
        }
        add(.mark)
        for (number, reader) in readers.enumerated() {
            reader(&self)
            add(number < readers.count - 1 ? .goBack : .forget)
        }
        _ = label()
    }

    /// Passes over what cannot be what a path wants.
    private mutating func refuse(_ node: Int, _ slots: [Int]) {
        skip(node)
        if case .null = resolution[node].shape { return }
        if let slot = slots.first { add(.unfit, slot: slot) }
    }

    private mutating func readFields(_ node: Int, _ part: WantedPart) {
        let leaves = part.fields.flatMap(\.part.leaves)
        switch resolution[node].shape {
        case .union(let branches): choose(branches) { $0.readFields($1, part) }
        case .record(let fields):
            for field in fields where !isTooLarge {
                let wanted = part.fields.first { $0.name == field.name }?.part
                switch field.source {
                case .written(let inner):
                    if let wanted { read(inner, wanted) } else { skip(inner) }
                case .constant(let inner, let range):
                    guard let wanted else { continue }
                    add(.enterConstant, range.lowerBound, range.count)
                    read(inner, wanted)
                    add(.leaveConstant)
                case .missing, .badDefault: break
                }
            }
        case .map(let values):
            var keys: [(number: Int, part: WantedPart)] = []
            for field in part.fields { keys.append((constant(Array(field.name.utf8)), field.part)) }
            // A key takes a byte at least.
            readItems(keys, by: .key, values, isEmptyItem: false, clears: true)
        default: refuse(node, leaves)
        }
    }

    private mutating func readElements(_ node: Int, _ part: WantedPart) {
        switch resolution[node].shape {
        case .union(let branches): choose(branches) { $0.readElements($1, part) }
        case .array(let items):
            let isEmptyItem = isEmpty(resolution[items].writerType, isOfDefault: resolution[items].isOfDefault)
            readItems(
                part.elements.map { ($0.place, $0.part) }, by: .element, items, isEmptyItem: isEmptyItem,
                clears: false)
        default: refuse(node, part.elements.flatMap(\.part.leaves))
        }
    }

    /// Some of the items of an array or a map, told apart by a number. A map may have a key twice, of which the last
    /// counts: what the first has set is cleared.
    private mutating func readItems(
        _ wanted: [(number: Int, part: WantedPart)], by choice: AvroInstruction.Operation, _ item: Int,
        isEmptyItem: Bool, clears: Bool
    ) {
        let items: AvroItems = isEmptyItem ? [.empty] : []
        let start = add(choice == .element ? .beginElements : .beginItems, 0, Int(items.rawValue))
        let first = label()
        let places = table.count
        for (number, _) in wanted { table += [Int32(clamping: number), 0] }
        add(choice, places, wanted.count)
        skip(item)
        var jumps = [add(.jump)]
        for (index, (_, part)) in wanted.enumerated() where !isTooLarge {
            table[places + index * 2 + 1] = Int32(label())
            if clears { for slot in part.leaves { add(.setNull, slot: slot) } }
            read(item, part)
            if index < wanted.count - 1 { jumps.append(add(.jump)) }
        }
        leadJumps(jumps, to: label())
        add(.nextItem, first, Int(items.rawValue))
        if choice == .element { add(.forget) }
        let end = label()
        if !isTooLarge { instructions[start].a = Int32(end) }
    }

    /// The number of a text among the constants: a pair of offset and count in the table.
    private mutating func constant(_ bytes: [UInt8]) -> Int {
        table += [Int32(constants.count), Int32(bytes.count)]
        constants += bytes
        return table.count - 2
    }

    // MARK: - Elements that make rows

    private mutating func markEach(_ node: Int) {
        switch resolution[node].shape {
        case .union(let branches): choose(branches) { $0.markEach($1) }
        case .array(let items):
            // Each type of element has a program of its own.
            let known = elementItems.firstIndex(of: items)
            if known == nil { elementItems.append(items) }
            add(.markEach, known ?? elementItems.count - 1)
            skip(node)
        case .null: break
        default:
            skip(node)
            add(.noEach)
        }
    }

    // MARK: - Values

    private mutating func readValue(_ node: Int, _ slot: Int) {
        if case .union(let branches) = resolution[node].shape {
            return choose(branches) { $0.readValue($1, slot) }
        }
        let column = columns[slot]
        let reading: AvroReading
        do throws(AvroReadingProblem) {
            reading = try resolution[node].reading(as: column.type, column.form)
        } catch {
            return refuse(node, [slot])
        }
        if !addShortForm(reading, node, slot) { convert(reading, node, slot) }
    }

    /// Adds the instruction that a reading has of its own; false where there is none.
    private mutating func addShortForm(_ reading: AvroReading, _ node: Int, _ slot: Int) -> Bool {
        let shape = resolution[node].shape
        switch (reading, shape) {
        case (.null, _): break
        case (.boolean, .boolean): add(.boolean, slot: slot)
        case (.integer, .int): add(.integer, slot: slot, 1, 0)
        case (.integer, .long): add(.integer, slot: slot, 0, columns[slot].type == .int ? 1 : 0)
        case (.days, .int): add(.integer, slot: slot, 1, 0)
        case (.epoch(.nanoseconds), .long): add(.divide, slot: slot, 1000)
        case (.epoch(.microseconds), .long): add(.multiply, slot: slot, 1)
        case (.epoch(.milliseconds), .long): add(.multiply, slot: slot, 1000)
        case (.epoch(.seconds), .long): add(.multiply, slot: slot, 1_000_000)
        case (.double, .double): add(.double, slot: slot)
        case (.double, .float): add(.float, slot: slot)
        case (.text, .string), (.text, .bytes): add(.text, slot: slot)
        case (.symbol, .enumeration(let symbols)): readSymbol(symbols, slot)
        default: return false
        }
        return true
    }

    private mutating func readSymbol(_ symbols: [String?], _ slot: Int) {
        var pairs: [Int32] = []
        for symbol in symbols {
            pairs += symbol.map { [Int32(constants.count), Int32($0.utf8.count)] } ?? [0, -1]
            constants += symbol.map { Array($0.utf8) } ?? []
        }
        add(.symbol, slot: slot, table.count, symbols.count)
        table += pairs
    }

    private mutating func convert(_ reading: AvroReading, _ node: Int, _ slot: Int) {
        let source: AvroConversion.Source =
            switch resolution[node].shape {
            case .int: .number(.int)
            case .long: .number(.long)
            case .float: .number(.float)
            case .double: .number(.double)
            case .fixed(let byteCount): .fixed(byteCount)
            default: .bytes
            }
        var conversion = AvroConversion(source: source, reading: reading, column: DecodedColumn(columns[slot]))
        conversion.isRoundedToFloat = resolution[node].promotion == .toFloat
        conversion.node = Int32(node)
        conversions.append(conversion)
        add(.convert, slot: slot, conversions.count - 1)
    }
}
