// Expressions are compiled once per plan into a flat program and run once per row, with Spark 4's semantics:
// three-valued logic, short circuit, strings compared by bytes, NaN equal to itself and greater than any number, -0.0
// equal to 0.0, decimals rounded half up to Spark's result types.
//
// One deliberate difference: where Spark in ANSI mode would end the query with an error (overflow, division by zero, a
// text that is no number, a bad `like` pattern), the result here is NULL, as from Spark's `try_` functions. A stream
// job must not stop for ever on one odd value that it will read again after every restart.
//
// Text that a cast makes from a timestamp, or a timestamp it makes from text, is in the time zone given at compile
// time. A duration is a number of microseconds: adding one day adds 24 hours, whatever clocks do.

internal import SluicePlan
internal import SluiceSpec

/// A compiled expression. Copies share one immutable program, which any number of workers may run at once, each with
/// its own `EvaluationScratch`.
struct CompiledExpression: Sendable {
    let type: DataType
    private let program: CompiledProgram
    /// Valid as long as this expression, or a copy of it, is.
    let runner: ExpressionRunner

    /// Compiles `expression`, whose slots are positions in rows of `layouts` (one per input). Casts between text and
    /// timestamps are in `zone`, calendar functions and `to_timestamp` in `calendarZone`; `zones` finds the zones that
    /// text may name. O(size of the expression).
    init(
        _ expression: Expression<ColumnSlot>, layouts: [RowLayout], zone: TimeZoneRules,
        calendarZone: TimeZoneRules = .utc, zones: TimeZones
    ) {
        var compiler = ExpressionCompiler(layouts: layouts, zone: zone, calendarZone: calendarZone, zones: zones)
        let folded = compiler.folded(expression)
        let isCondition = expression.type == .boolean || expression.type == .null
        let conditionEntry = isCondition ? compiler.addCondition(folded) : -1
        let valueEntry = compiler.addValue(folded)
        self.init(
            compiler, type: expression.type, valueEntry: valueEntry, conditionEntry: conditionEntry)
    }

    /// What `compiler` has compiled.
    init(_ compiler: ExpressionCompiler, type: DataType, valueEntry: Int, conditionEntry: Int) {
        self.type = type
        program = CompiledProgram(compiler)
        runner = ExpressionRunner(
            program, valueEntry: valueEntry, conditionEntry: conditionEntry, registerCount: compiler.registerCount)
    }

    /// Whether a boolean expression is true: null and false are not.
    @inline(__always)
    func isTrue(_ rows: RowPair, _ scratch: inout EvaluationScratch) -> Bool {
        withExtendedLifetime(program) { runner.isTrue(rows, &scratch) }
    }

    /// The value. A string lives until the next evaluation with `scratch`, and no longer than the rows and the program.
    @inline(__always)
    func evaluate(_ rows: RowPair, _ scratch: inout EvaluationScratch) -> Register {
        withExtendedLifetime(program) { runner.evaluate(rows, &scratch) }
    }
}

/// Runs a program without owning it: nothing in it is counted, so that workers who share a program never write to the
/// same memory.
@safe struct ExpressionRunner: @unchecked Sendable {
    // @unchecked: what the pointers lead to never changes; whoever holds the CompiledExpression keeps it alive.
    private let code: UnsafePointer<Instruction>
    private let constants: UnsafePointer<Register>
    private let program: Unmanaged<CompiledProgram>
    private let valueEntry: Int
    private let conditionEntry: Int
    private let registerCount: Int

    fileprivate init(_ program: CompiledProgram, valueEntry: Int, conditionEntry: Int, registerCount: Int) {
        unsafe code = unsafe UnsafePointer(program.code)
        unsafe constants = unsafe UnsafePointer(program.constants)
        unsafe self.program = Unmanaged.passUnretained(program)
        self.valueEntry = valueEntry
        self.conditionEntry = conditionEntry
        self.registerCount = registerCount
    }

    /// Whether a boolean expression is true: null and false are not.
    @inline(__always)
    func isTrue(_ rows: RowPair, _ scratch: inout EvaluationScratch) -> Bool {
        precondition(conditionEntry >= 0, "only a boolean expression is a condition")
        return run(from: conditionEntry, rows, &scratch) != 0
    }

    /// The value. A string lives until the next evaluation with `scratch`, and no longer than the rows and the program.
    @inline(__always)
    func evaluate(_ rows: RowPair, _ scratch: inout EvaluationScratch) -> Register {
        let result = run(from: valueEntry, rows, &scratch)
        return unsafe scratch.registers[result]
    }

