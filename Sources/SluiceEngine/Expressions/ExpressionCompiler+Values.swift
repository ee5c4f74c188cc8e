// Values go to registers.

internal import SluicePlan
internal import SluiceSpec

extension ExpressionCompiler {
    /// Emits code that puts the expression's value into register `target`; registers above it may be used.
    mutating func value(_ expression: Tree, into target: Int) {
        switch expression.kind {
        case .literal(let constant): load(constant, into: target)
        case .column(let column): load(slot(column), expression.type, into: target)
        case .cast(let operand): cast(operand, to: expression.type, into: target)
        case .caseWhen(let branches, let otherwise): caseWhen(branches, otherwise: otherwise, into: target)
        case .call(let function, let operands): call(function, operands, type: expression.type, into: target)
        }
    }

    mutating func load(_ slot: SlotAddress, _ type: DataType, into target: Int) {
        let opcode: Opcode =
            switch type {
            case .string, .json: .loadString
            case .decimal: .loadDecimal
            case .int, .long, .double, .boolean, .timestamp, .date, .duration, .null: .loadInteger
            }
        emit(Instruction(opcode: opcode, target: UInt32(use(target)), slot: slot))
    }

    mutating func load(_ value: Value, into target: Int) {
        let constant: Constant =
            switch value {
            case .null: .plain(.null)
            case .string(let text): .text(Array(text.utf8))
            case .decimal(let value): .plain(Register(decimal: value))
            case .integer, .double, .boolean, .timestamp, .date, .duration: .plain(Register(value.integerBits))
            }
        let number = constantNumber(constant)
        emit(Instruction(opcode: .loadConstant, target: UInt32(use(target)), immediate: number))
    }

    private mutating func cast(_ operand: Tree, to type: DataType, into target: Int) {
        value(operand, into: target)
        guard operand.type != type, operand.type != .null else { return }
        if case .null = type { return }
        var instruction = Instruction(opcode: .cast, from: ValueKind(operand.type), to: ValueKind(type))
        instruction.scales = DecimalScales(left: operand.type.scale, result: type.scale, precision: type.precision)
        instruction.target = UInt32(use(target))
        instruction.a = use(target)
        emit(instruction)
    }

    private mutating func caseWhen(
        _ branches: [(condition: Tree, value: Tree)], otherwise: Tree?, into target: Int
    ) {
        let end = makeLabel()
        for branch in branches {
            let next = makeLabel()
            self.branch(branch.condition, on: true, jumpIf: false, to: next, free: target)
            value(branch.value, into: target)
            jump(to: end)
            place(next)
        }
        if let otherwise { value(otherwise, into: target) } else { load(.null, into: target) }
        place(end)
    }

    private mutating func call(_ function: Function, _ operands: [Tree], type: DataType, into target: Int) {
        switch function {
        case .and, .or: connect(function, operands, into: target)
        case .coalesce:
            let end = makeLabel()
            for (index, operand) in operands.enumerated() {
                value(operand, into: target)
                guard index < operands.count - 1 else { break }
                emit(Instruction(opcode: .branchNull, a: use(target)), jumpIf: false, to: end)
            }
            place(end)
        case .in: search(operands, into: target)
        case .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual, .nullSafeEqual:
            guard let ordering = Ordering(function) else { return }
            compareValues(
                operand(operands[0]), operand(operands[1]), ordering, isNullSafe: function == .nullSafeEqual,
                into: target)
        case .concat:
            value(operands[0], into: target)
            for operand in operands.dropFirst() {
                value(operand, into: target + 1)
                emit(.concat, into: target, operandCount: 2)
            }
        case .substring where operands.count == 2:
            for (index, operand) in operands.enumerated() { value(operand, into: target + index) }
            load(.integer(Int64(Int32.max)), into: target + 2)
            emit(.substring, into: target, operandCount: 3)
        case .round where operands.count == 1:
            value(operands[0], into: target)
            load(.integer(0), into: target + 1)
            let zero = DataType.int
            emit(arithmetic(function, operands[0].type, zero, type: type), into: target, operandCount: 2)
        case .add, .subtract, .multiply, .divide, .remainder:
            value(operands[0], into: target)
            var left = operands[0].type
            for operand in operands.dropFirst() {
                value(operand, into: target + 1)
                emit(arithmetic(function, left, operand.type, type: type), into: target, operandCount: 2)
                left = type
            }
        case .not, .isNull, .isNotNull, .like, .lower, .upper, .trim, .length, .substring, .windowStart, .windowEnd,
            .negate, .abs, .round:
            for (index, operand) in operands.enumerated() { value(operand, into: target + index) }
            let right = operands.count > 1 ? operands[1].type : .int
            emit(arithmetic(function, operands[0].type, right, type: type), into: target, operandCount: operands.count)
        default: routine(function, operands, type: type, into: target)
        }
    }

