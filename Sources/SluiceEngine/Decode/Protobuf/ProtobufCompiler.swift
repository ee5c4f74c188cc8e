// From a message and the columns that are wanted to a program. The columns' paths make a tree; the compiler goes down
// the messages and the tree together, and makes a level of each message on the way.

internal import SluicePlan
internal import SluiceSpec

struct ProtobufCompiler: ~Copyable {
    private let schema: ProtobufSchema
    private let columns: [InputColumn]
    let json: ProtobufJSON
    /// The first one is none.
    private(set) var steps = [ProtobufStep(operation: .skip)]
    private(set) var levels: [ProtobufLevel] = []
    /// The first entry is none.
    private(set) var table: [Int32] = [0]
    private(set) var constants: [UInt8] = []
    private(set) var parts: [ProtobufPart] = []
    private(set) var conversions: [ProtobufConversion] = []
    private(set) var defaults: [ProtobufDefault] = []
    private(set) var pending: [ProtobufPending] = []
    private(set) var counterCount = 0
    private(set) var record = ProtobufSection()
    private(set) var element = ProtobufSection()
    /// What the elements that make rows are.
    private var elementType: ProtobufType?
    private var depth = 0

    /// Steps by number stand in a table up to here, those of larger numbers in a list.
    private static let denseMax = 1024

    private init(_ schema: ProtobufSchema, _ columns: [InputColumn]) {
        self.schema = schema
        self.columns = columns
        json = ProtobufJSON(schema)
    }

    /// - Throws: where a column cannot be read with the message.
    static func program(
        _ schema: ProtobufSchema, _ message: Int, _ columns: [InputColumn], each: EachSpec?
    ) throws(ProtobufProblem) -> ProtobufProgram {
        var compiler = ProtobufCompiler(schema, columns)
        let (record, element) = WantedPart.parts(columns, each: each)
        compiler.record.level = compiler.addLevel()
        try compiler.read(message, record, level: compiler.record.level)
        compiler.record.defaults = 0..<compiler.defaults.count
        compiler.record.pending = 0..<compiler.pending.count
        compiler.record.defaultMask = compiler.mask(compiler.record.defaults)
        var elementStep = 0
        if let type = compiler.elementType {
            let (defaults, pending) = (compiler.defaults.count, compiler.pending.count)
            compiler.element.level = compiler.addLevel()
            elementStep = try compiler.step(
                .value(type), element, level: compiler.element.level, fallback: nil, isPackable: false)
            compiler.element.defaults = defaults..<compiler.defaults.count
            compiler.element.pending = pending..<compiler.pending.count
            compiler.element.defaultMask = compiler.mask(compiler.element.defaults)
        } else if each != nil {
            throw ProtobufProblem(message: "there is no list for `each`")
        }
        return ProtobufProgram(compiler, elementStep: elementStep)
    }

    private func mask(_ range: Range<Int>) -> UInt64 {
        range.reduce(0) { mask, index in
            defaults[index].slot < 64 ? mask | 1 << UInt64(defaults[index].slot) : .max
        }
    }

    // MARK: - Parts of a program

    private mutating func addLevel() -> Int {
        levels.append(ProtobufLevel())
        return levels.count - 1
    }

    private mutating func add(_ step: ProtobufStep) -> Int {
        steps.append(step)
        return steps.count - 1
    }

    /// A list in the table: its count, and what is in it.
    private mutating func add(list: [Int]) -> Int {
        table.append(Int32(list.count))
        table += list.map { Int32(clamping: $0) }
        return table.count - list.count - 1
    }

    private mutating func constant(_ bytes: some Collection<UInt8>) -> Range<Int> {
        constants += bytes
        return constants.count - bytes.count..<constants.count
    }

    /// Does what `body` does, and takes all of it for one part.
    private mutating func part(
        _ wanted: WantedPart, _ body: (inout ProtobufCompiler) throws(ProtobufProblem) -> Int
    ) throws(ProtobufProblem) -> (step: Int, part: Int) {
        let (levelStart, counterStart, pendingStart) = (levels.count, counterCount, pending.count)
        let step = try body(&self)
        parts.append(
            ProtobufPart(
                slots: wanted.leaves.map { Int32($0) }, levels: levelStart..<levels.count,
                counters: counterStart..<counterCount, pending: pendingStart..<pending.count))
        return (step, parts.count - 1)
    }

