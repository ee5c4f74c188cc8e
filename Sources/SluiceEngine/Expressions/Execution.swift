// One instruction at a time: everything that computes a value. The loop in `CompiledExpression` keeps the branches.

internal import SluiceSpec

/// Runs an instruction that computes a value. `at` points into a program whose `constants` are given, and the scratch
/// has all registers the program uses.
@inline(never)
func execute(
    _ at: UnsafePointer<Instruction>, constants: UnsafePointer<Register>, rows: RowPair,
    program: Unmanaged<CompiledProgram>,
    scratch: inout EvaluationScratch
) {
    let registers = unsafe scratch.registers
    let a = unsafe registers[Int(at.pointee.a)]
    let b = unsafe registers[Int(at.pointee.b)]
    let result: Register
    switch unsafe at.pointee.opcode {
    case .loadInteger:
        let row = unsafe at.pointee.slot.row(in: rows)
        if let row = unsafe row { unsafe result = Register(bits: at.pointee.slot.bits(row)) } else { result = .null }
    case .loadString:
        let row = unsafe at.pointee.slot.row(in: rows)
        if let row = unsafe row { unsafe result = Register(bytes: at.pointee.slot.bytes(row)) } else { result = .null }
    case .loadDecimal:
        let row = unsafe at.pointee.slot.row(in: rows)
        if let row = unsafe row {
            unsafe result = Register(decimal: at.pointee.slot.bytes(row).loadUnaligned(as: Int128.self))
        } else {
            result = .null
        }
    case .loadConstant: unsafe result = constants[Int(at.pointee.immediate)]
    case .and:
        result = a.isFalse || b.isFalse ? Register(false) : (a.isNull || b.isNull ? .null : Register(true))
    case .or:
        result = a.isTrue || b.isTrue ? Register(true) : (a.isNull || b.isNull ? .null : Register(false))
    case .not: result = a.isNull ? .null : Register(a.low == 0)
    case .isNull: result = Register(a.isNull)
    case .isNotNull: result = Register(!a.isNull)
    case .compareInteger, .compareDouble, .compareString, .compareDecimal:
        unsafe result = comparison(at, a, b)
    case .cast:
        if a.isNull { result = .null } else { unsafe result = cast(a, at, program.takeUnretainedValue(), &scratch) }
    case .substring:
        let c = unsafe registers[Int(at.pointee.c)]
        if a.isNull || b.isNull || c.isNull {
            result = .null
        } else {
            unsafe result = Register(bytes: substring(a.bytes, position: b.integer, length: c.integer))
        }
    case .routine:
        // Not retained: workers that share a program would write to one count.
        unsafe result = program._withUnsafeGuaranteedRef { unsafe runRoutine(at, a, b, $0, &scratch) }
    case .concat, .like, .lower, .upper, .trim, .length:
        unsafe result = textFunction(at.pointee.opcode, a, b, &scratch)
    case .addDecimal, .subtractDecimal, .multiplyDecimal, .divideDecimal, .remainderDecimal, .negateDecimal,
        .absDecimal, .roundDecimal:
        unsafe result = decimalFunction(at, a, b)
    default:
        unsafe result = arithmetic(at.pointee.opcode, a, b, is32Bit: at.pointee.flag)
    }
    unsafe registers[Int(at.pointee.target)] = result
}

@inline(__always)
private func comparison(_ at: UnsafePointer<Instruction>, _ a: Register, _ b: Register) -> Register {
    if a.isNull || b.isNull {
        return unsafe at.pointee.flag ? Register(a.isNull && b.isNull) : .null
    }
    let ordering = unsafe at.pointee.ordering
    switch unsafe at.pointee.opcode {
    case .compareInteger: return Register(ordering.holds(a.integer, b.integer))
    case .compareDouble: return Register(ordering.holds(sign: compareDoubles(a.double, b.double)))
    case .compareString: return unsafe Register(ordering.holds(sign: compareBytes(a.bytes, b.bytes)))
    default:
        let scales = unsafe at.pointee.scales
        let sign = DecimalArithmetic.compare(a.decimal, Int(scales.left), b.decimal, Int(scales.right))
        return Register(ordering.holds(sign: sign))
    }
}

/// Spark's order of doubles: NaN equals NaN and is greater than the rest; -0.0 equals 0.0.
@inline(__always)
func compareDoubles(_ a: Double, _ b: Double) -> Int {
    if a < b { return -1 }
    if a > b { return 1 }
    if a == b { return 0 }
    return (a.isNaN ? 1 : 0) - (b.isNaN ? 1 : 0)
}

private func textFunction(
    _ opcode: Opcode, _ a: Register, _ b: Register, _ scratch: inout EvaluationScratch
) -> Register {
    if a.isNull { return .null }
    switch opcode {
    case .concat: return b.isNull ? .null : unsafe concatenate(a.bytes, b.bytes, &scratch)
    case .like:
        guard !b.isNull, let matches = unsafe isLike(a.bytes, pattern: b.bytes) else { return .null }
        return Register(matches)
    case .lower: return unsafe changeCase(a.bytes, toUpper: false, &scratch)
    case .upper: return unsafe changeCase(a.bytes, toUpper: true, &scratch)
    case .trim: return unsafe Register(bytes: trimmingSpaces(a.bytes))
    default: return unsafe Register(Int64(characterCount(a.bytes)))
    }
}