    private mutating func emit(_ opcode: Opcode, into target: Int, operandCount: Int) {
        emit(Instruction(opcode: opcode), into: target, operandCount: operandCount)
    }

    /// Emits an instruction over registers `target`, `target + 1`, … whose result goes to `target`.
    mutating func emit(_ instruction: Instruction, into target: Int, operandCount: Int) {
        var instruction = instruction
        instruction.target = UInt32(use(target))
        instruction.a = use(target)
        if operandCount > 1 { instruction.b = use(target + 1) }
        if operandCount > 2 { instruction.c = use(target + 2) }
        emit(instruction)
    }

    /// `and` and `or`, which stop at the first operand that settles the result.
    private mutating func connect(_ function: Function, _ operands: [Tree], into target: Int) {
        let end = makeLabel()
        let settled: Opcode = function == .and ? .branchFalse : .branchTrue
        for (index, operand) in operands.enumerated() {
            value(operand, into: index == 0 ? target : target + 1)
            if index > 0 { emit(function == .and ? .and : .or, into: target, operandCount: 2) }
            if index < operands.count - 1 {
                emit(Instruction(opcode: settled, a: use(target)), jumpIf: true, to: end)
            }
        }
        place(end)
    }

    /// `x in (a, b)` is `x = a or x = b`, nulls included.
    private mutating func search(_ operands: [Tree], into target: Int) {
        let end = makeLabel()
        let (needle, free) = held(operands[0], free: target + 1)
        load(.boolean(false), into: target)
        for operand in operands.dropFirst() {
            compareValues(needle, self.operand(operand), .equal, isNullSafe: false, into: free)
            emit(Instruction(opcode: .or, target: UInt32(use(target)), a: use(target), b: use(free)))
            emit(Instruction(opcode: .branchTrue, a: use(target)), jumpIf: true, to: end)
        }
        place(end)
    }

    /// The instruction for a function whose operands, of types `left` and `right`, are all evaluated.
    private func arithmetic(_ function: Function, _ left: DataType, _ right: DataType, type: DataType) -> Instruction {
        var instruction = Instruction(opcode: opcode(function, left == .null ? type : left), flag: type == .int)
        instruction.scales = DecimalScales(
            left: left.scale, right: right.scale, result: type.scale, precision: type.precision)
        return instruction
    }

    private func opcode(_ function: Function, _ type: DataType) -> Opcode {
        switch (function, type) {
        case (.add, .double): .addDouble
        case (.add, .decimal): .addDecimal
        case (.add, _): .addInteger
        case (.subtract, .double): .subtractDouble
        case (.subtract, .decimal): .subtractDecimal
        case (.subtract, _): .subtractInteger
        case (.multiply, .double): .multiplyDouble
        case (.multiply, .decimal): .multiplyDecimal
        case (.multiply, _): .multiplyInteger
        case (.divide, .double): .divideDouble
        case (.divide, .decimal): .divideDecimal
        case (.divide, _): .divideInteger
        case (.remainder, .double): .remainderDouble
        case (.remainder, .decimal): .remainderDecimal
        case (.remainder, _): .remainderInteger
        case (.negate, .double): .negateDouble
        case (.negate, .decimal): .negateDecimal
        case (.negate, _): .negateInteger
        case (.abs, .double): .absDouble
        case (.abs, .decimal): .absDecimal
        case (.abs, _): .absInteger
        case (.round, .double): .roundDouble
        case (.round, .decimal): .roundDecimal
        case (.round, _): .roundInteger
        case (.not, _): .not
        case (.isNull, _): .isNull
        case (.isNotNull, _): .isNotNull
        case (.like, _): .like
        case (.lower, _): .lower
        case (.upper, _): .upper
        case (.trim, _): .trim
        case (.length, _): .length
        case (.substring, _): .substring
        case (.windowStart, _): .windowStart
        case (.windowEnd, _): .windowEnd
        case (.concat, _): .concat
        case (.and, _), (.or, _), (.in, _), (.coalesce, _), (.equal, _), (.notEqual, _), (.less, _),
            (.lessOrEqual, _), (.greater, _), (.greaterOrEqual, _), (.nullSafeEqual, _):
            preconditionFailure("\(function) is compiled to jumps or comparisons")
        default: preconditionFailure("\(function) is a routine")
        }
    }
}

extension DataType {
    /// Digits a decimal may have; 38 for what is none.
    var precision: UInt8 {
        if case .decimal(let precision, _) = self { UInt8(precision) } else { 38 }
    }
}