    // MARK: - Messages

    /// Makes a level's table for a message.
    private mutating func read(_ message: Int, _ wanted: WantedPart, level: Int) throws(ProtobufProblem) {
        guard depth < ProtobufMachine.depthMax else { throw ProtobufProblem(message: "it is nested too deeply") }
        depth += 1
        defer { depth -= 1 }
        let fields = schema[message].fields
        for name in wanted.fields.map(\.name) where !fields.contains(where: { $0.name == name }) {
            throw ProtobufProblem(message: "there is no field `\(name)`")
        }
        if !wanted.elements.isEmpty { throw ProtobufProblem(message: "a message has no elements") }
        // Counters of a level are neighbours.
        let lists = fields.filter { field in
            field.isRepeated && wanted.fields.contains { $0.name == field.name && !$0.part.elements.isEmpty }
        }
        levels[level].counterStart = Int32(counterCount)
        levels[level].counterCount = Int32(lists.count)
        var counters: [String: Int] = [:]
        for list in lists {
            counters[list.name] = counterCount
            counterCount += 1
        }
        var found: [(field: ProtobufField, step: Int, part: Int?)] = []
        for field in fields {
            guard let part = wanted.fields.first(where: { $0.name == field.name })?.part else { continue }
            let place = ProtobufPlace(field, schema)
            let made = try self.part(part) { (compiler) throws(ProtobufProblem) in
                try compiler.step(
                    place, part, level: level, fallback: field.fallback, isPackable: field.isRepeated,
                    counter: counters[field.name] ?? 0)
            }
            found.append((field, made.step, made.part))
        }
        addClearing(fields, &found)
        tabulate(found.map { ($0.field.number, $0.step) }, level: level)
    }

    /// Members of a oneof clear what is wanted of the others.
    private mutating func addClearing(
        _ fields: [ProtobufField], _ found: inout [(field: ProtobufField, step: Int, part: Int?)]
    ) {
        let wanted = found
        for field in fields {
            guard let oneof = field.oneof else { continue }
            let others = wanted.filter { $0.field.oneof == oneof && $0.field.number != field.number }
            guard !others.isEmpty else { continue }
            let list = Int32(add(list: others.compactMap(\.part)))
            let isClosed = field.kind == .enumeration && schema.enumerations[field.type].isClosed
            let closed = isClosed ? Int32(symbols(field.type)) : 0
            if let own = found.first(where: { $0.field.number == field.number }) {
                steps[own.step].clears = list
                steps[own.step].closed = closed
            } else {
                var step = ProtobufStep(operation: .skip, wireType: field.kind.wireType)
                step.clears = list
                step.closed = closed
                found.append((field, add(step), nil))
            }
        }
    }

    private mutating func tabulate(_ entries: [(number: Int, step: Int)], level: Int) {
        let dense = entries.filter { $0.number < Self.denseMax }
        let sparse = entries.filter { $0.number >= Self.denseMax }
        let count = (dense.map(\.number).max() ?? -1) + 1
        levels[level].dense = Int32(table.count)
        levels[level].denseCount = UInt32(count)
        table += [Int32](repeating: 0, count: count)
        for (number, step) in dense { table[Int(levels[level].dense) + number] = Int32(step) }
        for (number, _) in dense where number < 64 { levels[level].wanted |= 1 << UInt64(number) }
        levels[level].sparse = Int32(table.count)
        levels[level].sparseCount = Int32(sparse.count)
        for (number, step) in sparse { table += [Int32(number), Int32(step)] }
    }

    // MARK: - Values

