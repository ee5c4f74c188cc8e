// Functions that are calls of routines. Their constants (patterns, paths, units) are compiled here.

internal import SluicePlan
internal import SluiceSpec

extension ExpressionCompiler {
    /// Emits a function that is no arithmetic and no branch.
    mutating func routine(_ function: Function, _ operands: [Tree], type: DataType, into target: Int) {
        switch function {
        case .nullif: return nullIf(operands, into: target)
        case .hash: return hash(operands, into: target)
        case .greatest, .least:
            value(operands[0], into: target)
            for operand in operands.dropFirst() {
                value(operand, into: target + 1)
                emit(instruction(function, operand.type, type), into: target, operandCount: 2)
            }
            return
        default: break
        }
        // `date_trunc` has its constant first.
        var instruction = instruction(function, operands[function == .dateTrunc ? 1 : 0].type, type)
        // A constant that is null makes the result null, as a missing resource does.
        instruction.immediate = resource(function, operands)
        let isCompiled = Self.compiledOperands[function]
        for (index, operand) in operands.enumerated() where isCompiled?.contains(index) != true {
            value(operand, into: function == .dateTrunc ? target : target + index)
        }
        if function == .toTimestamp || function == .toDate, operands.count == 2 {
            instruction.routine = function == .toDate ? .readDate : .readTimestamp
        }
        emit(instruction, into: target, operandCount: operands.count)
    }

    /// The operands that are compiled with the plan and not evaluated.
    private static let compiledOperands: [Function: ClosedRange<Int>] = [
        .rlike: 1...1, .regexpExtract: 1...1, .regexpReplace: 1...2, .getJSONObject: 1...1, .dateTrunc: 0...0,
        .toTimestamp: 1...1, .toDate: 1...1,
    ]

    private func instruction(_ function: Function, _ left: DataType, _ type: DataType) -> Instruction {
        var instruction = Instruction(opcode: .routine, from: ValueKind(left))
        instruction.routine = routineOf(function)
        instruction.scales = DecimalScales(left: left.scale, result: type.scale, precision: type.precision)
        return instruction
    }

    private mutating func resource(_ function: Function, _ operands: [Tree]) -> Int64 {
        func text(_ index: Int) -> String? {
            guard case .literal(.string(let text)) = operands[index].kind else { return nil }
            return text
        }
        switch function {
        case .rlike, .regexpExtract:
            return keep(text(1).flatMap { RegularExpression($0, replacement: nil) })
        case .regexpReplace:
            guard let pattern = text(1), let replacement = text(2) else { return 0 }
            return keep(RegularExpression(pattern, replacement: replacement))
        case .getJSONObject: return keep(text(1).flatMap { try? JSONPath($0) }.map(JSONPathSteps.init))
        case .toTimestamp, .toDate:
            guard operands.count == 2 else { return 0 }
            return keep(text(1).flatMap { try? DateTimePattern($0) }.map(DateTimeReader.init))
        case .dateTrunc: return text(0).flatMap(TruncationUnit.init).map { Int64($0.rawValue) } ?? -1
        default: return 0
        }
    }

    /// Compares both in the type of the second and keeps the first.
    private mutating func nullIf(_ operands: [Tree], into target: Int) {
        let (first, second) = (operands[0], operands[1])
        let end = makeLabel()
        value(first, into: target)
        let left: Operand
        if first.type == second.type {
            left = .register(target, first.type)
        } else {
            var compared = first
            compared.kind = .cast(first)
            compared.type = second.type
            value(compared, into: target + 1)
            left = .register(target + 1, second.type)
        }
        compareValues(left, operand(second), .equal, isNullSafe: false, into: target + 2)
        emit(Instruction(opcode: .branchTrue, a: use(target + 2)), jumpIf: false, to: end)
        load(.null, into: target)
        place(end)
    }

    /// Each value is mixed into the hash of those before it; 42 is the first.
    private mutating func hash(_ operands: [Tree], into target: Int) {
        load(.integer(42), into: target)
        for operand in operands {
            value(operand, into: target + 1)
            var instruction = Instruction(opcode: .routine, from: ValueKind(operand.type))
            instruction.routine = .hash
            instruction.scales.precision = operand.type.precision
            instruction.target = UInt32(use(target))
            instruction.a = use(target + 1)
            instruction.b = use(target)
            emit(instruction)
        }
    }

    private func routineOf(_ function: Function) -> Routine {
        switch function {
        case .replace: .replace
        case .splitPart: .splitPart
        case .startsWith: .startsWith
        case .endsWith: .endsWith
        case .contains: .contains
        case .left: .left
        case .right: .right
        case .lpad: .lpad
        case .rpad: .rpad
        case .ltrim: .ltrim
        case .rtrim: .rtrim
        case .rlike: .rlike
        case .regexpExtract: .regexpExtract
        case .regexpReplace: .regexpReplace
        case .getJSONObject: .getJSONObject
        case .greatest: .greatest
        case .least: .least
        case .floor: .floor
        case .ceil: .ceil
        case .sqrt: .sqrt
        case .power: .power
        case .sign: .sign
        case .timestampSeconds: .timestampSeconds
        case .timestampMillis: .timestampMillis
        case .timestampMicros: .timestampMicros
        case .unixMillis: .unixMillis
        case .toTimestamp: .toTimestamp
        case .toDate: .toDate
        case .dateTrunc: .dateTrunc
        case .year: .year
        case .month: .month
        case .day: .day
        case .hour: .hour
        case .minute: .minute
        case .second: .second
        case .dayOfWeek: .dayOfWeek
        case .md5: .md5
        case .sha2: .sha2
        default: preconditionFailure("\(function) is no routine")
        }
    }
}
