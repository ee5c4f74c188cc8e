// Records of Avro: a datum that is a whole value, one behind the five bytes of Confluent's framing, or the data of a
// block of a container file, which are one record to whoever asks for records, and as many rows as the block has data.
//
// A program is made for each writer's schema that turns up, and kept. Where elements of an array make rows, the record
// is read once into a row of what lies outside of the array; each element then goes into a copy of that row.
//
//     block     | offset in its file (8) | count of data (4) | count of bytes (4) | data | what is no part of it
//     Confluent | 0 | id of the schema (4, the highest first) | datum |

internal import SluicePlan
internal import SluiceSpec

@safe struct AvroRecordDecoder: FormatDecoder, ~Copyable {
    private let options: AvroOptions
    private let columns: [InputColumn]
    private let each: EachSpec?

    private var machine = AvroMachine()
    /// Of the schemas that have turned up; nil for one that cannot be read.
    private var programs: [RecordSchema: AvroProgram?] = [:]
    /// By the number that records of the chunk in hand have them by.
    private var numbered: [UInt32: AvroProgram?] = [:]
    /// Whether records are told apart by their numbers.
    private var isNumbered = false
    private var lastNumber: UInt32?
    private var header: [UInt8] = []
    private var program: AvroProgram?
    private var code: AvroProgram.Code?

    /// Data of the block in hand that are still to come.
    private var dataLeft = 0
    /// True when the place of the next datum is not known.
    private var isLost = false

    /// The row of the record in hand without its elements.
    private var outer: OuterRow
    /// Elements of the array's block in hand that are still to come.
    private var elementsLeft = 0
    private var elementNumber = 0
    private var elementStart: UnsafeRawPointer
    /// Behind the record in hand.
    private var datumEnd: UnsafeRawPointer

    private static let programCountMax = 256

    init(_ options: AvroOptions, _ input: InputPlan) {
        self.options = options
        columns = input.columns
        each = input.each
        outer = OuterRow(input)
        unsafe elementStart = unsafe UnsafeRawPointer(bitPattern: 16)!
        unsafe datumEnd = unsafe UnsafeRawPointer(bitPattern: 16)!
        guard options.framing != .container, let schema = options.schema else { return }
        use(AvroCompiler.program(AvroResolution(writer: schema), columns, each: each))
    }

    // MARK: - Schemas

    mutating func begin(startsFile: Bool) {
        dataLeft = 0
        elementsLeft = 0
    }

    mutating func readHeader(_ header: [UInt8]) {
        guard options.framing == .container, header != self.header else { return }
        self.header = header
        use(program(RecordSchema(id: 0, writer: SchemaText(header))))
    }

    mutating func readSchemas(_ schemas: [RecordSchema]) {
        guard options.framing == .confluent, !schemas.isEmpty || isNumbered else { return }
        isNumbered = true
        lastNumber = nil
        numbered.removeAll(keepingCapacity: true)
        for schema in schemas { numbered[schema.id] = .some(program(schema)) }
    }

    private mutating func use(_ program: AvroProgram?) {
        self.program = program
        code = program?.code
    }

    /// The program for a writer's schema; nil where there can be none.
    private mutating func program(_ schema: RecordSchema) -> AvroProgram? {
        if let known = programs[schema] { return known }
        let made: AvroProgram? =
            (try? AvroSchema(schema.writer)).flatMap { writer in
                let given = schema.reader.flatMap { try? AvroSchema($0) }
                let resolution = AvroResolution(writer: writer, reader: options.schema ?? given)
                return AvroCompiler.program(resolution, columns, each: each)
            }
        if programs.count >= Self.programCountMax { programs.removeAll() }
        programs[schema] = .some(made)
        return made
    }

    // MARK: - Records

    mutating func isNothing(_ text: UnsafeRawPointer, _ record: Range<Int>, isFramed: Bool) -> Bool {
        record.isEmpty && !(program?.isEmpty ?? false)
    }

    mutating func decode(
        _ text: UnsafeRawPointer, _ record: Range<Int>, _ row: inout RowWriter, into arena: inout ByteBuffer
    ) -> RecordOutcome {
        let end = unsafe text + record.upperBound
        var start = unsafe text + record.lowerBound
        elementsLeft = 0
        switch options.framing {
        case .none: break
        case .confluent:
            let value = unsafe UnsafeRawBufferPointer(start: start, count: record.count)
            guard let number = unsafe ConfluentFraming.schemaNumber(value) else {
                return refused(.magic, &row, into: &arena)
            }
            if isNumbered, !takeNumber(number) { return refused(.unknownSchema, &row, into: &arena) }
            unsafe start += ConfluentFraming.byteCount
        case .container:
            dataLeft = unsafe Int(UInt32(littleEndian: start.loadUnaligned(fromByteOffset: 8, as: UInt32.self)))
            isLost = false
            let byteCount = unsafe start.loadUnaligned(fromByteOffset: 12, as: UInt32.self)
            unsafe start += AvroBlock.headerByteCount
            // A record may be longer than its block.
            unsafe machine.begin(start, end: min(end, start + Int(UInt32(littleEndian: byteCount))))
            return nextDatum(&row, into: &arena)
        }
        unsafe machine.begin(start, end: end)
        return decodeDatum(&row, into: &arena)
    }