    /// The step for all that is wanted of a value.
    private mutating func step(
        _ place: ProtobufPlace, _ wanted: WantedPart, level: Int, fallback: ProtobufField.Default?, isPackable: Bool,
        counter: Int = 0
    ) throws(ProtobufProblem) -> Int {
        var wanted = wanted
        var found: [Int] = []
        // What wants a wrapper wants what is in it.
        if case .value(let type) = place, type.kind == .message, schema[type.index].wellKnown == .wrapper,
            let name = schema[type.index].fields.first?.name
        {
            for slot in wanted.slots { wanted.add([FieldPath.Step.name(name)], slot: slot) }
            wanted.slots = []
        }
        for slot in wanted.slots {
            found.append(try leaf(place, slot, level: level, fallback: fallback))
        }
        let wireType = wireType(place)
        switch place {
        case .value(let type) where type.kind == .message:
            if !wanted.elements.isEmpty || wanted.isEach { throw ProtobufProblem(message: "a message is no list") }
            guard !wanted.fields.isEmpty else { break }
            let inner = addLevel()
            try read(type.index, wanted, level: inner)
            found.append(add(ProtobufStep(operation: .enter, wireType: wireType, a: Int32(inner))))
        case .list(let type):
            if !wanted.fields.isEmpty { throw ProtobufProblem(message: "a list has no fields") }
            if wanted.isEach { found.append(keepElements(place, type, level: level)) }
            guard !wanted.elements.isEmpty else { break }
            found.append(try elements(type, wanted, counter: counter, level: level))
        case .map(let entry):
            if !wanted.elements.isEmpty || wanted.isEach { throw ProtobufProblem(message: "a map is no list") }
            guard !wanted.fields.isEmpty else { break }
            found.append(try entries(entry, wanted))
        case .value:
            guard wanted.fields.isEmpty, wanted.elements.isEmpty, !wanted.isEach else {
                throw ProtobufProblem(message: "\(schema.noun(place)) has nothing in it")
            }
        }
        let closed = Int32(closedEnum(place).map { symbols($0) } ?? 0)
        // Whatever else wants a map looks at its pairs itself.
        let isMap = if case .map = place { true } else { false }
        for index in found {
            steps[index].closed = isMap && steps[index].operation != .entry ? 0 : closed
            steps[index].wireType = wireType
            steps[index].isPackable = isPackable && isPackableList(place)
        }
        if found.count == 1 { return found[0] }
        let list = add(list: found)
        // Without any the value is passed over.
        let operation = found.isEmpty ? ProtobufStep.Operation.skip : .several
        var step = ProtobufStep(operation: operation, wireType: wireType, a: Int32(list))
        step.isPackable = isPackable && isPackableList(place)
        step.closed = isMap ? 0 : closed
        return add(step)
    }

    /// The closed enum of a list's elements, or of a map's values.
    private func closedEnum(_ place: ProtobufPlace) -> Int? {
        let type: ProtobufType
        switch place {
        case .value: return nil
        case .list(let element): type = element
        case .map(let entry):
            guard let item = schema[entry].fields.first(where: { $0.number == 2 }) else { return nil }
            type = item.valueType
        }
        return type.kind == .enumeration && schema.enumerations[type.index].isClosed ? type.index : nil
    }

    private func wireType(_ place: ProtobufPlace) -> UInt8 {
        switch place {
        case .value(let type), .list(let type): type.kind.wireType
        case .map: ProtobufField.Kind.message.wireType
        }
    }

    private func isPackableList(_ place: ProtobufPlace) -> Bool {
        if case .list(let type) = place { type.kind.isPackable } else { false }
    }

    private mutating func keepElements(_ place: ProtobufPlace, _ type: ProtobufType, level: Int) -> Int {
        elementType = type
        pending.append(
            ProtobufPending(form: .elements, place: place, slot: -1, column: DecodedColumn(), level: level))
        return add(ProtobufStep(operation: .pend, a: Int32(pending.count - 1)))
    }