private func decimalFunction(_ at: UnsafePointer<Instruction>, _ a: Register, _ b: Register) -> Register {
    if a.isNull { return .null }
    let scales = unsafe at.pointee.scales
    let opcode = unsafe at.pointee.opcode
    switch opcode {
    case .negateDecimal: return Register(decimal: -a.decimal)
    case .absDecimal: return Register(decimal: Int128(a.decimal.magnitude))
    default: break
    }
    if b.isNull { return .null }
    let (x, y) = (a.decimal, b.decimal)
    switch opcode {
    case .addDecimal: return Register(decimal: DecimalArithmetic.sum(x, y, scales))
    case .subtractDecimal: return Register(decimal: DecimalArithmetic.sum(x, -y, scales))
    case .multiplyDecimal: return Register(decimal: DecimalArithmetic.product(x, y, scales))
    case .divideDecimal: return Register(decimal: DecimalArithmetic.quotient(x, y, scales))
    case .remainderDecimal: return Register(decimal: DecimalArithmetic.remainder(x, y, scales))
    default: return Register(decimal: DecimalArithmetic.round(x, digits: b.integer, scales))
    }
}

private func arithmetic(_ opcode: Opcode, _ a: Register, _ b: Register, is32Bit: Bool) -> Register {
    if a.isNull { return .null }
    switch opcode {
    case .negateInteger: return integer(Int64(0).subtractingReportingOverflow(a.integer), is32Bit)
    case .absInteger:
        return a.integer < 0 ? integer(Int64(0).subtractingReportingOverflow(a.integer), is32Bit) : a
    case .negateDouble: return Register(-a.double)
    case .absDouble: return Register(a.double.magnitude)
    default: break
    }
    if b.isNull { return .null }
    let (i, j) = (a.integer, b.integer)
    let (x, y) = (a.double, b.double)
    switch opcode {
    case .addInteger: return integer(i.addingReportingOverflow(j), is32Bit)
    case .subtractInteger: return integer(i.subtractingReportingOverflow(j), is32Bit)
    case .multiplyInteger: return integer(i.multipliedReportingOverflow(by: j), is32Bit)
    case .divideInteger: return integer(i.dividedReportingOverflow(by: j), is32Bit)
    case .remainderInteger: return j == 0 ? .null : Register(j == -1 ? 0 : i % j)
    case .addDouble: return Register(x + y)
    case .subtractDouble: return Register(x - y)
    case .multiplyDouble: return Register(x * y)
    case .divideDouble: return y == 0 ? .null : Register(x / y)
    case .remainderDouble: return y == 0 ? .null : Register(x.truncatingRemainder(dividingBy: y))
    case .roundInteger: return Register(roundInteger(i, digits: j, is32Bit: is32Bit))
    case .roundDouble: return Register(roundDouble(x, digits: j))
    case .windowStart: return Register(windowStart(i, width: j))
    case .windowEnd:
        guard let start = windowStart(i, width: j) else { return .null }
        return integer(start.addingReportingOverflow(j), false)
    default: preconditionFailure("\(opcode) is no arithmetic")
    }
}

/// Null for what does not fit.
@inline(__always)
private func integer(_ result: (partialValue: Int64, overflow: Bool), _ is32Bit: Bool) -> Register {
    if result.overflow || (is32Bit && Int64(Int32(truncatingIfNeeded: result.partialValue)) != result.partialValue) {
        return .null
    }
    return Register(result.partialValue)
}

/// The start of the tumbling window since the epoch that an instant falls into, also before the epoch.
func windowStart(_ micros: Int64, width: Int64) -> Int64? {
    guard width > 0 else { return nil }
    let offset = micros % width
    let (start, overflow) = micros.subtractingReportingOverflow(offset < 0 ? offset + width : offset)
    return overflow ? nil : start
}

/// Half up at `digits` places before the point when negative. Source: Spark's RoundBase.
private func roundInteger(_ value: Int64, digits: Int64, is32Bit: Bool) -> Int64? {
    if digits >= 0 { return value }
    if digits < -19 { return 0 }
    let unit = DecimalArithmetic.powerOfTen(Int(-digits))
    let rounded = DecimalArithmetic.halfUp(Int128(value), dividedBy: unit) * unit
    return is32Bit ? Int32(exactly: rounded).map(Int64.init) : Int64(exactly: rounded)
}

/// Half up in the decimal digits that the double prints as. Source: Spark's RoundBase, over BigDecimal.
private func roundDouble(_ value: Double, digits: Int64) -> Double {
    guard value.isFinite, value != 0 else { return value == 0 ? 0 : value }
    let shortest = ShortestDecimal(value)
    // value = ± significand * 10^exponent; what stands behind `digits` places is cut off.
    let dropped = -digits - Int64(shortest.exponent)
    if dropped <= 0 { return value }
    if dropped > 19 { return 0 }
    let unit = DecimalArithmetic.powerOfTen(Int(dropped))
    let rounded = DecimalArithmetic.halfUp(Int128(shortest.significand), dividedBy: unit)
    let magnitude = doubleFromDecimal(rounded, exponent: -Int(digits))
    return value < 0 && magnitude != 0 ? -magnitude : magnitude
}