    /// False for a schema that is not known.
    private mutating func takeNumber(_ number: UInt32) -> Bool {
        if number == lastNumber { return true }
        guard let known = numbered[number] else { return false }
        lastNumber = number
        use(known)
        return true
    }

    @inline(__always)
    var hasMoreRows: Bool { dataLeft > 0 || elementsLeft > 0 }

    mutating func decodeMore(_ row: inout RowWriter, into arena: inout ByteBuffer) -> RecordOutcome {
        if elementsLeft > 0 { return nextElement(&row, into: &arena) }
        unsafe machine.begin(machine.cursor, end: machine.end)
        return nextDatum(&row, into: &arena)
    }

    private mutating func nextDatum(_ row: inout RowWriter, into arena: inout ByteBuffer) -> RecordOutcome {
        guard dataLeft > 0 else { return .noRows }
        dataLeft &-= 1
        if isLost { return refused(.behindAnother, &row, into: &arena) }
        return decodeDatum(&row, into: &arena)
    }

    /// Reads the datum that the machine stands at.
    @inline(__always)
    private mutating func decodeDatum(_ row: inout RowWriter, into arena: inout ByteBuffer) -> RecordOutcome {
        guard let code = code else { return refused(.unreadableSchema, &row, into: &arena) }
        if each != nil { return decodeElements(code, &row, into: &arena) }
        row.begin(&arena)
        if let fault = machine.run(code, from: 0, &row, into: &arena) ?? faultBehindDatum {
            row.fields.builder.abandon(&arena)
            return refused(fault, &row, into: &arena)
        }
        let byteCount = row.fields.builder.finish(&arena)
        guard machine.unfitSlot >= 0 else { return .row(byteCount: byteCount) }
        row.fault = machine.unfitFault
        return .badRow(byteCount: byteCount)
    }

    /// What is wrong with the place where a datum has ended.
    @inline(__always)
    private var faultBehindDatum: AvroFault? {
        if dataLeft > 0 { return nil }
        if unsafe machine.cursor == machine.end { return nil }
        return options.framing == .container ? .block : .trailing
    }

    /// A row of what the record says beside its bytes.
    @inline(never)
    private mutating func refused(
        _ fault: AvroFault, _ row: inout RowWriter, into arena: inout ByteBuffer
    ) -> RecordOutcome {
        isLost = true
        elementsLeft = 0
        row.fault = .avro(fault)
        return .noRecord(byteCount: row.rowBesideText(&arena))
    }

    // MARK: - Elements that make rows

    private mutating func decodeElements(
        _ code: AvroProgram.Code, _ row: inout RowWriter, into arena: inout ByteBuffer
    ) -> RecordOutcome {
        outer.begin(&row)
        if let fault = machine.run(code, from: 0, &row, into: &outer.buffer) ?? faultBehindDatum {
            return refused(fault, &row, into: &arena)
        }
        outer.finish(&row, unfit: machine.unfitSlot >= 0 ? machine.unfitFault : nil)
        unsafe datumEnd = unsafe machine.cursor
        if machine.isEachMissing {
            row.fault = .noArray
            return .noRecord(byteCount: row.rowBesideText(&arena))
        }
        elementNumber = 0
        if let start = unsafe machine.eachStart {
            unsafe machine.beginElement(start)
            var fault = AvroFault.short
            guard let count = machine.blockCount([], &fault) else { return refused(fault, &row, into: &arena) }
            elementsLeft = count
            unsafe elementStart = unsafe machine.cursor
        }
        guard elementsLeft > 0 else {
            unsafe machine.cursor = unsafe datumEnd
            return outer.withoutElements(&row, into: &arena)
        }
        return nextElement(&row, into: &arena)
    }

    private mutating func nextElement(_ row: inout RowWriter, into arena: inout ByteBuffer) -> RecordOutcome {
        guard let program else { return refused(.unreadableSchema, &row, into: &arena) }
        let number = elementNumber
        outer.beginElement(number, &row, into: &arena)
        unsafe machine.beginElement(elementStart)
        let place = unsafe elementStart
        var fault = machine.run(
            program.code, from: program.elementStarts[machine.eachType], &row, into: &arena)
        if fault == nil, unsafe machine.cursor == place {
            var excess = AvroFault.emptyItems
            if !machine.countEmptyItem(&excess) { fault = excess }
        }
        let unfitSlot = machine.unfitSlot
        stepToNextElement(isBroken: fault != nil)
        return outer.finishElement(number, isBroken: fault != nil, unfitSlot: unfitSlot, &row, into: &arena)
    }

    /// Goes on with the array, and behind its last element with what follows the record. The record as a whole has been
    /// passed over before, so that a broken element costs no more than those behind it.
    private mutating func stepToNextElement(isBroken: Bool) {
        elementNumber += 1
        elementsLeft -= 1
        if isBroken { elementsLeft = 0 }
        if elementsLeft == 0, !isBroken {
            var fault = AvroFault.short
            elementsLeft = machine.blockCount([], &fault) ?? 0
        }
        unsafe elementStart = unsafe machine.cursor
        if elementsLeft == 0 { unsafe machine.cursor = unsafe datumEnd }
    }
}