    private mutating func elements(
        _ type: ProtobufType, _ wanted: WantedPart, counter: Int, level: Int
    ) throws(ProtobufProblem) -> Int {
        var list: [Int] = []
        for element in wanted.elements {
            let step = try step(.value(type), element.part, level: level, fallback: nil, isPackable: false)
            list += [element.place, step]
        }
        let other = add(ProtobufStep(operation: .skip, wireType: type.kind.wireType))
        let place = table.count
        table.append(Int32(wanted.elements.count))
        table += (list + [other]).map { Int32(clamping: $0) }
        return add(ProtobufStep(operation: .element, a: Int32(counter), b: Int32(place)))
    }

    private mutating func entries(_ entry: Int, _ wanted: WantedPart) throws(ProtobufProblem) -> Int {
        let fields = schema[entry].fields
        guard let key = fields.first(where: { $0.number == 1 }), let item = fields.first(where: { $0.number == 2 })
        else { throw ProtobufProblem(message: "the map has no keys") }
        var list: [Int32] = []
        for field in wanted.fields {
            guard let halves = keyHalves(field.name, key.kind) else {
                throw ProtobufProblem(message: "`\(field.name)` is no key of the map")
            }
            var inner = 0
            let made = try part(field.part) { (compiler) throws(ProtobufProblem) in
                inner = compiler.addLevel()
                let place = ProtobufPlace(item, compiler.schema)
                let step = try compiler.step(
                    place, field.part, level: inner, fallback: compiler.entryDefault(item), isPackable: false)
                compiler.tabulate([(2, step)], level: inner)
                return step
            }
            list += [halves.0, halves.1, Int32(inner), Int32(made.part)]
        }
        let place = table.count
        table += [Int32(key.kind.rawValue), Int32(wanted.fields.count)] + list
        return add(ProtobufStep(operation: .entry, a: Int32(place)))
    }

    /// The value of a pair without one, in proto2 too.
    private func entryDefault(_ item: ProtobufField) -> ProtobufField.Default? {
        if let known = item.fallback { return known }
        switch item.kind {
        case .message, .group: return nil
        case .string, .bytes: return .bytes([])
        case .enumeration:
            return .bits(UInt64(bitPattern: Int64(schema.enumerations[item.type].values.first?.number ?? 0)))
        default: return .bits(0)
        }
    }

    /// A key as the table has it: where its text is, or its number. nil for what is no key.
    private mutating func keyHalves(_ name: String, _ kind: ProtobufField.Kind) -> (Int32, Int32)? {
        let number: Int64
        switch kind {
        case .string:
            let place = constant(Array(name.utf8))
            return (Int32(place.lowerBound), Int32(place.count))
        case .bool:
            guard name == "true" || name == "false" else { return nil }
            number = name == "true" ? 1 : 0
        case .uint64, .fixed64:
            guard let value = UInt64(name) else { return nil }
            number = Int64(bitPattern: value)
        default:
            guard let value = Int64(name) else { return nil }
            number = value
        }
        return (Int32(truncatingIfNeeded: number), Int32(truncatingIfNeeded: number >> 32))
    }

    // MARK: - Columns

    private mutating func leaf(
        _ place: ProtobufPlace, _ slot: Int, level: Int, fallback: ProtobufField.Default?
    ) throws(ProtobufProblem) -> Int {
        let column = columns[slot]
        let reading = try schema.reading(place, as: column.type, column.form)
        if case .value(let type) = place, let step = directStep(reading, type, slot) {
            let number = add(step)
            addDefault(fallback, type, step: number, slot, level: level)
            return number
        }
        let form: ProtobufPending.Form = reading == .span ? .seconds : column.type == .json ? .json : .text
        var value = ProtobufPending(
            form: form, place: place, slot: slot, column: DecodedColumn(column), level: level)
        if case .value(let type) = place, let fallback {
            value.fallback = constant(Self.wireBytes(fallback, type.kind, withLength: false))
        }
        pending.append(value)
        return add(ProtobufStep(operation: .pend, slot: Int32(slot), a: Int32(pending.count - 1)))
    }