    /// Runs to the next end: 1 and 0 for `yes` and `no`, the register's number for `result`.
    private func run(from entry: Int, _ rows: RowPair, _ scratch: inout EvaluationScratch) -> Int {
        scratch.begin(registerCount: registerCount)
        let registers = unsafe scratch.registers
        var next = unsafe code + entry
        while true {
            let at = unsafe next
            let met: Bool
            switch unsafe at.pointee.opcode {
            case .branchIntegerConstant:
                let row = unsafe at.pointee.slot.row(in: rows)
                guard let row = unsafe row else { met = false; break }
                let value = unsafe Int64(bitPattern: at.pointee.slot.bits(row))
                unsafe met = at.pointee.ordering.holds(value, at.pointee.immediate)
            case .branchIntegerSlots:
                let a = unsafe at.pointee.slot.row(in: rows)
                let b = unsafe at.pointee.otherSlot.row(in: rows)
                guard let a = unsafe a, let b = unsafe b else { met = false; break }
                unsafe met = at.pointee.ordering.holds(
                    Int64(bitPattern: at.pointee.slot.bits(a)), Int64(bitPattern: at.pointee.otherSlot.bits(b)))
            case .branchStringConstant:
                let row = unsafe at.pointee.slot.row(in: rows)
                guard let row = unsafe row else { met = false; break }
                let constant = unsafe constants[Int(at.pointee.immediate)].bytes
                unsafe met = compare(at.pointee.slot.bytes(row), constant, at.pointee.ordering)
            case .branchStringSlots:
                let a = unsafe at.pointee.slot.row(in: rows)
                let b = unsafe at.pointee.otherSlot.row(in: rows)
                guard let a = unsafe a, let b = unsafe b else { met = false; break }
                unsafe met = compare(
                    at.pointee.slot.bytes(a), at.pointee.otherSlot.bytes(b), at.pointee.ordering)
            case .branchNullSlot:
                unsafe met = at.pointee.slot.row(in: rows) == nil
            case .branchTrue:
                unsafe met = registers[Int(at.pointee.a)].isTrue
            case .branchFalse:
                unsafe met = registers[Int(at.pointee.a)].isFalse
            case .branchNull:
                unsafe met = registers[Int(at.pointee.a)].isNull
            case .jump:
                unsafe next = code + Int(at.pointee.target)
                continue
            case .yes: return 1
            case .no: return 0
            case .result: return unsafe Int(at.pointee.a)
            default:
                unsafe execute(at, constants: constants, rows: rows, program: program, scratch: &scratch)
                unsafe next = at + 1
                continue
            }
            unsafe next = met == at.pointee.flag ? code + Int(at.pointee.target) : at + 1
        }
    }
}

/// Equality looks at the lengths first: most strings that differ differ there.
@inline(__always)
private func compare(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer, _ ordering: Ordering) -> Bool {
    if ordering == .equal { return unsafe areEqual(a, b) }
    return unsafe ordering.holds(sign: compareBytes(a, b))
}

/// Owns what a program is made of.
@safe final class CompiledProgram: @unchecked Sendable {
    // @unchecked: nothing changes after init, and the memory lives as long as the object.
    let code: UnsafeMutablePointer<Instruction>
    let constants: UnsafeMutablePointer<Register>
    let zone: TimeZoneRules
    /// The zone of calendar functions.
    let calendarZone: TimeZoneRules
    /// Finds the zones that text may name.
    let zones: TimeZones
    private let text: UnsafeMutableRawPointer
    /// What instructions point to.
    private let resources: [AnyObject]

    init(_ compiler: ExpressionCompiler) {
        let (instructions, values) = (compiler.instructions, compiler.constants)
        unsafe code = .allocate(capacity: max(1, instructions.count))
        for (index, instruction) in instructions.enumerated() { unsafe code[index] = instruction }
        unsafe constants = .allocate(capacity: max(1, values.count))
        unsafe text = .allocate(byteCount: max(1, values.reduce(0) { $0 + $1.textByteCount }), alignment: 8)
        zone = compiler.zone
        calendarZone = compiler.calendarZone
        zones = compiler.zones
        resources = compiler.resources
        var textEnd = 0
        for (index, value) in values.enumerated() {
            switch value {
            case .plain(let register): unsafe constants[index] = register
            case .text(let bytes):
                let place = unsafe UnsafeMutableRawBufferPointer(start: text + textEnd, count: bytes.count)
                unsafe place.copyBytes(from: bytes)
                textEnd += bytes.count
                unsafe constants[index] = Register(bytes: UnsafeRawBufferPointer(place))
            }
        }
    }

    deinit {
        unsafe code.deallocate()
        unsafe constants.deallocate()
        unsafe text.deallocate()
    }
}
