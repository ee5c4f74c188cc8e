// Records of protobuf: a message that is a whole value, or one behind what Confluent's clients write before it.
//
// With a registry values are read as the newest schema of their topic has the message: fields are told by their
// numbers, so that what others have written needs no resolution. The writer's schema says which message a value is.
//
//     Confluent | 0 | id of the schema (4, the highest first) | places of the message | message |
//     places    | count | place among the messages of the file | place among those in that | … |
//
// as numbers with a sign, and a single 0 for the first message of the file. A program is made for each message that
// turns up, and kept. Where elements of a list make rows, the record is read once into a row of what lies outside of
// the list; each element then goes into a copy of that row.

internal import SluicePlan
internal import SluiceSpec

@safe struct ProtobufRecordDecoder: FormatDecoder, ~Copyable {
    private let options: ProtobufOptions
    private let columns: [InputColumn]
    private let each: EachSpec?

    private var machine = ProtobufMachine()
    private var program: ProtobufProgram?
    private var code: ProtobufProgram.Code?
    /// Of the program, beside it: nothing counts references for a record.
    private var section = ProtobufSection()

    /// Of the messages that have turned up.
    private var programs: [MessageKey: Made] = [:]
    /// By the number that records of the chunk in hand have them by.
    private var numbered: [UInt32: RecordSchema] = [:]
    /// The record before.
    private var lastNumber: UInt32?
    private var lastPlaces: [Int] = []

    /// The row of the record in hand without its elements.
    private var outer: OuterRow
    /// Elements of the record in hand as they stand in it, and where among these the next one is.
    private var elements: [ProtobufJSON.Value] = []
    private var elementIndex = 0
    /// How many are still to come.
    private var elementCount = 0
    /// Where the next one begins, within those that stand in one piece.
    private var elementStart: UnsafeRawPointer?
    private var elementNumber = 0

    private struct MessageKey: Hashable {
        var schema: RecordSchema
        var places: [Int]
    }

    private enum Made {
        case program(ProtobufProgram)
        case none(ProtobufFault)
    }

    private static let programCountMax = 256

    init(_ options: ProtobufOptions, _ input: InputPlan) {
        self.options = options
        columns = input.columns
        each = input.each
        outer = OuterRow(input)
        guard let schema = options.schema, let message = try? options.message.map(schema.message(named:)) else {
            return
        }
        use(try? ProtobufCompiler.program(schema, message, columns, each: each))
    }

    // MARK: - Schemas

    mutating func begin(startsFile: Bool) {
        elementCount = 0
        elements.removeAll()
    }

    mutating func readSchemas(_ schemas: [RecordSchema]) {
        guard options.framing == .confluent, options.schema == nil else { return }
        lastNumber = nil
        numbered.removeAll(keepingCapacity: true)
        for schema in schemas { numbered[schema.id] = schema }
    }

    private mutating func use(_ program: ProtobufProgram?) {
        self.program = program
        code = program?.code
        if let program {
            section = program.record
            machine.prepare(for: program)
        }
    }

    /// Takes the message of a schema that a record names; nil, or why there is none.
    private mutating func take(_ number: UInt32, _ places: [Int]) -> ProtobufFault? {
        if number == lastNumber, places == lastPlaces { return nil }
        guard let schema = numbered[number] else { return .unknownSchema }
        let key = MessageKey(schema: schema, places: places)
        let made = programs[key] ?? make(key)
        if programs.count >= Self.programCountMax { programs.removeAll() }
        programs[key] = made
        switch made {
        case .none(let fault): return fault
        case .program(let program):
            use(program)
            lastNumber = number
            lastPlaces = places
            return nil
        }
    }

    private func make(_ key: MessageKey) -> Made {
        guard let writer = try? ProtobufSchema(key.schema.writer) else { return .none(.unreadable) }
        guard let written = writer.message(at: key.places) else { return .none(.unknownMessage) }
        let name = writer[written].fullName
        var (schema, message) = (writer, written)
        if let reader = key.schema.reader.flatMap({ try? ProtobufSchema($0) }),
            let known = reader.messages.firstIndex(where: { $0.fullName == name })
        {
            (schema, message) = (reader, known)
        }
        if let wanted = options.message, name != wanted, !name.hasSuffix("." + wanted) { return .none(.otherMessage) }
        guard let made = try? ProtobufCompiler.program(schema, message, columns, each: each) else {
            return .none(.unreadable)
        }
        return .program(made)
    }

    // MARK: - Records

    /// A message without fields takes no bytes.
    mutating func isNothing(_ text: UnsafeRawPointer, _ record: Range<Int>, isFramed: Bool) -> Bool { false }

    mutating func decode(
        _ text: UnsafeRawPointer, _ record: Range<Int>, _ row: inout RowWriter, into arena: inout ByteBuffer
    ) -> RecordOutcome {
        let end = unsafe text + record.upperBound
        var start = unsafe text + record.lowerBound
        if options.framing == .confluent {
            if let fault = unsafe readFraming(&start, end) { return refused(fault, &row, into: &arena) }
        }
        guard let code = code else { return refused(.unreadable, &row, into: &arena) }
        unsafe machine.begin(start, end: end, code, section.level)
        if each != nil { return decodeElements(&row, into: &arena) }
        row.begin(&arena)
        let fault =
            machine.run(code, section.level, &row, into: &arena) ?? machine.finish(section, code, &row, into: &arena)
        if let fault {
            row.fields.builder.abandon(&arena)
            return refused(fault, &row, into: &arena)
        }
        let byteCount = row.fields.builder.finish(&arena)
        guard machine.unfitSlot >= 0 else { return .row(byteCount: byteCount) }
        row.fault = machine.unfitFault
        return .badRow(byteCount: byteCount)
    }