    /// The step of a value that goes into its slot at once.
    private mutating func directStep(_ reading: ProtobufReading, _ type: ProtobufType, _ slot: Int) -> ProtobufStep? {
        let kind = Int32(type.kind.rawValue)
        var step = ProtobufStep(operation: .convert, wireType: type.kind.wireType, slot: Int32(slot))
        switch reading {
        case .json, .span: return nil
        case .text: step.operation = .text
        case .symbol, .integer:
            if type.kind == .enumeration {
                step.operation = .symbol
                step.a = Int32(symbols(type.index))
                step.b = reading == .integer ? 1 : 0
            } else {
                step.operation = .integer
                (step.a, step.b) = (kind, columns[slot].type == .int ? 1 : 0)
            }
        case .instant:
            step.operation = .instant
            step.a = Int32(addLevel())
        case .double where type.kind == .double: step.operation = .double
        case .double where type.kind == .float: step.operation = .float
        case .epoch(let unit) where type.kind.isInteger:
            let isFine = unit == .nanoseconds
            step.operation = isFine ? .divide : .multiply
            (step.a, step.b) = (Int32(isFine ? 1000 : 1_000_000 / unit.perSecond), kind)
        case .double: convert(&step, type.kind, .number(.double))
        case .epoch(let unit): convert(&step, type.kind, .number(.epoch(unit)))
        case .decimalNumber: convert(&step, type.kind, .number(.decimal))
        case .parsedText: convert(&step, type.kind, .text)
        }
        return step
    }

    private mutating func convert(
        _ step: inout ProtobufStep, _ kind: ProtobufField.Kind, _ form: ProtobufConversion.Form
    ) {
        let column = DecodedColumn(columns[Int(step.slot)])
        conversions.append(ProtobufConversion(kind: kind, form: form, column: column))
        step.a = Int32(conversions.count - 1)
    }

    /// The names of an enum in the table, by number; of two with the same number the first.
    private mutating func symbols(_ index: Int) -> Int {
        let type = schema.enumerations[index]
        var names: [Int32: String] = [:]
        for value in type.values where names[value.number] == nil { names[value.number] = value.name }
        var entries: [Int32] = []
        for (number, name) in names.sorted(by: { $0.key < $1.key }) {
            let place = constant(Array(name.utf8))
            entries += [number, Int32(place.lowerBound), Int32(place.count)]
        }
        table += [type.isClosed ? 1 : 0, Int32(names.count)] + entries
        return table.count - entries.count - 2
    }

    private mutating func addDefault(
        _ fallback: ProtobufField.Default?, _ type: ProtobufType, step: Int, _ slot: Int, level: Int
    ) {
        guard let fallback else { return }
        let value: ProtobufDefault.Value
        switch (steps[step].operation, fallback) {
        case (.integer, .bits(0)), (.multiply, .bits(0)), (.divide, .bits(0)), (.double, .bits(0)), (.float, .bits(0)):
            value = .bits(0)
        case (.text, .bytes(let bytes)):
            let place = constant(bytes)
            value = .text(start: place.lowerBound, count: place.count)
        default:
            let place = constant(Self.wireBytes(fallback, type.kind, withLength: true))
            value = .step(step, start: place.lowerBound, count: place.count)
        }
        defaults.append(ProtobufDefault(slot: slot, level: level, value: value))
    }

    /// A value as a record has it.
    private static func wireBytes(
        _ value: ProtobufField.Default, _ kind: ProtobufField.Kind, withLength: Bool
    ) -> [UInt8] {
        func fixed(_ value: UInt64, _ count: Int) -> [UInt8] {
            (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64($0 * 8)) }
        }
        switch value {
        case .bytes(let bytes): return (withLength ? sevenBitBytes(UInt64(bytes.count)) : []) + bytes
        case .bits(let bits):
            switch kind {
            case .double, .fixed64, .sfixed64: return fixed(bits, 8)
            case .float: return fixed(UInt64(Float(Double(bitPattern: bits)).bitPattern), 4)
            case .fixed32, .sfixed32: return fixed(bits, 4)
            case .sint32, .sint64: return sevenBitBytes(zigzag(Int64(bitPattern: bits)))
            default: return sevenBitBytes(bits)
            }
        }
    }
}