    /// Passes over what stands before a message, and takes the message that it names.
    private mutating func readFraming(
        _ start: inout UnsafeRawPointer, _ end: UnsafeRawPointer
    ) -> ProtobufFault? {
        let value = unsafe UnsafeRawBufferPointer(start: start, count: end - start)
        guard let number = unsafe ConfluentFraming.schemaNumber(value) else { return .magic }
        unsafe start += ConfluentFraming.byteCount
        guard unsafe start < end else { return .indexes }
        // Most topics have one message, the first of its file.
        if unsafe start.load(as: UInt8.self) == 0 {
            unsafe start += 1
            if options.schema != nil { return nil }
            return number == lastNumber && lastPlaces == [0] ? nil : take(number, [0])
        }
        guard let (places, offset) = unsafe ConfluentFraming.message(value) else { return .indexes }
        unsafe start += offset - ConfluentFraming.byteCount
        return options.schema == nil ? take(number, places) : nil
    }

    /// A row of what the record says beside its bytes.
    @inline(never)
    private mutating func refused(
        _ fault: ProtobufFault, _ row: inout RowWriter, into arena: inout ByteBuffer
    ) -> RecordOutcome {
        elementCount = 0
        elements.removeAll()
        row.fault = .protobuf(fault)
        return .noRecord(byteCount: row.rowBesideText(&arena))
    }

    // MARK: - Elements that make rows

    @inline(__always)
    var hasMoreRows: Bool { elementCount > 0 }

    mutating func decodeMore(_ row: inout RowWriter, into arena: inout ByteBuffer) -> RecordOutcome {
        guard let program else { return .noRows }
        return nextElement(program, &row, into: &arena)
    }

    private mutating func decodeElements(
        _ row: inout RowWriter, into arena: inout ByteBuffer
    ) -> RecordOutcome {
        guard let program else { return refused(.unreadable, &row, into: &arena) }
        outer.begin(&row)
        let code = program.code
        let fault =
            machine.run(code, program.record.level, &row, into: &outer.buffer)
            ?? machine.finish(program.record, code, &row, into: &outer.buffer)
        if let fault { return refused(fault, &row, into: &arena) }
        outer.finish(&row, unfit: machine.unfitSlot >= 0 ? machine.unfitFault : nil)
        let list = program.pending.firstIndex { $0.form == .elements }
        let isPackable = list.map { packedType(program.pending[$0]) != nil } ?? false
        elements = list.map { machine.values(of: $0, withLength: !isPackable) } ?? []
        elementNumber = 0
        elementIndex = 0
        unsafe elementStart = nil
        guard let count = countElements(program) else { return refused(.elements, &row, into: &arena) }
        elementCount = count
        guard elementCount > 0 else { return outer.withoutElements(&row, into: &arena) }
        return nextElement(program, &row, into: &arena)
    }

    /// nil where one of those that stand in one piece does not end with it.
    private func countElements(_ program: ProtobufProgram) -> Int? {
        var count = 0
        for value in elements {
            guard let wireType = packedType(program, value) else {
                count += 1
                continue
            }
            var cursor = unsafe value.start
            while unsafe cursor < value.end {
                guard unsafe passValue(UInt32(wireType) | 8, &cursor, value.end) == nil else { return nil }
                count += 1
            }
            guard unsafe cursor == value.end else { return nil }
        }
        return count
    }

    /// What elements are written as where they stand in one piece.
    private func packedType(_ program: ProtobufProgram, _ value: ProtobufJSON.Value) -> UInt8? {
        guard value.wireType == 2, let list = program.pending.first(where: { $0.form == .elements }) else {
            return nil
        }
        return packedType(list)
    }

    private func packedType(_ list: ProtobufPending) -> UInt8? {
        guard case .list(let type) = list.place, type.kind.isPackable else { return nil }
        return type.kind.wireType
    }

    private mutating func nextElement(
        _ program: ProtobufProgram, _ row: inout RowWriter, into arena: inout ByteBuffer
    ) -> RecordOutcome {
        let number = elementNumber
        outer.beginElement(number, &row, into: &arena)
        let fault = readElement(program, &row, into: &arena)
        elementNumber += 1
        elementCount -= 1
        return outer.finishElement(
            number, isBroken: fault != nil, unfitSlot: machine.unfitSlot, &row, into: &arena)
    }

    /// Reads the next element into the row in hand, and steps to the one behind it.
    private mutating func readElement(
        _ program: ProtobufProgram, _ row: inout RowWriter, into arena: inout ByteBuffer
    ) -> ProtobufFault? {
        guard elementIndex < elements.count else { return .elements }
        let value = elements[elementIndex]
        let start = unsafe elementStart ?? value.start
        var end = unsafe value.end
        if let wireType = packedType(program, value) {
            unsafe end = unsafe start
            _ = unsafe passValue(UInt32(wireType) | 8, &end, value.end)
        }
        if unsafe end == value.end {
            elementIndex += 1
            unsafe elementStart = nil
        } else {
            unsafe elementStart = unsafe end
        }
        let code = program.code
        unsafe machine.begin(start, end: end, code, program.element.level)
        return machine.runElement(code, program.elementStep, &row, into: &arena)
            ?? machine.finish(program.element, code, &row, into: &arena)
    }
}
